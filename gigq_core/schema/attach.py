"""Bringing our additions into a queue file, and taking them out again."""

from __future__ import annotations

import json
import logging
import os
import re
import sqlite3
import time
import uuid
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from gigq_core.errors import AccessRefused, DatabaseBusy, DatabaseError, HiddenJobs
from gigq_core.schema import ddl, features, filling
from gigq_core.schema.opening import (
    BUSY_TIMEOUT_S,
    check_path,
    check_tables,
    closed_unless_fine,
    connect,
    explain,
    is_attached,
    not_writable,
    require_sqlite,
)
from gigq_core.schema.transaction import write
from gigq_core.system.identity import ProcessIdentity, is_dead
from gigq_core.system.paths import queue_file
from gigq_core.units.times import utc_text

logger = logging.getLogger("gigq_core.schema")

# The longest pause, in seconds, between two tries to switch a file to WAL.
SWITCH_PAUSE_S = 0.02

_SCHEMA_VERSION = "SELECT value FROM core_meta WHERE key = 'schema_version'"

# Whatever begins with our prefix on these tables, of this release or another.
_TABLES = ", ".join(f"'{name}'" for name in ("jobs", "job_executions", *ddl.OUR_TABLES))
_OURS = f"""
SELECT type, name, sql FROM sqlite_master
WHERE type IN ('trigger', 'index') AND name GLOB 'core_*' AND sql IS NOT NULL
  AND lower(tbl_name) IN ({_TABLES})"""

# What others made on a table, which goes with it.
_BELONGS_TO = """
SELECT sql FROM sqlite_master
WHERE tbl_name = ? COLLATE NOCASE AND type IN ('index', 'trigger') AND sql IS NOT NULL
ORDER BY rowid"""
_MADE_BY = "SELECT sql FROM sqlite_master WHERE type = 'table' AND name = ?"
_MAKES_TABLE = re.compile(r"""CREATE TABLE\s+("[^"]*"|'[^']*'|`[^`]*`|\[[^]]*\]|\w+)""")

_ANY_NAMED = """
SELECT 1 FROM sqlite_master WHERE name IN (SELECT value FROM json_each(?)) LIMIT 1"""

_LIVE_WORKERS = """
SELECT id, host, pid, pid_started, boot_id, pid_namespace
FROM core_workers WHERE state <> 'stopped'"""


def open_for_work(path: str | Path, *, create: bool) -> sqlite3.Connection:
    """Open a queue file to change it, with our additions in place.

    Args:
        path: the file. GigQ's own files are attached: see `attach`.
        create: make a new queue where there is no file, as `JobQueue(path)` does.

    Raises:
        DatabaseMissing: there is no file, and `create` is false.
        NotAQueue: the file is something else; an empty file counts as a new one.
        DatabaseBusy, DatabaseError: it can't be opened or written now.
    """
    require_sqlite()
    file = Path(path)
    new = not file.exists() or (file.is_file() and file.stat().st_size == 0)
    if not (new and create) or (file.is_symlink() and not file.exists()):
        file = check_path(file)
    elif not file.absolute().parent.is_dir():
        raise DatabaseError(f"There is no folder {file.absolute().parent}: make it first.")
    else:
        file = queue_file(file)
    if file.exists() and not os.access(file, os.W_OK):
        # SQLite would make a WAL beside it first, which its owner could not write.
        raise AccessRefused(not_writable(file))
    try:
        conn = connect(file, "rwc" if new and create else "rw", BUSY_TIMEOUT_S)
    except sqlite3.Error as problem:
        raise explain(problem, file) from None
    with closed_unless_fine(conn, file):
        if not (create and _is_blank(conn)):
            check_tables(conn, file)
        prepare(conn, file)
    return conn


def _is_blank(conn: sqlite3.Connection) -> bool:
    """Whether nothing is in the file yet: it is new, or whoever made it has not got further."""
    return conn.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is None


def prepare(conn: sqlite3.Connection, file: Path) -> None:
    """Set the connection up for writing, and attach the file if that is still to be done."""
    mode = _switch_to_wal(conn)
    if mode != "wal":
        logger.warning(
            "%s stays in journal mode %s: WAL is not available there, so readers and writers "
            "will wait for each other",
            file,
            mode,
        )
    conn.execute("PRAGMA synchronous = FULL")
    if not is_current(conn):
        attach(conn)
    else:
        # Somebody may have dropped it since.
        conn.execute(ddl.CREATE_EXECUTIONS)


