"""Any acts of ours and of GigQ's, in any order: what must hold after each of them, holds."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import gigq
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from gigq_core import Job, JobQueue, close_connections
from gigq_core.changes import cascade
from gigq_core.changes.undo import Undo
from gigq_core.duplicate_job import DuplicateJob
from gigq_core.errors import CycleError
from gigq_core.schema import ddl, worker_statements
from gigq_core.schema.attach import detach
from gigq_core.status import Change
from gigq_core.worker import rescue
from gigq_core.worker.claims import Claim, Ending, Fate, Wish
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register
from tests.reliability.gigq_attempts import GigQAttempt, held

LONG_AGO = "2020-01-01T00:00:00"
LONG_AGO_S = 1_577_836_800.0
FINAL = ("completed", "failed", "timeout", "cancelled")
BAD = ("failed", "timeout", "cancelled")
STATUS_COLUMN = 10
FOLLOWING = ("retry_after", "due", "due_in", "created", "began", "ended")
# What GigQ's clear deletes.
ENDED = ("completed", "cancelled")

# Few names, so that acts meet.
NAMES = st.sampled_from([f"j{n}" for n in range(5)])
PARENTS = st.lists(NAMES, max_size=3, unique=True)
SOME = st.lists(NAMES, min_size=1, max_size=4, unique=True)
PICK = st.integers(min_value=0, max_value=20)
POLICIES = st.sampled_from(["wait", "cancel", "cancel", "run", "run"])

Edge = tuple[str, str]


@dataclass(frozen=True)
class Row:
    """What the model watches of a job."""

    status: str
    retry_after: str | None
    token: str | None
    attempts: int
    priority: int
    rowid: int
    result: str | None
    ended: float | None


@dataclass(frozen=True)
class Act:
    """An act of a person that may be taken back: what it met, and what it left."""

    undo: Undo
    done: tuple[str, ...]
    before: dict[str, tuple[Any, ...]]
    left: dict[str, tuple[Any, ...]]
    # What those jobs waited for.
    waived: frozenset[Edge]
    went_on: frozenset[Edge]
    edges: dict[Edge, bool]
    policies: dict[str, str]
    culprits: dict[str, str]
    # How often jobs with each id had been submitted by then.
    births: dict[str, int]


class QueueMachine(RuleBasedStateMachine):
    """Acts upon one file; `_only` names what an act may change, all else must stay."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.folder = Path(tempfile.mkdtemp(prefix="model-"))
        self.db = self.folder / "jobs.db"
        self._open()
        # (child, parent): whether the child need not wait for it any more.
        self.edges: dict[Edge, bool] = {}
        # Edges that count as met because the parent was missing when the file was attached.
        self.waived: set[Edge] = set()
        # Edges whose child went on although the parent had failed.
        self.went_on: set[Edge] = set()
        # What was deleted after it had completed, and before.
        self.tombstones: set[str] = set()
        self.gone: set[str] = set()
        # What becomes of a job when a parent fails, and for whose failure it was cancelled.
        self.policies: dict[str, str] = {}
        self.culprits: dict[str, str] = {}
        self.ours: list[Claim] = []
        self.theirs: list[GigQAttempt] = []
        self.claims = 0
        self.detached = False
        # Whether the act raised, so that nothing was done at all.
        self.refused = False
        self.acts: list[Act] = []
        self.births: dict[str, int] = {}

    def _open(self) -> None:
        self.queue = JobQueue(self.db)
        self.ledger = Ledger(self.db, runs_script=False)
        for conn in (self.ledger.conn, self.queue._connection()):
            # Nobody pulls the plug here, and commits are many.
            conn.execute("PRAGMA synchronous = OFF")
        self.gigq = gigq.JobQueue(str(self.db))
        self.own = Register("ours", "script", "thread", 4, None, None, None)

    def _close(self) -> None:
        self.ledger.close()
        close_connections()
        gigq.close_connections()

    def teardown(self) -> None:
        for attempt in self.theirs:
            attempt.end()
        self._close()
        shutil.rmtree(self.folder)
        logging.disable(logging.NOTSET)

    # --- looking -----------------------------------------------------------------------------

    def _rows(self) -> dict[str, Row]:
        found = self.ledger.conn.execute(
            "SELECT id, status, retry_after, execution_id, attempts, priority, rowid, result, ended"
            " FROM jobs"
        )
        return {row[0]: Row(*tuple(row)[1:]) for row in found.fetchall()}

    def _is_met(self, job_id: str) -> bool:
        return all(
            met or edge in self.went_on for edge, met in self.edges.items() if edge[0] == job_id
        )

    @contextlib.contextmanager
    def _only(
        self, allowed: dict[str, set[str]], told: frozenset[str] = frozenset(), tells: bool = False
    ) -> Iterator[dict[str, Row]]:
        """Within, no status and no token changes but where it is allowed, and to what.

        Args:
            allowed: those statuses, by the job.
            told: who is cancelled, before anything else happens, because a parent had failed.
            tells: whether, after all else, children are told what became of their parents.
        """
        before = self._rows()
        self.refused = False
        yield before
        tells = tells and not self.refused
        after = self._rows()
        # As they were before anybody was told: one that is to be cancelled waited.
        statuses = {job_id: row.status for job_id, row in after.items()}
        for job_id in before.keys() & after.keys():
            old, new = before[job_id], after[job_id]
            if (old.status, old.token) != (new.status, new.token):
                may = allowed.get(job_id, set())
                if tells and new.status == "cancelled" and new.status not in may | {old.status}:
                    if job_id not in told:
                        statuses[job_id] = "pending"
                else:
                    assert new.status in may, (job_id, old, new, allowed)
            elif tells and new.status == "cancelled" and "pending" in allowed.get(job_id, ()):
                # It waited for a moment, or nothing was done to it.
                statuses[job_id] = "pending" if self._would_be_cancelled(job_id, after) else "-"
            if old.status == "completed":
                assert new.result == old.result
            elif new.status == "completed":
                self._completed(job_id)
        for job_id in before.keys() - after.keys():
            may = allowed.get(job_id, set())
            assert "torn out" in may or before[job_id].status in (FINAL if "gone" in may else ENDED)
            self._left(job_id, before[job_id].status == "completed")
        self._judge(after)
        if tells:
            self._tell(statuses)
            for job_id, row in after.items():
                assert statuses[job_id] in (row.status, "-"), (job_id, row, statuses, self.edges)
        self._blame(after)

    def _left(self, job_id: str, completed: bool) -> None:
        (self.tombstones if completed else self.gone).add(job_id)
        (self.gone if completed else self.tombstones).discard(job_id)
        self.edges = {edge: met for edge, met in self.edges.items() if edge[0] != job_id}
        self.waived = {edge for edge in self.waived if edge[0] != job_id}
        self.went_on = {edge for edge in self.went_on if edge[0] != job_id}
        self.policies.pop(job_id, None)

    def _completed(self, job_id: str) -> None:
        for edge in self.edges:
            if edge[1] == job_id and edge not in self.went_on:
                self.edges[edge] = True

    # --- parents that fail -------------------------------------------------------------------

    def _has_failed(self, job_id: str, statuses: dict[str, str]) -> bool:
        return statuses.get(job_id) in BAD or (job_id not in statuses and job_id in self.gone)

    def _failed_parents(self, job_id: str, statuses: dict[str, str]) -> list[Edge]:
        """The edges from parents that have failed to a job that is to be told of it."""
        return [
            edge
            for edge, met in self.edges.items()
            if edge[0] == job_id and not met and edge not in self.went_on
            if self.policies.get(job_id, "wait") != "wait" and self._has_failed(edge[1], statuses)
        ]

    def _would_be_cancelled(self, job_id: str, rows: dict[str, Row]) -> bool:
        statuses = {name: row.status for name, row in rows.items()}
        found = self._failed_parents(job_id, statuses)
        return self.policies.get(job_id) == "cancel" and bool(found)

    def _judge(self, rows: dict[str, Row]) -> None:
        """Whoever waits, and went on without a parent, waits for it again once that may come."""
        for edge in list(self.went_on):
            child, parent = (rows.get(job_id) for job_id in edge)
            if child and child.status == "pending" and parent and parent.status not in BAD:
                self.went_on.discard(edge)
                self.edges[edge] = parent.status == "completed"

    def _tell(self, statuses: dict[str, str]) -> frozenset[str]:
        """What becomes of `statuses` when all children have been told; says who was cancelled."""
        told = set()
        news = True
        while news:
            news = False
            for job_id in [name for name, status in statuses.items() if status == "pending"]:
                for edge in self._failed_parents(job_id, statuses):
                    news = True
                    if self.policies[job_id] == "cancel":
                        statuses[job_id] = "cancelled"
                        told.add(job_id)
                        break
                    self.went_on.add(edge)
        return frozenset(told)

    def _tell_first(self) -> frozenset[str]:
        """As an act does before it begins."""
        return self._tell({job_id: row.status for job_id, row in self._rows().items()})

    def _culprits(self) -> dict[str, str]:
        return dict(self.ledger.conn.execute("SELECT child_id, culprit_id FROM core_cascaded"))

    def _above(self, job_id: str) -> set[str]:
        """All that a job depends on, directly or not."""
        found: set[str] = set()
        waiting = [job_id]
        while waiting:
            child = waiting.pop()
            parents = {edge[1] for edge in self.edges if edge[0] == child} - found
            found |= parents
            waiting += parents
        return found

    def _blame(self, rows: dict[str, Row]) -> None:
        """Whoever was cancelled along has the culprit of a parent, or that parent itself."""
        found = self._culprits()
        for job_id, culprit in found.items():
            assert rows[job_id].status == "cancelled"
            if self.culprits.get(job_id) == culprit:
                continue
            parents = {edge[1] for edge in self.edges if edge[0] == job_id}
            roots = {found.get(parent, parent) for parent in parents}
            # A parent may have been retried in the same act.
            roots |= {self.culprits[parent] for parent in parents & self.culprits.keys()}
            # Or cancelled along, and then retried, within this act: for whom is not known.
            for parent in parents - found.keys() - self.culprits.keys():
                roots |= self._above(parent)
            assert culprit in roots, (job_id, culprit, roots)
        for job_id in self.culprits.keys() - found.keys():
            assert job_id not in rows or rows[job_id].status != "cancelled"
        self.culprits = found

    @rule()
    def a_supervisor_tells_children(self) -> None:
        with self._only({}, tells=True):
            while cascade.is_waiting(self.ledger.conn):
                self.ledger.tell_children()

    def _arrived(self, job_id: str, parents: list[str], policy: str = "wait") -> None:
        self.births[job_id] = self.births.get(job_id, 0) + 1
        self.tombstones.discard(job_id)
        self.gone.discard(job_id)
        self.policies[job_id] = policy
        for edge in self.waived:
            if edge[1] == job_id and edge in self.edges:
                self.edges[edge] = False
        self.waived = {edge for edge in self.waived if edge[1] != job_id}
        rows = self._rows()
        for parent in parents:
            there = rows.get(parent)
            met = parent in self.tombstones if there is None else there.status == "completed"
            self.edges[job_id, parent] = met

    def _executions(self, where: str, *values: Any) -> list[sqlite3.Row]:
        return self.ledger.conn.execute(
            f"SELECT * FROM job_executions WHERE {where}", values
        ).fetchall()

    def _job_ids(self, status: str) -> list[str]:
        return [job_id for job_id, row in self._rows().items() if row.status == status]

    # --- submitting --------------------------------------------------------------------------

    @initialize()
    def there_are_jobs(self) -> None:
        for job_id, parents, policy in (
            ("j0", [], "wait"),
            ("j1", ["j0"], "cancel"),
            ("j2", ["j1"], "cancel"),
            ("j3", ["j0"], "run"),
        ):
            # The first has no second attempt, so that its end is soon known to its children.
            self.we_submit(job_id, parents, 0, 2 if parents else 1, policy)

    @rule(
        job_id=NAMES,
        parents=PARENTS,
        priority=st.integers(-1, 1),
        tries=st.integers(1, 3),
        policy=POLICIES,
    )
    def we_submit(
        self, job_id: str, parents: list[str], priority: int, tries: int, policy: Any
    ) -> None:
        parents = [parent for parent in parents if parent != job_id]
        job = Job(job_id, held, None, priority, parents, tries, 300, on_parent_failure=policy)
        job.id = job_id
        with self._only({}, tells=policy != "wait") as before:
            try:
                self.queue.submit(job)
            except DuplicateJob:
                assert job_id in before
                self.refused = True
                return
            except CycleError:
                assert parents
                self.refused = True
                return
            assert job_id not in before
            self._arrived(job_id, parents, policy)

    @rule(job_id=NAMES, parents=PARENTS, tries=st.integers(1, 3), delay=st.sampled_from([0, 60]))
    def gigq_submits(self, job_id: str, parents: list[str], tries: int, delay: int) -> None:
        job = gigq.Job(
            job_id, held, None, 0, parents, max_attempts=tries, timeout=300, retry_delay=delay
        )
        job.id = job_id
        with self._only({}) as before:
            if job_id in before:
                return
            self.gigq.submit(job)
            self._arrived(job_id, parents)

    # --- our workers -------------------------------------------------------------------------

    def _turn(self, endings: list[Ending], slots: int) -> list[Claim]:
        done = self.ledger.commit(
            self.own, endings, [1] * slots, claim=slots > 0, stage=False, beat=False
        )
        self.superseded = done.superseded
        return done.claims

    @rule(slots=st.integers(1, 3))
    def we_claim(self, slots: int) -> None:
        ready = {
            job_id: row
            for job_id, row in self._rows().items()
            if row.status == "pending" and row.retry_after is None
        }
        order = sorted(ready, key=lambda job_id: (-ready[job_id].priority, ready[job_id].rowid))
        wanted = order[:slots]
        with self._only({job_id: {"running"} for job_id in wanted}):
            attempts = self._turn([], slots)
        assert [attempt.job_id for attempt in attempts] == wanted
        assert all(self._is_met(job_id) for job_id in wanted)
        self.ours += attempts

    @precondition(lambda self: self.ours)
    @rule(
        which=PICK,
        fate=st.sampled_from([fate for fate in Fate if fate is not Fate.SNOOZED]),
        wish=st.sampled_from([None, None, "snooze", "give_up"]),
    )
    def ours_ends(self, which: int, fate: Fate, wish: str | None) -> None:
        attempt = self.ours.pop(which % len(self.ours))
        row = self._rows().get(attempt.job_id)
        held_still = row is not None and row.token == attempt.execution_id
        allowed = {attempt.job_id: {"pending", *FINAL}} if held_still else {}
        result = '"ours"' if fate is Fate.COMPLETED else None
        with self._only(allowed):
            wants = Wish(wish, 0.0) if wish and fate is Fate.FAILED else None
            self._turn([Ending(attempt, fate, result=result, error=fate.value, wish=wants)], 0)
        assert bool(self.superseded) is not held_still
        left = self._executions("id = ?", attempt.execution_id)
        if held_still and fate is Fate.NOT_BEGUN:
            assert left == []
            return
        (execution,) = left
        assert (execution["status"] == "superseded") is not held_still
        assert execution["status"] != "running"

    @precondition(lambda self: self.ours)
    @rule(which=PICK)
    def a_worker_of_ours_is_lost(self, which: int) -> None:
        """Another worker takes its job over; the attempt may still end, later."""
        attempt = self.ours[which % len(self.ours)]
        conn = self.ledger.conn
        rows = [
            row
            for row in conn.execute(worker_statements.RUNNING_JOBS).fetchall()
            if row["execution_id"] == attempt.execution_id
        ]
        allowed = {attempt.job_id: {"pending", "failed", "cancelled"}} if rows else {}
        with self._only(allowed), self.ledger.writing():
            assert rescue.rescue(conn, rows) == [row["id"] for row in rows]

    @rule()
    def we_apply_gigqs_timeouts(self) -> None:
        conn = self.ledger.conn
        late = self._overdue()
        with self._only({job_id: {"pending", "timeout"} for job_id in late}):
            rows = rescue.needed(conn, rescue.HeartbeatWatch(), self.own.id)
            with self.ledger.writing():
                assert set(rescue.rescue(conn, rows)) == late

    def _overdue(self) -> set[str]:
        found = self.ledger.conn.execute(
            "SELECT id FROM jobs WHERE status = 'running' AND execution_id IS NULL AND began < ?",
            (LONG_AGO_S + 86_400,),
        )
        return {row[0] for row in found.fetchall()}

    # --- GigQ's workers ----------------------------------------------------------------------

    @precondition(lambda self: len(self.theirs) < 4)
    @rule()
    def gigq_claims(self) -> None:
        late = {job_id: {"pending", "timeout", "running"} for job_id in self._overdue()}
        ready = {job_id: {"running"} for job_id in self._job_ids("pending")}
        with self._only({**ready, **late}):
            attempt = GigQAttempt(self.db, f"theirs-{self.claims}")
        self.claims += 1
        if attempt.job_id is None:
            return
        assert self._is_met(attempt.job_id)
        self.theirs.append(attempt)

    @precondition(lambda self: self.theirs)
    @rule(which=PICK, failure=st.sampled_from([None, "no good"]))
    def theirs_ends(self, which: int, failure: str | None) -> None:
        attempt = self.theirs.pop(which % len(self.theirs))
        assert attempt.job_id is not None
        row = self._rows().get(attempt.job_id)
        # One that still runs or waits takes the outcome, however late, as it does without us.
        takes = row is not None and row.token is None and row.status in ("running", "pending")
        allowed = {attempt.job_id: {"completed", "failed", "pending"}} if takes else {}
        (before,) = self._executions("worker_id = ?", attempt.worker_id)
        with self._only(allowed):
            attempt.end(failure)
        (execution,) = self._executions("worker_id = ?", attempt.worker_id)
        ended = "failed" if failure else "completed"
        # Nobody closes the execution of a GigQ worker that another one of GigQ's overtook.
        overtaken = before["status"] == "running"
        assert execution["status"] == (ended if takes or overtaken else "superseded")

    # --- people ------------------------------------------------------------------------------

    @rule(job_id=NAMES, who=st.booleans())
    def somebody_cancels(self, job_id: str, who: bool) -> None:
        row = self._rows().get(job_id)
        if who:
            waits = row is not None and row.status == "pending"
            with self._only({job_id: {"cancelled"}} if waits else {}):
                assert self.gigq.cancel(job_id) is waits
            return
        with self._only({job_id: {"cancelled"}}, tells=True):
            (outcome,) = self.queue.cancel_jobs([job_id])
        if row is not None and row.status == "pending":
            assert outcome.change is Change.CANCELLED
        elif row is not None and row.token is not None:
            assert outcome.change is Change.STOPPING
        else:
            assert outcome.change is Change.REFUSED
            assert outcome.reason

    @rule(job_id=NAMES)
    def gigq_requeues(self, job_id: str) -> None:
        row = self._rows().get(job_id)
        ended = row is not None and row.status in BAD
        with self._only({job_id: {"pending"}} if ended else {}):
            assert self.gigq.requeue_job(job_id) is ended

    @rule(who=st.booleans())
    def somebody_clears(self, who: bool) -> None:
        queue = self.gigq if who else self.queue
        n = len(self._job_ids("completed")) + len(self._job_ids("cancelled"))
        with self._only({}, tells=not who):
            assert queue.clear_completed() == n

    @rule(job_id=NAMES)
    def somebody_tears_a_row_out(self, job_id: str) -> None:
        """By hand; not one that runs, whose attempt nobody would close."""
        if self._had(self._rows(), job_id, "running"):
            return
        with self._only({job_id: {"torn out"}}):
            self.ledger.conn.execute("DELETE FROM jobs WHERE id = ?", (job_id,))

    @rule(ids=SOME, by=st.sampled_from([-1, 1]))
    def we_change_priorities(self, ids: list[str], by: int) -> None:
        with self._only({}) as before, self._act(ids) as undo:
            outcomes = self.queue.change_priority(ids, by, undo)
        waiting = {job_id for job_id in ids if self._had(before, job_id, "pending")}
        assert {outcome.job_id for outcome in outcomes if outcome.done} == waiting
        after = self._rows()
        for job_id, row in before.items():
            assert after[job_id].priority == row.priority + (by if job_id in waiting else 0)

    @rule(ids=SOME)
    def we_cancel_some(self, ids: list[str]) -> None:
        allowed = {job_id: {"cancelled"} for job_id in ids}
        with self._only(allowed, tells=True) as before, self._act(ids) as undo:
            outcomes = self.queue.cancel_jobs(ids, undo)
        for outcome in outcomes:
            if outcome.change is Change.CANCELLED:
                assert self._had(before, outcome.job_id, "pending")
            elif outcome.change is Change.STOPPING:
                assert before[outcome.job_id].token
            else:
                assert not self._had(before, outcome.job_id, "pending")

    @rule(ids=SOME, children=st.booleans())
    def we_requeue_some(self, ids: list[str], children: bool) -> None:
        told = self._tell_first()
        rows = self._rows()
        statuses = {
            job_id: "cancelled" if job_id in told else row.status for job_id, row in rows.items()
        }
        wanted = set(ids)
        if children:
            while cascade.is_waiting(self.ledger.conn):
                # So that it is known who was cancelled for whom.
                self.ledger.tell_children()
            wanted |= {child for child, root in self._culprits().items() if root in wanted}
        expected = self._retried(wanted, statuses)
        allowed: dict[str, set[str]] = {job_id: {"cancelled"} for job_id in told}
        allowed |= {job_id: {"pending"} for job_id in expected}
        with self._only(allowed, told, tells=True), self._act(list(wanted)) as undo:
            outcomes = self.queue.requeue_jobs(ids, undo, children)
        assert [outcome.job_id for outcome in outcomes[: len(ids)]] == ids
        assert {outcome.job_id for outcome in outcomes} == wanted
        assert {outcome.job_id for outcome in outcomes if outcome.done} == expected

    def _retried(self, wanted: set[str], statuses: dict[str, str]) -> set[str]:
        """Which of them wait again: not who would be cancelled at once for a parent's failure."""
        done: set[str] = set()
        while True:
            now = {**statuses, **dict.fromkeys(done, "pending")}
            more = {
                job_id
                for job_id in wanted - done
                if now.get(job_id) in BAD
                and not (self.policies[job_id] == "cancel" and self._failed_parents(job_id, now))
            }
            if not more:
                return done
            done |= more

    @rule(ids=SOME, needed=st.booleans())
    def we_clear_some(self, ids: list[str], needed: bool) -> None:
        waiting = {
            child for child, row in self._rows().items() if row.status in ("pending", "running")
        }
        kept = {parent for child, parent in self.edges if child in waiting}
        allowed = {job_id: {"gone"} for job_id in ids}
        with self._only(allowed, tells=True) as before, self._act(ids) as undo:
            outcomes = self.queue.clear_jobs(ids, needed, undo)
        for outcome in outcomes:
            could = self._had(before, outcome.job_id, *FINAL)
            assert outcome.done is (could and (needed or outcome.job_id not in kept))
        gone = {outcome.job_id for outcome in outcomes if outcome.done}
        assert before.keys() - gone == self._rows().keys()

    @staticmethod
    def _had(before: dict[str, Row], job_id: str, *statuses: str) -> bool:
        return job_id in before and before[job_id].status in statuses

    def _whole(self) -> dict[str, tuple[Any, ...]]:
        """The rows in full, but for the columns that follow from parents, clock and texts."""
        conn = self.ledger.conn
        names = [row[1] for row in conn.execute("PRAGMA table_info(jobs)").fetchall()]
        wanted = ", ".join(name for name in names if name not in FOLLOWING)
        return {row[0]: tuple(row) for row in conn.execute(f"SELECT {wanted} FROM jobs")}

    @contextlib.contextmanager
    def _act(self, ids: list[str]) -> Iterator[Undo]:
        """Within, one act on some jobs, which is kept so that it can be taken back."""
        undo, before = Undo(), self._whole()
        mine = {edge: met for edge, met in self.edges.items() if edge[0] in ids}
        waived = frozenset(edge for edge in self.waived if edge[0] in ids)
        went_on = frozenset(edge for edge in self.went_on if edge[0] in ids)
        policies, culprits = dict(self.policies), self._culprits()
        yield undo
        self.acts.append(
            Act(
                undo,
                undo.job_ids,
                before,
                self._whole(),
                waived,
                went_on,
                mine,
                policies,
                culprits,
                dict(self.births),
            )
        )

    @precondition(lambda self: self.acts)
    @rule(which=PICK)
    def we_take_an_act_back(self, which: int) -> None:
        """The latest, mostly; any other too."""
        act = self.acts.pop(-1 if which > 5 else which % len(self.acts))
        now, rows = self._whole(), self._rows()
        still = {
            job_id
            for job_id in act.done
            if now.get(job_id) == act.left.get(job_id)
            and self.births.get(job_id) == act.births.get(job_id)
        }
        stopping = {job_id for job_id in still if rows.get(job_id) and rows[job_id].token}
        along = {
            job_id
            for job_id, culprit in self._culprits().items()
            if culprit in (still - stopping) & rows.keys()
            if rows[culprit].status == "cancelled"
            if (rows[job_id].ended or 0) >= (rows[culprit].ended or 0)
        }
        allowed = {job_id: {self._status(act.before[job_id])} for job_id in still - stopping}
        allowed |= {job_id: {"pending"} for job_id in along}
        with self._only(allowed, tells=True):
            outcomes = self.queue.restore_jobs(act.undo)
            back = {outcome.job_id for outcome in outcomes[: len(act.done)] if outcome.done}
            for job_id in back - now.keys():
                self._came_back(job_id, act)
            kept = {job_id: root for job_id, root in act.culprits.items() if job_id in back}
            self.culprits |= kept
            after = self._whole()
        assert [outcome.job_id for outcome in outcomes[: len(act.done)]] == list(act.done)
        assert back == still - stopping
        assert {outcome.job_id for outcome in outcomes[len(act.done) :]} == along
        for job_id in set(act.done) - along - self.culprits.keys():
            expected = act.before[job_id] if job_id in back else now.get(job_id)
            assert after.get(job_id) == expected

    @staticmethod
    def _status(row: tuple[Any, ...]) -> str:
        return str(row[STATUS_COLUMN])

    def _came_back(self, job_id: str, act: Act) -> None:
        """A deleted job is there again: with its edges, and for its children."""
        self.tombstones.discard(job_id)
        self.gone.discard(job_id)
        self.policies[job_id] = act.policies[job_id]
        if self._status(act.before[job_id]) == "completed":
            self._completed(job_id)
        else:
            for edge in self.waived:
                if edge[1] == job_id and edge in self.edges:
                    self.edges[edge] = False
            self.waived = {edge for edge in self.waived if edge[1] != job_id}
        rows = self._rows()
        for edge, met in act.edges.items():
            if edge[0] != job_id:
                continue
            parent = rows.get(edge[1])
            now = edge[1] in self.tombstones if parent is None else parent.status == "completed"
            if edge in act.went_on:
                self.edges[edge] = now
                if parent is None and not now:
                    self.went_on.add(edge)
            elif edge not in act.waived:
                # What was met once, stays met.
                self.edges[edge] = met or now
            else:
                self.edges[edge] = now or parent is None
                if parent is None and not now:
                    self.waived.add(edge)

    # Once is enough, and it takes as long as many other acts.
    @precondition(lambda self: not self.ours and not self.detached)
    @rule()
    def detached_and_attached_again(self) -> None:
        if any(row.token for row in self._rows().values()):
            return
        self.detached = True
        self.ledger.commit(self.own, [], [], claim=False, stage=False, beat=False, retire=True)
        with self._only({}) as before:
            self._close()
            self.culprits.clear()
            detach(self.db)
            self._open()
        self.tombstones.clear()
        self.gone.clear()
        self.went_on.clear()
        self.policies = dict.fromkeys(before, "wait")
        # The marks of what was deleted are gone, so it can't be told from what came in between.
        for job_id in self.births.keys() - before.keys():
            self.births[job_id] += 1
        self.waived = {edge for edge in self.edges if edge[1] not in before}
        for edge in self.edges:
            there = before.get(edge[1])
            self.edges[edge] = there is None or there.status == "completed"

    # --- time --------------------------------------------------------------------------------

    @rule()
    def what_runs_grows_old(self) -> None:
        with self._only({}):
            self.ledger.conn.execute(
                "UPDATE jobs SET started_at = ?, began = ? WHERE status = 'running'",
                (LONG_AGO, LONG_AGO_S),
            )

    @rule()
    def what_is_delayed_comes_due(self) -> None:
        with self._only({}):
            self.ledger.conn.execute(
                "UPDATE jobs SET retry_after = ? WHERE status = 'pending'"
                " AND retry_after IS NOT NULL AND retry_after <> ?",
                (LONG_AGO, ddl.PARKED),
            )
            self.ledger.commit(self.own, [], [], claim=False, stage=True, beat=False)

    # --- what holds --------------------------------------------------------------------------

    @invariant()
    def a_job_is_hidden_while_a_parent_has_not_completed(self) -> None:
        for job_id, row in self._rows().items():
            if row.status == "pending":
                assert (row.retry_after == ddl.PARKED) is not self._is_met(job_id), (job_id, row)

    @invariant()
    def the_edges_say_who_is_waited_for_and_without_whom_a_job_went_on(self) -> None:
        found = self.ledger.conn.execute("SELECT child_id, parent_id, met FROM core_edges")
        for child, parent, met in found.fetchall():
            edge = child, parent
            assert (met == 3) is (edge in self.went_on), (edge, met)
            assert (met in (1, 2)) is (self.edges[edge] and met != 3), (edge, met)

    @invariant()
    def the_counters_agree_with_the_rows(self) -> None:
        conn = self.ledger.conn
        kept = dict(conn.execute("SELECT state, n FROM core_counts WHERE n <> 0").fetchall())
        true = f"SELECT {ddl.state_of('jobs')}, COUNT(*) FROM jobs GROUP BY 1"
        assert kept == dict(conn.execute(true).fetchall())

    @invariant()
    def a_live_attempt_has_one_open_execution_and_an_ended_one_none(self) -> None:
        open_ones: dict[str, list[str]] = {}
        theirs = {attempt.worker_id for attempt in self.theirs}
        for execution in self._executions("status = 'running'"):
            # Those of GigQ's, still under way, are closed when they end.
            if execution["worker_id"] not in theirs:
                open_ones.setdefault(execution["job_id"], []).append(execution["id"])
        for job_id, row in self._rows().items():
            found = open_ones.get(job_id, [])
            if row.token is not None:
                assert row.status == "running"
                assert found == [row.token]
            else:
                assert found == [], (job_id, row)

    @invariant()
    def no_way_past_the_guards_stays_open(self) -> None:
        assert self.ledger.conn.execute("SELECT * FROM core_overrides").fetchall() == []

    @invariant()
    def the_mark_of_a_blocked_job_is_never_shown(self) -> None:
        assert all(job["retry_after"] != ddl.PARKED for job in self.queue.list_jobs())


TestModel = QueueMachine.TestCase
TestModel.settings = settings(
    max_examples=120,
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
