"""Every measure, by the name that `--only` takes."""

from __future__ import annotations

from collections.abc import Callable

from benchmarks.bench import Bench
from benchmarks.figures import Figure
from benchmarks.measures import (
    console,
    crowded,
    drain,
    forecasts,
    graphs,
    keeping,
    lanes,
    memory,
    pickup,
    schedules,
    sharing,
    stopping,
    submit,
    watched,
    workers,
)

Measure = Callable[[Bench], list[Figure]]

MEASURES: dict[str, Measure] = {
    "drain-1": drain.one_slot,
    "drain-8": drain.eight_slots,
    "workers-2": workers.two,
    "workers-4": workers.four,
    "sharing": sharing.sharing,
    "backlog-100k": crowded.backlog_100k,
    "backlog-1m": crowded.backlog_1m,
    "blocked-100k": crowded.blocked_100k,
    "history-1m": crowded.history_1m,
    "submit-single": submit.single,
    "submit-bulk": submit.bulk,
    "pickup": pickup.pickup,
    "takeover": stopping.takeover,
    "timeout-gone": stopping.timeout_gone,
    "chain-1000": graphs.chain,
    "fan-5000": graphs.fan,
    "memory": memory.memory,
    "console": console.console,
    "forecast": forecasts.forecasts,
    "refresh-1m": watched.refresh,
    "watched": watched.drain,
    "schedule-cost": schedules.cost,
    "schedule-once": schedules.exactly_once,
    "schedule-missed": schedules.catch_up,
    "keeping": keeping.keeping,
    "lane-front": lanes.front,
    "lane-drain": lanes.drain,
    "lane-rate": lanes.rate,
    "lane-one": lanes.one_at_a_time,
}

__all__ = ["MEASURES", "Measure"]
