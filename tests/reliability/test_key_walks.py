"""Random walks over all screens: keys in one go leave the file as the same keys do one by one.

The first walk is one key at a time, each once the screen shows what came of the one before; it
writes down the keys. The second types them again, a burst at a time. A question is answered with
yes only where somebody who typed the burst could know what it would be about; how the console
treats the others is proven in `tests/tui/test_bursts.py`.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.jobs.screen import JobsScreen
from tests import scene
from tests.e2e.terminal import ConsoleTerminal
from tests.tui.at_once import (
    console_on,
    settle,
    state_of,
    type_at_once,
    type_one_by_one,
    wait_longer,
)
from tests.tui.harness import running

BURSTS = 4
KEYS_IN_A_BURST = 12
QUICK_WALKS = 3
LONG_WALKS = 60
KEYS_IN_A_WRITE = 25
QUICK_WRITES = 2
LONG_WRITES = 40
# What asks about what is on the screen; a yes to anything else comes unforeseen.
ASKING = ("c", "r", "P", "u", "R", "C")
MOVING = (*"jkjkGgv*", " ", "ctrl+d", "ctrl+u", "J", "K", "n", "N", "f", "z", "p", "p")
LOOKING = (*"1234567][sltowaLS?/:yi@", "enter", "escape", "escape")
ACTING = (*"cccrrrPCRXu><ne", "ctrl+r")
WORDS = ("e", "resize", "state:failed", "cancel or", "w1", "copy", "zz")
SIZES = ((120, 32), (80, 24))


@pytest.fixture(autouse=True)
def _nothing_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_longer(monkeypatch)


class Walk:
    """Chooses the next key by what is on the screen, as somebody who sees it would."""

    def __init__(self, seed: int, *, escapes: bool = True) -> None:
        self.rng = random.Random(seed)
        self._escapes = escapes
        self._began: tuple[ConsoleScreen | None, float] = (None, 0.0)
        self._last = ""

    def begin_burst(self, app: ConsoleApp) -> None:
        self._began = self._shown(app)
        self._last = ""

    def _shown(self, app: ConsoleApp) -> tuple[ConsoleScreen | None, float]:
        front = app.front
        return front, front.shown_since if front is not None else 0.0

    def next_key(self, app: ConsoleApp) -> str:
        key = self._next_key(app)
        if key == "escape" and not self._escapes:
            key = self._way_out(app)
        self._last = key
        return key

    def _way_out(self, app: ConsoleApp) -> str:
        """What leaves without escape, which makes another key of a letter right behind it."""
        front = app.front
        assert front is not None
        if front.panel.is_open:
            return "q"
        if front.over is not None or front.typed_into is not None:
            return "backspace"
        return "1" if isinstance(front, JobsScreen) else "q"

    def _next_key(self, app: ConsoleApp) -> str:
        front = app.front
        assert front is not None
        question = front.panel.question
        if question is not None:
            foreseen = self._shown(app) == self._began and self._last in (*ASKING[:4], "s", "y")
            keys = [choice.key for choice in question.choices]
            return self.rng.choice(keys if foreseen else [*keys[:1], "escape", "q"])
        if front.over is not None or front.typed_into is not None:
            if self.rng.random() < 0.5:
                return self.rng.choice(["escape", "escape", "enter", "backspace", "tab"])
            return self.rng.choice([*"cyrP>u<CRXYjk1", " ", f"paste:{self.rng.choice(WORDS)}"])
        return self.rng.choice([*MOVING, *LOOKING, *ACTING, *ACTING])


def shown_on(app: ConsoleApp) -> dict[str, Any]:
    """What stands on the screen, as far as it decides what the next key does."""
    front, jobs = app.front, app.screen_stack[0]
    assert front is not None
    assert isinstance(jobs, JobsScreen)
    return {
        "screen": type(front).__name__,
        "question": front.panel.question.title if front.panel.question is not None else "",
        "over": type(front.over).__name__,
        "typed into": type(front.typed_into).__name__,
        "tab": jobs.view.tab,
        "filter": jobs.view.filter.text,
        "cursor": jobs.table.cursor_id,
        "marks": sorted(jobs.marks.ids),
    }


async def burst_one_by_one(pilot: Pilot[None], walk: Walk, count: int) -> list[str]:
    """Type keys as the walk chooses them, and return them."""
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    walk.begin_burst(app)
    keys = []
    for _ in range(count):
        keys.append(walk.next_key(app))
        await type_one_by_one(pilot, keys[-1:])
    return keys


async def compare(seed: int, folder: Path) -> None:
    size = SIZES[seed % len(SIZES)]
    folders = [folder / "one", folder / "burst"]
    for each in folders:
        each.mkdir()
    slow, fast = (scene.build(each / "jobs.db") for each in folders)
    app = console_on(slow)
    async with running(app, size=size) as pilot:
        await settle(pilot)
        walk, bursts = Walk(seed), []
        for _ in range(BURSTS):
            keys = await burst_one_by_one(pilot, walk, KEYS_IN_A_BURST)
            bursts.append((keys, shown_on(app), state_of(slow)))
    app = console_on(fast)
    async with running(app, size=size) as pilot:
        await settle(pilot)
        for keys, shown, state in bursts:
            print(keys)
            await type_at_once(pilot, keys)
            assert shown_on(app) == shown
            assert state_of(fast) == state


@pytest.mark.parametrize("seed", range(QUICK_WALKS))
async def test_a_burst_does_what_its_keys_do_one_by_one(seed: int, tmp_path: Path) -> None:
    await compare(seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(QUICK_WALKS, LONG_WALKS))
async def test_a_burst_does_what_its_keys_do_one_by_one_for_long(seed: int, tmp_path: Path) -> None:
    await compare(seed, tmp_path)


# In one write to a terminal

_BYTES = {
    "enter": "\r",
    "backspace": "\x7f",
    "tab": "\t",
    "escape": "\x1b",
    **{f"ctrl+{letter}": chr(ord(letter) - 0x60) for letter in "dur"},
}
INTERRUPT = "\x03"


def as_written(keys: list[str]) -> str:
    """Keys as a terminal sends them."""
    pasted = [
        f"\x1b[200~{key.removeprefix('paste:')}\x1b[201~" if key.startswith("paste:") else key
        for key in keys
    ]
    return "".join(_BYTES.get(key, key) for key in pasted)


async def compare_in_a_terminal(seed: int, folder: Path) -> None:
    folders = [folder / "one", folder / "burst"]
    for each in folders:
        each.mkdir()
    slow, fast = (scene.build(each / "jobs.db") for each in folders)
    app = console_on(slow, liveness=None)
    async with running(app) as pilot:
        await settle(pilot)
        walk = Walk(seed, escapes=False)
        keys = await burst_one_by_one(pilot, walk, KEYS_IN_A_WRITE)
    with ConsoleTerminal(fast, cwd=fast.parent) as console:
        console.wait_for(r"> +\w+ ")
        console.press(as_written(keys) + INTERRUPT)
        # It comes behind them all, so by then each has had its turn.
        console.wait_for("press ctrl\\+c again to quit")
        console.press(INTERRUPT)
        console.wait_for_end()
    assert state_of(fast) == state_of(slow), keys


@pytest.mark.parametrize("seed", range(QUICK_WRITES))
async def test_one_write_to_a_terminal_does_what_its_keys_do(seed: int, tmp_path: Path) -> None:
    await compare_in_a_terminal(seed, tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(QUICK_WRITES, LONG_WRITES))
async def test_one_write_to_a_terminal_does_what_its_keys_do_for_long(
    seed: int, tmp_path: Path
) -> None:
    await compare_in_a_terminal(seed, tmp_path)
