"""What `Job`, `@task` and `Workflow` accept, and with which sentence they refuse the rest."""

from __future__ import annotations

import functools
import json
import math
from pathlib import Path
from typing import Any

import pytest

from gigq_core import Job, JobQueue, Workflow, task
from gigq_core.duplicate_job import DuplicateJob
from gigq_core.errors import CycleError
from gigq_core.job import FunctionReference


def work(x: int = 0) -> int:
    return x


@task
def bare(x: int) -> int:
    return x + 1


@task
def oddly(queue: str, self: str, name: str) -> str:
    return queue + self + name


@task(name="other", timeout=60, max_attempts=5, priority=7, retry_delay=2.5)
def tuned() -> None:
    return None


def generator() -> Any:
    yield 1


class Holder:
    def method(self) -> None:
        return None

    @staticmethod
    def static() -> None:
        return None


def test_a_job_has_the_documented_defaults() -> None:
    job = Job(name="n", function=work)
    assert (job.params, job.priority, job.dependencies) == ({}, 0, [])
    assert (job.max_attempts, job.timeout, job.retry_delay) == (3, 300, 0)
    assert job.description == ""
    assert job.pass_parent_results is None
    assert len(job.id) == 36


def test_two_jobs_never_share_an_id() -> None:
    assert Job("n", work).id != Job("n", work).id


@pytest.mark.parametrize(
    ("function", "says"),
    [
        (lambda: None, "lambda"),
        (Holder().method, "method"),
        (Holder.method, "method"),
        (Holder.static, "method"),
        (functools.partial(work, 1), "no module and name"),
        (generator, "return a list"),
        (42, "must be callable"),
        (None, "must be callable"),
    ],
)
def test_a_function_that_no_worker_could_import_is_refused(function: Any, says: str) -> None:
    with pytest.raises(TypeError, match=says):
        Job("n", function)


def test_a_closure_is_refused() -> None:
    def inner() -> None:
        return None

    with pytest.raises(TypeError, match="inside another function"):
        Job("n", inner)


