"""What a job may be told of retries and times: the same is taken, and refused, wherever it is told.

Each value goes through `Job`, `@task`, a line of JSONL and the command line, as far as it can be
said there.
"""

from __future__ import annotations

import json
import math
import sqlite3
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from gigq_core import Backoff, Job, JobQueue, Workflow, task
from gigq_core.cli.main import cli
from gigq_core.job import INSTEAD_OF, FunctionReference, JobOptions
from gigq_core.task import TaskWrapper
from gigq_core.worker import runner
from gigq_core.worker.orders import Orders
from gigq_tui.actions.submit import SubmitRequest
from gigq_tui.actions.submit import submit as submit_from_console

MISSING: Any = object()
BERLIN = timezone(timedelta(hours=1))
IN_2130 = datetime(2130, 1, 31, 7, tzinfo=timezone.utc)


def work() -> None: ...


# option, value in Python, value in JSON, words of the command line, what `get_status` says of it
GOOD: list[tuple[str, Any, Any, list[str] | None, Any]] = [
    ("timeout", 60, 60, ["--timeout", "60"], 60),
    ("timeout", "90s", "90s", ["--timeout", "90s"], 90),
    ("timeout", "1h30m", "1h30m", ["--timeout", "1h30m"], 5_400),
    ("timeout", "250ms", 0.25, ["--timeout", "0.25"], 0.25),
    ("retry_delay", "2m", "2m", ["--retry-delay", "2m"], 120),
    ("retry_delay", 0, 0, ["--retry-delay", "0"], 0),
    ("retry", [10, 60, 300], [10, 60, 300], ["--retry-delays", "10,60,300"], [10, 60, 300]),
    ("retry", (10, "1m"), [10, "1m"], ["--retry-delays", "10,1m"], [10, 60]),
    ("retry", [10, 5], [10, 5], ["--retry-delays", "10, 5s"], [10, 5]),
    ("retry", [0], [0], ["--retry-delays", "0"], [0]),
    (
        "retry",
        Backoff(30),
        {"base": 30},
        ["--backoff", "30x2..1h"],
        {"base": 30, "factor": 2, "most": 3600, "jitter": 0},
    ),
    (
        "retry",
        Backoff("30s", 1.5, "10m", "full"),
        "30x1.5..10m~full",
        ["--backoff", "30x1.5..10m~full"],
        {"base": 30, "factor": 1.5, "most": 600, "jitter": 1},
    ),
    (
        "retry_on",
        [ConnectionError, "shop.Busy"],
        ["ConnectionError", "shop.Busy"],
        ["--retry-on", "ConnectionError", "--retry-on", "shop.Busy"],
        ["builtins.ConnectionError", "shop.Busy"],
    ),
    ("retry_on", OSError, "OSError", ["--retry-on", "OSError"], ["builtins.OSError"]),
    (
        "give_up_on",
        (json.JSONDecodeError,),
        ["json.JSONDecodeError"],
        ["--give-up-on", "json.decoder.JSONDecodeError"],
        ["json.decoder.JSONDecodeError"],
    ),
    ("on_timeout", "fail", "fail", ["--on-timeout", "fail"], "fail"),
    ("on_timeout", "retry", "retry", ["--on-timeout", "retry"], "retry"),
    (
        "run_at",
        datetime(2130, 1, 31, 8, tzinfo=BERLIN),
        "2130-01-31T08:00:00+01:00",
        ["--run-at", "2130-01-31T07:00Z"],
        IN_2130.isoformat(),
    ),
    (
        "run_at",
        "2130-01-31T02:00:00.250-05:00",
        "2130-01-31 07:00:00.250+00:00",
        ["--run-at", "2130-01-31T07:00:00.250000z"],
        IN_2130.replace(microsecond=250_000).isoformat(),
    ),
    # What is past is due at once.
    (
        "run_at",
        datetime(1999, 1, 1, tzinfo=BERLIN),
        "0001-01-01T00:00:00Z",
        ["--run-at", "1999-01-01T00:00+01:00"],
        None,
    ),
    # Its zone moves it out of the calendar.
    (
        "run_at",
        datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=5))),
        "0001-01-01T00:00:00+05:00",
        ["--run-at", "0001-01-01T00:00+05:00"],
        None,
    ),
    ("on_parent_failure", "cancel", "cancel", ["--on-parent-failure", "cancel"], "cancel"),
    ("on_parent_failure", "run", "run", ["--on-parent-failure", "run"], "run"),
    ("on_parent_failure", "wait", "wait", ["--on-parent-failure", "wait"], "wait"),
    ("batch", "spring é", "spring é", ["--batch", "spring é"], "spring é"),
    ("batch", "", "", ["--batch", ""], ""),
    ("stall_timeout", 60, 60, ["--stall-timeout", "60"], 60),
    ("stall_timeout", "1m30s", "1m30s", ["--stall-timeout", "1m30s"], 90),
    ("ours", True, True, ["--ours"], True),
    ("ours", False, False, [], False),
]

