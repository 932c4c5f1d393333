"""The head of every screen: which file, how it may be used, the counts, and how fresh it all is."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from gigq_core.inspection.doctor import LARGE_WAL_BYTES
from gigq_core.units.spread import in_words
from gigq_tui.config.model import NO_LABEL, Label
from gigq_tui.format import (
    count,
    cut,
    duration,
    inert,
    plural,
    short_count,
    since,
    size,
    width_of,
    without_folder,
)
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.job_actions import PAUSE_QUEUE, SPAWN_WORKER
from gigq_tui.keys.looking_actions import PAUSE_VIEW
from gigq_tui.store.history.figures import WORK_S, slots_of
from gigq_tui.store.models import Figures, Snapshot, Trend
from gigq_tui.widgets.lines import Line, Span, TextLines, line_width, spread
from gigq_tui.widgets.worker_words import headcount, of_release_before, wrong_agents_in_short

WIDE = 100
TALL = 28


# How old a held picture is, in classes, each with the seconds from which it holds: the header is
# drawn anew when the class changes, and not with every second.
_AGE_CLASSES = (
    (0, "1s"),
    (5, "5s"),
    (10, "10s"),
    (30, "30s"),
    (60, "1m"),
    (120, "2m"),
    (300, "5m"),
    (600, "10m"),
    (1_800, "30m"),
    (3_600, "1h"),
    (21_600, "6h"),
    (86_400, "1d"),
)
FRESH = _AGE_CLASSES[0][1]
_TRENDS = {Trend.UP: ", speeding up", Trend.STEADY: "", Trend.DOWN: ", slowing"}
OLD_WORKER = "OLD WORKER"
# Below this a share of failures is told, but not loudly.
LOUD_SHARE = 0.05


def age_class(seconds: float) -> str:
    """Return the class of an age in seconds."""
    return next((name for least, name in reversed(_AGE_CLASSES) if seconds >= least), FRESH)


@dataclass(frozen=True)
class HeaderState:
    """What the header tells. `trouble` is why the file can't be read, for `trouble_s` seconds.

    `age` is how old a held picture is, as `age_class()` says it.
    """

    path: Path
    read_only: bool = False
    snapshot: Snapshot | None = None
    held: bool = False
    trouble: str = ""
    trouble_s: float = 0.0
    age: str = FRESH
    crumbs: tuple[str, ...] = ()
    label: Label = NO_LABEL
    hints: KeyHints = DEFAULT_HINTS


def header_lines(state: HeaderState, width: int, height: int) -> tuple[Line, ...]:
    """Return the header for a terminal of that size: one line, or two where there is room."""
    fresh = _freshness(state, width)
    if state.crumbs:
        return (spread(_crumbs(state, width - line_width(fresh) - 2), fresh, width),)
    if width < WIDE:
        return (spread(_short(state, width - line_width(fresh) - 1), fresh, width),)
    if height < TALL:
        told = [_file(state, path=False), *_limits(state), *_counts(state)]
        return (spread(_join(told, 3), fresh, width),)
    first = spread(_file(state), _join([*_counts(state), fresh], 3), width)
    flags = _flags(state)
    return first, spread(_work(state, width - line_width(flags) - 1), flags, width)


def header_height(width: int, height: int, crumbs: tuple[str, ...]) -> int:
    """Return how many lines the header takes in a terminal of that size."""
    return 2 if not crumbs and width >= WIDE and height >= TALL else 1


def _freshness(state: HeaderState, width: int) -> Line:
    if state.trouble:
        room = max(8, width // 2 - 14)
        told = cut(inert(_briefly(state)), room)
        return ((f"stale {since(state.trouble_s)}: {told} ", "fail"),)
    if state.snapshot is None:
        return (("reading.. ", "dim"),)
    if state.held:
        return ((f"paused {state.age} ({state.hints(PAUSE_VIEW)}) ", "warn"),)
    return ((f"live {FRESH} ", "ok"),)


def _briefly(state: HeaderState) -> str:
    """The trouble without the file's name, which stands beside it."""
    told = without_folder(state.trouble, state.path)
    start = f"{state.path.name} "
    return f"the file {told[len(start) :]}" if told.startswith(start) else told


def _limits(state: HeaderState) -> list[Line]:
    """What stands against acting, for a line that has no room for more."""
    told: list[Line] = [((words, "fail"),) for words in _obstacles(state)]
    if state.snapshot is not None and state.snapshot.paused:
        told.append((("QUEUE PAUSED", "warn"),))
    if state.read_only or _is_still(state):
        told.append(((_access(state), "warn"),))
    return told


def _access(state: HeaderState) -> str:
    """How the file may be used."""
    if _is_still(state):
        return "NO WRITE ACCESS"
    return "READ-ONLY" if state.read_only else "READ-WRITE"


