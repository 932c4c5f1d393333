"""The rows that a text takes, and where something stands in it."""

from __future__ import annotations

import time
from collections.abc import Sequence

import pytest

from gigq_tui.format import width_of
from gigq_tui.widgets.text_rows import MOST_MATCHES, Match, TextRows, find

WIDE = "\u6f22"


def shown(rows: TextRows) -> list[str]:
    found = [rows.row(index) for index in range(rows.total)]
    return [rows.lines[row.line][row.start : row.end] for row in found]


@pytest.mark.parametrize(
    ("lines", "width", "pieces"),
    [
        ([], 5, []),
        ([""], 5, [""]),
        (["abc", "", "de"], 5, ["abc", "", "de"]),
        (["abcdefgh", "x"], 5, ["abcde", "fgh", "x"]),
        (["abcdefghij"], 5, ["abcde", "fghij"]),
        (["abcdefgh"], None, ["abcdefgh"]),
        ([WIDE * 3, "abcdef"], 5, [WIDE * 2, WIDE, "abcde", "f"]),
        ([f"a{WIDE}b{WIDE}c"], 4, [f"a{WIDE}b", f"{WIDE}c"]),
        (["\0" * 7], 5, ["\0" * 5, "\0" * 2]),
    ],
)
def test_rows(lines: Sequence[str], width: int | None, pieces: list[str]) -> None:
    rows = TextRows(lines, width)
    assert shown(rows) == pieces
    assert rows.total == len(pieces)


@pytest.mark.parametrize("lines", [["a" * 23, "", "b" * 4], [WIDE * 9, "ab", f"{WIDE}x" * 7], []])
@pytest.mark.parametrize("width", [1, 2, 5, 40, None])
def test_nothing_is_lost_and_every_character_is_found_again(
    lines: list[str], width: int | None
) -> None:
    rows = TextRows(lines, width)
    assert "".join(shown(rows)) == "".join(lines)
    for index in range(rows.total):
        row = rows.row(index)
        assert rows.row_of(row.line, row.start) == index
        if width is not None and width > 1:
            assert width_of(lines[row.line][row.start : row.end]) <= width


def test_where_something_stands() -> None:
    lines = ["HTTP 500", "ok", "a http b http"]
    assert find(lines, "http") == [Match(0, 0, 4), Match(2, 2, 6), Match(2, 9, 13)]
    assert find(lines, "[") == []
    assert find(lines, "") == []
    assert find([], "x") == []


def test_finds_are_counted_to_an_end() -> None:
    assert len(find(["x" * 3 * MOST_MATCHES], "x")) == MOST_MATCHES


@pytest.mark.parametrize(
    "lines",
    [["x" * 2**20], ["a"] * 500_000, ["\0" * 2**20], [WIDE * 350_000], ["\ufffd" * 2**20]],
    ids=["one line", "short lines", "nul", "wide", "no text"],
)
def test_a_megabyte_of_anything_is_laid_out_at_once(lines: list[str]) -> None:
    began = time.process_time()
    rows = TextRows(lines, 118)
    for index in range(rows.total - 40, rows.total):
        rows.row(index)
    find(lines, "a")
    assert time.process_time() - began < 1.0
