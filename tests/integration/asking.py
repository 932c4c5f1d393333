"""Functions that fail in a certain way, or ask by an exception for what comes next."""

from __future__ import annotations

import functools
import time
from typing import Any

from gigq_core import GiveUp, Retry, Snooze
from tests.integration.breaking import Broken
from tests.integration.chores import note


class Busy(ConnectionError):
    """A subclass, two steps from `OSError`."""


class ForeignRetry(Exception):
    """Of a package that has a `Retry` with `after` of its own, and means nothing by it."""

    def __init__(self, after: Any) -> None:
        self.after = after
        super().__init__("not ours")


class Marked(Exception):
    """As a project without this package in its environment makes it."""

    __gigq_core__ = "snooze"
    after = 0.01


class Deep1(Busy): ...


class Deep2(Deep1): ...


# Further from `OSError` than an attempt's end tells names.
Deepest: Any = functools.reduce(lambda base, n: type(f"L{n}", (base,), {}), range(15), Busy)


KINDS: dict[str, BaseException] = {
    "ValueError": ValueError("bad"),
    "KeyError": KeyError("k"),
    "Busy": Busy("busy"),
    "Deep": Deep2("deep"),
    "Deepest": Deepest("deepest"),
    "Broken": Broken("broken"),
    "exit": SystemExit(3),
    "foreign": ForeignRetry(after=0),
}


def fails(path: str, kind: str, times: int = 1_000) -> int:
    """Fail in one way the first times, then return how often it was called before."""
    count = _count(path)
    if count < times:
        raise KINDS[kind]
    return count


def asks(path: str, what: list[Any], times: int = 1_000) -> int:
    """Ask for something the first times, then return how often it was called before."""
    count = _count(path)
    if count < times:
        raise {"retry": Retry, "snooze": Snooze, "give_up": GiveUp, "marked": Marked}[what[0]](
            *what[1:]
        )
    return count


def sleeps(path: str) -> None:
    _count(path)
    while True:
        time.sleep(0.01)


def _count(path: str) -> int:
    note(path, repr(time.time()))
    with open(path, encoding="utf-8") as file:
        return len(file.read().splitlines()) - 1
