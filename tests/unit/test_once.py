"""`--once` as scripts use it: waiting by the feed, the verdict of `--fail-if`, every exit code."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from gigq_core.errors import DatabaseMissing
from gigq_core.queue import JobQueue
from gigq_tui.once import scripted, waiting
from gigq_tui.store.durations import seconds_of
from gigq_tui.store.filter.language import NO_FILTER, parse
from tests.store_files import Writer, digest, gigq_copy
from tests.unit.test_tui_cli import REFUSED, run, sentence_of
from tests.waiting import wait_until


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    held = Writer(tmp_path / "jobs.db")
    yield held
    held.close()


class Waiter:
    """Waits in a thread of its own, as the command does in its main one."""

    def __init__(self, path: Path, wanted: str = "", timeout_s: float | None = None) -> None:
        self.said: list[str] = []
        self.settled: bool | None = None
        self.problem: Exception | None = None
        self._thread = threading.Thread(
            target=self._run, args=(path, parse(wanted), timeout_s), daemon=True
        )
        self._thread.start()

    def _run(self, *words: object) -> None:
        try:
            self.settled = waiting.wait_until_settled(*words, self.said.append)  # type: ignore[arg-type]
        except DatabaseMissing as problem:
            self.problem = problem

    def heard(self, words: str) -> None:
        wait_until(lambda: any(words in sentence for sentence in self.said), 10, words)

    def end(self) -> bool | None:
        self._thread.join(10)
        assert not self._thread.is_alive()
        return self.settled


# --- waiting -----------------------------------------------------------------------------------


def test_it_waits_for_what_matches_and_for_nothing_else(writer: Writer) -> None:
    writer.job("etl-1")
    writer.job("etl-2")
    writer.job("other")
    waiter = Waiter(writer.path, "name:etl")
    waiter.heard("2 jobs are not finished yet")
    writer.set("etl-1", status="failed")
    writer.set("etl-2", status="completed")
    assert waiter.end() is True


def test_nothing_to_wait_for_is_over_at_once(writer: Writer) -> None:
    writer.job("done", "completed")
    assert Waiter(writer.path).end() is True
    assert Waiter(writer.path, "name:none").end() is True


def test_doomed_jobs_are_not_waited_for(writer: Writer) -> None:
    writer.job("parent", "failed")
    writer.job("child", parents=["parent"])
    writer.job("grandchild", parents=["child"])
    waiter = Waiter(writer.path)
    assert waiter.end() is True


def test_a_job_that_becomes_hopeless_ends_the_wait(writer: Writer) -> None:
    writer.job("parent")
    writer.job("child", parents=["parent"])
    waiter = Waiter(writer.path, "name:child")
    waiter.heard("1 job is not finished yet")
    writer.set("parent", status="failed")
    assert waiter.end() is True


def test_the_time_may_pass(writer: Writer) -> None:
    writer.job("a")
    waiter = Waiter(writer.path, timeout_s=0.2)
    assert waiter.end() is False
    assert waiter.said[-1] == "Timed out: 1 job is not finished yet."


def test_that_nobody_works_is_said_once(writer: Writer) -> None:
    writer.job("a")
    waiter = Waiter(writer.path)
    waiter.heard("No workers are running: 1 job is not finished yet.")
    writer.job("b")
    writer.job("c")
    writer.set("a", status="completed")
    writer.set("b", status="completed")
    writer.set("c", status="completed")
    assert waiter.end() is True
    assert len(waiter.said) == 1


def test_that_the_queue_is_paused_is_said(writer: Writer) -> None:
    writer.job("a")
    JobQueue(writer.path).pause()
    waiter = Waiter(writer.path)
    waiter.heard("The queue is paused")
    writer.set("a", status="cancelled")
    assert waiter.end() is True


def test_a_live_worker_is_waited_for_in_silence(writer: Writer) -> None:
    writer.worker("w1", host="elsewhere")
    writer.job("a")
    waiter = Waiter(writer.path, timeout_s=0.3)
    assert waiter.end() is False
    assert len(waiter.said) == 1


def test_a_file_that_vanishes_ends_the_wait(writer: Writer) -> None:
    writer.job("a")
    waiter = Waiter(writer.path)
    waiter.heard("not finished yet")
    for path in writer.path.parent.iterdir():
        path.unlink()
    waiter.end()
    assert "is gone: 1 job is not finished yet" in str(waiter.problem)


def test_a_file_that_is_replaced_is_gone_on_with(writer: Writer, tmp_path: Path) -> None:
    writer.job("a")
    # A log that is left beside it would belong to the file before.
    writer.conn.execute("PRAGMA journal_mode = DELETE")
    waiter = Waiter(writer.path)
    waiter.heard("not finished yet")
    (tmp_path / "new").mkdir()
    other = Writer(tmp_path / "new" / "jobs.db")
    other.job("a", "completed")
    other.conn.execute("PRAGMA journal_mode = DELETE")
    other.close()
    os.replace(tmp_path / "new" / "jobs.db", writer.path)
    assert waiter.end() is True


def test_waiting_does_not_poll(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[float] = []
    real = waiting.Feed

    def counted(*words: object, on_snapshot: Callable[..., None], **options: object) -> object:
        def hear(snapshot: object) -> None:
            taken.append(time.monotonic())
            on_snapshot(snapshot)

        return real(*words, on_snapshot=hear, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(waiting, "Feed", counted)
    writer.job("a")
    assert Waiter(writer.path, timeout_s=1.5).end() is False
    assert len(taken) == 1


@pytest.mark.parametrize("text", ["", "2x", "-1", "1e9", "200000d", "5 m"])
def test_a_time_that_is_none_is_refused(writer: Writer, text: str) -> None:
    told = sentence_of(run(writer.path, "--once", "--wait", "--wait-timeout", text))
    assert "--wait-timeout: " in told


def test_times() -> None:
    assert [seconds_of(text) for text in ("90", "1.5s", "2m", "1h30m", "200ms")] == [
        90,
        1.5,
        120,
        5400,
        0.2,
    ]


# --- the verdict -------------------------------------------------------------------------------


def order(writer: Writer, **values: object) -> scripted.Order:
    return scripted.Order(writer.path, **values)  # type: ignore[arg-type]


def test_fail_if_names_what_it_found(writer: Writer) -> None:
    writer.job("etl-1", "failed", error="no more ink")
    writer.job("etl-2", "timeout")
    writer.job("other", "failed")
    writer.job("etl-3", "completed")
    said: list[str] = []
    bad = parse("state:failed|state:timeout")
    answer, code = scripted.run(order(writer, filter=parse("name:etl"), fail_if=bad), said.append)
    assert code == scripted.EXIT_MATCHED == 3
    assert said[0] == "2 jobs match --fail-if:"
    assert "  etl-1 etl-1 FAILED: no more ink" in said
    assert any(line.startswith("  etl-2 etl-2 TIMEOUT") for line in said)
    assert "other" not in "".join(said)
    assert "etl-3" in answer


def test_fail_if_without_a_match_is_silent(writer: Writer) -> None:
    writer.job("a", "completed")
    said: list[str] = []
    assert scripted.run(order(writer, fail_if=parse("state:failed")), said.append)[1] == 0
    assert said == []


def test_a_fail_if_that_holds_nothing_matches_every_job(writer: Writer) -> None:
    writer.job("a", "completed")
    assert scripted.run(order(writer, fail_if=NO_FILTER), print)[1] == scripted.EXIT_MATCHED


def test_only_so_many_are_named(writer: Writer) -> None:
    writer.many(scripted.NAMED_ROWS + 3, status="failed")
    said: list[str] = []
    scripted.run(order(writer, fail_if=parse("state:failed")), said.append)
    assert len(said) == scripted.NAMED_ROWS + 2
    assert said[0].startswith("13 jobs")
    assert said[-1] == "  and 3 more"


def test_what_a_job_says_is_inert_on_stderr_too(writer: Writer) -> None:
    writer.job("a", "failed", name="\x1b[31mred", error="x\nforged: line")
    answer = run(writer.path, "--once", "--fail-if", "state:failed")
    assert answer.returncode == scripted.EXIT_MATCHED
    assert "\x1b" not in answer.stderr
    assert len(answer.stderr.splitlines()) == 2


def test_a_certain_failure_goes_before_the_time(writer: Writer) -> None:
    writer.job("a", "failed")
    writer.job("b")
    said: list[str] = []
    waited = order(writer, wait=True, timeout_s=0.1)
    assert scripted.run(waited, said.append)[1] == scripted.EXIT_TIMED_OUT == 4
    waited = order(writer, wait=True, timeout_s=0.1, fail_if=parse("state:failed"))
    assert scripted.run(waited, said.append)[1] == scripted.EXIT_MATCHED


def test_doomed_jobs_are_told(writer: Writer) -> None:
    writer.job("parent", "failed")
    writer.job("child", parents=["parent"])
    said: list[str] = []
    answer, code = scripted.run(order(writer, wait=True, filter=parse("name:child")), said.append)
    assert code == 0
    assert said[0].startswith("1 job never runs as things stand")
    assert "DOOMED" in answer
    doomed = order(writer, wait=True, fail_if=parse("state:doomed"))
    assert scripted.run(doomed, said.append)[1] == scripted.EXIT_MATCHED


FAILED = "state:failed"


@pytest.mark.parametrize("wait", [False, True])
@pytest.mark.parametrize(
    ("jobs", "words", "code"),
    [
        # A mistyped filter: nothing fails in nothing.
        (("done",), {"filter": "name:dnoe", "fail_if": FAILED}, 5),
        (("done",), {"filter": "name:done", "fail_if": FAILED}, 0),
        ((), {"fail_if": FAILED}, 5),
        ((), {"fail_if": FAILED, "expect": 0}, 0),
        (("done",), {"filter": "name:dnoe", "fail_if": FAILED, "expect": 0}, 0),
        ((), {}, 0),
        ((), {"expect": 1}, 5),
        (("done", "done"), {"expect": 2}, 0),
        (("done", "done"), {"expect": 3}, 5),
        (("done", "failed"), {"expect": 3, "fail_if": FAILED}, 3),
        (("done", "failed"), {"filter": "name:done", "expect": 2, "fail_if": FAILED}, 5),
    ],
)
def test_fewer_jobs_than_expected_are_no_success(
    writer: Writer, wait: bool, jobs: tuple[str, ...], words: dict[str, object], code: int
) -> None:
    for number, name in enumerate(jobs):
        writer.job(f"{name}-{number}", "failed" if name == "failed" else "completed")
    asked = {key: parse(value) if isinstance(value, str) else value for key, value in words.items()}
    said: list[str] = []
    answer, given = scripted.run(order(writer, wait=wait, **asked), said.append)
    assert given == code
    assert answer
    if code == scripted.EXIT_TOO_FEW:
        assert "--expect" in said[0]
        assert len(said) == 1


def test_the_time_that_passed_goes_before_what_was_expected(writer: Writer) -> None:
    writer.job("a")
    late = order(writer, wait=True, timeout_s=0.1, expect=2)
    assert scripted.run(late, print)[1] == scripted.EXIT_TIMED_OUT


# --- the command -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--wait",), "--wait needs --once"),
        (("--fail-if", "x"), "--fail-if needs --once"),
        (("--expect", "1"), "--expect needs --once"),
        (("--once", "--wait-timeout", "1s"), "--wait-timeout needs --wait"),
        (("--once", "--fail-if", "a nonsense:3"), "--fail-if, at character 3"),
        (("--once", "--wait", "--filter", "|"), "--filter, at character 1"),
    ],
)
def test_what_makes_no_sense_is_refused(tmp_path: Path, words: tuple[str, ...], said: str) -> None:
    answer = run(tmp_path / "new.db", "--create", *words)
    assert answer.returncode == REFUSED
    assert said in answer.stderr
    # Before anything was written.
    assert list(tmp_path.iterdir()) == []


def test_a_missing_file_is_not_waited_for(tmp_path: Path) -> None:
    assert "There is no file" in sentence_of(run(tmp_path / "jobs.db", "--once", "--wait"))


@pytest.fixture
def started(writer: Writer) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Starts the command on a queue with one job that waits, and waits until it is waiting."""
    processes: list[subprocess.Popen[str]] = []

    def start(*words: str) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "gigq_tui", str(writer.path), "--once", "--wait", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        processes.append(process)
        assert process.stderr is not None
        assert "No workers are running" in process.stderr.readline()
        return process

    writer.job("etl")
    yield start
    for process in processes:
        if process.poll() is None:
            process.kill()
        process.communicate()


