"""What a job says, made harmless before a terminal sees it."""

from __future__ import annotations

import re
import unicodedata

from gigq_core.times import parse_time

CELL_LIMIT = 200

# Control characters of C0 and C1, and the characters that reorder or hide text.
_DANGEROUS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ud800-\udfff]"
)


def inert(value: object, *, lines: bool = False) -> str:
    """`value` as text in which no character can steer a terminal.

    Args:
        value: anything; it is turned into a string.
        lines: keep line ends and tabs, for text that has lines.
    """
    return _DANGEROUS.sub(_escaped_keeping_lines if lines else _escaped, str(value))


def cell(value: object) -> str:
    """`value` for one cell of a table: inert, on one line, cut to a bearable length."""
    text = str(value)
    cut = text[: CELL_LIMIT + 1]
    return inert(cut[:CELL_LIMIT] + "…" if len(cut) > CELL_LIMIT else cut)


def width(text: str) -> int:
    """The columns that `text` takes in a terminal."""
    if text.isascii():
        return len(text)
    return sum(_columns(char) for char in text)


def shown_time(text: object) -> str:
    """A stored timestamp, to the second; "-" where there is none."""
    if text is None or text == "":
        return "-"
    moment = parse_time(text)
    return moment.strftime("%Y-%m-%d %H:%M:%S") if moment else cell(text)


def _columns(char: str) -> int:
    if unicodedata.combining(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"


def _escaped_keeping_lines(match: re.Match[str]) -> str:
    return match.group() if match.group() in "\n\t" else _escaped(match)
