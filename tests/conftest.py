"""What every test stands on: the same surroundings, a short wait for rest, nothing left behind."""

from __future__ import annotations

import asyncio
import importlib
import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import surroundings

# Before anything reads the clock or imports Textual, which looks at the environment at its import.
surroundings.make_usual()


async def _rest(step_s: float) -> None:
    """Sleep for one step, and on until the loop has nothing to do, however slow the machine is."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(step_s)
    deadline = time.monotonic() + 1
    while loop._ready and time.monotonic() < deadline:  # type: ignore[attr-defined]
        await asyncio.sleep(0)


# Textual's driver of tests looks in steps of 20 ms whether the process has come to rest, four times
# a key: most of the time that a test of a screen took. With a step of 2 ms it rests when all of its
# threads together worked for less than a third of one, and the loop has nothing to do.
_wait = importlib.import_module("textual._wait")
_wait.SLEEP_GRANULARITY = 0.002
_wait.SLEEP_IDLE = 0.0006
_wait.sleep = _rest

DATA = Path(__file__).parent / "data"
# Most tests wait for a screen to come to rest more than they compute.
RUNS_PER_CORE = 2


def pytest_xdist_auto_num_workers() -> int:
    """How many tests run at once with `-n auto`."""
    return RUNS_PER_CORE * (os.cpu_count() or 1)


@pytest.fixture(scope="session", autouse=True)
def _processes_ended() -> Iterator[None]:
    """Whatever the tests start ends with them."""
    yield
    assert surroundings.still_running() == []


@pytest.fixture(autouse=True)
def _connections_closed() -> Iterator[None]:
    """No test leaves an open connection of its thread to the next one."""
    yield
    from gigq_core.connections import close_connections

    close_connections()


@pytest.fixture
def data_folder() -> Path:
    """The folder of the queue files that real releases of GigQ wrote."""
    return DATA
