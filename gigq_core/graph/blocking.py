"""How many jobs hang on a job, each number with one meaning wherever it is said.

* **Direct children** name the job among those that they depend on, in whichever state they are.
* A job **blocks** the waiting jobs that can't run unless it completes: its children, their
  children, and so on. One that is told to run even if the job fails is none of them.
* Retrying a job **frees** the jobs that never run as things stand, and run once it has completed.
* Retrying **all** is to retry with it the other failed jobs above what it blocks.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field
from itertools import islice
from typing import NamedTuple, Protocol

from gigq_core.graph.blame import BAD_ENDS
from gigq_core.rows.decoding import as_int, as_text
from gigq_core.schema import view_statements as view
from gigq_core.status import JobStatus

# How many jobs are looked at, below some jobs and above those.
MOST_LOOKED_AT = 10_000
# How many dependencies are read of a file that has no table of them.
MOST_IN_ROWS = 200_000

_PENDING = JobStatus.PENDING.value
# What becomes of a child when its parent fails, as `core_edges.on_failure` has it.
WAIT, CANCEL, RUN = range(3)


class Blocking(NamedTuple):
    """How many other jobs hang on some jobs; see the module for what each number means.

    `cancels` are those of `blocks` that are cancelled if the jobs fail. `failed` is how many more
    would have to be retried for `frees_all`. `cancelled` were cancelled because the jobs failed,
    and still are. With `is_cut` there are more than were looked at.
    """

    children: int = 0
    blocks: int = 0
    cancels: int = 0
    frees: int = 0
    frees_all: int = 0
    failed: int = 0
    cancelled: int = 0
    is_cut: bool = False


@dataclass
class Waits:
    """Dependencies that are not met, among some jobs. A status of None: there is no such job."""

    statuses: dict[str, str | None] = field(default_factory=dict)
    parents: dict[str, dict[str, int]] = field(default_factory=dict)
    children: dict[str, dict[str, int]] = field(default_factory=dict)
    is_cut: bool = False

    def add(self, child: str, parent: str, on_failure: int = WAIT) -> None:
        """Take in that a job waits for another."""
        self.parents.setdefault(child, {})[parent] = on_failure
        self.children.setdefault(parent, {})[child] = on_failure

    def has_failed(self, id: str) -> bool:
        """Whether it ended, and its children wait."""
        return self.statuses.get(id) in BAD_ENDS

    def waits(self, id: str) -> bool:
        """Whether it is a job that waits."""
        return self.statuses.get(id) == _PENDING


def cancelled_with(waits: Waits, ids: Iterable[str]) -> set[str]:
    """The waiting jobs that are cancelled if some jobs fail."""
    given = set(ids)
    found: set[str] = set()
    reached = list(given)
    for parent in reached:  # grows meanwhile
        for child, on_failure in waits.children.get(parent, {}).items():
            if on_failure == CANCEL and waits.waits(child) and child not in found | given:
                found.add(child)
                reached.append(child)
    return found


def blocked_by(waits: Waits, ids: Iterable[str]) -> set[str]:
    """The waiting jobs that can't run unless some jobs complete."""
    given = {id for id in ids if waits.statuses.get(id) != JobStatus.COMPLETED.value}
    # What fails with them sets those free that are told to run then; what never begins, nobody.
    ended = set(given)
    reached = list(given)
    for parent in reached:  # grows meanwhile
        for child, on_failure in waits.children.get(parent, {}).items():
            is_open = waits.waits(child) or waits.has_failed(child)
            if on_failure == CANCEL and is_open and child not in ended:
                ended.add(child)
                reached.append(child)
    seen = set(ended)
    for parent in reached:  # grows meanwhile
        runs_then = parent in ended or waits.has_failed(parent)
        for child, on_failure in waits.children.get(parent, {}).items():
            if child in seen or (on_failure == RUN and runs_then):
                continue
            if waits.waits(child) or waits.has_failed(child):
                seen.add(child)
                reached.append(child)
    return {id for id in seen - given if waits.waits(id)}


