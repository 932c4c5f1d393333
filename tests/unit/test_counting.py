"""Counting jobs by one or two of their values, against a plain count in Python."""

from __future__ import annotations

import json
import math
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gigq_core.grouping.counting import (
    ORDERS,
    Counted,
    Counting,
    Counts,
    Figures,
    Kind,
    Value,
    count_key,
    csv_of,
    names_within,
    rows_of,
    shown,
    told,
)
from gigq_core.schema.opening import open_read_only
from tests.store_files import GIGQ_FILES, Writer, ago, digest, gigq_copy
from tests.zones import standing_in

STATUSES = ("pending", "running", "completed", "failed", "timeout", "cancelled")
EVERYTHING = 1_000_000


def counted(
    path: Path,
    keys: Sequence[str],
    *,
    between: Callable[[], None] = lambda: None,
    limit: int = EVERYTHING,
    **options: Any,
) -> Counts:
    """Count a file to its end; `between` is done between two steps."""
    with closing(open_read_only(path)) as conn:
        counting = Counting([count_key(key) for key in keys], **options)
        while not counting.step(conn):
            assert counting.read < counting.rows
            between()
        assert counting.read == counting.rows
        return counting.counts(conn, limit, limit)


def tally(counts: Counts) -> dict[tuple[Value, ...], Counted]:
    """What was counted, by the values as they are compared: 17.0 is 17."""
    return {
        tuple(Value(value.kind, value.value) for value in values): one
        for values, one in rows_of(counts)
    }


def value_of(text: Any, path: Sequence[str]) -> Value:
    """What stands at a path of a column, told by Python alone."""
    if text in (None, ""):
        return Value(Kind.MISSING, "")
    try:
        if not isinstance(text, str):
            raise ValueError
        at = json.loads(text, parse_constant=_refuse)
    except ValueError:
        return Value(Kind.UNREADABLE, "")
    for step in path:
        if not isinstance(at, dict) or step not in at:
            return Value(Kind.MISSING, "")
        at = at[step]
    if at is None:
        return Value(Kind.NULL, "")
    if isinstance(at, bool):
        return Value(Kind.TRUTH, int(at))
    if isinstance(at, (int, float)):
        # What no machine holds as a whole number is counted as the number next to it.
        return Value(Kind.NUMBER, at if abs(at) < 2**63 else float(at))
    if isinstance(at, str):
        return Value(Kind.TEXT, at)
    return Value(Kind.JSON, json.dumps(at, separators=(",", ":"), ensure_ascii=True))


def _refuse(word: str) -> Any:
    raise ValueError(word)


def figures_of(statuses: Sequence[str]) -> Figures:
    return Figures(
        len(statuses),
        statuses.count("completed"),
        statuses.count("failed") + statuses.count("timeout"),
        statuses.count("pending"),
        statuses.count("running"),
        statuses.count("cancelled"),
    )


def median(runs: Sequence[float]) -> float | None:
    return sorted(runs)[math.ceil(len(runs) / 2) - 1] if runs else None


def rounded(run_s: float | None) -> float | None:
    """To two digits of whole milliseconds."""
    if run_s is None:
        return None
    ms = math.floor(run_s * 1000 + 0.5)
    digits = max(0, len(str(ms)) - 2)
    return (ms + 10**digits // 2) // 10**digits * 10**digits / 1000


# Numbers that a double tells apart; texts that look like them.
_SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.sampled_from(
        [0, 1, 17, 17.0, 1.7e1, -0.0, 2**53, 10**300, 0.1, "17", "1", "true", "", "null"]
    ),
    st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0"), max_size=4),
)
_VALUES = st.one_of(
    _SCALARS, st.lists(_SCALARS, max_size=2), st.dictionaries(st.just("b"), _SCALARS)
)
_PARAMS = st.one_of(
    st.dictionaries(st.sampled_from(["a", "c"]), _VALUES, max_size=2).map(json.dumps),
    st.sampled_from([None, "", "[1]", "3", "no JSON", '{"a": NaN}', b"\x80\x04K\x11."]),
)
_ROWS = st.lists(
    st.tuples(
        st.sampled_from(STATUSES),
        _PARAMS,
        st.one_of(st.none(), st.integers(0, 10**7).map(lambda ms: ms / 1000)),
        st.sampled_from(["w1", "w2", None]),
    ),
    max_size=40,
)


