"""What jobs print, return and ask for at the far end of a link, however slow that is."""

from __future__ import annotations

import json
import os
import random
import textwrap
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gigq_core.worker.agents import wire
from gigq_core.worker.agents.link_sink import LinkSink
from gigq_core.worker.claims import Fate
from gigq_core.worker.output import Capture
from tests.agents.far_end import FarEnd, far_end
from tests.waiting import wait_until

MB = 1024 * 1024
JOBS = """
import os, sys, time

def flood(megabytes):
    block = b"0123456789abcde\\n" * 65536
    for _ in range(megabytes):
        os.write(1, block)
    return megabytes

def flood_for_ever():
    flood(10**9)

def long_lines(count, size):
    for number in range(count):
        print(chr(97 + number) * size)

def give(size):
    return "x" * size

def take(text):
    return len(text)

def tell(job_context):
    before = job_context.saved
    for number in range(1, 4):
        job_context.progress(number, 3, f"step {number}")
        time.sleep(0.25)
    job_context.save({"at": 3})
    return before

def order(job_context):
    first = job_context.submit("os:getpid")
    try:
        job_context.submit("os:getpid", {}, priority="high")
    except TypeError as problem:
        return [first, str(problem)]

def use(parent_results):
    return parent_results

def pause(seconds):
    print("pausing")
    time.sleep(seconds)
"""


@pytest.fixture
def far(tmp_path: Path) -> Iterator[FarEnd]:
    (tmp_path / "loud.py").write_text(textwrap.dedent(JOBS))
    with far_end(cwd=tmp_path) as far:
        far.land()
        far.greet(lease_s=120.0)
        yield far


# --- head and tail -------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(60))
def test_the_file_at_this_end_is_that_of_a_local_job(tmp_path: Path, seed: int) -> None:
    rng = random.Random(seed)
    limit = rng.choice([2, 100, 40_000, 200_000])
    local = Capture(lambda: tmp_path / "logs" / "attempts" / "local", limit)
    near = Capture(lambda: tmp_path / "logs" / "attempts" / "near", limit)
    sent = 0
    clogged = False

    def send(message: wire.ToWorker) -> None:
        nonlocal sent
        assert isinstance(message, wire.Output)
        assert len(message.data) <= wire.CHUNK_BYTES
        sent += len(message.data)
        near.skip(message.left_out)
        near.write(message.data)

    sink = LinkSink("t", send, lambda: MB if clogged else 0, limit)
    for _ in range(rng.randrange(60)):
        data = rng.randbytes(rng.choice([0, 1, 50, 5_000, 60_000]))
        local.write(data)
        sink.write(data)
        clogged = rng.random() < 0.5
        if rng.random() < 0.3:
            sink.send_some()
    assert sink.close() == local.close() == near.close()
    files = [tmp_path / "logs" / "attempts" / name for name in ("local", "near")]
    if files[0].exists():
        assert files[0].read_bytes() == files[1].read_bytes()


def test_a_flood_that_nobody_reads_neither_grows_the_agent_nor_holds_up_its_timeout(
    far: FarEnd,
) -> None:
    agent = psutil.Process(far.ready.pid)
    far.result_of("os:getpid")
    before = agent.memory_info().rss
    token = far.run("loud:flood_for_ever", timeout_s=3.0)
    began = far.wait_for(wire.Began)
    sizes = [before]

    def is_dead() -> bool:
        sizes.append(agent.memory_info().rss)
        return not psutil.pid_exists(began.pid)

    # Nobody reads anything, and it is ended all the same.
    wait_until(is_dead, 30.0)
    assert max(sizes) - before < 8 * MB
    ended = far.end_of(token)
    assert ended.fate is Fate.TIMEOUT
    assert len(far.output_of(token)) <= 2 * MB


def test_what_is_read_of_a_flood_crosses_the_link_as_head_and_tail(far: FarEnd) -> None:
    token = far.run("loud:flood", '{"megabytes": 256}')
    assert far.end_of(token, 120.0).result == "256"
    outputs = [said for said in far.said if isinstance(said, wire.Output)]
    sent = sum(len(output.data) for output in outputs)
    assert sent + sum(output.left_out for output in outputs) == 256 * MB
    assert sent < 16 * MB
    assert outputs[-1].data.endswith(b"0123456789abcde\n")


def test_lines_of_a_megabyte_arrive_whole(far: FarEnd) -> None:
    token = far.run("loud:long_lines", '{"count": 1, "size": 1000000}')
    far.end_of(token)
    assert far.output_of(token) == b"a" * 1_000_000 + b"\n"


def test_a_result_of_megabytes_lets_a_pong_pass(far: FarEnd) -> None:
    token = far.run("loud:give", json.dumps({"size": 8 * MB}))
    # The pipe is full of it, and the rest waits there.
    wait_until(far.is_full)
    far.send(wire.Ping(1, 0))
    read = far.read_until(wire.Pong)
    assert read < MB
    result = far.end_of(token).result
    assert result is not None
    assert len(result) == 8 * MB + 2


