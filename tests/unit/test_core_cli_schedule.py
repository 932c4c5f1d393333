"""`gigq-core schedule`: what people and scripts are told, and a file of schedules applied whole."""

from __future__ import annotations

import json
import shutil
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from gigq_core import Job, JobQueue
from gigq_core.cli.main import cli
from gigq_core.schedules.rules import Schedule
from tests.clock import DAY_S, MovedClock, at, look_at_clock

DATA = Path(__file__).parents[1] / "data"
GOOD = """
[schedules.nightly]
when = "30 2 * * *"
zone = "Europe/Berlin"
function = "shop.etl.load"
params = { day = "{slot:%Y-%m-%d}", since = 2026-01-31 }
timeout = "1h"
retry = "30x2..1h"
unique = { key = "nightly", until = "started" }

[schedules."every quarter"]
when = "every 15m"
function = "shop.etl.poll"
catch_up = "none"
overlap = "allow"
name = "poll"
"""


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> MovedClock:
    return MovedClock(at("2027-03-27T12:00:10")).standing_in(monkeypatch)


@pytest.fixture
def file(tmp_path: Path, clock: MovedClock, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    JobQueue("q.db").close()
    return tmp_path / "q.db"


def run(file: Path, *words: str, exit_code: int | None = 0) -> Result:
    try:
        runner = CliRunner(mix_stderr=False)  # type: ignore[call-arg, unused-ignore]
    except TypeError:
        runner = CliRunner()
    result = runner.invoke(cli, ["--db", str(file), "schedule", *words])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    assert exit_code in (None, result.exit_code), result.output + result.stderr
    return result


def told(file: Path, *words: str, exit_code: int = 0) -> Any:
    return json.loads(run(file, *words, "--json", exit_code=exit_code).stdout)


def schedules(file: Path) -> dict[str, Schedule]:
    queue = JobQueue(file)
    found = {one.name: one for one in queue.schedules()}
    queue.close()
    return found


def test_a_schedule_is_added_shown_listed_and_removed(file: Path) -> None:
    words = ("add", "nightly", "30 2 * * *", "json.dumps", "--zone", "Europe/Berlin")
    more = ("-p", "obj={slot:%d}", "--priority", "5", "--overlap", "queue", "--job-name", "dump")
    result = run(file, *words, *more)
    assert "2027-03-28 03:00:00 +02" in result.stdout
    assert "does not exist on 28 March: runs 03:00" in result.stdout
    shown = told(file, "show", "nightly")
    assert (shown["when"], shown["zone"], shown["overlap"]) == (
        "30 2 * * *",
        "Europe/Berlin",
        "queue",
    )
    assert (shown["function"], shown["params"]) == ("json.dumps", {"obj": "{slot:%d}"})
    assert (shown["job_name"], shown["options"]) == ("dump", {"priority": 5})
    assert [slot["note"] for slot in shown["preview"]] == [
        "does not exist on 28 March: runs 03:00",
        *[""] * 4,
    ]
    assert shown["preview"][0]["at"] == shown["next_at"]
    assert "At 02:30 every day" in run(file, "show", "nightly").stdout
    (listed,) = told(file, "list")
    assert {key: shown[key] for key in listed} == listed
    assert "nightly" in run(file, "list").stdout
    assert told(file, "remove", "nightly") == [{"name": "nightly", "done": True, "reason": ""}]
    assert told(file, "list") == []
    assert "There is no schedule" in run(file, "list").stdout


def test_a_schedules_job_may_be_unique(file: Path) -> None:
    words = ("add", "a", "@daily", "json.dumps", "-p", "obj=1")
    shown = told(file, *words, "--unique", "k", "--unique-within", "1h", "--on-duplicate", "error")
    assert shown["options"]["unique"] == {
        "key": "k",
        "until": "ended",
        "within": 3600,
        "conflict": "error",
    }
    assert told(file, *words, "--unique")["options"]["unique"]["key"] is True
    assert "give --unique too" in run(file, *words, "--unique-until", "started", exit_code=2).stderr


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("add", "a", "61 * * * *", "json.dumps", "-p", "obj=1"), "minute"),
        (("add", "a", "@daily", "json.dumps", "-p", "obj=1", "--zone", "local"), "Europe/Berlin"),
        (("add", "a", "@daily", "json.dumps"), "obj"),
        (("add", "a", "@daily", "json.dumps", "-p", "obj={slot:%Q}"), "%Q"),
        (("preview", "61 * * * *"), "minute"),
        (("preview", "@daily", "--zone", "Mars/Base"), "Mars/Base"),
        (("add", "a", "@daily", "json.dumps", "--depends-on", "b"), "depends-on"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_written(
    file: Path, words: tuple[str, ...], said: str
) -> None:
    assert said in run(file, *words, exit_code=2).stderr
    assert schedules(file) == {}


@pytest.mark.parametrize("command", ["show", "run", "pause", "resume", "remove"])
def test_a_schedule_that_is_not_there_is_said(file: Path, command: str) -> None:
    assert "here is no s" in run(file, command, "nightly", exit_code=1).stderr


def test_the_next_slots_of_a_rule_need_no_file(file: Path) -> None:
    words = ("preview", "30 2 * * *", "--zone", "Europe/Berlin", "-n", "2")
    assert told(file.with_name("none.db"), *words) == [
        {
            "at": at("2027-03-28T01:00"),
            "local": "2027-03-28T03:00:00+02:00",
            "note": "does not exist on 28 March: runs 03:00",
        },
        {"at": at("2027-03-29T00:30"), "local": "2027-03-29T02:30:00+02:00", "note": ""},
    ]
    assert not file.with_name("none.db").exists()


def test_a_readers_zone_that_is_none_spoils_nothing(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run(file, "add", "nightly", "@daily", "json.dumps", "-p", "obj=1")
    monkeypatch.setenv("TZ", "XYZ+25:99")
    time.tzset()
    try:
        for words in (["show", "nightly"], ["preview", "@daily"], ["list"]):
            assert "2027-03-28 00:00:00 +00" in run(file, *words).stdout
    finally:
        monkeypatch.undo()
        time.tzset()


def test_where_nobody_is_there_to_make_the_jobs_it_is_said(file: Path, clock: MovedClock) -> None:
    run(file, "add", "nightly", "@daily", "json.dumps", "-p", "obj=1")
    assert run(file, "list").stderr == ""
    clock.move(DAY_S)
    assert "No worker is running on the file" in run(file, "list").stderr
    run(file, "fire-due")
    assert run(file, "list").stderr == ""


def test_a_schedule_is_removed_once(file: Path) -> None:
    run(file, "add", "nightly", "@daily", "json.dumps", "-p", "obj=1")
    result = run(file, "remove", "nightly", "nightly", exit_code=1)
    assert result.stdout == "Schedule nightly removed.\n"
    assert result.stderr == "Schedule nightly: there is no such schedule.\n"


def test_pause_resume_and_run(file: Path, clock: MovedClock) -> None:
    run(file, "add", "nightly", "@daily", "json.dumps", "-p", "obj=1")
    run(file, "pause", "nightly")
    assert "it is paused already" in run(file, "pause", "nightly", exit_code=1).stderr
    assert "paused" in run(file, "list").stdout
    assert told(file, "fire-due")["fired"] == []
    made = told(file, "run", "nightly")["id"]
    clock.move(3 * DAY_S)
    run(file, "resume", "nightly")
    shown = told(file, "show", "nightly")
    assert shown["last_job_id"] == made
    assert [skip["why"] for skip in shown["skips"]] == ["3 passed while it was paused"]
    assert "3 passed while it was paused" in run(file, "show", "nightly").stdout


def test_fire_due_makes_the_jobs_of_the_slots_that_are_due(file: Path, clock: MovedClock) -> None:
    assert "No slot is due" in run(file, "fire-due").stdout
    run(file, "add", "nightly", "30 2 * * *", "json.dumps", "-p", "obj=1")
    run(file, "add", "other", "@daily", "json.dumps", "-p", "obj=1")
    clock.move(3 * DAY_S)
    outcome = told(file, "fire-due")
    assert [(one["schedule"], one["slot"]) for one in outcome["fired"]] == [
        ("other", at("2027-03-30T00:00")),
        ("nightly", at("2027-03-30T02:30")),
    ]
    assert sorted(one["why"] for one in outcome["skipped"]) == ["2 missed", "2 missed"]
    assert outcome["troubles"] == []
    again = {"fired": [], "skipped": [], "troubles": []}
    assert told(file, "fire-due") == again
    clock.move(DAY_S)
    said = run(file, "fire-due").stdout
    assert "still waits" in said
    assert "nightly" in said


def test_fire_due_tells_of_the_slots_of_this_call_alone(file: Path, clock: MovedClock) -> None:
    run(file, "add", "nightly", "30 2 * * *", "json.dumps", "-p", "obj=1")
    clock.move(DAY_S)
    (fired,) = told(file, "fire-due")["fired"]
    why = f"{fired['id'][:8]} still waits"
    for day in range(1, 4):
        clock.move(DAY_S)
        slot = fired["slot"] + day * DAY_S
        one = {"schedule": "nightly", "slot": slot, "first": slot, "count": 1, "why": why}
        assert told(file, "fire-due") == {"fired": [], "skipped": [one], "troubles": []}
    # What is kept of them is one line.
    (skip,) = schedules(file)["nightly"].skips
    assert (skip.count, skip.slot) == (3, slot)


def test_a_job_is_told_that_takes_the_place_of_one_that_keeping_let_go(
    file: Path, clock: MovedClock
) -> None:
    queue = JobQueue(file)
    old = queue.submit(Job("old", "shop.etl.load"))
    queue.keep(completed=0)
    queue.close()
    with closing(sqlite3.connect(file)) as conn, conn:
        conn.execute("UPDATE jobs SET status = 'completed', ended = 1 WHERE id = ?", (old,))
    run(file, "add", "nightly", "@daily", "json.dumps", "-p", "obj=1")
    clock.move(DAY_S)
    (fired,) = told(file, "fire-due")["fired"]
    with closing(sqlite3.connect(file)) as conn:
        assert conn.execute("SELECT id FROM jobs").fetchall() == [(fired["id"],)]


def test_a_file_of_schedules_is_applied_whole(file: Path, tmp_path: Path) -> None:
    toml = tmp_path / "schedules.toml"
    toml.write_text(GOOD)
    first = told(file, "apply", str(toml), "--dry-run")
    assert (first["added"], first["dry_run"]) == (["nightly", "every quarter"], True)
    assert schedules(file) == {}
    assert told(file, "apply", str(toml))["added"] == ["nightly", "every quarter"]
    made = schedules(file)
    assert made["nightly"].params == {"day": "{slot:%Y-%m-%d}", "since": "2026-01-31"}
    assert made["nightly"].options == {
        "timeout": 3600,
        "retry": {"base": 30, "factor": 2, "most": 3600, "jitter": 0},
        "unique": {"key": "nightly", "until": "started", "conflict": "existing"},
    }
    assert (made["every quarter"].job_name, made["every quarter"].catch_up) == ("poll", "none")
    # Once more, it changes nothing.
    again = told(file, "apply", str(toml), "--prune")
    assert again == {
        "added": [],
        "changed": {},
        "removed": [],
        "unchanged": ["nightly", "every quarter"],
        "left": [],
        "dry_run": False,
    }
    assert schedules(file) == made


def test_what_a_file_changes_is_told_and_the_rest_is_removed_where_that_is_asked_for(
    file: Path, tmp_path: Path
) -> None:
    toml = tmp_path / "schedules.toml"
    toml.write_text(GOOD)
    run(file, "apply", str(toml))
    run(file, "add", "by hand", "@daily", "json.dumps", "-p", "obj=1")
    run(file, "pause", "nightly")
    toml.write_text(
        GOOD.replace("30 2 *", "0 3 *").replace('"1h"', '"2h"').split('[schedules."')[0]
    )
    result = run(file, "apply", str(toml))
    assert "changed    nightly: when, job" in result.stdout
    assert "left       by hand" in result.stdout
    assert set(schedules(file)) == {"nightly", "every quarter", "by hand"}
    assert schedules(file)["nightly"].paused_at is not None
    result = run(file, "apply", str(toml), "--prune")
    assert "removed    every quarter" in result.stdout
    assert set(schedules(file)) == {"nightly"}


def test_a_dry_run_leaves_a_file_of_gigqs_as_it_is(file: Path, tmp_path: Path) -> None:
    theirs = Path(shutil.copy(DATA / "gigq-0.5.1.db", tmp_path))
    toml = tmp_path / "schedules.toml"
    toml.write_text(GOOD)
    before = theirs.read_bytes()
    assert told(theirs, "apply", str(toml), "--dry-run")["added"] == ["nightly", "every quarter"]
    assert theirs.read_bytes() == before
    run(file, "apply", str(toml))
    run(file, "pause", "nightly")
    file.chmod(0o400)
    done = told(file, "apply", str(toml), "--dry-run", "--prune")
    assert (done["unchanged"], done["removed"]) == (["nightly", "every quarter"], [])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no schedule"),
        (
            "[schedules.a]\nfunction='a.b'\nwhen='@daily'\nunique={keys='x'}",
            "schedules.a.unique: unique has 'keys', which it does not know",
        ),
        ("[schedules", "is not TOML"),
        ("\udcff", "is not UTF-8"),
        ("nightly = 1", "nightly: there is no such key"),
        ("schedules = 1", "schedules: it is not a table"),
        ("[schedules]\na = 1", "schedules.a: it is not a table"),
        ("[schedules.a]\nwhen='@daily'", "schedules.a.function: it is missing"),
        ("[schedules.a]\nfunction='a.b'", "schedules.a.when: it is missing"),
        ("[schedules.a]\nfunction='ab'\nwhen='@daily'", "schedules.a.function: 'ab'"),
        ("[schedules.a]\nfunction=1\nwhen='@daily'", "schedules.a.function: "),
        ("[schedules.a]\nfunction='a.b'\nwhen='61 * * * *'", "schedules.a.when: when is '61"),
        ("[schedules.a]\nfunction='a.b'\nwhen=5", "schedules.a.when: when must be text"),
        ("[schedules.a]\nfunction='a.b'\nwhen='@daily'\nzone='local'", "schedules.a.zone: zone is"),
        ("[schedules.a]\nfunction='a.b'\nwhen='@daily'\ncatch_up='x'", "schedules.a.catch_up: "),
        ("[schedules.a]\nfunction='a.b'\nwhen='@daily'\noverlap='x'", "schedules.a.overlap: "),
        ("[schedules.a]\nfunction='a.b'\nwhen='@daily'\ntimeout='x'", "schedules.a.timeout: "),
        (
            "[schedules.a]\nfunction='a.b'\nwhen='@daily'\nrun_at='x'",
            "schedules.a.run_at: there is",
        ),
        ("[schedules.a]\nfunction='a.b'\nwhen='@daily'\nparams=1", "schedules.a.params: "),
        (
            "[schedules.a]\nfunction='a.b'\nwhen='@daily'\nparams={x='{slot:%Q}'}",
            "a.params: {slot:",
        ),
        ("[schedules.a]\nfunction='a.b'\nwhen='@daily'\nunique={keys='x'}", "schedules.a.unique: "),
        ("[schedules.' ']\nfunction='a.b'\nwhen='@daily'", "needs a name"),
        ("[schedules.a]\nfunction='a.b'\nwhen='@daily'\nretry=[1]\nretry_delay=1", "schedules.a: "),
        (
            "[schedules.a]\nfunction='a.b'\nwhen='@daily'\n"
            "[schedules.' a']\nfunction='a.b'\nwhen='@daily'",
            "twice",
        ),
    ],
)
def test_a_bad_file_is_refused_whole_with_the_name_of_the_key(
    file: Path, tmp_path: Path, text: str, said: str
) -> None:
    run(file, "add", "by hand", "@daily", "json.dumps", "-p", "obj=1")
    toml = tmp_path / "schedules.toml"
    good = GOOD if text.startswith("[schedules.") else ""
    toml.write_bytes((good + text).encode("utf-8", "surrogateescape"))
    result = run(file, "apply", str(toml), "--prune", exit_code=1)
    assert said in result.stderr
    assert "Nothing was changed" in result.stderr
    assert set(schedules(file)) == {"by hand"}