def test_a_function_known_under_another_name_is_refused() -> None:
    def renamed() -> None:
        return None

    renamed.__qualname__ = renamed.__name__ = "nowhere_to_be_found"
    with pytest.raises(TypeError, match="no attribute nowhere_to_be_found"):
        Job("n", renamed)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"name": ""}, ValueError),
        ({"name": "  "}, ValueError),
        ({"name": 3}, TypeError),
        ({"params": {"x": object()}}, TypeError),
        ({"params": {"x": {1, 2}}}, TypeError),
        ({"params": {"x": math.nan}}, ValueError),
        ({"params": {"x": math.inf}}, ValueError),
        ({"params": {1: "x"}}, TypeError),
        ({"params": [1]}, TypeError),
        ({"timeout": 0}, ValueError),
        ({"timeout": -1}, ValueError),
        ({"timeout": math.nan}, ValueError),
        ({"timeout": "60"}, TypeError),
        ({"max_attempts": 0}, ValueError),
        ({"max_attempts": 1.5}, TypeError),
        ({"priority": "high"}, TypeError),
        ({"priority": True}, TypeError),
        ({"priority": 2**63}, ValueError),
        ({"retry_delay": -1}, ValueError),
        ({"dependencies": "abc"}, TypeError),
        ({"dependencies": [1]}, TypeError),
        ({"dependencies": [""]}, TypeError),
        ({"pass_parent_results": "yes"}, TypeError),
        ({"description": 5}, TypeError),
    ],
)
def test_a_bad_value_is_refused_when_the_job_is_made(
    change: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        Job(**{"name": "n", "function": work, **change})


def test_a_value_that_contains_itself_is_refused() -> None:
    loop: list[Any] = []
    loop.append(loop)
    with pytest.raises(ValueError, match="JSON can't hold params"):
        Job("n", work, params={"loop": loop})


def test_a_job_in_dependencies_is_told_to_pass_the_id() -> None:
    with pytest.raises(TypeError, match=r"pass job\.id"):
        Job("n", work, dependencies=[Job("p", work)])  # type: ignore[list-item]


def test_what_changed_since_the_job_was_made_is_checked_again_and_nothing_is_written(
    tmp_path: Path,
) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    good, bad = Job("good", work), Job("bad", work)
    bad.params["x"] = object()
    with pytest.raises(TypeError):
        queue.submit_many([good, bad])
    assert queue.stats()["total"] == 0


def test_a_job_is_submitted_once(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    first, second = Job("first", work), Job("second", work)
    queue.submit(first)
    with pytest.raises(DuplicateJob):
        queue.submit_many([second, first])
    assert queue.stats()["total"] == 1


def test_a_reference_names_a_function_without_importing_it(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    for function in (FunctionReference.parse("not.installed.here"), "not.installed.here"):
        row = queue.get_status(queue.submit(Job("n", function)))
        assert (row["function_module"], row["function_name"]) == ("not.installed", "here")


@pytest.mark.parametrize("path", ["", "nodot", "a..b", "a.b c", "a.1", "; drop.table"])
def test_a_reference_that_names_nothing_is_refused(path: str) -> None:
    with pytest.raises(ValueError, match=r"package\.module\.function"):
        FunctionReference.parse(path)
    with pytest.raises(ValueError, match=r"package\.module\.function"):
        Job("n", path)


def test_a_task_runs_in_place_and_makes_jobs(tmp_path: Path) -> None:
    assert bare(2) == 3
    queue = JobQueue(tmp_path / "jobs.db")
    row = queue.get_status(bare.submit(queue, x=4))
    assert (row["name"], row["function_name"], row["params"]) == ("bare", "bare", {"x": 4})
    job = tuned.to_job()
    assert (job.name, job.timeout, job.max_attempts) == ("other", 60, 5)
    assert (job.priority, job.retry_delay) == (7, 2.5)


def test_a_tasks_parameters_are_given_by_name(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    for act in (lambda: bare.submit(queue, 4), lambda: bare.to_job(4)):
        with pytest.raises(TypeError, match=r"bare got 1 parameter by position: give .* by name"):
            act()
    assert queue.stats()["total"] == 0


def test_a_task_may_have_a_parameter_called_queue_or_name() -> None:
    params = {"queue": "q", "self": "s", "name": "n"}
    assert oddly.to_job(**params).params == params


@pytest.mark.parametrize(
    ("options", "error"),
    [({"retries": 3}, TypeError), ({"timeout": 0}, ValueError), ({"name": ""}, ValueError)],
)
def test_a_task_checks_its_options_when_it_decorates(
    options: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        task(**options)(work)


def test_a_task_on_a_closure_a_lambda_or_twice_is_refused() -> None:
    def inner() -> None:
        return None

    for function in (inner, lambda: None, bare, Holder().method):
        with pytest.raises(TypeError):
            task(function)


def test_add_task_takes_only_tasks() -> None:
    with pytest.raises(TypeError, match="add_job"):
        Workflow("w").add_task(work)  # type: ignore[arg-type]


def test_a_workflow_is_submitted_in_the_order_it_was_built(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    flow = Workflow("w")
    first = flow.add_task(bare, params={"x": 1})
    second = flow.add_task(bare, params={"x": 2}, depends_on=[first], pass_parent_results=True)
    assert flow.submit_all(queue) == [first.id, second.id]
    assert flow.job_map[second.id].dependencies == [first.id]
    row = queue.get_status(second.id)
    assert (row["dependencies"], row["pass_parent_results"]) == ([first.id], True)


def test_a_circle_is_refused_whole(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    flow = Workflow("w")
    outside, a, b = Job("outside", work), Job("alpha", work), Job("beta", work)
    flow.add_job(outside)
    flow.add_job(a, depends_on=[b])
    flow.add_job(b, depends_on=[a])
    with pytest.raises(CycleError, match="'alpha', 'beta'"):
        flow.submit_all(queue)
    assert queue.stats()["total"] == 0


def test_a_circle_through_jobs_already_in_the_file_is_refused(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    last, middle, first = Job("last", work), Job("middle", work), Job("first", work)
    middle.dependencies = [last.id]
    first.dependencies = [middle.id]
    queue.submit(middle)
    queue.submit(first)
    last.dependencies = [first.id]
    with pytest.raises(CycleError, match="already waits for it"):
        queue.submit(last)
    assert queue.stats()["total"] == 2


def test_a_job_that_depends_on_itself_is_refused() -> None:
    job = Job("n", work)
    job.dependencies = [job.id]
    with pytest.raises(ValueError, match="itself"):
        job.check()


def test_children_may_be_added_before_their_parents(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    parent = Job("parent", work)
    child = Job("child", work, dependencies=[parent.id])
    queue.submit_many([child, parent])
    assert [job["name"] for job in queue.list_jobs("pending")] == ["child", "parent"]


def test_what_is_stored_is_what_json_gives_back(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    params = {"x": {"text": "naïve 日本語 \x1b[31m", "deep": {"list": [1, 2.5, None, True]}}}
    assert queue.get_status(queue.submit(Job("n", work, params=params)))["params"] == params
    assert json.loads(json.dumps(params)) == params
