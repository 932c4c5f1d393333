"""The agenda's statements: what is to be done when, by whichever worker comes first."""

from __future__ import annotations

FIRST_ON_AGENDA = "SELECT min(at) FROM core_agenda"

DUE_ON_AGENDA = """
SELECT CAST(what AS BLOB) AS what FROM core_agenda INDEXED BY core_agenda_at
WHERE at <= ? ORDER BY at LIMIT ?"""

# Of a damaged row: by no text can it be asked for.
STRIKE_BYTES = "DELETE FROM core_agenda WHERE CAST(what AS BLOB) = ? AND at <= ?"

IS_DUE_ON_AGENDA = "SELECT 1 FROM core_agenda WHERE what = ? AND at <= ?"

# The earlier of two moments stays.
ENTER = """
INSERT INTO core_agenda (what, at) VALUES (?, ?)
ON CONFLICT (what) DO UPDATE SET at = min(at, excluded.at)"""

# Done, or looked at anew.
ENTER_ANEW = """
INSERT INTO core_agenda (what, at) VALUES (?, ?)
ON CONFLICT (what) DO UPDATE SET at = excluded.at, trouble = NULL"""

PUT_OFF = "UPDATE core_agenda SET at = :at, trouble = :trouble WHERE what = :what"

# Nothing is put off for longer than that by a clock that runs true.
PUT_OFF_TOO_LONG = "SELECT what FROM core_agenda WHERE trouble IS NOT NULL AND at > ?"

BRING_FORWARD = "UPDATE core_agenda SET at = :utc WHERE trouble IS NOT NULL AND at > :most"

TAKE_FOR = "UPDATE core_agenda SET at = :until WHERE what = :what AND at <= :utc"

STRIKE = "DELETE FROM core_agenda WHERE what = ?"

KINDS_ON_AGENDA = "SELECT DISTINCT substr(what, 1, instr(what, ':') - 1) FROM core_agenda"
