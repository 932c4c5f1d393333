"""What a worker reads from the queue file, and the one transaction in which it writes."""

from __future__ import annotations

import json
import logging
import random
import sqlite3
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from gigq_core import agenda
from gigq_core.changes import cascade
from gigq_core.duties import duty_of
from gigq_core.errors import FilesLost
from gigq_core.lanes.settling import settle, shut, spend, unspend
from gigq_core.schema import worker_statements as sql
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.features import ALL_INDEXES, Feature, is_used
from gigq_core.schema.held_file import HeldFile, Loss
from gigq_core.schema.transaction import is_lock_trouble, is_passing, savepoint
from gigq_core.system.paths import queue_file
from gigq_core.units.times import Moment, utc_now
from gigq_core.worker import delivery, outcomes, register, said
from gigq_core.worker.claimed_rows import claim_of_row
from gigq_core.worker.claims import Begun, Claim, Ending, Fate
from gigq_core.worker.decisions import asked_s
from gigq_core.worker.heard import ParentRow, Report, Save
from gigq_core.worker.lane_claims import Takes
from gigq_core.worker.register import Register

logger = logging.getLogger("gigq_core.worker")

T = TypeVar("T")

# How many jobs that came due are made ready at once.
STAGE_AT_ONCE = 1000

# Waiting for the write lock: pauses in seconds, and how long before the caller gets a result.
PAUSE_S = 0.0005
LONGEST_PAUSE_S = 0.004
GIVE_UP_S = 1.0

_NO_FAILURE = (Fate.GIVEN_BACK, Fate.CANCELLED, Fate.NOT_BEGUN, Fate.SNOOZED)


class LockBusy(Exception):
    """Others keep the write lock; nothing was written, ask again soon."""


def pauses(longest: float = PAUSE_S) -> Iterator[float]:
    """Seconds to wait before each further try to get the write lock: with jitter, for fairness.

    Args:
        longest: the first is at most so long.
    """
    while True:
        yield random.uniform(0.3, 1.0) * longest
        longest = min(longest * 1.5, LONGEST_PAUSE_S)


class PendingWork(NamedTuple):
    """What a plain read tells an idle worker."""

    ready: int = 0
    # The first instant at which a delayed job comes due.
    due: float | None = None
    queue_paused: bool = False
    request: str | None = None
    stops: frozenset[str] = frozenset()
    # Whether children are still to be told that a parent failed.
    cascade: bool = False
    # The first instant at which something stands on the agenda.
    agenda: float | None = None


@dataclass
class CommitResult:
    """What came of one transaction."""

    claims: list[Claim] = field(default_factory=list)
    # What ended, as it is stored.
    endings: list[Ending] = field(default_factory=list)
    superseded: list[Ending] = field(default_factory=list)
    # How many jobs that were delayed are ready now.
    staged: int = 0
    # How many claimed rows were broken, and have failed already.
    broken: int = 0
    # How many are left to be claimed later, since they are to run one at a time.
    put_back: int = 0
    # The attempts whose checkpoints are stored now.
    saved: set[str] = field(default_factory=set)


