"""Random walks over what jobs and hooks may go through, against a plain model of what is told."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, Undo
from gigq_core.schema import ddl
from tests.integration.hearing import hear
from tests.unit.test_hooks import File

STEPS = 60
MATCHES = {"": ("etl.a", "web.b"), "fn:etl.*": ("etl.a",), "-fn:etl": ("web.b",)}
EVENTS = {"failed": ("failed", "timeout"), "completed": ("completed",)}
BURST = 70


@dataclass
class ModelHook:
    """What a hook is about, and what it has still to tell."""

    event: str
    match: str
    paused: bool = False
    waiting: list[str] = field(default_factory=list)
    failures: int = 0
    jobs: int = 0
    told: int = 0


class Walk:
    """A file and the model of it, which each step changes alike."""

    def __init__(self, file: File, seed: int) -> None:
        self.file = file
        self.random = random.Random(seed)
        self.hooks: dict[str, ModelHook] = {}
        # Of each job its status and its function; and whose job it is, if a hook's.
        self.jobs: dict[str, tuple[str, str]] = {}
        self.owner: dict[str, str] = {}

    def some(self, *statuses: str) -> str | None:
        found = [id for id, (status, _) in self.jobs.items() if status in statuses]
        return self.random.choice(found) if found else None

    def ends(self, id: str, status: str) -> None:
        """The model of an end."""
        function = self.jobs[id][1]
        self.jobs[id] = status, function
        if id in self.owner:
            own = self.hooks.get(self.owner[id])
            if own is not None:
                own.failures = 0 if status == "completed" else own.failures + 1
            return
        for hook in self.hooks.values():
            if status in EVENTS[hook.event] and function in MATCHES[hook.match]:
                hook.waiting.append(id)

    # --- steps -------------------------------------------------------------------------------

    def submit(self, n: int = 1) -> list[str]:
        function = self.random.choice(("etl.a", "web.b"))
        jobs = [Job("job", function) for _ in range(n)]
        self.file.queue.submit_many(jobs)
        for job in jobs:
            self.jobs[job.id] = "pending", function
        return [job.id for job in jobs]

    def end(self) -> None:
        if id := self.some("pending"):
            status = self.random.choice(("failed", "failed", "timeout", "completed"))
            self.file.end_all([id], status)
            self.ends(id, status)

    def burst(self) -> None:
        ids = self.submit(BURST)
        self.file.end_all(ids)
        for id in ids:
            self.ends(id, "failed")

    def lose(self) -> None:
        """An end that is rolled back has not been."""
        if id := self.some("pending"):
            update = "UPDATE jobs SET status = ? WHERE id = ?"
            self.file.conn.execute("BEGIN IMMEDIATE")
            for status in ("running", "failed"):
                self.file.conn.execute(update, (status, id))
            self.file.conn.execute("ROLLBACK")

    def cancel(self) -> None:
        if id := self.some("pending"):
            assert self.file.queue.cancel(id)
            self.jobs[id] = "cancelled", self.jobs[id][1]

    def requeue(self) -> None:
        if id := self.some("failed", "timeout", "cancelled"):
            undo = Undo()
            assert self.file.queue.requeue_jobs([id], undo)[0].done
            if self.random.random() < 0.5:
                assert self.file.queue.restore_jobs(undo)[0].done
            else:
                self.jobs[id] = "pending", self.jobs[id][1]

    def clear(self) -> None:
        if id := self.some("failed", "timeout", "cancelled", "completed"):
            undo = Undo()
            assert self.file.queue.clear_jobs([id], undo=undo)[0].done
            if self.random.random() < 0.3:
                assert self.file.queue.restore_jobs(undo)[0].done
            else:
                del self.jobs[id]

    def make(self) -> None:
        name = self.random.choice("xyz")
        event, match = self.random.choice(list(EVENTS)), self.random.choice(list(MATCHES))
        job = Job("page", hear, {"path": "x"})
        self.file.queue.hook(event, job, match, 0, name)  # type: ignore[arg-type]
        there = self.hooks.setdefault(name, ModelHook(event, match))
        there.event, there.match = event, match

    def remove(self) -> None:
        if self.hooks and self.random.random() < 0.3:
            name = self.random.choice(list(self.hooks))
            assert self.file.queue.remove_hook(name)
            del self.hooks[name]

    def pause(self) -> None:
        if self.hooks:
            name = self.random.choice(list(self.hooks))
            hook = self.hooks[name]
            act = self.file.queue.resume_hook if hook.paused else self.file.queue.pause_hook
            assert act(name)
            hook.paused = not hook.paused

    def drain(self) -> None:
        before = {row[0] for row in self.file.conn.execute("SELECT id FROM jobs")}
        self.file.drain()
        made: dict[str, dict[str, Any]] = {}
        for id, name, params in self.file.conn.execute("SELECT id, hook, params FROM jobs"):
            if id not in before:
                assert name not in made
                made[name] = json.loads(params)
                self.jobs[id], self.owner[id] = ("pending", "tests.integration.hearing.hear"), name
        due = {name for name, hook in self.hooks.items() if hook.waiting and not hook.paused}
        assert set(made) == due
        for name, told in made.items():
            hook = self.hooks[name]
            assert told["count"] == len(hook.waiting)
            assert [job["id"] for job in told["jobs"]] == hook.waiting[: ddl.MOST_NAMED]
            for job in told["jobs"]:
                assert job["now"] == self.jobs.get(job["id"], ("deleted", ""))[0]
            hook.jobs += 1
            hook.told += len(hook.waiting)
            hook.waiting = []

    def step(self) -> None:
        steps = (self.submit, self.submit, self.end, self.end, self.end, self.lose, self.cancel)
        steps += (self.requeue, self.clear, self.make, self.remove, self.pause, self.drain)
        if self.random.random() < 0.03:
            self.burst()
        else:
            self.random.choice(steps)()
        self.check()

    def check(self) -> None:
        found = {hook.name: hook for hook in self.file.queue.hooks()}
        assert set(found) == set(self.hooks)
        for name, hook in self.hooks.items():
            told = found[name]
            assert (told.event, told.match) == (hook.event, hook.match)
            assert (told.waiting, told.failures_in_a_row) == (len(hook.waiting), hook.failures)
            assert (told.jobs, told.told) == (hook.jobs, hook.told)
            assert (told.paused_at is not None) is hook.paused
            assert (told.next_at is not None) is bool(hook.waiting and not hook.paused)
            rows = self.file.conn.execute(
                "SELECT job_id FROM core_hook_outbox WHERE hook = ? ORDER BY place", (name,)
            )
            assert [row[0] for row in rows] == hook.waiting[: ddl.MOST_NAMED]
        wanted = {f"core_hook_{hook.event}" for hook in self.hooks.values()}
        wanted |= {"core_hook_due", "core_hook_ended"} if self.hooks else set()
        assert self.file.triggers() == wanted


@pytest.fixture
def file(tmp_path: Path) -> Iterator[File]:
    made = File(tmp_path / "jobs.db")
    made.conn.execute("PRAGMA synchronous = OFF")
    with closing(made.conn):
        yield made
    made.queue.close()


def _walk(file: File, seed: int) -> None:
    walk = Walk(file, seed)
    walk.make()
    for _ in range(STEPS):
        walk.step()
    for name, hook in walk.hooks.items():
        if hook.paused:
            assert file.queue.resume_hook(name)
            hook.paused = False
    walk.drain()
    walk.check()


@pytest.mark.parametrize("seed", range(12))
def test_any_walk_tells_what_the_model_says(file: File, seed: int) -> None:
    _walk(file, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", range(1_000, 1_200))
def test_any_walk_tells_what_the_model_says_long(file: File, seed: int) -> None:
    _walk(file, seed)
