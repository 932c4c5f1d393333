"""Why a job waits, as far as its own row and the queue's tell."""

from __future__ import annotations

from typing import Any, NamedTuple

from gigq_core.cli.text import shown_time
from gigq_core.script import SCRIPT_MODULE, WHY
from gigq_core.status import JobStatus
from gigq_core.times import now_text


class Why(NamedTuple):
    """The reason, in a word or two for a table, and as a sentence without its full stop."""

    short: str
    text: str


def why(job: dict[str, Any], *, paused: bool) -> Why | None:
    """What holds a waiting job up; None if it could run now, or does not wait.

    Args:
        job: as `reading.as_dict` gives it.
        paused: whether the queue is.
    """
    if job["status"] != JobStatus.PENDING.value:
        return None
    if job["function_module"] == SCRIPT_MODULE:
        return Why(f"in a script ({SCRIPT_MODULE})", WHY)
    if job["blocked"]:
        return Why("parents", "it waits for parents that have not completed")
    due = job["retry_after"]
    if isinstance(due, str) and due > now_text():
        return Why(f"due {shown_time(due)}", f"it is due at {shown_time(due)}")
    if paused:
        return Why("paused", "the queue is paused: `gigq-core resume` ends that")
    return None
