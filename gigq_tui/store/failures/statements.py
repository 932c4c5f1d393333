"""What is asked of the file about jobs that failed alike, beside what the core asks."""

from __future__ import annotations

import json
from collections.abc import Iterable

from gigq_core.status import JobStatus

FAILED = (JobStatus.FAILED, JobStatus.TIMEOUT)
WAITING = (JobStatus.PENDING, JobStatus.RUNNING)


def ids_at(statuses: Iterable[JobStatus]) -> str:
    """Place, id and name of the jobs at some places that have one of these statuses."""
    words = ", ".join(f"'{status.value}'" for status in statuses)
    return f"""
SELECT rowid, id, substr(CAST(name AS TEXT), 1, 200) FROM jobs
WHERE rowid IN (SELECT value FROM json_each(?)) AND status IN ({words})"""


def listed(places: Iterable[int]) -> str:
    """Places as such statements take them."""
    return json.dumps(list(places))
