"""The dependency tree as lines, and what hangs on a job: pure functions of a `Graph`.

A graph is not a tree: each job is drawn once, where it is met first, and later mentions point
there. Nothing here recurses, so that a chain of thousands is drawn like any other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import Enum

from gigq_core.blame import Culprit
from gigq_tui.store.models import Graph, GraphNode

# So many siblings that look the same are shown before the others are folded.
SHOWN_OF_A_FOLD = 2
SMALLEST_FOLD = 4
# Levels of a branch that are drawn; what stands deeper is told by number.
DRAWN_LEVELS = 24

_NUMBERS_AT_END = re.compile(r"[\W_]*\d[\d\W_]*$")


class LineKind(Enum):
    """What a line of the tree is."""

    JOB = "job"
    MISSING = "missing"
    ABOVE = "above"
    CYCLE = "cycle"
    FOLD = "fold"
    FOLD_ABOVE = "fold above"


@dataclass(frozen=True)
class TreeLine:
    """One line of the tree.

    `id` is the job that the line is about; of a fold, its first job. `guides` tells for each of
    the last `DRAWN_LEVELS` levels whether the branch goes on below this line; the last of them
    belongs to the line itself. `folded` are the ids that a fold holds, `stem` what their names
    begin with, empty when they have nothing in common.
    """

    kind: LineKind
    id: str
    depth: int
    guides: tuple[bool, ...] = ()
    folded: tuple[str, ...] = ()
    stem: str = ""

    @property
    def shown_above(self) -> bool:
        """Whether the job has its own line further up."""
        return self.kind in (LineKind.ABOVE, LineKind.CYCLE, LineKind.FOLD_ABOVE)

    @property
    def fold_count(self) -> int:
        """How many jobs the line stands for."""
        return len(self.folded)

    @property
    def prefix(self) -> str:
        """The branches before the job's name, in ASCII, three characters a level."""
        if self.depth == 0:
            return ""
        hidden = self.depth - len(self.guides)
        lead = f"<{hidden} " if hidden > 0 else ""
        trunk = "".join("|  " if goes_on else "   " for goes_on in self.guides[:-1])
        return lead + trunk + ("|- " if self.guides[-1] else "`- ")


@dataclass
class _Frame:
    """The lines still to be drawn under one parent."""

    items: Iterator[_Item]
    next: _Item | None
    depth: int
    guides: tuple[bool, ...]
    owner: str | None


@dataclass(frozen=True)
class _Item:
    """A child, or several that are drawn as one line."""

    ids: tuple[str, ...]
    above: bool = False
    stem: str = ""


def tree_lines(graph: Graph, folded: bool = True) -> list[TreeLine]:
    """Every job of the graph once, from its roots down.

    Args:
        graph: what to draw.
        folded: whether siblings that look the same become one line after the first few.
    """
    return _Drawing(graph, folded).draw()


class _Drawing:
    def __init__(self, graph: Graph, folded: bool) -> None:
        self._graph = graph
        self._folded = folded
        self._lines: list[TreeLine] = []
        self._drawn: set[str] = set()
        self._path: set[str] = set()

    def draw(self) -> list[TreeLine]:
        self._walk(self._graph.roots)
        # Roots lead everywhere in a sound graph; a line is owed to each job in any other.
        self._walk([id for id in self._graph.nodes if id not in self._drawn])
        return self._lines

    def _walk(self, roots: Sequence[str]) -> None:
        frames = [self._frame(roots, 0, (), None)]
        while frames:
            frame = frames[-1]
            item = frame.next
            if item is None:
                frames.pop()
                if frame.owner is not None:
                    self._path.discard(frame.owner)
                continue
            frame.next = next(frame.items, None)
            guides = () if frame.depth == 0 else (*frame.guides, frame.next is not None)
            if len(item.ids) > 1 or item.above:
                self._line_of_many(item, frame.depth, guides)
                continue
            id = item.ids[0]
            if id in self._drawn:
                kind = LineKind.CYCLE if id in self._path else LineKind.ABOVE
                self._add(kind, id, frame.depth, guides)
                continue
            node = self._graph.nodes[id]
            self._drawn.add(id)
            self._add(LineKind.JOB if node.row else LineKind.MISSING, id, frame.depth, guides)
            self._path.add(id)
            frames.append(self._frame(node.children, frame.depth + 1, guides, id))

    def _frame(
        self, ids: Sequence[str], depth: int, guides: tuple[bool, ...], owner: str | None
    ) -> _Frame:
        items = iter(self._fold(ids) if self._folded else [_Item((id,)) for id in ids])
        return _Frame(items, next(items, None), depth, guides[-DRAWN_LEVELS + 1 :], owner)

    def _line_of_many(self, item: _Item, depth: int, guides: tuple[bool, ...]) -> None:
        # Some may have been drawn since the fold was made, below an earlier sibling.
        fresh = tuple(id for id in item.ids if id not in self._drawn)
        if item.above or not fresh:
            self._add(LineKind.FOLD_ABOVE, item.ids[0], depth, guides, item.ids)
            return
        self._drawn.update(fresh)
        self._add(LineKind.FOLD, fresh[0], depth, guides, fresh, item.stem)

    def _add(
        self,
        kind: LineKind,
        id: str,
        depth: int,
        guides: tuple[bool, ...],
        folded: tuple[str, ...] = (),
        stem: str = "",
    ) -> None:
        self._lines.append(TreeLine(kind, id, depth, guides, folded, stem))

    def _fold(self, ids: Sequence[str]) -> list[_Item]:
        """The children as items: alike ones after the first few in one, at the first's place."""
        groups: dict[object, list[str]] = {}
        for id in ids:
            if id in self._path:
                groups.setdefault(id, []).append(id)  # a circle is always told apart
            elif id in self._drawn:
                groups.setdefault("above", []).append(id)
            else:
                groups.setdefault(self._look(self._graph.nodes[id]), []).append(id)
        items: list[_Item] = []
        for look, members in groups.items():
            shown = members if len(members) < SMALLEST_FOLD else members[:SHOWN_OF_A_FOLD]
            items.extend(_Item((id,)) for id in shown)
            rest = tuple(members[len(shown) :])
            if rest:
                items.append(_Item(rest, look == "above", self._stem(rest[0])))
        return items

    def _look(self, node: GraphNode) -> object:
        """What siblings must have in common to be folded: the children too, which are then
        drawn under the first of them."""
        row = node.row
        if row is None:
            return ("missing", node.children)
        alike = (row.status, row.blocked, row.doomed, row.attempts > 0, row.holder)
        return (*alike, name_stem(row.name), node.children)

    def _stem(self, id: str) -> str:
        row = self._graph.nodes[id].row
        return name_stem(row.name) if row else ""


def name_stem(name: str) -> str:
    """A name without the number at its end: `train_fold_12` is `train_fold`."""
    return _NUMBERS_AT_END.sub("", name) or name


def culprit(graph: Graph, id: str) -> Culprit | None:
    """The ancestor because of which a job of the graph can't run, if there is one."""
    node = graph.nodes.get(id)
    return node.row.culprit if node is not None and node.row is not None else None
