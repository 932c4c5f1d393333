"""What the console and the commands say of agents, and of the jobs that they run elsewhere."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.grouping.counting import Counting, count_key
from gigq_core.reasons.standing import read_standings
from gigq_core.reasons.why import Health, why
from gigq_core.schema.agent_statements import WRITE_AGENT
from gigq_core.schema.ddl import AGENT_INDEX
from gigq_core.schema.opening import connect
from gigq_core.worker.agents.bootstrap import Handshake
from gigq_tui.columns import JobAt, column_named, own_names
from gigq_tui.once.picture import as_json, as_text, take
from gigq_tui.screens.job.attempts import describe_attempt, describe_output
from gigq_tui.screens.job.texts import fact_lines
from gigq_tui.screens.workers.entries import describe_worker, entries, entry_line
from gigq_tui.screens.workers.order import groups_of, matches
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.counts.filters import filter_of
from gigq_tui.store.filter.folding import add_functions
from gigq_tui.store.filter.language import parse
from gigq_tui.store.filter.sql import Context
from gigq_tui.store.list.view import View
from gigq_tui.store.models import JobRow, Progress, RunningJob, Snapshot, WorkerRow
from gigq_tui.store.reader import Reader
from gigq_tui.store.sorting import Sort, SortKey
from gigq_tui.widgets.worker_words import wrong_agents
from tests import agents_scene, scene

NOW = scene.NOW


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return agents_scene.build(tmp_path_factory.mktemp("elsewhere") / "jobs.db")


@pytest.fixture
def reader(path: Path) -> Iterator[Reader]:
    reader = Reader(path, FrozenClock(NOW), is_dead=scene.liveness)
    yield reader
    reader.close()


def shown(snapshot: Snapshot, name: str) -> JobRow:
    return next(row for row in snapshot.window.rows if row.name == name)


NO_AGENT = Handshake("ssh gpu1")


def agent(state: Any = "ready", number: int = 1, **values: Any) -> AgentSeen:
    base = AgentSeen(f"w1/{number}", "w1", "ssh gpu1", state, 4, host="gpu1")
    return replace(base, **values)


def worker(*agents: AgentSeen, **values: Any) -> WorkerRow:
    base = WorkerRow(
        *("w1", "console", "etl-3", 41, "agents", 4, "running", None, Health.ALIVE),
        *(NOW - timedelta(minutes=9), None, 7, 0, None, None),
        agents=agents,
    )
    return replace(base, **values)


def listing(*workers: WorkerRow) -> Snapshot:
    snapshot = Snapshot.__new__(Snapshot)
    object.__setattr__(snapshot, "workers", workers)
    object.__setattr__(snapshot, "foreign_workers", ())
    return snapshot


def lines(row: WorkerRow, width: int = 120) -> list[str]:
    found = [entry_line(entry, NOW, {}, False, width) for entry in entries(listing(row))]
    return ["".join(text for text, _ in line) for line in found]


# --- what the file tells ------------------------------------------------------------------------


def test_workers_are_read_with_their_agents_and_jobs_with_where_they_run(reader: Reader) -> None:
    snapshot = reader.snapshot(View())
    (remote,) = (row for row in snapshot.workers if row.agents)
    assert remote.agents == agents_scene.AGENTS
    hosts = {job.name: job.host for job in remote.running}
    assert hosts == {"embed_docs": "gpu1", "train_vision": "gpu1", "eval_vision": "gpu2"}
    assert not any(job.host for row in snapshot.workers for job in row.running if row != remote)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("embed_docs", "runs on gpu1, by agent w8/1: 9% of timeout 1h"),
        (
            "eval_vision",
            "its agent on gpu2 has been silent for 12s: it gets no new jobs until it answers",
        ),
        ("train_full", "OVER timeout 5m, still alive"),
    ],
)
def test_why_says_where_a_job_runs(reader: Reader, path: Path, name: str, said: str) -> None:
    assert why(shown(reader.snapshot(View()), name), NOW) == said
    detail = reader.detail(scene.job_id(name))
    assert detail is not None
    assert why(detail.row, NOW) == said
    conn = connect(path, "ro", 5.0)
    conn.row_factory = sqlite3.Row
    (record,) = conn.execute("SELECT * FROM jobs WHERE id = ?", (scene.job_id(name),))
    (standing,) = read_standings(conn, [dict(record)])
    conn.close()
    if name != "train_full":  # whether its worker lives is asked of this machine there
        assert why(replace(standing, holder=Health.ALIVE), NOW) == said


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"stop_requested": True}, "cancelling on gpu1, not ended yet"),
        ({"timeout_s": 60.0}, "OVER timeout 1m, still alive on gpu1"),
        ({"attempts": 2, "error": "OSError: no"}, "attempt 2 on gpu1, last: OSError: no"),
        ({"started_at": None}, "running on gpu1, start time unknown"),
        ({"link": agent("lost", trouble="cut")}, "its agent on gpu1 is lost: cut"),
        ({"link": agent("lost")}, "its agent on gpu1 is lost"),
        (
            {"link": agent(began=NOW.timestamp() - 60)},
            "its link to gpu1 was cut: it is given back once it must have ended",
        ),
        (
            {"link": agent("starting", began=NOW.timestamp() - 60), "attempts": 2},
            "its link to gpu1 was cut: it is given back once it must have ended",
        ),
        (
            {"link": agent(began=NOW.timestamp() - 7200), "stop_requested": True},
            "cancelling on gpu1, not ended yet",
        ),
        (
            {"link": agent("silent", trouble="nothing was heard of it for 10 s")},
            "its agent on gpu1 is silent: it gets no new jobs until it answers",
        ),
        (
            {"holder": Health.LOST},
            "ORPHAN: worker pid 4180 is not alive, and its agent on gpu1 ends by itself",
        ),
    ],
)
def test_whatever_else_is_told_says_where_too(
    reader: Reader, change: dict[str, Any], said: str
) -> None:
    row = shown(reader.snapshot(View()), "train_vision")
    assert why(replace(row, **change), NOW) == said


def test_progress_is_told_with_the_host(reader: Reader) -> None:
    row = shown(reader.snapshot(View()), "train_vision")
    row = replace(row, progress=Progress(1, 4, "epoch 2", NOW))
    assert why(row, NOW) == "25% on gpu1 in 25m, about 1h15m left: epoch 2"


def test_of_several_agents_on_one_host_it_is_known_which_one_runs_a_job(tmp_path: Path) -> None:
    path = agents_scene.build(tmp_path / "jobs.db")
    conn = sqlite3.connect(path)
    twin = replace(
        agents_scene.AGENTS[0], id="w8/6", state="silent", heard=agents_scene.seconds(20)
    )
    conn.execute(WRITE_AGENT, asdict(twin))
    of_twin = "UPDATE job_executions SET link = 6 WHERE job_id = ?"
    conn.execute(of_twin, (scene.job_id("train_vision"),))
    conn.commit()
    conn.close()
    reader = Reader(path, FrozenClock(NOW), is_dead=scene.liveness)
    snapshot = reader.snapshot(View())
    told = {name: why(shown(snapshot, name), NOW) for name in ("embed_docs", "train_vision")}
    reader.close()
    assert told == {
        "embed_docs": "runs on gpu1, by agent w8/1: 9% of timeout 1h",
        "train_vision": "its agent on gpu1 has been silent for 20s: it gets no new jobs until it "
        "answers",
    }
    (remote,) = (row for row in snapshot.workers if row.agents)
    order = [entry.id for entry in entries(listing(remote))]
    for agent, name in (("w8/1", "embed_docs"), ("w8/6", "train_vision")):
        assert order[order.index(f"agent:{agent}") + 1] == f"w8/{scene.job_id(name)}"


def test_what_needs_a_person_names_the_agents_that_get_no_jobs(reader: Reader) -> None:
    (concern,) = (c for c in reader.overview().concerns if c.key == "agents")
    assert concern.text == (
        "3 agents get no jobs: gpu2 silent, trainer-0.cluster.example.org lost, ssh old1 refused"
    )
    assert concern.lead.workers


def test_a_file_without_agents_is_asked_for_none(tmp_path: Path) -> None:
    path = scene.build(tmp_path / "jobs.db")
    reader = Reader(path, FrozenClock(NOW), is_dead=scene.liveness)
    asked: list[str] = []
    with reader._door.reading() as (conn, _):
        conn.set_trace_callback(asked.append)
    reader.snapshot(View())
    reader.close()
    assert asked
    assert not [statement for statement in asked if "agent" in statement]


@pytest.mark.parametrize(
    ("words", "names"),
    [
        ("host:gpu1", {"embed_docs", "train_vision"}),
        ("host:gpu", {"embed_docs", "train_vision", "eval_vision", "train_speech"}),
        ("host=gpu", set()),
        ("host=gpu2 state:done", {"train_speech"}),
        ("-host:gpu1 worker:w8", {"eval_vision"}),
    ],
)
def test_a_filter_finds_jobs_by_where_they_run_and_ran(
    reader: Reader, words: str, names: set[str]
) -> None:
    snapshot = reader.snapshot(View(filter=parse(words)))
    assert {row.name for row in snapshot.window.rows} == names
    assert set(reader.matching_ids(View(filter=parse(words)))) == set(map(scene.job_id, names))


@pytest.mark.parametrize("words", ["host:gpu1", "host=gpu1", "host:ü", "-host:gpu1 host:gpu"])
def test_jobs_of_a_host_are_looked_for_among_those_that_ran_there(path: Path, words: str) -> None:
    conn = sqlite3.connect(path)
    filter = parse(words)
    columns = [
        [row[1] for row in conn.execute(f"PRAGMA table_info({t})")]
        for t in ("jobs", "job_executions")
    ]
    context = Context(NOW, True, tuple(columns[0]), (), tuple(columns[1]), frozenset([AGENT_INDEX]))
    condition, values = filter.sql(context)
    add_functions(conn)
    plan = conn.execute(f"EXPLAIN QUERY PLAN SELECT 1 FROM jobs WHERE {condition}", values)
    steps = [row[3] for row in plan]
    conn.close()
    assert any(f"USING COVERING INDEX {AGENT_INDEX} (agent=? AND job_id=?)" in s for s in steps)


def test_jobs_are_sorted_by_host_and_those_without_one_come_last(reader: Reader) -> None:
    for turned, first in ((False, ["gpu1", "gpu1", "gpu2", "gpu2"]), (True, ["gpu2"] * 2)):
        view = View(sort=Sort(SortKey.HOST, turned), own=own_names(["name", "host"]))
        hosts = [row.host for row in reader.snapshot(view).window.rows]
        assert hosts[: len(first)] == first
        assert not any(hosts[4:])
        # As the list has them, in the order that the rows are marked in.
        ids = [row.id for row in reader.snapshot(view).window.rows]
        assert list(reader.matching_ids(view))[:4] == ids[:4]


def test_the_column_of_hosts_tells_of_what_has_ended_too(reader: Reader) -> None:
    column = column_named("host")
    assert column is not None
    told = reader.snapshot(View(own=own_names(["host", "param.x"]), filter=parse("train_")))
    cells = {row.name: column.cell(JobAt.of(row, NOW), 9)[0] for row in told.window.rows}
    assert cells["train_speech"] == "gpu2"
    assert cells["train_vision"] == "gpu1"
    assert cells["train_full"] == "-"


def test_jobs_are_counted_by_host_and_the_filter_of_a_count_finds_them(path: Path) -> None:
    conn = connect(path, "ro", 5.0)
    key = count_key("host")
    counting = Counting([key])
    while not counting.step(conn):
        pass
    counts = counting.counts(conn, 10)
    conn.close()
    assert {one.value.value: one.figures.jobs for one in counts.groups} == {
        "": 75,
        "gpu1": 2,
        "gpu2": 2,
    }
    found = next(one.value for one in counts.groups if one.value.value == "gpu2")
    assert filter_of(key, found, None) == "host=gpu2"


@pytest.mark.parametrize("missing", ["agent", "link", "core_agents", "core_agent_jobs"])
def test_a_file_of_an_earlier_release_is_read_without_hosts(tmp_path: Path, missing: str) -> None:
    path = agents_scene.build(tmp_path / "jobs.db")
    conn = sqlite3.connect(path)
    conn.execute("DROP INDEX core_agent_jobs")
    if missing in ("agent", "link"):
        conn.execute(f"ALTER TABLE job_executions DROP COLUMN {missing}")
    elif missing == "core_agents":
        conn.execute("DROP TABLE core_agents")
    conn.commit()
    counting = Counting([count_key("host")])
    while not counting.step(conn):
        pass
    conn.close()
    reader = Reader(path, FrozenClock(NOW), is_dead=scene.liveness)
    view = View(own=("host",), sort=Sort(SortKey.HOST))
    row = shown(reader.snapshot(view), "embed_docs")
    assert (row.link is None) == (missing != "core_agent_jobs")
    found = reader.snapshot(replace(view, filter=parse("host:gpu1"))).window.total
    assert found == (0 if missing == "agent" else 2)
    standing = why(row, NOW)
    assert ("gpu1" in standing) == (missing != "agent")
    if missing == "agent":
        assert reader.snapshot(replace(view, filter=parse("host:gpu"))).window.total == 0
        detail = reader.detail(row.id)
        assert detail is not None
        assert detail.attempts[-1].host == ""
    reader.close()


# --- a job and its attempts ---------------------------------------------------------------------


def test_attempts_and_their_output_say_where_they_ran(reader: Reader) -> None:
    detail = reader.detail(scene.job_id("train_speech"))
    assert detail is not None
    first, last = detail.attempts
    told = describe_attempt(last, 2, NOW)
    assert told.startswith("attempt 2 of 2, completed on gpu2 by w8/2, pid 5002 there, ")
    assert describe_output(first, None, more=False) == "attempt 1, failed on gpu2"
    facts = fact_lines(detail, NOW, 120, reason=True)
    assert "ran on gpu2" in "".join(text for line in facts for text, _ in line)
    here = reader.detail(scene.job_id("dedupe_customers"))
    assert here is not None
    assert " there" not in describe_attempt(here.attempts[0], 3, NOW)


def test_the_snapshot_for_scripts_tells_of_agents_and_hosts(path: Path) -> None:
    def read(path: Path, clock: Any) -> Reader:
        return Reader(path, clock, is_dead=scene.liveness)

    snapshot = take(path, clock=FrozenClock(NOW), reader_factory=read)
    told = json.loads(as_json(snapshot))
    hosts = {job["name"]: job["host"] for job in told["jobs"]}
    assert (hosts["train_speech"], hosts["embed_docs"], hosts["train_full"]) == (
        *("gpu2", "gpu1"),
        None,
    )
    assert not any("columns" in job for job in told["jobs"])
    (remote,) = (worker for worker in told["workers"] if worker["agents"])
    assert [agent["state"] for agent in remote["agents"]] == [
        *("ready", "silent", "lost", "refused", "starting")
    ]
    assert remote["agents"][0] == {
        "id": "w8/1",
        "via": "ssh gpu1",
        "host": "gpu1",
        "pid": 4242,
        "python": "3.12.4",
        "slots": 4,
        "busy": 2,
        "load": 3.24,
        "state": "ready",
        "began": "2026-11-23T11:33:31",
        "heard": "2026-11-23T12:04:30",
        "latency_s": 0.004,
        "trouble": None,
    }
    assert {job["host"] for job in remote["running"]} == {"gpu1", "gpu2"}
    text = as_text(snapshot)
    assert "embed_docs 5m40s on gpu1" in text
    assert "SILENT    up 4m   busy 1/2   load 1.1   has been silent for 12s: it gets no" in text


# --- the lines of the workers screen ------------------------------------------------------------


@pytest.mark.parametrize(
    ("seen", "state", "words"),
    [
        (agent(load=3.24, latency=0.004), ". ready", "load 3.2, answers in 4ms"),
        (agent(busy=2, trouble="low on disk"), "* busy", "low on disk"),
        (agent("silent"), "! silent", "no new jobs until it answers"),
        (
            agent("silent", heard=NOW.timestamp() - 12),
            "! silent",
            "for 12s: no new jobs until it answers",
        ),
        (agent("lost"), "? LOST", "the link was cut, and is made again"),
        (
            agent("lost", trouble=NO_AGENT.ended(255, "ssh: no route")),
            "? LOST",
            "exit code 255: ssh: no route.",
        ),
        (
            agent("lost", trouble='The link "ssh gpu1" was not ready within 60 s'),
            "? LOST",
            "was not ready within 60 s",
        ),
        (agent("refused", trouble="no Python there"), "x refused", "no Python there"),
        (agent("starting"), "* starting", "the link is being made"),
        (agent("stopped"), "- stopped", ""),
    ],
)
@pytest.mark.parametrize("width", [70, 80, 120, 160])
def test_an_agent_has_a_line_below_its_worker(
    seen: AgentSeen, state: str, words: str, width: int
) -> None:
    told, below = lines(worker(seen), width)
    assert "gpu1" in below
    assert "gpu1" not in told
    assert state in below
    assert len(below) <= width - 3
    if width > 100:
        assert below.rstrip().endswith(words)
        assert f"{seen.busy}/4" in below


def test_jobs_stand_below_the_agents_that_run_them() -> None:
    jobs = tuple(
        RunningJob(name, name, NOW, host=host, agent=agent)
        for name, host, agent in (
            *(("a", "gpu2", "w1/2"), ("b", "gpu1", "w1/1"), ("c", "", ""), ("d", "gpu1", "w1/3")),
            *(("e", "gone", "w1/9"), ("f", "gpu1", "w1/1"), ("g", "gpu1", "w1")),
        )
    )
    row = worker(
        agent(number=1),
        agent(number=2, host="gpu2"),
        agent(number=3),
        agent("starting", 4, host=None),
        running=jobs,
    )
    found = entries(listing(row))
    assert [entry.id for entry in found] == [
        *("w1", "w1/c", "w1/e", "w1/g", "agent:w1/1", "w1/b", "w1/f", "agent:w1/2", "w1/a"),
        *("agent:w1/3", "w1/d", "agent:w1/4"),
    ]
    firsts = [entry.first_job and entry.first_job.id for entry in found]
    assert firsts == ["a", "c", "e", "g", "b", "b", "f", "a", "a", "d", "d", None]
    assert len(groups_of(found)) == 1


def test_an_agent_of_a_lost_worker_is_cut_off_and_one_that_ended_shows_none() -> None:
    _, below = lines(worker(agent(), health=Health.LOST))
    assert "? cut off" in below
    assert "its worker is gone: it ends by itself" in below
    holding = worker(agent(), health=Health.LOST, running=(RunningJob("a", "a", NOW),))
    assert describe_worker(entries(listing(holding))[0], NOW) == (
        "w1: its process 41 is gone. Its agents end by themselves, then another worker gives back "
        "its 1 job."
    )
    assert len(lines(worker(agent("stopped"), health=Health.STOPPED, state="stopped"))) == 1


@pytest.mark.parametrize(
    ("agents", "told", "header"),
    [
        ((), "no agents yet", ""),
        ((agent(), agent(number=2)), "2 agents", ""),
        ((agent(), agent("silent", 2)), "2 agents: 1 silent, 1 ready", "1 agent silent"),
        ((agent("starting"),), "1 agent: starting", ""),
        ((agent("lost"), agent("lost", 2)), "2 agents: lost", "2 agents lost"),
        (
            (agent("silent"), agent("refused", 2), agent("lost", 3)),
            "3 agents: 1 lost, 1 silent, 1 refused",
            "3 agents: 1 lost, 1 silent, 1 refused",
        ),
    ],
)
def test_a_worker_and_the_header_say_how_agents_are(
    agents: tuple[AgentSeen, ...], told: str, header: str
) -> None:
    row = worker(*agents)
    assert lines(row, 160)[0].rstrip().endswith(told)
    assert wrong_agents([row]) == header
    assert wrong_agents([replace(row, health=Health.LOST)]) == ""


def test_agents_are_found_by_what_is_said_of_them() -> None:
    row = worker(agent(), agent("refused", 2, host=None, via="srun -n1"))
    group = entries(listing(row))
    for words in ("gpu1", "srun", "refused", "ssh w1"):
        assert matches(group, words)
    assert not matches(group, "gpu2")


def test_the_line_at_the_foot_tells_all_of_an_agent() -> None:
    seen = replace(agents_scene.AGENTS[0], worker_id="w1", host="gpu\x1b1")
    told = describe_worker(entries(listing(worker(seen)))[1], NOW)
    assert told == (
        "gpu\ufffd1 by ssh gpu1: 2 of 4 slots busy, link 31m old, load 3.2, answers in 4ms, "
        "heard 1s ago, pid 4242 there, Python 3.12.4, agent w8/1."
    )
    refused = describe_worker(entries(listing(worker(agents_scene.AGENTS[3])))[1], NOW)
    assert refused == f"ssh old1: refused: {agents_scene.REFUSED}, agent w8/4."
