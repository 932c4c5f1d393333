r"""Captured output as a terminal would show it, line by line, with nothing in it obeyed but that.

What programs print for a terminal is more than text: progress bars write a carriage return before
each of their states, tools write words in colours. Of this, `TerminalText` understands what stays
within a line: carriage return, backspace, tab, the erasing of a line, moves within it, colours and
other looks (SGR). What progress bars and colouring tools send besides is left out: moves to lines
above, the cursor hidden or shown, titles and links, choices of a character set. All else (the
screen erased, a bell, half a sequence, controls of eight bits) stays in the text as it is; who
shows it makes it inert.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import groupby
from typing import NamedTuple

from gigq_core.text import MOST_MARKS, REPLACED, UNSAFE, may_be_flooded

# Columns of a line that are kept; captured output as a whole is not longer.
MOST_COLUMNS = 1 << 20
TAB_COLUMNS = 8

# One of the 16 or 256 colours by its number, or red, green and blue.
Colour = int | tuple[int, int, int]


class Look(NamedTuple):
    """How a piece of text looks. `None` is a terminal's own colour."""

    foreground: Colour | None = None
    background: Colour | None = None
    bold: bool = False
    dim: bool = False
    italic: bool = False
    underline: bool = False
    reverse: bool = False
    strike: bool = False

    @property
    def sgr(self) -> str:
        """The parameters that make a terminal show it, each look in one writing: `1;38;5;200`."""
        codes = [code for name, code in _SWITCHES if getattr(self, name)]
        codes += _colour_codes(self.foreground, 30) + _colour_codes(self.background, 40)
        return ";".join(map(str, codes))


class Piece(NamedTuple):
    """A part of a line that does not look plain, from one of its characters to another."""

    start: int
    end: int
    look: Look


class Line(NamedTuple):
    """A line as it stands at the end, without its line end; its text is not inert yet."""

    text: str
    pieces: tuple[Piece, ...] = ()


PLAIN = Look()
_SWITCHES = (
    ("bold", 1),
    ("dim", 2),
    ("italic", 3),
    ("underline", 4),
    ("reverse", 7),
    ("strike", 9),
)
_ON = {code: {name: True} for name, code in _SWITCHES}
_ON[21] = {"underline": True}
_OFF = {
    22: {"bold": False, "dim": False},
    23: {"italic": False},
    24: {"underline": False},
    27: {"reverse": False},
    29: {"strike": False},
}

_OBEYED = re.compile(r"[\x08\r\x1b]")
_OBEYED_WITH_TABS = re.compile(r"[\x08\t\r\x1b]")
# A string for the terminal, such as its title, may be so long; longer ones are seen as text.
_STRING = r"\][^\x00-\x1f\x7f]{0,2048}"
_TOKEN = re.compile(
    rf"""(?P<text> [^\x08\t\r\x1b]+ )
    | \x1b \[ (?P<parameters> [0-?]{{0,64}} ) (?P<between> [ -/]{{0,4}} ) (?P<final> [@-~] )
    | (?P<left_out> \x1b (?: {_STRING} (?: \x07 | \x1b\\ ) | [()*+] [0-~] | [78=>] ) )
    | (?P<control> [\x08\t\r\x1b] )""",
    re.VERBOSE,
)
_BEGUN = re.compile(rf"\x1b(?:\[[0-?]{{0,64}}[ -/]{{0,4}}|{_STRING}\x1b?|[()*+])?\Z")


_ERASED = ("", "0", "1", "2")
_PRIVATE = ("<", "=", ">", "?")
_MANY_STATES = 16
_LOOKS = re.compile(r"\x1b\[([0-9:;]{0,64})m")
# A state that leaves nothing of those before it: it erases the line first, or its rest at the end.
_ERASES_FIRST = re.compile(r"\x1b\[2K|\x1b\[0?K")
_ERASES_LAST = re.compile(r"\x1b\[0?K\Z")


