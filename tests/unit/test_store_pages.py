"""Pages by key: what they hold, where they say they stand, and how SQLite walks to them."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigq_tui.store.filter.language import parse
from gigq_tui.store.list.view import END, TOP, Anchor, View
from gigq_tui.store.models import Tab, Window
from gigq_tui.store.reader import Reader
from tests.store_files import Writer, both_kinds, reading

MANY = 100_000


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A hundred thousand jobs, every tenth failed and the others waiting, a few with parents."""
    path = tmp_path_factory.mktemp("many") / "jobs.db"
    writer = Writer(path)
    writer.conn.execute(
        f"""
        WITH RECURSIVE n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY - 1})
        INSERT INTO jobs (id, name, function_name, function_module, status, created_at, updated_at,
                          dependencies)
        SELECT printf('id%06d', i), 'name' || i, 'work', 'tasks',
               CASE WHEN i % 10 = 0 THEN 'failed' ELSE 'pending' END,
               '2026-11-23T11:00:00', '2026-11-23T11:00:00',
               CASE WHEN i % 1000 = 1 THEN json_array(printf('id%06d', i - 1)) ELSE '[]' END
        FROM n"""
    )
    writer.worker("w1")
    writer.job("running", "running", worker_id="w1")
    writer.close()
    return path


@pytest.fixture
def reader(many: Path) -> Iterator[Reader]:
    with reading(many, is_dead=lambda process: False) as reader:
        yield reader


def plan_of(reader: Reader, sql: str) -> list[str]:
    """The steps of a traced statement; before Python 3.11 its values are still marks."""
    try:
        steps = reader._door.conn.execute(f"EXPLAIN QUERY PLAN {sql}")
    except sqlite3.ProgrammingError:
        steps = reader._door.conn.execute(f"EXPLAIN QUERY PLAN {sql}", [None] * sql.count("?"))
    return [step["detail"] for step in steps]


def scans(step: str, sql: str) -> bool:
    """Whether a step reads a table from end to end: the first rows of the claim order don't."""
    if "LIMIT" in sql and re.match(r"SCAN (jobs|e) USING (COVERING )?INDEX core_", step):
        return False
    return re.match(r"SCAN (jobs|j|p|e|job_executions)\b", step) is not None


def page(reader: Reader, view: View) -> Window:
    return reader.snapshot(view).window


def keys(window: Window) -> list[int]:
    return [row.key for row in window.rows]


ANCHORS = [TOP, END, Anchor.after(50_000, 50_001), Anchor.before(50_000, 50_001)]
ANCHORS += [Anchor.near(0.5, 50_000), Anchor.near(0.001, 100), Anchor.near(0.999, 99_900)]
FILTERS = ["", "name999", "state:ready", "age>1m -err:x", "pri:0 try:0"]


@pytest.mark.parametrize("anchor", ANCHORS, ids=repr)
@pytest.mark.parametrize("tab", [Tab.ALL, Tab.WAITING, Tab.RUNNING])
@pytest.mark.parametrize("text", FILTERS)
def test_nothing_scans_or_sorts_the_table_at_a_refresh(
    reader: Reader, tab: Tab, anchor: Anchor, text: str
) -> None:
    statements: list[str] = []
    conn = reader._door.conn
    conn.set_trace_callback(statements.append)
    reader.snapshot(View(tab, parse(text), anchor))
    conn.set_trace_callback(None)
    selects = [sql for sql in statements if sql.lstrip().startswith("SELECT")]
    assert len(selects) > 4
    for sql in selects:
        plan = plan_of(reader, sql)
        for step in plan:
            assert not scans(step, sql), (sql, plan)
            assert "TEMP B-TREE" not in step, (sql, plan)


@pytest.mark.parametrize("statement", ["detail", "graph"])
def test_nothing_scans_the_table_for_one_job(reader: Reader, statement: str) -> None:
    statements: list[str] = []
    reader._door.conn.set_trace_callback(statements.append)
    getattr(reader, statement)("id001001")
    reader._door.conn.set_trace_callback(None)
    for sql in (sql for sql in statements if sql.lstrip().startswith("SELECT")):
        plan = plan_of(reader, sql)
        assert not [step for step in plan if scans(step, sql)], sql