NO_DURATION: list[Any] = ["soon", "", "5 s", "-5s", "1h1h", -1, True, [5], {"s": 5}]
IN_PYTHON_ALONE: list[Any] = [math.nan, math.inf, "60", timedelta(seconds=5)]
TYPED = ["soon", "", "5 s", "-5s", "1h1h", "-1", "nan", "inf", "1e3"]

BAD: dict[str, list[Any]] = {
    "timeout": [0, "0s", None, *NO_DURATION],
    "retry_delay": [None, *NO_DURATION],
    "run_after": NO_DURATION,
    "stall_timeout": [0, "0s", *NO_DURATION],
    "retry": [
        *[[], [10, -1], [10, None], ["soon"], [True], 30, True, "soon", "30x0.5", "0x2"],
        *[{}, {"factor": 2}, {"base": 0}, {"base": 30, "factor": 0.5}, {"base": 30, "cap": 9}],
        *[{"base": 30, "jitter": 2}, {"base": 30, "most": 0}, {"base": "30"}],
    ],
    "retry_on": ["int", "no name", ".x", "HTTPError", [3], [None], {"a": 1}, None, 3, [""]],
    "give_up_on": ["int", "no name", ".x", "HTTPError", [3], [None], {"a": 1}, None, 3, [""]],
    "on_timeout": ["wait", "", None, 3, ["fail"]],
    "on_parent_failure": ["retry", "", None, 3, ["run"]],
    "run_at": [
        *["2130-01-31T08:00:00", "2130-01-31", "tomorrow", "", "9999-12-31T23:59:59Z", 3, True],
        *["2130-13-31T08:00:00Z", "2130-01-31T08:00:00+99:00", ["2130-01-31T08:00Z"]],
    ],
    "batch": [None, 3, ["a"], "\udc80"],
    "ours": [None, 3, "yes"],
}
BAD_IN_PYTHON: dict[str, list[Any]] = {
    **dict.fromkeys(("timeout", "retry_delay", "run_after", "stall_timeout"), IN_PYTHON_ALONE),
    "retry": [[math.inf], b"30", {30, 60}, Job],
    "retry_on": [int, [ValueError()], [b"ValueError"]],
    "run_at": [datetime(2130, 1, 31), datetime.max.replace(tzinfo=timezone(-timedelta(hours=9)))],
}
BAD_WORDS: dict[str, list[str]] = {
    **dict.fromkeys(("timeout", "retry-delay", "run-after", "stall-timeout"), TYPED),
    "backoff": ["", "soon", "30x0.5", "0x2", "30..0", "30~2", "30x2..", "30xinf"],
    "retry-delays": ["", "10,", "10,soon", "10;60", "-1", "10 60"],
    "retry-on": ["int", "no name", "HTTPError", ""],
    "give-up-on": ["int", "no name", "HTTPError", ""],
    "on-timeout": ["wait"],
    "on-parent-failure": ["retry"],
    "run-at": ["2130-01-31T08:00:00", "tomorrow", "9999-12-31T23:59:59Z"],
}


