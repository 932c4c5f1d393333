"""Any acts in any order upon jobs in lanes, against a plain model of what is to be shown.

Three workers of ours, of which two name lanes, claim and end jobs in real transactions, and the
public package works on the same file. Broken variants of the code show that the walk would notice.
"""

from __future__ import annotations

import json
import random
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from gigq import JobQueue as GigqQueue
from gigq import Worker as GigqWorker

from gigq_core.changes.undo import Undo
from gigq_core.lanes import settling as lane_settling
from gigq_core.lanes.rules import Rate
from gigq_core.lanes.rules import Rule as CoreRule
from gigq_core.schema import ddl, lane_statements, worker_statements
from gigq_core.worker import ledger, rescue
from gigq_core.worker.claims import Claim, Ending, Fate, Wish
from gigq_core.worker.lane_claims import Takes
from gigq_core.worker.ledger import Ledger
from gigq_core.worker.register import Register
from tests.lane_work import Work, work_on
from tests.zones import ZONES

SEEDS = range(10)
MANY_SEEDS = range(100, 200)
STEPS = 110
LANES = ("a:1", "a:2", "a:x:1", "b", "c", "free", "api:1", "api:2")
PATTERNS = ("a:*", "a:x:*", "a:1", "b", "c", "api:*", "api:1")
NAMED = ("a:*", "b", "api:1")
SHUT_S = 4.0


class Rule(NamedTuple):
    """What holds for a lane, in the model's own words: so many starts in a second."""

    running: int | None = None
    per_s: float | None = None
    burst: int = 1
    reserved: bool = False


class Clock:
    def __init__(self) -> None:
        self.utc = time.time()

    def __call__(self) -> float:
        return self.utc


class OfOurs(NamedTuple):
    """A worker, and the lanes that it names."""

    ledger: Ledger
    own: Register
    takes: Takes


