"""More slots than the system gives a worker: it runs what it can, and says how many and why."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigq_core.worker import pool
from tests.integration import chores
from tests.integration.conftest import ROOT, Place, stop
from tests.waiting import wait_until

SLOTS = 16


def limited(place: Place, limit: str, *before: str, slots: int = SLOTS) -> subprocess.Popen[bytes]:
    """A worker under a limit of the shell's."""
    command = [sys.executable, "-m", "gigq_core", "--db", str(place.db), "worker"]
    command += ["--chdir", str(ROOT), "--concurrency", str(slots)]
    with open(place.folder / "worker-limited.log", "wb") as log:
        return subprocess.Popen(
            [*before, "bash", "-p", "-c", f'ulimit {limit}; exec "$@"', "bash", *command],
            stdin=subprocess.DEVNULL,
            stderr=log,
            start_new_session=True,
        )


@pytest.fixture
def open_place() -> Iterator[Place]:
    """A queue that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o777)
        made = Place(Path(folder))
        for file in Path(folder).iterdir():
            file.chmod(0o666)
        yield made
        made.close()


def slots(place: Place) -> int:
    return int(place.rows("SELECT slots FROM core_workers")[0]["slots"])


@pytest.mark.parametrize("descriptors", [26, 32, 48, 64])
def test_it_runs_with_as_many_slots_as_it_can_have_open_files_for(
    place: Place, descriptors: int
) -> None:
    jobs = [place.submit(chores.speak, params={"lines": 3}) for _ in range(40)]
    worker = limited(place, f"-n {descriptors}")
    try:
        assert {job["status"] for job in place.ended(*jobs, timeout_s=60)} == {"completed"}
        assert 1 <= slots(place) < SLOTS
        # And nobody's output got lost for want of a descriptor.
        assert all(job["executions"][0]["output"] for job in map(place.job, jobs))
        assert stop(worker) == 0
    finally:
        worker.kill()
        worker.wait()
    told = f"{slots(place)} of {SLOTS} slots can be used: this process may have {descriptors} open"
    assert place.log().count(told) == 1
    assert "Check --python" not in place.log()
    assert "Traceback" not in place.log()


def test_it_raises_the_limit_for_itself_and_not_for_its_jobs(place: Place) -> None:
    worker = limited(place, "-Sn 40")
    try:
        job = place.end(place.submit(chores.most_open_files))
        assert job["result"][0] == 40
        assert slots(place) == SLOTS
        assert stop(worker) == 0
    finally:
        worker.kill()
        worker.wait()
    assert "slots" not in place.log()


def test_more_slots_than_select_can_count_run(place: Place) -> None:
    """Descriptors beyond 1,023, where `select` ends."""
    worker = place.worker("--concurrency", "160")
    jobs = [place.submit(chores.nothing) for _ in range(20)]
    place.ended(*jobs)
    assert slots(place) == 160
    first = os.open(os.devnull, os.O_RDONLY)
    os.close(first)
    assert stop(worker) == 0


def test_where_no_slot_has_room_it_says_which_limit(place: Place) -> None:
    job_id = place.submit(chores.nothing)
    worker = limited(place, "-n 18")
    assert worker.wait(timeout=30) == 1
    last = place.log().strip().splitlines()[-1]
    assert "this process may have 18 open files (ulimit -n)" in last
    assert "Check --python" not in place.log()
    assert place.status(job_id) == "pending"


@pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None,
    reason="a user of whom there are no other processes is needed",
)
@pytest.mark.parametrize(("processes", "some"), [(6, True), (3, False)])
def test_a_limit_of_processes_is_waited_out(open_place: Place, processes: int, some: bool) -> None:
    place = open_place
    # The real user is nobody, whose processes are counted; the effective one may read our files.
    before = ["setpriv", "--ruid", str(45_000 + processes)]
    before.append("--bounding-set=-sys_admin,-sys_resource")
    jobs = [place.submit(chores.nothing) for _ in range(20)]
    worker = limited(place, f"-u {processes}", *before)
    try:
        if some:
            place.ended(*jobs, timeout_s=60)
            assert 1 <= slots(place) < SLOTS
        else:
            wait_until(lambda: "slots can run jobs for now" in place.log(), what="the sentence")
            assert worker.poll() is None
            assert {place.status(job_id) for job_id in jobs} == {"pending"}
        assert stop(worker) == 0
    finally:
        worker.kill()
        worker.wait()
    assert "no more processes are allowed (ulimit -u" in place.log()
    assert "Check --python" not in place.log()


@pytest.mark.parametrize("number", [errno.EAGAIN, errno.ENOMEM, errno.ENFILE, errno.EMFILE])
def test_what_passes_is_waited_out(
    place: Place, monkeypatch: pytest.MonkeyPatch, number: int, caplog: pytest.LogCaptureFixture
) -> None:
    """In a worker of this process, whose children the system refuses for some time."""
    from gigq_core import Worker
    from gigq_core.worker import child_process

    monkeypatch.setattr(pool, "SPAWN_AGAIN_S", 0.05)
    spawn, calls = child_process.spawn, []

    def refused(*words: object) -> object:
        calls.append(words)
        if len(calls) in (2, 3, 4):
            raise OSError(number, os.strerror(number))
        return spawn(*words)  # type: ignore[arg-type]

    monkeypatch.setattr(child_process, "spawn", refused)
    jobs = [
        place.submit(chores.hold, params={"path": str(place.folder / "held"), "seconds": 0.3})
        for _ in range(8)
    ]
    worker = Worker(place.db, isolation="process", concurrency=2, chdir=ROOT)
    thread = threading.Thread(target=worker.start)
    thread.start()
    try:
        assert {job["status"] for job in place.ended(*jobs)} == {"completed"}
        wait_until(lambda: len(calls) >= 5, what="another try")
        place.end(place.submit(chores.nothing))
        wait_until(lambda: slots(place) == 2, what="all slots")
    finally:
        worker.stop()
        thread.join()


def test_a_child_that_starts_without_enough_is_no_wrong_interpreter(
    place: Place, tmp_path: Path
) -> None:
    """An interpreter that says at first what one says that finds a limit reached."""
    fake, count = tmp_path / "python", tmp_path / "count"
    fake.write_text(
        "#!/bin/sh\n"
        f"echo x >> {count}\n"
        f"if [ $(wc -l < {count}) -le 3 ]; then\n"
        '  echo "RuntimeError: can\'t start new thread" >&2; exit 1; fi\n'
        f'exec {sys.executable} "$@"\n'
    )
    fake.chmod(0o755)
    job_id = place.submit(chores.nothing)
    worker = place.worker("--python", str(fake))
    assert place.end(job_id)["status"] == "completed"
    assert stop(worker) == 0
    assert "Check --python" not in place.log()
    assert "a process ended at its start: RuntimeError: can't start new thread" in place.log()


def test_room_is_reckoned_from_what_is_open() -> None:
    code = (
        "import json, resource; from gigq_core.worker import system_limits\n"
        "resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100))\n"
        "a = system_limits.slots_with_room(1000)\n"
        "files = [open('/dev/null') for _ in range(2 * system_limits.PER_SLOT)]\n"
        "b = system_limits.slots_with_room(1000)\n"
        "print(json.dumps([a, b, system_limits.slots_with_room(1)]))"
    )
    found = json.loads(subprocess.check_output([sys.executable, "-c", code], text=True))
    assert found[0] - found[1] == 2
    assert found[2] == 1
