"""Acts on jobs: what they do to the file, what they say of it, and their command lines."""

from __future__ import annotations

import json
import shlex
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from gigq_core import JobQueue
from gigq_core.errors import DatabaseMissing, GigQError
from gigq_core.job import JobOptions
from gigq_core.schema.opening import is_attached, open_read_only
from gigq_core.status import Change, Outcome
from gigq_tui.actions import shell_command
from gigq_tui.actions.jobs import QueueActions
from gigq_tui.actions.report import summarise
from gigq_tui.actions.shell_words import quoted
from gigq_tui.actions.submit import SubmitRequest
from tests import scene


@pytest.fixture
def queue_file(tmp_path: Path) -> Path:
    return scene.build(tmp_path / "jobs.db")


@pytest.fixture
def actions(queue_file: Path) -> QueueActions:
    return QueueActions(queue_file)


def status_of(path: Path, name: str) -> str:
    status = JobQueue(path).get_status(scene.job_id(name))["status"]
    assert isinstance(status, str)
    return status


def test_cancel_tells_what_became_of_each(actions: QueueActions, queue_file: Path) -> None:
    names = ["mail_digest", "join_customers", "extract_orders", "thumbnail_wall"]
    report = actions.cancel([scene.job_id(name) for name in names])
    assert [outcome.change for outcome in report.outcomes] == [
        Change.CANCELLED,
        Change.STOPPING,
        Change.REFUSED,
        Change.REFUSED,
    ]
    assert report.title.startswith("cancelled 1, cancelling 1, 1 ")
    assert not report.done
    assert len(report.refused) == 2
    assert status_of(queue_file, "mail_digest") == "cancelled"
    assert status_of(queue_file, "join_customers") == "running"


def test_retry_gives_a_fresh_start(actions: QueueActions, queue_file: Path) -> None:
    report = actions.retry([scene.job_id("dedupe_customers"), scene.job_id("extract_orders")])
    assert report.title == "queued 1 for retry, 1 has already completed"
    assert status_of(queue_file, "dedupe_customers") == "pending"


def test_a_job_named_twice_is_acted_on_once(actions: QueueActions) -> None:
    job = scene.job_id("mail_digest")
    assert len(actions.cancel([job, job]).outcomes) == 1


def test_nothing_named_is_nothing_done(actions: QueueActions) -> None:
    assert actions.cancel([]).title == "nothing to do"


def test_read_only_refuses_every_act(queue_file: Path) -> None:
    actions = QueueActions(queue_file, read_only=True)
    job = [scene.job_id("mail_digest")]
    for act in (
        lambda: actions.cancel(job),
        lambda: actions.retry(job),
        lambda: actions.release(job),
        lambda: actions.set_queue_paused(True),
        lambda: actions.ask_worker("w1", "drain"),
        lambda: actions.submit(SubmitRequest("json.dumps", options=JobOptions("x"))),
    ):
        with pytest.raises(GigQError, match="--read-only"):
            act()
    assert status_of(queue_file, "mail_digest") == "pending"


def test_a_file_that_went_away_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(DatabaseMissing):
        QueueActions(tmp_path / "gone.db").cancel(["x"])
    assert not (tmp_path / "gone.db").exists()


def test_pausing_the_queue_and_resuming_it(actions: QueueActions, queue_file: Path) -> None:
    assert actions.set_queue_paused(True).twin.endswith("jobs.db pause")
    assert JobQueue(queue_file).is_paused()
    assert actions.set_queue_paused(False).twin.endswith("jobs.db resume")
    assert not JobQueue(queue_file).is_paused()


def test_a_worker_is_asked_through_its_row(actions: QueueActions, queue_file: Path) -> None:
    report = actions.ask_worker("w1", "drain")
    assert report.title == "requested drain of w1"
    connection = sqlite3.connect(queue_file)
    row = connection.execute("SELECT request FROM core_workers WHERE id = 'w1'").fetchone()
    connection.close()
    assert row == ("drain",)
    with pytest.raises(GigQError, match="Worker nobody is not running"):
        actions.ask_worker("nobody", "drain")


