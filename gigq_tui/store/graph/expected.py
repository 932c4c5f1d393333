"""The forecast of a queue, as far as it is about one graph."""

from __future__ import annotations

from datetime import datetime

from gigq_core.blocking import that_run
from gigq_core.forecast import Forecast
from gigq_tui.store.graph.timeline import Expected, GraphForecast
from gigq_tui.store.models import Graph
from gigq_tui.store.statuses import PENDING, RUNNING


def graph_forecast(graph: Graph, forecast: Forecast, at: datetime) -> GraphForecast:
    """What a forecast says of a graph.

    Args:
        graph: the jobs, as they are now.
        forecast: of the queue, with windows of these jobs.
        at: when it was made.
    """
    made = at.timestamp()
    jobs = {
        id: Expected(
            made + window.begin.p50,
            made + window.end.p10,
            made + window.end.p50,
            made + window.end.p90,
        )
        for id, window in forecast.windows.items()
        if id in graph.nodes and _is_left(graph, id)
    }
    left = {id for id in graph.nodes if _is_left(graph, id)}
    stuck = len({id for id in left if graph.waits.waits(id)} - that_run(graph.waits))
    if not jobs:
        return GraphForecast(made, reason=forecast.reason, stuck=stuck)
    end = Expected(
        min(job.begins for job in jobs.values()),
        max(job.best for job in jobs.values()),
        max(job.ends for job in jobs.values()),
        max(job.worst for job in jobs.values()),
    )
    critical = tuple(link.id for link in forecast.chain if link.id in jobs)
    last = max(jobs, key=lambda id: jobs[id].ends)
    if last not in critical:
        # Another graph of the queue ends later: the way back from the end of this one.
        critical = _way_to(graph, jobs, last)
    return GraphForecast(made, end, "", critical, jobs, forecast.runs, stuck)


def _way_to(graph: Graph, jobs: dict[str, Expected], last: str) -> tuple[str, ...]:
    """The chain of jobs that decides when one ends: back, each time, to what ends last."""
    way = [last]
    while True:
        parents = [id for id in graph.nodes[way[-1]].unmet if id in jobs and id not in way]
        if not parents:
            return tuple(reversed(way))
        way.append(max(parents, key=lambda id: jobs[id].ends))


def _is_left(graph: Graph, id: str) -> bool:
    row = graph.nodes[id].row
    return row is not None and row.status in (PENDING, RUNNING)
