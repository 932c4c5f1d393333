"""Charts: bars that stand on nothing, end at the top, and say it in ASCII too."""

from __future__ import annotations

import pytest

from gigq_core.units.spans import estimate
from gigq_tui.screens.overview import chart as chart_module
from gigq_tui.screens.overview.chart import Axis, Series, bars, chart, fitted, glyphs, largest
from gigq_tui.widgets.header import age_class
from gigq_tui.widgets.lines import Line


def plain(lines: list[Line]) -> list[str]:
    return ["".join(text for text, _ in line) for line in lines]


def test_bars_stand_on_nothing_and_end_at_the_top() -> None:
    assert glyphs([0, 1, 50, 100], 1, 100) == [" ▁▄█"]
    # The least bar is not the ground: a queue that never fails and one that always does differ.
    assert glyphs([100, 100, 100], 1, 100) == ["███"]
    assert glyphs([None, 25, 100], 2, 100) == ["  █", " ▄█"]
    assert glyphs([0, 0], 2, 0) == ["  ", "  "]
    assert glyphs([], 2, 5) == ["", ""]
    assert glyphs([1], 1, 1000) == ["▁"]


def test_values_are_fitted_so_that_no_peak_is_lost() -> None:
    assert fitted((1, 2, 3), 5) == (1, 2, 3)
    assert fitted((1, 9, 3, 4), 2) == (9, 4)
    assert fitted((None, None, 3, None), 2) == (None, 3)
    assert fitted((1,), 0) == ()
    values = tuple(range(60))
    assert max(value or 0 for value in fitted(values, 7)) == 59
    assert largest((None, 2.0, 1.0)) == 2.0
    assert largest((None,)) == 0.0


def test_the_last_bar_is_dim_while_its_time_goes_on() -> None:
    (line,) = bars(Series((1, 1, 1), "ok"), None, 1, 10)
    assert line == (("██", "ok"), ("█", "dim"))
    (line,) = bars(Series((1, 1, 1), "ok", whole=True), None, 1, 10)
    assert line == (("███", "ok"),)


def test_a_series_behind_is_told_by_its_texture_too() -> None:
    (line,) = bars(Series((1, 0), "run", whole=True), Series((10, 10), "dim"), 1, 10)
    assert line == (("▁", "run"), ("░", "dim"))


def test_a_chart_stands_on_a_clock() -> None:
    drawn = chart(Series((0, 5, 10), "ok"), 40, 3, label=lambda value: f"{value:.0f}")
    assert plain(drawn) == ["    10 │  █", "       │ ██", "     0 └───"]
    axis = Axis(2, [(0, "02:00"), (12, "02:30")])
    drawn = chart(Series((1,) * 12, "ok"), 40, 2, label=str, axis=axis)
    assert plain(drawn) == ["     1 │" + "█" * 24, "     0 └02:00───────02:30───────"]


def test_the_bar_under_the_cursor_is_told_in_every_chart() -> None:
    axis = Axis(2, [(0, "02:00"), (12, "02:30")], cursor=7, other=3)
    series = Series((1, 0) * 6, "ok", whole=True)
    drawn = chart(series, 40, 3, label=str, axis=axis)
    assert plain(drawn)[1:] == [
        "       │██  ██  ██  ██││██  ██  ",
        "     0 └02:00─━━━━━━━━▲▲────────",
    ]
    (line,) = bars(Series((1, 1), "ok", whole=True), None, 1, 10, Axis(1, cursor=1))
    assert line == (("█", "ok"), ("█", "key"))


def test_all_of_it_is_ascii_where_that_is_all_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(chart_module, "UTF8", False)
    monkeypatch.setattr(chart_module, "SIDE", "|")
    monkeypatch.setattr(chart_module, "CORNER", "+")
    monkeypatch.setattr(chart_module, "POINTER", "^")
    monkeypatch.setattr(chart_module, "SELECTED", "=")
    monkeypatch.setattr(chart_module.theme, "RULE", "-")
    drawn = chart(
        Series(tuple(range(9)), "ok"),
        40,
        3,
        label=str,
        axis=Axis(1, [(0, "02:00")], cursor=7, other=8),
        behind=Series((9,) * 9, "dim"),
    )
    assert "".join(plain(drawn)).isascii()


def test_an_age_is_told_in_classes() -> None:
    classes = [age_class(seconds) for seconds in (0, 4.9, 5, 29, 30, 3_000, 90_000)]
    assert classes == ["1s", "1s", "5s", "10s", "30s", "30m", "1d"]
    assert age_class(-5) == "1s"


def test_an_estimate_is_coarse() -> None:
    said = [estimate(seconds) for seconds in (0.1, 12, 64, 97, 130, 599, 3_700, 200_000)]
    assert said == ["5s", "10s", "1m05s", "1m35s", "2m", "10m", "1h02m", "2d7h"]
