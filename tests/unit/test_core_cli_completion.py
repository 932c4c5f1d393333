"""Completion in the shell, asked for as the shells do."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue


@pytest.fixture
def db(tmp_path: Path) -> Path:
    path = tmp_path / "q.db"
    queue = JobQueue(path)
    for id, name in (("aaaa-1", "first"), ("aaaa-2", "second"), ("bbbb-1", "third")):
        job = Job(name, "json.dumps", {"obj": 1})
        job.id = id
        queue.submit(job)
    queue.close()
    return path


def offered(*words: str) -> list[str]:
    """What is offered for the last of the words."""
    environment = {
        **os.environ,
        "_GIGQ_CORE_COMPLETE": "bash_complete",
        "COMP_WORDS": " ".join(["gigq-core", *words]),
        "COMP_CWORD": str(len(words)),
    }
    answer = subprocess.run(
        [sys.executable, "-m", "gigq_core"],
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stderr == ""
    return [line.partition(",")[2] for line in answer.stdout.split()]


def test_commands_and_the_words_of_options_are_offered() -> None:
    assert offered("pa") == ["pause"]
    assert offered("list", "--status", "c") == ["completed", "cancelled"]
    assert "--on-crash" in offered("submit", "json.dumps", "--")


@pytest.mark.parametrize("command", ["status", "cancel", "requeue", "logs", "stack", "clear"])
def test_ids_of_jobs_are_offered(command: str, db: Path) -> None:
    assert offered("--db", str(db), command, "aaaa") == ["aaaa-1", "aaaa-2"]
    assert offered(command, "--db", str(db), "b") == ["bbbb-1"]


def test_where_there_is_no_queue_nothing_is_offered(tmp_path: Path) -> None:
    assert offered("--db", str(tmp_path / "none.db"), "status", "") == []
    odd = tmp_path / "odd.db"
    odd.write_bytes(b"no database at all")
    assert offered("--db", str(odd), "status", "") == []
    assert offered("--db", str(odd), "ask", "") == []
    assert not (tmp_path / "none.db").exists()


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script_of_a_shell_is_one(shell: str) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "gigq_core", "completion", shell],
        capture_output=True,
        text=True,
        check=True,
    )
    assert f"_GIGQ_CORE_COMPLETE={shell}_complete" in answer.stdout
    if (program := shutil.which(shell)) is not None:
        subprocess.run([program, "-n"], input=answer.stdout, text=True, check=True)
