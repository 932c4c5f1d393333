"""What the detail screen says of the jobs that a job waits for, and of those that wait for it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime

from gigq_tui.format import MARKS, count, inert, pad
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import DETAIL_OPEN
from gigq_tui.keys.screen_actions import BACK
from gigq_tui.store.derive import doom_reason, first_line, state_of, why
from gigq_tui.store.models import JobDetail, Relative
from gigq_tui.widgets.lines import Line, Span

# The kind of the row that names the ancestor because of which a job never runs.
BLAMED = "culprit"


def relatives_told(detail: JobDetail, now: datetime, hints: KeyHints = DEFAULT_HINTS) -> str:
    """Say how many jobs stand above and below, by state, and what can be done here."""
    if not detail.parents and not detail.children:
        return "This job has no dependencies, and nothing depends on it."
    parts = []
    if detail.parents:
        parts.append(f"waits for {count(len(detail.parents))}{_states(detail.parents, now)}")
    if detail.child_count:
        known = _states(detail.children, now) if detail.child_count == len(detail.children) else ""
        parts.append(f"blocks {count(detail.child_count)}{known}")
    parts.append(f"{hints(DETAIL_OPEN)} opens one, {hints(BACK)} goes back")
    return "   ".join(parts)


def _states(relatives: Iterable[Relative], now: datetime) -> str:
    words = Counter(
        "missing" if relative.row is None else MARKS[state_of(relative.row, now)].word
        for relative in relatives
    )
    return ": " + ", ".join(f"{number} {word}" for word, number in words.most_common())


def relative_rows(detail: JobDetail, now: datetime) -> list[tuple[str, Line]]:
    """Culprit, parents and children as rows of a list, each with a unique id of its own."""
    rows: list[tuple[str, Line]] = []
    culprit = detail.row.culprit
    if detail.row.doomed and culprit is not None:
        told = ((f"{BLAMED:<10}", "fail"), (inert(doom_reason(culprit)), "fail"))
        error = f"   {inert(first_line(culprit.error))}" if culprit.error else ""
        rows.append((f"{BLAMED}/{culprit.id}", (*told, (error, ""))))
    for kind, relatives in (("waits for", detail.parents), ("blocks", detail.children)):
        rows += [(f"{kind}/{r.id}", _relative_line(kind, r, now)) for r in relatives]
    hidden = detail.child_count - len(detail.children)
    if hidden > 0:
        rows.append(("more/", ((f"          and {count(hidden)} more", "dim"),)))
    return rows


def _relative_line(kind: str, relative: Relative, now: datetime) -> Line:
    lead: Span = (f"{kind:<10}", "dim")
    if relative.row is None:
        told = "not in the queue"
        told += ", counts as completed" if relative.waived else ""
        return (lead, (f"{inert(relative.id[:8])}  ", "dim"), (told, "warn"))
    row = relative.row
    mark = MARKS[state_of(row, now)]
    return (
        lead,
        (f"{inert(row.id[:8])}  ", "dim"),
        (pad(inert(row.name), 24) + " ", ""),
        (f"{mark.glyph} {mark.word:<10} ", mark.role),
        (inert(why(row, now)), ""),
    )