def that_run(waits: Waits, retried: Collection[str] = ()) -> set[str]:
    """The waiting jobs that run sooner or later if nothing more fails.

    Args:
        waits: with all that stands above them.
        retried: jobs that failed, and wait again.
    """
    pending = {id for id in waits.statuses if waits.waits(id)} | set(retried)
    pending -= _cancelled_next(waits, pending)
    left = {
        id: sum(
            not _is_met(waits, parent, on_failure, pending)
            for parent, on_failure in waits.parents.get(id, {}).items()
        )
        for id in pending
    }
    free = [id for id, count in left.items() if not count]
    run = set(free)
    for parent in free:  # grows meanwhile
        for child in waits.children.get(parent, {}):
            if child in left and child not in run:
                left[child] -= 1
                if not left[child]:
                    run.add(child)
                    free.append(child)
    return run


def _cancelled_next(waits: Waits, pending: set[str]) -> set[str]:
    """Those of some waiting jobs that a failure above them cancels as soon as somebody looks."""
    ended = [id for id in waits.statuses if waits.has_failed(id) and id not in pending]
    found: set[str] = set()
    for parent in ended:  # grows meanwhile
        for child, on_failure in waits.children.get(parent, {}).items():
            if on_failure == CANCEL and child in pending and child not in found:
                found.add(child)
                ended.append(child)
    return found


def _is_met(waits: Waits, parent: str, on_failure: int, pending: set[str]) -> bool:
    """Whether nobody has to wait for that parent to begin: it runs, or failed and counts."""
    if parent in pending:
        return False
    if waits.has_failed(parent) or waits.waits(parent):  # the latter is cancelled next
        return on_failure == RUN
    return waits.statuses.get(parent) is not None


def freed_by(waits: Waits, ids: Collection[str]) -> set[str]:
    """The waiting jobs that never run as things stand, and do once some failed ones completed."""
    retried = {id for id in ids if waits.has_failed(id)}
    if not retried:
        return set()
    return that_run(waits, retried) - that_run(waits) - retried


def failed_above(waits: Waits, ids: Iterable[str]) -> list[str]:
    """The failed jobs above some jobs, and these themselves: the furthest last."""
    reached = list(dict.fromkeys(ids))
    seen = set(reached)
    for child in reached:  # grows meanwhile
        for parent, on_failure in waits.parents.get(child, {}).items():
            if parent in seen or (on_failure == RUN and waits.has_failed(parent)):
                continue
            seen.add(parent)
            reached.append(parent)
    return [id for id in reached if waits.has_failed(id)]


def all_to_retry(waits: Waits, ids: Collection[str]) -> list[str]:
    """The failed ones of some jobs, and those above them and above all that they block."""
    failed = [id for id in ids if waits.has_failed(id)]
    return failed_above(waits, [*ids, *sorted(blocked_by(waits, failed))])


def blocking(waits: Waits, ids: Collection[str], *, children: int, cancelled: int = 0) -> Blocking:
    """All numbers of some jobs.

    Args:
        waits: with all that stands below them, and above that.
        ids: the jobs.
        children: how many direct children they have.
        cancelled: how many were cancelled because of them.
    """
    blocked = blocked_by(waits, ids)
    together = all_to_retry(waits, ids)
    return Blocking(
        children,
        len(blocked),
        len(cancelled_with(waits, ids)),
        len(freed_by(waits, ids)),
        len(freed_by(waits, together)),
        len(set(together) - set(ids)),
        cancelled,
        waits.is_cut,
    )


# --- in words -----------------------------------------------------------------------------------


def blocks_in_words(count: int, is_cut: bool = False) -> str:
    """How many jobs one blocks, as part of a sentence."""
    if not count:
        return "blocks no job"
    return f"blocks {'at least ' if is_cut else ''}{count:,} {'job' if count == 1 else 'jobs'}"


