"""A part that asks in a panel with fields: it opens it, and keeps keys from what it covers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from textual.widget import Widget

from gigq_tui.keys.action import Action
from gigq_tui.keys.screen_actions import BACK, QUIT, REFRESH, REPAINT, SUSPEND
from gigq_tui.screens.parts.part import Part
from gigq_tui.widgets.form_panel import FormPanel

# What may still be done while the panel is open; escape closes it.
_MEANWHILE = frozenset(action.id for action in (QUIT, REPAINT, SUSPEND, REFRESH))

_Panel = TypeVar("_Panel", bound=FormPanel)


class LaysOver(Protocol):
    """What the part needs of its screen."""

    def lay_over(self, panel: Widget) -> None:
        """Mount a panel that covers lines of the screen and moves none."""


class PanelPart(Part, Generic[_Panel]):
    """Asks in one panel at a time.

    Args:
        host: The screen.
    """

    def __init__(self, host: LaysOver) -> None:
        self._covered = host
        self._panel: _Panel | None = None

    @property
    def panel(self) -> _Panel | None:
        """The panel, while it is open."""
        return self._panel if self._panel is not None and self._panel.is_open else None

    def open(self, make: Callable[[], _Panel]) -> None:
        """Make the panel and lay it over the screen, unless it is open."""
        if self.panel is None:
            self._panel = make()
            self._covered.lay_over(self._panel)

    def forestalls(self, action: Action) -> bool:
        """Keep keys from what is covered, and let escape close the panel."""
        panel = self.panel
        if panel is None or action.id in _MEANWHILE:
            return False
        if action.id == BACK.id:
            panel.close()
        return True

    def review(self) -> None:
        """What it goes by may have changed: let the open panel say anew what would happen."""
        if self.panel is not None:
            self.panel.review()
