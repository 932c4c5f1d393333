"""What is told of any window, against a plain model, while attempts come and go."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from random import Random

import pytest

from gigq_tui.screens.overview.lens import CHOICES_S, Lens, Stretch
from gigq_tui.store.history import account
from gigq_tui.store.history.account import Account, WindowWork
from gigq_tui.store.history.moment import MomentWork
from gigq_tui.store.history.tally import End
from gigq_tui.store.history.time_window import LENGTHS_S, Period, TimeWindow, days_before
from tests.attempts import AttemptWriter, followed
from tests.store_files import NOW, ago, both_kinds, reading

NOW_S = NOW.timestamp()
ENDS = ("completed", "failed", "timeout", "crashed", "cancelled")


@dataclass(frozen=True)
class Attempt:
    """An attempt as the model knows it, in UTC seconds; `ended` is None while it goes on."""

    id: str
    function: str
    status: str
    began: float
    ended: float | None


def written(writer: AttemptWriter, chance: Random, number: int, reach_s: float) -> list[Attempt]:
    """Write a history of attempts in the order in which they began; some of them long."""
    begun = sorted(chance.uniform(1, reach_s) for _ in range(number))
    history = []
    writer.conn.execute("BEGIN")
    for place, began in enumerate(reversed(begun)):
        took = chance.choice((0.5, 7.0, 90.0, 4_000.0, 90_000.0)) * chance.random()
        status = chance.choice(ENDS)
        if took > began:
            status, took = "running", None
        history.append(put(writer, f"j{place}", chance.choice("abc"), status, began, took))
    writer.conn.execute("COMMIT")
    return history


def put(
    writer: AttemptWriter, id: str, function: str, status: str, began: float, took: float | None
) -> Attempt:
    """Write one job with its attempt, so many seconds ago."""
    final = {"crashed": "failed"}.get(status, status)
    times = {"created_at": ago(began + 3), "started_at": ago(began)}
    if took is not None:
        times["completed_at"] = ago(began - took)
    writer.job(id, final, function_name=function, attempts=1, **times)
    writer.attempt(id, status, began=began, took=took, id=f"{id}-1")
    ended = None if took is None else NOW_S - (began - took)
    return Attempt(f"{id}-1", f"tasks.{function}", status, NOW_S - began, ended)


def agrees(seen: Account, history: list[Attempt]) -> None:
    """Each attempt that ended in the window is counted once, in its bar and for its function."""
    ended = [each for each in history if each.ended is not None and each.status != "running"]
    for bar, (start, end) in zip(seen.bars, pairwise(seen.edges), strict=True):
        here = [each for each in ended if start <= round(each.ended or 0, 3) < end]
        bad = [each for each in here if End(each.status).bad]
        done = [each for each in here if each.status == "completed"]
        assert (bar.done, bar.failed) == (len(done), len(bad))
    within = [each for each in ended if seen.start <= round(each.ended or 0, 3) < seen.end]
    for name in {each.function for each in within} | set(seen.functions):
        mine = [each for each in within if each.function == name]
        tally = seen.functions[name]
        assert sum(tally.ends.values()) == len(mine)
        tried = [each for each in mine if End(each.status).bad or each.status == "completed"]
        assert tally.tried == sum(tally.runs.values()) == len(tried)
    assert seen.total.tried == sum(bar.done + bar.failed for bar in seen.bars)
    if seen.days:
        start, end = (days_before(edge, seen.days) for edge in (seen.start, seen.end))
        before = [each for each in ended if start <= round(each.ended or 0, 3) < end]
        counted = sum(sum(tally.ends.values()) for tally in seen.before.values())
        assert counted == len(before)


@pytest.fixture(autouse=True)
def _small_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Many steps even for few rows: what is read in between is the point."""
    monkeypatch.setattr(account, "STEP_S", 0.0001)


def any_window(chance: Random, reach_s: float) -> TimeWindow:
    room = chance.choice((7, 35, 51, 60))
    if chance.random() < 0.4:
        return TimeWindow.up_to_now(chance.choice(LENGTHS_S[:16]), NOW_S, room)
    start = NOW_S - chance.uniform(60, reach_s)
    return TimeWindow.between(start, start + chance.choice(LENGTHS_S[:14]), NOW_S, room)


