"""A text in the user's own editor: in a private file, which is gone whatever happens."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from gigq_core.errors import GigQError

# What an editor that is open now works on, and its process; a console that ends clears it away.
_folders: set[Path] = set()
_editors: set[subprocess.Popen[bytes]] = set()
# An editor that goes on after a hang-up is told to end after so many seconds.
_HANG_UP_S = 1.0

# More than this is no text that somebody edited.
MAX_BYTES = 4_000_000
FALLBACKS = ("vi", "nano")
# Editors that take the line to begin at as `+N`.
_KNOW_LINES = frozenset(
    {"vi", "vim", "nvim", "view", "nano", "emacs", "emacsclient", "micro", "kak"}
)


def editor_words(environment: Mapping[str, str] | None = None) -> list[str]:
    """The command that edits a file: VISUAL, EDITOR, or else whichever of vi and nano there is.

    Raises:
        GigQError: There is none, or the variable can't be read as a command.
    """
    environment = os.environ if environment is None else environment
    for variable in ("VISUAL", "EDITOR"):
        command = environment.get(variable, "").strip()
        if not command:
            continue
        try:
            return shlex.split(command)
        except ValueError as problem:
            raise GigQError(f"{variable} is not a valid command ({problem}): {command}") from None
    for name in FALLBACKS:
        if shutil.which(name):
            return [name]
    raise GigQError("No editor found: set EDITOR to your editor's command.")


def edit_text(text: str, *, suffix: str = ".json", line: int = 1) -> str:
    """Let the user edit a text in their editor, and return what became of it.

    The terminal must be theirs meanwhile. Called from the main thread: a ctrl+c is meant for the
    editor, and must not end this process.

    Args:
        text: What stands in the file at first.
        suffix: How the file's name ends; editors colour by it.
        line: The line to begin at, for editors that can.

    Raises:
        GigQError: The file can't be written, the editor can't be started or failed, or what it
            left can't be read.
    """
    words = editor_words()
    # A folder of its own: editors put copies and swap files beside the file.
    try:
        folder = Path(tempfile.mkdtemp(prefix="gigq-"))
    except OSError as problem:
        raise GigQError(_not_written(problem)) from None
    _folders.add(folder)
    try:
        file = folder / f"params{suffix}"
        _write(file, text)
        at = [f"+{line}"] if line > 1 and Path(words[0]).name in _KNOW_LINES else []
        _run([*words, *at, str(file)])
        return _read(file)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _folders.discard(folder)


def end_editors() -> None:
    """End the editor that is open, as a terminal that closes would. From any thread."""
    for number in (signal.SIGHUP, signal.SIGTERM):
        for editor in tuple(_editors):
            editor.send_signal(number)
        until = time.monotonic() + _HANG_UP_S
        while _editors and time.monotonic() < until:
            time.sleep(0.02)


def drop_edited_files() -> None:
    """Delete the private files of editors that did not end. From any thread."""
    for folder in tuple(_folders):
        shutil.rmtree(folder, ignore_errors=True)


def _write(file: Path, text: str) -> None:
    try:
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
            stream.write(text)
    except OSError as problem:
        raise GigQError(_not_written(problem)) from None


def _not_written(problem: OSError) -> str:
    return f"The file for the editor can't be written: {problem.strerror or problem}."


def _run(words: list[str]) -> None:
    try:
        with _signals_for_the_editor():
            editor = subprocess.Popen(words)
            _editors.add(editor)
            try:
                status = editor.wait()
            finally:
                _editors.discard(editor)
    except OSError as problem:
        raise GigQError(f"{words[0]} can't be started: {problem.strerror}.") from None
    if status:
        how = f"ended with status {status}" if status > 0 else f"was ended by signal {-status}"
        raise GigQError(f"{words[0]} {how}: nothing was changed.")


@contextmanager
def _signals_for_the_editor() -> Iterator[None]:
    """Keep what the terminal's keys send to the editor from ending this process too."""

    # A handler, not SIG_IGN: the editor would inherit that.
    def leave_it(signum: int, frame: FrameType | None) -> None:
        return None

    before = {number: signal.signal(number, leave_it) for number in (signal.SIGINT, signal.SIGQUIT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _read(file: Path) -> str:
    try:
        with file.open("rb") as stream:
            octets = stream.read(MAX_BYTES + 1)
    except OSError as problem:
        raise GigQError(f"The edited file can't be read: {problem.strerror}.") from None
    if len(octets) > MAX_BYTES:
        raise GigQError(f"The edited file is longer than {MAX_BYTES:,} bytes.")
    try:
        return octets.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise GigQError(
            f"The edited file is not valid UTF-8 at byte {problem.start + 1}."
        ) from None
