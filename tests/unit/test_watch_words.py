"""How far a job is, as `status` and `status --watch` say it."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from gigq_core.cli.watch import BAR_CELLS, line_of, progress_in_words
from gigq_core.rows.progress import Progress, percent_of


def told(done: float, total: float | None = None, note: str = "") -> Progress:
    return Progress(done=done, total=total, percent=percent_of(done, total), note=note, at=0.0)


@pytest.mark.parametrize(
    ("progress", "words"),
    [
        (told(42, 100), "42 of 100 (42%)"),
        (told(42, 100, "row 42"), "42 of 100 (42%): row 42"),
        # All of it is 100 %, and nothing less is.
        (told(1_999, 2_000), "1,999 of 2,000 (99%)"),
        (told(2_000, 2_000), "2,000 of 2,000 (100%)"),
        (told(0.29, 1), "0.29 of 1 (29%)"),
        (told(0.1 + 0.2, 1), "0.3 of 1 (30%)"),
        (told(5, 0), "5 of 0"),
        (told(1_200), "1,200 done"),
        (told(24_691_340.0), "24,691,340 done"),
        (told(1_234_567_890_123, 2e12), "1,234,567,890,123 of 2,000,000,000,000 (61%)"),
        (told(1e300), "1e+300 done"),
    ],
)
def test_progress_in_words(progress: Progress, words: str) -> None:
    assert progress_in_words(progress) == words


def drawn(progress: Progress, width: int, left: str = "", name: str = "import") -> str:
    job: dict[str, Any] = {"name": name}
    out = io.StringIO()
    Console(file=out, width=width, force_terminal=False).print(line_of(job, progress, left))
    return out.getvalue()


@pytest.mark.parametrize("width", [70, 80, 90, 120])
@pytest.mark.parametrize("name", ["import", "import of all that there is " * 5])
def test_where_there_is_no_room_name_and_note_are_cut(width: int, name: str) -> None:
    line = drawn(told(149.3, 200, "a note that is long " * 8), width, "about 1h20m left", name)
    assert line.count("\n") == 1
    assert len(line.rstrip("\n")) <= width
    assert " 74%  149.3/200 about 1h20m left " in line
    assert line.count("━") <= BAR_CELLS
    assert "…" in line


def test_without_a_total_there_is_no_bar() -> None:
    assert drawn(told(1_200, note="row"), 80).split() == ["import", "1,200", "done", "row"]
