"""Functions of every kind of signature, for jobs that may fit them or not."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from gigq_core import task


def plain(a: int, b: int = 0) -> int:
    return a + b


def named(*, a: int, b: int = 0) -> int:
    return a + b


def nothing() -> None:
    return None


def anything(**given: Any) -> int:
    return len(given)


def some_and_anything(a: int, **given: Any) -> int:
    return a + len(given)


def many(*values: int) -> int:
    return sum(values)


def by_position(a: int, /) -> int:
    return a


def by_position_or_not(a: int = 1, /, b: int = 0) -> int:
    return a + b


def by_position_and_anything(a: int = 1, /, **given: Any) -> int:
    return a + len(given)


def of_parents(parent_results: dict[str, Any]) -> int:
    return len(parent_results)


def of_parents_or_none(parent_results: dict[str, Any] | None = None) -> int:
    return len(parent_results or {})


class Made(dict):  # type: ignore[type-arg]
    def __init__(self, a: int, b: int = 0) -> None:
        super().__init__(a=a, b=b)


@task
def decorated(a: int, b: int = 0) -> int:
    return a + b


def _logged(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        print("calling", args, kwargs)
        return function(*args, **kwargs)

    return wrapper


def _with_session(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function("session", *args, **kwargs)

    return wrapper


def _with_default(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        kwargs.setdefault("a", 1)
        return function(*args, **kwargs)

    return wrapper


def _without_word(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        kwargs.pop("word", None)
        return function(*args, **kwargs)

    return wrapper


@_logged
def logged(a: int, b: int = 0) -> int:
    return a + b


@_with_session
def with_session(session: str, a: int) -> str:
    return session * a


@_with_default
def with_default(a: int) -> int:
    return a


@_without_word
def without_word(a: int) -> int:
    return a


@functools.lru_cache
def cached(a: int) -> int:
    return a


@task
@_logged
def decorated_twice(a: int) -> int:
    return a


def fails_inside(a: int) -> int:
    return len(a)  # type: ignore[arg-type]


def calls_another_wrongly(a: int) -> int:
    return plain(c=a)  # type: ignore[call-arg]