def test_all_mistakes_of_a_file_are_told_at_once(file: Path, tmp_path: Path) -> None:
    toml = tmp_path / "schedules.toml"
    toml.write_text("[schedules.a]\nwhen = '61 * * * *'\nzone = 'local'\ntimeout = -1\nspeed = 2")
    said = run(file, "apply", str(toml), exit_code=1).stderr
    for key in ("when", "zone", "timeout", "speed", "function"):
        assert f"schedules.a.{key}: " in said


def test_a_file_that_is_not_there_is_said(file: Path) -> None:
    assert "can't be read" in run(file, "apply", "none.toml", exit_code=1).stderr


def test_a_job_made_by_a_schedule_says_so(file: Path, clock: MovedClock) -> None:
    queue = JobQueue(file)
    queue.schedule("nightly", "30 2 * * *", Job("load", "shop.etl.load"), "Europe/Berlin")
    clock.move(DAY_S)
    (fired,) = told(file, "fire-due")["fired"]
    status = queue.get_status(fired["id"])
    assert (status["schedule"], status["slot"]) == ("nightly", at("2027-03-28T01:00"))
    queue.close()


def test_a_job_of_a_lane_is_ready_as_soon_as_its_slot_has_fired(
    file: Path, clock: MovedClock
) -> None:
    queue = JobQueue(file)
    queue.set_lane("fetch:*", running=1)
    made = Job("load", "shop.etl.load", {"day": "{slot:%d}"}, lane="fetch:{day}")
    queue.schedule("nightly", "@daily", made, overlap="allow")
    clock.move(DAY_S)
    (fired,) = told(file, "fire-due")["fired"]
    assert queue.get_status(fired["id"])["lane"] == "fetch:28"
    (lane,) = [one for one in queue.lanes() if one.name == "fetch:28"]
    assert (lane.ready, lane.held) == (1, 0)
    queue.close()


