"""`retry --failure`: all jobs of one cause, or a canary of them first, with a real worker."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gigq_core import Job
from tests.integration import chores
from tests.integration.conftest import Place
from tests.waiting import wait_until

CUSTOMERS = 5


@pytest.fixture
def refuses(place: Place) -> Path:
    """Thirty jobs for five customers have failed alike, and one otherwise."""
    refuses = place.folder / "refuses"
    place.queue.submit_many(
        [
            Job(
                f"call {number}",
                chores.call_customer,
                {"customer": number % CUSTOMERS, "refuses": str(refuses)},
                priority=number,
                max_attempts=1,
            )
            for number in range(30)
        ]
        + [Job("other", chores.fail, {"message": "another"}, max_attempts=1)]
    )
    place.worker("--concurrency", "4")
    wait_until(lambda: place.queue.stats()["failed"] == 31, what="all to fail")
    return refuses


def command(place: Place, *args: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gigq_core", "--db", str(place.db), *args],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )


def fingerprint(place: Place) -> str:
    groups = json.loads(command(place, "failures", "--json").stdout)
    return next(g["fingerprint"] for g in groups if g["type"] == "ConnectionRefusedError")


def priorities(place: Place) -> list[int]:
    rows = place.rows("SELECT priority FROM jobs WHERE name GLOB 'call *' ORDER BY priority")
    return [row["priority"] for row in rows]


def test_a_canary_that_passes_says_that_the_rest_may_follow(place: Place, refuses: Path) -> None:
    refuses.write_text("")
    digits = fingerprint(place)[:8]
    result = command(place, "retry", "--failure", digits, "--canary", "10")
    assert result.returncode == 0, result.stderr
    assert "canary of 10: 10 passed, 0 failed again, 0 running, 0 waiting\n" in result.stdout
    assert f"gigq-core retry --failure {digits} retries 20." in result.stdout
    assert place.queue.stats()["failed"] == 21
    # Each customer was tried, and no priority is left changed.
    done = place.rows("SELECT params FROM jobs WHERE status = 'completed'")
    assert {json.loads(row["params"])["customer"] for row in done} == set(range(CUSTOMERS))
    assert priorities(place) == list(range(30))

    rest = command(place, "retry", "--failure", digits)
    assert (rest.returncode, rest.stdout.count("queued for retry")) == (0, 20)
    wait_until(lambda: place.queue.stats()["completed"] == 30, what="the rest to complete")
    assert place.queue.stats()["failed"] == 1


def test_a_canary_that_fails_leaves_the_rest_alone(place: Place, refuses: Path) -> None:
    refuses.write_text("0 1 2")
    args = ("retry", "--failure", fingerprint(place), "--canary", "10", "--rest")
    result = command(place, *args)
    assert result.returncode == 3
    assert "failed again for the same cause." in result.stdout
    assert "More than a fifth did not pass; the other 20 are left alone." in result.stdout
    assert priorities(place) == list(range(30))
    told = json.loads(command(place, *args, "--json").stdout)
    assert (told["may_go_on"], told["retried_rest"]) == (False, 0)
    assert told["passed"] + told["failed_again"] == len(told["canary"]) == 10


def test_the_rest_follows_a_canary_that_passed(place: Place, refuses: Path) -> None:
    refuses.write_text("")
    args = ("retry", "--failure", fingerprint(place), "--canary", "10", "--rest", "--json")
    told = json.loads(command(place, *args).stdout)
    assert (told["passed"], told["rest"], told["retried_rest"]) == (10, 20, 20)
    wait_until(lambda: place.queue.stats()["completed"] == 30, what="the rest to complete")


def canary_that_waits(place: Place, size: int, *more: str) -> subprocess.Popen[str]:
    """Start a canary; it has told how it begins."""
    kind = fingerprint(place)
    command = [sys.executable, "-m", "gigq_core", "--db", str(place.db), "retry"]
    process = subprocess.Popen(
        [*command, "--failure", kind, "--canary", str(size), *more],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    told = [process.stdout.readline(), process.stdout.readline()]
    words = f"canary of {size}: 0 passed, 0 failed again, 0 running, {size} waiting\n"
    assert told[1] == words
    return process


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_who_waits_no_longer_leaves_jobs_that_wait_as_they_did(
    place: Place, refuses: Path, number: signal.Signals, code: int
) -> None:
    place.queue.pause()
    place.submit(chores.nothing, priority=100)
    process = canary_that_waits(place, 4)
    assert priorities(place)[-4:] == [101] * 4
    process.send_signal(number)
    _, told = process.communicate(timeout=30)
    assert process.returncode == code
    assert "The canary waits: the queue is paused." in told
    assert "Traceback" not in told
    assert priorities(place) == list(range(30))
    assert place.queue.stats()["pending"] == 5


def test_a_job_that_has_ended_has_its_own_priority_while_others_wait(
    place: Place, refuses: Path
) -> None:
    place.queue.pause()
    place.submit(chores.nothing, priority=100)
    process = canary_that_waits(place, 3)
    waiting = [row["id"] for row in place.rows("SELECT id FROM jobs WHERE priority = 101")]
    place.queue.cancel_jobs(waiting[:1])
    own = place.rows("SELECT name FROM jobs WHERE id = ?", waiting[0])[0]["name"].split()[1]
    wait_until(lambda: place.job(waiting[0])["priority"] == int(own), what="it to be set back")
    assert [place.job(id)["priority"] for id in waiting[1:]] == [101, 101]
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert priorities(place) == list(range(30))


def test_the_rest_leaves_alone_what_was_cancelled_or_deleted_meanwhile(
    place: Place, refuses: Path
) -> None:
    refuses.write_text("")
    place.queue.pause()
    process = canary_that_waits(place, 5, "--rest")
    left = [
        row["id"]
        for row in place.rows(
            "SELECT id FROM jobs WHERE status = 'failed' AND name GLOB 'call *' ORDER BY rowid"
        )
    ]
    place.queue.requeue_jobs(left[:2])
    place.queue.cancel_jobs(left[:2])
    place.queue.resume()
    out, told = process.communicate(timeout=60)
    assert process.returncode == 0, told
    assert out.endswith("Retried the other 23 jobs.\n")
    assert [place.status(id) for id in left[:2]] == ["cancelled", "cancelled"]


def test_a_dry_run_names_the_canary_and_changes_nothing(place: Place, refuses: Path) -> None:
    before = place.queue.stats()
    args = ("retry", "--failure", fingerprint(place), "--canary", "3", "--dry-run")
    result = command(place, *args)
    assert result.returncode == 0
    assert "Would retry 3 jobs of 30, before what waits: " in result.stdout
    assert "ConnectionRefusedError: connect to # refused" in result.stdout
    assert result.stdout.count("(call ") == 3
    told = json.loads(command(place, *args, "--json").stdout)
    assert (told["failed"], told["dry_run"], len(told["canary"])) == (30, True, 3)
    assert place.queue.stats() == before


@pytest.mark.parametrize(
    ("args", "code", "words"),
    [
        (("--failure", "0123456789abcdef"), 1, "`failures` shows what failed."),
        (("--canary", "3"), 2, "go with --failure"),
        (("--failure", "ab", "--rest"), 2, "--rest goes with --canary N"),
        (("--failure", "xyz"), 2, "digits 0-9 and a-f"),
        (("--failure", "ab", "--canary", "0"), 2, "1<=x<=250"),
        (("--failure", "ab", "some-id"), 2, "ids or --failure, not both"),
    ],
)
def test_what_makes_no_sense_is_refused(place: Place, args, code: int, words: str) -> None:
    result = command(place, "retry", *args)
    assert result.returncode == code
    assert words in " ".join(result.stderr.split())


def test_digits_of_two_causes_are_refused(place: Place, refuses: Path) -> None:
    groups = json.loads(command(place, "failures", "--json").stdout)
    one, other = (g["fingerprint"] for g in groups)
    place.change(
        "UPDATE job_executions SET fingerprint = ? WHERE fingerprint = ?", "e1" + one[2:], one
    )
    place.change(
        "UPDATE job_executions SET fingerprint = ? WHERE fingerprint = ?", "e2" + other[2:], other
    )
    result = command(place, "retry", "--failure", "e")
    assert result.returncode == 1
    assert "e begins 2 fingerprints" in result.stderr


def test_a_canary_that_was_cancelled_does_not_let_the_rest_go(place: Place, refuses: Path) -> None:
    place.queue.pause()
    process = canary_that_waits(place, 3, "--rest")
    waiting = [row["id"] for row in place.rows("SELECT id FROM jobs WHERE status = 'pending'")]
    place.queue.cancel_jobs(waiting[2:])
    place.queue.clear_jobs(waiting[2:])
    place.queue.cancel_jobs(waiting[:2])
    out, told = process.communicate(timeout=30)
    assert process.returncode == 3, told
    assert "2 cancelled, 1 deleted\n" in out
    assert out.endswith("; the other 27 are left alone.\n")
    assert place.queue.stats()["failed"] == 28
