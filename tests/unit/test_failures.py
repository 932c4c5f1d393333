"""What failed, as the texts of an attempt tell it: type, message, place and fingerprint."""

from __future__ import annotations

import json
import string
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigq_core.failures import Failure, failure_of, normalised

RECORDED = json.loads((Path(__file__).parent.parent / "data" / "failures.json").read_text())
PYTHONS = list(RECORDED)

# By the functions of `tests/data/failing.py`: the title, and the place.
EXPECTED: dict[str, tuple[str, str | None]] = {
    "key": ("KeyError: #", "failing.py:12"),
    "library": (
        "json.decoder.JSONDecodeError: Expecting property name enclosed in double quotes: line # "
        "column # (char #)",
        "failing.py:16",
    ),
    "cause": ("ValueError: row # of # is bad", "failing.py:23"),
    "during": ("OSError: [Errno #] No space left on device: #", "failing.py:30"),
    "comprehension": ("ZeroDivisionError: integer division or modulo by zero", "failing.py:34"),
    "dictionary": ("ZeroDivisionError: integer division or modulo by zero", "failing.py:38"),
    "generator": ("ZeroDivisionError: integer division or modulo by zero", "failing.py:42"),
    "function_of_none": ("AttributeError: # object has no attribute #", "failing.py:46"),
    "within": ("LookupError: nothing of kind # in # places", "failing.py:51"),
    "own_type": ("failing.own_type.<locals>.Refused: by host-#", "failing.py:60"),
    "text_fails": ("failing.Broken: <exception str() failed>", "failing.py:64"),
    "without_text": ("TimeoutError", "failing.py:68"),
    "lines": ("ValueError: # errors field a: required field b: required", "failing.py:72"),
    "told_again": (
        "RuntimeError: a remote call failed Traceback (most recent call last): File #, line #, in "
        "remote KeyError: #",
        "failing.py:79",
    ),
    "looks_like_a_frame": ("ValueError: see File #, line #, in remote", "failing.py:83"),
    "leaves": ("SystemExit: the job called sys.exit(#)", "failing.py:87"),
    "deep": ("RecursionError: maximum recursion depth exceeded", "failing.py:91"),
    "deeper": ("TypeError: deeper() missing # required positional argument: #", None),
    "evaluated": ("SyntaxError: invalid syntax (<string>, line #)", "failing.py:99"),
    "made_up": ("ZeroDivisionError: integer division or modulo by zero", "failing.py:103"),
    "imported": (
        "ZeroDivisionError: integer division or modulo by zero",
        "failing_import.py:2",
    ),
    "not_python": (
        "SyntaxError: invalid syntax (failing_syntax.py, line #)",
        "failing_syntax.py:2",
    ),
    "noted": ("ValueError: plain", "failing.py:117"),
    "grouped": ("ExceptionGroup: several of # (# sub-exceptions)", "failing.py:127"),
}
# What Python says of a text that ends too early was another thing then.
OTHER_WORDS = {("evaluated", "3.8"), ("evaluated", "3.9")}


def recorded(name: str) -> list[tuple[str, dict[str, Any]]]:
    return [(python, found[name]) for python, found in RECORDED.items() if name in found]


@pytest.mark.parametrize("name", EXPECTED)
def test_a_failure_is_the_same_in_every_python(name: str) -> None:
    kept = [(python, told) for python, told in recorded(name) if (name, python) not in OTHER_WORDS]
    found = {failure_of(told["error"], told["traceback"], told["raised"][0]) for _, told in kept}
    assert {(failure.title, failure.where) for failure in found} == {EXPECTED[name]}
    assert len({failure.fingerprint for failure in found}) == 1
    kind = kept[0][1]["raised"][0].removeprefix("builtins.")
    assert {failure.type for failure in found} == {kind}


@pytest.mark.parametrize("name", EXPECTED)
def test_the_texts_alone_tell_the_same(name: str) -> None:
    """What the release before recorded has no list of types; before that, the error had none."""
    for python, told in recorded(name):
        whole = failure_of(told["error"], told["traceback"], told["raised"][0])
        assert failure_of(told["error"], told["traceback"]) == whole, python
        bare = told["error"].removeprefix(f"{whole.type}: ")
        earlier = failure_of(bare, told["traceback"])
        assert (earlier.type, earlier.where) == (whole.type, whole.where), python
        assert earlier.fingerprint == whole.fingerprint, python


