"""The runs of a workflow are read from the newest on, in steps, on every kind of file."""

from __future__ import annotations

from pathlib import Path

import pytest

from gigq_tui.store.graph import runs as module
from gigq_tui.store.graph.runs import Run, RunsOfWorkflow
from gigq_tui.store.reader import Reader
from tests.store_files import Writer, ago, gigq_copy, reading


def all_of(reader: Reader, work: RunsOfWorkflow) -> tuple[tuple[Run, ...], int]:
    """All runs, and how many steps it took."""
    steps = 1
    while not (so_far := reader.step(work)).done:
        steps += 1
    return so_far.value, steps


def write(writer: Writer, workflow: str, run: str, *jobs: tuple[str, str], created: float) -> None:
    for name, status in jobs:
        writer.job(
            f"{run} {name}",
            status,
            name=name,
            workflow=workflow,
            workflow_id=run,
            created_at=ago(created),
        )


def test_the_newest_run_comes_first_whatever_its_id(tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    # The ids stand in another order than the runs.
    write(writer, "nightly", "m", ("a", "completed"), ("b", "failed"), created=300)
    write(writer, "nightly", "z", ("a", "completed"), ("b", "completed"), created=200)
    write(writer, "hourly", "k", ("a", "running"), created=150)
    write(writer, "nightly", "c", ("a", "running"), ("b", "pending"), created=100)
    writer.job("alone")
    with reading(path) as reader:
        work = RunsOfWorkflow("nightly")
        runs, steps = all_of(reader, work)
        assert [run.id for run in runs] == ["c", "z", "m"]
        assert steps == 1
        assert [(job.name, job.status) for job in runs[2].jobs] == [
            ("a", "completed"),
            ("b", "failed"),
        ]
        assert all(run.submitted is not None for run in runs)
        writer.set("c a", status="completed")
        write(writer, "nightly", "q", ("a", "pending"), created=50)
        work.renew()
        runs, _ = all_of(reader, work)
        assert [run.id for run in runs] == ["q", "c", "z", "m"]
        assert runs[1].jobs[0].status == "completed"
        assert all_of(reader, RunsOfWorkflow("nothing of that name"))[0] == ()
        graph = reader.graph("z b")
        assert graph is not None
        assert (graph.workflow, graph.workflow_id) == ("nightly", "z")
        graph = reader.graph("alone")
        assert graph is not None
        assert (graph.workflow, graph.workflow_id) == ("", "")
    writer.close()


def test_many_runs_take_steps_and_tell_how_far_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "JOBS_OF_A_STEP", 10)
    monkeypatch.setattr(module, "MOST_RUNS", 12)
    path = tmp_path / "jobs.db"
    writer = Writer(path)
    writer.conn.execute("BEGIN")
    for number in range(20):
        jobs = [(f"n{job}", "completed") for job in range(5)]
        write(writer, "w", f"run {number:02}", *jobs, created=1000 - number)
    writer.conn.execute("COMMIT")
    writer.close()
    with reading(path) as reader:
        work = RunsOfWorkflow("w")
        first = reader.step(work)
        assert not first.done
        assert 0 < first.share < 1
        assert first.value[0].id == "run 19"
        runs, steps = all_of(reader, work)
        assert [run.id for run in runs] == [f"run {number:02}" for number in range(19, 7, -1)]
        assert steps >= 5


def test_a_file_without_workflows_has_none(tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, "gigq-0.5.1.db")
    with reading(path) as reader:
        assert all_of(reader, RunsOfWorkflow("w")) == ((), 1)
