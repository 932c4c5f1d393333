"""What the workers screen measures: the processes of the workers and of their jobs."""

from __future__ import annotations

import os

from gigq_tui.store.processes import ProcessFigures, Sampler, list_processes

MB = 1024 * 1024


def test_a_worker_is_measured_with_its_children() -> None:
    looks = iter(
        [
            {1: ProcessFigures(0, 1.0, 5.0, MB), 2: ProcessFigures(1, 2.0, 1.0, 2 * MB)},
            {
                1: ProcessFigures(0, 1.0, 5.5, MB),
                2: ProcessFigures(1, 2.0, 2.0, 2 * MB),
                3: ProcessFigures(2, 9.0, 0.5, 4 * MB),
            },
        ]
    )
    seconds = iter([100.0, 102.0])
    sampler = Sampler(lambda: next(looks), lambda: next(seconds))
    first = sampler.sample([1])
    assert first[1].cpu_percent is None
    assert first[1].memory == 3 * MB
    second = sampler.sample([1, 77])
    assert second[1].cpu_percent == 100.0
    assert second[1].memory == 7 * MB
    assert 77 not in second


def test_a_pid_that_was_taken_over_is_measured_anew() -> None:
    looks = iter([{1: ProcessFigures(0, 1.0, 50.0, MB)}, {1: ProcessFigures(0, 8.0, 1.0, MB)}])
    seconds = iter([0.0, 2.0])
    sampler = Sampler(lambda: next(looks), lambda: next(seconds))
    sampler.sample([1])
    assert sampler.sample([1])[1].cpu_percent is None


def test_this_process_is_found() -> None:
    assert list_processes()[os.getpid()].memory > MB
