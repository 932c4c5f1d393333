"""What many parts need of the services, as small Protocols: a test puts a stand-in there."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar, runtime_checkable

from gigq_tui.store.filter.language import Filter
from gigq_tui.store.models import Tab

T = TypeVar("T")


class Tells(Protocol):
    """Says something to the person at the screen."""

    def tell(self, text: str, tone: str = "info") -> None:
        """Say it in one line; the tone is `info`, `ok`, `warn` or `error`."""


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
