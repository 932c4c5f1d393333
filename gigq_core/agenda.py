"""What is to be done at a given time beside running jobs, by whichever worker comes first.

There is no leader: an entry `kind:name` with its moment stands in the file, each worker of ours
wakes for the earliest, and the first that gets the write lock does it, once. What a duty raises
takes back that duty's own work, is told, and keeps nothing else from being done.
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any, Protocol

from gigq_core.schema import agenda_statements as sql
from gigq_core.schema.transaction import is_passing, savepoint
from gigq_core.units.times import Moment, utc_now

logger = logging.getLogger("gigq_core.agenda")

# How many entries are worked off before the caller gets its turn again.
AT_ONCE = 20
# After trouble an entry waits for so long, in seconds.
PUT_OFF_S = 60.0
# Of what went wrong so much is kept.
LONGEST_TROUBLE = 500

Writing = Callable[[], AbstractContextManager[sqlite3.Connection]]


class Duty(Protocol):
    """How the entries of one kind are worked off.

    Attributes:
        takes_s: For how many seconds one worker has the entry to itself once it has begun; 0 where
            `prepare` costs little, and several may prepare at the same time.
    """

    takes_s: float

    def prepare(self, conn: sqlite3.Connection, name: str, now: Moment) -> Any:
        """Whatever can be done before the write lock is held: plain reads, arithmetic, files."""
        ...

    def perform(
        self, conn: sqlite3.Connection, name: str, prepared: Any, now: Moment
    ) -> float | None:
        """Do it, within the caller's transaction.

        Returns:
            When next, in UTC seconds; None for never again.
        """
        ...

    def recheck(self, conn: sqlite3.Connection, now: Moment) -> None:
        """Look whether the moments of all entries are still right: the clock may have been set."""
        ...


def enter(conn: sqlite3.Connection, what: str, at: float, *, anew: bool = False) -> None:
    """Put an entry on the agenda, within the caller's transaction.

    Args:
        conn: the file.
        what: `kind:name`.
        at: when, in UTC seconds.
        anew: let this moment stand, whatever stood there. Else the earlier one stays.
    """
    conn.execute(sql.ENTER_ANEW if anew else sql.ENTER, (what, at))


def strike(conn: sqlite3.Connection, what: str) -> None:
    """Take an entry off the agenda, within the caller's transaction."""
    conn.execute(sql.STRIKE, (what,))


def work_off(
    conn: sqlite3.Connection, writing: Writing, duty_of: Callable[[str], Duty | None]
) -> int:
    """Work off what is due, some at a time, each entry in a transaction of its own.

    Args:
        conn: for plain reads.
        writing: makes a write transaction on the same file.
        duty_of: the duty of a kind; None for one that this release does not know.

    Returns:
        How many entries were looked at.

    Raises:
        Exception: as `writing` does, and what passes by itself, as a full disk.
    """
    due = conn.execute(sql.DUE_ON_AGENDA, (utc_now(), AT_ONCE)).fetchall()
    for (found,) in due:
        try:
            what = found.decode()
        except UnicodeDecodeError:
            what = ""
        kind, colon, name = what.partition(":")
        duty = duty_of(kind)
        if not colon or (duty is None and not kind.isidentifier()):
            _strike_damaged(writing, found)
        elif duty is None:
            _put_off(writing, what, f"nobody here knows how to do {kind!r}")
        else:
            _work_off_one(conn, writing, what, name, duty)
    return len(due)


def _strike_damaged(writing: Writing, found: bytes) -> None:
    """Forget an entry that names nothing: it would be due for ever."""
    with writing() as conn:
        conn.execute(sql.STRIKE_BYTES, (found, utc_now()))
    logger.error("An entry of the agenda was damaged, and was dropped: %.100r", found)


def _work_off_one(
    conn: sqlite3.Connection, writing: Writing, what: str, name: str, duty: Duty
) -> None:
    now = Moment.now()
    if duty.takes_s:
        with writing() as held:
            values = {"what": what, "utc": now.utc, "until": now.utc + duty.takes_s}
            if not held.execute(sql.TAKE_FOR, values).rowcount:
                return
    try:
        prepared = duty.prepare(conn, name, now)
    except Exception as problem:  # noqa: BLE001 - whatever it is, it is this entry's alone
        _refuse_passing(problem)
        _put_off(writing, what, trouble_of(problem))
        return
    trouble = ""
    with writing() as held:
        now = Moment.now()
        if (
            not duty.takes_s
            and held.execute(sql.IS_DUE_ON_AGENDA, (what, now.utc)).fetchone() is None
        ):
            return
        try:
            with savepoint(held):
                again = duty.perform(held, name, prepared, now)
                if again is None:
                    strike(held, what)
                else:
                    enter(held, what, again, anew=True)
        except Exception as problem:
            if not held.in_transaction:
                raise
            _refuse_passing(problem)
            trouble = trouble_of(problem)
            held.execute(sql.PUT_OFF, _put_off_to(what, trouble))
    if trouble:
        logger.error("%s failed, and is tried again in a minute: %s", what, trouble)


def recheck(
    conn: sqlite3.Connection, writing: Writing, duty_of: Callable[[str], Duty | None]
) -> bool:
    """Let each kind on the agenda look whether its moments are right, as the clock is now.

    Args:
        conn, writing, duty_of: as for `work_off`.

    Returns:
        Whether there is any, so that moments may be other ones now.
    """
    now = utc_now()
    most = now + PUT_OFF_S + 1
    if conn.execute(sql.PUT_OFF_TOO_LONG, (most,)).fetchone() is not None:
        with writing() as held:
            held.execute(sql.BRING_FORWARD, {"utc": now, "most": most})
    kinds = conn.execute(sql.KINDS_ON_AGENDA).fetchall()
    for (kind,) in kinds:
        duty = duty_of(kind)
        if duty is None:
            continue
        with writing() as held:
            try:
                with savepoint(held):
                    duty.recheck(held, Moment.now())
            except Exception as problem:
                if not held.in_transaction:
                    raise
                _refuse_passing(problem)
                logger.error("The times of %s can't be read: %s", kind, trouble_of(problem))
    return bool(kinds)


def _put_off(writing: Writing, what: str, trouble: str) -> None:
    with writing() as conn:
        conn.execute(sql.PUT_OFF, _put_off_to(what, trouble))
    logger.error("%s failed, and is tried again in a minute: %s", what, trouble)


def _put_off_to(what: str, trouble: str) -> dict[str, object]:
    return {"what": what, "at": utc_now() + PUT_OFF_S, "trouble": trouble}


def _refuse_passing(problem: Exception) -> None:
    if is_passing(problem):
        raise problem


def trouble_of(problem: Exception) -> str:
    """What went wrong, as a file can hold it: the beginning of a long text."""
    text = str(problem) or type(problem).__name__
    return text.encode("utf-8", "backslashreplace").decode()[:LONGEST_TROUBLE]
