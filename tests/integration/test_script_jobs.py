"""Functions of a script itself: who can run them is told wherever somebody would wonder."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from gigq_core import JobQueue
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]

SUBMITS = """\
from gigq_core import Job, JobQueue, task

@task
def greet(name="x"):
    return name

queue = JobQueue("jobs.db")
for _ in range(3):
    greet.submit(queue)  # the line
"""


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *command], cwd=folder, capture_output=True, text=True, timeout=60
    )


def script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    (folder / "script.py").write_text(text)
    return run(folder, "script.py")


def core(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return run(folder, "-m", "gigq_core", *words, "--db", "jobs.db")


def test_whoever_submits_a_function_of_the_script_is_warned_at_that_line(tmp_path: Path) -> None:
    told = script(tmp_path, SUBMITS)
    assert told.returncode == 0
    assert told.stderr.count("ScriptFunctionWarning") == 1
    line = SUBMITS.splitlines().index("    greet.submit(queue)  # the line") + 1
    assert f"script.py:{line}: ScriptFunctionWarning: greet() is defined in this" in told.stderr
    assert JobQueue(tmp_path / "jobs.db").stats()["pending"] == 3


@pytest.mark.parametrize(
    "call",
    [
        "queue.submit(Job('n', greet.__wrapped__))",
        "queue.submit(Job('n', '__main__.greet'))",
        "queue.submit_many([Job('n', greet)])",
        "from gigq_core import Workflow; w = Workflow('w'); w.add_task(greet); w.submit_all(queue)",
    ],
)
def test_every_way_to_submit_warns(tmp_path: Path, call: str) -> None:
    text = SUBMITS.partition("for _")[0]
    told = script(tmp_path, f"{text}{call}\n")
    line = len(text.splitlines()) + 1
    assert f"script.py:{line}: ScriptFunctionWarning: greet()" in told.stderr, told.stderr


def test_a_warning_that_is_made_an_error_leaves_nothing_in_the_file(tmp_path: Path) -> None:
    text = (
        "import warnings\n"
        "from gigq_core.functions.script import ScriptFunctionWarning\n"
        "warnings.simplefilter('error', ScriptFunctionWarning)\n"
    )
    assert script(tmp_path, text + SUBMITS).returncode == 1
    assert JobQueue(tmp_path / "jobs.db").stats()["total"] == 0
    ignored = script(tmp_path, (text + SUBMITS).replace("'error'", "'ignore'"))
    assert (ignored.returncode, ignored.stderr) == (0, "")


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_script_that_runs_its_jobs_itself_is_not_warned(tmp_path: Path, when: str) -> None:
    made = 'from gigq_core import Worker\nworker = Worker("jobs.db")\n'
    imported, _, rest = SUBMITS.partition("@task")
    submits = (
        f"{imported}{made if when == 'before' else 'from gigq_core import Worker'}\n@task{rest}"
    )
    runs = "while worker.process_one(): pass\n"
    told = script(tmp_path, submits + (runs if when == "before" else made + runs))
    assert (told.returncode, told.stderr) == (0, "")
    assert JobQueue(tmp_path / "jobs.db").stats()["completed"] == 3


@pytest.mark.parametrize("made", ["", 'Worker("other.db")\n'])
def test_a_script_that_could_run_its_jobs_and_does_not_is_warned_when_it_ends(
    tmp_path: Path, made: str
) -> None:
    JobQueue(tmp_path / "other.db").close()
    submits = SUBMITS.replace("JobQueue, task", "JobQueue, Worker, task")
    told = script(tmp_path, f"{submits}{made}print('ends', file=__import__('sys').stderr)\n")
    assert told.returncode == 0
    assert told.stderr.startswith("ends\n")
    assert told.stderr.count("ScriptFunctionWarning") == 1
    line = submits.splitlines().index("    greet.submit(queue)  # the line") + 1
    assert f"script.py:{line}: ScriptFunctionWarning" in told.stderr


def test_a_function_of_a_module_gives_no_warning(tmp_path: Path) -> None:
    text = (
        "from gigq_core import Job, JobQueue\nJobQueue('jobs.db').submit(Job('n', 'os.getcwd'))\n"
    )
    assert script(tmp_path, text).stderr == ""


@pytest.fixture
def waiting(tmp_path: Path) -> Path:
    """A folder with a queue in which a job waits for its script, among others."""
    script(tmp_path, SUBMITS.replace("range(3)", "range(1)"))
    return tmp_path


def test_status_and_list_say_why_such_a_job_waits(waiting: Path) -> None:
    (job,) = json.loads(core(waiting, "list", "--json").stdout)
    assert "defined in a script" in job["why"]
    assert (
        "defined in a script"
        in json.loads(core(waiting, "status", job["id"], "--json").stdout)["why"]
    )
    assert "defined in a script" in core(waiting, "status", job["id"]).stdout
    assert "defined in" in core(waiting, "list").stdout
    core(waiting, "cancel", job["id"])
    (job,) = json.loads(core(waiting, "list", "--json").stdout)
    assert "why" not in job
    assert "defined in" not in core(waiting, "list").stdout


def test_other_reasons_to_wait_are_told_too(tmp_path: Path) -> None:
    def why(name: str) -> str | None:
        jobs = json.loads(core(tmp_path, "list", "--json").stdout)
        told: str | None = {job["name"]: job.get("why") for job in jobs}[name]
        return told

    core(tmp_path, "submit", "os.getcwd", "--name", "free")
    parent = json.loads(core(tmp_path, "list", "--json").stdout)[0]["id"]
    core(tmp_path, "submit", "os.getcwd", "--name", "child", "--depends-on", parent)
    assert why("free") is None
    assert why("child") == "waits for free (waiting)"
    core(tmp_path, "pause")
    assert "paused" in str(why("free"))
    assert "paused" in core(tmp_path, "list").stdout


@pytest.mark.parametrize("isolation", ["process", "thread"])
def test_a_worker_says_one_line_of_such_jobs_and_leaves_them(waiting: Path, isolation: str) -> None:
    db = waiting / "jobs.db"
    log = waiting / "worker.log"
    with log.open("w") as out:
        worker = subprocess.Popen(
            [
                sys.executable,
                "-m",
                "gigq_core",
                "--db",
                str(db),
                "worker",
                "--isolation",
                isolation,
            ],
            stderr=out,
            cwd=waiting,
        )
    try:
        wait_until(lambda: "script (__main__)" in log.read_text(), what="the line")
        last = core(waiting, "submit", "os.getcwd").stdout.split()[-1]
        queue = JobQueue(db)
        wait_until(lambda: queue.get_status(last)["status"] == "completed", what=log.read_text())
        assert log.read_text().count("script (__main__)") == 1
        (left,) = queue.list_jobs("pending")
        assert left["attempts"] == 0
    finally:
        worker.send_signal(signal.SIGTERM)
        worker.wait(timeout=20)


# --- the README's example --------------------------------------------------------------------


def examples() -> dict[str, str]:
    """The Python blocks of the README, by the name of the file that each says it is."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    blocks = re.findall(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    named = {}
    for block in blocks:
        found = re.match(r"# (\w+\.py)", block)
        assert found, f"a block without the name of its file:\n{block}"
        named[found.group(1)] = block
    return named


@pytest.fixture
def example(tmp_path: Path) -> Path:
    for name, text in examples().items():
        (tmp_path / name).write_text(text)
    return tmp_path


def completed(folder: Path) -> bool:
    db = folder / "jobs.db"
    return db.exists() and json.loads(core(folder, "stats", "--json").stdout)["completed"] == 1


def test_the_example_of_the_readme_runs_as_it_is_written(example: Path) -> None:
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = subprocess.Popen(
        [sys.executable, "submit.py"], cwd=example, stderr=subprocess.PIPE, text=True, env=env
    )
    try:
        wait_until(lambda: process.poll() is not None or completed(example), what="the job")
    finally:
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=20)
    assert process.returncode == 0, said
    assert "Warning" not in said


def test_the_jobs_of_the_readme_are_run_by_a_worker_from_the_shell_too(example: Path) -> None:
    submits = (example / "submit.py").read_text()
    (example / "submit.py").write_text(re.sub(r"(?m)^    Worker\(.*$", "", submits))
    assert run(example, "submit.py").stderr == ""
    assert "Processed" in core(example, "worker", "--once").stdout
    assert completed(example)