@both_kinds
@pytest.mark.parametrize("seed", range(6))
def test_any_window_tells_what_the_model_does(seed: int, attached: bool, tmp_path: Path) -> None:
    chance = Random(seed)
    reach_s = chance.choice((3_000.0, 90_000.0, 400_000.0))
    writer = AttemptWriter(tmp_path / "jobs.db", attached)
    history = written(writer, chance, 250, reach_s)
    with reading(tmp_path / "jobs.db") as reader:
        for _ in range(6):
            window = any_window(chance, reach_s)
            agrees(followed(reader, WindowWork(window, chance.choice((0, 1, 7)))), history)
    writer.close()


@both_kinds
@pytest.mark.parametrize("seed", range(6))
def test_nothing_is_counted_twice_while_attempts_come_and_go(
    seed: int, attached: bool, tmp_path: Path
) -> None:
    chance = Random(seed)
    writer = AttemptWriter(tmp_path / "jobs.db", attached)
    history = written(writer, chance, 150, 5_000.0)
    gone: list[Attempt] = []
    with reading(tmp_path / "jobs.db") as reader:
        work = WindowWork(TimeWindow.up_to_now(chance.choice((900, 3_600)), NOW_S, 60), 1)
        counted: set[str] = set()
        for turn in range(40):
            so_far = reader.step(work)
            what = chance.random()
            if what < 0.4:
                history.append(put(writer, f"n{turn}", "d", chance.choice(ENDS), 2.0, 1.0))
            elif what < 0.7:
                goes_on = [each for each in history if each.ended is None]
                if goes_on:
                    each = chance.choice(goes_on)
                    writer.end(each.id, "completed", 1.5)
                    history.remove(each)
                    history.append(
                        Attempt(each.id, each.function, "completed", each.began, NOW_S - 1.5)
                    )
            elif what < 0.85 and so_far.done:
                # Told already: it happened, whatever is deleted of it, and its rowid used again.
                each = chance.choice([e for e in history if e.ended is not None and e not in gone])
                newest = writer.conn.execute(
                    "SELECT id FROM job_executions ORDER BY rowid DESC LIMIT 1"
                ).fetchone()[0]
                last = [e for e in history if e.id == newest and e.ended is not None]
                each = last[0] if last and chance.random() < 0.7 and last[0] not in gone else each
                if each.id in counted:
                    writer.conn.execute("DELETE FROM job_executions WHERE id = ?", (each.id,))
                    gone.append(each)
            if so_far.done:
                counted = {each.id for each in history}
                so_far = reader.step(work)
                counted = {each.id for each in history} if so_far.done else set()
        seen = followed(reader, work)
        functions = {**seen.functions}
        assert sum(t.tried for t in functions.values()) == seen.total.tried
        agrees(seen, history)
    writer.close()


@both_kinds
@pytest.mark.parametrize("seed", range(4))
def test_a_peak_of_waiting_jobs_is_the_same_in_bars_of_any_width(
    seed: int, attached: bool, tmp_path: Path
) -> None:
    chance = Random(seed)
    writer = AttemptWriter(tmp_path / "jobs.db", attached)
    writer.conn.execute("BEGIN")
    came = 40_000.0
    peak = chance.randrange(200, 974)
    # All at once, and gone within minutes: between two ends of a wide bar.
    for n in range(peak):
        left = came - 5 - n * 0.2
        writer.job(
            f"j{n}",
            "completed",
            created_at=ago(came),
            started_at=ago(left),
            completed_at=ago(left - 1),
            attempts=1,
        )
        writer.attempt(f"j{n}", began=left, took=1.0)
    writer.conn.execute("COMMIT")
    writer.many(chance.randrange(5), "w")
    with reading(tmp_path / "jobs.db") as reader:
        for length_s in (43_200, 86_400, 172_800):
            for room in (7, 24, 51, 91):
                window = TimeWindow.up_to_now(length_s, NOW_S, room)
                seen = followed(reader, WindowWork(window))
                assert max(bar.waiting or 0 for bar in seen.bars) == peak
    writer.close()