def write_rows(path: Path, rows: Sequence[tuple[Any, ...]]) -> None:
    with closing(sqlite3.connect(path)) as conn:
        conn.executescript("DELETE FROM jobs")
        conn.executemany(
            "INSERT INTO jobs (id, name, function_name, function_module, params, status, "
            "created_at, updated_at, began, ended, worker_id) "
            "VALUES (?, 'n', 'f', 'm', ?, ?, 't', 't', 0.0, ?, ?)",
            [
                (str(at), params, status, run, worker)
                for at, (status, params, run, worker) in enumerate(rows)
            ],
        )
        conn.commit()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("count") / "q.db"
    Writer(path).conn.close()
    with closing(sqlite3.connect(path)) as conn:
        # Rows are written as no worker would: what the triggers make of them is not asked here.
        for (name,) in conn.execute(
            "SELECT name FROM sqlite_master WHERE type='trigger'"
        ).fetchall():
            conn.execute(f"DROP TRIGGER {name}")
        conn.commit()
    return path


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    rows=_ROWS,
    keys=st.lists(
        st.sampled_from(["param.a", "param.a.b", "state", "worker"]),
        min_size=1,
        max_size=2,
        unique=True,
    ),
    order=st.sampled_from(ORDERS),
    only=st.sampled_from([None, "failed", "w1"]),
)
def test_any_rows_count_as_in_python(
    file: Path, rows: list[tuple[Any, ...]], keys: list[str], order: str, only: str | None
) -> None:
    write_rows(file, rows)
    options: dict[str, Any] = {"order": order}
    if only == "failed":
        options |= {"status": "failed"}
    elif only == "w1":
        options |= {"condition": "jobs.worker_id = ?", "values": ["w1"]}
    expected: dict[tuple[Value, ...], list[tuple[str, float | None]]] = defaultdict(list)
    for status, params, run, worker in rows:
        if (only == "failed" and status != "failed") or (only == "w1" and worker != "w1"):
            continue
        known = {
            "param.a": value_of(params, ["a"]),
            "param.a.b": value_of(params, ["a", "b"]),
            "state": Value(Kind.TEXT, status),
            "worker": Value(Kind.MISSING, "") if worker is None else Value(Kind.TEXT, worker),
        }
        ran = run if status in ("completed", "failed", "timeout") else None
        expected[tuple(known[key] for key in keys)].append((status, ran))
    counts = counted(file, keys, **options)
    found = tally(counts)
    assert {values: one.figures for values, one in found.items()} == {
        values: figures_of([status for status, _ in some]) for values, some in expected.items()
    }
    for values, some in expected.items():
        middle = median([run for _, run in some if run is not None])
        assert found[values].p50_s == pytest.approx(rounded(middle))
    assert counts.total == figures_of([status for some in expected.values() for status, _ in some])
    assert counts.values == len({values[0] for values in expected})
    assert [one.parts for one in counts.groups] == [len(one.then) for one in counts.groups]
    for some in (counts.groups, *(one.then for one in counts.groups)):
        assert in_order(order, some)


def in_order(order: str, some: Sequence[Counted]) -> bool:
    def key(one: Counted) -> Any:
        if order == "value":
            return one.value
        if order == "p50":
            return 1.0 if one.p50_s is None else -one.p50_s
        return -getattr(one.figures, order)

    return list(some) == sorted(some, key=key)


def test_the_first_values_are_the_right_ones(file: Path) -> None:
    rows = [
        ("failed" if at % 3 else "completed", json.dumps({"a": at % 7 % 5}), 1.0, "w1")
        for at in range(70)
    ]
    write_rows(file, rows)
    counts = counted(file, ["param.a"], limit=2)
    assert [one.value.value for one in counts.groups] == [0, 1]
    assert counts.values == 5
    assert sum(one.figures.jobs for one in counts.groups) < counts.total.jobs == 70


