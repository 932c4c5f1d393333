"""Every kind of job leaves the same in the file wherever it runs: here, over a pipe, over ssh."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.agents import table, work
from tests.agents.cutting import Plan
from tests.agents.places import GRACE_S, AgentsPlace
from tests.agents.sshd import Sshd
from tests.agents.table import Outcome
from tests.integration import chores
from tests.integration.conftest import Place, gone, stop
from tests.waiting import wait_until


@pytest.fixture(scope="module")
def local(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Outcome]:
    """What the local pool makes of the jobs."""
    place = Place(tmp_path_factory.mktemp("local"))
    try:
        place.worker("--concurrency", "3", "--grace", str(GRACE_S))
        table.run(place)
        return table.outcomes(place)
    finally:
        place.close()


@pytest.mark.parametrize("way", ["a pipe", "ssh"])
def test_every_kind_of_job_leaves_the_same_rows(
    agents_place: AgentsPlace, sshd: Sshd, local: dict[str, Outcome], way: str
) -> None:
    via = agents_place.via(sshd.via if way == "ssh" else "")
    worker = agents_place.far_worker(via, concurrency=3)
    table.run(agents_place)
    found = table.outcomes(agents_place)
    told = "\n".join(table.differences(local, found))
    assert not told, told
    assert len(found) == len(local) > len(table.TABLE)
    for name, pids in table.pids_of(agents_place).items():
        for pid in pids:
            wait_until(lambda pid=pid: gone(pid), what=f"a process of {name} to be gone")
    assert stop(worker) == 0
    agents_place.until_far_is_dead(5)


def test_where_an_attempt_ran_is_on_record(agents_place: AgentsPlace, sshd: Sshd) -> None:
    agents_place.far_worker(agents_place.via(sshd.via))
    names = {"path": str(agents_place.folder / "pid")}
    job_id = agents_place.submit(chores.hold, params=names)
    (pid,) = agents_place.pids("pid")
    row = wait_until(
        lambda: agents_place.rows(
            "SELECT * FROM job_executions WHERE job_id = ? AND agent IS NOT NULL", job_id
        )
    )[0]
    (agent,) = wait_until(lambda: [each for each in agents_place.agents("ready") if each["busy"]])
    assert (row["pid"], row["agent"]) == (pid, agent["host"])
    assert (agent["slots"], agent["busy"]) == (1, 1)
    assert agent["via"] == agents_place.via(sshd.via)
    assert agent["pid"] in agents_place.far_pids()
    agents_place.queue.cancel(job_id)
    assert agents_place.end(job_id)["status"] == "cancelled"
    wait_until(lambda: gone(pid))


def test_output_is_seen_while_the_job_runs(agents_place: AgentsPlace, sshd: Sshd) -> None:
    """As `logs --follow` and the console read it; and a mebibyte of it in the end, byte by byte."""
    agents_place.far_worker(agents_place.via(sshd.via))
    first, second = "é\n" * 150_000, "ü\r" * 199_525 + "!"
    assert len((first + second).encode()) == work.MIB
    go = agents_place.folder / "go"
    job_id = agents_place.submit(
        work.print_when_told, params={"first": first, "go": str(go), "second": second}
    )

    def printed() -> bytes:
        found = list(Path(f"{agents_place.db}-logs").rglob("*.log"))
        return found[0].read_bytes() if found else b""

    wait_until(lambda: printed() == first.encode(), what="all that was printed to be seen")
    assert agents_place.status(job_id) == "running"
    go.touch()
    assert agents_place.end(job_id)["status"] == "completed"
    assert printed() == (first + second).encode()


def test_a_mebibyte_of_output_comes_over_a_slow_link_byte_by_byte(
    agents_place: AgentsPlace, sshd: Sshd
) -> None:
    """And pings come through beside it: the link is never taken for lost."""
    plan = Plan(agents_place.folder / "plan", bytes_per_s=400_000)
    agents_place.far_worker(plan.via(agents_place.via(sshd.via)))
    job_id = agents_place.submit(work.print_bytes, params={"size": work.MIB, "seed": 5})
    (job,) = agents_place.ended(job_id, timeout_s=60)
    assert job["status"] == "completed"
    (output,) = Path(f"{agents_place.db}-logs").rglob("*.log")
    assert output.read_bytes() == work.noise(work.MIB, 5)
    assert len(plan.started()) == 1
    assert len(job["executions"]) == 1
