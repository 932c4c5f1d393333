"""The overview as lines: charts large and small, a line for each function and each concern."""

from __future__ import annotations

import math
from collections.abc import Sequence
from datetime import datetime
from functools import partial

from gigq_core.units.moments import comes_twice, moment_words, offset_of, stretch_words
from gigq_core.units.spans import DAY_S, HOUR_S, MINUTE_S, span
from gigq_core.units.spread import in_words
from gigq_core.units.times import moment_of
from gigq_tui.format import (
    age,
    count,
    cut,
    duration,
    inert,
    pad,
    plural,
    short_count,
    width_of,
)
from gigq_tui.keys import BY_ID
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.screen_actions import (
    ATTENTION,
    BACK,
    COMPARE,
    EARLIER,
    FAILURES_AFTER,
    FAILURES_BEFORE,
    LATER,
    NOW,
    OPEN_THEN,
    PAST_ACTIONS,
    ZOOM_IN,
    ZOOM_OUT,
)
from gigq_tui.screens.overview.chart import (
    AXIS_CELLS,
    Axis,
    Series,
    ascii_bars,
    bars,
    chart,
    clock_line,
    glyphs,
    largest,
)
from gigq_tui.screens.overview.clocks import marks
from gigq_tui.screens.overview.lens import CHOICES_S, Lens
from gigq_tui.store.history.account import Account
from gigq_tui.store.history.attention import Concern, Level
from gigq_tui.store.history.moment import Moment, Ran
from gigq_tui.store.history.overview import ALL, FunctionLine, Overview
from gigq_tui.store.history.tally import Tally, seconds_of
from gigq_tui.store.history.time_window import local_time
from gigq_tui.store.stepwise import SoFar
from gigq_tui.widgets.lines import Line, Span, columns, fit, line_width, spread

# From here on there is room for all columns.
WIDE = 116
NARROW = 72
CHART_LINES = 5
SMALL_LABEL = 26
UNKNOWN = "-"

_NAMES = ("1m", "5m", "15m", "60m", "6h", "24h")
_LONG_NAMES = ("1 min", "5 min", "15 min", "60 min", "6 h", "24 h")
_ROLES = {Level.GRAVE: "fail", Level.WARNING: "warn", Level.NOTE: "dim"}
_MARKS = {Level.GRAVE: "!", Level.WARNING: "*", Level.NOTE: "."}
_COMPARED = {1: "day before", 7: "week before", 0: "none"}
_SHORTLY = {1: "day before", 7: "week", 0: "none"}


def room_for_bars(width: int, *, large: bool) -> int:
    """Return how many bars there is room for on a screen of this width."""
    if large:
        half = width // 2
        return max(1, min(half - 1, width - half - 2) - AXIS_CELLS)
    return max(1, width - SMALL_LABEL - 1)


# --- which time is shown ------------------------------------------------------------------------


def window_line(
    lens: Lens,
    known: SoFar[Account] | None,
    now: datetime,
    width: int,
    hints: KeyHints = DEFAULT_HINTS,
) -> Line:
    """Return which time is shown, the keys for others, and how much of it is known.

    Args:
        lens: Which time is shown.
        known: What happened in it, as far as it is read.
        now: The present moment.
        width: In cells.
        hints: How keys are called.
    """
    at = now.timestamp()
    edges = lens.window.edges(at)
    title = _title(lens, edges)
    lead: Line = ((" ", ""), (title, "title"), (f"  {bar_words(lens)} bars ", "dim"))
    short: Line = ((" ", ""), (title, "title"), (" ", ""))
    lengths: list[Span] = []
    for number, name in enumerate(_NAMES):
        chosen = lens.window.live and lens.length_s == CHOICES_S[number]
        lengths += [
            (f" {hints(PAST_ACTIONS[number])} ", "key"),
            (f"[{name}]" if chosen else name, "tab" if chosen else ""),
        ]
    back: Line = () if lens.window.live else ((f"  {hints(NOW)} ", "key"), ("now", ""))
    reading: Line = ()
    if known is None:
        reading = (("reading.. ", "dim"),)
    elif not known.done:
        reading = ((f"reading.. {known.share:.0%} ", "dim"),)
    compared = _compared(lens, hints)
    shortly: Line = ((f"{hints(COMPARE)} ", "key"), (f"[{_COMPARED[lens.days]}] ", "tab"))
    forms: tuple[tuple[Line, Line], ...] = (
        ((*lead, *lengths, *back), (*reading, *compared)),
        ((*lead, *back), (*reading, *compared)),
        ((*short, *back), (*reading, *shortly)),
        ((*short, *back), reading),
        (short, reading),
    )
    for left, right in forms:
        if line_width(left) + line_width(right) < width:
            return spread(left, right, width)
    return fit(short, width)


