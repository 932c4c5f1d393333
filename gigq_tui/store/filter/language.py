"""The filter language: from what a person types to terms, with mistakes told at their place.

Terms stand apart by spaces, and all of them must hold; `|` joins two neighbours of which one is
enough, and binds tighter: `a b|c` is a and (b or c). Parentheses group. A plain word is looked for
in the name, the function, the id and the error, but `retry` is what waits for another attempt. `-`
before a term or a group turns it round.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from string import hexdigits

from gigq_core.reasons.why import State
from gigq_tui.store.durations import seconds_of
from gigq_tui.store.filter import sql
from gigq_tui.store.filter.periods import PeriodError, read_span
from gigq_tui.store.filter.sql_json import reads_as_json
from gigq_tui.store.filter.terms import (
    DURATION_FIELDS,
    JSON_FIELDS,
    NUMBER_FIELDS,
    PERIOD_FIELDS,
    RETRY_WORD,
    STATE_WORDS,
    Field,
    Node,
    Term,
    grouped,
    terms_of,
    turned,
)

MAX_LENGTH = 2_000
# SQLite refuses expressions deeper than 1,000; a person never comes near this.
MAX_TERMS = 100
MAX_DEPTH = 10

# A key may be any text between quotes but for one with a quote in it: SQLite's paths have none.
_KEY = r'\.(?:[\w\-]+|"[^"]+")'
_HEAD = re.compile(rf"([A-Za-z_]\w*)((?:{_KEY})*)(:|>=|<=|>|<|=)")
_FIELDS = {field.value: field for field in Field if field is not Field.WORD}
FIELD_LIST = (
    "name: fn: state: id: err: fp: worker: host: workflow: batch: lane: schedule: hook: unique: "
    "from: pri age dur try progress dep: submitted: started: ended: ran: param.KEY: result.KEY:"
)


class FilterError(ValueError):
    """The filter can't be understood.

    Args:
        message: one sentence that says what to write instead.
        position: the character of the text that it is about, from 0.
    """

    def __init__(self, message: str, position: int) -> None:
        super().__init__(message)
        self.message = message
        self.position = position


@dataclass(frozen=True)
class Filter:
    """A filter as it was typed, and what it means; without a root, everything matches."""

    text: str = ""
    root: Node | None = None

    def __bool__(self) -> bool:
        return self.root is not None

    def __and__(self, other: Filter) -> Filter:
        """The filter that lets through what both do."""
        roots = tuple(root for root in (self.root, other.root) if root is not None)
        root = grouped(roots, is_any=False) if roots else None
        return Filter(f"{self.text} {other.text}".strip(), root)

    def terms(self) -> Iterator[Term]:
        """Every term, in its order."""
        return terms_of(self.root)

    def sql(self, context: sql.Context) -> tuple[str, list[object]]:
        """The condition on `jobs` for a WHERE, and its parameters. No filter is `1`."""
        return sql.condition(self.root, context)


NO_FILTER = Filter()


def parse(text: str) -> Filter:
    """Read a filter.

    Raises:
        FilterError: with the place of the mistake. Nothing else is ever raised.
    """
    if len(text) > MAX_LENGTH:
        raise FilterError(f"a filter has at most {MAX_LENGTH:,} characters", MAX_LENGTH)
    for position, character in enumerate(text):
        if "\ud800" <= character <= "\udfff" or character == "\0":
            raise FilterError("this character can't be searched for", position)
    return _Parser(text).parse()


class _Parser:
    """One walk over the text; `at` is the next character to read."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.terms = 0
        # The places of the parentheses that are open.
        self.open: list[int] = []

    def parse(self) -> Filter:
        root = self._all()
        if self.at < len(self.text):
            raise FilterError('there is no ( for this ): put "quotes" around text', self.at)
        return Filter(self.text, root)

    def _next(self) -> str:
        return self.text[self.at : self.at + 1]

    def _skip_spaces(self) -> bool:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at < len(self.text)

    def _all(self) -> Node | None:
        """What stands apart by spaces, up to the end or the parenthesis that ends it."""
        parts: list[Node] = []
        while self._skip_spaces() and self._next() != ")":
            parts.append(self._any())
        return grouped(tuple(parts), is_any=False) if parts else None

    def _any(self) -> Node:
        if self._next() == "|":
            raise FilterError("| needs a term on its left", self.at)
        parts = [self._one()]
        while self._skip_spaces() and self._next() == "|":
            bar = self.at
            self.at += 1
            if not self._skip_spaces() or self._next() in "|)":
                raise FilterError("| needs a term on its right", bar)
            parts.append(self._one())
        return grouped(tuple(parts), is_any=True)

    def _one(self) -> Node:
        start = self.at
        if self._next() != "-":
            return self._group() if self._next() == "(" else self._term()
        self.at += 1
        if self.at >= len(self.text) or self._next() in "|-)" or self._at_space():
            raise FilterError("- needs a term right behind it", start)
        return turned(self._group() if self._next() == "(" else self._term())

    def _group(self) -> Node:
        start = self.at
        if len(self.open) == MAX_DEPTH:
            raise FilterError(f"at most {MAX_DEPTH} parentheses can be open", start)
        self.open.append(start)
        self.at += 1
        inside = self._all()
        if self._next() != ")":
            raise FilterError("the closing ) is missing", start)
        if inside is None:
            raise FilterError("there is nothing between the parentheses", start)
        self.at += 1
        self.open.pop()
        return inside

    def _term(self) -> Term:
        start = self.at
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise FilterError(f"a filter has at most {MAX_TERMS} terms", start)
        head = _HEAD.match(self.text, self.at)
        if head is not None:
            return self._field_term(head)
        quoted = self._next() == '"'
        word = self._value("a word")
        if word.lower() == RETRY_WORD and not quoted:
            return Term(Field.STATE, ":", State.RETRYING.value)
        return Term(Field.WORD, ":", word)

    def _at_space(self) -> bool:
        return self.text[self.at].isspace()

    def _field_term(self, head: re.Match[str]) -> Term:
        name, path, operator = head.groups()
        field = _FIELDS.get(name.lower())
        if field is None or (path and field not in JSON_FIELDS):
            raise FilterError(_no_field(name, path, operator), head.start())
        if field in JSON_FIELDS and not path:
            raise FilterError(f"name the key: {field.value}.KEY{operator}value", head.start())
        self.at = at = head.end()
        if self._next() == "(":
            written = head.group()
            raise FilterError(f"name the field each time: ({written}a|{written}b)", at)
        quoted = self._next() == '"'
        value = self._value(f"a value after {head.group()}")
        if field in NUMBER_FIELDS:
            number = value.removesuffix("%") if field is Field.PROGRESS else value
            return Term(field, operator, value, _number(number, at))
        if field in DURATION_FIELDS:
            if operator in (":", "="):
                raise FilterError(f"write {name}>{value} or {name}<{value}", head.start(3))
            return Term(field, operator, value, _seconds(value, at))
        if field in PERIOD_FIELDS:
            return _period_term(field, operator, value, at + quoted)
        if field in JSON_FIELDS:
            keys = tuple(key.strip('"') for key in re.findall(_KEY[2:], path))
            compared = 0.0 if operator in (":", "=") else _number(value, at)
            is_text = quoted and reads_as_json(value)
            return Term(field, operator, value, compared, keys, is_text)
        if operator not in (":", "="):
            raise FilterError(f"{name} is text: write {name}:{value}", head.start(3))
        if field is Field.STATE:
            value = _state(value, at)
        if field is Field.FAILURE:
            value = _fingerprint(value, at)
        return Term(field, operator, value)

    def _value(self, what: str) -> str:
        if self._next() == '"':
            return self._quoted()
        start = self.at
        opened: list[int] = []
        while self.at < len(self.text) and self._next() != "|" and not self._at_space():
            character = self._next()
            if character == "(":
                opened.append(self.at)
            elif character == ")":
                if not opened:
                    break
                opened.pop()
            self.at += 1
        if opened:
            raise FilterError('this ( is not closed: put "quotes" around text', opened[0])
        if self.at == start:
            raise FilterError(f"{what} is missing", start)
        return self.text[start : self.at]

    def _quoted(self) -> str:
        start = self.at
        self.at += 1
        characters: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == "\\" and self.text[self.at + 1 : self.at + 2] in ('"', "\\"):
                characters.append(self.text[self.at + 1])
                self.at += 2
                continue
            self.at += 1
            if character == '"':
                if self.at < len(self.text) and not self._at_space() and self._next() not in "|)":
                    raise FilterError('put a space after the closing "', self.at)
                if not characters:
                    raise FilterError("there is nothing between the quotes", start)
                return "".join(characters)
            characters.append(character)
        raise FilterError('the closing " is missing', start)