def _switch_to_wal(conn: sqlite3.Connection) -> str:
    """Bring the file into WAL mode, if that can be had; returns the mode it is in."""
    until = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            mode: str = conn.execute("PRAGMA journal_mode").fetchone()[0]
            if mode != "wal":
                mode = conn.execute("PRAGMA journal_mode = WAL").fetchone()[0]
            return mode
        except sqlite3.OperationalError as problem:
            # Two who switch at once would wait for each other for ever: SQLite refuses at once.
            if "locked" not in str(problem) or time.monotonic() > until:
                raise
        import random  # rarely needed, and large

        time.sleep(random.uniform(0.2, 1.0) * SWITCH_PAUSE_S)


def is_current(conn: sqlite3.Connection) -> bool:
    """Whether the file has our additions, at this version.

    Raises:
        DatabaseError: a newer release has attached the file in a way this one can't keep.
    """
    version = _version(conn)
    if version is not None and version > ddl.SCHEMA_VERSION:
        raise DatabaseError(
            f"The file was attached by a newer release (schema {version}, this one knows "
            f"{ddl.SCHEMA_VERSION}): update this installation."
        )
    return version == ddl.SCHEMA_VERSION


def _version(conn: sqlite3.Connection) -> int | None:
    """Of the release that attached the file; None where none has, or nobody can tell."""
    try:
        row = conn.execute(_SCHEMA_VERSION).fetchone()
    except sqlite3.OperationalError as problem:
        if "no such table" not in str(problem):
            raise
        return None
    try:
        version = 0 if row is None else int(row[0])
    except (TypeError, ValueError):
        return None
    return version or None


def attach(conn: sqlite3.Connection) -> None:
    """Add our columns, tables, indexes and triggers: all in one transaction, or none.

    Safe to call again, and from two processes at once: the second finds the work done. Rows that
    wait for a parent are parked; parents that are missing now count as completed, as they do for
    GigQ.
    """
    with write(conn):
        ensure_attached(conn)


def ensure_attached(conn: sqlite3.Connection) -> None:
    """As `attach`, within the caller's write transaction."""
    if is_current(conn):
        return
    conn.execute(ddl.CREATE_JOBS)
    conn.execute(ddl.CREATE_EXECUTIONS)
    for statement in ddl.GIGQ_INDEXES:
        conn.execute(statement)
    before = _columns(conn, "jobs")
    _add_columns(conn)
    # Those of an earlier release of ours may differ; and none has to run meanwhile.
    _drop_what_differs(conn)
    for statement in ddl.CREATE_TABLES:
        conn.execute(statement)
    for table, column, declaration in ddl.OUR_LATER_COLUMNS:
        _add_column(conn, table, column, declaration)
    for statement in (ddl.INDEXES | features.indexes_of(conn)).values():
        conn.execute(statement)
    if "created" not in before:
        conn.execute(ddl.fill_waiting("due_at" in before))
        conn.execute(ddl.FILL_WORKER_INSTANTS)
        filling.note_all(conn)
    if _version(conn) is None:
        conn.execute(ddl.FILL_EDGES)
        conn.execute(ddl.PARK_BLOCKED)
        conn.executemany(
            "INSERT OR REPLACE INTO core_counts (state, n) VALUES (?, 0)",
            [(state,) for state in ddl.COUNTER_STATES],
        )
        conn.execute(ddl.FILL_COUNTERS)
    for statement in (ddl.TRIGGERS | features.triggers_of(conn)).values():
        conn.execute(statement)
    if _living_without_instants(conn):
        for statement in ddl.LEGACY_TRIGGERS.values():
            conn.execute(statement)
    conn.executemany(
        "INSERT OR REPLACE INTO core_meta (key, value) VALUES (?, ?)",
        [("schema_version", str(ddl.SCHEMA_VERSION)), ("attached_at", utc_text())],
    )
    # It goes along with copies and restores, as all does that is made of it.
    conn.execute(
        "INSERT OR IGNORE INTO core_meta (key, value) VALUES ('file_id', ?)", (str(uuid.uuid4()),)
    )