class Walk:
    """What has been done so far, by a plain model: who runs, which rules hold, what started."""

    def __init__(self, work: Work, clock: Clock, seed: int, patch: pytest.MonkeyPatch) -> None:
        self.work = work
        self.clock = clock
        self.patch = patch
        self.random = random.Random(seed)
        self.gigq = GigqQueue(str(work.queue.db_path))
        self.workers = [
            OfOurs(work.ledger, work.own, Takes()),
            self.worker("w2", Takes(lanes=NAMED)),
            self.worker("w3", Takes(only_lanes=NAMED)),
        ]
        self.running: dict[str, Claim] = {}
        # Taken from their workers by the rescue; they may end nevertheless.
        self.late: list[Claim] = []
        self.rules: dict[str, Rule] = {}
        self.pauses: set[str] = set()
        self.shut: dict[str, float] = {}
        # Of a lane with a rate: when all that was spent will be earned again, by the clock.
        self.full_at: dict[str, float] = {}
        self.unsure: set[str] = set()
        # What was earned before the clock was set back stays shown.
        self.latest = 0.0
        self.submitted = 0
        # When attempts of a lane started under the rule that it has, by a clock that nobody sets.
        self.elapsed = 0.0
        self.starts: dict[str, dict[str, float]] = defaultdict(dict)
        # Few, so that much happens in each.
        self.lanes = self.random.sample(LANES, 3)
        self.most_shown = self.random.choice([256, 256, 2])
        patch.setattr(lane_settling, "MOST_SHOWN", self.most_shown)
        patch.setattr(lane_settling, "LANES_AT_ONCE", self.random.choice([200, 200, 1]))
        patch.setattr(lane_settling, "FREED_AT_ONCE", self.random.choice([2000, 2]))
        self.set_rule("api:*", Rule(per_s=2.0, burst=3))
        self.set_rule("a:*", Rule(running=2))
        self.set_rule("b", Rule(running=2))
        self.shuffle_triggers()

    def worker(self, name: str, takes: Takes) -> OfOurs:
        ledger = Ledger(self.work.queue.db_path, runs_script=False, takes=takes)
        own = Register(
            id=name,
            owner="cli",
            isolation="process",
            slots=8,
            python="python",
            chdir="/",
            log_path=None,
            lanes=json.dumps(takes.lanes),
            only_lanes=json.dumps(takes.only_lanes),
        )
        return OfOurs(ledger, own, takes)

    def close(self) -> None:
        for worker in self.workers[1:]:
            worker.ledger.close()

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
            self.submitted += 1
            ids.append(self.work.add(f"job {self.submitted}", lane, **options))

    def claim(self) -> None:
        """A worker's turn: some of its jobs end, and it claims others."""
        worker = self.random.choice([self.workers[0], *self.workers])
        slots = self.random.choice([1, 1, 2, 6])
        ended = list(self.running.values())[: self.random.choice([0, 0, 2, 5])]
        endings = [self.ending_of(claim) for claim in ended]
        wanted = None
        if not endings and self.random.random() < 0.6:
            self.check_settled()
            wanted = self.to_take(worker.takes)[:slots]
        self.turn_of(worker, slots, endings, wanted)

    def turn_of(
        self, worker: OfOurs, slots: int, endings: list[Ending], wanted: list[str] | None
    ) -> None:
        attempts = dict(self.work.rows("SELECT id, attempts FROM jobs"))
        worker.ledger.pending_work(worker.own.id, slots)
        done = worker.ledger.commit(
            worker.own, endings, list(range(slots)), claim=True, stage=True, beat=True
        )
        self.ended(endings, done.superseded)
        if wanted is not None and not done.put_back:
            names = [claim.name for claim in done.claims]
            assert names == wanted, f"{worker.takes} took {names} instead of {wanted}"
        for claim in done.claims:
            self.running[claim.execution_id] = claim
            given_back = any(ending.claim.job_id == claim.job_id for ending in endings)
            before = attempts[claim.job_id]
            assert given_back or claim.attempt == before + 1, "a limit cost an attempt"
            if claim.lane is not None:
                self.started(claim.lane, claim.execution_id, worker.takes)

    def started(self, lane: str, token: str, takes: Takes) -> None:
        rule = self.rule_of(lane)
        assert not self.is_held(lane), f"{lane} is held, and one was claimed"
        assert not rule.reserved or self.names(takes, lane), f"{lane} is reserved"
        running = sum(claim.lane == lane for claim in self.running.values())
        assert rule.running is None or running <= rule.running, f"{running} run in {lane}"
        if rule.per_s is not None:
            full_at = max(self.full_at.get(lane, 0.0), self.clock.utc)
            self.full_at[lane] = full_at + 1 / rule.per_s
            starts = self.starts[lane]
            starts[token] = self.elapsed
            for n, since in enumerate(reversed(starts.values()), 1):
                most = rule.burst + (self.elapsed - since) * rule.per_s
                assert n <= most + 1e-3, f"{n} started in {lane} since {since}, of {rule}"

    def end(self) -> None:
        claims = list(self.running.values())[: self.random.randint(1, 6)]
        if self.late and self.random.random() < 0.5:
            claims.append(self.late.pop())
        for claim in claims:
            self.end_all([self.ending_of(claim)])

    def end_all(self, endings: list[Ending]) -> None:
        ledger, own, _ = self.random.choice(self.workers)
        ledger.pending_work(own.id, 8)
        done = ledger.commit(own, endings, [], claim=False, stage=False, beat=False)
        self.ended(endings, done.superseded)
        self.check_freed({ending.claim.lane for ending in endings})

    def ended(self, endings: list[Ending], superseded: list[Ending]) -> None:
        for ending in endings:
            self.running.pop(ending.claim.execution_id, None)
            lane = ending.claim.lane
            if lane is None or ending in superseded:
                continue
            if ending.fate is Fate.NOT_BEGUN:
                self.not_begun(lane, ending.claim.execution_id)
            if ending.wish is not None:
                until = self.clock.utc + SHUT_S
                self.shut[lane] = max(self.shut.get(lane, 0.0), until)

    def not_begun(self, lane: str, token: str) -> None:
        """That was no start."""
        rule = self.rule_of(lane)
        if rule.per_s is not None and token in self.starts[lane]:
            del self.starts[lane][token]
            self.full_at[lane] -= 1 / rule.per_s

    def ending_of(self, claim: Claim) -> Ending:
        fates = [Fate.COMPLETED, Fate.FAILED, Fate.GIVEN_BACK, Fate.CRASHED]
        lane = claim.lane
        if (
            lane is None
            or self.rule_of(lane).per_s is None
            or claim.execution_id in self.starts[lane]
        ):
            fates.append(Fate.NOT_BEGUN)
        fate = self.random.choice(fates)
        wish = None
        if fate is Fate.FAILED and claim.lane is not None and self.random.random() < 0.2:
            wish = Wish("retry", SHUT_S, True)
        result = "null" if fate is Fate.COMPLETED else None
        return Ending(claim, fate, result=result, error="no", raised=("app.No",), wish=wish)

    def worker_dies(self) -> None:
        """Another one gives its jobs back, in one commit."""
        claims = list(self.running.values())[: self.random.randint(1, 4)]
        ledger, own, _ = self.random.choice(self.workers)
        ledger.pending_work(own.id, 8)
        tokens = {claim.execution_id for claim in claims}
        rows = ledger.conn.execute(worker_statements.RUNNING_JOBS).fetchall()
        with ledger.writing() as conn:
            rescue.rescue(conn, [row for row in rows if row["execution_id"] in tokens])
        for claim in claims:
            self.late.append(self.running.pop(claim.execution_id))
        self.check_freed({claim.lane for claim in claims})

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
        found = self.work.rows(
            "SELECT name FROM jobs WHERE lane IS NOT NULL AND status = 'running' "
            "AND execution_id IS NULL"
        )
        assert found == [], "GigQ runs a job of a lane"

    def rule(self) -> None:
        pattern, chance = self.random.choice(PATTERNS), self.random
        if chance.random() < 0.3:
            self.rules.pop(pattern, None)
            self.work.queue.remove_lane(pattern)
            self.rules_changed(pattern)
            return
        running = chance.randint(1, 4) if chance.random() < 0.7 else None
        if chance.random() < 0.4:
            per_s, burst = chance.choice([0.1, 0.5, 2.0]), chance.randint(1, 4)
            rule = Rule(running, per_s, burst, chance.random() < 0.3)
        else:
            rule = Rule(running, reserved=chance.random() < 0.3)
        self.set_rule(pattern, rule)

    def set_rule(self, pattern: str, rule: Rule) -> None:
        rate = None if rule.per_s is None else f"{rule.per_s * 60:g}/m"
        self.work.queue.set_lane(
            pattern, running=rule.running, rate=rate, burst=rule.burst, reserved=rule.reserved
        )
        self.rules[pattern] = rule
        self.rules_changed(pattern)

    def rules_changed(self, pattern: str) -> None:
        """What was spent before stays spent, but not for longer than the new rate can take."""
        for lane in LANES:
            if pattern in self.names_of(lane):
                self.starts[lane].clear()
                if self.rule_of(lane).per_s is None:
                    self.full_at.pop(lane, None)
                self.look_at_times(lane)

    def pause(self) -> None:
        pattern = self.random.choice([*sorted(self.pauses) * 3, *PATTERNS])
        if pattern in self.pauses:
            self.pauses.remove(pattern)
            self.work.queue.resume_lane(pattern)
        else:
            self.pauses.add(pattern)
            self.work.queue.pause_lane(pattern)

    def open(self) -> None:
        """Nothing is resumed: what a job has shut is opened."""
        pattern = self.random.choice([one for one in PATTERNS if one not in self.pauses] or ["-"])
        shut = [
            lane
            for lane, until in self.shut.items()
            if until > self.clock.utc and pattern in self.names_of(lane)
        ]
        assert self.work.queue.resume_lane(pattern) is bool(shut)
        for lane in shut:
            del self.shut[lane]

    def wait(self) -> None:
        seconds = self.random.choice([0.1, 0.6, 3.0, 11.0, 11.0, 8 * 3600.0])
        self.clock.utc += seconds
        self.elapsed += seconds

    def clock_is_set_back(self) -> None:
        self.check_settled()
        self.shut = {lane: at for lane, at in self.shut.items() if at > self.clock.utc}
        self.latest = max(self.latest, self.clock.utc)
        self.clock.utc -= self.random.choice([0.4, 30.0, 3600.0, 365 * 86400.0])
        for worker in self.workers:
            worker.ledger.recheck_agenda()
        for lane in LANES:
            self.look_at_times(lane, found_late=True)

    def look_at_times(self, lane: str, found_late: bool = False) -> None:
        """None is farther off than it can be."""
        if self.shut.get(lane, 0.0) > self.clock.utc + SHUT_S + 1:
            self.shut[lane] = self.clock.utc + SHUT_S
        rule = self.rule_of(lane)
        if rule.per_s is not None and lane in self.full_at:
            longest = self.clock.utc + rule.burst / rule.per_s
            if self.full_at[lane] > longest + 1:
                self.full_at[lane] = longest
                if found_late:
                    # A lane that has all it can have is looked at when it has more.
                    self.unsure.add(lane)

    def move(self) -> None:
        self.patch.setenv("TZ", self.random.choice(ZONES))
        time.tzset()

    def shuffle_triggers(self) -> None:
        """SQLite runs triggers of one kind in an order of its own, which nothing may rely upon."""
        conn = self.work.ledger.conn
        found = conn.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND name LIKE 'core%'"
        ).fetchall()
        self.random.shuffle(found)
        conn.execute("BEGIN IMMEDIATE")
        for name, statement in found:
            conn.execute(f"DROP TRIGGER {name}")
            conn.execute(statement)
        conn.execute("COMMIT")

    ACTS = (
        *(submit, submit, submit, claim, claim, claim, claim, end, end, end, worker_dies),
        *(act_on_one, act_on_one, undo, gigq_acts, gigq_requeues, gigq_requeues, gigq_works),
        *(change_priority, change_priority, rule, pause, wait, wait),
    )
    RARE = (clock_is_set_back, move, shuffle_triggers, open)

    # --- the model -----------------------------------------------------------------------------

    def rows(self) -> list[dict[str, Any]]:
        return [dict(row) for row in self.work.queue._all("SELECT rowid AS n, * FROM jobs")]

    def any_row(self, status: str | None = None) -> dict[str, Any] | None:
        rows = [row for row in self.rows() if status in (None, row["status"])]
        return self.random.choice(rows) if rows else None

    @staticmethod
    def names_of(lane: str) -> list[str]:
        """The patterns that stand for it, the longest one first."""
        prefixes = [one for one in PATTERNS if one.endswith("*") and lane.startswith(one[:-1])]
        return [lane, *sorted(prefixes, key=len, reverse=True)]

    def names(self, takes: Takes, lane: str) -> bool:
        return bool({*takes.lanes, *takes.only_lanes} & {*self.names_of(lane)})

    def rule_of(self, lane: str) -> Rule:
        return next((self.rules[one] for one in self.names_of(lane) if one in self.rules), Rule())

    def is_held(self, lane: str) -> bool:
        paused = any(one in self.pauses for one in self.names_of(lane))
        return paused or self.shut.get(lane, 0.0) > self.clock.utc

    def to_take(self, takes: Takes) -> list[str]:
        """What a worker is to take, best first, of what is shown."""
        found = []
        for row in self.rows():
            lane, word = row["lane"], row["retry_after"]
            if row["status"] != "pending" or word not in (None, ddl.OURS, ddl.RESERVED):
                continue
            named = lane is not None and self.names(takes, lane)
            if named or not (takes.only_lanes or word == ddl.RESERVED):
                found.append(row)
        found.sort(key=lambda row: (-row["priority"], row["n"]))
        return [row["name"] for row in found]

    def check_always(self) -> None:
        """What holds after any act, whoever did it."""
        held = self.work.rows(
            "SELECT name, lane, retry_after FROM jobs WHERE status = 'pending' "
            "AND lane IS NOT NULL AND (retry_after IS NULL OR retry_after < '9999')"
        )
        assert held == [], "GigQ sees a job of a lane"
        for lane in LANES:
            rule, shown = self.rule_of(lane), len(self.work.shown(lane))
            running = self.work.rows(
                "SELECT count(*) FROM jobs WHERE lane = ? AND status = 'running'", lane
            )[0][0]
            most = rule.running
            assert most is None or shown == 0 or shown + running <= most, lane
            if self.is_held(lane):
                assert shown == 0, f"{lane} is held, and shows {shown}"

    def check_freed(self, lanes: set[str | None]) -> None:
        """The place of a job that ended is given to the next one in the same commit."""
        left = {lane for (lane,) in self.work.rows("SELECT lane FROM core_lane_dirty")}
        if left and lane_settling.LANES_AT_ONCE == 1:
            return
        for lane in lanes:
            if lane is not None and self.rule_of(lane).per_s is None:
                self.check_shown(lane, self.rows())

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
        for lane in LANES:
            self.check_shown(lane, rows)
        counters = dict(self.work.rows("SELECT state, n FROM core_counts WHERE n <> 0"))
        assert counters == dict(
            self.work.rows(f"SELECT {ddl.state_of('jobs')}, count(*) FROM jobs GROUP BY 1")
        )

    def check_shown(self, lane: str, rows: list[dict[str, Any]]) -> None:
        edges = defaultdict(list)
        for child, met in self.work.rows("SELECT child_id, met FROM core_edges"):
            edges[child].append(met)
        ready = [
            row
            for row in rows
            if row["lane"] == lane and row["status"] == "pending" and row["due"] is None
            if all(edges[row["id"]])
        ]
        ready.sort(key=lambda row: (-row["priority"], row["n"]))
        running = sum(row["status"] == "running" for row in rows if row["lane"] == lane)
        found, rule = self.work.shown(lane), self.rule_of(lane)
        # What the lane could have at most, whatever was spent.
        most = self.room(lane, running, rule._replace(per_s=None)) or 0
        if lane in self.unsure:
            self.learn(lane, len(found) < min(len(ready), rule.burst, most))
        room = self.room(lane, running)
        if room is not None and rule.per_s is not None and self.clock.utc < self.latest:
            room = max(room, min(len(found), rule.burst, most))
        wanted = [row["name"] for row in ready][:room]
        assert found == wanted, f"{lane} shows {found} instead of {wanted}"
        words = {row["retry_after"] for row in ready if row["name"] in found}
        assert words <= {ddl.RESERVED if rule.reserved else ddl.OURS}, f"{lane} is shown as {words}"

    def learn(self, lane: str, is_held_back: bool) -> None:
        """After a clock was set back nobody knows what was earned; it is no more than all."""
        state = self.work.rows("SELECT tat FROM core_lane_states WHERE lane = ?", lane)
        rule = self.rule_of(lane)
        if not state or state[0][0] is None or rule.per_s is None:
            self.full_at.pop(lane, None)
            self.unsure.discard(lane)
            return
        (tat,) = state[0]
        longest = self.clock.utc + rule.burst / rule.per_s + 1
        assert not is_held_back or self.is_held(lane) or tat <= longest + 1e-3, lane
        if tat <= longest:
            self.full_at[lane] = tat
            self.unsure.discard(lane)

    def room(self, lane: str, running: int, rule: Rule | None = None) -> int | None:
        rule = rule or self.rule_of(lane)
        if self.is_held(lane):
            return 0
        if self.rule_of(lane).running is None and self.rule_of(lane).per_s is None:
            return None
        room = self.most_shown
        if rule.running is not None:
            room = min(room, max(0, rule.running - running))
        if rule.per_s is not None:
            missing = max(0.0, self.full_at.get(lane, 0.0) - self.clock.utc) * rule.per_s
            room = min(room, max(0, int(rule.burst - missing + 1e-4)))
        return room


