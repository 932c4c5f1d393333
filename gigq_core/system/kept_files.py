"""The folder beside a queue file, in which workers keep their logs, the jobs' output and stacks.

It may lie where others write too: what is written is written in folders of our own, into files that
were not there before, and through no link.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

from gigq_core.system.paths import worker_log

# Not on every system; there, links are followed.
_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
_FOLDER = os.O_RDONLY | _NO_LINKS | getattr(os, "O_DIRECTORY", 0)


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
    path = worker_log(db_path, worker_id)
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
