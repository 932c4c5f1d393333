"""Short jobs are claimed ahead of a free slot: what is not begun is given back, and not counted."""

from __future__ import annotations

import json
import os
import selectors
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.schema import worker_statements as sql
from gigq_core.system.paths import attempt_output, stack_prefix
from gigq_core.units.times import Moment
from gigq_core.worker import rescue
from gigq_core.worker.claims import Begun, Claim, Ending, Fate
from gigq_core.worker.file_responder import FileResponder
from gigq_core.worker.heard import ParentRow
from gigq_core.worker.ledger import CommitResult, Ledger
from gigq_core.worker.output import Capture
from gigq_core.worker.pool import ProcessPool
from gigq_core.worker.register import Register
from tests.integration import chores
from tests.integration.conftest import ROOT, Place, stop
from tests.waiting import wait_until

PID = os.getpid()
HOLD = json.dumps({"path": os.devnull})
HOLD_BRIEFLY = json.dumps({"path": os.devnull, "seconds": 0.1})


@pytest.fixture
def ledger(place: Place) -> Iterator[Ledger]:
    made = Ledger(place.db, runs_script=False)
    yield made
    made.close()


@pytest.fixture
def own() -> Register:
    return Register("w", "cli", "process", 1, sys.executable, str(ROOT), None)


def claim(ledger: Ledger, own: Register, ahead: int, free: int = 1) -> list[Claim]:
    return turn(ledger, own, claim=True, free=free, ahead=ahead).claims


def turn(
    ledger: Ledger,
    own: Register,
    *endings: Ending,
    claim: bool = False,
    free: int = 0,
    ahead: int = 0,
    begun: tuple[Begun, ...] = (),
) -> CommitResult:
    return ledger.commit(
        own,
        endings,
        [PID] * free,
        claim=claim,
        stage=False,
        beat=False,
        ahead=ahead,
        begun=begun,
    )


def lose_all(ledger: Ledger) -> None:
    """As if the worker had died."""
    with ledger.writing() as conn:
        rescue.rescue(conn, conn.execute(sql.RUNNING_JOBS).fetchall())


def test_only_jobs_with_attempts_to_spare_are_claimed_ahead(
    place: Place, ledger: Ledger, own: Register
) -> None:
    names = {
        place.submit(chores.nothing, name="first", max_attempts=1): "first",
        place.submit(chores.nothing, name="only once", max_attempts=1): "only once",
        place.submit(chores.nothing, name="fails on a crash", on_crash="fail"): "no retry",
        place.submit(chores.nothing, name="spare"): "spare",
    }
    attempts = claim(ledger, own, ahead=3)
    assert [names[attempt.job_id] for attempt in attempts] == ["first", "spare"]
    pids = [place.job(attempt.job_id)["executions"][0]["pid"] for attempt in attempts]
    assert pids == [PID, None]


def test_a_pause_holds_for_what_is_claimed_ahead(
    place: Place, ledger: Ledger, own: Register
) -> None:
    place.submit(chores.nothing)
    place.queue.pause()
    assert claim(ledger, own, ahead=3) == []
    assert claim(ledger, own, ahead=3, free=0) == []


def test_a_job_whose_turn_did_not_come_is_as_it_was(
    place: Place, ledger: Ledger, own: Register
) -> None:
    for _ in range(2):
        place.submit(chores.nothing)
    attempt = claim(ledger, own, ahead=1)[1]
    turn(ledger, own, Ending(attempt, Fate.NOT_BEGUN))
    job = place.job(attempt.job_id)
    assert (job["status"], job["attempts"], job["started_at"]) == ("pending", 0, None)
    assert job["executions"] == []
    assert own.failed == 0


def test_a_job_that_was_cancelled_before_its_turn_is_cancelled(
    place: Place, ledger: Ledger, own: Register
) -> None:
    place.submit(chores.nothing)
    attempt = claim(ledger, own, ahead=1, free=0)[0]
    assert place.queue.cancel(attempt.job_id)
    turn(ledger, own, Ending(attempt, Fate.NOT_BEGUN))
    assert place.status(attempt.job_id) == "cancelled"


def test_what_a_dead_worker_had_begun_counts_and_what_it_had_not_does_not(
    place: Place, ledger: Ledger, own: Register
) -> None:
    for _ in range(4):
        place.submit(chores.nothing)
    at_once, later, printed, never = claim(ledger, own, ahead=3)
    turn(ledger, own, begun=(Begun(later, BEGAN, 77),))
    assert place.job(later.job_id)["started_at"] == BEGAN.text
    output = attempt_output(place.db, printed.execution_id)
    assert output is not None
    output.parent.mkdir(parents=True)
    output.write_text("it had begun a moment ago")
    lose_all(ledger)
    jobs = [place.job(attempt.job_id) for attempt in (at_once, later, printed, never)]
    assert [job["status"] for job in jobs] == ["pending"] * 4
    assert [job["attempts"] for job in jobs] == [1, 1, 1, 0]
    assert [[e["status"] for e in job["executions"]] for job in jobs] == [["crashed"]] * 3 + [[]]
    assert jobs[1]["executions"][0]["pid"] == 77


