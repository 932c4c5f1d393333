"""What a job returns or raises, put in words that can be stored: limits, culprits, types."""

from __future__ import annotations

import enum
import json
import sqlite3
import sys
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigq_core.worker import runner


def refusal(result: Any, most: int = runner.MAX_RESULT) -> str:
    with pytest.raises(runner.Hopeless) as caught:
        runner.encoded(result, most)
    text = str(caught.value)
    assert text.encode()
    assert len(text) < 6_000
    return text


def deep(depth: int) -> list[Any]:
    inner: list[Any] = []
    for _ in range(depth):
        inner = [inner]
    return inner


def within_itself() -> dict[str, Any]:
    found: dict[str, Any] = {"a": [1]}
    found["a"].append({"b": found})
    return found


class Loud:
    def __repr__(self) -> str:
        raise RuntimeError("from a repr")


class Torn(dict[str, Any]):
    def items(self) -> Any:
        raise LookupError("no items")


CULPRITS: list[tuple[Any, str]] = [
    (
        {"rows": [1, 2, 3, {"when": datetime(2026, 5, 6)}]},
        'result["rows"][3]["when"]: datetime.datetime(2026, 5, 6, 0, 0)',
    ),
    (datetime(2026, 5, 6), "result: datetime.datetime(2026, 5, 6, 0, 0)"),
    ([[1.5, float("nan")]], "result[0][1]: nan"),
    ({"a": {"b": float("-inf")}}, 'result["a"]["b"]: -inf'),
    ({"a": {"b": {1, 2}}}, 'result["a"]["b"]: {1, 2}'),
    ((1, (2, b"x")), "result[1][1]: b'x'"),
    ({"a": [{(1, 2): 3}]}, 'result["a"][0]: (1, 2)'),
    ({1: {None: {True: Decimal("1.5")}}}, "result[1][None][True]: Decimal('1.5')"),
    ({"caf\udcc3": object}, "result[\"caf\\udcc3\"]: <class 'object'>"),
    ({'a"b': object}, 'result["a\\"b"]: <class \'object\'>'),
    (within_itself(), 'result["a"][1]["b"]: {'),
    ({"n": [10**5000]}, 'result["n"][0]: <a whole number of 16610 bits>'),
    ({"deep": deep(100_000)}, 'result["deep"][0][0][0]'),
    ([Loud()], "result[0]: <"),
    ({"big": b"x" * 10**6}, 'result["big"]: b\'xxx'),
]


@pytest.mark.parametrize(("result", "told"), CULPRITS, ids=[told[:30] for _, told in CULPRITS])
def test_the_value_that_json_cannot_hold_is_named_with_its_path(result: Any, told: str) -> None:
    text = refusal(result)
    assert text.startswith("its result can't be stored, because JSON can't hold it: result")
    assert told in text
    assert ("\nThe result: " in text) == isinstance(result, (dict, list, tuple)) or "rcular" in text


def test_a_type_that_breaks_while_it_is_encoded_fails_for_good_too() -> None:
    assert "no items" in refusal(Torn(a=1))


def test_what_json_can_hold_is_stored_as_it_is() -> None:
    class Level(enum.IntEnum):
        LOW = 1

    for result in (["\ud800\0é"], {"a": (1, 2.5, None, True)}, Level.LOW, "", 10**4000, {}):
        assert json.loads(runner.encoded(result)) == json.loads(json.dumps(result))
        assert runner.encoded(result).isascii()


def test_a_result_that_is_too_large_is_told_with_both_sizes_and_its_beginning() -> None:
    assert runner.encoded("x" * 98, 100) == '"' + "x" * 98 + '"'
    text = refusal("x" * 99, 100)
    assert "101 bytes" in text
    assert "100 bytes at most" in text
    assert "xxx" in text
    assert "16 MiB at most" in refusal(["y" * 2**24])
    assert "500 KiB at most" in refusal("y" * 2**20, 500 * 1024)


ODD: dict[str, Any] = {
    "loud": Loud(),
    "huge": 10**5000,
    "a type": object,
    "endless": within_itself(),
    "torn": Torn(a=1),
    "deep": deep(100_000),
}


def _odd(name: str) -> Any:
    return ODD[name]


ANY = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.binary(max_size=5) | st.dates()
    | st.text(st.characters(exclude_categories=()), max_size=5) | st.complex_numbers()
    | st.sampled_from(sorted(ODD)).map(_odd),
    lambda inner: st.lists(inner, max_size=4)
    | st.tuples(inner, inner)
    | st.dictionaries(st.text(max_size=3) | st.integers() | st.floats(), inner, max_size=4)
    | st.dictionaries(st.tuples(st.integers()) | st.binary(max_size=2), inner, max_size=2),
    max_leaves=12,
)  # fmt: skip


@given(ANY)
def test_any_result_is_stored_or_refused_in_words(result: Any) -> None:
    try:
        text = runner.encoded(result, 500)
    except runner.Hopeless:
        refusal(result, 500)
    else:
        assert len(text) <= 500
        json.loads(text)


# --- errors ----------------------------------------------------------------------------------


class MyError(Exception):
    pass


class Mute(Exception):
    def __str__(self) -> str:
        raise SystemExit("from a str")


def caught(code: str) -> BaseException:
    try:
        exec(compile(code, "user.py", "exec"), {"MyError": MyError, "Mute": Mute})
    except BaseException as problem:
        return problem
    raise AssertionError("nothing was raised")


