"""The agent at the far end of a link, spoken to by hand."""

from __future__ import annotations

import json
import os
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigq_core.identity import process_start
from gigq_core.worker.agents import wire
from gigq_core.worker.claims import Fate
from tests.agents.far_end import FarEnd, far_end
from tests.waiting import wait_until

JOBS = """
import json, os, subprocess, sys, time

def add(a, b):
    return a + b

def where():
    return [os.getcwd(), sys.executable]

def fail():
    raise ValueError("no")

def speak(text):
    print(text)

def sleep(seconds):
    time.sleep(seconds)

def stubborn(path):
    import signal
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"], start_new_session=True)
    with open(path + ".new", "w") as file:
        file.write(f"{os.getpid()} {child.pid}")
    os.rename(path + ".new", path)
    while True:
        time.sleep(1)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "far_jobs.py").write_text(textwrap.dedent(JOBS))
    return tmp_path


@pytest.fixture
def far(folder: Path, tmp_path: Path) -> Iterator[FarEnd]:
    cache = tmp_path / "cache"
    with far_end(cwd=folder, env={**os.environ, "XDG_CACHE_HOME": str(cache)}) as far:
        far.land()
        far.greet()
        yield far


def test_a_job_runs_in_the_folder_where_the_command_landed(far: FarEnd, folder: Path) -> None:
    result = far.result_of("far_jobs:where")
    assert result is not None
    assert json.loads(result) == [str(folder), far.ready.executable]
    assert far.result_of("far_jobs:add", '{"a": 1, "b": 2}') == "3"


def test_a_failure_says_what_failed(far: FarEnd) -> None:
    ended = far.end_of(far.run("far_jobs:fail"))
    assert ended.fate is Fate.FAILED
    assert ended.error == "ValueError: no"
    assert ended.traceback is not None
    assert "far_jobs.py" in ended.traceback
    assert ended.raised[0] == "builtins.ValueError"


def test_output_comes_before_the_end(far: FarEnd) -> None:
    token = far.run("far_jobs:speak", '{"text": "hello"}')
    assert far.end_of(token).output
    assert far.output_of(token) == b"hello\n"


def test_a_job_that_runs_for_long_is_told_of_and_can_be_stopped(far: FarEnd) -> None:
    token = far.run("far_jobs:sleep", '{"seconds": 600}')
    began = far.wait_for(wire.Began)
    assert began.token == token
    assert 0 <= began.ago_s < 10
    os.kill(began.pid, 0)
    far.send(wire.Stop(token, Fate.CANCELLED))
    assert far.end_of(token).fate is Fate.CANCELLED


def test_a_timeout_ends_a_job_that_ignores_signals_with_all_it_started(
    far: FarEnd, tmp_path: Path
) -> None:
    path = tmp_path / "pids"
    params = json.dumps({"path": str(path)})
    ended = far.end_of(far.run("far_jobs:stubborn", params, timeout_s=1.0))
    assert ended.fate is Fate.TIMEOUT
    for pid in map(int, path.read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


def test_what_is_closed_says_that_all_has_ended(far: FarEnd) -> None:
    far.send(wire.Close())
    assert far.wait_for(wire.Gone).why == "its worker has closed it"
    far.read_to_end()
    assert far.process.wait(10) == 0


def test_what_is_no_message_ends_it_with_a_sentence(far: FarEnd) -> None:
    far.write(b"rm -rf /\n")
    gone = far.wait_for(wire.Gone)
    assert gone.why == (
        "what came over the link is none of our messages: what came is no message of ours: "
        "'rm -rf /'"
    )
    far.read_to_end()


def test_a_second_link_finds_what_the_first_one_sent(folder: Path, tmp_path: Path) -> None:
    env = {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    sent = []
    for _ in range(2):
        with far_end(cwd=folder, env=env) as far:
            far.land()
            far.greet()
            sent.append(far.sent_bundle)
    assert sent == [True, False]


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL, signal.SIGSTOP])
def test_an_agent_that_is_signalled_leaves_nothing(
    far: FarEnd, tmp_path: Path, signum: signal.Signals
) -> None:
    path = tmp_path / "pids"
    far.run("far_jobs:stubborn", json.dumps({"path": str(path)}))
    wait_until(path.exists)
    os.kill(far.ready.pid, signum)
    if signum is signal.SIGSTOP:
        # It has heard of its worker just now.
        far.process.send_signal(signal.SIGTERM)
    far.wait_for(wire.Gone)
    for pid in map(int, path.read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    # It may have said so itself, and then ends.
    wait_until(lambda: process_start(far.ready.pid) is None)
