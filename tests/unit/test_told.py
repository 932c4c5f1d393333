"""What attempts tell of the rows that are shown, read from files."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core.reasons.why import Halt, left_seconds
from gigq_core.schema.ddl import OURS
from gigq_core.units.times import moment_of, to_text
from gigq_tui.once.picture import as_json, as_text, take
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.filter.language import parse
from gigq_tui.store.list.view import View
from gigq_tui.store.models import JobRow
from gigq_tui.store.reader import Reader
from tests.store_files import NOW, Writer, ago, gigq_copy, reading

AT = NOW.timestamp() - 5
POLICY = '{"give_up_on": ["builtins.ValueError"]}'
REFUSED = "not retried: ValueError is in give_up_on"


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    writer = Writer(tmp_path / "jobs.db")
    writer.worker("w1")
    yield writer
    writer.close()


def running(writer: Writer, id: str, **more: Any) -> None:
    more = {"worker_id": "w1", "attempts": 1, "execution_id": f"{id}/1"} | more
    writer.job(id, "running", **more)


def report(writer: Writer, id: str, **values: Any) -> None:
    plain = {"execution_id": f"{id}/1", "done": 42, "total": 100, "note": "page 7", "at": AT}
    writer.insert("core_progress", {"job_id": id} | plain | values)


def rows_of(path: Path) -> dict[str, JobRow]:
    with reading(path, is_dead=lambda process: False) as reader:
        return {row.id: row for row in reader.snapshot(View()).window.rows}


def statements(reader: Reader, word: str) -> list[str]:
    """What one picture asks, where that has the word."""
    asked: list[str] = []
    reader.snapshot(View())
    reader._door.conn.set_trace_callback(asked.append)
    reader.snapshot(View())
    reader._door.conn.set_trace_callback(None)
    return [sql for sql in asked if word in sql]


def test_a_running_job_tells_what_its_present_attempt_reported(writer: Writer) -> None:
    running(writer, "told")
    report(writer, "told")
    running(writer, "of an attempt before")
    report(writer, "of an attempt before", execution_id="another")
    running(writer, "silent")
    writer.job("ended", "failed")
    report(writer, "ended")
    found = rows_of(writer.path)
    assert [row.id for row in found.values() if row.progress] == ["told"]
    told = found["told"].progress
    assert told is not None
    assert (told.done, told.total, told.note, told.at.timestamp()) == (42, 100, "page 7", AT)
    assert not told.resumed


def test_what_may_have_gone_on_from_a_save_has_the_pace_that_was_seen_of_it(writer: Writer) -> None:
    for id, attempts, saved in (("a", 1, True), ("b", 2, False), ("c", 2, True)):
        running(writer, id, attempts=attempts)
        report(writer, id)
        if saved:
            writer.insert("core_saves", {"job_id": id, "saved": "1", "at": AT})
    with reading(writer.path, is_dead=lambda process: False) as reader:
        for done, at, left in ((80, AT - 10, None), (80, AT - 9, None), (85, AT, 10 / 5 * 15 - 5)):
            values = (done, at)
            writer.conn.execute("UPDATE core_progress SET done = ?, at = ?", values)
            found = {row.id: row for row in reader.snapshot(View()).window.rows}
            assert [id for id in "abc" if (p := found[id].progress) and p.resumed] == ["c"]
            assert left_seconds(found["c"], NOW) == (left and pytest.approx(left))
        detail = reader.detail("c")
    assert detail is not None
    assert detail.row == found["c"]


@pytest.mark.parametrize(
    "damage",
    [{"done": "x"}, {"done": -1}, {"done": math.inf}, {"at": "soon"}, {"at": 1e300}],
    ids=str,
)
def test_a_damaged_report_is_none(writer: Writer, damage: dict[str, Any]) -> None:
    running(writer, "told")
    report(writer, "told", **damage)
    assert rows_of(writer.path)["told"].progress is None


def test_once_tells_it(writer: Writer) -> None:
    running(writer, "told")
    report(writer, "told")
    running(writer, "open", started_at=ago(1))
    report(writer, "open", total=None, note=None)
    running(writer, "silent")
    snapshot = take(writer.path, parse("progress<50 | id:open | id:silent"), clock=FrozenClock(NOW))
    told = {job["id"]: job["progress"] for job in json.loads(as_json(snapshot))["jobs"]}
    at = to_text(moment_of(AT) or NOW)
    eta_s = 25 / 42 * 58 - 5
    assert told == {
        "told": {"done": 42, "total": 100, "percent": 42, "note": "page 7", "at": at}
        | {"eta_s": pytest.approx(eta_s)},
        "open": {"done": 42, "total": None, "percent": None, "note": "", "at": at, "eta_s": None},
        "silent": None,
    }
    assert "42% in 30s, about 30s left: page 7" in as_text(snapshot)


def test_a_hidden_job_says_that_gigqs_workers_do_not_see_it(writer: Writer) -> None:
    for id, lane in (("seen", None), ("hidden", "-")):
        writer.job(id, lane=lane, retry_after=None if lane is None else OURS)
    # What a worker of GigQ's holds is all that is known of it.
    writer.job("held", "running", worker_id="theirs", started_at=ago(1))
    for state, said in (("stopped", Halt.HIDDEN), ("paused", Halt.HIDDEN), ("running", None)):
        writer.conn.execute("UPDATE core_workers SET state = ?", (state,))
        found = rows_of(writer.path)
        assert found["seen"].halt is None
        assert found["hidden"].halt is said


def test_a_long_note_is_cut_before_it_is_read(writer: Writer) -> None:
    running(writer, "told")
    report(writer, "told", note="n" * 1_000_000)
    progress = rows_of(writer.path)["told"].progress
    assert progress is not None
    assert len(progress.note) == 200


def test_the_detail_has_the_last_report_of_whichever_attempt(writer: Writer) -> None:
    writer.job("ended", "failed")
    report(writer, "ended")
    with reading(writer.path) as reader:
        detail = reader.detail("ended")
    assert detail is not None
    assert detail.row.progress is None
    assert detail.progress is not None
    assert detail.progress.done == 42


def test_the_last_decision_is_read_where_a_policy_made_it(writer: Writer) -> None:
    for id, policy in (("policy", POLICY), ("plain", None)):
        writer.job(id, "failed", attempts=2, retry_policy=policy)
        for number, decision in enumerate(("retry in 5s", REFUSED), start=1):
            execution = {"id": f"{id}/{number}", "job_id": id, "worker_id": "w1"}
            execution |= {"status": "failed", "started_at": ago(60 - number)}
            writer.insert("job_executions", execution | {"decision": decision})
    found = rows_of(writer.path)
    assert {id: row.decision for id, row in found.items()} == {"policy": REFUSED, "plain": ""}


def test_nothing_is_asked_for_rows_that_can_tell_nothing(writer: Writer) -> None:
    writer.many(20)
    writer.many(5, "f", "failed")
    writer.job("done", "completed", retry_policy=POLICY)
    with reading(writer.path) as reader:
        assert not statements(reader, "core_progress")
        assert not statements(reader, "decision")
    running(writer, "told")
    writer.job("refused", "failed", retry_policy=POLICY)
    with reading(writer.path, is_dead=lambda process: False) as reader:
        assert len(statements(reader, "core_progress")) == 1
        assert len(statements(reader, "decision")) == 1


def test_what_is_asked_is_found_by_key(writer: Writer) -> None:
    running(writer, "told")
    report(writer, "told")
    writer.job("refused", "failed", retry_policy=POLICY)
    with reading(writer.path, is_dead=lambda process: False) as reader:
        asked = statements(reader, "core_progress") + statements(reader, "decision")
        for sql in asked:
            steps = [
                step["detail"] for step in reader._door.conn.execute(f"EXPLAIN QUERY PLAN {sql}")
            ]
            assert not [s for s in steps if "TEMP B-TREE" in s], steps
            assert [s for s in steps if s.startswith("SCAN")] == ["SCAN w VIRTUAL TABLE INDEX 1:"]


def test_gigqs_own_file_has_none(tmp_path: Path) -> None:
    rows = rows_of(gigq_copy(tmp_path, "gigq-0.5.1.db"))
    assert rows
    assert not [row for row in rows.values() if row.progress or row.decision or row.has_policy]
