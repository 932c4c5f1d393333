"""Opening a file as a queue: what it is, whether it may be used, and one sentence if not."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from gigq_core.errors import AccessRefused, DatabaseBusy, DatabaseError, DatabaseMissing, NotAQueue
from gigq_core.schema import ddl
from gigq_core.schema.failure_statements import FINGERPRINT_FUNCTION
from gigq_core.schema.still_file import StillFile, may_be_written
from gigq_core.schema.transaction import read
from gigq_core.system.paths import queue_file

BUSY_TIMEOUT_S = 30.0
READ_BUSY_TIMEOUT_S = 2.0

# `RETURNING` and DROP COLUMN came with 3.35.
OLDEST_SQLITE = (3, 35, 0)
_PAGES_AT_ONCE = 4096

# What every release of GigQ gives its table of jobs; a file may have no other table.
_MARKS_OF_A_QUEUE = frozenset(
    ("id", "name", "function_name", "function_module", "params", "dependencies", "status")
)
_TABLES = "SELECT name FROM sqlite_master WHERE type = 'table'"
_COLUMNS_OF_JOBS = "SELECT name FROM pragma_table_info('jobs')"
_HAS_EXECUTIONS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'job_executions'"
_HAS_META = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_meta'"
_SCHEMA_VERSION = "SELECT value FROM core_meta WHERE key = 'schema_version'"


def require_sqlite() -> None:
    """Refuse an SQLite that can't run our statements.

    Raises:
        DatabaseError: the interpreter's SQLite is older than 3.35.
    """
    if sqlite3.sqlite_version_info < OLDEST_SQLITE:
        raise DatabaseError(
            f"This Python's SQLite is {sqlite3.sqlite_version}, and 3.35 or newer is needed: "
            "use a newer Python."
        )


def check_path(path: str | Path) -> Path:
    """Tell by the file system alone that `path` can't be a queue file.

    Returns:
        The file it leads to: see `queue_file`.

    Raises:
        DatabaseMissing: nothing is there.
        DatabaseError: it is a directory, a special file, or may not be read.
    """
    file = Path(path)
    try:
        exists = file.exists()
    except (OSError, ValueError) as problem:
        raise DatabaseError(f"{_shown(file)} can't be checked: {problem}.") from None
    if not exists:
        if file.is_symlink():
            raise DatabaseMissing(f"{_shown(file)} is a link to a file that does not exist.")
        raise DatabaseMissing(
            f"There is no file {_shown(file)}: check the path, or create a queue with --create."
        )
    if file.is_dir():
        raise DatabaseError(f"{_shown(file)} is a directory: name the queue's file in it.")
    if not file.is_file():
        raise DatabaseError(f"{_shown(file)} is not a regular file.")
    if not os.access(file, os.R_OK):
        raise DatabaseError(f"{_shown(file)} may not be read: ask its owner for permission.")
    return queue_file(file)


class Connection(sqlite3.Connection):
    """A connection to a queue file.

    Attributes:
        still: Where the file is read as it stands, since this process may not write it: what it
            looked like when it was opened. What is read is true while that has not changed.
    """

    still: StillFile | None = None


def connect(path: Path, mode: str, busy_timeout_s: float) -> Connection:
    """A connection in autocommit, rows by name; `mode` is SQLite's: ro, rw or rwc.

    Text that isn't UTF-8, in a damaged row, is decoded with replacement marks instead of failing.
    """
    uri = f"{path.absolute().as_uri()}?mode={mode}"
    conn = sqlite3.connect(
        uri,
        uri=True,
        timeout=busy_timeout_s,
        isolation_level=None,
        check_same_thread=False,
        factory=Connection,
    )
    conn.row_factory = sqlite3.Row
    conn.text_factory = _lenient_text
    return conn


def open_read_only(path: str | Path) -> Connection:
    """Open a queue file for looking only.

    Nothing in the file changes. SQLite itself may create `-wal` and `-shm` beside a file in WAL
    mode. Where this process may not write, and nobody else does, the file is read as it stands:
    see `Connection.still`.

    Raises:
        DatabaseMissing, NotAQueue, DatabaseBusy, DatabaseError: each with one sentence.
    """
    require_sqlite()
    file = check_path(path)
    if may_be_written(file):
        return _checked(file, _open(file, "ro"))
    still = StillFile(file)
    if not still.is_used:
        return _open_still(file, still)
    try:
        return _checked(file, _open(file, "ro"))
    except AccessRefused:
        still = StillFile(file)
        if not still.is_whole:
            raise AccessRefused(_unreadable(file)) from None
        # Whoever has it open, or had, has left nothing that is not in the file itself.
        return _open_still(file, still)


def _open_still(file: Path, still: StillFile) -> Connection:
    conn = _open(file, "ro&immutable=1")
    conn.still = still
    conn = _checked(file, conn)
    if still.changed():
        # A writer has come: now there is a WAL to be read, as with any other file.
        conn.close()
        return _checked(file, _open(file, "ro"))
    return conn


def copy_of(conn: sqlite3.Connection, first: Iterable[str] = ()) -> Connection:
    """A copy of an open file, as it is at one moment, of this connection alone.

    SQLite keeps it among its temporary files, and takes it away with the connection. It is copied
    page by page: the file is held for no longer than that takes, by a reader's lock.

    Args:
        conn: the file.
        first: statements that are for the copy before there is anything in it.

    Raises:
        sqlite3.Error: there is no room, or the file can't be read.
    """
    copy = sqlite3.connect("", isolation_level=None, check_same_thread=False, factory=Connection)
    try:
        for statement in first:
            copy.execute(statement)
        # Within a transaction: else each change of another process would make it begin anew.
        with read(conn):
            conn.execute(_TABLES).fetchall()
            # Between two parts an interruption is noticed.
            conn.backup(copy, pages=_PAGES_AT_ONCE, progress=_go_on)
        copy.row_factory = sqlite3.Row
        copy.text_factory = _lenient_text
        _know_fingerprints(copy)
        stand_in(copy)
    except BaseException:
        copy.close()
        raise
    return copy


def _go_on(status: int, remaining: int, total: int) -> None:
    """Nothing: Python looks for signals while it calls this."""


def _open(file: Path, mode: str) -> Connection:
    try:
        conn = connect(file, mode, READ_BUSY_TIMEOUT_S)
    except sqlite3.Error as problem:
        raise explain(problem, file) from None
    _know_fingerprints(conn)
    return conn


def _know_fingerprints(conn: sqlite3.Connection) -> None:
    conn.create_function(FINGERPRINT_FUNCTION, 2, _fingerprint, deterministic=True)


def _fingerprint(error: bytes | None, traceback: bytes | None) -> str:
    """Of a failure that does not say yet what failed."""
    from gigq_core.failures import failure_of  # here: few who look ask for it

    told = None if traceback is None else _lenient_text(traceback)
    return failure_of(_lenient_text(error or b""), told).fingerprint


def _checked(file: Path, conn: Connection) -> Connection:
    """The connection, made sure to be one to a queue; else it is closed."""
    with closed_unless_fine(conn, file):
        check_tables(conn, file)
        stand_in(conn)
    return conn


@contextmanager
def closed_unless_fine(conn: sqlite3.Connection, file: Path) -> Iterator[None]:
    """Close a connection that was just opened if what is done with it here fails.

    Raises:
        DatabaseError: SQLite said why.
    """
    try:
        yield
    except sqlite3.Error as problem:
        conn.close()
        raise explain(problem, file) from None
    except BaseException:
        conn.close()
        raise


def check_tables(conn: sqlite3.Connection, file: Path) -> None:
    """Make sure that the open file is a queue.

    Raises:
        NotAQueue: it isn't SQLite, or holds other tables.
        DatabaseError: it can't be read now.
    """
    try:
        tables = {row[0] for row in conn.execute(_TABLES)}
        columns = {row[0] for row in conn.execute(_COLUMNS_OF_JOBS)}
    except sqlite3.Error as problem:
        raise explain(problem, file) from None
    if not tables and _is_empty(file):
        raise NotAQueue(f"{_shown(file)} is empty: restore the queue, or create a new one.")
    if "jobs" not in tables:
        raise NotAQueue(
            f"{_shown(file)} is an SQLite file, but not a job queue: it has no table jobs."
        )
    if missing := sorted(_MARKS_OF_A_QUEUE - columns):
        raise NotAQueue(
            f"{_shown(file)} is an SQLite file, but not a job queue: its table jobs has no column "
            f"{missing[0]}."
        )


def stand_in(conn: sqlite3.Connection) -> None:
    """Let a file without GigQ's table of attempts be read as one in which there was none.

    An empty table takes its place, in this connection alone; it goes when the file has its own.
    """
    if conn.execute(_HAS_EXECUTIONS).fetchone() is not None:
        conn.execute("DROP TABLE IF EXISTS temp.job_executions")
    else:
        conn.execute("PRAGMA temp_store = MEMORY")
        conn.execute(ddl.CREATE_EXECUTIONS.replace("CREATE TABLE", "CREATE TEMP TABLE", 1))


def is_attached(conn: sqlite3.Connection) -> bool:
    """Whether our tables and triggers are in the file, or it is GigQ's own."""
    if conn.execute(_HAS_META).fetchone() is None:
        return False
    return conn.execute(_SCHEMA_VERSION).fetchone() is not None