def _title(lens: Lens, edges: Sequence[float]) -> str:
    start, end = moment_of(edges[0]), moment_of(edges[-1])
    if start is None or end is None:
        return ""
    if not lens.window.live:
        return stretch_words(start, end)
    return f"{_last(lens)}, since {moment_words(start)}"


def _last(lens: Lens) -> str:
    """How long a window that goes on now is."""
    if lens.length_s in CHOICES_S:
        return f"last {_LONG_NAMES[CHOICES_S.index(int(lens.length_s))]}"
    return f"last {span(lens.length_s)}"


def bar_words(lens: Lens) -> str:
    """Return how long a bar is: `90-s`, `2-min`."""
    size = lens.window.ruler.bar_s
    for unit_s, unit in ((DAY_S, "day"), (HOUR_S, "h"), (MINUTE_S, "min")):
        if size >= unit_s and size % (unit_s / 2) == 0 and (size % unit_s == 0 or unit == "h"):
            return f"{size / unit_s:g}-{unit}"
    return f"{size:g}-s"


def _compared(lens: Lens, hints: KeyHints) -> Line:
    spans: list[Span] = [(f"{hints(COMPARE)} ", "key"), ("compare: ", "dim")]
    for days, name in _SHORTLY.items():
        chosen = days == lens.days
        spans.append((f"[{name}]" if chosen else name, "tab" if chosen else "dim"))
        spans.append((" ", ""))
    return tuple(spans)


# --- charts -----------------------------------------------------------------------------------