def walk(path: Path, clock: Clock, seed: int, steps: int = STEPS) -> None:
    with work_on(path) as work, pytest.MonkeyPatch.context() as patch:
        walk = Walk(work, clock, seed, patch)
        done: list[str] = []
        try:
            for _ in range(steps):
                if walk.random.random() < 0.06:
                    rare = walk.random.choice(walk.RARE)
                    rare(walk)
                    done.append(rare.__name__)
                done.append(walk.step())
                walk.check_always()
                if walk.random.random() < 0.7:
                    walk.check_settled()
        except Exception as problem:
            raise AssertionError(f"seed {seed}, after {json.dumps(done)}: {problem}") from problem
        finally:
            walk.close()


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr("gigq_core.units.times.time.time", clock)
    return clock


@pytest.mark.parametrize(
    "seed", [*SEEDS, *(pytest.param(n, marks=pytest.mark.long) for n in MANY_SEEDS)]
)
def test_any_acts_in_any_order(tmp_path: Path, clock: Clock, seed: int) -> None:
    walk(tmp_path / "jobs.db", clock, seed)


# --- what is broken, and how -------------------------------------------------------------------


def without(name: str, triggers: dict[str, str]) -> Callable[[pytest.MonkeyPatch], None]:
    """A trigger that does nothing."""

    def broken(patch: pytest.MonkeyPatch) -> None:
        when = triggers[name].index("BEGIN")
        patch.setitem(triggers, name, triggers[name][:when] + "BEGIN SELECT 1; END")

    return broken


