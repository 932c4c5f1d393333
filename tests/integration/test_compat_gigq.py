"""One script, two packages: the public `gigq` 0.5.1 and ours give the same answers."""

from __future__ import annotations

import importlib
import inspect
import json
import re
import shutil
import sqlite3
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

import gigq_core
from gigq_core.schema import ddl

gigq = pytest.importorskip("gigq", reason="the package that ours is compared with")

UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?")
# And what our package says of a job or an attempt besides.
OUR_COLUMNS = {column for _, column, _ in ddl.OUR_COLUMNS} | {
    "blocked",
    "duplicate_of",
    "give_up_on",
    "on_timeout",
    "ours",
    "progress",
    "retry",
    "retry_on",
    "run_after",
    "run_at",
    "unique",
}

FUNCTIONS = """
from pathlib import Path

def double(x=1):
    return {"twice": 2 * x}

def nothing():
    return None

def zero():
    return 0

def broken(why="no luck"):
    raise ValueError(why)

def total(parent_results, factor=1):
    return factor * sum(found["twice"] for found in parent_results.values())

def anything(**given):
    return given

def alone():
    return "ran"

def leave_a_mark(n):
    with open("marks.txt", "a") as marks:
        marks.write(f"{n}\\n")
    return n
"""


class Play:
    """One package on a file of its own; what it answers is put on record, ids and times aside."""

    def __init__(self, package: ModuleType, db: Path) -> None:
        self.package = package
        self.functions = importlib.import_module("functions")
        self.queue = package.JobQueue(str(db))
        self.worker = package.Worker(str(db), worker_id="w1", polling_interval=1)
        self.record: list[Any] = []
        self._names: dict[str, str] = {}

    def job(self, name: str, function: str, **options: Any) -> Any:
        return self.package.Job(name=name, function=getattr(self.functions, function), **options)

    def submit(self, name: str, function: str = "double", **options: Any) -> str:
        job_id: str = self.queue.submit(self.job(name, function, **options))
        return job_id

    def note(self, *values: Any) -> None:
        self.record.extend(self._plain(value) for value in values)

    def _plain(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {
                self._plain(key): self._plain(self._as_theirs(item) if key == "error" else item)
                for key, item in value.items()
                if key not in OUR_COLUMNS
            }
        if isinstance(value, (list, tuple)):
            return [self._plain(item) for item in value]
        if isinstance(value, str):
            named = UUID.sub(lambda m: self._names.setdefault(m[0], f"id{len(self._names)}"), value)
            return TIME.sub("TIME", named)
        return value

    def _as_theirs(self, error: Any) -> Any:
        """Our errors begin with the exception's type, which GigQ's leave out."""
        if self.package is gigq_core and isinstance(error, str):
            return error.removeprefix("ValueError: ")
        return error


def submitted(play: Play) -> None:
    job = play.job("first", "double", params={"x": 4}, priority=3, description="a note")
    play.note(play.queue.submit(job) == job.id)
    play.note(play.queue.get_status(job.id))
    play.note(play.queue.get_status("unknown"))
    play.note({k: v for k, v in vars(job).items() if k != "function"})


def completed(play: Play) -> None:
    job_id = play.submit("first", params={"x": 4})
    play.note(play.queue.get_result(job_id))
    play.note(play.worker.process_one(), play.worker.process_one())
    play.note(play.queue.get_status(job_id), play.queue.get_result(job_id))
    play.note(play.worker.current_job_id, play.worker.running)


def results_that_are_nothing(play: Play) -> None:
    for function in ("nothing", "zero"):
        job_id = play.submit(function, function)
        play.worker.process_one()
        play.note(play.queue.get_result(job_id), play.queue.get_status(job_id)["result"])
    try:
        play.queue.get_result("unknown")
    except KeyError:
        play.note("KeyError")


def failed_and_tried_again(play: Play) -> None:
    job_id = play.submit("bad", "broken", max_attempts=2)
    for _ in range(3):
        play.note(play.worker.process_one(), play.queue.get_status(job_id))
    play.note(play.queue.requeue_job(job_id), play.queue.get_status(job_id))
    play.note(play.worker.process_one(), play.queue.get_status(job_id)["status"])


def waiting_before_the_next_attempt(play: Play) -> None:
    job_id = play.submit("bad", "broken", max_attempts=2, retry_delay=60)
    play.note(play.worker.process_one(), play.queue.get_status(job_id))
    play.note(play.worker.process_one())


def cancelled(play: Play) -> None:
    waiting, done = play.submit("waiting"), play.submit("done", priority=9)
    play.worker.process_one()
    play.note(play.queue.cancel(waiting), play.queue.cancel(waiting), play.queue.cancel(done))
    play.note(play.queue.cancel("unknown"), play.queue.get_status(waiting))
    play.note(play.queue.requeue_job(waiting), play.queue.requeue_job(done))
    play.note(play.queue.requeue_job("unknown"), play.queue.get_status(waiting))


def listed_and_counted(play: Play) -> None:
    ids = [play.submit(f"job{n}", priority=n) for n in range(4)]
    play.queue.cancel(ids[0])
    play.worker.process_one()
    status = play.package.JobStatus
    play.note(play.queue.list_jobs(), play.queue.list_jobs(limit=2))
    play.note(play.queue.list_jobs(status.PENDING), play.queue.list_jobs("cancelled", 1))
    play.note(play.queue.list_jobs(status=status.TIMEOUT), play.queue.stats())


def cleared(play: Play) -> None:
    ids = [play.submit(f"job{n}") for n in range(4)]
    play.submit("bad", "broken", max_attempts=1, priority=9)
    play.worker.process_one()
    play.worker.process_one()
    play.queue.cancel(ids[3])
    play.note(play.queue.clear_completed("2000-01-01T00:00:00"))
    play.note(play.queue.clear_completed(before_timestamp="2999-01-01T00:00:00"))
    play.note(play.queue.stats(), play.queue.clear_completed(), play.queue.stats())


def in_order_of_priority(play: Play) -> None:
    for n, priority in enumerate((0, 5, -10, 5, 100)):
        play.submit(f"job{n}", priority=priority)
    order = []
    while play.worker.process_one():
        newest = play.queue.list_jobs("completed")
        order.append(sorted(newest, key=lambda job: str(job["completed_at"]))[-1]["name"])
    play.note(order)


def given_the_parents_results(play: Play) -> None:
    parents = [play.submit(f"parent{n}", params={"x": n}) for n in (1, 2)]
    children = [
        play.submit("auto", "total", params={"factor": 10}, dependencies=parents),
        play.submit("kwargs", "anything", dependencies=parents),
        play.submit("without", "alone", dependencies=parents),
        play.submit("never", "anything", dependencies=parents, pass_parent_results=False),
        play.submit("forced", "alone", dependencies=parents, pass_parent_results=True),
        play.submit("no parents", "anything", pass_parent_results=True),
    ]
    while play.worker.process_one():
        pass
    for child in children:
        found = play.queue.get_status(child)
        play.note(found["status"], found["result"], found["pass_parent_results"], found["attempts"])


def held_by_an_unfinished_parent(play: Play) -> None:
    parent = play.submit("bad", "broken", max_attempts=1)
    child = play.submit("child", dependencies=[parent])
    play.note(play.worker.process_one(), play.worker.process_one(), play.worker.process_one())
    play.note(play.queue.get_status(child))


def a_workflow(play: Play) -> None:
    plan = play.package.Workflow("plan")
    first = plan.add_job(play.job("first", "double"))
    task = play.package.task(timeout=60, name="second")(play.functions.total)
    second = plan.add_task(task, params={"factor": 3}, depends_on=[first])
    third = plan.add_task(task, pass_parent_results=False)
    play.note(plan.name, len(plan.jobs), plan.job_map[first.id] is first)
    play.note(plan.submit_all(play.queue) == [first.id, second.id, third.id])
    play.note(second.dependencies == [first.id], third.pass_parent_results)
    try:
        plan.add_task(play.functions.double)
    except TypeError:
        play.note("TypeError")
    play.note(play.queue.get_status(second.id))


def a_task(play: Play) -> None:
    plain = play.package.task(play.functions.double)
    tuned = play.package.task(priority=4, retry_delay=2, description="d")(play.functions.double)
    play.note(plain(x=5), plain.__name__, repr(plain), repr(tuned))
    play.note(play.queue.get_status(tuned.submit(play.queue, x=1)))
    job = plain.to_job(x=2)
    play.note(job.name, job.params, job.timeout, job.function is play.functions.double)
    for wrong in (lambda: play.package.task(nme="x")(play.functions.double), plain_twice(play)):
        try:
            wrong()
        except TypeError:
            play.note("TypeError")


def plain_twice(play: Play) -> Callable[[], Any]:
    return lambda: play.package.task(play.package.task(play.functions.double))


def closed_and_used_again(play: Play) -> None:
    play.submit("first")
    play.queue.close()
    play.note(play.queue.stats())
    play.worker.close()
    play.note(play.worker.process_one(), play.worker.close(), play.queue.close())
    play.note(play.package.close_connections(), play.queue.stats())


SCENARIOS = [
    submitted,
    completed,
    results_that_are_nothing,
    failed_and_tried_again,
    waiting_before_the_next_attempt,
    cancelled,
    listed_and_counted,
    cleared,
    in_order_of_priority,
    given_the_parents_results,
    held_by_an_unfinished_parent,
    a_workflow,
    a_task,
    closed_and_used_again,
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the functions, which is the current one and first on the path."""
    (tmp_path / "functions.py").write_text(FUNCTIONS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "functions", raising=False)
    yield tmp_path
    gigq.close_connections()


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda scenario: str(scenario.__name__))
def test_the_same_script_gives_the_same_answers(
    scenario: Callable[[Play], None], folder: Path
) -> None:
    theirs, ours = Play(gigq, folder / "theirs.db"), Play(gigq_core, folder / "ours.db")
    scenario(theirs)
    scenario(ours)
    assert theirs.record
    assert ours.record == theirs.record


# --- names and signatures --------------------------------------------------------------------


def test_every_public_name_is_there() -> None:
    assert set(gigq.__all__) <= set(gigq_core.__all__)
    assert all(hasattr(gigq_core, name) for name in gigq_core.__all__)
    assert [s.name for s in gigq_core.JobStatus] == [s.name for s in gigq.JobStatus]
    assert [s.value for s in gigq_core.JobStatus] == [s.value for s in gigq.JobStatus]


def callables(package: ModuleType) -> dict[str, Callable[..., Any]]:
    """Every public function and method of the package's public names."""
    found: dict[str, Callable[..., Any]] = {}
    for name in ("Job", "JobQueue", "Worker", "Workflow"):
        found[name] = thing = getattr(package, name)
        for attribute, value in inspect.getmembers(thing, callable):
            if not attribute.startswith("_"):
                found[f"{name}.{attribute}"] = value
    wrapper = type(package.task(len_of))
    for method in ("__call__", "to_job", "submit"):
        found[f"task.{method}"] = getattr(wrapper, method)
    for name in ("close_connections", "setup_logging", "task"):
        found[name] = getattr(package, name)
    return found


def len_of(text: str) -> int:
    return len(text)


@pytest.mark.parametrize("name", sorted(callables(gigq)))
def test_a_signature_takes_all_that_gigqs_takes(name: str) -> None:
    theirs, ours = parameters(callables(gigq)[name]), parameters(callables(gigq_core)[name])
    shared = [p for p in ours if p.name in {q.name for q in theirs}]
    extra = [p for p in ours if p not in shared]
    assert [(p.name, p.kind, p.default) for p in shared] == [
        (p.name, p.kind, p.default) for p in theirs
    ]
    assert all(is_optional(p) for p in extra)


def is_optional(parameter: inspect.Parameter) -> bool:
    """Whether a call may be made without it: what is given by position is refused in a sentence."""
    if parameter.kind is parameter.VAR_POSITIONAL:
        return True
    return parameter.kind is parameter.KEYWORD_ONLY and parameter.default is not parameter.empty


def parameters(function: Callable[..., Any]) -> list[inspect.Parameter]:
    found = inspect.signature(function).parameters.values()
    return [parameter for parameter in found if parameter.name != "self"]


# --- one file, both packages -----------------------------------------------------------------


def submit(package: ModuleType, db: Path, name: str, function: str, **options: Any) -> str:
    functions = importlib.import_module("functions")
    job = package.Job(name=name, function=getattr(functions, function), **options)
    job_id: str = package.JobQueue(str(db)).submit(job)
    return job_id


@pytest.mark.parametrize("release", ["0.1.0", "0.5.1"])
def test_a_file_of_gigqs_is_read_the_same_by_both(
    release: str, folder: Path, data_folder: Path
) -> None:
    shutil.copy(data_folder / f"gigq-{release}.db", folder / "theirs.db")
    shutil.copy(data_folder / f"gigq-{release}.db", folder / "ours.db")
    theirs = gigq.JobQueue(str(folder / "theirs.db"))
    ours = gigq_core.JobQueue(folder / "ours.db")
    assert ours.stats() == theirs.stats()
    for job in theirs.list_jobs():
        status = ours.get_status(job["id"])
        expected = theirs.get_status(job["id"])
        executions, expected_executions = status.pop("executions"), expected.pop("executions")
        assert {k: v for k, v in status.items() if k in expected} == expected
        assert [
            {k: v for k, v in e.items() if k not in OUR_COLUMNS} for e in executions
        ] == expected_executions
        assert ours.get_result(job["id"]) == theirs.get_result(job["id"])
    assert [j["id"] for j in ours.list_jobs()] == [j["id"] for j in theirs.list_jobs()]


@pytest.mark.parametrize(("first", "second"), [(gigq, gigq_core), (gigq_core, gigq)])
def test_either_package_goes_on_with_the_others_file(
    first: ModuleType, second: ModuleType, folder: Path
) -> None:
    db = folder / "shared.db"
    parent = submit(first, db, "parent", "double", params={"x": 3})
    child = submit(first, db, "child", "total", dependencies=[parent])
    bad = submit(first, db, "bad", "broken", max_attempts=1, priority=-1)
    queue, worker = second.JobQueue(str(db)), second.Worker(str(db), worker_id="second")
    assert queue.stats()["pending"] == 3
    assert [worker.process_one() for _ in range(4)] == [True, True, True, False]
    asked = first.JobQueue(str(db))
    assert asked.get_result(parent) == {"twice": 6}
    assert asked.get_result(child) == 6
    # The one thing in which our worker says more.
    kind = "ValueError: " if second is gigq_core else ""
    assert asked.get_status(bad)["error"] == f"{kind}no luck"
    assert asked.requeue_job(bad)
    assert queue.cancel(bad)
    assert asked.stats() == {**queue.stats(), "completed": 2, "cancelled": 1, "total": 3}
    assert queue.clear_completed() == 3
    assert asked.stats()["total"] == 0


def test_gigqs_worker_leaves_a_blocked_job_of_ours_alone(folder: Path) -> None:
    db = folder / "shared.db"
    later = gigq_core.Job("parent", importlib.import_module("functions").double)
    child = submit(gigq_core, db, "child", "total", dependencies=[later.id])
    worker = gigq.Worker(str(db), worker_id="theirs")
    assert not worker.process_one()
    gigq_core.JobQueue(db).submit(later)
    assert [worker.process_one() for _ in range(3)] == [True, True, False]
    assert gigq.JobQueue(str(db)).get_result(child) == 2


def test_gigqs_requeue_of_a_doomed_job_does_not_free_it(folder: Path) -> None:
    db = folder / "shared.db"
    parent = submit(gigq_core, db, "bad", "broken", max_attempts=1)
    child = submit(gigq_core, db, "child", "double", dependencies=[parent])
    theirs = gigq.JobQueue(str(db))
    worker = gigq.Worker(str(db), worker_id="theirs")
    assert worker.process_one()
    assert theirs.cancel(child)
    assert theirs.requeue_job(child)
    assert not worker.process_one()
    assert theirs.get_status(child)["status"] == "pending"


def test_gigqs_timeout_scan_and_late_completion_change_nothing_of_ours(folder: Path) -> None:
    db = folder / "shared.db"
    job_id = submit(gigq_core, db, "long", "double", timeout=1)
    conn = sqlite3.connect(db)
    with conn:
        conn.execute(
            "UPDATE jobs SET status = 'running', execution_id = 'token', worker_id = 'ours',"
            " attempts = 1, started_at = '2020-01-01T00:00:00' WHERE id = ?",
            (job_id,),
        )
    conn.close()
    worker = gigq.Worker(str(db), worker_id="theirs")
    assert not worker.process_one()
    worker._complete_job(job_id, "another", gigq.JobStatus.COMPLETED, result=1)
    status = gigq.JobQueue(str(db)).get_status(job_id)
    assert (status["status"], status["execution_id"]) == ("running", "token")


def test_both_kinds_of_workers_share_a_file(folder: Path) -> None:
    db = folder / "shared.db"
    jobs = 40
    for n in range(jobs):
        package = gigq if n % 2 else gigq_core
        submit(package, db, f"mark{n}", "leave_a_mark", params={"n": n})
    workers = [
        gigq.Worker(str(db), worker_id="theirs"),
        gigq_core.Worker(db, worker_id="ours"),
    ]
    while sum(worker.process_one() for worker in workers):
        pass
    marks = sorted(int(line) for line in (folder / "marks.txt").read_text().split())
    assert marks == list(range(jobs))
    done = gigq_core.JobQueue(db).list_jobs("completed")
    assert len(done) == jobs
    conn = sqlite3.connect(db)
    held = dict(conn.execute("SELECT worker_id, COUNT(*) FROM job_executions GROUP BY 1"))
    conn.close()
    assert sum(held.values()) == jobs
    assert set(held) >= {"theirs", "ours"}
    assert min(held.values()) >= jobs // 4


def test_results_are_stored_as_gigq_stores_them(folder: Path) -> None:
    db = folder / "shared.db"
    job_id = submit(gigq_core, db, "odd", "anything", params={"text": "naïve 🚀", "n": [1, None]})
    gigq_core.Worker(db).process_one()
    conn = sqlite3.connect(db)
    (raw,) = conn.execute("SELECT result FROM jobs WHERE id = ?", (job_id,)).fetchone()
    conn.close()
    assert raw == json.dumps({"text": "naïve 🚀", "n": [1, None]})
