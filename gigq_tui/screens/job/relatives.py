"""The jobs that a job waits for and those that wait for it: one line each, and the way to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from gigq_core.reasons.why import doom_reason, first_line, state_of, why
from gigq_tui.format import MARKS, count, inert, pad, plural
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import DETAIL_OPEN
from gigq_tui.keys.screen_actions import BACK
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.models import JobDetail, Relative
from gigq_tui.widgets.lines import Line, Span
from gigq_tui.widgets.text_view import TextView

# The kind of the row that names the ancestor because of which a job never runs.
BLAMED = "culprit"
# The kind of the row that says how many are not shown.
MORE = "more"


def describe_relatives(detail: JobDetail, now: datetime, hints: KeyHints = DEFAULT_HINTS) -> str:
    """Say how many jobs are above and below, by state, and what can be done here."""
    if not detail.parents and not detail.children:
        return "This job has no dependencies, and nothing depends on it."
    parts = []
    if detail.parents:
        parts.append(f"waits for {count(len(detail.parents))}{_states(detail.parents, now)}")
    if detail.child_count:
        known = _states(detail.children, now) if detail.child_count == len(detail.children) else ""
        parts.append(f"{plural(detail.child_count, 'direct child', 'direct children')}{known}")
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
        line = ((f"{BLAMED:<10}", "fail"), (inert(doom_reason(culprit)), "fail"))
        error = f"   {inert(first_line(culprit.error))}" if culprit.error else ""
        rows.append((f"{BLAMED}/{culprit.id}", (*line, (error, ""))))
    for kind, relatives in (("waits for", detail.parents), ("child", detail.children)):
        rows += [(f"{kind}/{r.id}", _relative_line(kind, r, now)) for r in relatives]
    hidden = detail.child_count - len(detail.children)
    if hidden > 0:
        rows.append((f"{MORE}/", ((f"          and {count(hidden)} more", "dim"),)))
    return rows


def _relative_line(kind: str, relative: Relative, now: datetime) -> Line:
    lead: Span = (f"{kind:<10}", "dim")
    if relative.row is None:
        text = "not in the queue"
        text += f", {relative.standing.value}" if relative.standing.value else ""
        return (lead, (f"{inert(relative.id[:8])}  ", "dim"), (text, "warn"))
    row = relative.row
    mark = MARKS[state_of(row, now)]
    return (
        lead,
        (f"{inert(row.id[:8])}  ", "dim"),
        (pad(inert(row.name), 24) + " ", ""),
        (f"{mark.glyph} {mark.word:<10} ", mark.role),
        (inert(why(row, now)), ""),
        (f"   {relative.standing.value}" if relative.standing.value else "", "dim"),
    )


class Walk(Protocol):
    """What the relatives need of the part that knows the job."""

    @property
    def detail(self) -> JobDetail | None:
        """What is known of the job that is shown."""

    def open(self, job_id: str) -> None:
        """Show another job, from which one comes back to this one."""


class Relatives(Part):
    """What the tab of the dependencies shows.

    Args:
        job: The job, and the way to others.
        notices: Where it is said that a job is not there.
        hints: How keys are called.
    """

    def __init__(self, job: Walk, notices: Tells, hints: KeyHints) -> None:
        self._job = job
        self._notices = notices
        self._hints = hints

    def open(self, row_id: str | None) -> None:
        """Show the job that a row of the list is about, where there is such a job."""
        detail = self._job.detail
        if detail is None or row_id is None:
            return
        kind, _, job_id = row_id.partition("/")
        if is_in_queue(detail, kind, job_id):
            self._job.open(job_id)
        elif kind != MORE:
            self._notices.tell("That job is not in the queue.", "warn")

    # What its tab shows

    @property
    def state(self) -> tuple[object, ...]:
        """What its text is made of, besides the job: it has none."""
        return ()

    def list_head(self, detail: JobDetail, now: datetime, width: int) -> Line:
        """The line over the rows."""
        return ((f"   {describe_relatives(detail, now, self._hints)}", "dim"),)

    def list_rows(self, detail: JobDetail, now: datetime, width: int) -> list[tuple[str, Line]]:
        """Culprit, parents and children as rows of a list."""
        return relative_rows(detail, now)

    def fill(self, view: TextView, detail: JobDetail, now: datetime) -> None:
        """Show no text: the list takes all the room."""
        view.show_lines(())

    def describe(self, detail: JobDetail, now: datetime) -> str:
        """Say nothing: there is no text."""
        return ""


def is_in_queue(detail: JobDetail, kind: str, job_id: str) -> bool:
    """Whether the file holds the job that a row of a kind is about."""
    culprit = detail.row.culprit
    if kind == BLAMED and culprit is not None and culprit.problem != "missing":
        return job_id == culprit.id or _is_known(detail, job_id)
    return _is_known(detail, job_id)


def _is_known(detail: JobDetail, job_id: str) -> bool:
    relatives = (*detail.parents, *detail.children)
    return any(each.id == job_id and each.row is not None for each in relatives)
