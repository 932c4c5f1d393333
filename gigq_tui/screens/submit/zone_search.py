"""Finding the zone that is typed among those that this machine knows, and whose names are taken."""

from __future__ import annotations

from gigq_core.schedules.cron import check_zone
from gigq_tui.screens.submit.host import FormHost
from gigq_tui.screens.submit.name_search import NameSearch
from gigq_tui.screens.submit.suggestions import Suggestion, SuggestionList
from gigq_tui.store.filter.folding import folded
from gigq_tui.store.schedules import Schedules
from gigq_tui.widgets.form_row import Field


def ranked(typed: str, zones: tuple[str, ...]) -> list[str]:
    """The zones that may be meant: first those whose name, or whose city, begins like that."""
    wanted = folded(typed.replace(" ", "_"))
    found: list[tuple[int, str]] = []
    for zone in zones:
        name = folded(zone)
        if wanted in name:
            city = name.rpartition("/")[2]
            found.append((0 if name.startswith(wanted) or city.startswith(wanted) else 1, zone))
    return [zone for _, zone in sorted(found)]


class ZoneSearch(NameSearch):
    """The part of the form that knows zones, and the names of the schedules in the file.

    Args:
        host: The screen.
        suggestions: The list that hangs under the field that is typed into.
        field: The field of the zone.

    Attributes:
        schedules: The names of the schedules that there are, as far as is known.
    """

    def __init__(self, host: FormHost, suggestions: SuggestionList, field: Field) -> None:
        super().__init__(suggestions, field)
        self._host = host
        self._zones: tuple[str, ...] = ()
        self.schedules: frozenset[str] = frozenset()

    def begin(self) -> None:
        """Ask for both."""
        self._host.reads.find_out(_zones, self._take_zones)
        self._host.reads.ask(lambda reader: reader.schedules(""), self._take_schedules)

    def _take_zones(self, zones: tuple[str, ...]) -> None:
        self._zones = zones

    def _take_schedules(self, read: Schedules) -> None:
        self.schedules = frozenset(one.name for one in read.listed)
        self._host.review()

    def found(self, typed: str) -> list[Suggestion]:
        return [Suggestion(zone, ((zone, ""),), zone) for zone in ranked(typed, self._zones)]

    def is_whole(self, typed: str) -> bool:
        return typed in self._zones


def _zones() -> tuple[str, ...]:
    from zoneinfo import available_timezones

    return tuple(sorted(zone for zone in available_timezones() if "/" in zone or _is_zone(zone)))


def _is_zone(name: str) -> bool:
    """Whether it is more than the name of whatever zone a machine has."""
    try:
        return check_zone(name) == name
    except ValueError:
        return False
