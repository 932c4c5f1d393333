"""Keeping: what is set, what goes and what stays, step by step, without a worker."""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.keeping import rules as keepings
from gigq_core.keeping.rules import Keeping, keeping_words, read_keeping
from gigq_core.schema.opening import open_read_only
from gigq_core.system.paths import attempt_output
from gigq_core.worker.ledger import Ledger
from tests.waiting import wait_until

NOTHING = "tests.integration.chores.nothing"
ADD = "tests.integration.chores.add"
DAY = 86_400.0
WEEK = 7 * DAY


class Kept:
    """A queue, and somebody who works off its agenda without waiting for the moments on it."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.queue = JobQueue(path)
        self.ledger = Ledger(path, runs_script=False)
        self.conn = sqlite3.connect(path, isolation_level=None)

    def job(self, status: str, days: float, parents: tuple[str, ...] = (), **options: Any) -> str:
        """A job that ended so many days ago, or waits or runs; with one attempt."""
        job = Job(f"{status} {days:g}", NOTHING, dependencies=list(parents), **options)
        job_id = self.queue.submit(job)
        if status != "pending":
            ended = time.time() - days * DAY
            began = None if status == "running" else ended
            self.conn.execute(
                "UPDATE jobs SET status = ?, created = ?, ended = ? WHERE id = ?",
                (status, ended - 1, began, job_id),
            )
            self.conn.execute("UPDATE jobs SET ended = ? WHERE id = ?", (began, job_id))
            self.attempt(job_id, status)
        return job_id

    def attempt(self, job_id: str, status: str = "completed", output: str | None = None) -> str:
        execution_id = f"x-{time.monotonic_ns()}"
        file = attempt_output(self.path, execution_id)
        assert file is not None
        if output is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(output)
        self.conn.execute(
            "INSERT INTO job_executions (id, job_id, worker_id, status, started_at, output) "
            "VALUES (?, ?, 'w', ?, '2030-01-01T00:00:00', ?)",
            (execution_id, job_id, status, None if output is None else f"attempts/{file.name}"),
        )
        return execution_id

    def step(self) -> bool:
        """One step, as if its moment had come; says whether there was one."""
        self.conn.execute("UPDATE core_agenda SET at = 0 WHERE what = 'keep:'")
        if not self.queue.keeping().is_running:
            self.conn.execute("UPDATE core_keeping SET walked = NULL")
        return bool(self.ledger.work_off_agenda())

    def run(self) -> Keeping:
        """Steps until a whole run is over."""
        for _ in range(200):
            assert self.step()
            kept = self.queue.keeping()
            if not kept.is_running or kept.trouble:
                return kept
        raise AssertionError("it never ends")

    def ids(self) -> set[str]:
        return {row[0] for row in self.conn.execute("SELECT id FROM jobs")}

    def count(self, table: str) -> int:
        (n,) = self.conn.execute(f"SELECT count(*) FROM {table}").fetchone()
        return int(n)


@pytest.fixture(autouse=True)
def _unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """As many jobs at a time as there may be, however busy the machine is; and no clock was set."""
    monkeypatch.setattr(keepings.DUTY, "_last", None)
    monkeypatch.setattr(keepings.DUTY, "_most", keepings.JOBS_AT_ONCE)
    monkeypatch.setattr(keepings, "HELD_S", 1e9)


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path / "q.db")
    yield made
    made.ledger.close()
    made.conn.close()
    made.queue.close()


def test_by_default_all_stays_for_ever(kept: Kept) -> None:
    job = kept.job("completed", 10_000)
    assert kept.queue.keeping() == Keeping()
    assert not kept.step()
    assert kept.ids() == {job}


def test_what_is_not_named_stays_as_it_is(kept: Kept, tmp_path: Path) -> None:
    now = kept.queue.keep(completed="7d", archive=tmp_path / "archive")
    assert (now.completed, now.failed, now.cancelled) == (WEEK, None, None)
    now = kept.queue.keep(failed=90 * DAY, cancelled="12h")
    assert (now.completed, now.failed, now.cancelled) == (WEEK, 90 * DAY, DAY / 2)
    assert now.archive == str(tmp_path / "archive")
    assert keeping_words(now) == f"completed 7d, failed 90d, cancelled 12h; archive {now.archive}"
    now = kept.queue.keep(failed="forever", archive="")
    assert (now.completed, now.failed, now.cancelled, now.archive) == (WEEK, None, DAY / 2, "")
    now = kept.queue.keep(completed="forever", cancelled=float("inf"))
    assert not now.is_on
    assert now.next_run is None
    assert keeping_words(now) == "completed for ever, failed for ever, cancelled for ever"


@pytest.mark.parametrize(
    ("given", "sentence"),
    [
        ({"completed": "soon"}, "completed is 'soon': write an age like 7d or 12h, or forever."),
        ({"failed": "7"}, "failed"),
        ({"failed": -1}, "failed is -1: it can't be negative."),
        ({"cancelled": float("nan")}, "cancelled"),
        ({"completed": True}, "completed must be"),
        ({"completed": 1, "archive": 5}, "archive must be a folder's path"),
        ({"completed": 1, "archive": "/nowhere/at/all"}, "There is no folder /nowhere/at"),
        ({"completed": 1, "archive": "/dev/null"}, "is not a folder"),
        ({"completed": 1, "archive": "a\0"}, "NUL"),
        ({"completed": 1, "archive": "/tmp/\udcff"}, "archive can't be stored"),
        ({"completed": 1, "archive": " "}, "The archive has no name"),
    ],
)
def test_what_makes_no_sense_is_refused_and_changes_nothing(
    kept: Kept, given: dict[str, Any], sentence: str
) -> None:
    kept.queue.keep(failed="30d")
    with pytest.raises((TypeError, ValueError), match=sentence.replace("(", r"\(")):
        kept.queue.keep(**given)
    assert (kept.queue.keeping().completed, kept.queue.keeping().failed) == (None, 30 * DAY)


def test_each_status_goes_by_its_own_age(kept: Kept) -> None:
    ages = {"completed": 7.0, "failed": 90.0, "timeout": 90.0, "cancelled": 2.0}
    stay = {kept.job(status, age - 0.1) for status, age in ages.items()}
    stay |= {kept.job("pending", 0), kept.job("running", 500)}
    for status, age in ages.items():
        kept.job(status, age + 0.1)
    assert kept.queue.keep(completed="7d", failed="90d", cancelled="2d").overdue == 4
    now = kept.run()
    assert kept.ids() == stay
    assert (now.gone, now.gone_last, now.overdue, now.trouble) == (4, 4, 0, "")
    assert kept.queue.stats()["total"] == len(stay)


def test_what_goes_takes_its_traces_along_and_leaves_a_tombstone(kept: Kept) -> None:
    job, other = kept.job("completed", 8), kept.job("completed", 1)
    gone, stays = kept.attempt(job, output="hello\n"), kept.attempt(other, output="hello\n")
    kept.queue.keep(completed="7d")
    kept.run()
    files = [attempt_output(kept.path, id) for id in (gone, stays)]
    assert [file is not None and file.exists() for file in files] == [False, True]
    assert kept.count("core_left_files") == 0
    attempts = kept.conn.execute("SELECT DISTINCT job_id FROM job_executions").fetchall()
    assert attempts == [(other,)]
    assert kept.conn.execute("SELECT job_id, completed FROM core_tombstones").fetchall() == [
        (job, 1)
    ]
    child = kept.queue.submit(Job("late child", NOTHING, dependencies=[job]))
    assert kept.queue.get_status(child)["retry_after"] is None


@pytest.mark.parametrize(
    ("parent", "child", "options", "goes"),
    [
        ("completed", "pending", {}, False),
        ("completed", "running", {}, False),
        ("completed", "completed", {}, True),
        # They may be retried, or that they were cancelled may be taken back.
        ("completed", "failed", {}, False),
        ("completed", "timeout", {}, False),
        ("completed", "cancelled", {}, False),
        ("completed", "failed", {"pass_parent_results": False}, True),
        ("completed", "pending", {"pass_parent_results": False}, True),
        ("failed", "pending", {}, False),
        ("failed", "cancelled", {"on_parent_failure": "cancel"}, False),
        ("failed", "pending", {"pass_parent_results": False}, False),
        ("failed", "completed", {"on_parent_failure": "run"}, True),
    ],
)
def test_what_others_need_stays(
    kept: Kept, parent: str, child: str, options: dict[str, Any], goes: bool
) -> None:
    old = kept.job(parent, 100)
    young = kept.job(child, 0, (old,), **options)
    kept.queue.keep(completed="7d", failed="7d", cancelled="7d")
    now = kept.run()
    assert kept.ids() == ({young} if goes else {old, young})
    assert now.needed_last == (0 if goes else 1)
    if not goes:
        for status in ("pending", "completed"):
            kept.conn.execute(
                "UPDATE jobs SET status = ?, attempts = 0, error = NULL WHERE id = ?",
                (status, young),
            )
        kept.run()
        assert kept.ids() == {young}


def test_what_a_hook_is_still_to_tell_stays(kept: Kept) -> None:
    job = kept.job("failed", 100)
    kept.conn.execute(
        "INSERT INTO core_hook_outbox (hook, place, job_id) VALUES ('page', 1, ?)", (job,)
    )
    kept.queue.keep(failed="7d")
    assert kept.run().needed_last == 1
    kept.conn.execute("DELETE FROM core_hook_outbox")
    kept.run()
    assert kept.ids() == set()


def test_what_needs_others_keeps_them_all_the_way_up(kept: Kept) -> None:
    parents: tuple[str, ...] = ()
    for _ in range(6):
        parents = (kept.job("cancelled", 100, parents),)
    waits = kept.job("pending", 0, parents)
    kept.queue.keep(cancelled="7d")
    assert kept.run().needed_last == 6
    kept.queue.cancel(waits)
    kept.conn.execute("UPDATE jobs SET ended = 1 WHERE id = ?", (waits,))
    kept.run()
    assert kept.ids() == set()


@pytest.mark.parametrize("end", ["old", "young"])
def test_what_a_plan_says_goes_and_nothing_else(kept: Kept, end: str) -> None:
    parents: tuple[str, ...] = ()
    for status in ("completed", "cancelled", "timeout", "failed"):
        parents = (kept.job(status, 100, parents),)
    alone = kept.job("completed", 100)
    if end == "young":
        kept.job("failed", 1, parents)
    before = kept.ids()
    kept.queue.keep(completed="7d", failed="7d", cancelled="7d")
    with closing(open_read_only(kept.path)) as conn:
        plan = keepings.plan(conn, dict.fromkeys(keepings.AGES, 7 * DAY))
    now = kept.run()
    assert sum(plan.going.values()) == len(before - kept.ids())
    assert plan.needed == now.needed_last
    assert plan.going == (
        {"completed": 2, "failed": 1, "timeout": 1, "cancelled": 1}
        if end == "old"
        else {"completed": 1}
    )
    assert alone not in kept.ids()


def test_a_chain_goes_whole_in_one_run_however_long_it_is(kept: Kept) -> None:
    parents: tuple[str, ...] = ()
    for _ in range(2 * keepings.JOBS_AT_ONCE + 50):
        parents = (kept.job("failed", 100, parents),)
    kept.queue.keep(failed="7d")
    now = kept.run()
    assert kept.ids() == set()
    assert now.gone_last == 2 * keepings.JOBS_AT_ONCE + 50


def test_one_step_takes_a_bounded_number_of_jobs(kept: Kept) -> None:
    for _ in range(keepings.JOBS_AT_ONCE + 10):
        kept.job("completed", 8)
    kept.queue.keep(completed="7d")
    before = time.time()
    kept.step()
    assert kept.count("jobs") == 10
    now = kept.queue.keeping()
    assert now.is_running
    assert now.next_run is not None
    assert before < now.next_run <= time.time() + keepings.LONGEST_BREATH_S
    kept.run()
    assert kept.count("jobs") == 0


def test_where_others_wait_for_too_long_fewer_go_at_a_time(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keepings, "HELD_S", 0.0)
    for _ in range(250):
        kept.job("completed", 8)
    kept.queue.keep(completed="7d")
    left = []
    for _ in range(3):
        kept.step()
        left.append(kept.count("jobs"))
    assert left == [50, 40, 30]
    monkeypatch.setattr(keepings, "HELD_S", 1e9)
    kept.step()
    kept.step()
    assert kept.count("jobs") == 0


def test_large_jobs_go_few_at_a_time(kept: Kept) -> None:
    for _ in range(5):
        job = kept.job("completed", 8)
        text = json.dumps("x" * (keepings.BYTES_AT_ONCE // 2 - 100))
        kept.conn.execute("UPDATE jobs SET result = ? WHERE id = ?", (text, job))
    kept.queue.keep(completed="7d")
    left = []
    while kept.count("jobs"):
        kept.step()
        left.append(kept.count("jobs"))
    assert left == [3, 1, 0]


def test_it_begins_at_once_and_then_comes_by_the_shortest_age(kept: Kept) -> None:
    for given, pause in (({"completed": 2}, 1.0), ({"failed": "8h"}, 1.0)):
        kept.queue.keep(**given)
        assert kept.queue.keeping().next_run == pytest.approx(time.time(), abs=0.5)
        now = kept.run()
        assert now.next_run == pytest.approx(time.time() + pause, abs=0.5)
    kept.queue.keep(completed="forever", failed="40m")
    assert kept.run().next_run == pytest.approx(time.time() + 600, abs=1)
    kept.queue.keep(failed="90d")
    assert kept.run().next_run == pytest.approx(time.time() + 3600, abs=1)


def test_a_status_with_a_long_age_is_gone_through_less_often(kept: Kept) -> None:
    kept.queue.keep(completed=4, failed="90d")
    kept.run()
    kept.job("failed", 100)
    kept.job("completed", 1)
    for _ in range(2):
        kept.conn.execute("UPDATE core_agenda SET at = 0")
        kept.conn.execute("UPDATE core_keeping SET walked = json_set(walked, '$.completed', 0)")
        kept.ledger.work_off_agenda()
    assert [row[0] for row in kept.conn.execute("SELECT status FROM jobs")] == ["failed"]
    kept.run()
    assert kept.count("jobs") == 0


def test_a_step_that_was_prepared_for_other_wishes_deletes_nothing(kept: Kept) -> None:
    job = kept.job("completed", 8)
    kept.queue.keep(completed="7d")
    from gigq_core.units.times import Moment

    prepared = keepings.DUTY.prepare(kept.ledger.conn, "", Moment.now())
    kept.queue.keep(completed="9d")
    with kept.ledger.writing() as conn:
        assert keepings.DUTY.perform(conn, "", prepared, Moment.now()) is not None
    assert kept.ids() == {job}
    kept.queue.keep(completed="forever")
    with kept.ledger.writing() as conn:
        assert keepings.DUTY.perform(conn, "", prepared, Moment.now()) is None
    assert kept.ids() == {job}


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE jobs SET status = 'pending', attempts = 0, error = NULL WHERE id = :job",
        "UPDATE jobs SET ended = ended + 1 WHERE id = :job",
        "INSERT INTO jobs (id, name, function_name, function_module, dependencies, status, "
        "created_at, updated_at) VALUES ('c', 'c', 'f', 'm', json_array(:job), 'pending', "
        "'2030-01-01', '2030-01-01')",
    ],
    ids=["retried", "ended again", "a child came"],
)
def test_what_changed_after_it_was_looked_at_stays(kept: Kept, change: str) -> None:
    from gigq_core.units.times import Moment

    job = kept.job("failed", 8)
    kept.queue.keep(failed="7d")
    prepared = keepings.DUTY.prepare(kept.ledger.conn, "", Moment.now())
    assert prepared is not None
    assert len(prepared.going) == 1
    kept.conn.execute(change, {"job": job})
    with kept.ledger.writing() as conn:
        keepings.DUTY.perform(conn, "", prepared, Moment.now())
    assert job in kept.ids()


def test_a_job_whose_time_is_no_time_stays(kept: Kept) -> None:
    for value in (None, "long ago", b"\xff"):
        job = kept.job("completed", 8)
        kept.conn.execute(
            "UPDATE jobs SET ended = :v, completed_at = :v, updated_at = coalesce(:v, '') "
            "WHERE id = :id",
            {"v": value, "id": job},
        )
    kept.queue.keep(completed="7d")
    kept.run()
    assert kept.count("jobs") == 3


def test_a_row_of_before_the_file_was_attached_goes_by_its_text(kept: Kept) -> None:
    for days in (8, 6):
        text = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time.time() - days * DAY))
        kept.conn.execute(
            "UPDATE jobs SET ended = NULL, created = NULL, completed_at = ? WHERE id = ?",
            (text, kept.job("completed", 1)),
        )
    kept.queue.keep(completed="7d")
    kept.run()
    assert kept.count("jobs") == 1


def test_a_clock_that_was_set_forward_takes_nothing(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor is it taken at once when it is right again; and an age of before counts on."""
    for days in (6.9, 3, 0.001):
        kept.job("completed", days)
    kept.queue.keep(completed="7d")
    kept.run()
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + 365 * DAY)
    assert kept.run().overdue == 3
    assert kept.count("jobs") == 3
    monkeypatch.setattr(time, "time", true)
    kept.run()
    assert kept.count("jobs") == 3


