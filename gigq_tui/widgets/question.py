"""A question in a panel of the screen, not in a screen of its own: a third of the bytes.

The first choice is the safe one: escape takes it, and it has the focus unless the question says
otherwise.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from dataclasses import dataclass

from rich.cells import chop_cells
from textual import events
from textual.message import Message

from gigq_tui.actions.question import MANY, Choice, Question
from gigq_tui.format import inert, width_of
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, Lines, Span, TextLines

GAP = 2
PANEL = ("", "panel")
# Lines of a screen that stay in sight: its header, its tabs, the row at the cursor, the key bar.
ABOVE_AND_BELOW = 6


class QuestionPanel(TextLines, can_focus=True):
    """Shows one question at a time, and takes every key until it is answered.

    It hangs as a curtain over a widget of the screen where one is tall enough, which paints only
    its own lines. Otherwise it opens as a panel of its own, which lays the screen out anew.
    """

    DEFAULT_CSS = """
    QuestionPanel { height: auto; display: none; background: $panel; }
    QuestionPanel.-open { display: block; }
    """

    @dataclass
    class Answered(Message):
        """The question was answered with this choice."""

        question: Question
        choice: Choice

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.question: Question | None = None
        # When it was asked, by `time.monotonic()`: what was typed before was no answer to it.
        self.asked_at = 0.0
        self.focused_choice = 0
        self.host: Lines | None = None
        self._hosts: tuple[Lines, ...] = ()
        # What a key that answers nothing here is told.
        self._hint = ""
        self._asked: tuple[Line, ...] = ()
        self._places: list[tuple[int, int, int, int]] = []

    @property
    def is_open(self) -> bool:
        """Whether a question waits for its answer."""
        return self.question is not None

    @property
    def plain(self) -> str:
        """What is asked, without colours."""
        return "\n".join("".join(text for text, _ in line) for line in self._asked)

    def ask(self, question: Question, hosts: Iterable[Lines] = ()) -> None:
        """Show a question with the safe choice focused; it takes the place of an older one.

        Args:
            question: What is asked.
            hosts: Widgets over which it may hang, the best first.
        """
        self.question = question
        self.asked_at = time.monotonic()
        self.focused_choice = question.focus
        self._hint = ""
        self.hang(hosts)

    def amend(self, question: Question, hosts: Iterable[Lines] = ()) -> None:
        """Say more in the question that is open; its choices stay as they are."""
        self.question = question
        self.hang(hosts)

    def hang(self, hosts: Iterable[Lines]) -> None:
        """Find a place for the open question, as when it opens and when the terminal changes."""
        self._take_down()
        self._hosts = tuple(hosts)
        self._asked = self._lines()
        if not self._asked:
            return
        height = len(self._asked)
        self.host = next((host for host in self._hosts if host.size.height >= height), None)
        self.screen.set_focus(None)
        self._draw()

    def choose(self, index: int) -> None:
        """Answer with a choice: the panel closes first, then the choice acts."""
        question = self.question
        if question is None:
            return
        self.question = None
        self._take_down()
        choice = question.choices[index]
        self.post_message(self.Answered(question, choice))
        if choice.act is not None:
            choice.act()

    def _take_down(self) -> None:
        if self.host is not None:
            self.host.draw_curtain(())
            self.host = None
        if self.has_class("-open"):
            self.remove_class("-open")
            self.screen.set_focus(None)
        self._asked = ()

    def _draw(self) -> None:
        self._asked = self._lines()
        if self.host is not None:
            self.host.draw_curtain(self._asked)
            return
        self.add_class("-open")
        self.styles.height = len(self._asked)
        self.show(*self._asked)
        self.screen.set_focus(self)

    def _lines(self) -> tuple[Line, ...]:
        question = self.question
        if question is None:
            return ()
        width = max(10, self.app.size.width - 2)
        title = [
            (PANEL, (" " + piece, "warn")) for piece in wrap_words(inert(question.title), width)
        ]
        details = [
            (PANEL, (" " + piece, ""))
            for detail in question.details
            for piece in wrap_words(inert(detail), width)
        ]
        rows = self._rows(question, width)
        if self._hint:
            rows.append((PANEL, (f" {self._hint}", "warn")))
        room = max(0, self.app.size.height - ABOVE_AND_BELOW - 1 - len(title) - len(rows))
        if len(details) > room:
            # The choices are seen, whatever there is to say.
            details = [*details[: room - 1], (PANEL, (" ..", "dim"))] if room else []
        above = (((PANEL, (theme.RULE * self.app.size.width, "rule"))), *title, *details)
        self._places = [
            (len(above) + y, start, end, index) for y, start, end, index in self._places
        ]
        return (*above, *rows)

    def _rows(self, question: Question, width: int) -> list[Line]:
        """The lines of the choices; where each stands is noted, counted from the first of them."""
        lines: list[Line] = []
        self._places = []
        row: list[Span] = [PANEL, (" ", "")]
        x = 1
        for index, choice in enumerate(question.choices):
            if not choice.label:
                continue
            text = f"[ {choice.label} ({key_name(choice.key)}) ]"
            if x > 1 and x + width_of(text) > width:
                lines.append(tuple(row))
                row, x = [PANEL, (" ", "")], 1
            focused = index == self.focused_choice
            # The focus is a mark too, for terminals that show no colours.
            row.append((">" if focused else " ", "key"))
            row += [(text, "tab" if focused else "fail" if choice.grave else ""), (" " * GAP, "")]
            self._places.append((len(lines), x, x + 1 + width_of(text), index))
            x += 1 + width_of(text) + GAP
        return [*lines, tuple(row)]

    def answer(self, key: str) -> int | None:
        """Which choice a key takes, or None where it takes none."""
        if self.question is None:
            return None
        keys = [choice.key for choice in self.question.choices]
        if key in keys:
            return keys.index(key)
        if key in ("escape", "q"):
            return 0
        return self.focused_choice if key == "enter" else None

    def take_key(self, event: events.Key) -> bool:
        """Handle a key while a question is open; no other part of the screen sees it."""
        answer = self.answer(event.key)
        if answer is not None:
            self.choose(answer)
        elif event.key in ("right", "tab", "l", "down"):
            self._step(1)
        elif event.key in ("left", "shift+tab", "h", "up"):
            self._step(-1)
        elif hint := self._hint_for(event.key):
            self._hint = hint
            self.hang(self._hosts)
        return True

    def _hint_for(self, key: str) -> str:
        """What is said to a small letter where only its capital answers."""
        assert self.question is not None
        if key.upper() == key or key.upper() not in {one.key for one in self.question.choices}:
            return ""
        return f"From {MANY} jobs on, it takes a capital letter: {key.upper()}."

    def take_paste(self, text: str) -> None:
        """No question is answered with text."""

    def _step(self, step: int) -> None:
        assert self.question is not None
        drawn = [at for at, choice in enumerate(self.question.choices) if choice.label]
        self.focused_choice = drawn[(drawn.index(self.focused_choice) + step) % len(drawn)]
        self._draw()

    def on_click(self, event: events.Click) -> None:
        self.click_at(event.x, event.y)

    def take_click(self, event: events.Click) -> bool:
        """Handle a click on the host's curtain; say whether it was one."""
        host = self.host
        if host is None or self.question is None:
            return False
        region = host.region
        x = int(event.screen_x) - region.x
        y = int(event.screen_y) - region.y - (region.height - len(self._asked))
        if y < 0 or y >= len(self._asked):
            return False
        self.click_at(x, y)
        return True

    def click_at(self, x: int, y: int) -> None:
        """Choose what stands at a place of the question."""
        for line, start, end, index in self._places:
            if y == line and start <= x < end:
                self.choose(index)
                return


def key_name(key: str) -> str:
    """Return how people write a key."""
    return {"escape": "esc"}.get(key, key)


def wrap_words(text: str, width: int) -> list[str]:
    """Break a sentence between words into lines of `width` cells; a longer word is broken."""
    lines: list[str] = []
    current = ""
    for word in text.split():
        joined = f"{current} {word}" if current else word
        if width_of(joined) <= width:
            current = joined
            continue
        if current:
            lines.append(current)
        pieces = chop_cells(word, width)
        lines += pieces[:-1]
        current = pieces[-1]
    return [*lines, current] if current or not lines else lines
