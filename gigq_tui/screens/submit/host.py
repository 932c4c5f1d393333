"""What the parts of the form use of the screen that they are on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

from textual.timer import Timer

from gigq_tui.actions.functions.inspection import FunctionInfo
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.screens.submit.form import SubmitForm
from gigq_tui.store.models import JobRow


@dataclass
class Known:
    """What was looked up for the form.

    `info` is the function as it was found, `trouble` why it wasn't. `ids` are the jobs whose ids
    begin with what was typed, `rows` the lines of the jobs it depends on, None for one that is
    gone.
    """

    info: FunctionInfo | None = None
    trouble: str = ""
    ids: dict[str, tuple[str, ...]] = field(default_factory=dict)
    rows: dict[str, JobRow | None] = field(default_factory=dict)


class FormHost(Protocol):
    """The screen, as its parts know it."""

    form: SubmitForm
    known: Known

    def review(self) -> None:
        """Tell what is wrong, and what would be submitted."""

    @property
    def reads(self) -> ScreenReads:
        """The way to the reader thread, and to what else blocks; it ends with the screen."""

    def set_timer(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Call something once, after so many seconds."""


class Notices(Protocol):
    """Where it is said how something went."""

    def tell(self, text: str, tone: str = "info", twin: str = "") -> None:
        """Show a notice."""
