"""How far a queue file's WAL has been copied back into it, and who is in the way: the index tells.

The index (`-shm`) must not be opened in a process that has the file open, since closing it there
would drop SQLite's locks: a child reads it.

The layout: https://sqlite.org/walformat.html#walidxfmt
"""

from __future__ import annotations

import struct
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from gigq_core.system.file_locks import lock_holders
from gigq_core.system.paths import queue_file

CHILD_TIMEOUT_S = 20.0

_HEADER_BYTES = 136
_FRAME_HEADER_BYTES = 24
_READ = f"import sys; sys.stdout.buffer.write(open(sys.argv[1], 'rb').read({_HEADER_BYTES}))"


@dataclass(frozen=True)
class Holder:
    """A read transaction: its number in the index, the last frame that it sees, and whose it is."""

    slot: int
    mark: int
    pid: int


@dataclass(frozen=True)
class WalIndex:
    """The index at one moment: frames in the WAL, how many are in the file too, who holds what.

    `change` moves with every commit. `writer` is the process in a transaction that writes.
    """

    change: int
    page_bytes: int
    frames: int
    copied: int
    readers: frozenset[Holder]
    writer: int | None

    @property
    def waiting_bytes(self) -> int:
        """What is still to be copied back into the file."""
        return (self.frames - self.copied) * (self.page_bytes + _FRAME_HEADER_BYTES)

    @property
    def in_the_way(self) -> frozenset[Holder]:
        """The readers that keep some of it from being copied, so that the WAL grows on."""
        if self.copied >= self.frames:
            return frozenset()
        return frozenset(r for r in self.readers if r.slot == 0 or r.mark < self.frames)


def read_wal_index(path: str | Path) -> WalIndex | None:
    """The index of a queue file; None if it has none, or it can't be read from here."""
    file = queue_file(path)
    index = file.with_name(file.name + "-shm")
    if not index.exists():
        return None
    try:
        answer = subprocess.run(
            [sys.executable, "-I", "-c", _READ, index],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=CHILD_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.SubprocessError):
        return None
    header = answer.stdout
    if len(header) < _HEADER_BYTES:
        return None
    (change,) = struct.unpack_from("=I", header, 8)
    (page,) = struct.unpack_from("=H", header, 14)
    (frames,) = struct.unpack_from("=I", header, 16)
    copied, *marks = struct.unpack_from("=6I", header, 96)
    locks = lock_holders(file)
    readers = () if locks is None else locks.marks
    return WalIndex(
        change=change,
        page_bytes=65536 if page == 1 else page,
        frames=frames,
        copied=copied,
        readers=frozenset(Holder(slot, marks[slot], pid) for slot, pid in readers),
        writer=None if locks is None else locks.writer,
    )
