"""Any filter over any rows: what SQL finds is what the language says, told once more in Python."""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gigq_tui.store.filter.language import parse
from gigq_tui.store.filter.terms import Field, Group, Node, Term
from gigq_tui.store.filter.writing import all_of, any_of, none_of, path_text, quoted, written
from gigq_tui.store.list.view import View
from tests.store_files import NOW, Writer, reading

NAMES = ["äpfel", "ÄPFEL", "a\u0308pfel", "pfel", "apfel", "retry", "a (b) c", 'say "x"', "x|y -z",
         "100%", "under_score", "back\\slash", "Straße", "STRASSE", "ΣΊΣΥΦΟΣ", "id:7"]  # fmt: skip
WORKERS = [None, "w1", "w12", "Ü"]
# The last one hides a job, and is no lane.
LANES = [None, "gpu", "fetch:a.org", "fetch:b", "fetching", "Äfetch:a", "-"]
SCHEDULES = [None, "nightly", "nightly-eu", "Nächtlich"]
# By the words for them, the columns of texts that GigQ's own file does not have.
WORDS = {
    "batch": "batch",
    "schedule": "schedule",
    "hook": "hook",
    "unique": "unique_key",
    "from": "submitted_by",
}
STATUSES = ["pending", "running", "completed", "failed", "timeout", "cancelled"]
PARAMS: list[Any] = [17, 17.0, 170, "17", "170", True, False, None, [17, "äpfel"], {"k": [1, None]},
                     "true", 0, 1, "Äpfel", [], {}, 0.5, -3]  # fmt: skip
MISSING = object()
START = int(NOW.timestamp()) - 1_000

seconds = st.integers(0, 1_000).map(lambda after: START + after)


@st.composite
def jobs(draw: st.DrawFn) -> dict[str, Any]:
    """One job with the attempts that it had, in their order."""
    status = draw(st.sampled_from(STATUSES))
    least = {"running": 1, "completed": 1, "failed": 1, "timeout": 1}.get(status, 0)
    number = draw(st.integers(least, 3))
    times = sorted(draw(st.lists(seconds, min_size=2 * number + 2, max_size=2 * number + 2)))
    spans = [list(times[1 + 2 * n : 3 + 2 * n]) for n in range(number)]
    if status == "running":
        spans[-1][1] = None
    ended = None
    if status not in ("pending", "running"):
        ended = times[-1] if status == "cancelled" else spans[-1][1]
    error = draw(st.sampled_from([None, "KeyError: 11", "Äther weg", "x"]))
    return {
        "name": draw(st.sampled_from(NAMES)),
        "status": status,
        "worker": draw(st.sampled_from(WORKERS)),
        "batch": draw(st.sampled_from([None, "b1", "b two"])),
        "lane": draw(st.sampled_from(LANES)),
        "schedule": draw(st.sampled_from(SCHEDULES)),
        "hook": draw(st.sampled_from([None, "page", "Pager"])),
        "unique_key": draw(st.sampled_from([None, "invoice 7", "tasks.work:9f3c"])),
        "submitted_by": draw(st.sampled_from([None, "9f3c1a2b", "9f3c"])),
        "priority": draw(st.integers(-2, 2)),
        "param": draw(st.sampled_from([*PARAMS, MISSING])),
        "created": times[0],
        "began": spans[-1][0] if spans else None,
        "ended": ended,
        "attempts": spans,
        "error": error,
    }


# --- the language once more -------------------------------------------------------------------


def folded(text: str, needle: str) -> str:
    if needle.isascii():
        # As SQLite's LIKE: of ASCII letters alone.
        return "".join(c.lower() if c.isascii() else c for c in text)
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold())


def holds(text: str | None, needle: str) -> bool:
    return text is not None and folded(needle, needle) in folded(text, needle)


def number_of(text: str) -> float | None:
    try:
        found = json.loads(text)
    except ValueError:
        return None
    return found if isinstance(found, int | float) and not isinstance(found, bool) else None


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def leaf_is(value: Any, term: Term, *, whole: bool) -> bool:
    if isinstance(value, str):
        return value == term.text if whole else holds(value, term.text)
    if term.is_text:
        return False
    if is_number(value):
        return number_of(term.text) == value
    return json.dumps(value) == term.text


def leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, list | dict):
        for inside in value.values() if isinstance(value, dict) else value:
            yield from leaves(inside)
    else:
        yield value


def compares(value: float, operator: str, other: float) -> bool:
    return {
        "<": value < other,
        "<=": value <= other,
        ">": value > other,
        ">=": value >= other,
        ":": value == other,
        "=": value == other,
    }[operator]


