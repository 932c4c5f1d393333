"""A graph of jobs as the lines of a tree, for the console and for the command line.

A graph is not a tree: each job is drawn once, where it is met first, and later mentions point
there. Nothing here recurses, so that a chain of thousands is drawn like any other.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

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
    begin with, empty when they have nothing in common. `hidden` are the jobs behind this one that
    have no line, since its branch is closed; `group` is the first job of the fold that it is, or
    was taken out of.
    """

    kind: LineKind
    id: str
    depth: int
    guides: tuple[bool, ...] = ()
    folded: tuple[str, ...] = ()
    stem: str = ""
    hidden: tuple[str, ...] = ()
    group: str = ""
    is_closed: bool = False

    @property
    def shown_above(self) -> bool:
        """Whether the job has its own line further up."""
        return self.kind in (LineKind.ABOVE, LineKind.CYCLE, LineKind.FOLD_ABOVE)

    @property
    def fold_count(self) -> int:
        """How many jobs the line stands for."""
        return len(self.folded)


class Art(NamedTuple):
    """What branches are drawn with, three characters a level."""

    trunk: str
    gap: str
    fork: str
    last: str


ASCII_ART = Art("|  ", "   ", "|- ", "`- ")
BOX_ART = Art("│  ", "   ", "├─ ", "╰─ ")
LEVEL_WIDTH = 3


