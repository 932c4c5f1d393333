"""Which groups an action is about, and by what jobs are grouped."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from gigq_core.grouping.failed_now import FailedJobs
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import GROUP_BY, GROUP_MARK
from gigq_tui.screens.parts.list_marks import ListMarks, MarkedList
from gigq_tui.store.failures.grouping import CAUSE, FUNCTION, WORKER, Grouping, of_param
from gigq_tui.store.failures.reading import Groups, GroupsReading


class ChoiceHost(MarkedList, Protocol):
    """What the part needs of its screen."""

    @property
    def groups(self) -> Groups | None:
        """What is known of the groups."""


def row_id(value: str | None) -> str:
    """The id of a group's row."""
    return "-" if value is None else f"={value}"


class Choice(ListMarks[FailedJobs]):
    """The grouping, and the groups that are marked.

    Args:
        host: The screen.
        read: Reads the groups anew by another grouping.
        by: By what jobs are grouped at first.
        place: The place of the job whose group the cursor is to stand on at first, if any.

    Attributes:
        by: By what jobs are grouped.
        work: What reads them.
    """

    def __init__(
        self,
        host: ChoiceHost,
        read: Callable[[GroupsReading], None],
        by: Grouping = CAUSE,
        place: int | None = None,
    ) -> None:
        super().__init__(host, self._known, lambda group: row_id(group.value))
        self._host = host
        self._read = read
        self.by = by
        self.work = GroupsReading(by, place)
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
            self.forget_gone()

    def _known(self) -> Sequence[FailedJobs]:
        groups = self._host.groups
        return () if groups is None else groups.known.groups

    @does(GROUP_MARK)
    def mark(self) -> None:
        """Mark the group, or take its mark away, and go one down."""
        super().mark()

    @does(GROUP_BY)
    def group_by(self) -> None:
        """Group by the next of what they can be grouped by."""
        names = [grouping.name for grouping in self.groupings]
        at = names.index(self.by.name) + 1 if self.by.name in names else 0
        self.by = self.groupings[at % len(names)]
        self.marked.clear()
        self.work = GroupsReading(self.by)
        self._read(self.work)
        self._host.draw()
