"""The submit form: what it offers while one types, and what it says of the jobs to come."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_core.errors import GigQError
from gigq_tui.actions.functions.completion import Listing
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.submit import function_lookup
from gigq_tui.screens.submit.screen import SubmitScreen
from gigq_tui.store.models import JobRow
from gigq_tui.widgets.lines import TextLines
from tests.tui.harness import detail_of, feed_of, give, press, row, running, screen_text, settle
from tests.tui.test_submit_keys import (
    RESIZE,
    Acts,
    fill,
    form_app,
    open_form,
    request_of,
    row_of,
    typed,
)

LISTED = ("pipeline.resize", "pipeline.rotate", "tasks.nightly")
DONE = row(1, "extract", "completed")
BAD = row(2, "dedupe", "failed")
WAITS = row(3, "extract_more", "pending")


class Project:
    """What stands in for the children: who was asked, and when the project's listing comes."""

    def __init__(self) -> None:
        self.listed: list[str] = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.trouble: GigQError | None = None

    def list(self, python: str, chdir: Path, package: str = "", **_: Any) -> Listing:
        self.listed.append(package)
        assert self.may_answer.wait(20)
        if self.trouble is not None:
            raise self.trouble
        return Listing(("click.echo",) if package == "click" else LISTED)


@pytest.fixture(autouse=True)
def project(monkeypatch: pytest.MonkeyPatch) -> Iterator[Project]:
    found = Project()
    monkeypatch.setattr(function_lookup, "inspect_function", lambda *_, **__: RESIZE)
    monkeypatch.setattr(function_lookup, "list_functions", found.list)
    yield found
    found.may_answer.set()


def found_by(words: str) -> tuple[JobRow, ...]:
    return tuple(job for job in (BAD, WAITS, DONE) if words.strip() in job.name)


def app_with(*recent: str, ahead: Any = 12) -> tuple[ConsoleApp, Acts]:
    app, acts = form_app()
    answers = feed_of(app).answers
    answers["recent_functions"] = lambda _: recent
    answers["find_jobs"] = found_by
    answers["jobs_ahead"] = lambda _: ahead
    return app, acts


def said(screen: SubmitScreen) -> str:
    """What the preview says, on one line."""
    return " ".join(screen.query_one("#preview", TextLines).plain.split())


async def searched(pilot: Pilot[None], screen: SubmitScreen, words: str) -> None:
    """Type into the dependencies, and have the search done."""
    screen.form.depends_field.focus()
    await press(pilot, *words)
    screen.dependencies.search()
    await settle(pilot)


# --- completion --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [(120, 32), (60, 15)])
@pytest.mark.parametrize("key", ["tab", "right"])
async def test_what_is_typed_is_completed(key: str, size: tuple[int, int]) -> None:
    app, _ = app_with("pipeline.rotate")
    async with running(app, size=size) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *"pipe")
        text = screen_text(app)
        assert "pipeline.resize" in text
        # One used lately stands first, and is taken.
        assert text.index("pipeline.rotate") < text.index("pipeline.resize")
        assert "recent" in text
        await press(pilot, key)
        assert screen.form.function == "pipeline.rotate"
        assert screen.form.function_field.has_focus
        assert not screen.suggestions.is_open
        await press(pilot, "tab")
        assert row_of(screen, "name").field.has_focus


@pytest.mark.parametrize("key", ["enter", "tab"])
async def test_down_picks(key: str) -> None:
    app, _ = app_with()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *"pipeline.r", "down", "down", "up", "down")
        assert screen.suggestions.picked is not None
        assert screen.suggestions.picked.value == "pipeline.rotate"
        await press(pilot, key)
        assert screen.form.function == "pipeline.rotate"
        assert row_of(screen, "name").text == "rotate"


async def test_tab_behind_the_last_letter_of_a_name_goes_on() -> None:
    app, _ = app_with()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *"pipeline.rotat")
        assert screen.suggestions.is_open
        # The list is still that of a letter less when the last one and tab come in one go.
        field = screen.form.function_field
        with field.prevent(field.Changed):
            field.value = "pipeline.rotate"
        await press(pilot, "tab")
        assert row_of(screen, "name").field.has_focus


