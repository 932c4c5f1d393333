"""Jobs by what failed: `fp:` and `err:`, of a file of any release, read or not."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from gigq_core.failures import failure_of
from gigq_tui.store.filter.language import FilterError, parse
from gigq_tui.store.list.view import View
from tests.store_files import gigq_copy, reading
from tests.unit.test_core_cli_failures import TRACEBACK, db, fail, read_all

__all__ = ["db"]

KEYS = failure_of("KeyError: 1", TRACEBACK.format("KeyError: 1")).fingerprint
FULL = failure_of(
    "OSError: [Errno 28] No space left", TRACEBACK.format("OSError: [Errno 28] No space left")
).fingerprint


def names(path: Path, text: str) -> set[str]:
    with reading(path) as reader:
        return {row.name for row in reader.snapshot(View(filter=parse(text))).window.rows}


@pytest.mark.parametrize("is_read", [False, True], ids=["unread", "read"])
@pytest.mark.parametrize(
    ("text", "found"),
    [
        (f"fp:{KEYS[:4]}", {"first", "second"}),
        (f"fp:{KEYS[:6].upper()}", {"first", "second"}),
        (f"fp={KEYS}", {"first", "second"}),
        (f"fp={KEYS[:6]}", set()),
        (f"fp:{KEYS[:6]} second", {"second"}),
        (f"fp:{FULL[:6]}", {"full"}),
        (f"fp:{FULL[:6]}|fp:{KEYS[:6]}", {"full", "first", "second"}),
        (f"-fp:{KEYS[:6]}", {"third", "full", "waits"}),
        (f"err:KeyError -fp:{KEYS[:6]}", {"third"}),
    ],
)
def test_jobs_are_found_by_how_their_last_attempt_failed(
    db: Path, is_read: bool, text: str, found: set[str]
) -> None:
    if is_read:
        read_all(db)
    assert names(db, text) == found


def test_an_error_without_its_type_is_found_by_it(db: Path) -> None:
    """As the release before stored it: the traceback alone had the type."""
    conn = sqlite3.connect(db)
    (job_id,) = conn.execute("SELECT id FROM jobs WHERE name = 'waits'").fetchone()
    with conn:
        fail(conn, job_id, "app.Refused: 'by host'", 1e9)
        for table in ("jobs", "job_executions"):
            key = "id" if table == "jobs" else "job_id"
            conn.execute(f"UPDATE {table} SET error = '''by host''' WHERE {key} = ?", (job_id,))
    conn.close()
    assert names(db, "err:Refused") == set()
    read_all(db)
    assert names(db, "err:refused") == {"waits"}
    assert names(db, "err=app.Refused") == {"waits"}
    assert "waits" not in names(db, "-err:Refused")
    with reading(db) as reader:
        detail = reader.detail(job_id)
    assert detail is not None
    (attempt,) = detail.attempts
    assert attempt.error == "app.Refused: 'by host'"
    assert attempt.fingerprint == failure_of("app.Refused: 1", attempt.traceback).fingerprint


def test_a_file_of_gigqs_is_searched_as_it_stands(tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, "gigq-0.5.1.db")
    kind = failure_of("HTTP 503 from https://example.invalid/feed?id=1").fingerprint
    assert names(path, f"fp:{kind[:4]}") == {"retry_later", "fetch_feed"}
    assert names(path, "fp:0000") == set()


@pytest.mark.parametrize("text", ["fp:xyz", "fp:3fa2x", "fp>3", "fp:"])
def test_what_is_no_fingerprint_is_told(text: str) -> None:
    with pytest.raises(FilterError) as told:
        parse(text)
    assert told.value.position in (0, 2, 3)
