"""Rows of like jobs, which the timeline and the levels share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from gigq_tui.screens.tree.drawing import Row
from gigq_tui.screens.tree.folds import Folds
from gigq_tui.store.graph.alike import Alike, alone
from gigq_tui.store.models import Graph


@dataclass(frozen=True)
class Group(Row):
    """A row of like jobs, or one of them: `label` is what it is called.

    `is_level` says that it has all jobs of its level, alike or not.
    """

    label: str = ""
    level: int = 0
    is_level: bool = False


def rows_of(
    graph: Graph, groups: Iterable[Alike], folds: Folds, depth: int = 0, around: str = ""
) -> Iterator[Group]:
    """Each group as a row, and its jobs below it where it is open.

    Args:
        graph: the jobs.
        groups: those that are like each other.
        folds: what is open.
        depth: how far the rows are set in.
        around: the fold that a single job closes.
    """
    for group in groups:
        if len(group.jobs) == 1:
            yield Group(
                group.key, group.jobs, True, around, True, depth, (), group.label, group.level
            )
            continue
        is_open = folds.is_open(group.key)
        yield Group(
            group.key, group.jobs, True, group.key, is_open, depth, (), group.label, group.level
        )
        if is_open:
            members = (alone(graph, id, group.level) for id in group.jobs)
            yield from rows_of(graph, members, folds, depth + 1, group.key)


def by_level(groups: Iterable[Alike]) -> Mapping[int, list[Alike]]:
    """The groups of each level."""
    found: dict[int, list[Alike]] = {}
    for group in groups:
        found.setdefault(group.level, []).append(group)
    return found
