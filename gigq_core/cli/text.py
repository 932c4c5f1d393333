"""What a job says, made harmless before a terminal sees it."""

from __future__ import annotations

import re
import unicodedata

from gigq_core.times import parse_time

CELL_LIMIT = 200

# Control characters of C0 and C1, and the characters that reorder or hide text.
_DANGEROUS = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ud800-\udfff"
    "\U000e0000-\U000e0fff]"
)
# Marks on one letter: no script needs more, and a flood of them runs over the lines around it.
MOST_MARKS = 4
_MAYBE_MARKS = re.compile(rf"[^\w\s]{{{MOST_MARKS + 1},}}")


def inert(value: object, *, lines: bool = False) -> str:
    """`value` as text in which no character can steer a terminal.

    Args:
        value: anything; it is turned into a string.
        lines: keep line ends and tabs, for text that has lines.
    """
    text = _DANGEROUS.sub(_escaped_keeping_lines if lines else _escaped, str(value))
    return text if text.isascii() else _MAYBE_MARKS.sub(_thinned, text)


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
    if _is_mark(char):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped_keeping_lines(match: re.Match[str]) -> str:
    return match.group() if match.group() in "\n\t" else _escaped(match)


def _is_mark(char: str) -> bool:
    return unicodedata.category(char) in ("Mn", "Me")


def _thinned(match: re.Match[str]) -> str:
    """A run of signs with at most some marks on each; one replacement tells of the rest."""
    kept: list[str] = []
    marks = 0
    for char in match.group():
        marks = marks + 1 if _is_mark(char) else 0
        if marks <= MOST_MARKS:
            kept.append(char)
        elif marks == MOST_MARKS + 1:
            kept.append("\ufffd")
    return "".join(kept)
