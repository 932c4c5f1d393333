"""Who holds a queue file's locks, and how far its WAL has been copied back: the index tells.

The index (`-shm`) must not be opened in a process that has the file open, since closing it there
would drop SQLite's locks. So this file is also a program that needs nothing but Python: a child
reads the index, and asks the system whose the locks are.

The layout: https://sqlite.org/walformat.html#walidxfmt
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

CHILD_TIMEOUT_S = 20.0

_HEADER_BYTES = 136
_FRAME_HEADER_BYTES = 24
_WRITE_LOCK = 120
_READ_LOCKS = range(123, 128)
# Linux: `struct flock`.
_FLOCK = "hhqqi4x"


@dataclass(frozen=True)
class Holder:
    """A read transaction: what it keeps from being copied, and whose it is.

    `mark` is the last frame that it sees. `pid` is 0 where it can't be told.
    """

    slot: int
    mark: int
    pid: int


@dataclass(frozen=True)
class WalIndex:
    """The index at one moment: frames in the WAL, how many are in the file too, who holds what.

    `writer` is the process that holds the write lock, 0 if it can't be told; None if nobody does.
    """

    change: int
    page_bytes: int
    frames: int
    copied: int
    readers: tuple[Holder, ...]
    writer: int | None

    @property
    def waiting_bytes(self) -> int:
        """What is still to be copied back into the file."""
        return (self.frames - self.copied) * (self.page_bytes + _FRAME_HEADER_BYTES)

    @property
    def in_the_way(self) -> tuple[Holder, ...]:
        """The readers that keep some of it from being copied, so that the WAL grows on."""
        if self.copied >= self.frames:
            return ()
        return tuple(r for r in self.readers if r.slot == 0 or r.mark < self.frames)


def read_wal_index(path: str | Path) -> WalIndex | None:
    """The index of a queue file; None if it has none, or it can't be read from here."""
    try:
        answer = subprocess.run(
            [sys.executable, "-I", __file__, os.path.realpath(path)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CHILD_TIMEOUT_S,
            check=False,
        )
        found = json.loads(answer.stdout)
    except (OSError, ValueError, subprocess.SubprocessError):
        return None
    if not isinstance(found, dict):
        return None
    readers = tuple(Holder(*reader) for reader in found.pop("readers"))
    return WalIndex(readers=readers, **found)


def _index_of(path: str) -> dict[str, object] | None:
    try:
        fd = os.open(path + "-shm", os.O_RDONLY)
    except OSError:
        return None
    header = os.pread(fd, _HEADER_BYTES, 0)
    if len(header) < _HEADER_BYTES:
        return None
    (change,) = struct.unpack_from("=I", header, 8)
    (page,) = struct.unpack_from("=H", header, 14)
    (frames,) = struct.unpack_from("=I", header, 16)
    copied, *marks = struct.unpack_from("=6I", header, 96)
    holders = [(slot, _holder(fd, lock)) for slot, lock in enumerate(_READ_LOCKS)]
    return {
        "change": change,
        "page_bytes": 65536 if page == 1 else page,
        "frames": frames,
        "copied": copied,
        "readers": [(slot, marks[slot], pid) for slot, pid in holders if pid is not None],
        "writer": _holder(fd, _WRITE_LOCK),
    }


def _holder(fd: int, byte: int) -> int | None:
    """The process that holds a lock on that byte; 0 if it can't be told, None if nobody does."""
    if sys.platform != "linux":
        return None
    import fcntl

    asked = struct.pack(_FLOCK, fcntl.F_WRLCK, os.SEEK_SET, byte, 1, 0)
    kind, _, _, _, pid = struct.unpack(_FLOCK, fcntl.fcntl(fd, fcntl.F_GETLK, asked))
    return None if kind == fcntl.F_UNLCK else max(0, pid)


if __name__ == "__main__":
    print(json.dumps(_index_of(sys.argv[1])))
