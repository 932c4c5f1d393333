"""What one screen finds out, from the file and elsewhere; it ends with the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from gigq_tui.services.reads import Reads
from gigq_tui.services.waiting import RunsWorkers, find_out
from gigq_tui.store.questions import Questions

_Value = TypeVar("_Value")


class Asker(RunsWorkers, Protocol):
    """The screen that asks."""

    @property
    def is_here(self) -> bool:
        """Whether it is still there to hear the answer."""


def _say_nothing(_: str) -> None:
    """Whoever asked does without the answer."""


class ScreenReads:
    """Asks for one screen: once that is gone, no answer comes.

    Args:
        reads: The reader's thread.
        screen: Who asks.
    """

    def __init__(self, reads: Reads, screen: Asker) -> None:
        self._reads = reads
        self._screen = screen
        # One for each answer that decides what a key does, and has not come yet.
        self._expected: set[object] = set()

    @property
    def expects(self) -> bool:
        """Whether something that a key asked for is about to change what keys mean here."""
        return bool(self._expected)

    def give_up(self) -> None:
        """Expect nothing any longer: it may still come."""
        self._expected.clear()

    def ask(
        self,
        read: Callable[[Questions], _Value],
        got: Callable[[_Value], None],
        failed: Callable[[str], None] = _say_nothing,
        *,
        first: bool = False,
    ) -> None:
        """Have the reader's thread find something out in the queue file.

        Args:
            read: Asks the reader, on its thread.
            got: Gets the answer.
            failed: Gets the sentence instead that says why there is none.
            first: Whether it decides what a key does: keys behind it wait for that.
        """
        if self._reads.feed is None:
            return
        token = self._expect(first)
        self._reads.ask(read, self._while_here(token, got), self._while_here(token, failed))

    def find_out(
        self, call: Callable[[], _Value], got: Callable[[_Value], None], *, first: bool = False
    ) -> None:
        """Have a thread of its own find something out elsewhere.

        Args:
            call: What blocks, like reading a log.
            got: Gets the value.
            first: Whether it decides what a key does: keys behind it wait for that.
        """
        find_out(self._screen, call, self._while_here(self._expect(first), got))

    def _expect(self, first: bool) -> object:
        token = object()
        if first:
            self._expected.add(token)
        return token

    def _while_here(self, token: object, got: Callable[[_Value], None]) -> Callable[[_Value], None]:
        def received(value: _Value) -> None:
            if self._screen.is_here:
                self._expected.discard(token)
                got(value)

        return received
