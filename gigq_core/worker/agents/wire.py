"""What a worker and its agent say to each other: messages, as lines of JSON on a byte stream.

Each message is a line `{"name": {...}}` in ASCII. One that is long goes in parts, so that a ping
or a pong never waits behind it: lines that begin with `+`, the last one with `=`, and nothing else
that is long between them. What comes in is a message of ours in every value, or `Broken`.
"""

from __future__ import annotations

import base64
import binascii
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Protocol, TypeVar, cast

from gigq_core.text import bounded, inert
from gigq_core.worker import answers, runner
from gigq_core.worker.answers import Broken, Lines
from gigq_core.worker.claims import Claim, Fate, Wish

# The two ends have the same one, or have nothing to say to each other.
PROTOCOL = 1
# A longer message goes in parts of so many bytes.
PART_BYTES = 32 * 1024
# So much of what a job printed goes in one message, in bytes.
CHUNK_BYTES = 16 * 1024
# A character of a note that can't be stored stands there as six others at most.
MOST_NOTE = 6 * runner.NOTE_CHARACTERS
# What is logged or said for people is no longer, in characters; nor is what something is called.
MOST_SAID = 4_000
MOST_NAME = 255


class OtherVersion(Broken):
    """The other end is of another version; `version` is that one."""

    def __init__(self, version: str, protocol: int) -> None:
        super().__init__(f"the other end is of {version} and speaks protocol {protocol}")
        self.version = version


# --- from the worker to its agent ----------------------------------------------------------------


class Hello(NamedTuple):
    """The worker's first words: who it is, and how jobs are to be run.

    Args:
        protocol, version: of the worker.
        slots: how many jobs at a time; None for one for each processor that may be used.
        grace_s: seconds between SIGTERM and SIGKILL.
        max_result_bytes: the most bytes of JSON that a job may return.
        jobs_per_child, max_child_kb: when a child is replaced; see `child_age.Limits`.
        chdir: where jobs run, first on their path; None for where the agent was started.
        lease_s: the agent ends so many seconds after the last pong that it knows was heard.
        ping_s: how often it is pinged, in seconds.
        waits_s: a job that has found no free slot for so long is given back.
    """

    protocol: int
    version: str
    slots: int | None
    grace_s: float
    max_result_bytes: int
    jobs_per_child: int
    max_child_kb: int | None
    chdir: str | None
    lease_s: float
    ping_s: float
    waits_s: float


class Run(NamedTuple):
    """An attempt that is to be run; the fields are those of `Claim`, as far as they matter there.

    Args:
        token: the attempt's execution id.
        parents: whether the job has any, whose results it may ask for.
        asked: the names that its policy has for exceptions.
        max_attempts, timeout_s: None for no end.
    """

    token: str
    job_id: str
    name: str
    module: str
    function: str
    params: str | None
    parents: bool
    attempt: int
    max_attempts: float | None
    timeout_s: float | None
    pass_parent_results: bool | None
    asked: tuple[str, ...]
    stall_timeout_s: float | None
    memory: int | None

    @classmethod
    def of(cls, claim: Claim) -> Run:
        """The message for an attempt of this worker."""
        job_id, attempt, max_attempts, timeout_s = claim.facts
        return cls(
            token=claim.execution_id,
            job_id=job_id,
            name=claim.name,
            module=claim.module,
            function=claim.function,
            params=claim.params,
            parents=bool(claim.dependencies),
            attempt=attempt,
            max_attempts=max_attempts if math.isfinite(max_attempts) else None,
            timeout_s=timeout_s if math.isfinite(timeout_s) else None,
            pass_parent_results=claim.pass_parent_results,
            asked=tuple(claim.asked),
            stall_timeout_s=claim.stall_timeout_s,
            memory=claim.memory,
        )


class Stop(NamedTuple):
    """End an attempt; `fate` is how it ends, if it has not ended before that comes."""

    token: str
    fate: Fate


class Give(NamedTuple):
    """The answer to what a job asked or submitted, as its process takes it."""

    token: str
    message: dict[str, Any]


class Stored(NamedTuple):
    """A checkpoint is on disk: that with this number, and those before it."""

    token: str
    number: int


class Ping(NamedTuple):
    """A sign of life; `heard` is the newest pong that the worker has, 0 while it has none."""

    number: int
    heard: int


class AskStack(NamedTuple):
    """Where is the attempt, right now? `number` comes back with the answer."""

    token: str
    number: int


class Drain(NamedTuple):
    """No more jobs will come: what is idle may end."""


class Close(NamedTuple):
    """End everything at once."""


