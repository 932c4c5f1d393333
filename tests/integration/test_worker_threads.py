"""Workers inside a script: threads, functions of `__main__`, the calls that GigQ has."""

from __future__ import annotations

import logging
import os
import signal
import subprocess
import sys
import textwrap
import threading
from pathlib import Path

import pytest

from gigq_core import Job, Worker
from gigq_core.errors import DatabaseMissing, WorkerIdInUse
from tests.integration import chores
from tests.integration.conftest import BEGUN_BY_S, ROOT, Place
from tests.waiting import wait_until


def run_script(folder: Path, text: str) -> subprocess.CompletedProcess[str]:
    script = folder / "script.py"
    script.write_text(textwrap.dedent(text))
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, str(script)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_a_script_submits_and_runs_its_own_functions(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        from gigq_core import Job, JobQueue, Worker, task

        def double(n):
            print("doubling", n)
            return 2 * n

        @task(max_attempts=1)
        def triple(n, parent_results):
            return [3 * n, list(parent_results.values())]

        queue = JobQueue("jobs.db")
        first = queue.submit(Job("double", double, {"n": 4}))
        job = triple.to_job(n=5)
        job.dependencies = [first]
        second = queue.submit(job)
        worker = Worker("jobs.db", worker_id="mine")
        assert worker.current_job_id is None
        while worker.process_one():
            pass
        print(queue.get_result(first), queue.get_result(second))
        worker.close()
        queue.close()
        """,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["doubling 4", "8 [15, [8]]"]


def test_functions_of_a_script_stay_for_a_worker_that_has_them(place: Place) -> None:
    """No attempt is burnt by a worker elsewhere."""
    job_id = place.submit(chores.nothing, priority=9)
    place.change("UPDATE jobs SET function_module = '__main__' WHERE id = ?", job_id)
    place.worker()
    threaded = place.worker("--isolation", "thread")
    assert place.end(place.submit(chores.nothing))["status"] == "completed"
    assert threaded.poll() is None
    job = place.job(job_id)
    assert (job["status"], job["attempts"]) == ("pending", 0)


def test_a_script_keeps_one_order_for_its_own_and_other_functions(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        from gigq_core import Job, JobQueue, Worker
        from tests.integration import chores

        def own(path, text):
            return chores.note(path, text)

        queue = JobQueue("jobs.db")
        for number, (function, priority) in enumerate(
            [(own, 0), (chores.note, 5), (own, 5), (chores.note, 9), (own, 9), (chores.note, 0)]
        ):
            params = {"path": "order", "text": f"{priority} {number}"}
            queue.submit(Job("j", function, params, priority=priority))
        worker = Worker("jobs.db")
        while worker.process_one():
            pass
        print(open("order").read().split("\\n"))
        """,
    )
    assert done.stderr == ""
    assert eval(done.stdout) == ["9 3", "9 4", "5 1", "5 2", "0 0", "0 5", ""]


def test_start_blocks_until_stop_is_called(place: Place) -> None:
    worker = Worker(place.db, concurrency=3)
    assert not worker.running
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        ids = [place.submit(chores.add, params={"a": n, "b": 1}) for n in range(10)]
        assert [job["result"] for job in place.ended(*ids)] == list(range(1, 11))
        assert worker.running
        assert thread.is_alive()
    finally:
        worker.stop()
        thread.join(timeout=10)
    assert not thread.is_alive()
    assert not worker.running
    assert worker.exit_code == 0
    assert place.live_workers() == set()
    worker.close()


def test_a_timeout_stops_python_code_in_its_thread(place: Place, tmp_path: Path) -> None:
    worker = Worker(place.db, concurrency=2)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        params = {"path": str(tmp_path / "spun")}
        job = place.end(
            place.submit(chores.spin, params=params, timeout=BEGUN_BY_S, max_attempts=1)
        )
        assert (job["status"], job["error"]) == ("timeout", "Job timed out after 2 seconds")
        assert "JobTimeout" in job["executions"][0]["traceback"]
        ident = int(place.lines("spun")[0])
        wait_until(lambda: ident not in {t.ident for t in threading.enumerate()})
        assert place.end(place.submit(chores.nothing))["status"] == "completed"
    finally:
        worker.stop()
        thread.join(timeout=10)


def test_a_function_that_does_not_end_keeps_its_job(place: Place, tmp_path: Path) -> None:
    worker = Worker(place.db, concurrency=2)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        params = {"path": str(tmp_path / "slept"), "seconds": 1.0}
        job_id = place.submit(chores.sleep_stubbornly, params=params, timeout=0.2, max_attempts=2)
        job = place.end(job_id)
        # The second attempt began after the first had ended.
        assert place.lines("slept", 4) == ["begun", "ended", "begun", "ended"]
        assert [e["status"] for e in job["executions"]] == ["timeout", "timeout"]
    finally:
        worker.stop()
        thread.join(timeout=10)