def _no_field(name: str, path: str, operator: str) -> str:
    """What to write instead of a field that there is not."""
    from difflib import get_close_matches

    typed = name + path
    near = get_close_matches(name.lower(), _FIELDS, 1, 0.6)
    told = f"there is no field {typed}"
    if near and not path:
        return f'{told}: did you mean {near[0]}{operator}? (put "quotes" around text)'
    return (
        f'{told}: write param.{typed}{operator} for a parameter, "quotes" around text, or one of '
        f"{FIELD_LIST}"
    )


def _period_term(field: Field, operator: str, value: str, at: int) -> Term:
    try:
        span = read_span(value, operator, field.value)
    except PeriodError as problem:
        raise FilterError(problem.message, at + problem.position) from None
    return Term(field, operator, value, span=span)


def _number(value: str, at: int) -> float:
    try:
        number = float(value)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise FilterError(f"{value} is not a number", at)
    return number


def _seconds(value: str, at: int) -> float:
    try:
        return seconds_of(value)
    except ValueError as problem:
        raise FilterError(str(problem), at) from None


def _state(value: str, at: int) -> str:
    known = STATE_WORDS.get(value.lower())
    if known is None:
        raise FilterError(f"there is no state {value}: {' '.join(STATE_WORDS)}", at)
    return known


def _fingerprint(value: str, at: int) -> str:
    digits = value.lower()
    if set(digits) - set(hexdigits):
        raise FilterError(
            f"{value} is not a fingerprint: fp: takes its first digits, 0-9 and a-f", at
        )
    return digits
