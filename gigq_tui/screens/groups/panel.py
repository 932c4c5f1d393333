"""What stands below the list of groups: all of the one under the cursor, which a row cuts."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gigq_core.grouping.failed_now import FailedJobs, Retried
from gigq_tui.format import count, cut, inert, pad, plural
from gigq_tui.screens.groups.lines import label_of, period
from gigq_tui.store.failures.grouping import Grouping
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line, Span, fit, line_width
from gigq_tui.widgets.question import wrap_words

# The rule with its title, and what is said.
HEIGHT = 5
_MOST_TITLE_LINES = 2
_LABEL = 9
_SHORT_PRINT = 8


def panel_lines(
    group: FailedJobs, by: Grouping, now: datetime, width: int, *, tells_retries: bool
) -> list[Line]:
    """Return the whole panel: `HEIGHT` lines at most.

    Args:
        group: The group.
        by: What it has in common.
        now: The present moment.
        width: In cells.
        tells_retries: Whether the file tells what was retried.
    """
    label = inert(label_of(group, by))
    print_of = f"fp:{group.value[:_SHORT_PRINT]}" if by.by == "cause" and group.value else ""
    end: Line = ((f" {print_of} ", "dim"), (theme.RULE * 3, "rule")) if print_of else ()
    room = width - line_width(end) - 6
    title = cut(label, room)
    left: Line = ((theme.RULE * 3, "rule"), (f" {title} ", "title"))
    rule = theme.RULE * max(0, width - line_width(left) - line_width(end))
    lines: list[Line] = [(*left, (rule, "rule"), *end)]
    if by.by != "cause":
        causes = "" if group.causes == 1 else f", and {plural(group.causes - 1, 'other cause')}"
        lines += _said("cause", f"{inert(group.title)}{causes}", width, 1)
    elif title != label:
        lines += _said("cause", label, width, _MOST_TITLE_LINES)
    where = inert(group.where or "not in code of your own")
    if by.by == "cause" and group.differs:
        where += f"; # stands for {', '.join(map(inert, group.differs))}"
    lines += _said("where", where, width, 1)
    lines += _said("failed", _failed(group, now), width, 1)
    if tells_retries:
        lines.append(_line("retried", _retried(group.retried), width))
    return lines[:HEIGHT]


def _failed(group: FailedJobs, now: datetime) -> str:
    told = plural(group.jobs, "job")
    if group.first is not None and group.last is not None:
        told += f", {period(group.first, group.last, now)}"
    if group.waiting:
        told += f"; {count(group.waiting)} more wait or run again"
    return told


def _retried(retried: Retried | None) -> Span:
    if retried is None:
        return ("never", "dim")
    ended = retried.passed + retried.failed
    told = f"{count(retried.passed)} of {count(ended)} passed" if ended else ""
    if retried.open:
        told += f"{', ' if told else ''}{count(retried.open)} not ended"
    role = "ok" if retried.passed == ended else "fail" if not retried.passed else "warn"
    return (told, role if ended else "run")


def _said(label: str, text: str, width: int, most: int) -> list[Line]:
    """A text behind its label, in so many lines at most."""
    room = max(10, width - _LABEL - 2)
    pieces: Sequence[str] = wrap_words(text, room)
    if len(pieces) > most:
        pieces = [*pieces[: most - 1], " ".join(pieces[most - 1 :])]
    return [
        _line(label if not number else "", (cut(piece, room), ""), width)
        for number, piece in enumerate(pieces)
    ]


def _line(label: str, told: Span, width: int) -> Line:
    return fit(((f" {pad(label, _LABEL)}", "dim"), told), width)
