"""Finding the lane that is typed among those that the file has: a letter less is another lane."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from gigq_core.lanes.rules import Lane
from gigq_tui.format import count, inert
from gigq_tui.screens.submit.host import FormHost
from gigq_tui.screens.submit.suggestions import Suggestion, SuggestionList
from gigq_tui.store.filter.folding import folded
from gigq_tui.store.lanes import Lanes, LanesReading
from gigq_tui.store.stepwise import SoFar
from gigq_tui.widgets.form_row import Field

MOST_SUGGESTED = 30


def ranked(typed: str, lanes: Sequence[Lane]) -> list[tuple[str, str]]:
    """The lanes that may be meant, and the beginnings of those that have a rule, with a word.

    Those that begin with what is typed come first.
    """
    wanted = folded(typed.strip())
    found: list[tuple[int, str, str]] = []
    for lane in lanes:
        name, told = lane.name, f"{count(lane.running)} run, {count(lane.waiting)} wait"
        if lane.is_rule_only:
            name, told = name.removesuffix("*"), f"rule {lane.name}"
        if wanted in folded(name):
            found.append((not folded(name).startswith(wanted), name, told))
    return [(name, told) for _, name, told in sorted(found)]


class LaneSearch:
    """The part of the form that knows lanes; the file is asked once somebody types one.

    Args:
        host: The screen.
        suggestions: The list that hangs under the field that is typed into.
        field: The field of the lane.
    """

    def __init__(self, host: FormHost, suggestions: SuggestionList, field: Field) -> None:
        self._host = host
        self._suggestions = suggestions
        self._field = field
        self._lanes: Sequence[Lane] | None = None
        field.keys_first = self.take_key

    def typed(self) -> None:
        """The name in the field is another one."""
        if self._lanes is None:
            self._lanes = ()
            work = LanesReading()
            self._host.reads.ask(lambda reader: reader.step(work), self._take_lanes)
        self._suggest()

    def _take_lanes(self, so_far: SoFar[Lanes]) -> None:
        self._lanes = so_far.value.lanes
        self._suggest()

    def take_key(self, event: events.Key) -> bool:
        """Take a key before the field gets it; say whether it was for the list of suggestions."""
        return self._suggestions.take_key(event)

    def _suggest(self) -> None:
        typed = self._field.value
        if not self._field.has_focus or not typed.strip():
            self._suggestions.close_under(self._field)
            return
        found = ranked(typed, self._lanes or ())
        items = [
            Suggestion(name, ((inert(name), ""), (f"  {inert(told)}", "dim")), name)
            for name, told in found[:MOST_SUGGESTED]
        ]
        if [item.value for item in items] == [typed.strip()]:
            items = []
        more = len(found) - len(items)
        foot = f"{more:,} more: type on" if items and more > 0 else ""
        # What is typed may be a lane that is new: it is completed where that is asked for alone.
        self._suggestions.offer(self._field, items, self._pick, foot=foot, whole=True)

    def _pick(self, picked: Suggestion) -> None:
        self._field.value = picked.value
        self._field.cursor_position = len(picked.value)
