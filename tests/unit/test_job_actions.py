"""What a key on jobs asks and does, on a stand-in for the screen and for the console."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

from gigq_core.graph.blocking import Blocking
from gigq_core.reasons.why import Health
from gigq_tui.actions.question import Question
from gigq_tui.actions.report import Report
from gigq_tui.screens.parts.job_actions import ChosenJobs, JobActions
from gigq_tui.screens.parts.release import orphans
from gigq_tui.store.held_jobs import HeldJob
from gigq_tui.store.models import JobRow, Snapshot
from tests.tui.harness import row


class StandIn:
    """A screen, the console, and what changes jobs, in one: each remembers what it was told."""

    shown: Snapshot | None = None
    attach_details: tuple[str, ...] = ()

    def __init__(self, *rows: JobRow) -> None:
        self.rows = rows
        self.said: list[Any] = []
        self.questions: list[Question] = []
        self.receive: Callable[[int], None] | None = None
        self.jobs = self
        self.reads: Any = self

    def chosen_jobs(self) -> ChosenJobs:
        return ChosenJobs.of(self.rows)

    def question(self, question: Question) -> None:
        self.questions.append(question)

    def amend_question(self, question: Question, amended: Question) -> None:
        assert question is self.questions[-1]
        self.questions.append(amended)

    def ask(self, read: Callable[[Any], Any], got: Callable[[Any], None]) -> None:
        read(self)
        self.receive = got

    def blocking(self, ids: Sequence[str]) -> Blocking:
        self.said.append(("blocking", ids))
        return Blocking()

    def cancel(self, ids: Iterable[str]) -> Report:
        return Report(f"cancel {len(tuple(ids))}", (), "")

    def retry(self, ids: Iterable[str], with_children: bool = False) -> Report:
        along = " with children" if with_children else ""
        return Report(f"retry {len(tuple(ids))}{along}", (), "")

    def change_priority(self, ids: Iterable[str], by: int) -> Report:
        return Report(f"priority {len(tuple(ids))} {by}", (), "")

    def tell(self, text: str, tone: str = "info") -> None:
        self.said.append(text)

    def act(
        self, call: Callable[[], Report | None], after: Callable[[], None] | None = None
    ) -> None:
        report = call()
        self.said.append(report.title if report is not None else "")
        if after is not None:
            after()

    def after_attach_question(self, title: str, act: Callable[[], None]) -> None:
        act()

    def release(self, held: Sequence[HeldJob], after: Callable[[], None] | None = None) -> None:
        self.said.append([job.id for job in held])


def actions_on(screen: StandIn, acted: Callable[[], None] | None = None) -> JobActions:
    """The part, on that screen and those services."""
    return JobActions(screen, screen, screen, screen, screen.release, acted)


def yes(question: Question) -> None:
    """Choose what acts."""
    act = question.choices[-1].act
    assert act is not None
    act()


@pytest.mark.parametrize(
    ("count", "key"), [(1, "y"), (19, "y"), (20, "Y")], ids=["one", "some", "many"]
)
def test_a_cancel_is_asked_first_and_many_jobs_need_a_capital(count: int, key: str) -> None:
    done: list[str] = []
    screen = StandIn(*(row(number) for number in range(1, count + 1)))
    actions_on(screen, lambda: done.append("acted")).cancel()
    question = screen.questions[-1]
    assert question.choices[0].act is None
    assert question.choices[1].key == key
    assert not done
    yes(question)
    assert screen.said[-1] == f"cancel {count}"
    assert done == ["acted"]


def test_the_open_question_learns_how_many_jobs_wait_behind() -> None:
    screen = StandIn(row(1), row(2, status="completed"))
    actions_on(screen).cancel()
    # What has ended holds nobody up.
    assert screen.said == [("blocking", (row(1).id,))]
    assert screen.receive is not None
    screen.receive(Blocking())
    assert len(screen.questions) == 1
    screen.receive(Blocking(blocks=4))
    assert screen.questions[-1].details[-1] == ("Blocks 4 jobs: none of those can run without it.")


def test_a_retry_of_orphans_alone_is_a_release() -> None:
    lost = row(1, status="running", holder=Health.LOST)
    screen = StandIn(lost)
    actions_on(screen).retry()
    yes(screen.questions[-1])
    assert screen.said == [[lost.id]]
    assert orphans((lost.id, row(2).id), (lost, row(2))) == []
    assert orphans((lost.id, "not in memory"), (lost,)) == []
    assert orphans((), ()) == []


def test_what_nobody_chose_is_not_asked_about() -> None:
    screen = StandIn()
    actions_on(screen).cancel()
    assert screen.said == ["There is no job to act on."]
    assert not screen.questions


def test_a_priority_of_one_job_moves_without_a_question_and_marks_stay() -> None:
    done: list[str] = []
    screen = StandIn(row(1))
    actions_on(screen, lambda: done.append("acted")).raise_priority()
    assert screen.said == ["priority 1 1"]
    screen = StandIn(row(1), row(2))
    actions_on(screen, lambda: done.append("acted")).lower_priority()
    assert screen.questions[-1].title == "Lower the priority of 2 jobs by 1?"
    yes(screen.questions[-1])
    assert screen.said == ["priority 2 -1"]
    assert not done