def test_all_that_is_recorded_is_expected() -> None:
    assert set(PYTHONS) == {"3.8", "3.9", "3.10", "3.11", "3.12", "3.13"}
    assert {name for found in RECORDED.values() for name in found} == set(EXPECTED)
    known = {failure_of(t["error"], t["traceback"]).fingerprint for t in RECORDED["3.13"].values()}
    assert len(known) == len(EXPECTED)


# --- what is no exception's --------------------------------------------------------------------

SENTENCES = {
    "Job timed out after 300 seconds": "Job timed out after # seconds",
    "Job timed out after 0.5 seconds: its worker was hung, and did not stop it": (
        "Job timed out after # seconds: its worker was hung, and did not stop it"
    ),
    "no sign of life for 60s, last 42 %": "no sign of life for #s, last # %",
    "the process died: SIGKILL (killed from outside, perhaps because memory ran out)": (
        "the process died: SIGKILL (killed from outside, perhaps because memory ran out)"
    ),
    "the process died: SIGSEGV": "the process died: SIGSEGV",
    "the process ended itself with exit code 3 before the job was done": (
        "the process ended itself with exit code # before the job was done"
    ),
    "worker host-4711-abc (pid 4711) died": "worker # died",
    "worker nightly died": "worker # died",
    "worker nightly (pid 4711) died, and its agents with it": (
        "worker # died, and its agents with it"
    ),
    "its agent on gpu-a was lost: the link ended": "its agent on # was lost: the link ended",
    "its agent on 10.0.0.7 was lost: the link ended": "its agent on # was lost: the link ended",
    "its result can't be stored, because JSON can't hold it: result[3]: {1}\nThe result: [x]": (
        "its result can't be stored, because JSON can't hold it: result[#]: {#}"
    ),
    "HTTP 503 from https://example.invalid/feed?id=4711": "HTTP # from #",
    "timeout: the far side": "timeout: the far side",
    "": "",
}


@pytest.mark.parametrize("sentence", SENTENCES)
def test_a_sentence_has_no_type(sentence: str) -> None:
    failure = failure_of(sentence)
    assert (failure.type, failure.title, failure.where) == (None, SENTENCES[sentence], None)
    assert failure.message == sentence


STOPPED = (
    "Job timed out after 300 seconds",
    "no sign of life for 60s, last 42 %",
    "its worker ended unexpectedly: MemoryError",
)
# By what an attempt is stopped, in a process, in a thread and in an event loop; or what it raised
# on its way out.
LAST_LINES = (
    "gigq_core_runner.Stopped: the worker stopped it",
    "gigq_core.errors.JobTimeout",
    "asyncio.exceptions.CancelledError",
    "ValueError: tidying up failed",
)


@pytest.mark.parametrize("last", LAST_LINES)
@pytest.mark.parametrize("sentence", STOPPED)
def test_what_was_stopped_has_no_type_and_a_place(sentence: str, last: str) -> None:
    frames = (("/srv/app/feeds.py", 9, "main"), ("/srv/app/feeds.py", 17, "fetch"))
    failure = failure_of(sentence, traceback_of(last, *frames))
    assert (failure.type, failure.message) == (None, sentence)
    assert (failure.title, failure.where) == (failure_of(sentence).title, "feeds.py:17")
    # Whatever stopped it, and wherever in the function.
    moved = (("/srv/app/feeds.py", 9, "main"), ("/srv/app/feeds.py", 19, "fetch"))
    other = failure_of(sentence, traceback_of(LAST_LINES[0], *moved))
    assert other.fingerprint == failure.fingerprint
    elsewhere = failure_of(sentence, traceback_of(last, ("/srv/app/feeds.py", 40, "store")))
    assert elsewhere.fingerprint != failure.fingerprint


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("KeyError: 'customer'", "KeyError"),
        ("requests.exceptions.ConnectTimeout: x", "requests.exceptions.ConnectTimeout"),
        ("KeyboardInterrupt", "KeyboardInterrupt"),
        ("StopIteration", "StopIteration"),
        ("Refused: by the host", None),
        ("error: x", None),
        ("a KeyError: x", None),
    ],
)
def test_without_a_traceback_only_what_looks_like_a_type_is_one(
    text: str, kind: str | None
) -> None:
    assert failure_of(text).type == kind