def test_no_statement_pages_by_offset(reader: Reader) -> None:
    statements: list[str] = []
    reader._door.conn.set_trace_callback(statements.append)
    for anchor in ANCHORS:
        reader.snapshot(View(Tab.WAITING, anchor=anchor))
    reader._door.conn.set_trace_callback(None)
    assert not [sql for sql in statements if "OFFSET" in sql.upper()]


def test_a_walk_down_meets_every_row_once(reader: Reader) -> None:
    view = View(Tab.FAILED, size=1_000)
    met: list[int] = []
    window = page(reader, view)
    while window.rows and window.start == len(met):
        met += keys(window)
        view = View(Tab.FAILED, anchor=Anchor.after(met[-1], len(met)), size=1_000)
        if len(met) >= window.total:
            break
        window = page(reader, view)
    assert len(met) == window.total == MANY // 10
    assert met == sorted(met, reverse=True)


def test_a_walk_up_ends_at_the_top(reader: Reader) -> None:
    view = View(anchor=END, size=1_000)
    window = page(reader, view)
    assert window.start == window.total - 1_000
    for _ in range(3):
        above = page(
            reader, View(anchor=Anchor.before(window.rows[0].key, window.start), size=1_000)
        )
        assert above.rows[-1].key == window.rows[0].key + 1
        assert above.start == window.start - 1_000
        window = above
    top = page(reader, View(anchor=Anchor.before(window.total - 3, 3), size=1_000))
    assert top.start == 0
    assert len(top.rows) == 1_000


def test_places_near_an_end_are_exact_whatever_was_told(reader: Reader) -> None:
    total = MANY + 1
    near_top = page(reader, View(anchor=Anchor.after(total - 100, 77_777)))
    assert near_top.start == 101
    near_end = page(reader, View(anchor=Anchor.after(1_000, 5)))
    assert near_end.start == total - 999
    middle = page(reader, View(anchor=Anchor.after(50_000, 50_001)))
    assert middle.start == 50_001


@pytest.mark.parametrize("fraction", [-1.0, 0.0, 0.25, 0.5, 0.9, 1.0, 2.0])
def test_a_jump_lands_about_there(reader: Reader, fraction: float) -> None:
    index = min(MANY, max(0, int(fraction * MANY)))
    window = page(reader, View(anchor=Anchor.near(fraction, index)))
    assert window.rows
    assert abs((MANY - window.rows[0].key) - index) < 100
    assert abs(window.start - index) < 100


def test_a_page_below_rows_that_are_gone_shows_the_last_ones(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.many(50)
    with reading(path) as reader:
        writer.conn.execute("DELETE FROM jobs WHERE rowid < 30")
        window = page(reader, View(anchor=Anchor.after(25, 25)))
        assert keys(window) == list(range(50, 29, -1))
        assert (window.start, window.total) == (0, 21)
    writer.close()


@both_kinds
def test_an_empty_queue_has_empty_pages(attached: bool, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    with reading(path) as reader:
        for anchor in ANCHORS:
            for text in ("", "a"):
                window = page(reader, View(filter=parse(text), anchor=anchor))
                assert (window.rows, window.start, window.total) == ((), 0, 0)
    writer.close()


@pytest.mark.parametrize("key", [0, 1, 2**63 - 1, -(2**63)])
def test_any_key_is_a_place(key: int, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.many(5)
    with reading(path) as reader:
        for anchor in (Anchor.after(key, 0), Anchor.before(key, 0)):
            assert len(page(reader, View(anchor=anchor)).rows) == 5 or key == 2
    writer.close()


def test_the_size_of_a_page_has_bounds() -> None:
    assert View(size=0).rows == 1
    assert View(size=10**9).rows == 1_000


def test_a_filter_counts_what_it_matches(reader: Reader) -> None:
    window = page(reader, View(Tab.FAILED, parse("name99")))
    assert window.total == len(window.rows) == 111
    assert all("name99" in row.name and row.status == "failed" for row in window.rows)