def test_a_script_waits_and_learns_how_it_went(
    writer: Writer, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started("--json", "--filter", "name:etl", "--fail-if", "state:failed|state:timeout")
    writer.set("etl", status="failed", error="no more ink")
    stdout, stderr = process.communicate(timeout=20)
    assert process.returncode == scripted.EXIT_MATCHED
    assert json.loads(stdout)["jobs"][0]["status"] == "failed"
    assert "1 job matches --fail-if:" in stderr


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_wait_can_be_ended(
    started: Callable[..., subprocess.Popen[str]], number: signal.Signals, code: int
) -> None:
    process = started()
    process.send_signal(number)
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (code, "")
    assert "Traceback" not in stderr


def test_the_time_and_the_vanished_file_have_codes(
    writer: Writer, started: Callable[..., subprocess.Popen[str]]
) -> None:
    # The time may be up before the first look at the file: nothing is heard before that then.
    late = run(writer.path, "--once", "--wait", "--wait-timeout", "0.1s")
    assert late.returncode == scripted.EXIT_TIMED_OUT
    assert "Timed out" in late.stderr
    assert "etl" in late.stdout
    process = started()
    writer.close()
    for path in writer.path.parent.iterdir():
        path.unlink()
    stdout, stderr = process.communicate(timeout=20)
    assert (process.returncode, stdout) == (REFUSED, "")
    assert "vanished" in stderr


def test_whoever_reads_the_output_may_go_away(
    writer: Writer, started: Callable[..., subprocess.Popen[str]]
) -> None:
    process = started("--json")
    assert process.stdout is not None
    process.stdout.close()
    process.stdout = None
    # The job goes on waiting.
    _, stderr = process.communicate(timeout=20)
    assert process.returncode == 141
    assert "Traceback" not in stderr


def test_waiting_changes_nothing_in_the_file(tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, "gigq-0.5.1.db")
    before = digest(path)
    words = (path, "--once", "--wait", "--wait-timeout", "0.1s", "--fail-if", "state:failed")
    assert run(*words).returncode in (0, scripted.EXIT_MATCHED, scripted.EXIT_TIMED_OUT)
    assert digest(path) == before


def test_every_exit_code_is_told_in_the_help() -> None:
    told = run("--help").stdout
    for code in (0, 1, 2, 3, 4, 5, 129, 130, 141, 143):
        assert f"\n    {code:<5}" in told


# --- the order ---------------------------------------------------------------------------------


def names_of(writer: Writer, sort: str) -> list[str]:
    answer = json.loads(run(writer.path, "--once", "--json", "--sort", sort).stdout)
    assert answer["sort"] == sort
    return [job["name"] for job in answer["jobs"]]


def test_jobs_come_in_the_order_that_is_asked_for(writer: Writer) -> None:
    writer.job("b", priority=1)
    writer.job("c", priority=3)
    writer.job("a", "completed", priority=2)
    assert names_of(writer, "submitted") == ["a", "c", "b"]
    assert names_of(writer, "name") == ["a", "b", "c"]
    assert names_of(writer, "-name") == ["c", "b", "a"]
    assert names_of(writer, "pri") == ["c", "a", "b"]
    # Only what waits can be claimed.
    assert names_of(writer, "claim") == ["c", "b"]