@contextmanager
def explained(file: Path) -> Iterator[None]:
    """While this lasts, errors of SQLite's become those of this package.

    Args:
        file: What they are about.

    Raises:
        DatabaseError: SQLite failed; the message is the sentence a person reads.
    """
    try:
        yield
    except sqlite3.Error as problem:
        raise explain(problem, file) from None


def explain(problem: sqlite3.Error, file: Path) -> DatabaseError:
    """The error with the sentence a person reads, for one of SQLite's."""
    text = str(problem)
    if "file is not a database" in text or "file is encrypted" in text:
        return NotAQueue(f"{_shown(file)} is not an SQLite file.")
    if "locked" in text or "busy" in text:
        return DatabaseBusy(
            f"{_shown(file)} is locked by another process: try again when it has finished."
        )
    if "disk is full" in text:
        return DatabaseError(
            f"{_shown(file)} can't be written because its disk is full: nothing was changed; "
            "free some space and try again."
        )
    if "disk I/O error" in text:
        return DatabaseError(
            f"{_shown(file)} can't be read or written ({text}): check that its disk works and "
            "has room, and that the file was not cut or taken away."
        )
    if "malformed" in text:
        return DatabaseError(
            f"{_shown(file)} is damaged ({text}): restore a backup, or try `sqlite3 FILE .recover`."
        )
    if "unable to open" in text and os.access(file, os.W_OK):
        return AccessRefused(
            f"{_shown(file)} can't be opened: its folder must allow SQLite to create "
            f"{file.name}-wal and {file.name}-shm beside it."
        )
    if "unable to open" in text or "readonly" in text or "read-only" in text:
        return AccessRefused(not_writable(file))
    return DatabaseError(f"{_shown(file)} can't be used: {text}.")