def _obstacles(state: HeaderState) -> list[str]:
    """What keeps everybody from writing, or puts all times in doubt."""
    if state.snapshot is None:
        return []
    info = state.snapshot.info
    found = info.obstacles
    told = []
    if found.writer is not None:
        told.append(f"WRITE LOCK: pid {found.writer}")
    if found.disk_full:
        told.append("DISK FULL")
    if found.reader is not None and info.wal_size > LARGE_WAL_BYTES:
        told.append(f"WAL {size(info.wal_size)}: pid {found.reader} reads")
    if info.offsets:
        told.append("UTC OFFSETS DIFFER")
    if of_release_before(state.snapshot.workers):
        told.append(OLD_WORKER)
    return told


def _is_still(state: HeaderState) -> bool:
    return state.snapshot is not None and state.snapshot.info.still


def _name(state: HeaderState) -> str:
    return inert(state.path.name)


def _file(state: HeaderState, *, path: bool = True) -> Line:
    spans: list[Span] = [(" " + cut(_name(state), 32), "title"), *_label(state)]
    if path:
        spans.append((f"  {_folder(state.path)}", "dim"))
    info = state.snapshot.info if state.snapshot is not None else None
    wal_size = info.wal_size if info is not None and info.obstacles.reader is None else 0
    if wal_size > LARGE_WAL_BYTES:
        spans.append((f"  WAL {size(wal_size)}", "warn"))
    return tuple(spans)


def _label(state: HeaderState) -> tuple[Span, ...]:
    text, colour = state.label
    if not text:
        return ()
    # On a ground of its colour it needs a margin; without colours, that reads well too.
    told = (f" {inert(text)} ", f"label-{colour}") if colour else (inert(text), "label")
    return ((" " if colour else "  ", ""), told)


def _folder(path: Path) -> str:
    folder = str(path.absolute().parent)
    home = str(Path.home())
    if folder == home or folder.startswith(home + "/"):
        folder = "~" + folder[len(home) :]
    folder = inert(folder)
    room = 28
    return folder if width_of(folder) <= room else ".." + folder[-(room - 2) :]


def _crumbs(state: HeaderState, room: int) -> Line:
    names = [inert(crumb) for crumb in state.crumbs]
    # What can't be done, or goes on, is said whatever the names' lengths.
    flags = [(f"  {words}", role) for limit in _limits(state) for words, role in limit]
    room -= line_width(tuple(flags))
    label = _label(state)
    lead: list[Span] = [(f" {_name(state)}", "dim"), *label, (" > ", "dim")]
    if line_width(tuple(lead)) + width_of(" > ".join(names)) > room:
        # The label stays, since acting on the wrong file is worse than not reading its name.
        lead = [*label[1:], (" > " if label else " ", "dim")]
    head = "".join(f"{name} > " for name in names[:-1])
    left = room - line_width(tuple(lead)) - width_of(head)
    return (*lead, (head, "dim"), (cut(names[-1], max(1, left)), "title"), *flags)


def _counts(state: HeaderState) -> list[Line]:
    if state.snapshot is None:
        return []
    counts = state.snapshot.counts
    waiting = "ready" if counts.told_apart else "waiting"
    parts: list[Line] = [((f"{waiting} {count(counts.ready)}", ""),)]
    if counts.blocked:
        parts.append(((f"blocked {count(counts.blocked)}", ""),))
    if counts.delayed:
        parts.append(((f"delayed {count(counts.delayed)}", ""),))
    role = "run" if counts.running else "dim"
    parts.append(((f"RUN {_running(state.snapshot)}", role),))
    if counts.doomed:
        parts.append(((f"DOOMED {count(counts.doomed)}", "fail"),))
    if counts.failed:
        parts.append(((f"FAIL {count(counts.failed)}", "fail"),))
    if counts.timeout:
        parts.append(((f"T/O {count(counts.timeout)}", "fail"),))
    return parts


def _running(snapshot: Snapshot) -> str:
    """How many jobs run, and of how many that could."""
    running, slots = snapshot.counts.running, slots_of(snapshot.workers)
    return f"{running}/{slots}" if slots and slots >= running else str(running)


def _short(state: HeaderState, room: int) -> Line:
    limited = state.read_only or _is_still(state)
    mode = (_access(state), "warn") if limited else ("RW", "dim")
    name = (" " + cut(_name(state), 20), "title")
    lead: Line = (name, *_label(state), (" ", ""), mode)
    snapshot = state.snapshot
    if snapshot is None:
        return lead
    counts = snapshot.counts
    waiting = "rdy" if counts.told_apart else "wait"
    # In the order in which they stand, each with its weight: where there is no room for all,
    # what is wrong outlasts what goes well.
    parts: list[tuple[int, Line]] = [(9, lead)]
    parts += [(9, ((words, "fail"),)) for words in _obstacles(state)]
    if snapshot.paused:
        parts.append((9, (("QUEUE PAUSED", "warn"),)))
    if agents := wrong_agents_in_short(snapshot.workers):
        parts.append((8, ((agents, "fail"),)))
    parts.append((3, ((f"{waiting} {short_count(counts.ready)}", ""),)))
    if counts.blocked:
        parts.append((1, ((f"blk {short_count(counts.blocked)}", ""),)))
    role = "run" if counts.running else "dim"
    parts.append((7, ((f"RUN {_running(snapshot)}", role),)))
    wrong = (
        (8, "LOST", headcount(snapshot.workers).lost),
        (6, "FAIL", counts.failed),
        (5, "T/O", counts.timeout),
        (4, "DOOM", counts.doomed or 0),
    )
    parts += [(weight, ((f"{word} {short_count(n)}", "fail"),)) for weight, word, n in wrong if n]
    if snapshot.finished_per_s:
        parts.append((2, ((f"{snapshot.finished_per_s:.1f}/s", "dim"),)))
    while len(parts) > 1 and line_width(_join([part for _, part in parts], 2)) > room:
        parts.remove(min(parts, key=lambda part: part[0]))
    return _join([part for _, part in parts], 2)