def test_rows_that_change_between_steps_count_once_each(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Workers end jobs while they are counted: each that stays counts once; new ones do not."""
    for name in ("_FIRST_ROWS", "_LEAST_ROWS", "_MOST_ROWS"):
        monkeypatch.setattr(f"gigq_core.grouping.counting.{name}", 10)
    write_rows(file, [("pending", json.dumps({"a": at % 4}), 1.0, None) for at in range(200)])
    writer = sqlite3.connect(file)
    steps = iter(range(EVERYTHING))

    def work() -> None:
        step = next(steps)
        with writer:
            writer.execute("UPDATE jobs SET status = 'completed' WHERE rowid % 7 = ?", (step % 7,))
            writer.execute(
                "INSERT INTO jobs (id, name, function_name, function_module, status, created_at, "
                "updated_at) VALUES (?, 'n', 'f', 'm', 'pending', 't', 't')",
                (f"new-{step}",),
            )

    counts = counted(file, ["param.a"], between=work)
    writer.close()
    assert next(steps) >= 19
    assert [one.figures.jobs for one in counts.groups] == [50] * 4
    assert counts.total.waiting + counts.total.done == 200
    assert counts.total.done > 0


def test_a_step_that_is_broken_off_is_taken_again_and_counts_once(file: Path) -> None:
    write_rows(file, [("pending", json.dumps({"a": at % 4}), 1.0, None) for at in range(30_000)])
    with closing(open_read_only(file)) as conn:
        counting = Counting([count_key("param.a"), count_key("state")])
        wanted, broken = iter(range(EVERYTHING)), 0
        while not counting.done:
            limit = 5 * next(wanted) % 700
            asked = iter(range(EVERYTHING))
            conn.set_progress_handler(lambda asked=asked, limit=limit: next(asked) == limit, 2_000)
            try:
                counting.step(conn)
            except sqlite3.OperationalError:
                broken += 1
            conn.set_progress_handler(None, 0)
            assert not conn.in_transaction
        assert broken > 5
        counts = counting.counts(conn, 10)
        assert [one.figures.jobs for one in counts.groups] == [7_500] * 4
        assert [one.parts for one in counts.groups] == [1] * 4


@pytest.mark.parametrize("name", GIGQ_FILES)
@pytest.mark.parametrize(
    "key", ["fn", "state", "err", "fp", "lane", "batch", "workflow", "ended.hour", "param.x", "try"]
)
def test_gigqs_own_files_are_counted_and_left_as_they_are(
    tmp_path: Path, name: str, key: str
) -> None:
    path = gigq_copy(tmp_path, name)
    before = digest(path)
    counts = counted(path, [key, "state"])
    with closing(sqlite3.connect(path)) as conn:
        (jobs,) = conn.execute("SELECT count(*) FROM jobs").fetchone()
    assert counts.total.jobs == jobs == sum(one.figures.jobs for one in counts.groups) > 0
    assert digest(path) == before


def test_tables_of_counts_that_nobody_has_any_more_are_dropped(file: Path) -> None:
    write_rows(file, [("pending", "{}", None, None)])
    with closing(open_read_only(file)) as conn:
        for _ in range(5):
            counting = Counting([count_key("state")])
            counting.step(conn)
        (tables,) = conn.execute(
            "SELECT count(*) FROM temp.sqlite_master WHERE type = 'table' AND name GLOB 'core_*'"
        ).fetchone()
        assert tables <= 6


def test_hours_are_told_by_the_readers_clock(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    with closing(Writer(path)) as writer:
        for seconds in (0, 10, 3_600, 7_200 + 5):
            writer.job(f"j{seconds}", status="completed", completed_at=ago(seconds))
    by_hour = counted(path, ["ended.hour"], order="value")
    assert sum(one.figures.jobs for one in by_hour.groups) == 4
    assert len(by_hour.groups) >= 3
    key = count_key("ended.hour")
    words = [shown(key, one.value) for one in by_hour.groups]
    assert words == sorted(words)
    assert len(set(words)) == len(words)
    assert all(word.endswith(":00") for word in words)
    assert told(key, by_hour.groups[0].value)[:13] == words[0].replace(" ", "T")[:13]
    days = counted(path, ["ended.day"])
    assert sum(one.figures.jobs for one in days.groups) == 4


@pytest.mark.parametrize("unit", ["hour", "minute"])
def test_an_hour_that_comes_twice_is_told_apart(unit: str) -> None:
    night = datetime(2025, 10, 25, 22, tzinfo=timezone.utc).timestamp()
    with standing_in("Europe/Berlin"):
        key = count_key(f"ended.{unit}")
        words = [shown(key, Value(Kind.NUMBER, int(night) + 3_600 * n)) for n in range(5)]
    assert [word.removeprefix("2025-10-26 ") for word in words] == [
        *("00:00", "01:00", "02:00+02", "02:00+01", "03:00")
    ]


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("colour", "choose from"),
        ("param", "name what is in it"),
        ("param.", "name what is in it"),
        ('param.a"b', "name what is in it"),
        ("ended", "ended.hour"),
        ("ended.week", "ended.hour"),
        ("state.x", "choose from"),
    ],
)
def test_no_key_is_refused_without_saying_what_there_is(text: str, sentence: str) -> None:
    with pytest.raises(ValueError, match=sentence):
        count_key(text)


@pytest.mark.parametrize(
    ("written", "name"), [("status", "state"), ("Error", "err"), ("params.a.b", "param.a.b")]
)
def test_keys_in_full_are_understood(written: str, name: str) -> None:
    assert count_key(written).name == name


def test_what_values_are_called_differs() -> None:
    key = count_key("param.a")
    values = [
        *(
            Value(Kind.NUMBER, 17),
            Value(Kind.TEXT, "17"),
            Value(Kind.TRUTH, 1),
            Value(Kind.NUMBER, 1),
        ),
        *(Value(Kind.TEXT, "true"), Value(Kind.NULL, ""), Value(Kind.TEXT, "null")),
        *(
            Value(Kind.MISSING, ""),
            Value(Kind.TEXT, "-"),
            Value(Kind.TEXT, ""),
            Value(Kind.TEXT, " "),
        ),
        *(Value(Kind.UNREADABLE, ""), Value(Kind.TEXT, "(unreadable)"), Value(Kind.JSON, "[1]")),
        *(Value(Kind.TEXT, "[1]"), Value(Kind.TEXT, '"17"'), Value(Kind.TEXT, "x")),
    ]
    words = [shown(key, value) for value in values]
    assert len(set(words)) == len(words)
    assert words[:2] == ["17", '"17"']


def test_csv_holds_no_formula_and_steers_no_terminal() -> None:
    import csv

    key = count_key("param.a")
    texts = ["=1+1", "@x", "-2x", "+x", "a,b", 'q"', "\x1b[31m", "line\nend"]
    rows = [
        ((Value(Kind.TEXT, text),), Counted(Value(Kind.TEXT, text), Figures(1))) for text in texts
    ]
    text = csv_of([key], rows)
    assert "\x1b" not in text
    read = list(csv.DictReader(text.splitlines()))
    assert len(read) == len(texts)
    assert not any(row["param.a"][0] in "=@-+" for row in read)


def test_the_names_that_jobs_can_be_counted_by_are_found(file: Path) -> None:
    texts = [
        '{"customer": 17, "file": {"size": 3, "a-b": 1}, "two words": 1, "list": [{"x": 1}]}',
        "no JSON",
    ]
    write_rows(file, [("pending", text, None, None) for text in texts])
    with closing(open_read_only(file)) as conn:
        names = names_within(conn, "param", 50)
    assert set(names) == {
        *("param.customer", "param.file", "param.file.size", "param.file.a-b", "param.list"),
    }
    assert counted(file, ["param.file.a-b"]).groups[0].figures.jobs == 1
