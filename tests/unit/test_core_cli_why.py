"""`gigq-core why`: the reason, what hangs on a job, its place, and when it will be done."""

from __future__ import annotations

import json
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from gigq_core.reasons.why import why as shown_why
from gigq_core.units.times import to_text
from gigq_tui.store.list.view import View
from gigq_tui.store.reader import Reader
from tests.store_files import NOW, Writer, ago, both_kinds
from tests.unit.test_core_cli import run


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


def said(path: Path, job: str) -> str:
    return run(path, "why", job).output


def told(path: Path, job: str) -> dict[str, Any]:
    return json.loads(run(path, "why", job, "--json").output)


def nightly(path: Path, attached: bool = True) -> None:
    """Four prices failed, and with them waits all that comes after them."""
    writer = Writer(path, attached)
    writer.job("clean-1", "completed")
    for n in range(4):
        writer.job(f"price-{n}", "failed", ["clean-1"], error=f"KeyError: {n}")
    for n in range(5):
        writer.job(f"render-{n}", parents=[f"price-{n}" for n in range(4)])
    writer.job("alone-1", parents=["price-0"])
    writer.job("ready-1", priority=5)
    writer.job("ready-2")
    writer.close()


@both_kinds
def test_a_failed_job_says_what_it_blocks_and_what_frees_it(path: Path, attached: bool) -> None:
    nightly(path, attached)
    text = said(path, "price-0")
    assert "State: failed\nWhy: KeyError: 0.\n" in text
    assert "Blocks 6 jobs. Retrying it alone frees 1: 3 more failed.\n" in text
    assert "Retry: gigq-core retry price-" in text
    found = told(path, "price-0")
    numbers = {key: found[key] for key in ("children", "blocks", "frees", "frees_all")}
    assert numbers == {"children": 6, "blocks": 6, "frees": 1, "frees_all": 6}
    assert set(found["retry"]) == {f"price-{n}" for n in range(4)}
    assert (found["state"], found["forecast"], found["line"]) == ("failed", None, None)


def test_a_doomed_job_names_whom_to_blame(path: Path) -> None:
    nightly(path)
    found = told(path, "render-2")
    assert (found["state"], found["why"]) == ("doomed", "never runs: price-0 failed")
    assert found["culprit"]["problem"] == "failed"
    assert found["culprit"]["error"] == "KeyError: 0"
    assert set(found["retry"]) == {f"price-{n}" for n in range(4)}
    assert "Forecast" not in said(path, "render-2")


def test_a_ready_job_has_its_place_in_line(path: Path) -> None:
    nightly(path)
    assert [told(path, job)["line"] for job in ("ready-1", "ready-2", "render-1")] == [1, 2, None]
    assert told(path, "ready-2")["why"] == "ready: no workers running"


def test_what_comes_is_told_by_its_date(path: Path) -> None:
    later = datetime.now(timezone.utc).replace(microsecond=0) + timedelta(minutes=5)
    date = f"{later.astimezone():%Y-%m-%d %H:%M:%S}"
    writer = Writer(path)
    writer.job("due-1", retry_after=to_text(later))
    writer.job("slept-1", retry_after=to_text(later), started_at=ago(10), attempts=0)
    writer.job("again-1", retry_after=to_text(later), attempts=1, error="HTTP 500\nmore")
    writer.close()
    assert told(path, "due-1")["why"] == f"due at {date}"
    assert told(path, "slept-1")["why"] == f"snoozed, due at {date}"
    assert told(path, "again-1")["why"] == f"retry 2 of 3 at {date}: HTTP 500"


def ten_seconds_each(path: Path, attached: bool = True) -> Writer:
    """A queue that one worker of GigQ's works on, where each job takes ten seconds."""
    writer = Writer(path, attached)
    for n in range(20):
        writer.job(f"done-{n}", "completed")
        writer.insert(
            "job_executions",
            {
                "id": f"e{n}",
                "job_id": f"done-{n}",
                "worker_id": "gigq-1",
                "status": "completed",
                "started_at": ago(100),
                "completed_at": ago(90),
            },
        )
    # GigQ's worker, of which nothing is known but what it runs.
    writer.job("runs-1", "running", worker_id="gigq-1", started_at=to_text_now())
    return writer


@both_kinds
def test_each_of_many_alike_jobs_has_a_forecast_of_its_own(path: Path, attached: bool) -> None:
    writer = ten_seconds_each(path, attached)
    for n in range(5):
        writer.job(f"ready-{n}")
    writer.close()
    for n in range(5):
        forecast = told(path, f"ready-{n}")["forecast"]
        assert forecast["begins"]["p50"] == pytest.approx(10 + 10 * n, abs=5)
        assert forecast["ends"]["p50"] == pytest.approx(20 + 10 * n, abs=5)


def test_what_waits_for_the_last_of_many_begins_after_it(path: Path) -> None:
    writer = ten_seconds_each(path)
    for n in range(5):
        writer.job(f"ready-{n}")
    writer.job("behind", parents=["ready-4"], priority=9)
    writer.close()
    assert told(path, "behind")["forecast"]["begins"]["p50"] == pytest.approx(60, abs=8)


def test_a_job_that_will_run_is_foretold(path: Path) -> None:
    writer = ten_seconds_each(path)
    writer.job("waits-1", parents=["runs-1"])
    writer.close()
    found = told(path, "waits-1")
    assert found["forecast"]["runs"] == 20
    assert found["forecast"]["begins"]["p50"] == pytest.approx(10, abs=2)
    assert found["forecast"]["ends"]["p50"] == pytest.approx(20, abs=3)
    text = said(path, "waits-1")
    assert "Why: waits for runs-1 (running).\n" in text
    assert "(20 past runs)." in text


def to_text_now() -> str:
    return to_text(datetime.now(timezone.utc))


def test_where_nothing_is_known_it_says_so(path: Path) -> None:
    nightly(path)
    assert "Forecast: not known: no worker takes new jobs.\n" in said(path, "ready-1")


@both_kinds
def test_command_and_console_say_the_same(path: Path, attached: bool) -> None:
    nightly(path, attached)
    reader = Reader(path)
    rows = {row.id: row for row in reader.snapshot(View()).window.rows}
    reader.close()
    for id, row in rows.items():
        assert told(path, id)["why"] == shown_why(row, NOW), id


DATA = Path(__file__).parents[1] / "data"


@pytest.mark.parametrize("file", sorted(DATA.glob("gigq-*.db")), ids=lambda file: file.stem)
def test_each_release_of_gigq_is_told_of_and_left_as_it_is(path: Path, file: Path) -> None:
    path.write_bytes(file.read_bytes())
    jobs = json.loads(run(path, "list", "--json", "--limit", "1000").output)
    assert {"pending", "failed", "completed"} <= {job["status"] for job in jobs}
    for job in jobs:
        result = run(path, "why", job["id"], "--json")
        assert result.exit_code == 0, result.output
        found = json.loads(result.stdout)
        has_forecast = job["status"] == "pending" and found["state"] != "doomed"
        assert (found["forecast"] is not None) == (has_forecast or job["status"] == "running")
    assert path.read_bytes() == file.read_bytes()
