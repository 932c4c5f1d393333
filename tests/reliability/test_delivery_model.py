"""Endings that submit jobs, in any order and company, against a plain model; GigQ's worker beside.

After each step the file holds the jobs that the model says, each waiting for whom it should, and
nobody waits for himself in a circle.
"""

from __future__ import annotations

import json
import logging
import random
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

import gigq
import pytest

from gigq_core import Job, JobQueue, close_connections
from gigq_core.schema.ddl import PARKED
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.outbox import Outbox
from gigq_core.worker.register import Register
from tests.reliability.gigq_attempts import GigQAttempt, held

FINALS = {Fate.FAILED: "failed", Fate.GIVEN_BACK: "pending", Fate.CANCELLED: "cancelled"}


@dataclass
class Modelled:
    """What a job should be like."""

    parents: list[str]
    status: str = "pending"
    submitted_by: str | None = None


@dataclass
class Submitting:
    """An ending with what it submits, as the model sees it."""

    job_id: str
    children: dict[str, list[str]] = field(default_factory=dict)
    before: list[str] = field(default_factory=list)
    fault: str = ""


@dataclass
class Planned:
    """How an attempt is to end."""

    which: int
    fate: Fate
    # Of each job that it submits: whom that waits for, by their places from the end among all, of
    # which the last ones are submitted along; and whether others are to wait for it.
    children: list[tuple[list[int], bool]]
    fault: str
    is_stolen: bool


def planned(luck: random.Random) -> Planned:
    fates = [Fate.COMPLETED] * 7 + list(FINALS)
    children = [
        ([luck.randrange(8) for _ in range(luck.randrange(3))], luck.random() < 0.6)
        for _ in range(luck.choice([0, 1, 2, 2, 3, 3]))
    ]
    fault = luck.choice([*[""] * 12, "there already", "unstorable"])
    return Planned(luck.randrange(9), luck.choice(fates), children, fault, luck.random() < 0.1)


def has_circle(waits: dict[str, list[str]]) -> bool:
    """Whether somebody waits for himself, however far away."""
    ordered: set[str] = set()

    def visit(job_id: str, above: tuple[str, ...]) -> bool:
        if job_id in above:
            return True
        if job_id in ordered:
            return False
        found = any(visit(parent, (*above, job_id)) for parent in waits.get(job_id, ()))
        ordered.add(job_id)
        return found

    return any(visit(job_id, ()) for job_id in waits)


