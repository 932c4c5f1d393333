"""The overview and the figures of the header: by function, what needs a person, when it is done."""

from __future__ import annotations

import re
import sqlite3
from dataclasses import replace
from pathlib import Path
from typing import Any

import gigq
import pytest

from gigq_core import Job, JobQueue, run_command
from gigq_core.hooks.rules import Hook
from gigq_core.inspection.doctor import LARGE_WAL_BYTES
from gigq_core.keeping.rules import Keeping
from gigq_core.reasons.why import Health
from gigq_core.schedules.rules import Schedule
from gigq_core.units.moments import brief_time
from gigq_core.units.times import moment_of
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.filter.language import parse
from gigq_tui.store.forecast import LEAST_BETWEEN_S
from gigq_tui.store.history import overview as overview_module
from gigq_tui.store.history.arranged import Arranged
from gigq_tui.store.history.attention import Concern, Level, WalWatch, concerns
from gigq_tui.store.history.overview import ALL, Overview, function_lines
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Counts, Figures, FileInfo, Tab, Trend
from gigq_tui.store.obstacles import Obstacles
from gigq_tui.store.reader import Reader
from gigq_tui.store.workers import FileWorkers
from tests.attempts import AttemptWriter, look
from tests.store_files import NOW, Writer, ago, both_kinds, reading

FILE = FileInfo("jobs.db", True, "wal", 4096, 0, "3.51.3")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


# --- by function ------------------------------------------------------------------------------


@both_kinds
def test_each_function_is_told_with_its_work(attached: bool, path: Path) -> None:
    writer = AttemptWriter(path, attached)
    for n in range(3):
        writer.done(f"a{n}", function_name="a", began=100, took=10 + n)
    writer.job("bad", "failed", function_name="a", attempts=1, started_at=ago(50))
    writer.attempt("bad", "failed", began=50, took=4)
    writer.job("waits", function_name="b", created_at=ago(500))
    writer.job("waits too", function_name="b", created_at=ago(400))
    writer.job("script", function_name="c", function_module="__main__")
    writer.job("runs", "running", function_name="b", worker_id="x", started_at=ago(10))
    writer.job("long", "running", function_name="b", worker_id="x", started_at=ago(600), timeout=60)
    with reading(path) as reader:
        seen, found = reader.overview(), function_lines(look(reader), reader.overview())
    writer.close()
    lines = {line.function: line for line in found}
    assert [line.function for line in found] == [ALL, "tasks.a", "tasks.b", "__main__.c"]
    a, b, script = lines["tasks.a"], lines["tasks.b"], lines["__main__.c"]
    assert (a.ready, a.running, a.then.done, a.then.failed) == (0, 0, 3, 1)
    assert a.then.run_s(0.5) == pytest.approx(10, rel=0.01)
    assert a.then.run_s(0.95) == pytest.approx(12, rel=0.01)
    assert (b.ready, b.running, b.then.done, b.then.run_s(0.5)) == (2, 2, 0, None)
    assert b.oldest is not None
    assert (NOW - b.oldest).total_seconds() == 500
    assert script.ready == 1
    assert (lines[ALL].ready, lines[ALL].running, lines[ALL].then.tried) == (3, 2, 4)
    assert lines[ALL].oldest == b.oldest
    assert seen.ready_counted == seen.counts.ready == 3
    assert seen.all_counted
    assert seen.ready_only is attached
    assert "overdue" in {concern.key for concern in seen.concerns}


