"""Rows that hold anything at all, in every column of every table that a queue file has.

Tables and columns are asked of the file, so that none is forgotten. A row is made from one that is
true to life, with a few columns changed: what is wrong all over is passed by at the first look.
"""

from __future__ import annotations

import json
import random
import sqlite3
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gigq_core.schema.ddl import PARKED
from gigq_core.system.identity import current_identity

# What a terminal obeys, with a word by which it is found again where it must not be.
EVIL = "\x1b]1337;EVIL\x07\x9b31;5mEVIL\x9d0;EVIL\x9c\x1b[2JEVIL\u202eEVIL\r\n\tEVIL"
EVIL_BYTES = EVIL.encode("latin-1", "replace")

DAMAGED = "jobs_damaged"


class Text(bytes):
    """Text in the file that need not be UTF-8."""


def _times() -> list[Any]:
    now = datetime.now()
    past, soon = now - timedelta(hours=3), now + timedelta(seconds=2)
    return [
        *("0001-01-01T00:00:00", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59.999999"),
        *("9999-12-31T23:59:59-14:00", "10000-01-01T00:00:00", "-5", "0", "1e999", PARKED),
        *(past.isoformat(), soon.isoformat(), past.isoformat() + "Z", soon.isoformat() + "z"),
        *(past.isoformat(" "), past.strftime("%Y%m%dT%H%M%S"), past.strftime("%G-W%V-%u")),
        # Past as moments and to come as texts, and the other way round.
        now.isoformat()[:11] + "23:59:59+23:59",
        (now + timedelta(days=1)).isoformat() + "+23:59",
        (now - timedelta(days=1)).isoformat() + "-23:59",
        *(past.timestamp(), str(past.timestamp()), int(past.timestamp()), "2026-02-31T99:99:99"),
        *("yesterday", " " + past.isoformat(), past.isoformat() + "\0", Text(b"2026-\xff")),
        Text(past.isoformat().encode() + b"\xff"),
        past.isoformat().encode(),
    ]


def _numbers() -> list[Any]:
    return [
        *(0, 1, -1, 2, 5, 0.5, -0.5, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 1e308, -1e308),
        *(float("inf"), float("-inf"), "inf", "nan", "1e999", "12", "1.5", "0x10", "many"),
        "9" * 5000,
    ]


def _texts() -> list[Any]:
    return [
        *("", " ", "\0", "a\0b", "None", "null", "x" * 300, "x" * 20_000, "é\u4e2d\U0001f44d"),
        *(EVIL, "'; DROP TABLE jobs; --", "%s%n{0}", "[red]x[/nope]", "\ufffe\uffff\ufdd0"),
        *("..", ".", "/", "../../victim", "../victim", "/etc/passwd", "a/b", "-x", "~", "con"),
        *(Text(b"\xff"), Text(b"caf\xe9 \x9b31m"), Text(b"\xed\xa0\x80"), Text(EVIL_BYTES)),
        *(b"", b"\0", b"\xff\xfe", b"{}", b'["a"]', EVIL_BYTES, b"../../victim", b"pending"),
    ]


def _json() -> list[Any]:
    return [
        *("[", "{", "[]", "{}", "null", "3", '"text"', "NaN", "[Infinity]", "1e999", "true"),
        *("[" * 5_000, '{"a":' * 700 + "1" + "}" * 700, "9" * 5000, f'["{"P" * 9999}"]'),
        *('["\\ud800"]', '{"\\udc00": "\\ud800 \\u001b]1337;EVIL\\u0007"}', '[1, null, {}, "a"]'),
        *(f'["{uuid.uuid4()}"]', '[["a"]]', '["a", "a"]', '{"a": 1, "a": 2}', '["\\u0000"]'),
    ]


def _words() -> list[Any]:
    return [
        *("pending", "running", "completed", "failed", "timeout", "cancelled", "crashed"),
        *("superseded", "stopped", "draining", "paused", "stopping", "PENDING", "unheard-of"),
        *("pause", "resume", "drain", "stop", "fail", "retry", "process", "thread", "console"),
        *("__main__", "paused_at", "schema_version", "os", "os.path", "sys"),
    ]


class OddRows:
    """Writes odd rows into a file; what it does follows from the seed.

    Args:
        path: a queue file with at least one row in `jobs`.
        seed: of the choices.
        kept: rows with one of these texts in any column are left as they are.
    """

    def __init__(self, path: Path, seed: int, kept: tuple[str, ...] = ()) -> None:
        self.path = path
        self.kept = kept
        self._random = random.Random(seed)
        self._values = [*_times(), *_numbers(), *_texts(), *_json(), *_words(), None]
        self._identity = current_identity()._asdict()

    def value(self) -> Any:
        """Anything."""
        if self._random.random() < 0.1:
            return self._random.randbytes(self._random.randrange(40))
        if self._random.random() < 0.1:
            return Text(self._random.randbytes(self._random.randrange(40)))
        return self._random.choice(self._values)

    def write(self, rows: int, *, triggers: bool = True, changes: int = 3) -> None:
        """Add so many rows to each table, and change some that are there.

        Args:
            rows: how many.
            triggers: whether the file's triggers see it, as with a program that writes; without
                them it is damage.
            changes: how many columns of a row are odd, at most.
        """
        self._seen: dict[tuple[str, str], list[Any]] = {}
        with loosened(self.path, triggers) as conn:
            for table in tables_of(conn):
                columns = columns_of(conn, table)
                for number in range(rows):
                    # Most of them odd in one column alone, each in turn.
                    column = columns[number % len(columns)] if self._random.random() < 0.7 else None
                    self._add(conn, table, columns, changes, column)
                self._change(conn, table, columns)
            keep_going(conn)

    def _add(
        self,
        conn: sqlite3.Connection,
        table: str,
        columns: list[str],
        changes: int,
        column: str | None = None,
    ) -> None:
        values = self._like_life(conn, table, columns)
        odd = [column] if column else self._random.sample(columns, min(changes, len(columns)))
        for name in odd[: self._random.randint(1, changes)]:
            values[name] = self.value()
        write(conn, f"INSERT OR IGNORE INTO {table}", values)
        if table == "jobs" and values.get("status") == "completed":
            self._add_child(conn, values)

    def _add_child(self, conn: sqlite3.Connection, parent: dict[str, Any]) -> None:
        """A job that wants what the parent returned."""
        child = {"id": str(uuid.UUID(int=self._random.getrandbits(128))), "status": "pending"}
        for name in ("name", "function_name", "function_module", "created_at", "updated_at"):
            child[name] = "builtins" if name == "function_module" else "dict"
        parents = json.dumps(
            [
                plain(parent["id"]).decode("utf-8", "replace")
                if isinstance(parent["id"], bytes)
                else parent["id"]
            ]
        )
        child |= {"params": "{}", "dependencies": parents, "max_attempts": 1}
        write(conn, "INSERT INTO jobs", child)

    def _like_life(
        self, conn: sqlite3.Connection, table: str, columns: list[str]
    ) -> dict[str, Any]:
        """A row as one that is there, under a key of its own; often it seems to be at work."""
        found = self._one(conn, table, ", ".join(columns))
        values: dict[str, Any] = dict(zip(columns, found, strict=True)) if found else {}
        if not found:
            values = {name: self.value() for name in columns}
        key = key_of(conn, table)
        values[key] = str(uuid.UUID(int=self._random.getrandbits(128)))
        if "status" in values:
            values["status"] = self._random.choice(
                ("pending", "pending", "running", "failed", "completed", values["status"])
            )
        if "pid" in values and "boot_id" in values and self._random.random() < 0.7:
            # A worker of this machine that is gone.
            values |= self._identity | {"pid": 2**22 + 1, "state": "running"}
        if {"execution_id", "worker_id"} <= values.keys() and values.get("status") == "running":
            values["execution_id"] = self._random.choice((None, values[key], self.value()))
            values["worker_id"] = self._some(conn, "core_workers", "id")
        return values

    def _one(self, conn: sqlite3.Connection, table: str, columns: str) -> Any:
        """A row that is there and is not to be kept, or None."""
        if (table, columns) not in self._seen:
            rows = conn.execute(f"SELECT {columns}, * FROM {table} LIMIT 100").fetchall()
            free = [row for row in rows if not any(kept in str(row) for kept in self.kept)]
            width = columns.count(",") + 1
            self._seen[table, columns] = [row[:width] for row in free]
        found = self._seen[table, columns]
        return self._random.choice(found) if found else None

    def _some(self, conn: sqlite3.Connection, table: str, column: str) -> Any:
        found = self._one(conn, table, column) if table in tables_of(conn) else None
        return found[0] if found else None

    def _change(self, conn: sqlite3.Connection, table: str, columns: list[str]) -> None:
        """Change a row that is there in one column, for each of the columns."""
        # A table without rowids has a key that is never NULL.
        rowids = conn.execute(
            "SELECT sql NOT LIKE '%WITHOUT ROWID%' FROM sqlite_master WHERE name = ?", (table,)
        ).fetchone()[0]
        target = "rowid" if rowids else columns[0]
        for column in columns:
            found = self._one(conn, table, target)
            if found:
                value, where = self.value(), found[0]
                conn.execute(
                    f"UPDATE OR IGNORE {table} SET {column} = {mark(value)} "
                    f"WHERE {target} = {mark(where)}",
                    (plain(value), plain(where)),
                )


def keep_going(conn: sqlite3.Connection) -> None:
    """Take out what is no damage but an order: to pause, to stop, to try again for ever."""
    conn.execute("UPDATE jobs SET max_attempts = 3 WHERE max_attempts > 5")
    tables = tables_of(conn)
    if "core_meta" in tables:
        conn.execute("DELETE FROM core_meta WHERE key IN ('paused_at', 'schema_version')")
        conn.execute("INSERT INTO core_meta (key, value) VALUES ('schema_version', '1')")
    if "core_workers" in tables:
        conn.execute(
            "UPDATE core_workers SET request = NULL WHERE request IN ('pause', 'drain', 'stop')"
        )


def mark(value: Any) -> str:
    """The parameter's mark for a value."""
    return "CAST(? AS TEXT)" if isinstance(value, Text) else "?"


def columns_of(conn: sqlite3.Connection, table: str) -> list[str]:
    """The columns that take anything; a key that is a rowid takes nothing but numbers."""
    told = conn.execute(f"PRAGMA table_info({table})").fetchall()
    return [row[1] for row in told if (row[2], row[5]) != ("INTEGER", 1)]


def key_of(conn: sqlite3.Connection, table: str) -> str:
    """The column by which a row is known; where that is a rowid, the next one that is unique."""
    told = conn.execute(f"PRAGMA table_info({table})").fetchall()
    takes = set(columns_of(conn, table))
    return next(
        (row[1] for row in told if row[5] and row[1] in takes),
        next(row[1] for row in told if row[1] in takes),
    )


def plain(value: Any) -> Any:
    """The value as it is bound."""
    return bytes(value) if isinstance(value, Text) else value


def write(conn: sqlite3.Connection, statement: str, values: dict[str, Any]) -> None:
    """Insert one row."""
    marks = ", ".join(mark(value) for value in values.values())
    names = ", ".join(values)
    conn.execute(
        f"{statement} ({names}) VALUES ({marks})", [plain(value) for value in values.values()]
    )


def tables_of(conn: sqlite3.Connection) -> list[str]:
    """Every table of the file."""
    rows = conn.execute("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
    return [name for (name,) in rows.fetchall() if not name.startswith("sqlite_")]


@contextmanager
def loosened(path: Path, triggers: bool) -> Iterator[sqlite3.Connection]:
    """The file with no constraint but its keys, as damage knows none; all in one transaction."""
    conn = sqlite3.connect(path, timeout=30, isolation_level=None)
    conn.text_factory = lambda raw: Text(raw) if not _is_text(raw) else raw.decode()
    try:
        conn.execute("BEGIN IMMEDIATE")
        seen = conn.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
        if not triggers:
            for name, _ in seen:
                conn.execute(f"DROP TRIGGER {name}")
        yield conn
        if not triggers:
            for _, statement in seen:
                conn.execute(statement)
        conn.execute("COMMIT")
    finally:
        conn.close()


def loosen(path: Path) -> None:
    """Let each column hold NULL, from now on."""
    conn = sqlite3.connect(path, timeout=30, isolation_level=None)
    try:
        version = conn.execute("PRAGMA schema_version").fetchone()[0]
        conn.execute("PRAGMA writable_schema = ON")
        conn.execute(
            "UPDATE sqlite_master SET sql = replace(sql, ' NOT NULL', '') "
            "WHERE type = 'table' AND sql NOT LIKE '%WITHOUT ROWID%'"
        )
        conn.execute(f"PRAGMA schema_version = {version + 1}")
        conn.execute("PRAGMA writable_schema = OFF")
    finally:
        conn.close()


def _is_text(raw: bytes) -> bool:
    try:
        raw.decode()
    except UnicodeDecodeError:
        return False
    return True
