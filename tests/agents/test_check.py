"""What an operator is told of a host before jobs are sent there."""

from __future__ import annotations

import json
import os
import shlex
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from gigq_core.worker.agents.checking import AT_ONCE
from tests.agents.dask_cluster import DaskCluster
from tests.agents.places import HERE
from tests.agents.sshd import Sshd
from tests.waiting import wait_until

PROJECT = (
    """
import absent_on_this_host_unless_asked
""",
    """
import functools


def train(epochs: int, rate: float = 0.1) -> int:
    return epochs


class Model:
    def fit(self) -> None: ...


model = Model()
lesson = functools.partial(train, rate=0.5)
RATE = 3


async def learn(epochs: int) -> None: ...
""",
)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A folder there, with a module that can be imported and one that can't."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "broken.py").write_text(PROJECT[0])
    (folder / "pipeline.py").write_text(PROJECT[1])
    return folder


def check(
    *words: str | Path, python: str = sys.executable, **environment: str
) -> subprocess.CompletedProcess[str]:
    """`gigq-core worker … --check` on a file that is not there."""
    command = [
        *(sys.executable, "-m", "gigq_core", "--db", "/nowhere/jobs.db", "worker", "--check"),
        *(("--remote-python", python) if python else ()),
        *map(str, words),
    ]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env={**os.environ, **environment},
    )


def told(*words: str | Path, code: int = 0, **more: str) -> list[dict[str, Any]]:
    done = check(*words, "--json", **more)
    assert done.returncode == code, done.stdout + done.stderr
    found: list[dict[str, Any]] = json.loads(done.stdout)
    return found


def test_a_host_by_ssh_is_told_in_a_few_lines(sshd: Sshd, project: Path) -> None:
    words = ("--via", sshd.via, "--remote-chdir", project, "--concurrency", "3")
    done = check(*words, "--function", "pipeline.train", "--function", "pipeline.Model")
    assert (done.returncode, done.stderr) == (0, "")
    title, *lines = done.stdout.splitlines()
    assert title == sshd.via
    facts = [line.split(maxsplit=1) for line in lines]
    assert [name for name, _ in facts] == [
        *("host", "Python", "folder", "agent", "link", "clock", "function", "function")
    ]
    said = dict(facts[:6])
    version = ".".join(map(str, sys.version_info[:3]))
    assert said["Python"] == f"{version}, {sys.executable}"
    assert said["folder"] == str(project)
    assert said["agent"].endswith("; slots: 3")
    assert said["clock"] == "agrees with the one here"
    assert facts[6][1] == (
        "pipeline.train can be imported: train(epochs: int, rate: float = 0.1) -> int"
    )
    assert facts[7][1] == "pipeline.Model can be imported: class Model(builtins.object)"


def test_the_same_as_json(project: Path, tmp_path: Path) -> None:
    words = ("--via", HERE, "--remote-chdir", project, "--function", "pipeline.train")
    cache = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    (first,) = told(*words, **cache)
    (again,) = told(*words, **cache)
    # The agent is sent once, and found then.
    assert (first["sent"], again["sent"]) == (True, False)
    assert first["ok"]
    assert first["trouble"] is None
    assert first["cpus"] >= 1
    assert first["memory"] > 1024 * 1024
    assert 0 < first["latency_s"] < 5
    assert 0 < first["job_s"] < 5
    assert abs(first["clock_s"]) < 5
    assert first["functions"] == [
        {
            "name": "pipeline.train",
            "call": "train(epochs: int, rate: float = 0.1) -> int",
            "trouble": None,
        }
    ]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("pipeline.test", "there is no module or function of that name there"),
        ("nowhere.train", "there is no module or function of that name there"),
        ("broken.train", "No module named 'absent_on_this_host_unless_asked'"),
        # What is there, and no job can call.
        ("pipeline.Model.fit", "pipeline.Model is no module there"),
        ("pipeline.RATE", "it can't be called: it is int in pipeline"),
        ("pipeline.model", "it can't be called: it is Model in pipeline"),
        ("os.path", "it is a module: name a function in it"),
    ],
)
def test_a_function_that_can_not_be_imported_there(project: Path, name: str, why: str) -> None:
    words = ("--via", HERE, "--remote-chdir", project, "--function", name)
    (found,) = told(*words, code=1)
    assert not found["ok"]
    assert found["trouble"] is None
    (function,) = found["functions"]
    assert function["call"] is None
    assert why in function["trouble"]
    done = check(*words)
    assert done.returncode == 1
    assert f"{name} can't be imported: " in done.stdout


@pytest.mark.parametrize(
    ("name", "call"),
    [
        ("pipeline.lesson", "class partial(builtins.object)"),
        ("pipeline.learn", "async learn(epochs: int) -> None"),
        ("os.path.join", "join(a, *p)"),
        ("builtins.len", "len(obj, /)"),
    ],
)
def test_how_a_function_is_called_there(project: Path, name: str, call: str) -> None:
    (found,) = told("--via", HERE, "--remote-chdir", project, "--function", name)
    assert found["functions"] == [{"name": name, "call": call, "trouble": None}]


