"""The orders of the list: what stands first, what an order costs, and who is claimed next."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from gigq_core.reasons.why import State, first_line, state_of, why
from gigq_core.schema.attach import open_for_work
from gigq_core.schema.worker_statements import CLAIM
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.door import Interrupted
from gigq_tui.store.filter.language import parse
from gigq_tui.store.list.ranking import MAX_RANKED
from gigq_tui.store.list.view import END, TOP, Anchor, View, sort_keys
from gigq_tui.store.models import Tab
from gigq_tui.store.reader import Reader
from gigq_tui.store.sorting import Sort, SortKey
from tests import scene
from tests.store_files import DATA, GIGQ_FILES, NOW, Writer, ago, both_kinds, gigq_copy, reading

CLAIMED = Sort(SortKey.CLAIM)


def names(reader: Reader, **view: object) -> list[str]:
    return [row.id for row in reader.snapshot(View(**view)).window.rows]  # type: ignore[arg-type]


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "jobs.db")
    yield writer
    writer.close()


def mixed(writer: Writer) -> None:
    writer.job("Beta", "completed", started_at=ago(50), completed_at=ago(10), created_at=ago(90))
    writer.job("alpha", "failed", started_at=ago(30), completed_at=ago(25), created_at=ago(99))
    writer.job(
        "gamma", "running", started_at=ago(20), attempts=3, created_at=ago(40), function_name="Act"
    )
    writer.job("delta", priority=7, created_at=ago(5))
    writer.job("omega", "cancelled", started_at=None, completed_at=ago(1), created_at=ago(50))


ORDERS = {
    SortKey.SUBMITTED: "omega delta gamma alpha Beta",
    SortKey.PRIORITY: "delta omega gamma alpha Beta",
    SortKey.NAME: "alpha Beta delta gamma omega",
    SortKey.ATTEMPTS: "gamma omega delta alpha Beta",
    SortKey.AGE: "alpha Beta omega gamma delta",
    SortKey.DURATION: "Beta gamma alpha omega delta",
    SortKey.STARTED: "gamma alpha Beta omega delta",
    SortKey.ENDED: "omega Beta alpha delta gamma",
    SortKey.STATE: "alpha gamma delta Beta omega",
    SortKey.FUNCTION: "gamma omega delta alpha Beta",
    SortKey.BATCH: "omega delta gamma alpha Beta",
}
TURNED = {
    SortKey.SUBMITTED: "Beta alpha gamma delta omega",
    SortKey.PRIORITY: "omega gamma alpha Beta delta",
    SortKey.NAME: "omega gamma delta Beta alpha",
    SortKey.ATTEMPTS: "omega delta alpha Beta gamma",
    SortKey.AGE: "delta gamma omega Beta alpha",
    SortKey.DURATION: "alpha gamma Beta omega delta",
    SortKey.STARTED: "Beta alpha gamma omega delta",
    SortKey.ENDED: "alpha Beta omega delta gamma",
    SortKey.STATE: "omega Beta delta gamma alpha",
    SortKey.FUNCTION: "omega delta alpha Beta gamma",
    SortKey.BATCH: "omega delta gamma alpha Beta",
}


@both_kinds
@pytest.mark.parametrize("key", ORDERS)
def test_each_order_both_ways_round(key: SortKey, attached: bool, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db", attached)
    mixed(writer)
    with reading(writer.path) as reader:
        for turned, expected in ((False, ORDERS[key]), (True, TURNED[key])):
            view = View(sort=Sort(key, turned))
            snapshot = reader.snapshot(view)
            assert [row.id for row in snapshot.window.rows] == expected.split()
            assert snapshot.sort == view.sort
            assert reader.matching_ids(view) == tuple(expected.split())
            assert reader.matching_ids(view, 2) == tuple(expected.split()[:2])
    writer.close()


@pytest.mark.parametrize("name", GIGQ_FILES)
@pytest.mark.parametrize("key", SortKey)
def test_files_of_every_release_are_listed_in_every_order(
    key: SortKey, name: str, tmp_path: Path
) -> None:
    with reading(gigq_copy(tmp_path, name)) as reader:
        everything = set(reader.matching_ids(View()))
        for tab in (tab for tab in Tab if key in sort_keys(tab)):
            for turned in (False, True):
                view = View(tab, sort=Sort(key, turned))
                listed = [row.id for row in reader.snapshot(view).window.rows]
                assert listed == list(reader.matching_ids(view))
                assert set(listed) <= everything
                assert set(listed) == set(reader.matching_ids(View(view.listed_tab)))


@pytest.mark.parametrize("turned", [False, True])
def test_a_batch_may_be_any_bytes(writer: Writer, turned: bool) -> None:
    """What is no text comes back as another text, which must not be gone on from."""
    odd = ["x'ff'", "x'ff41'", "x'00'", "x''", "x'efbfbd'", "x'610062'"]
    for number, bytes_of_it in enumerate(odd):
        writer.job(f"j{number}")
        statement = f"UPDATE jobs SET batch = CAST({bytes_of_it} AS TEXT) WHERE id = 'j{number}'"
        writer.conn.execute(statement)
    for number in range(2):
        writer.job(f"blob{number}")
        writer.conn.execute(f"UPDATE jobs SET batch = x'ff' WHERE id = 'blob{number}'")
    writer.job("none")
    with reading(writer.path) as reader:
        listed = names(reader, sort=Sort(SortKey.BATCH, turned))
    # By their bytes; a blob is no batch.
    rising = ["j3", "j2", "j5", "j4", "j0", "j1"]
    assert listed[:6] == (rising if listed[0] == "j3" else rising[::-1])
    assert listed[6:] == ["none", "blob1", "blob0"]


def test_batches_come_in_their_order_along_their_index(writer: Writer) -> None:
    batches = ["b", None, "a", "b", "C", None, "a", "ä"]
    for number, batch in enumerate(batches):
        writer.job(f"j{number}", batch=batch, priority=number % 2)
    with reading(writer.path) as reader:
        for turned, expected in ((False, "C a a b b ä"), (True, "ä b b a a C")):
            sort = Sort(SortKey.BATCH, turned)
            statements: list[str] = []
            reader._door.conn.set_trace_callback(statements.append)
            listed = [int(name[1:]) for name in names(reader, sort=sort)]
            reader._door.conn.set_trace_callback(None)
            assert not any("ORDER BY (jobs.batch)" in sql for sql in statements)
            assert [batches[n] for n in listed] == [*expected.split(), None, None]
            for batch in ("a", "b", None):
                same = [n for n in listed if batches[n] == batch]
                assert same == sorted(same, reverse=True)
            # As without the index: of those that a filter lets through.
            found = [int(name[1:]) for name in names(reader, sort=sort, filter=parse("pri<9"))]
            assert found == listed
            assert [int(name[1:]) for name in reader.matching_ids(View(sort=sort))] == listed


def claim_all(path: Path) -> list[str]:
    """The ids in the order in which a worker's own statement claims them, one at a time."""
    conn = sqlite3.connect(path, isolation_level=None)
    claimed = []
    while True:
        values = {"worker": "w", "now": ago(0), "utc": 0.0, "slots": 1}
        found = conn.execute(CLAIM, values).fetchall()
        if not found:
            conn.close()
            return claimed
        claimed.append(found[0][2])


