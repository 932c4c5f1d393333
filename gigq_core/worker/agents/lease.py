"""For how long an agent may go on without its worker, and when either takes the other for lost."""

from __future__ import annotations

from typing import NamedTuple


class Lease(NamedTuple):
    """The times of a link, all in seconds.

    Args:
        lease_s: an agent ends everything so long after the last pong that it knows was heard.
        ping_s: how often it is pinged.
        silent_s: an agent that has said nothing for so long gets no more jobs.
        margin_s: how much more time than it needs an agent is given to end everything.
        ready_s: an agent that is not ready so long after its link has first answered never will
            be.
        first_pause_s, longest_pause_s: between the tries to make a link anew.
    """

    lease_s: float = 30.0
    ping_s: float = 5.0
    silent_s: float = 10.0
    margin_s: float = 5.0
    ready_s: float = 60.0
    first_pause_s: float = 1.0
    longest_pause_s: float = 60.0
