"""Filters as text: who makes one out of values makes it here, so that it is read as was meant.

The parts are put together by `all_of` and `any_of`; each text that comes from here is a whole
filter.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from datetime import datetime, timezone
from typing import Any

from gigq_tui.store.filter.language import Filter, parse
from gigq_tui.store.filter.periods import bounds_of, point_text, range_text
from gigq_tui.store.filter.sql_json import reads_as_json
from gigq_tui.store.filter.terms import (
    JSON_FIELDS,
    PERIOD_FIELDS,
    Field,
    Group,
    Node,
    Term,
)

_PLAIN = re.compile(r'[^\s|()"]+')
# What no filter takes, and what stands for bytes that are no text.
_UNNAMED = re.compile("[\0\ufffd\ud800-\udfff]")
_PLAIN_KEY = re.compile(r"[\w\-]+")
_TURNED = {"<": ">", "<=": ">=", ">": "<", ">=": "<="}


def quoted(text: str) -> str:
    """A value as it is typed behind a field: between quotes where it needs them.

    Args:
        text: any text but an empty one.

    Raises:
        ValueError: it is empty, which no filter can ask for.
    """
    if not text:
        raise ValueError("there is no filter for an empty text")
    if _PLAIN.fullmatch(text):
        return text
    return _between_quotes(text)


def _between_quotes(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def exactly(text: str) -> str:
    """A value that was read from the file, as `quoted` types it.

    Raises:
        ValueError: as for `quoted`; or it stands for bytes that are no text.
    """
    if _UNNAMED.search(text):
        raise ValueError("there is no filter for bytes that are no text")
    return quoted(text)


def equal(field: Field, text: str) -> str:
    """The filter for what is wholly `text` in a field: a name, a function, a worker, a batch, …

    Raises:
        ValueError: as for `exactly`.
    """
    return f"{field.value}={exactly(text)}"


def period(field: Field, since: datetime | None, until: datetime | None) -> str:
    """The filter for a range of time, as in `ran:2026-11-27T02:00..04:00`.

    Args:
        field: `RAN`, `STARTED`, `ENDED` or `SUBMITTED`.
        since: its beginning, aware; None where it has none.
        until: its end, which does not belong to it, likewise.

    Raises:
        ValueError: it is open at both sides.
    """
    if since is None and until is None:
        raise ValueError("a period needs a beginning, an end, or both")
    ends = (None if moment is None else moment.timestamp() for moment in (since, until))
    return f"{field.value}:{range_text(*ends)}"


def value(field: Field, keys: Iterable[str], found: Any) -> str:
    """The filter for one value in the parameters or the result.

    A number, `true`, `false` and `null` are one with the text that reads the same; any other text
    is that text alone. A list and an object are equal to what is written as they are.

    Args:
        field: `PARAM` or `RESULT`.
        keys: the keys that lead to it.
        found: the value, as `json.loads` returns it.

    Raises:
        ValueError: a key has a quote in it, or the value is no JSON, or as for `exactly`.
    """
    path = tuple(keys)
    if not path:
        raise ValueError("name a key: a value of none can't be asked for")
    name = f"{field.value}{path_text(path)}"
    if isinstance(found, str):
        plain = exactly(found)
        return f"{name}={_between_quotes(found) if reads_as_json(found) else plain}"
    text = json.dumps(found, separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    return f"{name}={quoted(text)}"


def path_text(keys: tuple[str, ...]) -> str:
    """Keys as they stand behind `param`: `.feed."two words"`.

    Raises:
        ValueError: one has a quote in it, or is empty.
    """
    parts: list[str] = []
    for key in keys:
        if not key or '"' in key:
            raise ValueError(f"a key like {key!r} can't be named in a filter")
        parts.append(key if _PLAIN_KEY.fullmatch(key) else f'"{key}"')
    return "".join(f".{part}" for part in parts)


def all_of(*filters: str) -> str:
    """The filter that lets through what all of these do, each written once.

    Empty ones let everything through.
    """
    return " ".join(dict.fromkeys(text.strip() for text in filters if text.strip()))


def any_of(filters: Iterable[str]) -> str:
    """The filter that lets through what one of these does, none of which is empty.

    Raises:
        FilterError: one of them can't be read.
    """
    parts = []
    for text in filters:
        root = parse(text).root
        is_whole = isinstance(root, Term) or (isinstance(root, Group) and root.negated)
        parts.append(text.strip() if is_whole else f"({text.strip()})")
    return "|".join(parts)


def none_of(text: str) -> str:
    """The filter that lets through what this one does not.

    Raises:
        FilterError: it can't be read.
    """
    return f"-({text.strip()})" if parse(text).root is not None else text


# --- a filter that was read, written again ----------------------------------------------------


def written(filter: Filter) -> str:
    """A filter in the language's own words; it reads as the same conditions again."""
    return "" if filter.root is None else _node(filter.root, None)


def absolute(filter: Filter, now: datetime) -> Filter:
    """The same filter without what depends on when and where it is read.

    `ended<20m`, `ran:02:00..04:00` and `age>2h` name the moments that they mean now, each with its
    offset from UTC. A filter without such terms comes back as it is.

    Args:
        filter: any filter.
        now: the present moment, aware.
    """
    if not any(term.span is not None or term.field is Field.AGE for term in filter.terms()):
        return filter
    assert filter.root is not None
    return parse(_node(filter.root, now))


def _node(node: Node, now: datetime | None, *, inside: bool = False) -> str:
    if isinstance(node, Term):
        return ("-" if node.negated else "") + _term(node, now)
    parts = [_node(part, now, inside=True) for part in node.parts]
    text = ("|" if node.is_any else " ").join(parts)
    if node.negated:
        return f"-({text})"
    return f"({text})" if inside else text


def _term(term: Term, now: datetime | None) -> str:
    name, operator = term.field.value, term.operator
    if term.field is Field.WORD:
        return term.text if _is_word(term.text) else _between_quotes(term.text)
    if now is not None and term.field is Field.AGE:
        moment = point_text(now.timestamp() - term.number, with_zone=True)
        return f"{Field.SUBMITTED.value}{_TURNED[operator]}{moment}"
    if now is not None and term.field in PERIOD_FIELDS:
        return _at_moments(term, now)
    if term.field in JSON_FIELDS:
        name += path_text(term.path)
    text = _between_quotes(term.text) if term.is_text else quoted(term.text)
    return f"{name}{operator}{text}"


def _is_word(text: str) -> bool:
    """Whether a text is read as a plain word, where it stands alone."""
    if not _PLAIN.fullmatch(text):
        return False
    root = parse(text).root
    return isinstance(root, Term) and root.field is Field.WORD and not root.negated


def _at_moments(term: Term, now: datetime) -> str:
    assert term.span is not None
    bounds = bounds_of(term.span, term.operator, now.astimezone(timezone.utc))
    if term.operator in (":", "="):
        return f"{term.field.value}:{range_text(bounds.since, bounds.until, with_zone=True)}"
    if bounds.since is not None:
        moment = point_text(bounds.since, with_zone=True)
        return f"{term.field.value}>{'=' if bounds.with_since else ''}{moment}"
    assert bounds.until is not None
    moment = point_text(bounds.until, with_zone=True)
    return f"{term.field.value}<{'=' if bounds.with_until else ''}{moment}"
