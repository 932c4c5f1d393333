"""A job whose parameters do not fit its function is refused where it is made, by one rule."""

from __future__ import annotations

import json
import math
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gigq_core import Job, JobQueue, Workflow
from gigq_core.cli.main import cli
from gigq_core.job import FunctionReference
from tests.data import calls

ROOT = Path(__file__).parents[2]

# The function, its parameters, and a part of the sentence; none where they fit.
CALLS: list[tuple[str, dict[str, Any], str]] = [
    ("plain", {"a": 1}, ""),
    ("plain", {"a": 1, "b": 2}, ""),
    ("plain", {}, "needs a value for a"),
    ("plain", {"b": 1}, "needs a value for a"),
    ("plain", {"a": 1, "c": 2}, "no parameter c: it takes a and b"),
    ("plain", {"a": 1, "c": 2, "d": 3}, "no parameter c and d"),
    ("plain", {"A": 1}, "needs a value for a"),
    ("plain", {"a": 1, "parent_results": {}}, "no parameter parent_results"),
    ("named", {"a": 1}, ""),
    ("named", {"b": 1}, "needs a value for a"),
    ("nothing", {}, ""),
    ("nothing", {"a": 1}, "it takes no parameters"),
    ("anything", {"x": 1, "y": 2}, ""),
    ("some_and_anything", {"a": 1, "x": 2}, ""),
    ("some_and_anything", {"x": 2}, "needs a value for a"),
    ("many", {}, ""),
    ("many", {"values": [1]}, "no parameter values"),
    ("by_position", {"a": 1}, "takes a by position only"),
    ("by_position", {}, "takes a by position only"),
    ("by_position_or_not", {}, ""),
    ("by_position_or_not", {"b": 1}, ""),
    ("by_position_or_not", {"a": 1}, "no parameter a: it takes b"),
    ("by_position_and_anything", {"a": 1}, ""),
    ("of_parents_or_none", {}, ""),
    ("of_parents", {"parent_results": {}}, ""),
    ("Made", {"a": 1}, ""),
    ("Made", {"c": 1}, "needs a value for a"),
    ("Made", {"a": 1, "c": 1}, "no parameter c"),
    ("decorated", {"a": 1}, ""),
    ("decorated", {"c": 1}, "needs a value for a"),
    ("decorated", {"a": 1, "c": 1}, "no parameter c"),
    ("decorated_twice", {"a": 1}, ""),
    ("decorated_twice", {"b": 1}, "needs a value for a"),
    ("logged", {"a": 1}, ""),
    ("logged", {"b": 1}, "needs a value for a"),
    ("logged", {"a": 1, "c": 1}, "no parameter c"),
    ("with_session", {"a": 1}, ""),
    ("with_default", {}, ""),
    ("without_word", {"a": 1, "word": "x"}, ""),
    ("cached", {"a": 1}, ""),
    ("cached", {"c": 1}, "needs a value for a"),
]
CALL_IDS = [f"{name}({','.join(params)})" for name, params, _ in CALLS]


@pytest.mark.parametrize(("name", "params", "sentence"), CALLS, ids=CALL_IDS)
@pytest.mark.parametrize("form", ["function", "text"])
def test_a_job_is_refused_if_its_parameters_do_not_fit(
    tmp_path: Path, form: str, name: str, params: dict[str, Any], sentence: str
) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    function = getattr(calls, name) if form == "function" else f"tests.data.calls.{name}"
    if not sentence:
        queue.submit(Job("n", function, params))
        return
    with pytest.raises(TypeError, match=sentence) as refused:
        Job("n", function, params)
    assert f"tests.data.calls.{name} " in str(refused.value)
    # Attributes change: `submit` looks again.
    job = Job("n", calls.anything, params)
    job.function = function
    with pytest.raises(TypeError, match=sentence):
        queue.submit_many([Job("fine", calls.nothing), job])
    assert queue.stats()["total"] == 0


@pytest.mark.parametrize(("name", "params", "sentence"), CALLS, ids=CALL_IDS)
def test_the_command_line_refuses_by_the_same_rule(
    tmp_path: Path, name: str, params: dict[str, Any], sentence: str
) -> None:
    db = tmp_path / "jobs.db"
    words = [f"-p{key}={json.dumps(value)}" for key, value in params.items()]
    result = CliRunner().invoke(
        cli, ["--db", str(db), "submit", f"tests.data.calls.{name}", *words]
    )
    assert result.exit_code == (2 if sentence else 0), result.output
    assert sentence in result.output
    assert db.exists() != bool(sentence)
    lines = tmp_path / "lines.jsonl"
    lines.write_text(json.dumps({"params": params}) + "\n")
    result = CliRunner().invoke(
        cli, ["--db", str(db), "submit", f"tests.data.calls.{name}", "--jsonl", str(lines)]
    )
    assert result.exit_code == (1 if sentence else 0), result.output
    assert sentence in result.output


@pytest.mark.parametrize("params", [{"x": 1}, {"a": 1, "c": 1}, {}])
def test_a_decorated_function_refuses_at_submit_and_in_a_workflow(
    tmp_path: Path, params: dict[str, Any]
) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    with pytest.raises(TypeError, match=r"tests\.data\.calls\.decorated"):
        calls.decorated.submit(queue, **params)
    with pytest.raises(TypeError, match=r"tests\.data\.calls\.decorated"):
        Workflow("w").add_task(calls.decorated, params)
    assert queue.stats()["total"] == 0


@pytest.mark.parametrize("function", [math.sqrt, print, dict, max, "json.dumps", "os.getcwd"])
def test_a_function_that_fits_whatever_is_known_of_it_is_taken(
    tmp_path: Path, function: Any
) -> None:
    params = {"obj": 1} if function == "json.dumps" else {}
    if function is math.sqrt:
        with pytest.raises(TypeError, match="by position only"):
            Job("n", function, params)
        return
    JobQueue(tmp_path / "jobs.db").submit(Job("n", function, params))


def test_a_function_that_is_not_imported_here_is_taken_as_it_is(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    queue.submit(Job("n", "no_such_module.function", {"x": 1}))
    queue.submit(Job("n", "tests.data.calls.not_there", {"x": 1}))
    queue.submit(Job("n", FunctionReference("tests.data.calls", "plain"), {"x": 1}))
    assert queue.stats()["total"] == 3


def test_the_results_of_parents_count_as_given(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    parent = Job("parent", calls.nothing)
    flow = Workflow("w")
    flow.add_job(parent)
    flow.add_job(Job("later named", calls.of_parents), depends_on=[parent])
    flow.add_job(Job("named", calls.of_parents, dependencies=[parent.id]))
    assert len(flow.submit_all(queue)) == 3


def test_whoever_submits_by_name_does_not_import_the_module_for_it(tmp_path: Path) -> None:
    code = (
        "import sys\nfrom gigq_core import Job, JobQueue\n"
        f"JobQueue({str(tmp_path / 'jobs.db')!r}).submit(Job('n', 'tests.data.calls.plain'))\n"
        "assert 'tests.data.calls' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True, cwd=ROOT)
