"""The gate through which a child's words come in: a line of theirs as a message of ours, or none.

What a job does to its process reaches the pipe to the worker too: it may write anything into it,
in whole lines, parts of lines, or without an end. Here that becomes one of our messages, whose
every value has its type and can be stored, or `Broken`.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any, NamedTuple, NoReturn

from gigq_core.worker import runner
from gigq_core.worker.claims import Wish

# Beside a result, a line holds an error, a traceback, and the names of loaded files.
TEXT_BYTES = 8 * 1024 * 1024
# The most that is kept of an error or a traceback; the child itself sends about half at most.
MAX_TEXT = 2 * runner.MAX_TEXT
# Numbers are counts, times and signals: nothing that SQLite could not hold.
LARGEST = 2**63
# Of what other programs report: the most that is kept of a line without an end, and how far back
# the last whole line is looked for.
REPORT_BYTES = 4096
READ_BACK_BYTES = 64 * 1024
# How much of a line that is none is shown, in bytes.
SHOWN = 60


class Broken(Exception):
    """The child said what no child of ours says; the message tells it to a person."""


class Ready(NamedTuple):
    """The child can take its first job."""

    pid: int


class Ask(NamedTuple):
    """The job wants to know something: how its parents ended, or what it saved before."""

    what: str
    number: int


class Told(NamedTuple):
    """How far the job is."""

    done: float
    total: float | None
    note: str


class Saved(NamedTuple):
    """What the job wants to be stored, as JSON; it waits for the answer."""

    text: str
    number: int


class Submitted(NamedTuple):
    """A job that the job wants to be submitted, as JSON; it waits for the answer."""

    order: str
    number: int


class Done(NamedTuple):
    """How the attempt with this token ended; `along` is what was said of the process."""

    token: str
    ok: bool
    hopeless: bool
    result: str | None
    error: str | None
    traceback: str | None
    along: dict[str, Any]
    raised: tuple[str, ...] = ()
    wish: Wish | None = None


Message = Ready | Ask | Told | Saved | Submitted | Done


class Lines:
    """Bytes as lines, each of which has an end in time.

    Args:
        most: the most bytes that a line may have.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._rest = bytearray()

    @property
    def has_rest(self) -> bool:
        """Whether a line has begun that has not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that `data` completes.

        Raises:
            Broken: a line is too long, whether it has ended or not.
        """
        if b"\n" not in data:
            self._rest += data
            if len(self._rest) > self._most:
                self._refuse()
            return []
        if self._rest:
            data = bytes(self._rest) + data
        lines = data.split(b"\n")
        self._rest = bytearray(lines.pop())
        # Mostly they are short all together, and need not be looked at one by one.
        if len(data) > self._most and max(len(self._rest), *map(len, lines)) > self._most:
            self._refuse()
        return lines

    def _refuse(self) -> NoReturn:
        self._rest = bytearray()
        raise Broken(f"a line of more than {self._most:,} bytes came through the pipe")


class ReportLines:
    """Lines that programs of any kind write to report how far they are: `done total note`.

    Nothing is wrong with what can't be read; it is passed over.
    """

    def __init__(self) -> None:
        self._rest = b""

    def newest(self, data: bytes) -> Told | None:
        """The last report among the lines that `data` completes."""
        whole, end, rest = (self._rest + data).rpartition(b"\n")
        # What is cut off belongs to a note that is too long anyway.
        self._rest = rest[:REPORT_BYTES]
        if not end:
            return None
        lines = (report_of(line) for line in reversed(whole[-READ_BACK_BYTES:].split(b"\n")))
        return next(filter(None, lines), None)


def report_of(line: bytes) -> Told | None:
    """What a line reports; None for nothing."""
    words = line.decode("utf-8", "replace").split(None, 2)
    try:
        done = _amount_of(words[0])
        total = None if len(words) < 2 or words[1] == "-" else _amount_of(words[1])
    except (IndexError, ValueError):
        return None
    note = words[2].strip() if len(words) > 2 else ""
    return Told(done, total, runner.storable(note)[: runner.NOTE_CHARACTERS])


def _amount_of(word: str) -> float:
    number = int(word) if word.isdigit() and len(word) < 19 else float(word)
    if not is_amount(number):
        raise ValueError(word)
    return number


def line_bytes(max_result_bytes: int) -> int:
    """The most bytes that a true line has: in a string of JSON, JSON doubles at most."""
    return 2 * max(max_result_bytes, runner.MOST_SUBMITTED_BYTES) + TEXT_BYTES


def parse(line: bytes, max_result_bytes: int = runner.MAX_RESULT) -> Message:
    """The message that a line holds.

    Args:
        line: without its end.
        max_result_bytes: the most bytes that a result may have.

    Raises:
        Broken: it holds none.
    """
    try:
        message = decode(line.decode("utf-8"))
    except (ValueError, RecursionError):
        # Not UTF-8, not JSON, NaN, a number without end, nested too deeply.
        message = None
    if type(message) is dict:
        for key, read in _READERS.items():
            if key in message:
                found = read(message)
                if found is None:
                    break
                if isinstance(found, Done) and len(found.result or "") > max_result_bytes:
                    raise Broken(f"a result of {len(found.result or ''):,} bytes came")
                return found
    shown = repr(line[:SHOWN])[1:] + ("..." if len(line) > SHOWN else "")
    raise Broken(f"what came is not a message of its process: {shown}")


