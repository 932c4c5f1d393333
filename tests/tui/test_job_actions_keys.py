"""Acts on jobs by their keys: what is asked, what is called with which ids, and what is told."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.changes.clearing import ClearPlan, Finished
from gigq_core.changes.undo import Undo, _Lost
from gigq_core.errors import DatabaseBusy
from gigq_core.graph.blocking import Blocking
from gigq_core.status import Change, Outcome
from gigq_tui.actions.report import Report
from gigq_tui.actions.results import MOST_LISTED
from gigq_tui.actions.undo_log import DoneAction, DoneChange
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.services.actions import SLOW_ACT_S
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.filter.language import parse
from gigq_tui.store.models import Tab
from gigq_tui.store.outcomes.following import FollowedJobs
from gigq_tui.store.outcomes.states import JobNow, JobsNow
from gigq_tui.store.stepwise import SoFar
from gigq_tui.widgets.outcome_panel import OutcomePanel
from tests.scene import NOW
from tests.tui.harness import (
    Console,
    FakeReader,
    acts_of,
    detail_of,
    feed_of,
    give,
    jobs_screen,
    make_app,
    press,
    row,
    running,
    screen_text,
    settle,
    snapshot_of,
)

ROWS = [row(n, f"job_{n}") for n in range(30, 0, -1)]
FAILED = [replace(job, status="failed") for job in ROWS]


def done_act(count: int, what: str = "") -> DoneAction:
    undo = Undo()
    undo._kept.update({f"id{n}": None for n in range(count)})  # type: ignore[misc]
    return DoneAction(what or f"cancel of {count} jobs", ("job_1 00000001",), undo)


def outcomes(*changes: tuple[Change, str]) -> tuple[Outcome, ...]:
    return tuple(
        Outcome(job.id, change, reason, job.name)
        for job, (change, reason) in zip(ROWS, changes, strict=False)
    )


def notice_of(app: ConsoleApp) -> str:
    return jobs_screen(app).notice_line.plain


# Priority


@pytest.mark.parametrize(("key", "by"), [("greater_than_sign", 1), ("less_than_sign", -1)])
async def test_priority_of_the_row_moves_at_once(console: Console, key: str, by: int) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "j", key, key)
        assert acts_of(app).calls == [("priority", ((ROWS[1].id,), by))] * 2


async def test_priority_of_marked_rows_is_asked_and_the_marks_stay(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "space", "space", "greater_than_sign")
        assert "Raise the priority of 2 jobs by 1?" in jobs_screen(app).panel.plain
        assert acts_of(app).calls == []
        await press(pilot, "y")
        ids = (ROWS[0].id, ROWS[1].id)
        assert acts_of(app).calls == [("priority", (ids, 1))]
        assert tuple(jobs_screen(app).marks.ids) == ids


async def test_priority_on_the_detail_screen(console: Console) -> None:
    async with console() as (app, pilot):
        feed_of(app).answers["detail"] = lambda job_id: detail_of(ROWS[0])
        await give(pilot, ROWS)
        app.push_screen(JobScreen(app.services, ROWS[0].id))
        await settle(pilot)
        await press(pilot, "less_than_sign")
        assert acts_of(app).calls == [("priority", ((ROWS[0].id,), -1))]


async def test_the_first_priority_asks_before_our_tables_come(console: Console) -> None:
    foreign = replace(snapshot_of([]).info, attached=False)
    async with console() as (app, pilot):
        await give(pilot, ROWS, info=foreign)
        await press(pilot, "greater_than_sign")
        assert "adds our tables" in jobs_screen(app).panel.plain
        await press(pilot, "n")
        assert acts_of(app).calls == []


# Undo


async def test_u_with_nothing_to_undo_says_so(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "u")
        assert "Nothing to undo" in notice_of(app)
        assert acts_of(app).calls == []


async def test_u_takes_an_act_on_one_job_back_at_once(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        act = acts_of(app).undoable = done_act(1)
        await press(pilot, "u")
        assert acts_of(app).calls == [("undo", act)]


async def test_u_says_beforehand_what_it_can_not_bring_back(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        act = done_act(798, "clear of 1,315 jobs")
        kept = {f"lost{n}": _Lost("big", "it was too large to be kept") for n in range(517)}
        act.undo._kept.update(kept)
        acts_of(app).undoable = act
        await press(pilot, "u")
        asked = jobs_screen(app).panel.plain
        assert "Undo the clear of 1,315 jobs?" in asked
        why = "Only 798 of 1,315 can be restored. Not the rest: it was too large to be kept."
        assert why in asked
        assert "[ Undo 798 jobs (Y) ]" in asked
        await press(pilot, "Y")
        assert acts_of(app).calls == [("undo", act)]


async def test_u_does_not_ask_where_nothing_can_be_brought_back(console: Console) -> None:
    """What is told of it says why, and the next press is about the action before."""
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        act = done_act(0, "cancel of 3 jobs")
        act.undo._kept.update({f"l{n}": _Lost("held", "it was asked to stop") for n in range(3)})
        acts_of(app).undoable = act
        await press(pilot, "u")
        assert not jobs_screen(app).panel.is_open
        assert acts_of(app).calls == [("undo", act)]


@pytest.mark.parametrize(("count", "key"), [(2, "y"), (20, "Y")])
async def test_u_asks_about_many_and_weighs_by_their_number(
    console: Console, count: int, key: str
) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        act = acts_of(app).undoable = done_act(count)
        await press(pilot, "u")
        asked = jobs_screen(app).panel.plain
        assert f"Undo the cancel of {count} jobs?" in asked
        assert f"job_1 00000001, and {count - 1} more" in asked
        await press(pilot, "enter")
        assert acts_of(app).calls == []
        await press(pilot, "u", key)
        assert acts_of(app).calls == [("undo", act)]


@pytest.mark.parametrize("names", [("nightly",), ("nightly", "hourly")])
async def test_u_asks_about_a_change_of_several(console: Console, names: tuple[str, ...]) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        act = acts_of(app).undoable = DoneChange("pause", names, lambda _: ())
        await press(pilot, "u")
        if len(names) > 1:
            asked = jobs_screen(app).panel.plain
            assert "Undo the pause?" in asked
            assert "nightly and hourly" in asked
            assert acts_of(app).calls == []
            await press(pilot, "y")
        assert acts_of(app).calls == [("undo", act)]


# Row by row


async def test_a_mixed_outcome_is_shown_in_groups(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        mixed = [(Change.CANCELLED, "")] * 25 + [(Change.REFUSED, "it has already completed")]
        acts_of(app).report = Report(
            "cancelled 25, 1 has already completed", outcomes(*mixed), undoable=True
        )
        await press(pilot, "c", "y")
        assert "i results  u undo" in notice_of(app)
        await press(pilot, "i")
        lines = screen_text(app).splitlines()
        at = next(n for n, text in enumerate(lines) if "results: 26 jobs, 1 not done" in text)
        assert " ".join(lines[at + 1].split()) == "> 1 not done: it has already completed"
        assert "job_5" in lines[at + 2]
        folded = "25 cancelled job_30, job_29, job_28, and 22 more"
        assert " ".join(lines[at + 3].split()) == folded
        # Unfolded, each job has a line; folded again, the cursor is on the group.
        panel = app.screen.query_one(OutcomePanel)
        await press(pilot, "G", "space", "G")
        assert panel.list.current[1] is not None
        assert panel.list.current[1].name == "job_6"
        assert panel.list.top == panel.list.total - panel.list.page
        await press(pilot, "k", "space")
        assert panel.list.current[1] is None
        await press(pilot, "g", "pagedown", "k", "x", "c", "escape")
        assert not app.screen.query(OutcomePanel)
        assert not jobs_screen(app).panel.is_open


async def test_the_groups_go_on_with_their_jobs_and_the_cursor_with_its_job(
    console: Console,
) -> None:
    states = dict.fromkeys(range(6), JobNow.WAITING)
    async with console() as (app, pilot):
        feed_of(app).answers["step"] = States(states).step
        acts_of(app).report = Report("x", outcomes(*[(Change.REQUEUED, "")] * 6), "")
        await give(pilot, FAILED)
        await press(pilot, "r", "y", "i", "j", "j", "j")
        panel = app.screen.query_one(OutcomePanel)
        group, job = panel.list.current
        assert group is not None
        assert job is not None
        assert (group.words, job.name) == ("waiting", "job_28")
        states.update({0: JobNow.FAILED_SAME, 2: JobNow.RUNNING, 5: JobNow.PASSED})
        await give(pilot, ROWS)
        assert [one.words for one in panel.list.groups] == [
            "failed again, same cause",
            "running",
            "waiting",
            "completed",
        ]
        assert "results: 6 jobs, 1 failed" in screen_text(app)
        assert panel.list.current[1] == job


@pytest.mark.parametrize("on_job", [False, True])
async def test_a_group_leads_to_its_jobs(console: Console, on_job: bool) -> None:
    states = {0: JobNow.PASSED, 1: JobNow.FAILED_SAME, 2: JobNow.FAILED_SAME}
    async with console() as (app, pilot):
        feed_of(app).answers["step"] = States(states).step
        acts_of(app).report = Report("x", outcomes(*[(Change.REQUEUED, "")] * 3), "")
        await give(pilot, FAILED)
        await press(pilot, "r", "y", "i", *(["j"] if on_job else []), "enter")
        assert not app.screen.query(OutcomePanel)
        if on_job:
            assert isinstance(app.screen, JobScreen)
            assert app.screen.job.id == ROWS[1].id
        else:
            view = app.services.picture.view
            wanted = f"id:{ROWS[1].id[:12]}|id:{ROWS[2].id[:12]}"
            assert (view.tab, view.filter.text) == (Tab.ALL, wanted)


async def test_more_than_a_filter_holds_is_said_and_stays_open(console: Console) -> None:
    many = tuple(Outcome(f"{n:032x}", Change.REQUEUED, "", f"n{n}") for n in range(MOST_LISTED + 1))
    async with console() as (app, pilot):
        states = dict.fromkeys(range(len(many)), JobNow.PASSED)
        feed_of(app).answers["step"] = States(states).step
        acts_of(app).report = Report("x", many, "")
        await give(pilot, FAILED)
        await press(pilot, "r", "y", "i", "g", "enter")
        assert f"too many for a filter (at most {MOST_LISTED})" in screen_text(app)
        await press(pilot, "j")
        assert "too many for a filter" not in screen_text(app)


async def test_the_actions_before_are_one_key_away(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        for change in (Change.CANCELLED, Change.CLEARED):
            acts_of(app).report = Report("x", outcomes((change, ""), (change, "")), "")
            await press(pilot, "c", "y")
        await press(pilot, "i")
        assert "2 cleared" in screen_text(app)
        assert "other actions (2/2)" in screen_text(app)
        await press(pilot, "left", "left")
        assert "2 cancelled" in screen_text(app)
        assert "other actions (1/2)" in screen_text(app)
        await press(pilot, "right", "escape", "i")
        assert "2 cleared" in screen_text(app)


async def test_what_a_job_is_called_cannot_steer_the_panel(console: Console) -> None:
    evil = "\x1b[31mx[@click=app.quit]y\u202e"
    report = Report(
        "two",
        (Outcome("\x1b]0;t\x07", Change.CANCELLED, "", evil), Outcome("b", Change.REFUSED, evil)),
    )
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        acts_of(app).report = report
        await press(pilot, "c", "y", "i")
        assert "\x1b" not in screen_text(app)
        assert "[@click=app.quit]" in screen_text(app)


async def test_i_before_any_act_says_so(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "i")
        assert "No action on jobs yet" in notice_of(app)


# The command


async def test_y_copies_the_command_while_the_notice_stands(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "c", "y")
        assert notice_of(app).endswith("y gigq-core --db jobs.db cancel")
        await press(pilot, "y")
        assert app.clipboard == "gigq-core --db jobs.db cancel"
        assert not jobs_screen(app).panel.is_open


async def test_the_last_command_can_be_copied_later(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        acts_of(app).report = Report("x", outcomes((Change.CANCELLED, "")), "gigq-core cancel x")
        await press(pilot, "c", "y", "j", "y")
        assert "last action's command (l)" in jobs_screen(app).panel.plain
        await press(pilot, "l")
        assert app.clipboard == "gigq-core cancel x"


async def test_a_command_that_no_clipboard_takes_is_not_copied(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        acts_of(app).report = Report("x", outcomes((Change.CANCELLED, "")), "g" * 80_000)
        await press(pilot, "c", "y", "y")
        assert "(80 kB)" in notice_of(app)
        assert app.clipboard == ""


# What a question says


@pytest.mark.parametrize(
    ("key", "words"),
    [("c", ": none of those can run without it."), ("r", ". Retrying it frees all 24.")],
)
async def test_a_question_says_what_the_job_blocks(console: Console, key: str, words: str) -> None:
    async with console() as (app, pilot):
        feed_of(app).answers["blocking"] = lambda ids: Blocking(blocks=24, frees=24)
        await give(pilot, ROWS if key == "c" else FAILED)
        await press(pilot, key)
        panel = jobs_screen(app).panel
        assert f"Blocks 24 jobs{words}" in panel.plain
        assert panel.focused_choice == 0
        assert ("blocking", (ROWS[0].id,)) in feed_of(app).asked


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        (Blocking(blocks=1, cancels=1), "Blocks 1 job, which is cancelled too."),
        (
            Blocking(blocks=24, cancels=20),
            "Blocks 24 jobs: 20 are cancelled too, the other 4 can't run without it.",
        ),
        (
            Blocking(blocks=3, cancels=2),
            "Blocks 3 jobs: 2 are cancelled too, the other can't run without it.",
        ),
    ],
)
async def test_a_cancel_says_who_is_cancelled_along(
    console: Console, numbers: Blocking, words: str
) -> None:
    async with console() as (app, pilot):
        feed_of(app).answers["blocking"] = lambda ids: numbers
        await give(pilot, ROWS)
        await press(pilot, "c")
        assert words in jobs_screen(app).panel.plain


@pytest.mark.parametrize(("along", "key"), [(1, "w"), (40, "W")])
async def test_a_retry_offers_what_was_cancelled_along(
    console: Console, along: int, key: str
) -> None:
    async with console() as (app, pilot):
        feed_of(app).answers["blocking"] = lambda ids: Blocking(cancelled=along)
        await give(pilot, FAILED)
        await press(pilot, "r")
        panel = jobs_screen(app).panel
        were = "1 job was" if along == 1 else "40 jobs were"
        assert f"{were} cancelled because it failed." in panel.plain
        await press(pilot, key)
        assert acts_of(app).calls == [("retry with children", (ROWS[0].id,))]


async def test_an_answer_that_comes_late_changes_no_other_question() -> None:
    app = make_app()
    feed, late = feed_of(app), dict[str, Any]()

    def ask(read: Any, got: Any, failed: Any) -> None:
        read(FakeReader(feed))
        late[feed.asked[-1][0]] = got

    async with running(app) as pilot:
        feed.ask = ask  # type: ignore[method-assign]
        await give(pilot, ROWS)
        await press(pilot, "c")
        answer = late["blocking"]
        await press(pilot, "n", "j", "c")
        before = jobs_screen(app).panel.plain
        answer(Blocking(blocks=24, frees=24))
        await settle(pilot)
        assert jobs_screen(app).panel.plain == before


async def test_the_ids_are_those_of_the_key_press(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        await press(pilot, "c")
        await give(pilot, [row(99, "newer"), *ROWS[1:]])
        await press(pilot, "y")
        assert acts_of(app).calls == [("cancel", (ROWS[0].id,))]


# Clearing


def finished(number: int, status: str = "completed", need: str = "", days: float = 0) -> Finished:
    ended = NOW.replace(day=NOW.day - int(days))
    return Finished(f"{number:08x}", f"done_{number}", status, ended, need, 100)


PLAN = ClearPlan(
    (
        finished(1),
        finished(2, days=2),
        finished(3, days=9),
        finished(4, "cancelled"),
        finished(5, "failed"),
        finished(6, need="2 jobs that wait may read its result"),
    ),
    (Outcome("x", Change.REFUSED, "it is still waiting"),),
    attempts=7,
    outputs=2,
)


async def open_clear(pilot: Pilot[None], plan: ClearPlan = PLAN) -> str:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    feed_of(app).answers["matching_ids"] = lambda view: (f"{view.tab.value}-id",)
    acts_of(app).plan = plan
    await give(
        pilot,
        ROWS,
        tab=app.services.picture.view.tab,
        filter_text=app.services.picture.view.filter.text,
    )
    await press(pilot, "X")
    return jobs_screen(app).panel.plain


async def test_capital_x_says_what_clearing_would_do(console: Console) -> None:
    async with console() as (app, pilot):
        asked = await open_clear(pilot)
        assert acts_of(app).calls == [
            ("plan", ("completed-id", "cancelled-id", "failed-id", "timeout-id"))
        ]
        for words in (
            "Clear 4 finished jobs (tab All)?",
            "Delete: 3 done, 1 cancelled.",
            "Keep: 1 failed.",
            "Keep, not finished: 1.",
            "Kept because other jobs need them: 1.",
            "done_6 00000006: 2 jobs that wait may read its result",
            "History of 7 attempts, 2 files of output is deleted after 30 days.",
            "2 older than a day (d)",
            "1 older than a week (w)",
            "5 with failed ones (f)",
            "5 with those other jobs need (e)",
        ):
            assert words in asked
        await press(pilot, "enter")
        assert len(acts_of(app).calls) == 1


@pytest.mark.parametrize(
    ("key", "numbers", "needed"),
    [
        ("y", (1, 2, 3, 4), False),
        ("d", (2, 3), False),
        ("w", (3,), False),
        ("f", (1, 2, 3, 4, 5), False),
        ("e", (1, 2, 3, 4, 6), True),
    ],
)
async def test_what_is_chosen_is_cleared(
    console: Console, key: str, numbers: tuple[int, ...], needed: bool
) -> None:
    async with console() as (app, pilot):
        await open_clear(pilot)
        await press(pilot, key)
        ids = tuple(f"{number:08x}" for number in numbers)
        assert acts_of(app).calls[1:] == [("clear", (ids, needed))]


async def test_clearing_one_tab_is_about_its_jobs_alone(console: Console) -> None:
    async with console() as (app, pilot):
        app.services.picture.look_at(
            replace(app.services.picture.view, tab=Tab.FAILED, filter=parse("fn:resize"))
        )
        asked = await open_clear(pilot, ClearPlan((finished(1, "failed"),)))
        assert acts_of(app).calls == [("plan", ("failed-id",))]
        assert "Clear 1 finished job (tab Failed, fn:resize)?" in asked
        assert "Delete: 1 failed." in asked


async def test_clearing_marked_jobs_is_about_them(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        acts_of(app).plan = ClearPlan((finished(1, "failed"),))
        await press(pilot, "space", "X")
        assert acts_of(app).calls == [("plan", (ROWS[0].id,))]
        await press(pilot, "y")
        assert not jobs_screen(app).marks.rows


async def test_many_to_clear_need_a_capital_letter(console: Console) -> None:
    async with console() as (app, pilot):
        await open_clear(pilot, ClearPlan(tuple(finished(n) for n in range(20))))
        await press(pilot, "y")
        assert len(acts_of(app).calls) == 1
        await press(pilot, "Y")
        assert acts_of(app).calls[1][0] == "clear"


@pytest.mark.parametrize(
    ("tab", "told"),
    [(Tab.WAITING, "Nothing in this tab"), (Tab.DONE, "None of these jobs has finished")],
)
async def test_nothing_to_clear_is_said(console: Console, tab: Tab, told: str) -> None:
    async with console() as (app, pilot):
        app.services.picture.look_at(replace(app.services.picture.view, tab=tab))
        await open_clear(pilot, ClearPlan())
        assert told in notice_of(app)
        assert not jobs_screen(app).panel.is_open


# A cancel that is true


def stopping(*numbers: int) -> Report:
    return Report(
        "asked to stop",
        tuple(Outcome(ROWS[n].id, Change.STOPPING, "asked", ROWS[n].name) for n in numbers),
        "gigq-core cancel",
    )


class States:
    """Where the jobs of an action are, as the reader would find it; by their numbers in `ROWS`."""

    def __init__(self, states: dict[int, JobNow]) -> None:
        self.states = states

    def step(self, work: FollowedJobs) -> SoFar[JobsNow]:
        codes = bytes(self.states.values())
        return SoFar(JobsNow(codes), len(codes), len(codes))


async def stop(pilot: Pilot[None], states: dict[int, JobNow]) -> None:
    app = pilot.app
    assert isinstance(app, ConsoleApp)
    feed_of(app).answers["step"] = States(states).step
    acts_of(app).report = stopping(*states)
    await give(pilot, ROWS)
    await press(pilot, "c", "y")


@pytest.mark.parametrize(
    ("state", "told"),
    [
        (JobNow.CANCELLED, "cancelled job_30"),
        (JobNow.PASSED, "job_30 completed before it could be cancelled"),
        (JobNow.FAILED, "job_30 failed before it could be cancelled"),
        (JobNow.WAITING, "job_30 queued again"),
        (JobNow.GONE, "job_30 deleted since"),
    ],
)
async def test_what_became_of_a_stop_is_told_once(
    console: Console, state: JobNow, told: str
) -> None:
    states = {0: JobNow.STOPPING}
    async with console() as (app, pilot):
        await stop(pilot, states)
        assert "still running, though asked to stop" in notice_of(app)
        states[0] = state
        await give(pilot, ROWS)
        assert notice_of(app) == f" {told}   y gigq-core cancel"
        asked = len(feed_of(app).asked)
        await press(pilot, "j")
        await give(pilot, ROWS)
        assert told not in notice_of(app)
        assert [kind for kind, _ in feed_of(app).asked[asked:]].count("step") == 0


async def test_several_stops_are_told_together(console: Console) -> None:
    states = dict.fromkeys(range(3), JobNow.STOPPING)
    async with console() as (app, pilot):
        await stop(pilot, states)
        states[0] = JobNow.CANCELLED
        await give(pilot, ROWS)
        assert "2 still running" in notice_of(app)
        states[1], states[2] = JobNow.CANCELLED, JobNow.PASSED
        await give(pilot, ROWS)
        assert "cancelled 2, job_28 completed before it could be cancelled" in notice_of(app)


async def test_what_else_the_act_did_is_still_said_with_the_stop(console: Console) -> None:
    async with console() as (app, pilot):
        feed_of(app).answers["step"] = States({0: JobNow.CANCELLED}).step
        mixed = outcomes(
            (Change.STOPPING, "asked"), (Change.CANCELLED, ""), (Change.REFUSED, "it is too late")
        )
        acts_of(app).report = Report("x", mixed, "gigq-core cancel", undoable=True)
        await give(pilot, ROWS)
        await press(pilot, "c", "y")
        await give(pilot, ROWS)
        told = " cancelled 2; job_28: it is too late   i results  u undo"
        assert notice_of(app).startswith(told)


async def test_a_retry_is_told_as_it_goes_on_and_once_it_is_over(console: Console) -> None:
    states = dict.fromkeys(range(25), JobNow.WAITING)
    async with console() as (app, pilot):
        feed_of(app).answers["step"] = States(states).step
        queued = [(Change.REQUEUED, "")] * 25
        acts_of(app).report = Report("queued 25 for retry", outcomes(*queued), "gigq-core retry")
        await give(pilot, FAILED)
        await press(pilot, "r", "y")
        assert notice_of(app).startswith(" retried 25: 25 waiting   i results")
        states.update(dict.fromkeys(range(10), JobNow.PASSED))
        await give(pilot, ROWS)
        assert notice_of(app).startswith(" retried 25: 10 completed, 15 waiting")
        # A key takes it away: what goes on is not told any more, but for what matters.
        await press(pilot, "j")
        states[10] = JobNow.RUNNING
        await give(pilot, ROWS)
        assert "retried" not in notice_of(app)
        states[10] = JobNow.FAILED_SAME
        await give(pilot, ROWS)
        assert "10 completed, 1 failed again (same cause), 14 waiting" in notice_of(app)
        await press(pilot, "k")
        states.update(dict.fromkeys(range(11, 25), JobNow.PASSED))
        await give(pilot, ROWS)
        assert "retried 25: 24 completed, 1 failed again (same cause)" in notice_of(app)


async def test_a_worker_that_does_not_answer_is_told_after_a_while(console: Console) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock) as (app, pilot):
        await stop(pilot, {0: JobNow.STOPPING})
        await press(pilot, "j")
        assert "job_30" not in notice_of(app)
        clock.advance(130)
        await give(pilot, ROWS)
        assert "job_30 still running, though asked to stop" in notice_of(app)


async def test_an_act_that_takes_long_says_how_far_it_is(console: Console) -> None:
    clock = FrozenClock(NOW)
    async with console(clock=clock) as (app, pilot):
        await give(pilot, ROWS)
        actions, jobs = app.services.actions, acts_of(app)
        actions.running, actions._running_since = 1, clock.monotonic()
        jobs.under_way = "retrying 250 of 120,000"
        actions.mind()
        assert "retrying" not in notice_of(app)
        for far in ("retrying 40,000 of 120,000", "retrying 80,000 of 120,000"):
            clock.advance(SLOW_ACT_S)
            jobs.under_way = far
            actions.mind()
            assert far in notice_of(app)
        # A key takes it away, until there is something new to say.
        await press(pilot, "j")
        actions.mind()
        assert "retrying" not in notice_of(app)
        actions.running = 0


async def test_an_act_that_failed_tells_one_sentence_and_nothing_to_undo(console: Console) -> None:
    async with console() as (app, pilot):
        await give(pilot, ROWS)
        acts_of(app).trouble = DatabaseBusy("jobs.db is locked by another process: try again.")
        await press(pilot, "greater_than_sign")
        assert "locked by another process" in notice_of(app)
        assert app.services.actions.last_report is None


# Read-only


@pytest.mark.parametrize("key", ["X", "u", "greater_than_sign", "less_than_sign", "c", "r"])
async def test_read_only_disables_them_visibly(console: Console, key: str) -> None:
    async with console(read_only=True, size=(160, 32)) as (app, pilot):
        await give(pilot, ROWS)
        acts_of(app).undoable = done_act(1)
        await press(pilot, key)
        assert "This console is read-only, so it can't" in notice_of(app)
        assert acts_of(app).calls == []
        assert not jobs_screen(app).panel.is_open
        await press(pilot, "colon", *"undo the last")
        assert "read-only" in screen_text(app)
