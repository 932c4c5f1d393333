"""How keys are called: as people write them (`/`, `esc`, `ctrl+p`), and as Textual names them."""

from __future__ import annotations

import unicodedata
from functools import lru_cache

# Textual's own short names for what Unicode calls otherwise.
_SHORTER = {
    "solidus": "slash",
    "reverse_solidus": "backslash",
    "commercial_at": "at",
    "hyphen_minus": "minus",
    "plus_sign": "plus",
    "low_line": "underscore",
}
_LABELS = {"escape": "esc", "pageup": "pgup", "pagedown": "pgdn"}
_ALIASES = {
    **{label: name for name, label in _LABELS.items()},
    "return": "enter",
    "del": "delete",
    "ins": "insert",
}
_NAMED = frozenset(
    {
        *("escape", "enter", "tab", "space", "backspace", "delete", "insert"),
        *("home", "end", "pageup", "pagedown", "up", "down", "left", "right"),
        *(f"f{number}" for number in range(1, 25)),
    }
)
_MODIFIERS = frozenset({"alt", "ctrl", "shift"})
# What a terminal can't tell apart: it sends the same for both.
_SAME = {
    "ctrl+i": "tab",
    "ctrl+m": "enter",
    "ctrl+left_square_bracket": "escape",
    "ctrl+h": "backspace",
}


def _name_of(character: str) -> str:
    """Textual's name for a printable character."""
    if character.isalnum():
        return character
    name = unicodedata.name(character, "").lower().replace("-", "_").replace(" ", "_")
    return _SHORTER.get(name, name)


_PUNCTUATION = {
    _name_of(chr(code)): chr(code) for code in range(0x21, 0x7F) if not chr(code).isalnum()
}


def key_name(written: str) -> str | None:
    """Return Textual's name for a key as somebody wrote it, or None if there is no such key.

    `/` and `slash`, `esc` and `escape`, `ctrl+P` and `ctrl+p` are the same; `shift+c` is `C`.
    """
    *before, last = _parts(written.strip())
    modifiers = {word.lower() for word in before}
    base = _base(last)
    if base is None or len(modifiers) < len(before) or modifiers - _MODIFIERS:
        return None
    if len(base) == 1:
        # A letter with ctrl has no case; with alt, its upper case is told as shift.
        if "ctrl" in modifiers:
            base = base.lower()
        elif modifiers and base.isupper():
            modifiers.add("shift")
            base = base.lower()
        if modifiers == {"shift"}:
            return base.upper() if base.isalpha() else None
    elif "shift" in modifiers and base not in _NAMED:
        return None
    name = "+".join((*sorted(modifiers), base))
    return _SAME.get(name, name)


def _parts(written: str) -> list[str]:
    """`ctrl+p` at its plus signs; the last one may be the key itself."""
    if written == "+":
        return [written]
    if written.endswith("++"):
        return [*written[:-2].split("+"), "+"]
    return written.split("+")


def _base(written: str) -> str | None:
    if len(written) == 1:
        return (_name_of(written) or None) if written.isprintable() else None
    word = written.lower()
    word = _ALIASES.get(word, word)
    return word if word in _NAMED or word in _PUNCTUATION else None


@lru_cache(maxsize=512)
def key_label(name: str) -> str:
    """Return how people read a key that Textual names so; `key_name()` understands it again."""
    *modifiers, base = name.split("+")
    base = _PUNCTUATION.get(base, _LABELS.get(base, base))
    return "+".join((*modifiers, base))


def is_typed(name: str) -> bool:
    """Say whether a key writes a character where text is typed."""
    return name == "space" or ("+" not in name and name not in _NAMED)
