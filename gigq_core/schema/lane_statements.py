"""The statements of lanes: their rules, what of them is shown to workers, how they stand."""

from __future__ import annotations

from gigq_core.schema.ddl import (
    HELD,
    IN_LANE_HELD,
    IN_LANE_OPEN,
    IN_LANE_RESERVED,
    IN_LANE_RUNNING,
    IN_LANE_WAITING,
    PARKED,
)
from gigq_core.schema.worker_statements import IS_NOT_LOST

# --- rules, and pauses, which stand apart from them -------------------------------------------

_RULE = "pattern, running, rate, burst, reserved"

SET_RULE = f"""
INSERT OR REPLACE INTO core_lane_rules ({_RULE})
VALUES (:pattern, :running, :rate, :burst, :reserved)"""

REMOVE_RULE = "DELETE FROM core_lane_rules WHERE pattern = ?"

ALL_RULES = f"SELECT {_RULE} FROM core_lane_rules ORDER BY pattern"

RULES_AMONG = f"""
SELECT {_RULE} FROM core_lane_rules WHERE pattern IN (SELECT value FROM json_each(?))"""

PAUSE = "INSERT OR IGNORE INTO core_lane_pauses (pattern, paused_at) VALUES (?, ?)"

RESUME = "DELETE FROM core_lane_pauses WHERE pattern = ?"

ALL_PAUSES = "SELECT pattern, paused_at FROM core_lane_pauses ORDER BY pattern"

HAS_LANES = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_lane_states'"

HAS_LANE_INDEXES = """
SELECT count(*) = 5 FROM sqlite_master
WHERE type = 'index' AND name IN ('core_lane_running', 'core_lane_open', 'core_lane_reserved',
                                  'core_lane_held', 'core_lane_waits')"""

# --- what is to be looked at anew --------------------------------------------------------------

# The agenda's entry for all lanes: 0 while one is to be looked at anew, and far off where none is.
LANES_DUE = "SELECT at FROM core_agenda WHERE what = 'lanes:'"

MARK = "INSERT OR IGNORE INTO core_lane_dirty (lane) VALUES (?)"

MARK_DUE = """
INSERT OR IGNORE INTO core_lane_dirty (lane)
SELECT lane FROM core_lane_states INDEXED BY core_lane_next
WHERE next_at IS NOT NULL AND next_at <= ?"""

# The one that has waited longest first.
DIRTY = "SELECT lane FROM core_lane_dirty ORDER BY place LIMIT ?"

CLEAN = "DELETE FROM core_lane_dirty WHERE lane = ?"

# Whether one is left, and when the next one is to be looked at.
NEXT = """
SELECT EXISTS (SELECT 1 FROM core_lane_dirty),
       (SELECT min(next_at) FROM core_lane_states INDEXED BY core_lane_next
        WHERE next_at IS NOT NULL)"""

# --- the state of a lane -----------------------------------------------------------------------

STATE = "SELECT word, shows, tat, opens_at, shut_for, next_at FROM core_lane_states WHERE lane = ?"

# How many run, and whether a pause holds it. Parameters: its name, and its patterns as JSON.
STANDING = f"""
SELECT (SELECT count(*) FROM jobs INDEXED BY core_lane_running
        WHERE {IN_LANE_RUNNING} AND lane = ?),
       EXISTS (SELECT 1 FROM core_lane_pauses
               WHERE pattern IN (SELECT value FROM json_each(?)))"""

SET_STATE = """
INSERT OR REPLACE INTO core_lane_states (lane, word, shows, tat, opens_at, shut_for, next_at)
VALUES (:lane, :word, :shows, :tat, :opens_at, :shut_for, :next_at)"""

# What is known of it is the same but for this.
SET_SPENT = """
INSERT INTO core_lane_states (lane, word, shows, tat) VALUES (:lane, :word, :shows, :tat)
ON CONFLICT (lane) DO UPDATE SET tat = excluded.tat"""