# --- from either end -----------------------------------------------------------------------------


class Took(NamedTuple):
    """So many bytes of messages have been read here, from the first one on."""

    size: int


# --- from the agent to its worker ----------------------------------------------------------------


class Ready(NamedTuple):
    """The agent's first words: it takes jobs.

    Args:
        protocol, version: of the agent.
        host, boot_id, pid_namespace: where it is; `pid` means something there alone.
        pid: its own.
        python: the version of the jobs' interpreter, such as "3.11.7".
        executable: that interpreter.
        folder: where jobs run.
        slots: how many it runs at a time.
        cpus: how many processors it may use.
    """

    protocol: int
    version: str
    host: str
    pid: int
    boot_id: str
    pid_namespace: str
    python: str
    executable: str
    folder: str
    slots: int
    cpus: int


class Refused(NamedTuple):
    """It can't run jobs, and ends; the sentence says why, and what to do."""

    sentence: str


class Pong(NamedTuple):
    """The answer to the ping of that number: how many slots are taken, and the load average."""

    number: int
    busy: int
    load: float


class Began(NamedTuple):
    """An attempt that is no short one has begun, `ago_s` seconds ago, in that process there."""

    token: str
    pid: int
    ago_s: float


class Output(NamedTuple):
    """What an attempt printed, after `left_out` bytes of it that nobody keeps."""

    token: str
    left_out: int
    data: bytes


class Reported(NamedTuple):
    """How far an attempt is."""

    token: str
    done: float
    total: float | None
    note: str


class Saved(NamedTuple):
    """A checkpoint of an attempt, as JSON; its job waits for `Stored`."""

    token: str
    number: int
    text: str


class Ask(NamedTuple):
    """A job asks for "parents" or "saved"; it waits for `Give`."""

    token: str
    number: int
    what: str


class Submit(NamedTuple):
    """A job submits another one, as JSON; it waits for `Give`."""

    token: str
    number: int
    order: str


class Ended(NamedTuple):
    """How an attempt ended; see `Ending`. Nothing more comes of it after this.

    Args:
        output: whether it printed anything.
        pid, ran_s: of one of which `Began` has not told: the process that ran it, and for how many
            seconds; None and 0 if none did.
    """

    token: str
    fate: Fate
    result: str | None
    error: str | None
    traceback: str | None
    raised: tuple[str, ...]
    wish: Wish | None
    signal: int | None
    output: bool
    pid: int | None
    ran_s: float


class Stack(NamedTuple):
    """The answer to the question of that number: a readable stack, or why there is none."""

    number: int
    text: str | None
    trouble: str | None


class Log(NamedTuple):
    """Something for the worker's log: a level of `logging`, and a sentence."""

    level: int
    text: str


class Gone(NamedTuple):
    """The last word: nothing of it runs there any more.

    Args:
        why: the reason, as the end of a sentence.
        on_purpose: whether somebody there wanted it so, and no job can be the reason.
    """

    why: str
    on_purpose: bool = False


ToAgent = Hello | Run | Stop | Give | Stored | Ping | AskStack | Drain | Close | Took
ToWorker = (
    Ready
    | Refused
    | Pong
    | Began
    | Output
    | Reported
    | Saved
    | Ask
    | Submit
    | Ended
    | Stack
    | Log
    | Gone
    | Took
)
Message = ToAgent | ToWorker
# A line that ends with it is none: whoever wrote it died within it, and another one speaks next.
CUT = b"\0"
# What goes before what waits to be sent, if it is no longer than one part.
URGENT = (Ping, Pong, Took)


# --- lines ---------------------------------------------------------------------------------------

_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=lambda o: _plain(o))


def _plain(value: object) -> object:
    if isinstance(value, Fate):
        return value.value
    if isinstance(value, bytes):
        return base64.b64encode(value).decode("ascii")
    raise TypeError(f"no message holds a {type(value).__name__}")


def encode(message: Message) -> list[bytes]:
    """The lines that tell a message, with their ends: one, unless it is long."""
    name = _NAMES[type(message)]
    line = _encode.encode({name: message._asdict()}).encode("ascii")
    if len(line) <= PART_BYTES:
        return [line + b"\n"]
    parts = [line[at : at + PART_BYTES] for at in range(0, len(line), PART_BYTES)]
    return [*(b"+" + part + b"\n" for part in parts[:-1]), b"=" + parts[-1] + b"\n"]


M = TypeVar("M", bound=Message, covariant=True)


