"""Names of lanes: what may be one, and parameters in them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gigq_core import Job, JobQueue, task
from gigq_core.cli.main import cli
from gigq_core.job import FunctionReference
from gigq_core.lane_names import check_lane, filled
from gigq_core.worker.outbox import Outbox

PATH = "json.dumps"


@pytest.mark.parametrize("name", ["gpu", "fetch:example.org", "größe", "a b", "x" * 200, "--", "0"])
def test_a_name(name: str) -> None:
    assert check_lane(name) == name


@pytest.mark.parametrize(
    "name", ["-", " gpu", "gpu ", "fetch:*", "a\nb", "a\x1b[31m", "x" * 201, "\u202egpu"]
)
def test_no_name(name: str, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"^lane "):
        Job("j", PATH, {"obj": 1}, lane=name)
    with pytest.raises(ValueError, match=r"^the lane "):
        check_lane(name, "the lane")


@pytest.mark.parametrize("lane", [7, None, True, ["gpu"], b"gpu"])
def test_what_is_no_text_is_none(lane: Any) -> None:
    with pytest.raises(TypeError, match=r"^lane must be a string"):
        Job("j", PATH, {"obj": 1}, lane=lane)


@pytest.mark.parametrize("lane", ["{", "}", "{}", "{a.b}", "{a!r}", "{0}", "{a:>9}", "{{a}}", "a}"])
def test_a_brace_holds_a_parameters_name(lane: str) -> None:
    with pytest.raises(ValueError, match=r"^lane "):
        Job("j", PATH, {"obj": 1}, lane=lane)


@pytest.mark.parametrize(
    ("lane", "params", "name"),
    [
        ("fetch:{host}", {"host": "example.org"}, "fetch:example.org"),
        ("{a}{b}{a}", {"a": "x", "b": 7}, "x7x"),
        ("plain", {}, "plain"),
        # What stands in a value is no place itself.
        ("{a}", {"a": "{b}", "b": "x"}, "{b}"),
    ],
)
def test_parameters_are_filled_in(lane: str, params: dict[str, Any], name: str) -> None:
    assert filled(lane, params) == name


@pytest.mark.parametrize(
    ("params", "said"),
    [
        ({}, "names the parameter host, which this job does not have"),
        ({"host": None}, "is neither text nor a whole number"),
        ({"host": True}, "is neither text nor a whole number"),
        ({"host": [1]}, "is neither text nor a whole number"),
        ({"host": 0.5}, "is neither text nor a whole number"),
        ({"host": "*"}, "a star"),
        ({"host": "x" * 200}, "200 are the most"),
        ({"host": "a\nb"}, "printable"),
    ],
)
def test_a_value_that_makes_no_name_is_refused_before_anything_is_written(
    params: dict[str, Any], said: str, tmp_path: Path
) -> None:
    queue = JobQueue(tmp_path / "q.db")
    good = Job("j", FunctionReference("shop", "fetch"), {"host": "x"}, lane="fetch:{host}")
    bad = Job("j", FunctionReference("shop", "fetch"), params, lane="fetch:{host}")
    with pytest.raises(ValueError, match=said):
        queue.submit_many([good, bad])
    assert queue.stats()["total"] == 0
    queue.submit(good)
    assert queue.get_status(good.id)["lane"] == "fetch:x"
    queue.close()


WAYS: dict[str, Callable[[JobQueue, Job], object]] = {
    "submit": lambda queue, job: queue.submit(job),
    "schedule": lambda queue, job: queue.schedule("nightly", "@daily", job),
    "hook": lambda queue, job: queue.hook("failed", job),
    # Told where the function that submits it calls for it, and not when that has ended.
    "outbox": lambda queue, job: Outbox().keep(job, False),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_lane_of_a_missing_parameter_is_refused_wherever_a_job_is_given(
    way: str, tmp_path: Path
) -> None:
    queue = JobQueue(tmp_path / "q.db")
    job = Job("j", FunctionReference("shop", "fetch"), {"page": 1}, lane="fetch:{host}")
    with pytest.raises(ValueError, match="names the parameter host, which this job does not have"):
        WAYS[way](queue, job)
    assert (queue.stats()["total"], queue.schedules(), queue.hooks()) == (0, [], [])
    job.params["host"] = "{slot:%Y}"
    WAYS[way](queue, job)
    queue.close()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["submit", "json.dumps", "-p", "obj=1", "--lane", "a:{b}"], "parameter b"),
        (["submit", "json.dumps", "-p", "obj=*", "--lane", "{obj}"], "a star"),
        (["submit", "json.dumps", "--jsonl", "lines.jsonl", "--lane", "a:{b}"], "line 2: lane"),
        (["schedule", "add", "a", "@daily", "json.dumps", "-p", "obj=1", "--lane", "{b}"], "b,"),
        (["schedule", "apply", "a.toml"], "schedules.a: lane names the parameter b"),
        (
            ["hook", "add", "failed", "gigq_core.run_command", "-p", "command=a", "--lane", "{b}"],
            "parameter b",
        ),
    ],
)
def test_the_command_line_says_what_a_lane_lacks(
    words: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "lines.jsonl").write_text(
        '{"params": {"obj": 1}, "lane": "a:{obj}"}\n{"params": {"obj": 1}}\n'
    )
    (tmp_path / "a.toml").write_text(
        '[schedules.a]\nwhen = "@daily"\nfunction = "a.b"\nlane = "{b}"\n'
    )
    queue = JobQueue("q.db")
    result = CliRunner().invoke(cli, ["--db", "q.db", *words])
    assert isinstance(result.exception, SystemExit), result.exception
    assert result.exit_code in (1, 2)
    assert said in " ".join(result.output.split())
    assert (queue.stats()["total"], queue.schedules(), queue.hooks()) == (0, [], [])
    queue.close()


@task(lane="fetch:{host}")
def fetch(host: str) -> str:
    return host


def test_a_decorated_function_names_its_lane_by_a_parameter(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "q.db")
    assert queue.get_status(fetch.submit(queue, host="a.org"))["lane"] == "fetch:a.org"
    queue.close()
