"""Watching what becomes of jobs whose workers were asked to stop them; told once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gigq_core.status import Change, JobStatus, Outcome
from gigq_tui.actions.report import Report, one_name, summarise
from gigq_tui.store.models import JobRow

# After so many seconds it is told how far it has come, and nothing more.
WATCH_S = 120.0
# More jobs than these are not watched one by one.
MOST_JOBS = 1_000

_ENDS = {
    JobStatus.COMPLETED.value: "it completed before it could be cancelled",
    JobStatus.FAILED.value: "it failed before it could be cancelled",
    JobStatus.TIMEOUT.value: "it timed out before it could be cancelled",
    JobStatus.PENDING.value: "it was queued again",
}
_STILL = "it is still running, though its worker was asked to cancel it"


@dataclass(frozen=True)
class StopWatch:
    """Jobs that are to stop. `since` is in seconds of the console's monotonic clock."""

    report: Report
    since: float

    @property
    def ids(self) -> tuple[str, ...]:
        """The jobs that are looked at."""
        stopping = (o.job_id for o in self.report.outcomes if o.change is Change.STOPPING)
        return tuple(stopping)[:MOST_JOBS]

    def ended(self, rows: Mapping[str, JobRow], now: float) -> Report | None:
        """What became of them, row by row; None while that is open.

        Args:
            rows: The jobs as they now are; one that is left out is gone.
            now: The present moment of the clock of `since`.
        """
        watched = set(self.ids)
        late = now - self.since >= WATCH_S
        outcomes, ends, others = [], [], []
        for outcome in self.report.outcomes:
            if outcome.job_id in watched:
                outcome = self._end(outcome, rows.get(outcome.job_id))
                if outcome.change is Change.STOPPING and not late:
                    return None
                ends.append(outcome)
            else:
                others.append(outcome)
            outcomes.append(outcome)
        # What else the act did may not have been read yet.
        title = "; ".join([_title(ends), *([summarise(others)] if others else [])])
        return replace(self.report, title=title, outcomes=tuple(outcomes))

    @staticmethod
    def _end(asked: Outcome, row: JobRow | None) -> Outcome:
        if row is None:
            return asked._replace(change=Change.REFUSED, reason="it has been deleted")
        if row.status == JobStatus.CANCELLED.value:
            return asked._replace(change=Change.CANCELLED, reason="cancelled")
        if row.status == JobStatus.RUNNING.value:
            if row.stop_requested:
                return asked._replace(reason=_STILL)
            return asked._replace(change=Change.REFUSED, reason="it runs again")
        reason = _ENDS.get(row.status, f"it is {row.status} now")
        return asked._replace(change=Change.REFUSED, reason=reason)


def _title(ends: list[Outcome]) -> str:
    """One line: "cancelled 3, 1 completed before it could be cancelled"."""
    told: dict[str, list[Outcome]] = {}
    for end in ends:
        told.setdefault(end.reason, []).append(end)
    parts = []
    for reason, group in sorted(told.items(), key=lambda item: item[0] != "cancelled"):
        who = one_name(group)
        if reason == "cancelled":
            parts.append(f"cancelled {who}")
        else:
            parts.append(f"{who} {reason.removeprefix('it ')}")
    return ", ".join(parts)