def adds_only(patch: pytest.MonkeyPatch) -> None:
    """Of the difference only what is new is written: a better one takes no place of another."""
    plain = lane_statements.SHOW
    where = " AND :word <> '" + ddl.HELD + "'"
    patch.setattr(lane_statements, "SHOW", plain + where)


def spent_when_looked_at(patch: pytest.MonkeyPatch) -> None:
    """A start is counted where jobs are shown, and not where they are claimed."""
    plain = lane_settling._show_within_limits

    def spends(
        conn: Any, lane: str, rule: CoreRule, running: int, state: Any, now_utc: float
    ) -> Any:
        shown = len(conn.execute(lane_statements.SHOWN_IN, {"lane": lane, "most": 9999}).fetchall())
        state = plain(conn, lane, rule, running, state, now_utc)
        if rule.rate is not None:
            now = conn.execute(lane_statements.SHOWN_IN, {"lane": lane, "most": 9999}).fetchall()
            new = max(0, len(now) - shown)
            apart = lane_settling.rate_of(rule.rate).apart_s
            state = state._replace(tat=max(state.tat or 0.0, now_utc) + new * apart)
        return state

    patch.setattr(lane_settling, "_show_within_limits", spends)
    patch.setattr(lane_statements, "SET_SPENT", lane_statements.SET_SPENT + " WHERE 0")


