"""The overview as lines: charts large and small, a line for each function and each concern."""

from __future__ import annotations

from datetime import datetime
from functools import partial

from gigq_core.forecast import in_words
from gigq_core.moments import clock_time
from gigq_tui.format import (
    age,
    count,
    cut,
    duration,
    inert,
    pad,
    short_count,
    width_of,
)
from gigq_tui.keys import BY_ID
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import OPEN
from gigq_tui.keys.screen_actions import ATTENTION, BACK, PAST_ACTIONS
from gigq_tui.screens.overview.chart import Series, bars, chart, largest
from gigq_tui.store.history.attention import Concern, Level
from gigq_tui.store.history.overview import FunctionLine, Overview
from gigq_tui.store.history.rings import Past
from gigq_tui.widgets.lines import Line, Span, columns, fit, line_width, spread

WIDE = 100
NARROW = 72
CHART_LINES = 5
SMALL_LABEL = 24
UNKNOWN = "-"

PAST_NAMES = {
    Past.MINUTE_1: "1m",
    Past.MINUTES_5: "5m",
    Past.MINUTES_15: "15m",
    Past.MINUTES_60: "60m",
    Past.HOURS_6: "6h",
    Past.HOURS_24: "24h",
}
_LONG_NAMES = {
    Past.MINUTE_1: "1 min",
    Past.MINUTES_5: "5 min",
    Past.MINUTES_15: "15 min",
    Past.MINUTES_60: "60 min",
    Past.HOURS_6: "6 h",
    Past.HOURS_24: "24 h",
}
_BARS = {
    Past.MINUTE_1: "1-s",
    Past.MINUTES_5: "5-s",
    Past.MINUTES_15: "15-s",
    Past.MINUTES_60: "1-min",
    Past.HOURS_6: "6-min",
    Past.HOURS_24: "24-min",
}
_ROLES = {Level.GRAVE: "fail", Level.WARNING: "warn", Level.NOTE: "dim"}
_MARKS = {Level.GRAVE: "!", Level.WARNING: "*", Level.NOTE: "."}


def past_line(
    past: Past,
    overview: Overview | None,
    now: datetime,
    width: int,
    hints: KeyHints = DEFAULT_HINTS,
) -> Line:
    """Return which time is shown, the keys for others, and how much of it is known."""
    lead: Line = ((" last ", ""), (_LONG_NAMES[past], "title"), ("  ", ""))
    spans: list[Span] = []
    for number, (each, name) in enumerate(PAST_NAMES.items(), start=1):
        chosen = each is past
        spans += [
            (f" {hints(PAST_ACTIONS[number - 1])} ", "key"),
            (f"[{name}]" if chosen else name, "tab" if chosen else ""),
        ]
    known = _known(overview, now)
    room = width - line_width(tuple(spans)) - 2
    if width_of(known[0]) + line_width(lead) <= room:
        return spread((*lead, *spans), ((known[0], "dim"),), width)
    if width_of(known[1]) + line_width(lead) <= room:
        return spread((*lead, *spans), ((known[1], "dim"),), width)
    return spread(tuple(spans), ((known[1], "dim"),), width)


def _known(overview: Overview | None, now: datetime) -> tuple[str, str]:
    """How much of the window is known, in a longer and a shorter form; empty if all of it is."""
    if overview is None:
        return "reading.. ", "reading.. "
    if overview.known_from is None:
        return "", ""
    since = clock_time(overview.known_from, now)
    if overview.reading:
        return f"reading.. back to {since} ", f"reading.. {since} "
    attempts = f"of the last {count(overview.attempts)} attempts, since {since} "
    return attempts, f"last {short_count(overview.attempts)}, since {since} "


# --- charts -----------------------------------------------------------------------------------