def lies_within(moment: float | None, bounds: tuple[float | None, float | None]) -> bool:
    since, until = bounds
    if moment is None:
        return False
    return (since is None or moment >= since) and (until is None or moment < until)


def bounds_in(term: Term) -> tuple[float | None, float | None]:
    """Of a range of moments with a Z, which is all that is generated here."""
    since, _, until = term.text.partition("..")
    return tuple(
        None if not text else datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()
        for text in (since, until)
    )  # type: ignore[return-value]


def takes(node: Node, job: dict[str, Any]) -> bool:
    if isinstance(node, Group):
        found = (any if node.is_any else all)(takes(part, job) for part in node.parts)
    else:
        found = term_takes(node, job)
    return found is not node.negated


def term_takes(term: Term, job: dict[str, Any]) -> bool:
    exact = term.operator == "="
    if term.field is Field.LANE:
        lane = None if job["lane"] == "-" else job["lane"]
        if lane is None or exact:
            return lane == term.text
        if term.text.endswith("*"):
            return bool(lane.startswith(term.text[:-1]))
        return holds(lane, term.text)
    texts = {
        Field.NAME: job["name"],
        Field.FUNCTION: "tasks.work",
        Field.WORKER: job["worker"],
        **{Field(word): job[column] for word, column in WORDS.items()},
        Field.ERROR: job["error"],
    }
    if term.field in texts:
        text = texts[term.field]
        return text == term.text if exact else holds(text, term.text)
    if term.field is Field.WORD:
        words = (job["name"], "tasks.work", job["id"], job["error"])
        return any(holds(text, term.text) for text in words)
    if term.field is Field.STATE:
        waits = job["status"] == "pending"
        if term.text == "retrying":
            return waits and len(job["attempts"]) > 0
        return job["status"] == term.text
    if term.field is Field.PRIORITY:
        return compares(job["priority"], term.operator, term.number)
    if term.field is Field.PARAM:
        value = job["param"]
        if value is MISSING or term.path != ("x",):
            return False
        if term.operator not in (":", "="):
            return is_number(value) and compares(value, term.operator, term.number)
        if not isinstance(value, list | dict):
            return leaf_is(value, term, whole=exact)
        if exact:
            return json.dumps(value, separators=(",", ":"), ensure_ascii=False) == term.text
        return any(leaf_is(inside, term, whole=False) for inside in leaves(value))
    bounds = bounds_in(term)
    if term.field is Field.RAN:
        since, until = bounds
        return any(
            (until is None or began < until) and (since is None or ended is None or ended >= since)
            for began, ended in job["attempts"]
        )
    column = {Field.SUBMITTED: "created", Field.STARTED: "began", Field.ENDED: "ended"}
    return lies_within(job[column[term.field]], bounds)


# --- any filter -------------------------------------------------------------------------------


def utc(at: int) -> str:
    return f"{datetime.fromtimestamp(at, timezone.utc):%Y-%m-%dT%H:%M:%S}Z"


NEEDLES = st.sampled_from(
    [*NAMES, "Pfel", "ÄP", "ss", "SS", "é", "tasks", "σίσυφος", "1", "KeyError"]
)
TEXTS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["name", "fn", "worker", "batch", "err"]),
    st.sampled_from([":", "="]),
    NEEDLES.map(quoted),
)
PARAM_VALUES = st.sampled_from(
    [
        "17",
        '"17"',
        "17.0",
        "170",
        "true",
        "false",
        "null",
        '"true"',
        "0",
        "1",
        "0.5",
        "-3",
        "äpfel",
        "k",
        "[]",
        '"[17,\\"äpfel\\"]"',
        "{}",
        "7",
    ]
)
PERIODS = st.builds(
    lambda field, first, second, opened: f"{field}:" + _range(first, second, opened),
    st.sampled_from(["submitted", "started", "ended", "ran"]),
    seconds,
    seconds,
    st.sampled_from(["", "since", "until"]),
)


def _range(first: int, second: int, opened: str) -> str:
    since, until = sorted((first, second))
    return f"{'' if opened == 'since' else utc(since)}..{'' if opened == 'until' else utc(until)}"