# --- one kind, and another ---------------------------------------------------------------------


def traceback_of(error: str, *frames: tuple[str, int, str]) -> str:
    lines = ["Traceback (most recent call last):"]
    for path, line, function in frames:
        lines += [f'  File "{path}", line {line}, in {function}', "    it.fails()"]
    return "\n".join([*lines, error])


def failed(
    kind: str = "ValueError",
    message: str = "bad",
    frames: tuple[tuple[str, int, str], ...] = (("/srv/app/feeds.py", 17, "fetch"),),
) -> Failure:
    error = f"{kind}: {message}"
    return failure_of(error, traceback_of(error, *frames), kind)


_HEX = st.text("0123456789abcdef", min_size=8, max_size=40)
_NAME = st.text(string.ascii_letters + string.digits + "_-.", min_size=1, max_size=12).filter(
    lambda name: not name.endswith(".")
)
PARTS: dict[str, st.SearchStrategy[str]] = {
    "a number": st.one_of(
        st.integers().map(str),
        st.floats(allow_nan=False, allow_infinity=False).map(repr),
        st.integers(0, 10**12).map("{:,}".format),
        st.integers(0, 10**12).map(hex),
    ),
    "an id": st.one_of(_HEX, st.uuids().map(str), st.uuids().map(lambda one: one.hex.upper())),
    "a time": st.datetimes().map(str),
    "an address": st.ip_addresses(v=4).map(str),
    "a path": st.lists(_NAME, min_size=2, max_size=6).map(lambda names: "/" + "/".join(names)),
    "a file": st.lists(_NAME, min_size=2, max_size=6).map(lambda n: "./" + "/".join(n) + ".csv"),
    "a URL": st.lists(_NAME, max_size=4).map(lambda n: "https://example.org/" + "/".join(n)),
    "a repr": st.one_of(st.text(), st.binary(), st.integers(), st.floats())
    .map(repr)
    .filter(lambda text: not text.startswith(("nan", "inf", "-inf"))),
    "a list": st.lists(st.one_of(st.integers(), st.text().map(repr)), min_size=1).map(
        lambda some: ", ".join(map(str, some))
    ),
}


@pytest.mark.parametrize("part", PARTS)
@given(data=st.data())
def test_what_differs_each_time_makes_no_other_kind(part: str, data: st.DataObject) -> None:
    first, second = data.draw(PARTS[part]), data.draw(PARTS[part])
    for wording in ("the value {} is too large", "{}", "in {}: refused", "read ({}) and left"):
        one, other = (failed(message=wording.format(value)) for value in (first, second))
        assert one.title == other.title
        assert one.fingerprint == other.fingerprint


_WORDS = st.text(string.ascii_lowercase, min_size=1, max_size=9).filter(
    lambda word: not set(word) <= set("abcdef")
)


@given(st.lists(_WORDS, min_size=1, max_size=8), st.lists(_WORDS, min_size=1, max_size=8))
def test_another_wording_is_another_kind(first: list[str], second: list[str]) -> None:
    one, other = failed(message=" ".join(first)), failed(message=" ".join(second))
    assert (one.fingerprint == other.fingerprint) == (first == second)


def test_another_type_function_or_file_is_another_kind_and_a_moved_line_is_none() -> None:
    def within(path: str, line: int, function: str) -> Failure:
        return failed(frames=((path, line, function),))

    usual = within("/srv/app/feeds.py", 17, "fetch")
    others = [
        failed(kind="TypeError"),
        failed(kind="app.ValueError"),
        failed(message="worse"),
        within("/srv/app/feeds.py", 17, "store"),
        within("/srv/app/rows.py", 17, "fetch"),
    ]
    assert len({one.fingerprint for one in [usual, *others]}) == 6
    moved = within("/home/me/checkout/feeds.py", 99, "fetch")
    assert moved.fingerprint == usual.fingerprint
    assert (usual.where, moved.where) == ("feeds.py:17", "feeds.py:99")


