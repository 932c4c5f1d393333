"""The agent at the far end of a link, spoken to by hand."""

from __future__ import annotations

import json
import os
import shutil
import signal
import textwrap
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

import gigq_core
from gigq_core.system.identity import process_start
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

def note_end(path):
    import atexit
    atexit.register(lambda: open(path, "w").write("ended"))

def write_to_all():
    for fd in range(256):
        try:
            if fd not in (1, 2):
                os.write(fd, b"garbage\\n")
        except OSError:
            pass

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
        "what came over the link is none of our messages: what came is not one of our messages: "
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
    # Whoever signals it wants it so; what kills it may be a job.
    assert far.wait_for(wire.Gone).on_purpose == (signum is not signal.SIGKILL)
    for pid in map(int, path.read_text().split()):
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)
    # It may have said so itself, and then ends.
    wait_until(lambda: process_start(far.ready.pid) is None)


def test_jobs_begin_in_the_order_in_which_they_came(far: FarEnd, tmp_path: Path) -> None:
    tokens = [far.run("far_jobs:add", '{"a": 1, "b": 2}') for _ in range(40)]
    ended = [far.end_of(token) for token in tokens]
    begun = [one for one in ended if one.fate is Fate.COMPLETED]
    assert begun
    assert {one.fate for one in ended} <= {Fate.COMPLETED, Fate.NOT_BEGUN}


def test_what_waits_for_long_while_all_slots_are_taken_is_given_back(far: FarEnd) -> None:
    running = [far.run("far_jobs:sleep", '{"seconds": 600}') for _ in range(2)]
    waiting = far.run("far_jobs:sleep", '{"seconds": 600}')
    assert far.end_of(waiting)[1:] == (
        *(Fate.NOT_BEGUN, None, None, None, (), None, None, False, None, 0.0),
    )
    for token in running:
        far.send(wire.Stop(token, Fate.GIVEN_BACK))
    assert {far.end_of(token).fate for token in running} == {Fate.GIVEN_BACK}


def test_an_attempt_that_waits_is_stopped_before_it_begins(far: FarEnd, tmp_path: Path) -> None:
    far.write(
        b"".join(
            line
            for message in (
                wire.Run(
                    *("t", "j", "n", "far_jobs", "sleep", '{"seconds": 600}', False, 1, 3, 9.0),
                    *(None, (), None, None),
                ),
                wire.Stop("t", Fate.CANCELLED),
            )
            for line in wire.encode(message)
        )
    )
    assert far.end_of("t").fate in (Fate.NOT_BEGUN, Fate.CANCELLED)


def test_an_attempt_that_comes_twice_runs_once(far: FarEnd) -> None:
    run = wire.Run(
        *("t", "j", "n", "far_jobs", "add", '{"a": 1, "b": 2}', False, 1, 3, 9.0),
        *(None, (), None, None),
    )
    far.send(run)
    far.send(run)
    assert far.end_of("t").result == "3"
    far.send(run)
    far.ping(1, 0)
    assert not [said for said in far.said if isinstance(said, wire.Ended)]
    assert [said.level for said in far.said if isinstance(said, wire.Log)] == [30, 30]


def test_after_a_drain_idle_processes_end_and_nothing_begins(far: FarEnd, tmp_path: Path) -> None:
    far.result_of("far_jobs:where")
    agent = psutil.Process(far.ready.pid)
    assert agent.children()
    far.send(wire.Drain())
    wait_until(lambda: not agent.children())
    assert far.ping(1, 0).busy == 0
    assert far.end_of(far.run("far_jobs:where")).fate is Fate.NOT_BEGUN


def test_idle_processes_end_in_good_order_when_all_is_closed(far: FarEnd, tmp_path: Path) -> None:
    path = tmp_path / "left"
    far.result_of("far_jobs:note_end", json.dumps({"path": str(path)}))
    far.send(wire.Close())
    far.wait_for(wire.Gone)
    assert path.read_text() == "ended"


def test_an_agent_whose_files_are_deleted_ends_so_that_another_one_can_come(
    folder: Path, tmp_path: Path
) -> None:
    cache = tmp_path / "cache"
    with far_end(cwd=folder, env={**os.environ, "XDG_CACHE_HOME": str(cache)}) as far:
        far.land()
        far.greet(jobs_per_child=1)
        far.result_of("far_jobs:where")
        shutil.rmtree(cache)
        for _ in range(3):
            far.run("far_jobs:where")
        gone = far.wait_for(wire.Gone)
        assert "does not run jobs" in gone.why
        assert "--remote-python" in gone.why
        # That would be for good.
        assert not [said for said in far.said if isinstance(said, wire.Refused)]


def _hello(**more: object) -> dict[str, object]:
    hello = wire.Hello(
        wire.PROTOCOL, gigq_core.__version__, 1, 1.0, 1_000, 5, None, None, 30.0, 5.0, 0.03
    )
    return {**hello._asdict(), **more}


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ([{"hello": _hello(version="0.0.9")}], "and its worker of 0.0.9: start that worker again"),
        ([{"hello": _hello(protocol=99)}], "start that worker again"),
        ([{"hello": _hello(chdir="/no/such")}], "There is no folder /no/such: name another one"),
        ([{"hello": _hello()}, {"hello": _hello()}], "it said hello twice"),
        ([{"close": {}}], "it gave orders before it said hello"),
        ([{"hello": _hello(slots="many")}], "not one of our messages"),
    ],
)
def test_a_greeting_that_does_not_fit_ends_it_with_a_sentence(
    folder: Path, said: list[dict[str, object]], expected: str
) -> None:
    with far_end(cwd=folder) as far:
        far.land()
        far.write(b"".join(json.dumps(one).encode() + b"\n" for one in said))
        far.read_to_end()
        sentences = [
            one.sentence if isinstance(one, wire.Refused) else one.why
            for one in far.said
            if isinstance(one, wire.Refused | wire.Gone)
        ]
        assert expected in sentences[0]
        assert isinstance(far.said[-1], wire.Gone)
        assert far.process.wait(10) == 0


def test_a_job_that_writes_to_whatever_is_open_reaches_its_own_pipes_alone(far: FarEnd) -> None:
    ended = far.end_of(far.run("far_jobs:write_to_all"))
    assert ended.fate is Fate.CRASHED
    assert ended.error is not None
    assert ended.error.startswith("the job wrote into the pipe to its worker")
    assert far.ping(1, 0).busy == 0