def test_a_running_job_in_a_thread_can_be_cancelled(place: Place, tmp_path: Path) -> None:
    worker = Worker(place.db)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        job_id = place.submit(chores.spin, params={"path": str(tmp_path / "spun")})
        place.lines("spun")
        assert worker.current_job_id == job_id
        assert place.queue.cancel(job_id)
        assert place.end(job_id)["status"] == "cancelled"
    finally:
        worker.stop()
        thread.join(timeout=10)
    assert worker.current_job_id is None


def test_process_one_tells_whether_there_was_a_job(place: Place) -> None:
    worker = Worker(place.db)
    assert worker.process_one() is False
    assert place.rows("SELECT 1 FROM core_workers") == []
    bad = place.submit(chores.fail, max_attempts=1)
    assert worker.process_one() is True
    assert place.status(bad) == "failed"
    place.queue.pause()
    place.submit(chores.nothing)
    assert worker.process_one() is False
    place.queue.resume()
    assert worker.process_one() is True
    assert place.live_workers() == set()
    worker.close()


def test_process_one_respects_delays_and_dependencies(place: Place) -> None:
    worker = Worker(place.db)
    parent = place.submit(chores.fail, max_attempts=2, retry_delay=60)
    place.submit(chores.nothing, dependencies=[parent])
    assert worker.process_one() is True
    assert worker.process_one() is False
    worker.close()


def test_two_threads_of_one_script_can_process(place: Place) -> None:
    ids = [place.submit(chores.nothing) for _ in range(20)]
    worker = Worker(place.db)

    def drain() -> None:
        while worker.process_one():
            pass

    threads = [threading.Thread(target=drain) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=20)
    worker.close()
    assert {place.status(job_id) for job_id in ids} == {"completed"}