def retry_in_words(numbers: Blocking, *, many: bool = False, one: str = "", all: str = "") -> str:
    """What a retry would do for the jobs behind, in a sentence or two; empty where none wait.

    Args:
        numbers: of the jobs that would be retried.
        many: whether that is more than one.
        one: how they are retried, such as a key; said in parentheses.
        all: how all of them are retried together with the others that failed.
    """
    if not numbers.blocks:
        return ""
    said = _blocks(numbers, many)
    alone = f"Retrying {'them' if many else 'it'}{{}}{f' ({one})' if one else ''}"
    if numbers.frees >= numbers.blocks:
        whom = "that one" if numbers.blocks == 1 else f"all {numbers.blocks:,}"
        return f"{said}. {alone.format('')} frees {whom}."
    frees = f"{numbers.frees:,}" if numbers.frees else "none"
    if not numbers.failed:
        return f"{said}. {alone.format('')} frees {frees}: the rest can't run in any case."
    together = f"{numbers.failed + 1:,}"
    if many:
        how = f" ({all} retries all of them)" if all else ""
    elif numbers.frees_all < numbers.blocks:
        how = f" ({all} retries all {together}, and frees {numbers.frees_all:,})" if all else ""
    else:
        how = f" ({all} retries all {together})" if all else ""
    return f"{said}. {alone.format(' alone')} frees {frees}: {numbers.failed:,} more failed{how}."


def cancel_in_words(numbers: Blocking, *, many: bool = False) -> str:
    """What becomes of the jobs behind if some are cancelled; empty where none wait."""
    if not numbers.blocks:
        return ""
    said, them = _blocks(numbers, many), "them" if many else "it"
    if not numbers.cancels:
        if numbers.blocks == 1:
            return f"{said}, which can't run without {them}."
        return f"{said}: none of those can run without {them}."
    if numbers.cancels >= numbers.blocks:
        return f"{said}, which {'is' if numbers.blocks == 1 else 'are'} cancelled too."
    rest = numbers.blocks - numbers.cancels
    others = "the other" if rest == 1 else f"the other {rest:,}"
    are = "is" if numbers.cancels == 1 else "are"
    return f"{said}: {numbers.cancels:,} {are} cancelled too, {others} can't run without {them}."


def _blocks(numbers: Blocking, many: bool) -> str:
    words = blocks_in_words(numbers.blocks, numbers.is_cut)
    return words.replace("blocks", "They block", 1) if many else words.capitalize()


# --- reading ------------------------------------------------------------------------------------


def read_blocking(
    conn: sqlite3.Connection, ids: Collection[str], most: int = MOST_LOOKED_AT
) -> Blocking:
    """All numbers of some jobs of a file, attached or not.

    Args:
        conn: within a read transaction.
        ids: the jobs.
        most: how many jobs below them, and above those, are looked at.
    """
    edges = _edges_of(conn)
    waits = Waits()
    _look(edges, waits, ids, most, below=True, above=True)
    children, cancelled = edges.counts(list(ids), most)
    return blocking(waits, ids, children=children, cancelled=cancelled)


def read_to_retry(conn: sqlite3.Connection, id: str, most: int = MOST_LOOKED_AT) -> list[str]:
    """The failed jobs that a job, and all that it blocks, wait for; itself, if it failed."""
    waits = Waits()
    _look(_edges_of(conn), waits, [id], most, below=True, above=True)
    return all_to_retry(waits, [id])


def count_blocked(conn: sqlite3.Connection, id: str, most: int) -> int:
    """How many waiting jobs one job blocks, counted up to `most`."""
    waits = Waits()
    _look(_edges_of(conn), waits, [id], most, below=True, above=False)
    return len(blocked_by(waits, [id]))


def read_waits(conn: sqlite3.Connection, ids: Iterable[str], most: int = MOST_LOOKED_AT) -> Waits:
    """What some jobs wait for, and what those wait for, up to `most` jobs."""
    waits = Waits()
    _look(_edges_of(conn), waits, ids, most, below=False, above=True)
    return waits


class _Edges(Protocol):
    """Where unmet dependencies are read: each with child, parent, on_failure, and both statuses."""

    def below(self, ids: list[str], most: int) -> list[_Edge]: ...

    def above(self, ids: list[str], most: int) -> list[_Edge]: ...

    def counts(self, ids: list[str], most: int) -> tuple[int, int]: ...


