"""Hooks as the file keeps them: made, changed, paused, removed; what they count, and when."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue, Undo, agenda, post_json, task
from gigq_core.duties import duty_of
from gigq_core.hooks.rules import PATIENCE_S, Hook, read_hooks
from gigq_core.schema.attach import detach, open_for_work
from gigq_core.schema.transaction import write
from gigq_core.units.times import Moment
from tests.integration.hearing import hear, hear_needing_it, hear_none

HOOK_TRIGGERS = "SELECT name FROM sqlite_master WHERE name GLOB 'core_hook_*' AND type = 'trigger'"


class File:
    """A queue, jobs that end in it without a worker, and its agenda worked off by hand."""

    def __init__(self, db: Path) -> None:
        self.db = db
        self.queue = JobQueue(db)
        self.conn = open_for_work(db, create=False)

    def hook(self, event: Any = "failed", match: str = "", every: Any = 0, name: str = "h") -> str:
        return self.queue.hook(event, Job("page", hear, {"path": "x"}), match, every, name)

    def end(self, n: int = 1, status: str = "failed", **options: Any) -> list[str]:
        """Jobs that end so, in one transaction."""
        jobs = [Job(f"job {i}", "etl.load", {}, **options) for i in range(n)]
        self.queue.submit_many(jobs)
        ids = [job.id for job in jobs]
        self.end_all(ids, status)
        return ids

    def end_all(self, ids: list[str], status: str = "failed") -> None:
        error = None if status == "completed" else "ValueError: bad"
        with write(self.conn):
            for id in ids:
                self.conn.execute("UPDATE jobs SET status = 'running' WHERE id = ?", (id,))
                self.conn.execute(
                    "UPDATE jobs SET status = ?, error = ? WHERE id = ?", (status, error, id)
                )

    def drain(self) -> None:
        """Let all that is on the agenda be done, whenever it is due, but for what can't be."""
        left = "SELECT 1 FROM core_agenda WHERE trouble IS NULL"
        self.conn.execute("UPDATE core_agenda SET trouble = NULL")
        while self.conn.execute(left).fetchone() is not None:
            self.conn.execute("UPDATE core_agenda SET at = 0 WHERE trouble IS NULL")
            self.work_off()

    def work_off(self) -> None:
        agenda.work_off(self.conn, lambda: write(self.conn), duty_of)

    def told(self, name: str = "h") -> list[dict[str, Any]]:
        """What the hook's jobs are given, in their order."""
        rows = self.conn.execute("SELECT params FROM jobs WHERE hook = ? ORDER BY rowid", (name,))
        return [json.loads(row[0]) for row in rows]

    def counts(self, name: str = "h") -> list[int]:
        return [told["count"] for told in self.told(name)]

    def only(self) -> Hook:
        (found,) = self.queue.hooks()
        return found

    def triggers(self) -> set[str]:
        return {row[0] for row in self.conn.execute(HOOK_TRIGGERS)}


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    made = File(tmp_path / "jobs.db")
    yield made
    made.conn.close()
    made.queue.close()


def test_all_that_failed_at_once_is_told_by_one_job(file: File) -> None:
    file.hook(every=60)
    ids = file.end(5_000)
    assert file.conn.execute("SELECT count(*) FROM core_hook_outbox").fetchone()[0] == 100
    assert file.only().waiting == 5_000
    file.drain()
    (told,) = file.told()
    assert told["count"] == 5_000
    assert [job["id"] for job in told["jobs"]] == ids[:100]
    hook = file.only()
    assert (hook.waiting, hook.jobs, hook.told, hook.next_at) == (0, 1, 5_000, None)


def test_a_job_is_told_with_all_that_a_pager_needs(file: File) -> None:
    file.hook()
    (id,) = file.end(batch="night", max_attempts=2)
    file.drain()
    (job,) = file.told()[0]["jobs"]
    assert abs(job.pop("ended") - time.time()) < 60
    assert job == {
        "id": id,
        "name": "job 0",
        "function": "etl.load",
        "status": "failed",
        "error_type": "ValueError",
        "error_message": "bad",
        "attempts": 0,
        "max_attempts": 2,
        "worker": "",
        "lane": "",
        "workflow": "",
        "batch": "night",
        "schedule": "",
        "now": "failed",
    }