class Way:
    """One way of telling a job's options; answers what `get_status` says of the job."""

    def __init__(self, folder: Path) -> None:
        self.db = folder / "q.db"
        self.queue = JobQueue(self.db)

    def job(self, option: str, value: Any) -> dict[str, Any]:
        job = Job("n", work, **{option: value})
        return self.queue.get_status(self.queue.submit(job))

    def task(self, option: str, value: Any) -> dict[str, Any]:
        return self.queue.get_status(task(**{option: value})(work).submit(self.queue))

    def changed(self, option: str, value: Any) -> dict[str, Any]:
        """As an attribute of a job that was made already."""
        job = Job("n", work)
        setattr(job, option, value)
        return self.queue.get_status(self.queue.submit(job))

    def line(self, option: str, value: Any) -> dict[str, Any]:
        text = json.dumps({"params": {"obj": 1}, option: value})
        answer = self.command(["--jsonl", "-"], text)
        return self.queue.get_status(answer["ids"][0])

    def typed(self, words: list[str]) -> dict[str, Any]:
        return self.queue.get_status(self.command([*words, "-p", "obj=1"])["id"])

    def command(self, words: list[str], given: str = "") -> dict[str, Any]:
        words = ["--db", str(self.db), "submit", "json.dumps", "--json", *words]
        answer = CliRunner().invoke(cli, words, input=given)
        if answer.exit_code:
            raise ValueError(answer.output)
        found: dict[str, Any] = json.loads(answer.stdout)
        return found

    def count(self) -> int:
        return self.queue.stats()["total"]


@pytest.fixture
def way(tmp_path: Path) -> Way:
    return Way(tmp_path)


@pytest.mark.parametrize(("option", "value", "of_json", "words", "told"), GOOD)
def test_a_value_is_taken_wherever_it_is_told(
    way: Way, option: str, value: Any, of_json: Any, words: list[str] | None, told: Any
) -> None:
    assert way.job(option, value)[option] == told
    assert way.task(option, value)[option] == told
    assert way.changed(option, value)[option] == told
    assert way.line(option, of_json)[option] == told
    if words is not None:
        assert way.typed(words)[option] == told
    # What is told of a job is taken for another one.
    if told is not None or option == "run_at":
        assert way.line(option, told)[option] == told


def refused(way: Way, tell: Callable[[], object]) -> str:
    """Nothing was written; the sentence that says why."""
    before = way.count()
    with pytest.raises((TypeError, ValueError)) as problem:
        tell()
    assert way.count() == before
    assert str(problem.value).rstrip().endswith((".", "}", "submitted."))
    return str(problem.value)


@pytest.mark.parametrize("option", BAD)
def test_a_value_is_refused_wherever_it_is_told(way: Way, option: str) -> None:
    for value in BAD[option] + BAD_IN_PYTHON.get(option, []):
        said = refused(way, lambda value=value: way.job(option, value))  # type: ignore[misc]
        assert "\n" not in said
        refused(way, lambda value=value: way.task(option, value))  # type: ignore[misc]
        refused(way, lambda value=value: way.changed(option, value))  # type: ignore[misc]
    for value in BAD[option]:
        said = refused(way, lambda value=value: way.line(option, value))  # type: ignore[misc]
        assert said.startswith("line 1: ")


@pytest.mark.parametrize("flag", BAD_WORDS)
def test_words_are_refused_on_the_command_line(way: Way, flag: str) -> None:
    for text in BAD_WORDS[flag]:
        said = refused(way, lambda text=text: way.typed([f"--{flag}={text}"]))  # type: ignore[misc]
        assert "Traceback" not in said


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"retry": [10], "retry_delay": 5}, "retry and retry_delay are both given"),
        ({"run_at": IN_2130, "run_after": 5}, "run_at and run_after are both given"),
    ],
)
def test_what_contradicts_itself_is_refused(way: Way, options: dict[str, Any], says: str) -> None:
    assert says in refused(way, lambda: Job("n", work, **options))
    assert says in refused(way, lambda: task(**options)(work))
    with pytest.raises(ValueError, match="can't be combined"):
        way.typed(["--backoff", "30", "--retry-delays", "10"])
    with pytest.raises(ValueError, match="both given"):
        way.typed(["--backoff", "30", "--retry-delay", "10"])


