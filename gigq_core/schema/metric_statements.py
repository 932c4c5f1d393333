"""The statements behind the numbers for a monitoring system."""

from __future__ import annotations

STATES = "SELECT state, n FROM core_counts"

STATUSES = "SELECT status, count(*) FROM jobs GROUP BY status"

OLDEST_RUNNING = "SELECT min(began) FROM jobs INDEXED BY core_running WHERE status = 'running'"

IS_PAUSED = "SELECT 1 FROM core_meta WHERE key = 'paused_at'"

WORKERS = "SELECT id, state, slots FROM core_workers WHERE state <> 'stopped'"

EARLIEST_APPOINTMENT = "SELECT min(at) FROM core_agenda"
