"""Folding the rows of a graph, and leaving out the jobs that completed."""

from __future__ import annotations

from typing import Protocol

from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import FOLD, FOLD_HERE, HIDE_DONE
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.tree.drawing import Row
from gigq_tui.screens.tree.folds import Folds


class FoldingHost(Protocol):
    """What folding needs of its screen."""

    @property
    def row(self) -> Row | None:
        """The row under the cursor."""

    def draw_graph(self) -> None:
        """Draw the shape anew; the cursor stays on its job."""


class Folding(Part):
    """Folds and unfolds.

    Args:
        folds: What is folded.
        notices: Where it is said that there is nothing to fold.
        host: The screen.
    """

    def __init__(self, folds: Folds, notices: Tells, host: FoldingHost) -> None:
        self.folds = folds
        self._notices = notices
        self._host = host

    @does(FOLD)
    def toggle_all(self) -> None:
        """Fold jobs that look alike into one row, or unfold them all."""
        self.folds.fold_alike(alike=not self.folds.alike)
        self._host.draw_graph()

    @does(FOLD_HERE)
    def toggle_here(self) -> None:
        """Fold or unfold what the row under the cursor stands for."""
        row = self._host.row
        if row is None or not row.fold:
            self._notices.tell("Nothing to fold in this row.", "warn")
            return
        self.folds.choose(row.fold, is_open=not row.is_open)
        self._host.draw_graph()

    @does(HIDE_DONE)
    def hide_done(self) -> None:
        """Leave out the jobs that completed, or show them again."""
        self.folds.hides_done = not self.folds.hides_done
        self._host.draw_graph()