ERRORS = {
    "{}['customer_id']": "KeyError: 'customer_id'",
    "[][1]": "IndexError: list index out of range",
    "raise StopIteration": "StopIteration",
    "raise ValueError('')": "ValueError",
    "raise ValueError('a\\nb')": "ValueError: a\nb",
    "raise MyError('text')": f"{__name__}.MyError: text",
    "raise MyError": f"{__name__}.MyError",
    "raise Mute": f"{__name__}.Mute: <exception str() failed>",
    "import json; json.loads('x')": (
        "json.decoder.JSONDecodeError: Expecting value: line 1 column 1 (char 0)"
    ),
    "import subprocess; raise subprocess.TimeoutExpired('ls', 3)": (
        "subprocess.TimeoutExpired: Command 'ls' timed out after 3 seconds"
    ),
    "open('/no/such/file')": (
        "FileNotFoundError: [Errno 2] No such file or directory: '/no/such/file'"
    ),
    "class E(Exception): pass\nraise E('x')": "E: x",
    "raise KeyboardInterrupt": "KeyboardInterrupt",
    "raise ValueError('caf\\udcc3')": "ValueError: caf\\udcc3",
    "raise ValueError('a\\0b')": "ValueError: a\\x00b",
    "import sys; sys.exit(3)": "SystemExit: the job called sys.exit(3)",
    "import sys; sys.exit()": "SystemExit: the job called sys.exit()",
    "import sys; sys.exit('caf\\udcc3')": "SystemExit: the job called sys.exit('caf\\udcc3')",
    "import sys; sys.exit(10**5000)": (
        "SystemExit: the job called sys.exit(<a whole number of 16610 bits>)"
    ),
}


@pytest.mark.parametrize(("code", "error"), ERRORS.items(), ids=ERRORS.keys())
def test_an_error_begins_with_its_type_as_python_prints_it(code: str, error: str) -> None:
    problem = caught(code)
    if code.startswith("class E"):
        type(problem).__module__ = "__main__"
    told = runner.failure(problem)
    assert told["error"] == error
    assert told["traceback"].encode()
    if "\\" not in error and "sys.exit" not in error:
        assert told["traceback"].endswith(error)


class Silent(type):
    """A type that answers nothing."""

    def __getattribute__(cls, name: str) -> Any:
        raise RuntimeError(f"no {name}")


class Odd(str):
    """A text that can't be compared."""

    __hash__ = str.__hash__

    def __eq__(self, other: object) -> bool:
        raise RuntimeError("no comparison")


class Unasked:
    """What can't be looked at."""

    def __get__(self, of: object, kind: object = None) -> Any:
        raise RuntimeError("not to be had")


HOSTILE: dict[str, Callable[[], type[BaseException]]] = {
    "a type that answers nothing": lambda: Silent("E", (Exception,), {}),
    "a module that is a number": lambda: type("E", (Exception,), {"__module__": 17}),
    "a module that is odd": lambda: type("E", (Exception,), {"__module__": Odd("odd")}),
    "another class": lambda: type("E", (Exception,), {"__class__": Unasked()}),
    "an exception that answers nothing": lambda: type(
        "E", (Exception,), {"__getattribute__": Unasked()}
    ),
    "no traceback and no causes": lambda: type(
        "E",
        (Exception,),
        dict.fromkeys(
            ("__traceback__", "__cause__", "__context__", "__suppress_context__"), Unasked()
        ),
    ),
    "a mark that can't be read": lambda: type("E", (Exception,), {"__gigq_core__": Unasked()}),
    "an exit without a code": lambda: Silent("E", (SystemExit,), {"code": Unasked()}),
    "a text that is none": lambda: type("E", (Exception,), {"__str__": lambda self: 5}),
    "a text that ends the process": lambda: type("E", (Exception,), {"__str__": sys.exit}),
}


@pytest.mark.parametrize("how", HOSTILE)
def test_whatever_the_exception_is_like_its_type_is_told(how: str) -> None:
    try:
        raise HOSTILE[how]()("x")
    except BaseException as problem:
        told = runner.failure(problem)
    kind, _, text = told["error"].partition(": ")
    assert kind.rpartition(".")[2] == "E"
    assert text in ("x", "<exception str() failed>", "the job called sys.exit()")
    assert told["traceback"]
    assert told["raised"][0].rpartition(".")[2] == "E"


def test_a_type_with_a_name_of_any_kind_is_told_in_short() -> None:
    odd = type("Odd", (Exception,), {})
    odd.__qualname__ = "caf\udcc3\0" * 100_000
    told = runner.failure(odd("x"))["error"]
    assert told.encode()
    assert told.startswith(f"{__name__}.caf\\udcc3\\x00")
    assert told.endswith(": x")
    assert len(told) < 600


def test_a_long_error_keeps_its_type_its_head_and_its_tail() -> None:
    told = runner.failure(ValueError("begin" + "x" * 10**6 + "end"))["error"]
    assert told.startswith("ValueError: begin")
    assert told.endswith("end")
    assert len(told) < runner.MAX_TEXT + 100


def test_stored_texts_are_read_to_their_end_by_sqlite(tmp_path: Path) -> None:
    conn = sqlite3.connect(tmp_path / "a.db")
    for text in ("a\0b", "\ud800", "caf\udcc3(.txt", "é中\U0001f600", "plain"):
        stored = runner.storable(text)
        found = conn.execute("SELECT length(?1), instr(?1, 'b')", (stored,)).fetchone()
        assert found[0] == len(stored)
    conn.close()