def test_between_two_jobs_of_a_hook_lies_its_interval(file: File) -> None:
    file.hook(every=1000)
    file.end()
    file.drain()
    last = file.only().last_at
    file.end(3)
    hook = file.only()
    assert last is not None
    assert hook.next_at == pytest.approx(last + 1000)
    file.work_off()
    assert file.counts() == [1]
    file.drain()
    assert file.counts() == [1, 3]


def test_without_an_interval_it_is_told_at_once(file: File) -> None:
    file.hook()
    for n in (1, 2):
        file.end(n)
        file.work_off()
    assert file.counts() == [1, 2]


def test_a_hook_with_an_interval_waits_while_more_comes_in_but_not_for_ever(file: File) -> None:
    file.hook(every=60)
    file.end()
    for n in range(3):
        file.end()
        file.conn.execute("UPDATE core_agenda SET at = 0")
        file.work_off()
        assert file.counts() == [], n
    file.conn.execute("UPDATE core_hooks SET first = first - ?", (PATIENCE_S,))
    file.end()
    file.conn.execute("UPDATE core_agenda SET at = 0")
    file.work_off()
    assert file.counts() == [5]


def test_each_job_of_a_hook_names_what_ended_since_the_one_before(file: File) -> None:
    file.hook()
    wanted = []
    for n in (3, 1, 2):
        wanted.append(file.end(n))
        file.drain()
    assert [[job["id"] for job in told["jobs"]] for told in file.told()] == wanted


@pytest.mark.parametrize(
    ("status", "events"),
    [("failed", "f"), ("timeout", "f"), ("completed", "c"), ("cancelled", "")],
)
def test_each_end_is_told_to_the_hooks_of_its_event(file: File, status: str, events: str) -> None:
    file.hook("failed", name="f")
    file.hook("completed", name="c")
    file.end(status=status)
    assert {hook.name for hook in file.queue.hooks() if hook.waiting} == set(events)


def test_a_job_cancelled_for_a_parent_that_failed_is_told_and_one_that_was_cancelled_is_not(
    file: File,
) -> None:
    file.hook()
    parent, other = (Job(name, "etl.load") for name in ("parent", "other"))
    children = [
        Job("child", "etl.load", dependencies=[p.id], on_parent_failure="cancel")
        for p in (parent, other)
    ]
    grandchild = Job("g", "etl.load", dependencies=[children[0].id], on_parent_failure="cancel")
    file.queue.submit_many([parent, other, *children, grandchild])
    file.end_all([parent.id])
    file.queue.cancel(other.id)
    file.drain()
    told = {job["id"]: job for one in file.told() for job in one["jobs"]}
    assert set(told) == {parent.id, children[0].id, grandchild.id}
    assert told[grandchild.id]["status"] == "cancelled"
    assert told[grandchild.id]["error_message"].startswith("parent (")


def test_what_is_put_back_by_undo_has_not_failed_again(file: File) -> None:
    file.hook()
    ids = file.end(2)
    file.drain()
    undo = Undo()
    file.queue.requeue_jobs(ids, undo)
    assert all(outcome.done for outcome in file.queue.restore_jobs(undo))
    assert file.only().waiting == 0
    undo = Undo()
    file.queue.clear_jobs(ids, undo=undo)
    assert all(outcome.done for outcome in file.queue.restore_jobs(undo))
    assert file.only().waiting == 0


def test_what_became_of_a_job_since_it_failed_is_told_beside(file: File) -> None:
    file.hook()
    retried, passed, deleted, left = file.end(4)
    file.queue.requeue_jobs([retried, passed])
    file.end_all([passed], "completed")
    file.queue.clear_jobs([deleted])
    file.drain()
    (told,) = file.told()
    now = {job["id"]: (job["status"], job["now"], job["error_message"]) for job in told["jobs"]}
    assert now == {
        retried: ("failed", "pending", "bad"),
        passed: ("failed", "completed", "bad"),
        deleted: ("failed", "deleted", "bad"),
        left: ("failed", "failed", "bad"),
    }


