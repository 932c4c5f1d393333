"""A worker under a service manager: the unit that is printed, and what the manager is told."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from gigq_core import Job, JobQueue
from gigq_core.cli import unit as module
from gigq_core.cli.main import cli
from gigq_core.cli.worker import worker
from tests.integration import chores
from tests.integration.conftest import ROOT, Place
from tests.waiting import wait_until


def printed(folder: Path, *words: str, db: str = "jobs.db") -> dict[str, list[str]]:
    """The unit's settings, by their names."""
    JobQueue(folder / db).close()
    done = subprocess.run(
        [sys.executable, "-m", "gigq_core", "--db", db, "unit", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, list[str]] = {}
    for line in done.stdout.splitlines():
        if "=" in line and not line.startswith("#"):
            name, value = line.split("=", 1)
            found.setdefault(name, []).append(value)
    return found


def read_as_systemd(line: str) -> list[str]:
    """The words of a command line, by the rules of systemd.syntax and systemd.service."""
    words, word, quoted, at = [], None, False, 0
    while at < len(line):
        char = line[at]
        at += 1
        if char == "\\":
            assert quoted
            if line[at] == "x":
                word = (word or "") + chr(int(line[at + 1 : at + 3], 16))
                at += 3
            else:
                word = (word or "") + line[at]
                at += 1
        elif char == '"':
            quoted, word = not quoted, word or ""
        elif char == " " and not quoted:
            if word is not None:
                words.append(word)
            word = None
        else:
            if char in "%$":
                # Specifiers and variables are not meant.
                assert line[at] == char, line
                at += 1
            assert quoted or re.fullmatch(r"[A-Za-z0-9_@+=:,./-]", char)
            word = (word or "") + char
    assert not quoted
    return words if word is None else [*words, word]


@settings(max_examples=300, deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0")), min_size=1))
def test_every_word_reaches_the_worker_as_it_is(words: list[str]) -> None:
    line = " ".join(module._exec_words(["/usr/bin/python3", *words]))
    assert "\n" not in line
    assert read_as_systemd(line) == ["/usr/bin/python3", *words]


def test_the_worker_of_a_unit_is_this_one(tmp_path: Path) -> None:
    found = printed(tmp_path, "--concurrency", "3", "--log-file", "w.log", "--grace", "2.5")
    words = read_as_systemd(found["ExecStart"][0])
    assert words[0] == sys.executable
    assert words[words.index("--db") + 1] == str(tmp_path / "jobs.db")
    assert words[words.index("worker") :] == [
        *["worker", "--concurrency", "3", "--grace", "2.5"],
        *["--log-file", str(tmp_path / "w.log")],
    ]
    assert found["WorkingDirectory"] == [str(tmp_path)]
    assert found["KillMode"] == ["mixed"]
    assert found["Type"] == ["notify"]
    assert found["Restart"] == ["on-failure"]
    assert found["ExecReload"] == ["/bin/kill -HUP $MAINPID"]
    assert found["WantedBy"] == ["multi-user.target"]
    # 300 s that a job may take, the grace, and what the worker takes itself.
    assert int(found["TimeoutStopSec"][0]) == 313


@pytest.mark.parametrize(
    "given",
    [
        ["--lanes", "gpu,fetch:*", "--max-child-memory", "2G", "--log-size", "10M"],
        ["--only-lanes", "gpu", "--isolation", "thread", "--stop-within", "1h30m"],
        ["--only-lanes", "a b,käse 'x'", "--grace", "0.5", "--name", "other"],
    ],
)
def test_the_worker_gets_the_options_as_they_were_given(tmp_path: Path, given: list[str]) -> None:
    found = printed(tmp_path, *given)
    words = read_as_systemd(found["ExecStart"][0])
    own = given[: given.index("--name")] if "--name" in given else given
    wanted = worker.make_context("worker", list(own)).params
    assert worker.make_context("worker", words[words.index("worker") + 1 :]).params == wanted


def test_a_unit_of_ones_own_manager(tmp_path: Path) -> None:
    (tmp_path / "project").mkdir()
    found = printed(tmp_path, "--user", "--chdir", "project", "--stop-within", "60")
    assert found["WantedBy"] == ["default.target"]
    assert "User" not in found
    assert "ExecReload" not in found
    assert found["WorkingDirectory"] == [str(tmp_path / "project")]
    assert int(found["TimeoutStopSec"][0]) == 75
    assert read_as_systemd(found["ExecStart"][0])[-2:] == ["--stop-within", "60"]


def test_it_waits_as_long_as_the_longest_job_may_take(tmp_path: Path) -> None:
    queue = JobQueue(tmp_path / "jobs.db")
    queue.submit(Job("long", "os.getcwd", timeout=7200))
    queue.submit(Job("short", "os.getcwd", timeout=1))
    assert int(printed(tmp_path)["TimeoutStopSec"][0]) == 7215
    # What comes later counts too.
    queue.schedule("nightly", "@daily", Job("nightly", "os.getcwd", timeout="3h"))
    assert int(printed(tmp_path)["TimeoutStopSec"][0]) == 10_815
    queue.hook("failed", Job("page", "pages.out", timeout="4h"))
    queue.close()
    assert int(printed(tmp_path)["TimeoutStopSec"][0]) == 14_415


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="there is no systemd")
@pytest.mark.parametrize("folder", ["plain", "two words", "100 %n $HOME 'q' \"d\"", "käse"])
def test_systemd_takes_the_unit(tmp_path: Path, folder: str) -> None:
    where = tmp_path / folder
    where.mkdir()
    JobQueue(where / "a b.db").close()
    for name, words in (("one", ("--user",)), ("two", ("--log-file", "l %i.log"))):
        done = subprocess.run(
            [sys.executable, "-m", "gigq_core", "--db", "a b.db", "unit", *words],
            cwd=where,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
            timeout=60,
        )
        file = tmp_path / f"{name}.service"
        file.write_text(done.stdout)
        verified = subprocess.run(
            ["systemd-analyze", "verify", str(file)], capture_output=True, text=True, timeout=60
        )
        # What it says of the unit names the file; of this machine's state it may say anything.
        assert file.name not in verified.stderr, verified.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--name", "a/b"], "use letters, digits"),
        (["--stop-within", "-1"], "write a number of seconds"),
        (["--log-size", "ten"], "is not a size"),
        (["--once"], "No such option"),
    ],
)
def test_what_makes_no_unit_is_refused(tmp_path: Path, words: list[str], told: str) -> None:
    result = CliRunner().invoke(cli, ["--db", str(tmp_path / "jobs.db"), "unit", *words])
    assert result.exit_code != 0
    assert told in str(result.exception) + result.output
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_no_unit_can_name_is_refused(tmp_path: Path) -> None:
    where = tmp_path / "two\nlines"
    where.mkdir()
    JobQueue(where / "jobs.db").close()
    done = subprocess.run(
        [sys.executable, "-m", "gigq_core", "--db", "jobs.db", "unit"],
        cwd=where,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 1
    assert done.stderr.startswith("Error: A unit file can't hold the name")


# --- what the manager is told ----------------------------------------------------------------


class Manager:
    """The other end of the socket."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address.replace("@", "\0", 1))
        self._socket.settimeout(0.01)
        self.told: list[str] = []

    def hears(self, word: str) -> bool:
        while True:
            try:
                self.told += self._socket.recv(4096).decode().splitlines()
            except TimeoutError:
                return word in self.told

    def close(self) -> None:
        self._socket.close()


@pytest.mark.parametrize("abstract", [False, True])
def test_a_manager_is_told_of_the_beginning_the_life_and_the_end(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, abstract: bool
) -> None:
    address = f"@gigq-{tmp_path}" if abstract else str(tmp_path / "notify")
    manager = Manager(address)
    monkeypatch.setenv("NOTIFY_SOCKET", address)
    monkeypatch.setenv("WATCHDOG_USEC", "400000")
    try:
        worker = place.worker("--worker-id", "served")
        wait_until(lambda: manager.hears("READY=1"), what="READY")
        assert manager.hears("STATUS=running, worker served")
        wait_until(lambda: manager.hears("-") or manager.told.count("WATCHDOG=1") > 3)
        # What its jobs start is no part of the service's own talk.
        names = place.end(place.submit(chores.variables))["result"]
        assert not {"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"} & set(names)
        assert "STOPPING=1" not in manager.told
        os.kill(worker.pid, signal.SIGTERM)
        assert worker.wait(timeout=20) == 0
        assert manager.hears("STOPPING=1")
        assert manager.told.count("READY=1") == 1
    finally:
        manager.close()


def test_a_manager_that_is_gone_is_no_trouble(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "nobody"))
    place.worker()
    assert place.end(place.submit(chores.nothing))["status"] == "completed"
    assert place.log().count("The service manager can't be told") == 1


def test_what_runs_too_long_after_the_first_signal_is_given_back(
    place: Place, tmp_path: Path
) -> None:
    worker = place.worker("--stop-within", "0.5", "--grace", "0.3", "--concurrency", "2")
    long = place.submit(
        chores.hold, params={"path": str(tmp_path / "long"), "seconds": 60}, max_attempts=1
    )
    short = place.submit(chores.note_twice, params={"path": str(tmp_path / "short")})
    place.lines("long")
    place.lines("short")
    (tmp_path / "short.go").touch()
    began = time.monotonic()
    os.kill(worker.pid, signal.SIGTERM)
    assert worker.wait(timeout=20) == 0
    assert time.monotonic() - began < 20
    assert place.status(short) == "completed"
    job = place.job(long)
    assert (job["status"], job["attempts"]) == ("pending", 0)
    assert job["executions"][0]["error"] == "the worker was stopped"
