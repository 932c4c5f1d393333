"""Transactions: one write at a time, all of it or none."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import contextmanager


@contextmanager
def write(
    conn: sqlite3.Connection, waits: Callable[[bool], None] | None = None
) -> Iterator[sqlite3.Connection]:
    """Hold the write lock for the block: committed at its end, rolled back on any exception.

    Args:
        conn: where.
        waits: told when another connection holds the lock and is waited for, and when no more.
    """
    _refuse_within_another(conn)
    # It begins within `try`: whoever is interrupted right then keeps the lock from nobody.
    try:
        if waits is None:
            conn.execute("BEGIN IMMEDIATE")
        else:
            _begin(conn, waits)
        yield conn
        conn.execute("COMMIT")
    except BaseException:
        # A full disk or an I/O error may already have rolled it back.
        if conn.in_transaction:
            conn.execute("ROLLBACK")
        raise


def _begin(conn: sqlite3.Connection, waits: Callable[[bool], None]) -> None:
    """Begin to write, and tell it where somebody else does."""
    (usual_ms,) = conn.execute("PRAGMA busy_timeout").fetchone()
    conn.execute("PRAGMA busy_timeout = 0")
    try:
        conn.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as problem:
        if not is_lock_trouble(problem):
            raise
    else:
        return
    finally:
        conn.execute(f"PRAGMA busy_timeout = {int(usual_ms)}")
    waits(True)
    try:
        conn.execute("BEGIN IMMEDIATE")
    finally:
        waits(False)


@contextmanager
def read(conn: sqlite3.Connection) -> Iterator[sqlite3.Connection]:
    """See one state of the file throughout the block; keep it short, since the WAL grows on."""
    _refuse_within_another(conn)
    try:
        conn.execute("BEGIN")
        yield conn
    finally:
        if conn.in_transaction:
            conn.execute("ROLLBACK")


def _refuse_within_another(conn: sqlite3.Connection) -> None:
    if conn.in_transaction:
        raise sqlite3.OperationalError("cannot start a transaction within a transaction")


@contextmanager
def savepoint(conn: sqlite3.Connection) -> Iterator[None]:
    """Within a transaction: the block is kept, or on any exception taken back, by itself."""
    conn.execute("SAVEPOINT core_part")
    try:
        yield
    except BaseException:
        # A full disk or an I/O error may already have rolled back the whole transaction.
        if conn.in_transaction:
            conn.execute("ROLLBACK TO core_part")
            conn.execute("RELEASE core_part")
        raise
    conn.execute("RELEASE core_part")


def is_lock_trouble(problem: Exception) -> bool:
    """Whether another connection's lock is all that is wrong."""
    text = str(problem)
    return isinstance(problem, sqlite3.OperationalError) and ("locked" in text or "busy" in text)


def is_passing(problem: Exception) -> bool:
    """Whether it may be well again later, with nothing changed: a lock, a full disk."""
    if is_lock_trouble(problem):
        return True
    text = str(problem)
    return isinstance(problem, sqlite3.OperationalError) and any(word in text for word in _PASSING)


_PASSING = ("disk is full", "disk I/O error", "unable to open", "readonly", "interrupted")