def attached(path: Path) -> bool:
    with closing(open_read_only(path)) as connection:
        return is_attached(connection)


def test_a_file_of_gigq_is_attached_by_the_first_act(tmp_path: Path, data_folder: Path) -> None:
    path = tmp_path / "old.db"
    path.write_bytes((data_folder / "gigq-0.1.0.db").read_bytes())
    actions = QueueActions(path)
    assert not attached(path)
    actions.cancel(["no-such-id"])
    assert attached(path)


# --- what is said ------------------------------------------------------------------------------


def refused(reason: str) -> Outcome:
    return Outcome("x", Change.REFUSED, reason)


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([], "nothing to do"),
        ([Outcome("a", Change.CANCELLED)] * 3, "cancelled 3"),
        (
            [Outcome("a", Change.CANCELLED)] * 3 + [refused("it has already completed")],
            "cancelled 3, 1 has already completed",
        ),
        ([refused("it has already failed")] * 2, "2 have already failed"),
        ([refused("It is already waiting.")] * 2, "2 are already waiting"),
        ([refused("there is no such job")], "1 refused (there is no such job)"),
        ([refused("")], "1 refused"),
        (
            [Outcome("a", Change.RELEASED), Outcome("b", Change.STOPPING)],
            "cancelling 1, released 1",
        ),
    ],
)
def test_summary(outcomes: list[Outcome], said: str) -> None:
    assert summarise(outcomes) == said


def test_the_commonest_reason_comes_first() -> None:
    outcomes = [refused("it is already waiting"), *[refused("it has already failed")] * 2]
    assert summarise(outcomes) == "2 have already failed, 1 is already waiting"


# --- the CLI twin ------------------------------------------------------------------------------


def test_twin_names_file_and_ids() -> None:
    assert (
        shell_command.for_jobs(Path("jobs.db"), "cancel", ["a", "b"])
        == "gigq-core --db jobs.db cancel a b"
    )


def test_twin_is_quoted_for_the_shell() -> None:
    line = shell_command.for_jobs(Path("my jobs.db"), "cancel", ["-x", "$(rm)"])
    assert shlex.split(line) == ["gigq-core", "--db", "my jobs.db", "cancel", "--", "-x", "$(rm)"]


@pytest.mark.parametrize(
    ("outcomes", "said"),
    [
        ([Outcome("a", Change.CANCELLED, "", "resize")], "cancelled resize"),
        ([Outcome("a", Change.REPRIORITIZED, "priority 3, was 2", "x")], "x: priority 3, was 2"),
        ([Outcome("a", Change.REFUSED, "it is running", "x")], "x: it is running"),
        (
            [Outcome("a", Change.CLEARED, "", "x"), Outcome("b", Change.RESTORED, "", "y")],
            "cleared 1, undone for 1",
        ),
    ],
)
def test_one_job_is_called_by_its_name(outcomes: list[Outcome], said: str) -> None:
    assert summarise(outcomes) == said


def test_many_reasons_are_not_all_spelled_out() -> None:
    outcomes = [refused(f"reason {n}") for n in range(5)]
    said = "1 refused (reason 0), 1 refused (reason 1), 1 refused (reason 2)"
    assert summarise(outcomes) == f"{said}, 2 refused for other reasons"


def test_twin_of_many_ids_hands_them_over_one_a_line(tmp_path: Path) -> None:
    path = scene.build(tmp_path / "my jobs.db")
    ids = [scene.job_id("mail_digest"), *(f"no-such $(job) '{n}" for n in range(30))]
    line = shell_command.for_jobs(path, "priority", ids, "--by", "2")
    assert line.startswith(f"gigq-core --db '{path}' priority --by 2 --ids-from - <<'IDS'\n")
    line = line.replace("gigq-core", f"{shlex.quote(sys.executable)} -m gigq_core", 1)
    done = subprocess.run(["sh", "-c", line + "\n"], capture_output=True, text=True)
    assert done.stdout == f"Job {ids[0]} has priority 52, was 50.\n"
    assert len(done.stderr.splitlines()) == 30
    assert "no-such $(job) '29" in done.stderr


