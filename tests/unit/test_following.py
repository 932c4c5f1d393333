"""Jobs are followed from an action to their ends: what is read, how it is told, what it costs."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from gigq_core.schema.ddl import PARKED
from gigq_core.status import Change, Outcome
from gigq_tui.actions.followed import Followed
from gigq_tui.actions.report import Report
from gigq_tui.services.following import LATE_S, MOST_ACTIONS, Following
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.outcomes.following import FollowedJobs, newest_attempt
from gigq_tui.store.outcomes.states import JobNow, JobsNow
from gigq_tui.store.reader import Reader
from gigq_tui.store.stepwise import SoFar
from tests.attempts import AttemptWriter
from tests.store_files import NOW, ago, gigq_copy, reading


def read_all(reader: Reader, work: FollowedJobs) -> JobsNow:
    """Where the jobs are, once each of them has been looked at."""
    steps = [reader.step(work)]
    while not steps[-1].done:
        steps.append(reader.step(work))
    return steps[-1].value


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[AttemptWriter]:
    writer = AttemptWriter(tmp_path / "jobs.db")
    yield writer
    writer.close()


# What is read


WHERE = [
    (("completed", {}), JobNow.PASSED),
    (("cancelled", {}), JobNow.CANCELLED),
    (("running", {"execution_id": "e1"}), JobNow.RUNNING),
    (("running", {"execution_id": "e2", "stop_requested_at": ago(1)}), JobNow.STOPPING),
    (("running", {}), JobNow.FOREIGN),
    (("pending", {}), JobNow.WAITING),
    (("pending", {"retry_after": ago(-60)}), JobNow.DELAYED),
    (("pending", {"retry_after": ago(60)}), JobNow.WAITING),
    (("failed", {}), JobNow.FAILED),
    (("timeout", {}), JobNow.TIMED_OUT),
    (("strange", {}), JobNow.UNKNOWN),
    (None, JobNow.GONE),
]


def test_each_job_is_told_by_where_it_is(writer: AttemptWriter) -> None:
    for n, (made, _) in enumerate(WHERE):
        if made is not None:
            writer.job(f"j{n}", made[0], **made[1])
    writer.job("parent")
    writer.job("child", parents=["parent"])
    ids = [*(f"j{n}" for n in range(len(WHERE))), "child"]
    with reading(writer.path) as reader:
        now = read_all(reader, FollowedJobs(ids, ""))
    assert [now.at(n) for n in range(len(ids))] == [*(w for _, w in WHERE), JobNow.BLOCKED]
    assert (
        writer.conn.execute("SELECT retry_after FROM jobs WHERE id = 'child'").fetchone()[0]
        == PARKED
    )


@pytest.mark.parametrize(
    ("before", "since", "state"),
    [
        # Each attempt: its status, its fingerprint, its error.
        ([("failed", "aa", "x")], [("failed", "aa", "x")], JobNow.FAILED_SAME),
        ([("failed", "aa", "x")], [("failed", "bb", "y")], JobNow.FAILED_OTHER),
        ([("failed", None, "KeyError: 1")], [("failed", None, "KeyError: 2")], JobNow.FAILED_SAME),
        ([("failed", None, "KeyError: 1")], [("failed", None, "OSError: 1")], JobNow.FAILED_OTHER),
        ([("timeout", "tt", "t")], [("timeout", "tt", "t")], JobNow.FAILED_SAME),
        ([("failed", "aa", "x")], [("crashed", "cc", "c")], JobNow.FAILED_OTHER),
        # The last attempt counts, not one that it was retried after by itself.
        (
            [("failed", "bb", "y"), ("failed", "aa", "x")],
            [("failed", "bb", "y"), ("failed", "aa", "x")],
            JobNow.FAILED_SAME,
        ),
        # Nothing to compare with: it was cancelled, or never ran; or it has not run since.
        ([("cancelled", None, None)], [("failed", "aa", "x")], JobNow.FAILED),
        ([], [("failed", "aa", "x")], JobNow.FAILED),
        ([("failed", "aa", "x")], [], JobNow.FAILED),
    ],
)
def test_a_failure_is_compared_with_that_before_the_action(
    writer: AttemptWriter, before: list[Any], since: list[Any], state: JobNow
) -> None:
    writer.job("j", "failed")
    # Others' attempts stand before, between and behind.
    writer.done("other")
    for status, fingerprint, error in before:
        writer.attempt("j", status, fingerprint=fingerprint, error=error)
    newest = newest_attempt(writer.path)
    for status, fingerprint, error in since:
        writer.attempt("j", status, fingerprint=fingerprint, error=error)
    writer.attempt("other", "failed", fingerprint="aa", error="x")
    with reading(writer.path) as reader:
        assert read_all(reader, FollowedJobs(["j"], newest)).at(0) is state


def test_a_vacuum_moves_no_attempt_before_the_action(writer: AttemptWriter) -> None:
    writer.many(30, "old", "completed")
    for n in range(30):
        writer.attempt(f"old{n}")
    writer.job("j", "failed")
    writer.attempt("j", "failed", fingerprint="aa")
    newest = newest_attempt(writer.path)
    writer.conn.execute("DELETE FROM job_executions WHERE job_id LIKE 'old%'")
    writer.conn.execute("VACUUM")
    writer.attempt("j", "failed", fingerprint="aa")
    with reading(writer.path) as reader:
        assert read_all(reader, FollowedJobs(["j"], newest)).at(0) is JobNow.FAILED_SAME


def test_what_has_ended_is_looked_at_again_while_there_are_few(writer: AttemptWriter) -> None:
    writer.job("j", "completed")
    work = FollowedJobs(["j", "gone"], "")
    with reading(writer.path) as reader:
        assert read_all(reader, work).codes == bytes([JobNow.PASSED, JobNow.GONE])
        writer.conn.execute("DELETE FROM jobs WHERE id = 'j'")
        writer.job("gone", "running", execution_id="e")
        work.renew()
        assert read_all(reader, work).codes == bytes([JobNow.GONE, JobNow.RUNNING])


def test_many_are_read_in_steps_and_then_only_those_that_are_open(writer: AttemptWriter) -> None:
    count = 20_000
    writer.many(count - 2, "n", "completed")
    writer.many(2, "r", "running")
    work = FollowedJobs(["r0", *(f"n{n}" for n in range(count - 2)), "r1"], "")
    with reading(writer.path) as reader:
        first = reader.step(work)
        assert 0 < first.read < count == first.total
        unread = first.value.count(JobNow.UNREAD)
        assert unread == first.value.codes[first.read :].count(0) == count - first.read
        now = read_all(reader, work)
        assert (now.passed, now.running, now.open) == (count - 2, 2, 2)
        writer.set("r0", status="completed")
        work.renew()
        so_far = reader.step(work)
        assert so_far.done
        assert so_far.value.running == 1


def test_another_file_in_its_place_is_read_from_the_beginning(
    writer: AttemptWriter, tmp_path: Path
) -> None:
    writer.job("j", "failed")
    writer.attempt("j", "failed", fingerprint="aa")
    newest = newest_attempt(writer.path)
    work = FollowedJobs(["j"], newest)
    with reading(writer.path) as reader:
        assert read_all(reader, work).failed == 1
    (tmp_path / "theirs").mkdir()
    for theirs in ("gigq-0.1.0.db", "gigq-0.5.1.db"):
        with reading(gigq_copy(tmp_path / "theirs", theirs)) as reader:
            assert read_all(reader, work).at(0) is JobNow.GONE
    with reading(writer.path) as reader:
        assert read_all(reader, work).failed == 1


# How it is told


def outcomes(*changes: Change) -> tuple[Outcome, ...]:
    return tuple(Outcome(f"id{n}", change, "", f"job_{n}") for n, change in enumerate(changes))


def followed(changes: list[Change], states: list[JobNow]) -> Followed:
    report = Report("at once", outcomes(*changes))
    first = Followed.of(report)
    return Followed(report, first.jobs, JobsNow(bytes(states)), 1.0)


Q, S, C, R = Change.REQUEUED, Change.STOPPING, Change.CANCELLED, Change.REFUSED
L, B = Change.RELEASED, Change.SUBMITTED
N = JobNow


@pytest.mark.parametrize(
    ("changes", "states", "title"),
    [
        ([Q], [N.PASSED], "retried job_0: completed"),
        ([Q], [N.FAILED_SAME], "retried job_0: failed again (same cause)"),
        ([Q], [N.FAILED], "retried job_0: failed"),
        ([Q, Q, Q], [N.PASSED, N.PASSED, N.FAILED_OTHER], "retried 3: 2 completed, 1 failed again"),
        (
            [Q] * 5,
            [N.PASSED, N.FAILED_SAME, N.FAILED_OTHER, N.RUNNING, N.BLOCKED],
            "retried 5: 1 completed, 2 failed again (1 of the same cause), 1 running, 1 blocked",
        ),
        (
            [Q, Q],
            [N.GONE, N.IN_LATER_ACTION],
            "retried 2: 1 deleted since, 1 changed by a later action",
        ),
        ([Q, Q, R, R], [N.PASSED] * 2, "retried 2: 2 completed; 2 refused"),
        ([L, L], [N.PASSED, N.RUNNING], "released 2: 1 completed, 1 running"),
        (
            [B, B, B],
            [N.PASSED, N.FAILED, N.WAITING],
            "submitted 3: 1 completed, 1 failed, 1 waiting",
        ),
        ([S], [N.CANCELLED], "cancelled job_0"),
        ([S], [N.PASSED], "job_0 completed before it could be cancelled"),
        ([S, S], [N.FAILED, N.FAILED_SAME], "2 failed before they could be cancelled"),
        (
            [S, C, C, S],
            [N.CANCELLED, N.PASSED],
            "cancelled 3, job_3 completed before it could be cancelled",
        ),
        ([S], [N.BLOCKED], "job_0 queued again"),
        ([S, S], [N.STOPPING, N.STOPPING], "2 still running, though asked to stop"),
    ],
)
def test_the_line_says_what_has_become_of_them(
    changes: list[Change], states: list[JobNow], title: str
) -> None:
    assert followed(changes, states).title == title


@pytest.mark.parametrize(
    ("changes", "told", "now", "is_news"),
    [
        # The first failure, and the end; nothing in between.
        ([Q, Q], [N.WAITING, N.WAITING], [N.RUNNING, N.WAITING], False),
        ([Q, Q], [N.WAITING, N.WAITING], [N.FAILED, N.WAITING], True),
        ([Q, Q, Q], [N.FAILED, N.WAITING, N.WAITING], [N.FAILED, N.FAILED, N.RUNNING], False),
        ([Q, Q], [N.FAILED, N.WAITING], [N.FAILED, N.PASSED], True),
        ([B, B], [N.PASSED, N.RUNNING], [N.PASSED, N.PASSED], True),
        ([Q, Q], [N.UNREAD, N.UNREAD], [N.FAILED, N.UNREAD], False),
        ([S, S], [N.STOPPING, N.STOPPING], [N.FAILED, N.STOPPING], False),
        ([S, S], [N.STOPPING, N.STOPPING], [N.FAILED, N.CANCELLED], True),
        # Nobody asked for these to end.
        ([Change.REPRIORITIZED], [N.WAITING], [N.PASSED], False),
        ([Change.RESTORED], [N.WAITING], [N.FAILED], False),
    ],
)
def test_a_person_hears_unasked_of_the_first_failure_and_the_end(
    changes: list[Change], told: list[JobNow], now: list[JobNow], is_news: bool
) -> None:
    assert followed(changes, now).is_news_after(followed(changes, told)) is is_news


# The service


@dataclass
class Reading:
    """A reader's thread that answers when it is told to, and what the service tells."""

    reader: Reader
    asked: deque[Callable[[], None]] = field(default_factory=deque)
    told: list[tuple[str, bool]] = field(default_factory=list)

    def ask(self, read: Any, got: Any, failed: Any) -> None:
        self.asked.append(lambda: got(read(self.reader)))

    def tell(self, followed: Followed, is_news: bool) -> None:
        self.told.append((followed.title, is_news))

    def answer(self) -> int:
        """Answer all that is asked, and what is asked then; says how much that was."""
        answered = 0
        while self.asked:
            self.asked.popleft()()
            answered += 1
        return answered

    @property
    def news(self) -> list[str]:
        return [title for title, is_news in self.told if is_news]


