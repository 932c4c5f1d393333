"""Damaged rows and hostile values: reading never raises for them, nor swallows megabytes."""

from __future__ import annotations

import json
import sqlite3
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gigq_core.reasons.why import state_of, why
from gigq_core.schema.ddl import CREATE_EXECUTIONS, CREATE_JOBS, GIGQ_INDEXES
from gigq_tui.screens.job.values import raw_lines, value_lines
from gigq_tui.store.detail import MAX_DEPTH
from gigq_tui.store.filter.language import parse
from gigq_tui.store.graph.tree import tree_lines
from gigq_tui.store.list.view import END, View
from gigq_tui.store.models import Tab
from gigq_tui.store.reader import Reader
from tests.store_files import NOW, Writer, ago, both_kinds, reading

COLUMNS = (
    *("name", "function_name", "function_module", "params", "priority", "dependencies"),
    *("max_attempts", "timeout", "description", "status", "created_at", "updated_at", "attempts"),
    *("result", "error", "started_at", "completed_at", "worker_id", "retry_delay", "retry_after"),
)
ODD_VALUES = st.one_of(
    st.none(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(allow_nan=False),
    st.binary(max_size=20),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=20),
    st.sampled_from(
        [
            *("pending", "running", "failed", "completed", "", "0", "0001-01-01T00:00:00+00:00"),
            *("9999-12-31T23:59:59", "2026-11-23T12:00:00Z", '["odd"]', '["odd", 3, null, {}]'),
            *('{"a": 1}', "[", '"odd"', "null", "3", "[[[[", "NaN", b"\xff\xfe", b'["odd"]'),
        ]
    ),
)
FILTERS = [
    *("x", "state:doomed", "state:blocked", "state:overdue", "dur>1s", "age>1m", "param.a:1"),
    *("dep:odd", "-err:x", "pri>0", "try<3", "state:ready|state:unknown"),
]


def loose_file(path: Path) -> sqlite3.Connection:
    """A queue file without any constraint, as a damaged one may be."""
    conn = sqlite3.connect(path, isolation_level=None)
    for statement in (CREATE_JOBS, CREATE_EXECUTIONS, *GIGQ_INDEXES):
        conn.execute(statement.replace(" NOT NULL", ""))
    return conn


@pytest.fixture(scope="module", params=["attached", "gigq"])
def damaged(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[sqlite3.Connection, Reader]]:
    path = tmp_path_factory.mktemp("damage") / "jobs.db"
    loose_file(path).close()
    if request.param == "attached":
        conn = Writer(path).conn
    else:
        conn = sqlite3.connect(path, isolation_level=None)
    with reading(path, is_dead=lambda process: None) as reader:
        yield conn, reader
    conn.close()


def look_everywhere(reader: Reader) -> None:
    for tab in Tab:
        snapshot = reader.snapshot(View(tab))
        reader.snapshot(View(tab, anchor=END))
        for row in snapshot.window.rows:
            state_of(row, NOW)
            assert isinstance(why(row, NOW), str)
            reader.detail(row.id)
            graph = reader.graph(row.id)
            if graph is not None:
                tree_lines(graph)
    for text in FILTERS:
        reader.snapshot(View(filter=parse(text)))
        reader.matching_ids(View(filter=parse(text)))


@settings(
    max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=st.lists(
        st.tuples(ODD_VALUES, st.dictionaries(st.sampled_from(COLUMNS), ODD_VALUES)),
        min_size=1,
        max_size=4,
        unique_by=lambda row: repr(row[0]),
    ),
    execution=st.dictionaries(
        st.sampled_from(["worker_id", "status", "started_at", "completed_at", "error", "result"]),
        ODD_VALUES,
    ),
)
def test_a_row_may_hold_anything(
    damaged: tuple[sqlite3.Connection, Reader],
    rows: list[tuple[Any, dict[str, Any]]],
    execution: dict[str, Any],
) -> None:
    conn, reader = damaged
    conn.execute("DELETE FROM jobs")
    conn.execute("DELETE FROM job_executions")
    for id, odd in rows:
        values: dict[str, Any] = {"status": "pending"} | odd | {"id": id}
        names, marks = ", ".join(values), ", ".join("?" * len(values))
        conn.execute(
            f"INSERT OR IGNORE INTO jobs ({names}) VALUES ({marks})", tuple(values.values())
        )
    values = {"id": "e", "job_id": "odd"} | execution
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    conn.execute(f"INSERT INTO job_executions ({names}) VALUES ({marks})", tuple(values.values()))
    look_everywhere(reader)


