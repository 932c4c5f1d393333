"""What a widget lays out is inert before it is measured, so that each cell is where it seems."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from textual.strip import Strip

from gigq_tui.app import ConsoleApp
from gigq_tui.format import inert
from gigq_tui.widgets.lines import Line, Lines, line_width
from tests import hostile
from tests.tui.harness import running, screen_text, until

IN_JOB = ("enter", "2", "3", "4", "5", "7", "1", "escape")
ELSEWHERE = (
    "c",
    "escape",
    "y",
    "escape",
    "t",
    "j",
    "escape",
    "w",
    "j",
    "G",
    "escape",
    "e",
    "escape",
)


@pytest.mark.parametrize("size", [(120, 32), (80, 24)])
async def test_every_line_is_inert_before_it_is_painted(
    size: tuple[int, int], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / hostile.HOSTILE_NAME
    folder.mkdir()
    path = hostile.build(folder / "x\x1b[31m.db", True, long=0, parents=300)
    wrong: list[tuple[str, Line]] = []
    paint = Lines._paint

    def watched(lines: Lines, line: Line, width: int) -> Strip:
        if any(text != inert(text) for text, _ in line) or line_width(line) > width:
            wrong.append((type(lines).__name__, line))
        return paint(lines, line, width)

    monkeypatch.setattr(Lines, "_paint", watched)
    app = ConsoleApp(path, python=sys.executable, chdir=tmp_path)
    async with running(app, size=size) as pilot:
        await until(pilot, lambda: "1e999" in screen_text(app), "the rows")
        for number in range(len(hostile.PAYLOADS)):
            keys = list(IN_JOB) if number % 2 else []
            if number % 4 == 1:
                keys += ELSEWHERE
            for key in (*keys, "j"):
                await pilot.press(key)
                await pilot.pause()
    assert wrong == []
