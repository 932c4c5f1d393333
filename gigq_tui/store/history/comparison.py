"""Whether a function's runs differ from those of the same hours before, beyond chance.

The rule, in both directions:

* at least `LEAST_RUNS` attempts that ended by themselves on each side, or nothing is said;
* slower, or faster: the median differs by at least a fifth, and the ranks of the run times differ
  by more than `LEAST_Z` standard deviations (Mann and Whitney, with ties);
* fails more, or less: the share of failures differs by at least five hundredths, and by more than
  as many standard deviations of the two shares together.

Of two samples of the same work, fewer than one pair in a thousand is called slower.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from gigq_tui.store.history.tally import Tally

LEAST_RUNS = 20
LEAST_RATIO = 1.2
LEAST_SHARE = 0.05
LEAST_Z = 3.3


@dataclass(frozen=True)
class Verdict:
    """How a function's runs differ from those before: -1 is less, 1 more, 0 alike or unknown.

    Attributes:
        compared: whether there were enough runs to tell.
        time: whether runs take longer (1) or are faster (-1).
        ratio: the median now by the median before; 1 where `time` is 0.
        failures: whether more of them fail (1), or fewer (-1).
    """

    compared: bool = False
    time: int = 0
    ratio: float = 1.0
    failures: int = 0


def compare(now: Tally, before: Tally) -> Verdict:
    """Compare what became of some attempts with what became of others before."""
    if now.tried < LEAST_RUNS or before.tried < LEAST_RUNS:
        return Verdict()
    time, ratio = _time(now, before)
    return Verdict(True, time, ratio, _failures(now, before))


def _time(now: Tally, before: Tally) -> tuple[int, float]:
    if sum(now.runs.values()) < LEAST_RUNS or sum(before.runs.values()) < LEAST_RUNS:
        return 0, 1.0
    median, median_before = now.run_s(0.5), before.run_s(0.5)
    if not median or not median_before:
        return 0, 1.0
    ratio = median / median_before
    z = rank_z(now.runs, before.runs)
    if ratio >= LEAST_RATIO and z > LEAST_Z:
        return 1, ratio
    if ratio <= 1 / LEAST_RATIO and z < -LEAST_Z:
        return -1, ratio
    return 0, 1.0


def _failures(now: Tally, before: Tally) -> int:
    share, share_before = now.failed / now.tried, before.failed / before.tried
    both = (now.failed + before.failed) / (now.tried + before.tried)
    deviation = math.sqrt(both * (1 - both) * (1 / now.tried + 1 / before.tried))
    difference = share - share_before
    if abs(difference) < LEAST_SHARE or abs(difference) <= LEAST_Z * deviation:
        return 0
    return 1 if difference > 0 else -1


def rank_z(now: dict[int, int], before: dict[int, int]) -> float:
    """By how many standard deviations the ranks of one sample lie above those of another.

    Args:
        now: how often each step of the run time occurs.
        before: the same of the other sample.
    """
    n, m = sum(now.values()), sum(before.values())
    if not n or not m:
        return 0.0
    # How often a run of now takes longer than one before; alike counts half.
    longer = ties = 0.0
    below = 0
    for step in sorted({*now, *before}):
        here, there = now.get(step, 0), before.get(step, 0)
        longer += here * (below + there / 2)
        below += there
        alike = here + there
        ties += alike**3 - alike
    whole = n + m
    variance = n * m / 12 * (whole + 1 - ties / (whole * (whole - 1)))
    return (longer - n * m / 2) / math.sqrt(variance) if variance > 0 else 0.0
