"""Groups of failed jobs as lines: what they are, a line for each, and the canary's."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime

from gigq_core.grouping.failed_now import MOST_VALUES, FailedJobs, FailedNow
from gigq_core.units.times import local
from gigq_tui.format import count, cut, duration, inert, pad, plural, short_count, width_of
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.screen_actions import GROUP_BY, GROUP_RETRY
from gigq_tui.services.canaries import NONE_RUNS, CanaryRun
from gigq_tui.store.failures.grouping import Grouping
from gigq_tui.store.failures.reading import Groups
from gigq_tui.store.history.time_window import local_time
from gigq_tui.widgets.lines import Line, Span, line_width, span, spread
from gigq_tui.widgets.sparkline import sparkline

WIDE = 100
MIDDLE = 76
NARROW = 60
NO_VALUE = "(none)"
UNKNOWN = "-"
_DAY_S = 86_400.0
# Within less, seconds are told.
SHORT_S = 120.0
# What one looks at first takes at least so many cells.
_LEAST_NAME = 20
_TREND, _SHORT_TREND = 17, 12
_MOST_WHERE = 18


def label_of(group: FailedJobs, by: Grouping) -> str:
    """What a group is called."""
    if by.by == "cause":
        return group.title or "reading.."
    return group.value if group.value is not None else NO_VALUE


def summary(groups: Groups | None, share: float, now: datetime) -> str:
    """How many jobs there are, of how many causes, and of what time."""
    if groups is None:
        return "reading.."
    known = groups.known
    parts = []
    if known.total or groups.is_whole:
        parts += [plural(known.jobs, "job"), _counted(known.total, groups.by)]
    if known.first is not None and known.last is not None:
        parts.append(period(known.first, known.last, now))
    if share < 1.0 and not groups.is_whole:
        parts.append(f"reading: {share:.0%}")
    return ", ".join(parts)


def _counted(number: int, by: Grouping) -> str:
    if by.by == "param":
        return plural(number, f"value of {by.name}", f"values of {by.name}")
    return plural(number, by.name)


def period(first: float, last: float, now: datetime) -> str:
    """A stretch of time by the reader's clock: `02:00-04:00`, with dates unless it is today's."""
    a, b = local_time(first), local_time(last)
    today = local(now).date()
    clock = "%H:%M:%S" if last - first < SHORT_S else "%H:%M"
    if a.date() == b.date():
        day = "" if a.date() == today else f"{a.day} {a:%b} "
        return f"{day}{a.strftime(clock)}-{b.strftime(clock)}"
    return f"{a.day} {a:%b} {a:%H:%M} - {b.day} {b:%b} {b:%H:%M}"


def head_line(
    told: str,
    by: Grouping,
    choices: Sequence[Grouping],
    width: int,
    hints: KeyHints = DEFAULT_HINTS,
) -> Line:
    """Return what is shown, and by what else it could be grouped.

    Args:
        told: What is shown, in words.
        by: By what they are grouped.
        choices: By what they could be.
        width: In cells.
        hints: How keys are called.
    """
    left = ((f" {told}", "title"),)
    spans: list[Span] = [(f"{hints(GROUP_BY)} ", "key"), ("by: ", "dim")]
    for choice in choices:
        chosen = choice.by == by.by and choice.name == by.name
        spans.append((f"[{choice.name}]" if chosen else choice.name, "tab" if chosen else ""))
        spans.append((" ", ""))
    if line_width(left) + line_width(tuple(spans)) + 2 > width:
        spans = [
            (f"{hints(GROUP_BY)} ", "key"),
            ("by: ", "dim"),
            (f"[{by.name}]", "tab"),
            (" ", ""),
        ]
    return spread(left, tuple(spans), width)


# --- the table ------------------------------------------------------------------------------------

Cell = Callable[[FailedJobs], Line]


class Table:
    """The columns that fit, and what stands in them.

    Args:
        known: The groups.
        by: By what they are grouped.
        now: The present moment.
        width: In cells.
    """

    def __init__(self, known: FailedNow, by: Grouping, now: datetime, width: int) -> None:
        self._known = known
        self._by = by
        self._today = local(now).date()
        room = width - 6
        is_wide = width >= WIDE
        # Within a day, which the line above the table names, the hour will do.
        first, last = known.first, known.last
        self._has_days = (
            first is not None
            and last is not None
            and local_time(first).date() != local_time(last).date()
        )
        is_short = first is not None and last is not None and last - first < SHORT_S
        self._clock = "%H:%M:%S" if is_short else "%H:%M"
        day = 12 if is_wide and self._has_days else 8 if is_short else 6
        jobs = max(4, *(len(count(group.jobs)) for group in known.groups), 0)
        trend = _TREND if is_wide else _SHORT_TREND
        columns: list[tuple[str, int, Cell]] = [("JOBS", -jobs, self._jobs)]
        if is_wide:
            columns.append(("FIRST", -day, lambda group: self._moment(group.first, day)))
        if width >= NARROW:
            columns.append(("LAST", -day, lambda group: self._moment(group.last, day)))
            title = f"TREND{self._span()}" if is_wide else "TREND"
            columns.append((title, trend, lambda g: sparkline(g.trend, trend, "fail")))
        if width >= MIDDLE:
            columns.append(("LAST RETRY", 12, self._retried))
        if is_wide:
            where = max((width_of(inert(g.where or "")) for g in known.groups), default=0)
            columns.append(("WHERE", max(5, min(_MOST_WHERE, where)), self._where))
        taken = sum(abs(cells) + 2 for _, cells, _ in columns)
        self._columns = columns
        self._room = max(_LEAST_NAME, room - taken)

    def _span(self) -> str:
        if not self._known.ends:
            return ""
        a, b = local_time(self._known.begins), local_time(self._known.ends)
        if not SHORT_S <= (b - a).total_seconds() <= _DAY_S:
            # Two clock times would read alike, or two days not fit.
            return f" over {duration((b - a).total_seconds())}"
        return f" {a:%H:%M}-{b:%H:%M}"

    def heading(self) -> Line:
        """Return the names of the columns."""
        name = "CAUSE" if self._by.by == "cause" else self._by.name.upper()
        if self._by.by == "param":
            name = f"PARAM{self._by.name[len('param') :]}"
        spans: list[Span] = [("     ", ""), (pad(name, self._room), "heading")]
        for title, cells, _ in self._columns:
            spans += [("  ", ""), (pad(title, abs(cells), right=cells < 0), "heading")]
        return tuple(spans)

    def line(self, group: FailedJobs, *, marked: bool) -> Line:
        """Return one group."""
        spans: list[Span] = [("* " if marked else "  ", "mark"), *self._name(group)]
        for _, cells, cell in self._columns:
            told = cell(group)
            gap = " " * max(0, abs(cells) - line_width(told))
            spans.append(("  ", ""))
            spans += [(gap, ""), *told] if cells < 0 else [*told, (gap, "")]
        return tuple(spans)

    def _name(self, group: FailedJobs) -> Line:
        name = cut(inert(label_of(group, self._by)), self._room)
        left = self._room - width_of(name)
        more = ""
        if self._by.by != "cause":
            more = group.title if group.causes == 1 else plural(group.causes, "cause")
        elif group.differs:
            told = list(group.differs[:MOST_VALUES])
            if len(group.differs) > MOST_VALUES:
                told.append("..")
            while len(told) > 2 and len(" ".join(told)) + 5 > left and told[-1] == "..":
                told = [*told[:-2], ".."]
            more = f"({' '.join(told)})" if len(told) > 1 and told[1] != ".." else ""
        if more and left > 12:
            more = cut(f"   {inert(more)}", left)
            return (name, ""), (pad(more, left), "dim")
        return ((pad(name, self._room), ""),)

    def _jobs(self, group: FailedJobs) -> Line:
        return ((count(group.jobs), "fail"),)

    def _moment(self, seconds: float | None, cells: int) -> Line:
        if seconds is None:
            return ((UNKNOWN, "dim"),)
        here = local_time(seconds)
        if here.date() == self._today or (not self._has_days):
            return ((here.strftime(self._clock), ""),)
        return (
            (f"{here.day} {here:%b} {here:%H:%M}" if cells > 8 else f"{here.day} {here:%b}", ""),
        )

    def _retried(self, group: FailedJobs) -> Line:
        retried = group.retried
        if retried is None:
            return (("never" if self._known.tells_retries else UNKNOWN, "dim"),)
        ended = retried.passed + retried.failed
        if not ended:
            return ((f"{short_count(retried.open)} queued", "run"),)
        word = "so far" if retried.open else "passed"
        numbers = f"{short_count(retried.passed)}/{short_count(ended)}"
        role = "ok" if retried.passed == ended else "fail" if not retried.passed else "warn"
        return ((f"{numbers} {word}", role),)

    def _where(self, group: FailedJobs) -> Line:
        return (span(cut(inert(group.where or UNKNOWN), _MOST_WHERE)),)


# --- the canary -----------------------------------------------------------------------------------


def canary_line(
    run: CanaryRun,
    others: int,
    width: int,
    *,
    is_here: bool,
    hints: KeyHints = DEFAULT_HINTS,
) -> Line:
    """Return how a canary goes, and what comes next.

    Args:
        run: The canary.
        others: How many other jobs of its groups are failed now.
        width: In cells.
        is_here: Whether the cursor stands on one of its groups.
        hints: What keys are called.
    """
    about = "" if is_here else f"   {run.title}"
    key, words = hints(GROUP_RETRY), run.words
    if not run.is_over:
        role = "run"
        next_step = _rest_words(run, others)
    else:
        role = "ok" if run.may_go_on else "fail"
        verb = "retries" if run.may_go_on else "asks about"
        the_other = f"{key} {verb} the other" if width >= MIDDLE else f"{key}: other"
        # The key is about the group under the cursor.
        next_step = f"{the_other} {count(others)}" if others and is_here else ""
    room = width - 3 - width_of(next_step)
    if width_of(words) > room:
        words = words.removesuffix(NONE_RUNS)
    if width_of(words) > room and not run.is_over:
        next_step = ""
    left = ((f" {words}", role), (inert(about), "dim"))
    return spread(left, ((f"{next_step} ", "key" if run.may_go_on else "dim"),), width)


def _rest_words(run: CanaryRun, others: int) -> str:
    """What becomes of the others while the canary goes on."""
    if run.then_rest:
        return "then the rest"
    return f"the other {count(others)} wait for it" if others else ""
