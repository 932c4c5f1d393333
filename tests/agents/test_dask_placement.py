"""Places in a real Dask cluster: streams that come, stand and go, as far as a worker sees them."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from gigq_core.worker.agents import dask_placement
from gigq_core.worker.agents.dask_placement import Left
from tests.agents.dask_cluster import START_WITHIN_S, DaskCluster, with_client
from tests.agents.dask_turns import ECHO, Turns
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler with two Dask workers; a test that ends one starts another."""
    cluster = DaskCluster(tmp_path_factory.mktemp("dask"))
    try:
        cluster.start_worker()
        cluster.start_worker()
        yield cluster
    finally:
        cluster.close()


@pytest.fixture(scope="module")
def shared_turns(cluster: DaskCluster) -> Iterator[Turns]:
    """One bridge for the tests that need none of their own: starting one takes a second."""
    turns = Turns(cluster.address)
    try:
        yield turns
    finally:
        turns.close()


@pytest.fixture
def turns(shared_turns: Turns) -> Turns:
    """It, with a place in either Dask worker."""
    shared_turns.until(lambda: len(shared_turns.here) == 2)
    shared_turns.left.clear()
    return shared_turns


def read(stream: socket.socket, count: int = 2**40) -> bytes:
    """So many bytes of it, or all until its end."""
    stream.settimeout(START_WITHIN_S)
    data = bytearray()
    while len(data) < count and (more := stream.recv(min(count - len(data), 2**20))):
        data += more
    return bytes(data)


def test_each_dask_worker_is_a_place_and_bytes_pass_both_ways_as_they_are(turns: Turns) -> None:
    places = turns.places(2)
    assert {placed.slots for placed in places} == {2}
    assert {placed.host for placed in places} == {socket.gethostname()}
    assert len({placed.name.split("#")[0] for placed in places}) == 2
    # Half lines, no lines, every byte, and more than any buffer on the way holds.
    sent = bytes(range(256)) * 16384 + b"half a li"
    for placed in places:
        placed.stream.settimeout(START_WITHIN_S)
        writer = threading.Thread(target=placed.stream.sendall, args=(sent,))
        writer.start()
        assert read(placed.stream, len(sent)) == sent
        writer.join()
        placed.stream.shutdown(socket.SHUT_WR)
        assert read(placed.stream) == b"<end>"
    turns.until(lambda: len(turns.left) == 2)


def test_a_dask_worker_that_is_killed_ends_its_stream_alone_and_one_that_joins_is_a_place(
    turns: Turns, cluster: DaskCluster
) -> None:
    before = set(turns.here)
    joined = cluster.start_worker(threads=3)
    turns.places(3)
    (new,) = (placed for name, placed in turns.here.items() if name not in before)
    assert new.slots == 3
    cluster.end(joined, signal.SIGKILL)
    turns.until(lambda: turns.left)
    assert turns.left == [Left(new.name, "the Dask worker is gone")]
    assert set(turns.here) == before
    for placed in turns.here.values():
        placed.stream.settimeout(START_WITHIN_S)
        placed.stream.sendall(b"still here")
        assert read(placed.stream, 10) == b"still here"


def test_an_agent_that_ends_is_told_with_its_last_words_and_offered_anew(
    cluster: DaskCluster,
) -> None:
    turns = Turns(cluster.address, "import sys; sys.stdin.readline(); sys.exit('no room on disk')")
    try:
        names = {placed.name for placed in turns.places(2)}
        some = next(iter(turns.here.values()))
        some.stream.sendall(b"\n")
        turns.until(lambda: turns.left)
        (left,) = turns.left
        assert left.name == some.name
        assert left.why == "the agent's process ended with code 1: no room on disk"
        turns.places(2)
        (again,) = set(turns.here) - names
        assert again == some.name.replace("#1", "#2")
    finally:
        turns.close()


def test_closing_a_stream_ends_the_agent_there(turns: Turns) -> None:
    placed = turns.places(2)[0]
    placed.stream.close()
    turns.until(lambda: turns.left)
    assert turns.left == [Left(placed.name, "the agent's process ended with code 0")]


def test_a_place_takes_jobs_while_the_cluster_holds_it_and_rests_after_the_last(
    turns: Turns, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dask_placement, "REST_AFTER_S", 0.3)
    one, other = (placed.name for placed in turns.places(2))
    takes = turns.placement.takes_jobs
    assert not takes(one)
    assert not takes(other)

    def both() -> bool:
        turns.placement.wanted(1)
        return takes(one) and takes(other)

    turns.until(both)
    turns.placement.wanted(0)
    turns.placement.busy(one, 2)
    turns.until(lambda: not takes(other))
    assert takes(one)
    turns.placement.busy(one, 0)
    turns.until(lambda: not takes(one))


