"""The options that few jobs need: retries by a policy, times, parents that fail, names.

They stand under a line that shows them. What is typed is judged by the core itself, in its words.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, NamedTuple, get_args

from gigq_core.job import FunctionReference, Job, JobOptions, OnParentFailure, OnTimeout
from gigq_core.lane_names import HIDDEN
from gigq_core.retry import Backoff, RetryPolicy
from gigq_core.unique import CONFLICT, UNTIL, unique_of
from gigq_core.units.durations import duration_text, seconds_in, seconds_text, typed_seconds_of
from gigq_core.units.sizes import size_text
from gigq_core.units.times import local
from gigq_tui.screens.submit.parse_value import ValueTrouble, parse_word
from gigq_tui.store.models import JobDetail

_ANY_FUNCTION = FunctionReference("module", "function")
# The rows that say more of a unique job: the parts of its `Unique`.
UNIQUE_UNTIL, UNIQUE_WITHIN, ON_DUPLICATE = "unique_until", "unique_within", "on_duplicate"
_PARTS_OF_UNIQUE = {UNIQUE_UNTIL: "until", UNIQUE_WITHIN: "within", ON_DUPLICATE: "conflict"}
_OURS = {"no": False, "yes": True}


class MoreOption(NamedTuple):
    """One of them: its row, and what its text comes to, as arguments of `JobOptions`."""

    key: str
    label: str
    hint: str
    read: Callable[[str], dict[str, Any]]
    kept: Callable[[JobDetail], str]
    short: bool = False


def of_core(**options: Any) -> dict[str, Any]:
    """Options as the core keeps them.

    Raises:
        ValueTrouble: It refuses one; the message is its own.
    """
    try:
        job = Job("job", _ANY_FUNCTION, **options)
    except (TypeError, ValueError) as problem:
        raise ValueTrouble(str(problem)) from None
    return {name: getattr(job, name) for name in options}


def _retry(text: str) -> dict[str, Any]:
    """`30x2..1h` or `10,60,300`."""
    if "," not in text:
        return of_core(retry=text.strip() or None)
    delays = [one.strip() for one in text.split(",") if one.strip()]
    return of_core(retry=[_seconds(one, "A delay of retry") for one in delays])


def _names(option: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: of_core(**{option: text.replace(",", " ").split()})


def _when(text: str) -> dict[str, Any]:
    """A duration or a moment."""
    typed = text.strip()
    if not typed:
        return {}
    if seconds_in(typed) is not None:
        return of_core(run_after=_seconds(typed, "run_after"))
    return of_core(run_at=typed)


def _stall(text: str) -> dict[str, Any]:
    typed = text.strip()
    return of_core(stall_timeout=_seconds(typed, "stall_timeout")) if typed else {}


def _seconds(text: str, label: str) -> float:
    try:
        return typed_seconds_of(text, label)
    except ValueError as problem:
        raise ValueTrouble(str(problem)) from None


def _batch(text: str) -> dict[str, Any]:
    return of_core(batch=text.strip())


def _plain(option: str) -> Callable[[str], dict[str, Any]]:
    return lambda text: of_core(**{option: text.strip()}) if text.strip() else {}


def _unique(text: str) -> dict[str, Any]:
    """`yes`, or a key."""
    typed = text.strip()
    if not typed or typed == "no":
        return {}
    return of_core(unique=typed if typed != "yes" else True)


def _within(text: str) -> dict[str, Any]:
    typed = text.strip()
    return {"unique_within": _seconds(typed, "unique's within")} if typed else {}


def _word(option: str, words: tuple[str, ...]) -> Callable[[str], dict[str, Any]]:
    return lambda text: {option: parse_word(text, words)}


def _ours(text: str) -> dict[str, Any]:
    return {"ours": _OURS[parse_word(text, tuple(_OURS))]}


# What a copied job has of them.


def _policy(template: JobDetail) -> RetryPolicy:
    try:
        return RetryPolicy.decode(template.raw.get("retry_policy")) or RetryPolicy()
    except ValueError:
        return RetryPolicy()


def _kept_retry(template: JobDetail) -> str:
    retry = _policy(template).retry
    if retry is None or isinstance(retry, Backoff):
        return str(retry or "")
    # A single delay would be read as a backoff.
    return ",".join(map(duration_text, retry)) + ("," if len(retry) == 1 else "")


def _kept_names(option: str) -> Callable[[JobDetail], str]:
    return lambda template: " ".join(
        name.removeprefix("builtins.") for name in getattr(_policy(template), option)
    )


def _kept_when(template: JobDetail) -> str:
    """When it is due, if it has not been tried; a schedule's job, after how long."""
    row = template.row
    if seconds := template.raw.get("run_after"):
        return duration_text(seconds)
    return local(row.due).isoformat(timespec="seconds") if row.due and not row.attempts else ""


def _kept_stall(template: JobDetail) -> str:
    seconds = template.raw.get("stall_timeout")
    return seconds_text(seconds) if isinstance(seconds, (int, float)) else ""


def _kept_on_timeout(template: JobDetail) -> str:
    return "fail" if _policy(template).on_timeout == "fail" else ""


def _kept_column(column: str) -> Callable[[JobDetail], str]:
    return lambda template: str(template.raw.get(column) or "")


def _kept_lane(template: JobDetail) -> str:
    lane = str(template.raw.get("lane") or "")
    return lane if lane != HIDDEN else ""


def _kept_memory(template: JobDetail) -> str:
    size = template.raw.get("memory")
    return size_text(size) if isinstance(size, int) else ""


def _kept_unique(template: JobDetail) -> str:
    """Its key, if that was given: one of the function and the parameters is another's by now."""
    key = str(template.raw.get("unique_key") or "")
    row = template.row
    return "yes" if key.startswith(f"{row.function}:") else key


