"""Text that no file can hold is refused where it is given, in a sentence that names the field."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue, Workflow, task
from gigq_core.job import FunctionReference, JobOptions
from gigq_core.submitting.bulk import BulkTrouble, JobTemplate, read_jobs

# As Python gives the name of a file that is not UTF-8, and as JSON may spell half of a pair.
STRAY = [os.fsdecode(b"caf\xc3\x28.txt"), "\ud83d", "ok \udcff", "\ud800" * 10_000]
FIELDS = ["name", "description", "id", "dependencies", "function"]


@pytest.fixture
def queue(tmp_path: Path) -> Iterator[JobQueue]:
    made = JobQueue(tmp_path / "jobs.db")
    yield made
    made.close()


@task()
def anything(**given: Any) -> None:
    pass


def refused(act: Any, field: str) -> None:
    with pytest.raises(ValueError, match=field) as caught:
        act()
    text = str(caught.value)
    assert not isinstance(caught.value, UnicodeError)
    assert text.encode()
    assert text.isprintable()
    assert len(text) < 400


@pytest.mark.parametrize("text", STRAY, ids=ascii)
@pytest.mark.parametrize("field", ["name", "description", "dependencies", "function"])
def test_a_job_is_refused_when_it_is_made(field: str, text: str) -> None:
    values: dict[str, Any] = {"name": "n", "function": "tasks.any"}
    values[field] = {"dependencies": [text], "function": f"tasks.{text[:20]}"}.get(field, text)
    refused(lambda: Job(**values), field)


@pytest.mark.parametrize("text", STRAY, ids=ascii)
@pytest.mark.parametrize("field", FIELDS)
def test_a_job_that_was_changed_is_refused_when_it_is_submitted(
    queue: JobQueue, field: str, text: str
) -> None:
    job = Job("n", "tasks.any")
    setattr(job, field, {"dependencies": [text], "function": f"a.{text[:20]}"}.get(field, text))
    refused(lambda: queue.submit(job), field)
    refused(lambda: queue.submit_many([Job("good", "tasks.any"), job]), field)
    workflow = Workflow("w")
    workflow.add_job(job)
    refused(lambda: workflow.submit_all(queue), field)
    assert queue.stats()["total"] == 0


@pytest.mark.parametrize("option", ["name", "description"])
def test_the_options_of_a_task_are_refused_at_once(option: str) -> None:
    refused(lambda: task(**{option: "\udc80"})(anything.__wrapped__), option)


@pytest.mark.parametrize("field", ["name", "description"])
def test_a_line_of_jsonl_is_refused_with_its_number(field: str) -> None:
    common = JobTemplate(FunctionReference("tasks", "any"), options=JobOptions("n"))
    lines = [b'{"a": 1}', json.dumps({"params": {}, field: "caf\udcc3"}).encode()]
    with pytest.raises(BulkTrouble, match=f"line 2: .*{field}"):
        read_jobs(lines, common, lambda params: "")


def test_other_text_is_stored_as_it_is(queue: JobQueue) -> None:
    for text in ("caf\u00e9 \U0001f375", "a\0b", "\uffff", "\u202e", "a\nb"):
        job = Job(text, "tasks.any", description=text)
        queue.submit(job)
        found = queue.get_status(job.id)
        assert (found["name"], found["description"]) == (text, text)


def test_parameters_may_hold_any_text_as_json_spells_it(queue: JobQueue) -> None:
    params = {text: [text, {"deep": text}] for text in STRAY}
    job = Job("n", "tasks.any", params)
    queue.submit(job)
    assert queue.get_status(job.id)["params"] == params
