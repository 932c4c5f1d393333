"""What the documents say to run runs as it stands there: their files, commands and programs."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.pages import DOCUMENTS, ROOT, blocks_of

RUN = {"python": [sys.executable, "-"], "sh": ["bash", "-euo", "pipefail", "-s"]}
RUNNING = [
    document
    for document in DOCUMENTS
    if any(block.mark in ("run", "file") for block in blocks_of(document))
]


@pytest.mark.parametrize("document", RUNNING, ids=lambda document: document.stem)
def test_the_blocks_of_a_document_run_in_their_order(document: Path, tmp_path: Path) -> None:
    commands = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    env = {**os.environ, "PATH": commands, "PYTHONPATH": str(ROOT)}
    for block in blocks_of(document):
        if block.mark == "file":
            assert block.title, f"a file without a name:\n{block.text}"
            (tmp_path / block.title).write_text(block.text)
        elif block.mark == "run":
            done = subprocess.run(
                RUN[block.language],
                input=block.text,
                cwd=tmp_path,
                env=env,
                capture_output=True,
                text=True,
                timeout=60,
                check=False,
            )
            assert done.returncode == 0, f"{block.text}\n{done.stdout}{done.stderr}"
            assert "Warning" not in done.stderr
