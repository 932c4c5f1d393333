"""A queue reached through symbolic links is the same queue, whoever reaches it."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.errors import DatabaseMissing
from gigq_core.inspection.stack import stack_of
from gigq_core.schema.opening import open_read_only
from gigq_core.system.paths import logs_folder
from gigq_core.worker.worker import Worker
from gigq_tui.actions.workers.pool import WorkerPool
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.store.feed import Feed
from gigq_tui.store.models import Snapshot
from gigq_tui.store.reader import Reader
from gigq_tui.store.tail import read_output
from tests.integration.chores import hold, speak
from tests.integration.conftest import Place, stop
from tests.waiting import wait_until


@pytest.fixture(params=["the file", "its folder", "a link to a link"])
def link(
    request: pytest.FixtureRequest, place: Place, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A path to the queue of `place` that leads through a link, in another folder."""
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    if request.param == "its folder":
        (elsewhere / "folder").symlink_to(place.folder)
        return elsewhere / "folder" / place.db.name
    (elsewhere / "link.db").symlink_to(place.db)
    if request.param == "the file":
        return elsewhere / "link.db"
    (elsewhere / "again.db").symlink_to("link.db")
    return elsewhere / "again.db"


def run(link: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "gigq_core", "--db", str(link), *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_whoever_comes_through_a_link_comes_to_the_same_queue(place: Place, link: Path) -> None:
    worker = place.worker("--worker-id", "w1")
    queue = JobQueue(link)
    job_id = queue.submit(Job("job", speak, params={"lines": 2}))
    job = place.end(job_id)
    assert queue.get_status(job_id) == job
    assert "line 1" in run(link, "logs", job_id).stdout
    reader = Reader(link)
    detail = reader.detail(job_id)
    assert detail is not None
    assert "line 1" in read_output(link, detail.attempts[0]).lines
    reader.close()
    assert "already works on this file" in run(link, "worker", "--worker-id", "w1").stderr
    held = queue.submit(Job("held", hold, params={"path": str(place.folder / "held")}))
    place.lines("held")
    assert "in hold" in stack_of(link, held)
    assert queue.cancel(held)
    place.end(held)
    queue.close()
    assert stop(worker) == 0
    assert logs_folder(link) == logs_folder(place.db)
    assert {path.name for path in link.parent.iterdir()} <= {
        *("link.db", "again.db", "folder"),
        *(path.name for path in place.folder.iterdir()),
    }


def test_a_worker_that_comes_through_a_link_keeps_its_logs_with_the_queue(
    place: Place, link: Path
) -> None:
    pool = WorkerPool(link, WorkerSetup(python=sys.executable, chdir=Path.cwd()))
    spawned = pool.spawn()
    try:
        job = place.end(place.submit(speak, params={"lines": 1}))
        assert spawned.log_path.parent == logs_folder(place.db)
        assert (logs_folder(place.db) / job["executions"][0]["output"]).exists()
    finally:
        pool.drain(spawned.worker_id)
        wait_until(lambda: not pool.alive(), what="the worker's end")


def test_a_console_that_comes_through_a_link_sees_changes_at_once(place: Place, link: Path) -> None:
    told: list[Snapshot] = []
    feed = Feed(link, on_snapshot=told.append)
    feed.start()
    try:
        wait_until(lambda: told, what="the first snapshot")
        assert Path(told[-1].info.path) == place.db
        place.submit(speak, params={"lines": 1})
        wait_until(lambda: told[-1].counts.pending == 1, what="the news")
        assert told[-1].info.wal_size > 0
    finally:
        feed.close()


def test_a_link_to_nowhere_says_so(tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(tmp_path / "nowhere.db")
    for reach in (JobQueue, open_read_only, lambda path: Worker(path).process_one()):
        with pytest.raises(DatabaseMissing, match=r"link\.db is a link to a file that does not"):
            reach(link)
    for words in (
        ["list"],
        ["worker", "--once"],
        ["submit", "builtins.dict"],
        ["doctor"],
        ["pause"],
    ):
        answer = run(link, *words)
        assert answer.returncode == 2
        assert "link.db is a link to a file that does not exist" in answer.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["link.db"]


def test_the_picture_is_of_the_queue_behind_a_link(place: Place, link: Path) -> None:
    place.submit(speak, params={"lines": 1})
    answer = subprocess.run(
        [sys.executable, "-m", "gigq_tui", str(link), "--once", "--json"],
        capture_output=True,
        timeout=60,
        check=True,
    )
    assert len(json.loads(answer.stdout)["jobs"]) == 1
