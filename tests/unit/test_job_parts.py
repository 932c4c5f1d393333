"""The parts of the job screen, each on a stand-in of a few lines: no app, no terminal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, TypeVar, cast

import pytest

from gigq_core.graph.blame import Culprit
from gigq_core.system.paths import attempt_output
from gigq_tui.keys import DETAIL_TABS
from gigq_tui.keys.hints import DEFAULT_HINTS
from gigq_tui.screens.job import stack as stack_module
from gigq_tui.screens.job.attempts import Attempts
from gigq_tui.screens.job.relatives import Relatives
from gigq_tui.screens.job.shown_job import ShownJob
from gigq_tui.screens.job.stack import Stack
from gigq_tui.screens.job.tabs import Tabs
from gigq_tui.screens.job.values import Secrets, params_tab
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.models import JobDetail, JobRow, Relative, Snapshot
from gigq_tui.store.questions import Questions
from gigq_tui.store.tail import TAIL_BYTES, WHOLE_BYTES
from gigq_tui.widgets.text_view import TextView
from tests.scene import NOW
from tests.tui.harness import detail_of, row
from tests.tui.test_detail_keys import attempt

T = TypeVar("T")
JOB = row(2, "job_two", "failed", attempts=2)
OTHER = row(3, "other", "completed")


class AtOnce:
    """Finds out at once what else a thread would."""

    def __init__(self) -> None:
        self.calls = 0

    def find_out(self, call: Callable[[], T], got: Callable[[T], None]) -> None:
        self.calls += 1
        got(call())


class Later(AtOnce):
    """Finds out when it is told to."""

    def __init__(self) -> None:
        super().__init__()
        self.waiting: list[Callable[[], None]] = []

    def find_out(self, call: Callable[[], T], got: Callable[[T], None]) -> None:
        self.calls += 1
        self.waiting.append(lambda: got(call()))


class Said(list[str]):
    """What was said."""

    def tell(self, text: str, tone: str = "info") -> None:
        self.append(text)


# Attempts


class AttemptsScreen:
    """The screen, its page, and the part that knows the job, in one."""

    def __init__(self, detail: JobDetail | None) -> None:
        self.page = self
        self.detail = detail
        self.shows_output = True
        self.began = self.drawn = 0

    def start_text(self) -> None:
        self.began += 1

    def draw_text(self) -> None:
        self.drawn += 1


TRIED = detail_of(JOB, attempts=(attempt(1), attempt(2)))


def test_the_last_attempt_is_looked_at_until_another_is_chosen() -> None:
    screen = AttemptsScreen(TRIED)
    attempts = Attempts(Path("jobs.db"), DEFAULT_HINTS, AtOnce(), screen, screen)
    assert attempts.chosen == TRIED.attempts[1]
    attempts.choose("exec-2")
    assert screen.began == 0, "it is the one that is looked at already"
    attempts.choose("exec-1")
    assert attempts.chosen == TRIED.attempts[0]
    assert screen.began == 1
    screen.detail = replace(TRIED, attempts=(attempt(1), attempt(2), attempt(3)))
    assert attempts.chosen == TRIED.attempts[0], "the choice outlives what arrives"
    attempts.start_over()
    assert attempts.chosen == attempt(3)


def test_the_output_is_read_where_it_is_on_the_screen_and_drawn_where_it_is_new(
    tmp_path: Path,
) -> None:
    path = tmp_path / "jobs.db"
    file = attempt_output(path, "exec-2")
    file.parent.mkdir(parents=True)
    file.write_text("line\n" * (TAIL_BYTES // 2))
    tried = replace(TRIED, attempts=(attempt(2, output_path=str(file)),))
    screen, reads = AttemptsScreen(tried), AtOnce()
    attempts = Attempts(path, DEFAULT_HINTS, reads, screen, screen)
    screen.shows_output = False
    attempts.read_output()
    attempts.read_whole_output()
    assert reads.calls == 0
    screen.shows_output = True
    attempts.read_output()
    assert attempts.output is not None
    assert attempts.output.skipped
    assert attempts.more_output
    assert screen.drawn == 1
    attempts.read_whole_output()
    assert screen.drawn == 2
    attempts.read_output()
    assert screen.drawn == 2, "nothing was written meanwhile"
    assert not attempts.output.skipped
    assert not attempts.more_output
    assert TAIL_BYTES < attempts.output.size < WHOLE_BYTES
    calls = reads.calls
    attempts.read_whole_output()
    assert reads.calls == calls, "there is no more to read"


def test_the_output_of_an_attempt_that_was_left_meanwhile_is_not_shown(tmp_path: Path) -> None:
    screen, reads = AttemptsScreen(TRIED), Later()
    attempts = Attempts(tmp_path / "jobs.db", DEFAULT_HINTS, reads, screen, screen)
    attempts.read_output()
    attempts.choose("exec-1")
    reads.waiting[0]()
    assert attempts.output is None
    reads.waiting[1]()
    assert attempts.output is not None


# Relatives


class Walked:
    def __init__(self, detail: JobDetail) -> None:
        self.detail = detail
        self.opened: list[str] = []

    def open(self, job_id: str) -> None:
        self.opened.append(job_id)


def culprit(problem: str) -> Culprit:
    return Culprit("blamed", "blamed", problem, "")


@pytest.mark.parametrize(
    ("row_id", "problem", "opened", "said"),
    [
        (f"waits for/{OTHER.id}", "failed", [OTHER.id], 0),
        ("child/gone", "failed", [], 1),
        ("culprit/blamed", "failed", ["blamed"], 0),
        ("culprit/blamed", "missing", [], 1),
        ("more/", "failed", [], 0),
        (None, "failed", [], 0),
    ],
)
def test_only_a_job_of_the_file_is_opened(
    row_id: str | None, problem: str, opened: list[str], said: int
) -> None:
    doomed = replace(JOB, status="pending", doomed=True, culprit=culprit(problem))
    detail = detail_of(
        doomed, parents=(Relative(OTHER.id, OTHER),), children=(Relative("gone", None),)
    )
    job, notices = Walked(detail), Said()
    Relatives(job, notices, DEFAULT_HINTS).open(row_id)
    assert job.opened == opened
    assert len(notices) == said


# The shown job


class Reader:
    """Answers with what there is, when it is told to."""

    def __init__(self) -> None:
        self.details: dict[str, JobDetail] = {}
        self.waiting: list[Callable[[], None]] = []
        self.trouble = ""

    def detail(self, job_id: str) -> JobDetail | None:
        return self.details.get(job_id)

    def ask(
        self,
        read: Callable[[Questions], JobDetail | None],
        got: Callable[[JobDetail | None], None],
        failed: Callable[[str], None],
    ) -> None:
        def answer() -> None:
            if self.trouble:
                failed(self.trouble)
            else:
                got(read(cast(Questions, self)))

        self.waiting.append(answer)

    def answer(self) -> None:
        while self.waiting:
            self.waiting.pop(0)()


class Listed:
    """The list that the job was opened from."""

    def __init__(self, *rows: JobRow) -> None:
        self.rows = rows
        self.at = 0

    def take_rows(self, snapshot: Snapshot) -> None: ...

    def step_to_row(self, by: int) -> JobRow | None:
        self.at = max(0, min(self.at + by, len(self.rows) - 1))
        return self.rows[self.at]


class ShownJobScreen:
    def __init__(self) -> None:
        self.chosen = 0
        self.firsts: list[bool] = []

    def job_chosen(self) -> None:
        self.chosen += 1

    def job_read(self, *, first: bool) -> None:
        self.firsts.append(first)


def test_a_job_that_is_read_again_unchanged_stays_the_same_object() -> None:
    reader, screen = Reader(), ShownJobScreen()
    job = ShownJob(JOB.id, reader, Said(), screen)
    reader.details[JOB.id] = detail_of(JOB)
    job.read()
    reader.answer()
    known = job.detail
    reader.details[JOB.id] = detail_of(JOB)
    job.read()
    reader.answer()
    assert job.detail is known
    assert screen.firsts == [True, False]


def test_an_answer_about_a_job_that_was_left_is_not_taken() -> None:
    reader, screen = Reader(), ShownJobScreen()
    job = ShownJob(JOB.id, reader, Said(), screen)
    reader.details = {JOB.id: detail_of(JOB), OTHER.id: detail_of(OTHER)}
    job.read()
    job.open(OTHER.id)
    reader.answer()
    assert job.row == OTHER
    assert screen.firsts == [True]


def test_that_a_job_could_not_be_read_is_not_said_once_it_was_left() -> None:
    reader, notices = Reader(), Said()
    job = ShownJob(JOB.id, reader, notices, ShownJobScreen())
    reader.trouble = "The file can't be read."
    job.read()
    job.open(OTHER.id)
    reader.answer()
    assert notices == [reader.trouble], "of the other one alone"


def test_one_goes_back_the_way_that_was_walked() -> None:
    reader, screen = Reader(), ShownJobScreen()
    job = ShownJob("first", reader, Said(), screen)
    job.open("second")
    job.open("third")
    assert job.go_back()
    assert job.id == "second"
    assert job.go_back()
    assert not job.go_back()
    assert job.id == "first"


def test_the_list_is_walked_to_its_end_and_that_forgets_the_way_back() -> None:
    reader, screen, notices = Reader(), ShownJobScreen(), Said()
    job = ShownJob(JOB.id, reader, notices, screen, Listed(JOB, OTHER))
    job.open("elsewhere")
    job.show_next()
    assert job.id == OTHER.id
    assert not job.go_back()
    job.show_next()
    assert notices == ["End of the list."]
    job.show_previous()
    assert job.id == JOB.id


def test_a_job_that_is_gone_and_a_file_that_can_t_be_read_are_told_apart() -> None:
    reader, screen, notices = Reader(), ShownJobScreen(), Said()
    job = ShownJob(JOB.id, reader, notices, screen)
    job.read()
    reader.answer()
    assert job.is_gone
    assert not notices
    reader.trouble = "The file can't be read."
    job.read()
    reader.answer()
    assert notices == [reader.trouble]


# Tabs


class TabsScreen:
    def __init__(self) -> None:
        self.chosen = 0

    def tab_chosen(self) -> None:
        self.chosen += 1


def test_the_tabs_go_around_and_the_one_that_is_shown_is_not_chosen_again() -> None:
    screen = TabsScreen()
    tabs = Tabs(DETAIL_TABS[-1], {}, screen)
    tabs.next()
    assert tabs.name == DETAIL_TABS[0]
    tabs.previous()
    assert tabs.name == DETAIL_TABS[-1]
    tabs.choose_number(len(DETAIL_TABS) - 1)
    assert screen.chosen == 2


def test_the_output_goes_back_only_to_the_attempts_it_was_opened_out_of() -> None:
    tabs = Tabs("Attempts", {}, TabsScreen())
    tabs.toggle_output()
    assert (tabs.name, tabs.is_enlarged) == ("Output", True)
    tabs.toggle_output()
    assert (tabs.name, tabs.is_enlarged) == ("Attempts", False)
    tabs.choose("Raw")
    tabs.toggle_output()
    assert (tabs.name, tabs.is_enlarged) == ("Output", False)
    tabs.toggle_output()
    assert tabs.name == "Output"


# Secrets


class SecretsScreen:
    def __init__(self) -> None:
        self.page = self
        self.drawn = 0

    def draw(self) -> None:
        self.drawn += 1


def test_secrets_are_shown_until_the_job_is_left() -> None:
    screen, notices, view = SecretsScreen(), Said(), TextView()
    secrets = Secrets(notices, DEFAULT_HINTS, screen)
    tab, detail = params_tab(secrets), detail_of(JOB)
    tab.fill(view, detail, NOW)
    assert "hunter2" not in view.plain
    assert tab.describe(detail, NOW).endswith("m shows secrets")
    secrets.toggle()
    before = tab.state
    tab.fill(view, detail, NOW)
    assert "hunter2" in view.plain
    assert tab.shows_secrets
    secrets.start_over()
    assert tab.state != before
    assert not tab.shows_secrets
    assert screen.drawn == 1
    assert len(notices) == 1


def test_without_secrets_nothing_is_masked_and_all_may_be_copied() -> None:
    secrets = Secrets(Said(), DEFAULT_HINTS, SecretsScreen())
    tab, detail = params_tab(secrets), detail_of(JOB, params={"src": "x"})
    secrets.toggle()
    tab.fill(TextView(), detail, NOW)
    assert not tab.shows_secrets
    assert tab.describe(detail, NOW) == "3 lines"


# The stack


class StackScreen:
    """The screen, its page, its tabs, and the part that knows the job, in one."""

    id = JOB.id

    def __init__(self) -> None:
        self.page = self.tabs = self
        self.drawn = 0
        self.chosen: list[str] = []

    def choose(self, name: str) -> None:
        self.chosen.append(name)

    def draw_text(self) -> None:
        self.drawn += 1


def test_a_process_is_asked_once_at_a_time_and_another_job_s_stack_is_not_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    asked: list[str] = []

    def take(path: Path, job_id: str, clock: Any, read_only: bool) -> stack_module.StackTaken:
        assert read_only
        asked.append(job_id)
        return stack_module.StackTaken(job_id, clock.now(), "stack", "", "command")

    monkeypatch.setattr(stack_module, "take_stack", take)
    screen, reads = StackScreen(), Later()
    stack = Stack(
        Path("jobs.db"),
        FrozenClock(datetime(2026, 1, 2, tzinfo=timezone.utc)),
        True,
        DEFAULT_HINTS,
        reads,
        screen,
        screen,
    )
    stack.show()
    stack.show()
    assert screen.chosen == ["Stack", "Stack"]
    assert reads.calls == 1
    screen.id = OTHER.id
    stack.start_over()
    reads.waiting.pop()()
    assert asked == [JOB.id]
    assert stack.taken is None
    stack.take()
    reads.waiting.pop()()
    assert stack.taken is not None
    assert stack.taken.job_id == OTHER.id
