"""What many parts need, as small Protocols: a test puts a stand-in there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

from gigq_tui.actions.question import Question
from gigq_tui.actions.report import Report
from gigq_tui.store.filter.language import Filter
from gigq_tui.store.models import Tab

T = TypeVar("T")


class Tells(Protocol):
    """Says something to the person at the screen."""

    def tell(self, text: str, tone: str = "info") -> None:
        """Say it in one line; the tone is `info`, `ok`, `warn` or `error`."""


class AsksQuestion(Protocol):
    """A screen on which a question can be asked."""

    def question(self, question: Question) -> None:
        """Ask in the panel."""


class Acts(Protocol):
    """Has things done to the file, and tells what came of them."""

    @property
    def attach_details(self) -> tuple[str, ...]:
        """What a question says besides where the first action attaches the file."""

    def act(
        self, call: Callable[[], Report | None], after: Callable[[], None] | None = None
    ) -> None:
        """Do it in a thread; then, where it succeeded, what comes after it."""

    def after_attach_question(self, title: str, act: Callable[[], None]) -> None:
        """Do it, once somebody agreed to attach the file, where that is still to be done."""


@runtime_checkable
class AboutJobs(Protocol):
    """A screen that is about other jobs than those of the list."""

    @property
    def listed(self) -> tuple[Tab, Filter]:
        """They are those of a tab that a filter lets through."""


class FindsOut(Protocol):
    """Waits for something in a thread, and no longer than the screen is there."""

    def find_out(self, call: Callable[[], T], got: Callable[[T], None]) -> None:
        """Hand over what `call` returns."""