class Reader(Protocol[M]):
    """Takes bytes, and gives the messages that they complete."""

    def feed(self, data: bytes) -> Iterator[M]:
        """The messages that `data` completes, each as it is asked for.

        Raises:
            OtherVersion: the other end is of another version.
            Broken: it is none of ours, or longer than any.
        """
        ...


class _Reader:
    """Puts parts together, and takes messages of one direction only."""

    def __init__(self, kinds: Mapping[str, type], version: str, most: float) -> None:
        self._kinds = kinds
        self._version = version
        self._most = most
        self._lines = Lines(PART_BYTES + 2)
        self._parts = bytearray()
        self._long = 0

    def feed(self, data: bytes) -> Iterator[Any]:
        for line in self._lines.feed(data):
            if line.endswith(CUT):
                self._parts, self._long = bytearray(), 0
                continue
            whole = self._joined(line)
            if whole is not None:
                yield parse(whole, self._kinds, self._version)

    def _joined(self, line: bytes) -> bytes | None:
        """The line of a message, once all of its parts are there."""
        first = line[:1]
        if first not in (b"+", b"="):
            return line
        self._long += len(line)
        if self._long > self._most:
            raise Broken(f"a message of more than {self._most:,.0f} bytes came over the link")
        self._parts += line[1:]
        if first == b"+":
            return None
        whole = bytes(self._parts)
        self._parts, self._long = bytearray(), 0
        return whole


def agents_reader(version: str) -> Reader[ToAgent]:
    """What an agent reads its worker's words with; `version` is its own.

    They may be of any length: the results of parents are.
    """
    return _Reader(_TO_AGENT, version, math.inf)


def workers_reader(version: str, max_result_bytes: int) -> Reader[ToWorker]:
    """What a worker reads an agent's words with; `version` is its own."""
    # What a child's line holds stands in a string of JSON once more.
    return _Reader(_TO_WORKER, version, 2 * answers.line_bytes(max_result_bytes))


def parse(line: bytes, kinds: Mapping[str, type], version: str) -> Any:
    """The message that a whole line tells.

    Raises:
        OtherVersion: it is a greeting of another version.
        Broken: it is none of these kinds.
    """
    try:
        told = answers.decode(line.decode("ascii"))
    except (ValueError, RecursionError):
        told = None
    if type(told) is dict and len(told) == 1:
        ((name, values),) = told.items()
        if name in kinds and type(values) is dict:
            if name in ("hello", "ready"):
                _check_version(values, version)
            message = _read(kinds[name], values)
            if message is not None:
                return message
    shown = repr(line[: answers.SHOWN])[1:] + ("..." if len(line) > answers.SHOWN else "")
    raise Broken(f"what came is not one of our messages: {shown}")


def _check_version(values: dict[str, Any], version: str) -> None:
    its, protocol = values.get("version"), values.get("protocol")
    if type(its) is not str or type(protocol) is not int:
        return
    if (its, protocol) != (version, PROTOCOL):
        raise OtherVersion(inert(its[:40]), protocol)


def _read(kind: type, values: dict[str, Any]) -> Any:
    shape = _SHAPES[kind]
    if values.keys() != shape.keys():
        return None
    try:
        return kind(*[check(values[field]) for field, check in shape.items()])
    except (_Wrong, binascii.Error):
        return None


# --- values --------------------------------------------------------------------------------------


class _Wrong(Exception):
    """The value is not of its type."""


def _text(value: object) -> str:
    if type(value) is not str:
        raise _Wrong
    return value


def _token(value: object) -> str:
    if type(value) is not str or not 0 < len(value) <= 1_000:
        raise _Wrong
    return value


def _stored_text(value: object) -> str | None:
    """A text that is stored: bounded, and as UTF-8 can hold it."""
    return None if value is None else answers.text_of(_text(value))


def _said(value: object) -> str:
    """What a person is to read, in one line: nothing in it steers a terminal, or looks like more
    lines of a log."""
    return inert(bounded(_text(value), MOST_SAID))


def _name(value: object) -> str:
    """What something is called there; likewise."""
    return inert(_text(value)[:MOST_NAME])[:MOST_NAME]


def _json_text(value: object) -> str:
    text = _text(value)
    if not text.isascii() or "\0" in text:
        raise _Wrong
    return text


def _flag(value: object) -> bool:
    if type(value) is not bool:
        raise _Wrong
    return value


def _count(value: object) -> int:
    if type(value) is not int or not 0 <= value < answers.LARGEST:
        raise _Wrong
    return value


def _whole(value: object) -> int:
    if type(value) is not int:
        raise _Wrong
    return value


def _amount(value: object) -> float:
    if not answers.is_amount(value):
        raise _Wrong
    return cast("float", value)


