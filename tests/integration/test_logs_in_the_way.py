"""Whatever stands where output and stacks should go: jobs run, and nothing else is hurt."""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from gigq_core.errors import GigQError, StackUnavailable
from gigq_core.inspection.stack import stack_of
from gigq_core.system.kept_files import create_private, is_kept
from gigq_core.system.paths import attempt_output, kept_output, logs_folder, stack_prefix
from gigq_core.worker.upkeep import delete_output
from gigq_tui.actions.workers.pool import WorkerPool
from gigq_tui.actions.workers.setup import WorkerSetup
from tests.integration.chores import hold, speak
from tests.integration.conftest import Place, stop
from tests.waiting import wait_until

VICTIM = "nobody empties or deletes this"
IN_THE_WAY: dict[str, Callable[[Path], object]] = {
    "nothing": lambda path: None,
    "a file": lambda path: path.write_text(VICTIM),
    "a link to a folder": lambda path: path.symlink_to(path.parents[0] / "elsewhere"),
    "a link to a file": lambda path: path.symlink_to(path.parents[0] / "elsewhere" / "victim"),
    "a dangling link": lambda path: path.symlink_to(path.parents[0] / "nowhere"),
    "a circle of links": lambda path: path.symlink_to(path),
    "a pipe": lambda path: os.mkfifo(path),
    "another's folder": lambda path: (path.mkdir(), os.chown(path, 12345, 12345)),
    "a folder nobody may write to": lambda path: path.mkdir(0o500),
}


def in_the_way(place: Place, kind: str, where: str) -> Path:
    """Put something in the way, beside a folder with a file that is to stay as it is."""
    folder = logs_folder(place.db)
    path = folder / where if where else folder
    path.parent.mkdir(exist_ok=True)
    elsewhere = path.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "victim").write_text(VICTIM)
    IN_THE_WAY[kind](path)
    return elsewhere


@pytest.mark.parametrize(
    ("kind", "where"),
    [
        pytest.param(
            *(kind, where),
            marks=[pytest.mark.long]
            if where and kind not in ("a file", "a link to a folder")
            else [],
        )
        for kind in IN_THE_WAY
        for where in ("", "attempts", "stacks")
    ],
)
def test_jobs_run_whatever_stands_where_logs_should_go(place: Place, kind: str, where: str) -> None:
    if kind == "another's folder" and os.geteuid() != 0:
        pytest.skip("only root can give a folder away")
    elsewhere = in_the_way(place, kind, where)
    worker = place.worker("--concurrency", "2")
    ids = [place.submit(speak, params={"lines": 3}) for _ in range(4)]
    for job in place.ended(*ids):
        assert job["status"] == "completed"
        (execution,) = job["executions"]
        assert (execution["output"] is not None) == is_kept(
            attempt_output(place.db, execution["id"])
        )
    held = place.submit(hold, params={"path": str(place.folder / "held"), "seconds": 60})
    place.lines("held")
    try:
        stack_of(place.db, held)
    except StackUnavailable:
        assert where != "attempts"
    place.queue.cancel(held)
    assert place.end(held)["status"] == "cancelled"
    assert stop(worker) == 0, place.log()
    told = place.log().count("can't be kept")
    # Root may write anywhere.
    assert told <= 1 if "may write" in kind else told == (kind != "nothing")
    assert [(path.name, path.read_text()) for path in elsewhere.iterdir()] == [("victim", VICTIM)]


def test_what_is_kept_is_for_its_owner_alone(place: Place) -> None:
    worker = place.worker()
    job = place.end(place.submit(speak, params={"lines": 1}))
    folder = logs_folder(place.db)
    assert is_kept(attempt_output(place.db, job["executions"][0]["id"]))
    found = [folder, *folder.rglob("*")]
    assert {path.name for path in found} >= {"attempts", "stacks"}
    assert [path for path in found if path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO)] == []
    assert stop(worker) == 0


def test_a_stack_goes_into_no_file_that_was_there_before(place: Place) -> None:
    victim = place.folder / "victim"
    victim.write_text(VICTIM)
    prefix = stack_prefix(place.db, "w")
    Path(prefix).parent.mkdir(parents=True)
    # Whatever pid its processes get: they come one after another.
    for pid in range(os.getpid(), os.getpid() + 2000):
        Path(f"{prefix}{pid}.txt").symlink_to(victim)
    worker = place.worker("--worker-id", "w")
    held = place.submit(hold, params={"path": str(place.folder / "held"), "seconds": 60})
    place.lines("held")
    assert "in hold" in stack_of(place.db, held)
    assert victim.read_text() == VICTIM
    place.queue.cancel(held)
    place.end(held)
    assert stop(worker) == 0
    assert victim.read_text() == VICTIM


HOSTILE_IDS = (
    *("../../victim", "../victim", "..", ".", "/", "a/b", "a\0b", "\0", "", "x" * 300, "é"),
    *("~root", "-rf", "a b", "a\nb", "attempts/../../victim", "con.log", "\udcff", "victim\n"),
    *(None, 7, 1.5, b"../../victim", b"bytes", ["list"]),
)


@pytest.mark.parametrize("odd", HOSTILE_IDS, ids=repr)
def test_an_id_that_is_not_ours_leads_to_no_file(tmp_path: Path, odd: object) -> None:
    db = tmp_path / "jobs.db"
    (tmp_path / "victim.log").write_text(VICTIM)
    assert attempt_output(db, odd) is None
    assert kept_output(db, odd, f"attempts/{odd}.log") is None
    delete_output(db, [odd])  # type: ignore[list-item]
    assert (tmp_path / "victim.log").read_text() == VICTIM


@pytest.mark.parametrize(
    "worker_id", [odd for odd in HOSTILE_IDS if isinstance(odd, str)], ids=repr
)
def test_a_worker_of_any_id_has_its_stacks_beside_the_others(
    tmp_path: Path, worker_id: str
) -> None:
    prefix = stack_prefix(tmp_path / "jobs.db", worker_id)
    assert Path(prefix).parent == logs_folder(tmp_path / "jobs.db") / "stacks"
    name = Path(f"{prefix}1.txt").name
    assert name.isascii()
    assert name.isprintable()
    assert len(name) < 200


def test_what_is_forgotten_takes_nothing_outside_the_logs_with_it(place: Place) -> None:
    victim = place.folder / "victim.log"
    victim.write_text(VICTIM)
    old = "2020-01-01T00:00:00"
    for number, odd in enumerate(["../../victim", "../victim", b"../../victim", "plain"]):
        place.change(
            "INSERT INTO job_executions (id, job_id, worker_id, status, started_at)"
            " VALUES (?, ?, 'w', 'completed', ?)",
            *(odd, f"gone-{number}", old),
        )
        place.change("INSERT INTO core_tombstones VALUES (?, 1, ?)", f"gone-{number}", old)
    kept = attempt_output(place.db, "plain")
    assert kept is not None
    create_private(kept).close()
    worker = place.worker()
    wait_until(lambda: not place.rows("SELECT * FROM core_tombstones"), what="the history to go")
    wait_until(lambda: not kept.exists(), what="the output to go")
    assert stop(worker) == 0
    assert victim.read_text() == VICTIM


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a folder away")
def test_the_console_starts_no_worker_in_a_folder_of_somebody_else(place: Place) -> None:
    folder = logs_folder(place.db)
    folder.mkdir()
    os.chown(folder, 12345, 12345)
    pool = WorkerPool(place.db, WorkerSetup(python=sys.executable, chdir=place.folder))
    with pytest.raises(GigQError, match="belongs to somebody else"):
        pool.spawn()
    assert list(folder.iterdir()) == []
