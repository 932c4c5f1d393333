"""The words of `jobs.status` as plain text, for code that compares thousands of rows.

To ask an enumeration for its value costs more than the comparison.
"""

from __future__ import annotations

from gigq_core.status import JobStatus

PENDING = JobStatus.PENDING.value
RUNNING = JobStatus.RUNNING.value
COMPLETED = JobStatus.COMPLETED.value
FAILED = JobStatus.FAILED.value
CANCELLED = JobStatus.CANCELLED.value
TIMEOUT = JobStatus.TIMEOUT.value
