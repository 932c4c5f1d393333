"""Text that comes from jobs, files and command lines, made harmless: to show, to log, to store.

One alphabet says which characters steer a terminal, reorder a line or hide in it (`UNSAFE`).
`inert()` shows them as escapes, so that nothing is lost; `glyphs()` puts one replacement mark for
each, so that a text keeps its cells.
"""

from __future__ import annotations

import re
from collections.abc import Callable

# The control characters of C0 and C1; line and paragraph separators; what reorders text or hides
# in it (bidi controls and isolates, zero-width characters, fillers, variation selectors, tags,
# every other format character); what is no character (surrogates, U+FFFE and its like).
UNSAFE = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160"
    "\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u3164\ufdd0-\ufdef"
    "\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff\ud800-\udfff\U000110bd\U000110cd"
    "\U00013430-\U0001343f\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e0fff]"
)
REPLACED = "\ufffd"
# Marks on one letter: no script needs more, and a flood of them runs over the lines around it.
MOST_MARKS = 4
# Parts of a Korean syllable are letters by their category, and marks by what terminals do.
_MAYBE_MARKS = re.compile(rf"(?:[^\w\s]|[\u1161-\u11ff\ud7b0-\ud7ff]){{{MOST_MARKS + 1},}}")
_SURROGATE = re.compile("[\ud800-\udfff]")
_STORED_BYTE = re.compile(r"\\udc([89a-f][0-9a-f])")


def inert(value: object, *, lines: bool = False) -> str:
    r"""`value` as text in which no character can steer a terminal: such ones become escapes.

    Args:
        value: anything; it is turned into a string.
        lines: keep line ends and tabs, for text that has lines. Without it the result is one line.
    """
    text = value if isinstance(value, str) else str(value)
    if text.isascii() and text.isprintable():
        return text
    return thinned(UNSAFE.sub(_escaped_keeping_lines if lines else _escaped, text))


def sentence(words: str) -> str:
    """Some words as a sentence, with a capital and one full stop."""
    return f"{words[:1].upper()}{words[1:].rstrip('.')}."


def glyphs(text: str) -> str:
    """`text` as one line in which each unsafe character is one replacement mark, a tab a space."""
    return UNSAFE.sub(_replaced, text)


def thinned(text: str, is_mark: Callable[[str], bool] | None = None) -> str:
    """`text` with a few marks on each letter at most; one replacement mark tells of the rest.

    Args:
        text: any text.
        is_mark: says whether a character stands on the one before it. None asks Unicode.
    """
    if text.isascii():
        return text
    asked = is_mark or _is_mark
    return _MAYBE_MARKS.sub(lambda found: _with_few_marks(found[0], asked), text)


def may_be_flooded(text: str) -> bool:
    """Whether a text may have more marks on a letter than `thinned()` lets stand."""
    return not text.isascii() and _MAYBE_MARKS.search(text) is not None


def bounded(text: str, most: int) -> str:
    """`text` with at most `most` characters and, where there were more, a word on how many."""
    left = len(text) - most
    return text if left <= 0 else f"{text[:most]} [... {left:,} more characters]"


def storable(text: str) -> str:
    r"""`text` as UTF-8 can hold it: a lone surrogate, as of a file name's stray byte, is escaped.

    `caf\udce9.txt` becomes ten readable characters in place of one that no file takes.
    """
    if text.isascii() or _SURROGATE.search(text) is None:
        return text
    return text.encode("utf-8", "backslashreplace").decode("utf-8")


def unstored(text: str) -> str:
    """The path that `storable()` had escaped, as the file system knows it."""
    return _STORED_BYTE.sub(lambda found: chr(0xDC00 + int(found[1], 16)), text)


def typed_text(word: str) -> str:
    """A word of the command line as it was meant, if its bytes are UTF-8.

    In a locale that is not UTF-8, Python takes the bytes of a word for surrogates although they
    are good UTF-8: they are read again. Other bytes stay surrogates, as in the name of a file.
    """
    if word.isascii() or _SURROGATE.search(word) is None:
        return word
    try:
        return word.encode("utf-8", "surrogateescape").decode("utf-8")
    except UnicodeError:
        return word


def _escaped(match: re.Match[str]) -> str:
    code = ord(match.group())
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def _escaped_keeping_lines(match: re.Match[str]) -> str:
    return match.group() if match.group() in "\n\t" else _escaped(match)


def _replaced(match: re.Match[str]) -> str:
    return " " if match.group() == "\t" else REPLACED


def _is_mark(char: str) -> bool:
    import unicodedata  # here, because a worker that shows nothing odd has no need of it

    return unicodedata.category(char)[0] == "M" or (
        char >= "\u1161" and (char <= "\u11ff" or "\ud7b0" <= char <= "\ud7ff")
    )


def _with_few_marks(run: str, is_mark: Callable[[str], bool]) -> str:
    if not any(map(is_mark, set(run))):
        return run
    kept: list[str] = []
    marks = 0
    for char in run:
        marks = marks + 1 if is_mark(char) else 0
        if marks <= MOST_MARKS:
            kept.append(char)
        elif marks == MOST_MARKS + 1:
            kept.append(REPLACED)
    return "".join(kept)