@pytest.fixture
def thread(writer: AttemptWriter) -> Iterator[Reading]:
    with reading(writer.path) as reader:
        yield Reading(reader)


def retried(writer: AttemptWriter, *ids: str) -> Report:
    for job_id in ids:
        if not writer.conn.execute("SELECT 1 FROM jobs WHERE id = ?", (job_id,)).fetchone():
            writer.job(job_id)
    done = tuple(Outcome(job_id, Change.REQUEUED, "", job_id) for job_id in ids)
    return Report("queued", done, newest=newest_attempt(writer.path))


def test_jobs_are_followed_to_their_ends_and_no_further(
    writer: AttemptWriter, thread: Reading
) -> None:
    clock = FrozenClock(NOW)
    following = Following(thread, clock, thread.tell)
    report = retried(writer, "a", "b")
    following.follow(report)
    thread.answer()
    assert thread.told == [("retried 2: 2 waiting", False)]
    # Nothing is written: nothing is read.
    following.keep_up()
    assert thread.answer() == 0
    assert not following.owes
    writer.set("a", status="running")
    following.take_news()
    thread.answer()
    writer.set("a", status="completed")
    writer.set("b", status="failed")
    following.take_news()
    thread.answer()
    assert thread.told[1:] == [
        ("retried 2: 1 running on GigQ workers, 1 waiting", False),
        ("retried 2: 1 completed, 1 failed", True),
    ]
    following.take_news()
    assert thread.answer() == 0
    known = following.of(report)
    assert known is not None
    assert [job.name for job in known.which(JobNow.FAILED)] == ["b"]