async def test_tab_behind_a_name_goes_on_while_nobody_knows_whether_it_is_whole(
    project: Project,
) -> None:
    project.may_answer.clear()
    app, _ = app_with("pipeline.rotate_all")
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await pilot.press(*"pipeline.rotate")
        assert screen.suggestions.is_open
        await pilot.press("tab")
        assert screen.form.function == "pipeline.rotate"
        assert row_of(screen, "name").field.has_focus
        # What completes and nothing else completes it still, and so does the listing's word.
        await pilot.press("shift+tab", "_", "right")
        assert screen.form.function == "pipeline.rotate_all"
        assert screen.form.function_field.has_focus
        project.may_answer.set()
        await settle(pilot)


async def test_tab_completes_what_can_be_no_whole_name_while_the_project_is_listed(
    project: Project,
) -> None:
    project.may_answer.clear()
    app, _ = app_with("pipeline.rotate_all")
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await pilot.press(*"pipeline.", "tab")
        assert screen.form.function == "pipeline.rotate_all"
        project.may_answer.set()
        await settle(pilot)


async def test_a_part_of_the_only_name_there_is_completes_it() -> None:
    app, _ = app_with()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *"rotat", "tab")
        assert screen.form.function == "pipeline.rotate"
        assert screen.form.function_field.has_focus


async def test_a_click_picks() -> None:
    app, _ = app_with()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *"pipeline.r")
        await pilot.click("#suggestions", offset=(5, 1))
        await settle(pilot)
        assert screen.form.function == "pipeline.rotate"


async def test_a_name_that_is_whole_is_not_taken_for_a_longer_one() -> None:
    app, _ = app_with("pipeline.resize_all")
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        screen.form.function_field.value = "pipeline.resize"
        await settle(pilot)
        assert screen.suggestions.is_open
        await press(pilot, "tab")
        assert screen.form.function == "pipeline.resize"
        assert row_of(screen, "name").field.has_focus
        assert not screen.suggestions.is_open


async def test_escape_closes_the_list_first() -> None:
    app, _ = app_with()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *"pipe", "escape")
        assert not screen.suggestions.is_open
        assert not screen.panel.is_open
        await press(pilot, "escape")
        assert screen.panel.is_open


async def test_functions_used_lately_are_named_and_picked() -> None:
    app, _ = app_with("jobs.nightly", "jobs.hourly")
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        assert "recent: nightly  hourly  (down picks)" in screen_text(app)
        await press(pilot, "down", "down", "enter")
        assert screen.form.function == "jobs.hourly"


async def test_typing_goes_on_while_the_project_is_listed(project: Project) -> None:
    project.may_answer.clear()
    app, _ = app_with()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await pilot.press(*"task", "down", *"s")
        assert screen.form.function == "tasks"
        assert not screen.suggestions.is_open
        project.may_answer.set()
        await settle(pilot)
        # What was pressed before there was a list is not lost.
        await press(pilot, "tab")
        assert screen.form.function == "tasks.nightly"
        assert project.listed == [""]


async def test_an_installed_package_is_listed_once_it_is_named(project: Project) -> None:
    app, _ = app_with()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *"click")
        assert project.listed == [""]
        await press(pilot, ".", "e")
        assert project.listed == ["", "click"]
        await press(pilot, "tab")
        assert screen.form.function == "click.echo"


async def test_a_project_that_can_not_be_listed_is_no_trouble(project: Project) -> None:
    project.trouble = GigQError("There is no folder.")
    app, _ = app_with()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, *"pipeline.resize", "tab")
        assert row_of(screen, "name").field.has_focus


# --- dependencies ------------------------------------------------------------------------------


async def test_jobs_are_searched_and_picked() -> None:
    app, acts = app_with()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        await searched(pilot, screen, "extract")
        text = screen_text(app)
        assert "+ done" in text
        assert ". ready" in text
        await press(pilot, "down", "space")
        await searched(pilot, screen, "extract")
        # One that is chosen is not offered again.
        assert [item.value for item in screen.suggestions.items] == [DONE.id]
        await press(pilot, "down", "enter")
        assert screen.form.depends_on == (WAITS.id, DONE.id)
        text = screen_text(app)
        assert f"[x] {WAITS.id[:8]} . ready" in text
        await press(pilot, "alt+s")
        assert request_of(acts).options.dependencies == (WAITS.id, DONE.id)


