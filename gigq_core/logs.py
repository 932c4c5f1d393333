"""Where logs go: the package's loggers, and the folder of captured output beside a queue file.

Ids come out of the file, where anybody may have written them, and the folder may lie where others
write too. So each path made of an id is made here, of ids of our form alone; what is written is
written in folders of our own, into files that were not there before, and through no link.
"""

from __future__ import annotations

import logging
import os
import re
import stat
import sys
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO

from gigq_core.log_format import InertFormatter
from gigq_core.outlet import Descriptor, Outlet, OutletHandler, OutletStream
from gigq_core.places import queue_file
from gigq_core.text import unstored

LOGGER_NAME = "gigq_core"
# UUIDs, and what is as harmless as the name of a file on any system.
_OUR_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_PLAIN_WORKER_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.@+-]{0,99}")

# Not on every system; there, links are followed.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | _NO_LINKS | getattr(os, "O_DIRECTORY", 0)


def setup_logging(level: int = logging.INFO, *, outlet: Outlet | None = None) -> None:
    """Send this package's log to stderr.

    Importing the package configures nothing; an application that wants to see the log calls
    this once. Calling it again replaces the handler. Nobody who logs ever waits for whoever reads:
    what does not get through is dropped, and the log says how many lines that were.

    Args:
        level: the lowest level that is shown, as in the standard `logging` module.
        outlet: where it goes instead of stderr.
    """
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(level)
    logger.propagate = False
    for old in list(logger.handlers):
        logger.removeHandler(old)
    outlet = outlet or stderr_outlet()
    handler = logging.StreamHandler() if outlet is None else OutletHandler(outlet)
    handler.setFormatter(InertFormatter())
    logger.addHandler(handler)


def stderr_outlet() -> Outlet | None:
    """What writes to this process's stderr; None where that is something of the application's."""
    stream = sys.__stderr__
    if stream is None or (sys.stderr is not stream and not isinstance(sys.stderr, OutletStream)):
        return None
    try:
        return _outlet_of(stream.fileno(), stream.encoding)
    except (OSError, ValueError):
        return None


@lru_cache
def _outlet_of(fd: int, encoding: str) -> Outlet:
    return Outlet(Descriptor(fd), encoding)


def silence_by_default() -> None:
    """Keep a library's manners: no output unless the application asks for it."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


# --- paths -----------------------------------------------------------------------------------


def logs_folder(db_path: str | Path) -> Path:
    """The folder that holds the workers' logs and the jobs' captured output."""
    path = queue_file(db_path).absolute()
    return path.with_name(path.name + "-logs")


def stored_path(text: str) -> Path:
    """The path that a worker's row tells; bytes that are not UTF-8 stand there as escapes."""
    path = Path(text)
    return path if unstored(text) == text or path.exists() else Path(unstored(text))


def stack_prefix(db_path: str | Path, worker_id: str) -> str:
    """Where a worker's processes put their stack when asked; the pid and `.txt` follow."""
    return str(logs_folder(db_path) / "stacks" / f"{_file_name_of(worker_id)}-")


def attempt_output(db_path: str | Path, execution_id: object) -> Path | None:
    """The file that holds what one attempt printed; there is none if it printed nothing.

    None for an id that is not of our form: no attempt of ours has it, and nothing was kept.
    """
    name = output_name(execution_id)
    return None if name is None else logs_folder(db_path) / name


def kept_output(db_path: str | Path, execution_id: object, named: object) -> Path | None:
    """That file, as far as the row agrees: one that names another file than its own is damaged.

    Args:
        db_path: the queue's file.
        execution_id: the attempt's id, out of the file.
        named: what the row says; None while the attempt runs.
    """
    if named is not None and named != output_name(execution_id):
        return None
    return attempt_output(db_path, execution_id)


def output_name(execution_id: object) -> str | None:
    """That file's name within the folder of logs, as it is stored; None as in `attempt_output`."""
    if not isinstance(execution_id, str) or not _OUR_ID.fullmatch(execution_id):
        return None
    return f"attempts/{execution_id}.log"


