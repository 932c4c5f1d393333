"""What a job says when it submits one: taken, refused with a sentence, or none of its words."""

from __future__ import annotations

import datetime
import io
import json
import math
import re
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigq_core import Backoff, Job
from gigq_core.functions.call_signature import needs_ours
from gigq_core.job import INSTEAD_OF, OPTION_NAMES, FunctionReference
from gigq_core.worker import orders, outbox, runner
from gigq_core.worker.answers import Broken
from gigq_core.worker.orders import Orders, Refusal
from tests.data import calls
from tests.integration import submitting
from tests.unit.test_call_signature import CALL_IDS, CALLS

HERE = "tests.unit.test_orders"
PLAIN = {"path": "a.b.c", "takes": None}


def nothing() -> None: ...


async def later() -> None: ...


def knows(job_context: Any, n: int = 0) -> None: ...


def order(function: Any, params: Any = None, before: bool = False, **options: Any) -> str:
    return runner.order_of(function, params, before, options, {})


def taken(text: str) -> outbox.Order:
    """The job that comes of it."""
    made = Orders()
    job_id = made.take(text)
    assert isinstance(job_id, str), job_id
    (found,) = made.outbox.orders()
    assert found.job.id == job_id
    return found


def refusal(text: str) -> Refusal:
    found = Orders().take(text)
    assert isinstance(found, Refusal)
    return found


# --- one rule with `Job` ---------------------------------------------------------------------


def test_the_runner_knows_each_option_of_a_job() -> None:
    assert runner.JOB_OPTIONS == OPTION_NAMES
    assert runner.INSTEAD_OF == INSTEAD_OF


@pytest.mark.parametrize(("name", "params", "sentence"), CALLS, ids=CALL_IDS)
@pytest.mark.parametrize("form", ["function", "text"])
def test_a_call_that_does_not_fit_is_refused_as_by_job(
    name: str, params: dict[str, Any], sentence: str, form: str
) -> None:
    function = getattr(calls, name) if form == "function" else f"tests.data.calls.{name}"
    try:
        said = Orders().take(order(function, params))
    except TypeError as problem:
        # What was made with @task is asked itself.
        said = Refusal("TypeError", str(problem))
    if not sentence:
        assert isinstance(said, str)
        return
    with pytest.raises(TypeError) as refused:
        Job("n", function, params)
    # What a wrapper hands on is not looked at there.
    wrapped = hasattr(getattr(calls, name), "__wrapped__")
    assert said == Refusal("TypeError", str(refused.value)) or (wrapped and isinstance(said, str))


def described_by_lambda() -> Any:
    return lambda: None


class Holder:
    def method(self) -> None: ...

    @staticmethod
    def static() -> None: ...


def generates() -> Any:
    yield 1


def moved() -> None: ...


moved.__name__ = moved.__qualname__ = "not_there"


@pytest.mark.parametrize(
    "function",
    [
        *(described_by_lambda(), Holder().method, Holder.method, Holder.static, generates, moved),
        *(5, None, object(), [], "x", "", "a.b-c.d", "a..b", ".", "a.", b"a.b"),
        *(nothing, later, knows, math.sqrt, print, dict, Holder, "a.b", "json.dumps"),
        FunctionReference("a.b", "c"),
    ],
    ids=lambda one: re.sub(" at 0x[0-9a-f]+", "", repr(one)),
)
def test_a_function_is_judged_as_by_job(function: Any) -> None:
    params = {"obj": 1} if function == "json.dumps" else {}
    refused = None
    try:
        job = Job("n", function, params)
    except (TypeError, ValueError) as problem:
        refused = type(problem).__name__, str(problem)
    if refused:
        assert refusal(order(function, params)) == refused
        return
    found = taken(order(function, params)).job
    assert found.reference == job.reference
    assert found.ours == job.check_call(job.reference).ours


@pytest.mark.parametrize(
    "function",
    [nothing, later, knows, print, submitting.decorated, submitting.needs_context, Holder]
    + [getattr(calls, name) for name in sorted({name for name, _, _ in CALLS})],
)
def test_whether_it_is_for_our_workers_alone(function: Any) -> None:
    assert runner.needs_ours(function) == needs_ours(function)


