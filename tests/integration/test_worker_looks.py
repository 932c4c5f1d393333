"""What a worker reads, and how it waits for the write lock, while others work on the file too."""

from __future__ import annotations

import json
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, Worker
from gigq_core.worker import pool, wakes
from gigq_core.worker import worker as worker_module
from gigq_core.worker.ledger import GIVE_UP_S, LONGEST_PAUSE_S, CommitResult, Ledger
from gigq_core.worker.wakes import LOOK_BUSY_S
from tests.integration import chores
from tests.integration.conftest import ROOT, Place
from tests.waiting import wait_until

LOOK = " AS stops"
ASK = "PRAGMA data_version"
TRY = "BEGIN IMMEDIATE"
# Between two tries, once there have been some.
LEAST_PAUSE_S = 0.3 * LONGEST_PAUSE_S


class Traced(Ledger):
    """A worker's ledger, whose statements are written down."""

    def __init__(self, *arguments: Any, **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.said: list[str] = []
        self.committed: Callable[[CommitResult], None] = lambda result: None
        self.conn.set_trace_callback(self._note)

    def _note(self, statement: str) -> None:
        for kind in (LOOK, ASK, TRY):
            if kind in statement:
                self.said.append(kind)

    def commit(self, *arguments: Any, **options: Any) -> CommitResult:
        result = super().commit(*arguments, **options)
        self.committed(result)
        return result

    def times(self, kind: str) -> int:
        """How many statements of this kind there have been."""
        return self.said.count(kind)


Start = Callable[..., Traced]


@pytest.fixture(params=["in its loop", "by a thread"])
def hints(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """How a worker hears of changes: where the system has nothing to wait on, by a thread."""
    if request.param == "by a thread":

        def none(path: Path) -> None:
            raise OSError("there is no such thing here")

        monkeypatch.setattr(wakes, "FolderEvents", none)


@pytest.fixture
def start(place: Place, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts a worker in a thread of this process; gives its ledger."""
    made: list[Traced] = []
    ended: list[Callable[[], None]] = []

    def ledger(*arguments: Any, **options: Any) -> Traced:
        made.append(Traced(*arguments, **options))
        return made[-1]

    def begin(**options: Any) -> Traced:
        worker = Worker(place.db, **options)
        thread = threading.Thread(target=worker.start, name="the worker")
        thread.start()
        ended.append(lambda: (worker.stop(), thread.join())[1])
        wait_until(place.live_workers, what="the worker to begin")
        return made[0]

    monkeypatch.setattr(worker_module, "Ledger", ledger)
    yield begin
    for end in ended:
        end()


@pytest.fixture
def other(place: Place) -> Iterator[sqlite3.Connection]:
    """Somebody else's connection."""
    conn = sqlite3.connect(place.db, timeout=20, isolation_level=None, check_same_thread=False)
    yield conn
    with suppress(sqlite3.Error):
        conn.execute("ROLLBACK")
    conn.close()


def change(conn: sqlite3.Connection) -> None:
    """A commit that is nothing to any worker."""
    conn.execute("INSERT OR REPLACE INTO core_meta VALUES ('test', random())")


def held(place: Place, tmp_path: Path) -> tuple[str, Callable[[], None]]:
    """A job that runs until it is told to end."""
    began, free = tmp_path / "began", tmp_path / "free"
    params = {"path": str(began), "free": str(free)}
    job_id = place.submit(chores.hold_until, params=params)
    wait_until(began.exists, what="the job to begin")
    return job_id, free.touch


@pytest.mark.usefixtures("hints")
def test_others_commits_do_not_make_a_busy_worker_read(
    place: Place, start: Start, other: sqlite3.Connection, tmp_path: Path
) -> None:
    ledger = start()
    _, let_go = held(place, tmp_path)
    change(other)
    ledger.said.clear()
    began = time.monotonic()
    for _ in range(300):
        change(other)
    seconds = time.monotonic() - began
    looks, asks = ledger.times(LOOK), ledger.times(ASK)
    let_go()
    assert looks <= 2 + seconds / LOOK_BUSY_S
    # Some are made before the commit that was hinted at can be seen.
    assert asks <= 10 + 4 * seconds / LOOK_BUSY_S


@pytest.mark.usefixtures("hints")
def test_a_request_is_heard_through_all_that_others_write(
    place: Place, start: Start, other: sqlite3.Connection, tmp_path: Path
) -> None:
    start(worker_id="busy")
    job_id, _ = held(place, tmp_path)
    over = threading.Event()

    def write() -> None:
        while not over.is_set():
            change(other)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        assert place.queue.cancel(job_id)
        assert place.end(job_id)["status"] == "cancelled"
        place.change("UPDATE core_workers SET request = 'pause' WHERE id = 'busy'")
        state = "SELECT 1 FROM core_workers WHERE state = 'paused' AND request IS NULL"
        wait_until(lambda: place.rows(state), what="the worker to be paused")
    finally:
        over.set()
        writer.join()


@pytest.mark.usefixtures("hints")
def test_an_idle_worker_reads_once_for_each_change(
    place: Place, start: Start, other: sqlite3.Connection
) -> None:
    ledger = start(polling_interval=0.2)
    place.end(place.submit(chores.nothing))

    def quiet() -> bool:
        """Whether it has asked twice in a row without finding anything."""
        return ledger.said[-2:] == [ASK, ASK]

    for _ in range(20):
        ledger.said.clear()
        wait_until(quiet, what="the worker to be quiet")
        ledger.said.clear()
        change(other)
        wait_until(lambda: LOOK in ledger.said and quiet(), what="a look")
        assert ledger.times(LOOK) == 1


def test_what_was_claimed_goes_on_while_others_keep_the_write_lock(
    place: Place,
    start: Start,
    other: sqlite3.Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Jobs claimed ahead begin one after the other, and their ends are written together."""
    # On a slow machine too, several are claimed at once, and all of them have their turn; but not
    # if the worker does nothing else than wait for the lock.
    monkeypatch.setattr(pool, "AHEAD_S", 10.0)
    monkeypatch.setattr(pool, "OVERDUE_S", 0.8 * GIVE_UP_S)
    ledger = start(isolation="process", chdir=ROOT)
    notes = tmp_path / "notes"

    def jobs(numbers: range) -> list[Job]:
        given = [{"path": str(notes), "text": str(number)} for number in numbers]
        return [Job("job", chores.note_and_rest, params=params) for params in given]

    def written() -> list[str]:
        return notes.read_text().split()

    # So that it knows how short they are.
    place.ended(*place.queue.submit_many(jobs(range(3))))
    batch: list[str] = []

    def lock(result: CommitResult) -> None:
        if len(result.claims) > 5 and not batch:
            other.execute("BEGIN IMMEDIATE")
            batch.extend(json.loads(claim.params or "")["text"] for claim in result.claims)

    ledger.committed = lock
    more = place.queue.submit_many(jobs(range(3, 40)))
    wait_until(lambda: batch, what="several jobs to be claimed at once")
    wait_until(lambda: set(batch) <= set(written()), what="all of them to have run")
    began, tries = time.monotonic(), ledger.times(TRY)
    wait_until(lambda: ledger.times(TRY) > tries + 30, what="tries to get the lock")
    assert time.monotonic() - began > 20 * LEAST_PAUSE_S
    other.execute("ROLLBACK")
    place.ended(*more)
    assert sorted(written(), key=int) == [str(number) for number in range(40)]