def test_a_hooks_own_jobs_fire_none_however_often_they_fail(file: File) -> None:
    file.hook()
    file.hook("completed", name="c")
    file.end()
    file.drain()
    (own,) = [row[0] for row in file.conn.execute("SELECT id FROM jobs WHERE hook IS NOT NULL")]
    child = Job("child", "etl.load", dependencies=[own], on_parent_failure="cancel")
    file.queue.submit(child)
    for n in (1, 2):
        file.end_all([own])
        file.drain()
        hook = next(h for h in file.queue.hooks() if h.name == "h")
        assert (hook.failures_in_a_row, hook.last_status) == (n, "failed")
        file.queue.requeue_jobs([own])
    assert file.queue.get_status(child.id)["status"] == "cancelled"
    file.end_all([own], "completed")
    assert [(h.waiting, h.jobs) for h in file.queue.hooks()] == [(0, 0), (0, 1)]
    hook = next(h for h in file.queue.hooks() if h.name == "h")
    assert (hook.failures_in_a_row, hook.last_status) == (0, "completed")


def test_a_paused_hook_counts_on_and_tells_it_when_it_is_resumed(file: File) -> None:
    file.hook()
    assert file.queue.pause_hook("h")
    assert file.only().paused_at is not None
    file.end(150)
    file.drain()
    assert file.counts() == []
    assert file.only().waiting == 150
    assert file.only().next_at is None
    assert file.queue.resume_hook("h")
    assert file.only().paused_at is None
    file.drain()
    assert file.counts() == [150]
    assert not file.queue.pause_hook("other")
    assert not file.queue.resume_hook("other")


def test_a_pause_holds_for_what_was_due_already(file: File) -> None:
    file.hook()
    file.end()
    file.queue.pause_hook("h")
    file.work_off()
    assert file.counts() == []


def test_a_paused_hook_keeps_no_worker_awake_and_submits_nothing_that_is_on_the_agenda(
    file: File,
) -> None:
    file.hook()
    file.queue.pause_hook("h")
    file.end()
    assert file.conn.execute("SELECT * FROM core_agenda").fetchall() == []
    with write(file.conn):
        agenda.enter(file.conn, "hook:h", 0.0)
    file.work_off()
    assert file.counts() == []
    assert file.only().waiting == 1


def test_a_hook_that_is_made_again_is_changed_and_keeps_what_waits(file: File) -> None:
    file.hook(every=1000)
    file.end()
    file.drain()
    file.end(2)
    far = file.only().next_at
    assert far is not None
    assert far > time.time() + 900
    assert file.hook(match="fn:web", every=5) == "h"
    hook = file.only()
    assert (hook.match, hook.every, hook.waiting) == ("fn:web", 5, 2)
    assert hook.next_at is not None
    assert hook.next_at < time.time() + 6
    file.end(4)
    file.drain()
    assert file.counts() == [1, 2]


def test_a_hook_without_a_name_is_called_after_its_job_and_made_once(file: File) -> None:
    names = [
        file.queue.hook("failed", Job("page", hear, {"path": path}), every=every)
        for path, every in (("a", 0), ("b", 0), ("a", 5), ("b", 0), ("c", 0))
    ]
    assert names == ["page", "page-2", "page", "page-2", "page-3"]
    assert [(hook.name, hook.every) for hook in file.queue.hooks()] == [
        ("page", 5),
        ("page-2", 0),
        ("page-3", 0),
    ]


def test_a_hook_that_is_removed_leaves_nothing_and_costs_nothing(file: File) -> None:
    assert file.triggers() == set()
    file.hook()
    assert file.triggers() == {"core_hook_failed", "core_hook_due", "core_hook_ended"}
    file.hook("completed", match="fn:a|fn:b", name="c")
    assert "core_hook_completed" in file.triggers()
    file.end()
    assert file.queue.remove_hook("h")
    assert not file.queue.remove_hook("h")
    assert file.triggers() == {"core_hook_completed", "core_hook_due", "core_hook_ended"}
    assert file.queue.remove_hook("c")
    assert file.triggers() == set()
    for table in ("hooks", "hook_jobs", "hook_terms", "hook_outbox", "agenda"):
        assert file.conn.execute(f"SELECT count(*) FROM core_{table}").fetchone()[0] == 0, table
    assert read_hooks(file.conn) == []


def test_a_test_is_submitted_at_once_and_tells_nothing_else(file: File) -> None:
    file.hook(every=1000)
    file.end()
    id = file.queue.test_hook("h")
    (told,) = file.told()
    assert told["count"] == 1
    assert told["path"] == "x"
    (job,) = told["jobs"]
    assert job["error_message"] == "This is a test: no job has failed."
    hook = file.only()
    assert (hook.last_job_id, hook.last_status, hook.waiting) == (id, "pending", 1)
    file.drain()
    assert file.counts() == [1, 1]
    real = file.told()[1]["jobs"][0]
    assert set(job) == set(real)
    with pytest.raises(KeyError, match="no hook 'other'"):
        file.queue.test_hook("other")


