"""The statements of schedules: what they are, and what became of their slots."""

from __future__ import annotations

from gigq_core.schema.ddl import IS_ALIVE

FILE_ID = "SELECT value FROM core_meta WHERE key = 'file_id'"

SCHEDULE = "SELECT * FROM core_schedules WHERE name = ?"

# With what became of its last job, and what went wrong where nobody else tells it.
_TOLD = """
SELECT s.*, j.status AS last_status, a.trouble AS agenda_trouble
FROM core_schedules s
LEFT JOIN jobs j ON j.id = s.last_job_id
LEFT JOIN core_agenda a ON a.what = 'schedule:' || s.name"""
SCHEDULES_TOLD = f"{_TOLD} ORDER BY s.name"
SCHEDULE_TOLD = f"{_TOLD} WHERE s.name = ?"

# So many of the newest of each.
SKIPS = """
SELECT k.schedule, k.slot, k.first, k.count, k.why, k.at
FROM core_schedules s JOIN core_schedule_skips k ON k.schedule = s.name
WHERE k.place >= coalesce((
    SELECT n.place FROM core_schedule_skips n WHERE n.schedule = s.name
    ORDER BY n.place DESC LIMIT 1 OFFSET ?), 0)
ORDER BY k.place DESC"""
SKIPS_OF = "SELECT * FROM core_schedule_skips WHERE schedule = ? ORDER BY place DESC"

HAS_SCHEDULES = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_schedules'"

ADD_SCHEDULE = """
INSERT INTO core_schedules (name, rule, zone, catch_up, overlap, definition, next_at, counted)
VALUES (:name, :rule, :zone, :catch_up, :overlap, :definition, :next_at, :counted)"""

# The edition tells whoever has worked something out by the old one.
CHANGE_SCHEDULE = """
UPDATE core_schedules
SET rule = :rule, zone = :zone, catch_up = :catch_up, overlap = :overlap,
    definition = :definition, next_at = :next_at, counted = :counted, trouble = NULL,
    edition = edition + 1
WHERE name = :name"""

REMOVE_SCHEDULE = "DELETE FROM core_schedules WHERE name = ?"
REMOVE_SKIPS = "DELETE FROM core_schedule_skips WHERE schedule = ?"

PAUSE_SCHEDULE = """
UPDATE core_schedules SET paused_at = ?, edition = edition + 1
WHERE name = ? AND paused_at IS NULL"""

RESUME_SCHEDULE = """
UPDATE core_schedules
SET paused_at = NULL, next_at = :next_at, counted = :counted, trouble = NULL, edition = edition + 1
WHERE name = :name"""

MOVE_ON = """
UPDATE core_schedules SET next_at = :next_at, counted = :counted, fired = :fired, trouble = NULL
WHERE name = :name"""

NOTE_LAST = "UPDATE core_schedules SET last_slot = ?, last_job_id = ? WHERE name = ?"

NOTE_TROUBLE = "UPDATE core_schedules SET trouble = ?, counted = ? WHERE name = ?"

# Those whose next slot was worked out when the clock was ahead of now.
COUNTED_AHEAD = """
SELECT name, rule, zone, next_at FROM core_schedules
WHERE paused_at IS NULL AND next_at IS NOT NULL AND counted > ?"""

COUNT_ANEW = "UPDATE core_schedules SET next_at = ?, counted = ? WHERE name = ?"

# --- slots

JOB_OF_SLOT = """
SELECT 1 FROM jobs WHERE id = :id
UNION ALL
SELECT 1 FROM core_tombstones WHERE job_id = :id"""

# Whatever has ended, and that may be very many, is not gone through.
ALIVE = f"""
SELECT id, status FROM jobs INDEXED BY core_schedule_alive
WHERE schedule = ? AND {IS_ALIVE} ORDER BY slot, rowid LIMIT ?"""

# Those that no other one waits for.
ENDS_OF_LINE = """
SELECT j.id FROM jobs j INDEXED BY core_schedule_alive
WHERE j.schedule = :name AND j.schedule IS NOT NULL AND j.status IN ('pending', 'running')
  AND NOT EXISTS (
    SELECT 1 FROM core_edges e JOIN jobs c ON c.id = e.child_id
    WHERE e.parent_id = j.id AND c.schedule IS :name AND c.status IN ('pending', 'running'))
ORDER BY j.slot, j.rowid"""

NEWEST_SKIP = """
SELECT place, slot, count, why FROM core_schedule_skips WHERE schedule = ?
ORDER BY place DESC LIMIT 1"""

ADD_SKIP = """
INSERT INTO core_schedule_skips (schedule, slot, first, count, why, at)
VALUES (:name, :slot, :first, :count, :why, :at)"""

ADD_TO_SKIP = """
UPDATE core_schedule_skips SET slot = :slot, count = count + :count, at = :at
WHERE place = :place"""

COUNT_SKIPS = "UPDATE core_schedules SET skipped = skipped + ? WHERE name = ?"

FORGET_SKIPS = """
DELETE FROM core_schedule_skips
WHERE schedule = :name AND place <= (
    SELECT place FROM core_schedule_skips WHERE schedule = :name
    ORDER BY place DESC LIMIT 1 OFFSET :most)"""
