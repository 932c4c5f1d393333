"""The reader: snapshots, details and ids, of attached files and of GigQ's own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from gigq_core.errors import DatabaseError, DatabaseMissing, NotAQueue
from gigq_core.reasons.why import Health, State, state_of
from gigq_core.system.paths import logs_folder
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.door import Interrupted
from gigq_tui.store.filter.language import parse
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Standing, Tab
from gigq_tui.store.reader import Reader
from tests.attempts import AttemptWriter
from tests.store_files import (
    GIGQ_FILES,
    NOW,
    Writer,
    ago,
    both_kinds,
    digest,
    gigq_copy,
    reading,
)


def test_reading_never_imports_textual() -> None:
    code = (
        "import importlib, pkgutil, sys, gigq_tui.store as store\n"
        "for module in pkgutil.iter_modules(store.__path__):\n"
        "    importlib.import_module('gigq_tui.store.' + module.name)\n"
        "print(sorted({'textual', 'rich', 'click'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.mark.parametrize("name", GIGQ_FILES)
def test_a_gigq_file_is_read_as_it_is_and_stays_it(name: str, tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, name)
    before = digest(path)
    with reading(path) as reader:
        snapshot = reader.snapshot(View())
        assert not snapshot.info.attached
        assert snapshot.counts.total == 23
        assert snapshot.counts.blocked == 2
        assert snapshot.counts.doomed == 2
        assert snapshot.window.total == len(snapshot.window.rows) == 23
        by_name = {row.name: row for row in snapshot.window.rows}
        assert state_of(by_name["publish_feed"], NOW) is State.DOOMED
        culprit = by_name["notify"].culprit
        assert culprit is not None
        assert (culprit.name, culprit.problem) == ("fetch_feed", "failed")
        waived = by_name["needs_nobody"]
        assert state_of(waived, NOW) is State.READY
        assert waived.culprit is not None
        assert [worker.id for worker in snapshot.foreign_workers] == ["golden-1"]
        for row in snapshot.window.rows:
            detail = reader.detail(row.id)
            assert detail is not None
            assert detail.row.id == row.id
            graph = reader.graph(row.id)
            assert graph is not None
            assert row.id in graph.nodes
        for tab in Tab:
            assert len(reader.matching_ids(View(tab))) == snapshot.counts.of(tab)
    assert digest(path) == before
    # SQLite itself may leave these beside a file in WAL mode.
    left = {file.name for file in tmp_path.iterdir()}
    assert left <= {"jobs.db", "jobs.db-wal", "jobs.db-shm"}


def test_looking_changes_nothing_in_an_attached_file(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("a", "failed")
    writer.job("b", parents=["a"])
    writer.close()
    before = digest(path)
    with reading(path) as reader:
        reader.snapshot(View(filter=parse("state:doomed")))
        reader.detail("b")
        reader.graph("b")
        reader.resolve("b")
    assert digest(path) == before


def test_what_has_become_due_is_ready_also_while_no_worker_says_so(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    for number in range(3):
        writer.job(f"retry{number}", attempts=1, retry_after=ago(-30 - number))
    writer.job("later", retry_after=ago(-3_600))
    clock = FrozenClock(NOW)
    with reading(path, clock=clock) as reader:
        counts = reader.snapshot(View()).counts
        assert (counts.ready, counts.delayed, counts.total) == (0, 4, 4)
        clock.advance(35)
        snapshot = reader.snapshot(View(filter=parse("state:ready")))
        counts = snapshot.counts
        assert (counts.ready, counts.delayed, counts.total) == (3, 1, 4)
        assert snapshot.window.total == counts.ready
    writer.close()


@both_kinds
def test_a_cancelled_child_is_doomed_no_more_and_all_that_fail_are_counted(
    tmp_path: Path, attached: bool
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    for parent in ("a", "b", "c"):
        writer.job(parent, "failed")
    writer.job("fine")
    writer.job("first", parents=["a", "b", "fine"])
    writer.job("second", parents=["first"])
    writer.job("hopeful", parents=["fine"])
    writer.job("given up", parents=["a", "c"])
    with reading(path) as reader:
        counts = reader.snapshot(View()).counts
        assert (counts.blocked, counts.doomed, counts.culprits) == (4, 3, 3)
    writer.set("given up", status="cancelled", completed_at=ago(1))
    writer.close()
    with reading(path) as reader:
        counts = reader.snapshot(View()).counts
        assert (counts.blocked, counts.doomed, counts.culprits) == (3, 2, 2)


def test_counts_come_from_the_counters(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    for number, status in enumerate(["completed", "failed", "timeout", "cancelled", "odd", "odd"]):
        writer.job(f"j{number}", status)
    writer.job("ready")
    writer.job("later", retry_after=ago(-60))
    writer.job("doomed", parents=["j1"])
    writer.job("blocked", parents=["ready"])
    with reading(path) as reader:
        counts = reader.snapshot(View()).counts
        rows = {row.id: row for row in reader.snapshot(View()).window.rows}
    writer.close()
    assert (counts.ready, counts.delayed, counts.blocked, counts.doomed) == (1, 1, 2, 1)
    assert (counts.completed, counts.failed, counts.timeout, counts.cancelled) == (1, 1, 1, 1)
    assert (counts.other, counts.total) == (2, 10)
    states = {id: state_of(row, NOW) for id, row in rows.items()}
    assert states["later"] is State.DELAYED
    assert states["doomed"] is State.DOOMED
    assert states["blocked"] is State.BLOCKED
    assert states["j4"] is State.UNKNOWN


def test_a_missing_parent_blocks_on_an_attached_file_and_not_where_it_was_waived(
    tmp_path: Path,
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("child", parents=["nowhere"])
    writer.job("old", retry_after=None)
    writer.insert("core_edges", {"child_id": "old", "parent_id": "gone", "met": 2})
    with reading(path) as reader:
        rows = {row.id: row for row in reader.snapshot(View()).window.rows}
        detail = reader.detail("old")
    writer.close()
    assert rows["child"].doomed
    assert rows["child"].culprit is not None
    assert rows["child"].culprit.problem == "missing"
    assert state_of(rows["old"], NOW) is State.READY
    assert rows["old"].culprit is not None
    assert detail is not None
    assert [(parent.id, parent.row, parent.standing) for parent in detail.parents] == [
        ("gone", None, Standing.WAIVED)
    ]


def test_running_rows_know_the_health_of_their_worker(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    for id, pid in (("w1", 1), ("w2", 2), ("w3", 3)):
        writer.worker(id, pid=pid)
    writer.worker("w4", pid=4, state="stopped", stopped_at=ago(60))
    writer.worker("w5", pid=5, state="stopped", stopped_at=ago(6000))
    for id in ("w1", "w2", "w3", "w4", "gigq-1"):
        writer.job(f"of-{id}", "running", worker_id=id)
    answers = {1: False, 2: True, 3: None}
    with reading(path, is_dead=lambda process: answers[process.pid]) as reader:
        snapshot = reader.snapshot(View(Tab.RUNNING))
        health = {worker.id: worker.health for worker in snapshot.workers}
        assert health == {
            "w1": Health.ALIVE,
            "w2": Health.LOST,
            "w3": Health.UNKNOWN,
            "w4": Health.STOPPED,
        }
        states = {row.id: state_of(row, NOW) for row in snapshot.window.rows}
        assert states == {
            "of-w1": State.RUNNING,
            "of-w2": State.ORPHANED,
            "of-w3": State.RUNNING,
            "of-w4": State.ORPHANED,
            "of-gigq-1": State.RUNNING,
        }
        assert [worker.running[0].id for worker in snapshot.workers][:2] == ["of-w1", "of-w2"]
        assert [worker.id for worker in snapshot.foreign_workers] == ["gigq-1"]
        assert set(reader.matching_ids(View(filter=parse("state:orphaned")))) == {
            "of-w2",
            "of-w4",
        }
        assert not reader.liveness_changed()
        answers[1] = True
        assert reader.liveness_changed()
    writer.close()


def test_a_worker_out_of_sight_lives_while_its_beat_moves(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.worker("far", host="elsewhere")
    clock = FrozenClock(NOW)
    with reading(path, clock=clock, is_dead=lambda process: None) as reader:
        assert reader.snapshot(View()).workers[0].health is Health.UNKNOWN
        writer.conn.execute("UPDATE core_workers SET beat = beat + 1")
        clock.advance(1)
        assert reader.snapshot(View()).workers[0].health is Health.ALIVE
        clock.advance(60)
        assert reader.liveness_changed()
        assert reader.snapshot(View()).workers[0].health is Health.UNKNOWN
    writer.close()


@both_kinds
def test_detail_tells_everything_of_a_job(attached: bool, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    writer.job("parent", "completed", result='{"rows": 3}')
    writer.job(
        "job",
        "failed",
        ["parent"],
        params='{"a": [1, 2]}',
        description="what it is",
        error="first\nsecond",
        retry_delay=5,
    )
    writer.job("child", parents=["job"])
    more = [{}, {}]
    if attached:
        more = [{"traceback": "Traceback: x", "output": "attempts/e2.log", "pid": 77}, {}]
        output = logs_folder(path) / "attempts" / "e2.log"
        output.parent.mkdir(parents=True)
        output.write_text("hello")
    for number, extra in ((1, more[1]), (2, more[0])):
        writer.insert(
            "job_executions",
            {
                "id": f"e{number}",
                "job_id": "job",
                "worker_id": "w",
                "status": "failed",
                "started_at": ago(100 - number),
                "error": "boom",
            }
            | extra,
        )
    with reading(path) as reader:
        detail = reader.detail("job")
        assert reader.detail("nobody") is None
        done = reader.detail("parent")
    writer.close()
    assert detail is not None
    assert detail.params == {"a": [1, 2]}
    assert detail.error == "first\nsecond"
    assert detail.description == "what it is"
    assert detail.retry_delay_s == 5
    assert [(a.number, a.execution_id) for a in detail.attempts] == [(1, "e1"), (2, "e2")]
    assert [(p.id, p.row is not None) for p in detail.parents] == [("parent", True)]
    assert [c.id for c in detail.children] == ["child"]
    assert detail.children[0].row is not None
    assert detail.children[0].row.doomed
    assert detail.child_count == 1
    assert detail.raw["status"] == "failed"
    assert done is not None
    assert done.result == {"rows": 3}
    if attached:
        last = detail.attempts[1]
        assert last.traceback == "Traceback: x"
        assert last.pid == 77
        assert last.output_path == str(logs_folder(path).absolute() / "attempts" / "e2.log")
        assert detail.attempts[0].output_path is None


@pytest.mark.parametrize("name", ["../jobs.db", "/etc/passwd", "attempts/none.log", "a\0b"])
def test_output_is_only_looked_for_where_output_lies(name: str, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    logs_folder(path).mkdir()
    writer.job("job", "completed")
    writer.insert(
        "job_executions",
        {
            "id": "e",
            "job_id": "job",
            "worker_id": "w",
            "status": "completed",
            "started_at": ago(1),
            "output": name,
        },
    )
    with reading(path) as reader:
        detail = reader.detail("job")
    writer.close()
    assert detail is not None
    assert detail.attempts[0].output_path is None


def test_many_children_are_counted_and_some_are_read(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("parent")
    writer.many(300, "child", parents=["parent"])
    with reading(path) as reader:
        detail = reader.detail("parent")
    writer.close()
    assert detail is not None
    assert detail.child_count == 300
    assert len(detail.children) == 200


@both_kinds
def test_ids_are_found_by_their_beginning(attached: bool, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    for id in ("abc1", "abc2", "abd", "b%", "b_"):
        writer.job(id)
    with reading(path) as reader:
        assert reader.resolve("abc") == ("abc1", "abc2")
        assert reader.resolve("b%") == ("b%",)
        assert reader.resolve("x") == ()
        assert reader.resolve("\udce9") == ()
        assert reader.detail("\udce9") is None
    writer.close()


def test_matching_ids_are_limited_and_newest_first(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.many(10)
    with reading(path) as reader:
        view = View(Tab.WAITING, parse("name:n"))
        assert reader.matching_ids(view, 3) == ("n9", "n8", "n7")
        assert len(reader.matching_ids(view)) == 10
    writer.close()


def test_the_queue_is_seen_paused(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    with reading(path) as reader:
        assert not reader.snapshot(View()).paused
        writer.insert("core_meta", {"key": "paused_at", "value": ago(1)})
        assert reader.snapshot(View()).paused
    writer.close()


def test_a_file_that_is_attached_meanwhile_is_read_as_attached(tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, "gigq-0.1.0.db")
    with reading(path) as reader:
        assert not reader.snapshot(View()).info.attached
        Writer(path).close()
        snapshot = reader.snapshot(View())
        assert snapshot.info.attached
        assert snapshot.counts.blocked == 2


def test_the_data_version_moves_with_every_commit_of_others(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    with reading(path) as reader:
        reader.snapshot(View())
        assert reader.data_version() == reader.version_read
        writer.job("new")
        assert reader.data_version() != reader.version_read
        reader.detail("new")
        assert reader.data_version() != reader.version_read
        reader.snapshot(View())
        assert reader.data_version() == reader.version_read
    writer.close()


def test_finished_per_second_needs_two_moments_and_fades(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = AttemptWriter(path)
    clock = FrozenClock(NOW)
    with reading(path, clock=clock) as reader:
        assert reader.snapshot(View()).finished_per_s is None
        for n in range(20):
            writer.done(f"done{n}")
        clock.advance(4)
        assert reader.snapshot(View()).finished_per_s == pytest.approx(5.0)
        writer.conn.execute("DELETE FROM jobs")
        clock.advance(6)
        assert reader.snapshot(View()).finished_per_s == pytest.approx(2.0)
        clock.advance(5)
        assert reader.snapshot(View()).finished_per_s == 0.0
    writer.close()


def test_an_interrupted_read_says_so_and_the_reader_goes_on(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.many(5_000)
    writer.close()
    with reading(path) as reader:
        reader.interrupt()
        with pytest.raises(Interrupted):
            reader.snapshot(View(filter=parse("err:nothing")))
        reader.rearm()
        assert reader.snapshot(View()).counts.total == 5_000


def test_files_that_are_no_queue_are_told_in_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing):
        Reader(tmp_path / "none.db")
    assert not os.listdir(tmp_path)
    (tmp_path / "text.db").write_text("not a database at all, but long enough to be one")
    with pytest.raises(NotAQueue):
        Reader(tmp_path / "text.db")
    with pytest.raises(DatabaseError):
        Reader(tmp_path)


@pytest.mark.parametrize(("ran_s", "is_told"), [(2, True), (5_000, False)])
def test_a_silent_worker_of_gigqs_promises_no_end(
    tmp_path: Path, ran_s: float, is_told: bool
) -> None:
    path = tmp_path / "jobs.db"
    writer = AttemptWriter(path, False)
    for number in range(30):
        writer.done(f"d{number}", began=200 + number, took=10)
        writer.job(f"w{number}")
    writer.job("held", "running", worker_id="golden-1", started_at=ago(ran_s), timeout=300)
    with reading(path) as reader:
        ahead = None
        for _ in range(20):
            reader.look_ahead()
            ahead = reader.snapshot(View()).figures.ahead
            if ahead is not None:
                break
    writer.close()
    assert (ahead is not None) == is_told
