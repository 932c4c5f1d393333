"""Reading a text: find in it, wrap its lines or show them sideways, follow it while it grows."""

from __future__ import annotations

from typing import Protocol

from gigq_tui.format import cut, inert
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.reading_actions import (
    FIND,
    FIND_NEXT,
    FIND_PREVIOUS,
    FOLLOW_END,
    SIDEWAYS_LEFT,
    SIDEWAYS_RIGHT,
    WRAP,
)
from gigq_tui.screens.parts.copy_choices import CopiesText
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.tail import Tail
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine


class ReaderHost(Protocol):
    """What the reader needs of the screen, or of the part, whose text is read."""

    @property
    def text_view(self) -> TextView:
        """The text that is read."""

    @property
    def typed_line(self) -> TypedLine:
        """The line over it, in which the words to find are typed."""

    def readable(self) -> bool:
        """Whether there is a text on the screen now; if not, a notice says why."""

    def read_whole(self) -> None:
        """Read what comes before the text too, as far as it is kept."""


class TextReader(Part):
    """The keys that every text is read with.

    Args:
        host: Whose text.
        notices: Where it is said why a key does nothing.
        hints: The keys that those sentences name.
    """

    def __init__(self, host: ReaderHost, notices: Tells, hints: KeyHints) -> None:
        self._host = host
        self._notices = notices
        self._hints = hints

    # Keys

    @does(FIND)
    def do_find(self) -> None:
        """Type what to find in the text; it is gone to at every key."""
        if self._host.readable():
            self._host.read_whole()
            self._host.typed_line.open(self._host.text_view.wanted)

    @does(FIND_NEXT)
    def do_find_next(self) -> None:
        """Go to the next match."""
        self.find_next(1)

    @does(FIND_PREVIOUS)
    def do_find_previous(self) -> None:
        """Go to the match before."""
        self.find_next(-1)

    @does(WRAP)
    def do_wrap(self) -> None:
        """Break long lines, or show them sideways."""
        if self._host.readable():
            view = self._host.text_view
            view.set_wrap(not view.wrap)

    @does(SIDEWAYS_RIGHT)
    def do_sideways_right(self) -> None:
        """Show what is further right."""
        self._sideways(1)

    @does(SIDEWAYS_LEFT)
    def do_sideways_left(self) -> None:
        """Show what is further left."""
        self._sideways(-1)

    @does(FOLLOW_END)
    def do_follow_end(self) -> None:
        """Stay at the end while more is written, or stay here."""
        if self._host.readable():
            self.switch_follow()

    def switch_follow(self) -> None:
        """Follow the end, or stop following it."""
        view = self._host.text_view
        view.set_follow(not view.follow)

    def find_next(self, step: int) -> None:
        """Go to the next match, or to the one before when negative."""
        if not self._host.text_view.wanted:
            find = self._hints(FIND)
            self._notices.tell(f"No search yet: press {find} to find text.", "warn")
        else:
            self._host.text_view.find_next(step)

    def _sideways(self, direction: int) -> None:
        if not self._host.readable():
            return
        if self._host.text_view.wrap:
            unwrap = self._hints(WRAP)
            self._notices.tell(f"Long lines are wrapped; {unwrap} unwraps them.")
        else:
            self._host.text_view.sideways(direction)

    # What is typed: the screen hands on the messages of its line

    def show_typed(self, text: str) -> None:
        """Find what has been typed so far."""
        view = self._host.text_view
        view.find(text)
        self._host.typed_line.tell(view.found_told)

    def typing_ended(self, event: TypedLine.Ended) -> None:
        """Find what was wanted before, where typing was broken off."""
        if not event.kept:
            self.show_typed(event.text)

    def describe(self, *, grows: bool) -> str:
        """Say how the text is shown now, for the line over it.

        Args:
            grows: Whether more may be written, so that it can be followed.
        """
        view = self._host.text_view
        parts = []
        if view.wanted:
            parts.append(f"/{cut(inert(view.wanted), 20)} {view.found_told}")
        if not view.wrap:
            hints = self._hints
            keys = f"{hints(SIDEWAYS_LEFT)} {hints(SIDEWAYS_RIGHT)}"
            parts.append(f"unwrapped{f' from {view.left + 1}' if view.left else ''} {keys}")
        if grows:
            parts.append(f"follow {'on' if view.follow else 'off'}")
        return "   ".join(parts)


def copy_tail(tail: Tail, what: str, copying: CopiesText, notices: Tells) -> None:
    """Copy all that was read of a file, harmless.

    Args:
        tail: What was read.
        what: What the notice calls it.
        copying: Where it goes.
        notices: Where it is said that there is nothing to copy.
    """
    if tail.trouble:
        notices.tell(tail.trouble, "warn")
    else:
        copying.copy_text("\n".join(inert(line) for line in tail.lines), what, tail.path)