def test_what_can_t_be_submitted_waits_and_is_told_and_nothing_is_lost(file: File) -> None:
    file.hook()
    (good,) = file.conn.execute("SELECT definition FROM core_hook_jobs").fetchone()
    bad = good.replace("hearing.hear", "hearing.he-ar")
    file.conn.execute("UPDATE core_hook_jobs SET definition = ?", (bad,))
    file.end(150)
    file.drain()
    hook = file.only()
    assert "can't name a function" in hook.problem
    assert hook.waiting == 150
    assert hook.next_at is not None
    assert 0 < hook.next_at - time.time() <= 60
    file.end()
    file.conn.execute("UPDATE core_hook_jobs SET definition = ?", (good,))
    file.drain()
    assert file.counts() == [151]
    assert file.only().problem == ""


def test_a_clock_that_is_set_back_keeps_no_hook_waiting(file: File) -> None:
    file.hook(every=60)
    file.end()
    file.drain()
    year = 365 * 86400
    file.conn.execute("UPDATE core_hooks SET last = last + ?", (year,))
    file.end()
    assert (at := file.only().next_at) is not None
    assert at < time.time() + 62
    # What was put on the agenda before the clock was set.
    file.conn.execute("UPDATE core_agenda SET at = at + ?", (year,))
    file.conn.execute("UPDATE core_hooks SET first = first + ?", (year,))
    agenda.recheck(file.conn, lambda: write(file.conn), duty_of)
    assert (at := file.only().next_at) is not None
    assert at < time.time() + 62
    file.drain()
    assert file.counts() == [1, 1]


def test_a_damaged_row_fails_nobody_and_is_told(file: File) -> None:
    file.hook(match="-err:nothing")
    values = [b"\xff\xfe", 7, 1.5, "a\0b", None, "x" * 10_000, "\\", "[", b""]
    (id,) = file.end(0) or [file.queue.submit(Job("a", "etl.load"))]
    for value in values:
        file.conn.execute(
            "UPDATE jobs SET status = 'pending', attempts = 0, error = NULL WHERE id = ?", (id,)
        )
        file.conn.execute(
            "UPDATE jobs SET status = 'failed', error = ?, attempts = ?, batch = ?, lane = ?, "
            "function_name = ?, max_attempts = ? WHERE id = ?",
            (value, value, value, value, value or "f", value, id),
        )
    assert file.only().waiting == len(values)
    file.drain()
    (told,) = file.told()
    assert told["count"] == len(values)
    assert told["jobs"][0]["error_message"] == "��"
    assert len(told["jobs"][5]["error_message"]) <= 2_000


@pytest.mark.parametrize("value", ["x" * 60_000, b"\xff", -1, 9e999, "a\0b", "[", ""])
def test_a_damaged_hook_keeps_no_job_from_its_end(file: File, value: object) -> None:
    for name in ("a", "b"):
        file.hook(match="fn:etl|name:x", name=name)
    tables = {"hooks": ("match", "every", "waiting", "seen", "first", "last", "paused", "jobs")}
    tables |= {"hook_terms": ("field", "exact", "pattern", "wanted"), "hook_jobs": ("definition",)}
    for table, columns in tables.items():
        for column in columns:
            (before,) = file.conn.execute(f"SELECT {column} FROM core_{table}").fetchone()
            change = f"UPDATE core_{table} SET {column} = ?"
            file.conn.execute(change, (value,))
            (id,) = file.end()
            assert file.queue.get_status(id)["status"] == "failed", column
            file.drain()
            assert len(file.queue.hooks()) == 2
            file.conn.execute(change, (before,))


def test_what_of_a_newer_release_is_made_again_after_the_file_is_attached_anew(file: File) -> None:
    file.hook()
    file.conn.execute("UPDATE core_meta SET value = '2' WHERE key = 'schema_version'")
    file.conn.execute("DROP TRIGGER core_hook_failed")
    JobQueue(file.db).close()
    file.queue.pause()
    file.queue.resume()
    file.end()
    assert file.only().waiting == 1