def test_the_claim_order_is_the_one_that_workers_claim_in(writer: Writer) -> None:
    for number, priority in enumerate((0, 5, 0, -2, 5, None, 9)):
        writer.job(f"ready{number}", priority=priority)
    with reading(writer.path) as reader:
        shown = names(reader, tab=Tab.WAITING, sort=CLAIMED)
    assert shown == claim_all(writer.path)


def test_behind_the_ready_stand_scripts_then_what_comes_due_then_what_is_blocked(
    writer: Writer,
) -> None:
    writer.job("blocked", parents=["later"], priority=9)
    writer.job("later", retry_after=ago(-60))
    writer.job("sooner", retry_after=ago(-30))
    writer.job("script", function_module="__main__", priority=8)
    writer.job("low")
    writer.job("high", priority=1)
    writer.job("running", "running")
    expected = ["high", "low", "script", "sooner", "later", "blocked"]
    with reading(writer.path) as reader:
        for tab in (Tab.WAITING, Tab.ALL):
            view = View(tab, sort=CLAIMED)
            window = reader.snapshot(view).window
            assert [row.id for row in window.rows] == expected
            assert window.total == len(expected)
            assert reader.matching_ids(view) == tuple(expected)
        turned = Sort(SortKey.CLAIM, turned=True)
        assert names(reader, tab=Tab.WAITING, sort=turned) == expected[::-1]
        for job_id in expected:
            anchor = Anchor.around(job_id, 0)
            page = reader.snapshot(View(Tab.WAITING, anchor=anchor, size=2, sort=CLAIMED)).window
            assert job_id in [row.id for row in page.rows]
            assert page.rows[0].id == expected[page.start]