def branches(line: TreeLine, room: int, art: Art = ASCII_ART) -> str:
    """The branches before a job's name; the outer levels by number where room is short."""
    if not line.depth:
        return ""
    shown = min(len(line.guides), room // LEVEL_WIDTH)
    lead = ""
    if shown < line.depth:
        lead = f"<{line.depth} "
        shown = max(0, min(len(line.guides), (room - len(lead)) // LEVEL_WIDTH))
        lead = f"<{line.depth - shown} "
    if not shown:
        return lead
    guides = line.guides[-shown:]
    trunk = "".join(art.trunk if goes_on else art.gap for goes_on in guides[:-1])
    return lead + trunk + (art.fork if guides[-1] else art.last)


@dataclass
class _Frame:
    """The lines still to be drawn under one parent."""

    items: deque[_Item]
    depth: int
    guides: tuple[bool, ...]
    owner: str | None


@dataclass(frozen=True)
class _Item:
    """A child, or several that are drawn as one line."""

    ids: tuple[str, ...]
    above: bool = False
    stem: str = ""
    group: str = ""


@dataclass(frozen=True)
class Jobs:
    """What is drawn.

    Args:
        roots: the jobs to begin at; they lead to all others.
        children: of each job, in the order in which they are drawn.
        names: of those that are in the file.
        done: those that completed.
        look: what siblings must have in common, beside their names, to be folded.
    """

    roots: Sequence[str]
    children: Mapping[str, Sequence[str]]
    names: Mapping[str, str]
    done: Container[str]
    look: Callable[[str], object]


@dataclass(frozen=True)
class Folding:
    """What of a tree has no lines of its own.

    Args:
        alike: siblings that look the same, after the first few, become one line.
        opened: the first jobs of the folds that are drawn line by line all the same.
        closed: the jobs behind which nothing is drawn.
        done: so are those that completed and behind which, but for what stands elsewhere, all has.
        kept_open: but not these.
    """

    alike: bool = True
    opened: Container[str] = ()
    closed: Container[str] = ()
    done: bool = False
    kept_open: Container[str] = ()


def tree_lines(jobs: Jobs, folding: Folding) -> list[TreeLine]:
    """Every job once, from the roots down, but for what is in a closed branch."""
    return _Drawing(jobs, folding).draw()


class _Drawing:
    def __init__(self, jobs: Jobs, folding: Folding) -> None:
        self._jobs = jobs
        self._children = jobs.children
        self._folding = folding
        self._hidden: set[str] = set()
        self._lines: list[TreeLine] = []
        self._drawn: set[str] = set()
        self._path: set[str] = set()
        # Behind which all is done, or an unfinished job that has no line yet.
        self._spent: set[str] = set()
        self._witness: dict[str, str] = {}

    def draw(self) -> list[TreeLine]:
        self._walk(self._jobs.roots)
        # Roots lead everywhere in a sound graph; a line is owed to each job in any other.
        left = self._drawn | self._hidden
        self._walk([id for id in self._children if id not in left])
        return self._lines

    def _walk(self, roots: Sequence[str]) -> None:
        frames = [self._frame(roots, 0, (), None)]
        while frames:
            frame = frames[-1]
            if not frame.items:
                frames.pop()
                if frame.owner is not None:
                    self._path.discard(frame.owner)
                continue
            item = frame.items.popleft()
            id = item.ids[0]
            if len(item.ids) == 1 and not item.above and not item.group and self._is_spent(id):
                item = self._fold_of_spent(frame, item)
            guides = () if frame.depth == 0 else (*frame.guides, bool(frame.items))
            if len(item.ids) > 1 or item.above:
                self._line_of_many(item, frame.depth, guides)
                continue
            if id in self._drawn:
                kind = LineKind.CYCLE if id in self._path else LineKind.ABOVE
                self._add(kind, id, frame.depth, guides)
                continue
            self._drawn.add(id)
            is_closed = self._is_closed(id)
            hidden = self._hide_behind((id,)) if is_closed else ()
            kind = LineKind.JOB if id in self._jobs.names else LineKind.MISSING
            self._add(kind, id, frame.depth, guides, (), "", hidden, item.group, is_closed)
            if is_closed:
                continue
            self._path.add(id)
            frames.append(self._frame(self._children[id], frame.depth + 1, guides, id))

    def _is_closed(self, id: str) -> bool:
        if id in self._folding.closed:
            return True
        return id not in self._folding.kept_open and self._is_spent(id)

    def _is_spent(self, id: str) -> bool:
        """Whether a job completed, and so has all behind it that has no line yet."""
        if not self._folding.done or not self._is_done(id):
            return False
        stack = [(id, iter(self._children[id]))]
        seen = {id}
        while stack:
            for child in stack[-1][1]:
                if child in seen or child in self._drawn or child in self._spent:
                    continue
                seen.add(child)
                witness = self._witness.get(child, "") if self._is_done(child) else child
                if witness and witness not in self._drawn:
                    # All on the way lead to it, and need not be gone through again.
                    self._witness.update((on_way, witness) for on_way, _ in stack)
                    return False
                stack.append((child, iter(self._children[child])))
                break
            else:
                self._spent.add(stack.pop()[0])
        return True

    def _fold_of_spent(self, frame: _Frame, first: _Item) -> _Item:
        """The siblings from here on that look the same and are spent, if they are many."""
        id = first.ids[0]
        if id in self._drawn or not self._folding.alike:
            return first
        look = self._stem(id)
        alike = 1
        for item in frame.items:
            other = item.ids[0]
            is_one = len(item.ids) == 1 and not item.above and not item.group
            if not is_one or other in self._drawn or self._stem(other) != look:
                break
            if not self._is_spent(other):
                break
            alike += 1
        if alike < SMALLEST_FOLD:
            return first
        ids = (id, *(frame.items.popleft().ids[0] for _ in range(alike - 1)))
        if id not in self._folding.opened:
            return _Item(ids, stem=look)
        frame.items.extendleft(_Item((other,), group=id) for other in reversed(ids[1:]))
        return _Item((id,), group=id)

    def _is_done(self, id: str) -> bool:
        return id in self._jobs.done

    def _frame(
        self, ids: Sequence[str], depth: int, guides: tuple[bool, ...], owner: str | None
    ) -> _Frame:
        items = deque(self._fold(ids) if self._folding.alike else [_Item((id,)) for id in ids])
        return _Frame(items, depth, guides[-DRAWN_LEVELS + 1 :], owner)

    def _line_of_many(self, item: _Item, depth: int, guides: tuple[bool, ...]) -> None:
        # Some may have been drawn since the fold was made, below an earlier sibling.
        fresh = tuple(id for id in item.ids if id not in self._drawn)
        if item.above or not fresh:
            self._add(LineKind.FOLD_ABOVE, item.ids[0], depth, guides, item.ids, group=item.ids[0])
            return
        self._drawn.update(fresh)
        hidden = self._hide_behind(fresh)
        kind, group = LineKind.FOLD, item.ids[0]
        self._add(kind, fresh[0], depth, guides, fresh, item.stem, hidden, group)

    def _hide_behind(self, ids: Sequence[str]) -> tuple[str, ...]:
        """Take what is behind closed jobs for hidden, as far as it has no line yet."""
        queue = deque(id for id in ids if self._is_closed(id))
        hidden: list[str] = []
        while queue:
            for child in self._children[queue.popleft()]:
                if child not in self._drawn and child not in self._hidden:
                    self._hidden.add(child)
                    hidden.append(child)
                    queue.append(child)
        return tuple(hidden)

    def _add(
        self,
        kind: LineKind,
        id: str,
        depth: int,
        guides: tuple[bool, ...],
        folded: tuple[str, ...] = (),
        stem: str = "",
        hidden: tuple[str, ...] = (),
        group: str = "",
        is_closed: bool = False,
    ) -> None:
        line = TreeLine(kind, id, depth, guides, folded, stem, hidden, group, is_closed)
        self._lines.append(line)

    def _fold(self, ids: Sequence[str]) -> list[_Item]:
        """The children as items: alike ones after the first few in one, at the first's place."""
        groups: dict[object, list[str]] = {}
        for id in ids:
            if id in self._path:
                groups.setdefault(id, []).append(id)  # a circle is always told apart
            elif id in self._drawn:
                groups.setdefault("above", []).append(id)
            else:
                groups.setdefault(self._look(id), []).append(id)
        items: list[_Item] = []
        for look, members in groups.items():
            shown = members if len(members) < SMALLEST_FOLD else members[:SHOWN_OF_A_FOLD]
            rest = tuple(members[len(shown) :])
            is_open = bool(rest) and rest[0] in self._folding.opened
            items.extend(_Item((id,), group=rest[0] if is_open else "") for id in shown)
            if is_open:
                items.extend(_Item((id,), group=rest[0]) for id in rest)
            elif rest:
                items.append(_Item(rest, look == "above", self._stem(rest[0])))
        return items

    def _look(self, id: str) -> object:
        """What siblings must have in common to be folded: the children too, which are then
        drawn under the first of them."""
        if id not in self._jobs.names:
            return ("missing", tuple(self._children[id]))
        behind = () if id in self._folding.closed else tuple(self._children[id])
        return (self._jobs.look(id), self._stem(id), behind)

    def _stem(self, id: str) -> str:
        return name_stem(self._jobs.names[id]) if id in self._jobs.names else ""


def name_stem(name: str) -> str:
    """A name without the number at its end: `train_fold_12` is `train_fold`."""
    return _NUMBERS_AT_END.sub("", name) or name
