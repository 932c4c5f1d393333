"""Retry policies against a plain model: any failures and wishes, and GigQ's worker between.

After each step the row is as the model says: its state, its attempts, how long it waits, and
whether GigQ can see it.
"""

from __future__ import annotations

import logging
import shutil
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import gigq
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from gigq_core import Backoff, Job, JobQueue, close_connections
from gigq_core.schema.ddl import FIRST_WORD, HELD, OURS
from gigq_core.worker.claims import Claim, Ending, Fate, Wish
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register
from tests.reliability.gigq_attempts import GigQAttempt, held

KEY_ERROR = ("builtins.KeyError", "builtins.LookupError", "builtins.Exception")
VALUE_ERROR = ("builtins.ValueError", "builtins.Exception")

PICK = st.integers(0, 20)
OPTIONS = st.fixed_dictionaries(
    {"max_attempts": st.integers(1, 4)},
    optional={
        "retry": st.sampled_from([[0], [30], [30, 70], Backoff(20), Backoff(20, 3, 50)]),
        "retry_on": st.sampled_from([[LookupError], ["ValueError"]]),
        "give_up_on": st.sampled_from([[KeyError], ["builtins.ValueError"]]),
        "on_timeout": st.sampled_from(["retry", "fail"]),
        "run_after": st.sampled_from([0, 90]),
        "ours": st.booleans(),
        "stall_timeout": st.just(5),
    },
)
WISHES = st.sampled_from(
    [
        *[None, None, Wish("retry"), Wish("retry", 40.0), Wish("give_up")],
        *[Wish("snooze", 0.0), Wish("snooze", 60.0)],
    ]
)
FATES = st.sampled_from(
    [Fate.FAILED] * 4
    + [Fate.TIMEOUT, Fate.TIMEOUT, Fate.CRASHED, Fate.GIVEN_BACK]
    + [Fate.COMPLETED, Fate.HOPELESS, Fate.CANCELLED]
)


@dataclass
class Modelled:
    """What a job should be like."""

    options: dict[str, Any]
    status: str = "pending"
    attempts: int = 0
    # How long it waits, and since when, at the earliest and at the latest.
    wait: float = 0.0
    since: tuple[float, float] = (0.0, 0.0)

    @property
    def hidden(self) -> bool:
        told = self.options
        return (
            told.get("ours", False)
            or "stall_timeout" in told
            or "retry_on" in told
            or "give_up_on" in told
            or told.get("on_timeout") == "fail"
        )

    def delay(self, n: int) -> float:
        """What its policy says after the `n`th attempt."""
        retry = self.options.get("retry", [0])
        if isinstance(retry, list):
            return float(retry[min(n, len(retry)) - 1])
        return float(min(retry.most, retry.base * retry.factor ** (n - 1)))

    def refuses(self, raised: tuple[str, ...]) -> bool:
        """Whether an exception ends it."""
        names = {
            key: {one if isinstance(one, str) else one.__name__ for one in self.options[key]}
            for key in ("retry_on", "give_up_on")
            if key in self.options
        }
        short = {name.removeprefix("builtins.") for name in raised}
        given = {
            key: {one.removeprefix("builtins.") for one in found} for key, found in names.items()
        }
        if short & given.get("give_up_on", set()):
            return True
        return "retry_on" in given and not short & given["retry_on"]


