"""Workers that live on this machine and do nothing: suspended, frozen, or hung.

Such a one keeps its jobs for as long as it may wake and go on with them. Only a job that it should
have ended long ago is taken from it, once nothing is left that could go on with that job. One whose
jobs run elsewhere is ended as a whole: its agents end with it, and its jobs are those of a dead
worker then.
"""

from __future__ import annotations

import logging
import signal
import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from gigq_core.fleet.agents_seen import BY_AGENTS
from gigq_core.schema import worker_statements as sql
from gigq_core.system.identity import ProcessIdentity, is_dead, is_suspended
from gigq_core.worker import rescue
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.processes import (
    Seen,
    descendants,
    is_gone_soon,
    kill_exactly,
    kill_tree,
    signal_all,
)

logger = logging.getLogger("gigq_core.worker")

# After a job's timeout its worker has so long for the grace, which the file does not tell.
GRACE_S = 6.0
# So long a suspicion lasts before anything is done, in seconds: a debugger may look for a moment.
SURE_AFTER_S = 2.0
# A worker that is not suspended has been silent for so long: it beats twice as often while busy.
SILENT_S = 10.0
# A killed process is waited for so long, in seconds, with the write lock held.
DYING_S = 1.0


@dataclass(frozen=True)
class _Suspicion:
    beat: int
    since: float


class StuckWatch:
    """One observer's suspicions, by its own monotonic clock.

    Args:
        ledger: the observer's.
        worker_id: its id; jobs of its own are none of its business.
        heartbeats: when it last heard of the others.
        killed: takes how workers that are killed here came to their end, by the places of their
            rows, where their jobs are given back later.
    """

    def __init__(
        self,
        ledger: Ledger,
        worker_id: str,
        heartbeats: rescue.HeartbeatWatch,
        killed: dict[object, str],
    ) -> None:
        self._ledger = ledger
        self._worker_id = worker_id
        self._heartbeats = heartbeats
        self._killed = killed
        self._suspected: dict[int, _Suspicion] = {}

    def check(self, rows: Sequence[sqlite3.Row]) -> bool:
        """Look at the running jobs, and take those that are overdue from holders that are stuck.

        Returns:
            Whether any was taken.

        Raises:
            LockBusy: others keep the lock; nobody is suspected any more.
        """
        overdue = {
            row["registered"]: row
            for row in rows
            if row["registered"] is not None
            and row["execution_id"] is not None
            and row["worker_id"] != self._worker_id
            and row["state"] != "stopped"
            and rescue.is_past(row, GRACE_S)
        }
        now = time.monotonic()
        suspected: dict[int, _Suspicion] = {}
        sure = []
        for place, row in overdue.items():
            if not self._is_stuck(row):
                continue
            known = self._suspected.get(place)
            if known is None or known.beat != row["beat"]:
                # Whoever only waits for the file, as it may not be written, is not stuck.
                self._suspected = {}
                self._ledger.write_beat(self._worker_id)
                known = _Suspicion(row["beat"], now)
            elif now - known.since >= SURE_AFTER_S:
                sure.append(place)
            suspected[place] = known
        self._suspected = suspected
        taken = [self._take_from(place) for place in sure]
        return any(taken)

    def _is_stuck(self, row: sqlite3.Row) -> bool:
        if is_dead(ProcessIdentity.of_row(row)) is not False:
            return False
        if is_suspended(row["pid"]):
            return True
        # In threads a job may hold up its worker, and is never run twice at once.
        return (
            row["isolation"] in ("process", BY_AGENTS)
            and self._heartbeats.silence_s(row["worker_id"]) >= SILENT_S
        )

    def _take_from(self, place: int) -> bool:
        """Within one transaction: look again, end what could go on, and give the jobs back."""
        self._suspected.pop(place, None)
        with self._ledger.writing() as conn:
            rows = [r for r in conn.execute(sql.RUNNING_JOBS) if r["registered"] == place]
            late = [row for row in rows if rescue.is_past(row, GRACE_S)]
            if not late or not self._is_stuck(late[0]):
                return False
            what = "suspended" if is_suspended(late[0]["pid"]) else "hung"
            if late[0]["isolation"] == BY_AGENTS:
                # The processes that its attempts name are elsewhere, and may go on for a while.
                if _end_worker(late[0], what):
                    self._killed[place] = f"was {what}, and was killed for a job's timeout"
                return False
            own = _processes_of(conn, late) if len(late) < len(rows) else None
            if own is None:
                if not _end_worker(late[0], what):
                    return False
                others = [row for row in rows if row not in late]
            else:
                # What is within its time stays with its worker, which may wake.
                for pid, started in own:
                    kill_tree(pid, {(pid, started)})
                if not all(is_gone_soon(pid, started, DYING_S) for pid, started in own):
                    return False
                others = []
            for row in late:
                rescue.time_out(conn, row, f"its worker was {what}, and did not stop it")
            for row in others:
                rescue.give_back(conn, row, f"was {what}, and was killed for another job's timeout")
        return True


def _end_worker(row: sqlite3.Row, what: str) -> bool:
    """Kill a worker, and its jobs' processes; whether it is gone."""
    pid, started = row["pid"], row["pid_started"]
    # A script has processes that are no concern of ours.
    below: set[Seen] = descendants(pid) if row["owner"] != "script" else set()
    kill_exactly(pid, started, f"worker {row['worker_id']} is {what}, and has an overdue job")
    gone = is_gone_soon(pid, started, DYING_S)
    if gone:
        signal_all(below, signal.SIGKILL)
    return gone


def _processes_of(conn: sqlite3.Connection, rows: Sequence[sqlite3.Row]) -> set[Seen] | None:
    """The processes that run these jobs; None unless each has one of its own below its worker."""
    below = dict(descendants(rows[0]["pid"]))
    found: set[Seen] = set()
    for row in rows:
        record = conn.execute(sql.PROCESS_OF, (row["execution_id"],)).fetchone()
        pid = None if record is None else record["pid"]
        if pid not in below:
            return None
        found.add((pid, below[pid]))
    return found