async def test_down_behind_the_last_letter_waits_for_the_list() -> None:
    app, _ = app_with()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        screen.form.depends_field.focus()
        await press(pilot, *"dedupe", "down", "enter")
        assert screen.form.depends_on == (BAD.id,)


@pytest.mark.parametrize("key", ["space", "enter", "x"])
async def test_a_chosen_job_is_taken_out_again(key: str) -> None:
    app, _ = app_with()
    template = detail_of(row(9, "copy"), raw={"dependencies": f'["{DONE.id}", "{BAD.id}"]'})
    feed_of(app).answers["rows"] = lambda ids: {j.id: j for j in (DONE, BAD) if j.id in ids}
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot, template)
        assert "extract" in screen_text(app)
        screen.form.depends_field.focus()
        await press(pilot, "down", "down", key)
        assert screen.form.depends_on == (DONE.id,)
        await press(pilot, key)
        assert screen.form.depends_on == ()
        assert screen.form.depends_field.has_focus
        assert screen.form.changed


async def test_the_focus_passes_through_the_chosen_ones() -> None:
    app, _ = app_with()
    template = detail_of(row(9, "copy"), raw={"dependencies": f'["{DONE.id}", "{BAD.id}"]'})
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot, template)
        screen.form.depends_field.focus()
        await press(pilot, "down", "down", "down")
        assert row_of(screen, "note").field.has_focus
        await press(pilot, "up", "up", "up")
        assert screen.form.depends_field.has_focus


async def test_a_doomed_dependency_is_told_at_once() -> None:
    app, acts = app_with()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        await searched(pilot, screen, "dedupe")
        await press(pilot, "down", "enter")
        assert "! dedupe has failed" in screen_text(app)
        text = said(screen)
        assert "! dedupe has failed: this job can't run until it is retried." in text
        assert "It would wait for 1 job." in text
        # It may be meant so: the parent can still be retried.
        await press(pilot, "alt+s")
        assert request_of(acts).options.dependencies == (BAD.id,)


async def test_a_dependency_that_completes_meanwhile() -> None:
    app, _ = app_with()
    lines = [WAITS]
    feed_of(app).answers["rows"] = lambda _: {line.id: line for line in lines}
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        await searched(pilot, screen, "more")
        await press(pilot, "down", "enter")
        assert "It would wait for 1 job." in said(screen)
        lines[:] = [replace(WAITS, status="completed")]
        await give(pilot, [DONE])
        assert "It would be number 13 of " in said(screen)


async def test_a_parent_that_is_gone() -> None:
    app, _ = app_with()
    feed_of(app).answers["rows"] = lambda _: {}
    template = detail_of(
        row(9, "copy", function="pipeline.resize"),
        params={"src": "a"},
        raw={"dependencies": '["5555aaaa-0"]'},
    )
    async with running(app) as pilot:
        await open_form(pilot, template)
        text = screen_text(app)
        assert "5555aaaa  not in the queue" in text
        assert "5555aaaa is not in the queue" in text


# --- the place in line -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "sentence"),
    [
        (0, "It would be number 1 of 3 ready jobs."),
        (2, "It would be number 3 of 3 ready jobs."),
        (7, "It would be number 8 of 8 ready jobs."),
        (None, "It would have more than 10,000 jobs ahead."),
    ],
)
async def test_the_place_in_line(ahead: int | None, sentence: str) -> None:
    app, _ = app_with(ahead=ahead)
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await give(pilot, [row(1), row(2), DONE])
        await fill(screen, pilot)
        assert sentence in said(screen)


async def test_the_place_is_asked_only_where_it_may_have_changed() -> None:
    app, _ = app_with()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)

        def asked() -> list[Any]:
            return [subject for kind, subject in feed_of(app).asked if kind == "jobs_ahead"]

        assert asked() == [0]
        row_of(screen, "note").field.value = "x"
        await give(pilot, [DONE])
        assert asked() == [0]
        row_of(screen, "priority").field.value = "5"
        await settle(pilot)
        assert asked() == [0, 5]
        await give(pilot, [row(1), DONE])
        assert asked() == [0, 5, 5]


# --- many jobs ---------------------------------------------------------------------------------