def test_a_paused_dask_worker_takes_no_new_jobs(turns: Turns, cluster: DaskCluster) -> None:
    one, other = (placed.name for placed in turns.places(2))
    takes = turns.placement.takes_jobs
    turns.placement.wanted(1)
    turns.until(lambda: takes(one) and takes(other))
    turns.placement.busy(one, 1)
    turns.placement.busy(other, 1)
    _set_status(cluster.address, one.split("#")[0], "paused")
    turns.until(lambda: not takes(one))
    assert takes(other)
    assert set(turns.here) == {one, other}
    _set_status(cluster.address, one.split("#")[0], "running")
    turns.until(lambda: takes(one))


def test_a_dask_worker_that_is_retired_lets_its_agent_say_its_last_words(
    turns: Turns, cluster: DaskCluster
) -> None:
    before = set(turns.here)
    cluster.start_worker()
    turns.places(3)
    (new,) = (placed for name, placed in turns.here.items() if name not in before)
    new.stream.sendall(b"!")  # what comes back says that it hears: before, it would just end
    assert read(new.stream, 1) == b"!"
    with_client(
        cluster.address, lambda client: client.retire_workers(workers=[new.name.split("#")[0]])
    )
    # It is told so, as its host's shutdown would: then its jobs are not to blame.
    assert read(new.stream) == b"<told>"
    turns.places(2)


def test_an_agent_that_reads_nothing_stops_the_sender_and_fills_no_memory(
    cluster: DaskCluster,
) -> None:
    deaf = "import select; poll = select.poll(); poll.register(0, 0); poll.poll()"
    turns = Turns(cluster.address, deaf)
    try:
        placed = turns.places(2)[0]
        placed.stream.settimeout(2.0)
        sent = 0
        with contextlib.suppress(TimeoutError):
            while sent < 32 * 2**20:
                sent += placed.stream.send(bytes(2**16))
        assert sent < 4 * 2**20
    finally:
        turns.close()


def test_a_bridge_that_is_killed_ends_all_streams_and_is_started_again(turns: Turns) -> None:
    before = set(turns.here)
    streams = [placed.stream.dup() for placed in turns.here.values()]
    pid = turns.placement.pid
    assert pid is not None
    os.kill(pid, signal.SIGKILL)
    turns.until(lambda: len(turns.left) == 2)
    assert {left.name for left in turns.left} == before
    assert {left.why for left in turns.left} == {"the process that speaks to Dask ended"}
    assert turns.placement.trouble is not None
    assert turns.placement.trouble.startswith("The process that speaks to Dask ended with code -9")
    for stream in streams:
        with stream:
            assert read(stream) == b""
    turns.places(2)
    turns.until(lambda: turns.placement.trouble is None)
    assert turns.placement.pid not in (None, pid)


def test_with_the_worker_its_bridge_ends_and_the_agents_do(
    cluster: DaskCluster, tmp_path: Path
) -> None:
    own = tmp_path / "pids"
    own.mkdir()
    program = f"import os; open(os.path.join({str(own)!r}, str(os.getpid())), 'w').close()\n{ECHO}"
    worker = subprocess.Popen(
        [sys.executable, "-c", _WORKER, cluster.address, program],
        stdout=subprocess.PIPE,
    )
    assert worker.stdout is not None
    bridge = psutil.Process(int(worker.stdout.readline()))
    wait_until(lambda: len(list(own.iterdir())) == 2, START_WITHIN_S)
    agents = [psutil.Process(int(path.name)) for path in own.iterdir()]
    worker.kill()
    worker.communicate()
    gone, alive = psutil.wait_procs([bridge, *agents], START_WITHIN_S)
    assert alive == []
    assert len(gone) == 3


_WORKER = """
import sys
from tests.agents.dask_turns import Turns
turns = Turns(*sys.argv[1:])
turns.places(2)
print(turns.placement.pid, flush=True)
turns.until(lambda: False, 600)
"""


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"python": "/no/such/python"}, "can't start an agent: FileNotFoundError"),
        ({"python": os.devnull}, "can't start an agent: PermissionError"),
    ],
)
def test_an_agent_that_can_not_be_started_is_told(
    cluster: DaskCluster, options: dict[str, str], words: str
) -> None:
    turns = Turns(cluster.address, **options)
    try:
        trouble = turns.until(lambda: turns.placement.trouble)
        assert trouble.startswith("The Dask worker tcp://127.0.0.1:")
        assert words in trouble
        assert "\n" not in trouble
        assert turns.here == {}
    finally:
        turns.close()