def living_of_release_before(conn: sqlite3.Connection) -> list[sqlite3.Row]:
    """The workers of an earlier release that are not known to be dead."""
    return _living(conn, ddl.WORKERS_OF_RELEASE_BEFORE)


def _living_without_instants(conn: sqlite3.Connection) -> list[sqlite3.Row]:
    return _living(conn, ddl.LEGACY_WORKERS)


def serves_release_before(conn: sqlite3.Connection) -> bool:
    """Whether the file has what only a worker without instants needs, and none lives."""
    return _has_legacy(conn) and not _living_without_instants(conn)


def forget_release_before(conn: sqlite3.Connection) -> None:
    """Take that out, within the caller's transaction."""
    if not _living_without_instants(conn):
        for name in ddl.LEGACY_TRIGGERS:
            conn.execute(f"DROP TRIGGER IF EXISTS {name}")
        for name in ddl.LEGACY_INDEXES:
            conn.execute(f"DROP INDEX IF EXISTS {name}")


class Arranged(NamedTuple):
    """What people had arranged in a file: how many of each, and whether jobs go by their age."""

    schedules: int = 0
    hooks: int = 0
    lane_rules: int = 0
    keeps: bool = False


def detach(path: str | Path, force: bool = False) -> Arranged:
    """Take everything of ours out of the file, and give back what was parked.

    GigQ's tables and columns stay, those of its later releases included.

    Args:
        path: the file.
        force: detach it even if jobs wait that GigQ's workers would run without what they ask for.

    Returns:
        What went with it.

    Raises:
        DatabaseBusy: a worker of ours is still running on the file: drain it first.
        HiddenJobs: such jobs wait, and `force` is false.
        DatabaseMissing, NotAQueue, DatabaseError: it can't be opened.
    """
    require_sqlite()
    file = check_path(path)
    conn = connect(file, "rw", BUSY_TIMEOUT_S)
    try:
        check_tables(conn, file)
        if not is_attached(conn):
            return Arranged()
        with write(conn):
            refuse_while_workers_live(conn, file)
            # The release before may have attached it: what it keeps elsewhere is brought over.
            ensure_attached(conn)
            if not force:
                _refuse_while_hidden_jobs_wait(conn)
            schedules, hooks, rules, keeps = conn.execute(ddl.COUNT_ARRANGED).fetchone()
            _drop_all(conn)
            conn.execute(ddl.UNPARK_ALL)
            for name in ddl.OUR_TABLES:
                conn.execute(f"DROP TABLE IF EXISTS {name}")
            for table in ("jobs", "job_executions"):
                _drop_our_columns(conn, table)
        return Arranged(schedules, hooks, rules, bool(keeps))
    except sqlite3.Error as problem:
        raise explain(problem, file) from None
    finally:
        conn.close()


def living_workers(conn: sqlite3.Connection) -> list[sqlite3.Row]:
    """The workers of ours on the file that are not known to be dead: id, host, pid and so on."""
    return _living(conn, _LIVE_WORKERS) if is_attached(conn) else []


def refuse_while_workers_live(conn: sqlite3.Connection, file: Path) -> None:
    """Make sure that no worker of ours is at work on the file.

    Raises:
        DatabaseBusy: one is.
    """
    for row in _living(conn, _LIVE_WORKERS):
        raise DatabaseBusy(
            f"Worker {row['id']} (pid {row['pid']} on {row['host']}) is still running on "
            f"{file}: drain it first."
        )


def _refuse_while_hidden_jobs_wait(conn: sqlite3.Connection) -> None:
    n, laned = conn.execute(ddl.COUNT_HIDDEN).fetchone()
    if n:
        lanes = f" ({laned:,} of them in lanes, whose limits would be gone)" if laned else ""
        raise HiddenJobs(
            f"{n:,} waiting job{'s are' if n > 1 else ' is'} for workers of ours alone{lanes}, and "
            "GigQ's would run them without what they ask for: let them end, or detach with --force."
        )