def looks_away_after_a_rescue(patch: pytest.MonkeyPatch) -> None:
    """Whoever gives back the jobs of a dead worker forgets that their lanes have room again."""
    plain = rescue.rescue

    def forgetful(conn: Any, rows: Any, killed: Any = None) -> list[str]:
        dirty = {row[0] for row in conn.execute("SELECT lane FROM core_lane_dirty")}
        saved = plain(conn, rows, killed)
        for (lane,) in conn.execute("SELECT lane FROM core_lane_dirty").fetchall():
            if lane not in dirty:
                conn.execute(lane_statements.CLEAN, (lane,))
        return saved

    patch.setattr(rescue, "rescue", forgetful)


def rate_is_rounded_up(patch: pytest.MonkeyPatch) -> None:
    """One start more than what is earned."""
    plain = lane_settling.allowed_now

    def generous(rate: Rate, burst: int, tat: float | None, now_utc: float) -> int:
        return min(burst, plain(rate, burst, tat, now_utc) + 1)

    patch.setattr(lane_settling, "allowed_now", generous)


def unbegun_stays_spent(patch: pytest.MonkeyPatch) -> None:
    """A start is counted of a job that was given back before it had begun."""
    patch.setattr(ledger, "unspend", lambda conn, lane: None)


def worst_first(patch: pytest.MonkeyPatch) -> None:
    """Among the shown ones are not the best."""
    for name in ("SHOW_BEST", "BEST_IN"):
        text = getattr(lane_statements, name)
        patch.setattr(lane_statements, name, text.replace("ORDER BY priority DESC", "ORDER BY 1"))


