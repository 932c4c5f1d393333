"""Files that are attached and detached while GigQ's workers go on with them."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from gigq_core import Job
from gigq_core.schema import ddl
from gigq_core.schema.attach import detach
from gigq_core.schema.opening import is_attached, open_read_only
from tests.integration.conftest import Place, stop
from tests.reliability import tasks
from tests.reliability.tasks import late_at_first, traced
from tests.reliability.test_sharing import params, traces
from tests.reliability.theirs import Theirs, ours, ours_json
from tests.waiting import wait_until

FLIPS = 8


def test_attached_while_a_gigq_worker_runs_a_job(tmp_path: Path) -> None:
    db = tmp_path / "jobs.db"
    theirs = Theirs(db, tmp_path)
    where = str(tmp_path / "traces")
    try:
        first = theirs.submit(late_at_first, params={"path": where, "label": "first"})
        then = theirs.submit(
            traced, params={"path": where, "label": "then"}, dependencies=[first], priority=5
        )
        theirs.worker()
        wait_until(lambda: tasks.runs(Path(where)).get("first"))
        said = ours_json(db, "attach")
        assert said["attached"]
        Path(where + ".go").touch()
        wait_until(lambda: theirs.queue.get_status(then)["status"] == "completed")
        assert theirs.queue.get_result(first) == "late"
        assert [e["status"] for e in theirs.queue.get_status(first)["executions"]] == ["completed"]
        assert ours_json(db, "doctor")["wrong"] is False
    finally:
        theirs.close()


def test_attached_and_detached_again_and_again_while_gigq_works(tmp_path: Path) -> None:
    """No job is lost or run twice, and its worker and its submitter see no error."""
    db = tmp_path / "jobs.db"
    theirs = Theirs(db, tmp_path)
    where = tmp_path / "traces"
    try:
        theirs.worker()
        ids: list[str] = []
        for flip in range(FLIPS):
            for n in range(6):
                label = f"{flip}-{n}"
                ids.append(
                    theirs.submit(
                        traced,
                        params={"path": str(where), "label": label},
                        dependencies=ids[-1:] if n % 2 else [],
                    )
                )
            conn = open_read_only(db)
            assert is_attached(conn) is bool(flip % 2)
            conn.close()
            code, _, said = ours(db, "detach" if flip % 2 else "attach")
            assert code == 0, said
        wait_until(lambda: theirs.queue.stats()["completed"] == len(ids), 30)
    finally:
        theirs.close()
    runs = tasks.runs(where)
    assert len(runs) == len(ids)
    assert {len(found) for found in runs.values()} == {1}
    assert "rror" not in theirs.log()
    conn = sqlite3.connect(db)
    names = {row[0] for row in conn.execute("SELECT name FROM sqlite_master")}
    assert not [name for name in names if name.startswith("core_")]
    assert conn.execute("PRAGMA integrity_check").fetchone()[0] == "ok"
    conn.close()


def test_detach_waits_for_our_workers_and_gives_gigq_the_file_back(
    place: Place, theirs: Theirs
) -> None:
    ours_at_work = place.worker("--worker-id", "ours")
    theirs.worker()
    missing = "00000000-0000-0000-0000-000000000000"
    blocked = place.submit(traced, params=params(place, "blocked"), dependencies=[missing])
    code, _, said = ours(place.db, "detach")
    assert code == 1
    assert f"Worker ours (pid {ours_at_work.pid}" in said
    assert "drain it first" in said
    place.end(place.submit(traced, params=params(place, "before")))
    assert place.status(blocked) == "pending"
    assert stop(ours_at_work) == 0
    detach(place.db)
    # For GigQ a parent that does not exist has completed.
    wait_until(lambda: theirs.queue.get_status(blocked)["status"] == "completed")
    after = theirs.submit(traced, params=params(place, "after"))
    wait_until(lambda: theirs.queue.get_status(after)["status"] == "completed")
    assert "rror" not in theirs.log()
    assert not set(theirs.queue.get_status(after)) & {c for _, c, _ in ddl.OUR_COLUMNS}
    assert ddl.PARKED not in {job["retry_after"] for job in theirs.queue.list_jobs()}


def test_a_queue_of_ours_that_stays_open_attaches_again_when_it_acts(
    place: Place, theirs: Theirs
) -> None:
    """A script of ours goes on after somebody detached the file: its next act needs our part."""
    place.submit(traced, params=params(place, "first"))
    assert ours(place.db, "detach")[0] == 0
    late = Job("late", traced, params(place, "late"))
    child = place.submit(traced, params=params(place, "child"), dependencies=[late.id])
    theirs.worker()
    place.end(theirs.submit(traced, params=params(place, "last"), priority=-9))
    assert place.status(child) == "pending"
    place.queue.submit(late)
    place.end(child)
    assert tasks.order(traces(place), "begun") == ["first", "last", "late", "child"]
