"""The forecast of a queue, as far as it is about one graph."""

from __future__ import annotations

from datetime import datetime
from typing import NamedTuple

from gigq_core.forecasting.forecast import Forecast
from gigq_core.graph.blocking import failed_above, that_run
from gigq_tui.store.graph.timeline import Expected, GraphForecast
from gigq_tui.store.models import Graph
from gigq_tui.store.statuses import PENDING, RUNNING


class Made(NamedTuple):
    """A forecast of the queue, with windows of the graph's jobs, and when it was made."""

    forecast: Forecast
    at: datetime


def to_retry_for_all(graph: Graph) -> list[str]:
    """The failed jobs because of which others of a graph never run."""
    waits = graph.waits
    stuck = {id for id in graph.nodes if waits.waits(id)} - that_run(waits)
    return failed_above(waits, sorted(stuck))


def graph_forecast(
    graph: Graph, known: Made, retried: Made | None = None, count: int = 0
) -> GraphForecast:
    """What a forecast says of a graph.

    Args:
        graph: the jobs, as they are now.
        known: as things stand.
        retried: if the failed jobs of `to_retry_for_all` are retried.
        count: how many those are.
    """
    forecast, made = known.forecast, known.at.timestamp()
    jobs = _expected(graph, known)
    whole = None
    if retried is not None and (all_jobs := _expected(graph, retried)):
        whole = _together(all_jobs)
    left = {id for id in graph.nodes if _is_left(graph, id)}
    stuck = len({id for id in left if graph.waits.waits(id)} - that_run(graph.waits))
    if not jobs:
        reason = forecast.reason or next(
            (forecast.held[id] for id in left if id in forecast.held), ""
        )
        return GraphForecast(made, reason=reason, stuck=stuck, whole=whole, retried=count)
    critical = tuple(link.id for link in forecast.chain if link.id in jobs)
    last = max(jobs, key=lambda id: jobs[id].ends)
    if last not in critical:
        # Another graph of the queue ends later: the way back from the end of this one.
        critical = _way_to(graph, jobs, last)
    end, runs = _together(jobs), forecast.runs
    return GraphForecast(made, end, "", critical, jobs, runs, stuck, whole, count)


def _expected(graph: Graph, known: Made) -> dict[str, Expected]:
    """When each job that is left of a graph begins and ends."""
    made = known.at.timestamp()
    return {
        id: Expected(
            made + window.begin.p50,
            made + window.end.p10,
            made + window.end.p50,
            made + window.end.p90,
        )
        for id, window in known.forecast.windows.items()
        if id in graph.nodes and _is_left(graph, id)
    }


def _together(jobs: dict[str, Expected]) -> Expected:
    """When the first of some jobs begins, and the last ends."""
    return Expected(
        min(job.begins for job in jobs.values()),
        max(job.best for job in jobs.values()),
        max(job.ends for job in jobs.values()),
        max(job.worst for job in jobs.values()),
    )


def _way_to(graph: Graph, jobs: dict[str, Expected], last: str) -> tuple[str, ...]:
    """The chain of jobs that decides when one ends: back, each time, to what ends last."""
    # In the order of the way; a circle is gone round once.
    way = {last: None}
    while True:
        parents = [id for id in graph.nodes[last].unmet if id in jobs and id not in way]
        if not parents:
            return tuple(reversed(way))
        last = max(parents, key=lambda id: jobs[id].ends)
        way[last] = None


def _is_left(graph: Graph, id: str) -> bool:
    row = graph.nodes[id].row
    return row is not None and row.status in (PENDING, RUNNING)