def test_what_is_due_at_one_moment_is_paged_through_without_a_gap(writer: Writer) -> None:
    dues = [(NOW.timestamp() + 60 + n % 2, (None, 5.0, 70.0)[n % 3]) for n in range(60)]
    for number, (due, due_in) in enumerate(dues):
        writer.job(f"j{number:02d}", retry_after=ago(-60), due=due, due_in=due_in)
    order = sorted(range(60), key=lambda n: (dues[n][0], dues[n][1] or 0.0, n))
    expected = [f"j{number:02d}" for number in order]
    with reading(writer.path) as reader:
        for turned in (False, True):
            sort = Sort(SortKey.CLAIM, turned=turned)
            listed = expected[::-1] if turned else expected
            window = reader.snapshot(View(Tab.WAITING, size=7, sort=sort)).window
            shown = [row.id for row in window.rows]
            while len(shown) < len(listed):
                anchor = Anchor.after(window.rows[-1].key, len(shown))
                window = reader.snapshot(View(Tab.WAITING, anchor=anchor, size=7, sort=sort)).window
                shown += [row.id for row in window.rows]
            assert shown == listed
            while len(shown) > len(window.rows):
                anchor = Anchor.before(window.rows[0].key, len(shown) - len(window.rows))
                del shown[-len(window.rows) :]
                window = reader.snapshot(View(Tab.WAITING, anchor=anchor, size=7, sort=sort)).window
                assert shown[-len(window.rows) :] == [row.id for row in window.rows]