class Ledger:
    """The supervisor's connection: used by its thread alone.

    Args:
        db_path: the file.
        runs_script: whether the functions of this process's `__main__` can be run.
        takes: the lanes that the worker names; None where it names none.

    Raises:
        DatabaseError: the file can't be used; see `open_for_work`.
    """

    def __init__(self, db_path: str | Path, runs_script: bool, takes: Takes | None = None) -> None:
        self.path = queue_file(db_path).absolute()
        self._runs_script = runs_script
        self._takes = takes
        self.conn = open_for_work(self.path, create=False)
        self.conn.execute("PRAGMA busy_timeout = 0")
        self._held = HeldFile(self.conn, self.path)
        self._last_words = False
        self._repaired: set[str] = set()
        # Whether the file has lanes, as far as was seen: one that has none is not asked for them.
        self._has_lanes = False

    def close(self) -> None:
        """Close the connection."""
        self._held.close()

    # --- the file itself ---------------------------------------------------------------------

    def check_files(self) -> None:
        """Make sure that the paths still lead to the files that are open.

        Raises:
            FilesLost: they do not.
        """
        loss = self._held.files.lost()
        if loss is Loss.REPLACED or (loss is not None and not self._last_words):
            raise FilesLost(self._held.files.sentence())

    def save(self) -> None:
        """Bring what a deleted WAL holds into the file, while nobody has made another; what is
        written from now on is for whoever shares the deleted one, and to be saved again."""
        self._last_words = True
        self._held.save()

    # --- reading -----------------------------------------------------------------------------

    def data_version(self) -> int:
        """Changes whenever another connection has committed."""
        version: int = self.conn.execute("PRAGMA data_version").fetchone()[0]
        return version

    def pending_work(self, worker_id: str, most: int, lost: bool = True) -> PendingWork:
        """What there is to do.

        Args:
            worker_id: the worker's.
            most: where counting ready jobs may stop.
            lost: as for `commit`.
        """
        return self._repairing(lambda: self._read_pending(worker_id, most, lost))

    def _read_pending(self, worker_id: str, most: int, lost: bool) -> PendingWork:
        values: tuple[object, ...] = (most, worker_id, worker_id)
        statement = sql.LOOK
        if self._runs_script:
            statement = sql.LOOK_WITH_SCRIPT
            values += (script_functions(), most)
        if not lost:
            statement = sql.WITHOUT_LOST[statement]
        row = self.conn.execute(statement, values).fetchone()
        due, paused, ready, request, stops, children, appointment, *script = row
        if appointment is not None and not self._has_lanes:
            self._has_lanes = is_used(self.conn, Feature.LANES)
        ready += sum(script)
        if self._takes is not None:
            beside = 0 if self._takes.only_lanes else ready
            ready = beside + self._ready_in_lanes(self._takes, most, lost)
        return PendingWork(
            ready=min(most, ready),
            due=_as_instant(due),
            queue_paused=paused is not None,
            request=request,
            stops=self._stop_requests(worker_id) if stops else frozenset(),
            cascade=bool(children),
            agenda=_as_instant(appointment),
        )

    def _ready_in_lanes(self, takes: Takes, most: int, lost: bool) -> int:
        if not self._has_lanes:
            return 0
        return takes.ready(self.conn, self._functions(), most, lost)

    def _functions(self) -> str:
        return script_functions() if self._runs_script else "[]"

    def _stop_requests(self, worker_id: str) -> frozenset[str]:
        rows = self.conn.execute(sql.STOP_REQUESTS, (worker_id,)).fetchall()
        return frozenset(row[0] for row in rows if row[0])

    def script_job_left(self, worker_id: str) -> sqlite3.Row | None:
        """A job that waits for its own script, which does not work on the file; None if none does.

        Its id, name and function.
        """
        values = {"functions": self._functions(), "worker": worker_id}
        row: sqlite3.Row | None = self._repairing(
            lambda: self.conn.execute(sql.SCRIPT_JOB_LEFT, values).fetchone()
        )
        return row

    def unread_failures(self, most: int, until: float) -> list[dict[str, object]]:
        """What failed in attempts that do not say it yet, as it is to be noted.

        Args:
            most: how many of them at most.
            until: when to stop, by the monotonic clock.
        """
        return self._repairing(lambda: self._read_failures(most, until))

    def _read_failures(self, most: int, until: float) -> list[dict[str, object]]:
        found = []
        for row in self.conn.execute(sql.UNREAD_FAILURES, (most,)):
            failed = outcomes.what_failed(row["error"], row["traceback"])
            found.append({"place": row["place"], **failed})
            if time.monotonic() > until:
                break
        return found

    def parents_of(self, claim: Claim) -> list[ParentRow]:
        """How the parents ended, in the order of the dependencies.

        Raises:
            LockBusy: others keep readers out too, for about a second by now.
        """
        return self._persist(lambda: parents_of(self.conn, claim), GIVE_UP_S)

    def saved_of(self, claim: Claim) -> str | None:
        """The checkpoint of a job, as JSON.

        Raises:
            LockBusy: others keep readers out too, for about a second by now.
        """
        return self._persist(lambda: saved_of(self.conn, claim), GIVE_UP_S)

    def still_owned(self, tokens: Iterable[str]) -> set[str]:
        """Which of these attempts are still their jobs' own."""
        rows = self.conn.execute(sql.HELD_OF, (json.dumps(list(tokens)),)).fetchall()
        return {row[0] for row in rows}

    def held_beside(self, worker_id: str, tokens: Iterable[str]) -> list[Claim]:
        """What a worker holds by what the file says, but for these attempts."""
        values = (worker_id, json.dumps(list(tokens)))
        rows = self._repairing(lambda: self.conn.execute(sql.HELD_BESIDE, values).fetchall())
        return [claim_of_row(row) for row in rows]

    # --- writing -----------------------------------------------------------------------------

    @contextmanager
    def writing(self, patient: bool = True) -> Iterator[sqlite3.Connection]:
        """One transaction; waits for the lock with jitter, so that nobody starves.

        Args:
            patient: whether to wait at all.

        Raises:
            LockBusy: the lock was not free, for about a second if `patient`.
            FilesLost: what is written would be lost.
        """
        patience_s = GIVE_UP_S if patient else 0.0
        # It begins within `try`: whoever is interrupted right then keeps the lock from nobody.
        try:
            self._persist(lambda: self.conn.execute("BEGIN IMMEDIATE"), patience_s)
            self.check_files()
            yield self.conn
            if self._has_lanes:
                settle(self.conn, utc_now())
            # Only in a rollback journal can readers hold up a commit.
            self._persist(lambda: self.conn.execute("COMMIT"), GIVE_UP_S)
        except BaseException:
            if self.conn.in_transaction:
                self.conn.execute("ROLLBACK")
            raise

    def _persist(self, act: Callable[[], T], give_up_s: float) -> T:
        until = time.monotonic() + give_up_s
        for pause_s in pauses():
            try:
                return act()
            except sqlite3.OperationalError as problem:
                if not is_lock_trouble(problem):
                    raise
            if time.monotonic() >= until:
                break
            time.sleep(pause_s)
        raise LockBusy

    def commit(
        self,
        own: Register,
        endings: Iterable[Ending],
        pids: list[int],
        *,
        claim: bool,
        stage: bool,
        beat: bool,
        retire: bool = False,
        ahead: int = 0,
        begun: Sequence[Begun] = (),
        lost: bool = True,
        saves: Sequence[Save] = (),
        reports: Sequence[Report] = (),
        patient: bool = True,
    ) -> CommitResult:
        """Everything the worker has to write, in one transaction.

        Args:
            own: the worker's row; it is written first if it is not in the file yet. Its counters
                are moved on when the transaction has committed.
            endings: attempts that ended.
            pids: where claimed jobs will run, one for each that may be claimed.
            claim: whether to claim at all, unless the queue is paused.
            stage: whether jobs may have come due.
            beat: whether to write the worker's row.
            retire: whether to close the worker's row.
            ahead: how many jobs may be claimed beyond `pids`, for the slots that are free next.
            begun: jobs claimed ahead that turned out to be long.
            lost: whether to claim a job whose worker died soon after it had begun, which may be
                the reason; one at most.
            saves, reports: what running jobs have said; written while the attempt is the job's
                own, and before its ending.
            patient: whether to wait for the write lock.

        Raises:
            LockBusy: nothing was written.
            WorkerIdInUse: a live worker has the id.
        """
        endings = list(endings)
        submitting = [ending for ending in endings if ending.outbox is not None]
        if submitting:
            delivery.prepare(self.conn, submitting, Moment.now())
            endings = [ending for ending in endings if ending.outbox is None]

        def write(end: Callable[..., outcomes.Written]) -> CommitResult:
            return self._repairing(
                lambda: self._write(
                    own,
                    endings,
                    submitting,
                    pids,
                    claim,
                    stage,
                    beat,
                    retire,
                    ahead,
                    begun,
                    lost,
                    saves,
                    reports,
                    patient,
                    end,
                )
            )

        try:
            return write(outcomes.end)
        except outcomes.UNSTORABLE as problem:
            if not endings or is_passing(problem):
                raise
            logger.error("Jobs that ended can't be written together: %s", problem)
        return write(outcomes.end_each)

    def _write(
        self,
        own: Register,
        endings: list[Ending],
        submitting: list[Ending],
        pids: list[int],
        claim: bool,
        stage: bool,
        beat: bool,
        retire: bool,
        ahead: int,
        begun: Sequence[Begun],
        lost: bool,
        saves: Sequence[Save],
        reports: Sequence[Report],
        patient: bool,
        end: Callable[..., outcomes.Written],
    ) -> CommitResult:
        result = CommitResult()
        done = failed = 0
        claimed_at = own.claimed
        with self.writing(patient) as conn:
            now = Moment.now()
            if not own.enrolled:
                register.enrol(conn, own, now)
            for started in begun:
                outcomes.record(conn, started)
            if saves or reports:
                result.saved = said.write(conn, saves, reports)
            result.endings, result.superseded = end(conn, endings, now)
            self._look_after_lanes(conn, result, now)
            if submitting:
                delivered = delivery.end(conn, submitting, now)
                result.endings += delivered.endings
                result.superseded += delivered.superseded
            for ending in result.endings:
                if result.superseded and ending in result.superseded:
                    continue
                if ending.fate is Fate.COMPLETED:
                    done += 1
                elif ending.fate not in _NO_FAILURE:
                    failed += 1
            if stage:
                result.staged = conn.execute(sql.STAGE_DUE, (now.utc, STAGE_AT_ONCE)).rowcount
            if claim and (pids or ahead):
                if self._has_lanes:
                    settle(conn, now.utc)
                claims, result.put_back = self._claim(conn, own.id, pids, ahead, lost, now)
                if claims:
                    claimed_at = now.utc
                broken = [Ending(a, Fate.HOPELESS, error=a.broken) for a in claims if a.broken]
                end(conn, broken, now)
                result.claims = [a for a in claims if not a.broken]
                result.broken = len(broken)
                failed += result.broken
            if retire:
                register.retire(conn, own, done, failed, claimed_at, now)
            elif beat:
                register.beat(conn, own, done, failed, claimed_at, now)
        own.enrolled = not retire
        own.done += done
        own.failed += failed
        own.claimed = claimed_at
        if beat:
            own.answered = None
            if own.agents is not None:
                own.agents.written()
        return result

    def _claim(
        self,
        conn: sqlite3.Connection,
        worker_id: str,
        pids: list[int],
        ahead: int,
        lost: bool,
        now: Moment,
    ) -> tuple[list[Claim], int]:
        values: dict[str, Any] = {
            "worker": worker_id,
            "now": now.text,
            "utc": now.utc,
            "slots": len(pids),
        }
        takes = self._takes
        heads: list[str] = []
        functions = self._functions() if takes is not None else ""
        if takes is not None and self._has_lanes:
            heads = takes.heads(conn, functions, len(pids), lost)
        statement = sql.CLAIM
        if takes is not None and (heads or takes.only_lanes):
            statement = sql.CLAIM_CHOSEN
            values["chosen"] = takes.choose(conn, heads, functions, len(pids), lost)
        elif self._runs_script:
            statement = sql.CLAIM_WITH_SCRIPT
            values["functions"] = script_functions()
        elif ahead:
            statement = sql.CLAIM_AHEAD
            values["ahead"] = ahead
        if not lost and statement is not sql.CLAIM_CHOSEN:
            statement = sql.WITHOUT_LOST[statement]
        rows = conn.execute(statement, values).fetchall()
        # RETURNING keeps no order.
        rows.sort(key=lambda row: (-_as_number(row["priority"]), row["rowid"]))
        claims = [claim_of_row(row) for row in rows]
        lost_ones = [n for n, row in enumerate(rows) if row["lost"]]
        for number in reversed(lost_ones[1:]):
            outcomes.put_back(conn, claims.pop(number), now)
        for number in lost_ones[:1]:
            claims[number] = replace(claims[number], lost=True)
        if any(claim.lane for claim in claims):
            spend(conn, (claim.lane for claim in claims), now.utc)
        where = iter(pids)
        conn.executemany(
            sql.BEGIN_EXECUTION,
            [
                (
                    *(a.execution_id, a.job_id, worker_id, now.text, now.utc),
                    None if a.broken else next(where, None),
                )
                for a in claims
            ],
        )
        return claims, len(lost_ones[1:])

    def _look_after_lanes(
        self, conn: sqlite3.Connection, result: CommitResult, now: Moment
    ) -> None:
        """What endings mean for their lanes, which shares its fate with nothing else."""
        for ending in result.endings:
            lane = ending.claim.lane
            if lane is None or (result.superseded and ending in result.superseded):
                continue
            try:
                if ending.fate is Fate.NOT_BEGUN:
                    with savepoint(conn):
                        unspend(conn, lane)
                elif ending.wish is not None and ending.wish.lane and asked_s(ending) > 0:
                    with savepoint(conn):
                        shut(conn, lane, asked_s(ending), now.utc)
            except outcomes.UNSTORABLE as problem:
                if is_passing(problem) or not conn.in_transaction:
                    raise
                logger.error("Lane %s can't be looked after: %s", lane, problem)

    def has_children_to_tell(self) -> bool:
        """Whether children are still to be told that a parent failed; a plain read."""
        return cascade.is_waiting(self.conn)

    def tell_children(self) -> None:
        """Tell some children that a parent failed, in a transaction of their own.

        Raises:
            LockBusy: nothing was written.
        """
        with self.writing() as conn:
            cascade.work_off(conn)

    def work_off_agenda(self) -> int:
        """Do what is due on the agenda, each entry in a transaction of its own.

        Returns:
            How many entries were looked at; there may be more.

        Raises:
            LockBusy: not all was done; ask again.
        """
        return agenda.work_off(self.conn, self.writing, duty_of)

    def recheck_agenda(self) -> bool:
        """Look whether the times on the agenda are right, as the clock is now.

        Returns:
            Whether there are any.

        Raises:
            LockBusy: not all was looked at; ask again.
        """
        return agenda.recheck(self.conn, self.writing, duty_of)

    def write_beat(self, worker_id: str) -> None:
        """Move the worker's own heartbeat on, to see that the file can be written now.

        Raises:
            LockBusy: it can't, as others keep the lock.
        """
        with self.writing() as conn:
            conn.execute(sql.BEAT_ALONE, (worker_id,))

    # --- missing indexes ---------------------------------------------------------------------

    def _repairing(self, act: Callable[[], T]) -> T:
        """Run `act`; if somebody dropped one of our indexes, make it anew, once, and try again."""
        try:
            return act()
        except sqlite3.OperationalError as problem:
            name = _missing_index(problem)
            if name is None or name in self._repaired:
                raise
            self._repaired.add(name)
            logger.warning("The index %s is gone from %s; making it again", name, self.path)
            with self.writing() as conn:
                conn.execute(ALL_INDEXES[name])
        return self._repairing(act)