def _kept_within(template: JobDetail) -> str:
    seconds = template.raw.get("unique_within")
    return duration_text(seconds) if isinstance(seconds, (int, float)) and seconds > 0 else ""


def _kept_conflict(template: JobDetail) -> str:
    """Only a schedule's job remembers it."""
    conflict = str(template.raw.get("on_duplicate") or "")
    return conflict if conflict != CONFLICT[0] else ""


def _kept_until(template: JobDetail) -> str:
    until = str(template.raw.get("unique_until") or "")
    return until if until in UNTIL and until != UNTIL[0] else ""


def _kept_ours(template: JobDetail) -> str:
    return "yes" if template.raw.get("lane") == HIDDEN else ""


def _choices(words: tuple[str, ...]) -> str:
    return f"{', '.join(words[:-1])} or {words[-1]}"


_ON_PARENT_FAILURE = get_args(OnParentFailure)
_ON_TIMEOUT = get_args(OnTimeout)

MORE = (
    MoreOption("retry", "Backoff", "as 30x2..1h, or delays: 10,60,300", _retry, _kept_retry),
    MoreOption(
        *("retry_on", "Retry on", "exceptions; others are not retried"),
        _names("retry_on"),
        _kept_names("retry_on"),
    ),
    MoreOption(
        *("give_up_on", "Give up on", "exceptions that are never retried"),
        _names("give_up_on"),
        _kept_names("give_up_on"),
    ),
    MoreOption("when", "Not before", "10m, or 2030-01-31T08:00+01:00", _when, _kept_when),
    MoreOption("batch", "Batch", "a name to find its jobs by", _batch, _kept_column("batch")),
    MoreOption("lane", "Lane", "as fetch:{host}", _plain("lane"), _kept_lane),
    MoreOption(
        "unique", "Unique", "yes, or a key: not while another has it", _unique, _kept_unique
    ),
    MoreOption(
        *(UNIQUE_UNTIL, "Holds key", f"until {_choices(UNTIL)}"),
        _word(UNIQUE_UNTIL, UNTIL),
        _kept_until,
        short=True,
    ),
    MoreOption(
        *(UNIQUE_WITHIN, "At least", "as 1h: for so long anyway"),
        _within,
        _kept_within,
        short=True,
    ),
    MoreOption(
        *(ON_DUPLICATE, "Duplicate", _choices(CONFLICT)),
        _word(ON_DUPLICATE, CONFLICT),
        _kept_conflict,
        short=True,
    ),
    MoreOption(
        *("stall_timeout", "Stall after", "s; without progress or output"),
        _stall,
        _kept_stall,
        short=True,
    ),
    MoreOption(
        *("on_timeout", "On timeout", _choices(_ON_TIMEOUT)),
        _word("on_timeout", _ON_TIMEOUT),
        _kept_on_timeout,
        short=True,
    ),
    MoreOption(
        *("on_parent_failure", "Parent fails", _choices(_ON_PARENT_FAILURE)),
        _word("on_parent_failure", _ON_PARENT_FAILURE),
        _kept_column("on_parent_failure"),
        short=True,
    ),
    MoreOption(
        *("memory", "Memory", "most of an attempt: 500M, 2G"),
        _plain("memory"),
        _kept_memory,
        short=True,
    ),
    MoreOption(
        *("ours", "Hidden", "yes or no: from GigQ's own workers"),
        _ours,
        _kept_ours,
        short=True,
    ),
)
MORE_PAIRS = (
    (UNIQUE_UNTIL, UNIQUE_WITHIN),
    (ON_DUPLICATE, "memory"),
    ("stall_timeout", "on_timeout"),
    ("on_parent_failure", "ours"),
)


def _word_given(option: str, value: object) -> bool:
    """Whether such a row says anything."""
    return value not in (None, UNTIL[0] if option == UNIQUE_UNTIL else CONFLICT[0])


def unique_trouble(read: dict[str, dict[str, Any]]) -> tuple[str, str]:
    """The row with which a unique job can't be had, and why; nothing where it can."""
    parts = {name: read.get(name, {}).get(name) for name in _PARTS_OF_UNIQUE}
    said = [name for name, value in parts.items() if _word_given(name, value)]
    if said and not read.get("unique"):
        return said[0], "say what is unique first: yes, or a key"
    try:
        _whole_unique({name: value for one in read.values() for name, value in one.items()})
    except (TypeError, ValueError) as problem:
        return (said or ["unique"])[0], str(problem)
    return "", ""


def _whole_unique(given: dict[str, Any]) -> dict[str, Any]:
    """The options with what its rows say of a unique job in one value."""
    parts = {
        _PARTS_OF_UNIQUE[name]: given[name]
        for name in _PARTS_OF_UNIQUE
        if _word_given(name, given.get(name))
    }
    rest = {name: value for name, value in given.items() if name not in _PARTS_OF_UNIQUE}
    if parts and (unique := unique_of(rest.get("unique", False))):
        rest["unique"] = replace(unique, **parts)
    return rest


def both_given(options: dict[str, Any]) -> str:
    """Why a backoff and a plain delay can't be had together; nothing where they are not."""
    try:
        of_core(retry=options.get("retry"), retry_delay=options.get("retry_delay", 0))
    except ValueTrouble as problem:
        return str(problem)
    return ""


def options_of(read: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """What the rows come to, as arguments of `JobOptions`; what is as it is by default is not."""
    given = _whole_unique({name: v for one in read.values() for name, v in one.items()})
    plain = JobOptions().values()
    return {name: value for name, value in given.items() if value not in (plain[name], [])}
