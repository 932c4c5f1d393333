"""What a hook is about: how jobs ended, and which of them, by a text as `fn:etl.* -err:timeout`.

The words are those of the console's filters. Terms stand apart by spaces, and all must hold; `|`
joins two neighbours of which one is enough; `-` before a term turns it round. A field's text may be
anywhere in it, in capitals or not. With a star in it, which stands for anything, the text is all of
the field; and `=` asks for the whole field as it is. A word without a field is looked for in the
name, the function, and the error.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, get_args

Event = Literal["failed", "completed"]
EVENTS = get_args(Event)

LONGEST = 1_000
MOST_TERMS = 50

FIELDS = ("fn", "name", "err", "lane", "workflow", "batch", "schedule", "worker")
# Where a word without a field is looked for.
WORD_FIELDS = ("name", "fn", "err")

_HEAD = re.compile(r"([A-Za-z_][\w.]*)(:|>=|<=|>|<|=)")
_CAPITALS = re.compile("[A-Z]+")
_FIELD_LIST = " ".join(f"{field}:" for field in FIELDS)
_WHAT = "match"


class MatchTerm(NamedTuple):
    """One condition on a job.

    `pattern` is of GLOB, in small letters, or with `exact` the field's whole text; `wanted` says
    whether it is to hold.
    """

    field: str
    exact: bool
    pattern: str
    wanted: bool


Clause = tuple[MatchTerm, ...]


class _Token(NamedTuple):
    turned: bool
    field: str
    operator: str
    text: str
    quoted: bool


def read_match(text: str) -> list[Clause]:
    """The clauses of a match: a job fits if of each at least one term holds. Empty fits any.

    Raises:
        TypeError: it is no text.
        ValueError: it can't be understood; the sentence says what to write instead.
    """
    if not isinstance(text, str):
        raise TypeError(f"match must be a string, not a value of type {type(text).__name__}.")
    if len(text) > LONGEST:
        raise ValueError(f"match has {len(text):,} characters: {LONGEST:,} are the most.")
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise ValueError("match holds a character that no job's texts can hold: leave it out.")
    groups = [[_terms(token) for token in group] for group in _groups(text)]
    clauses = [clause for group in groups for clause in _joined(group)]
    if sum(map(len, clauses)) > MOST_TERMS:
        raise ValueError(f"match has more than {MOST_TERMS} terms: make two hooks of it.")
    return clauses


def _joined(alternatives: list[list[Clause]]) -> list[Clause]:
    """The clauses of which all must hold, so that one of some conditions holds.

    Each of these is several clauses where `-word` looks at several fields.
    """
    joined: list[Clause] = [()]
    for clauses in alternatives:
        joined = [before + clause for before in joined for clause in clauses]
        if len(joined) > MOST_TERMS:
            break
    return joined


def _terms(token: _Token) -> list[Clause]:
    wanted = not token.turned
    if token.field:
        exact = token.operator == "="
        pattern = token.text if exact else _pattern(token.text, token.quoted)
        return [(MatchTerm(token.field, exact, pattern, wanted),)]
    # It may be in any of them; or else in none.
    pattern = _pattern(token.text, literal=True)
    terms = tuple(MatchTerm(field, False, pattern, wanted) for field in WORD_FIELDS)
    return [terms] if wanted else [(term,) for term in terms]


def _pattern(text: str, literal: bool) -> str:
    """The GLOB pattern, in small letters as SQLite makes them: of ASCII alone."""
    small = _CAPITALS.sub(lambda found: found.group().lower(), text)
    whole = "*" in small and not literal
    escaped = re.sub(r"[\[?*]" if literal else r"[\[?]", r"[\g<0>]", small)
    return escaped if whole else f"*{escaped}*"


# --- from text to tokens ---------------------------------------------------------------------


def _groups(text: str) -> Iterator[list[_Token]]:
    """What stands apart by spaces, each with the alternatives that `|` joins."""
    group: list[_Token] = []
    at, joins = 0, False
    while True:
        while text[at : at + 1].isspace():
            at += 1
        if text[at : at + 1] == "|":
            if joins or not group:
                raise ValueError(f"{_WHAT} has | without a term on each side: write a|b.")
            joins, at = True, at + 1
            continue
        if at >= len(text):
            break
        if group and not joins:
            yield group
            group = []
        token, at = _token(text, at)
        group.append(token)
        joins = False
    if joins:
        raise ValueError(f"{_WHAT} has | without a term on each side: write a|b.")
    if group:
        yield group


def _token(text: str, at: int) -> tuple[_Token, int]:
    turned = text[at] == "-"
    at += turned
    head = _HEAD.match(text, at)
    field = operator = ""
    if head is not None:
        field, operator = head[1].lower(), head[2]
        if field not in FIELDS:
            raise ValueError(_no_field(head[1]))
        if operator not in (":", "="):
            raise ValueError(f"{_WHAT} compares text: write {field}: in place of {head[0]}.")
        at = head.end()
    quoted = text[at : at + 1] == '"'
    value, at = _quoted(text, at) if quoted else _plain(text, at)
    if not value:
        before = f"{field}{operator}" if field else "-"
        raise ValueError(f"{_WHAT} has nothing behind {before}: write some text there.")
    if not field and not quoted and "*" in value:
        raise ValueError(
            f"{_WHAT} has {value[:40]!r}: a star needs a field, as in fn:{value[:40]}."
        )
    return _Token(turned, field, operator, value, quoted), at


def _plain(text: str, at: int) -> tuple[str, int]:
    start = at
    while at < len(text) and text[at] != "|" and not text[at].isspace():
        at += 1
    value = text[start:at]
    if "(" in value or ")" in value:
        raise ValueError(f'{_WHAT} has no groups: leave ( and ) out, or put "quotes" around text.')
    return value, at


def _quoted(text: str, at: int) -> tuple[str, int]:
    found = re.compile(r'"((?:[^"\\]|\\.)*)"').match(text, at)
    if found is None:
        raise ValueError(f'{_WHAT} lacks a closing ": add it.')
    end = found.end()
    if end < len(text) and text[end] != "|" and not text[end].isspace():
        raise ValueError(f'{_WHAT} needs a space behind the closing ".')
    return re.sub(r"\\([\"\\])", r"\1", found[1]), end


def _no_field(typed: str) -> str:
    return (
        f'{_WHAT} knows no field {typed[:40]}: write one of {_FIELD_LIST}, or put "quotes" around '
        "text."
    )
