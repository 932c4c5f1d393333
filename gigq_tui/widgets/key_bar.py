"""The last line of every screen: its keys, the weightiest first; each can be clicked."""

from __future__ import annotations

from dataclasses import dataclass

from textual import events
from textual.message import Message

from gigq_tui.format import width_of
from gigq_tui.keys import Action, Context
from gigq_tui.widgets.lines import Line, Span, TextLines


class KeyBar(TextLines):
    """Keys with their labels, as many as fit; what can't be done now is struck out."""

    DEFAULT_CSS = """
    KeyBar { height: 1; background: $panel; }
    """

    @dataclass
    class Pressed(Message):
        """Somebody clicked a key."""

        action_id: str

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self._places: list[tuple[int, int, str]] = []
        self._asked: tuple[tuple[Action, ...], Context] | None = None

    def tell(self, actions: tuple[Action, ...], context: Context) -> None:
        """Show these actions, given weightiest first, and the last one always."""
        self._asked = (actions, context)
        self.show(self._line(actions, context))

    def _line(self, actions: tuple[Action, ...], context: Context) -> Line:
        room = self.size.width - 1
        items = [
            (action, f"{action.shown.split()[0]} {context.labels.get(action.id, action.label)}")
            for action in actions
            if action.keys
        ]
        kept = items[-1:]
        used = sum(width_of(text) for _, text in kept)
        for item in items[:-1]:
            used += width_of(item[1]) + 2
            if used > room:
                break
            kept.insert(-1, item)
        spans: list[Span] = [(" ", "")]
        self._places = []
        x = 1
        for action, text in kept:
            key, _, label = text.partition(" ")
            off = bool(action.writes and context.read_only)
            if x > 1:
                spans.append(("  ", ""))
                x += 2
            self._places.append((x, x + width_of(text), action.id))
            spans += [(key, "off" if off else "key"), (f" {label}", "off" if off else "")]
            x += width_of(text)
        return tuple(spans)

    def on_resize(self) -> None:
        if self._asked is not None:
            self.tell(*self._asked)

    def on_click(self, event: events.Click) -> None:
        for start, end, action_id in self._places:
            if start <= event.x < end:
                self.post_message(self.Pressed(action_id))
