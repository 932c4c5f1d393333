"""Queues whose jobs run at agents, and what is to be true of them whatever became of a link."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from gigq_core.worker.agents.lease import Lease
from tests.agents import worker_of
from tests.agents.netns import OtherHost
from tests.integration.conftest import ROOT, Place
from tests.waiting import wait_until

# A way that leads to this machine.
HERE = "env"
# The word for an attempt that was given back, and does not count.
GIVEN_BACK = "cancelled"
FAR_MARK = "TESTS_FAR_SIDE"
# Times that let a test take seconds; what they stand to each other as is as in the true ones.
QUICK = Lease(
    lease_s=3.0,
    ping_s=0.5,
    silent_s=1.0,
    # Of a busy machine, what is to end may have no turn for long.
    margin_s=3.0,
    ready_s=30.0,
    first_pause_s=0.1,
    longest_pause_s=1.0,
)
GRACE_S = 0.3
# How much longer an agent of a lost link can live than it is told to, on a busy machine.
LATE_S = 2.0


# How attempts at a lost agent end: those of which it had not said that they began, do not count.
LOST = ("crashed", GIVEN_BACK)


class AgentsPlace(Place):
    """A queue file whose workers have agents."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._mark = uuid.uuid4().hex

    def via(self, text: str = "") -> str:
        """The text of `--via` whose far side can be told by its environment."""
        return f"{text} env {FAR_MARK}={self._mark}".lstrip()

    def far_worker(
        self, *via: str, lease: Lease = QUICK, wait: bool = True, **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start a worker with agents, and wait until it is in the register.

        Args:
            via: texts of `--via`.
            lease: the times of its links.
            wait: whether to wait for its agents to be ready, and it in the register.
            options: the rest of `Worker`.
        """
        asked = {
            "via": list(via),
            "remote_python": sys.executable,
            "remote_chdir": str(ROOT),
            "grace_s": GRACE_S,
            "lease": lease._asdict(),
            "rescue_s": lease.lease_s + lease.margin_s,
            "worker_id": f"w{len(self._workers)}",
            **options,
        }
        words = [sys.executable, "-m", worker_of.__name__, str(self.db), json.dumps(asked)]
        with open(self.folder / f"worker-{len(self._workers)}.log", "wb") as log:
            process = subprocess.Popen(
                words,
                cwd=ROOT,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._workers.append(process)
        if wait:
            self._until_ready(str(asked["worker_id"]), len(via), process)
        return process

    def _until_ready(self, worker_id: str, agents: int, worker: subprocess.Popen[bytes]) -> None:
        """Wait until so many agents of a worker are ready."""

        def are_ready() -> bool:
            own = [row for row in self.agents("ready") if row["worker_id"] == worker_id]
            return worker.poll() is not None or len(own) >= agents

        wait_until(are_ready, 60, f"agents to be ready: {self.agents()}\n{self.log()}")
        assert worker.poll() is None, self.log()

    def agents(self, state: str = "%") -> list[dict[str, Any]]:
        """The agents that the file tells of, in a state."""
        return self.rows("SELECT * FROM core_agents WHERE state LIKE ? ORDER BY id", state)

    def far_pids(self) -> list[int]:
        """All living processes of the far side, whatever they were started by."""
        mark = f"{FAR_MARK}={self._mark}".encode()
        found = []
        for entry in os.listdir("/proc"):
            try:
                environment = entry.isdigit() and Path(f"/proc/{entry}/environ").read_bytes()
                if not environment or mark not in environment.split(b"\0"):
                    continue
                # A zombie has no environment any more. What is told to set it has it not yet.
                found.append(int(entry))
            except OSError:
                continue  # it has just ended
        return found

    def far_pids_of(self, host: OtherHost) -> list[int]:
        """Those of them that are on another host."""
        return sorted({*self.far_pids()} & {*host.pids()})

    def until_far_is_dead(self, within_s: float) -> None:
        """Wait until nothing of the far side lives."""
        wait_until(
            lambda: not self.far_pids(),
            within_s,
            f"the far side to be dead: {[_words(pid) for pid in self.far_pids()]}\n{self.log()}",
        )

    def all_ended(self, within_s: float) -> None:
        """Wait until no job waits or runs."""
        waiting = "SELECT name, status FROM jobs WHERE status IN ('pending', 'running')"
        try:
            wait_until(lambda: not self.rows(waiting), within_s, "all jobs to end")
        except AssertionError as problem:
            raise AssertionError(
                f"{problem}\n{self.rows(waiting)}\n{self.agents()}\n{self.log()}"
            ) from None


def _words(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()[:200]
    except OSError:
        return ""


def attempts_of(path: Path) -> dict[str, list[tuple[float, float]]]:
    """For each label, when each of its attempts began and was last seen, in their order."""
    found: dict[tuple[str, str], list[float]] = {}
    for line in path.read_text().splitlines() if path.exists() else ():
        label, pid, moment, *_ = line.split()
        found.setdefault((label, pid), []).append(float(moment))
    attempts: dict[str, list[tuple[float, float]]] = {}
    for (label, _), moments in found.items():
        attempts.setdefault(label, []).append((min(moments), max(moments)))
    return {label: sorted(each) for label, each in attempts.items()}


def longest_overlap(path: Path) -> float:
    """For how many seconds two attempts of one job ran at the same time, at most."""
    longest = 0.0
    for attempts in attempts_of(path).values():
        for number, (began, _) in enumerate(attempts):
            for _, ended in attempts[:number]:
                longest = max(longest, ended - began)
    return longest


def assert_each_ended_once(
    place: Place,
    labels: Sequence[str],
    path: Path,
    children: int = 0,
    words: Sequence[str] = LOST,
) -> None:
    """Each job completed in one attempt, whose children are there, and no others.

    Args:
        place: where the jobs are, whose names are their labels.
        labels: of the jobs.
        path: where they left their moments.
        children: how many each has submitted.
        words: how any attempt but the last can have ended.
    """
    log = place.log()
    for label in labels:
        (job,) = place.rows("SELECT * FROM jobs WHERE name = ?", label)
        attempts = place.rows(
            "SELECT * FROM job_executions WHERE job_id = ? ORDER BY rowid", job["id"]
        )
        told = [attempt["status"] for attempt in attempts]
        assert (job["status"], job["result"]) == ("completed", json.dumps(label)), (job, told, log)
        assert told.count("completed") == 1, (label, told, log)
        assert told[-1] == "completed", (label, told, log)
        assert set(told[:-1]) <= set(words), (label, told, log)
        assert all(attempt["ended"] is not None for attempt in attempts)
        assert job["attempts"] == len(told) - told.count(GIVEN_BACK), (job, told, log)
        made = place.rows("SELECT name, status FROM jobs WHERE submitted_by = ?", job["id"])
        assert sorted((child["name"], child["status"]) for child in made) == [
            (f"{label}-child-{number}", "completed") for number in range(children)
        ], (label, log)
        ended = [line for line in path.read_text().splitlines() if line.startswith(f"{label} ")]
        assert ended[-1].endswith("ended")
    assert place.rows("SELECT id FROM jobs WHERE execution_id IS NOT NULL") == []
    assert place.rows("SELECT id FROM job_executions WHERE status = 'running'") == []
