"""What takes the room of a queue file, and of what stands beside it: in bounded time.

The share of each table and index comes from SQLite's own `dbstat`, where this SQLite has it; else,
or where that takes too long, it is reckoned from some rows. What the rows hold is always reckoned
so, unless there are few.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from gigq_core.keeping.rules import read_keeping
from gigq_core.schema import size_statements as sql
from gigq_core.schema.opening import explain, open_read_only
from gigq_core.schema.transaction import read
from gigq_core.system.paths import logs_folder, queue_file

# How long the pages of a file are looked at, and a folder is gone through, in seconds.
PAGES_FOR_S = 4.0
FOLDER_FOR_S = 2.0
# Of so many rows each is looked at, and of more so many that are spread evenly.
ALL_ROWS = 5000
SOME_ROWS = 1000
# What a row takes beside its values, and a page beside its rows.
_ROW_BYTES = 12
_FULL = 0.9

# The columns whose share is told: a table, a column, its words.
_VALUES = (
    ("jobs", "params", "parameters"),
    ("jobs", "result", "results"),
    ("jobs", "error", "errors"),
    ("job_executions", "result", "results"),
    ("job_executions", "traceback", "tracebacks"),
    ("job_executions", "error", "errors"),
)


@dataclass(frozen=True)
class Share:
    """A part of the file.

    Attributes:
        name: A table, `indexes`, `other tables`, or what a column holds.
        size: In bytes.
        rows: How many rows a table has; None for anything else.
        within: The table that it is a part of; empty for a part of the file itself.
        is_estimate: Whether it is estimated from some of the rows.
    """

    name: str
    size: int
    rows: int | None = None
    within: str = ""
    is_estimate: bool = False


@dataclass(frozen=True)
class Folder:
    """The files in a folder; `is_whole` is False where there are too many to look at all."""

    path: Path
    size: int = 0
    files: int = 0
    is_whole: bool = True


@dataclass(frozen=True)
class FileSize:
    """What takes the room.

    Attributes:
        path: The queue's file.
        size, wal: Of the file and of its WAL, in bytes.
        free: What the file holds and does not use, in bytes; `compact` gives it back.
        shares: The parts of the file, and the parts of those behind them.
        jobs, attempts: How many there are.
        logs: The folder beside the file.
        archive: The files in the archive that are this queue's; None where it has none.
        note: Why the shares are reckoned and not counted; empty where they are counted.
    """

    path: Path
    size: int
    wal: int
    free: int
    shares: tuple[Share, ...]
    jobs: int
    attempts: int
    logs: Folder
    archive: Folder | None
    note: str = ""


def read_file_size(path: str | Path) -> FileSize:
    """Find out what takes the room; nothing is changed.

    Raises:
        DatabaseError: the file can't be read.
    """
    file = queue_file(path)
    try:
        with closing(open_read_only(file)) as conn:
            pages, counted, note = _counted(conn)
            with read(conn):
                columns = _columns(conn)
                rows = {table: _count(conn, table) for table in columns}
                values = [
                    share
                    for table, names in columns.items()
                    for share in _values(conn, table, rows[table], names)
                ]
                free = conn.execute("PRAGMA freelist_count").fetchone()[0] * pages
                shares = counted or _reckoned(conn, rows, columns)
                archive = read_keeping(conn).archive
    except sqlite3.Error as problem:
        raise explain(problem, file) from problem
    return FileSize(
        path=file,
        size=_size(file),
        wal=_size(file.with_name(f"{file.name}-wal")),
        free=free,
        shares=tuple(_with_rows(shares, rows, values)),
        jobs=rows["jobs"],
        attempts=rows.get("job_executions", 0),
        logs=folder_size(logs_folder(file)),
        archive=folder_size(Path(archive), f"{file.name}-") if archive else None,
        note=note,
    )


def folder_size(folder: Path, prefix: str = "") -> Folder:
    """The files in a folder and those below it; with a prefix, those of its own that begin so."""
    until = time.monotonic() + FOLDER_FOR_S
    size = files = 0
    left = [folder]
    while left:
        try:
            entries = os.scandir(left.pop())
        except (OSError, ValueError):  # a damaged row may name one that no system can have
            continue
        with entries:
            for entry in entries:
                if time.monotonic() > until:
                    return Folder(folder, size, files, False)
                try:
                    if entry.is_dir(follow_symlinks=False):
                        if not prefix:
                            left.append(Path(entry.path))
                    elif entry.name.startswith(prefix):
                        size += entry.stat(follow_symlinks=False).st_size
                        files += 1
                except OSError:
                    continue
    return Folder(folder, size, files)


def _counted(conn: sqlite3.Connection) -> tuple[int, list[Share], str]:
    """The size of a page, the shares by `dbstat`, and why there are none."""
    pages: int = conn.execute("PRAGMA page_size").fetchone()[0]
    try:
        with _at_most(conn, PAGES_FOR_S), read(conn):
            found = conn.execute(sql.PAGES_BY_NAME).fetchall()
            kinds = {row["name"]: row["tbl_name"] for row in conn.execute(sql.INDEXES_AND_TABLES)}
    except sqlite3.OperationalError as problem:
        if "interrupted" in str(problem):
            return pages, [], f"The file is too large to look at each page in {PAGES_FOR_S:g} s"
        if "dbstat" not in str(problem):
            raise
        return pages, [], "This Python's SQLite has no dbstat"
    tables: dict[str, int] = {}
    indexes = others = 0
    for row in found:
        name, size = row["name"], row["size"]
        if kinds.get(name, name) != name:
            indexes += size
        elif name in ("jobs", "job_executions"):
            tables[name] = size
        else:
            others += size
    shares = [Share(name, size) for name, size in tables.items()]
    shares += [Share("indexes", indexes), Share("other tables", others)]
    return pages, sorted(shares, key=lambda share: -share.size), ""


def _reckoned(
    conn: sqlite3.Connection, rows: dict[str, int], columns: dict[str, list[str]]
) -> list[Share]:
    """The shares of the tables by some of their rows; the rest is said to be indexes and others."""
    page_count, page_size, free = (
        conn.execute(f"PRAGMA {name}").fetchone()[0]
        for name in ("page_count", "page_size", "freelist_count")
    )
    left = (page_count - free) * page_size
    shares = []
    for table, names in columns.items():
        sizes, looked_at, _ = _sums(conn, table, names, rows[table])
        whole = (sum(sizes) / max(1, looked_at) + _ROW_BYTES) * rows[table] / _FULL
        size = min(left, int(whole))
        left -= size
        shares.append(Share(table, size, is_estimate=True))
    shares.append(Share("indexes and other tables", left, is_estimate=True))
    return sorted(shares, key=lambda share: -share.size)


def _with_rows(
    shares: Sequence[Share], rows: dict[str, int], values: Sequence[Share]
) -> Iterator[Share]:
    for share in shares:
        yield Share(share.name, share.size, rows.get(share.name), "", share.is_estimate)
        for value in values:
            if value.within == share.name:
                size = min(value.size, share.size)
                yield Share(value.name, size, None, value.within, value.is_estimate)


def _values(conn: sqlite3.Connection, table: str, rows: int, columns: Sequence[str]) -> list[Share]:
    told = [(c, words) for t, c, words in _VALUES if t == table and c in columns]
    names = [column for column, _ in told]
    sizes, looked_at, is_all = _sums(conn, table, names, rows)
    shares = []
    for (_, words), size in zip(told, sizes, strict=True):
        if size:
            whole = size if is_all else int(size / max(1, looked_at) * rows)
            shares.append(Share(words, whole, None, table, not is_all))
    return shares


def _sums(
    conn: sqlite3.Connection, table: str, columns: Sequence[str], rows: int
) -> tuple[list[int], int, bool]:
    """How many bytes some columns hold, in how many rows, and whether those are all."""
    if not columns:
        return [], 0, True
    if rows <= ALL_ROWS:
        row = conn.execute(sql.sums_of(table, columns)).fetchone()
        return [value or 0 for value in row], rows, True
    first, last = conn.execute(sql.ENDS_OF[table]).fetchone()
    sums, looked_at = [0] * len(columns), 0
    statement = sql.sizes_from(table, columns)
    for number in range(SOME_ROWS):
        place = first + (last - first) * number // SOME_ROWS
        row = conn.execute(statement, (place,)).fetchone()
        if row is not None:
            looked_at += 1
            sums = [total + (value or 0) for total, value in zip(sums, row, strict=True)]
    return sums, looked_at, False


def _columns(conn: sqlite3.Connection) -> dict[str, list[str]]:
    return {
        table: [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
        for table in ("jobs", "job_executions")
    }


def _count(conn: sqlite3.Connection, table: str) -> int:
    n: int = conn.execute(sql.COUNT_OF[table]).fetchone()[0]
    return n


@contextmanager
def _at_most(conn: sqlite3.Connection, seconds: float) -> Iterator[None]:
    """Interrupt what is asked in this block when the time is over."""
    until = time.monotonic() + seconds
    conn.set_progress_handler(lambda: int(time.monotonic() > until), 1000)
    try:
        yield
    finally:
        conn.set_progress_handler(None, 0)


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0
