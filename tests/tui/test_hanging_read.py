"""A read that hangs, as on a network's file system: the screen goes on without it, and says so."""

from __future__ import annotations

import sys
import threading
from pathlib import Path

import pytest

from gigq_tui.app import ConsoleApp
from gigq_tui.screens.help import HelpScreen
from gigq_tui.store import feed
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Snapshot
from gigq_tui.store.reader import Reader
from tests.store_files import Writer
from tests.tui.harness import jobs_screen, running, screen_text, until


async def test_keys_are_answered_while_a_read_hangs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Writer(tmp_path / "jobs.db")
    writer.many(5, "job", "failed")
    writer.close()
    go_on = threading.Event()
    go_on.set()
    snapshot = Reader.snapshot

    def hanging(reader: Reader, view: View) -> Snapshot:
        go_on.wait(30)
        return snapshot(reader, view)

    monkeypatch.setattr(Reader, "snapshot", hanging)
    monkeypatch.setattr(feed, "SLOW_S", 0.3)
    monkeypatch.setattr(feed, "WATCH_S", 0.05)
    app = ConsoleApp(tmp_path / "jobs.db", python=sys.executable, chdir=tmp_path)
    try:
        async with running(app) as pilot:
            await until(pilot, lambda: "job0" in screen_text(app), "the first rows")
            go_on.clear()
            app.services.reads.refresh()
            await until(pilot, lambda: "still being read" in screen_text(app), "what hangs")
            assert "job0" in screen_text(app)
            before = jobs_screen(app).table.cursor_id
            await pilot.press("j")
            assert jobs_screen(app).table.cursor_id != before
            await pilot.press("question_mark")
            await until(pilot, lambda: isinstance(app.screen, HelpScreen), "the help")
            await pilot.press("escape")
            await until(pilot, lambda: app.screen is jobs_screen(app), "the jobs again")
            go_on.set()
            await until(pilot, lambda: "stale" not in screen_text(app), "the end of it")
    finally:
        go_on.set()
