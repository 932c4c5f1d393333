"""Text to read: wrapped or sideways, searched, followed while it grows; for values and logs alike.

Only the rows that are seen are ever cut, coloured and made inert, so that a megabyte in one line
costs no more than a short one.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby

from textual.message import Message

from gigq_tui.format import count, inert
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.text_rows import MOST_MATCHES, Match, TextRows, find

# A part of a line and its role: from which character, to which, and what it is.
Mark = tuple[int, int, str]
Paint = Callable[[str], tuple[str, Sequence[Mark]]]

FOUND = "found"
FOUND_HERE = "tab"
# One cell at the left of every row: blank, or a sign that the line began further left.
_MARGIN = 1
# What is looked at of a line to colour it, or to write it shorter.
_LOOKED_AT = 2_000
_SCREENS_ASIDE = 0.5


class TextView(Scrolled):
    """Lines of text. Line numbers are those of the text, rows those of the screen."""

    @dataclass
    class Moved(Message):
        """What the head over the text tells has changed: place, following, wrapping, finds."""

        view: TextView

        @property
        def control(self) -> TextView:
            return self.view

    @dataclass
    class EarlierWanted(Message):
        """Somebody goes up, and what stands before the first line has not been read yet."""

        view: TextView

        @property
        def control(self) -> TextView:
            return self.view

    def __init__(self, *, id: str | None = None, classes: str | None = None) -> None:
        super().__init__(id=id, classes=classes)
        self.lines: Sequence[str] = ()
        self.wrap = True
        self.left = 0
        self.follow = False
        self.earlier = False
        self.wanted = ""
        self.matches: list[Match] = []
        self.match_at: int | None = None
        self._marks: Mapping[int, Sequence[Mark]] = {}
        self._painter: Paint | None = None
        self._find_from: tuple[int, int] = (0, 0)
        self._rows: TextRows | None = None
        self._rows_for: tuple[int, int | None] | None = None
        self._place = (0, 0)
        self._to_first = False

    # What is shown

    def show(
        self,
        lines: Sequence[str],
        *,
        marks: Mapping[int, Sequence[Mark]] | None = None,
        paint: Paint | None = None,
        earlier: bool = False,
    ) -> None:
        """Replace the text; the place stays, or the end, where that is followed.

        Args:
            lines: The lines, tabs widened; they need not be inert.
            marks: The roles of parts of some lines, by the number of the line.
            paint: What each line says and the roles of its parts, asked for at drawing. Where
                the text may be wrapped or searched it must not change what the line says.
            earlier: Whether more stands before the first line, and could be read.
        """
        marks = {} if marks is None else marks
        same = lines is self.lines or (len(lines) == len(self.lines) and lines == self.lines)
        if same and marks == self._marks and paint is self._painter and earlier == self.earlier:
            return
        added_before = len(lines) - len(self.lines) if self.earlier and not earlier else 0
        to_first, self._to_first = self._to_first and not earlier, False
        if not same:
            self.lines = lines
            self._rows = None
        self._marks, self._painter, self.earlier = marks, paint, earlier
        line, character = self._place
        self._place = (line + max(0, added_before), character)
        if not same and self.wanted:
            self._find_again(max(0, added_before))
        self._settle(first=to_first)
        self.repaint()
        self.post_message(self.Moved(self))

    def show_lines(self, lines: Sequence[Line]) -> None:
        """Replace the text by lines that are made of spans."""
        marks: dict[int, list[Mark]] = {}
        texts = []
        for number, line in enumerate(lines):
            at = 0
            for text, role in line:
                if role:
                    marks.setdefault(number, []).append((at, at + len(text), role))
                at += len(text)
            texts.append("".join(text for text, _ in line))
        self.show(texts, marks=marks)

    def start_over(self, *, follow: bool = False) -> None:
        """Forget place and finds, because another text comes."""
        self.top = self.left = 0
        self._place = (0, 0)
        self.follow = follow
        self.earlier = self._to_first = False
        self.clear_find()

    def clear_find(self) -> None:
        """Take the marks of what was found away."""
        self.wanted = ""
        self.matches = []
        self.match_at = None
        self.repaint()
        self.post_message(self.Moved(self))

    @property
    def plain(self) -> str:
        """The whole text, harmless."""
        return "\n".join(inert(line) for line in self.lines)

    def visible_text(self) -> str:
        """What is seen now, harmless, rows of one line put together again."""
        pieces: list[str] = []
        last = -1
        for index in range(self.top, min(self.total, self.top + self.page)):
            row = self.rows.row(index)
            text = self.lines[row.line]
            piece = text[row.start : row.end] if self.wrap else text[self.left :][: self._room]
            if row.line == last:
                pieces[-1] += inert(piece)
            else:
                pieces.append(inert(piece))
            last = row.line
        return "\n".join(pieces)

    # Rows

    @property
    def _room(self) -> int:
        return max(1, self.content_width - _MARGIN)

    @property
    def rows(self) -> TextRows:
        """The rows of the text at the width that there is now."""
        wanted = (len(self.lines), self._room if self.wrap else None)
        if self._rows is None or self._rows_for != wanted:
            self._rows, self._rows_for = TextRows(self.lines, wanted[1]), wanted
        return self._rows

    @property
    def total(self) -> int:
        return self.rows.total

    def content_line(self, index: int, width: int) -> Line:
        row = self.rows.row(index)
        text = self.lines[row.line]
        start, end = row.start, row.end
        if not self.wrap:
            start = min(self.left, len(text))
            end = min(len(text), start + self._room)
        marks: Sequence[Mark] = self._marks.get(row.line, ())
        if self._painter is not None:
            told, marks = self._painter(text[:_LOOKED_AT])
            if len(told) == _LOOKED_AT < len(text):
                told = text
            if told != text:
                text, start, end = told, 0, min(len(told), self._room)
        roles = [""] * (end - start)
        for mark in marks:
            _colour(roles, mark, start)
        for at in self._matches_on(row.line, start, end):
            role = FOUND_HERE if at == self.match_at else FOUND
            _colour(roles, (self.matches[at].start, self.matches[at].end, role), start)
        margin = "<" if not self.wrap and self.left and row.end else " "
        spans = [(margin, "dim")]
        at = start
        for role, group in groupby(roles):
            length = len(list(group))
            spans.append((inert(text[at : at + length]), role))
            at += length
        if not self.wrap and end < len(text) and len(spans) > 1:
            last, role = spans[-1]
            spans[-1] = (last[:-1], role)
            spans.append((">", "dim"))
        return tuple(spans)

    def _matches_on(self, line: int, start: int, end: int) -> range:
        """Which matches are seen of a line, from one of its characters to another."""
        if not self.matches:
            return range(0)
        first = bisect_left(self.matches, Match(line, max(0, start - len(self.wanted)), 0))
        return range(first, bisect_left(self.matches, Match(line, end, 0)))

    # Moving

    def viewport_moved(self) -> None:
        if self.lines:
            row = self.rows.row(min(self.top, self.total - 1))
            self._place = (row.line, row.start)

    def scroll_to_line(self, top: int) -> None:
        end = max(0, self.total - self.page)
        before = self.top
        super().scroll_to_line(top)
        follow = self.follow
        if self.top < before:
            self.follow = False
        elif top >= end and top > before:
            self.follow = True
        if before != self.top or follow != self.follow:
            self.post_message(self.Moved(self))

    def step(self, lines: int) -> None:
        if lines < 0 and self.top == 0 and self.earlier:
            self.post_message(self.EarlierWanted(self))
        self.scroll_to_line(self.top + lines)

    def go_first(self) -> None:
        if self.earlier:
            self._to_first = True
            self.post_message(self.EarlierWanted(self))
        self.scroll_to_line(0)

    def go_last(self) -> None:
        self.scroll_to_line(self.total)
        self.set_follow(True)

    def set_follow(self, follow: bool) -> None:
        """Stay at the end while the text grows, or stay where it is read."""
        if follow:
            self.scroll_to_line(self.total)
        if follow != self.follow:
            self.follow = follow
            self.post_message(self.Moved(self))

    def fit_page(self) -> None:
        self._settle()
        self.repaint()

    def _settle(self, *, first: bool = False) -> None:
        """Find the place again after text, width or height changed."""
        if first:
            self.top = 0
        elif self.follow:
            self.top = self.total
        else:
            self.top = self.rows.row_of(*self._place)
        self.top = max(0, min(self.top, self.total - self.page))
        if first or self.follow:
            self.viewport_moved()

    # Wrapping

    def set_wrap(self, wrap: bool) -> None:
        """Break lines that are too long, or show them sideways."""
        if wrap != self.wrap:
            self.wrap, self.left = wrap, 0
            self._settle()
            self.repaint()
            self.post_message(self.Moved(self))

    def sideways(self, direction: int) -> None:
        """Move half a screen to the right, or to the left when negative."""
        step = max(1, int(self._room * _SCREENS_ASIDE)) * direction
        left = max(0, min(self.left + step, self.rows.longest - self._room // 2))
        if left != self.left:
            self.left = left
            self.repaint()
            self.post_message(self.Moved(self))

    # Finding

    def find(self, wanted: str) -> None:
        """Mark where something stands, and go to the next such place from where this began."""
        if not self.wanted:
            self._find_from = self._place
        self.wanted = wanted
        self.matches = find(self.lines, wanted)
        self.match_at = None
        if self.matches:
            at = bisect_left(self.matches, Match(*self._find_from, 0))
            self._go_to(at % len(self.matches))
        self.repaint()
        self.post_message(self.Moved(self))

    def find_next(self, step: int) -> None:
        """Go to the next match, or to the one before when negative; around the end."""
        if self.matches:
            at = self.match_at
            self._go_to(((at if at is not None else -1) + step) % len(self.matches))
            self.repaint()
            self.post_message(self.Moved(self))

    @property
    def found_told(self) -> str:
        """Say which match this is: `3 of 17`."""
        if not self.wanted:
            return ""
        if not self.matches:
            return "not found"
        more = "+" if len(self.matches) == MOST_MATCHES else ""
        at = 0 if self.match_at is None else self.match_at + 1
        return f"{count(at)} of {count(len(self.matches))}{more}"

    def _find_again(self, added_before: int) -> None:
        """The text is another: find anew, and stay at the match that was gone to."""
        here = self.matches[self.match_at] if self.match_at is not None else None
        self.matches = find(self.lines, self.wanted)
        self.match_at = None
        if here is not None and self.matches:
            moved = here._replace(line=here.line + added_before)
            self.match_at = min(bisect_left(self.matches, moved), len(self.matches) - 1)

    def _go_to(self, at: int) -> None:
        self.match_at = at
        match = self.matches[at]
        row = self.rows.row_of(match.line, match.start)
        if not self.top <= row < self.top + self.page:
            self.scroll_to_line(row - self.page // 3)
        # Whoever reads here does not want to be carried off by what is written at the end.
        self.follow = False
        if not self.wrap and not self.left <= match.start < self.left + self._room - 1:
            self.left = max(0, match.start - self._room // 3)


def _colour(roles: list[str], mark: Mark, offset: int) -> None:
    start, end, role = mark
    for at in range(max(0, start - offset), min(len(roles), end - offset)):
        roles[at] = role
