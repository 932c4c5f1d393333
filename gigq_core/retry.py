"""When a job that failed runs again: delays, the exceptions that count, and what a job may ask for.

`Retry`, `Snooze` and `GiveUp` are known by their `__gigq_core__`, not by their class: a job's own
environment need not hold this package, and other packages have a `Retry` too.
"""

from __future__ import annotations

import builtins
import json
import math
import random
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, Literal, get_args

from gigq_core.units.durations import duration_text, seconds_of, typed_seconds_of

OnTimeout = Literal["retry", "fail"]
ON_TIMEOUT = get_args(OnTimeout)

# What a job stores of it is read at each claim, so it stays small.
MOST_DELAYS = 1_000
MOST_NAMES = 100
LONGEST_NAME = 500

# From here on a power may be beyond what a float holds, though its product with the base is not.
_LARGE_EXPONENT = 700.0


@dataclass(frozen=True)
class Backoff:
    """Delays that grow: `base`, then `factor` times as much each time, `most` at most.

    Args:
        base: The first delay, in seconds or as text like `30s`; more than 0.
        factor: By how much each delay is longer than the one before; 1 or more.
        most: The longest delay, in seconds or as text like `1h`; more than 0.
        jitter: The share of each delay that is drawn at random, 0 to 1; "full" is 1. With 0.5, a
            delay of 60 s is anything from 30 to 60 s.

    Raises:
        TypeError: A value is of the wrong type.
        ValueError: A value is out of range.
    """

    base: float
    factor: float = 2
    most: float = 3600
    jitter: float = 0

    def __init__(
        self,
        base: float | str,
        factor: float = factor,
        most: float | str = most,
        jitter: float | Literal["full"] = jitter,
    ) -> None:
        for name, value in (("base", base), ("most", most)):
            seconds = seconds_of(value, f"A backoff's {name}")
            if seconds == 0:
                raise ValueError(f"A backoff's {name} is 0: give a time that is more than 0.")
            object.__setattr__(self, name, seconds)
        if _number_of(factor, "factor", "a number of 1 or more") < 1:
            raise ValueError(f"A backoff's factor is {factor}: give a number of 1 or more.")
        share = 1.0 if jitter == "full" else _number_of(jitter, "jitter", "0 to 1, or 'full'")
        if not 0 <= share <= 1:
            raise ValueError(
                f"A backoff's jitter is {jitter}: give a share from 0 to 1, or 'full'."
            )
        object.__setattr__(self, "factor", factor)
        object.__setattr__(self, "jitter", share)

    def delay(self, n: int) -> float:
        """The `n`th delay, from 1 on, before anything of it is drawn."""
        grown = (n - 1) * math.log(self.factor)
        # Decided by logarithms: the power itself may be beyond any number.
        if grown >= math.log(self.most) - math.log(self.base):
            return self.most
        if grown > _LARGE_EXPONENT:
            return min(self.most, math.exp(math.log(self.base) + grown))
        return min(self.most, self.base * self.factor ** (n - 1))

    @classmethod
    def parse(cls, text: str) -> Backoff:
        """Read `30s`, `30x2`, `30x2..1h` or `30x2..1h~0.5`: base, factor, longest delay, jitter.

        Raises:
            ValueError: It is none of these, or a part is out of range.
        """
        rest, _, jitter = text.partition("~")
        rest, _, most = rest.partition("..")
        base, _, factor = rest.partition("x")
        if text.endswith(("~", "..", "x")) or rest.endswith("x") or most.startswith("."):
            raise _no_backoff(text)
        more: dict[str, Any] = {}
        if most:
            more["most"] = typed_seconds_of(most, "A backoff's most")
        try:
            if factor:
                more["factor"] = float(factor)
            if jitter:
                more["jitter"] = jitter if jitter == "full" else float(jitter)
        except ValueError:
            raise _no_backoff(text) from None
        return cls(typed_seconds_of(base, "A backoff's base"), **more)

    def __str__(self) -> str:
        share = f"~{_shortest(self.jitter)}" if self.jitter else ""
        base = duration_text(self.base)
        base = base if self.base >= 60 else base.removesuffix("s")
        return f"{base}x{_shortest(self.factor)}..{duration_text(self.most)}{share}"


def _shortest(number: float) -> str:
    """A number as `parse` reads it again, to its last digit."""
    return repr(number).removesuffix(".0")


def _no_backoff(text: str) -> ValueError:
    return ValueError(
        f"{text[:40]!r} is not a backoff: write base, factor and longest delay, like 30x2..1h."
    )


def _number_of(value: object, name: str, wanted: str) -> float:
    if isinstance(value, str):
        raise ValueError(f"A backoff's {name} is {value[:40]!r}: it must be {wanted}.")
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"A backoff's {name} must be {wanted}, not {value!r}.")
    if not abs(value) <= sys.float_info.max:
        raise ValueError(f"A backoff's {name} is beyond any number: it must be {wanted}.")
    return value