OPTIONS: list[dict[str, Any]] = [
    {"priority": -3, "timeout": "1m30s", "max_attempts": 9, "description": "é"},
    {"retry": Backoff(30, factor=3, most="1h", jitter="full")},
    {"retry": (1, "2m"), "give_up_on": (KeyError, "a.b.Error"), "on_timeout": "fail"},
    {"retry_on": LookupError, "retry": [5]},
    {"run_at": datetime.datetime(2031, 1, 2, 3, tzinfo=datetime.timezone.utc)},
    {"run_at": "2031-01-02T03:04+01:00", "batch": "b", "name": "another"},
    {"run_after": "2h", "stall_timeout": 5, "on_crash": "fail", "pass_parent_results": False},
    {"dependencies": ("a", "b"), "on_parent_failure": "run", "ours": True},
    {"lane": "gpu", "memory": "2G"},
    {"unique": True},
    {"unique": "key", "retry_delay": "1m"},
]


@pytest.mark.parametrize("options", OPTIONS, ids=str)
@pytest.mark.parametrize("form", ["options", "job"])
def test_every_option_means_what_it_means_to_job(options: dict[str, Any], form: str) -> None:
    job = Job(
        **{"name": "nothing", **options, "dependencies": list(options.get("dependencies", ()))},
        function=nothing,
    )
    text = order(job) if form == "job" else order(nothing, **options)
    found = taken(text).job
    for name in OPTION_NAMES:
        assert getattr(found, name) == getattr(job, name), name
    assert (found.id == job.id) == (form == "job")


@pytest.mark.parametrize(
    "options",
    [
        {"priority": "high"},
        {"timeout": 0},
        {"timeout": "soon"},
        {"max_attempts": 0},
        {"retry": [], "max_attempts": 2},
        {"retry_on": ["NoSuchError"]},
        {"run_at": "2031-01-02T03:04"},
        {"run_at": datetime.datetime(2031, 1, 2)},
        {"dependencies": "abc"},
        {"dependencies": [""]},
        {"on_parent_failure": "pray"},
        {"name": ""},
        {"name": "\udce9"},
        {"lane": "-"},
        {"memory": "much"},
        {"unique": 5},
    ],
    ids=str,
)
def test_a_bad_option_is_refused_as_by_job(options: dict[str, Any]) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        Job(**{"name": "nothing", **options}, function=nothing)
    kind = "TypeError" if isinstance(refused.value, TypeError) else "ValueError"
    assert refusal(order(nothing, **options)) == (kind, str(refused.value))


@pytest.mark.parametrize(
    "params", [[], "x", 5, {1: 2}, {"a": object()}, {"a": math.inf}, {"a": b""}]
)
def test_params_that_json_cant_hold_are_refused_as_by_job(params: Any) -> None:
    with pytest.raises((TypeError, ValueError)) as refused:
        Job("n", calls.anything, params)
    with pytest.raises(refused.type) as said:
        order(calls.anything, params)
    assert str(said.value) == str(refused.value)


def test_what_cant_be_told_is_refused_at_once() -> None:
    for options in ({"retry_on": object()}, {"priority": math.nan}, {"name": {1, 2, object()}}):
        with pytest.raises(TypeError, match=r"submit\(\) can't tell its worker these options"):
            order(nothing, **options)
    with pytest.raises(TypeError, match="dependencies takes job ids: pass"):
        order(nothing, dependencies=[Job("n", nothing)])
    with pytest.raises(TypeError, match="no params beside a job"):
        order(Job("n", nothing), {})
    with pytest.raises(ValueError, match="16 MB at most"):
        order(calls.anything, {"a": "x" * runner.MOST_SUBMITTED_BYTES})


def test_a_job_of_gigqs_own_is_taken() -> None:
    import gigq

    theirs = gigq.Job("theirs", nothing, {}, priority=3, timeout=7, max_attempts=2)
    found = taken(order(theirs, before=True))
    assert found.before_dependents
    job = found.job
    assert (job.id, job.name, job.priority) == (theirs.id, "theirs", 3)
    assert (job.timeout, job.max_attempts) == (7, 2)