def test_detach_takes_hooks_and_all_they_have_counted(file: File) -> None:
    file.hook(match="fn:etl|name:x")
    file.end(3)
    file.queue.close()
    file.conn.close()
    detach(file.db)
    with closing(sqlite3.connect(file.db)) as conn:
        left = conn.execute("SELECT name FROM sqlite_master WHERE name GLOB 'core_*'").fetchall()
        assert left == []
        assert read_hooks(conn) == []
        assert "hook" not in [row[1] for row in conn.execute("PRAGMA table_info(jobs)")]
    file.conn = open_for_work(file.db, create=False)
    assert file.queue.hooks() == []


@task
def for_pager(channel: str, jobs: list[Any] | None = None, count: int = 0) -> None:
    """What a user's own may look like."""


def test_what_a_hook_submits_has_the_options_of_its_job(file: File) -> None:
    job = Job("page", for_pager, {"channel": "ops"}, priority=7, timeout="2m", batch="pages")
    file.queue.hook("failed", job, name="h")
    file.queue.hook("failed", for_pager.to_job(channel="b"), name="b")
    file.end()
    file.drain()
    row = file.queue.list_jobs("pending")
    own = next(job for job in row if job["hook"] == "h")
    assert (own["priority"], own["timeout"], own["batch"]) == (7, 120, "pages")
    assert own["params"]["channel"] == "ops"
    assert own["name"] == "page"
    hook = next(hook for hook in file.queue.hooks() if hook.name == "h")
    assert hook.options == {"name": "page", "priority": 7, "timeout": 120, "batch": "pages"}
    assert hook.function == "tests.unit.test_hooks.for_pager"


def test_a_function_that_needs_what_a_hook_gives_takes_any_value_for_it(file: File) -> None:
    job = Job("page", hear_needing_it, {"path": "x", "jobs": [], "count": 0})
    file.queue.hook("failed", job, name="h")
    file.end()
    file.drain()
    assert file.counts() == [1]


@pytest.mark.parametrize("function", ["gigq_core.post_json", post_json])
def test_what_comes_with_us_is_for_our_workers_alone(file: File, function: Any) -> None:
    if isinstance(function, str):
        job = Job("page", function, {"url": "http://localhost"})
    else:
        job = function.to_job(url="http://localhost")
    file.queue.hook("failed", job, name="h")
    file.end()
    file.drain()
    (own,) = [job for job in file.queue.list_jobs("pending") if job["hook"] == "h"]
    assert own["ours"]


def _page(**options: Any) -> Job:
    return Job("page", hear, {"path": "x"}, **options)


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        (lambda q: q.hook("fails", _page()), "say 'failed' or 'completed'"),
        (lambda q: q.hook("failed", hear), "pass task.to_job(...) or Job(...)"),
        (
            lambda q: q.hook("failed", Job("a", hear_none, {"path": "x"})),
            "no parameter jobs and co",
        ),
        (lambda q: q.hook("failed", _page(dependencies=["a"])), "leave dependencies out"),
        (lambda q: q.hook("failed", _page(unique=True)), "leave unique out"),
        (lambda q: q.hook("failed", _page(run_at="2030-01-01T00:00Z")), "leave run_at out"),
        (lambda q: q.hook("failed", _page(), "fun:a"), "no field fun"),
        (lambda q: q.hook("failed", _page(), every=-1), "every"),
        (lambda q: q.hook("failed", _page(), every="often"), "every"),
        (lambda q: q.hook("failed", _page(), name=" a"), "without spaces around it"),
        (lambda q: q.hook("failed", _page(), name="a\nb"), "printable"),
        (lambda q: q.hook("failed", _page(), name="a" * 101), "100 are the most"),
        (lambda q: q.hook("failed", _page(), name=3), "must be a string"),
    ],
)
def test_what_is_wrong_is_refused_before_anything_is_written(
    file: File, made: Any, sentence: str
) -> None:
    with pytest.raises((ValueError, TypeError)) as refused:
        made(file.queue)
    assert sentence in str(refused.value)
    assert file.queue.hooks() == []
    assert file.triggers() == set()


def test_a_file_without_hooks_says_so(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as conn:
        assert read_hooks(conn) == []


def test_a_moment_of_a_hook_is_in_utc_seconds(file: File) -> None:
    before = Moment.now().utc
    file.hook()
    assert before <= file.only().made_at <= time.time()