# --- what a function may raise ---------------------------------------------------------------


class Retry(Exception):
    """Raised in a job: run it again, unless this was its last attempt.

    Args:
        after: In how many seconds, or text like `30s`; None keeps to the delays of the job.
        lane: Let no other job of this one's lane begin before that either.

    Raises:
        TypeError: `after` is of the wrong type, or `lane` is not True or False.
        ValueError: `after` is no duration.
    """

    __gigq_core__ = "retry"

    def __init__(self, after: float | str | None = None, *, lane: bool = False) -> None:
        if not isinstance(lane, bool):
            raise TypeError(f"Retry's lane must be True or False, not {type(lane).__name__}.")
        self.after = None if after is None else seconds_of(after, "Retry's after")
        self.lane = lane
        # What it was made of, so that it can be pickled out of a process of the job's own.
        super().__init__(after)

    def __str__(self) -> str:
        return "again" if self.after is None else f"again in {duration_text(self.after)}"


class Snooze(Exception):
    """Raised in a job: it is too early; run it again later. It does not count as an attempt.

    After 1,000 times in a row, each further time does.

    Args:
        after: In how many seconds, or text like `10m`.

    Raises:
        TypeError: `after` is of the wrong type.
        ValueError: `after` is no duration.
    """

    __gigq_core__ = "snooze"

    def __init__(self, after: float | str) -> None:
        self.after = seconds_of(after, "Snooze's after")
        super().__init__(after)

    def __str__(self) -> str:
        return f"again in {duration_text(self.after)}"


class GiveUp(Exception):
    """Raised in a job: it has failed for good, however many attempts are left.

    Args:
        reason: Why, for a person.
    """

    __gigq_core__ = "give_up"

    def __init__(self, reason: str = "") -> None:
        self.reason = reason
        super().__init__(reason)


# --- what a job is told ----------------------------------------------------------------------


def retry_of(value: object) -> Backoff | tuple[float, ...] | None:
    """The delays that `retry=` gives: a `Backoff`, or a list of seconds; None for none.

    Where there is no Python, as in a line of JSONL, a backoff is an object with its arguments, or
    text like `30x2..1h`.

    Raises:
        TypeError: It is none of these.
        ValueError: A delay is out of range.
    """
    if value is None or isinstance(value, Backoff):
        return value
    if isinstance(value, str):
        return Backoff.parse(value)
    if isinstance(value, Mapping):
        unknown = value.keys() - {"base", "factor", "most", "jitter"}
        if unknown or "base" not in value:
            raise ValueError(
                "retry must be a list of seconds, or a backoff with a base: "
                '{"base": 30, "factor": 2, "most": 3600, "jitter": 0}.'
            )
        return Backoff(**value)
    if not isinstance(value, Sequence) or isinstance(value, (bytes, bytearray)):
        raise TypeError(
            f"retry must be a Backoff or a list of seconds, not a value of type "
            f"{type(value).__name__}."
        )
    if not 0 < len(value) <= MOST_DELAYS:
        raise ValueError(f"retry has {len(value):,} delays: give from 1 to {MOST_DELAYS:,}.")
    return tuple(seconds_of(one, "A delay of retry") for one in value)


def exception_names(value: object, label: str) -> tuple[str, ...]:
    """The whole names of exception classes, which are given as classes or by name.

    A bare name is one of Python's own; another one stands behind its module: `requests.Timeout`.
    Where that module is imported here, the name of the class itself is taken; where it is not, the
    process that runs the job knows which class is meant.

    Raises:
        TypeError: It holds something that is no exception class.
        ValueError: A name can't be one, or there are too many.
    """
    given: Iterable[object]
    if isinstance(value, (str, type)):
        given = (value,)
    elif isinstance(value, Iterable) and not isinstance(value, (bytes, Mapping)):
        given = value
    else:
        raise TypeError(
            f"{label} must hold exception classes or their names, not a value of type "
            f"{type(value).__name__}."
        )
    names = tuple(dict.fromkeys(_exception_name(one, label) for one in given))
    if len(names) > MOST_NAMES:
        raise ValueError(f"{label} names {len(names)} exceptions: give {MOST_NAMES} at most.")
    return names


def _exception_name(one: object, label: str) -> str:
    if isinstance(one, type):
        if not issubclass(one, BaseException):
            raise TypeError(f"{label} holds {one.__name__}, which is not an exception class.")
        return f"{one.__module__}.{one.__qualname__}"
    if not isinstance(one, str):
        raise TypeError(
            f"{label} must hold exception classes or their names, not a value of type "
            f"{type(one).__name__}."
        )
    _check_name(one, label)
    parts = one.split(".")
    if len(parts) == 1:
        if not isinstance(getattr(builtins, one, None), type):
            raise ValueError(
                f"{label} holds {one}, which is none of Python's own exceptions: write "
                f"package.module.{one}."
            )
        parts = ["builtins", one]
    found = _found(parts)
    return ".".join(parts) if found is None else _exception_name(found, label)


