"""Why waiting jobs wait: the ancestor to blame, found on a loaded piece of the dependency graph."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType

from gigq_core.status import JobStatus

_RUNNING = JobStatus.RUNNING.value
# A parent that ended in one of these keeps its children waiting until somebody retries it.
BAD_ENDS = frozenset(
    end.value for end in (JobStatus.FAILED, JobStatus.TIMEOUT, JobStatus.CANCELLED)
)


@dataclass(frozen=True)
class Culprit:
    """The ancestor because of which a job can't run now, or never will.

    `problem` is one of: running, waiting, failed, timeout, cancelled, missing, cycle. `told` is
    what its failure brings about, as `on_parent_failure` has it, where that is to happen next.
    """

    id: str
    name: str
    problem: str
    error: str = ""
    told: str = ""


@dataclass(frozen=True)
class Parent:
    """What has to be known of a parent to blame it."""

    id: str
    name: str
    status: str
    error: str = ""


@dataclass(frozen=True)
class Blame:
    """Whether a waiting job can ever run as things stand, and who is in its way."""

    doomed: bool
    culprit: Culprit | None


# What the failure of a parent brings about, by (child, parent): "cancel" or "run".
Told = Mapping[tuple[str, str], str]

# What it is called, as in `core_edges.on_failure`.
TOLD = {1: "cancel", 2: "run"}


def blame_of(
    unmet: Mapping[str, Sequence[str]],
    kin: Mapping[str, Parent | None],
    told: Told = MappingProxyType({}),
) -> dict[str, Blame]:
    """Judge every waiting job of `unmet`.

    Args:
        unmet: for each waiting job, the parents that have not completed.
        kin: what is known of those parents; None says that there is no such job. A parent that
            waits too, but is no key of `unmet`, was not looked into and counts as hopeful.
        told: which of them do not wait for ever for a parent that failed, and why not.
    """
    doom = _doom_by_ends(unmet, kin, told)
    doom.update(_doom_by_cycles({id: unmet[id] for id in unmet if id not in doom}, kin))
    judged: dict[str, Blame] = {}
    for child, parents in unmet.items():
        if child in doom:
            judged[child] = Blame(True, doom[child])
        else:
            judged[child] = Blame(False, _told(child, parents, kin, told) or _nearest(parents, kin))
    return judged


def blamed_for(
    judged: Mapping[str, Blame],
    unmet: Mapping[str, Sequence[str]],
    kin: Mapping[str, Parent | None],
    told: Told = MappingProxyType({}),
) -> frozenset[str]:
    """All that keeps the doomed jobs of `judged` from running, by their ids.

    `blame_of` names the nearest one for each of them; a job runs once all of these are mended. Of
    a cycle it is the job that is named. The arguments are those of `blame_of`.
    """
    blamed: set[str] = set()
    for child, blame in judged.items():
        if not blame.doomed:
            continue
        if blame.culprit is not None and blame.culprit.problem == "cycle":
            blamed.add(blame.culprit.id)
        for parent in unmet[child]:
            culprit = _bad_end(parent, kin)
            if culprit is not None and not _is_told(child, culprit, told):
                blamed.add(parent)
    return frozenset(blamed)


def _is_told(child: str, culprit: Culprit, told: Told) -> bool:
    """Whether a child is told of an end: it is not, of a wait without one or what nobody knows."""
    return (child, culprit.id) in told and culprit.problem in BAD_ENDS


def _doom_by_ends(
    unmet: Mapping[str, Sequence[str]], kin: Mapping[str, Parent | None], told: Told
) -> dict[str, Culprit]:
    """Spread from parents that failed or are missing, breadth first: the nearest one is blamed.

    Of several that are equally near it is the one with the first id, so that who asks, and about
    which other jobs, makes no difference.
    """
    children = _turned(unmet)
    doom: dict[str, Culprit] = {}
    wave: dict[str, Culprit] = {}
    for parent in children:
        culprit = _bad_end(parent, kin)
        if culprit is not None:
            wave[parent] = culprit
    while wave:
        reached: dict[str, Culprit] = {}
        for parent, culprit in wave.items():
            for child in children.get(parent, ()):
                if parent == culprit.id and _is_told(child, culprit, told):
                    continue
                if child not in doom and (child not in reached or culprit.id < reached[child].id):
                    reached[child] = culprit
        doom.update(reached)
        wave = reached
    return doom


def _doom_by_cycles(
    unmet: Mapping[str, Sequence[str]], kin: Mapping[str, Parent | None]
) -> dict[str, Culprit]:
    """Peel off whatever has no waiting parent; what is left waits, in the end, for itself."""
    waiting = {child: {p for p in parents if p in unmet} for child, parents in unmet.items()}
    children = _turned(waiting)
    left = {child: len(parents) for child, parents in waiting.items()}
    free = deque(child for child, count in left.items() if count == 0)
    while free:
        done = free.popleft()
        del left[done]
        for child in children.get(done, ()):
            left[child] -= 1
            if left[child] == 0:
                free.append(child)
    doom: dict[str, Culprit] = {}
    for start in left:
        path: list[str] = []
        on_path: set[str] = set()
        node = start
        while node not in doom and node not in on_path:
            path.append(node)
            on_path.add(node)
            node = next(parent for parent in unmet[node] if parent in left)
        culprit = doom.get(node) or Culprit(node, _name(node, kin), "cycle")
        doom.update(dict.fromkeys(path, culprit))
    return doom


def _turned(unmet: Mapping[str, Iterable[str]]) -> dict[str, list[str]]:
    children: dict[str, list[str]] = {}
    for child, parents in unmet.items():
        for parent in parents:
            children.setdefault(parent, []).append(child)
    return children


def _bad_end(parent: str, kin: Mapping[str, Parent | None]) -> Culprit | None:
    if parent in kin and kin[parent] is None:
        return Culprit(parent, "", "missing")
    known = kin.get(parent)
    if known is None or known.status not in BAD_ENDS:
        return None
    return Culprit(known.id, known.name, known.status, known.error)


def _told(
    child: str, parents: Sequence[str], kin: Mapping[str, Parent | None], told: Told
) -> Culprit | None:
    """The parent whose failure a worker is about to tell the child of."""
    for parent in parents:
        if (child, parent) in told and (culprit := _bad_end(parent, kin)) is not None:
            return replace(culprit, told=told[child, parent])
    return None


def _nearest(parents: Sequence[str], kin: Mapping[str, Parent | None]) -> Culprit | None:
    """The parent that is named for a hopeful wait: one that runs, or else the first."""
    first: Culprit | None = None
    for parent in parents:
        known = kin.get(parent)
        if known is None:
            continue
        if known.status == _RUNNING:
            return Culprit(known.id, known.name, "running")
        first = first or Culprit(known.id, known.name, "waiting")
    return first


def _name(id: str, kin: Mapping[str, Parent | None]) -> str:
    known = kin.get(id)
    return known.name if known is not None else ""
