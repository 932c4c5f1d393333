"""What a supervisor looks after about once a second: jobs of the dead, traces of deleted jobs,
failures of others."""

from __future__ import annotations

import logging
import sqlite3
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

from gigq_core.schema import filling
from gigq_core.schema import worker_statements as sql
from gigq_core.schema.attach import forget_release_before, serves_release_before
from gigq_core.submitting.key_holders import forget_expired_keys, has_expired_keys
from gigq_core.system.kept_files import remove_private
from gigq_core.system.paths import attempt_output
from gigq_core.units.times import utc_now
from gigq_core.worker import rescue
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.processes import kill_exactly
from gigq_core.worker.stuck import StuckWatch

logger = logging.getLogger("gigq_core.worker")

# How often jobs of dead workers are looked for, in seconds.
RESCUE_EVERY_S = 1.0
# How often the rows of dead workers are closed, in seconds.
BURY_EVERY_S = 5.0
# How often the history of jobs deleted long ago is looked for, in seconds; at once while there is.
FORGET_EVERY_S = 3600.0
# How many failures of others are noted in one transaction, and how long that goes on each time, in
# seconds.
READ_AT_ONCE = 200
READ_FOR_S = 0.05
# How long the history of a deleted job stays, and its name still satisfies later children.
KEEP = timedelta(days=30)
# How often delays are looked for that a clock set back has made longer, in seconds; and at once
# where this process notices that. How many are mended in one transaction.
DELAYS_EVERY_S = 60.0
MENDED_AT_ONCE = 1000
# A clock that moved by so much was set, in seconds.
STEP_S = 1.0
# How many deleted jobs are forgotten in one transaction.
FORGOTTEN_AT_ONCE = 200


class Upkeep:
    """Made by a worker for itself: jobs of its own are none of its business.

    Args:
        ledger: the worker's.
        worker_id: its id.
        heartbeats: how the silence of others is judged; with the usual lease by default.
    """

    def __init__(
        self, ledger: Ledger, worker_id: str, heartbeats: rescue.HeartbeatWatch | None = None
    ) -> None:
        self._ledger = ledger
        self._worker_id = worker_id
        self._heartbeats = heartbeats or rescue.HeartbeatWatch()
        # How workers that were killed from here came to their end, by the place of their rows.
        self._killed: dict[object, str] = {}
        self._stuck = StuckWatch(ledger, worker_id, self._heartbeats, self._killed)
        self._last = 0.0
        self._last_burial = 0.0
        self._last_forgetting = 0.0
        self._script_jobs_warned = False
        self._delays = DelayWatch()

    def run_if_due(self, now: float) -> bool:
        """Do it all, if it is time by the monotonic clock; says whether it changed anything.

        Raises:
            FilesLost: the file or its WAL was deleted or replaced.
            LockBusy: there is something to write, and others keep the lock; ask again.
        """
        if now - self._last < RESCUE_EVERY_S:
            return False
        self._ledger.check_files()
        conn = self._ledger.conn
        running = conn.execute(sql.RUNNING_JOBS).fetchall()
        holders = {row["registered"] for row in running}
        for place in [place for place in self._killed if place not in holders]:
            del self._killed[place]
        stopped = rescue.stopped_holders(running, self._heartbeats, self._worker_id)
        for place, holder in stopped.items():
            # Its jobs are given back next time, when it is certainly dead.
            kill_exactly(holder.pid, holder.pid_started, "a suspended worker, past its lease")
            self._killed[place] = "was suspended for longer than its lease, and was killed"
        taken = self._stuck.check(running)
        rows = rescue.needed(conn, self._heartbeats, self._worker_id)
        dead = []
        if rows or now - self._last_burial > BURY_EVERY_S:
            self._last_burial = now
            dead = rescue.dead_workers(conn, self._worker_id)
        if rows or dead:
            with self._ledger.writing():
                rescue.rescue(conn, rows, self._killed)
                rescue.bury(conn, dead)
        self._read_failures()
        self._forget_if_due(now)
        mended = self._mend_delays(now)
        if filling.left(conn):
            with self._ledger.writing():
                filling.fill_some(conn)
        self._warn_of_script_jobs()
        self._last = now
        return taken or mended or bool(rows)

    def _mend_delays(self, now: float) -> bool:
        """Let nothing wait longer than its delay was: a clock that is set back makes it so.

        Returns:
            Whether something may be due sooner now.
        """
        if not self._delays.are_due(now):
            return False
        values = {"utc": utc_now()}
        if self._ledger.conn.execute(sql.HAS_TO_BRING_FORWARD, values).fetchone() is None:
            self._delays.looked(now)
            changed = self._ledger.recheck_agenda()
            if serves_release_before(self._ledger.conn):
                with self._ledger.writing() as conn:
                    forget_release_before(conn)
            return changed
        with self._ledger.writing() as conn:
            most = {**values, "most": MENDED_AT_ONCE}
            mended = conn.execute(sql.BRING_FORWARD, most).rowcount
        logger.warning("The clock was set back: %d delays are kept as long as they were", mended)
        return mended > 0

    def _read_failures(self) -> None:
        """Note what failed in attempts of GigQ's, and of the previous release: some at a time."""
        until = time.monotonic() + READ_FOR_S
        while found := self._ledger.unread_failures(READ_AT_ONCE, until):
            with self._ledger.writing() as conn:
                conn.executemany(sql.NOTE_FAILURE, found)
            if time.monotonic() > until:
                break

    def _warn_of_script_jobs(self) -> None:
        """One line when jobs begin to wait that this worker has to leave alone."""
        left = self._ledger.script_job_left(self._worker_id)
        if left is not None and not self._script_jobs_warned:
            logger.warning(
                "Job %s (%r) waits, and others may: %s() is defined in a script (__main__), so "
                "only that script's own Worker(...) can run it; define it in a module instead",
                *left,
            )
        self._script_jobs_warned = left is not None

    def _forget_if_due(self, now: float) -> None:
        if self._last_forgetting and now - self._last_forgetting < FORGET_EVERY_S:
            return
        if not has_forgettable(self._ledger.conn):
            self._last_forgetting = now
            return
        with self._ledger.writing() as conn:
            gone = forget_deleted(conn)
        delete_output(self._ledger.path, gone)


