"""What the child processes of a worker keep from job to job, and when they are replaced for it."""

from __future__ import annotations

import os
import subprocess
import sys
import textwrap
import time
from pathlib import Path
from typing import Any, Literal

import pytest

from gigq_core import Job, Worker
from gigq_core.job import FunctionReference
from tests.integration.conftest import Place, stop
from tests.waiting import wait_until


class Project:
    """Modules in a folder of their own, and the worker that runs their functions."""

    def __init__(self, place: Place) -> None:
        self.place = place
        self.folder = place.folder / "project"
        self.folder.mkdir()

    def write(self, path: str, text: str) -> Path:
        target = self.folder.parent / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(textwrap.dedent(text))
        return target

    def submit(self, function: str, **options: Any) -> str:
        module, _, name = function.rpartition(".")
        options.setdefault("max_attempts", 1)
        return self.place.queue.submit(Job(name, FunctionReference(module, name), **options))

    def run(self, function: str, **options: Any) -> Any:
        job = self.place.end(self.submit(function, **options))
        assert job["status"] == "completed", job["error"]
        return job["result"]

    def worker(self, *options: str) -> subprocess.Popen[bytes]:
        return self.place.worker("--chdir", str(self.folder), *options)


@pytest.fixture
def project(place: Place) -> Project:
    return Project(place)


# --- what an import does belongs to the module, and stays ------------------------------------

EFFECTS = """
    import logging, os, signal, socket, sys, threading, warnings
    os.environ["SET_BY_IMPORT"] = "yes"
    os.umask(0o27)
    sys.path.append(os.path.join(os.path.dirname(__file__), "more"))
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    socket.setdefaulttimeout(7)
    logging.basicConfig(level=logging.DEBUG)
    warnings.simplefilter("ignore", ResourceWarning)
    sys.setrecursionlimit(2345)
    file = open(__file__)
    event = threading.Event()
    threading.Thread(target=event.wait, daemon=True).start()

    def found():
        import later_on
        mask = os.umask(0)
        os.umask(mask)
        return [
            os.environ.get("SET_BY_IMPORT"), oct(mask), signal.getsignal(signal.SIGUSR1).name,
            socket.getdefaulttimeout(), logging.root.level, len(logging.root.handlers),
            sys.getrecursionlimit(), file.closed, os.environ.get("SET_LATER_ON"), later_on.__name__,
            warnings.filters[0][0], threading.active_count() > 2, os.getpid(),
        ]

    def spoil():
        found()
        os.environ.clear()
        del sys.path[:]
        os.umask(0)
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)
        socket.setdefaulttimeout(1)
        logging.root.handlers.clear()
        sys.setrecursionlimit(500)
        warnings.resetwarnings()
"""


@pytest.mark.parametrize("where", ["the module of the job", "a module that it imports by itself"])
def test_what_an_import_changed_is_there_for_every_job(project: Project, where: str) -> None:
    project.write("project/effects.py", EFFECTS)
    project.write("project/more/later_on.py", 'import os\nos.environ["SET_LATER_ON"] = "too"\n')
    project.write(
        "project/lazily.py",
        """
        def found():
            import effects
            return effects.found()

        def spoil():
            import effects
            return effects.spoil()
        """,
    )
    module = "effects" if where == "the module of the job" else "lazily"
    project.worker()
    first = project.run(f"{module}.found")
    project.run(f"{module}.spoil")
    second = project.run(f"{module}.found")
    assert first[:2] == ["yes", "0o27"]
    assert second == first


def test_a_module_that_fails_half_way_through_spoils_nothing(project: Project) -> None:
    project.write("project/fails.py", "import os\nos.umask(0o777)\nraise RuntimeError\n")
    project.write(
        "project/good.py",
        "import os\ndef mask():\n    mask = os.umask(0)\n    os.umask(mask)\n    return mask\n",
    )
    project.worker()
    before = project.run("good.mask")
    assert project.place.end(project.submit("fails.nothing"))["status"] == "failed"
    assert project.run("good.mask") == before


def test_the_traceback_of_an_import_is_as_python_gives_it(project: Project) -> None:
    project.write("project/imports.py", "import broken\n")
    project.write("project/broken.py", "1 / 0\n")
    project.worker()
    job = project.place.end(project.submit("imports.nothing"))
    text = job["executions"][0]["traceback"]
    assert "ZeroDivisionError" in text
    assert "importlib" not in text
    assert "runner.py" not in text