def test_a_later_action_takes_its_jobs_over(writer: AttemptWriter, thread: Reading) -> None:
    following = Following(thread, FrozenClock(NOW), thread.tell)
    first, second = retried(writer, "a", "b", "c"), retried(writer, "b", "d")
    following.follow(first)
    thread.answer()
    following.follow(second)
    thread.answer()
    for job_id in "abcd":
        writer.set(job_id, status="completed")
    following.take_news()
    thread.answer()
    assert thread.news == [
        "retried 3: 2 completed, 1 changed by a later action",
        "retried 2: 2 completed",
    ]


def test_what_a_later_action_refused_stays_with_the_first(
    writer: AttemptWriter, thread: Reading
) -> None:
    following = Following(thread, FrozenClock(NOW), thread.tell)
    following.follow(retried(writer, "a"))
    following.follow(Report("x", (Outcome("a", Change.REFUSED, "it is already waiting", "a"),)))
    writer.set("a", status="completed")
    following.take_news()
    thread.answer()
    assert thread.news == ["retried a: completed"]


def test_a_failed_read_is_made_good_by_the_next(writer: AttemptWriter, thread: Reading) -> None:
    following = Following(thread, FrozenClock(NOW), thread.tell)
    writer.job("a")
    ask, thread.ask = thread.ask, lambda read, got, failed: failed("busy")  # type: ignore[method-assign]
    following.follow(retried(writer, "a"))
    assert following.owes
    thread.ask = ask  # type: ignore[method-assign]
    following.keep_up()
    thread.answer()
    assert thread.told == [("retried a: waiting", False)]