class DelayWatch:
    """When delays are looked at: now and then, and when the clock is seen to go back."""

    def __init__(self) -> None:
        self._next = 0.0
        self._ahead = utc_now() - time.monotonic()

    def are_due(self, now: float) -> bool:
        """Whether it is time; `now` by the monotonic clock."""
        ahead = utc_now() - time.monotonic()
        stepped = ahead < self._ahead - STEP_S
        self._ahead = ahead
        if stepped:
            # Until all are right, however many turns that takes.
            self._next = now
        return now >= self._next

    def looked(self, now: float) -> None:
        """All delays are right."""
        self._next = now + DELAYS_EVERY_S


def forget_deleted(conn: sqlite3.Connection) -> list[str]:
    """Forget jobs that were deleted long ago, within the caller's transaction.

    Returns:
        The ids of the executions that went; their output may go too.
    """
    before = _forgotten_before()
    old = [
        row[0] for row in conn.execute(sql.DELETED_BEFORE, (before, FORGOTTEN_AT_ONCE)).fetchall()
    ]
    gone: list[str] = []
    forget_expired_keys(conn, utc_now(), FORGOTTEN_AT_ONCE)
    for job_id in old:
        # A job that was deleted and put back keeps its history.
        gone += [row[0] for row in conn.execute(sql.FORGET_EXECUTIONS, {"job": job_id}).fetchall()]
        for statement in (*sql.FORGET_SAID, sql.FORGET_DELETED):
            conn.execute(statement, {"job": job_id})
    if old:
        logger.info("Forgot %d jobs that were deleted before %s", len(old), before)
    return gone


def _forgotten_before() -> str:
    """A tombstone of that time has grown old: as they are stored, in UTC."""
    return (datetime.now(timezone.utc) - KEEP).strftime("%Y-%m-%dT%H:%M:%S")


def has_forgettable(conn: sqlite3.Connection) -> bool:
    """Whether there is anything to forget; a plain read."""
    before = _forgotten_before()
    deleted = conn.execute(sql.DELETED_BEFORE, (before, 1)).fetchone()
    return deleted is not None or has_expired_keys(conn, utc_now())


def delete_output(db_path: str | Path, execution_ids: list[str]) -> None:
    """Delete the captured output of executions that are forgotten."""
    for execution_id in execution_ids:
        path = attempt_output(db_path, execution_id)
        if path is None:
            continue
        try:
            remove_private(path)
        except OSError as problem:
            logger.warning("Old output stays: %s", problem.strerror or problem)
            return
