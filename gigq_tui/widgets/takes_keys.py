"""What the router asks of a part that keys belong to while it is open or has the focus."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

from textual import events

# The class by which a screen knows the panels that lie over it.
OVERLAY = "overlay"


@runtime_checkable
class TakesKeys(Protocol):
    """A part to which keys and paste are handed, one after the other, each at its turn."""

    def take_key(self, event: events.Key) -> bool:
        """Do what the key means here; False where it means nothing here and others are asked."""

    def take_paste(self, text: str) -> None:
        """Do what pasted text means here."""


@runtime_checkable
class Overlay(TakesKeys, Protocol):
    """A panel that lies over a screen: it is asked before the screen until it is closed."""

    @property
    def is_open(self) -> bool:
        """Whether keys belong to it; false from the moment it is closed, before it is gone."""

    def close(self) -> None:
        """Take it away and give the keys back."""


def first_line(text: str) -> str:
    """What a field of one line takes of pasted text."""
    return "".join(text.splitlines()[:1])