def _work(state: HeaderState, room: int) -> Line:
    snapshot = state.snapshot
    if snapshot is None:
        return ()
    parts: list[Line] = []
    told = headcount(snapshot.workers)
    if told.alive:
        doing = f" ({told.doing})" if told.doing else ""
        parts.append(((f" Workers {told.alive}{doing}", ""),))
    elif snapshot.counts.ready and not snapshot.foreign_workers and not told.unseen:
        start = state.hints(SPAWN_WORKER)
        how = "" if state.read_only else f" Press {start} to start one."
        parts.append(((f" No workers running.{how}", "warn"),))
    else:
        parts.append(((" Workers 0", "dim"),))
    if told.lost:
        parts.append(((f"{told.lost} LOST", "fail"),))
    if wrong := wrong_agents_in_short(snapshot.workers):
        parts.append(((wrong, "fail"),))
    if told.unseen:
        parts.append(((f"{told.unseen} not visible", "warn"),))
    if snapshot.foreign_workers:
        parts.append(((plural(len(snapshot.foreign_workers), "GigQ worker"), ""),))
    parts.append(((f"done {count(snapshot.counts.completed)}", ""),))
    figures = snapshot.figures
    if snapshot.finished_per_s:
        trend = figures.trend or Trend.STEADY
        parts.append(((f"{snapshot.finished_per_s:.1f}/s{_TRENDS[trend]}", "ok"),))
    until, of_work = figures.worked_until, ""
    if until is not None and (snapshot.taken_at - until).total_seconds() > WORK_S:
        # Nothing has ended in the last five minutes of the clock.
        of_work = " of work"
    more = _figures(figures, f"last 5 min{of_work}:", snapshot.taken_at)
    if line_width(_join([*parts, *more], 2)) > room:
        more = _figures(figures, f"5m{of_work}:", snapshot.taken_at)
    while more and line_width(_join([*parts, *more], 2)) > room:
        # What is left says more by itself than the percentiles do.
        more.pop(0 if len(more) == 1 else -2)
    return _join([*parts, *more], 2)


def _figures(figures: Figures, over: str, now: datetime) -> list[Line]:
    """What is known of how the work goes; `over` is the time that the failed ones were counted."""
    told: list[Line] = []
    share = figures.failed_share
    if share is not None:
        text = f"{share:.1%}".replace(".0%", "%")
        told.append(((f"{over} {text} failed", "fail" if share >= LOUD_SHARE else ""),))
    if figures.p50_s is not None and figures.p95_s is not None:
        told.append(((f"p50 {duration(figures.p50_s)}", ""),))
        told.append(((f"p95 {duration(figures.p95_s)}", ""),))
    if figures.ahead is not None:
        told.append(((f"eta {in_words(figures.ahead.left(now))}", "accent"),))
    return told


def _flags(state: HeaderState) -> Line:
    parts: list[Line] = []
    snapshot = state.snapshot
    for words in _obstacles(state):
        if words is OLD_WORKER and snapshot is not None:
            # There is room for all of it.
            parts.append(((inert(of_release_before(snapshot.workers)), "warn"),))
        else:
            parts.append(((words, "fail"),))
    if snapshot is not None:
        if snapshot.paused:
            parts.append(((f"QUEUE PAUSED ({state.hints(PAUSE_QUEUE)})", "warn"),))
        if not snapshot.info.attached:
            parts.append((("GigQ's own file", "accent"),))
    limited = state.read_only or _is_still(state)
    parts.append(((f"{_access(state)} ", "warn" if limited else "dim"),))
    return _join(parts, 3)


def _join(parts: list[Line], gap: int) -> Line:
    joined: list[Span] = []
    for part in parts:
        if joined and part:
            joined.append((" " * gap, ""))
        joined.extend(part)
    return tuple(joined)


class HeaderBar(TextLines):
    """The header of a screen; it is painted only where it changed."""

    DEFAULT_CSS = """
    HeaderBar { height: 1; background: $panel; }
    HeaderBar.-two { height: 2; }
    """

    state: HeaderState | None = None

    def tell(self, state: HeaderState) -> None:
        """Show a state; the same state again costs nothing."""
        self.state = state
        width, height = self.app.size
        self.set_class(header_height(width, height, state.crumbs) == 2, "-two")
        self.show(*header_lines(state, width, height))

    def on_resize(self) -> None:
        if self.state is not None:
            self.tell(self.state)