SHUT = """
INSERT INTO core_lane_states (lane, word, shows, opens_at, shut_for)
VALUES (:lane, :word, :shows, :opens_at, :shut_for)
ON CONFLICT (lane) DO UPDATE SET opens_at = excluded.opens_at, shut_for = excluded.shut_for
WHERE opens_at IS NULL OR opens_at < excluded.opens_at OR opens_at > :utc + shut_for + 1"""

# Before the time is over for which a job has shut them.
OPEN_SHUT = """
UPDATE core_lane_states SET opens_at = NULL, shut_for = NULL
WHERE lane >= ? AND lane < ? AND opens_at > ?"""

STATES_BETWEEN = "SELECT lane FROM core_lane_states WHERE lane >= ? AND lane < ?"

STATES_WITH_TIMES = """
SELECT lane, tat, opens_at, shut_for FROM core_lane_states INDEXED BY core_lane_next
WHERE next_at IS NOT NULL AND next_at > ?"""

# A lane without jobs that wait or run; what comes into it makes a new state.
FORGET_EMPTY = f"""
DELETE FROM core_lane_states
WHERE next_at IS NULL AND coalesce(tat, 0) < :utc AND lane IN (
    SELECT s.lane FROM core_lane_states s
    WHERE NOT EXISTS (SELECT 1 FROM jobs INDEXED BY core_lane_running
                      WHERE {IN_LANE_RUNNING} AND lane = s.lane)
      AND NOT EXISTS (SELECT 1 FROM jobs INDEXED BY core_lane_open
                      WHERE {IN_LANE_OPEN} AND lane = s.lane)
      AND NOT EXISTS (SELECT 1 FROM jobs INDEXED BY core_lane_held
                      WHERE {IN_LANE_HELD} AND lane = s.lane)
      AND NOT EXISTS (SELECT 1 FROM jobs INDEXED BY core_lane_waits
                      WHERE {IN_LANE_WAITING} AND lane = s.lane))"""

# --- showing jobs to workers, and taking them away ---------------------------------------------

_OPEN_IN = f"jobs INDEXED BY core_lane_open WHERE {IN_LANE_OPEN} AND lane = :lane"
_HELD_IN = f"jobs INDEXED BY core_lane_held WHERE {IN_LANE_HELD} AND lane = :lane"
_BEST_FIRST = "ORDER BY priority DESC, rowid"

SHOWN_IN = f"SELECT rowid FROM {_OPEN_IN} LIMIT :most"

# Of those that are shown, and of the others, the best.
BEST_IN = f"""
SELECT place FROM (
    SELECT place, priority FROM (
        SELECT rowid AS place, priority FROM {_OPEN_IN} {_BEST_FIRST} LIMIT :room)
    UNION ALL
    SELECT place, priority FROM (
        SELECT rowid AS place, priority FROM {_HELD_IN} {_BEST_FIRST} LIMIT :room)
    ORDER BY priority DESC, place LIMIT :room)"""

SHOW_BEST = f"""
UPDATE jobs SET retry_after = :word
WHERE rowid IN (SELECT rowid FROM {_HELD_IN} {_BEST_FIRST} LIMIT :room)"""

HIDE_ALL = f"UPDATE jobs SET retry_after = '{HELD}' WHERE rowid IN (SELECT rowid FROM {_OPEN_IN})"

SHOW = """
UPDATE jobs SET retry_after = :word WHERE rowid IN (SELECT value FROM json_each(:places))"""

HAS_HELD = f"SELECT 1 FROM {_HELD_IN} LIMIT 1"

# --- claiming by the names of lanes ------------------------------------------------------------

# Of the lanes that a worker names it takes all jobs that are shown, or beside those that any takes
# the reserved ones: an index of their own holds these, and no claim walks past others.
_NAMED = {
    True: ("core_lane_open", IN_LANE_OPEN),
    False: ("core_lane_reserved", IN_LANE_RESERVED),
}