def test_one_that_was_lost_before_it_had_begun_is_not_claimed_ahead_again(
    place: Place, ledger: Ledger, own: Register
) -> None:
    for _ in range(2):
        place.submit(chores.nothing)
    claim(ledger, own, ahead=1)
    lose_all(ledger)
    # So it has a process on record the next time, and one that kills its worker is counted.
    assert len(claim(ledger, own, ahead=6)) == 1
    assert len(claim(ledger, own, ahead=0)) == 1


def test_a_row_that_cannot_be_given_back_keeps_no_other(
    place: Place, ledger: Ledger, own: Register
) -> None:
    ids = [place.submit(chores.nothing, name=name) for name in ("a", "locked", "c")]
    claim(ledger, own, ahead=0, free=3)
    place.change(
        "CREATE TRIGGER vetoes BEFORE UPDATE OF status ON jobs WHEN OLD.name = 'locked'"
        " BEGIN SELECT RAISE(ABORT, 'this one stays'); END"
    )
    lose_all(ledger)
    assert [place.status(job_id) for job_id in ids] == ["pending", "running", "pending"]


def test_when_it_began_and_where_is_known_once_it_has_ended(
    place: Place, ledger: Ledger, own: Register
) -> None:
    place.submit(chores.nothing)
    attempt = claim(ledger, own, ahead=1, free=0)[0]
    began = BEGAN.text
    turn(ledger, own, Ending(attempt, Fate.COMPLETED, begun=BEGAN, pid=77))
    job = place.job(attempt.job_id)
    assert job["started_at"] == began
    assert (job["executions"][0]["started_at"], job["executions"][0]["pid"]) == (began, 77)


BEGAN = Moment(1_893_456_000.0, "2030-01-01T00:00:00")


class KnowsNothing:
    """What jobs ask for, where none does."""

    def parents_of(self, claim: Claim) -> list[ParentRow]:
        return []

    def saved_of(self, claim: Claim) -> str | None:
        return None


class Pool:
    """A process pool of one slot, with what turns its selector."""

    def __init__(self, db: Path) -> None:
        self.selector = selectors.DefaultSelector()
        self.pool = ProcessPool(
            python=sys.executable,
            folder=str(ROOT),
            slots=1,
            selector=self.selector,
            grace_s=1.0,
            responder=FileResponder(KnowsNothing()),
            sink_of=lambda claim: Capture(lambda: attempt_output(db, claim.execution_id)),
            stack_prefix=stack_prefix(db, "w"),
            adopts=False,
        )
        self.pool.prepare(1)
        wait_until(self.free)

    def free(self) -> list[int]:
        self.turn()
        return self.pool.free()

    def turn(self) -> None:
        """Take in what has happened."""
        for key, _ in self.selector.select(0.01):
            if key.fd in self.selector.get_map():
                key.data()
        self.pool.tick()

    def endings(self, count: int) -> list[Ending]:
        found: list[Ending] = []

        def enough() -> bool:
            self.turn()
            found.extend(self.pool.collect())
            return len(found) >= count

        wait_until(enough, what=f"{count} endings")
        return found


@pytest.fixture
def pool(tmp_path: Path) -> Iterator[Pool]:
    made = Pool(tmp_path / "jobs.db")
    yield made
    made.pool.close()
    made.selector.close()


def attempt(name: str, function: str, params: str = "{}") -> Claim:
    return Claim(
        job_id=name,
        execution_id=f"token of {name}",
        name=name,
        module="tests.integration.chores",
        function=function,
        params=params,
        dependencies=(),
        attempt=1,
        max_attempts=3,
        timeout_s=60,
        retry_delay_s=0,
        pass_parent_results=None,
    )


def test_a_free_child_takes_the_next_one_at_once(pool: Pool) -> None:
    assert pool.pool.room_ahead() == 0
    pool.pool.start([attempt("the first, which has to import", "nothing")])
    pool.endings(1)
    pool.pool.start([attempt("a", "nothing"), attempt("b", "nothing")])
    first, second = pool.endings(2)
    assert [first.claim.job_id, second.claim.job_id] == ["a", "b"]
    assert first.begun is None
    assert second.begun is not None
    assert second.pid == pool.pool.free()[0]


