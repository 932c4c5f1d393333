"""How values look: inert text cut to size, ages, durations, counts, the marks of the states."""

from __future__ import annotations

import json
import locale
import os
import re
import signal
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from rich.cells import cell_len, set_cell_size

from gigq_core import text as safe
from gigq_core.reasons.why import State
from gigq_core.units.durations import duration_text, seconds_text

MASK = "********"


def _utf8() -> bool:
    if os.environ.get("GIGQ_ASCII"):
        return False
    # Python writes UTF-8 in the C locale too; who asks for that locale says the terminal does not.
    if os.environ.get("LC_ALL") in ("C", "POSIX"):
        return False
    return "utf" in locale.getpreferredencoding(False).lower()


# Whether the terminal can be sent more than ASCII; what we draw ourselves is ASCII otherwise.
UTF8 = _utf8()
# Seen in some terminals and not in others, or as wide as each likes: what chooses how the
# character before it looks, and the letters of flags.
_DISPUTED = re.compile("[\ufe00-\ufe0f\U0001f1e6-\U0001f1ff\U0001f3fb-\U0001f3ff]")
_FLAG_LETTER = 0x1F1E6
_FLAG_LETTERS = 26
# Blanks of other widths than one cell, or of another meaning than to part words.
_BLANK = re.compile("[\u00a0\u1680\u2000-\u200a\u202f\u205f\u3000]")
_SECRET_KEY = re.compile(
    r"(?<![a-z])pass$|passw|passphrase|secret|token|api_?key|access_?key|private_?key"
    r"|credential|authorization|cookie|\bpwd\b|\bdsn\b",
    re.IGNORECASE,
)
_JSON_KEY = re.compile(r'"((?:[^"\\]|\\.){0,200})"\s*:\s*')
_JSON_SCALAR = re.compile(r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"?|[^\s"{\[,}\]]+')
_ELLIPSIS = ".."
_MINUTE_S = 60
_HOUR_S = 3600
_DAY_S = 86400


class Mark(NamedTuple):
    """How a state is written: one glyph, a word, a shorter word, and the role that colours it."""

    glyph: str
    word: str
    short: str
    role: str

    @property
    def brief(self) -> str:
        """The shorter word where no glyph stands before it: some go on from theirs."""
        return self.short if self.short[:1].isalpha() else f"{self.glyph}{self.short}"


MARKS: dict[State, Mark] = {
    State.READY: Mark(".", "ready", "rdy", "ready"),
    State.BLOCKED: Mark(".", "blocked", "blk", "wait"),
    State.DELAYED: Mark(".", "delayed", "dly", "wait"),
    State.RETRYING: Mark(".", "retry", "rty", "warn"),
    State.DOOMED: Mark("!", "DOOMED", "DOOM", "fail"),
    State.RUNNING: Mark("*", "run", "run", "run"),
    State.OVERDUE: Mark("*", "OVER", "OVER", "warn"),
    State.STOPPING: Mark("*", "stopping", "stop", "warn"),
    State.ORPHANED: Mark("?", "ORPHAN", "ORPH", "fail"),
    State.COMPLETED: Mark("+", "done", "done", "ok"),
    State.FAILED: Mark("X", "FAILED", "FAIL", "fail"),
    State.TIMEOUT: Mark("T", "TIMEOUT", "/O", "fail"),
    State.CANCELLED: Mark("-", "cancelled", "canc", "dim"),
    State.UNKNOWN: Mark("?", "unknown", "unkn", "warn"),
}


def inert(text: str) -> str:
    """Return `text` as one harmless line: whatever could steer a terminal becomes a visible glyph.

    What is unsafe is said by `gigq_core.text`, for the command line and the logs alike. Here each
    such character is one mark, so that the cells of a text are those of its characters in every
    terminal; for the same end what merely chooses another look for a character is left out, and
    flags are told by their letters. Where only ASCII is known, everything else becomes question
    marks, one for each of its cells.
    """
    if text.isascii() and text.isprintable():
        return text
    text = safe.glyphs(_BLANK.sub(" ", _DISPUTED.sub(_settled, text)))
    if text.isascii():
        return text
    text = safe.thinned(text, _has_no_cell)
    return text if UTF8 else ascii_cells(text)


def ascii_cells(text: str) -> str:
    """Return `text` with a question mark in each cell of what is not ASCII."""
    return "".join(char if char.isascii() else "?" * cell_len(char) for char in text)


def split_lines(text: str) -> list[str]:
    """Split `text` at its line ends, tabs widened to four cells; the lines are not inert yet."""
    lines = text.replace("\r\n", "\n").expandtabs(4).split("\n")
    if lines[-1] == "":
        lines.pop()
    return lines


def _settled(found: re.Match[str]) -> str:
    """What stands for a character that terminals do not agree on."""
    code = ord(found[0])
    if 0 <= code - _FLAG_LETTER < _FLAG_LETTERS:
        return chr(ord("A") + code - _FLAG_LETTER)
    return ""


def _has_no_cell(char: str) -> bool:
    return not cell_len(char)


def width_of(text: str) -> int:
    """Return how many terminal cells `text` takes."""
    return len(text) if text.isascii() else cell_len(text)


def cut(text: str, width: int) -> str:
    """Shorten `text` to at most `width` cells, with two dots where something was left out."""
    if width <= 0:
        return ""
    if width_of(text) <= width:
        return text
    if width <= len(_ELLIPSIS) + 1:
        return set_cell_size(text, width)
    return set_cell_size(text, width - len(_ELLIPSIS)).rstrip() + _ELLIPSIS


