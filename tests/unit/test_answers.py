"""The gate for what a child says: a message with the right shape comes in, and nothing else."""

from __future__ import annotations

import json
import sqlite3
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigq_core.worker import answers, runner
from gigq_core.worker.answers import Ask, Broken, Done, Lines, Ready, Saved, Submitted, Told, parse
from gigq_core.worker.claims import Wish

TOKEN = "0198-token"
GOOD = {"done": TOKEN, "ok": True, "result": "[1]"}
BAD = {"done": TOKEN, "ok": False, "hopeless": False, "error": "KeyError: 1", "traceback": None}


def line(message: Any) -> bytes:
    return json.dumps(message).encode()


def test_every_message_of_the_runner_passes() -> None:
    assert parse(line({"ready": 7, "python": [3, 8, 0]})) == Ready(7)
    assert parse(line({"ask": "parents", "number": 3})) == Ask("parents", 3)
    assert parse(line({"ask": "saved", "number": 0})) == Ask("saved", 0)
    for report in ((0, None, ""), (7, 2**63 - 1, "x" * 200), (0.5, 1e300, "\0\udce9")):
        told = parse(line({"report": runner.report_of(report)}))
        assert told == Told(*report[:2], runner.storable(report[2]))
    text = runner.checkpoint(["é\0" * 5_000])
    assert parse(line({"save": text, "number": 9})) == Saved(text, 9)
    order = runner.order_of(line, {"é\0": "\ud800"}, True, {"name": "\udce9"}, {})
    assert parse(line({"submit": order, "number": 9})) == Submitted(order, 9)
    along = {"files": {"/a/b\udce9.py": 12}, "peak": 5, "left": ["2 threads"], "signals": [15]}
    assert parse(line(GOOD | along)) == Done(TOKEN, True, False, "[1]", None, None, along)
    told = parse(line(BAD | {"traceback": "Traceback"}))
    assert told == Done(TOKEN, False, False, None, "KeyError: 1", "Traceback", {})
    for problem in (ValueError("x"), runner.Hopeless("y"), SystemExit(2), KeyboardInterrupt()):
        assert isinstance(parse(line(runner.failure(problem) | {"done": TOKEN})), Done)


class Mark(Exception):
    __gigq_core__ = "snooze"

    def __init__(self, after: Any) -> None:
        super().__init__("later")
        self.after = after


class Again(Mark):
    __gigq_core__ = "retry"


class Enough(Exception):
    __gigq_core__ = "give_up"


class Odd(Exception):
    __gigq_core__ = ("retry",)


@pytest.mark.parametrize(
    ("problem", "wish"),
    [
        (Mark(5), Wish("snooze", 5.0)),
        (Mark(0), Wish("snooze", 0.0)),
        (Again(1.5), Wish("retry", 1.5)),
        (Again(None), Wish("retry", None)),
        (Enough("no use"), Wish("give_up", None)),
        (Odd("x"), None),
        (KeyError("x"), None),
    ],
)
def test_a_wish_passes_with_what_was_raised(problem: Exception, wish: Wish | None) -> None:
    told = parse(line(runner.failure(problem) | {"done": TOKEN}))
    assert isinstance(told, Done)
    assert told.wish == wish
    kind = type(problem)
    assert told.raised[0] == f"{kind.__module__}.{kind.__qualname__}"
    assert told.raised[-2:] == ("builtins.Exception", "builtins.BaseException")


@pytest.mark.parametrize("after", [-1, -0.001, float("inf"), float("nan"), "10", True, [], 10**400])
def test_a_wish_that_cant_be_had_is_a_failure_that_says_so(after: Any) -> None:
    for problem in (Mark(after), Again(after)):
        told = parse(line(runner.failure(problem) | {"done": TOKEN}))
        assert isinstance(told, Done)
        assert told.wish is None
        assert told.error is not None
        assert "later (its `after` " in told.error
    assert runner.failure(Mark(None))["error"].endswith(
        "(it names no time: say after how many seconds)"
    )


def test_of_many_types_the_nearest_are_told() -> None:
    kind: type[BaseException] = ValueError
    for number in range(20):
        kind = type(f"Kind{number}", (kind,), {"__module__": "m\0\udce9"})
    told = parse(line(runner.failure(kind()) | {"done": TOKEN}))
    assert isinstance(told, Done)
    assert told.raised == tuple(f"m\\x00\\udce9.Kind{n}" for n in range(19, 9, -1))