def test_after_a_long_job_nothing_is_claimed_ahead(pool: Pool) -> None:
    pool.pool.start([attempt("a", "hold", HOLD_BRIEFLY)])
    pool.endings(1)
    assert pool.pool.room_ahead() == 0


def test_behind_a_long_job_they_are_given_back(pool: Pool) -> None:
    long = attempt("long", "hold", HOLD)
    pool.pool.start([long, attempt("b", "nothing"), attempt("c", "nothing")])
    given_back = pool.endings(2)
    assert [e.claim.job_id for e in given_back] == ["b", "c"]
    assert {e.fate for e in given_back} == {Fate.NOT_BEGUN}
    assert pool.pool.busy() == 1
    assert pool.pool.room_ahead() == 0


def test_a_long_job_that_was_claimed_ahead_is_put_on_record_once(pool: Pool) -> None:
    pool.pool.start([attempt("the first, which has to import", "nothing")])
    pool.endings(1)
    pool.pool.start([attempt("a", "nothing"), attempt("long", "hold", HOLD)])
    pool.endings(1)

    def take() -> list[Begun]:
        pool.turn()
        return pool.pool.take_begun()

    begun = wait_until(take)
    assert [b.claim.job_id for b in begun] == ["long"]
    assert pool.pool.take_begun() == []
    pool.pool.stop("token of long", Fate.CANCELLED)
    (ending,) = pool.endings(1)
    assert (ending.fate, ending.begun) == (Fate.CANCELLED, None)


def test_one_that_waits_for_its_turn_can_be_stopped(pool: Pool) -> None:
    long = attempt("long", "hold", HOLD)
    pool.pool.start([long, attempt("b", "nothing")])
    pool.pool.stop("token of b", Fate.CANCELLED)
    (ending,) = pool.pool.collect()
    assert (ending.claim.job_id, ending.fate) == ("b", Fate.NOT_BEGUN)
    assert pool.pool.ahead() == 0


def crowd(place: Place, path: Path, count: int) -> list[str]:
    jobs = [
        Job(str(n), chores.note, {"path": str(path), "text": str(n)}, max_attempts=2)
        for n in range(count)
    ]
    return JobQueue(place.db).submit_many(jobs)


def test_a_drain_in_the_middle_gives_back_what_has_not_begun(place: Place, tmp_path: Path) -> None:
    ids = crowd(place, tmp_path / "notes", 2000)
    worker = place.worker("--concurrency", "2")
    place.lines("notes", 50)
    assert stop(worker) == 0
    ran = set((tmp_path / "notes").read_text().split())
    for job in (place.job(job_id) for job_id in ids):
        begun = job["name"] in ran
        assert job["status"] == ("completed" if begun else "pending")
        assert job["attempts"] == len(job["executions"]) == int(begun)


def test_after_a_kill_in_the_middle_no_job_is_lost_and_none_out_of_attempts(
    place: Place, tmp_path: Path
) -> None:
    ids = crowd(place, tmp_path / "notes", 1000)
    worker = place.worker("--concurrency", "2")
    place.lines("notes", 50)
    stop(worker, signal.SIGKILL)
    place.worker("--concurrency", "2")
    for job in place.ended(*ids, timeout_s=60):
        assert job["status"] == "completed"
        assert [e["status"] for e in job["executions"]].count("completed") == 1


def test_a_job_behind_a_long_one_runs_elsewhere(place: Place, tmp_path: Path) -> None:
    quick = crowd(place, tmp_path / "notes", 50)
    held = place.submit(chores.hold, params={"path": str(tmp_path / "held")})
    behind = crowd(place, tmp_path / "notes", 5)
    place.worker("--worker-id", "first")
    pid = place.pids("held")[0]
    wait_until(lambda: place.job(held)["executions"][0]["pid"] == pid, what="the pid")
    wait_until(lambda: {place.status(j) for j in behind} == {"pending"}, what="the others")
    place.worker("--worker-id", "second")
    for job in place.ended(*quick, *behind):
        assert (job["status"], job["attempts"], len(job["executions"])) == ("completed", 1, 1)


def test_a_last_attempt_is_never_claimed_ahead_so_no_crash_takes_it(
    place: Place, ledger: Ledger, own: Register
) -> None:
    job_id = place.submit(chores.nothing, max_attempts=2)
    assert len(claim(ledger, own, ahead=0)) == 1
    lose_all(ledger)
    assert (place.status(job_id), place.job(job_id)["attempts"]) == ("pending", 1)
    assert claim(ledger, own, ahead=1, free=0) == []
    assert len(claim(ledger, own, ahead=0)) == 1
