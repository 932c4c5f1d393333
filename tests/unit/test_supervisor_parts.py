"""The parts of a worker's loop that need no file: whose failures are kept for a moment, and how it
is noticed that it stood still.
"""

from __future__ import annotations

import signal
from collections.abc import Callable

import pytest

from gigq_core.worker import disturbed
from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.disturbed import DISTURBED_S, Disturbed
from gigq_core.worker.standstill import Standstill


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the clock."""
    now = [0.0]
    monkeypatch.setattr(disturbed.time, "monotonic", lambda: now[0])
    return lambda seconds: now.__setitem__(0, seconds)


def ending(number: int, signum: int | None = signal.SIGTERM) -> Ending:
    name = f"{number:03}"
    claim = Claim(name, name, name, "m", "f", "{}", (), 1, 1, 300.0, 0.0, None)
    return Ending(claim, Fate.CRASHED, error="the process died", signal=signum)


@pytest.mark.parametrize("apart_s", [0.001, 0.05, 0.1, DISTURBED_S, 1.0])
def test_none_is_kept_for_longer_however_many_come_after_it(
    at: Callable[[float], None], apart_s: float
) -> None:
    disturbed = Disturbed()
    settled: dict[str, float] = {}
    arrivals = [number * apart_s for number in range(50)]
    looks = sorted({*arrivals, *(arrival + DISTURBED_S for arrival in arrivals)})
    for now in looks:
        at(now)
        due = disturbed.due()
        new = [ending(arrivals.index(now))] if now in arrivals else []
        found = disturbed.settle(new, leaving=False)
        assert bool(found) == (due is not None and due <= now)
        settled |= {one.claim.job_id: now for one in found}
    assert list(settled.values()) == [arrival + DISTURBED_S for arrival in arrivals]
    assert list(settled) == sorted(settled)
    assert disturbed.due() is None


@pytest.mark.parametrize("leaves_after_s", [0.0, 0.1, DISTURBED_S / 2, 0.249])
def test_those_that_are_kept_while_a_worker_begins_to_end_are_given_back(
    at: Callable[[float], None], leaves_after_s: float
) -> None:
    disturbed = Disturbed()
    plain = ending(0, signum=None)
    assert disturbed.settle([ending(1), plain, ending(2)], leaving=False) == [plain]
    at(leaves_after_s)
    found = disturbed.settle([ending(3)], leaving=True)
    assert [(one.claim.job_id, one.fate) for one in found] == [
        (name, Fate.GIVEN_BACK) for name in ("001", "002", "003")
    ]
    assert disturbed.rest() == []


@pytest.mark.parametrize(
    ("worked_s", "waited_s", "away_s"),
    [
        (0.1, 0.5, 0.0),
        (1.9, 1.0, 0.0),
        (0.0, 7.0, 6.0),
        # In the midst of its work, though the wait then ends at once.
        (6.0, 0.0, 6.0),
        (6.0, 1.0, 6.0),
        (1.5, 2.5, 3.0),
    ],
)
def test_a_standstill_is_noticed_wherever_it_falls(
    at: Callable[[float], None], worked_s: float, waited_s: float, away_s: float
) -> None:
    standstill = Standstill()
    at(50.0)
    # To begin may take as long as it likes.
    assert standstill.woken(50.0, 1.0) == 0
    at(50.0 + worked_s + waited_s)
    assert standstill.woken(50.0 + worked_s, 1.0) == pytest.approx(away_s)
    at(51.0 + worked_s + waited_s)
    assert standstill.woken(50.0 + worked_s + waited_s, 1.0) == 0