def test_told_anew_that_it_is_to_go_it_goes_by_the_clock_as_it_is(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.job("completed", 1)
    kept.queue.keep(completed="7d")
    kept.run()
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() + 365 * DAY)
    kept.run()
    kept.queue.keep(completed="7d")
    kept.run()
    assert kept.count("jobs") == 0


def test_a_clock_set_back_does_not_let_it_wait_for_ever(
    kept: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept.queue.keep(completed="7d")
    kept.run()
    true = time.time
    monkeypatch.setattr(time, "time", lambda: true() - 365 * DAY)
    kept.ledger.recheck_agenda()
    at = kept.queue.keeping().next_run
    assert at is not None
    assert at <= time.time() + 3600


def test_files_of_other_times_are_read(tmp_path: Path, kept: Kept) -> None:
    """Without the table, as before; and with a damaged row."""
    plain = sqlite3.connect(":memory:")
    assert read_keeping(plain) == Keeping()
    kept.queue.keep(completed="7d")
    kept.conn.execute(
        "UPDATE core_keeping SET completed = 'x', failed = -5, gone = 'many', status = 'odd', "
        "after = 'x', seen = '[', trouble = x'ff'"
    )
    with open_read_only(kept.path) as conn:
        now = read_keeping(conn)
    assert (now.completed, now.failed, now.gone) == (None, None, 0)
    kept.step()


@pytest.mark.parametrize("age", ["'soon'", "x'ff'", "-1", "-9e999", "9e999"])
def test_an_age_that_is_none_takes_nothing(kept: Kept, age: str) -> None:
    kept.queue.keep(completed="7d", failed="7d")
    jobs = {kept.job("completed", days) for days in (1, 100)}
    kept.job("failed", 100)
    kept.conn.execute(f"UPDATE core_keeping SET completed = {age}")
    assert kept.run().completed is None
    assert kept.ids() == jobs


def test_what_has_gone_is_not_brought_back_by_undo(kept: Kept) -> None:
    from gigq_core import Undo

    job, undo = kept.job("pending", 0), Undo()
    kept.queue.cancel_jobs([job], undo=undo)
    kept.conn.execute("UPDATE jobs SET ended = 1 WHERE id = ?", (job,))
    kept.queue.keep(cancelled="7d")
    kept.run()
    (outcome,) = kept.queue.restore_jobs(undo)
    assert (outcome.done, outcome.reason) == (False, "it has been deleted since")


def test_a_file_whose_name_is_not_utf8_is_kept_too(tmp_path: Path) -> None:
    folder = Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9"))
    try:
        folder.mkdir()
    except OSError:
        pytest.skip("this file system takes no such names")
    kept = Kept(folder / "q.db")
    job = kept.job("completed", 8)
    execution = kept.attempt(job, output="hello\n")
    file = attempt_output(kept.path, execution)
    kept.queue.keep(completed="7d", archive=tmp_path / "archive")
    kept.run()
    assert file is not None
    assert not file.exists()
    (line,) = lines(tmp_path / "archive")
    assert "hello\n" in [attempt.get("output") for attempt in line["executions"]]
    kept.ledger.close()
    kept.conn.close()
    kept.queue.close()


# --- the archive -----------------------------------------------------------------------------


def lines(folder: Path) -> list[dict[str, Any]]:
    found = []
    for file in sorted(folder.iterdir()):
        found += [json.loads(line) for line in file.read_text().splitlines()]
    return found


def test_a_job_is_archived_whole(kept: Kept, tmp_path: Path) -> None:
    job = kept.queue.submit(
        Job("étude", ADD, params={"a": [1, None], "b": 2}, batch="b", retry=[1, 2], timeout=5)
    )
    kept.conn.execute(
        "UPDATE jobs SET status = 'failed', ended = 1000000000.5, created = 1, began = 2, "
        "error = 'ValueError: no', attempts = 2 WHERE id = ?",
        (job,),
    )
    kept.conn.execute("UPDATE jobs SET ended = 1000000000.5 WHERE id = ?", (job,))
    first, second = kept.attempt(job, "failed", "out\n"), kept.attempt(job, "failed", "x" * 200_000)
    kept.conn.execute("UPDATE job_executions SET traceback = 'Traceback…' WHERE id = ?", (first,))
    kept.queue.keep(failed="7d", archive=tmp_path / "archive")
    kept.run()
    assert kept.count("jobs") == 0
    (line,) = lines(tmp_path / "archive")
    assert line["id"] == job
    assert line["queue"] == "q.db"
    assert (line["name"], line["function"], line["status"]) == ("étude", ADD, "failed")
    assert line["params"] == {"a": [1, None], "b": 2}
    assert (line["batch"], line["retry"]) == ("b", [1.0, 2.0])
    assert (line["created"], line["ended"]) == (
        "1970-01-01T00:00:01.000Z",
        "2001-09-09T01:46:40.500Z",
    )
    assert line["error"] == "ValueError: no"
    one, two = line["executions"]
    assert (one["id"], one["output"], one["traceback"]) == (first, "out\n", "Traceback…")
    assert two["id"] == second
    assert two["output_bytes"] == 200_000
    assert len(two["output"]) < 70_000


def test_the_archive_is_for_this_user_alone(kept: Kept, tmp_path: Path) -> None:
    kept.job("completed", 8)
    kept.queue.keep(completed="7d", archive=tmp_path / "archive")
    kept.run()
    (file,) = (tmp_path / "archive").iterdir()
    assert (tmp_path / "archive").stat().st_mode & 0o777 == 0o700
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.name == f"q.db-{time.strftime('%Y-%m-%d', time.gmtime())}.jsonl"


@pytest.mark.parametrize("way", ["gone", "a file", "a link", "a folder in the way", "locked"])
def test_while_the_archive_can_not_be_written_nothing_goes(
    kept: Kept, tmp_path: Path, way: str
) -> None:
    import fcntl

    job, archive = kept.job("completed", 8), tmp_path / "archive"
    now = kept.queue.keep(completed="7d", archive=archive)
    file = archive / f"q.db-{time.strftime('%Y-%m-%d', time.gmtime())}.jsonl"
    held = None
    if way == "gone":
        archive.rmdir()
    elif way == "a file":
        archive.rmdir()
        archive.write_text("")
    elif way == "a link":
        file.symlink_to(tmp_path / "elsewhere")
    elif way == "a folder in the way":
        file.mkdir()
    else:
        held = file.open("ab")
        fcntl.flock(held, fcntl.LOCK_EX)
    now = kept.run()
    assert kept.ids() == {job}
    assert now.trouble.startswith("Nothing is deleted, since ")
    assert str(archive) in now.trouble
    assert ("another process writes to it" in now.trouble) == (way == "locked")
    assert now.next_run == pytest.approx(time.time() + keepings.PUT_OFF_S, abs=1)
    # It is not made again: a disk may not be mounted there.
    assert archive.is_dir() == (way not in ("gone", "a file"))
    assert not (tmp_path / "elsewhere").exists()
    if held is not None:
        held.close()
    elif way in ("gone", "a file"):
        archive.unlink(missing_ok=True)
        archive.mkdir()
    elif way == "a link":
        file.unlink()
    else:
        file.rmdir()
    now = kept.run()
    assert (kept.ids(), now.trouble) == (set(), "")
    assert [line["id"] for line in lines(archive)] == [job]


def test_a_full_disk_in_the_archive_lets_nothing_go_and_leaves_no_half_line(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import errno

    from gigq_core.keeping import archive as archives

    first = kept.job("completed", 8)
    kept.queue.keep(completed="7d", archive=tmp_path / "archive")
    kept.run()
    jobs = {kept.job("completed", 8) for _ in range(3)}

    def full(descriptor: int, data: Any) -> int:
        if len(data) < 100:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(descriptor, data[: len(data) // 2])

    real = os.write
    monkeypatch.setattr(archives.os, "write", full)
    now = kept.run()
    assert kept.ids() == jobs
    assert "No space left on device" in now.trouble
    assert [line["id"] for line in lines(tmp_path / "archive")] == [first]
    monkeypatch.setattr(archives.os, "write", real)
    kept.run()
    assert kept.ids() == set()
    assert {line["id"] for line in lines(tmp_path / "archive")} == {first, *jobs}


def test_an_archive_whose_disk_does_not_answer_stops_nobody(
    kept: Kept, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gigq_core.keeping import archive as archives

    job, answers, asked = kept.job("completed", 8), threading.Event(), []
    append = archives.append

    def hang(file: Path, given: list[bytes]) -> None:
        asked.append(file)
        answers.wait(60)
        append(file, given)

    monkeypatch.setattr(archives, "append", hang)
    monkeypatch.setattr(keepings, "ARCHIVE_FOR_S", 0.05)
    kept.queue.keep(completed="7d", archive=tmp_path / "archive")
    for _ in range(3):
        assert kept.run().trouble.endswith("its disk does not answer.")
    assert kept.ids() == {job}
    assert len(asked) == 1
    answers.set()
    monkeypatch.setattr(keepings, "ARCHIVE_FOR_S", 60.0)
    wait_until(lambda: kept.run().trouble == "")
    assert kept.ids() == set()
    assert {line["id"] for line in lines(tmp_path / "archive")} == {job}


def test_what_a_power_failure_left_of_a_line_is_taken_away(kept: Kept, tmp_path: Path) -> None:
    first = kept.job("completed", 8)
    kept.queue.keep(completed="7d", archive=tmp_path / "archive")
    kept.run()
    (file,) = (tmp_path / "archive").iterdir()
    with file.open("a") as stream:
        stream.write('{"format":1,"id":"half' + "x" * 100_000)
    second = kept.job("completed", 8)
    kept.run()
    assert [line["id"] for line in lines(tmp_path / "archive")] == [first, second]


@pytest.mark.parametrize(
    "value", ["NaN", '"\\ud800"', "{", b"\xff\xfe", "[" * 5000 + "]" * 5000, '{"a\\nb": "\\u2028"}']
)
def test_whatever_a_row_holds_its_line_can_be_read(
    kept: Kept, tmp_path: Path, value: str | bytes
) -> None:
    job = kept.job("completed", 8)
    kept.conn.execute("UPDATE jobs SET result = ?, params = ? WHERE id = ?", (value, value, job))
    kept.queue.keep(completed="7d", archive=tmp_path / "archive")
    kept.run()
    assert kept.ids() == set()
    (file,) = (tmp_path / "archive").iterdir()
    (raw,) = file.read_bytes().splitlines()

    def refuse(word: str) -> None:
        raise AssertionError(word)

    line = json.loads(raw.decode("utf-8"), parse_constant=refuse)
    assert line["id"] == job