def test_parameters_of_megabytes_arrive(far: FarEnd) -> None:
    assert far.result_of("loud:take", json.dumps({"text": "ü" * MB})) == str(MB)


# --- what jobs tell and ask ----------------------------------------------------------------------


def test_progress_and_checkpoints_are_passed_on(far: FarEnd) -> None:
    token = far.run("loud:tell")
    asked = far.wait_for(wire.Ask)
    assert asked.what == "saved"
    far.send(wire.Give(token, {"answer": asked.number, "saved": '{"at": 0}'}))
    assert far.wait_for(wire.Reported)[:3] == (token, 1, 3)
    saved = far.wait_for(wire.Saved)
    assert json.loads(saved.text) == {"at": 3}
    assert not any(isinstance(said, wire.Ended) for said in far.said)
    far.send(wire.Stored(token, saved.number))
    assert far.end_of(token).result == '{"at": 0}'


def test_submitted_jobs_are_taken_or_refused_by_the_worker(far: FarEnd) -> None:
    token = far.run("loud:order")
    first = far.wait_for(wire.Submit)
    assert json.loads(first.order)["function"]["path"] == "os:getpid"
    far.send(wire.Give(token, {"answer": first.number, "submitted": "job-7"}))
    second = far.wait_for(wire.Submit)
    far.send(wire.Give(token, {"answer": second.number, "refused": ["TypeError", "no, a number"]}))
    assert far.end_of(token).result == '["job-7", "no, a number"]'


def test_results_of_parents_are_asked_for_over_the_link(far: FarEnd) -> None:
    token = far.run("loud:use", parents=True, pass_parent_results=True)
    asked = far.wait_for(wire.Ask)
    assert asked.what == "parents"
    large = "y" * (2 * MB)
    rows = [["p1", "completed", None, json.dumps(large)], ["p2", "failed", "no", None]]
    far.send(wire.Give(token, {"answer": asked.number, "parents": rows}))
    result = far.end_of(token).result
    assert result is not None
    assert json.loads(result)["p1"] == large


def test_while_the_link_keeps_a_job_waiting_it_does_not_stall(far: FarEnd) -> None:
    token = far.run("loud:order", stall_timeout_s=0.5)
    first = far.wait_for(wire.Submit)
    time.sleep(1.5)
    far.send(wire.Give(token, {"answer": first.number, "submitted": "job-7"}))
    second = far.wait_for(wire.Submit)
    far.send(wire.Give(token, {"answer": second.number, "refused": ["TypeError", "no"]}))
    assert far.end_of(token).fate is Fate.COMPLETED


def test_answers_to_nobody_are_passed_over(far: FarEnd) -> None:
    for answer in ({"answer": 1}, {}, {"answer": "x"}, {"answer": 9, "saved": None}):
        far.send(wire.Give("token-of-nobody", answer))
    far.send(wire.Stored("token-of-nobody", 4))
    far.send(wire.Stop("token-of-nobody", Fate.CANCELLED))
    assert far.result_of("os.path:basename", '{"p": "a/b"}') == '"b"'


# --- stacks and limits ---------------------------------------------------------------------------


def test_a_stack_says_where_the_function_is(far: FarEnd) -> None:
    token = far.run("loud:pause", '{"seconds": 600}')
    far.wait_for(wire.Output)
    far.send(wire.AskStack(token, 7))
    stack = far.wait_for(wire.Stack)
    assert stack.number == 7
    assert stack.trouble is None
    assert stack.text is not None
    assert "in pause" in stack.text
    assert "start_runner" not in stack.text
    far.send(wire.AskStack("token-of-nobody", 8))
    assert far.wait_for(wire.Stack) == (8, None, "It does not run there any more.")


def test_too_much_memory_fails_the_job(far: FarEnd) -> None:
    ended = far.end_of(far.run("loud:give", json.dumps({"size": 600 * MB}), memory=200 * MB))
    assert ended.fate is Fate.FAILED
    assert "builtins.MemoryError" in ended.raised


def test_no_sign_of_life_is_a_timeout(far: FarEnd) -> None:
    ended = far.end_of(far.run("loud:pause", '{"seconds": 600}', stall_timeout_s=0.5))
    assert ended.fate is Fate.TIMEOUT
    assert ended.error == "no sign of life for 0.5s"


def test_what_the_greeting_limits_is_limited(tmp_path: Path) -> None:
    (tmp_path / "loud.py").write_text(textwrap.dedent(JOBS))
    with far_end() as far:
        far.land()
        ready = far.greet(chdir=str(tmp_path), slots=None, max_result_bytes=1_000, jobs_per_child=2)
        assert ready.folder == str(tmp_path)
        assert ready.slots == ready.cpus == len(os.sched_getaffinity(0))
        ended = far.end_of(far.run("loud:give", '{"size": 2000}'))
        assert ended.fate is Fate.HOPELESS
        pids = [far.result_of("os:getpid") for _ in range(6)]
        assert len(set(pids)) >= 3
