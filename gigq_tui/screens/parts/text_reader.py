"""Keys to read a text with, shared by screens that show one: find, wrap, sideways, follow."""

from __future__ import annotations

from textual import on

from gigq_tui.format import cut, inert
from gigq_tui.keys.handlers import does
from gigq_tui.keys.reading_actions import (
    FIND,
    FIND_NEXT,
    FIND_PREVIOUS,
    FOLLOW_END,
    SIDEWAYS_LEFT,
    SIDEWAYS_RIGHT,
    WRAP,
)
from gigq_tui.keys.screen_actions import BACK
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.store.tail import Tail
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine


class Reading(ConsoleScreen, inherit_bindings=False):
    """A screen with one `TextView` and one `TypedLine`."""

    @property
    def text_view(self) -> TextView:
        """The text that is read."""
        return self.query_one(TextView)

    @property
    def typed_line(self) -> TypedLine:
        """The line over or under it, in which words are typed."""
        return self.query_one(TypedLine)

    def show_typed(self, text: str) -> None:
        """What is typed has changed: find it."""
        self.text_view.find(text)
        self.typed_line.tell(self.text_view.found_told)

    def read_whole(self) -> None:
        """Read what stands before the text too, as far as it is kept."""

    def readable(self) -> bool:
        """Whether there is a text on the screen now; says in a notice what stands against it."""
        return True

    def copy_tail(self, tail: Tail, what: str) -> None:
        """Copy all that was read of a file, harmless."""
        if tail.trouble:
            self.console.notice(tail.trouble, "warn")
            return
        text = "\n".join(inert(line) for line in tail.lines)
        self.console.copy_text(text, what, tail.path)

    # Typing

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        if not event.kept:
            self.show_typed(event.text)

    # Keys

    @does(FIND)
    def do_find(self) -> None:
        """Type what to find in the text; it is gone to at every key."""
        if self.readable():
            self.read_whole()
            self.typed_line.open(self.text_view.wanted)

    @does(FIND_NEXT)
    def do_find_next(self) -> None:
        """Go to the next place where it stands."""
        self.find_next(1)

    @does(FIND_PREVIOUS)
    def do_find_previous(self) -> None:
        """Go to the place before where it stands."""
        self.find_next(-1)

    def find_next(self, step: int) -> None:
        """Go to the next match, or to the one before when negative."""
        if not self.text_view.wanted:
            self.console.notice("Nothing is looked for: / finds something in the text.", "warn")
        else:
            self.text_view.find_next(step)

    @does(WRAP)
    def do_wrap(self) -> None:
        """Break long lines, or show them sideways."""
        if self.readable():
            self.text_view.set_wrap(not self.text_view.wrap)

    @does(SIDEWAYS_RIGHT)
    def do_sideways_right(self) -> None:
        """Show what stands further right."""
        self._sideways(1)

    @does(SIDEWAYS_LEFT)
    def do_sideways_left(self) -> None:
        """Show what stands further left."""
        self._sideways(-1)

    def _sideways(self, direction: int) -> None:
        if not self.readable():
            return
        if self.text_view.wrap:
            self.console.notice("Long lines are wrapped here: W shows them sideways.")
        else:
            self.text_view.sideways(direction)

    @does(FOLLOW_END)
    def do_follow_end(self) -> None:
        """Stay at the end while more is written, or stay here."""
        if self.readable():
            self.text_view.set_follow(not self.text_view.follow)

    @on(TextView.EarlierWanted)
    def _earlier_wanted(self) -> None:
        self.read_whole()

    @does(BACK)
    def do_back(self) -> None:
        """Take the finds away first, then go back."""
        if self.text_view.wanted:
            self.text_view.clear_find()
        else:
            super().do_back()

    def reading_told(self, *, grows: bool) -> str:
        """Say how the text is shown now, for the line over it.

        Args:
            grows: Whether more may be written, so that it can be followed.
        """
        view = self.text_view
        told = []
        if view.wanted:
            told.append(f"/{cut(inert(view.wanted), 20)} {view.found_told}")
        if not view.wrap:
            told.append(f"unwrapped from {view.left + 1} ( )" if view.left else "unwrapped ( )")
        if grows:
            told.append(f"follow {'on' if view.follow else 'off'}")
        return "   ".join(told)