def test_signals_end_a_script_as_gigqs_users_expect(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        import os, signal, threading
        from gigq_core import Job, JobQueue, Worker

        def stop_me():
            os.kill(os.getpid(), signal.SIGTERM)
            return "finished"

        queue = JobQueue("jobs.db")
        job_id = queue.submit(Job("j", stop_me))
        before = signal.getsignal(signal.SIGTERM)
        worker = Worker("jobs.db")
        print(worker.start())
        print(queue.get_result(job_id), worker.exit_code)
        assert signal.getsignal(signal.SIGTERM) is before
        """,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["None", "finished 0"]


def test_a_keyboard_interrupt_in_process_one_gives_the_job_back(tmp_path: Path) -> None:
    done = run_script(
        tmp_path,
        """
        import os, signal, time
        from gigq_core import Job, JobQueue, Worker

        def interrupted():
            os.kill(os.getpid(), signal.SIGINT)
            while True:
                time.sleep(0.01)

        queue = JobQueue("jobs.db")
        job_id = queue.submit(Job("j", interrupted))
        worker = Worker("jobs.db")
        try:
            worker.process_one()
        except KeyboardInterrupt:
            print("interrupted")
        job = queue.get_status(job_id)
        print(job["status"], job["attempts"])
        """,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["interrupted", "pending 0"]


@pytest.mark.parametrize("given", [0, 1, 2])
def test_jobs_wait_for_threads_that_the_system_does_not_give(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, given: int
) -> None:
    plainly, left, more = threading.Thread.start, list(range(given)), threading.Event()

    def start(thread: threading.Thread) -> None:
        if thread.name.startswith("short-of-threads-") and not more.is_set():
            if not left:
                raise RuntimeError("can't start new thread")
            left.pop()
        plainly(thread)

    caplog.set_level("WARNING", "gigq_core.worker")
    monkeypatch.setattr(logging.getLogger("gigq_core"), "propagate", True)
    monkeypatch.setattr("gigq_core.worker.threads.MORE_AGAIN_S", 0.05)
    monkeypatch.setattr(threading.Thread, "start", start)
    ids = [place.submit(chores.nothing, max_attempts=1) for _ in range(20)]
    worker = Worker(place.db, "short-of-threads", concurrency=3)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        told = f"{given} of 3 slots can run jobs for now: can't start new thread"
        wait_until(lambda: told in caplog.text, what="a line about it")
        if not given:
            assert {place.status(job_id) for job_id in ids} <= {"pending", "running"}
            more.set()
        assert {job["status"] for job in place.ended(*ids)} == {"completed"}
        more.set()
        files = [(str(place.folder / f"held{n}"), str(place.folder / "free")) for n in range(3)]
        held = [place.submit(chores.hold_until, params={"path": p, "free": f}) for p, f in files]
        for path, _ in files:
            place.lines(path)
        (place.folder / "free").touch()
        assert {job["status"] for job in place.ended(*held)} == {"completed"}
        assert "All 3 slots are there again" in caplog.text
        # It is told once, however often it is tried.
        assert caplog.text.count(told) == 1
    finally:
        worker.stop()
        thread.join(timeout=10)


@pytest.mark.parametrize("how", ["start", "process_one"])
def test_a_function_that_outlives_its_worker_gives_its_job_back_when_it_ends(
    tmp_path: Path, how: str
) -> None:
    done = run_script(
        tmp_path,
        f"""
        import os, signal, sqlite3, threading
        from contextlib import closing
        from gigq_core import Job, JobQueue, Worker
        from tests.waiting import wait_until

        def state():
            with closing(sqlite3.connect("jobs.db")) as conn:
                return conn.execute("SELECT state FROM core_workers").fetchone()[0]

        begun, free = threading.Event(), threading.Lock()
        free.acquire()

        def stubborn():
            begun.set()
            free.acquire()

        def interrupt():
            begun.wait()
            os.kill(os.getpid(), signal.SIGINT)
            wait_until(lambda: state() == "draining")
            os.kill(os.getpid(), signal.SIGINT)

        queue = JobQueue("jobs.db")
        job_id = queue.submit(Job("j", stubborn))
        worker = Worker("jobs.db", grace_s=0.1)
        if "{how}" == "start":
            threading.Thread(target=interrupt).start()
            worker.start()
        else:
            threading.Thread(
                target=lambda: (begun.wait(), os.kill(os.getpid(), signal.SIGINT))
            ).start()
            try:
                worker.process_one()
            except KeyboardInterrupt:
                worker.close()
        print(queue.get_status(job_id)["status"])
        free.release()
        wait_until(lambda: queue.get_status(job_id)["status"] == "pending")
        wait_until(lambda: threading.active_count() == 1)
        print(queue.get_status(job_id)["attempts"], state())
        """,
    )
    assert done.stderr == ""
    assert done.stdout.splitlines() == ["running", "0 stopped"]


def test_definitions_of_a_worker_are_checked(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="concurrency"):
        Worker(tmp_path / "jobs.db", concurrency=0)
    with pytest.raises(ValueError, match="isolation"):
        Worker(tmp_path / "jobs.db", isolation="magic")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="grace"):
        Worker(tmp_path / "jobs.db", grace_s=-1)
    missing = Worker(tmp_path / "jobs.db")
    with pytest.raises(DatabaseMissing):
        missing.process_one()
    assert not (tmp_path / "jobs.db").exists()


def test_an_id_in_use_is_refused(place: Place) -> None:
    place.worker("--worker-id", "same")
    worker = Worker(place.db, worker_id="same")
    with pytest.raises(WorkerIdInUse, match="same"):
        worker.start()
    worker.close()


def test_a_script_killed_in_a_job_loses_nothing(place: Place, tmp_path: Path) -> None:
    path = str(tmp_path / "held")
    job_id = place.submit(chores.hold, params={"path": path, "seconds": 1})
    script = (
        "import sys; from gigq_core import Worker; Worker(sys.argv[1], worker_id='script').start()"
    )
    process = subprocess.Popen([sys.executable, "-c", script, str(place.db)], cwd=ROOT)
    place.lines("held")
    process.send_signal(signal.SIGKILL)
    process.wait()
    place.worker()
    job = place.end(job_id)
    assert (job["status"], job["attempts"]) == ("completed", 2)


def test_jobs_made_in_bulk_run_in_threads(place: Place) -> None:
    jobs = [Job("j", chores.add, {"a": n, "b": n}) for n in range(100)]
    place.queue.submit_many(jobs)
    worker = Worker(place.db, concurrency=4)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        ended = place.ended(*(job.id for job in jobs))
    finally:
        worker.stop()
        thread.join(timeout=10)
    assert [job["result"] for job in ended] == [2 * n for n in range(100)]


@pytest.mark.parametrize("timeout", [-5, -1e-9, 1e-9, 1e-6, 1e-4])
def test_a_timeout_that_is_over_before_the_job_begins_frees_its_slot(
    place: Place, timeout: float
) -> None:
    ids = [place.submit(chores.nothing, max_attempts=1) for _ in range(20)]
    place.change("UPDATE jobs SET timeout = ?", timeout)
    good = place.submit(chores.nothing, priority=-1)
    worker = place.worker("--isolation", "thread", "--concurrency", "2")
    place.ended(*ids, good)
    assert {place.status(job_id) for job_id in ids} <= {"timeout", "completed"}
    assert place.status(good) == "completed"
    assert worker.poll() is None
