"""What is said of the workers in few words: how one is, and how many are what."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.reasons.why import Health
from gigq_tui.store.models import WorkerRow

# In the order in which they are told.
_DOINGS = (
    *("busy", "idle", "paused", "pausing", "resuming"),
    *("draining", "killing", "suspended"),
)
# While it has not answered yet; "stop" is how a kill is stored.
_REQUESTED = {
    "pause": "* pausing",
    "resume": "* resuming",
    "drain": "* draining",
    "stop": "* killing",
}


def condition(worker: WorkerRow) -> tuple[str, str]:
    """Return the word for how a worker is, and its role."""
    if worker.health is Health.LOST:
        return "? LOST", "fail"
    if worker.has_died and worker.state == "stopped":
        return "x died", "fail"
    if worker.health is Health.STOPPED or worker.state == "stopped":
        return "- stopped", "dim"
    if worker.suspended:
        return "! suspended", "fail"
    if worker.request:
        return _REQUESTED.get(worker.request, "* draining"), "warn"
    if worker.state == "stopping":
        return "* killing", "warn"
    if worker.state == "draining":
        return "* draining", "warn"
    if worker.health is Health.UNKNOWN:
        return "? not visible", "warn"
    if worker.state == "paused":
        return ("* pausing" if worker.running else ". paused"), "warn"
    return ("* busy", "run") if worker.running else (". idle", "ok")


_AGENT_CONDITIONS = {
    "starting": ("* starting", "run"),
    "ready": (". ready", "ok"),
    "silent": ("! silent", "fail"),
    "lost": ("? LOST", "fail"),
    "refused": ("x refused", "fail"),
    "stopped": ("- stopped", "dim"),
}
# The states in which an agent gets no jobs, in the order in which they are told.
_WRONG = ("lost", "silent", "refused")


def is_cut_off(agent: AgentSeen, worker: WorkerRow) -> bool:
    """Whether an agent has lost its worker, whatever that wrote of it last."""
    return worker.health is Health.LOST and agent.state != "stopped"


def agent_condition(agent: AgentSeen, worker: WorkerRow) -> tuple[str, str]:
    """Return the word for how an agent is, and its role."""
    if is_cut_off(agent, worker):
        return "? cut off", "fail"
    if agent.state == "ready" and agent.busy:
        return "* busy", "run"
    return _AGENT_CONDITIONS[agent.state]


def agent_states(workers: Iterable[WorkerRow]) -> dict[str, int]:
    """How many agents of the workers that live are in which state, what is wrong first."""
    found: Counter[str] = Counter(
        agent.state
        for worker in workers
        if worker.health in (Health.ALIVE, Health.UNKNOWN)
        for agent in worker.agents
    )
    order = (*_WRONG, "starting", "ready", "stopped")
    return {state: found[state] for state in order if found[state]}


def wrong_agents(workers: Iterable[WorkerRow]) -> str:
    """Say how many agents get no jobs, and why: `1 agent silent`, `2 agents: 1 lost, 1 silent`."""
    states = {state: number for state, number in agent_states(workers).items() if state in _WRONG}
    if not states:
        return ""
    total = sum(states.values())
    noun = f"{total} agent{'' if total == 1 else 's'}"
    if len(states) == 1:
        return f"{noun} {next(iter(states))}"
    return f"{noun}: {', '.join(f'{number} {state}' for state, number in states.items())}"


def wrong_agents_in_short(workers: Iterable[WorkerRow]) -> str:
    """The same in fewer words: `2 agents unusable`."""
    return re.sub(r":.*", " unusable", wrong_agents(workers))


_NEWER = "the rates of lanes"


def of_release_before(workers: Iterable[WorkerRow]) -> str:
    """Say what workers of the previous release do not do; nothing where none is at work."""
    ids = [
        worker.id
        for worker in workers
        if worker.is_before and worker.health in (Health.ALIVE, Health.UNKNOWN)
    ]
    if not ids:
        return ""
    if len(ids) == 1:
        return f"worker {ids[0]} is of the previous release: it ignores {_NEWER}"
    return f"{len(ids)} workers are of the previous release: they ignore {_NEWER}"


@dataclass(frozen=True)
class Headcount:
    """How many workers are what; `doing` says it of those that live: "2 busy, 1 draining"."""

    alive: int
    lost: int
    unseen: int
    doing: str


def headcount(workers: Iterable[WorkerRow]) -> Headcount:
    """Count the workers by what `condition()` says of each."""
    workers = tuple(workers)
    words = Counter(condition(worker)[0][2:] for worker in workers)
    return Headcount(
        alive=sum(1 for worker in workers if worker.health is Health.ALIVE),
        lost=words["LOST"],
        unseen=words["not visible"],
        doing=", ".join(f"{words[word]} {word}" for word in _DOINGS if words[word]),
    )
