"""Reading a text: find in it, wrap its lines or show them sideways, follow it while it grows."""

from __future__ import annotations

from pathlib import Path
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
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.tail import Tail
from gigq_tui.widgets.text_view import TextView
from gigq_tui.widgets.typed_line import TypedLine


class Notices(Protocol):
    """Where the reader says why a key does nothing."""

    def notice(self, text: str, tone: str = "info") -> None: ...


class Speaker(Notices, Protocol):
    """Where that is said with the keys that help."""

    @property
    def hints(self) -> KeyHints: ...


class Clipboard(Notices, Protocol):
    """Where a text is copied to, or it is said why there is none."""

    def copy_text(self, text: str, what: str, source: Path | None = None) -> None: ...


class ScreenWithText(Protocol):
    """What the reader uses of its screen."""

    @property
    def console(self) -> Speaker: ...

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
        screen: Whose text.
    """

    def __init__(self, screen: ScreenWithText) -> None:
        self._screen = screen

    # Keys

    @does(FIND)
    def do_find(self) -> None:
        """Type what to find in the text; it is gone to at every key."""
        if self._screen.readable():
            self._screen.read_whole()
            self._screen.typed_line.open(self._screen.text_view.wanted)

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
        if self._screen.readable():
            view = self._screen.text_view
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
        if self._screen.readable():
            self.switch_follow()

    def switch_follow(self) -> None:
        """Follow the end, or stop following it."""
        view = self._screen.text_view
        view.set_follow(not view.follow)

    def find_next(self, step: int) -> None:
        """Go to the next match, or to the one before when negative."""
        if not self._screen.text_view.wanted:
            self._screen.console.notice(
                f"No search yet: press {self._screen.console.hints(FIND)} to find text.", "warn"
            )
        else:
            self._screen.text_view.find_next(step)

    def _sideways(self, direction: int) -> None:
        if not self._screen.readable():
            return
        if self._screen.text_view.wrap:
            console = self._screen.console
            console.notice(f"Long lines are wrapped; {console.hints(WRAP)} unwraps them.")
        else:
            self._screen.text_view.sideways(direction)

    # What is typed: the screen hands on the messages of its line

    def show_typed(self, text: str) -> None:
        """Find what has been typed so far."""
        view = self._screen.text_view
        view.find(text)
        self._screen.typed_line.tell(view.found_told)

    def typing_ended(self, event: TypedLine.Ended) -> None:
        """Find what was wanted before, where typing was broken off."""
        if not event.kept:
            self.show_typed(event.text)

    def describe(self, *, grows: bool) -> str:
        """Say how the text is shown now, for the line over it.

        Args:
            grows: Whether more may be written, so that it can be followed.
        """
        view = self._screen.text_view
        parts = []
        if view.wanted:
            parts.append(f"/{cut(inert(view.wanted), 20)} {view.found_told}")
        if not view.wrap:
            hints = self._screen.console.hints
            keys = f"{hints(SIDEWAYS_LEFT)} {hints(SIDEWAYS_RIGHT)}"
            parts.append(f"unwrapped{f' from {view.left + 1}' if view.left else ''} {keys}")
        if grows:
            parts.append(f"follow {'on' if view.follow else 'off'}")
        return "   ".join(parts)


def copy_tail(tail: Tail, what: str, clipboard: Clipboard) -> None:
    """Copy all that was read of a file, harmless.

    Args:
        tail: What was read.
        what: What the notice calls it.
        clipboard: Where it goes.
    """
    if tail.trouble:
        clipboard.notice(tail.trouble, "warn")
    else:
        clipboard.copy_text("\n".join(inert(line) for line in tail.lines), what, tail.path)