NOT_MESSAGES: dict[str, bytes] = {
    "a number": b"5",
    "a list": b"[]",
    "null": b"null",
    "nothing": b"",
    "an empty object": b"{}",
    "text": b'"done"',
    "deeply nested lists": b"[" * 50_000,
    "deeply nested objects": b'{"done":' * 50_000,
    "a huge integer": b'{"ready": ' + b"9" * 10_000 + b', "python": [3]}',
    "a huge peak": line(GOOD)[:-1] + b', "peak": ' + b"9" * 5_000 + b"}",
    "a large peak": line(GOOD | {"peak": 2**63}),
    "a negative peak": line(GOOD | {"peak": -1}),
    "NaN": line(GOOD)[:-1] + b', "peak": NaN}',
    "infinity": line(GOOD)[:-1] + b', "peak": 1e999}',
    "only a token": line({"done": TOKEN}),
    "no result": line({"done": TOKEN, "ok": True}),
    "no error": line({"done": TOKEN, "ok": False}),
    "both shapes": line(GOOD | BAD | {"ok": True}),
    "a token of another type": line(GOOD | {"done": 1}),
    "ok as a number": line(GOOD | {"ok": 1}),
    "a result that is no text": line(GOOD | {"result": {}}),
    "a result with a stray character": '{"done": "t", "ok": true, "result": "é"}'.encode(),
    "an error that is no text": line(BAD | {"error": None}),
    "a traceback that is no text": line(BAD | {"traceback": 3}),
    "hopeless as text": line(BAD | {"hopeless": "no"}),
    "names as text": line(BAD | {"raised": "builtins.KeyError"}),
    "too many names": line(BAD | {"raised": ["x"] * 211}),
    "a name beyond measure": line(BAD | {"raised": ["x" * 1_001]}),
    "names of a success": line(GOOD | {"raised": ["x"]}),
    "a wish of a success": line(GOOD | {"wish": ["retry", 1.0]}),
    "a wish without a time": line(BAD | {"wish": ["retry"]}),
    "a snooze without end": line(BAD | {"wish": ["snooze", None]}),
    "a wish for the past": line(BAD | {"wish": ["retry", -1.0]}),
    "an unknown wish": line(BAD | {"wish": ["repeat", 1.0]}),
    "a wish of no name": line(BAD | {"wish": [[], 1.0]}),
    "a time to give up": line(BAD | {"wish": ["give_up", 1.0]}),
    "an unknown key": line(GOOD | {"more": 1}),
    "files as a list": line(GOOD | {"files": []}),
    "files with text": line(GOOD | {"files": {"a": "b"}}),
    "ready as true": line({"ready": True, "python": [3]}),
    "ready with more": line({"ready": 1, "python": [3], "x": 1}),
    "ready and done": line(GOOD | {"ready": 1}),
    "python as text": line({"ready": 1, "python": "3.8"}),
    "ask for more": line({"ask": "everything", "number": 1}),
    "ask with more": line({"ask": "parents", "number": 1, "of": 1}),
    "ask without a number": line({"ask": "parents"}),
    "ask with a number of another kind": line({"ask": "saved", "number": 1.5}),
    "ask for no text": line({"ask": ["parents"], "number": 1}),
    "a report of nothing": line({"report": None}),
    "a report too short": line({"report": [1, 2]}),
    "a report too long": line({"report": [1, 2, "", 3]}),
    "a report with more": line({"report": [1, 2, ""], "of": 1}),
    "a report of text": line({"report": ["1", None, ""]}),
    "a report of true": line({"report": [True, None, ""]}),
    "a report below nothing": line({"report": [-1, None, ""]}),
    "a report of a negative total": line({"report": [1, -0.5, ""]}),
    "a report without end": b'{"report": [1e999, null, ""]}',
    "a report of too much": line({"report": [2**63, None, ""]}),
    "a report of NaN": b'{"report": [NaN, null, ""]}',
    "a note that is no text": line({"report": [1, None, None]}),
    "a note beyond measure": line({"report": [1, None, "x" * 201]}),
    "a checkpoint without a number": line({"save": "1"}),
    "a checkpoint of another number": line({"save": "1", "number": -1}),
    "a checkpoint with more": line({"save": "1", "number": 1, "ok": True}),
    "a checkpoint that is no text": line({"save": {}, "number": 1}),
    "an empty checkpoint": line({"save": "", "number": 1}),
    "a checkpoint beyond measure": line({"save": "1" * (runner.MOST_SAVED + 1), "number": 1}),
    "a checkpoint with a stray character": '{"save": "é", "number": 1}'.encode(),
    "an order without a number": line({"submit": "{}"}),
    "an order of another number": line({"submit": "{}", "number": 2**63}),
    "an order with more": line({"submit": "{}", "number": 1, "ok": True}),
    "an order that is no text": line({"submit": {}, "number": 1}),
    "an empty order": line({"submit": "", "number": 1}),
    "an order beyond measure": line(
        {"submit": "1" * (runner.MOST_SUBMITTED_BYTES + 1), "number": 1}
    ),
    "an order with a stray character": '{"submit": "é", "number": 1}'.encode(),
    "an order and a checkpoint": line({"submit": "{}", "save": "1", "number": 1}),
    "not UTF-8": b'{"ask": "parents\xff"}',
    "UTF-16": json.dumps(GOOD).encode("utf-16"),
    "a BOM": b"\xef\xbb\xbf" + line(GOOD),
    "two messages": line(GOOD) + line(GOOD),
    "half a message": line(GOOD)[:-1],
    "a NUL": b"\0",
}