def not_writable(file: Path) -> str:
    """The sentence for a file that has to be written, and may not be."""
    return f"{_shown(file)} may not be written: check its permissions and its folder's."


def _unreadable(file: Path) -> str:
    """What it takes to read a file that this process may not write."""
    wal, shm, journal = (file.with_name(file.name + end) for end in ("-wal", "-shm", "-journal"))
    if _size(journal):
        return (
            f"{_shown(file)} was left in the middle of a change, which {journal.name} takes back: "
            "let somebody who may write it open it once."
        )
    if not os.access(wal, os.R_OK):
        return (
            f"{_shown(file)} can't be read: its latest changes are in {wal.name}, which may not be "
            "read; ask its owner for permission."
        )
    return (
        f"{_shown(file)} can't be read: its latest changes are in {wal.name}, and to read those "
        f"SQLite needs {shm.name}, readable or newly made; ask its owner for permission, or copy "
        f"{file.name} and {wal.name} together into a folder of yours."
    )


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def _is_empty(file: Path) -> bool:
    try:
        return file.stat().st_size == 0
    except OSError:
        return False


def _lenient_text(raw: bytes) -> str:
    return raw.decode("utf-8", "replace")


def _shown(file: Path) -> str:
    """The path as it can be printed, whatever bytes it holds."""
    return repr(str(file)) if not str(file).isprintable() else str(file)
