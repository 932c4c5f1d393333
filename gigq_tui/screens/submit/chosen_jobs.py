"""The jobs that were chosen in a form, one a line, each of which can be taken out again."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events

from gigq_tui.widgets.form_row import WALKS, go_with_the_focus
from gigq_tui.widgets.lines import Line, Lines

MOST_LINES = 6
CURSOR = ("", "cursor")


class ChosenJobs(Lines, can_focus=True):
    """A short list that takes the focus: arrows move in it, space or enter takes a line out.

    Args:
        drop: Called with the id of the job that is taken out.
    """

    DEFAULT_CSS = """
    ChosenJobs { height: 1; display: none; margin: 0 0 0 13; }
    ChosenJobs.-some { display: block; }
    """

    def __init__(self, drop: Callable[[str], None], *, id: str) -> None:
        super().__init__(id=id)
        self.jobs: tuple[tuple[str, Line], ...] = ()
        self.at = 0
        self.top = 0
        self._drop = drop

    def show(self, jobs: Sequence[tuple[str, Line]]) -> None:
        """Replace the lines: pairs of a job's id and what is said of it."""
        self.jobs = tuple(jobs)
        self.at = max(0, min(self.at, len(self.jobs) - 1))
        self._keep_in_view()
        self.set_class(bool(self.jobs), "-some")
        self.styles.height = max(1, min(len(self.jobs), MOST_LINES))
        self.repaint()

    def line_at(self, y: int) -> Line:
        index = self.top + y
        if index >= len(self.jobs):
            return ()
        line = (("[x] ", "key"), *self.jobs[index][1])
        return (CURSOR, *line) if self.has_focus and index == self.at else line

    def on_focus(self) -> None:
        self.repaint()

    def on_blur(self) -> None:
        self.repaint()

    def take_key(self, event: events.Key) -> bool:
        """Move in the list, take a line out, or go on to the next part of the form."""
        if event.key in ("space", "enter", "x") and self.jobs:
            self._drop(self.jobs[self.at][0])
        elif event.key == "down" and self.at + 1 < len(self.jobs):
            self._move(self.at + 1)
        elif event.key == "up" and self.at:
            self._move(self.at - 1)
        else:
            return go_with_the_focus(self, event, WALKS)
        return True

    def take_paste(self, text: str) -> None:
        """There is nothing to type here."""

    def on_click(self, event: events.Click) -> None:
        event.stop()
        index = self.top + event.y
        if index < len(self.jobs) and event.x < len("[x]"):
            self._drop(self.jobs[index][0])

    def _move(self, at: int) -> None:
        self.at = at
        self._keep_in_view()
        self.repaint()

    def _keep_in_view(self) -> None:
        room = min(len(self.jobs), MOST_LINES)
        self.top = max(0, min(max(min(self.top, self.at), self.at - room + 1), len(self.jobs)))