def _refuse_constant(word: str) -> NoReturn:
    raise ValueError(word)


decode = json.JSONDecoder(parse_constant=_refuse_constant).decode


def _ready(message: dict[str, Any]) -> Ready | None:
    if message.keys() != {"ready", "python"} or not _is_count(message["ready"]):
        return None
    return Ready(message["ready"]) if _is_counts(message["python"]) else None


def _ask(message: dict[str, Any]) -> Ask | None:
    if message.keys() != {"ask", "number"} or message["ask"] not in ("parents", "saved"):
        return None
    return Ask(message["ask"], message["number"]) if _is_count(message["number"]) else None


def _told(message: dict[str, Any]) -> Told | None:
    values = message["report"]
    if len(message) != 1 or type(values) is not list or len(values) != 3:
        return None
    done, total, note = values
    if not is_amount(done) or not (total is None or is_amount(total)) or type(note) is not str:
        return None
    if len(note) > runner.NOTE_CHARACTERS:
        return None
    return Told(done, total, runner.storable(note))


def _saved(message: dict[str, Any]) -> Saved | None:
    text = message["save"]
    if message.keys() != {"save", "number"} or not _is_count(message["number"]):
        return None
    if type(text) is not str or not 0 < len(text) <= runner.MOST_SAVED or not _is_result(text):
        return None
    return Saved(text, message["number"])


def _submitted(message: dict[str, Any]) -> Submitted | None:
    text = message["submit"]
    if message.keys() != {"submit", "number"} or not _is_count(message["number"]):
        return None
    if type(text) is not str or not _is_result(text):
        return None
    if not 0 < len(text) <= runner.MOST_SUBMITTED_BYTES:
        return None
    return Submitted(text, message["number"])


def _done(message: dict[str, Any]) -> Done | None:
    ok = message.get("ok")
    shape = _OK if ok is True else _NOT_OK if ok is False else None
    if shape is None or not message.keys() >= shape.keys():
        return None
    along = {}
    for key, value in message.items():
        check = shape.get(key) or (_RAISED.get(key) if not ok else None)
        if check is None:
            check = _ALONG.get(key)
            along[key] = value
        if check is None or not check(value):
            return None
    return Done(
        token=message["done"],
        ok=ok is True,
        hopeless=message.get("hopeless", False),
        result=message.get("result"),
        error=text_of(message.get("error")),
        traceback=text_of(message.get("traceback")),
        along=along,
        raised=tuple(map(runner.storable, message.get("raised", ()))),
        wish=Wish(*message["wish"]) if "wish" in message else None,
    )


def text_of(value: str | None) -> str | None:
    """A text of a job's as it can be stored, bounded."""
    return None if value is None else runner.clipped(runner.storable(value), MAX_TEXT)


def _is_bool(value: object) -> bool:
    return type(value) is bool


def _is_text(value: object) -> bool:
    return type(value) is str


def _is_text_or_none(value: object) -> bool:
    return value is None or type(value) is str


def _is_result(value: object) -> bool:
    # JSON as the runner writes it.
    return value is None or (type(value) is str and value.isascii() and "\0" not in value)


def _is_count(value: object) -> bool:
    return type(value) is int and 0 <= value < LARGEST


def is_amount(value: object) -> bool:
    """Whether it is a number from 0 on that a database holds."""
    if isinstance(value, float):
        return 0 <= value < math.inf
    return _is_count(value)


def _is_counts(value: object) -> bool:
    return type(value) is list and len(value) <= 100 and all(map(_is_count, value))


def _is_words(value: object) -> bool:
    return (
        type(value) is list
        and len(value) <= 100
        and all(type(word) is str and len(word) <= 1_000 for word in value)
    )


def is_names(value: object) -> bool:
    return (
        type(value) is list
        and len(value) <= runner.MOST_NAMES + runner.MOST_ASKED
        and all(type(name) is str and len(name) <= 2 * runner.LONGEST_NAME for name in value)
    )


def is_wish(value: object) -> bool:
    if type(value) is not list or len(value) not in (2, 3) or value[0] not in runner.WISHES:
        return False
    if len(value) == 3 and (value[0] != "retry" or value[2] is not True):
        return False
    if value[1] is None:
        return bool(value[0] != "snooze")
    return value[0] != "give_up" and isinstance(value[1], float) and 0 <= value[1] < math.inf


def _is_times_by_name(value: object) -> bool:
    return type(value) is dict and all(map(_is_count, value.values()))


_READERS: dict[str, Callable[[dict[str, Any]], Message | None]] = {
    "done": _done,
    "report": _told,
    "save": _saved,
    "submit": _submitted,
    "ask": _ask,
    "ready": _ready,
}
_Shape = dict[str, Callable[[object], bool]]
_OK: _Shape = {"done": _is_text, "ok": _is_bool, "result": _is_result}
_NOT_OK: _Shape = {
    "done": _is_text,
    "ok": _is_bool,
    "hopeless": _is_bool,
    "error": _is_text,
    "traceback": _is_text_or_none,
}
# What may be said of an exception, beside how it reads.
_RAISED: _Shape = {"raised": is_names, "wish": is_wish}
# What an answer may say of the process, beside how the job ended.
_ALONG: _Shape = {
    "files": _is_times_by_name,
    "peak": _is_count,
    # Signals that came during the job, and not from the worker.
    "signals": _is_counts,
    # What the job left behind that could not be put in order, in words.
    "left": _is_words,
}
