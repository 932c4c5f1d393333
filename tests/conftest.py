"""What every test stands on: the same surroundings, a short wait for rest, nothing left behind."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from tests import surroundings

# Before anything reads the clock or imports Textual, which looks at the environment at its import.
surroundings.make_usual()


from tests import pace  # noqa: E402

if TYPE_CHECKING:
    from tests.tui.harness import Console

pace.hurry()

# A busy machine is slow, which is no fault; and whoever finds one tells how to find it anywhere.
settings.register_profile("tests", deadline=None, print_blob=True)
# The same examples at each run, for whoever tries a change rather than the dice: CI.
settings.register_profile("same", settings.get_profile("tests"), derandomize=True)
settings.load_profile("tests")

TESTS = Path(__file__).parent
DATA = TESTS / "data"
# What comes out the same on every Python. First, what runs the console, in-process or in a
# pseudo-terminal: Textual is the same. Then what holds our logic against a plain model, or walks at
# random; and what reads our own sources and documents.
ON_ONE_PYTHON = (
    *("tui/*", "snapshots/*", "e2e/*"),
    *("reliability/test_key_walks.py", "reliability/test_odd_rows_shown.py"),
    *("integration/test_console_*.py", "integration/test_demo.py"),
    *("*/test_*model.py", "unit/test_forecast*.py"),
    *("unit/test_house*.py", "unit/test_documents.py", "unit/test_words.py"),
)
# Tests of workers wait for processes more than they compute; those of screens compute.
RUNS_PER_CORE = 3


def pytest_xdist_auto_num_workers() -> int:
    """How many tests run at once with `-n auto`."""
    return RUNS_PER_CORE * (os.cpu_count() or 1)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--one-case",
        action="store_true",
        help="run each test with one of its cases alone: another one on each Python",
    )


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark what one Python runs for all, and choose the cases that are to run."""
    for item in items:
        place = item.path.relative_to(TESTS).as_posix()
        if any(fnmatch(place, each) for each in ON_ONE_PYTHON):
            item.add_marker(pytest.mark.one_python)
    if config.getoption("--one-case"):
        chosen = _one_case_each(items)
        config.hook.pytest_deselected(items=[item for item in items if item not in chosen])
        items[:] = [item for item in items if item in chosen]


def _one_case_each(items: list[pytest.Item]) -> set[pytest.Item]:
    cases: dict[str, list[pytest.Item]] = {}
    for item in items:
        if item.get_closest_marker("long") is None:
            cases.setdefault(item.nodeid.partition("[")[0], []).append(item)
    return {each[sys.version_info.minor % len(each)] for each in cases.values()}


@pytest.fixture(scope="session", autouse=True)
def _processes_ended() -> Iterator[None]:
    """Whatever the tests start ends with them."""
    yield
    assert surroundings.still_running() == []


@pytest.fixture(autouse=True)
def _zone_put_back() -> Iterator[None]:
    """No test leaves its zone to the next one: once TZ is back, the C library is told so."""
    yield
    time.tzset()


@pytest.fixture(autouse=True)
def _connections_closed() -> Iterator[None]:
    """No test leaves an open connection of its thread to the next one."""
    yield
    from gigq_core.connections import close_connections

    close_connections()


@pytest.fixture
def console() -> Console:
    """Consoles without a file, each with fakes for what reads and writes: `console(size=..)`."""
    from tests.tui.harness import Console

    return Console()


@pytest.fixture
def data_folder() -> Path:
    """The folder of the queue files that real releases of GigQ wrote."""
    return DATA