def never_opens(patch: pytest.MonkeyPatch) -> None:
    """Nobody looks at a lane when its time has come."""
    patch.setattr(lane_statements, "MARK_DUE", lane_statements.MARK_DUE + " AND 0")


def trusts_the_clock(patch: pytest.MonkeyPatch) -> None:
    """A clock that is set back leaves a lane shut for so much longer."""
    patch.setattr(lane_settling, "SLACK_S", 1e12)


def ignores_reservations(patch: pytest.MonkeyPatch) -> None:
    """What is reserved is shown to all."""
    patch.setattr(lane_settling, "RESERVED", ddl.OURS)


MUTANTS = [
    adds_only,
    spent_when_looked_at,
    looks_away_after_a_rescue,
    rate_is_rounded_up,
    unbegun_stays_spent,
    worst_first,
    never_opens,
    trusts_the_clock,
    ignores_reservations,
    pytest.param(without("core_hide", ddl.HIDING), id="shows_to_gigq"),
    pytest.param(without("core_lane_again", ddl.LANES), id="keeps_its_word"),
    pytest.param(without("core_lane_delete", ddl.LANES), id="deletion_frees_nothing"),
    pytest.param(without("core_lane_priority", ddl.LANES), id="priority_moves_nothing"),
]


@pytest.mark.parametrize("mutant", MUTANTS)
def test_the_walk_notices_what_is_broken(
    tmp_path: Path,
    clock: Clock,
    monkeypatch: pytest.MonkeyPatch,
    mutant: Callable[[pytest.MonkeyPatch], None],
) -> None:
    mutant(monkeypatch)
    for seed in range(40):
        try:
            walk(tmp_path / f"{seed}.db", clock, seed)
        except AssertionError:
            return
    pytest.fail("no walk noticed it")
