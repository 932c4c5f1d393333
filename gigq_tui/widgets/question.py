"""A question in a panel of the screen, not in a screen of its own: a third of the bytes.

The first choice is the safe one: it has the focus, and escape takes it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from textual import events
from textual.message import Message

from gigq_tui.format import inert, width_of, wrap
from gigq_tui.widgets.lines import Line, Span, TextLines

GAP = 2


@dataclass(frozen=True)
class Choice:
    """One way to answer. `key` is a Textual key name; `act` is called when it is chosen."""

    key: str
    label: str
    act: Callable[[], None] | None = None
    grave: bool = False


@dataclass(frozen=True)
class Question:
    """What is asked: a title, some lines of detail, and the choices, the safe one first."""

    title: str
    details: tuple[str, ...]
    choices: tuple[Choice, ...]


class QuestionPanel(TextLines, can_focus=True):
    """Shows one question at a time, and takes every key until it is answered."""

    DEFAULT_CSS = """
    QuestionPanel { height: auto; display: none; background: $panel; padding: 0 0; }
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
        self.focused_choice = 0
        self._places: list[tuple[int, int, int, int]] = []

    @property
    def is_open(self) -> bool:
        """Whether a question waits for its answer."""
        return self.question is not None

    def ask(self, question: Question) -> None:
        """Show a question with the safe choice focused; it takes the place of an older one."""
        self.question = question
        self.focused_choice = 0
        self.add_class("-open")
        self._draw()
        self.styles.height = len(self.lines)
        self.focus()

    def choose(self, index: int) -> None:
        """Answer with a choice: the panel closes first, then the choice acts."""
        question = self.question
        if question is None:
            return
        self.question = None
        self.remove_class("-open")
        self.screen.set_focus(None)
        choice = question.choices[index]
        self.post_message(self.Answered(question, choice))
        if choice.act is not None:
            choice.act()

    def _draw(self) -> None:
        question = self.question
        if question is None:
            return
        width = max(10, self.app.size.width - 2)
        lines: list[Line] = []
        for piece in wrap_words(inert(question.title), width):
            lines.append(((" " + piece, "warn"),))
        for detail in question.details:
            lines += [((" " + piece, ""),) for piece in wrap_words(inert(detail), width)]
        self._places = []
        row: list[Span] = [(" ", "")]
        x = 1
        for index, choice in enumerate(question.choices):
            text = f"[ {choice.label} ({key_name(choice.key)}) ]"
            if x > 1 and x + width_of(text) > width:
                lines.append(tuple(row))
                row, x = [(" ", "")], 1
            role = "tab" if index == self.focused_choice else ("fail" if choice.grave else "")
            # The focus is a mark too, for terminals that show no colours.
            marker = ">" if index == self.focused_choice else " "
            self._places.append((len(lines), x, x + 1 + width_of(text), index))
            row += [(marker, "key"), (text, role), (" " * GAP, "")]
            x += 1 + width_of(text) + GAP
        lines.append(tuple(row))
        self.show(*lines)

    def on_key(self, event: events.Key) -> None:
        question = self.question
        if question is None:
            return
        event.stop()
        event.prevent_default()
        count = len(question.choices)
        if event.key == "escape" or event.key == "q":
            self.choose(0)
        elif event.key == "enter":
            self.choose(self.focused_choice)
        elif event.key in ("right", "tab", "l", "down"):
            self.focused_choice = (self.focused_choice + 1) % count
            self._draw()
        elif event.key in ("left", "shift+tab", "h", "up"):
            self.focused_choice = (self.focused_choice - 1) % count
            self._draw()
        else:
            for index, choice in enumerate(question.choices):
                if event.key == choice.key:
                    self.choose(index)
                    return

    def on_click(self, event: events.Click) -> None:
        for y, start, end, index in self._places:
            if event.y == y and start <= event.x < end:
                self.choose(index)
                return

    def on_resize(self) -> None:
        super().on_resize()
        if self.question is not None:
            self._draw()
            self.styles.height = len(self.lines)


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
        pieces = wrap(word, width)
        lines += pieces[:-1]
        current = pieces[-1]
    return [*lines, current] if current or not lines else lines