@pytest.mark.parametrize("said", INSTEAD_OF)
def test_what_one_job_says_takes_the_place_of_its_counterpart(way: Way, said: str) -> None:
    values: dict[str, Any] = {
        "retry": [7],
        "retry_delay": 5,
        "run_at": "2130-01-31T08:00:00+00:00",
        "run_after": 3600,
    }
    other = INSTEAD_OF[said]
    flag = JobOptions.flag_of(other)
    words = [f"--{flag}={'7x2' if other == 'retry' else values[other]}"]
    common = task(**{other: values[other]})(work)

    lines = json.dumps({"params": {"obj": 1}, said: values[said]})
    (of_line,) = way.command(["--jsonl", "-", *words], lines)["ids"]
    added = Workflow("w").add_task(common, **{said: values[said]})
    of_task = way.queue.submit(added)
    order = runner.order_of(common, None, False, {said: values[said]}, {})
    submitted = Orders()
    assert isinstance(submitted.take(order), str)
    (in_job,) = submitted.outbox.orders()

    assert getattr(in_job.job, other) == JobOptions().values()[other]
    for job_id in (of_line, of_task, way.queue.submit(in_job.job)):
        told = way.queue.get_status(job_id)
        assert told["retry"] == ([7] if said == "retry" else None)
        if said == "retry_delay":
            assert told["retry_delay"] == 5
        if said == "run_at":
            assert told["run_at"] == values["run_at"]
        if said == "run_after":
            assert told["run_at"] < "2130"


def test_what_says_nothing_takes_no_place() -> None:
    common = task(retry=[7], run_at=IN_2130)(work)
    kept = Workflow("w").add_task(common, retry_delay=0)
    assert kept.retry == (7,)
    at_once = Workflow("w").add_task(common, run_after=0)
    assert (at_once.run_at, at_once.run_after) == (None, 0)
    with pytest.raises(ValueError, match="both given"):
        Workflow("w").add_task(task()(work), run_at=IN_2130, run_after=5)


# --- the row, and what GigQ makes of it -------------------------------------------------------


def row_of(way: Way, job_id: str) -> dict[str, Any]:
    with sqlite3.connect(way.db) as conn:
        conn.row_factory = sqlite3.Row
        return dict(conn.execute("SELECT * FROM jobs WHERE id = ?", (job_id,)).fetchone())


def claimed_by_gigq(way: Way) -> str | None:
    """The job that a worker of GigQ would take."""
    import gigq

    worker = gigq.Worker(str(way.db))
    try:
        job = worker._claim_job()
        return None if job is None else str(job["id"])
    finally:
        worker.close()


VISIBLE: list[dict[str, Any]] = [
    {},
    {"retry": [10, 60]},
    {"retry": Backoff(30)},
    {"batch": "spring"},
    {"on_parent_failure": "cancel"},
    {"run_at": datetime(1999, 1, 1, tzinfo=BERLIN)},
    {"on_timeout": "retry"},
]
HIDDEN: list[dict[str, Any]] = [
    {"ours": True},
    {"retry_on": [ValueError]},
    {"give_up_on": [ValueError]},
    {"on_timeout": "fail"},
    {"stall_timeout": 5},
    {"memory": "2G"},
    {"ours": True, "retry": [10], "batch": "b"},
]


@pytest.mark.parametrize("options", VISIBLE)
def test_gigq_takes_what_it_would_run_as_it_is_meant(way: Way, options: dict[str, Any]) -> None:
    job_id = way.queue.submit(Job("n", work, **options))
    assert way.queue.get_status(job_id)["ours"] is False
    assert claimed_by_gigq(way) == job_id


@pytest.mark.parametrize("options", HIDDEN)
def test_what_gigq_would_run_otherwise_is_hidden_from_it(way: Way, options: dict[str, Any]) -> None:
    job_id = way.queue.submit(Job("n", work, **options))
    later = way.queue.submit(Job("n", work, **options, run_after=600))
    assert claimed_by_gigq(way) is None
    for one in (job_id, later):
        status = way.queue.get_status(one)
        assert (status["status"], status["ours"]) == ("pending", True)
        # Neither the words by which it is hidden nor our columns are anybody's business. An id, or
        # the fraction of a second, may well have these digits.
        assert '"9999-' not in json.dumps(status)
        assert not {"retry_policy", "due", "due_in"} & set(status)
        assert status["lane"] == ""
    assert way.queue.get_status(job_id)["retry_after"] is None
    assert way.queue.get_status(later)["retry_after"] is not None


async def asynchronous() -> None: ...


def with_context(job_context: Any) -> None: ...