def test_what_is_imported_by_a_function_alone_is_no_reason_to_replace_its_process(
    project: Project,
) -> None:
    modules = ("logging", "decimal", "asyncio", "random", "socket", "locale", "ctypes", "resource")
    project.write(
        "project/imports.py",
        """
        def take(name):
            import importlib, os
            importlib.import_module(name)
            return os.getpid()
        """,
    )
    project.worker()
    pids = {project.run("imports.take", params={"name": name}) for name in modules}
    assert len(pids) == 1, project.place.log()


def test_a_connection_that_a_module_keeps_stays_and_keeps_the_process(project: Project) -> None:
    project.write(
        "project/connected.py",
        """
        import os, socket
        server = socket.create_server(("127.0.0.1", 0))
        kept = []

        def use():
            if not kept:
                kept.append(socket.create_connection(server.getsockname()))
            kept[0].getpeername()
            return os.getpid()
        """,
    )
    project.worker()
    assert len({project.run("connected.use") for _ in range(3)}) == 1


# --- changed sources -------------------------------------------------------------------------

VERSION = "import library\n\ndef version():\n    return library.VERSION\n"


def changed(project: Project, worker_options: dict[str, str], library: Path) -> None:
    """The library says 1, is changed, and says 2."""
    project.write("project/uses.py", VERSION)
    library.write_text("VERSION = 1\n")
    before = dict(os.environ)
    os.environ.update(worker_options)
    try:
        project.worker()
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert project.run("uses.version") == 1
    library.write_text("VERSION = 22\n")
    wait_until(lambda: project.run("uses.version") == 22, what="the new version")


def test_a_changed_library_on_the_python_path_is_taken_up(project: Project) -> None:
    library = project.write("elsewhere/library.py", "")
    changed(project, {"PYTHONPATH": str(library.parent)}, library)


def test_a_changed_package_that_is_installed_editably_is_taken_up(project: Project) -> None:
    library = project.write("source/src/library/__init__.py", "")
    environment = project.folder.parent / "environment"
    command = [sys.executable, "-m", "venv", "--without-pip", str(environment)]
    subprocess.run(command, check=True)
    (packages,) = environment.glob("lib/python*/site-packages")
    (packages / "library.pth").write_text(f"{library.parent.parent}\n")
    project.write("project/uses.py", VERSION)
    library.write_text("VERSION = 1\n")
    project.worker("--python", str(environment / "bin" / "python"))
    assert project.run("uses.version") == 1
    library.write_text("VERSION = 22\n")
    wait_until(lambda: project.run("uses.version") == 22, what="the new version")


def test_one_that_is_replaced_by_one_of_the_same_age_and_size_is_taken_up(
    project: Project,
) -> None:
    library = project.write("project/library.py", "VERSION = 1\n")
    project.write("project/uses.py", VERSION)
    project.worker()
    assert project.run("uses.version") == 1
    found = library.stat()
    other = project.write("project/other.py", "VERSION = 2\n")
    os.utime(other, ns=(found.st_atime_ns, found.st_mtime_ns))
    for cached in project.folder.glob("__pycache__/*"):
        cached.unlink()
    os.replace(other, library)
    wait_until(lambda: project.run("uses.version") == 2, what="the new version")


def test_one_that_changes_while_a_job_runs_is_taken_up(project: Project) -> None:
    library = project.write("project/library.py", "VERSION = 1\n")
    project.write(
        "project/uses.py",
        VERSION
        + """
import pathlib, time

def version_after(path):
    pathlib.Path(path + ".begun").touch()
    while not pathlib.Path(path).exists():
        time.sleep(0.01)
    return library.VERSION
""",
    )
    project.worker()
    go = project.folder / "go"
    job_id = project.submit("uses.version_after", params={"path": str(go)})
    wait_until(Path(f"{go}.begun").exists, what="the job to begin")
    library.write_text("VERSION = 22\n")
    go.touch()
    assert project.place.end(job_id)["result"] == 1
    wait_until(lambda: project.run("uses.version") == 22, what="the new version")


def test_one_that_is_renamed_away_is_noticed(project: Project) -> None:
    library = project.write("project/library.py", "VERSION = 1\n")
    project.write("project/uses.py", VERSION)
    project.worker()
    assert project.run("uses.version") == 1
    for cached in project.folder.glob("__pycache__/library*"):
        cached.unlink()
    library.rename(project.folder / "library_of_old.py")

    def is_missed() -> bool:
        return bool(project.place.end(project.submit("uses.version"))["status"] == "failed")

    wait_until(is_missed, what="the library to be missed")
    assert f"{library} has changed" in project.place.log()


# --- how they end ----------------------------------------------------------------------------


