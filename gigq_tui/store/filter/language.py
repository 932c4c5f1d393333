"""The filter language: from what a person types to terms, with mistakes told at their place.

Terms stand apart by spaces, and all of them must hold; `|` joins two neighbours of which one is
enough, so `a b|c` is a and (b or c). A plain word is looked for in the name, the function, the id
and the error, but `retry` is what waits for another attempt. `-` before a term turns it round.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from string import hexdigits

from gigq_tui.store.durations import seconds_of
from gigq_tui.store.filter import sql
from gigq_tui.store.filter.terms import (
    NUMBER_FIELDS,
    RETRY_WORD,
    STATE_WORDS,
    TIME_FIELDS,
    Clause,
    Field,
    Term,
)
from gigq_tui.store.models import State

MAX_LENGTH = 2_000
# SQLite refuses expressions deeper than 1,000; a person never comes near this.
MAX_TERMS = 100

_HEAD = re.compile(r"([A-Za-z_]\w*)((?:\.[\w\-]+)*)(:|>=|<=|>|<|=)")
_BARE = re.compile(r"[^\s|]+")
_FIELDS = {field.value: field for field in Field if field is not Field.WORD}
_FIELD_LIST = (
    "name: fn: state: id: err: fp: worker: workflow: batch: pri age dur try progress dep: "
    "param.KEY:"
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
    """A filter as it was typed, and what it means: every clause must hold."""

    text: str = ""
    clauses: tuple[Clause, ...] = ()

    def __bool__(self) -> bool:
        return bool(self.clauses)

    def __and__(self, other: Filter) -> Filter:
        """The filter that lets through what both do."""
        return Filter(f"{self.text} {other.text}".strip(), self.clauses + other.clauses)

    def sql(self, context: sql.Context) -> tuple[str, list[object]]:
        """The condition on `jobs` for a WHERE, and its parameters. No filter is `1`."""
        return sql.condition(self.clauses, context)


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

    def parse(self) -> Filter:
        clauses: list[Clause] = []
        while self._skip_spaces():
            clauses.append(self._clause())
        return Filter(self.text, tuple(clauses))

    def _skip_spaces(self) -> bool:
        while self.at < len(self.text) and self.text[self.at].isspace():
            self.at += 1
        return self.at < len(self.text)

    def _clause(self) -> Clause:
        if self.text[self.at] == "|":
            raise FilterError("| needs a term on its left", self.at)
        alternatives = [self._term()]
        while self._skip_spaces() and self.text[self.at] == "|":
            bar = self.at
            self.at += 1
            if not self._skip_spaces() or self.text[self.at] == "|":
                raise FilterError("| needs a term on its right", bar)
            alternatives.append(self._term())
        return tuple(alternatives)

    def _term(self) -> Term:
        start = self.at
        self.terms += 1
        if self.terms > MAX_TERMS:
            raise FilterError(f"a filter has at most {MAX_TERMS} terms", start)
        negated = self.text[start] == "-"
        if negated:
            self.at += 1
            if self.at >= len(self.text) or self.text[self.at] in "|-" or self._at_space():
                raise FilterError("- needs a term right behind it", start)
        head = _HEAD.match(self.text, self.at)
        if head is None:
            quoted = self.text[self.at] == '"'
            word = self._value("a word")
            if word.lower() == RETRY_WORD and not quoted:
                return Term(Field.STATE, ":", State.RETRYING.value, negated=negated)
            return Term(Field.WORD, ":", word, negated=negated)
        return self._field_term(head, negated)

    def _at_space(self) -> bool:
        return self.text[self.at].isspace()

    def _field_term(self, head: re.Match[str], negated: bool) -> Term:
        name, path, operator = head.groups()
        field = _FIELDS.get(name.lower())
        if field is None or (path and field is not Field.PARAM):
            raise FilterError(
                f"there is no field {name + path}; there are {_FIELD_LIST} "
                '(put "quotes" around it to search for it as text)',
                head.start(),
            )
        if field is Field.PARAM and not path:
            raise FilterError("name the parameter: param.KEY:value", head.start())
        self.at = head.end()
        at = self.at
        value = self._value(f"a value after {head.group()}")
        if field in NUMBER_FIELDS:
            number = value.removesuffix("%") if field is Field.PROGRESS else value
            return Term(field, operator, value, _number(number, at), negated=negated)
        if field in TIME_FIELDS:
            if operator in (":", "="):
                raise FilterError(f"write {name}>{value} or {name}<{value}", head.start(3))
            return Term(field, operator, value, _seconds(value, at), negated=negated)
        if field is Field.PARAM:
            return _param_term(path, operator, value, at, negated)
        if operator not in (":", "="):
            raise FilterError(f"{name} is text: write {name}:{value}", head.start(3))
        if field is Field.STATE:
            value = _state(value, at)
        if field is Field.FAILURE:
            value = _fingerprint(value, at)
        return Term(field, operator, value, negated=negated)

    def _value(self, what: str) -> str:
        if self.at < len(self.text) and self.text[self.at] == '"':
            return self._quoted()
        bare = _BARE.match(self.text, self.at)
        if bare is None:
            raise FilterError(f"{what} is missing", min(self.at, len(self.text)))
        self.at = bare.end()
        return bare.group()

    def _quoted(self) -> str:
        start = self.at
        self.at += 1
        characters: list[str] = []
        while self.at < len(self.text):
            character = self.text[self.at]
            if character == "\\" and self.text[self.at + 1 : self.at + 2] == '"':
                characters.append('"')
                self.at += 2
                continue
            self.at += 1
            if character == '"':
                if self.at < len(self.text) and not self._at_space() and self.text[self.at] != "|":
                    raise FilterError('put a space after the closing "', self.at)
                if not characters:
                    raise FilterError("there is nothing between the quotes", start)
                return "".join(characters)
            characters.append(character)
        raise FilterError('the closing " is missing', start)


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
        raise FilterError(f"{value} is no fingerprint: fp: takes its first digits, 0-9 and a-f", at)
    return digits


def _param_term(path: str, operator: str, value: str, at: int, negated: bool) -> Term:
    # Only word characters and hyphens get here, so the quotes hold.
    json_path = "$" + "".join(f'."{key}"' for key in path[1:].split("."))
    number = 0.0 if operator in (":", "=") else _number(value, at)
    return Term(Field.PARAM, operator, value, number, json_path, negated)
