"""A call that can't fit its function is tried once; one that fails inside, as often as it may."""

from __future__ import annotations

from typing import Any

import pytest

from gigq_core.job import FunctionReference
from tests.data import calls
from tests.integration.conftest import Place
from tests.unit.test_call_signature import CALLS

# What can't be seen before, and what fails in the function itself.
UNSEEN: list[tuple[str, dict[str, Any]]] = [
    ("with_session", {"c": 1}),
    ("with_default", {"c": 1}),
    ("without_word", {"c": 1, "word": "x"}),
]
INSIDE = ["fails_inside", "calls_another_wrongly"]


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_a_call_that_can_not_fit_is_not_tried_again(place: Place, isolation: str) -> None:
    wrong = [(n, p) for n, p, sentence in CALLS if sentence]
    right = [(n, p) for n, p, sentence in CALLS if not sentence]
    # By reference nothing is checked before.
    hopeless = [
        place.submit(FunctionReference("tests.data.calls", name), name=name, params=params)
        for name, params in [*wrong, *UNSEEN]
    ]
    fine = [
        place.submit(FunctionReference("tests.data.calls", name), name=name, params=params)
        for name, params in right
    ]
    inside = [
        place.submit(getattr(calls, name), name=name, params={"a": 1}, max_attempts=2)
        for name in INSIDE
    ]
    place.worker("--concurrency", "4", "--isolation", isolation)
    for job in place.ended(*hopeless):
        assert (job["status"], job["attempts"]) == ("failed", 1), job
        assert "TypeError" in job["executions"][0]["traceback"]
    for job in place.ended(*fine):
        assert job["status"] == "completed", job
    for job in place.ended(*inside):
        assert (job["status"], job["attempts"]) == ("failed", 2), job
