"""A random walk of schedules beside a plain model: what is made of each slot, whatever happens.

Clocks go forward, far forward and back; jobs end, are deleted and forgotten; schedules are paused,
changed and run by hand. The model knows nothing of SQL, ids or savepoints.
"""

from __future__ import annotations

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue
from gigq_core.schedules import rules as schedules
from gigq_core.schedules import slots
from gigq_core.schema import schedule_statements
from tests.clock import DAY_S, HOUR_S, MovedClock, at, look_at_clock, work_off

STEP_S = 600
NAME = "walk"
BEGIN = at("2026-11-28T12:00:05")
GRACE_S = 60


@dataclass
class Model:
    """What ought to be so, of a schedule whose slots are ten minutes apart."""

    catch_up: str
    overlap: str
    now: float
    next_at: float = 0.0
    is_paused: bool = False
    # When the next slot was worked out.
    counted: float = 0.0
    # Of all slots that became jobs, ever; those that did and are alive.
    fired: set[float] = field(default_factory=set)
    alive: list[float] = field(default_factory=list)
    skipped: int = 0
    # Where slots were missed: those before are told apart from those behind.
    covered: list[tuple[float, float]] = field(default_factory=list)

    def after(self, moment: float) -> float:
        return (moment // STEP_S + 1) * STEP_S

    def start(self) -> None:
        self.next_at, self.counted = self.after(self.now), self.now

    def look_at_clock(self) -> None:
        if not self.is_paused and self.counted > self.now + 1:
            self.next_at = min(self.next_at, self.after(self.now))
            self.counted = self.now

    def turn(self) -> list[float]:
        """The slots that become jobs."""
        if self.is_paused or self.next_at > self.now:
            return []
        due = [float(one) for one in range(int(self.next_at), int(self.now) + 1, STEP_S)]
        if self.catch_up == "all":
            wanted = due[-100:]
        else:
            wanted = due[-1:]
            if self.catch_up == "none" and self.now - due[-1] > GRACE_S:
                wanted = []
        missed = len(due) - len(wanted)
        self.skipped += missed
        overlap = "queue" if len(wanted) > 1 and self.overlap == "skip" else self.overlap
        made = []
        for slot in wanted:
            is_over = slot in self.fired or self.is_covered(slot)
            in_the_way = self.alive and overlap == "skip"
            is_full = len(self.alive) >= 100 and overlap == "queue"
            if is_over or in_the_way or is_full:
                self.skipped += 1
            else:
                if overlap == "replace":
                    self.alive = []
                self.alive.append(slot)
                self.fired.add(slot)
                made.append(slot)
            if slot in made or missed:
                self.cover(slot, anew=missed > 0 and slot == wanted[0])
        self.next_at, self.counted = self.after(self.now), self.now
        return made

    def is_covered(self, slot: float) -> bool:
        return any(first <= slot <= last for first, last in self.covered)

    def cover(self, slot: float, anew: bool) -> None:
        before = [pair for pair in self.covered if pair[0] <= slot]
        if anew or not before:
            if not self.is_covered(slot):
                self.covered.append((slot, slot))
        else:
            pair = max(before)
            self.covered.remove(pair)
            self.covered.append((pair[0], max(pair[1], slot)))

    def pass_by(self) -> None:
        """Slots that are due make no job."""
        if self.next_at <= self.now:
            self.skipped += int((self.now - self.next_at) // STEP_S) + 1


class Walk:
    """The same steps in both."""

    def __init__(self, db: Path, clock: MovedClock, rng: random.Random) -> None:
        self.db, self.clock, self.rng = db, clock, rng
        self.queue = JobQueue(db)
        clock.now = BEGIN
        self.model = Model(
            rng.choice(schedules.CATCH_UPS), rng.choice(schedules.OVERLAPS), clock.now
        )
        self.put()
        self.model.start()
        # The slots of all jobs that ever were there.
        self.ever: list[float] = []
        self.known: set[str] = set()

    def put(self) -> None:
        job = Job("job", "shop.etl.load", {"n": self.rng.random()})
        self.queue.schedule(
            NAME,
            "every 10m",
            job,
            catch_up=self.model.catch_up,  # type: ignore[arg-type]
            overlap=self.model.overlap,  # type: ignore[arg-type]
        )

    def move(self, seconds: float) -> None:
        self.clock.move(seconds)
        self.model.now = self.clock.now

    def fire(self) -> None:
        work_off(self.db)
        wanted = self.model.turn()
        new = [
            one
            for one in self.queue.list_jobs(limit=100_000)
            if one["schedule"] == NAME and one["id"] not in self.known
        ]
        self.known |= {one["id"] for one in new}
        found = sorted(one["slot"] for one in new)
        assert found == wanted
        self.ever += found
        assert len(self.ever) == len(set(self.ever)), "a slot made two jobs"

    def end(self) -> None:
        self.sql("UPDATE jobs SET status = 'completed' WHERE status IN ('pending', 'running')")
        self.model.alive = []

    def delete(self) -> None:
        self.end()
        self.queue.clear_completed()

    def forget(self) -> None:
        """Those that were deleted long ago are not remembered for ever."""
        self.delete()
        self.sql("DELETE FROM core_tombstones")

    def pause(self) -> None:
        if self.queue.pause_schedule(NAME):
            self.model.is_paused = True

    def resume(self) -> None:
        if self.queue.resume_schedule(NAME):
            self.model.is_paused = False
            self.model.pass_by()
            self.model.start()

    def change(self) -> None:
        self.model.overlap = self.rng.choice(schedules.OVERLAPS)
        self.model.catch_up = self.rng.choice(schedules.CATCH_UPS)
        self.put()

    def back(self) -> None:
        self.move(-self.rng.choice([0.5, 700.0, 5 * HOUR_S, 40.0 * DAY_S]))
        look_at_clock(self.db)
        self.model.look_at_clock()

    def sql(self, statement: str) -> None:
        with closing(sqlite3.connect(self.db)) as conn, conn:
            conn.execute(statement)

    def step(self) -> None:
        act: Callable[[], Any] = self.rng.choices(
            [
                lambda: self.move(self.rng.choice([1.0, 300.0, 600.0, 1_300.0])),
                lambda: self.move(self.rng.choice([4 * HOUR_S, 40 * HOUR_S])),
                self.back,
                self.end,
                self.delete,
                self.forget,
                self.pause,
                self.resume,
                self.change,
            ],
            weights=[10, 2, 2, 6, 2, 1, 1, 3, 1],
        )[0]
        act()
        if self.rng.random() < 0.8:
            self.fire()
        (now,) = self.queue.schedules()
        assert now.skipped == self.model.skipped
        assert now.trouble == ""
        if not self.model.is_paused:
            assert now.next_at == self.model.next_at


def walk(db: Path, clock: MovedClock, seed: int, steps: int = 60) -> None:
    one = Walk(db, clock, random.Random(seed))
    for _ in range(steps):
        one.step()
    one.queue.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    return MovedClock(BEGIN).standing_in(monkeypatch)


@pytest.mark.parametrize(
    "seed", [*range(6), *(pytest.param(n, marks=pytest.mark.long) for n in range(6, 60))]
)
def test_every_slot_ends_as_the_model_says(tmp_path: Path, clock: MovedClock, seed: int) -> None:
    walk(tmp_path / "q.db", clock, seed)


def no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slots that ran are forgotten along with their tombstones."""
    monkeypatch.setattr(slots.Stretches, "__contains__", lambda self, slot: False)


def no_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """A slot's job has a random id, and nothing is remembered."""
    monkeypatch.setattr(slots, "job_id_of", lambda file, name, slot: None)
    no_memory(monkeypatch)


def all_alive(monkeypatch: pytest.MonkeyPatch) -> None:
    """What has ended counts as alive."""
    wrong = schedule_statements.ALIVE.replace("INDEXED BY core_schedule_alive", "")
    wrong = wrong.replace("('pending', 'running')", "('pending', 'running', 'completed')")
    monkeypatch.setattr(schedule_statements, "ALIVE", wrong)


def silent(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is missed is not told."""
    plain = slots.note_skip

    def quiet(conn: Any, name: str, first: float, last: float, count: int, *more: Any) -> None:
        plain(conn, name, first, last, 1, *more)

    monkeypatch.setattr(slots, "note_skip", quiet)


def no_recheck(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that is set back is not noticed."""
    monkeypatch.setattr(slots.ScheduleDuty, "recheck", lambda self, conn, now: None)


@pytest.mark.parametrize("mutant", [no_memory, no_ids, all_alive, silent, no_recheck])
def test_the_walk_finds_what_is_broken(
    tmp_path: Path, clock: MovedClock, monkeypatch: pytest.MonkeyPatch, mutant: Callable[..., None]
) -> None:
    mutant(monkeypatch)
    for seed in range(40):
        try:
            walk(tmp_path / f"{seed}.db", clock, seed)
        except AssertionError:
            return
    pytest.fail("no walk noticed it")