def _file_name_of(worker_id: str) -> str:
    """A worker's id as part of a file's name; people choose such ids freely."""
    if _PLAIN_WORKER_ID.fullmatch(worker_id):
        return worker_id
    import hashlib

    return "~" + hashlib.sha256(worker_id.encode("utf-8", "backslashreplace")).hexdigest()[:32]


# --- folders and files -----------------------------------------------------------------------


def own_folder(folder: Path) -> int:
    """Open a folder within the folder of logs; both are made, for this user alone, if missing.

    Returns:
        A descriptor, for the caller to close.

    Raises:
        OSError: they can't be had, are links, or belong to somebody else; the text says which.
    """
    outer = _own(folder.parent, None, folder.parent)
    try:
        return _own(folder.name, outer, folder)
    finally:
        os.close(outer)


def create_private(path: Path) -> BinaryIO:
    """Create a file in a folder within the folder of logs, unbuffered, for this user alone.

    Raises:
        OSError: as for `own_folder`; or something is there already, be it a link to nowhere.
    """
    folder = own_folder(path.parent)
    try:
        return _create(path.name, folder)
    finally:
        os.close(folder)


def create_log(db_path: str | Path, worker_id: str) -> tuple[Path, BinaryIO]:
    """Create a worker's log, in the folder of logs itself.

    Raises:
        FileExistsError: there is one of that name.
        OSError: as for `own_folder`.
    """
    path = logs_folder(db_path) / f"{_file_name_of(worker_id)}.log"
    folder = _own(path.parent, None, path.parent)
    try:
        # The worker opens it by its name too.
        return path, _create(path.name, folder, os.O_APPEND)
    finally:
        os.close(folder)


def remove_private(path: Path) -> None:
    """Delete a file that `create_private` made, if it is there.

    Raises:
        OSError: as for `create_private`.
    """
    if not os.path.lexists(path):
        return
    folder = own_folder(path.parent)
    try:
        os.unlink(path.name, dir_fd=folder)
    except FileNotFoundError:
        pass
    finally:
        os.close(folder)


def ready_for(prefix: str) -> bool:
    """Make the folders of a file whose path begins so; False where there is no prefix.

    Raises:
        OSError: as for `own_folder`.
    """
    if not prefix:
        return False
    os.close(own_folder(Path(prefix).parent))
    return True


def is_kept(path: Path | None) -> bool:
    """Whether there is such a file: an ordinary one, and no link to another."""
    if path is None:
        return False
    try:
        return stat.S_ISREG(path.lstat().st_mode)
    except (OSError, ValueError):
        return False


def open_kept(path: Path | None) -> BinaryIO | None:
    """Open a file that was kept for reading; None where `is_kept` is false, or it may not be read.

    Nothing is waited for, whatever stands there.
    """
    if path is None or not is_kept(path):
        return None
    try:
        descriptor = os.open(path, os.O_RDONLY | _NO_LINKS | getattr(os, "O_NONBLOCK", 0))
    except OSError:
        return None
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        return None
    return open(descriptor, "rb")


def _create(name: str, folder: int, more: int = 0) -> BinaryIO:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NO_LINKS | more
    return open(os.open(name, flags, 0o600, dir_fd=folder), "wb", buffering=0)


def _own(name: str | Path, within: int | None, shown: Path) -> int:
    try:
        try:
            folder = os.open(name, _FOLDER, dir_fd=within)
        except FileNotFoundError:
            try:
                os.mkdir(name, 0o700, dir_fd=within)
            except FileExistsError:
                pass  # another worker was faster
            folder = os.open(name, _FOLDER, dir_fd=within)
    except OSError as problem:
        if shown.is_symlink():
            raise OSError(problem.errno, f"{shown} is a link, and no link is followed") from None
        raise OSError(problem.errno, f"{shown}: {problem.strerror}") from None
    if hasattr(os, "geteuid") and os.fstat(folder).st_uid != os.geteuid():
        os.close(folder)
        raise PermissionError(1, f"{shown} belongs to somebody else")
    return folder
