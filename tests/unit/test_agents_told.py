"""What commands and monitoring tell of agents, and of jobs that run at one."""

from __future__ import annotations

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest
from click.testing import CliRunner
from prometheus_client.parser import text_string_to_metric_families

from gigq_core import Job, JobQueue
from gigq_core.cli.main import cli
from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.inspection.doctor import Finding, Level, examine
from gigq_core.schema.attach import open_for_work
from tests.agents.rows import run_at, write_agents, write_worker

READY = AgentSeen("w/1", "w", "ssh gpu1", "ready", 4, 1, "gpu1", 7, "3.12.4", 0.5, latency=0.004)
SILENT = AgentSeen("w/2", "w", "ssh gpu2", "silent", 2, 1, "gpu2")
LOST = AgentSeen("w/3", "w", "srun -n1", "lost", trouble="srun ended with 1.")
STARTING = AgentSeen("w/5", "w", "ssh gpu3", "starting")
REFUSED = AgentSeen("w/4", "w", "ssh old1", "refused", trouble="its Python is 3.7: use 3.10.")


@pytest.fixture
def db(tmp_path: Path) -> Path:
    JobQueue(tmp_path / "jobs.db").close()
    return tmp_path / "jobs.db"


@pytest.fixture
def conn(db: Path) -> Iterator[sqlite3.Connection]:
    with closing(open_for_work(db, create=False)) as found:
        yield found


def told(db: Path, *words: str) -> str:
    answer = CliRunner().invoke(cli, ["--db", str(db), *words])
    assert answer.exit_code == 0, answer.output
    return answer.output


def found(db: Path) -> list[tuple[Level, str]]:
    return [(f.level, f.text) for f in examine(db) if f.check == "agents"]


# --- workers, status --------------------------------------------------------------------------


def test_workers_lists_the_agents_of_those_that_live(db: Path, conn: sqlite3.Connection) -> None:
    write_worker(conn, "w")
    write_worker(conn, "d", dead=True)
    write_agents(conn, READY, LOST, AgentSeen("d/1", "d", "ssh far", "ready"))
    lines = told(db, "workers").splitlines()
    agents = lines[lines.index("") + 1 :]
    assert agents[0].split() == [
        *("Agent", "Via", "Host", "State", "Slots", "Busy", "Load", "Link", "Answers", "Trouble")
    ]
    row = ["w/1", "ssh", "gpu1", "gpu1", "ready", "4", "1", "0.50", "-", "4ms"]
    assert agents[1].split() == row
    assert agents[2].endswith("srun ended with 1.")
    assert "ssh far" not in "\n".join(lines)


def test_workers_as_json_has_each_agent_whole(db: Path, conn: sqlite3.Connection) -> None:
    write_worker(conn, "w")
    write_worker(conn, "plain")
    write_agents(conn, READY, REFUSED)
    workers = {each["id"]: each for each in json.loads(told(db, "workers", "--json"))}
    assert workers["plain"]["agents"] == []
    assert workers["w"]["isolation"] == "agents"
    assert workers["w"]["agents"][0] == {
        "id": "w/1",
        "via": "ssh gpu1",
        "state": "ready",
        "slots": 4,
        "busy": 1,
        "host": "gpu1",
        "pid": 7,
        "python": "3.12.4",
        "load": 0.5,
        "began": None,
        "heard": None,
        "latency": 0.004,
        "trouble": None,
    }
    assert workers["w"]["agents"][1]["trouble"] == REFUSED.trouble


def test_status_says_where_an_attempt_runs(db: Path, conn: sqlite3.Connection) -> None:
    queue = JobQueue(db)
    here, there = queue.submit(Job("h", "far.away")), queue.submit(Job("t", "far.away"))
    write_worker(conn, "w")
    run_at(conn, there, "w", "gpu\x1b1")
    assert "Worker: w, on gpu\\x1b1\n" in told(db, "status", there)
    assert "gpu\\x1b1" in told(db, "status", there, "--show-executions").splitlines()[-1]
    assert json.loads(told(db, "status", there, "--json"))["executions"][0]["agent"] == "gpu\x1b1"
    assert "Worker" not in told(db, "status", here, "--show-executions")
    # Which of several agents of that worker it is.
    conn.execute("UPDATE job_executions SET link = 2 WHERE job_id = ?", (there,))
    conn.commit()
    assert "Worker: w/2, on gpu\\x1b1\n" in told(db, "status", there)
    assert " w/2 " in told(db, "status", there, "--show-executions").splitlines()[-1]
    assert json.loads(told(db, "status", there, "--json"))["executions"][0]["link"] == 2