class RetryMachine(RuleBasedStateMachine):
    """Jobs with any policies, workers of ours and of GigQ, and what becomes of it."""

    def __init__(self) -> None:
        super().__init__()
        logging.disable(logging.CRITICAL)
        self.folder = Path(tempfile.mkdtemp(prefix="retries-"))
        self.db = self.folder / "jobs.db"
        self.queue = JobQueue(self.db)
        self.ledger = Ledger(self.db, runs_script=False)
        for conn in (self.ledger.conn, self.queue._connection()):
            conn.execute("PRAGMA synchronous = OFF")
        self.gigq = gigq.JobQueue(str(self.db))
        self.own = Register("ours", "script", "thread", 4, None, None, None)
        self.jobs: dict[str, Modelled] = {}
        self.ours: list[Claim] = []
        self.theirs: list[GigQAttempt] = []
        self.claims = 0

    def teardown(self) -> None:
        for attempt in self.theirs:
            attempt.end()
        self.ledger.close()
        close_connections()
        gigq.close_connections()
        shutil.rmtree(self.folder)
        logging.disable(logging.NOTSET)

    def _rows(self) -> dict[str, Any]:
        found = self.ledger.conn.execute("SELECT * FROM jobs").fetchall()
        return {row["id"]: row for row in found}

    def _ready(self) -> list[str]:
        """In the order of submission."""
        return [id for id, job in self.jobs.items() if job.status == "pending" and not job.wait]

    # --- what people do ----------------------------------------------------------------------

    @precondition(lambda self: len(self.jobs) < 6)
    @rule(options=OPTIONS)
    def somebody_submits(self, options: dict[str, Any]) -> None:
        begun = time.time()
        job_id = self.queue.submit(Job("n", held, **options))
        wait = float(options.get("run_after", 0))
        self.jobs[job_id] = Modelled(options, wait=wait, since=(begun, time.time()))

    @precondition(lambda self: self.jobs)
    @rule(which=PICK, gigqs=st.booleans())
    def somebody_requeues(self, which: int, gigqs: bool) -> None:
        job_id = list(self.jobs)[which % len(self.jobs)]
        job = self.jobs[job_id]
        ended = job.status in ("failed", "timeout", "cancelled")
        queue = self.gigq if gigqs else self.queue
        assert bool(queue.requeue_job(job_id)) is ended
        if ended:
            job.status, job.attempts = "pending", 0
            # GigQ's requeue leaves a delay as it was.
            job.wait = job.wait if gigqs else 0.0

    @precondition(lambda self: self.jobs)
    @rule(which=PICK, gigqs=st.booleans())
    def somebody_cancels(self, which: int, gigqs: bool) -> None:
        job_id = list(self.jobs)[which % len(self.jobs)]
        job = self.jobs[job_id]
        if job.status != "pending":
            return
        assert (self.gigq if gigqs else self.queue).cancel(job_id)
        job.status = "cancelled"

    # --- time --------------------------------------------------------------------------------

    @precondition(lambda self: any(j.wait and j.status == "pending" for j in self.jobs.values()))
    @rule(which=PICK)
    def time_comes(self, which: int) -> None:
        waiting = [id for id, j in self.jobs.items() if j.wait and j.status == "pending"]
        job_id = waiting[which % len(waiting)]
        past = time.time() - 1
        with self.ledger.writing() as conn:
            conn.execute(
                "UPDATE jobs SET due = ?, retry_after = CASE WHEN lane IS NULL THEN ? "
                "ELSE retry_after END WHERE id = ?",
                (past, datetime.fromtimestamp(past).isoformat(), job_id),
            )
        self.ledger.commit(self.own, [], [], claim=False, stage=True, beat=False)
        self.jobs[job_id].wait = 0.0

    # --- our worker --------------------------------------------------------------------------

    @rule(slots=st.integers(1, 3))
    def we_claim(self, slots: int) -> None:
        wanted = self._ready()[:slots]
        done = self.ledger.commit(self.own, [], [1] * slots, claim=True, stage=True, beat=False)
        assert [claim.job_id for claim in done.claims] == wanted
        for job_id in wanted:
            self.jobs[job_id].status = "running"
            self.jobs[job_id].attempts += 1
        self.ours += done.claims

    @precondition(lambda self: self.ours)
    @rule(which=PICK, fate=FATES, wish=WISHES, raised=st.sampled_from([KEY_ERROR, VALUE_ERROR, ()]))
    def ours_ends(self, which: int, fate: Fate, wish: Wish | None, raised: tuple[str, ...]) -> None:
        claim = self.ours.pop(which % len(self.ours))
        job = self.jobs[claim.job_id]
        wish = wish if fate is Fate.FAILED else None
        ending = Ending(claim, fate, error="no good", raised=raised, wish=wish)
        begun = time.time()
        done = self.ledger.commit(self.own, [ending], [], claim=False, stage=False, beat=False)
        assert not done.superseded
        snoozed = self._follow(job, fate, wish, raised)
        job.since = (begun, time.time())
        (execution,) = self.ledger.conn.execute(
            "SELECT status, error, decision FROM job_executions WHERE id = ?",
            (claim.execution_id,),
        ).fetchall()
        assert (execution["status"] == "snoozed") is snoozed
        assert (execution["error"] is None) is snoozed
        decision = execution["decision"]
        if wish is not None:
            assert decision
        if decision:
            assert decision.startswith("not retried") is (job.status != "pending")
            assert decision.startswith("put off") is snoozed

    def _follow(
        self, job: Modelled, fate: Fate, wish: Wish | None, raised: tuple[str, ...]
    ) -> bool:
        """Bring the model to where the job should be; whether it was put off."""
        kind = wish.kind if wish else ""
        finals = {
            Fate.COMPLETED: "completed",
            Fate.CANCELLED: "cancelled",
            Fate.HOPELESS: "failed",
        }
        job.wait = 0.0
        if fate in finals:
            job.status = finals[fate]
            return False
        if fate is Fate.GIVEN_BACK or kind == "snooze":
            job.attempts -= 1
            job.status = "pending"
            job.wait = (wish.after_s or 0.0) if wish and kind == "snooze" else 0.0
            return kind == "snooze"
        over = job.attempts >= job.options["max_attempts"]
        if fate is Fate.TIMEOUT:
            over = over or job.options.get("on_timeout") == "fail"
        elif fate is Fate.FAILED and not kind:
            over = over or (bool(raised) and job.refuses(raised))
        over = over or kind == "give_up"
        if over:
            job.status = "timeout" if fate is Fate.TIMEOUT else "failed"
            return False
        job.status = "pending"
        job.wait = job.delay(job.attempts)
        if wish is not None and wish.after_s is not None:
            job.wait = wish.after_s
        return False

    # --- GigQ's worker -----------------------------------------------------------------------

    @precondition(lambda self: len(self.theirs) < 2)
    @rule()
    def gigq_claims(self) -> None:
        visible = [job_id for job_id in self._ready() if not self.jobs[job_id].hidden]
        attempt = GigQAttempt(self.db, f"theirs-{self.claims}")
        self.claims += 1
        if not visible:
            assert attempt.job_id is None
            attempt.end()
            return
        assert attempt.job_id in visible
        self.jobs[attempt.job_id].status = "running"
        self.jobs[attempt.job_id].attempts += 1
        self.theirs.append(attempt)

    @precondition(lambda self: self.theirs)
    @rule(which=PICK, failure=st.sampled_from([None, "no good"]))
    def theirs_ends(self, which: int, failure: str | None) -> None:
        attempt = self.theirs.pop(which % len(self.theirs))
        assert attempt.job_id is not None
        job = self.jobs[attempt.job_id]
        begun = time.time()
        attempt.end(failure)
        job.since = (begun, time.time())
        if failure is None:
            job.status = "completed"
        elif job.attempts >= job.options["max_attempts"]:
            job.status = "failed"
        else:
            # It knows one delay.
            job.status, job.wait = "pending", job.delay(1)

    # --- what holds --------------------------------------------------------------------------

    @invariant()
    def rows_are_as_the_model_says(self) -> None:
        for job_id, row in self._rows().items():
            job = self.jobs[job_id]
            assert (row["status"], row["attempts"]) == (job.status, job.attempts), job
            if job.status != "pending":
                continue
            after = row["retry_after"]
            if job.hidden:
                assert after == (HELD if job.wait else OURS), job
            elif job.wait:
                assert after < FIRST_WORD, job
            else:
                assert after is None, job
            if job.wait:
                earliest, latest = job.since
                assert earliest + job.wait - 0.01 <= row["due"] <= latest + job.wait + 0.01, job
            else:
                assert row["due"] is None, job

    @invariant()
    def nobody_is_shown_what_is_ours(self) -> None:
        for told in self.queue.list_jobs():
            assert told["ours"] is self.jobs[told["id"]].hidden
            assert not (told["retry_after"] or "").startswith("9999")

    @invariant()
    def the_counters_agree(self) -> None:
        wanted: dict[str, int] = {}
        for job in self.jobs.values():
            wanted[job.status] = wanted.get(job.status, 0) + 1
        stats = {key: n for key, n in self.queue.stats().items() if n and key != "total"}
        assert stats == wanted


TestRetries = RetryMachine.TestCase
TestRetries.settings = settings(
    max_examples=40,
    stateful_step_count=40,
    deadline=None,
    database=None,
    suppress_health_check=list(HealthCheck),
)
