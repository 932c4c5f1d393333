"""Which groups an action is about, and by what jobs are grouped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gigq_core.grouping.failed_now import FailedJobs
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import GROUP_BY, GROUP_MARK
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.failures.grouping import CAUSE, FUNCTION, WORKER, Grouping, of_param
from gigq_tui.store.failures.reading import Groups, GroupsReading
from gigq_tui.widgets.row_list import PickList


class ChoiceHost(Protocol):
    """What the part needs of its screen."""

    @property
    def roster(self) -> PickList:
        """The list of groups."""

    @property
    def groups(self) -> Groups | None:
        """What is known of them."""

    def draw(self) -> None:
        """Draw them."""


def row_id(value: str | None) -> str:
    """The id of a group's row."""
    return "-" if value is None else f"={value}"


class Choice(Part):
    """The grouping, and the groups that are marked.

    Args:
        host: The screen.
        read: Reads the groups anew by another grouping.
        by: By what jobs are grouped at first.
        place: The place of the job whose group the cursor is to stand on at first, if any.

    Attributes:
        by: By what jobs are grouped.
        work: What reads them.
        marked: The values of the groups that are marked.
    """

    def __init__(
        self,
        host: ChoiceHost,
        read: Callable[[GroupsReading], None],
        by: Grouping = CAUSE,
        place: int | None = None,
    ) -> None:
        self._host = host
        self._read = read
        self.by = by
        self.work = GroupsReading(by, place)
        self.marked: dict[str | None, None] = {}
        self._params: tuple[str, ...] = ()

    @property
    def groupings(self) -> Sequence[Grouping]:
        """By what they could be grouped."""
        found = (CAUSE, FUNCTION, *map(of_param, self._params), WORKER)
        return found if self.by in found else (*found, self.by)

    def take(self, groups: Groups) -> None:
        """Take what was read: the names of parameters, and which groups are left."""
        if groups.is_whole:
            self._params = groups.params
            there = {group.value for group in groups.known.groups}
            self.marked = {value: None for value in self.marked if value in there}

    @property
    def current(self) -> FailedJobs | None:
        """The group under the cursor."""
        groups, cursor = self._host.groups, self._host.roster.cursor_id
        shown = groups.known.groups if groups is not None else ()
        return next((group for group in shown if row_id(group.value) == cursor), None)

    @property
    def chosen(self) -> tuple[FailedJobs, ...]:
        """The groups that are marked, or the one under the cursor."""
        groups, current = self._host.groups, self.current
        if groups is not None and self.marked:
            return tuple(group for group in groups.known.groups if group.value in self.marked)
        return () if current is None else (current,)

    @does(GROUP_MARK)
    def mark(self) -> None:
        """Mark the group, or take its mark away, and go one down."""
        if (group := self.current) is None:
            return
        if group.value in self.marked:
            del self.marked[group.value]
        else:
            self.marked[group.value] = None
        self._host.draw()
        self._host.roster.step(1)

    def unmark(self) -> bool:
        """Take all marks away; say whether there were any."""
        had, self.marked = bool(self.marked), {}
        if had:
            self._host.draw()
        return had

    @does(GROUP_BY)
    def group_by(self) -> None:
        """Group by the next of what they can be grouped by."""
        names = [grouping.name for grouping in self.groupings]
        at = names.index(self.by.name) + 1 if self.by.name in names else 0
        self.by = self.groupings[at % len(names)]
        self.marked = {}
        self.work = GroupsReading(self.by)
        self._read(self.work)
        self._host.draw()
