"""What the submit form asks of a file: bounded, in the order of the claims, on any file."""

from __future__ import annotations

import re
import uuid
from pathlib import Path

import pytest

from gigq_core import Job, JobQueue
from gigq_core.job import FunctionReference
from gigq_core.reasons.why import State, state_of
from gigq_tui.store import queries, submit_form
from gigq_tui.store.filter.sql_text import holds
from tests.store_files import GIGQ_FILES, NOW, Writer, ago, both_kinds, gigq_copy, reading


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


@both_kinds
def test_jobs_are_found_by_id_and_by_name(path: Path, attached: bool) -> None:
    writer = Writer(path, attached)
    writer.job("aaaa1", "failed", name="resize_one")
    writer.job("bbbb2", parents=["aaaa1"], name="resize_two")
    writer.job("cccc3", name="100%_aaaa1")
    with reading(path) as reader:
        two, one = reader.find_jobs("RESIZE")
        assert (one.id, two.id) == ("aaaa1", "bbbb2")
        assert state_of(two, NOW) is State.DOOMED
        # A job whose id it begins comes first; its name is looked through too.
        assert [row.id for row in reader.find_jobs(" aaaa ")] == ["aaaa1", "cccc3"]
        assert [row.id for row in reader.find_jobs("0%_")] == ["cccc3"]
        assert reader.find_jobs("%%") == ()
        assert reader.find_jobs("\udc80") == ()
        assert [row.id for row in reader.find_jobs("")] == ["cccc3", "bbbb2", "aaaa1"]
        assert list(reader.rows(("cccc3", "gone", "aaaa1"))) == ["cccc3", "aaaa1"]


def test_a_search_is_bounded(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Writer(path)
    writer.many(60, "needle")
    monkeypatch.setattr(submit_form, "SEARCHED_ROWS", 50)
    with reading(path) as reader:
        assert len(reader.find_jobs("eedle")) == submit_form.MAX_FOUND
        writer.many(50, "hay")
        assert reader.find_jobs("eedle") == ()


@both_kinds
def test_the_functions_of_the_newest_jobs(path: Path, attached: bool) -> None:
    writer = Writer(path, attached)
    for number, name in enumerate(("f", "g", "f", "h", "g")):
        writer.job(str(number), function_name=name, function_module="shop.a")
    with reading(path) as reader:
        assert reader.recent_functions() == ("shop.a.g", "shop.a.h", "shop.a.f")


def test_a_place_in_line_is_the_true_one(path: Path) -> None:
    """The job that is submitted is claimed after exactly as many as were said."""
    queue = JobQueue(path)
    function = FunctionReference("shop", "f")
    waiting = [Job(f"n{p}", function, priority=p) for p in (5, 0, 5, 3, 9, 0)]
    queue.submit_many(waiting)
    queue.submit(Job("blocked", function, priority=9, dependencies=[waiting[0].id]))
    with reading(path) as reader:
        for priority in (-1, 0, 3, 4, 5, 9, 10):
            said = reader.jobs_ahead(priority)
            new = Job("new", function, priority=priority)
            queue.submit(new)
            order = queue._all(
                "SELECT id FROM jobs WHERE status = 'pending' AND retry_after IS NULL"
                " ORDER BY priority DESC, rowid"
            )
            assert [row["id"] for row in order].index(new.id) == said
            queue.cancel(new.id)


def test_what_is_due_stands_in_line_and_what_is_not_does_not(path: Path) -> None:
    writer = Writer(path)
    writer.job("due", retry_after=ago(1))
    writer.job("later", retry_after=ago(-60))
    writer.job("ran", "completed")
    writer.job("script", function_module="__main__")
    with reading(path) as reader:
        assert reader.jobs_ahead(0) == 1
        assert reader.jobs_ahead(1) == 0


@both_kinds
def test_too_long_a_line_is_not_counted(
    path: Path, attached: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(submit_form, "MAX_PLACE", 10)
    writer = Writer(path, attached)
    writer.many(10)
    with reading(path) as reader:
        assert reader.jobs_ahead(0) == 10
        writer.job("one more")
        assert reader.jobs_ahead(0) is None


@pytest.mark.parametrize("name", GIGQ_FILES)
def test_a_gigq_file_as_it_is(name: str, tmp_path: Path) -> None:
    with reading(gigq_copy(tmp_path, name)) as reader:
        ready = reader.jobs_ahead(-100)
        assert ready is not None
        assert 0 < ready < 23
        assert reader.find_jobs("feed")
        assert reader.recent_functions()


def test_nothing_walks_through_the_table(path: Path) -> None:
    writer = Writer(path)
    writer.job(str(uuid.uuid4()))
    by_name = queries.ids_by_name(holds("name", "a")[0])
    with reading(path) as reader:
        for sql, bounded in (
            (queries.READY_AHEAD, False),
            (queries.DUE_AHEAD, False),
            (by_name, True),
            (queries.RECENT_FUNCTIONS, True),
            (queries.ahead_of_priority_unattached(reader._door.schema()), False),
        ):
            steps = reader._door.conn.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))
            plan = [step["detail"] for step in steps]
            # The two that begin at the newest rows walk no further than their inner limit.
            assert bounded or not [s for s in plan if re.match(r"SCAN jobs\b", s)], (sql, plan)
        assert re.search(r"ORDER BY rowid DESC LIMIT \?\)", by_name)
        assert re.search(r"ORDER BY rowid DESC LIMIT \?\)", queries.RECENT_FUNCTIONS)
