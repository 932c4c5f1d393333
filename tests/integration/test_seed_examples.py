"""Every example of the page "Defining jobs" runs, with GigQ too when its import line says so.

The examples are parts of programs: what they leave open (the functions they name, the imports of
an earlier part) is written before and after them, and nothing in them is touched but
`from gigq_core import`. Each runs with both packages, so that the two can be compared.
"""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.pages import PAGES, examples_of

PACKAGES = ["gigq", "gigq_core"]
GUIDE = examples_of(PAGES / "defining-jobs.md")

# The little of pandas that the last example calls, for the standard library alone.
PANDAS = """
import csv

class Frame:
    def __init__(self, columns, rows):
        self.columns = columns
        self.rows = rows

    def __len__(self):
        return len(self.rows)

    def __getitem__(self, columns):
        return Frame(columns, [{c: row[c] for c in columns} for row in self.rows])

    def dropna(self):
        return Frame(self.columns, [row for row in self.rows if all(row.values())])

    def to_csv(self, path, index):
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, self.columns)
            writer.writeheader()
            writer.writerows(self.rows)

def read_csv(path):
    with open(path, newline="") as file:
        reader = csv.DictReader(file)
        return Frame(list(reader.fieldnames), list(reader))
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """The folder that the examples run in, first on the path, with a small `pandas` in it.

    GigQ keeps a thread's connections under the path as it was written, here a relative one.
    """
    (tmp_path / "pandas.py").write_text(PANDAS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    for name in ("pandas", "example"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    yield tmp_path
    if "gigq" in sys.modules:
        sys.modules["gigq"].close_connections()


def program(package: str, *parts: str) -> str:
    """The parts as one program that imports `package`."""
    text = "from gigq_core import Job, JobQueue, Worker\n" + "\n".join(parts)
    return text.replace("from gigq_core import", f"from {package} import")


def load(folder: Path, package: str, *parts: str) -> ModuleType:
    """The program, imported as the module `example`, so that a worker can import it too."""
    if package == "gigq":
        pytest.importorskip("gigq", reason="the package that ours is compared with")
    (folder / "example.py").write_text(program(package, *parts))
    importlib.invalidate_caches()
    return importlib.import_module("example")


def drain(example: ModuleType, db: str = "jobs.db", *, most: int = 20) -> int:
    """Process jobs until there is none to start; returns how many were started."""
    worker = example.Worker(db)
    for done in range(most):
        if not worker.process_one():
            worker.close()
            return done
    raise AssertionError(f"more than {most} jobs")


def told(package: str, kind: str, text: str) -> str:
    """The stored error: ours begins with the exception's type."""
    return f"{kind}: {text}" if package == "gigq_core" else text


def status(example: ModuleType, job: Any, db: str = "jobs.db") -> dict[str, Any]:
    found: dict[str, Any] = example.JobQueue(db).get_status(job.id)
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_basic_definition_and_function(folder: Path, package: str) -> None:
    example = load(
        folder,
        package,
        GUIDE["function"],
        "process_data_function = process_data",
        GUIDE["basic"],
        "JobQueue('jobs.db').submit(job)",
    )
    assert drain(example) == 1
    assert status(example, example.job)["result"] == {
        "processed": True,
        "records": 100,
        "errors": 0,
        "threshold_used": 0.7,
    }


@pytest.mark.parametrize("package", PACKAGES)
def test_identification(folder: Path, package: str) -> None:
    example = load(
        folder,
        package,
        GUIDE["function"],
        "process_data_function = process_data",
        "def another_function(): return 'after'",
        GUIDE["basic"],
        GUIDE["identification"],
        "queue.submit(dependent_job)",
    )
    assert example.submitted_id == example.job_id == example.job.id
    assert drain(example) == 2
    first, second = status(example, example.job), status(example, example.dependent_job)
    assert second["dependencies"] == [example.job_id]
    assert second["result"] == "after"
    assert first["completed_at"] < second["started_at"]


@pytest.mark.parametrize("package", PACKAGES)
def test_priorities(folder: Path, package: str) -> None:
    example = load(
        folder,
        package,
        "def urgent_function(): return 1",
        "def regular_function(): return 2",
        "def background_function(): return 3",
        GUIDE["priorities"],
        "queue = JobQueue('jobs.db')",
        "for job in (low_priority_job, normal_job, high_priority_job): queue.submit(job)",
    )
    assert drain(example) == 3
    done = sorted(example.queue.list_jobs("completed"), key=lambda job: str(job["started_at"]))
    assert [job["name"] for job in done] == ["urgent_task", "regular_task", "background_task"]


@pytest.mark.parametrize("package", PACKAGES)
def test_timeouts(folder: Path, package: str) -> None:
    example = load(
        folder,
        package,
        "def long_running_function(): return 'in time'",
        GUIDE["timeouts"],
        "JobQueue('jobs.db').submit(job_with_timeout)",
    )
    assert status(example, example.job_with_timeout)["timeout"] == 600
    assert drain(example) == 1
    assert status(example, example.job_with_timeout)["result"] == "in time"


