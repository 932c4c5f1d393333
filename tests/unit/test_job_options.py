"""A job's options are named once: whoever offers them offers all, with the same defaults."""

from __future__ import annotations

import dataclasses
import inspect
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Backoff, Job, JobQueue, Unique, Workflow, task
from gigq_core.cli.main import cli
from gigq_core.job import OPTION_NAMES, FunctionReference, JobOptions, TaskOptions
from gigq_core.submitting.bulk import KEYS
from gigq_tui.actions.shell_command import words_of_submit
from gigq_tui.actions.submit import SubmitRequest

FUNCTION = FunctionReference("json", "dumps")
DEFAULTS = {field.name: field.default for field in dataclasses.fields(JobOptions)}
# One value for each that is none of the defaults.
OTHERS: dict[str, Any] = {
    "name": "other",
    "priority": 7,
    "timeout": 2.5,
    "max_attempts": 9,
    "retry_delay": 4,
    "dependencies": ("5f0f6e3c-1d52-4a54-9e3d-0d2b1a3c4e5f",),
    "description": "a note",
    "on_crash": "fail",
    "pass_parent_results": False,
    "retry": Backoff(30, 3, "2h", 0.5),
    "retry_on": ("builtins.OSError", "shop.errors.Busy"),
    "give_up_on": ("builtins.KeyError",),
    "on_timeout": "fail",
    "run_at": "2130-01-31T08:00:00+00:00",
    "run_after": 600,
    "on_parent_failure": "cancel",
    "batch": "spring",
    "stall_timeout": 60,
    "ours": True,
    "lane": "fetch:example.org",
    "unique": "invoice 7",
    "memory": 2 * 1024**3,
}
# What is read again of those that are stored in another form.
STORED: dict[str, Any] = {
    "retry": {"base": 30, "factor": 3, "most": 7_200, "jitter": 0.5},
    "unique": {"key": "invoice 7", "until": "ended", "within": None},
}


def test_a_job_takes_each_option_with_the_same_default() -> None:
    takes = inspect.signature(Job).parameters
    assert set(takes) == {"function", "params", *OPTION_NAMES}
    shown = {name: takes[name].default for name in OPTION_NAMES if name != "name"}
    # A list, as GigQ has it, where none stands for an empty one.
    assert shown.pop("dependencies") is None
    assert shown == {name: DEFAULTS[name] for name in shown}


def test_a_decorated_function_takes_those_that_are_the_functions_own() -> None:
    assert set(OPTION_NAMES) - set(TaskOptions.__annotations__) == {
        "dependencies",
        "pass_parent_results",
    }
    names = set(TaskOptions.__annotations__) - {"run_at", "retry_delay"}
    given = {name: OTHERS[name] for name in names}
    job = task(**given)(a_function).to_job()
    assert {name: getattr(job, name) for name in given} == {**given, "unique": Unique("invoice 7")}
    # These two stand in for others.
    job = task(run_at=OTHERS["run_at"], retry_delay=4)(a_function).to_job()
    assert (job.run_at, job.retry_delay) == (datetime(2130, 1, 31, 8, tzinfo=timezone.utc), 4)


def test_the_command_line_takes_each_option_with_the_same_default() -> None:
    params = cli.commands["submit"].make_context("submit", ["json.dumps"]).params
    # Nothing said calls the job as the function is called.
    assert params["name"] is None
    assert {name: params[name] for name in OPTION_NAMES} == {**DEFAULTS, "name": None}


def test_a_line_of_jsonl_may_say_each_option() -> None:
    assert set(KEYS.values()) == set(OPTION_NAMES)


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_each_option_is_stored(name: str, tmp_path: Path) -> None:
    options = JobOptions(**{"name": "n", name: OTHERS[name]})
    values = {**options.values(), "dependencies": list(options.dependencies)}
    queue = JobQueue(tmp_path / "q.db")
    stored = queue.get_status(queue.submit(Job(function=FUNCTION, params={"obj": 1}, **values)))
    queue.close()
    wanted = STORED.get(name, OTHERS[name])
    if name == "run_after":
        due = datetime.fromisoformat(stored["run_at"]) - datetime.now(timezone.utc)
        assert timedelta(seconds=590) < due <= timedelta(seconds=600)
        return
    assert stored[name] == (list(wanted) if isinstance(wanted, tuple) else wanted)


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_the_copied_command_says_each_option(name: str) -> None:
    words = words_of_submit(
        SubmitRequest("json.dumps", options=JobOptions(**{"name": "n", name: OTHERS[name]}))
    )
    context = cli.commands["submit"].make_context("submit", words[1:])
    assert context.params[name] == OTHERS[name]


def test_the_copied_command_says_a_list_of_delays() -> None:
    request = SubmitRequest("json.dumps", options=JobOptions("n", retry=(10, 0.5, 300)))
    context = cli.commands["submit"].make_context("submit", words_of_submit(request)[1:])
    assert (context.params["retry"], context.params["retry_delays"]) == (None, (10, 0.5, 300))


def test_a_workflow_adds_a_task_with_options_of_its_own() -> None:
    takes = inspect.signature(Workflow.add_task).parameters.values()
    own = {one.name for one in takes if one.kind is one.KEYWORD_ONLY}
    assert own == set(TaskOptions.__annotations__)
    workflow = Workflow("nightly")
    plain = workflow.add_task(DECORATED)
    other = workflow.add_task(DECORATED, retry=[10, "1m"], run_after="2h", timeout="90s", name="o")
    assert (plain.timeout, plain.retry, plain.run_after, plain.name) == (60, None, None, "a_task")
    assert (other.timeout, other.retry, other.run_after, other.name) == (90, (10, 60), 7_200, "o")
    for wrong in ({"dependencies": []}, {"retries": 3}, {"timeout": 0}, {"retry": []}):
        with pytest.raises((TypeError, ValueError)):
            workflow.add_task(DECORATED, **wrong)
    assert len(workflow.jobs) == 2


def a_function() -> None: ...


@task(timeout=60)
def a_task() -> None: ...


DECORATED = a_task