def test_text_that_is_no_utf8_is_shown_with_marks(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    conn = loose_file(path)
    conn.execute(
        "INSERT INTO jobs (id, name, status, error) "
        "VALUES ('a', CAST(x'61ff62' AS TEXT), 'failed', CAST(x'c328' AS TEXT))"
    )
    conn.close()
    with reading(path) as reader:
        (row,) = reader.snapshot(View()).window.rows
        detail = reader.detail("a")
    assert row.name == "a\ufffdb"
    assert "\ufffd" in row.error
    assert detail is not None
    assert detail.raw["name"] == "a\ufffdb"


@both_kinds
def test_megabytes_are_never_read_for_a_line(attached: bool, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    big = "\x1b[31m[bold]" + "x" * 10_000_000
    writer.job(
        "big",
        "failed",
        **dict.fromkeys(("name", "error", "params", "result", "description"), big),
        worker_id=big,
        function_name=big,
        priority=big,
        retry_after=big,
    )
    writer.job("child", parents=["big"])
    writer.close()
    with reading(path) as reader:
        tracemalloc.start()
        snapshot = reader.snapshot(View())
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 1_000_000
        row = snapshot.window.rows[1]
        assert len(row.name) == 300
        assert len(row.error) == 500
        culprit = snapshot.window.rows[0].culprit
        assert culprit is not None
        assert len(culprit.error) <= 200
        detail = reader.detail("big")
    assert detail is not None
    assert detail.error.endswith("(cut: the first 1,000,000 of 10,000,011 bytes are shown)")
    assert isinstance(detail.params, str)
    assert len(detail.raw["result"]) < 30_000


def test_nothing_hides_behind_a_nul(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("a", "failed", error="seen\0hidden", params='{"a": 1}\0')
    with reading(path) as reader:
        detail = reader.detail("a")
    writer.close()
    assert detail is not None
    assert detail.error == detail.raw["error"] == "seen\0hidden"
    assert detail.params == '{"a": 1}\0'


def test_values_that_are_no_json_are_shown_as_they_are(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    deep = "[" * 100_000
    writer.job("a", "completed", params="{not json", result=deep)
    with reading(path) as reader:
        detail = reader.detail("a")
    writer.close()
    assert detail is not None
    assert detail.params == "{not json"
    assert detail.result == deep


@pytest.mark.parametrize("depth", [MAX_DEPTH + 1, 600, 900, 5_000])
def test_values_that_are_nested_too_deep_are_shown_as_they_are(depth: int, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    deep = '{"token": "hunter2", "a": ' + "[" * (depth - 1) + "]" * (depth - 1) + "}"
    writer.job("a", "completed", params=deep, result="[" * MAX_DEPTH + "]" * 100)
    with reading(path) as reader:
        found = reader.detail("a")
    writer.close()
    assert found is not None
    assert found.params == deep
    assert isinstance(found.result, list)
    for lines in (value_lines(found.params, "", reveal=False), raw_lines(found, reveal=False)):
        told = str(lines)
        assert "hunter2" not in told
        assert "[[[[" in told
    assert value_lines(found.result, "", reveal=False)


def test_a_damaged_worker_row_is_shown(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.worker("w1", pid="many", slots=b"\x00", started_at=5, state="odd")
    writer.worker("w2", state="stopped", stopped_at="never")
    with reading(path) as reader:
        (worker,) = reader.snapshot(View()).workers
    writer.close()
    assert (worker.pid, worker.slots, worker.started_at) == (0, 1, None)


def test_a_file_without_the_index_on_status_is_read(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached=False)
    writer.job("a", "failed")
    writer.job("b", parents=["a"])
    writer.conn.execute("DROP INDEX idx_jobs_status")
    with reading(path) as reader:
        snapshot = reader.snapshot(View(Tab.WAITING))
        assert [row.id for row in snapshot.window.rows] == ["b"]
        assert snapshot.counts.doomed == 1
    writer.close()


def test_a_file_that_lost_some_of_our_tables_is_read_as_gigqs(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("a", "failed", created_at=ago(5))
    for (trigger,) in writer.conn.execute(
        "SELECT name FROM sqlite_master WHERE type = 'trigger'"
    ).fetchall():
        writer.conn.execute(f"DROP TRIGGER {trigger}")
    writer.conn.execute("DROP TABLE core_edges")
    with reading(path) as reader:
        snapshot = reader.snapshot(View())
    writer.close()
    assert not snapshot.info.attached
    assert snapshot.counts.failed == 1


def test_dependencies_of_every_kind_are_taken_as_far_as_they_go(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached=False)
    writer.job("bad", "failed")
    kinds: list[Any] = [["bad", "bad"], ["bad", 3, None], {"x": "bad"}, "bad", 7, None]
    for number, value in enumerate(kinds):
        writer.job(f"k{number}", dependencies=json.dumps(value))
    writer.job("none", dependencies=None)
    writer.job("broken", dependencies='["bad"')
    writer.job("blob", dependencies=b'["bad"]')
    with reading(path) as reader:
        rows = {row.id: row for row in reader.snapshot(View()).window.rows}
    writer.close()
    assert rows["k0"].unmet == 1
    assert rows["k1"].doomed
    assert not any(rows[id].blocked for id in ("k4", "k5", "none", "broken", "blob"))


def test_an_error_is_read_beyond_its_nul(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.job("a", status="failed")
    writer.insert(
        "job_executions",
        {"id": "e", "job_id": "a", "worker_id": "w", "status": "failed", "started_at": ago(9)}
        | {"error": "before\0after", "traceback": "line\0é"},
    )
    with reading(path) as reader:
        detail = reader.detail("a")
    writer.close()
    assert detail is not None
    assert detail.attempts[0].error == "before\0after"
    assert detail.attempts[0].traceback == "line\0é"