def large_charts(overview: Overview, width: int) -> list[Line]:
    """Return the four charts with their axes, two beside each other."""
    half = width // 2
    since = f"{PAST_NAMES[overview.window]} ago"
    whole = partial(_whole, 5)
    per = _BARS[overview.window]
    draw = partial(chart, height=CHART_LINES - 1, since=since)
    done = draw(_done(overview), half - 1, label=whole)
    failed = draw(_failed(overview), width - half - 2, label=whole)
    waiting = draw(_waiting(overview), half - 1, label=whole)
    run = draw(_p50(overview), width - half - 2, label=duration, behind=_p95(overview))
    failures = "fail" if overview.total.failed else ""
    titles = (
        (f"jobs done, {per} bars", _last_and_most(overview.done), ""),
        (f"failures, {per} bars", _last_and_most(overview.failed), failures),
        ("waiting", _backlog(overview, half - 14), ""),
        ("run time", _run_times(overview, half - 14), ""),
    )
    heads = [((f" {title}", "heading"), (f"   {text}", role)) for title, text, role in titles]
    left = [heads[0], *done, heads[2], *waiting]
    right = [heads[1], *failed, heads[3], *run]
    return [_beside(a, b, half) for a, b in zip(left, right, strict=True)]


def _beside(left: Line, right: Line, half: int) -> Line:
    left = fit(left, half - 1)
    return (*left, (" " * (half - line_width(left)), ""), *right)


def small_charts(overview: Overview, width: int) -> list[Line]:
    """Return each chart in one line, for small terminals."""
    per = _BARS[overview.window]
    room = width - SMALL_LABEL - 1
    waiting = f"{short_count(overview.counts.pending)} {_pace(overview)}"
    rows: list[tuple[str, str, Series]] = [
        (f"done/{per}", _last_and_most(overview.done, short=True), _done(overview)),
        (f"fail/{per}", _last_and_most(overview.failed, short=True), _failed(overview)),
        ("waiting", waiting.rstrip(), _waiting(overview)),
    ]
    lines: list[Line] = []
    for name, text, series in rows:
        (bar,) = bars(series, None, 1, room)
        lines.append(((f" {pad(name, 9)}", "heading"), (pad(text, SMALL_LABEL - 10), ""), *bar))
    eta = _empty_in(overview)
    run: Line = ((f" {pad('run time', 9)}", "heading"), (_run_times(overview, 0), ""))
    return [*lines, (*run, ("   ", ""), (eta, "accent"))]


def _done(overview: Overview) -> Series:
    return Series(overview.done, "ok")


def _failed(overview: Overview) -> Series:
    return Series(overview.failed, "fail")


def _waiting(overview: Overview) -> Series:
    return Series(overview.waiting, "accent", whole=True)


def _p50(overview: Overview) -> Series:
    return Series(overview.p50_s, "run")


def _p95(overview: Overview) -> Series:
    return Series(overview.p95_s, "dim")


def _whole(cells: int, value: float) -> str:
    text = count(round(value))
    return text if width_of(text) <= cells else short_count(round(value))


def _last_and_most(values: tuple[int, ...], *, short: bool = False) -> str:
    """The last bucket that is over, and the largest."""
    last, most = values[-2], round(largest(values))
    if short:
        return f"{short_count(last)} max {short_count(most)}"
    return f"last {count(last)}   max {count(most)}"


def _pace(overview: Overview) -> str:
    pace = overview.pace
    if pace is None or abs(pace) < 0.05:
        return ""
    return f"{pace:+.1f}/s" if abs(pace) < 10 else f"{pace:+.0f}/s"


def _backlog(overview: Overview, room: int) -> str:
    number, pace = count(overview.counts.pending), _pace(overview)
    changing = f"{'falling' if pace.startswith('-') else 'rising'} {pace[1:]}" if pace else ""
    eta = _empty_in(overview)
    forms = (
        ", ".join(part for part in (number, changing, eta) if part),
        ", ".join(part for part in (f"{number} {pace}", eta) if part),
        ", ".join(part for part in (number, changing, _empty_in(overview, more=False)) if part),
    )
    return next((form for form in forms if width_of(form) <= room), forms[-1])


def _empty_in(overview: Overview, *, more: bool = True) -> str:
    """When what is ready would be done if nothing else came, with the slots there are and more."""
    figures, now = overview.figures, overview.taken_at
    if figures.ahead is None:
        return ""
    text = f"empty in {in_words(figures.ahead.left(now))}"
    with_more = figures.ahead.left_with_more(now)
    if more and with_more is not None:
        text += f", {figures.more_slots} slots: {in_words(with_more).removeprefix('about ')}"
    return text


