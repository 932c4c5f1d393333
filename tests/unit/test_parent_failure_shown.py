"""What the console says of children of a failed parent, and of workflows and batches."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue, Workflow
from gigq_core.job import FunctionReference
from gigq_core.reasons.why import why
from gigq_tui.actions.jobs import QueueActions
from gigq_tui.screens.job.relatives import relative_rows
from gigq_tui.screens.job.texts import fact_lines
from gigq_tui.screens.tree.job_sentence import job_sentence
from gigq_tui.store.filter.language import parse
from gigq_tui.store.list.view import View
from gigq_tui.store.models import JobRow
from gigq_tui.store.reader import Reader
from gigq_tui.widgets.lines import Line
from tests.store_files import GIGQ_FILES, NOW, gigq_copy, reading
from tests.unit.test_core_cli import run
from tests.unit.test_parent_failure import add, end

WORK = FunctionReference("json", "dumps")


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    queue = JobQueue(tmp_path / "jobs.db")
    yield queue
    queue.close()


def rows_of(reader: Reader, filter: str = "") -> dict[str, JobRow]:
    snapshot = reader.snapshot(View(filter=parse(filter)))
    return {row.name: row for row in snapshot.window.rows}


def text(line: Line) -> str:
    return "".join(part for part, _ in line)


def hanging(reader: Reader, ids: list[str]) -> tuple[int, int, int]:
    numbers = reader.blocking(ids)
    return numbers.blocks, numbers.cancelled, numbers.cancels


def family(queue: JobQueue) -> dict[str, str]:
    parent = add(queue, "extract")
    children = {name: add(queue, name, parent, policy=name) for name in ("wait", "cancel", "run")}
    below = add(queue, "below", children["wait"], policy="cancel")
    return {"extract": parent, **children, "below": below}


def test_before_they_are_told_it_says_what_comes(queue: JobQueue) -> None:
    ids = family(queue)
    end(queue, ids["extract"], "failed")
    with reading(Path(queue.db_path)) as reader:
        rows = rows_of(reader)
        assert why(rows["wait"], NOW) == "never runs: extract failed"
        assert why(rows["cancel"], NOW) == "extract failed: it is cancelled next"
        assert why(rows["run"], NOW) == "extract failed: it goes on all the same"
        # What waits for one that waits in vain, waits in vain, whatever it says of failures.
        assert rows_of(reader, "state:doomed").keys() == {"wait", "below"}
        counts = reader.snapshot(View()).counts
        assert (counts.blocked, counts.doomed, counts.culprits) == (4, 2, 1)
        graph = reader.graph(ids["extract"])
        assert graph is not None
        said = job_sentence(graph, ids["cancel"], NOW)
        assert said == "cancel: 1 of 1 parent not done; extract failed: it is cancelled next."


def test_after_that_it_says_what_was_done_and_why(queue: JobQueue) -> None:
    ids = family(queue)
    queue.cancel(ids["extract"])
    with reading(Path(queue.db_path)) as reader:
        rows = rows_of(reader)
        short = ids["extract"][:4]
        assert why(rows["cancel"], NOW) == f"extract ({short}…) was cancelled"
        detail = reader.detail(ids["run"])
        assert detail is not None
        (relative,) = [text(line) for _, line in relative_rows(detail, NOW)]
        assert relative.endswith("the job went on without it")
        facts = [text(line) for line in fact_lines(detail, NOW, 200, reason=True)]
        assert any("runs even if a parent fails" in line for line in facts)


def test_a_question_is_answered_how_many_wait_and_how_many_were_cancelled_along(
    queue: JobQueue,
) -> None:
    ids = family(queue)
    with reading(Path(queue.db_path)) as reader:
        # Not the one that goes on without it.
        assert hanging(reader, [ids["extract"]]) == (3, 0, 1)
        # `below` is not cancelled with it, but with the one that waits in vain.
        assert hanging(reader, [ids["wait"]]) == (1, 0, 1)
        queue.cancel(ids["extract"])
        assert hanging(reader, [ids["extract"]]) == (2, 1, 0)
        # One that is retried with it anyway is none of them.
        assert hanging(reader, [ids["extract"], ids["cancel"]]) == (2, 0, 0)


def test_a_retry_in_the_console_says_who_stays_cancelled_or_takes_them_along(
    queue: JobQueue,
) -> None:
    ids = family(queue)
    queue.cancel(ids["extract"])
    actions = QueueActions(Path(queue.db_path))
    alone = actions.retry([ids["cancel"]])
    assert alone.title == "cancel: extract was cancelled: retry it first"
    report = actions.retry([ids["extract"]])
    assert report.title.endswith("extract for retry: 1 job that it had cancelled stays cancelled")
    assert actions.undoable is not None
    actions.undo(actions.undoable)
    report = actions.retry([ids["extract"]], with_children=True)
    assert report.title == "queued 2 for retry"
    assert " retry --with-children " in report.twin
    assert queue.get_status(ids["cancel"])["status"] == "pending"
    assert actions.undoable is not None
    assert actions.undo(actions.undoable).title == "undone: retry of 2 jobs"
    assert queue.get_status(ids["cancel"])["status"] == "cancelled"


def test_the_command_names_no_parent_that_the_job_goes_on_without(queue: JobQueue) -> None:
    parent, other = add(queue, "extract"), add(queue, "other")
    child = add(queue, "load", parent, other, policy="run")
    db = Path(queue.db_path)
    assert run(db, "status", child).stdout.count("Waits for:") == 2
    queue.cancel(parent)
    (line,) = [x for x in run(db, "status", child).stdout.splitlines() if "Waits for:" in x]
    assert other in line


def test_workflows_and_batches_are_filtered_by_and_shown(queue: JobQueue) -> None:
    for name in ("nightly", "hourly"):
        workflow = Workflow(name)
        workflow.add_job(Job(f"{name} job", WORK))
        workflow.submit_all(queue)
    queue.submit(Job("one", WORK, batch="images 1"))
    newest = queue.workflows()[0]
    matches: dict[str, set[str]] = {
        "workflow:night": {"nightly job"},
        "workflow=night": set(),
        "workflow=hourly": {"hourly job"},
        f"workflow:{newest['id'][:8]}": {f"{newest['name']} job"},
        "-workflow:ly": {"one"},
        'batch:"images 1"': {"one"},
        "batch=images": set(),
        "-batch:images": {"nightly job", "hourly job"},
    }
    with reading(Path(queue.db_path)) as reader:
        for filter, names in matches.items():
            assert rows_of(reader, filter).keys() == names, filter
        for row in rows_of(reader).values():
            detail = reader.detail(row.id)
            assert detail is not None
            facts = " ".join(text(line) for line in fact_lines(detail, NOW, 200, reason=True))
            wanted = "batch images 1" if row.name == "one" else f"workflow {row.name[:-4]}"
            assert wanted in facts


@pytest.mark.parametrize("filter", ["workflow:a", "batch=a"])
def test_a_file_of_gigqs_own_has_none(tmp_path: Path, filter: Any) -> None:
    with reading(gigq_copy(tmp_path, GIGQ_FILES[0])) as reader:
        assert rows_of(reader, filter) == {}