class Walk:
    """Jobs that wait for each other, and attempts that submit more of them."""

    def __init__(self, luck: random.Random) -> None:
        self.luck = luck
        logging.disable(logging.CRITICAL)
        self.folder = Path(tempfile.mkdtemp(prefix="deliveries-"))
        self.db = self.folder / "jobs.db"
        self.queue = JobQueue(self.db)
        self.ledger = Ledger(self.db, runs_script=False)
        for conn in (self.ledger.conn, self.queue._connection()):
            conn.execute("PRAGMA synchronous = OFF")
        self.own = Register("ours", "script", "thread", 4, None, None, None)
        self.jobs: dict[str, Modelled] = {}
        self.ours: list[Claim] = []
        self.theirs: list[GigQAttempt] = []
        self.claims = 0
        # Of each ending: whether it submitted, and before others; how it ended, and its fault.
        self.ended: set[tuple[bool, bool, str, str]] = set()

    def close(self) -> None:
        for attempt in self.theirs:
            attempt.end()
        self.ledger.close()
        close_connections()
        gigq.close_connections()
        shutil.rmtree(self.folder)
        logging.disable(logging.NOTSET)

    def _waits(self, job: Modelled) -> bool:
        return any(self.jobs[parent].status != "completed" for parent in job.parents)

    def _ready(self) -> list[str]:
        return [
            job_id
            for job_id, job in self.jobs.items()
            if job.status == "pending" and not self._waits(job)
        ]

    # --- what people do ----------------------------------------------------------------------

    def somebody_submits(self) -> None:
        if len(self.jobs) > 60:
            return
        known = list(self.jobs)
        most = self.luck.randrange(3) if known else 0
        ids = list(dict.fromkeys(self.luck.choice(known[-8:]) for _ in range(most)))
        job_id = self.queue.submit(Job("n", held, dependencies=ids, max_attempts=1))
        self.jobs[job_id] = Modelled(ids)

    def somebody_cancels(self) -> None:
        job_id = self.luck.choice(list(self.jobs))
        if self.jobs[job_id].status == "pending":
            assert self.queue.cancel(job_id)
            self.jobs[job_id].status = "cancelled"

    def somebody_requeues(self) -> None:
        job_id = self.luck.choice(list(self.jobs))
        if self.jobs[job_id].status in ("failed", "cancelled"):
            assert self.queue.requeue_job(job_id)
            self.jobs[job_id].status = "pending"

    # --- GigQ's worker -----------------------------------------------------------------------

    def gigq_claims(self) -> None:
        if len(self.theirs) > 1:
            return
        self.claims += 1
        attempt = GigQAttempt(self.db, f"theirs-{self.claims}")
        assert (attempt.job_id is not None) is bool(self._ready())
        if attempt.job_id is None:
            attempt.end()
            return
        # None that waits for anybody.
        assert attempt.job_id in self._ready()
        self.jobs[attempt.job_id].status = "running"
        self.theirs.append(attempt)

    def gigqs_ends(self) -> None:
        if not self.theirs:
            return
        attempt = self.theirs.pop(self.luck.randrange(len(self.theirs)))
        attempt.end()
        assert attempt.job_id is not None
        self.jobs[attempt.job_id].status = "completed"

    # --- our worker --------------------------------------------------------------------------

    def we_claim(self) -> None:
        slots = self.luck.randint(1, 3)
        ready = self._ready()
        done = self.ledger.commit(self.own, [], [1] * slots, claim=True, stage=True, beat=False)
        assert len(done.claims) == min(slots, len(ready))
        assert {claim.job_id for claim in done.claims} <= set(ready)
        for claim in done.claims:
            self.jobs[claim.job_id].status = "running"
        self.ours += done.claims

    def ours_end_together(self) -> None:
        most = min(len(self.ours), self.luck.randint(1, 3))
        ends = [planned(self.luck) for _ in range(most)]
        told: list[Ending] = []
        submitting: list[Submitting] = []
        taken: set[str] = set()
        for plan in ends:
            claim = self.ours.pop(plan.which % len(self.ours))
            if plan.fate is not Fate.COMPLETED:
                self.jobs[claim.job_id].status = FINALS[plan.fate]
                told.append(Ending(claim, plan.fate, error="no good"))
                continue
            taken |= {claim.execution_id} if plan.is_stolen else set()
            found, outbox = self._order(claim.job_id, plan)
            told.append(Ending(claim, plan.fate, self._result(plan.fault), outbox=outbox))
            if claim.execution_id not in taken:
                submitting.append(found)
        with self.ledger.writing() as conn:
            conn.executemany(
                "UPDATE jobs SET execution_id = 'of another' || id WHERE execution_id = ?",
                [(token,) for token in taken],
            )
        done = self.ledger.commit(self.own, told, [], claim=False, stage=False, beat=False)
        assert len(done.endings) == len(told)
        assert {one.claim.execution_id for one in done.superseded} == taken
        # Those that submit nothing have ended before those that do.
        for one in sorted(submitting, key=lambda one: bool(one.children)):
            self._follow(one)

    @staticmethod
    def _result(fault: str) -> str:
        return "\udce9" if fault == "unstorable" else '"done"'

    def _order(self, job_id: str, plan: Planned) -> tuple[Submitting, Outbox | None]:
        made = [Job("child", held, max_attempts=1) for _ in plan.children]
        if made and plan.fault == "there already":
            made[-1].id = job_id
        known = [*self.jobs, *(job.id for job in made)]
        found = Submitting(job_id, fault=plan.fault)
        outbox = Outbox()
        for job, (parents, before) in zip(made, plan.children, strict=True):
            ids = dict.fromkeys(known[-1 - one % len(known)] for one in parents)
            job.dependencies = [one for one in ids if one != job.id]
            outbox.keep(job, before)
            found.children[job.id] = job.dependencies
            found.before += [job.id] if before else []
        return found, outbox if plan.children else None

    def _follow(self, one: Submitting) -> None:
        """Bring the model to where the file should be."""
        job = self.jobs[one.job_id]
        kind = bool(one.children), bool(one.before) and self._is_waited_for(one.job_id)
        self._bring_on(one, job)
        self.ended.add((*kind, job.status, one.fault))

    def _is_waited_for(self, job_id: str) -> bool:
        return any(
            job_id in other.parents and other.status not in ("running", "completed")
            for other in self.jobs.values()
        )

    def _bring_on(self, one: Submitting, job: Modelled) -> None:
        waits = {job_id: list(other.parents) for job_id, other in self.jobs.items()}
        dependents = [
            job_id
            for job_id, other in self.jobs.items()
            if one.job_id in other.parents and other.status not in ("running", "completed")
        ]
        for job_id in dependents:
            waits[job_id] += [parent for parent in one.before if parent not in waits[job_id]]
        if one.fault == "unstorable" or not one.children.keys().isdisjoint(self.jobs):
            job.status = "failed"
            return
        if has_circle(waits | one.children):
            job.status = "failed"
            return
        job.status = "completed"
        for job_id in dependents:
            self.jobs[job_id].parents = waits[job_id]
        for job_id, parents in one.children.items():
            self.jobs[job_id] = Modelled(parents, submitted_by=one.job_id)

    # --- the walk ----------------------------------------------------------------------------

    def go(self, steps: int) -> None:
        """Take so many steps; what holds is looked at after each."""
        acts = [
            *[self.somebody_submits] * 3,
            *(self.somebody_cancels, self.somebody_requeues, self.somebody_requeues),
            *(self.gigq_claims, self.gigqs_ends, self.gigqs_ends),
            *[self.we_claim] * 3,
            *[self.ours_end_together] * 5,
        ]
        for _ in range(4):
            self.somebody_submits()
        for _ in range(steps):
            self.luck.choice(acts)()
            self.the_file_is_as_the_model()
            self.the_edges_say_who_waits_for_whom()
            assert not has_circle({job_id: job.parents for job_id, job in self.jobs.items()})
            self.the_counters_agree()

    # --- what holds after each step ----------------------------------------------------------

    def the_file_is_as_the_model(self) -> None:
        rows = {row["id"]: row for row in self.ledger.conn.execute("SELECT * FROM jobs")}
        assert rows.keys() == self.jobs.keys()
        for job_id, job in self.jobs.items():
            row = rows[job_id]
            assert row["status"] == job.status, (job_id, job, row["error"])
            assert json.loads(row["dependencies"]) == job.parents
            assert row["submitted_by"] == job.submitted_by
            if job.status == "pending":
                assert (row["retry_after"] == PARKED) is self._waits(job), (job_id, job)

    def the_edges_say_who_waits_for_whom(self) -> None:
        found = {
            (row["child_id"], row["parent_id"]): row["met"]
            for row in self.ledger.conn.execute("SELECT * FROM core_edges")
        }
        assert found == {
            (job_id, parent): self.jobs[parent].status == "completed"
            for job_id, job in self.jobs.items()
            for parent in job.parents
        }

    def the_counters_agree(self) -> None:
        wanted: dict[str, int] = {}
        for job in self.jobs.values():
            wanted[job.status] = wanted.get(job.status, 0) + 1
        stats = {key: n for key, n in self.queue.stats().items() if n and key != "total"}
        assert stats == wanted


@pytest.mark.parametrize(
    "seeds",
    [range(8), *(pytest.param(range(n, n + 40), marks=pytest.mark.long) for n in (100, 200, 300))],
    ids=str,
)
def test_a_walk_of_endings_that_submit(seeds: range) -> None:
    ended: set[tuple[bool, bool, str, str]] = set()
    for seed in seeds:
        walk = Walk(random.Random(seed))
        try:
            walk.go(120)
        except BaseException as problem:
            raise AssertionError(f"with seed {seed}: {problem}") from problem
        finally:
            walk.close()
        ended |= walk.ended
    # Each kind of ending was among them: with children and without, before others or not.
    assert ended >= {
        *((children, False, "completed", "") for children in (True, False)),
        *((True, True, status, "") for status in ("completed", "failed")),
    }
    assert {fault for *_, fault in ended} == {"", "there already", "unstorable"}
