"""A graph along the time: the clocks of its axis, and what each cell of a bar is."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigq_core.forecasting.forecast import Forecast, Link, Spread, Window
from gigq_tui.store.graph.alike import common_name, first_word
from gigq_tui.store.graph.expected import Made, graph_forecast, to_retry_for_all
from gigq_tui.store.graph.timeline import (
    AROUND,
    BETWEEN,
    ENDS,
    EXPECTED,
    FAILED,
    FREE,
    NOW,
    RAN,
    RUNS,
    Axis,
    Expected,
    GraphForecast,
    cells_of,
    span_of,
)
from gigq_tui.store.models import JobRow
from tests.store_files import NOW as MOMENT
from tests.store_files import line
from tests.unit.test_graph import graph_of
from tests.zones import standing_in

AT = MOMENT.timestamp()
LETTERS = {
    FREE: " ",
    BETWEEN: ".",
    EXPECTED: "~",
    AROUND: "-",
    RAN: "#",
    RUNS: "=",
    NOW: ">",
    ENDS: "|",
    FAILED: "X",
}


def ran(id: str, status: str, began: float, ended: float | None) -> JobRow:
    """A job that began and ended so many seconds from now."""
    return line(
        id=id,
        status=status,
        started_at=MOMENT + timedelta(seconds=began),
        completed_at=None if ended is None else MOMENT + timedelta(seconds=ended),
    )


def bar(rows: list[JobRow], forecast: GraphForecast | None = None) -> str:
    """The bar of some jobs from 50 seconds ago to 50 seconds on, ten seconds a cell."""
    graph = graph_of({row.id: [] for row in rows})
    for row in rows:
        object.__setattr__(graph.nodes[row.id], "row", row)
    axis = Axis(AT - 50, AT + 50, 10)
    return "".join(LETTERS[cell] for cell in cells_of(graph, list(graph.nodes), axis, AT, forecast))


@pytest.mark.parametrize(
    ("rows", "drawn"),
    [
        ([line(id="a")], "          "),
        ([ran("a", "completed", -45, -25)], "###       "),
        ([ran("a", "completed", -45, -41), ran("b", "completed", -15, -12)], "#..#      "),
        ([ran("a", "failed", -45, -25)], "##X       "),
        ([ran("a", "completed", -45, -5), ran("b", "timeout", -35, -25)], "##X##     "),
        ([ran("a", "running", -35, None)], " ====>    "),
        ([ran("a", "completed", -45, -25), ran("b", "running", -15, None)], "###==>    "),
        # A clock that was set back, and one that is ahead of ours.
        ([ran("a", "completed", -25, -45)], "  #       "),
        ([ran("a", "completed", -500, -400)], "#         "),
        ([ran("a", "completed", 400, 500)], "         #"),
    ],
)
def test_what_is_past_is_filled(rows: list[JobRow], drawn: str) -> None:
    assert bar(rows) == drawn


def test_what_comes_is_dotted_as_far_as_it_may_last() -> None:
    def expected(begins: float, best: float, ends: float, worst: float) -> Expected:
        return Expected(AT + begins, AT + best, AT + ends, AT + worst)

    forecast = GraphForecast(AT, jobs={"a": expected(0, 12, 22, 41), "b": expected(12, 20, 25, 30)})
    assert bar([ran("a", "running", -25, None)], forecast) == "  ===>~|--"
    assert bar([line(id="b")], forecast) == "      ~|- "
    assert bar([line(id="b"), ran("c", "completed", -45, -41)], forecast) == "#     ~|- "
    late = GraphForecast(AT, jobs={"b": expected(-30, -20, -10, -5)})
    assert bar([line(id="b")], late).count("|") == 1


def test_the_axis_ends_where_all_is_done_at_worst() -> None:
    rows = [ran("a", "completed", -45, -25), line(id="b")]
    assert span_of(rows, AT) == (AT - 45, AT)
    end = Expected(AT, AT + 10, AT + 20, AT + 90)
    assert span_of(rows, AT, GraphForecast(AT, end)) == (AT - 45, AT + 90)
    assert span_of(rows[:1], AT, GraphForecast(AT, end)) == (AT - 45, AT - 25)
    assert span_of([], AT) is None
    assert span_of([line(id="c", status="cancelled")], AT) is None


@settings(max_examples=200, deadline=None)
@given(
    st.floats(-3e9, 9e9),
    st.floats(10, 3e9),
    st.integers(10, 200),
    st.sampled_from(["UTC", "Asia/Kathmandu", "America/New_York"]),
)
def test_clocks_are_round_and_have_room(start: float, length: float, cells: int, zone: str) -> None:
    with standing_in(zone):
        axis = Axis(start, start + length, cells)
        clocks = axis.clocks(14)
    assert len(clocks) <= cells / 13 + 1
    for (cell, at), (next_cell, next_at) in pairwise(clocks):
        assert next_cell - cell >= 13
        assert next_at > at
    for cell, at in clocks:
        assert 0 <= cell < cells
        assert axis.start - 1e-3 <= at <= axis.end


@pytest.mark.parametrize(
    ("names", "common"),
    [
        (["clean 001", "clean 002", "clean 480"], "clean"),
        (["price c11", "price c12"], "price c"),
        (["measure json", "measure asyncio"], "measure"),
        (["train_fold_1", "train_fold_12"], "train_fold"),
        (["Größe 1", "größe 2"], "grösse"),
        (["1", "12"], "1"),
    ],
)
def test_like_jobs_are_called_by_what_their_names_begin_with(names: list[str], common: str) -> None:
    assert common_name(names) == common
    assert len({first_word(name) for name in names}) == 1 or not common.isalpha()


def test_the_forecast_of_a_graph_is_that_of_its_own_jobs() -> None:
    def window(begin: float, *end: float) -> Window:
        return Window(Spread(begin, begin, begin), Spread(*end))

    graph = graph_of({"b": ["a"], "c": ["b"], "d": ["a"]}, {"a": "running"})
    found = Forecast(
        end=Spread(90, 100, 110),
        chain=(Link("elsewhere", 1.0),),
        runs=12,
        windows={
            "a": window(0, 5, 10, 20),
            "b": window(10, 15, 20, 30),
            "c": window(20, 25, 30, 45),
            "d": window(10, 12, 15, 50),
            "gone": window(0, 1, 2, 3),
        },
    )
    told = graph_forecast(graph, Made(found, MOMENT))
    assert told.end == Expected(AT, AT + 25, AT + 30, AT + 50)
    # The whole queue ends with another graph: the way to the end of this one is its own.
    assert told.critical == ("a", "b", "c")
    assert told.jobs["d"] == Expected(AT + 10, AT + 12, AT + 15, AT + 50)
    assert (told.past_runs, told.stuck) == (12, 0)
    own = replace(found, chain=(Link("elsewhere", 0.5), Link("d", 0.6), Link("c", 0.9)))
    assert graph_forecast(graph, Made(own, MOMENT)).critical == ("d", "c")
    doomed = graph_of({"b": ["a"], "c": ["b"]}, {"a": "failed"})
    stuck = graph_forecast(doomed, Made(Forecast(reason="nothing can run"), MOMENT))
    assert (stuck.end, stuck.stuck, stuck.reason) == (None, 2, "nothing can run")
    assert to_retry_for_all(doomed) == ["a"]
    assert not to_retry_for_all(graph)
    again = Forecast(windows={"b": window(10, 15, 20, 30), "c": window(20, 25, 30, 45)})
    told = graph_forecast(doomed, Made(Forecast(), MOMENT), Made(again, MOMENT), 1)
    assert told.whole == Expected(AT + 10, AT + 25, AT + 30, AT + 45)