def test_a_reading_anew_that_failed_is_made_good_too(
    writer: AttemptWriter, thread: Reading
) -> None:
    clock = FrozenClock(NOW)
    following = Following(thread, clock, thread.tell)
    following.follow(retried(writer, "a"))
    thread.answer()
    writer.set("a", status="completed")
    ask, thread.ask = thread.ask, lambda read, got, failed: failed("busy")  # type: ignore[method-assign]
    following.take_news()
    thread.ask = ask  # type: ignore[method-assign]
    # Nothing more is written.
    following.keep_up()
    thread.answer()
    assert thread.news == ["retried a: completed"]


def test_what_somebody_watches_is_not_forgotten(writer: AttemptWriter, thread: Reading) -> None:
    following = Following(thread, FrozenClock(NOW), thread.tell)
    first = retried(writer, "a")
    following.follow(first)
    seen: list[Followed] = []
    end = following.watch(first, seen.append)
    later = [retried(writer, f"b{n}") for n in range(MOST_ACTIONS + 5)]
    for report in later:
        following.follow(report)
    assert len(following.actions) == MOST_ACTIONS
    assert following.of(later[5]) is None
    assert following.of(later[-1]) is not None
    writer.set("a", status="completed")
    following.take_news()
    thread.answer()
    assert seen[-1].now.passed == 1
    end()
    following.follow(retried(writer, "c"))
    assert following.of(first) is None