def _axis(lens: Lens, account: Account, room: int) -> Axis:
    cells = max(1, room // max(1, len(account.bars)))
    starts = account.edges[:-1]

    def number(at: float | None) -> int | None:
        return None if at is None else max(0, sum(start <= at for start in starts) - 1)

    return Axis(cells, marks(account.edges, cells), number(lens.cursor), number(lens.other))


def large_charts(lens: Lens, account: Account, overview: Overview | None, width: int) -> list[Line]:
    """Return the four charts with their clocks, two beside each other.

    Args:
        lens: Which time is shown.
        account: What happened in it.
        overview: How things stand now; None before that is read.
        width: In cells.
    """
    half = width // 2
    axis = _axis(lens, account, room_for_bars(width, large=True))
    whole = partial(_whole, 5)
    per = bar_words(lens)
    draw = partial(chart, height=CHART_LINES - 1, axis=axis)
    left, right = half - 1, width - half - 2
    done = draw(_done(account), left, label=whole)
    failed = draw(_failed(account), right, label=whole)
    waiting = draw(_waiting(account), left, label=whole)
    run = draw(_p50(account), right, label=duration, behind=_p95(account))
    titles = (
        (f"jobs done, {per} bars", _sum_and_most(account, "done"), ""),
        (
            f"failed attempts, {per} bars",
            _sum_and_most(account, "failed"),
            "fail" if account.total.failed else "",
        ),
        ("jobs waiting", _backlog(account, overview, half - 17), ""),
        ("run time", _run_times(account, half - 14), ""),
    )
    heads = [((f" {title}", "heading"), (f"   {text}", role)) for title, text, role in titles]
    columns_left = [heads[0], *done, heads[2], *waiting]
    columns_right = [heads[1], *failed, heads[3], *run]
    return [_beside(a, b, half) for a, b in zip(columns_left, columns_right, strict=True)]


def _beside(left: Line, right: Line, half: int) -> Line:
    left = fit(left, half - 1)
    return (*left, (" " * (half - line_width(left)), ""), *right)


def small_charts(lens: Lens, account: Account, overview: Overview | None, width: int) -> list[Line]:
    """Return each chart in one line over one clock, for small terminals.

    Args:
        lens: Which time is shown.
        account: What happened in it.
        overview: How things stand now; None before that is read.
        width: In cells.
    """
    per = bar_words(lens)
    room = room_for_bars(width, large=False)
    axis = _axis(lens, account, room)
    rows: list[tuple[str, str, Series]] = [
        (f"done/{per}", _sum_and_most(account, "done", short=True), _done(account)),
        (f"fail/{per}", _sum_and_most(account, "failed", short=True), _failed(account)),
        ("waiting", _backlog_in_short(account, overview), _waiting(account)),
    ]
    lines: list[Line] = []
    for name, text, series in rows:
        (bar,) = bars(series, None, 1, room, axis)
        lines.append(((f" {pad(name, 12)}", "heading"), (pad(text, SMALL_LABEL - 13), ""), *bar))
    cells = min(room, len(account.bars) * axis.cells)
    run = cut(_run_times(account, 0, short=True), SMALL_LABEL - 2)
    foot: Line = ((f" {pad(run, SMALL_LABEL - 1)}", "dim"), *clock_line(axis, cells))
    return [*lines, foot]


def _done(account: Account) -> Series:
    return Series(tuple(bar.done for bar in account.bars), "ok", not account.window.live)


def _failed(account: Account) -> Series:
    return Series(tuple(bar.failed for bar in account.bars), "fail", not account.window.live)


def _waiting(account: Account) -> Series:
    return Series(tuple(bar.waiting for bar in account.bars), "accent", whole=True)


def _p50(account: Account) -> Series:
    return Series(tuple(bar.p50_s for bar in account.bars), "run", not account.window.live)


def _p95(account: Account) -> Series:
    return Series(tuple(bar.p95_s for bar in account.bars), "dim")


def _whole(cells: int, value: float) -> str:
    text = count(round(value))
    return text if width_of(text) <= cells else short_count(round(value))


def _sum_and_most(account: Account, field: str, *, short: bool = False) -> str:
    """How many in the whole window, and in the bar with the most."""
    values = [int(getattr(bar, field)) for bar in account.bars]
    whole, most = sum(values), max(values, default=0)
    if short:
        return f"{short_count(whole)} max {short_count(most)}"
    return f"{count(whole)} in all, at most {count(most)}"


def _pace(account: Account) -> str:
    pace = account.pace
    if pace is None or abs(pace) < 0.05:
        return ""
    return f"{pace:+.1f}/s" if abs(pace) < 10 else f"{pace:+.0f}/s"


def _backlog(account: Account, overview: Overview | None, room: int) -> str:
    """How many wait now and how that changes, and when they are done, or the most at once."""
    told = f"at most {count(round(largest([bar.waiting for bar in account.bars])))}"
    if not account.window.live or overview is None:
        return told
    pace = _pace(account)
    changing = f", {'falling' if pace.startswith('-') else 'rising'} {pace[1:]}" if pace else ""
    number, eta = f"{count(overview.counts.pending)} now", _empty_in(overview)
    forms = (
        f"{number}{changing}{eta}, {told}",
        f"{number}{changing}{eta}",
        f"{number}{f' {pace}' if pace else ''}{eta}",
        f"{count(overview.counts.pending)}{eta}",
        f"{number}{changing}{_empty_in(overview, more=False)}",
        f"{number}{changing}",
    )
    return next((form for form in forms if width_of(form) <= room), forms[-1])


def _empty_in(overview: Overview, *, more: bool = True) -> str:
    """When what is ready would be done if nothing else came, with the slots there are and more."""
    ahead, now = overview.ahead, overview.taken_at
    if ahead is None:
        return ""
    text = f", empty in {in_words(ahead.left(now))}"
    with_more = ahead.left_with_more(now)
    if more and with_more is not None:
        text += f", with {ahead.more_slots} slots {in_words(with_more).removeprefix('about ')}"
    return text


def _backlog_in_short(account: Account, overview: Overview | None) -> str:
    most = short_count(round(largest([bar.waiting for bar in account.bars])))
    if account.window.live and overview is not None:
        return f"{short_count(overview.counts.pending)} {_pace(account) or f'max {most}'}"
    return f"max {most}"


def _run_times(account: Account, room: int, *, short: bool = False) -> str:
    total = account.total
    p50, p95 = total.quantiles(0.5, 0.95)
    if p50 is None or p95 is None:
        return "nothing ended"
    text = f"p50 {duration(p50)}  p95 {duration(p95)}"
    if short:
        return text
    text += f"  max {duration(total.longest_s)}"
    waited = f"  wait {duration(total.waited_s / total.waits)}" if total.waits else ""
    name = f" ({cut(inert(account.longest.rpartition('.')[2]), 20)})"
    for text_more in (f"{text}{name}{waited}", f"{text}{name}", text):
        if width_of(text_more) <= room:
            return text_more
    return text


# --- what is chosen in the window ---------------------------------------------------------------


def chosen_lines(
    lens: Lens,
    account: Account,
    moment: SoFar[Moment] | None,
    width: int,
    hints: KeyHints = DEFAULT_HINTS,
) -> list[Line]:
    """Return what happened under the cursor or in the selection, what ran and what failed next.

    Args:
        lens: Which time is shown, and what is chosen in it.
        account: What happened in it.
        moment: What ran under the cursor, as far as it is read.
        width: In cells.
        hints: How keys are called.
    """
    selected = lens.selection
    chosen = selected or lens.bar
    if chosen is None:
        keys = (
            f"{hints(EARLIER)} {hints(LATER)} bar by bar   {hints(ZOOM_IN)} {hints(ZOOM_OUT)} zoom"
        )
        failures = f"{hints(FAILURES_BEFORE)} {hints(FAILURES_AFTER)} failures"
        return [((f" {keys}   {failures}", "dim"),), ()]
    bars = [bar for bar in account.bars if chosen.start <= bar.start < chosen.end]
    done, failed = sum(bar.done for bar in bars), sum(bar.failed for bar in bars)
    bad = "fail" if failed else ""
    first = (f" {_clock_words(chosen.start, chosen.end, bool(selected))}: ", "title")
    told: list[Span] = [
        first,
        (f"{count(done)} done, ", ""),
        (f"{count(failed)} failed", bad),
    ]
    if selected is not None:
        helps = f"   {hints(ZOOM_IN)} zoom in  {hints(OPEN_THEN)} its jobs  {hints(BACK)} end"
        return [fit((*told, (helps, "dim")), width), ()]
    if moment is None:
        return [fit((*told, ("   reading what ran..", "dim")), width), ()]
    value = moment.value
    reading = "" if moment.done else f", reading.. {moment.share:.0%}"
    told.append(
        (
            f"; {plural(value.count, 'attempt')} ran then{reading}: "
            if value.count
            else "; nothing ran",
            "",
        )
    )
    names = [_ran_words(each) for each in value.ran]
    return [fit((*told, (inert(", ".join(names)), "run")), width), _failed_next(value, width)]


def _clock_words(start: float, end: float, whole: bool) -> str:
    """The time of a bar, or both ends of a selection, by the reader's clock."""
    here, there = local_time(start), local_time(end)
    seconds = (end - start) % MINUTE_S or start % MINUTE_S

    def words(at: datetime) -> str:
        text = f"{at:%H:%M:%S}" if seconds else f"{at:%H:%M}"
        text += (
            f" ({offset_of(at)}, this time comes twice)" if comes_twice(at) and not whole else ""
        )
        return text + offset_of(at) if comes_twice(at) and whole else text

    if end - start >= DAY_S:
        return f"{here:%a} {here.day} {here:%b}" + (f" - {there.day} {there:%b}" if whole else "")
    return f"{words(here)} - {words(there)}" if whole else words(here)


def _ran_words(ran: Ran) -> str:
    worker = f" on {ran.worker}" if ran.worker else ""
    return f"{cut(ran.name, 24)}{worker}"


def _failed_next(moment: Moment, width: int) -> Line:
    failed = moment.failed_next
    if failed is None or failed.ended is None:
        return ()
    at = local_time(failed.ended)
    where = f" on {failed.worker}" if failed.worker else ""
    error = f": {failed.error}" if failed.error else ""
    text = f" failed next: {at:%H:%M:%S} {failed.name}{where}{error}"
    return fit(((inert(text), "fail"),), width)


# --- functions --------------------------------------------------------------------------------


def _layout(width: int, waiting: str, *, live: bool, compared: bool) -> list[tuple[str, int, str]]:
    """The columns: their names, widths in cells (negative: to the right), and what they hold."""
    wide = width >= WIDE
    columns: list[tuple[str, int, str]] = []
    if live:
        columns += [(waiting, -9 if wide else -7, "ready"), ("RUN", -5, "running")]
    columns += [("RAN", -8 if wide else -7, "ran"), ("FAILED", -8 if wide else -7, "failed")]
    if wide:
        columns.append(("FAIL%", -7, "share"))
    if width >= NARROW:
        columns += [("P50", -7, "p50")]
        columns += [("P95", -8, "p95")] if wide or not compared else []
    if compared:
        before = [("WAS FAIL%", -11, "was_share"), ("P50", -7, "was_p50"), ("P95", -7, "was_p95")]
        columns += before if wide else [("WAS P50", -8, "was_p50")] if width >= NARROW else []
        columns.append(("", 14 if wide else 12, "verdict"))
    elif live and wide:
        columns.append(("OLDEST WAITING", -16, "oldest"))
    room = max(8, width - 5 - sum(abs(cells) for _, cells, _ in columns))
    return [("BY FUNCTION", room, "function"), *columns]


def functions_heading(overview: Overview | None, lens: Lens, width: int) -> Line:
    """Return the names of the columns."""
    waiting = "READY" if overview is None or overview.ready_only else "WAITING"
    layout = _layout(width, waiting, live=lens.window.live, compared=bool(lens.days))
    return (("   ", ""), *columns([(name, cells, "heading") for name, cells, _ in layout]))


def function_line(
    line: FunctionLine, overview: Overview, now: datetime, width: int, lens: Lens
) -> Line:
    """Return what one function has to do, did, and did before.

    Args:
        line: The function.
        overview: How things stand now.
        now: The present moment.
        width: In cells.
        lens: Which time is shown.
    """
    more = "" if overview.all_counted else "+"
    name = inert(line.function)
    layout = _layout(width, "", live=lens.window.live, compared=bool(lens.days))
    room = layout[0][1]
    if width_of(name) > room:
        # The end of a dotted name says more than its beginning.
        name = ".." + name[-(room - 2) :] if name.isascii() else cut(name, room)
    p50, p95 = line.then.quantiles(0.5, 0.95)
    was_p50, was_p95 = line.before.quantiles(0.5, 0.95)
    verdict, role = _verdict(line)
    fields = {
        "function": name,
        "ready": f"{count(line.ready)}{more}" if line.ready else UNKNOWN,
        "running": count(line.running) if line.running else UNKNOWN,
        "ran": count(line.then.tried) if line.then.tried else UNKNOWN,
        "failed": count(line.then.failed) if line.then.failed else UNKNOWN,
        "share": _share(line.then),
        "p50": UNKNOWN if p50 is None else duration(p50),
        "p95": UNKNOWN if p95 is None else duration(p95),
        "was_share": _share(line.before),
        "was_p50": UNKNOWN if was_p50 is None else duration(was_p50),
        "was_p95": UNKNOWN if was_p95 is None else duration(was_p95),
        "verdict": f" {verdict}",
        "oldest": UNKNOWN if line.oldest is None else age((now - line.oldest).total_seconds()),
    }
    bad = "fail" if line.then.failed else "dim"
    roles = {
        "function": "title" if line.function == ALL else "",
        "running": "run" if line.running else "dim",
        "failed": bad,
        "share": bad,
        "was_share": "dim",
        "was_p50": "dim",
        "was_p95": "dim",
        "verdict": role,
    }
    return columns([(fields[field], cells, roles.get(field, "")) for _, cells, field in layout])


def _share(tally: Tally) -> str:
    return f"{100 * tally.failed / tally.tried:.1f}" if tally.tried else UNKNOWN


def _verdict(line: FunctionLine) -> tuple[str, str]:
    """What is different from before, in a word, and its role."""
    verdict = line.verdict
    if verdict.failures > 0:
        # How long they take says little then: what fails may do so at once, or at its timeout.
        return "FAILS MORE", "fail"
    if verdict.time > 0:
        return f"SLOWER {_times(verdict.ratio)}", "warn"
    if verdict.time < 0:
        return f"faster {_times(1 / verdict.ratio)}", "ok"
    return ("fails less", "ok") if verdict.failures < 0 else ("", "")


def _times(ratio: float) -> str:
    """How many times as much, in at most four cells up to a thousand."""
    return f"{ratio:.1f}x" if ratio < 9.95 else f"{ratio:.0f}x"


def histogram(line: FunctionLine | None, lens: Lens, width: int) -> list[Line]:
    """Return how run times are spread, now and before: two lines over one scale."""
    if line is None or not line.then.runs:
        return [((" run times   no run ended", "dim"),), ()]
    room = max(8, min(60, width - 46))
    steps = [seconds_of(step) for step in (*line.then.runs, *line.before.runs)]
    least, most = max(min(steps), 0.001), max(max(steps), 0.002)
    scale = (least, max(most, least * 2))
    name = cut(inert(line.function.rpartition(".")[2]), 18)
    lines: list[Line] = []
    for label, tally, role in (
        ("run times", line.then, "run"),
        (_COMPARED[lens.days], line.before, "dim"),
    ):
        if not tally.runs:
            lines.append(())
            continue
        (row,) = glyphs(_spread(tally, scale, room), 1, 0)
        drawn: Span = (ascii_bars(row), role)
        told = f" {duration(scale[0])} - {duration(scale[1])}" if label == "run times" else ""
        head = f" {pad(label, 12)}{pad(name if label == 'run times' else '', 19)}"
        lines.append(((head, "heading" if told else "dim"), drawn, (told, "dim")))
    return [fit(line, width) for line in lines]


def _spread(tally: Tally, scale: tuple[float, float], room: int) -> list[int]:
    """How many runs took how long, in steps of a scale that grows by factors."""
    found = [0] * room
    whole = math.log(scale[1] / scale[0])
    for step, n in tally.runs.items():
        share = math.log(max(seconds_of(step), scale[0]) / scale[0]) / whole
        found[min(room - 1, int(share * room))] += n
    return found


# --- what needs a person ----------------------------------------------------------------------


def attention_heading(
    overview: Overview | None, *, inside: bool, hints: KeyHints = DEFAULT_HINTS
) -> Line:
    """Return the line over what needs a person."""
    if overview is None:
        return ((" ATTENTION", "heading"),)
    if not overview.concerns:
        return ((" ATTENTION", "heading"), ("   nothing needs attention", "ok"))
    key = f"{hints(BACK)} goes back" if inside else f"{hints(ATTENTION)} opens the list"
    number = sum(concern.level is not Level.NOTE for concern in overview.concerns)
    role = _ROLES[overview.concerns[0].level]
    return (
        (" ATTENTION", "heading"),
        (f"   {_needing(number)}" if number else "   no problems", role),
        (f"   {key}", "dim"),
    )


def _needing(number: int) -> str:
    return f"{number} {'needs' if number == 1 else 'need'} attention"


def help_with(concern: Concern, hints: KeyHints) -> str:
    """Return the key that helps with it and what that does, or an empty string."""
    lead = concern.lead
    return f"{hints(BY_ID[lead.action])} {lead.does}" if lead.action else ""


def concern_line(concern: Concern, width: int, hints: KeyHints = DEFAULT_HINTS) -> Line:
    """Return one thing that needs a person, and what helps."""
    lead = concern.lead
    opens = hints(OPEN_THEN)
    place = "workers" if lead.workers else lead.screen or ("show them" if lead.tab else "")
    leads = f"{opens}: {place}" if place else ""
    problem = inert(concern.text)
    if helps := help_with(concern, hints):
        problem += f" ({helps})"
    text = (f"{_MARKS[concern.level]} {problem}", _ROLES[concern.level])
    return spread((text,), ((leads, "dim"),), width) if leads else fit((text,), width)