def test_ready_jobs_are_told_apart_up_to_a_bound(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(overview_module, "MAX_READY", 5)
    writer = Writer(path)
    writer.many(8, "a", function_name="a")
    writer.job("blocked", parents=["a0"], function_name="z")
    with reading(path) as reader:
        seen = reader.overview()
    writer.close()
    assert (seen.ready_counted, seen.counts.ready, seen.all_counted) == (5, 8, False)
    assert {name: found.jobs for name, found in seen.ready.items()} == {"tasks.a": 5}


@both_kinds
def test_nothing_that_the_overview_reads_grows_with_the_table(attached: bool, path: Path) -> None:
    writer = AttemptWriter(path, attached)
    writer.conn.execute("BEGIN")
    for n in range(300):
        writer.done(f"a{n}")
        writer.job(f"b{n}", parents=["a0"])
    writer.job("runs", "running", worker_id="w1")
    writer.attempt("runs", "running", took=None)
    writer.conn.execute("COMMIT")
    if attached:
        writer.worker("w1")
    with reading(path, is_dead=lambda process: False) as reader:
        conn = reader._door.conn
        statements: list[str] = []
        conn.set_trace_callback(statements.append)
        reader.overview()
        writer.done("new")
        reader.overview()
        conn.set_trace_callback(None)
        selects = [sql for sql in statements if sql.lstrip().startswith("SELECT")]
        assert len(selects) > 10
        for sql in selects:
            if "GROUP BY" in sql and not attached and "LIMIT" not in sql:
                continue  # the counts of a file without counters, held back by their cost
            if "json_each(CASE" in sql:
                continue  # the dependencies of waiting jobs on such a file: bounded by its LIMIT
            plan = _plan(conn, sql)
            for step in plan:
                if re.match(r"SCAN jobs USING INDEX core_open", step):
                    assert re.search(r"LIMIT \d+", sql), (sql, plan)
                    continue
                assert not re.match(r"SCAN (jobs|j|p|e|job_executions)\b", step), (sql, plan)
                # What is grouped is bounded by a LIMIT within.
                assert "TEMP B-TREE" not in step or "LIMIT 20000)" in sql, (sql, plan)
    writer.close()


def _plan(conn: sqlite3.Connection, sql: str) -> list[str]:
    try:
        steps = conn.execute(f"EXPLAIN QUERY PLAN {sql}")
    except sqlite3.ProgrammingError:  # before Python 3.11 a traced statement keeps its marks
        steps = conn.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))
    return [step["detail"] for step in steps]


# --- what needs a person ----------------------------------------------------------------------


def keys(found: tuple[Concern, ...]) -> list[str]:
    return [concern.key for concern in found if concern.key != "sqlite"]


def attention(reader: Reader) -> dict[str, Concern]:
    return {concern.key: concern for concern in reader.overview().concerns}


def test_a_queue_at_its_work_needs_nobody(path: Path) -> None:
    writer = Writer(path)
    writer.worker("w1")
    writer.job("ready")
    writer.job("runs", "running", worker_id="w1")
    with reading(path, is_dead=lambda process: False) as reader:
        assert keys(reader.overview().concerns) == []
    writer.close()


def test_everything_that_stands_against_the_work_is_told_the_gravest_first(path: Path) -> None:
    writer = Writer(path)
    writer.worker("w1", pid=1)
    writer.worker("w2", pid=2)
    writer.worker("w3", pid=3, state="draining")
    writer.job("orphan", "running", worker_id="w1")
    writer.job("late", "running", worker_id="w3", started_at=ago(900), timeout=60)
    writer.job("bad", "failed")
    writer.job("doomed", parents=["bad"])
    writer.job("doomed too", parents=["doomed"])
    writer.job("ready")
    writer.insert("core_meta", {"key": "paused_at", "value": ago(1)})
    with reading(path, is_dead=lambda process: process.pid != 3) as reader:
        found = attention(reader)
    writer.close()
    levels = [concern.level for concern in found.values()]
    assert levels == sorted(levels, key=list(Level).index)
    wanted = {"orphans", "lost", "paused", "idle", "overdue", "doomed", "failed"}
    assert set(found) - {"sqlite"} == wanted
    assert found["failed"].text == "1 job failed"
    assert found["failed"].lead.tab is Tab.FAILED
    assert found["orphans"].text == "1 running job orphaned: w1 gone"
    assert found["orphans"].lead.workers
    assert "w2" in found["lost"].text
    assert found["doomed"].text == "2 jobs can never run: blocked by 1 failed job"
    assert (found["doomed"].lead.tab, found["doomed"].lead.filter_text) == (
        Tab.WAITING,
        "state:doomed",
    )
    assert found["overdue"].lead.filter_text == "state:overdue"