def test_gigqs_own_file_is_listed_as_gigq_claims(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db", attached=False)
    writer.job("done", "completed")
    writer.job("waits", parents=["young"], priority=9)
    writer.job("named", parents=["done"], priority=9)
    writer.job("later", retry_after=ago(-60), priority=9)
    writer.job("young", created_at=ago(1))
    writer.job("old", created_at=ago(100))
    writer.job("high", priority=3, created_at=ago(1))
    with reading(writer.path) as reader:
        shown = names(reader, tab=Tab.WAITING, sort=CLAIMED)
    writer.close()
    assert shown == ["high", "old", "young", "named", "later", "waits"]


MANY = 50_000
ANCHORS = [TOP, END, Anchor.after(20_000, 20_000), Anchor.before(20_000, 20_000)]
ANCHORS += [Anchor.near(0.5, 25_000), Anchor.around("id020000", 20_000), Anchor.around("none", 9)]


@pytest.fixture(scope="module")
def many(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty thousand ready jobs of three priorities."""
    path = tmp_path_factory.mktemp("many") / "jobs.db"
    writer = Writer(path)
    writer.conn.execute(
        f"""
        WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {MANY})
        INSERT INTO jobs (id, name, function_name, function_module, status, created_at, updated_at,
                          dependencies, priority)
        SELECT printf('id%06d', i), 'name' || i, 'work', 'tasks', 'pending',
               '2026-11-23T11:00:00', '2026-11-23T11:00:00', '[]', i % 3 FROM n"""
    )
    writer.close()
    return path


@pytest.mark.parametrize("turned", [False, True])
@pytest.mark.parametrize("anchor", ANCHORS, ids=repr)
@pytest.mark.parametrize("key", [SortKey.CLAIM, SortKey.SUBMITTED])
def test_an_order_of_an_index_costs_a_page(
    key: SortKey, anchor: Anchor, turned: bool, many: Path
) -> None:
    view = View(Tab.WAITING, anchor=anchor, sort=Sort(key, turned))
    with reading(many) as reader:
        reader.snapshot(view)
        steps: list[int] = []
        statements: list[str] = []
        reader._door.conn.set_progress_handler(lambda: steps.append(1) and None, 1_000)
        reader._door.conn.set_trace_callback(statements.append)
        window = reader.snapshot(view).window
        reader._door.conn.set_trace_callback(None)
        assert len(window.rows) == 200
        assert window.total == MANY
        # A page, its place counted to 2,000 rows, and the line: far from fifty thousand rows.
        jumps = anchor.kind is Anchor.near(0, 0).kind and key is SortKey.CLAIM
        assert len(steps) < (600 if jumps else 150)
        for sql in (sql for sql in statements if sql.lstrip().startswith("SELECT")):
            try:
                plan = reader._door.conn.execute(f"EXPLAIN QUERY PLAN {sql}").fetchall()
            except sqlite3.ProgrammingError:  # before Python 3.11 a traced value is still a mark
                marks = [None] * sql.count("?")
                plan = reader._door.conn.execute(f"EXPLAIN QUERY PLAN {sql}", marks).fetchall()
            for step in (row["detail"] for row in plan):
                assert "TEMP B-TREE" not in step, sql
                assert not re.match(r"SCAN jobs(?! USING (COVERING )?INDEX core_)", step), sql


@pytest.mark.parametrize("turned", [False, True])
def test_a_walk_through_the_claim_order_meets_every_row_once(turned: bool, many: Path) -> None:
    sort = Sort(SortKey.CLAIM, turned)
    expected = sorted(range(1, MANY + 1), key=lambda i: (-(i % 3), i), reverse=turned)
    met: list[int] = []
    with reading(many) as reader:
        view = View(Tab.WAITING, size=1_000, sort=sort)
        while len(met) < MANY:
            window = reader.snapshot(view).window
            assert window.start == len(met)
            met += [row.key for row in window.rows]
            view = replace(view, anchor=Anchor.after(met[-1], len(met)))
        assert met == expected
        for index in (0, 1_500, 26_000, MANY - 900):
            job = expected[index]
            around = Anchor.around(f"id{job:06d}", index)
            page = reader.snapshot(replace(view, anchor=around, size=200)).window
            assert page.rows[index - page.start].key == job
            near = Anchor.near(index / MANY, index)
            page = reader.snapshot(replace(view, anchor=near, size=200)).window
            assert [row.key for row in page.rows] == expected[page.start : page.start + 200]
            assert page.start <= index < page.start + 200


def test_an_order_of_no_index_is_known_for_its_first_rows(many: Path) -> None:
    view = View(Tab.WAITING, sort=Sort(SortKey.NAME))
    with reading(many) as reader:
        window = reader.snapshot(view).window
        assert (window.total, window.beyond) == (MAX_RANKED, MANY - MAX_RANKED)
        end = reader.snapshot(replace(view, anchor=END)).window
        assert end.start + len(end.rows) == MAX_RANKED
        middle = end.rows[100]
        around = reader.snapshot(replace(view, anchor=Anchor.around(middle.id, 0))).window
        assert middle.id in [row.id for row in around.rows]
        few = reader.snapshot(replace(view, filter=parse("name1234"))).window
        assert (few.total, few.beyond) == (11, 0)


class SlowClock(FrozenClock):
    """Every look at the clock takes a second, so that whatever is timed seems dear."""

    def monotonic(self) -> float:
        self.advance(1)
        return super().monotonic()


def test_an_order_is_ranked_seldom_but_its_rows_are_true(writer: Writer) -> None:
    for name in ("a", "b", "c"):
        writer.job(name)
    view = View(Tab.WAITING, sort=Sort(SortKey.NAME))
    with reading(writer.path, clock=SlowClock(NOW)) as reader:
        assert names(reader, tab=Tab.WAITING, sort=view.sort) == ["a", "b", "c"]
        writer.set("a", name="z")
        writer.set("b", status="running")
        writer.job("aa")
        rows = reader.snapshot(view).window.rows
        assert [(row.id, row.name) for row in rows] == [("a", "z"), ("c", "c")]
        assert reader.owed_in() is not None
        for _ in range(20):
            window = reader.snapshot(view).window
        assert [row.id for row in window.rows] == ["aa", "c", "a"]


def test_ranking_is_given_up_when_nobody_wants_it(many: Path) -> None:
    with reading(many) as reader:
        reader.interrupt()
        with pytest.raises(Interrupted):
            reader.snapshot(View(sort=Sort(SortKey.DURATION)))
        reader.rearm()
        assert reader.snapshot(View(sort=Sort(SortKey.DURATION))).window.total == MAX_RANKED


def test_the_followed_job_is_told_wherever_it_is(writer: Writer) -> None:
    writer.job("a")
    writer.job("b")
    with reading(writer.path) as reader:
        view = View(Tab.WAITING, follow="a", anchor=Anchor.around("a", 1))
        assert reader.snapshot(view).followed is not None
        writer.set("a", status="running", worker_id="gigq-1")
        snapshot = reader.snapshot(view)
        assert [row.id for row in snapshot.window.rows] == ["b"]
        assert snapshot.followed is not None
        assert snapshot.followed.status == "running"
        writer.conn.execute("DELETE FROM jobs WHERE id = 'a'")
        assert reader.snapshot(view).followed is None
        assert reader.snapshot(View()).followed is None


def reasons(path: Path) -> dict[str, str]:
    with reading(path, is_dead=lambda process: False) as reader:
        return {row.id: why(row, NOW) for row in reader.snapshot(View()).window.rows}


def test_a_ready_job_says_what_keeps_it(writer: Writer) -> None:
    writer.job("first", priority=1)
    writer.job("second")
    assert reasons(writer.path)["first"] == "ready: no workers running"
    writer.worker("w1")
    assert reasons(writer.path) == {"first": "next to be claimed", "second": "about 2nd in line"}
    for state, request in (("paused", None), ("draining", None), ("running", "drain")):
        writer.conn.execute("UPDATE core_workers SET state = ?, request = ?", (state, request))
        assert reasons(writer.path)["second"] == "ready: no worker takes new jobs"
    writer.insert("core_meta", {"key": "paused_at", "value": ago(1)})
    assert reasons(writer.path)["first"] == "ready: the queue is paused"
    writer.conn.execute("DELETE FROM core_meta WHERE key = 'paused_at'")
    writer.job("theirs", "running", worker_id="gigq-1")
    assert reasons(writer.path)["first"] == "next to be claimed"


def test_far_down_the_line_a_ready_job_says_nothing(writer: Writer) -> None:
    writer.many(150)
    writer.worker("w1")
    told = reasons(writer.path)
    assert told["n99"] == "about 100th in line"
    assert told["n100"] == ""


def test_on_gigqs_own_file_workers_are_only_seen_at_work(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db", attached=False)
    writer.job("a")
    assert reasons(writer.path)["a"] == "ready: no workers visible"
    writer.job("b", "running", worker_id="gigq-1", started_at=ago(9_000))
    silent = "OVER timeout 5m, GigQ worker gigq-1 is silent"
    assert reasons(writer.path) == {"a": "ready: no workers visible", "b": silent}
    writer.job("c", "running", worker_id="gigq-2", started_at=ago(30))
    told = reasons(writer.path)
    writer.close()
    assert told == {"a": "", "b": silent, "c": "10% of timeout 5m"}


@pytest.mark.parametrize("attached", [False, True], ids=["gigq", "attached"])
@pytest.mark.parametrize("name", sorted(path.name for path in DATA.glob("*.db")))
def test_every_row_of_every_release_says_why(name: str, attached: bool, tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, name)
    if attached:
        open_for_work(path, create=False).close()
    with reading(path) as reader:
        rows = reader.snapshot(View()).window.rows
    assert rows
    for row in rows:
        simply_ready = state_of(row, NOW) is State.READY and row.halt is None
        assert simply_ready or why(row, NOW), row


def test_every_row_of_the_scene_says_why(tmp_path: Path) -> None:
    path = scene.build(tmp_path / scene.FILE_NAME)
    with reading(path, clock=FrozenClock(scene.NOW), is_dead=scene.liveness) as reader:
        rows = reader.snapshot(View()).window.rows
    assert len(rows) == 75
    for row in rows:
        words = why(row, scene.NOW)
        assert words, row
        # What an error says is as long as it is.
        assert len(words.removesuffix(first_line(row.error))) < 60, words