# --- how much --------------------------------------------------------------------------------


def test_a_job_is_taken_once() -> None:
    made, job = Orders(), Job("n", nothing)
    assert made.take(order(job)) == job.id
    said = made.take(order(job))
    assert said == Refusal(
        "ValueError", "A job can be submitted once, and this one already was: make a new Job."
    )
    assert len(made.outbox) == 1


def test_many_are_kept_in_their_order_and_out_of_memory() -> None:
    made = Orders()
    text = "x" * 5_000
    ids = [made.take(order(calls.anything, {"n": n, "text": text}, n % 2 == 1)) for n in range(600)]
    assert len(made.outbox) == 600
    # What is more than a megabyte is in a file.
    assert made.outbox._file is not None
    assert not made.outbox._memory
    found = made.outbox.orders()
    assert [one.job.id for one in found] == ids
    assert [one.job.params["n"] for one in found] == list(range(600))
    assert [one.before_dependents for one in found] == [n % 2 == 1 for n in range(600)]
    assert made.outbox.orders() is found
    assert made.end(completed=True) is made.outbox
    made.outbox.close()


def test_nothing_is_left_where_nothing_was_taken() -> None:
    for completed in (True, False):
        made = Orders()
        made.take(order(5))
        assert made.end(completed) is None
    made = Orders()
    made.take(order(nothing))
    assert made.end(completed=False) is None


class Full(io.RawIOBase):
    """A file on a disk with room for so many bytes."""

    def __init__(self, room: int) -> None:
        self.room = room
        self.held = io.BytesIO()

    def write(self, data: Any) -> int:
        part = bytes(data)[: max(0, self.room - self.held.tell())]
        if not part:
            raise OSError(28, "No space left on device")
        return self.held.write(part)

    def seek(self, place: int, whence: int = 0) -> int:
        return self.held.seek(place, whence)

    def read(self, size: int = -1) -> bytes:
        return self.held.read(min(size, 50))


@pytest.mark.parametrize("in_memory", [0, 200, 300])
@pytest.mark.parametrize("room", [0, 100, 300, 301, 350, 1_000])
def test_a_disk_without_room_is_told_and_what_was_taken_stays(
    monkeypatch: pytest.MonkeyPatch, in_memory: int, room: int
) -> None:
    monkeypatch.setattr(outbox, "IN_MEMORY_BYTES", in_memory)
    made, ids, file = Orders(), [], Full(room)
    monkeypatch.setattr(outbox.tempfile, "TemporaryFile", lambda buffering: file)
    said = None
    for number in range(20):
        said = made.take(order(nothing, name="x" * (number % 3) if number % 3 else "n"))
        if isinstance(said, str):
            ids.append(said)
        file.room += 40 * (number == 15)
    assert isinstance(said, Refusal)
    assert said == Refusal(
        "ValueError", "There is no room to keep what is submitted: No space left on device."
    )
    assert [one.job.id for one in made.outbox.orders()] == ids
    assert len(ids) >= in_memory // 150


def test_what_is_lost_of_it_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(outbox, "IN_MEMORY_BYTES", 0)
    made, file = Orders(), Full(10_000)
    monkeypatch.setattr(outbox.tempfile, "TemporaryFile", lambda buffering: file)
    assert isinstance(made.take(order(nothing)), str)
    file.held.truncate(20)
    with pytest.raises(OSError, match="only 20 are left"):
        made.outbox.orders()


def test_a_file_that_cant_be_had_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(buffering: int) -> Any:
        raise OSError(24, "Too many open files")

    monkeypatch.setattr(outbox.tempfile, "TemporaryFile", refuse)
    made = Orders()
    first = made.take(order(nothing))
    said = made.take(order(calls.anything, {"text": "x" * outbox.IN_MEMORY_BYTES}))
    assert said == Refusal(
        "ValueError", "There is no room to keep what is submitted: Too many open files."
    )
    assert [one.job.id for one in made.outbox.orders()] == [first]


