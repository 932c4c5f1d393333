"""What all links of a worker have in common."""

from __future__ import annotations

import selectors
from collections.abc import Callable
from typing import NamedTuple

from gigq_core.version import __version__
from gigq_core.worker.agents.doubts import Doubts
from gigq_core.worker.agents.lease import Lease
from gigq_core.worker.child_age import Limits
from gigq_core.worker.claims import Claim
from gigq_core.worker.heard import Heard, Responder
from gigq_core.worker.output import Capture


class Terms(NamedTuple):
    """How jobs are run at the far ends, and who deals with what they say.

    Args:
        selector: the supervisor's.
        lease: the times.
        grace_s: seconds between SIGTERM and SIGKILL.
        max_result_bytes: the most bytes of JSON that a job may return.
        limits: when a child is replaced.
        chdir: where jobs run; None for where the link leads to.
        responder: answers what jobs ask for.
        heard: takes what jobs tell.
        capture_of: gives where an attempt's output goes.
        doubts: of which jobs it was not known whether they had begun.
        version: the worker's own.
    """

    selector: selectors.BaseSelector
    lease: Lease
    grace_s: float
    max_result_bytes: int
    limits: Limits
    chdir: str | None
    responder: Responder
    heard: Heard
    capture_of: Callable[[Claim], Capture]
    doubts: Doubts
    version: str = __version__