def is_plain(text: str) -> bool:
    """Whether there is nothing in a text to obey but line ends and tabs."""
    return _OBEYED.search(text) is None


class TerminalText:
    """Reads text piece by piece, cut anywhere; memory is bounded by one line of `most` columns.

    Args:
        tabs: columns between tab stops, each tab becoming spaces. None keeps tabs, where nothing
            was written over them, for a terminal that has them every eight columns.
        most: columns of a line that are kept; how much more there was is said at its end.
    """

    def __init__(self, *, tabs: int | None = None, most: int = MOST_COLUMNS) -> None:
        self._tabs = tabs
        self._obeyed = _OBEYED if tabs is None else _OBEYED_WITH_TABS
        self._row = _Row(tabs, most)
        self._most = most
        self._held = ""
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def feed_bytes(self, data: bytes) -> list[Line]:
        """As `feed`, for bytes that are UTF-8, or are replaced where they are not."""
        return self.feed(self._decoder.decode(data))

    def feed(self, text: str) -> list[Line]:
        """Take in more text.

        Returns:
            The lines that it ends.
        """
        # To begin the line that ends anyway changes nothing.
        text = (self._held + text).replace("\r\n", "\n")
        self._held = ""
        *ended, last = text.split("\n")
        if (
            self._row.look is PLAIN
            and not self._obeyed.search(text)
            and not may_be_flooded(text)
            and len(text) <= self._most
        ):
            # Most output is nothing but text.
            lines = [*map(self._line, ended[:1]), *map(Line, ended[1:])]
        else:
            lines = [self._line(written) for written in ended]
        at = _beginning(last)
        self._held = last[at:]
        self._write(last[:at])
        return lines

    @property
    def open_line(self) -> Line | None:
        """The line that has not ended yet, as it stands; None where nothing was written on it."""
        return None if self._row.empty else self._row.line()

    def close(self) -> Line | None:
        """Take half a sequence or character at the end for text; the line that has not ended."""
        self._write(self._held + self._decoder.decode(b"", final=True))
        self._held = ""
        return self.open_line

    def _line(self, written: str) -> Line:
        row = self._row
        if row.empty and not row.column and len(written) <= self._most:
            line = self._simple_line(written.rstrip("\r"))
            if line is not None:
                return line
        self._write(written)
        line = row.line()
        row.clear()
        return line

    def _simple_line(self, written: str) -> Line | None:
        """A line that is nothing but text and colours, as most are; None for another one."""
        if may_be_flooded(written):
            return None
        row = self._row
        if "\x1b" not in written and row.look is PLAIN:
            is_plain = not (self._obeyed.search(written) or _begins_with_mark(written))
            return Line(written) if is_plain else None
        parts = _LOOKS.split(written)
        text = "".join(parts[::2])
        if _OBEYED_WITH_TABS.search(text) or _begins_with_mark(text):
            return None
        pieces: list[Piece] = []
        look = row.look
        begun = at = 0
        for number in range(1, len(parts), 2):
            at += len(parts[number - 1])
            new = _looking(look, parts[number])
            if new is look or new == look:
                continue
            if at > begun and look != PLAIN:
                pieces.append(Piece(begun, at, look))
            look, begun = new, at
        if len(text) > begun and look != PLAIN:
            pieces.append(Piece(begun, len(text), look))
        row.look = PLAIN if look == PLAIN else look
        return Line(text, tuple(pieces))

    def _write(self, written: str) -> None:
        if not _OBEYED_WITH_TABS.search(written):
            if written:
                self._row.put(written)
            return
        if written.count("\r") > _MANY_STATES:
            # A progress bar: few of its states leave anything that is seen at the end.
            first, *states = written.split("\r")
            self._write_tokens(first)
            if wanted := _seen_states(states):
                self._write_states(states, wanted)
                return
            written = written[len(first) :]
        parts = _LOOKS.split(written)
        text = "".join(parts[::2])
        if text.isascii() and not _OBEYED_WITH_TABS.search(text):
            self._row.put_looking(text, parts)
        else:
            self._write_tokens(written)

    def _write_states(self, states: list[str], wanted: list[int]) -> None:
        """Write the wanted states, each from the line's beginning; of the others only the look."""
        row = self._row
        done = -1
        for number in wanted:
            row.obey_looks("".join(states[done + 1 : number]))
            row.column = 0
            self._write_tokens(states[number])
            done = number

    def _write_tokens(self, written: str) -> None:
        row = self._row
        for token in _TOKEN.finditer(written):
            kind = token.lastgroup
            if kind == "text":
                row.put(token[0])
            elif kind == "final":
                final, parameters = token["final"], token["parameters"]
                if token["between"] or not row.obey(final, parameters):
                    row.put(token[0])
            elif kind == "control":
                control = token[0]
                if control == "\r":
                    row.column = 0
                elif control == "\b":
                    row.column = max(0, row.column - 1)
                elif control == "\t":
                    row.tab()
                else:
                    row.put(control)