def test_whoever_does_not_look_at_the_answers_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(orders, "MOST_REFUSED", 5)
    made = Orders()
    for _ in range(5):
        assert isinstance(made.take(order(5)), Refusal)
    with pytest.raises(Broken, match="again and again"):
        made.take(order(5))


def test_a_refusal_is_short() -> None:
    said = refusal(order(nothing, name="n", on_crash="x" * 100_000))
    assert len(said.sentence) < orders.MOST_TOLD + 100


# --- what is none of the runner's words ------------------------------------------------------

GOOD: dict[str, Any] = {
    "function": PLAIN,
    "params": {},
    "before": False,
    "id": None,
    "options": {},
}
IS = ["function", True, False, False, False, "a.b", "c", "c", True]
TAKES = [["n"], [], False, [], False]


def test_these_are_taken() -> None:
    for function in (PLAIN, {"path": "a.b", "takes": TAKES}, {"is": IS, "takes": TAKES}):
        assert isinstance(Orders().take(json.dumps(GOOD | {"function": function})), str)


BAD: list[Any] = [
    *(5, None, [], "x", {}, GOOD | {"more": 1}, {k: v for k, v in GOOD.items() if k != "id"}),
    *(GOOD | {"params": None}, GOOD | {"params": []}, GOOD | {"before": 1}),
    *(GOOD | {"options": None}, GOOD | {"options": []}, GOOD | {"function": "a.b"}),
    *(GOOD | {"function": function} for function in ({}, [], {"path": "a.b"}, {"takes": None})),
    *(GOOD | {"function": {"path": path, "takes": None}} for path in (None, 5, ["a.b"])),
    *(
        GOOD | {"function": {"is": told, "takes": None}}
        for told in (None, [], IS[:-1], [*IS, True], [*IS[:-1], 1], [1, *IS[1:]], {"a": 1})
    ),
    *(
        GOOD | {"function": {"path": "a.b", "takes": told}}
        for told in (5, [], TAKES[:-1], [*TAKES, 1], [[1], *TAKES[1:]], [*TAKES[:-1], None])
    ),
]


@pytest.mark.parametrize("told", BAD, ids=range(len(BAD)))
def test_these_are_not(told: Any) -> None:
    with pytest.raises(Broken, match="it submits what is no job"):
        Orders().take(json.dumps(told))


@pytest.mark.parametrize("text", ["{", "", "NaN", '{"a": NaN}', "9" * 10_000, '{"a": 1} {}'])
def test_what_is_not_json_is_not_either(text: str) -> None:
    with pytest.raises(Broken, match="it submits what is no"):
        Orders().take(text)


def test_what_is_nested_too_deeply_is_refused_alone() -> None:
    deep = "[" * 100_000 + "]" * 100_000
    text = json.dumps(GOOD).replace('"params": {}', f'"params": {{"a": {deep}}}')
    assert refusal(text).sentence.startswith("JSON can't hold params")


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(
    st.sampled_from([PLAIN, {"is": IS, "takes": TAKES}]) | JSON,
    st.dictionaries(st.sampled_from(["n", "job_context", "\ud800"]), JSON) | JSON,
    st.dictionaries(st.sampled_from([*OPTION_NAMES, "x"]), JSON, max_size=3) | JSON,
    st.none() | st.text(st.characters(exclude_categories=()), max_size=5) | JSON,
    st.booleans() | JSON,
)
def test_whatever_comes_is_taken_or_refused_or_none_of_its_words(
    function: Any, params: Any, options: Any, job_id: Any, before: Any
) -> None:
    told = {
        "function": function,
        "params": params,
        "options": options,
        "id": job_id,
        "before": before,
    }
    made = Orders()
    try:
        said = made.take(json.dumps(told))
    except Broken:
        return
    if isinstance(said, Refusal):
        assert said.kind in ("TypeError", "ValueError")
        assert len(made.outbox) == 0
        return
    (found,) = made.outbox.orders()
    assert (found.job.id, found.before_dependents) == (said, before)
    assert sys.getsizeof(said) > 0
