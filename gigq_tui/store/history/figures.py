"""How the work goes, in a few figures: trend, failures, percentiles, and when it will be done."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from datetime import datetime

from gigq_tui.store.history.attempts import Ended, History, seconds
from gigq_tui.store.history.rings import Past
from gigq_tui.store.models import Counts, Figures, Health, Trend, WorkerRow
from gigq_tui.store.workers import FileWorkers

# The stretch of work that the figures describe, up to the attempt that ended last.
WORK_S = 300.0
# Fewer ends than this say nothing of a rate: a longer time is looked at.
LEAST_ENDS = 10
# What the rate must have changed by to be called up or down.
TREND_SHARE = 0.2
# Below this nobody would start another worker.
LEAST_ETA_S = 20.0
_GOES_ON = frozenset({Health.ALIVE, Health.UNKNOWN})


def figures(history: History, staff: FileWorkers, counts: Counts, now: datetime) -> Figures:
    """What the header says of the work.

    Args:
        history: followed up to now.
        staff: who works.
        counts: how many jobs stand where.
        now: the present moment.
    """
    at = seconds(now)
    recent = history.recent()
    work = [ended for ended in recent if ended.at >= recent[-1].at - WORK_S]
    runs = sorted(ended.run_s for ended in work if ended.run_s is not None)
    slots = slots_of(staff.ours)
    eta_s = _eta_s(history, staff, counts, at)
    # More slots help only while every slot is taken and jobs of ours wait for one.
    full = slots > 0 and counts.running >= slots and counts.ready > 0 and not staff.foreign
    return Figures(
        trend=_trend(history, at),
        failed_share=_failed_share(work),
        p50_s=_percentile(runs, 0.5),
        p95_s=_percentile(runs, 0.95),
        eta_s=eta_s,
        slots=slots,
        more_slots=2 * slots,
        eta_more_s=eta_s / 2 if eta_s is not None and eta_s >= LEAST_ETA_S and full else None,
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


def _eta_s(history: History, staff: FileWorkers, counts: Counts, at: float) -> float | None:
    left = counts.ready + counts.running
    works = bool(staff.foreign) or any(worker.health in _GOES_ON for worker in staff.ours)
    if staff.paused or not works or not counts.ready:
        return None
    rate = present_rate(history, at)
    return left / rate if rate else None


def present_rate(history: History, at: float) -> float | None:
    """Attempts that ended per second, over the shortest time in which enough of them did."""
    spans = ((Past.MINUTE_1, 10), *((window, 60) for window in Past))
    for window, buckets in spans:
        ended = history.rings.ended(window, at, 0, buckets - 1)
        # The present bucket has only begun.
        span_s = (buckets - 1) * window.bucket_s + at % window.bucket_s
        span_s = min(span_s, max(10.0, at - history.known_from))
        if ended >= LEAST_ENDS or (window is Past.MINUTES_60 and ended):
            return ended / span_s
        if window is Past.MINUTES_60:
            break
    return None
