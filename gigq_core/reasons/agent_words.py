"""What is to be said of an agent, in a few words: wherever a person reads of one."""

from __future__ import annotations

from collections.abc import Iterable

from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.reasons.why import link_trouble
from gigq_core.text import inert
from gigq_core.units.times import moment_of


def place_of(agent: AgentSeen) -> str:
    """Where it is: its host, as far as it said so; else by the words that lead there."""
    return f"on {inert(agent.host)}" if agent.host else f'at "{inert(agent.via)}"'


def trouble_of(agent: AgentSeen, utc: float) -> str:
    """What keeps jobs from it, as the rest of a sentence that begins with it; nothing if it is
    well.

    Args:
        agent: The agent, of a worker that lives.
        utc: Now.
    """
    if agent.state == "starting":
        return f"is starting: {inert(agent.trouble)}" if agent.trouble else "is starting"
    if agent.state == "stopped":
        return "has ended"
    now = moment_of(utc)
    return "" if now is None else inert(link_trouble(agent, now)).rstrip(".")


def why_not_heard(agents: Iterable[AgentSeen], utc: float) -> str:
    """Why nothing is heard of a job that runs at one of these agents; nothing if one is well."""
    troubles = [(agent, trouble_of(agent, utc)) for agent in agents]
    if not troubles or not all(trouble for _, trouble in troubles):
        return ""
    agent, trouble = troubles[0]
    return f"Its agent {place_of(agent)} {trouble}."