# --- doctor -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("agents", "level", "text"),
    [
        ([], Level.FINE, "No worker has agents."),
        ([READY], Level.FINE, "1 agent is at work, each over a good link."),
        ([STARTING], Level.FINE, "1 agent is starting."),
        (
            [READY, STARTING],
            Level.FINE,
            "1 agent is at work, each over a good link, and 1 is starting.",
        ),
        (
            [READY, SILENT],
            Level.WARNING,
            "Worker w: its agent on gpu2 is silent: it gets no new jobs until it answers.",
        ),
        (
            [READY, LOST],
            Level.WARNING,
            'Worker w: its agent at "srun -n1" is lost: srun ended with 1.',
        ),
        (
            [LOST, REFUSED],
            Level.WRONG,
            'Worker w runs no job: its agent at "srun -n1" is lost: srun ended with 1, and 1 more '
            "is like it.",
        ),
        (
            [REFUSED],
            Level.WRONG,
            'Worker w runs no job: its agent at "ssh old1" is refused: its Python is 3.7: use '
            "3.10.",
        ),
        (
            [AgentSeen("w/1", "w", "ssh moon", "ready", 1, host="moon", latency=2.56)],
            Level.WARNING,
            "Worker w: its agent on moon takes 2.6s to answer, and its jobs begin and end so much "
            "later.",
        ),
    ],
)
def test_the_doctor_names_agents_that_run_no_jobs(
    db: Path, conn: sqlite3.Connection, agents: list[AgentSeen], level: Level, text: str
) -> None:
    write_worker(conn, "w")
    write_agents(conn, *agents)
    assert found(db) == [(level, text)]


def test_the_doctor_knows_when_what_a_dead_worker_left_has_ended(
    db: Path, conn: sqlite3.Connection
) -> None:
    write_worker(conn, "w", dead=True)
    write_agents(conn, replace(READY, heard=time.time() - 60))
    assert [level for level, _ in found(db)] == [Level.WARNING]
    write_agents(conn, replace(READY, heard=time.time() - 3600))
    assert [level for level, _ in found(db)] == [Level.FINE]


def test_the_doctor_names_what_a_dead_worker_left(db: Path, conn: sqlite3.Connection) -> None:
    write_worker(conn, "w", dead=True)
    write_agents(conn, READY, SILENT)
    job_id = JobQueue(db).submit(Job("t", "far.away"))
    run_at(conn, job_id, "w", "gpu1")
    assert found(db) == [
        (
            Level.WARNING,
            "2 agents are left of worker w, which died, for example on gpu1: they end by "
            "themselves, and any worker then gives back their jobs.",
        )
    ]
    orphans = [f for f in examine(db) if f.check == "orphans"]
    assert orphans == [
        Finding(
            "orphans",
            Level.WRONG,
            f"1 job is held by a dead worker, for example {job_id}: start any worker, and it takes "
            "over, once its agents must have ended.",
        )
    ]


# --- metrics ----------------------------------------------------------------------------------


def numbers(db: Path) -> dict[tuple[str, str, str], float]:
    """Those of agents, by their name, and their agent or state, and their host."""
    return {
        (s.name, s.labels.get("agent", s.labels.get("state", "")), s.labels.get("host", "")): (
            s.value
        )
        for family in text_string_to_metric_families(told(db, "metrics"))
        for s in family.samples
        if s.name.startswith("gigq_agent")
    }


def test_agents_in_numbers(db: Path, conn: sqlite3.Connection) -> None:
    assert numbers(db) == {}
    write_worker(conn, "w")
    write_worker(conn, "d", dead=True)
    heard = AgentSeen("w/5", "w", "ssh gpu5", "ready", 1, host="gpu5", heard=time.time() - 12)
    write_agents(conn, READY, SILENT, heard, AgentSeen("d/1", "d", "ssh far", "ready"))
    told = numbers(db)
    states = {state: n for (name, state, _), n in told.items() if name == "gigq_agents"}
    assert states == {"starting": 0, "ready": 2, "silent": 1, "lost": 0, "refused": 0}
    assert told["gigq_agent_slots", "w/1", "gpu1"] == 4
    assert told["gigq_agent_slots", "w/2", "gpu2"] == 0
    assert told["gigq_agent_busy", "w/2", "gpu2"] == 1
    assert told["gigq_agent_load", "w/1", "gpu1"] == 0.5
    assert told["gigq_agent_latency_seconds", "w/1", "gpu1"] == 0.004
    assert told["gigq_agent_silent_seconds", "w/5", "gpu5"] == pytest.approx(12, abs=5)
    assert not any(agent == "d/1" for _, agent, _ in told)


# --- a worker's options in other commands -----------------------------------------------------


def test_a_unit_runs_each_way_of_its_worker(db: Path) -> None:
    words = ["unit", "--via", "ssh gpu1", "--via", "srun -n1 --mem=4G", "--remote-chdir", "/srv"]
    (line,) = [x for x in told(db, *words).splitlines() if x.startswith("ExecStart=")]
    assert line.endswith('worker --via "ssh gpu1" --via "srun -n1 --mem=4G" --remote-chdir /srv'), (
        line
    )