def _run_times(overview: Overview, room: int) -> str:
    total = overview.total
    p50, p95 = total.run_s(0.5), total.run_s(0.95)
    if p50 is None or p95 is None:
        return "nothing ended"
    text = f"p50 {duration(p50)}  p95 {duration(p95)}  max {duration(total.longest_s)}"
    waited = f"  wait {duration(total.waited_s / total.waits)}" if total.waits else ""
    short = inert(overview.longest.rpartition(".")[2])
    name = f" ({cut(short, 20)})"
    for text_more in (f"{text}{name}{waited}", f"{text}{name}", text):
        if width_of(text_more) <= room:
            return text_more
    return text


# --- functions --------------------------------------------------------------------------------


def _layout(width: int, waiting: str) -> list[tuple[str, int, str]]:
    if width < WIDE:
        numbers = [
            (waiting, -7, "ready"),
            ("RUN", -4, "running"),
            ("DONE/H", -8, "done"),
            ("FAIL%", -6, "share"),
            ("P50", -6, "p50"),
            ("P95", -7, "p95"),
            ("OLDEST", -7, "oldest"),
        ]
        if width < NARROW:
            numbers = [each for each in numbers if each[2] not in ("done", "p50")]
    else:
        numbers = [
            (waiting, -9, "ready"),
            ("RUN", -6, "running"),
            ("DONE/H", -10, "done"),
            ("FAIL/H", -9, "failed"),
            ("FAIL%", -8, "share"),
            ("P50", -9, "p50"),
            ("P95", -9, "p95"),
            ("OLDEST WAITING", -16, "oldest"),
        ]
    room = max(8, width - 5 - sum(-cells for _, cells, _ in numbers))
    return [("BY FUNCTION", room, "function"), *numbers]


def functions_heading(overview: Overview | None, width: int) -> Line:
    """Return the names of the columns."""
    waiting = "READY" if overview is None or overview.ready_only else "WAITING"
    cells = [(name, cells, "heading") for name, cells, _ in _layout(width, waiting)]
    return (("   ", ""), *columns(cells))


def function_line(line: FunctionLine, overview: Overview, now: datetime, width: int) -> Line:
    """Return what one function has to do, and did."""
    hours = _hours(overview)
    tried = line.done + line.failed
    more = "" if overview.all_counted else "+"
    name = inert(line.function)
    layout = _layout(width, "")
    room = layout[0][1]
    if width_of(name) > room:
        # The end of a dotted name says more than its beginning.
        name = ".." + name[-(room - 2) :] if name.isascii() else cut(name, room)
    fields = {
        "function": name,
        "ready": f"{count(line.ready)}{more}" if line.ready else UNKNOWN,
        "running": str(line.running) if line.running else UNKNOWN,
        "done": _rate(line.done / hours),
        "failed": _rate(line.failed / hours),
        "share": f"{100 * line.failed / tried:.1f}" if tried else UNKNOWN,
        "p50": UNKNOWN if line.p50_s is None else duration(line.p50_s),
        "p95": UNKNOWN if line.p95_s is None else duration(line.p95_s),
        "oldest": UNKNOWN if line.oldest is None else age((now - line.oldest).total_seconds()),
    }
    roles = {
        "running": "run" if line.running else "dim",
        "failed": "fail" if line.failed else "dim",
        "share": "fail" if line.failed else "dim",
    }
    return columns([(fields[field], cells, roles.get(field, "")) for _, cells, field in layout])


def _rate(per_hour: float) -> str:
    """A rate with a decimal where it is small: what happened at all is not shown as nothing."""
    if 0 < per_hour < 0.05:
        return "<0.1"
    return f"{per_hour:.1f}".removesuffix(".0") if per_hour < 10 else count(round(per_hour))


def _hours(overview: Overview) -> float:
    """How many hours of the window are known."""
    known_s: float = overview.window.value
    if overview.known_from is not None:
        known_s = min(known_s, max(1.0, (overview.taken_at - overview.known_from).total_seconds()))
    return known_s / 3_600


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
    opens = hints(OPEN)
    leads = f"{opens}: workers" if lead.workers else f"{opens}: show them" if lead.tab else ""
    problem = inert(concern.text)
    if helps := help_with(concern, hints):
        problem += f" ({helps})"
    text = (f"{_MARKS[concern.level]} {problem}", _ROLES[concern.level])
    return spread((text,), ((leads, "dim"),), width) if leads else fit((text,), width)