USERS = ("/srv/app/feeds.py", 17, "fetch")
NOT_THE_USERS = {
    "Python's own": "/usr/lib/python3.11/socket.py",
    "Python's own elsewhere": "/opt/python-3.13/lib/python3.13/json/decoder.py",
    "a package": "/srv/venv/lib/python3.11/site-packages/requests/api.py",
    "a package of the system": "/usr/lib/python3/dist-packages/requests/api.py",
    "a package of a person": "/home/me/.local/lib/python3.11/site-packages/six.py",
    "the import system": "<frozen importlib._bootstrap>",
    "made up": "<string>",
    "ours": "/srv/venv/src/gigq_core/worker/runner.py",
    "in Python's archive": "/usr/lib/python311.zip/json/decoder.py",
}


@pytest.mark.parametrize("path", NOT_THE_USERS.values(), ids=NOT_THE_USERS.keys())
def test_the_place_is_in_the_users_own_code(path: str) -> None:
    below = failed(frames=(USERS, (path, 3, "get"), (path, 4, "send")))
    assert below.where == "feeds.py:17"
    assert below.fingerprint == failed().fingerprint


def test_a_function_that_is_installed_is_the_users_own_where_nothing_else_is() -> None:
    packages = "/srv/venv/lib/python3.11/site-packages"
    frames = (
        (f"{packages}/pipeline/tasks.py", 5, "run"),
        (f"{packages}/pipeline/__init__.py", 7, "fetch"),
        (f"{packages}/requests/api.py", 73, "get"),
        ("/usr/lib/python3.11/socket.py", 9, "connect"),
    )
    assert failed(frames=frames).where == "pipeline/__init__.py:7"
    assert failed(frames=frames[-1:]).where is None


def test_a_folder_that_is_called_lib_is_the_users() -> None:
    assert failed(frames=(("/srv/lib/python/feeds.py", 3, "fetch"),)).where == "feeds.py:3"


# --- whatever comes ----------------------------------------------------------------------------

PIECES = [
    *("1 ", "'", "' '", '"', "`", "“", "„", "‘", "\\'", "\\", "/", "a/", "a.b/", "../", "0x", "f"),
    *(" 'a", "#", "# ", "-", "1-", "a1", "a1b2 ", "C:/", "x://", "\n", "<", ": ", "KeyError: "),
    *("é", "١", "_", ".", "'\\", '"\\"', "+#", " ", "\t", "a: ", "@", "\0", "\ud800", "''a"),
    *('\n  File "', '  File "/a/b.py", line 3, in x\n', "Traceback (most recent call last):\n"),
    *('\n  File "/a/lib/python3.1/x.py", line 3, in y', '\n  |   File "<x>", line 1, in y'),
]
SIZE = 200_000
# Bounded, whatever the text: a blow-up takes minutes.
LONGEST_S = 0.5


@pytest.mark.parametrize("piece", PIECES)
def test_a_hostile_text_takes_no_time(piece: str) -> None:
    text = (piece * SIZE)[:SIZE]
    header = "Traceback (most recent call last):\n"
    for error, told, raised in (
        (text, None, ""),
        (f"ValueError: {text}", f"{header}{text}\nValueError: {text}", "builtins.ValueError"),
        (text, text, ""),
        ("x", f'{header}  File "{text}", line 3, in x\nValueError: x', ""),
        ("RecursionError: x", header + text, "RecursionError"),
    ):
        began = time.process_time()
        failure = failure_of(error, told, raised)
        assert time.process_time() - began < LONGEST_S
        assert len(failure.message) <= 1_000
        assert len(failure.title) <= 1_000
        assert len(failure.fingerprint) == 16


@given(st.text(), st.none() | st.text(), st.text())
def test_any_texts_tell_of_some_failure(error: str, told: str | None, raised: str) -> None:
    failure = failure_of(error, told, raised)
    assert "\n" not in normalised(failure.message)
    assert failure == failure_of(error, told, raised)


def test_a_quoted_part_may_be_as_long_as_it_likes() -> None:
    short, long = (failed(message=f"can't read {'x y ' * n!r} at line {n}") for n in (1, 40_000))
    assert short.title == long.title == "ValueError: can't read # at line #"
    assert short.fingerprint == long.fingerprint
