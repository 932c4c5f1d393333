"""Links that lead to no agent of ours: what is said of them, and what goes on all the same."""

from __future__ import annotations

import os
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from gigq_core.worker.agents.lease import Lease
from tests.agents.places import QUICK, AgentsPlace
from tests.integration import chores
from tests.integration.conftest import stop
from tests.waiting import wait_until

PRETENDER = str(Path(__file__).with_name("pretender.py"))
# Their jobs are given back soon.
SOON = QUICK._replace(lease_s=1.0, first_pause_s=0.05, longest_pause_s=0.1, ready_s=2.0)


@pytest.fixture
def place(tmp_path: Path) -> Iterator[AgentsPlace]:
    made = AgentsPlace(tmp_path)
    yield made
    made.close()


def pretender(what: str) -> str:
    return shlex.join([sys.executable, PRETENDER, what])


HOPELESS = {
    "false": 'The link "false" ended with exit code 1 before an agent was there',
    "sh -c 'echo no such host >&2; exit 255' --": "exit code 255 before an agent was there: "
    "no such host",
    pretender("other version"): "is of gigq-tui 0.0.9, and this worker of 0.1.0: install the same",
    pretender("other protocol"): "is of gigq-tui 0.1.0, and this worker of 0.1.0",
    pretender("refuses"): "There is no room here: make some.",
    pretender("says nothing more"): "was not ready within 2 s",
    pretender("without slots"): "its agent has no slots",
}


@pytest.mark.parametrize("via", HOPELESS, ids=lambda via: HOPELESS[via][-30:])
def test_a_worker_that_can_have_no_agent_ends_and_says_why(place: AgentsPlace, via: str) -> None:
    place.submit(chores.nothing)
    worker = place.far_worker(via, lease=SOON, wait=False)
    assert worker.wait(60) == 1
    assert "No job can run: " in place.log()
    # Once as it is found, and once as the reason.
    assert 2 <= place.log().count(HOPELESS[via]) <= 3
    assert "cleaned up" not in place.log()
    assert place.queue.stats()["pending"] == 1
    assert place.live_workers() == set()


@pytest.mark.parametrize(
    "what",
    [
        "other version",
        "garbage at once",
        "twice ready",
        "a pong too many",
        "garbage for a job",
        "a huge line",
    ],
)
def test_what_is_no_agent_of_ours_harms_its_own_link_alone(place: AgentsPlace, what: str) -> None:
    # None is given to it so often that it has no attempts left.
    lease = SOON._replace(first_pause_s=1.0, longest_pause_s=1.0)
    jobs = [
        place.submit(chores.note_and_rest, params=_note(place, n), max_attempts=6)
        for n in range(20)
    ]
    worker = place.far_worker(place.via(), pretender(what), lease=lease, wait=False)
    assert {job["status"] for job in place.ended(*jobs, timeout_s=60)} == {"completed"}
    assert sorted(place.lines("notes", 20), key=int) == [str(n) for n in range(20)]
    good, bad = place.agents()
    assert good["state"] == "ready"
    if what == "other version":
        assert bad["state"] == "refused"
        assert "0.0.9" in bad["trouble"]
    assert stop(worker) == 0


def test_an_ending_that_comes_twice_or_of_nothing_is_one_outcome(place: AgentsPlace) -> None:
    job = place.submit(chores.nothing)
    worker = place.far_worker(pretender("odd words"), lease=SOON, wait=False)
    ended = place.end(job)
    assert (ended["status"], ended["result"], ended["attempts"]) == ("completed", 1, 1)
    wait_until(lambda: place.log().count("an attempt that it does not have") == 5)
    # It can't have run for longer than it was there.
    assert ended["executions"][0]["began"] >= ended["created"] - 1
    worker.send_signal(signal.SIGKILL)
    worker.wait()


def test_a_job_that_takes_its_agent_down_at_once_counts_from_the_second_time_on(
    place: AgentsPlace,
) -> None:
    job = place.submit(chores.nothing, max_attempts=2)
    worker = place.far_worker(pretender("dies of a job"), lease=SOON, wait=False)
    ended = place.end(job)
    assert ended["status"] == "failed"
    assert [e["status"] for e in ended["executions"]] == ["cancelled", "crashed", "crashed"]
    assert stop(worker) == 0


def test_a_worker_for_one_job_stays_for_it_where_its_agent_gives_it_back(
    place: AgentsPlace,
) -> None:
    job = place.submit(chores.nothing)
    worker = place.worker("--via", pretender("not at once"), "--once", wait=False)
    assert worker.wait(60) == 0
    assert place.status(job) == "completed"
    assert place.queue.stats()["pending"] == 0


def test_a_host_may_not_call_itself_by_what_steers_a_terminal(place: AgentsPlace) -> None:
    worker = place.far_worker(pretender("odd host"), lease=SOON)
    (agent,) = place.agents()
    assert agent["host"] == "\\x1b]0;mine\\x07far\\x0aAgent on near"
    assert "\x1b" not in place.log()
    assert "\nAgent on near" not in place.log()
    worker.kill()
    worker.wait()


def test_what_a_command_says_goes_to_the_log_line_by_line_and_is_bounded(
    place: AgentsPlace,
) -> None:
    said = "for n in $(seq 300); do printf '\\033[31mline %d\\n' $n >&2; done"
    via = shlex.join(["sh", "-c", f'("$@"; {said}); exit 0', "--"])
    job = place.submit(chores.nothing)
    worker = place.far_worker(via, lease=SOON)
    place.end(job)
    (agent,) = place.agents()
    # The agent is gone, and what called it talks.
    os.kill(agent["pid"], signal.SIGKILL)
    wait_until(lambda: "says: \\x1b[31mline 1\n" in place.log(), what="its words")
    assert "\x1b" not in place.log()
    assert place.log().count(" says: ") <= 70
    assert stop(worker) == 0


def test_a_worker_that_is_told_twice_ends_though_its_agent_is_not_heard(
    place: AgentsPlace,
) -> None:
    job = place.submit(chores.hold, params={"path": str(place.folder / "notes")})
    worker = place.far_worker(place.via(), lease=Lease())
    place.lines("notes")
    far = place.far_pids()
    for pid in far:
        os.kill(pid, signal.SIGSTOP)
    try:
        worker.send_signal(signal.SIGTERM)
        wait_until(lambda: "is draining" in place.log())
        worker.send_signal(signal.SIGTERM)
        assert worker.wait(40) == 128 + signal.SIGTERM
        # It may go on there, so that it is nobody else's yet.
        assert place.status(job) == "running"
        assert place.live_workers() == {"w0"}
    finally:
        for pid in far:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)


def test_what_ends_while_a_worker_closes_its_agents_is_written(place: AgentsPlace) -> None:
    job = place.submit(chores.nothing)
    worker = place.far_worker(pretender("ends when it is closed"), lease=Lease())
    wait_until(lambda: place.status(job) == "running")
    worker.send_signal(signal.SIGTERM)
    wait_until(lambda: "is draining" in place.log())
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(40) == 128 + signal.SIGTERM
    ended = place.job(job)
    assert (ended["status"], ended["attempts"]) == ("pending", 0)
    assert [attempt["status"] for attempt in ended["executions"]] == ["cancelled"]
    assert place.live_workers() == set()


def _note(place: AgentsPlace, number: int) -> dict[str, str]:
    return {"path": str(place.folder / "notes"), "text": str(number)}
