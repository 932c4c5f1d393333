"""Any acts in any order upon jobs in lanes, against a plain model of what is to be shown."""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from pathlib import Path
from typing import Any

import pytest
from gigq import JobQueue as GigqQueue
from gigq import Worker as GigqWorker

from gigq_core.lanes import MOST_SHOWN, patterns_for, rate_of
from gigq_core.schema import ddl
from gigq_core.worker.claims import Claim, Ending, Fate, Wish
from tests.lane_work import Work, work_on

SEEDS = range(6)
MANY_SEEDS = range(100, 160)
STEPS = 110
LANES = ("a:1", "a:2", "a:x:1", "b", "c", "free", "api:1", "api:2")
PATTERNS = ("a:*", "a:x:*", "a:1", "b", "c")
# Of these the rate stays, so that what they start can be counted.
RATES = {"api:*": ("2/s", 3)}


class Clock:
    def __init__(self) -> None:
        self.utc = time.time()

    def __call__(self) -> float:
        return self.utc


class Walk:
    """What has been done so far, by a plain model: who runs, which rules hold, what started."""

    def __init__(self, work: Work, clock: Clock, seed: int) -> None:
        self.work = work
        self.clock = clock
        self.random = random.Random(seed)
        self.gigq = GigqQueue(str(work.queue.db_path))
        self.running: dict[str, Claim] = {}
        self.rules: dict[str, int] = {}
        self.pauses: set[str] = set()
        self.shut: dict[str, float] = {}
        self.starts: dict[str, list[float]] = defaultdict(list)
        # Few, so that much happens in each.
        self.lanes = self.random.sample(LANES, 3)
        for pattern, (rate, burst) in RATES.items():
            work.queue.set_lane(pattern, rate=rate, burst=burst)
        for pattern in ("a:*", "b"):
            self.rules[pattern] = 2
            work.queue.set_lane(pattern, running=2)

    # --- acts ----------------------------------------------------------------------------------

    def step(self) -> str:
        act = self.random.choice(self.ACTS)
        act(self)
        return act.__name__

    def submit(self) -> None:
        ids = [row["id"] for row in self.rows()]
        for _ in range(self.random.randint(1, 6)):
            options: dict[str, Any] = {"priority": self.random.randint(-2, 2)}
            if ids and self.random.random() < 0.3:
                options["dependencies"] = [self.random.choice(ids)]
                options["on_parent_failure"] = self.random.choice(["wait", "cancel", "run"])
            if self.random.random() < 0.2:
                options["run_after"] = self.random.randint(1, 20)
            if self.random.random() < 0.3:
                options["max_attempts"] = self.random.randint(1, 2)
            if self.random.random() < 0.2:
                options["retry_delay"] = 3
            lane = self.random.choice((*self.lanes, *self.lanes, ""))
            ids.append(self.work.add(f"job {len(ids)}", lane, **options))

    def claim(self) -> None:
        slots = self.random.choice([1, 1, 2, 6])
        ended = list(self.running.values())[: self.random.choice([0, 2, 5])]
        endings = [self.ending_of(claim) for claim in ended]
        for ending in endings:
            del self.running[ending.claim.execution_id]
        before = {lane: self.limit(lane) for lane in LANES}
        for claim in self.work.claim(slots, *endings):
            self.running[claim.execution_id] = claim
            if claim.lane is not None:
                self.starts[claim.lane].append(self.clock.utc)
                assert not self.is_held(claim.lane), f"{claim.lane} is held, and one was claimed"
                n = sum(c.lane == claim.lane for c in self.running.values())
                most = before[claim.lane]
                assert most is None or n <= most, f"{n} run in {claim.lane}, of {most}"

    def end(self) -> None:
        for claim in list(self.running.values())[: self.random.randint(1, 6)]:
            del self.running[claim.execution_id]
            self.work.end(self.ending_of(claim))

    def ending_of(self, claim: Claim) -> Ending:
        fate = self.random.choice([Fate.COMPLETED, Fate.FAILED, Fate.GIVEN_BACK, Fate.CRASHED])
        wish = None
        if fate is Fate.FAILED and claim.lane is not None and self.random.random() < 0.2:
            wish = Wish("retry", 4.0, True)
            self.shut[claim.lane] = max(self.shut.get(claim.lane, 0.0), self.clock.utc + 4.0)
        result = "null" if fate is Fate.COMPLETED else None
        return Ending(claim, fate, result=result, error="no", raised=("app.No",), wish=wish)

    def act_on_one(self) -> None:
        row = self.any_row()
        if row is not None:
            queue = self.work.queue
            self.random.choice(
                [
                    lambda: queue.cancel(row["id"]),
                    lambda: queue.requeue_job(row["id"]),
                    lambda: queue.clear_jobs([row["id"]], True),
                    lambda: self.work.write("DELETE FROM jobs WHERE id = ?", row["id"]),
                ]
            )()

    def change_priority(self) -> None:
        row = self.any_row("pending")
        if row is not None:
            self.work.queue.set_priority([row["id"]], self.random.randint(-4, 4))

    def undo(self) -> None:
        from gigq_core.undo import Undo

        row, undo = self.any_row(), Undo()
        if row is not None:
            acts = self.work.queue.cancel_jobs, self.work.queue.clear_jobs
            self.random.choice(acts)([row["id"]], undo=undo)
            if self.random.random() < 0.5:
                self.claim()
            self.work.queue.restore_jobs(undo)

    def gigq_acts(self) -> None:
        row = self.any_row()
        if row is not None:
            self.random.choice([self.gigq.cancel, self.gigq.requeue_job])(row["id"])

    def gigq_requeues(self) -> None:
        row = self.any_row("failed") or self.any_row("cancelled")
        if row is not None:
            self.gigq.requeue_job(row["id"])

    def gigq_works(self) -> None:
        GigqWorker(str(self.work.queue.db_path)).process_one()

    def rule(self) -> None:
        pattern = self.random.choice(PATTERNS)
        if self.random.random() < 0.7:
            self.rules[pattern] = self.random.randint(1, 4)
            self.work.queue.set_lane(pattern, running=self.rules[pattern])
        else:
            self.rules.pop(pattern, None)
            self.work.queue.remove_lane(pattern)

    def pause(self) -> None:
        pattern = self.random.choice([*sorted(self.pauses) * 3, *PATTERNS])
        if pattern in self.pauses:
            self.pauses.remove(pattern)
            self.work.queue.resume_lane(pattern)
        else:
            self.pauses.add(pattern)
            self.work.queue.pause_lane(pattern)

    def wait(self) -> None:
        self.clock.utc += self.random.choice([0.1, 0.6, 3.0, 11.0])

    ACTS = (
        *(submit, submit, submit, claim, claim, claim, end, end, end, act_on_one, act_on_one, undo),
        *(gigq_acts, gigq_requeues, gigq_requeues, gigq_works, change_priority, change_priority),
        *(rule, pause, wait),
    )

    # --- the model -----------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.work.queue._all("SELECT rowid AS n, * FROM jobs")]

    def any_row(self, status: str | None = None) -> dict[str, Any] | None:
        rows = [row for row in self.rows() if status in (None, row["status"])]
        return self.random.choice(rows) if rows else None

    def limit(self, lane: str) -> int | None:
        return next((self.rules[one] for one in patterns_for(lane) if one in self.rules), None)

    def is_held(self, lane: str) -> bool:
        paused = any(one in self.pauses for one in patterns_for(lane))
        return paused or self.shut.get(lane, 0.0) > self.clock.utc

    def check_always(self) -> None:
        """What holds after any act, whoever did it."""
        held = self.work.rows(
            "SELECT name, lane, retry_after FROM jobs WHERE status = 'pending' "
            "AND lane IS NOT NULL AND (retry_after IS NULL OR retry_after < '9999')"
        )
        assert held == [], "GigQ sees a job of a lane"
        for lane in LANES:
            limit, shown = self.limit(lane), len(self.work.shown(lane))
            running = self.work.rows(
                "SELECT count(*) FROM jobs WHERE lane = ? AND status = 'running'", lane
            )[0][0]
            assert limit is None or shown == 0 or shown + running <= limit, lane
            if self.is_held(lane):
                assert shown == 0, f"{lane} is held, and shows {shown}"

    def check_settled(self) -> None:
        """What holds once what others did has been looked at."""
        self.work.ledger.pending_work("w1", 8)
        while self.work.ledger.conn.execute("SELECT 1 FROM core_cascade").fetchone():
            self.work.ledger.tell_children()
        while True:
            self.work.ledger.commit(self.work.own, [], [], claim=False, stage=True, beat=False)
            if not self.work.ledger.work_off_agenda():
                break
        rows = self.rows()
        edges = defaultdict(list)
        for child, parent, met in self.work.rows("SELECT child_id, parent_id, met FROM core_edges"):
            edges[child].append((parent, met))
        for lane in LANES:
            mine = [row for row in rows if row["lane"] == lane]
            ready = [
                row
                for row in mine
                if row["status"] == "pending"
                and row["due"] is None
                and all(met for _, met in edges[row["id"]])
            ]
            ready.sort(key=lambda row: (-row["priority"], row["n"]))
            running = sum(row["status"] == "running" for row in mine)
            wanted = [row["name"] for row in ready][: self.room(lane, running)]
            assert self.work.shown(lane) == wanted, lane
        counters = dict(self.work.rows("SELECT state, n FROM core_counts WHERE n <> 0"))
        assert counters == dict(
            self.work.rows(f"SELECT {ddl.state_of('jobs')}, count(*) FROM jobs GROUP BY 1")
        )

    def room(self, lane: str, running: int) -> int | None:
        if self.is_held(lane):
            return 0
        limit = self.limit(lane)
        for pattern, (rate, burst) in RATES.items():
            if pattern in patterns_for(lane):
                return self.earned(lane, rate, burst)
        return None if limit is None else max(0, min(MOST_SHOWN, limit - running))

    def earned(self, lane: str, rate: str, burst: int) -> int:
        """Tokens in a bucket, as the rate is explained: another form of the same rule."""
        per_s = 1 / rate_of(rate).apart_s
        tokens, last = float(burst), 0.0
        for start in self.starts[lane]:
            tokens = min(burst, tokens + (start - last) * per_s) - 1
            assert tokens > -1e-3, f"{lane} started more than {rate} allows"
            last = start
        return int(min(burst, tokens + (self.clock.utc - last) * per_s) + 1e-3)


def walk(path: Path, clock: Clock, seed: int) -> None:
    with work_on(path) as work:
        walk = Walk(work, clock, seed)
        done: list[str] = []
        try:
            for _ in range(STEPS):
                done.append(walk.step())
                walk.check_always()
                if walk.random.random() < 0.7:
                    walk.check_settled()
        except Exception as problem:
            raise AssertionError(f"seed {seed}, after {json.dumps(done)}: {problem}") from problem


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gigq_core.times.time.time", clock)
    return clock


@pytest.mark.parametrize("seed", SEEDS)
def test_any_acts_in_any_order(tmp_path: Path, clock: Clock, seed: int) -> None:
    walk(tmp_path / "jobs.db", clock, seed)


@pytest.mark.long
@pytest.mark.parametrize("seed", MANY_SEEDS)
def test_any_acts_in_any_order_many_times(tmp_path: Path, clock: Clock, seed: int) -> None:
    walk(tmp_path / "jobs.db", clock, seed)
