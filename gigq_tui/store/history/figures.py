"""How the work goes, in a few figures: trend, failures and percentiles."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from gigq_core.reasons.why import Health
from gigq_core.units.times import moment_of
from gigq_tui.store.history.attempts import Ended, History, seconds
from gigq_tui.store.history.rings import Past
from gigq_tui.store.models import Ahead, Figures, Trend, WorkerRow

# The stretch of work that the figures describe, up to the attempt that ended last.
WORK_S = 300.0
# What the rate must have changed by to be called up or down.
TREND_SHARE = 0.2
_GOES_ON = frozenset({Health.ALIVE, Health.UNKNOWN})


def figures(history: History, now: datetime, ahead: Ahead | None) -> Figures:
    """What the header says of the work.

    Args:
        history: followed up to now.
        now: the present moment.
        ahead: when the queue will be done.
    """
    at = seconds(now)
    recent = history.recent()
    work = [ended for ended in recent if ended.at >= recent[-1].at - WORK_S]
    runs = sorted(ended.run_s for ended in work if ended.run_s is not None)
    return Figures(
        trend=_trend(history, at),
        failed_share=_failed_share(work),
        p50_s=_percentile(runs, 0.5),
        p95_s=_percentile(runs, 0.95),
        worked_until=moment_of(work[-1].at) if work else None,
        ahead=ahead,
    )


def slots_of(workers: Iterable[WorkerRow]) -> int:
    """How many jobs those of our workers can run at once that live, as far as is known."""
    return sum(
        worker.slots
        for worker in workers
        if worker.health in _GOES_ON and worker.state != "stopped"
    )


def _failed_share(work: Sequence[Ended]) -> float | None:
    return sum(ended.bad for ended in work) / len(work) if work else None


def _percentile(runs: Sequence[float], share: float) -> float | None:
    return runs[max(0, math.ceil(share * len(runs)) - 1)] if runs else None


def _trend(history: History, at: float) -> Trend | None:
    if history.known_from > at - 75:
        return None
    # Buckets of one second and of five; the present one, which has only begun, is left out.
    present = history.rings.ended(Past.MINUTE_1, at, 1, 10) / 10
    before = history.rings.ended(Past.MINUTES_5, at, 3, 14) / 60
    if not present and not before:
        return None
    if present > before * (1 + TREND_SHARE):
        return Trend.UP
    return Trend.DOWN if present < before * (1 - TREND_SHARE) else Trend.STEADY