def with_context_perhaps(job_context: Any = None) -> None: ...


@pytest.mark.parametrize(
    ("function", "hidden"),
    [
        (work, False),
        (asynchronous, True),
        (with_context, True),
        (with_context_perhaps, False),
        (task(asynchronous), True),
        (task(with_context), True),
        (f"{__name__}.asynchronous", True),
        (f"{__name__}.work", False),
        # What can't be seen from here is visible, unless `ours` says otherwise.
        ("nowhere.asynchronous", False),
        (FunctionReference(__name__, "asynchronous"), False),
    ],
)
def test_a_function_that_gigq_can_not_run_is_hidden(way: Way, function: Any, hidden: bool) -> None:
    of_wrapper = function.to_job() if isinstance(function, TaskWrapper) else None
    job_id = way.queue.submit(of_wrapper or Job("n", function))
    assert way.queue.get_status(job_id)["ours"] is hidden
    if hidden:
        assert claimed_by_gigq(way) is None


def test_whoever_submits_hides_it(way: Way) -> None:
    def told(*words: str, given: str = "") -> dict[str, Any]:
        all_words = ["--db", str(way.db), "submit", f"{__name__}.asynchronous", "--json", *words]
        answer = json.loads(CliRunner().invoke(cli, all_words, input=given).stdout)
        return way.queue.get_status(answer["id"] if "id" in answer else answer["ids"][0])

    assert told()["ours"] is True
    assert told("--jsonl", "-", given="{}")["ours"] is True
    request = SubmitRequest(f"{__name__}.asynchronous", options=JobOptions("n"))
    root = Path(__file__).parents[2]
    lines = way.db.with_name("lines.jsonl")
    lines.write_text("{}\n")
    for one in (request, replace(request, jsonl=lines)):
        (job,) = submit_from_console(way.db, one, sys.executable, root)
        assert way.queue.get_status(job.id)["ours"] is True


def test_a_job_to_begin_later_is_not_taken_by_gigq_before(way: Way) -> None:
    at = way.queue.submit(Job("n", work, run_at=IN_2130))
    after = way.queue.submit(Job("n", work, run_after="10m"))
    assert claimed_by_gigq(way) is None
    row = row_of(way, at)
    assert (row["due"], row["due_in"]) == (IN_2130.timestamp(), None)
    assert datetime.fromisoformat(row["retry_after"]).astimezone() == IN_2130
    row = row_of(way, after)
    assert row["due_in"] == 600
    assert row["due"] == pytest.approx(row["created"] + 600)


def test_gigq_is_given_the_first_delay(way: Way) -> None:
    job_id = way.queue.submit(Job("n", work, retry=Backoff(30, jitter="full")))
    assert row_of(way, job_id)["retry_delay"] == 30
    job_id = way.queue.submit(Job("n", work, retry=["0.5s", 60]))
    assert row_of(way, job_id)["retry_delay"] == 0.5


def test_a_mixed_batch_keeps_the_order_of_submission(way: Way) -> None:
    kinds: list[dict[str, Any]] = [{}, {"ours": True}, {}, {}, {"batch": "b"}, {"retry": [1]}, {}]
    ids = way.queue.submit_many([Job(f"n{n}", work, **kind) for n, kind in enumerate(kinds)])
    with sqlite3.connect(way.db) as conn:
        assert [row[0] for row in conn.execute("SELECT id FROM jobs ORDER BY rowid")] == ids


def test_a_damaged_policy_is_no_trouble_to_whoever_looks(way: Way) -> None:
    job_id = way.queue.submit(Job("n", work, retry=[10], retry_on=[OSError]))
    with sqlite3.connect(way.db) as conn:
        for damage in ("{", b"\xff", 3, '{"retry": 3}', "[" * 100_000):
            conn.execute("UPDATE jobs SET retry_policy = ?", (damage,))
            conn.commit()
            status = way.queue.get_status(job_id)
            assert (status["retry"], status["retry_on"]) == (None, [])


def test_a_function_by_name_takes_the_same(way: Way) -> None:
    job = Job("n", FunctionReference("shop", "send"), retry=[10], ours=True, timeout="2m")
    assert (job.timeout, job.retry) == (120, (10,))
    assert row_of(way, way.queue.submit(job))["timeout"] == 120
