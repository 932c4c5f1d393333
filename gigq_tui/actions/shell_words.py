r"""Words of a command line that a shell takes back as they were, and that pasting can't run.

A terminal hands pasted control characters to the shell as keys: a line end runs what stands before
it, `\x03` throws it away, and what ends a paste lets the rest act. So none of them stands in the
text; such words are written as bash, zsh and ksh read them, `$'...'`.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable

from gigq_core.text import UNSAFE, inert, storable

_NAMED = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\x1b": r"\e", "'": r"\'", "\\": r"\\"}


def quoted(word: str) -> str:
    """`word` for a shell, in characters that are seen.

    No argument can hold a NUL: it stands there as the text of its escape.
    """
    if UNSAFE.search(word) is None:
        return shlex.quote(word)
    return f"$'{''.join(map(_escaped, word.replace(chr(0), inert(chr(0)))))}'"


def line_of(words: Iterable[str]) -> str:
    """A command line of words."""
    return " ".join(map(quoted, words))


def _escaped(char: str) -> str:
    if char in _NAMED:
        return _NAMED[char]
    # `!` would ask an interactive shell for a line of its history.
    if char != "!" and UNSAFE.match(char) is None:
        return char
    if not "\udc80" <= char <= "\udcff":
        char = storable(char)
    # Byte by byte, so that the shell's locale does not matter.
    octets = char.encode("utf-8", "surrogateescape")
    return "".join(f"\\x{octet:02x}" for octet in octets)