def test_who_waits_no_longer_leaves_nothing_behind(tmp_path: Path) -> None:
    mark = f"CHECKED_BY_TEST={tmp_path.name}"
    silent = f"env {mark} sh -c 'echo $$ >> {tmp_path}/here; sleep 600' --"
    words = [sys.executable, "-m", "gigq_core", "worker", "--check"]
    words += [word for _ in range(20) for word in ("--via", silent)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    here = tmp_path / "here"
    # As many as are looked at at a time.
    wait_until(lambda: here.exists() and len(here.read_text().split()) == AT_ONCE, 60)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)
    assert process.returncode == 128 + signal.SIGINT
    left = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
    assert mark not in left
    assert len(here.read_text().split()) == AT_ONCE


def test_a_clock_that_is_wrong_is_told(tmp_path: Path) -> None:
    # A stand-in for an interpreter whose clock is an hour ahead.
    folder = tmp_path / "ahead"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import time\n_now = time.time\ntime.time = lambda: _now() + 3600\n"
    )
    via = f"env PYTHONPATH={shlex.quote(str(folder))}"
    done = check("--via", via)
    assert done.returncode == 0, done.stdout
    (line,) = [line for line in done.stdout.splitlines() if line.split()[0] == "clock"]
    assert line.split(maxsplit=1)[1] in (
        "1h ahead of the one here, which does no harm to jobs",
        "59m59s ahead of the one here, which does no harm to jobs",
    )


@pytest.mark.parametrize(
    ("via", "python", "why"),
    [
        ('sh -c "echo no way >&2; exit 255" --', sys.executable, "exit code 255"),
        ("env", "/nowhere/python9", "Name it with --remote-python"),
        ("env -i", "/bin/false", "before an agent was there"),
    ],
)
def test_why_a_host_can_not_be_used(via: str, python: str, why: str) -> None:
    (found,) = told("--via", via, code=1, python=python)
    assert not found["ok"]
    assert why in found["trouble"]
    assert found["trouble"].endswith(".")
    assert found["trouble"].count("\n") == 0


@pytest.mark.parametrize("folder", ["/nowhere/none", "~nobody-of-that-name/none"])
def test_a_folder_that_is_not_there(folder: str) -> None:
    (found,) = told("--via", HERE, "--remote-chdir", folder, code=1)
    assert "There is no folder /" in found["trouble"]
    assert found["trouble"].endswith(f"{folder}: name another one with --remote-chdir.")


def test_several_are_looked_at_together_and_one_that_fails_hides_no_other() -> None:
    done = check("--via", HERE, "--via", 'sh -c "exit 9" --', "--via", HERE)
    assert done.returncode == 1
    blocks = done.stdout.split("\n\n")
    assert [block.splitlines()[0] for block in blocks] == [HERE, 'sh -c "exit 9" --', HERE]
    assert "host" in blocks[0]
    assert blocks[1].splitlines()[1].split(maxsplit=1)[0] == "trouble"
    assert "host" in blocks[2]


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--check"], "--check is about where --via leads: give that too."),
        (
            ["--via", "env", "--function", "a.b"],
            "--function is about what is imported for --check: give that too.",
        ),
        (["--check", "--via", "no-such-program"], "there is no command no-such-program here"),
        (["--check", "--via", "env", "--function", "train"], "'train' names no function: write"),
        (["--check", "--via", "env", "--function", "a."], "a. can't name a function: write"),
        (["--check", "--via", "env", "--function", ""], "'' names no function: write"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], sentence: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "gigq_core", "worker", *words],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert sentence in done.stderr


def test_nothing_of_it_is_left(tmp_path: Path) -> None:
    mark = f"CHECKED_BY_TEST={tmp_path.name}"
    told("--via", f"env {mark}")
    left = subprocess.run(["ps", "axeww"], capture_output=True, text=True, check=True).stdout
    assert mark not in left


def test_each_worker_of_a_dask_cluster_is_looked_at(tmp_path: Path, project: Path) -> None:
    cluster = DaskCluster(tmp_path)
    try:
        cluster.start_worker(threads=2)
        cluster.start_worker(threads=3)
        via = f"dask:{cluster.address}"
        words = ("--via", via, "--remote-chdir", project, "--function", "pipeline.train")
        # One may join a little later than the other.
        found = wait_until(lambda: both if len(both := told(*words, python="")) == 2 else None, 120)
    finally:
        cluster.close()
    assert sorted(each["slots"] for each in found) == [2, 3]
    assert len({each["via"] for each in found}) == 2
    for each in found:
        assert each["ok"]
        assert each["via"].startswith(f"{via} ")
        assert each["functions"][0]["call"] == "train(epochs: int, rate: float = 0.1) -> int"


def test_a_dask_cluster_that_is_not_there() -> None:
    (found,) = told("--via", "dask:tcp://127.0.0.1:1", code=1, python="")
    assert found["trouble"].startswith("The Dask scheduler at tcp://127.0.0.1:1 can't be reached: ")
    # It is over.
    assert "again" not in found["trouble"]
