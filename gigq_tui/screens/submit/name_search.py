"""Offering the names that may be meant by what is typed in a field."""

from __future__ import annotations

from abc import ABC, abstractmethod

from textual import events

from gigq_tui.screens.submit.suggestions import Suggestion, SuggestionList
from gigq_tui.widgets.form_row import Field

MOST_SUGGESTED = 30


class NameSearch(ABC):
    """Offers names while one is typed.

    Args:
        suggestions: The list that hangs under the field that is typed into.
        field: The field of the name.
    """

    def __init__(self, suggestions: SuggestionList, field: Field) -> None:
        self._suggestions = suggestions
        self._field = field
        field.keys_first = self.take_key

    @abstractmethod
    def found(self, typed: str) -> list[Suggestion]:
        """The names that may be meant, the best first."""

    @abstractmethod
    def is_whole(self, typed: str) -> bool:
        """Whether what is typed may stay as it is: it is completed where that is asked for."""

    def take_key(self, event: events.Key) -> bool:
        """Take a key before the field gets it; say whether it was for the list of suggestions."""
        return self._suggestions.take_key(event)

    def typed(self) -> None:
        """What is in the field is another text: offer what may be meant by it."""
        typed = self._field.value.strip()
        if not self._field.has_focus or not typed:
            self._suggestions.close_under(self._field)
            return
        found = self.found(typed)
        items = found[:MOST_SUGGESTED]
        if [item.value for item in items] == [typed]:
            items = []
        more = len(found) - len(items)
        foot = f"{more:,} more: type on" if items and more > 0 else ""
        whole = self.is_whole(typed)
        self._suggestions.offer(self._field, items, self._pick, foot=foot, whole=whole)

    def _pick(self, picked: Suggestion) -> None:
        self._field.value = picked.value
        self._field.cursor_position = len(picked.value)