TERMS = st.one_of(
    NEEDLES.map(lambda text: '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'),
    TEXTS,
    st.builds("param.x{}{}".format, st.sampled_from([":", "="]), PARAM_VALUES),
    st.builds("param.x{}{}".format, st.sampled_from(["<", ">="]), st.sampled_from(["17", "0.5"])),
    st.builds("pri{}{}".format, st.sampled_from([":", "<", ">="]), st.integers(-2, 2)),
    st.sampled_from(["retry", "state:failed", "state:done", "state:running", "state:waiting"]),
    PERIODS,
    st.builds(
        "lane{}{}".format,
        st.sampled_from([":", "="]),
        st.sampled_from(
            [*filter(None, LANES), "fetch:*", "f*", "*", "Ä", "FETCH", "FETCH:*", "*a"]
        ),
    ),
)
TERMS |= st.builds(
    "schedule{}{}".format,
    st.sampled_from([":", "="]),
    st.sampled_from([*filter(None, SCHEDULES), "NIGHT", "ä", "zz"]),
)
TERMS |= st.builds(
    "{}{}{}".format,
    st.sampled_from(["hook", "unique", "from"]),
    st.sampled_from([":", "="]),
    st.sampled_from(["page", "PAGE", "pager", '"invoice 7"', "9f3c", "9f3c1a2b", "zz"]),
)
# What GigQ's own file has no column for.
OURS = (Field.LANE, *map(Field, WORDS))
FILTERS = st.recursive(
    TERMS,
    lambda inside: st.one_of(
        st.lists(inside, min_size=1, max_size=3).map(lambda texts: all_of(*texts)),
        st.lists(inside, min_size=1, max_size=3).map(any_of),
        inside.map(none_of),
        inside.map(lambda text: f"({text})"),
    ),
    max_leaves=8,
)


@settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    rows=st.lists(jobs(), min_size=6, max_size=12),
    texts=st.lists(FILTERS | PERIODS, min_size=8, max_size=25),
)
@pytest.mark.parametrize("attached", [True, False], ids=["attached", "gigq"])
def test_sql_finds_what_the_language_says(
    attached: bool, rows: list[dict[str, Any]], texts: list[str], tmp_path_factory: Any
) -> None:
    folder: Path = tmp_path_factory.mktemp("model")
    write(folder / "jobs.db", rows, attached)
    with reading(folder / "jobs.db") as reader:
        for text in texts:
            found = parse(text)
            assert found.root is not None
            if not attached and any(term.field in OURS for term in found.terms()):
                continue
            expected = {job["id"] for job in rows if takes(found.root, job)}
            assert set(reader.matching_ids(View(filter=found))) == expected, text


def write(path: Path, rows: list[dict[str, Any]], attached: bool) -> None:
    writer = Writer(path, attached)
    writer.conn.execute("BEGIN")
    for number, job in enumerate(rows):
        job["id"] = f"job{number:02d}"
        values = {
            "name": job["name"],
            "worker_id": job["worker"],
            "priority": job["priority"],
            "attempts": len(job["attempts"]),
            "error": job["error"],
            "params": json.dumps({} if job["param"] is MISSING else {"x": job["param"]}),
            "created_at": text_of(job["created"]),
            "started_at": text_of(job["began"]),
            "completed_at": text_of(job["ended"]),
        }
        if attached:
            values |= {name: job[name] for name in ("lane", *WORDS.values())}
        writer.job(job["id"], job["status"], **values)
        for n, (began, ended) in enumerate(job["attempts"]):
            attempt = {"id": f"{job['id']}/{n}", "job_id": job["id"], "worker_id": "w"}
            times = {"started_at": text_of(began), "completed_at": text_of(ended)}
            writer.insert("job_executions", {**attempt, **times, "status": "failed"})
    writer.conn.execute("COMMIT")
    writer.close()


def text_of(at: float | None) -> str | None:
    from gigq_core.units.times import local_text

    return None if at is None else local_text(at)


@settings(max_examples=500, deadline=None)
@given(text=FILTERS)
def test_a_filter_that_is_written_again_means_the_same(text: str) -> None:
    found = parse(text)
    assert parse(written(found)).root == found.root
    assert written(parse(written(found))) == written(found)


@settings(max_examples=500, deadline=None)
@given(text=st.text(min_size=1, max_size=20))
def test_any_text_is_read_as_it_was_written(text: str) -> None:
    if any("\ud800" <= character <= "\udfff" or character == "\0" for character in text):
        return
    (term,) = parse(f"name={quoted(text)}").terms()
    assert term.text == text


@settings(max_examples=300, deadline=None)
@given(keys=st.lists(st.text(min_size=1, max_size=8), min_size=1, max_size=3))
def test_any_keys_are_read_as_they_were_written(keys: list[str]) -> None:
    if any("\ud800" <= c <= "\udfff" or c in '\0"' for key in keys for c in key):
        return
    (term,) = parse(f"param{path_text(tuple(keys))}:1").terms()
    assert term.path == tuple(keys)


def test_what_two_filters_both_say_is_written_once() -> None:
    assert all_of("param.customer=11", "", " param.customer=11 ", "fn=a.b") == (
        "param.customer=11 fn=a.b"
    )
