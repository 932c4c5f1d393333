"""Lanes by hand, one of each kind that an operator meets, and what stands in their way."""

from __future__ import annotations

from gigq_core.lanes.rules import Lane
from tests.scene import NOW

AT = NOW.timestamp()

LANES = (
    Lane(
        name="fetch:example.org",
        pattern="fetch:*",
        running_limit=2,
        rate="10/m",
        running=1,
        held=214,
        opens_at=AT + 27.4,
        shut_for=30.0,
        takers=("w1", "w2"),
    ),
    Lane(
        name="fetch:archive.org",
        pattern="fetch:*",
        running_limit=2,
        rate="10/m",
        running=2,
        held=38,
        delayed=3,
        takers=("w1", "w2"),
    ),
    Lane(
        name="fetch:example.com",
        pattern="fetch:*",
        running_limit=2,
        rate="10/m",
        running=1,
        held=12,
        next_start=AT + 2.2,
        takers=("w1", "w2"),
    ),
    Lane(name="gpu", pattern="gpu", running_limit=1, reserved=True, held=6, blocked=2),
    Lane(
        name="mail",
        pattern="mail",
        rate="5/s",
        burst=20,
        held=1204,
        paused_at=AT - 900,
        paused_by="mail",
        takers=("w1",),
    ),
    Lane(name="import", running=3, ready=55, takers=("w1", "w2")),
    Lane(name="reports", pattern="reports", running_limit=4, running=1, takers=("w1", "w2")),
    Lane(
        name="night:*",
        pattern="night:*",
        running_limit=8,
        paused_at=AT - 7200,
        paused_by="night:*",
        is_rule_only=True,
    ),
    Lane(name="thumbs:*", pattern="thumbs:*", running_limit=16, rate="100/m", is_rule_only=True),
)
OLDEST = {
    "fetch:example.org": AT - 745,
    "fetch:archive.org": AT - 190,
    "fetch:example.com": AT - 65,
    "gpu": AT - 7300,
    "mail": AT - 905,
    "import": AT - 12,
}
