"""Where an agent runs an attempt, and what that agent is called."""

from __future__ import annotations

from typing import NamedTuple


def agent_id(worker_id: str, link: int) -> str:
    """What an agent is called: by its worker, and the number of the link that leads to it."""
    return f"{worker_id}/{link}"


class Elsewhere(NamedTuple):
    """Where an attempt runs or ran that no process of its worker's machine does.

    Args:
        host: the agent's.
        link: which link of the worker leads there, by its number; None where that is not known.
    """

    host: str
    link: int | None = None

    def agent(self, worker_id: str | None) -> str:
        """What the agent is called, or its worker where it is not known which one that was."""
        if worker_id is None or self.link is None:
            return worker_id or ""
        return agent_id(worker_id, self.link)
