"""What a line says at a given hour."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from gigq_core.graph.blame import Culprit
from gigq_core.reasons.why import (
    Halt,
    Health,
    State,
    first_line,
    run_seconds,
    state_of,
    ticks,
    timeout_share,
    wait_seconds,
    why,
)
from gigq_core.units.times import local
from gigq_tui.store.models import Progress
from tests.store_files import NOW, line


def before(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


RUNNING: dict[str, Any] = {"status": "running", "attempts": 1, "worker_id": "w9"}
ALIVE: dict[str, Any] = RUNNING | {"holder": Health.ALIVE, "holder_pid": 4121}
DONE: dict[str, Any] = {"started_at": before(10), "completed_at": before(8.8)}
WAITS = Culprit("p1", "join_customers", "running")

REFUSED = "not retried: ValueError is in give_up_on"
USED_UP = "not retried: its attempts are used up (3 of 3)"
ON_TIMEOUT = "not retried: on_timeout is fail"


def told(done: float, total: float | None, ago_s: float, note: str = "", **more: Any) -> Progress:
    return Progress(done, total, note, before(ago_s), **more)


CASES: list[tuple[dict[str, Any], State, str]] = [
    ({}, State.READY, ""),
    ({"halt": Halt.PAUSED}, State.READY, "ready: the queue is paused"),
    ({"halt": Halt.NO_WORKER, "line": 1}, State.READY, "ready: no workers running"),
    ({"halt": Halt.UNSEEN}, State.READY, "ready: no workers visible"),
    ({"halt": Halt.NONE_CLAIMS}, State.READY, "ready: no worker takes new jobs"),
    (
        {"halt": Halt.HIDDEN, "line": 1},
        State.READY,
        "ready: hidden from GigQ's workers, and no others take jobs",
    ),
    ({"line": 1}, State.READY, "next to be claimed"),
    ({"line": 2}, State.READY, "about 2nd in line"),
    ({"line": 13}, State.READY, "about 13th in line"),
    ({"line": 21}, State.READY, "about 21st in line"),
    (
        {"attempts": 1, "error": "HTTP 500", "halt": Halt.NO_WORKER},
        State.RETRYING,
        "retry 2 of 3 due, no workers running: HTTP 500",
    ),
    ({"due": before(-20), "halt": Halt.PAUSED}, State.DELAYED, "due in 20s"),
    (
        {"in_script": True},
        State.READY,
        "defined in a script; only that script can run it",
    ),
    (
        {"culprit": Culprit("1234567890", "", "missing")},
        State.READY,
        "parent 12345678 is missing: it counts as completed",
    ),
    ({"due": before(-20)}, State.DELAYED, "due in 20s"),
    ({"due": before(-0.2)}, State.DELAYED, "due in 1s"),
    ({"due": before(1)}, State.READY, ""),
    (
        {"attempts": 1, "due": before(-20), "error": "HTTP 500\nmore"},
        State.RETRYING,
        f"retry 2 of 3 at {local(before(-20)):%H:%M:%S}: HTTP 500",
    ),
    ({"attempts": 1, "error": "HTTP 500"}, State.RETRYING, "retry 2 of 3 due: HTTP 500"),
    ({"attempts": 1}, State.RETRYING, "retry 2 of 3 due"),
    (
        {"blocked": True, "unmet": 3, "culprit": WAITS},
        State.BLOCKED,
        "waits for join_customers (running) and 2 more",
    ),
    (
        {"blocked": True, "unmet": 1, "culprit": WAITS},
        State.BLOCKED,
        "waits for join_customers (running)",
    ),
    ({"blocked": True}, State.BLOCKED, "waits for a job to complete"),
    ({"blocked": True, "unmet": 4}, State.BLOCKED, "waits for 4 jobs to complete"),
    (
        {"doomed": True, "culprit": Culprit("p", "dedupe", "failed", "boom")},
        State.DOOMED,
        "never runs: dedupe failed",
    ),
    (
        {"doomed": True, "culprit": Culprit("p", "dedupe", "timeout")},
        State.DOOMED,
        "never runs: dedupe timed out",
    ),
    (
        {"doomed": True, "culprit": Culprit("p", "dedupe", "cancelled")},
        State.DOOMED,
        "never runs: dedupe was cancelled",
    ),
    (
        {"doomed": True, "culprit": Culprit("0123456789", "", "missing")},
        State.DOOMED,
        "never runs: parent 01234567 is missing",
    ),
    (
        {"doomed": True, "culprit": Culprit("p", "a", "cycle")},
        State.DOOMED,
        "never runs: dependency cycle with a",
    ),
    ({"doomed": True}, State.DOOMED, "never runs: a job upstream did not complete"),
    (ALIVE | {"started_at": before(102), "timeout_s": 240.0}, State.RUNNING, "42% of timeout 4m"),
    (ALIVE | {"started_at": before(-5)}, State.RUNNING, "0% of timeout 5m"),
    (ALIVE, State.RUNNING, "running, start time unknown"),
    (
        {"status": "running", "started_at": before(9)},
        State.RUNNING,
        "running, but its worker is not recorded",
    ),
    (
        {"status": "running", "started_at": before(718)},
        State.OVERDUE,
        "OVER timeout 5m, its worker is not recorded",
    ),
    (
        RUNNING | {"started_at": before(718), "holder_pid": 4121},
        State.OVERDUE,
        "OVER timeout 5m, worker w9 is not visible from here",
    ),
    (
        ALIVE | {"started_at": before(58), "attempts": 2, "error": "HTTP 500 from host 3"},
        State.RUNNING,
        "attempt 2, last: HTTP 500 from host 3",
    ),
    (ALIVE | {"started_at": before(718)}, State.OVERDUE, "OVER timeout 5m, still alive"),
    (
        RUNNING | {"started_at": before(718)},
        State.OVERDUE,
        "OVER timeout 5m, GigQ worker w9 is silent",
    ),
    (
        ALIVE | {"started_at": before(718), "stop_requested": True},
        State.STOPPING,
        "cancelling, not ended yet",
    ),
    (
        RUNNING | {"holder": Health.LOST, "holder_pid": 3988, "stop_requested": True},
        State.ORPHANED,
        "ORPHAN: worker pid 3988 is not alive",
    ),
    (
        RUNNING | {"holder": Health.STOPPED, "holder_pid": 3988},
        State.ORPHANED,
        "ORPHAN: worker w9 has stopped",
    ),
    *(
        (ALIVE | {"started_at": before(180)} | more, State.RUNNING, words)
        for more, words in (
            ({"progress": told(42, 100, 0)}, "42% in 3m, about 4m left"),
            ({"progress": told(42, 100, 0, "page 7\nx")}, "42% in 3m, about 4m left: page 7"),
            ({"progress": told(99.99, 100, 0)}, "99% in 3m, under 5s left"),
            # Said too long ago, too early, or from where an attempt before left off.
            ({"progress": told(42, 100, 179.5)}, "42% in 3m"),
            ({"progress": told(90, 100, 100)}, "90% in 3m"),
            ({"progress": told(42, 100, 0, resumed="e")}, "42% in 3m"),
            *(
                (
                    {"progress": told(42, 100, 0, resumed="e", first=(done, before(ago_s)))},
                    f"42% in 3m{words}",
                )
                for done, ago_s, words in (
                    (40, 60, ", about 29m left"),
                    (42, 0, ""),
                    (41, 0.5, ""),
                    (43, 60, ""),
                )
            ),
            ({"progress": told(0, 100, 0)}, "0% in 3m"),
            ({"progress": told(5e-324, 100, 0)}, "0% in 3m"),
            ({"progress": told(1e-9, 1e9, 0)}, "0% in 3m"),
            ({"progress": told(1e300, 1e306, 0)}, "0% in 3m, about 2083d left"),
            ({"progress": told(1e300, None, 0)}, "1e+300 done in 3m"),
            ({"progress": told(1e308, 5e-324, 0)}, "100% in 3m"),
            ({"progress": told(100, 100, 0)}, "100% in 3m"),
            ({"progress": told(120, 100, 0)}, "100% in 3m"),
            ({"progress": told(1200, None, 0, "rows")}, "1,200 done in 3m: rows"),
            ({"progress": told(0.5, None, 0), "started_at": before(9)}, "0.5 done in 9s"),
            ({"progress": told(1, 2, 0), "started_at": None}, "50%"),
            ({"progress": told(1, 2, 0), "attempts": 2, "error": "x"}, "50% in 3m, about 3m left"),
        )
    ),
    (
        ALIVE | {"started_at": before(718), "progress": told(42, 100, 0)},
        State.OVERDUE,
        "OVER timeout 5m, still alive, 42%",
    ),
    (
        {"status": "failed", "error": "ValueError: x", "decision": REFUSED},
        State.FAILED,
        f"{REFUSED}; ValueError: x",
    ),
    (
        {"status": "failed", "error": "ValueError: x", "decision": USED_UP},
        State.FAILED,
        "ValueError: x",
    ),
    ({"status": "timeout", "decision": ON_TIMEOUT}, State.TIMEOUT, ON_TIMEOUT),
    ({"due": before(-1), "started_at": before(9)}, State.DELAYED, "snoozed, due in 1s"),
    (
        {"due": before(-20), "started_at": before(9), "attempts": 1},
        State.RETRYING,
        "snoozed, due in 20s",
    ),
    (DONE | {"status": "completed"}, State.COMPLETED, "done in 1.2s"),
    ({"status": "completed"}, State.COMPLETED, "done, run time unknown"),
    ({"status": "failed", "error": "\n  boom \nrest"}, State.FAILED, "boom"),
    ({"status": "failed"}, State.FAILED, "failed without a message"),
    ({"status": "timeout"}, State.TIMEOUT, "ran longer than its timeout of 5m"),
    ({"status": "timeout", "error": "too long"}, State.TIMEOUT, "too long"),
    ({"status": "cancelled"}, State.CANCELLED, "cancelled before it ran"),
    (DONE | {"status": "cancelled"}, State.CANCELLED, "cancelled after 1.2s"),
    ({"status": "cancelled", "error": "stopped on request"}, State.CANCELLED, "stopped on request"),
    ({"status": "Odd"}, State.UNKNOWN, "status 'Odd' is not one this console knows"),
    ({"status": ""}, State.UNKNOWN, "status '' is not one this console knows"),
]


@pytest.mark.parametrize(("facts", "state", "words"), CASES)
def test_what_a_line_says(facts: dict[str, Any], state: State, words: str) -> None:
    row = line(**facts)
    assert state_of(row, NOW) is state
    assert why(row, NOW) == words


def test_every_state_is_told_apart() -> None:
    assert {state for _, state, _ in CASES} == set(State)


def test_times_of_a_row() -> None:
    waiting = line()
    assert wait_seconds(waiting, NOW) == 60
    assert run_seconds(waiting, NOW) is None
    assert timeout_share(waiting, NOW) is None
    running = line(status="running", started_at=before(30), timeout_s=60.0)
    assert wait_seconds(running, NOW) == run_seconds(running, NOW) == 30
    assert timeout_share(running, NOW) == 0.5
    ended = line(status="failed", **DONE)
    assert run_seconds(ended, NOW) == pytest.approx(1.2)
    assert wait_seconds(ended, NOW) == 50
    unknown = line(status="completed", created_at=None)
    assert run_seconds(unknown, NOW) is None


def test_a_retried_job_that_waits_shows_no_run_time_of_its_last_attempt() -> None:
    assert run_seconds(line(attempts=1, **DONE), NOW) is None


def test_only_what_moves_with_the_clock_ticks() -> None:
    assert ticks(line(status="running"))
    assert ticks(line(due=NOW))
    assert not ticks(line())
    assert not ticks(line(status="failed"))


def test_the_first_line_of_an_error() -> None:
    assert first_line("") == ""
    assert first_line(" \n\t\n x \n y") == "x"
