"""Asking the workers' interpreter about a function; the console itself imports no user code."""

from __future__ import annotations

import json
import os
import selectors
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from gigq_core.errors import GigQError
from gigq_core.functions.call_signature import CONTEXT, Signature
from gigq_core.job import FunctionReference

INSPECTOR = Path(__file__).with_name("inspector.py")
INSPECTION_TIMEOUT_S = 20.0
# How often a child that is silent is looked at.
POLL_S = 0.05
MAX_OUT_BYTES = 16_000_000
KEPT_ERR_BYTES = 65_536


@dataclass(frozen=True)
class Parameter:
    """One parameter of a function. `default` is JSON text where JSON can hold it, else a repr.

    `choices` are the values of an enumeration; `is_object` tells of a class with fields, which
    JSON writes as an object.
    """

    name: str
    kind: str
    annotation: str
    default: str
    required: bool
    choices: tuple[Any, ...] = ()
    is_object: bool = False


@dataclass(frozen=True)
class FunctionInfo:
    """What the workers' interpreter says of a function."""

    function: str
    doc: str
    parameters: tuple[Parameter, ...]
    is_async: bool = False

    @property
    def takes(self) -> Signature:
        """What it takes, for judging parameters."""
        named = [p for p in self.parameters if p.kind in _NAMED]
        return Signature(
            self.function,
            tuple(p.name for p in named),
            tuple(p.name for p in named if p.required),
            any(p.kind == "VAR_KEYWORD" for p in self.parameters),
            tuple(p.name for p in self.parameters if p.required and p.kind == "POSITIONAL_ONLY"),
            self.is_async or any(p.name == CONTEXT and p.required for p in named),
        )

    def misfit(self, params: Mapping[str, Any]) -> str:
        """One sentence why the function can't be called with these parameters, or nothing."""
        return self.takes.misfit(params)


class NotUsable(GigQError):
    """A function can't be imported, or is nothing that can be called: `why`."""

    def __init__(self, function: str, why: str, python: str, chdir: Path) -> None:
        self.why = why
        super().__init__(f"{function} can't be used: {why} (asked {python} in {chdir}).")


class ChildTimeout(Exception):
    """The child took too long, or said too much, and was killed. `out` is what it had said."""

    def __init__(self, out: bytes) -> None:
        super().__init__()
        self.out = out


@dataclass(frozen=True)
class Child:
    """What a child said before it ended with `status`."""

    out: bytes
    err: bytes
    status: int


_NAMED = ("POSITIONAL_OR_KEYWORD", "KEYWORD_ONLY")


def full_path(path: str | Path) -> Path:
    """The path from the root on; a `~` of nobody known is the name of a file like any other."""
    return Path(os.path.expanduser(path)).absolute()


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
    path = full_path(python)
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
    path = full_path(chdir)
    if not path.is_dir():
        raise GigQError(f"There is no folder {path}: check --chdir.")
    return path


def inspect_function(
    function: str,
    python: str,
    chdir: Path,
    timeout_s: float = INSPECTION_TIMEOUT_S,
    *,
    unwanted: Callable[[], bool] = lambda: False,
) -> FunctionInfo:
    """Import the function in a child process and describe it.

    Args:
        function: `package.module.function`.
        python: The workers' interpreter.
        chdir: The workers' folder, which comes first on the child's path.
        timeout_s: Seconds after which the import is given up and the child killed.
        unwanted: Asked from time to time whether to kill the child before that.

    Raises:
        NotUsable: It can't be imported there, or is nothing that can be called.
        GigQError: It can't be asked.
    """
    try:
        reference = FunctionReference.parse(function)
    except ValueError as problem:
        raise GigQError(str(problem)) from None
    answer = _ask(reference, check_python(python), check_folder(chdir), timeout_s, unwanted)
    shown = f"{reference.module}.{reference.name}"
    if not answer.get("ok"):
        raise NotUsable(shown, str(answer.get("error")).rstrip("."), python, chdir)
    parameters = tuple(
        Parameter(
            p["name"],
            p["kind"],
            p["annotation"],
            p["default"],
            p["required"],
            tuple(p.get("choices", ())),
            bool(p.get("object", False)),
        )
        for p in answer["parameters"]
    )
    return FunctionInfo(shown, answer["doc"], parameters, bool(answer.get("async")))


def _ask(
    reference: FunctionReference,
    python: str,
    chdir: Path,
    timeout_s: float,
    unwanted: Callable[[], bool],
) -> dict[str, Any]:
    words = [python, str(INSPECTOR), reference.module, reference.name]
    try:
        child = ask_child(words, chdir, timeout_s, unwanted)
    except ChildTimeout:
        raise GigQError(
            f"Importing {reference.module} took longer than {timeout_s:g} s: "
            "it does too much work at import."
        ) from None
    try:
        answer = json.loads(child.out)
    except ValueError:
        last = child.err.decode("utf-8", "replace").strip().splitlines()[-1:]
        said = f", saying: {last[0]}" if last else ""
        raise GigQError(
            f"{python} ended with status {child.status} while it imported {reference.module}{said}."
        ) from None
    return dict(answer)


def ask_child(
    words: list[str],
    chdir: Path,
    timeout_s: float,
    unwanted: Callable[[], bool] = lambda: False,
    *,
    environment: Mapping[str, str] | None = None,
) -> Child:
    """Run a child in a session of its own, and let nothing that it started outlive the answer.

    Args:
        words: The program and its arguments.
        chdir: The folder it runs in.
        timeout_s: Seconds after which it is killed.
        unwanted: Asked from time to time whether to kill it before that.
        environment: Its environment; None for ours.

    Raises:
        ChildTimeout: It took longer, or nobody wanted its answer any more.
        GigQError: It can't be started.
    """
    try:
        child = subprocess.Popen(
            words,
            cwd=chdir,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except OSError as problem:
        raise GigQError(f"{words[0]} can't be started: {problem.strerror or problem}.") from None
    try:
        out, err = _listen(child, timeout_s, unwanted)
    finally:
        _end_group(child)
    return Child(out, err, child.returncode)


def _listen(
    child: subprocess.Popen[bytes], timeout_s: float, unwanted: Callable[[], bool]
) -> tuple[bytes, bytes]:
    """What the child says until it ends; what it forked may hold the pipes open for longer."""
    assert child.stdout is not None
    assert child.stderr is not None
    out, err = bytearray(), bytearray()
    deadline = time.monotonic() + timeout_s
    with selectors.DefaultSelector() as selector:
        selector.register(child.stdout, selectors.EVENT_READ, out)
        selector.register(child.stderr, selectors.EVENT_READ, err)
        while selector.get_map():
            ended = child.poll() is not None
            events = selector.select(0 if ended else POLL_S)
            for key, _ in events:
                said = os.read(key.fd, 65536)
                key.data.extend(said)
                if not said:
                    selector.unregister(key.fileobj)
            # Of much noise the last words are enough.
            del err[:-KEPT_ERR_BYTES]
            if ended and not events:
                break
            if time.monotonic() > deadline or len(out) > MAX_OUT_BYTES or unwanted():
                raise ChildTimeout(bytes(out))
    # It may have closed its ends before it ended.
    try:
        child.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        raise ChildTimeout(bytes(out)) from None
    return bytes(out), bytes(err)


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
