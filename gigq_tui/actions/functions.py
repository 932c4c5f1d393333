"""Asking the workers' interpreter about a function; the console itself imports no user code."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigq_core.errors import GigQError
from gigq_core.job import FunctionReference

INSPECTOR = Path(__file__).with_name("inspector.py")
INSPECTION_TIMEOUT_S = 20.0


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function. `default` is JSON text where JSON can hold it, else a repr."""

    name: str
    kind: str
    annotation: str
    default: str
    required: bool


@dataclass(frozen=True)
class FunctionInfo:
    """What the workers' interpreter says of a function."""

    function: str
    doc: str
    parameters: tuple[Parameter, ...]

    def misfit(self, params: Mapping[str, Any]) -> str:
        """One sentence why the function can't be called with these parameters, or nothing.

        `parent_results` counts as given: the worker adds it.
        """
        named = {p.name: p for p in self.parameters if p.kind in _NAMED}
        missing = [
            p.name
            for p in self.parameters
            if p.required and p.name not in params and p.name != "parent_results"
        ]
        if missing:
            return f"{self.function} needs a value for {_listed(missing)}."
        if any(p.kind == "VAR_KEYWORD" for p in self.parameters):
            return ""
        unknown = [name for name in params if name not in named]
        if unknown:
            takes = _listed(list(named)) if named else "no parameters"
            return f"{self.function} has no parameter {_listed(unknown)}: it takes {takes}."
        return ""


_NAMED = ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"


def check_python(python: str) -> str:
    """The full path of the interpreter that the workers' jobs shall run in.

    Args:
        python: A path, or a name to be found on PATH.

    Raises:
        GigQError: There is no such file, or it can't be executed.
    """
    if os.sep not in python:
        found = shutil.which(python)
        if found is None:
            raise GigQError(f"There is no program {python} on the PATH: give --python a full path.")
        return found
    # Not resolved: a virtual environment's python is a link, and means something else than its end.
    path = Path(python).expanduser().absolute()
    if not path.exists():
        raise GigQError(f"There is no interpreter at {path}: check --python.")
    if path.is_dir() or not os.access(path, os.X_OK):
        raise GigQError(f"{path} can't be executed: give --python the path of a Python.")
    return str(path)


def check_folder(chdir: Path) -> Path:
    """The full path of the folder that jobs run in.

    Raises:
        GigQError: There is no such folder.
    """
    path = chdir.expanduser().absolute()
    if not path.is_dir():
        raise GigQError(f"There is no folder {path}: check --chdir.")
    return path


def inspect_function(
    function: str, python: str, chdir: Path, timeout_s: float = INSPECTION_TIMEOUT_S
) -> FunctionInfo:
    """Import the function in a child process and describe it.

    Args:
        function: `package.module.function`.
        python: The workers' interpreter.
        chdir: The workers' folder, which comes first on the child's path.
        timeout_s: Seconds after which the import is given up and the child killed.

    Raises:
        GigQError: It can't be imported there, or is nothing that can be called.
    """
    try:
        reference = FunctionReference.parse(function)
    except ValueError as problem:
        raise GigQError(str(problem)) from None
    answer = _ask(reference, check_python(python), check_folder(chdir), timeout_s)
    shown = f"{reference.module}.{reference.name}"
    if not answer.get("ok"):
        raise GigQError(
            f"{shown} can't be used: {str(answer.get('error')).rstrip('.')} "
            f"(asked {python} in {chdir})."
        )
    parameters = tuple(
        Parameter(p["name"], p["kind"], p["annotation"], p["default"], p["required"])
        for p in answer["parameters"]
    )
    return FunctionInfo(shown, answer["doc"], parameters)


def _ask(
    reference: FunctionReference, python: str, chdir: Path, timeout_s: float
) -> dict[str, Any]:
    words = [python, str(INSPECTOR), reference.module, reference.name]
    try:
        child = subprocess.Popen(
            words,
            cwd=chdir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as problem:
        raise GigQError(f"{python} can't be started: {problem.strerror}.") from None
    try:
        out, err = child.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        raise GigQError(
            f"Importing {reference.module} took longer than {timeout_s:g} s: "
            "something in it works while it is imported."
        ) from None
    finally:
        _end_group(child)
    try:
        answer = json.loads(out)
    except ValueError:
        last = err.decode("utf-8", "replace").strip().splitlines()[-1:]
        said = f", saying: {last[0]}" if last else ""
        raise GigQError(
            f"{python} ended with status {child.returncode} while it imported "
            f"{reference.module}{said}."
        ) from None
    return dict(answer)


def _end_group(child: subprocess.Popen[bytes]) -> None:
    """Whatever the import started ends with it."""
    try:
        os.killpg(child.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    child.wait()
    for stream in (child.stdout, child.stderr):
        if stream is not None:
            stream.close()