@pytest.mark.parametrize("odd", ["IDS", "a\nb", " x", "-y"])
def test_an_id_that_is_no_line_is_named(odd: str) -> None:
    line = shell_command.for_jobs(Path("q.db"), "cancel", [odd, *map(str, range(30))])
    if odd == "-y":
        assert line.splitlines()[1] == odd
    else:
        assert line.startswith(f"gigq-core --db q.db cancel {quoted(odd)} 0 1 ")


def test_twin_of_a_submit_leaves_defaults_out() -> None:
    request = SubmitRequest("shop.send", options=JobOptions("send"))
    assert shell_command.for_submit(Path("q.db"), request) == (
        "gigq-core --db q.db submit shop.send --name send"
    )


def test_twin_of_a_submit_says_everything_else() -> None:
    request = SubmitRequest(
        "shop.send",
        {"n": 5, "text": "5", "to": "a b", "deep": {"x": [1]}},
        JobOptions(
            "send it",
            priority=-3,
            timeout=1.5,
            max_attempts=1,
            retry_delay=60.0,
            dependencies=("abc",),
            description="now",
            on_crash="fail",
            pass_parent_results=False,
        ),
        copies=2,
    )
    line = shell_command.for_submit(Path("q.db"), request)
    assert shlex.split(line)[3:] == [
        *["submit", "shop.send", "--name", "send it"],
        *["--param", "n=5", "--param", 'text="5"', "--param", "to=a b"],
        *["--param", 'deep={"x": [1]}'],
        *["--priority", "-3", "--timeout", "1.5", "--max-attempts", "1", "--retry-delay", "60"],
        *["--depends-on", "abc", "--description", "now", "--on-crash", "fail"],
        *["--no-parent-results", "--copies", "2"],
    ]


def test_twin_of_text_that_is_nested_without_end() -> None:
    request = SubmitRequest("shop.send", {"text": "[" * 100_000}, JobOptions("s"))
    assert shell_command.for_submit(Path("q.db"), request).endswith("[" * 100_000 + "'")


@pytest.mark.parametrize("key", ["password", "API_KEY", "authToken", "client_secret"])
def test_twin_never_carries_a_secret(key: str) -> None:
    request = SubmitRequest(
        "shop.send", {key: "hunter2", "deep": [{key: "hunter2"}]}, JobOptions("s")
    )
    line = shell_command.for_submit(Path("q.db"), request)
    assert "hunter2" not in line
    assert f"<{key}>" in line


def test_twin_of_a_submit_does_the_same(tmp_path: Path) -> None:
    """The command line, run as it stands, makes the row that the console would have made."""
    by_console, by_twin = tmp_path / "console.db", tmp_path / "twin.db"
    request = SubmitRequest(
        "json.dumps",
        {"obj": {"a": [1, 2.5, None, True]}, "indent": 2, "separators": "5"},
        JobOptions(
            "dump it",
            priority=7,
            timeout=90.0,
            max_attempts=2,
            retry_delay=0.5,
            description="for the test; it's quoted",
        ),
    )
    JobQueue(by_console).close()
    report = QueueActions(by_console, python=sys.executable, chdir=tmp_path).submit(request)
    line = report.twin.replace(str(by_console), str(by_twin))
    line = line.replace("gigq-core", f"{shlex.quote(sys.executable)} -m gigq_core", 1)
    subprocess.run(["sh", "-c", line], cwd=tmp_path, check=True, capture_output=True)
    columns = (
        "name, function_name, function_module, params, priority, dependencies, max_attempts, "
        "timeout, description, status, retry_delay"
    )
    rows = []
    for path in (by_console, by_twin):
        connection = sqlite3.connect(path)
        rows.append(connection.execute(f"SELECT {columns} FROM jobs").fetchall())
        connection.close()
    assert rows[0] == rows[1]
    assert json.loads(rows[0][0][3]) == request.params