def test_jobs_that_nobody_works_on_are_told(path: Path) -> None:
    writer = Writer(path)
    writer.job("ready")
    with reading(path) as reader:
        assert attention(reader)["nobody"].level is Level.GRAVE
        writer.job("gigq's", "running", worker_id="theirs")
        assert "nobody" not in attention(reader)
    writer.close()


def test_a_key_that_two_jobs_hold_needs_a_person(tmp_path: Path) -> None:
    """GigQ's requeue does not ask for it."""
    path = tmp_path / "q.db"
    queue = JobQueue(path)
    with reading(path) as reader:
        old = queue.submit(Job("n", "a.b", unique="k"))
        queue.cancel(old)
        queue.submit(Job("n", "a.b", unique="k"))
        assert "shared_keys" not in attention(reader)
        theirs = gigq.JobQueue(str(path))
        assert theirs.requeue_job(old)
        gigq.close_connections()
        told = attention(reader)["shared_keys"]
        assert told.text == "1 unique key is held by two jobs: GigQ requeued one"
        assert told.lead.advice
    queue.close()


def test_what_is_wrong_with_the_file_is_told() -> None:
    def told(info: FileInfo, *, starved: bool = False) -> list[str]:
        return keys(concerns(FileWorkers(), Counts(), info, overdue=0, starved=starved))

    assert told(FILE) == []
    assert told(replace(FILE, attached=False, journal_mode="delete")) == ["journal", "gigq"]
    assert told(replace(FILE, wal_size=LARGE_WAL_BYTES + 1)) == ["wal"]
    assert told(replace(FILE, wal_size=LARGE_WAL_BYTES + 1), starved=True) == ["starved"]


@pytest.mark.parametrize(
    ("late_s", "troubles", "said"),
    [
        ([], [], []),
        ([59], [], []),
        ([61], [], ["schedule s0 is late: no worker has made the job of a slot"]),
        ([61, 9000, 1], [], ["2 schedules are late: no worker has made the job of a slot"]),
        ([61], ["No."], ["no job can be made of schedule s0: No."]),
        ([-5, 0], ["No.", "Nor."], ["no job can be made of 2 schedules"]),
    ],
)
def test_schedules_that_are_late_or_can_not_be_submitted_need_a_person(
    late_s: list[float], troubles: list[str], said: list[str]
) -> None:
    schedules = [
        Schedule(f"s{n}", "@daily", next_at=NOW.timestamp() - late) for n, late in enumerate(late_s)
    ]
    for n, trouble in enumerate(troubles):
        schedules[n] = replace(schedules[n], trouble=trouble)
    paused = Schedule("paused", "@daily", paused_at=1.0, next_at=None)
    never = Schedule("never", "@daily")
    found = concerns(
        FileWorkers(),
        Counts(),
        FILE,
        overdue=0,
        starved=False,
        arranged=Arranged(schedules=[*schedules, paused, never]),
        now=NOW,
    )
    ours = [concern for concern in found if concern.lead.screen == "schedules"]
    assert [concern.text for concern in ours] == said
    assert {concern.key for concern in found} - {"sqlite"} == {concern.key for concern in ours}


HOOK = Hook("page", "failed", "fn:etl.*", every=60.0)
AT = NOW.timestamp()