def parents_of(conn: sqlite3.Connection, claim: Claim) -> list[ParentRow]:
    """How an attempt's parents ended, in the order of its dependencies."""
    rows = conn.execute(sql.PARENTS, (json.dumps(claim.dependencies),)).fetchall()
    found = {row[0]: [_as_text(value) for value in row[1:]] for row in rows}
    return [(parent, *found.get(parent, (None, None, None))) for parent in claim.dependencies]


def saved_of(conn: sqlite3.Connection, claim: Claim) -> str | None:
    """The checkpoint of an attempt's job, as JSON."""
    row = conn.execute(sql.SAVED_OF, (claim.job_id,)).fetchone()
    return None if row is None else _as_text(row[0])


def script_functions() -> str:
    """The names in `__main__` that can be called, as JSON."""
    names = vars(sys.modules["__main__"])
    return json.dumps([name for name, value in list(names.items()) if callable(value)])


def _missing_index(problem: sqlite3.Error) -> str | None:
    text = str(problem)
    if not text.startswith("no such index: "):
        return None
    name = text.removeprefix("no such index: ")
    return name if name in ALL_INDEXES else None


def _as_text(value: Any) -> str | None:
    """A stored result as the text it should be: a damaged row may hold bytes or a number."""
    if value is None or isinstance(value, str):
        return value
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _as_instant(value: Any) -> float | None:
    """Of a damaged row: what is no number stands behind all numbers."""
    return float(value) if isinstance(value, (int, float)) else None


def _as_number(value: Any) -> float:
    return value if isinstance(value, (int, float)) else float("-inf")