async def test_copies() -> None:
    app, acts = app_with()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        field = row_of(screen, "copies").field
        for text, trouble in (("0", "must be 1 or more"), ("10001", "must be 10,000 or less")):
            field.value = text
            await settle(pilot)
            assert row_of(screen, "copies").trouble == trouble
        field.value = "3"
        await settle(pilot)
        text = said(screen)
        assert "Will insert 3 rows. The first would be number 13 of 15 ready jobs." in text
        assert "--copies 3" in text
        await press(pilot, "alt+s")
        assert request_of(acts).copies == 3


async def test_the_lines_of_a_file(tmp_path: Path) -> None:
    file = tmp_path / "jobs.jsonl"
    file.write_text('{"src": "a", "token": "hunter2"}\n{"params": {"src": "b"}, "priority": 7}\n')
    app, acts = app_with()
    async with running(app) as pilot:
        screen = await open_form(pilot)
        screen.form.function_field.value = "pipeline.resize"
        await settle(pilot)
        screen.look_up()
        await settle(pilot)
        row_of(screen, "jsonl").field.value = str(file)
        await settle(pilot)
        text = said(screen)
        assert "Will insert 2 rows, one for each line of jobs.jsonl." in text
        assert "The first would be number 13" in text
        assert 'The first: resize {"src": "a"' in text
        assert "hunter2" not in text
        assert "--jsonl" in text
        await press(pilot, "alt+s")
        assert request_of(acts).jsonl == file


async def test_wrong_lines_are_told_and_nothing_is_written(tmp_path: Path) -> None:
    file = tmp_path / "jobs.jsonl"
    file.write_text('{"src": "a"}\n' + "x\n" * 25)
    app, acts = app_with()
    async with running(app, size=(120, 60)) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        row_of(screen, "jsonl").field.value = str(file)
        await settle(pilot)
        text = said(screen)
        assert "line 2: not JSON: Expecting value, character 1." in text
        assert "line 21: " in text
        assert "line 22: " not in text
        assert "and 5 more lines are wrong." in text
        await press(pilot, "alt+s")
        assert acts.calls == []
        assert row_of(screen, "jsonl").field.has_focus
        file.write_text('{"src": "a"}\n')
        row_of(screen, "jsonl").field.value = str(tmp_path / "none")
        await settle(pilot)
        assert "There is no file" in screen_text(app)
        row_of(screen, "copies").field.value = "2"
        row_of(screen, "jsonl").field.value = str(file)
        await settle(pilot)
        assert row_of(screen, "copies").trouble == "the file sets the number of jobs"


# --- secrets -----------------------------------------------------------------------------------


async def test_secrets_are_hidden_until_asked_for() -> None:
    app, acts = app_with()
    template = detail_of(
        row(4, "copy", function="pipeline.resize"),
        params={"src": "a", "token": "hunter2", "w": {"password": "p4ss"}},
    )
    async with running(app) as pilot:
        screen = await open_form(pilot, template)
        assert "hunter2" not in screen_text(app)
        assert "p4ss" not in screen_text(app)
        row_of(screen, "param:token").field.focus()
        await press(pilot, "alt+v")
        assert "hunter2" in screen_text(app)
        await press(pilot, "alt+v")
        assert "hunter2" not in screen_text(app)
        row_of(screen, "name").field.focus()
        await press(pilot, "alt+v")
        assert "is not a secret" in screen.notice_line.text
        assert screen.form.row_of(screen.focused) is row_of(screen, "name")
        row_of(screen, "other:0").field.focus()
        await press(pilot, *typed("password=q1"))
        assert "q1" not in screen_text(app)
        assert acts.calls == []


async def test_a_copy_carries_everything_and_says_that_it_is_new() -> None:
    app, acts = app_with()
    template = detail_of(
        row(4, "nightly", "failed", function="pipeline.resize"),
        params={"src": "a"},
        raw={"on_crash": "fail", "pass_parent_results": 0, "dependencies": "[]"},
    )
    async with running(app) as pilot:
        screen = await open_form(pilot, template)
        text = said(screen)
        assert "This is a new job; nightly is not changed." in text
        await press(pilot, "alt+s")
        request = request_of(acts)
        assert (request.options.on_crash, request.options.pass_parent_results) == ("fail", False)
