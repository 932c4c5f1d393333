"""A job's options are named once: whoever offers them offers all, with the same defaults."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue, task
from gigq_core.bulk import KEYS
from gigq_core.cli.main import cli
from gigq_core.job import OPTION_NAMES, FunctionReference, JobOptions, TaskOptions
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
    given = {name: OTHERS[name] for name in TaskOptions.__annotations__}
    job = task(**given)(a_function).to_job()
    assert {name: getattr(job, name) for name in given} == given


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
    wanted = OTHERS[name]
    assert stored[name] == (list(wanted) if isinstance(wanted, tuple) else wanted)


@pytest.mark.parametrize("name", OPTION_NAMES)
def test_the_copied_command_says_each_option(name: str) -> None:
    words = words_of_submit(
        SubmitRequest("json.dumps", options=JobOptions(**{"name": "n", name: OTHERS[name]}))
    )
    context = cli.commands["submit"].make_context("submit", words[1:])
    assert context.params[name] == OTHERS[name]


def a_function() -> None: ...
