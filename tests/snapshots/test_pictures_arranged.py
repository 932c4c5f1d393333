"""Hooks and keeping in the overview; a job with its origin, its lane, its key and its memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from gigq_core.hooks.rules import Hook
from gigq_core.keeping.rules import Keeping
from gigq_tui.store.history.arranged import Arranged, ArrangedReader
from tests import scene
from tests.snapshots.reader_feed import scene_app
from tests.snapshots.test_pictures_overview import pressed

Compare = Callable[..., bool]
ARRANGED = """
    UPDATE jobs SET lane = 'fetch:example.org', unique_key = 'dedupe eu', unique_until = 'started',
        unique_within = 3600.0, memory = 524288000, schedule = 'nightly', slot = ?
    WHERE name = 'dedupe_customers'
"""


@pytest.mark.parametrize("size", [(120, 32), (80, 24)], ids=["120x32", "80x24"])
def test_job(size: tuple[int, int], snap_compare: Compare, tmp_path: Path) -> None:
    app = scene_app(tmp_path)
    (file,) = tmp_path.rglob(scene.FILE_NAME)
    with closing(sqlite3.connect(file)) as conn, conn:
        conn.execute(ARRANGED, (scene.NOW.timestamp() - 3_871,))
    keys = pressed("slash", *"dedupe", "enter", "enter")
    assert snap_compare(app, run_before=keys, terminal_size=size)


NOW = scene.NOW.timestamp()
PAGE = Hook("page", "failed", "fn:etl.*", 60.0, waiting=12, next_at=NOW + 31, last_at=NOW - 91)
KEEPING = Keeping(completed=7 * 86_400, failed=90 * 86_400, archive="/srv/archive", gone=48_211)
STATES = {
    "fine": Arranged(hooks=(replace(PAGE, last_status="completed"),), keeping=KEEPING),
    "trouble": Arranged(
        hooks=(
            replace(PAGE, failures_in_a_row=3, last_status="failed"),
            replace(PAGE, name="chat", problem="params is not JSON"),
        ),
        keeping=replace(KEEPING, trouble="/srv/archive is not there", trouble_at=NOW - 600),
        shared_keys=1,
    ),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("size", [(120, 32), (80, 24)], ids=["120x32", "80x24"])
def test_overview(
    size: tuple[int, int],
    state: str,
    snap_compare: Compare,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(ArrangedReader, "read", lambda *_: STATES[state])
    app = scene_app(tmp_path)
    assert snap_compare(app, run_before=pressed("o", "a", "G"), terminal_size=size)