def test_what_is_dear_to_read_is_read_seldom(writer: AttemptWriter, thread: Reading) -> None:
    clock = FrozenClock(NOW)
    following = Following(thread, clock, thread.tell)
    following.follow(retried(writer, "a"))
    clock.advance(2)
    thread.answer()
    writer.set("a", status="completed")
    following.take_news()
    assert thread.answer() == 0
    clock.advance(19)
    following.keep_up()
    assert thread.answer() == 0
    assert following.owes
    clock.advance(2)
    following.keep_up()
    thread.answer()
    assert thread.news == ["retried a: completed"]


def test_several_are_read_in_turn(writer: AttemptWriter, thread: Reading) -> None:
    """One with very many jobs keeps no other waiting."""
    following = Following(thread, FrozenClock(NOW), thread.tell)
    writer.many(15_000, "n")
    following.follow(retried(writer, *(f"n{n}" for n in range(15_000))))
    following.follow(retried(writer, "a"))
    for _ in range(2):
        thread.asked.popleft()()
    assert ("retried a: waiting", False) in thread.told
    assert all(so_far.share < 1 for so_far in following.actions[:1])


def test_what_nobody_is_told_of_is_read_while_somebody_watches(
    writer: AttemptWriter, thread: Reading
) -> None:
    following = Following(thread, FrozenClock(NOW), thread.tell)
    writer.job("a")
    report = Report("x", (Outcome("a", Change.REPRIORITIZED, "", "a"),))
    following.follow(report)
    assert thread.answer() == 0
    seen: list[Followed] = []
    end = following.watch(report, seen.append)
    thread.answer()
    assert [one.now.at(0) for one in seen] == [JobNow.WAITING]
    end()
    following.take_news()
    assert thread.answer() == 0


def test_a_worker_that_does_not_stop_its_job_is_told_once(
    writer: AttemptWriter, thread: Reading
) -> None:
    clock = FrozenClock(NOW)
    following = Following(thread, clock, thread.tell)
    writer.job("a", "running", stop_requested_at=ago(1))
    following.follow(Report("x", (Outcome("a", Change.STOPPING, "", "a"),)))
    thread.answer()
    clock.advance(LATE_S + 1)
    for _ in range(3):
        following.keep_up()
        thread.answer()
    assert thread.news == ["a still running, though asked to stop"]
    writer.set("a", status="cancelled")
    following.take_news()
    thread.answer()
    assert thread.news[1:] == ["cancelled a"]


def test_what_is_known_of_part_of_them_says_how_much_that_is() -> None:
    clock, asked = FrozenClock(NOW), deque[Any]()

    class Thread:
        def ask(self, read: Any, got: Any, failed: Any) -> None:
            asked.append(got)

    following = Following(Thread(), clock, lambda *_: None)
    report = Report("x", outcomes(Q, Q))
    following.follow(report)
    asked.popleft()(SoFar(JobsNow(bytes([N.PASSED, N.UNREAD])), 1, 2))
    known = following.of(report)
    assert known is not None
    assert known.share == 0.5
    assert not known.is_read
    assert following.owes