@pytest.mark.parametrize(
    ("hook", "level", "said", "leads_to"),
    [
        (
            HOOK,
            Level.NOTE,
            "hook page: told of failed jobs fn:etl.*, once in 1m at most",
            "hook=page",
        ),
        (
            replace(HOOK, waiting=1204, paused_at=AT, last_at=AT - 60, last_status="completed"),
            Level.NOTE,
            "hook page: told of failed jobs fn:etl.*, once in 1m at most, paused, "
            "1,204 to be reported, its last job "
            f"{brief_time(moment_of(AT - 60), NOW)} completed",
            "hook=page",
        ),
        (Hook("x", "completed"), Level.NOTE, "hook x: told of completed jobs", "hook=x"),
        (
            replace(HOOK, failures_in_a_row=3, waiting=2),
            Level.WARNING,
            "the last 3 jobs of hook page failed",
            "hook=page",
        ),
        (
            replace(HOOK, problem="timeout is 0", failures_in_a_row=3),
            Level.WARNING,
            "hook page can't submit its job: timeout is 0",
            "",
        ),
    ],
)
def test_a_hook_is_told_and_what_is_wrong_with_it(
    hook: Hook, level: Level, said: str, leads_to: str
) -> None:
    (told,) = arranged_concerns(Arranged(hooks=[hook]))
    assert (told.level, told.text, told.lead.filter_text) == (level, said, leads_to)
    assert told.lead.advice or parse(told.lead.filter_text)


@pytest.mark.parametrize("failures", [0, 2])
def test_a_hook_whose_name_is_no_text_leads_nowhere(failures: int) -> None:
    """As a damaged row is read: what can't be decoded is replaced."""
    hook = replace(HOOK, name="pa\ufffdge", failures_in_a_row=failures)
    (told,) = arranged_concerns(Arranged(hooks=[hook]))
    assert told.lead.filter_text == ""
    assert told.lead.advice.startswith("Its jobs can't be listed")


def test_of_many_hooks_that_are_fine_some_are_told_and_the_rest_counted() -> None:
    hooks = [replace(HOOK, name=f"h{n}") for n in range(9)]
    hooks[8] = replace(hooks[8], failures_in_a_row=1)
    told = [concern.text for concern in arranged_concerns(Arranged(hooks=hooks))]
    assert told[0] == "the last job of hook h8 failed"
    assert [text.split(":")[0] for text in told[1:5]] == [f"hook h{n}" for n in range(4)]
    assert told[5:] == ["4 hooks more"]


@pytest.mark.parametrize(
    ("keeping", "level", "said"),
    [
        (
            Keeping(completed=7 * 86_400.0, gone=12_345, needed_last=17),
            Level.NOTE,
            "keeping completed 7d, failed for ever, cancelled for ever; 12,345 jobs gone, 17 old "
            "ones needed",
        ),
        (
            Keeping(failed=60.0, trouble="the archive /srv/a is gone."),
            Level.WARNING,
            "old jobs can't be deleted: the archive /srv/a is gone",
        ),
    ],
)
def test_keeping_is_told_and_why_it_can_not_go_on(
    keeping: Keeping, level: Level, said: str
) -> None:
    (told,) = arranged_concerns(Arranged(keeping=keeping))
    assert (told.level, told.text) == (level, said)
    assert "gigq-core keep" in told.lead.advice


def test_a_file_without_hooks_and_keeping_says_nothing_of_them() -> None:
    assert arranged_concerns(Arranged()) == []


