"""Finding the lane that is typed among those that the file has: a letter less is another lane."""

from __future__ import annotations

from collections.abc import Sequence

from gigq_core.lanes.rules import Lane
from gigq_tui.format import count, inert
from gigq_tui.screens.submit.host import FormHost
from gigq_tui.screens.submit.name_search import NameSearch
from gigq_tui.screens.submit.suggestions import Suggestion, SuggestionList
from gigq_tui.store.filter.folding import folded
from gigq_tui.store.lanes import Lanes, LanesReading
from gigq_tui.store.stepwise import SoFar
from gigq_tui.widgets.form_row import Field


def ranked(typed: str, lanes: Sequence[Lane]) -> list[tuple[str, str]]:
    """The lanes that may be meant, and the beginnings of those that have a rule, with a word.

    Those that begin with what is typed come first.
    """
    wanted = folded(typed)
    found: list[tuple[int, str, str]] = []
    for lane in lanes:
        name, told = lane.name, f"{count(lane.running)} run, {count(lane.waiting)} wait"
        if lane.is_rule_only:
            name, told = name.removesuffix("*"), f"rule {lane.name}"
        if wanted in folded(name):
            found.append((not folded(name).startswith(wanted), name, told))
    return [(name, told) for _, name, told in sorted(found)]


class LaneSearch(NameSearch):
    """The part of the form that knows lanes; the file is asked once somebody types one.

    Args:
        host: The screen.
        suggestions: The list that hangs under the field that is typed into.
        field: The field of the lane.
    """

    def __init__(self, host: FormHost, suggestions: SuggestionList, field: Field) -> None:
        super().__init__(suggestions, field)
        self._host = host
        self._lanes: Sequence[Lane] | None = None

    def typed(self) -> None:
        if self._lanes is None:
            self._lanes = ()
            work = LanesReading()
            self._host.reads.ask(lambda reader: reader.step(work), self._take_lanes)
        super().typed()

    def _take_lanes(self, so_far: SoFar[Lanes]) -> None:
        self._lanes = so_far.value.lanes
        super().typed()

    def found(self, typed: str) -> list[Suggestion]:
        return [
            Suggestion(name, ((inert(name), ""), (f"  {inert(said)}", "dim")), name)
            for name, said in ranked(typed, self._lanes or ())
        ]

    def is_whole(self, typed: str) -> bool:
        """It may be a lane that is new."""
        return True
