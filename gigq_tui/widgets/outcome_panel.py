"""The results of an action in groups that go on while its jobs do, in a panel of the screen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from textual import events, on
from textual.app import ComposeResult
from textual.widget import Widget

from gigq_core.status import Outcome
from gigq_tui.actions.followed import Followed
from gigq_tui.actions.report import Report
from gigq_tui.actions.results import MOST_LISTED, ResultGroup, filter_of, groups_of
from gigq_tui.format import cut, inert, pad, plural, width_of
from gigq_tui.keys.hints import ENTER, ESC, SPACE
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, Span, TextLines
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.takes_keys import OVERLAY

ID_CELLS = 8
COUNT_CELLS = 7
# The title, a group and two of its jobs.
LEAST_LINES = 4
# Narrower than this, a name gets less room.
WIDE = 100
# Groups with more jobs are folded at first, where there is more than one group.
MOST_UNFOLDED = 8


class Follows(Protocol):
    """Tells what has become of the jobs of actions."""

    @property
    def actions(self) -> Sequence[Followed]: ...

    def of(self, report: Report) -> Followed | None: ...

    def watch(self, report: Report, watcher: Callable[[Followed], None]) -> Callable[[], None]: ...


class Leads(Protocol):
    """Goes to jobs."""

    def list_jobs(self, filter_text: str) -> None: ...

    def show_job(self, job_id: str, tab: str | None = None) -> None: ...


class GroupList(RowList):
    """Groups of jobs, each followed by its jobs where it is unfolded."""

    def __init__(self) -> None:
        super().__init__(id="result-groups")
        self.groups: tuple[ResultGroup, ...] = ()
        # What somebody has folded or unfolded by hand, by the words of a group.
        self._by_hand: dict[str, bool] = {}
        # Where each group begins, and where the last one ends.
        self._starts: list[int] = [0]

    @property
    def total(self) -> int:
        return self._starts[-1]

    def is_open(self, group: ResultGroup) -> bool:
        """Whether the jobs of a group are listed."""
        few = group.count <= MOST_UNFOLDED or len(self.groups) == 1
        return self._by_hand.get(group.words, few)

    def show(self, groups: tuple[ResultGroup, ...]) -> None:
        """Show groups; the cursor stays on its job, or on its group."""
        group, job = self.current
        self.groups = groups
        self._lay_out()
        self.settle(self._index_of(group, job))

    def _lay_out(self) -> None:
        starts = [0]
        for group in self.groups:
            starts.append(starts[-1] + 1 + (group.count if self.is_open(group) else 0))
        self._starts = starts

    def _index_of(self, group: ResultGroup | None, job: Outcome | None) -> int | None:
        """Where a job stands now, in whichever group, or else its group."""
        for at, other in enumerate(self.groups if job is not None else ()):
            if self.is_open(other) and job in other.jobs:
                return self._starts[at] + 1 + other.jobs.index(job)
        for at, other in enumerate(self.groups):
            if group is not None and other.words == group.words:
                return self._starts[at]
        return None

    def _place(self, index: int) -> tuple[int, int]:
        """Which group a row is of, and which of its jobs; -1 for its heading."""
        at = next(n for n, start in enumerate(self._starts[1:]) if index < start)
        return at, index - self._starts[at] - 1

    @property
    def current(self) -> tuple[ResultGroup | None, Outcome | None]:
        """The group under the cursor, and the job, where it stands on one."""
        if not 0 <= self.cursor < self.total:
            return None, None
        at, place = self._place(self.cursor)
        group = self.groups[at]
        return group, group.jobs[place] if place >= 0 else None

    def fold(self) -> None:
        """Fold the group under the cursor, or unfold it."""
        group, _ = self.current
        if group is not None:
            self._by_hand[group.words] = not self.is_open(group)
            self._lay_out()
            self.stand_on(self._index_of(group, None) or 0)

    def row_id(self, index: int) -> str | None:
        if not 0 <= index < self.total:
            return None
        at, place = self._place(index)
        group = self.groups[at]
        return f"{group.words}\0{group.jobs[place].job_id}" if place >= 0 else group.words

    def row_line(self, index: int, width: int, *, selected: bool) -> Line:
        at, place = self._place(index)
        group = self.groups[at]
        line = self._heading(group, width) if place < 0 else _job_line(group.jobs[place], width)
        return ((" > " if selected else "   ", "key"), *line)

    def _heading(self, group: ResultGroup, width: int) -> Line:
        is_open = self.is_open(group)
        count = pad(f"{group.count:,}", COUNT_CELLS, right=True)
        spans: list[Span] = [
            (count, "title"),
            (f" {cut(inert(group.words), width - 12)}", group.role),
        ]
        if not is_open:
            used = 3 + sum(width_of(text) for text, _ in spans)
            spans.append((f"   {cut(inert(group.names), max(1, width - used - 4))}", "dim"))
        return tuple(spans)


def _job_line(job: Outcome, width: int) -> Line:
    name = 40 if width >= WIDE else 24
    line: list[Span] = [
        (f"{'':{COUNT_CELLS}} {pad(inert(job.job_id[:ID_CELLS]), ID_CELLS)} ", "dim"),
        (pad(inert(job.name), name), ""),
    ]
    if job.done and job.reason:
        used = 3 + sum(width_of(text) for text, _ in line)
        line.append((cut(f" {inert(job.reason)}", max(1, width - used)), "dim"))
    return tuple(line)


class OutcomePanel(Widget):
    """Takes every key while it is open: it is moved through, leads to jobs, and escape closes it.

    Args:
        following: Tells what has become of the jobs.
        leads: Goes to them.
    """

    DEFAULT_CSS = """
    OutcomePanel { height: 10; background: $panel; layer: palette; dock: bottom;
                   margin: 0 0 2 0; layout: vertical; }
    """

    def __init__(self, following: Follows, leads: Leads) -> None:
        super().__init__(id="outcomes", classes=OVERLAY)
        self.is_open = True
        self._following = following
        self._leads = leads
        # The newest is shown first.
        self._actions = tuple(following.actions)
        self._at = len(self._actions) - 1
        self._shown = self._actions[self._at]
        self._hint = ""
        self._unwatch: Callable[[], None] = lambda: None
        self._head = TextLines(id="result-title")
        self.list = GroupList()

    def compose(self) -> ComposeResult:
        yield self._head
        yield self.list

    def on_mount(self) -> None:
        self._look_at(self._at)

    def on_unmount(self) -> None:
        self._unwatch()

    def on_resize(self) -> None:
        self._draw()

    def _look_at(self, at: int) -> None:
        """Show one of the actions."""
        self._unwatch()
        self._at = at
        report = self._actions[at].report
        self._shown = self._following.of(report) or self._actions[at]
        self.list.show(groups_of(self._shown))
        self.list.move_to(0)
        self._draw()
        self._unwatch = self._following.watch(report, self._take)

    def _take(self, followed: Followed) -> None:
        # Of very many, what is read of them in part again is not drawn until it is whole.
        if followed.share < 1 and self._shown.share == 1:
            return
        self._shown = followed
        if self.is_open and self.is_mounted:
            self.list.show(groups_of(followed))
            self._draw()

    def _draw(self) -> None:
        most = max(LEAST_LINES, self.app.size.height // 2)
        height = max(LEAST_LINES, min(most, self.list.total + 1))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        width = self.size.width or self.app.size.width
        title = f" results: {self._count()} "
        hint = f" {self._hint or self._keys(width - width_of(title))} "
        rest = theme.RULE * max(0, width - 3 - width_of(title) - width_of(hint))
        role = "warn" if self._hint else "key"
        self._head.show(((theme.RULE * 3, "rule"), (title, "title"), (rest, "rule"), (hint, role)))

    def _count(self) -> str:
        shown, refused = self._shown, len(self._shown.report.refused)
        parts = [plural(len(shown.report.outcomes), "job")]
        if refused:
            parts.append(f"{refused:,} not done")
        if failed := shown.now.failed:
            parts.append(f"{failed:,} failed")
        if shown.jobs and not shown.is_read and shown.share:
            parts.append(f"{shown.share:.0%} read")
        return ", ".join(parts)

    def _keys(self, room: int) -> str:
        """What keys do here, as far as there is room."""
        several = len(self._actions) > 1
        told = [
            f"{ESC} closes",
            f"{ENTER} shows",
            *(
                [f"left/right other actions ({self._at + 1}/{len(self._actions)})"]
                if several
                else []
            ),
            f"{SPACE} folds",
        ]
        while len(told) > 1 and sum(width_of(one) + 2 for one in told) > room - 6:
            told.pop()
        return "  ".join(reversed(told))

    def close(self) -> None:
        """Take the panel away and give the keys back."""
        self.is_open = False
        self.remove()

    def _step_action(self, by: int) -> None:
        at = max(0, min(self._at + by, len(self._actions) - 1))
        if at != self._at:
            self._look_at(at)

    def _show_jobs(self) -> None:
        """Go to the job under the cursor, or list those of the group."""
        group, job = self.list.current
        if group is None:
            return
        if job is not None:
            self.close()
            self._leads.show_job(job.job_id)
        elif text := filter_of(group):
            self.close()
            self._leads.list_jobs(text)
        else:
            self._hint = f"too many for a filter (at most {MOST_LISTED}): {SPACE} unfolds them"
            self._draw()

    @on(RowList.RowOpened)
    def _row_opened(self, event: RowList.RowOpened) -> None:
        event.stop()
        self._show_jobs()

    @on(RowList.CursorMoved)
    def _cursor_moved(self, event: RowList.CursorMoved) -> None:
        # The screen below has a list of its own.
        event.stop()

    def take_key(self, event: events.Key) -> bool:
        """Move, fold, go to jobs or close; no key goes on to the screen below."""
        key, rows = event.key, self.list
        if self._hint:
            self._hint = ""
            self._draw()
        if key in ("escape", "q", "i"):
            self.close()
        elif key == "enter":
            self._show_jobs()
        elif key == "space":
            rows.fold()
            self._draw()
        elif key in ("down", "j"):
            rows.step(1)
        elif key in ("up", "k"):
            rows.step(-1)
        elif key == "pagedown":
            rows.turn(1)
        elif key in ("pageup", "b"):
            rows.turn(-1)
        elif key in ("home", "g"):
            rows.go_first()
        elif key in ("end", "G"):
            rows.go_last()
        elif key in ("left", "h"):
            self._step_action(-1)
        elif key in ("right", "l"):
            self._step_action(1)
        return True

    def take_paste(self, text: str) -> None:
        """There is nothing to type here."""