def test_a_job_that_is_cancelled_leaves_its_modules_their_end(project: Project) -> None:
    project.write(
        "project/holds.py",
        """
        import atexit, pathlib, time
        here = pathlib.Path(__file__).parent
        atexit.register(lambda: (here / "end").touch())

        def hold():
            (here / "begun").touch()
            time.sleep(60)
        """,
    )
    project.worker()
    job_id = project.submit("holds.hold")
    wait_until((project.folder / "begun").exists, what="the job to begin")
    project.place.queue.cancel(job_id)
    assert project.place.end(job_id)["status"] == "cancelled"
    assert (project.folder / "end").exists()


@pytest.mark.parametrize("takes", ["", "job_context=None"])
def test_what_a_module_holds_open_is_written_out_when_its_process_ends(
    project: Project, takes: str
) -> None:
    """Nothing of ours holds the function, and with it the module, beyond that."""
    project.write(
        "project/reports.py",
        f"""
        import pathlib
        report = open(pathlib.Path(__file__).parent / "report.csv", "w")

        def line({takes}):
            report.write("a line")
        """,
    )
    worker = project.worker()
    assert project.place.end(project.submit("reports.line"))["status"] == "completed"
    worker.terminate()
    assert worker.wait(20) == 0
    assert (project.folder / "report.csv").read_text() == "a line"


@pytest.mark.parametrize("isolation", ["process", "thread"])
@pytest.mark.parametrize("concurrency", [1, 2])
@pytest.mark.parametrize("pause_s", [0, 0.02], ids=["at once", "later"])
def test_a_worker_in_a_script_tries_a_job_again_in_another_process(
    place: Place, isolation: Literal["process", "thread"], concurrency: int, pause_s: float
) -> None:
    """One attempt a call, which has ended by then, whether or not its child can be had at once."""
    (place.folder / "tried.py").write_text(
        "import os\ndef again():\n    raise ValueError(os.getpid())\n"
    )
    again = FunctionReference("tried", "again")
    jobs = [place.queue.submit(Job("again", again, max_attempts=3)) for _ in range(3)]
    worker = Worker(place.db, concurrency=concurrency, isolation=isolation, chdir=place.folder)
    try:
        for call in range(1, 10):
            assert worker.process_one()
            found = [place.job(job_id) for job_id in jobs]
            assert [job["status"] for job in found].count("running") == 0
            assert sum(job["attempts"] for job in found) == call
            time.sleep(pause_s)  # the child that is not to have it again may have gone, or not
        assert not worker.process_one()
    finally:
        worker.close()
    for job in map(place.job, jobs):
        assert (job["status"], job["attempts"]) == ("failed", 3)
        if isolation == "process":
            assert len({execution["error"] for execution in job["executions"]}) == 3


def test_a_drain_waits_for_no_child_beyond_the_grace(project: Project) -> None:
    project.write(
        "project/stays.py",
        "import atexit, time\natexit.register(time.sleep, 600)\ndef nothing():\n    pass\n",
    )
    worker = project.worker("--grace", "0.5", "--concurrency", "2")
    project.run("stays.nothing")
    assert stop(worker) == 0
    assert "did not end within 0.5 s: killed" in project.place.log()


# --- options ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "options",
    [
        ["--jobs-per-child", "0"],
        ["--jobs-per-child", "-3"],
        ["--jobs-per-child", "1.5"],
        ["--jobs-per-child", "many"],
        ["--max-child-memory", "much"],
        ["--max-child-memory", "-1G"],
        ["--max-child-memory", "0"],
        ["--max-child-memory", "500"],
        ["--max-child-memory", "5 parsecs"],
        ["--max-child-memory", "nan"],
        ["--max-child-memory", ""],
        ["--isolation", "thread", "--jobs-per-child", "5"],
        ["--isolation", "thread", "--max-child-memory", "1G"],
    ],
)
def test_nonsense_is_refused_in_a_sentence(place: Place, options: list[str]) -> None:
    command = [sys.executable, "-m", "gigq_core", "--db", str(place.db), "worker", *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert done.stderr.strip().splitlines()[-1].startswith("Error: ")


@pytest.mark.parametrize(
    "options",
    [
        {"jobs_per_child": 0},
        {"jobs_per_child": 1.5},
        {"jobs_per_child": True},
        {"max_child_memory": 10},
        {"max_child_memory": "much"},
        {"max_child_memory": -1},
        {"max_child_memory": 1e9},
    ],
)
def test_a_script_is_refused_it_too(place: Place, options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"child|size"):
        Worker(place.db, isolation="process", **options)
    with pytest.raises(ValueError, match="isolation"):
        Worker(place.db, jobs_per_child=5)