# From one lane of a range to the next in the index, however many jobs each has; by whether the
# worker takes those lanes alone.
OPEN_LANES_BETWEEN = {
    alone: f"""
WITH RECURSIVE lanes (name) AS (
    SELECT (SELECT lane FROM jobs INDEXED BY {index}
            WHERE {shown} AND lane >= :low AND lane < :high ORDER BY lane LIMIT 1)
    UNION ALL
    SELECT (SELECT lane FROM jobs INDEXED BY {index}
            WHERE {shown} AND lane > lanes.name AND lane < :high ORDER BY lane LIMIT 1)
    FROM lanes WHERE lanes.name IS NOT NULL
)
SELECT name FROM lanes WHERE name IS NOT NULL"""
    for alone, (index, shown) in _NAMED.items()
}

# Likewise, and by whether it takes one that may have been the end of its worker.
_TAKEN = {
    (alone, lost): f"jobs INDEXED BY {index} WHERE {shown}"
    + " AND id IS NOT NULL AND (function_module <> '__main__' "
    + "OR function_name IN (SELECT value FROM json_each(:functions)))"
    + ("" if lost else f" AND {IS_NOT_LOST}")
    for alone, (index, shown) in _NAMED.items()
    for lost in (True, False)
}

READY_BETWEEN = {
    how: f"""
SELECT count(*) FROM (SELECT 1 FROM {taken} AND lane >= :low AND lane < :high LIMIT :most)"""
    for how, taken in _TAKEN.items()
}

BEST_OF_LANE = {
    how: f"""
SELECT priority, rowid FROM {taken} AND lane = :lane {_BEST_FIRST} LIMIT :slots"""
    for how, taken in _TAKEN.items()
}

HEADS = {
    how: f"""
SELECT named FROM (
    SELECT value AS named,
           (SELECT priority FROM {taken} AND lane = n.value {_BEST_FIRST} LIMIT 1) AS best,
           (SELECT rowid FROM {taken} AND lane = n.value {_BEST_FIRST} LIMIT 1) AS place
    FROM json_each(:names) n)
WHERE place IS NOT NULL ORDER BY best DESC, place LIMIT :most"""
    for how, taken in _TAKEN.items()
}

# --- how they stand ----------------------------------------------------------------------------

COUNT_RUNNING = f"""
SELECT lane, count(*) FROM jobs INDEXED BY core_lane_running
WHERE {IN_LANE_RUNNING} GROUP BY lane"""

COUNT_OPEN = f"""
SELECT lane, count(*) FROM jobs INDEXED BY core_lane_open WHERE {IN_LANE_OPEN} GROUP BY lane"""

COUNT_HELD = f"""
SELECT lane, count(*) FROM jobs INDEXED BY core_lane_held WHERE {IN_LANE_HELD} GROUP BY lane"""

COUNT_WAITING = f"""
SELECT lane, count(*), count(CASE WHEN retry_after = '{PARKED}' THEN 1 END)
FROM jobs INDEXED BY core_lane_waits WHERE {IN_LANE_WAITING} GROUP BY lane"""

# Whether a job that is ready is held, or left to workers that name its lane.
HOLDS_ANY = f"""
SELECT EXISTS (SELECT 1 FROM jobs INDEXED BY core_lane_held WHERE {IN_LANE_HELD})
    OR EXISTS (SELECT 1 FROM jobs INDEXED BY core_lane_reserved WHERE {IN_LANE_RESERVED})"""

COUNT_RUNNING_IN = f"""
SELECT count(*) FROM jobs INDEXED BY core_lane_running WHERE {IN_LANE_RUNNING} AND lane = ?"""

COUNT_ONE = f"""
SELECT (SELECT count(*) FROM jobs INDEXED BY core_lane_running
        WHERE {IN_LANE_RUNNING} AND lane = :lane),
       (SELECT count(*) FROM {_OPEN_IN}),
       (SELECT count(*) FROM {_HELD_IN}),
       (SELECT count(*) FROM jobs INDEXED BY core_lane_waits
        WHERE {IN_LANE_WAITING} AND lane = :lane),
       (SELECT count(*) FROM jobs INDEXED BY core_lane_waits
        WHERE {IN_LANE_WAITING} AND lane = :lane AND retry_after = '{PARKED}')"""

ALL_TIMES = "SELECT lane, tat, opens_at, shut_for FROM core_lane_states"

TIMES_OF = f"{ALL_TIMES} WHERE lane = ?"