def test_a_job_that_exceeds_its_timeout_is_stopped_and_requeued(folder: Path) -> None:
    example = load(
        folder,
        "gigq_core",
        "def long_running_function():\n    while True: pass",
        GUIDE["timeouts"],
        "job_with_timeout.timeout, job_with_timeout.max_attempts = 0.3, 2",
        "JobQueue('jobs.db').submit(job_with_timeout)",
    )
    worker = example.Worker("jobs.db", isolation="process")
    seen = []
    for _ in range(2):
        assert worker.process_one()
        seen.append(status(example, example.job_with_timeout))
    worker.close()
    assert [(found["status"], found["attempts"]) for found in seen] == [
        ("pending", 1),
        ("timeout", 2),
    ]
    assert "timed out after 0.3 seconds" in seen[1]["error"]
    assert [e["status"] for e in seen[1]["executions"]] == ["timeout", "timeout"]


@pytest.mark.parametrize("package", PACKAGES)
def test_retries(folder: Path, package: str) -> None:
    example = load(
        folder,
        package,
        "def potentially_failing_function(): raise OSError('no route')",
        GUIDE["retries"],
        "JobQueue('jobs.db').submit(job_with_retries)",
    )
    worker = example.Worker("jobs.db")
    seen = []
    while worker.process_one():
        found = status(example, example.job_with_retries)
        seen.append((found["status"], found["attempts"], found["error"]))
    error = told(package, "OSError", "no route")
    assert seen == [("pending", n, error) for n in range(1, 5)] + [("failed", 5, error)]


@pytest.mark.parametrize("package", PACKAGES)
def test_retry_delay(folder: Path, package: str) -> None:
    example = load(
        folder,
        package,
        "def call_api(url): raise ConnectionError(url)",
        GUIDE["retry_delay"],
        "JobQueue('jobs.db').submit(job)",
    )
    assert drain(example) == 1
    found = status(example, example.job)
    assert (found["status"], found["attempts"]) == ("pending", 1)
    assert found["retry_after"] > found["updated_at"]


@pytest.mark.parametrize("package", PACKAGES)
def test_dependencies(folder: Path, package: str) -> None:
    example = load(
        folder,
        package,
        "def step_one(): raise ValueError('never completes')",
        "def step_two(): return 'after'",
        GUIDE["dependencies"],
    )
    assert drain(example) == 3
    assert status(example, example.first_job)["status"] == "failed"
    assert status(example, example.second_job)["status"] == "pending"
    example.step_one = lambda: 1
    assert example.queue.requeue_job(example.first_job_id)
    assert drain(example) == 2
    assert status(example, example.second_job)["result"] == "after"


@pytest.mark.parametrize("package", PACKAGES)
def test_error_handling(folder: Path, package: str) -> None:
    example = load(
        folder,
        package,
        GUIDE["error_handling"],
        "job = Job('robust', robust_job_function, {'input_data': 1}, max_attempts=1)",
        "again = Job('robust', robust_job_function, {'input_data': 1}, max_attempts=1)",
        "queue = JobQueue('jobs.db')",
        "queue.submit(job)",
    )
    assert drain(example) == 1
    assert status(example, example.job)["error"] == told(
        package, "NameError", "name 'processed_data' is not defined"
    )
    example.processed_data = [1]
    example.queue.submit(example.again)
    assert drain(example) == 1
    assert status(example, example.again)["result"] == {"status": "success", "result": [1]}


def raw_data(folder: Path) -> None:
    monthly = folder / "data" / "monthly"
    monthly.mkdir(parents=True)
    (monthly / "raw_202301.csv").write_text(
        "date,value,category,note\n2023-01-01,1,a,x\n2023-01-02,,b,y\n2023-01-03,3,c,\n"
    )


EXPECTED = {
    "input_file": "data/monthly/raw_202301.csv",
    "output_file": "data/monthly/processed_202301.csv",
    "initial_rows": 3,
    "final_rows": 2,
    "rows_dropped": 1,
    "columns_kept": ["date", "value", "category"],
}


@pytest.mark.parametrize("package", PACKAGES)
def test_data_processing(folder: Path, package: str, capsys: pytest.CaptureFixture[str]) -> None:
    raw_data(folder)
    example = load(folder, package, GUIDE["data_processing"])
    assert capsys.readouterr().out == f"Submitted job: {example.job_id}\n"
    assert drain(example, "data_processing.db") == 1
    found = status(example, example.csv_job, "data_processing.db")
    assert (found["status"], found["result"]) == ("completed", EXPECTED)
    assert found["description"] == "Process monthly data for January 2023"
    assert (folder / "data/monthly/processed_202301.csv").read_text().count("\n") == 3


@pytest.mark.parametrize("package", PACKAGES)
def test_data_processing_as_a_script_that_works_off_its_own_queue(
    folder: Path, package: str
) -> None:
    if package == "gigq":
        pytest.importorskip("gigq", reason="the package that ours is compared with")
    raw_data(folder)
    script = folder / "script.py"
    work = (
        "import json\n"
        "assert Worker('data_processing.db').process_one()\n"
        "print(json.dumps(queue.get_result(job_id)))\n"
    )
    script.write_text(program(package, GUIDE["data_processing"], work))
    done = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout.splitlines()[-1]) == EXPECTED
