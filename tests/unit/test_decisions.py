"""What follows an attempt that did not complete: the decision, and the row that it leaves."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Backoff, Job, JobQueue
from gigq_core.connections import get_connection
from gigq_core.job import FunctionReference
from gigq_core.retry import RetryPolicy
from gigq_core.schema import worker_statements as sql
from gigq_core.schema.transaction import write
from gigq_core.worker import rescue
from gigq_core.worker.claims import Claim, Ending, Fate, Wish
from gigq_core.worker.decisions import Decision, decide

RAISED = ("builtins.KeyError", "builtins.LookupError", "builtins.Exception")


def ending(
    fate: Fate = Fate.FAILED,
    *,
    attempt: int = 1,
    most: int = 3,
    delay: float = 0.0,
    wish: Wish | None = None,
    raised: tuple[str, ...] = RAISED,
    memory: int | None = None,
    **policy: Any,
) -> Ending:
    claim = Claim(
        *("job", "token", "name", "module", "function", "{}", ()),
        attempt=attempt,
        max_attempts=most,
        timeout_s=300,
        retry_delay_s=delay,
        pass_parent_results=None,
        policy=RetryPolicy(**policy) if policy else None,
        memory=memory,
    )
    return Ending(claim, fate, error="KeyError: 'x'", raised=raised, wish=wish)


def retry(delay_s: float, sentence: str | None = None) -> Decision:
    return Decision(True, delay_s, sentence=sentence)


def no(sentence: str | None = None) -> Decision:
    return Decision(False, sentence=sentence)


USED_UP = "not retried: its attempts are used up (3 of 3)"
KEY_ERROR = ("builtins.KeyError",)
MEMORY_ERROR = ("builtins.MemoryError", "builtins.Exception")
GIB = 1024**3
TOO_MUCH = "not retried: it needs more memory than 2 GB"
AS_ASKED = "retry at once, as the job asked"


@pytest.mark.parametrize(
    ("told", "decision"),
    [
        # GigQ's plain way says nothing.
        (ending(), retry(0)),
        (ending(delay=5), retry(5)),
        (ending(attempt=3), no()),
        (ending(Fate.TIMEOUT, delay=5), retry(5)),
        (ending(Fate.TIMEOUT, attempt=3), no()),
        (ending(Fate.HOPELESS), no()),
        # Delays.
        (ending(retry=(10, 60)), retry(10, "retry in 10s")),
        (ending(retry=(10, 60), attempt=2), retry(60, "retry in 1m")),
        (ending(retry=(10, 60), attempt=9, most=10), retry(60, "retry in 1m")),
        (ending(retry=(10, 60), attempt=3), no(USED_UP)),
        (ending(retry=(0,)), retry(0, "retry at once")),
        (ending(retry=Backoff(30), attempt=2, delay=9), retry(60, "retry in 1m")),
        (ending(Fate.TIMEOUT, retry=Backoff(1.5), attempt=2), retry(3, "retry in 3s")),
        # Exceptions.
        (ending(retry_on=KEY_ERROR, delay=5), retry(5, "retry in 5s")),
        (ending(retry_on=("a.B",)), no("not retried: KeyError is not in retry_on")),
        (ending(give_up_on=KEY_ERROR), no("not retried: KeyError is in give_up_on")),
        (ending(give_up_on=KEY_ERROR, attempt=3), no("not retried: KeyError is in give_up_on")),
        # What was not raised by the job itself is nobody's choice.
        (ending(retry_on=("a.B",), raised=()), retry(0, "retry at once")),
        # A timeout is no exception.
        (ending(Fate.TIMEOUT, retry_on=("a.B",)), retry(0, "retry at once")),
        (ending(Fate.TIMEOUT, give_up_on=KEY_ERROR), retry(0, "retry at once")),
        (ending(Fate.TIMEOUT, on_timeout="fail"), no("not retried: on_timeout is fail")),
        (ending(on_timeout="fail"), retry(0, "retry at once")),
        # Memory.
        (ending(raised=MEMORY_ERROR), retry(0)),
        (ending(raised=MEMORY_ERROR, memory=2 * GIB), no(TOO_MUCH)),
        (ending(raised=MEMORY_ERROR, memory=2 * GIB, retry=(5,)), no(TOO_MUCH)),
        (ending(raised=MEMORY_ERROR, memory=2 * GIB, attempt=3), no(TOO_MUCH)),
        (ending(memory=2 * GIB), retry(0)),
        (ending(raised=MEMORY_ERROR, memory=GIB, retry_on=MEMORY_ERROR), retry(0, "retry at once")),
        (
            ending(raised=MEMORY_ERROR, memory=GIB, retry_on=KEY_ERROR),
            no("not retried: MemoryError is not in retry_on"),
        ),
        (ending(Fate.TIMEOUT, raised=MEMORY_ERROR, memory=GIB), retry(0)),
        (ending(raised=MEMORY_ERROR, memory=GIB, wish=Wish("retry", 0.0)), retry(0, AS_ASKED)),
        # Wishes.
        (ending(wish=Wish("retry", 7.0)), retry(7, "retry in 7s, as the job asked")),
        (ending(wish=Wish("retry", 0.0), delay=5), retry(0, "retry at once, as the job asked")),
        (ending(wish=Wish("retry"), delay=5), retry(5, "retry in 5s, as the job asked")),
        (ending(wish=Wish("retry", 7.0), attempt=3), no(USED_UP)),
        (
            ending(wish=Wish("retry", 7.0), give_up_on=KEY_ERROR),
            retry(7, "retry in 7s, as the job asked"),
        ),
        (ending(wish=Wish("give_up")), no("not retried: the job gave up")),
        (ending(Fate.HOPELESS, wish=Wish("give_up")), no("not retried: the job gave up")),
        (
            ending(wish=Wish("snooze", 90.0), attempt=3),
            Decision(True, 90, True, False, "put off for 1m30s, as the job asked"),
        ),
        # It was stopped before it could be heard.
        (ending(Fate.TIMEOUT, wish=Wish("give_up")), retry(0)),
    ],
)
def test_the_decision(told: Ending, decision: Decision) -> None:
    assert decide(told, lambda: False) == decision


def test_after_a_thousand_times_in_a_row_being_put_off_counts() -> None:
    wish = Wish("snooze", 5.0)
    decision = decide(ending(wish=wish), lambda: True)
    assert decision[:4] == (True, 5.0, True, True)
    assert decision.sentence == (
        "put off for 5s, as the job asked: after 1,000 times in a row it counts"
    )
    last = decide(ending(wish=wish, attempt=3), lambda: True)
    assert (last.goes_on, last.snoozes) == (False, False)


def test_a_drawn_delay_is_told_without_its_digits() -> None:
    for n in range(50):
        told = decide(ending(retry=Backoff(30, jitter=1), attempt=n + 1, most=99), lambda: False)
        assert told.sentence is not None
        assert len(told.sentence) <= len("retry in 59m59s")


# --- the same where another worker finds the attempt -----------------------------------------


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    queue = JobQueue(tmp_path / "q.db")
    yield queue
    queue.close()


def found_over_time(queue: JobQueue, **options: Any) -> dict[str, Any]:
    """A job whose worker was suspended beyond the timeout of its first attempt."""
    job_id = queue.submit(Job("n", FunctionReference("shop", "send"), **options))
    conn = get_connection(queue.db_path, create=False)
    token = f"token-{job_id}"
    with write(conn):
        conn.execute(
            "UPDATE jobs SET status = 'running', attempts = 1, execution_id = ?, "
            "worker_id = 'gone', began = 1, retry_after = NULL WHERE id = ?",
            (token, job_id),
        )
        conn.execute(
            "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, began, pid) "
            "VALUES (?, ?, 'gone', 'running', '2020-01-01T00:00:00', 1, 99)",
            (token, job_id),
        )
        row = conn.execute(sql.RUNNING_JOB, (job_id,)).fetchone()
        rescue.time_out(conn, row, "its worker was suspended")
    return queue.get_status(job_id)


def decision_of(job: dict[str, Any]) -> str | None:
    found: str | None = job["executions"][0]["decision"]
    return found


def test_a_timeout_that_another_worker_finds_goes_by_the_same_rules(queue: JobQueue) -> None:
    job = found_over_time(queue)
    assert (job["status"], job["run_at"], decision_of(job)) == ("pending", None, None)
    job = found_over_time(queue, on_timeout="fail", retry=[10])
    assert (job["status"], decision_of(job)) == ("timeout", "not retried: on_timeout is fail")
    begun = time.time()
    job = found_over_time(queue, retry=["10m", 5], ours=True)
    assert (job["status"], decision_of(job)) == ("pending", "retry in 10m")
    conn = get_connection(queue.db_path, create=False)
    row = conn.execute("SELECT * FROM jobs WHERE id = ?", (job["id"],)).fetchone()
    assert begun + 600 <= row["due"] <= time.time() + 600
    # It waits out of GigQ's sight.
    assert (row["due_in"], row["retry_after"]) == (600, "9999-12-31T23:59:58")
    job = found_over_time(queue, retry=[10], max_attempts=1)
    assert job["status"] == "timeout"
    assert decision_of(job) == "not retried: its attempts are used up (1 of 1)"


def test_a_policy_that_is_damaged_keeps_nobody_from_finding_it(queue: JobQueue) -> None:
    conn = get_connection(queue.db_path, create=False)
    conn.execute(
        "CREATE TEMP TRIGGER damage AFTER INSERT ON main.job_executions "
        "BEGIN UPDATE jobs SET retry_policy = '{' WHERE id = NEW.job_id; END"
    )
    job = found_over_time(queue, on_timeout="fail")
    assert (job["status"], decision_of(job)) == ("pending", None)


@pytest.mark.parametrize("status", ["failed", "timeout", "cancelled"])
def test_a_job_that_is_retried_by_hand_keeps_its_policy_and_stays_hidden(
    queue: JobQueue, status: str
) -> None:
    policy: dict[str, Any] = {"retry": [10, 60], "retry_on": ["builtins.OSError"]}
    job_id = queue.submit(Job("n", FunctionReference("shop", "send"), run_after=60, **policy))
    conn = get_connection(queue.db_path, create=False)
    conn.execute("UPDATE jobs SET status = ?, attempts = 2 WHERE id = ?", (status, job_id))
    assert queue.requeue_job(job_id)
    job = queue.get_status(job_id)
    assert {key: job[key] for key in policy} == policy
    assert (job["status"], job["ours"], job["run_at"], job["attempts"]) == (
        "pending",
        True,
        None,
        0,
    )
    row = conn.execute("SELECT retry_after FROM jobs WHERE id = ?", (job_id,)).fetchone()
    assert row["retry_after"] == "9999-12-31T23:59:57"
