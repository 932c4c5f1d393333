"""The scene that pictures and snapshots draw: complete, and the same at every build."""

from __future__ import annotations

from pathlib import Path

from gigq_core.reasons.why import Health, State, state_of
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Snapshot
from gigq_tui.store.reader import Reader
from tests import scene


def snapshot_of(path: Path) -> Snapshot:
    reader = Reader(path, FrozenClock(scene.NOW), is_dead=scene.liveness)
    try:
        return reader.snapshot(View())
    finally:
        reader.close()


def test_every_state_is_there(tmp_path: Path) -> None:
    snapshot = snapshot_of(scene.build(tmp_path / "jobs.db"))
    states = {state_of(row, scene.NOW) for row in snapshot.window.rows}
    assert states == set(State) - {State.UNKNOWN}
    health = {worker.health for worker in snapshot.workers}
    assert {Health.ALIVE, Health.LOST} <= health
    assert snapshot.foreign_workers


def test_it_is_the_same_at_every_build(tmp_path: Path) -> None:
    pictures = []
    for folder in (tmp_path / "a", tmp_path / "b"):
        folder.mkdir()
        picture = snapshot_of(scene.build(folder / "jobs.db"))
        pictures.append((picture.counts, picture.window, picture.foreign_workers))
    assert pictures[0] == pictures[1]


def test_nothing_of_it_waits_to_be_done_to_the_file(tmp_path: Path) -> None:
    """Drawing it needs no write: there is no log to be folded in, and looking changes nothing."""
    path = scene.build(tmp_path / "jobs.db")
    before = path.read_bytes()
    snapshot_of(path)
    assert path.read_bytes() == before