def _living(conn: sqlite3.Connection, statement: str) -> list[sqlite3.Row]:
    """Which of some rows of workers are not known to be dead."""
    rows = conn.execute(statement).fetchall()
    return [row for row in rows if is_dead(ProcessIdentity.of_row(row)) is not True]


def _has_legacy(conn: sqlite3.Connection) -> bool:
    names = json.dumps([*ddl.LEGACY_TRIGGERS, *ddl.LEGACY_INDEXES])
    return conn.execute(_ANY_NAMED, (names,)).fetchone() is not None


def _drop_all(conn: sqlite3.Connection) -> None:
    for kind, name, _ in conn.execute(_OURS).fetchall():
        _drop(conn, kind, name)


def _drop_what_differs(conn: sqlite3.Connection) -> None:
    """Drop our triggers, and those of our indexes that this release makes otherwise, or not."""
    for kind, name, sql in conn.execute(_OURS).fetchall():
        wanted = features.ALL_INDEXES.get(name, "").strip().replace("IF NOT EXISTS ", "", 1)
        if kind == "trigger" or sql != wanted:
            _drop(conn, kind, name)


def _drop(conn: sqlite3.Connection, kind: str, name: str) -> None:
    quoted = name.replace('"', '""')
    conn.execute(f'DROP {kind} IF EXISTS "{quoted}"')


def _drop_our_columns(conn: sqlite3.Connection, table: str) -> None:
    """Make the table anew without them, in one pass: to drop each alone is to write it each time.

    Rows keep their rowids, which order them; indexes and triggers of others are made again, and the
    table itself by the very words of whoever made it.
    """
    ours = [c for t, c, _ in ddl.OUR_COLUMNS if t == table]
    ours += [c for t, c in ddl.OUR_FORMER_COLUMNS if t == table]
    ours = [column for column in ours if column in _columns(conn, table)]
    if not ours:
        return
    others = [sql for (sql,) in conn.execute(_BELONGS_TO, (table,)).fetchall()]
    made = _made_without(conn, table, ours)
    # Views, and triggers on other tables, may name it: they stay as they are.
    conn.execute("PRAGMA legacy_alter_table = ON")
    try:
        conn.execute(f"ALTER TABLE {table} RENAME TO core_{table}")
    finally:
        conn.execute("PRAGMA legacy_alter_table = OFF")
    conn.execute(made)
    kept = ", ".join(f'"{column}"' for column in _ordered_columns(conn, table))
    conn.execute(
        f"INSERT INTO {table} (rowid, {kept}) SELECT rowid, {kept} FROM core_{table} ORDER BY rowid"
    )
    conn.execute(f"DROP TABLE core_{table}")
    for statement in others:
        conn.execute(statement)


def _made_without(conn: sqlite3.Connection, table: str, columns: Iterable[str]) -> str:
    """The statement that makes a table without some of its columns; else it is as it stands."""
    (made,) = conn.execute(_MADE_BY, (table,)).fetchone()
    head = _MAKES_TABLE.match(made)
    assert head is not None, made
    conn.execute(f"CREATE TABLE core_{table}{made[head.end() :]}")
    for column in columns:
        # It is empty, so that this costs nothing, and leaves the rest of its definition alone.
        conn.execute(f"ALTER TABLE core_{table} DROP COLUMN {column}")
    (left,) = conn.execute(_MADE_BY, (f"core_{table}",)).fetchone()
    conn.execute(f"DROP TABLE core_{table}")
    return str(made[: head.end()] + left.removeprefix(f"CREATE TABLE core_{table}"))


def _add_columns(conn: sqlite3.Connection) -> None:
    for table, column, declaration in ddl.GIGQ_LATER_COLUMNS + ddl.OUR_COLUMNS:
        _add_column(conn, table, column, declaration)


def _add_column(conn: sqlite3.Connection, table: str, column: str, declaration: str) -> None:
    if column not in _columns(conn, table):
        conn.execute(f"ALTER TABLE {table} ADD COLUMN {column} {declaration}")


def _columns(conn: sqlite3.Connection, table: str) -> set[str]:
    return set(_ordered_columns(conn, table))


def _ordered_columns(conn: sqlite3.Connection, table: str) -> list[str]:
    return [row[1] for row in conn.execute(f"PRAGMA table_info({table})")]
