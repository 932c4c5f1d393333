"""The timeline: like jobs in a row under the clocks, what is past filled, what comes dotted."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby

from gigq_core.graph.blocking import all_to_retry, freed_by
from gigq_core.reasons.why import State, run_seconds, shown_name
from gigq_core.units.spans import span
from gigq_core.units.times import local, moment_of
from gigq_tui import format as fmt
from gigq_tui.format import MARKS, count, inert, pad, plural, width_of
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.screen_actions import RETRY_UP
from gigq_tui.screens.tree.drawing import GUTTER, Drawing, fold_mark, gutter, state_words
from gigq_tui.screens.tree.folds import Folds
from gigq_tui.screens.tree.groups import Group, rows_of
from gigq_tui.store.graph.alike import groups_of_alike, job_label
from gigq_tui.store.graph.timeline import (
    AROUND,
    BETWEEN,
    ENDS,
    EXPECTED,
    FAILED,
    FREE,
    NOW,
    RAN,
    RUNS,
    Axis,
    GraphForecast,
    cells_of,
    span_of,
)
from gigq_tui.store.graph.waiting import WaitingBehind
from gigq_tui.store.models import Graph
from gigq_tui.store.statuses import PENDING, RUNNING
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, Span, fit

WIDE = 100
# Of the row: the widest name, and what is said at its end.
MOST_NAME = 34
LEAST_NAME = 14
NOTE_WIDE, NOTE_NARROW = 38, 16
# Between two clocks, at least.
CLOCK_CELLS = 14
_DAY_S = 86_400.0
# Of the chain that decides the end, named in the sentence.
SHOWN_OF_CHAIN = 3

_BOXES = {
    FREE: (" ", ""),
    BETWEEN: ("·", "dim"),
    EXPECTED: ("~", "run"),
    AROUND: ("-", "dim"),
    RAN: ("━", "ok"),
    RUNS: ("━", "run"),
    NOW: (">", "run"),
    ENDS: ("|", "run"),
    FAILED: ("X", "fail"),
}
_ASCII = {BETWEEN: (".", "dim"), RAN: ("#", "ok"), RUNS: ("#", "run")}
_WRONG = (State.FAILED, State.TIMEOUT, State.CANCELLED)


class TimelineDrawing(Drawing):
    """Rows of like jobs along the time.

    Args:
        shown: The jobs that are drawn.
        graph: All jobs of the graph.
        now: The present moment.
        folds: What is folded.
        depth: The level of each job.
        waiting: How many jobs wait behind each.
        forecast: What is to come, once it has been worked out.
        hints: How keys are called.
    """

    def __init__(
        self,
        shown: Graph,
        graph: Graph,
        now: datetime,
        folds: Folds,
        depth: dict[str, int],
        waiting: WaitingBehind,
        forecast: GraphForecast | None,
        hints: KeyHints = DEFAULT_HINTS,
    ) -> None:
        groups = groups_of_alike(shown, depth)
        self.groups = tuple(rows_of(shown, groups, folds))
        super().__init__(graph, now, self.groups)
        self._shown = shown
        self._waiting = waiting
        self._forecast = forecast
        self._critical = frozenset(forecast.critical) if forecast is not None else frozenset()
        self._widest = max((width_of(_called(row)) for row in self.groups), default=0)
        self._hints = hints
        self._axes: dict[int, Axis | None] = {}
        self._lines: dict[tuple[int, int], Line] = {}

    def move_on(self, now: datetime) -> None:
        super().move_on(now)
        self._axes.clear()
        self._lines.clear()

    def head(self, width: int) -> Line:
        """The clocks."""
        name, bar, _ = self._widths(width)
        axis = self._axis(bar)
        if axis is None:
            return ((theme.RULE * width, "rule"),)
        return _axis_line(axis, name, width, self.now.timestamp())

    def line(self, at: int, width: int, *, selected: bool) -> Line:
        if (at, width) not in self._lines:
            self._lines[at, width] = self._line(self.groups[at], width)
        return (*gutter(selected, self._mark(self.groups[at])), *self._lines[at, width])

    def _line(self, row: Group, width: int) -> Line:
        """A row without what it begins with."""
        name, bar, note = self._widths(width)
        spans: list[Span] = [(pad(_called(row), name - GUTTER - 1), ""), (" ", "")]
        axis = self._axis(bar)
        if axis is not None:
            now = self.now.timestamp()
            spans += _bar(cells_of(self.graph, row.jobs, axis, now, self._forecast))
        return (*spans, (" ", ""), *fit(self._note(row, wide=note >= NOTE_WIDE), note))

    def outlook(self) -> str:
        """When all that can run is done, and what decides it; empty until that is known."""
        forecast = self._forecast
        if forecast is None or not self._goes_on:
            return ""
        whole = self._whole(forecast)
        if forecast.end is None:
            why = f"There is no forecast: {forecast.reason}" if forecast.reason else ""
            said = "; ".join(filter(None, (why, whole)))
            return f"{said[0].upper()}{said[1:]}." if said else ""
        end = forecast.end
        best, worst = _clock(end.best, self.now), _clock(end.worst, self.now)
        spread = f"{best} to {worst}, " if best != worst else ""
        said = f"Done about {_clock(end.ends, self.now)}"
        said += f" ({spread}from {plural(forecast.past_runs, 'past run')})"
        if forecast.stuck:
            said += f", except for {plural(forecast.stuck, 'job')} that can't run"
        if whole:
            said += f"; {whole}"
        if forecast.critical:
            said += f". Critical: {' > '.join(self._names(forecast.critical))}"
        return f"{said}."

    def _whole(self, forecast: GraphForecast) -> str:
        """When all of it is done if what failed is retried; empty where that is not known."""
        if forecast.whole is None:
            return ""
        number = forecast.retried
        which = "the failed job is" if number == 1 else f"all {count(number)} failed are"
        return f"if {which} retried, everything about {_clock(forecast.whole.ends, self.now)}"

    @property
    def _goes_on(self) -> bool:
        """Whether anything is left to be done."""
        rows = (node.row for node in self.graph.nodes.values())
        return any(row is not None and row.status in (PENDING, RUNNING) for row in rows)

    def _names(self, chain: Sequence[str]) -> list[str]:
        """The last jobs of the chain that decides the end, the first of them first."""
        names = [job_label(self.graph, id) for id in chain[-SHOWN_OF_CHAIN:]]
        return [*([".."] if len(chain) > SHOWN_OF_CHAIN else []), *names]

    def _widths(self, width: int) -> tuple[int, int, int]:
        """The cells of the name with what stands before it, of the bar, and of the note."""
        name = max(LEAST_NAME, min(MOST_NAME, self._widest, width * 3 // 10)) + 5
        note = NOTE_WIDE if width >= WIDE else NOTE_NARROW if width > 60 else 0
        return name, max(10, width - name - note - 2), note

    def _axis(self, cells: int) -> Axis | None:
        if cells not in self._axes:
            rows = (node.row for node in self._shown.nodes.values() if node.row is not None)
            found = span_of(rows, self.now.timestamp(), self._forecast)
            self._axes[cells] = None if found is None else Axis(*found, cells)
        return self._axes[cells]

    def _mark(self, row: Group) -> Span:
        states = self.states(row)
        if any(state in states for state in _WRONG[:2]) or not states:
            return ("!", "fail")
        if State.DOOMED in states:
            return ("x", "fail")
        return ("*", "warn") if self._critical.intersection(row.jobs) else (" ", "")

    def _note(self, row: Group, *, wide: bool) -> Line:
        states = self.states(row)
        if not states:
            return (("not in the queue", "fail"),)
        if blocked := self._waiting.of_all(row.jobs) if set(states) & set(_WRONG) else 0:
            word = MARKS[next(state for state in states if state in _WRONG)].word
            said = f"blocks {count(blocked)}"
            if wide:
                said = f"{word}, {said}, {self._hints(RETRY_UP)} frees {count(self._freed(row))}"
            return ((said, "fail"),)
        if State.DOOMED in states:
            return (("never: ", "fail"), (inert(self._blamed(row)), "fail"))
        if (coming := self._coming(row, wide=wide)) is not None:
            return coming
        if len(states) > 1:
            return state_words(states, short=not wide)
        (state,) = states
        return self._past(row, state)

    def _freed(self, row: Group) -> int:
        """How many jobs run once those of a row are retried, with the others that failed."""
        waits = self.graph.waits
        return len(freed_by(waits, all_to_retry(waits, row.jobs)))

    def _blamed(self, row: Group) -> str:
        """What keeps jobs from ever running."""
        job = self.row_of(row.jobs[0])
        culprit = job.culprit if job is not None else None
        return shown_name(culprit) if culprit is not None else "blocked for good"

    def _coming(self, row: Group, *, wide: bool) -> Line | None:
        """When the last of some jobs is done."""
        if self._forecast is None:
            return None
        ends = [self._forecast.jobs[id] for id in row.jobs if id in self._forecast.jobs]
        if not ends:
            return None
        last = max(ends, key=lambda it: it.ends)
        is_critical = bool(self._critical.intersection(row.jobs))
        words = f"about {_clock(last.ends, self.now)}"
        if wide:
            words += f", at best {_clock(min(last.best, last.ends), self.now)}"
        if is_critical:
            return ((f"critical, {words}" if wide else words, "warn"),)
        return ((words, ""),)

    def _past(self, row: Group, state: State) -> Line:
        mark = MARKS[state]
        jobs = [job for id in row.jobs if (job := self.row_of(id)) is not None]
        times = [took for job in jobs if (took := run_seconds(job, self.now)) is not None]
        if not times:
            return ((mark.word, mark.role),)
        if len(jobs) == 1:
            return ((mark.word, mark.role), (f" {span(times[0])}", ""))
        middle = sorted(times)[len(times) // 2]
        return ((mark.word, mark.role), (f" p50 {span(middle)}", ""))


def _called(row: Group) -> str:
    return "  " * row.depth + fold_mark(row) + inert(row.label)


def _clock(at: float, now: datetime) -> str:
    """A moment that comes, by the reader's clock; of another day, with that."""
    moment = moment_of(at)
    if moment is None:
        return "?"
    here = local(moment)
    return f"{here:%H:%M}" if here.date() == local(now).date() else f"{here:%a %H:%M}"


