"""The line of a canary: how many others there are, of which groups, and what a key is about."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from gigq_core.status import Change, Outcome
from gigq_tui.actions.followed import Followed
from gigq_tui.actions.report import Report
from gigq_tui.screens.groups.lines import canary_line
from gigq_tui.services.canaries import Canaries, CanaryRun
from gigq_tui.store.outcomes.states import JobNow, JobsNow

SAME, OTHER, PASSED = JobNow.FAILED_SAME, JobNow.FAILED_OTHER, JobNow.PASSED


def run_of(
    *states: JobNow, by: str = "cause", groups: tuple[str | None, ...] = ("g",)
) -> CanaryRun:
    ids = tuple(f"{number}" for number in range(len(states)))
    outcomes = tuple(Outcome(id, Change.REQUEUED, name=id) for id in ids)
    followed = Followed(Report("", outcomes), outcomes, JobsNow(bytes(states)), 1.0)
    return CanaryRun(
        frozenset(groups), by, "KeyError: #", ids, 90, followed=followed, is_over=followed.is_over
    )


@pytest.mark.parametrize(
    ("states", "by", "left"),
    [
        ((PASSED, PASSED), "cause", 0),
        ((PASSED, SAME, SAME), "cause", 2),
        # What failed for another cause is in another group now; its function is the same.
        ((PASSED, SAME, OTHER, OTHER), "cause", 1),
        ((PASSED, SAME, OTHER, OTHER), "function", 3),
        ((PASSED, JobNow.FAILED, JobNow.TIMED_OUT), "cause", 2),
    ],
)
def test_what_failed_again_is_none_of_the_others(
    states: tuple[JobNow, ...], by: str, left: int
) -> None:
    assert run_of(*states, by=by).failed_here == left


def said(run: CanaryRun, *, is_here: bool) -> str:
    return "".join(text for text, _ in canary_line(run, 108, 120, is_here=is_here))


def test_the_key_is_named_where_it_is_about_these_jobs() -> None:
    run = run_of(*[PASSED] * 9, SAME)
    assert "R retries the other 108" in said(run, is_here=True)
    elsewhere = said(run, is_here=False)
    assert "KeyError: #" in elsewhere
    assert "R " not in elsewhere


def test_a_value_is_one_of_its_grouping_alone() -> None:
    canaries = Canaries(cast(Any, SimpleNamespace()), cast(Any, None), cast(Any, None))
    for number, by in enumerate(("worker", "param.customer")):
        canaries._runs[number] = run_of(PASSED, by=by, groups=(None, "a"))
    found = canaries.of([None], "worker")
    assert found is not None
    assert found.by == "worker"
    assert canaries.of([None], "function") is None
    assert canaries.of(["b"], "worker") is None
