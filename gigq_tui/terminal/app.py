"""Textual's app, as far as it is about the terminal: what is painted, written and given back.

Together with the driver and the canvas the one place that knows private parts of Textual's objects.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.console import RenderableType
from textual._compositor import CompositorUpdate
from textual.app import App
from textual.driver import Driver
from textual.filter import LineFilter
from textual.geometry import Offset
from textual.screen import Screen
from textual.widgets import Input

from gigq_tui import format as fmt
from gigq_tui.terminal.canvas import Canvas, Changes
from gigq_tui.terminal.driver import ConsoleDriver
from gigq_tui.terminal.line_filters import line_filters
from gigq_tui.terminal.theme import THEME_NAMES, THEMES, fitting


class TerminalApp(App[None], inherit_bindings=False):
    """An app that sends only what differs to a terminal that may go away at any moment.

    Args:
        theme: `dark`, `light`, `ansi`, or `auto` for what the terminal's colours are enough for.

    Attributes:
        failed: Whether the app ends because of a fault.
    """

    def __init__(self, theme: str) -> None:
        super().__init__()
        # Nothing moves by itself: an animation is a flood of bytes on a slow line.
        self.animation_level = "none"
        self.failed = False
        self._canvas = Canvas()
        for known in THEMES:
            self.register_theme(known)
        self.theme = THEME_NAMES[fitting(theme, self.console.color_system, self.no_color)]

    def get_line_filters(self) -> Sequence[LineFilter]:
        usual = super().get_line_filters()
        return line_filters(usual, colour=not self.no_color, utf8=fmt.UTF8)

    def get_driver_class(self) -> type[Driver]:
        usual = super().get_driver_class()
        return ConsoleDriver if issubclass(ConsoleDriver, usual) else usual

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        # The terminal's own cursor, which nobody sees, goes along: a magnifier, a reader and an
        # input method look for it.
        self.cursor_position = self.place_of_cursor(screen)
        # Textual's one way to the terminal: of what it paints, only what differs goes there.
        if isinstance(renderable, CompositorUpdate):
            renderable = Changes(renderable, self._canvas)
        super()._display(screen, renderable)

    def place_of_cursor(self, screen: Screen[Any]) -> Offset:
        """The cell that somebody looks at: that of the field that is typed into."""
        focused = screen.focused
        return focused.cursor_screen_offset if isinstance(focused, Input) else Offset()

    def on_resize(self) -> None:
        # Each terminal moves what stands on it in its own way.
        self._canvas.forget()

    def paint_anew(self) -> None:
        """Paint the whole screen, for a terminal that lost some of it."""
        self._canvas.forget()
        self.screen.refresh(layout=True)

    def send(self, sequence: str) -> None:
        """Write a sequence to the terminal, past what is painted."""
        if self._driver is not None:
            self._driver.write(sequence)

    def keep_copy(self, text: str) -> None:
        """Let this be what was copied last, also where the terminal has not been told."""
        self._clipboard = text

    def give_terminal_back(self) -> None:
        """Restore the terminal although nothing of this app may go on. From any thread."""
        if isinstance(self._driver, ConsoleDriver):
            self._driver.give_back_now()

    def panic(self, *renderables: RenderableType) -> None:
        """End because of a fault, as when the terminal's input is lost."""
        self.failed = True
        super().panic(*renderables)