def test_without_distributed_the_sentence_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dask_placement, "find_spec", lambda name: None)
    words = "What speaks to Dask is not installed here: pip install 'gigq-tui[dask]'"
    assert dask_placement.why_not() == words
    turns = Turns("tcp://127.0.0.1:1")
    try:
        assert turns.placement.trouble == words
        assert turns.placement.pid is None
    finally:
        turns.close()


def _set_status(scheduler: str, address: str, status: str) -> None:
    code = (
        "from distributed import Worker\nfrom distributed.core import Status\n"
        f"one, = (w for w in Worker._instances if w.address == {address!r})\n"
        f"one.status = Status.{status}\n"
    )
    with_client(scheduler, lambda client: client.run(exec, code, {}, workers=[address]))


def test_a_cluster_that_speaks_tls_alone_is_reached_with_the_users_own_dask_configuration(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, certificate = str(tmp_path / "key.pem"), str(tmp_path / "certificate.pem")
    words = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"]
    words += ["-keyout", key, "-out", certificate, "-subj", "/CN=localhost"]
    subprocess.run(words, check=True, capture_output=True)
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__REQUIRE_ENCRYPTION", "True")
    monkeypatch.setenv("DASK_DISTRIBUTED__COMM__TLS__CA_FILE", certificate)
    for who in ("CLIENT", "SCHEDULER", "WORKER"):
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__{who}__KEY", key)
        monkeypatch.setenv(f"DASK_DISTRIBUTED__COMM__TLS__{who}__CERT", certificate)
    cluster = DaskCluster(tmp_path, "tls://127.0.0.1")
    cluster.start_worker()
    turns = Turns(cluster.address)
    try:
        (placed,) = turns.places(1)
        assert placed.name.startswith("tls://127.0.0.1:")
        placed.stream.sendall(b"in private")
        assert read(placed.stream, 10) == b"in private"
    finally:
        turns.close()
        cluster.close()


def test_a_dask_worker_of_another_version_is_used_and_told_of_once(
    turns: Turns,
    cluster: DaskCluster,
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(logging.getLogger("gigq_core"), "propagate", True)
    caplog.set_level("WARNING", "gigq_core.worker")
    before = set(turns.here)
    preload = tmp_path / "older.py"
    preload.write_text("import distributed\ndistributed.__version__ = '2024.8.0'\n")
    joined = cluster.start_worker("--no-nanny", "--preload", str(preload))
    turns.places(3)
    (new,) = set(turns.here) - before
    sentence = (
        f"The Dask worker {new.split('#')[0]} has distributed 2024.8.0 on Python "
        f"{sys.version_info[0]}.{sys.version_info[1]}, this worker "
    )
    assert [sentence in message for message in caplog.messages] == [True]
    turns.here[new].stream.close()
    turns.until(lambda: turns.left)
    turns.places(3)
    assert len(caplog.messages) == 1
    cluster.end(joined)
    turns.places(2)


def test_a_dask_worker_that_runs_nothing_for_clients_is_told(
    turns: Turns, cluster: DaskCluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DASK_DISTRIBUTED__WORKER__BLOCKED_HANDLERS", "['run']")
    joined = cluster.start_worker()
    trouble = turns.until(lambda: turns.placement.trouble)
    assert trouble.startswith("The Dask worker tcp://127.0.0.1:")
    assert " takes no agent: " in trouble
    assert "'run' handler has been explicitly disallowed" in trouble
    assert "\n" not in trouble
    assert len(turns.here) == 2
    cluster.end(joined)
    turns.until(lambda: turns.placement.trouble is None)


def test_two_workers_of_ours_may_use_the_same_dask_worker(cluster: DaskCluster) -> None:
    one, other = Turns(cluster.address), Turns(cluster.address)
    try:
        names = {placed.name for placed in one.places(2)}
        assert {placed.name for placed in other.places(2)} == names
        for name in names:
            other.here[name].stream.close()
        other.until(lambda: len(other.left) == 2)
        takes = one.placement.takes_jobs
        one.until(lambda: (one.placement.wanted(1), all(map(takes, names)))[1])
    finally:
        one.close()
        other.close()
