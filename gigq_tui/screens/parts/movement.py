"""Movement, the same on every screen: line by line, by pages, to either end."""

from __future__ import annotations

from collections.abc import Callable

from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import (
    DOWN,
    FIRST,
    HALF_DOWN,
    HALF_UP,
    LAST,
    PAGE_DOWN,
    PAGE_UP,
    UP,
)
from gigq_tui.screens.parts.part import Part
from gigq_tui.widgets.scrolled import Scrolled


class Movement(Part):
    """Moves what a screen moves.

    Args:
        move: Calls what it is given with that widget, if there is one now.
    """

    def __init__(self, move: Callable[[Callable[[Scrolled], None]], None]) -> None:
        self._move = move

    @does(DOWN)
    def down(self) -> None:
        self._move(lambda mover: mover.step(1))

    @does(UP)
    def up(self) -> None:
        self._move(lambda mover: mover.step(-1))

    @does(FIRST)
    def first(self) -> None:
        self._move(lambda mover: mover.go_first())

    @does(LAST)
    def last(self) -> None:
        self._move(lambda mover: mover.go_last())

    @does(PAGE_DOWN)
    def page_down(self) -> None:
        self._move(lambda mover: mover.turn(1))

    @does(PAGE_UP)
    def page_up(self) -> None:
        self._move(lambda mover: mover.turn(-1))

    @does(HALF_DOWN)
    def half_down(self) -> None:
        self._move(lambda mover: mover.turn(0.5))

    @does(HALF_UP)
    def half_up(self) -> None:
        self._move(lambda mover: mover.turn(-0.5))