@both_kinds
@pytest.mark.parametrize("seed", range(4))
def test_what_ran_at_any_time_is_what_the_model_says(
    seed: int, attached: bool, tmp_path: Path
) -> None:
    chance = Random(seed)
    writer = AttemptWriter(tmp_path / "jobs.db", attached)
    history = written(writer, chance, 200, 100_000.0)
    with reading(tmp_path / "jobs.db") as reader:
        for _ in range(8):
            start = NOW_S - chance.uniform(60, 100_000)
            end = start + chance.choice((1.0, 60.0, 1_800.0))
            seen = followed(reader, MomentWork(start, end))
            ran = [e for e in history if e.began < end and (e.ended is None or e.ended >= start)]
            assert abs(seen.count - len(ran)) <= (0 if attached else 1)  # to a millisecond
            bad = [e for e in history if e.ended is not None and e.ended >= start]
            ends = [e.ended for e in bad if e.status != "running" and End(e.status).bad]
            found = seen.failed_next
            assert (found is None) == (not ends)
            if found is not None:
                assert found.ended == pytest.approx(min(ends), abs=0.01)
    writer.close()


# --- the lens ---------------------------------------------------------------------------------


def test_any_keys_keep_the_cursor_in_a_window_that_holds_together() -> None:
    # With the last ones the window leaves the other end of a selection behind.
    for seed in (*range(40), 5007, 5145, 5416):
        chance = Random(seed)
        now = NOW_S + chance.uniform(0, 86_400)
        oldest = now - chance.choice((600.0, 110_000.0, 5e7))
        lens = Lens(Period(3_600), now)
        for _ in range(60):
            key = chance.choice(
                ("left", "right", "left", "z", "Z", "v", "h", "1", "resize", "wait")
            )
            if key in ("left", "right"):
                lens.move(-1 if key == "left" else 1, now, oldest)
            elif key == "z":
                lens.zoom_in(now)
            elif key == "Z":
                lens.zoom_out(now, oldest)
            elif key == "v":
                lens.choose_other_end(now)
            elif key == "h":
                lens.go_to_now(now)
            elif key == "1":
                lens.go_to_now(now, chance.choice(CHOICES_S))
            elif key == "resize":
                lens.fit(chance.choice((12, 35, 51, 91)), now)
            else:
                now += chance.choice((0.3, 5.0, 700.0))
                lens.keep_within(now)
            edges = lens.window.edges(now)
            assert len(edges) == lens.window.bars + 1 <= lens.room + 1
            assert all(start < end for start, end in pairwise(edges))
            assert lens.window.live == (edges[-1] > now) or not lens.window.live
            for at in (lens.cursor, lens.other):
                assert at is None or at in edges[:-1]
            chosen = lens.chosen(now)
            assert edges[0] <= chosen.start < chosen.end <= edges[-1]


def test_zooming_in_keeps_what_is_under_the_cursor() -> None:
    for seed in range(30):
        chance = Random(seed)
        lens = Lens(Period(chance.choice(CHOICES_S[2:])), NOW_S)
        for _ in range(chance.randrange(1, 40)):
            lens.move(-1, NOW_S, NOW_S - 1e7)
        bar = lens.bar
        assert bar is not None
        while lens.zoom_in(NOW_S):
            middle = min((bar.start + bar.end) / 2, NOW_S)
            bar = lens.bar
            assert bar is not None
            assert bar.start <= middle < bar.end
        assert lens.window.edges(NOW_S)[-1] - lens.window.edges(NOW_S)[0] <= 66
        while lens.zoom_out(NOW_S, NOW_S - 1e7):
            pass
        edges = lens.window.edges(NOW_S)
        assert edges[0] <= NOW_S - 1e7
        assert edges[-1] > NOW_S


def test_a_selection_is_zoomed_to_as_it_is() -> None:
    lens = Lens(Period(86_400), NOW_S)
    for _ in range(10):
        lens.move(-1, NOW_S, NOW_S - 1e7)
    lens.choose_other_end(NOW_S)
    for _ in range(4):
        lens.move(-1, NOW_S, NOW_S - 1e7)
    chosen = lens.selection
    assert chosen is not None
    lens.zoom_in(NOW_S)
    edges = lens.window.edges(NOW_S)
    assert Stretch(edges[0], edges[-1]) == chosen
    assert lens.selection is None
    lens.go_to_now(NOW_S)
    assert lens.window.live
