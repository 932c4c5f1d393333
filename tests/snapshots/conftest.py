"""What every picture stands on: a machine, and an SQLite, that are the same everywhere."""

from __future__ import annotations

import sqlite3

import pytest

from gigq_tui import format as fmt
from gigq_tui.screens.overview import chart
from gigq_tui.screens.workers import usage
from gigq_tui.store.machine import Machine
from gigq_tui.terminal import theme
from tests.scene import HOST

SHOWN_SQLITE = (3, 40, 1)


@pytest.fixture(autouse=True)
def _one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(usage, "read_machine", lambda known: Machine(HOST, 16, 5.0, 38.0))
    monkeypatch.setattr(sqlite3, "sqlite_version", ".".join(map(str, SHOWN_SQLITE)))
    monkeypatch.setattr(sqlite3, "sqlite_version_info", SHOWN_SQLITE)


@pytest.fixture
def mode(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """One way to show colours, as a parameter; returns the theme."""
    if request.param == "no-colour":
        monkeypatch.setenv("NO_COLOR", "1")
    if request.param == "ascii":
        monkeypatch.setattr(fmt, "UTF8", False)
        monkeypatch.setattr(theme, "RULE", "-")
        for name, sign in (("UTF8", False), ("SIDE", "|"), ("CORNER", "+")):
            monkeypatch.setattr(chart, name, sign)
        monkeypatch.setattr(chart, "POINTER", "^")
        monkeypatch.setattr(chart, "SELECTED", "=")
        monkeypatch.setattr(theme, "SCROLL_THUMB", "#")
        monkeypatch.setattr(theme, "SCROLL_TRACK", "|")
    return str(request.param) if request.param in theme.THEME_NAMES else "dark"
