"""Each way to another place that the documents tell of leads there, and leaves nothing behind."""

from __future__ import annotations

import re
import shutil
import time
from pathlib import Path

import pytest

from tests.agents import stands_in
from tests.agents.places import LATE_S, QUICK, AgentsPlace
from tests.agents.sshd import Sshd
from tests.integration import chores
from tests.integration.conftest import ROOT, stop

# As they stand in the documents.
SSH = (
    "ssh gpu1",
    "ssh -J bastion gpu1",
    "ssh gpu1 nice -n 10",
    "ssh gpu1 env CUDA_VISIBLE_DEVICES=0",
    "ssh gpu1 env CUDA_VISIBLE_DEVICES=1",
    "ssh gpu1 systemd-run --user --pipe --quiet --collect -p MemoryMax=16G",
    "ssh gpu1 docker exec -i trainer",
)
SLURM = (
    "srun -n1 --mem=4G",
    "srun -n1 -c4 --mem=8G --time=8:00:00",
    "srun -n1 --partition=gpu --gres=gpu:1 --time=12:00:00",
    "srun --jobid=4711 --overlap -n1",
    "ssh login srun -n1 --mem=4G",
)
OTHERS = (
    "kubectl exec -i deploy/jobs --",
    "kubectl exec -i -n batch jobs-0 -c main --",
    "docker exec -i trainer",
    "docker run --rm -i --init -v /srv/project:/srv/project python:3.12",
    "docker run --rm -i python:3.12",
    "systemd-run --user --pipe --quiet --collect -p MemoryMax=4G",
)
DOCUMENTED = (*SSH, *SLURM, *OTHERS)
# Whose far side is not told at all that its caller is gone, by a fault on the way.
KEPT = ("srun -n1 --mem=4G", "kubectl exec -i deploy/jobs --", "docker exec -i trainer")
# What leads nowhere, and what the person who asked for it is told.
WRONG = (
    ("kubectl exec deploy/jobs --", "before an agent was there"),
    ("srun -n1 --memory=4G", "unrecognized option '--memory=4G'"),
    ("kubectl exec -i deploy/jobs", "Use exec [POD] -- [COMMAND]"),
    ("docker exec -it trainer", "the input device is not a TTY"),
    ("ssh no-such-host", "Could not resolve hostname"),
    ("docker exec -i trainer no-such-program", "no-such-program"),
)


@pytest.fixture
def surrounded(
    sshd: Sshd, stand_ins: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The stand-ins are on the PATH here and where ssh leads, which is where its config says."""
    stands_in.install(sshd.programs)
    program = tmp_path / "bin" / "ssh"
    real = shutil.which("ssh", path="/usr/local/bin:/usr/bin:/bin")
    program.write_text(f'#!/bin/sh\nexec {real} -F {sshd.folder}/ssh_config "$@"\n')
    program.chmod(0o755)


@pytest.mark.parametrize("via", DOCUMENTED)
def test_a_documented_way_leads_there_and_nothing_is_left_there(
    surrounded: None, agents_place: AgentsPlace, via: str
) -> None:
    """Its worker is killed: each way passes on that there is no more to read."""
    place = agents_place
    worker = place.far_worker(place.via(via), concurrency=2)
    ids = [
        place.submit(chores.add, params={"a": 1, "b": 2}),
        place.submit(chores.speak, params={"lines": 3}),
        place.submit(chores.where),
        place.submit(chores.hold, params={"path": str(place.folder / "held")}, name="held"),
        place.submit(
            chores.hold_stubbornly,
            params={"path": str(place.folder / "late")},
            timeout=0.7,
            max_attempts=1,
        ),
    ]
    place.lines("held")
    place.queue.cancel(ids[3])
    jobs = place.ended(*ids)
    assert [job["status"] for job in jobs] == [*["completed"] * 3, "cancelled", "timeout"]
    assert jobs[0]["result"] == 3
    (output,) = Path(f"{place.db}-logs").rglob("*.log")
    assert output.read_text().splitlines()[:3] == ["line 0", "line 1", "line 2"]
    assert jobs[2]["result"]["cwd"] == str(ROOT)
    place.submit(chores.hold_stubbornly, params={"path": str(place.folder / "pids")})
    place.lines("pids")
    worker.kill()
    worker.wait()
    killed = time.monotonic()
    place.until_far_is_dead(QUICK.lease_s + LATE_S)
    # Long before its lease ended.
    assert time.monotonic() - killed < QUICK.lease_s - QUICK.ping_s


@pytest.mark.parametrize("via", KEPT)
def test_a_worker_that_is_stopped_leaves_nothing_there(
    surrounded: None, agents_place: AgentsPlace, via: str
) -> None:
    worker = agents_place.far_worker(agents_place.via(via))
    agents_place.end(agents_place.submit(chores.nothing))
    assert stop(worker) == 0
    agents_place.until_far_is_dead(LATE_S)


@pytest.mark.parametrize("via", KEPT)
def test_where_nobody_is_told_the_lease_ends_it(
    surrounded: None, agents_place: AgentsPlace, monkeypatch: pytest.MonkeyPatch, via: str
) -> None:
    monkeypatch.setenv(stands_in.KEEPS, "1")
    place = agents_place
    worker = place.far_worker(place.via(via))
    place.submit(chores.hold_stubbornly, params={"path": str(place.folder / "pids")})
    place.lines("pids")
    worker.kill()
    worker.wait()
    killed = time.monotonic()
    place.until_far_is_dead(QUICK.lease_s + LATE_S)
    assert time.monotonic() - killed > QUICK.lease_s - 2 * QUICK.ping_s


@pytest.mark.parametrize(("via", "told"), WRONG)
def test_a_way_that_leads_nowhere_says_why(
    surrounded: None, agents_place: AgentsPlace, via: str, told: str
) -> None:
    """One sentence, in the log and where people look; the worker ends, having no other way."""
    place = agents_place
    worker = place.far_worker(via, wait=False, lease=QUICK._replace(ready_s=3.0))
    assert worker.wait(30) != 0
    (agent,) = place.agents()
    for said in (place.log(), agent["trouble"]):
        assert told in said
        assert "Traceback" not in said


def test_one_way_that_leads_nowhere_is_no_harm_to_the_others(
    surrounded: None, agents_place: AgentsPlace
) -> None:
    place = agents_place
    worker = place.far_worker("ssh no-such-host", place.via("ssh gpu1"), wait=False)
    assert place.end(place.submit(chores.add, params={"a": 1, "b": 2}))["result"] == 3
    wrong, right = place.agents()
    assert "Could not resolve hostname" in wrong["trouble"]
    assert (right["state"], right["trouble"]) == ("ready", None)
    assert stop(worker) == 0


def test_the_documents_tell_of_these_ways_alone() -> None:
    """Whatever way stands in a document has been gone here."""
    found = set()
    for path in (ROOT / "README.md", *(ROOT / "docs").rglob("*.md")):
        found |= set(re.findall(r"--via '([^']+)'", path.read_text(encoding="utf-8")))
    assert {way for way in found if not way.startswith("dask:")} <= set(DOCUMENTED)