def test_hooks_and_keeping_are_read_from_the_file(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    queue = JobQueue(path)
    queue.hook("failed", run_command.to_job(command=["true"]), match="name:a", name="page")
    queue.keep(completed="7d")
    queue.close()
    with reading(path) as reader:
        told = attention(reader)
    assert told["hook page"].text == "hook page: told of failed jobs name:a"
    assert told["keeping"].text.startswith("keeping completed 7d, failed for ever")


def arranged_concerns(arranged: Arranged) -> list[Concern]:
    found = concerns(
        FileWorkers(), Counts(), FILE, overdue=0, starved=False, arranged=arranged, now=NOW
    )
    return [concern for concern in found if concern.key != "sqlite"]


def test_a_wal_is_starved_while_it_is_large_and_grows() -> None:
    watch = WalWatch()
    watch.saw(LARGE_WAL_BYTES * 2, 0.0)
    assert not watch.starved(0.0)  # the first sight of it proves no growth
    watch = WalWatch()
    watch.saw(LARGE_WAL_BYTES + 1, 0.0)
    watch.saw(LARGE_WAL_BYTES + 1, 100.0)
    assert not watch.starved(100.0)
    watch.saw(LARGE_WAL_BYTES + 2, 101.0)
    assert watch.starved(101.0)
    assert watch.starved(160.0)
    assert not watch.starved(162.0)
    watch.saw(0, 163.0)
    assert not watch.starved(163.0)


# --- the figures of the header ----------------------------------------------------------------


def test_the_figures_are_of_the_last_work_and_stay_at_rest(path: Path) -> None:
    writer = AttemptWriter(path)
    for n in range(18):
        writer.done(f"a{n}", began=100, took=1 + n)
    for n in range(2):
        writer.job(f"b{n}", "failed", attempts=1, started_at=ago(100))
        writer.attempt(f"b{n}", "failed", began=100, took=90)
    writer.done("before", began=5_000, took=4_000)
    clock = FrozenClock(NOW)
    with reading(path, clock=clock) as reader:
        figures = reader.snapshot(View()).figures
        assert figures.failed_share == pytest.approx(0.1)
        assert (figures.p50_s, figures.p95_s) == (10, 90)
        assert figures.ahead is None
        clock.advance(100_000)
        # The rate has faded, of course.
        assert reader.snapshot(View()).figures == replace(figures, trend=None)
    writer.close()


def test_nothing_is_said_of_what_is_not_known(path: Path) -> None:
    writer = Writer(path)
    writer.many(3)
    with reading(path) as reader:
        figures = reader.snapshot(View()).figures
    writer.close()
    assert (figures.trend, figures.failed_share, figures.p50_s, figures.ahead) == (None,) * 4


def test_the_rate_is_compared_with_the_minute_before(path: Path) -> None:
    writer = AttemptWriter(path)
    for second in range(100):  # one a second, an hour ago and until now
        writer.done(f"a{second}", began=101.5 - second, took=0.5)
    clock = FrozenClock(NOW)
    with reading(path, clock=clock) as reader:
        assert reader.snapshot(View()).figures.trend is Trend.STEADY
        for n in range(10):
            writer.done(f"b{n}", began=3, took=0.5)
        assert reader.snapshot(View()).figures.trend is Trend.UP
        clock.advance(30)
        assert reader.snapshot(View()).figures.trend is Trend.DOWN
        clock.advance(500)
        assert reader.snapshot(View()).figures.trend is None
    writer.close()


def figures_ahead(reader: Reader) -> Figures:
    """The figures once the forecast has been made, for which a snapshot has to be read first."""
    reader.snapshot(View())
    while reader.forecast_in() == 0.0:
        reader.look_ahead()
    return reader.snapshot(View()).figures


def test_when_it_is_done_follows_from_past_runs_and_the_slots(path: Path) -> None:
    writer = AttemptWriter(path)
    writer.worker("w1", slots=2)
    for n in range(20):  # two a second, but that says nothing of how long one takes
        writer.done(f"a{n}", began=11 - n / 2, took=1.0)
    writer.many(98, "ready")
    writer.many(2, "runs", "running", worker_id="w1", started_at=ago(0))
    clock = FrozenClock(NOW)
    with reading(path, is_dead=lambda process: False, clock=clock) as reader:
        assert reader.snapshot(View()).figures.ahead is None
        figures = figures_ahead(reader)
        assert figures.ahead is not None
        assert figures.ahead.left(NOW).p50 == pytest.approx(50, rel=0.1)
        assert figures.ahead.more_slots == 4
        with_more = figures.ahead.left_with_more(NOW)
        assert with_more is not None
        assert with_more.p50 == pytest.approx(25, rel=0.1)
        # It comes nearer by itself, and is not made anew for a while.
        clock.advance(2.0)
        assert reader.forecast_in() == pytest.approx(LEAST_BETWEEN_S - 2.0)
        assert figures.ahead.left(clock.now()).p50 == pytest.approx(48, rel=0.1)
        # A slot that is free shows that more of them would not help.
        writer.conn.execute("UPDATE jobs SET status = 'cancelled' WHERE id = 'runs0'")
        clock.advance(2.0)
        figures = figures_ahead(reader)
        assert figures.ahead is not None
        assert figures.ahead.more is None
        writer.insert("core_meta", {"key": "paused_at", "value": ago(1)})
        assert figures_ahead(reader).ahead is None
    writer.conn.execute("DELETE FROM core_meta WHERE key = 'paused_at'")
    with reading(path, is_dead=lambda process: True) as reader:
        snapshot = reader.snapshot(View())
        assert snapshot.workers[0].health is Health.LOST
        assert figures_ahead(reader).ahead is None
    writer.close()


def test_slow_work_is_foretold_by_its_few_runs(path: Path) -> None:
    writer = AttemptWriter(path)
    writer.worker("w1")
    for n in range(6):
        writer.done(f"a{n}", began=3_000 - 500 * n, took=280)
    writer.many(6, "ready")
    with reading(path, is_dead=lambda process: False) as reader:
        ahead = figures_ahead(reader).ahead
    writer.close()
    assert ahead is not None
    assert ahead.left(NOW).p50 == pytest.approx(6 * 280, rel=0.1)


@pytest.mark.parametrize("runs", [0, 1, 2])
def test_nothing_is_foretold_by_fewer_than_three_runs(path: Path, runs: int) -> None:
    """Three seconds after the first job, days were foretold."""
    writer = AttemptWriter(path)
    writer.worker("w1")
    for n in range(runs):
        writer.done(f"a{n}", began=3, took=0.4)
    writer.many(1_000, "ready")
    with reading(path, is_dead=lambda process: False) as reader:
        assert figures_ahead(reader).ahead is None
    writer.close()


def test_what_is_not_due_yet_does_not_put_the_end_off(path: Path) -> None:
    writer = AttemptWriter(path)
    writer.worker("w1")
    for n in range(10):
        writer.done(f"a{n}", began=20 - n, took=1.0)
    writer.many(10, "ready")
    writer.job("tonight", retry_after=ago(-36_000))
    writer.job("behind", parents=["tonight"])
    with reading(path, is_dead=lambda process: False) as reader:
        ahead = figures_ahead(reader).ahead
    writer.close()
    assert ahead is not None
    assert ahead.left(NOW).p50 == pytest.approx(10, rel=0.15)


def test_an_overview_asked_through_the_feed_is_the_readers(path: Path) -> None:
    writer = AttemptWriter(path)
    writer.done("a")
    with reading(path) as reader:
        assert isinstance(reader.overview(), Overview)
    writer.close()


def test_a_worker_of_the_release_before_needs_a_person(path: Path) -> None:
    writer = AttemptWriter(path)
    writer.worker("w1")
    for id, more in (("w2", {}), ("w3", {"state": "stopped", "stopped_at": ago(1)})):
        writer.worker(id, release=None, **more)
    writer.close()
    with reading(path, is_dead=lambda process: False) as reader:
        concerned = reader.overview().concerns
        assert [w.id for w in reader.snapshot(View()).workers if w.is_before] == ["w2", "w3"]
    (told,) = [concern for concern in concerned if concern.key == "before"]
    assert told.text == "w2 is of the previous release: it ignores the rates of lanes"


@pytest.mark.parametrize(
    ("changes", "key", "words"),
    [
        ({"obstacles": Obstacles(writer=4194305)}, "locked", "pid 4194305 keeps the write lock"),
        ({"obstacles": Obstacles(disk_full=True)}, "disk", "disk is full"),
        (
            {"obstacles": Obstacles(reader=4194305), "wal_size": 288_000_000},
            "starved",
            "288 MB: pid 4194305 keeps a read transaction open",
        ),
        (
            {"offsets": "different UTC offsets"},
            "offsets",
            "offsets: delays are off for GigQ's workers",
        ),
        ({"still": True, "journal_mode": "immutable"}, "still", "no write access"),
    ],
)
def test_what_keeps_everybody_from_writing_needs_a_person(
    changes: dict[str, Any], key: str, words: str
) -> None:
    found = concerns(FileWorkers(), Counts(), replace(FILE, **changes), overdue=0, starved=True)
    (concern,) = [c for c in found if c.key == key]
    assert words in concern.text
    assert concern.lead.advice
    assert "journal" not in [c.key for c in found]
