"""With what a worker is started, and whether that can work: looked at before anything starts."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from gigq_core.cli import own_command
from gigq_core.errors import GigQError
from gigq_tui.actions.functions.inspection import (
    Child,
    ChildTimeout,
    ask_child,
    check_folder,
    check_python,
)
from gigq_tui.actions.workers.environment import Environment

MOST_SLOTS = 128
GRACE_S = 5.0
EXAMINATION_TIMEOUT_S = 10.0
# The runner of the jobs needs it.
OLDEST_PYTHON = (3, 8)

_MARK = "gigq-examined"
# Nothing of the folder may stand in for a module of the interpreter's, as it does at the prompt.
_EXAMINE = f"""
import sys
if sys.path[:1] == [""]: del sys.path[0]
try:
    from sqlite3 import sqlite_version
except Exception:
    sqlite_version = ""
print("{_MARK} %d %d %d %s" % (sys.version_info[0], sys.version_info[1], sys.version_info[2], sqlite_version))
"""  # noqa: E501


@dataclass(frozen=True)
class WorkerSetup:
    """What a new worker is given.

    Attributes:
        python: The interpreter in which its jobs run.
        chdir: The folder in which they run, first on their import path.
        slots: How many of them at once; with `via`, of each agent, and 0 leaves it to that: one, or
            as many as a Dask worker has threads.
        environment: What is added to the console's own environment.
        grace_s: Seconds between asking a job to end and killing it.
        lanes: Reserved lanes whose jobs it takes besides.
        only_lanes: The lanes whose jobs alone it takes; none for all.
        via: The commands that lead to where its jobs run instead, with so many slots each.
        remote_python: The interpreter there; empty for the usual one.
        remote_chdir: The folder there; empty for where the command leads to.
    """

    python: str
    chdir: Path
    slots: int = 1
    environment: Environment = ()
    grace_s: float = GRACE_S
    lanes: tuple[str, ...] = ()
    only_lanes: tuple[str, ...] = ()
    via: tuple[str, ...] = ()
    remote_python: str = ""
    remote_chdir: str = ""

    @property
    def slot_words(self) -> list[str]:
        """The option of the command that says how many jobs at once."""
        return ["--concurrency", str(self.slots)] if self.slots else []

    @property
    def remote_words(self) -> list[str]:
        """The options of the command that say where its jobs run instead of on this machine."""
        words = [word for via in self.via for word in ("--via", via)]
        words += ["--remote-python", self.remote_python] if self.remote_python else []
        return [*words, *(["--remote-chdir", self.remote_chdir] if self.remote_chdir else [])]

    @property
    def lane_words(self) -> list[str]:
        """The options of the command that say which lanes it takes."""
        words = ["--lanes", ",".join(self.lanes)] if self.lanes else []
        return [*words, *(["--only-lanes", ",".join(self.only_lanes)] if self.only_lanes else [])]

    def surroundings(self) -> dict[str, str]:
        """The whole environment of the worker's process."""
        added = dict(self.environment)
        base = self.chdir if "PYTHONPATH" in added else Path.cwd()
        return absolute_python_path({**os.environ, **added}, base)


@dataclass(frozen=True)
class Examined:
    """What is known of an interpreter and a folder; a trouble is a sentence, or empty."""

    python: str = ""
    sqlite: str = ""
    python_trouble: str = ""
    folder_trouble: str = ""
    environment_trouble: str = ""

    @property
    def is_good(self) -> bool:
        """Whether a worker can start."""
        return not (self.python_trouble or self.folder_trouble or self.environment_trouble)


def examine(setup: WorkerSetup) -> Examined:
    """Look at the folder, run the interpreter in it, and our own in that environment. Blocks.

    Where jobs run elsewhere, what they need is found out there by the worker itself.
    """
    if setup.via:
        trouble = _own_trouble(setup.surroundings()) if setup.environment else ""
        return Examined(environment_trouble=trouble)
    try:
        folder = check_folder(setup.chdir)
    except GigQError as problem:
        folder, folder_trouble = Path("/"), str(problem)
    else:
        folder_trouble = ""
        if not os.access(folder, os.R_OK | os.X_OK):
            folder_trouble = f"{folder} can't be entered: check its permissions."
            folder = Path("/")
    surroundings = setup.surroundings()
    try:
        python, sqlite = _ask(check_python(setup.python), folder, surroundings)
    except GigQError as problem:
        return Examined(python_trouble=str(problem), folder_trouble=folder_trouble)
    return Examined(
        python,
        sqlite,
        folder_trouble=folder_trouble,
        environment_trouble=_own_trouble(surroundings) if setup.environment else "",
    )


def _ask(python: str, folder: Path, surroundings: Mapping[str, str]) -> tuple[str, str]:
    """The versions of an interpreter and of its SQLite.

    Raises:
        GigQError: It does not run, is no Python, or is too old.
    """
    answer = _run([python, "-c", _EXAMINE], folder, surroundings)
    lines = answer.out.decode("utf-8", "replace").splitlines()
    words = next((line.split(" ") for line in lines if line.startswith(_MARK)), [])
    if len(words) != 5:
        said = _last_line(answer.err) or _last_line(answer.out)
        raise GigQError(
            f"{python} does not answer as a Python (status {answer.status})"
            + (f": {said}" if said else ".")
        )
    version = tuple(int(word) for word in words[1:4])
    if version[:2] < OLDEST_PYTHON:
        oldest = ".".join(str(part) for part in OLDEST_PYTHON)
        raise GigQError(f"{python} is Python {'.'.join(words[1:4])}: jobs need {oldest} or newer.")
    return ".".join(words[1:4]), words[4]


def _own_trouble(surroundings: Mapping[str, str]) -> str:
    """Whether the worker itself, which runs in our interpreter, starts in that environment."""
    try:
        answer = _run([*own_command(), "--version"], Path("/"), surroundings)
    except GigQError as problem:
        return str(problem)
    if answer.status == 0:
        return ""
    said = _last_line(answer.err)
    return f"With it the worker does not start (status {answer.status})" + (
        f": {said}" if said else "."
    )


def _run(words: list[str], folder: Path, surroundings: Mapping[str, str]) -> Child:
    try:
        return ask_child(words, folder, EXAMINATION_TIMEOUT_S, environment=surroundings)
    except ChildTimeout:
        raise GigQError(
            f"{words[0]} did not answer within {EXAMINATION_TIMEOUT_S:g} s: is it a Python?"
        ) from None


def _last_line(output: bytes) -> str:
    lines = [line.strip() for line in output.decode("utf-8", "replace").splitlines()]
    return next((line for line in reversed(lines) if line), "")


def absolute_python_path(environment: Mapping[str, str], base: Path) -> dict[str, str]:
    """The environment with relative entries of PYTHONPATH made absolute: workers start elsewhere.

    Args:
        environment: Any.
        base: What they are relative to.
    """
    result = dict(environment)
    entries: Iterable[str] = result.get("PYTHONPATH", "").split(os.pathsep)
    # An entry without a name would be the folder in which the worker starts.
    if "PYTHONPATH" in result:
        result["PYTHONPATH"] = os.pathsep.join(str(base / entry) for entry in entries if entry)
    return result
