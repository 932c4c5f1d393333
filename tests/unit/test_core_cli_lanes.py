"""Lanes on the command line: their limits, how they stand, why a job waits, what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gigq_core import HiddenJobs, Job, JobQueue
from gigq_core.cli.main import cli
from gigq_core.inspection.doctor import Level, examine
from gigq_core.schema.attach import Arranged, detach
from tests.lane_work import Work, work_on


@pytest.fixture
def db(tmp_path: Path) -> Path:
    return tmp_path / "jobs.db"


def run(db: Path, *words: str, code: int = 0) -> Result:
    result = CliRunner().invoke(cli, ["--db", str(db), *words], standalone_mode=False)
    if result.exception is not None and code == 0:
        raise result.exception
    return result


def refused(db: Path, *words: str) -> tuple[int, str]:
    result = CliRunner().invoke(cli, ["--db", str(db), *words])
    return result.exit_code, result.output


def printed(db: Path, *words: str) -> Any:
    return json.loads(run(db, *words, "--json").stdout)


def submit(db: Path, lane: str, *words: str) -> str:
    told = printed(db, "submit", "json.dumps", "-p", "obj=1", "--lane", lane, *words)
    return str(told["id"])


def test_limits_are_set_listed_and_removed(db: Path) -> None:
    submit(db, "fetch:a")
    said = run(db, "lane", "set", "fetch:*", "--running", "2", "--rate", "10/m", "--burst", "3")
    assert said.output == "Lane fetch:*: 2 at a time, 10/m, 3 at once.\n"
    assert printed(db, "lane", "set", "gpu", "--reserved") == {
        "pattern": "gpu",
        "running": None,
        "rate": None,
        "burst": 1,
        "reserved": True,
    }
    lanes = {lane["name"]: lane for lane in printed(db, "lane", "list")}
    assert lanes["fetch:a"]["pattern"] == "fetch:*"
    assert (lanes["fetch:a"]["ready"], lanes["fetch:a"]["is_rule_only"]) == (1, False)
    assert lanes["gpu"]["is_rule_only"] is True
    shown = run(db, "lane", "list").output.splitlines()
    assert shown[0].split() == [
        *("LANE", "LIMITS", "RUNNING", "READY", "HELD", "DELAYED", "BLOCKED", "WHY")
    ]
    assert "2 at a time, 10/m, 3 at once (fetch:*)" in shown[1]
    assert "no worker takes it" in shown[1]
    assert (
        run(db, "lane", "remove", "gpu").output == "Lane gpu has no limits of its own any more.\n"
    )
    assert [lane["name"] for lane in printed(db, "lane", "list")] == ["fetch:a"]


def test_a_lane_is_paused_and_resumed_by_its_name(db: Path) -> None:
    submit(db, "fetch:a")
    assert run(db, "lane", "pause", "fetch:*").output == "Lane fetch:* is paused.\n"
    assert run(db, "lane", "pause", "fetch:*").output == "Lane fetch:* is paused already.\n"
    assert printed(db, "lane", "pause", "fetch:a") == {
        "lane": "fetch:a",
        "paused": True,
        "changed": True,
    }
    said = run(db, "lane", "resume", "fetch:a").output
    assert said == "Lane fetch:a is resumed, but still paused by fetch:*.\n"
    code, told = refused(db, "lane", "resume", "fetch:a")
    assert code == 1
    assert "is not paused by that name: it is paused by fetch:*" in told
    assert printed(db, "lane", "resume", "fetch:*")["changed"] is True
    assert printed(db, "lane", "list")[0]["paused_at"] is None


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (("set", "*", "--running", "1"), 2, "write a lane's name, or a prefix"),
        (("set", "db", "--rate", "10"), 2, "as in 5/s, 10/m, 100/h or 1/d"),
        (("set", "db", "--burst", "2"), 2, "give a rate too"),
        (("set", "db", "--running", "0"), 2, "0 is not in the range x>=1"),
        (("pause", "a*"), 2, "write a lane's name, or a prefix"),
        (("remove", "db"), 1, "has no limits of its own"),
        (("resume", "db"), 1, "is not paused by that name"),
    ],
)
def test_what_can_t_be_is_refused_in_one_sentence(
    db: Path, words: tuple[str, ...], code: int, sentence: str
) -> None:
    submit(db, "db")
    assert refused(db, "lane", *words)[0] == code
    assert sentence in refused(db, "lane", *words)[1]


def test_a_file_without_lanes_says_so(db: Path) -> None:
    run(db, "submit", "json.dumps", "-p", "obj=1")
    assert printed(db, "lane", "list") == []
    assert run(db, "lane", "list").output == "No lanes: `submit --lane NAME` puts a job into one.\n"


def test_a_lane_is_filled_from_the_parameters(db: Path) -> None:
    words = ("-p", "obj=example.org", "--lane", "fetch:{obj}")
    job_id = printed(db, "submit", "json.dumps", *words)["id"]
    assert printed(db, "status", job_id)["lane"] == "fetch:example.org"


@pytest.mark.parametrize(
    "words",
    [
        ("--lanes", "a", "--only-lanes", "b"),
        ("--only-lanes", "*"),
        ("--only-lanes", ""),
        ("--only-lanes", " , "),
        ("--lanes", ""),
    ],
)
def test_a_worker_refuses_lanes_that_can_t_be(db: Path, words: tuple[str, ...]) -> None:
    submit(db, "a")
    assert refused(db, "worker", "--once", *words)[0] == 2


def test_a_worker_takes_the_lanes_that_it_names(db: Path) -> None:
    plain, reserved = submit(db, "other"), submit(db, "gpu")
    run(db, "lane", "set", "gpu", "--reserved")
    assert printed(db, "worker", "--once", "--only-lanes", "gpu, x:*")["processed"] is True
    assert printed(db, "worker", "--once", "--only-lanes", "gpu")["processed"] is False
    assert printed(db, "status", reserved)["status"] == "completed"
    assert printed(db, "worker", "--once")["processed"] is True
    assert printed(db, "status", plain)["status"] == "completed"


# --- why -------------------------------------------------------------------------------------


def why(db: Path, job_id: str) -> str:
    return str(printed(db, "why", job_id)["why"])


def test_why_names_the_lane_and_what_holds_the_job(db: Path) -> None:
    with work_on(db) as work:
        work.queue.set_lane("db", running=2)
        work.queue.set_lane("api", rate="10/m")
        ids = {lane: work.fill(lane, 3) for lane in ("db", "api", "gpu", "free", "shut")}
        work.queue.set_lane("gpu", reserved=True)
        work.queue.pause_lane("free")
        work.claim(3)
        assert why(db, ids["db"][2]) == "lane db: 2 of 2 run"
        assert why(db, ids["api"][2]).startswith("lane api: next start in ")
        assert why(db, ids["api"][2]).endswith("s (10/m)")
        assert why(db, ids["gpu"][0]) == "lane gpu: no worker takes it"
        assert why(db, ids["free"][0]) == "lane free is paused"
        assert why(db, ids["shut"][0]) == "next to be claimed"


def test_why_says_that_a_job_has_shut_the_lane(db: Path) -> None:
    from gigq_core.lanes.settling import shut
    from gigq_core.units.times import utc_now

    with work_on(db) as work:
        ids = work.fill("api", 2)
        work.claim(0)
        with work.ledger.writing() as conn:
            shut(conn, "api", 30.0, utc_now())
        assert why(db, ids[0]) in (
            "lane api: shut for 30s, as a job asked",
            "lane api: shut for 29s, as a job asked",
        )


def test_why_of_another_attempt_says_what_holds_it(db: Path) -> None:
    with work_on(db) as work:
        work.queue.set_lane("db", running=1)
        work.fill("db", 2)
        work.claim(1)
        work.write("UPDATE jobs SET error = 'KeyError: 1', attempts = 1 WHERE name = 'db 1'")
        second = work.rows("SELECT id FROM jobs WHERE name = 'db 1'")[0][0]
        assert why(db, second) == "retry 2 of 3 due, lane db: 1 of 1 run: KeyError: 1"


def test_why_of_a_plain_job_says_that_workers_take_lanes_alone(db: Path) -> None:
    with work_on(db, only_lanes='["gpu"]') as work:
        job_id = work.add("plain")
        work.claim(0)
        assert why(db, job_id) == "ready: the workers take jobs of other lanes alone"
        laned = work.add("laned", "other")
        assert why(db, laned) == "lane other: no worker takes it"


# --- the doctor, and detaching -----------------------------------------------------------------


def finding(work: Work, check: str) -> tuple[Level, str]:
    (found,) = [one for one in examine(work.queue.db_path) if one.check == check]
    return found.level, found.text


def test_the_doctor_tells_of_lanes_that_nobody_takes(db: Path) -> None:
    with work_on(db) as work:
        assert finding(work, "lanes")[0] is Level.FINE
        work.queue.set_lane("gpu", reserved=True)
        work.fill("gpu", 2)
        work.fill("db", 1)
        work.claim(0)
        level, text = finding(work, "lanes")
        assert level is Level.WARNING
        assert "2 jobs are waiting in lanes that no worker takes, for example in gpu" in text
        assert finding(work, "schema")[0] is Level.FINE
        assert finding(work, "counters")[0] is Level.FINE


def test_a_worker_of_the_release_before_is_told_of(db: Path) -> None:
    with work_on(db) as work:
        work.claim(0)
        assert finding(work, "release")[0] is Level.FINE
        work.write("UPDATE core_workers SET release = 2")
        level, text = finding(work, "release")
        assert level is Level.WARNING
        assert "ignores the rates of lanes" in text


def test_detach_says_what_people_had_arranged(db: Path) -> None:
    queue = JobQueue(db)
    job = Job("a", "shop.etl.load")
    assert run(db, "detach").stderr == ""
    for name in ("a", "b"):
        queue.schedule(name, "@daily", job)
    queue.hook("failed", Job("a", "shop.etl.page"))
    queue.set_lane("fetch:*", running=2)
    queue.keep(failed="7d")
    assert run(db, "detach").stderr == (
        "Gone with it: 2 schedules, 1 hook, 1 rule of lanes, how long jobs stay.\n"
    )
    assert run(db, "detach").stderr == ""
    queue.close()


def test_detach_says_how_many_would_run_without_their_limits(db: Path) -> None:
    with work_on(db) as work:
        work.queue.set_lane("gpu", running=1, reserved=True)
        work.fill("gpu", 3)
        work.add("hidden", ours=True)
        work.add("later", "gpu", run_after=500)
    with pytest.raises(HiddenJobs, match=r"^5 waiting jobs .* \(4 of them in lanes"):
        detach(db)
    assert detach(db, force=True) == Arranged(lane_rules=1)
    import sqlite3

    conn = sqlite3.connect(db)
    words = conn.execute("SELECT retry_after FROM jobs WHERE retry_after >= '9999'").fetchall()
    assert words == []
    assert conn.execute("SELECT name FROM sqlite_master WHERE name GLOB 'core_*'").fetchall() == []
    conn.close()
