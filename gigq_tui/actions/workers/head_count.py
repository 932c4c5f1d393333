"""How many workers there shall be: what a person types for it, and what that comes to."""

from __future__ import annotations

from collections.abc import Sequence

from gigq_core.errors import GigQError
from gigq_tui.format import plural

MOST_AT_ONCE = 64
MOST_DIGITS = 6
HOW = "+2 more, -1 fewer, 4 in all"


def change_wanted(text: str, present: int) -> int:
    """How many workers to start, or below zero to let go.

    Args:
        text: `+2`, `-1`, or the number in all.
        present: How many there are.

    Raises:
        GigQError: It is no such number, or more than can be.
    """
    typed = text.strip()
    digits = typed.lstrip("+-")
    if len(typed) - len(digits) > 1 or not (digits.isascii() and digits.isdigit()):
        raise GigQError(HOW)
    if len(digits) > MOST_DIGITS:
        raise GigQError(f"Start at most {MOST_AT_ONCE} at once.")
    number = int(digits)
    change = -number if typed[0] == "-" else number if typed[0] == "+" else number - present
    if change > MOST_AT_ONCE:
        raise GigQError(f"Start at most {MOST_AT_ONCE} at once.")
    if -change > present:
        raise GigQError(f"There {'is' if present == 1 else 'are'} only {present}.")
    return change


def intention(change: int, slots: int, present: int, idle: int, agents: int = 0) -> str:
    """What is going to happen, said before it does.

    Args:
        change: As `change_wanted` returns it.
        slots: Of each worker that is started, or of each of its agents; 0 where these say it.
        present: How many workers there are that stay.
        idle: How many of them have no job.
        agents: How many each has that is started, which have the slots then.
    """
    if change > 0:
        each = "" if change == 1 else " each"
        what = f"{plural(slots, 'slot')}{each}"
        if agents:
            of = f"{what} each" if agents > 1 and not each else what
            what = plural(agents, "agent") + (f" of {of}" if slots else "")
        return (
            f"start {plural(change, 'worker')} with {what}: {present + change} of this console then"
        )
    if change == 0:
        return f"nothing to do: {plural(present, 'worker')} of this console already"
    at_once = min(-change, idle)
    after = -change - at_once
    parts = []
    if at_once:
        parts.append(f"{plural(at_once, 'idle one')} now")
    if after:
        parts.append(f"{after} after {'its job' if after == 1 else 'their jobs'}")
    return f"drain {', then '.join(parts)}: {plural(present + change, 'worker')} then"


def stopping(idle: Sequence[str], busy: Sequence[str]) -> str:
    """What happens when workers are drained, some without a job and some with one."""
    parts = []
    if idle:
        parts.append(f"draining {_listed(idle)}")
    if busy:
        parts.append(f"{'' if idle else 'draining '}{_listed(busy)} after {_their_jobs(busy)}")
    return " and ".join(parts) or "this console has no worker left to drain"


def _their_jobs(busy: Sequence[str]) -> str:
    return "its job" if len(busy) == 1 else "their jobs"


def _listed(ids: Sequence[str], most: int = 4) -> str:
    if len(ids) > most:
        return f"{len(ids)} workers"
    return " and ".join([", ".join(ids[:-1]), ids[-1]] if len(ids) > 1 else ids)
