"""The demo does real work on real files: it drains, and what fails can be mended and retried."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from itertools import pairwise
from pathlib import Path

import pytest

from gigq_core import JobQueue
from gigq_core.changes.canary import failed_groups
from gigq_core.errors import GigQError
from gigq_core.schema.opening import open_read_only
from gigq_tui.demo import DemoSession, inbox, jobs, orders, prepare, source
from tests.waiting import wait_until

# Enough to have every kind of job, and little enough for a test.
PACKAGES = ("encodings", "html", "json", "logging", "urllib", "wsgiref")
MODULES = ("abc.py", "bisect.py", "heapq.py")
FAILING = {f"check {name}" for name in ("latin1.py", "nul.py", "prices.py", "tabs.py")}
DOOMED = {"accept files", "write price list"}


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A small library made of links to the real one."""
    real = source.library_folder()
    small = tmp_path / "library"
    small.mkdir()
    for name in (*PACKAGES, *MODULES):
        if (real / name).exists():
            (small / name).symlink_to(real / name)
    monkeypatch.setattr(source, "library_folder", lambda: small)
    return small


@pytest.fixture
def demo(tmp_path: Path, library: Path) -> DemoSession:
    return prepare(tmp_path / "demo")


@pytest.fixture
def workers(demo: DemoSession) -> Iterator[list[subprocess.Popen[bytes]]]:
    """The demo's workers at work; they are ended with the test."""
    started = [
        subprocess.Popen(
            [demo.python, "-m", "gigq_core", "--db", str(demo.db_path), "worker"],
            cwd=demo.chdir,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for _ in range(demo.workers)
    ]
    yield started
    for _ in range(2):
        for worker in started:
            if worker.poll() is None:
                worker.send_signal(signal.SIGTERM)
    for worker in started:
        worker.wait(20)


def by_status(queue: JobQueue) -> dict[str, set[str]]:
    found: dict[str, set[str]] = {}
    for job in queue.list_jobs(limit=1_000):
        found.setdefault(job["status"], set()).add(job["name"])
    return found


def test_the_demo_drains_and_the_operator_mends_what_failed(
    demo: DemoSession, workers: list[subprocess.Popen[bytes]]
) -> None:
    queue = JobQueue(demo.db_path)

    def drained() -> dict[str, set[str]] | None:
        found = by_status(queue)
        return found if found.get("pending") == DOOMED and "running" not in found else None

    found = wait_until(drained, timeout_s=60, what="the demo to drain")
    assert found["failed"] >= FAILING
    priced = {name for name in found["failed"] if name.startswith("price ")}
    assert len(priced) == orders.NUMBER
    assert all(name.startswith("check ") for name in found["failed"] - priced)
    assert "check packs" not in found["failed"]
    assert found["timeout"] == {"find twins"}
    assert {"inventory", "write report", "write page", "first totals"} <= found["completed"]
    assert {f"measure {name}" for name in PACKAGES} <= found["completed"]

    all_jobs = {job["name"]: job for job in queue.list_jobs(limit=1_000)}
    assert all_jobs["first totals"]["attempts"] > 1
    retried = queue.get_status(all_jobs["first totals"]["id"])
    assert retried is not None
    assert retried["retry"]["base"] == 1
    assert retried["workflow"] == "library report"
    stalls = [queue.get_status(job["id"]) for name, job in all_jobs.items() if "clones" in name]
    assert {job["stall_timeout"] for job in stalls if job and job["name"] != "merge clones"} == {60}
    # The twins were stopped on their way, and had told how far they were.
    twins = queue.get_status(all_jobs["find twins"]["id"])
    assert twins is not None
    assert 0 <= twins["progress"]["done"] < twins["progress"]["total"]
    measured = queue.get_status(all_jobs["measure json"]["id"])
    assert measured is not None
    assert measured["progress"]["percent"] == 100
    assert all_jobs["check prices.py"]["attempts"] == 2
    assert "never closed" in all_jobs["check prices.py"]["error"]
    assert "json" in (demo.folder / "report.md").read_text("utf-8")
    assert "<table>" in (demo.folder / "report.html").read_text("utf-8")
    what_stands_around_the_jobs(demo, queue)

    prices = demo.folder / inbox.FOLDER / inbox.BROKEN
    prices.write_text(prices.read_text().replace("(1 + RATE)\n", "(1 + RATE))\n", 1))
    assert queue.requeue_job(all_jobs["check prices.py"]["id"])
    wait_until(
        lambda: queue.get_status(all_jobs["write price list"]["id"])["status"] == "completed",
        what="the price list",
    )
    assert "prices.py" in (demo.folder / "prices.md").read_text()
    canary_of_the_orders(demo)
    assert all(worker.poll() is None for worker in workers)


def what_stands_around_the_jobs(demo: DemoSession, queue: JobQueue) -> None:
    """Packs are submitted by a job and kept to their lane; hook and schedule have worked."""
    packs = [job for job in queue.list_jobs(limit=1_000) if job["name"].startswith("pack ")]
    packs = [job for job in packs if job["name"] != "pack the largest"]
    whole = {job["name"]: queue.get_status(job["id"]) for job in queue.list_jobs(limit=1_000)}
    planner, checked = whole["pack the largest"], whole["check packs"]
    assert planner is not None
    assert checked is not None
    assert checked["status"] == "completed", checked["error"]
    assert len(packs) == planner["result"]["packages"] == checked["result"]["packs"] > 0
    lanes: dict[str, list[tuple[str, str]]] = {}
    for job in packs:
        told = queue.get_status(job["id"])
        assert told is not None
        assert (told["status"], told["submitted_by"]) == ("completed", planner["id"])
        lanes.setdefault(told["lane"], []).append((told["started_at"], told["completed_at"]))
    assert set(lanes) == {"pack:modules", "pack:packages"}
    for times in lanes.values():
        times.sort()
        assert all(ended <= began for (_, ended), (began, _) in pairwise(times))
    # Each pack asked for the list, and what it shows is all of them.
    assert whole["list packs"] is not None
    listed = (demo.folder / "packs.md").read_text("utf-8").splitlines()
    assert len(listed) == len(packs)
    assert len([j for j in queue.list_jobs(limit=1_000) if j["name"] == "list packs"]) <= len(packs)

    (hook,) = queue.hooks()
    wait_until(lambda: (demo.folder / jobs.FAILURES).exists(), what="the hook's job")
    noted = (demo.folder / jobs.FAILURES).read_text("utf-8")
    assert "failed, " in noted
    # A line for many.
    assert hook.jobs < hook.told
    (schedule,) = queue.schedules()
    assert (schedule.name, schedule.paused_at, schedule.trouble) == ("stock", None, "")
    wait_until(lambda: (demo.folder / jobs.STOCK).exists(), timeout_s=40, what="the schedule's job")
    assert "measured" in (demo.folder / jobs.STOCK).read_text("utf-8")


def canary_of_the_orders(demo: DemoSession) -> None:
    """The orders are one group; with the rates in their place a canary of it passes."""
    with closing(open_read_only(demo.db_path)) as conn:
        (group,) = [g for g in failed_groups(conn, "") if len(g.jobs) == orders.NUMBER]
    os.rename(demo.folder / orders.ARRIVED, demo.folder / orders.RATES)
    command = [sys.executable, "-m", "gigq_core", "--db", str(demo.db_path), "retry"]
    command += ["--failure", group.fingerprint, "--canary", "10", "--rest", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    told = json.loads(done.stdout)
    assert (told["passed"] + told["failed_again"], told["may_go_on"]) == (10, True)
    assert told["retried_rest"] == orders.NUMBER - 10
    left = 2  # of a currency that has no rate
    wait_until(
        lambda: len(list((demo.folder / orders.FOLDER).glob("*.priced"))) == orders.NUMBER - left,
        what="the orders to be priced",
    )


def test_a_job_broken_on_purpose_is_mended_by_writing_the_file(
    demo: DemoSession, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(demo.folder)
    with pytest.raises(FileNotFoundError, match=r"inbox/mine\.py"):
        jobs.check_file("inbox/mine.py")
    Path("inbox/mine.py").write_text("def mine():\n    return 1\n")
    assert jobs.check_file("inbox/mine.py")["functions"] == 1


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("prices.py", "never closed"),
        ("latin1.py", "encoding"),
        ("tabs.py", "inconsistent use of tabs"),
        ("nul.py", "null bytes"),
    ],
)
def test_a_broken_source_fails_for_the_reason_it_is_broken(
    demo: DemoSession, monkeypatch: pytest.MonkeyPatch, name: str, says: str
) -> None:
    monkeypatch.chdir(demo.folder)
    with pytest.raises((SyntaxError, ValueError), match=says):
        jobs.check_file(f"inbox/{name}")


def test_what_is_measured_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "one.py"
    file.write_text("import os\n\n# a note\ndef f(n):\n    if n and n > 1:\n        return os\n")
    Path("manifest.json").write_text(json.dumps({"one": [{"path": str(file)}]}))
    found = jobs.measure_package("one")
    assert {k: found[k] for k in ("files", "lines", "code_lines", "comments", "functions")} == {
        "files": 1,
        "lines": 6,
        "code_lines": 4,
        "comments": 1,
        "functions": 1,
    }
    assert (found["knottiest"], found["complexity"]) == ("f", 3)
    assert jobs.imports_of_package("one")["imports"] == {"os": 1}


def test_the_real_library_gives_a_full_queue(tmp_path: Path) -> None:
    demo = prepare(tmp_path / "demo")
    stats = JobQueue(demo.db_path).stats()
    assert 80 <= stats["total"] <= 170
    assert stats["pending"] == stats["total"]
    assert demo.python == sys.executable
    assert demo.chdir == demo.folder == (tmp_path / "demo").resolve()


def test_the_failure_that_blocks_others_is_the_newest_so_the_tour_begins_with_it(
    demo: DemoSession,
) -> None:
    newest = JobQueue(demo.db_path).list_jobs(limit=len(DOOMED) + 1)
    assert {job["name"] for job in newest[:-1]} == DOOMED
    assert newest[-1]["name"] == f"check {inbox.BROKEN}"


def test_a_demo_is_gone_on_with_and_nothing_else_is_overwritten(
    demo: DemoSession, tmp_path: Path
) -> None:
    queue = JobQueue(demo.db_path)
    before = queue.stats()
    assert prepare(demo.folder) == demo
    assert queue.stats() == before
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.txt").write_text("dear to somebody")
    with pytest.raises(GigQError, match="not empty"):
        prepare(other)
    with pytest.raises(GigQError, match="can't be used"):
        prepare(other / "thesis.txt")
    assert os.listdir(other) == ["thesis.txt"]


def test_a_demo_without_a_folder_makes_one_among_the_temporary_files(
    library: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    demo = prepare()
    assert demo.folder.parent == tmp_path.resolve()
    assert demo.folder.name.startswith("gigq-demo-")


def test_an_interpreter_without_sources_gets_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source, "library_folder", lambda: tmp_path / "nowhere")
    with pytest.raises(GigQError, match="another"):
        prepare(tmp_path / "demo")


def test_the_jobs_need_only_the_standard_library() -> None:
    ask = (
        "import sys, gigq_tui.demo.jobs\n"
        "print(sorted({name.partition('.')[0] for name in sys.modules}\n"
        "             - set(sys.stdlib_module_names)))"
    )
    said = subprocess.run(
        [sys.executable, "-c", ask], capture_output=True, text=True, check=True, timeout=60
    ).stdout
    foreign = {name for name in json.loads(said.replace("'", '"')) if not name.startswith("_")}
    assert foreign == {"gigq_tui"}
