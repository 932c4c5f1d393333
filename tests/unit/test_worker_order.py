"""How workers are sorted and filtered, what an idle one waits for, and the machine beside them."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from gigq_core.reasons.why import Health
from gigq_tui.screens.workers.entries import describe_wait, entries, machine_line
from gigq_tui.screens.workers.order import SORT_MENU, groups_of, in_order, matches
from gigq_tui.store.machine import Machine, read_machine, settled
from gigq_tui.store.models import Counts, ForeignWorker, RunningJob, WorkerRow
from gigq_tui.store.processes import Usage
from tests.scene import NOW
from tests.tui import harness
from tests.tui.harness import snapshot_of

LONG = RunningJob("aaaaaaaa-1", "train_fold", NOW - timedelta(hours=1))
SHORT = RunningJob("bbbbbbbb-2", "resize_image", NOW - timedelta(seconds=5))


def worker(id: str, **values: Any) -> WorkerRow:
    usual = {"pid": 100 + int(id[1:]), "slots": 2, "started_at": NOW}
    return harness.worker(id, **{**usual, **values})


SNAPSHOT = snapshot_of(
    [],
    workers=(
        worker("w10", done=5, running=(SHORT,)),
        worker("w2", done=9),
        worker("w3", done=70, health=Health.STOPPED, state="stopped"),
        worker("w4", done=1, running=(SHORT, LONG)),
        worker("w5", done=2, health=Health.LOST, running=(LONG,)),
    ),
    foreign_workers=(ForeignWorker("theirs-1", (SHORT,)),),
)
USAGE = {110: Usage(3.0, 900), 102: Usage(None, 100), 104: Usage(97.0, 300)}
GROUPS = groups_of(entries(SNAPSHOT))


@pytest.mark.parametrize(
    ("sort", "ids"),
    [
        ("state", ["w5", "w10", "w2", "w4", "gigq:theirs-1", "w3"]),
        ("name", ["gigq:theirs-1", "w2", "w4", "w5", "w10", "w3"]),
        ("cpu", ["w4", "w10", "w2", "w5", "gigq:theirs-1", "w3"]),
        ("memory", ["w10", "w4", "w2", "w5", "gigq:theirs-1", "w3"]),
        ("done", ["w2", "w10", "w5", "w4", "gigq:theirs-1", "w3"]),
        ("time", ["w5", "w4", "w10", "gigq:theirs-1", "w2", "w3"]),
    ],
)
def test_sorting(sort: str, ids: list[str]) -> None:
    assert [group[0].id for group in in_order(GROUPS, sort, USAGE, NOW)] == ids
    assert sort in SORT_MENU.values()


def test_a_worker_is_not_to_blame_for_what_lanes_hold() -> None:
    snapshot = snapshot_of([], counts=Counts(ready=812), all_held=True)
    assert describe_wait(worker("w1"), snapshot) == "812 ready, held by their lanes"


def test_further_jobs_stay_with_their_worker() -> None:
    for sort in SORT_MENU.values():
        group = next(g for g in in_order(GROUPS, sort, USAGE, NOW) if g[0].id == "w4")
        assert [entry.further for entry in group] == [False, True]


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("", {"w2", "w3", "w4", "w5", "w10", "gigq:theirs-1"}),
        ("W4", {"w4"}),
        ("train", {"w4", "w5"}),
        ("train lost", {"w5"}),
        ("bbbbbbbb", {"w4", "w10", "gigq:theirs-1"}),
        ("etl-3 idle", {"w2"}),
        ("gigq's", {"gigq:theirs-1"}),
        ("110", {"w10"}),
        ("nobody", set()),
    ],
)
def test_filtering(text: str, ids: set[str]) -> None:
    assert {group[0].id for group in GROUPS if matches(group, text)} == ids


@pytest.mark.parametrize(
    ("changes", "counts", "paused", "told"),
    [
        ({}, Counts(), False, "nothing waits"),
        ({}, Counts(blocked=40, delayed=3), False, "nothing ready, 40 blocked, 3 delayed"),
        ({}, Counts(ready=812), False, "812 ready, not claimed yet"),
        ({}, Counts(ready=812), True, "the queue is paused"),
        ({"state": "paused"}, Counts(ready=1), True, "paused: P resumes it"),
        ({"request": "pause"}, Counts(ready=1), False, "paused: P resumes it"),
        ({"state": "draining"}, Counts(ready=1), False, ""),
        ({"request": "stop"}, Counts(ready=1), False, ""),
        ({"running": (SHORT,)}, Counts(ready=1), False, ""),
        ({"health": Health.LOST}, Counts(ready=1), False, ""),
    ],
)
def test_what_a_worker_describe_wait(
    changes: dict[str, Any], counts: Counts, paused: bool, told: str
) -> None:
    snapshot = snapshot_of([], counts=counts, paused=paused)
    assert describe_wait(worker("w1", **changes), snapshot) == told


def test_the_machine_moves_by_steps() -> None:
    known = Machine("etl-3", 16, 5.0, 38.0)
    assert settled(Machine("etl-3", 16, 5.4, 39.9), known) == known
    assert settled(Machine("etl-3", 16, 5.6, 39.0), known) == Machine("etl-3", 16, 5.6, 38.0)
    assert settled(Machine("etl-3", 16, None, 41.0), known) == Machine("etl-3", 16, None, 41.0)
    assert settled(Machine("etl-3", 16, 1.0, 41.0), replace(known, load=None)).load == 1.0


def test_this_machine_is_looked_at() -> None:
    machine = read_machine()
    assert machine.host
    assert machine.cores >= 1
    assert 0 < machine.memory_percent <= 100
    assert read_machine(machine).host == machine.host


@pytest.mark.parametrize(
    ("machine", "width", "told"),
    [
        (Machine("etl-3", 16, 5.1, 38.2), 120, "etl-3: 16 cores, load 5.1, 38% mem "),
        (Machine("etl-3", 1, None, 38.2), 120, "etl-3: 1 core, 38% mem "),
        (Machine("etl-3", 16, 5.1, 38.2), 80, "load 5.1/16 "),
        (Machine("etl-3", 16, None, 38.2), 80, ""),
        (Machine("e\x1b[1m", 2, None, 1.0), 120, "e\ufffd[1m: 2 cores, 1% mem "),
    ],
)
def test_what_is_told_of_the_machine(machine: Machine, width: int, told: str) -> None:
    assert "".join(text for text, _ in machine_line(machine, width)) == told
    assert machine_line(None, width) == ()
