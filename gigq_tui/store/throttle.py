"""Holding back what is dear to read: never again before ten times its own cost has passed."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from gigq_tui.store.clock import Clock

T = TypeVar("T")

PATIENCE = 10.0


class Throttle(Generic[T]):
    """Remembers one value, and asks for it again only when that is needed and affordable.

    Args:
        clock: whose monotonic half times the reading.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._value: T | None = None
        self._key: Hashable = None
        self._version: int | None = None
        self._free_at = 0.0
        self._behind = False

    def get(self, key: Hashable, version: int, read: Callable[[], T]) -> T:
        """The value for `key`, at most as old as the gate's patience.

        Args:
            key: what the value belongs to; another key is read at once.
            version: the file's data version; an unchanged one is never read again.
            read: reads it; its duration is what the patience is measured by.
        """
        known = self._value is not None and key == self._key
        if known and version == self._version:
            self._behind = False
            return self._value  # type: ignore[return-value]
        if known and self._clock.monotonic() < self._free_at:
            self._behind = True
            return self._value  # type: ignore[return-value]
        started = self._clock.monotonic()
        value = read()
        ended = self._clock.monotonic()
        self._value, self._key, self._version = value, key, version
        self._free_at = ended + PATIENCE * (ended - started)
        self._behind = False
        return value

    def skip(self) -> None:
        """Note that the value is not wanted now, so that nothing is owed."""
        self._behind = False

    def owed_in(self) -> float | None:
        """Seconds until the value that was held back may be read; None if it is up to date."""
        if not self._behind:
            return None
        return max(0.0, self._free_at - self._clock.monotonic())

    @property
    def fresh(self) -> bool:
        """Whether the value last given was not held back."""
        return not self._behind
