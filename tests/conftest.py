"""What every test stands on: one time zone, no settings of the person who runs it."""

from __future__ import annotations

import asyncio
import importlib
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

# Before anything reads the clock or imports Textual, which looks at these when it is imported.
os.environ["TZ"] = "UTC"
time.tzset()
os.environ["TEXTUAL_ANIMATIONS"] = "none"
for _name in (
    *("GIGQ_DB", "GIGQ_ASCII", "LC_ALL", "NO_COLOR", "FORCE_COLOR", "TEXTUAL", "TEXTUAL_THEME"),
    *("TMUX", "STY", "SSH_TTY", "SSH_CONNECTION"),
):
    os.environ.pop(_name, None)
os.environ["GIGQ_TUI_CONFIG"] = os.devnull
# A shell in the background and `nohup` leave signals ignored, and whatever is started here too.
for _signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT):
    if signal.getsignal(_signum) == signal.SIG_IGN:
        signal.signal(
            _signum,
            signal.default_int_handler if _signum == signal.SIGINT else signal.SIG_DFL,
        )

# Asked to write no bytecode, each of the thousands of processes would compile all that it imports.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


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