class _Edge(NamedTuple):
    child: str
    parent: str
    on_failure: int
    child_status: str | None
    parent_status: str | None


def _edges_of(conn: sqlite3.Connection) -> _Edges:
    found = {str(row[0]) for row in conn.execute(view.EDGE_COLUMNS)}
    return _EdgesTable(conn, "on_failure" in found) if found else _EdgesInRows(conn)


class _EdgesTable:
    """The table of edges of an attached file."""

    def __init__(self, conn: sqlite3.Connection, has_policies: bool) -> None:
        self._conn = conn
        self._has_policies = has_policies

    def below(self, ids: list[str], most: int) -> list[_Edge]:
        return self._asked(view.unmet_edges("parent", self._has_policies), ids, most)

    def above(self, ids: list[str], most: int) -> list[_Edge]:
        return self._asked(view.unmet_edges("child", self._has_policies), ids, most)

    def counts(self, ids: list[str], most: int) -> tuple[int, int]:
        wanted = json.dumps(ids)
        if len(ids) == 1:
            (children,) = self._conn.execute(view.COUNT_CHILDREN_OF_ONE, ids).fetchone()
        else:
            (children,) = self._conn.execute(view.COUNT_CHILDREN, (wanted, most)).fetchone()
        if not self._has_policies:
            return as_int(children), 0
        (along,) = self._conn.execute(view.CANCELLED_ALONG, (wanted, wanted, most)).fetchone()
        return as_int(children), as_int(along)

    def _asked(self, statement: str, ids: list[str], most: int) -> list[_Edge]:
        return [_edge(row) for row in self._conn.execute(statement, (json.dumps(ids), most))]


class _EdgesInRows:
    """The lists of parents in the rows of GigQ's own file; one that is missing counts as met."""

    def __init__(self, conn: sqlite3.Connection) -> None:
        self._children: dict[str, list[_Edge]] = {}
        self._parents: dict[str, list[_Edge]] = {}
        for row in conn.execute(view.EDGES_IN_ROWS, (MOST_IN_ROWS,)):
            edge = _edge(row)
            self._children.setdefault(edge.parent, []).append(edge)
            self._parents.setdefault(edge.child, []).append(edge)

    def below(self, ids: list[str], most: int) -> list[_Edge]:
        return self._unmet(self._children, ids, most)

    def above(self, ids: list[str], most: int) -> list[_Edge]:
        return self._unmet(self._parents, ids, most)

    def counts(self, ids: list[str], most: int) -> tuple[int, int]:
        return len({edge.child for id in ids for edge in self._children.get(id, ())}), 0

    def _unmet(self, edges: dict[str, list[_Edge]], ids: list[str], most: int) -> list[_Edge]:
        found = (edge for id in ids for edge in edges.get(id, ()))
        met = (None, JobStatus.COMPLETED.value)
        return list(islice((edge for edge in found if edge.parent_status not in met), most))


def _edge(row: sqlite3.Row) -> _Edge:
    child, parent, on_failure, child_status, parent_status = row
    return _Edge(as_text(child), as_text(parent), as_int(on_failure), child_status, parent_status)


def _look(
    edges: _Edges, waits: Waits, ids: Iterable[str], most: int, *, below: bool, above: bool
) -> None:
    """Take in the jobs below some, wave by wave, then all above those."""
    start = list(dict.fromkeys(ids))
    room = 4 * most
    reached = list(start)
    for downwards, wanted in ((True, below), (False, above)):
        wave = list(reached) if wanted else []
        seen = set(wave)
        while wave and room > 0:
            found = edges.below(wave, room) if downwards else edges.above(wave, room)
            room -= len(found)
            wave = []
            for edge in found:
                next_one = edge.child if downwards else edge.parent
                if next_one not in seen:
                    if len(seen) >= most + len(start):
                        waits.is_cut = True
                        continue
                    seen.add(next_one)
                    wave.append(next_one)
                waits.statuses[edge.child] = edge.child_status
                waits.statuses[edge.parent] = edge.parent_status
                waits.add(edge.child, edge.parent, edge.on_failure)
        waits.is_cut |= bool(wave)
        reached = list(seen | set(reached))
