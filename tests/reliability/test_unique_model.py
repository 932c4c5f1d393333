"""Unique jobs against a plain model: whoever submits, works, takes back, deletes, and time passes.

After each step every row is as the model says, and so is what is told of keys that two jobs hold.
Broken variants of the code show that the walk would notice.
"""

from __future__ import annotations

import logging
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import gigq
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from gigq_core import DuplicateJob, Job, JobQueue, Unique, close_connections
from gigq_core.changes import actions, cascade
from gigq_core.changes.undo import Undo
from gigq_core.schema import unique_statements as sql
from gigq_core.submitting import key_conflicts, key_holders
from gigq_core.submitting.key_holders import count_shared_keys
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register
from gigq_core.worker.upkeep import forget_deleted

DAY_S = 86_400.0
LONG_S = 30 * DAY_S
FINAL = ("completed", "failed", "timeout", "cancelled")

PICK = st.integers(0, 30)
KEYS = st.sampled_from(["a", "a", "a", "b"])
HOLDS = st.sampled_from(
    [
        *[{}, {"until": "started"}, {"until": "started"}, {"until": "forever"}],
        *[{"within": 1_000}, {"until": "started", "within": 1_000}, {"within": 400 * DAY_S}],
    ]
)
CONFLICTS = st.sampled_from(["existing", "existing", "error", "replace", "again"])
PASSES = st.sampled_from([400.0, 700.0, 2 * DAY_S, 29 * DAY_S, 200 * DAY_S])
FATES = st.sampled_from(
    [
        *[Fate.COMPLETED, Fate.COMPLETED, Fate.FAILED, Fate.FAILED, Fate.TIMEOUT],
        *[Fate.HOPELESS, Fate.CANCELLED, Fate.GIVEN_BACK],
    ]
)
ATTEMPTS = 2
WALKS = 30


@dataclass
class Modelled:
    """What a job should be like."""

    id: str
    key: str
    until: str
    within: float | None
    created: float
    status: str = "pending"
    attempts: int = 0
    # Its twins, after which it runs.
    after: set[str] = field(default_factory=set)
    stops: bool = False
    error: str | None = None
    changes: int = 0

    @property
    def lives(self) -> bool:
        return self.status in ("pending", "running")

    @property
    def holds(self) -> bool:
        """While it waits or runs."""
        if self.until == "started":
            return self.status == "pending" and self.attempts == 0
        return self.lives

    def lasts(self, now: float, deleted: float | None = None) -> bool:
        """Beyond that."""
        if self.until == "forever":
            return True
        if self.within is None or self.created + self.within <= now:
            return False
        return deleted is None or deleted + LONG_S > now


@dataclass
class Child:
    """What a job that waits for others should be like."""

    id: str
    parents: list[str]


