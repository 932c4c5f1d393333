"""The shapes in which one graph is drawn, and which of them it is now."""

from __future__ import annotations

from enum import Enum
from typing import Protocol

from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import NEXT_SHAPE
from gigq_tui.screens.parts.part import Part


class Shape(Enum):
    """How a graph is drawn; the value is what it is called."""

    TREE = "Tree"
    TIMELINE = "Timeline"
    LEVELS = "Levels"
    RUNS = "Runs"

    @property
    def word(self) -> str:
        """What opens a graph so."""
        return self.value.lower()


def shape_of(word: str) -> Shape:
    """Return the shape that a word opens."""
    return next(shape for shape in Shape if shape.word == word)


class ShapesHost(Protocol):
    """What the part needs of its screen."""

    def draw_graph(self) -> None:
        """Draw the shape anew; the cursor stays on its job."""


class Shapes(Part):
    """Goes from one shape to the next.

    Args:
        host: The screen.
        shape: The first one.
    """

    def __init__(self, host: ShapesHost, shape: Shape = Shape.TREE) -> None:
        self.shape = shape
        self._host = host

    @does(NEXT_SHAPE)
    def show_next(self) -> None:
        """Draw the graph in its next shape; after the last, as the tree again."""
        shapes = list(Shape)
        self.show(shapes[(shapes.index(self.shape) + 1) % len(shapes)])

    def show(self, shape: Shape) -> None:
        """Draw the graph in one shape."""
        self.shape = shape
        self._host.draw_graph()