def _number(value: object) -> float:
    if type(value) not in (int, float):
        raise _Wrong
    return cast("float", value)


def _fate(value: object) -> Fate:
    try:
        return Fate(value)
    except ValueError:
        raise _Wrong from None


def _names(value: object) -> tuple[str, ...]:
    if type(value) is not list:
        raise _Wrong
    return tuple(map(_text, value))


def _raised(value: object) -> tuple[str, ...]:
    if not answers.is_names(value):
        raise _Wrong
    return tuple(map(runner.storable, _names(value)))


def _wish(value: object) -> Wish:
    # A wish as the wire has it is one as a child tells it, with all of its three values.
    if type(value) is not list or len(value) != 3 or type(value[2]) is not bool:
        raise _Wrong
    if not answers.is_wish(value if value[2] else value[:2]):
        raise _Wrong
    return Wish(*value)


def _data(value: object) -> bytes:
    return base64.b64decode(_text(value), validate=True)


def _object(value: object) -> dict[str, Any]:
    if type(value) is not dict:
        raise _Wrong
    return value


def _what(value: object) -> str:
    if value not in ("parents", "saved"):
        raise _Wrong
    return _text(value)


T = TypeVar("T")


def _maybe(check: Callable[[object], T]) -> Callable[[object], T | None]:
    return lambda value: None if value is None else check(value)


_SHAPES: dict[type, dict[str, Callable[[object], object]]] = {
    Hello: {
        "protocol": _count,
        "version": _said,
        "slots": _maybe(_count),
        "grace_s": _amount,
        "max_result_bytes": _count,
        "jobs_per_child": _count,
        "max_child_kb": _maybe(_count),
        "chdir": _maybe(_text),
        "lease_s": _amount,
        "ping_s": _amount,
        "waits_s": _amount,
    },
    Run: {
        "token": _token,
        "job_id": _text,
        "name": _text,
        "module": _text,
        "function": _text,
        "params": _maybe(_text),
        "parents": _flag,
        "attempt": _whole,
        "max_attempts": _maybe(_number),
        "timeout_s": _maybe(_number),
        "pass_parent_results": _maybe(_flag),
        "asked": _names,
        "stall_timeout_s": _maybe(_amount),
        "memory": _maybe(_count),
    },
    Stop: {"token": _token, "fate": _fate},
    Give: {"token": _token, "message": _object},
    Stored: {"token": _token, "number": _count},
    Ping: {"number": _count, "heard": _count},
    AskStack: {"token": _token, "number": _count},
    Drain: {},
    Close: {},
    Ready: {
        "protocol": _count,
        "version": _name,
        "host": _name,
        "pid": _count,
        "boot_id": _name,
        "pid_namespace": _name,
        "python": _name,
        "executable": _said,
        "folder": _said,
        "slots": _count,
        "cpus": _count,
    },
    Refused: {"sentence": _said},
    Pong: {"number": _count, "busy": _count, "load": _amount},
    Began: {"token": _token, "pid": _count, "ago_s": _amount},
    Output: {"token": _token, "left_out": _count, "data": _data},
    Reported: {
        "token": _token,
        "done": _amount,
        "total": _maybe(_amount),
        "note": lambda value: runner.storable(_text(value))[:MOST_NOTE],
    },
    Saved: {"token": _token, "number": _count, "text": _json_text},
    Ask: {"token": _token, "number": _count, "what": _what},
    Submit: {"token": _token, "number": _count, "order": _json_text},
    Ended: {
        "token": _token,
        "fate": _fate,
        "result": _maybe(_json_text),
        "error": _stored_text,
        "traceback": _stored_text,
        "raised": _raised,
        "wish": _maybe(_wish),
        "signal": _maybe(_count),
        "output": _flag,
        "pid": _maybe(_count),
        "ran_s": _amount,
    },
    Stack: {"number": _count, "text": _stored_text, "trouble": _stored_text},
    Log: {"level": _count, "text": _said},
    Gone: {"why": _said, "on_purpose": _flag},
    Took: {"size": _count},
}


def _name_of(kind: type) -> str:
    """`AskStack` is `ask_stack` on the wire."""
    return "".join("_" + c.lower() if c.isupper() else c for c in kind.__name__).lstrip("_")


_NAMES = {kind: _name_of(kind) for kind in _SHAPES}
_TO_AGENT = {
    _NAMES[kind]: kind
    for kind in (Hello, Run, Stop, Give, Stored, Ping, AskStack, Drain, Close, Took)
}
_TO_WORKER = {name: kind for kind, name in _NAMES.items() if name not in _TO_AGENT or kind is Took}