@pytest.mark.parametrize("words", NOT_MESSAGES.values(), ids=NOT_MESSAGES.keys())
def test_what_is_no_message_is_refused_in_a_short_sentence(words: bytes) -> None:
    with pytest.raises(Broken) as caught:
        parse(words)
    assert len(str(caught.value)) < 400
    assert str(caught.value).isascii()
    assert str(caught.value).isprintable()


def test_text_that_comes_in_can_be_stored_and_is_bounded() -> None:
    conn = sqlite3.connect(":memory:")
    for text in ("caf\udcc3(.txt", "a\0b", "\ud800" * 10, "x" * 10**6, "\ud800" * 10**6):
        told = parse(line(BAD | {"error": text, "traceback": text}))
        assert isinstance(told, Done)
        for stored in (told.error, told.traceback):
            assert stored is not None
            assert len(stored) <= answers.MAX_TEXT + 100
            # SQLite's own functions read it to its end.
            row = conn.execute("SELECT ?1, length(?1)", (stored,)).fetchone()
            assert row == (stored, len(stored))
    conn.close()


def test_a_result_has_its_limit_at_the_gate_too() -> None:
    assert isinstance(parse(line(GOOD | {"result": "1" * 100}), 100), Done)
    with pytest.raises(Broken, match="101 bytes"):
        parse(line(GOOD | {"result": "1" * 101}), 100)


def test_the_largest_result_allowed_fits_into_a_line() -> None:
    most = 10_000
    worst = runner.encoded(['"\\' * (most // 5)], most * 2)[:most]
    message = {"done": TOKEN, "ok": True, "result": worst}
    assert len(json.dumps(message)) <= answers.line_bytes(most)
    order = json.dumps('"' * (runner.MOST_SUBMITTED_BYTES // 2 - 1))
    assert len(order) <= runner.MOST_SUBMITTED_BYTES
    assert len(json.dumps({"submit": order, "number": 2**63})) <= answers.line_bytes(1)


def test_lines_are_cut_at_their_ends_alone() -> None:
    lines = Lines(100)
    assert lines.feed(b"one\ntw") == [b"one"]
    assert lines.has_rest
    assert lines.feed(b"o") == []
    assert lines.feed(b"\n\nthree\n") == [b"two", b"", b"three"]
    assert not lines.has_rest


def test_a_line_without_end_is_refused_while_it_grows() -> None:
    lines = Lines(1000)
    for _ in range(10):
        assert lines.feed(b"x" * 100) == []
    with pytest.raises(Broken, match="1,000 bytes"):
        lines.feed(b"x")
    assert not lines.has_rest
    with pytest.raises(Broken):
        Lines(1000).feed(b"x" * 1001 + b"\n")


@given(st.lists(st.binary(max_size=40), max_size=12))
def test_lines_come_whole_however_they_are_cut(pieces: list[bytes]) -> None:
    lines = Lines(10_000)
    found = [line for piece in pieces for line in lines.feed(piece)]
    assert found == b"".join(pieces).split(b"\n")[:-1]


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(st.characters(exclude_categories=()))
    | st.sampled_from([TOKEN, "parents"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    *("ready", "python", "ask", "done", "ok", "result", "error", "traceback"),
                    *("hopeless", "files", "peak", "left", "x"),
                ]
            ),
            inner,
            max_size=7,
        )
    ),
    max_leaves=15,
)
ALMOST = st.tuples(st.sampled_from([GOOD, BAD]), st.dictionaries(st.sampled_from(list(BAD)), JSON))


@given(
    JSON.map(line)
    | ALMOST.map(lambda pair: line(pair[0] | pair[1]))
    | st.binary(max_size=200)
    | st.tuples(st.just(line(GOOD)), st.binary(max_size=5), st.integers(0, 60)).map(
        lambda found: found[0][: found[2]] + found[1] + found[0][found[2] :]
    )
)
def test_whatever_comes_is_a_message_that_can_be_stored_or_broken(words: bytes) -> None:
    try:
        message = parse(words, 1000)
    except Broken:
        return
    if isinstance(message, Done):
        for text in (message.token, message.result, message.error, message.traceback):
            assert text is None or type(text) is str
        for text in (message.result, message.error, message.traceback):
            assert text is None or "\0" not in text
            assert text is None or text.encode()
        assert message.ok == (message.error is None)