ODD: list[Any] = ["word", b"\xff\xfe", 9e999, -1e300, 2**62, "", "[[1]]", "\x1b[2J\n"]
COLUMNS = (
    *("rule", "zone", "catch_up", "overlap", "definition", "edition", "next_at", "counted"),
    *("paused_at", "last_slot", "last_job_id", "fired", "skipped", "trouble"),
)


@pytest.mark.parametrize("column", COLUMNS)
def test_whatever_a_damaged_row_holds_it_is_shown_and_stops_no_other(
    file: Path, clock: MovedClock, column: str
) -> None:
    queue = JobQueue(file)
    for name in ("odd", "fine"):
        queue.schedule(name, "@hourly", Job("load", "shop.etl.load"), overlap="allow")
    for number, value in enumerate(ODD):
        with closing(sqlite3.connect(file)) as conn, conn:
            conn.execute(f"UPDATE core_schedules SET {column} = ? WHERE name = 'odd'", (value,))
            conn.execute("UPDATE core_agenda SET at = 0 WHERE what = 'schedule:odd'")
        for words in (("list",), ("show", "odd")):
            shown = run(file, *words).stdout
            assert "\x1b" not in shown
            told(file, *words)
        clock.move(3600)
        run(file, "fire-due", exit_code=None)
        look_at_clock(file)
        fine = [one for one in queue.list_jobs() if one["schedule"] == "fine"]
        assert len(fine) == number + 1
    # Whatever it was: said anew, it works again.
    queue.schedule("odd", "@daily", Job("load", "shop.etl.load"))
    assert queue.remove_schedule("odd")
    queue.close()