def pad(text: str, width: int, *, right: bool = False) -> str:
    """Cut `text` to `width` cells and fill it up to exactly that, on its left when `right`."""
    text = cut(text, width)
    fill = " " * (width - width_of(text))
    return fill + text if right else text + fill


def age(seconds: float) -> str:
    """Say how long ago in one coarse step: `<1m`, `2m`, `3h`, `4d`."""
    whole = max(0, int(seconds))
    if whole < _MINUTE_S:
        return "<1m"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S}h"
    return f"{whole // _DAY_S}d"


def since(seconds: float) -> str:
    """Say for how long something has been so: by the second at first, then in coarse steps."""
    return elapsed(seconds) if seconds < _MINUTE_S else age(seconds)


def duration(seconds: float) -> str:
    """Say how long something took: `40ms`, `8.1s`, `58s`, `1m42s`, `2h05m`, `3d4h`."""
    seconds = max(0.0, seconds)
    if seconds < 0.1:
        return f"{round(seconds * 1000)}ms"
    if seconds < 10:
        return f"{seconds:.1f}s"
    whole = int(seconds)
    if whole < _MINUTE_S:
        return f"{whole}s"
    if whole < _HOUR_S:
        return f"{whole // _MINUTE_S}m{whole % _MINUTE_S:02d}s"
    if whole < _DAY_S:
        return f"{whole // _HOUR_S}h{whole % _HOUR_S // _MINUTE_S:02d}m"
    return f"{whole // _DAY_S}d{whole % _DAY_S // _HOUR_S}h"


def bar(share: float, cells: int) -> tuple[tuple[str, str], ...]:
    """Draw a share from 0 to 1 as a bar of so many cells, each part with its role."""
    halves = round(max(0.0, min(1.0, share)) * cells * 2)
    if not UTF8:
        return ("#" * (halves // 2), "run"), ("." * (cells - halves // 2), "rule")
    done = "━" * (halves // 2) + "╸" * (halves % 2)
    return (done, "run"), ("─" * (cells - len(done)), "rule")


def elapsed(seconds: float) -> str:
    """Say how long something has been running, in whole seconds so that it ticks once a second."""
    return f"{int(seconds)}s" if 0 <= seconds < _MINUTE_S else duration(max(0, int(seconds)))


def limit(seconds: float) -> str:
    """Say a configured length of time without false precision: `4m`, `90s`, `0.5s`."""
    if seconds >= 2 * _MINUTE_S and seconds % _MINUTE_S == 0:
        return duration_text(seconds)
    return f"{seconds_text(seconds)}s"


def count(number: int) -> str:
    """Write a whole number with thousands apart."""
    return f"{number:,}"


def short_count(number: int) -> str:
    """Write a whole number in at most five cells: `47`, `855`, `18k`, `1.2M`."""
    if number < 10_000:
        return str(number)
    if number < 1_000_000:
        return f"{number // 1000}k"
    return f"{number / 1_000_000:.1f}M"


def size(octets: int) -> str:
    """Write a size in bytes as `640B`, `4.1M`."""
    if octets < 1024:
        return f"{octets}B"
    amount = float(octets)
    for unit in "KMGT":
        amount /= 1024
        if amount < 1024 or unit == "T":
            break
    return f"{amount:.1f}{unit}" if amount < 10 else f"{amount:.0f}{unit}"


def without_folder(sentence: str, path: Path) -> str:
    """Return a sentence that names the file alone: with its folder it hides the reason."""
    for name in (repr(str(path)), str(path)):
        # What only begins like the file, as the folder of its logs, is another path.
        sentence = re.sub(rf"{re.escape(name)}(?![\w/-])", lambda _: path.name, sentence)
    return sentence


def plural(number: int, one: str, many: str = "") -> str:
    """Write a number with its noun: `1 job`, `3 jobs`."""
    return f"{count(number)} {one if number == 1 else many or one + 's'}"


def is_secret(key: str) -> bool:
    """Say whether a value under this key is hidden until it is asked for."""
    return _SECRET_KEY.search(key) is not None


def masked(value: Any) -> Any:
    """Return a copy of decoded JSON with the values under secret-looking keys replaced.

    Text at the top may be JSON that was too long to be decoded: it is searched for such keys.
    """
    return _masked_text(value) if isinstance(value, str) else _masked(value)


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            key: MASK if is_secret(str(key)) else _masked(inner) for key, inner in value.items()
        }
    if isinstance(value, (list, tuple)):
        return [_masked(inner) for inner in value]
    return value


def _masked_text(text: str) -> str:
    pieces: list[str] = []
    at = 0
    for key in _JSON_KEY.finditer(text):
        if key.start() < at or not is_secret(key[1]):
            continue
        pieces += [text[at : key.end()], f'"{MASK}"']
        found = _JSON_SCALAR.match(text, key.end())
        if found is None:
            # Where an object or a list ends isn't known without decoding it.
            return "".join(pieces) + " (what follows is hidden with it)"
        at = found.end()
    return "".join((*pieces, text[at:]))


def as_json(value: Any, *, indent: int | None = None) -> str:
    """Write a decoded value as JSON for reading; text that never was JSON stays as it is."""
    if isinstance(value, str) and indent is not None:
        return value
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False)
    except (TypeError, ValueError, RecursionError):
        return repr(value)


def listed(names: Sequence[str], most: int = 4) -> str:
    """Write names in a row: `a, b and c`, or how many there are beyond the first few."""
    if len(names) > most:
        return f"{', '.join(names[:most])} and {len(names) - most} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def signal_name(number: int) -> str:
    """Return how people write a signal: `SIGKILL`."""
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
