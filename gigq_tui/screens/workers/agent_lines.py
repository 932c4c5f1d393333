"""The agents of a worker as lines: where they are, how their links are, and how busy they are."""

from __future__ import annotations

import re
from datetime import datetime

from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.units.spans import span
from gigq_core.units.times import moment_of
from gigq_tui.format import age, cut, duration, inert, pad, plural, width_of
from gigq_tui.store.models import WorkerRow
from gigq_tui.widgets.lines import Line, Span
from gigq_tui.widgets.worker_words import agent_condition, agent_states, is_cut_off

# How far an agent stands to the right of its worker.
_INDENT = "  "
# So much of the words of a link is worth showing beside the host.
_LEAST_VIA = 6
# What the worker says of a command that led to no agent.
_ENDED_TOO_SOON = re.compile(
    r"ended with (?P<how>exit code -?\d+) before an agent was there: (?P<why>.+)", re.DOTALL
)


def agent_line(
    agent: AgentSeen, worker: WorkerRow, now: datetime, layout: list[tuple[str, int, str]]
) -> Line:
    """Return an agent as a line below its worker, in the columns of that.

    Args:
        agent: Which.
        worker: Whose.
        now: The present moment.
        layout: The columns: heading, width, field.
    """
    fields = [field for _, _, field in layout]
    cells = [abs(width) for _, width, _ in layout]
    at = fields.index("state")
    state, role = agent_condition(agent, worker)
    spans: list[Span] = [*_place(agent, sum(cells[:at])), (pad(state, cells[at]), role)]
    told: list[str] = []
    slots = f"{agent.busy}/{agent.slots}" if agent.slots else "-"
    began = moment_of(agent.began)
    link = "-" if began is None else age((now - began).total_seconds())
    if "slots" in fields:
        spans += [
            (pad(slots, cells[at + 1], right=True), ""),
            (pad(link, cells[at + 2], right=True), ""),
        ]
        at += 2
    elif agent.slots:
        # Of a link with something wrong its age is of no use.
        told.append(f"{slots} slots, {link}" if agent.state == "ready" else f"{slots} slots")
    words, role = _words(agent, worker, now)
    told.append(words)
    text = ", ".join(part for part in told if part)
    return (*spans, (cut(f"  {inert(text)}", sum(cells[at + 1 :])), role))


def _place(agent: AgentSeen, room: int) -> list[Span]:
    """The host, as far as it is known, and how one comes there, as far as there is room."""
    host, via = inert(agent.host or ""), inert(agent.via)
    name = cut(f"{_INDENT}{host or via}", room - 1)
    left = room - 1 - width_of(name) - 2
    if not host or left < min(_LEAST_VIA, width_of(via)):
        return [(pad(name, room), "" if host else "dim")]
    return [(name, ""), (pad(f"  {cut(via, left)}", room - width_of(name)), "dim")]


def _words(agent: AgentSeen, worker: WorkerRow, now: datetime) -> tuple[str, str]:
    """What is wrong with it, or else how busy its host is; and the role."""
    if is_cut_off(agent, worker):
        return "its worker is gone: it ends by itself", "fail"
    trouble = _brief(agent)
    if agent.state == "silent":
        return f"{_silent_for(agent, now)}no new jobs until it answers", "fail"
    if agent.state == "lost":
        return trouble or "the link was cut, and is made again", "fail"
    if agent.state == "refused":
        return trouble, "fail"
    if agent.state == "starting":
        return trouble or "the link is being made", "warn" if trouble else "dim"
    if agent.state == "stopped":
        return trouble, "dim"
    return trouble or ", ".join(_figures(agent)), "warn" if trouble else "dim"


def _brief(agent: AgentSeen) -> str:
    """Its trouble, without what its line says anyway: the cause has to be in sight."""
    trouble = (agent.trouble or "").removeprefix(f'The link "{agent.via}"').lstrip(": ")
    ended = _ENDED_TOO_SOON.match(trouble)
    return f"{ended['how']}: {ended['why']}" if ended else trouble


def _silent_for(agent: AgentSeen, now: datetime) -> str:
    heard = moment_of(agent.heard)
    return "" if heard is None else f"for {span(_whole(now, heard))}: "


def _whole(now: datetime, since: datetime) -> float:
    return float(max(0, int((now - since).total_seconds())))


def _figures(agent: AgentSeen) -> list[str]:
    figures = [] if agent.load is None else [f"load {agent.load:.1f}"]
    if agent.latency is not None:
        figures.append(f"answers in {duration(agent.latency)}")
    return figures


def describe_agents(worker: WorkerRow) -> tuple[str, str]:
    """Say how a worker's agents are, in few words, and the role of that."""
    if not worker.agents:
        return "no agents yet", "dim"
    told = plural(len(worker.agents), "agent")
    states = agent_states([worker])
    if set(states) <= {"ready"}:
        return told, "dim"
    apart = ", ".join(
        word if number == len(worker.agents) else f"{number} {word}"
        for word, number in states.items()
    )
    return f"{told}: {apart}", "fail" if states.keys() & {"silent", "lost", "refused"} else "dim"


def describe_agent(agent: AgentSeen, worker: WorkerRow, now: datetime) -> str:
    """Say of an agent what its line has no room for."""
    began, heard = moment_of(agent.began), moment_of(agent.heard)
    words: list[str] = []
    if agent.state != "ready" or agent.trouble or is_cut_off(agent, worker):
        state = agent_condition(agent, worker)[0][2:]
        words.append(f"{state}: {_words(agent, worker, now)[0]}".removesuffix(": ").rstrip("."))
    if agent.slots:
        words.append(f"{agent.busy} of {plural(agent.slots, 'slot')} busy")
    if began is not None:
        words.append(f"link {age((now - began).total_seconds())} old")
    if agent.state == "ready":
        words += _figures(agent)
        if heard is not None:
            words.append(f"heard {span(_whole(now, heard))} ago")
    if agent.pid is not None:
        words.append(f"pid {agent.pid} there")
    if agent.python:
        words.append(f"Python {agent.python}")
    words.append(f"agent {agent.id}")
    lead = f"{agent.host} by {agent.via}" if agent.host else agent.via
    return inert(f"{lead}: {', '.join(words)}.")