class _Row:
    """The line that is being written, in columns.

    A character of two columns, and a tab that is kept, have empty cells behind them.
    """

    def __init__(self, tabs: int | None, most: int) -> None:
        self._tabs = tabs
        self._most = most
        self.look = PLAIN
        self.clear()

    def clear(self) -> None:
        """Begin another line; the look stays."""
        self.column = 0
        self._cells: list[str] = []
        self._looks: list[Look] = []
        self._coloured = False
        self._over = 0

    @property
    def empty(self) -> bool:
        """Whether nothing stands on it."""
        return not self._cells

    def line(self) -> Line:
        """The line as it stands."""
        text = "".join(self._cells)
        pieces: tuple[Piece, ...] = ()
        if self._coloured:
            pieces = tuple(self._pieces(even=len(text) == len(self._cells)))
        if self._over:
            text += f" [... {self._over:,} more characters]"
        return Line(text, pieces)

    def _pieces(self, *, even: bool) -> Iterator[Piece]:
        at = 0
        index = 0
        for look, group in groupby(self._looks):
            count = len(list(group))
            length = count if even else sum(map(len, self._cells[index : index + count]))
            if look != PLAIN and length:
                yield Piece(at, at + length, look)
            at += length
            index += count

    def put(self, text: str) -> None:
        """Write over what stands at the column, and go behind it."""
        if text.isascii():
            self._put_cells(text)
            return
        cells: list[str] = []
        for char in text:
            columns = _columns(char)
            if columns:
                cells.append(char)
                if columns == 2:
                    cells.append("")
            elif cells:
                _mark(cells, len(cells), char)
            else:
                _mark(self._cells, min(self.column, len(self._cells)), char)
        self._put_cells(cells)

    def put_looking(self, text: str, parts: list[str]) -> None:
        """Write ASCII whose looks change: `parts` has the text's parts and, between two, an SGR."""
        looks: list[Look] = []
        look = self.look
        for number in range(0, len(parts), 2):
            if number:
                look = _looking(look, parts[number - 1])
            looks += [look] * len(parts[number])
        at = self.column
        self._put_cells(text)
        self._looks[at : self.column] = looks[: self.column - at]
        self.look = PLAIN if look == PLAIN else look
        self._coloured = True

    def _put_cells(self, written: str | list[str]) -> None:
        at, cells, looks = self.column, self._cells, self._looks
        room = self._most - at
        if len(written) > room:
            self._over = max(self._over, at + len(written) - self._most)
            written = written[: max(0, room)]
        if not written:
            return
        if at > len(cells):
            self._fill(at)
        end = at + len(written)
        if end < len(cells) and not cells[end]:
            self._break(end)
        if at < len(cells) and not cells[at]:
            self._break(at)
        cells[at:end] = written
        looks[at:end] = [self.look] * (end - at)
        self._coloured = self._coloured or self.look is not PLAIN
        self.column = end

    def tab(self) -> None:
        """Go to the next stop, over what stands before it."""
        width = self._tabs or TAB_COLUMNS
        stop = min((self.column // width + 1) * width, self._most)
        if self.column >= len(self._cells) and stop > self.column:
            count = stop - self.column
            self._fill(self.column)
            self._cells += [" "] * count if self._tabs else ["\t", *[""] * (count - 1)]
            self._looks += [PLAIN] * count
        self.column = max(self.column, stop)

    def obey(self, final: str, parameters: str) -> bool:
        """Do what a control sequence says, if that stays within the line.

        Returns:
            Whether it did, or the sequence is one to leave out.
        """
        if final == "m" and parameters[:1] not in _PRIVATE:
            look = _looking(self.look, parameters)
            self.look = PLAIN if look == PLAIN else look
        elif final == "K" and parameters in _ERASED:
            self._erase(parameters)
        elif final in "CDG" and parameters[:1] not in _PRIVATE:
            number = int(parameters) if parameters.isdecimal() and len(parameters) < 9 else 1
            number = max(1, number)
            column = {"C": self.column + number, "D": self.column - number, "G": number - 1}[final]
            self.column = max(0, min(column, self._most))
        else:
            return final in "AB" or (final in "hl" and parameters[:1] == "?")
        return True

    def obey_looks(self, written: str) -> None:
        """Do what the text says about the look alone; what stands in it is written over anyway."""
        if "\x1b" in written:
            # Nothing before the last reset matters.
            for parameters in _LOOKS.findall(written, max(0, written.rfind("\x1b[0m"))):
                self.obey("m", parameters)

    def _erase(self, parameters: str) -> None:
        if parameters in ("", "0"):
            end = self.column
            if end < len(self._cells) and not self._cells[end]:
                self._break(end)
            del self._cells[end:], self._looks[end:]
            self._over = 0
        elif parameters == "1":
            end = min(self.column + 1, len(self._cells))
            if end < len(self._cells) and not self._cells[end]:
                self._break(end)
            self._cells[:end] = [" "] * end
            self._looks[:end] = [PLAIN] * end
        elif parameters == "2":
            self._cells.clear()
            self._looks.clear()
            self._over = 0

    def _fill(self, column: int) -> None:
        missing = column - len(self._cells)
        self._cells += [" "] * missing
        self._looks += [PLAIN] * missing

    def _break(self, column: int) -> None:
        """What reaches over the column from its left becomes spaces, as part of it goes."""
        first = last = column
        while first and not self._cells[first]:
            first -= 1
        while last < len(self._cells) and not self._cells[last]:
            last += 1
        self._cells[first:last] = [" "] * (last - first)


@lru_cache(maxsize=4096)
def _columns(char: str) -> int:
    """How many columns a character takes; a control that stays in the text is shown in one."""
    if UNSAFE.match(char):
        return 1
    import unicodedata  # here, since most output has no need of it

    if unicodedata.category(char) in ("Mn", "Me"):
        return 0
    return 2 if unicodedata.east_asian_width(char) in "WF" else 1


def _begins_with_mark(text: str) -> bool:
    """Whether its first character belongs on one before it, which there is not."""
    return bool(text) and not text[0].isascii() and not _columns(text[0])


def _mark(cells: list[str], end: int, mark: str) -> None:
    """Put a mark on the character before `end`, as long as it has not too many."""
    at = end - 1
    while at > 0 and not cells[at]:
        at -= 1
    if at < 0 or cells[at] in ("", "\t"):
        return
    if len(cells[at]) <= MOST_MARKS:
        cells[at] += mark
    elif len(cells[at]) == MOST_MARKS + 1:
        cells[at] += REPLACED


def _seen_states(states: list[str]) -> list[int]:
    """Which states of a line, each from its beginning, leave something that is seen at the end.

    An empty list says that it can't be told so simply: all are to be written.
    """
    characters = set().union(*states) - {"\x1b"}
    if not characters.isdisjoint("\b\t") or any(_columns(char) != 1 for char in characters):
        return []
    wanted: list[int] = []
    covered = -1
    for number in range(len(states) - 1, -1, -1):
        state = states[number]
        erases = False
        if "\x1b" in state:
            state = _LOOKS.sub("", state)
            begins = _ERASES_FIRST.match(state)
            if begins:
                state = state[begins.end() :]
            shorter = _ERASES_LAST.sub("", state)
            erases = bool(begins) or shorter != state
            if "\x1b" in shorter:
                return []
            state = shorter
        if len(state) > covered or erases:
            wanted.append(number)
            covered = len(state)
        if erases:
            break
    return wanted[::-1]


def _beginning(text: str) -> int:
    """Where the sequence begins that the text may have been cut in; its length if there is none."""
    at = text.rfind("\x1b")
    if at < 0:
        return len(text)
    before = text.rfind("\x1b", 0, at)
    if before >= 0 and at == len(text) - 1 and _BEGUN.match(text, before):
        return before
    return at if _BEGUN.match(text, at) else len(text)


@lru_cache(maxsize=1024)
def _looking(look: Look, parameters: str) -> Look:
    """The look after an SGR sequence."""
    # With colons the parts of a colour belong together: 38:2::255:0:0, and 4:3 is an underline.
    codes = iter(parameters.split(";"))
    for code in codes:
        first, *parts = code.split(":")
        number = int(first) if first.isdecimal() else 0 if not first else -1
        if number == 0:
            look = PLAIN
        elif number in (38, 48):
            kind = parts or [next(codes, "")]
            colour = _colour(kind, codes)
            if colour is None:
                continue
            look = _coloured(look, number, colour)
        elif number in _ON and parts != ["0"]:
            look = look._replace(**_ON[number])
        elif number in _ON:
            look = look._replace(underline=False)
        elif number in _OFF:
            look = look._replace(**_OFF[number])
        elif number in (39, 49):
            look = _coloured(look, number - 1, None)
        else:
            look = _with_plain_colour(look, number)
    return look


def _coloured(look: Look, number: int, colour: Colour | None) -> Look:
    return look._replace(foreground=colour) if number == 38 else look._replace(background=colour)


def _with_plain_colour(look: Look, number: int) -> Look:
    for base, first in ((30, 0), (90, 8)):
        if base <= number < base + 8:
            return look._replace(foreground=number - base + first)
        if base + 10 <= number < base + 18:
            return look._replace(background=number - base - 10 + first)
    return look


def _colour(kind: list[str], codes: Iterator[str]) -> Colour | None:
    """The colour behind 38 or 48: by its number, or in red, green and blue."""
    wanted = {"5": 1, "2": 3}.get(kind[0])
    if wanted is None:
        return None
    # The place of the colour space, between colons, may be empty, or left out.
    given = kind[1:][-wanted:] if len(kind) > 1 else [next(codes, "") for _ in range(wanted)]
    numbers = [int(text) if text.isdecimal() and len(text) < 4 else 0 for text in given]
    if len(numbers) < wanted or max(numbers) > 255:
        return None
    return numbers[0] if wanted == 1 else (numbers[0], numbers[1], numbers[2])


def _colour_codes(colour: Colour | None, base: int) -> list[int]:
    if colour is None:
        return []
    if not isinstance(colour, int):
        return [base + 8, 2, *colour]
    if colour < 8:
        return [base + colour]
    return [base + 60 + colour - 8] if colour < 16 else [base + 8, 5, colour]


def look_of(sgr: str) -> Look:
    """The look whose `sgr` that is."""
    return _looking(PLAIN, sgr) if sgr else PLAIN
