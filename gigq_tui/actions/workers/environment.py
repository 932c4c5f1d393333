"""The environment that a person types for new workers: `KEY=VALUE`, quoted as in a shell."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from gigq_core.errors import GigQError
from gigq_tui.actions.shell_words import quoted
from gigq_tui.format import is_secret

Environment = tuple[tuple[str, str], ...]

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What a backslash takes the meaning from, within double quotes.
_ESCAPED = '\\"$`'


@dataclass(frozen=True)
class _Word:
    start: int
    end: int
    value: str
    closed: bool


def parse(text: str) -> Environment:
    """The pairs that stand in a line, in its order.

    Raises:
        GigQError: What stands against it. The sentence names keys, and never a value: it may be
            part of a secret.
    """
    pairs: dict[str, str] = {}
    for number, word in enumerate(_words(text), start=1):
        key, equals, value = word.value.partition("=")
        if not word.closed:
            raise GigQError("A quote is not closed.")
        if not equals or not _NAME.fullmatch(key):
            raise GigQError(f"Word {number} is not KEY=VALUE: quote values with spaces.")
        if key in pairs:
            raise GigQError(f"{key} is given twice.")
        pairs[key] = value
    return tuple(pairs.items())


def text_of(environment: Iterable[tuple[str, str]]) -> str:
    """The line that `parse` reads as these pairs."""
    return " ".join(f"{key}={shlex.quote(value) if value else ''}" for key, value in environment)


def without_secrets(environment: Iterable[tuple[str, str]]) -> str:
    """The same for a shell and for others' eyes: `<KEY>` stands for the value of each secret."""
    shown = ((key, f"<{key}>" if is_secret(key) else value) for key, value in environment)
    return " ".join(f"{key}={quoted(value) if value else ''}" for key, value in shown)


def hide_secrets(text: str, mask: str = "*") -> str:
    """The line as it may be shown while it is typed: as long, with secrets' values masked."""
    shown = list(text)
    for word in _words(text):
        key, equals, _ = text[word.start : word.end].partition("=")
        if equals and is_secret(key):
            start = word.start + len(key) + 1
            shown[start : word.end] = mask * (word.end - start)
    return "".join(shown)


def _words(text: str) -> Iterator[_Word]:
    """The words of a line as a shell splits them, with their places."""
    at = 0
    while at < len(text):
        if text[at].isspace():
            at += 1
            continue
        start, quote, value = at, "", ""
        while at < len(text) and (quote or not text[at].isspace()):
            char = text[at]
            following = text[at + 1 : at + 2]
            if char == "\\" and quote != "'" and following and (not quote or following in _ESCAPED):
                value += following
                at += 1
            elif char == quote:
                quote = ""
            elif char in "'\"" and not quote:
                quote = char
            else:
                value += char
            at += 1
        yield _Word(start, at, value, not quote)