def _bar(cells: Sequence[int]) -> list[Span]:
    spans: list[Span] = []
    for kind, run in groupby(cells):
        glyph, role = _BOXES[kind] if fmt.UTF8 else _ASCII.get(kind, _BOXES[kind])
        spans.append((glyph * len(list(run)), role))
    return spans


def _clock_on_axis(here: datetime, by_second: bool, is_long: bool) -> str:
    """What a clock of the axis says; where it is over a day long, midnight says the day."""
    if is_long and here.hour == here.minute == here.second == 0:
        return f"{here.day} {here:%b}"
    return f"{here:%H:%M:%S}" if by_second else f"{here:%H:%M}"


def _axis_line(axis: Axis, before: int, width: int, now: float) -> Line:
    """The clocks over the bars, on the line that parts the head from the rows."""
    clocks = axis.clocks(CLOCK_CELLS)
    by_second = len(clocks) > 1 and clocks[1][1] - clocks[0][1] < 60
    is_long = axis.end - axis.start > _DAY_S
    text = list(theme.RULE * width)
    roles = ["rule"] * width

    def put(at: int, words: str, role: str) -> None:
        if at + len(words) < width and all(r == "rule" for r in roles[at : at + len(words) + 1]):
            text[at : at + len(words)] = words
            roles[at : at + len(words)] = [role] * len(words)

    if axis.start < now < axis.end:
        put(before + axis.cell(now), "now", "key")
    for cell, at in clocks:
        moment = moment_of(at)
        if moment is not None:
            put(before + cell, _clock_on_axis(local(moment), by_second, is_long), "dim")
    spans: list[Span] = []
    for role, run in groupby(zip(text, roles, strict=True), key=lambda it: it[1]):
        spans.append(("".join(char for char, _ in run), role))
    return tuple(spans)
