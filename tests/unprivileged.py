"""Programs that may not write what is not theirs, also where the tests run as root."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

# Whoever owns what the tests' programs may only read.
STRANGER = 12345
_WITHOUT_POWERS = (
    "setpriv",
    "--bounding-set=-all",
    "--inh-caps=-all",
    "--securebits=+noroot,+noroot_locked",
)

needs_another_user = pytest.mark.skipif(
    os.getuid() != 0 or shutil.which("setpriv") is None,
    reason="takes root, to be two users, and setpriv",
)
# For a `ConsoleTerminal`: the console, without root's powers.
CONSOLE = (
    "-c",
    f"import os, sys; words = [*{_WITHOUT_POWERS!r}, sys.executable, '-m', 'gigq_tui'];"
    "os.execvp(words[0], [*words, *sys.argv[1:]])",
)


def run(*words: str | Path, cwd: Path = Path("/")) -> subprocess.CompletedProcess[str]:
    """Run Python with these words, without root's powers."""
    command = [*_WITHOUT_POWERS, sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60, check=False)


def give_away(folder: Path, *, files: int = 0o444, itself: int = 0o555) -> None:
    """Make a folder and all in it a stranger's, with these permissions."""
    for path in folder.rglob("*"):
        os.chown(path, STRANGER, STRANGER)
        path.chmod(itself if path.is_dir() else files)
    os.chown(folder, STRANGER, STRANGER)
    folder.chmod(itself)
