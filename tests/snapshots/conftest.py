"""What every picture stands on: a machine that is the same everywhere."""

from __future__ import annotations

import pytest

from gigq_tui.screens import workers
from gigq_tui.store.machine import Machine
from tests.scene import HOST


@pytest.fixture(autouse=True)
def _one_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workers, "read_machine", lambda known: Machine(HOST, 16, 5.0, 38.0))