class UniqueMachine(RuleBasedStateMachine):
    """Jobs with two keys, workers of ours, GigQ's requeue, and what becomes of it."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.folder = Path(tempfile.mkdtemp(prefix="unique-"))
        self.db = self.folder / "jobs.db"
        self.queue = JobQueue(self.db)
        self.ledger = Ledger(self.db, runs_script=False)
        for conn in (self.ledger.conn, self.queue._connection()):
            conn.execute("PRAGMA synchronous = OFF")
        self.gigq = gigq.JobQueue(str(self.db))
        self.own = Register("ours", "script", "thread", 4, None, None, None)
        # In the order of their rows; and those that were deleted, with when.
        self.jobs: dict[str, Modelled] = {}
        self.deleted: dict[str, tuple[Modelled, float]] = {}
        self.children: dict[str, Child] = {}
        self.claims: list[Claim] = []
        self.undos: list[tuple[Undo, str, int]] = []

    def teardown(self) -> None:
        self.ledger.close()
        close_connections()
        gigq.close_connections()
        shutil.rmtree(self.folder)
        logging.disable(logging.NOTSET)

    # --- what the model says -----------------------------------------------------------------

    def _live(self, key: str, but: str = "") -> list[Modelled]:
        """The newest that waits comes first."""
        found = [j for j in reversed(self.jobs.values()) if j.key == key and j.holds]
        return sorted((j for j in found if j.id != but), key=lambda j: j.status != "pending")

    def _lasting(self, key: str, but: str = "") -> set[str]:
        now = time.time()
        found = {j.id for j in self.jobs.values() if j.key == key and j.lasts(now)}
        found |= {j.id for j, at in self.deleted.values() if j.key == key and j.lasts(now, at)}
        return found - {but}

    def _is_held(self, job: Modelled) -> bool:
        return bool(self._live(job.key, job.id) or self._lasting(job.key, job.id))

    def _is_blocked(self, job: Modelled) -> bool:
        return any(id in self.jobs and self.jobs[id].lives for id in job.after)

    def _pick(self, which: int, wanted: Callable[[Modelled], bool]) -> Modelled | None:
        found = [job for job in self.jobs.values() if wanted(job)]
        return found[which % len(found)] if found else None

    # --- submitting --------------------------------------------------------------------------

    @precondition(lambda self: len(self.jobs) < 12)
    @rule(key=KEYS, holds=HOLDS, conflict=CONFLICTS, with_child=st.booleans())
    def somebody_submits(
        self, key: str, holds: dict[str, Any], conflict: Any, with_child: bool
    ) -> None:
        wish = Unique(key, conflict=conflict, **holds)
        job = Job("n", "os.getcwd", unique=wish, max_attempts=ATTEMPTS)
        batch = [job]
        if with_child:
            # Never ready.
            batch.insert(0, Job("c", "os.getcwd", dependencies=[job.id], run_after=10 * LONG_S))
        live, lasting = self._live(key), self._lasting(key)
        there, new, after = live[:1], not (live or lasting), set()
        if conflict == "error" and not new:
            with pytest.raises(DuplicateJob) as caught:
                self.queue.submit_many(batch)
            assert caught.value.duplicate_of in ([live[0].id] if live else lasting)
            return
        job_id = self.queue.submit_many(batch)[-1]
        if live and (
            conflict == "replace" or (conflict == "again" and live[0].status == "running")
        ):
            new, there = True, []
            after = {j.id for j in live if j.status == "running"}
        assert (job.duplicate_of is None) is new
        if new:
            assert job_id == job.id
            made = Modelled(job_id, key, wish.until, wish.within, time.time(), after=after)  # type: ignore[arg-type]
            if conflict == "replace":
                self._replace(live, job_id)
            self.jobs[job_id] = made
        elif there:
            assert job_id == job.duplicate_of == there[0].id
        else:
            assert job_id == job.duplicate_of
            assert job_id in lasting
        if with_child:
            self.children[batch[0].id] = Child(batch[0].id, [job_id])

    def _replace(self, live: list[Modelled], new: str) -> None:
        for old in live:
            if old.status == "pending":
                old.status, old.error = "cancelled", f"replaced by n ({new[:4]}…)"
                old.changes += 1
            else:
                old.stops = True
            for child in self.children.values():
                child.parents = [new if id == old.id else id for id in child.parents]
            for other in self.jobs.values():
                if old.id in other.after and other.status == "pending":
                    other.after = other.after - {old.id} | {new}

    # --- working -----------------------------------------------------------------------------

    @rule()
    def a_worker_claims(self) -> None:
        ready = [j for j in self.jobs.values() if j.status == "pending" and not self._is_blocked(j)]
        done = self.ledger.commit(self.own, [], [1], claim=True, stage=False, beat=False)
        assert [claim.job_id for claim in done.claims] == [job.id for job in ready[:1]]
        for job in ready[:1]:
            job.status, job.attempts, job.changes = "running", job.attempts + 1, job.changes + 1
        self.claims += done.claims

    @precondition(lambda self: self.claims)
    @rule(which=PICK, fate=FATES)
    def an_attempt_ends(self, which: int, fate: Fate) -> None:
        claim = self.claims.pop(which % len(self.claims))
        job = self.jobs[claim.job_id]
        if job.stops and fate is not Fate.COMPLETED:
            fate = Fate.CANCELLED
        ending = Ending(claim, fate, error="no good")
        done = self.ledger.commit(self.own, [ending], [], claim=False, stage=False, beat=False)
        assert not done.superseded
        while cascade.is_waiting(self.ledger.conn):
            self.ledger.tell_children()
        job.changes += 1
        if fate is Fate.GIVEN_BACK:
            job.status, job.attempts = "pending", job.attempts - 1
        elif fate in (Fate.FAILED, Fate.TIMEOUT) and job.attempts < ATTEMPTS:
            job.status = "pending"
        else:
            job.status = {
                Fate.COMPLETED: "completed",
                Fate.CANCELLED: "cancelled",
                Fate.TIMEOUT: "timeout",
            }.get(fate, "failed")

    # --- what people do ----------------------------------------------------------------------

    @rule(which=PICK)
    def somebody_cancels(self, which: int) -> None:
        job = self._pick(which, lambda job: job.lives)
        if job is None:
            return
        undo = Undo()
        assert self.queue.cancel_jobs([job.id], undo)[0].done
        job.changes += 1
        if job.status == "pending":
            job.status = "cancelled"
            self.undos.append((undo, job.id, job.changes))
        else:
            job.stops = True

    @rule(which=PICK)
    def somebody_requeues(self, which: int) -> None:
        job = self._pick(which, lambda job: job.status in FINAL[1:])
        if job is None:
            return
        held = self._is_held(job)
        assert self.queue.requeue_job(job.id) is not held
        if not held:
            self._waits_again(job)

    @rule(which=PICK)
    def gigq_requeues(self, which: int) -> None:
        job = self._pick(which, lambda job: job.status in FINAL[1:])
        if job is not None:
            assert self.gigq.requeue_job(job.id)
            self._waits_again(job)

    def _waits_again(self, job: Modelled) -> None:
        job.status, job.attempts, job.stops, job.error = "pending", 0, False, None
        job.changes += 1

    @rule(which=PICK)
    def somebody_deletes(self, which: int) -> None:
        job = self._pick(which, lambda job: job.status in FINAL)
        if job is None:
            return
        undo = Undo()
        assert self.queue.clear_jobs([job.id], include_needed=True, undo=undo)[0].done
        self.undos.append((undo, job.id, -1))
        self.deleted[job.id] = (self.jobs.pop(job.id), time.time())

    @precondition(lambda self: self.undos)
    @rule()
    def somebody_undoes(self) -> None:
        undo, job_id, changes = self.undos.pop()
        if changes < 0:
            assert self.queue.restore_jobs(undo)[0].done
            job, _ = self.deleted.pop(job_id)
            # In its old place among the others, and its key is held once.
            rows = self.ledger.conn.execute("SELECT id FROM jobs ORDER BY rowid").fetchall()
            self.jobs[job_id] = job
            self.jobs = {row[0]: self.jobs[row[0]] for row in rows if row[0] in self.jobs}
            return
        done = self.queue.restore_jobs(undo)[0].done
        job = self.jobs.get(job_id)  # type: ignore[assignment]
        untouched = job is not None and job.changes == changes
        assert done is (untouched and not self._is_held(job))
        if done:
            job.status, job.error, job.changes = "pending", None, job.changes + 1

    # --- time --------------------------------------------------------------------------------

    @rule(seconds=PASSES)
    def time_passes(self, seconds: float) -> None:
        conn = sqlite3.connect(self.db, isolation_level=None)
        conn.execute("UPDATE jobs SET created = created - ?", (seconds,))
        conn.execute(
            "UPDATE core_kept_keys SET created = created - ?1, holds_until = holds_until - ?1",
            (seconds,),
        )
        conn.close()
        for job in self.jobs.values():
            job.created -= seconds
        for job_id, (job, at) in self.deleted.items():
            job.created -= seconds
            self.deleted[job_id] = (job, at - seconds)

    @rule()
    def a_worker_tidies_up(self) -> None:
        with self.ledger.writing() as conn:
            forget_deleted(conn)

    # --- what holds --------------------------------------------------------------------------

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        rows = self.ledger.conn.execute("SELECT * FROM jobs").fetchall()
        told = {row["id"]: row for row in rows if row["name"] == "n"}
        assert told.keys() == self.jobs.keys()
        for job_id, row in told.items():
            job = self.jobs[job_id]
            assert (row["status"], row["attempts"]) == (job.status, job.attempts), job
            assert (row["stop_requested_at"] is not None) is (job.stops and job.lives) or not (
                job.lives
            ), job
            if job.error is not None:
                assert row["error"] == job.error

    @invariant()
    def children_wait_for_whoever_is_there(self) -> None:
        for child in self.children.values():
            assert self.queue.get_status(child.id)["dependencies"] == child.parents
        edges = self.ledger.conn.execute("SELECT child_id, parent_id FROM core_edges").fetchall()
        for child in self.children.values():
            assert [parent for id, parent in edges if id == child.id] == child.parents

    @invariant()
    def keys_that_two_jobs_hold_are_told(self) -> None:
        free: dict[str, int] = {}
        for job in self.jobs.values():
            if job.holds and not (job.status == "pending" and self._is_blocked(job)):
                free[job.key] = free.get(job.key, 0) + 1
        wanted = sum(n > 1 for n in free.values())
        assert count_shared_keys(self.ledger.conn) == wanted


def walk(examples: int, derandomize: bool) -> settings:
    # To shrink one takes many minutes; its steps are told as they are.
    return settings(
        phases=[Phase.generate],
        report_multiple_bugs=False,
        derandomize=derandomize,
        max_examples=examples,
        stateful_step_count=40,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )


def test_any_walk_is_as_the_model_says() -> None:
    run_state_machine_as_test(UniqueMachine, settings=walk(WALKS, settings().derandomize))


def _replaced(name: str, old: str, new: str) -> tuple[Any, str, Any]:
    statement = getattr(sql, name)
    assert old in statement
    return sql, name, statement.replace(old, new)


def _asks_nobody(conn: sqlite3.Connection, job_id: str) -> str:
    return ""


# What is broken, and how.
BROKEN: dict[str, Callable[[], tuple[Any, str, Any]]] = {
    "started is as ended": lambda: _replaced(
        "LIVE_HOLDERS", "(unique_until IS NOT 'started' OR", "(1 OR"
    ),
    "an ended job never holds": lambda: _replaced("LASTING_HOLDER", "id <> :but", "id = :but"),
    "within never ends": lambda: _replaced("LASTING_HOLDER", "> :utc", "> 0"),
    "a requeue asks nobody": lambda: (actions, "reason_against_return", _asks_nobody),
    "children are not handed over": lambda: (
        key_conflicts.Conflicts,
        "_hand_over",
        lambda self, old, new, but: None,
    ),
    "again is as existing": lambda: (key_holders.Holder, "waits", property(lambda self: True)),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_walk_notices_what_is_broken(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    where, what, other = BROKEN[name]()
    monkeypatch.setattr(where, what, other)
    # Or it is refused what the model takes.
    with pytest.raises((AssertionError, pytest.fail.Exception, DuplicateJob)):
        run_state_machine_as_test(UniqueMachine, settings=walk(1_500, derandomize=True))