def _check_name(name: str, label: str) -> None:
    if len(name) > LONGEST_NAME or not all(map(str.isidentifier, name.split("."))):
        raise ValueError(f"{label} holds {name[:40]!r}: write package.module.Class.")


def _found(parts: list[str]) -> type | None:
    """The class of that name, if its module is loaded here; nothing is imported for it."""
    for end in range(len(parts) - 1, 0, -1):
        found: Any = sys.modules.get(".".join(parts[:end]))
        if found is not None:
            for part in parts[end:]:
                found = getattr(found, part, None)
            return found if isinstance(found, type) else None
    return None


# --- a job's policy --------------------------------------------------------------------------


@dataclass(frozen=True)
class RetryPolicy:
    """What decides whether, and when, a job that failed runs again; as its row holds it.

    `retry_on` and `give_up_on` are whole names of classes. Where `retry` is None, the job's plain
    `retry_delay` stands.
    """

    retry: Backoff | tuple[float, ...] | None = None
    retry_on: tuple[str, ...] = ()
    give_up_on: tuple[str, ...] = ()
    on_timeout: OnTimeout = "retry"

    @property
    def needs_ours(self) -> bool:
        """Whether a worker that knows no policies would run the job against its wishes."""
        return bool(self.retry_on or self.give_up_on) or self.on_timeout == "fail"

    def delay_s(self, n: int, draw: Callable[[], float] = random.random) -> float | None:
        """The `n`th delay, from 1 on, in seconds; None where the policy names none.

        Args:
            n: after which attempt.
            draw: a number from 0 to 1, for the share that is drawn.
        """
        if self.retry is None:
            return None
        n = max(1, n)
        if not isinstance(self.retry, Backoff):
            return self.retry[min(n, len(self.retry)) - 1]
        delay = self.retry.delay(n)
        return delay * (1 - self.retry.jitter * draw()) if self.retry.jitter else delay

    @property
    def first_delay_s(self) -> float | None:
        """The first delay, nothing of it drawn."""
        return self.delay_s(1, draw=lambda: 0.0)

    def refusal(self, raised: Sequence[str]) -> str:
        """Why an exception is not to be retried, in a few words; nothing where it is.

        Args:
            raised: the whole names of its class and those that this is a subclass of, in order.
        """
        for name in raised:
            if name in self.give_up_on:
                return f"{_short(name)} is in give_up_on"
        if self.retry_on and not any(name in self.retry_on for name in raised):
            return f"{_short(raised[0])} is not in retry_on"
        return ""

    def encode(self) -> str | None:
        """It as a row holds it: JSON, or None where it says nothing."""
        facts: dict[str, Any] = {}
        if self.retry is not None:
            facts["retry"] = shown(self.retry)
        for name in ("retry_on", "give_up_on"):
            if getattr(self, name):
                facts[name] = list(getattr(self, name))
        if self.on_timeout != "retry":
            facts["on_timeout"] = self.on_timeout
        return json.dumps(facts) if facts else None

    @staticmethod
    def decode(text: object) -> RetryPolicy | None:
        """Read what `encode` wrote; None for NULL.

        Raises:
            ValueError: It can't be read; the message says why.
        """
        if text is None:
            return None
        if not isinstance(text, str):
            raise ValueError("it is not text")
        return _decoded(text)


def shown(retry: Backoff | tuple[float, ...] | None) -> dict[str, float] | list[float] | None:
    """What `retry_of` reads, as JSON has it."""
    if isinstance(retry, Backoff):
        return {name: getattr(retry, name) for name in ("base", "factor", "most", "jitter")}
    return None if retry is None else list(retry)


@lru_cache(maxsize=256)
def _decoded(text: str) -> RetryPolicy:
    try:
        facts = json.loads(text)
        if not isinstance(facts, dict):
            raise ValueError("it is not a JSON object")
        on_timeout = facts.get("on_timeout", "retry")
        if on_timeout not in ON_TIMEOUT:
            raise ValueError(f"on_timeout is {on_timeout!r}"[:100])
        return RetryPolicy(
            retry_of(facts.get("retry")),
            _stored_names(facts, "retry_on"),
            _stored_names(facts, "give_up_on"),
            on_timeout,
        )
    except (TypeError, ValueError, OverflowError, RecursionError) as problem:
        raise ValueError(str(problem)) from None


def _stored_names(facts: dict[str, Any], label: str) -> tuple[str, ...]:
    """As they stand: what this process has imported says nothing of the job's."""
    names = facts.get(label, [])
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise ValueError(f"{label} is not a list of names")
    for name in names:
        _check_name(name, label)
    return tuple(names)


def _short(name: str) -> str:
    """A class as people call it: without the module of Python's own."""
    return name.removeprefix("builtins.")
