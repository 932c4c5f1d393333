"""A file that is written whole or not at all: under another name first, which it then loses."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO


@contextmanager
def whole_file(path: Path) -> Iterator[IO[bytes]]:
    """A stream whose bytes become the file when the block ends well; else they are taken away.

    The file is for this user alone, unless one was there: then it has that one's permissions.

    Raises:
        ValueError: something is there that is not a regular file.
        OSError: it can't be written.
    """
    target = Path(os.path.realpath(path))
    mode = 0o600
    with suppress(FileNotFoundError):
        found = os.stat(target)
        if not stat.S_ISREG(found.st_mode):
            what = "a folder" if stat.S_ISDIR(found.st_mode) else "not a regular file"
            raise ValueError(f"{path} is {what}: name a file, or - for stdout.")
        mode = stat.S_IMODE(found.st_mode)
    try:
        descriptor, name = tempfile.mkstemp(".part", f".{target.name[:100]}.", target.parent)
    except FileNotFoundError:
        raise ValueError(f"There is no folder {target.parent} for {path}: make it.") from None
    try:
        with open(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fchmod(descriptor, mode)
            os.fsync(descriptor)
        os.replace(name, target)
    except BaseException:
        with suppress(OSError):
            os.unlink(name)
        raise
    with suppress(OSError):
        # The name as well is to outlive a power failure.
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
