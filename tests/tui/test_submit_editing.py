"""ctrl+o: the parameters in an editor, mistakes and the way back. The editor itself is a fake."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from textual.app import SuspendNotSupported

from gigq_core.errors import GigQError
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.submit import editor as editor_module
from tests.tui.harness import detail_of, press, row, running, screen_text
from tests.tui.test_submit_keys import Acts, asked, fill, form_app, open_form, request_of, row_of

__all__ = ["asked"]

Edit = Callable[[str], str]


class Editor:
    """What stands in for the editor: what it was given, and what it leaves."""

    def __init__(self) -> None:
        self.given: list[str] = []
        self.lines: list[int] = []
        self.leaves: list[Edit | Exception] = []

    def edit(self, text: str, *, suffix: str = ".json", line: int = 1) -> str:
        self.given.append(text)
        self.lines.append(line)
        leaves = self.leaves.pop(0)
        if isinstance(leaves, Exception):
            raise leaves
        return leaves(text)


@pytest.fixture
def editor(monkeypatch: pytest.MonkeyPatch) -> Editor:
    editor = Editor()
    monkeypatch.setattr(editor_module, "edit_text", editor.edit)
    return editor


def app_that_lends() -> tuple[ConsoleApp, Acts]:
    """A console whose terminal can be lent; the one of the tests can't."""

    @contextmanager
    def suspend() -> Iterator[None]:
        yield

    app, acts = form_app()
    app.suspend = suspend  # type: ignore[method-assign]
    return app, acts


def changed(**values: Any) -> Edit:
    return lambda text: json.dumps({**json.loads(text), **values})


async def test_the_parameters_come_back(editor: Editor) -> None:
    app, acts = app_that_lends()
    editor.leaves = [changed(src="two\nlines", w=5, token="new")]
    async with running(app) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        await press(pilot, "ctrl+o")
        # What is typed, and the defaults; the token's is a placeholder like any secret's value.
        assert json.loads(editor.given[0]) == {
            "src": "s3://in/1.png",
            "w": 1024,
            "token": "<kept: token>",
        }
        assert row_of(screen, "param:w").text == "5"
        assert "new" not in screen_text(app).replace("New", "")
        assert screen.form.changed
        await press(pilot, "alt+s")
        assert request_of(acts).params == {"src": "two\nlines", "w": 5, "token": "new"}


async def test_secrets_never_reach_the_editor_and_are_kept(editor: Editor) -> None:
    app, acts = app_that_lends()
    editor.leaves = [changed(w=6)]
    template = detail_of(
        row(4, "copy", function="pipeline.resize"),
        params={"src": "a", "token": "hunter2", "w": 5},
    )
    async with running(app) as pilot:
        await open_form(pilot, template)
        await press(pilot, "ctrl+o")
        assert "hunter2" not in editor.given[0]
        await press(pilot, "alt+s")
        assert request_of(acts).params == {"src": "a", "token": "hunter2", "w": 6}


async def test_a_parameter_can_be_taken_out(editor: Editor) -> None:
    app, acts = app_that_lends()
    editor.leaves = [lambda _: '{"src": "b"}']
    template = detail_of(
        row(4, "copy", function="pipeline.resize"), params={"src": "a", "w": 5, "extra": 1}
    )
    async with running(app) as pilot:
        await open_form(pilot, template)
        await press(pilot, "ctrl+o", "alt+s")
        assert request_of(acts).params == {"src": "b"}


async def test_a_mistake_leads_back_to_its_line(editor: Editor) -> None:
    app, acts = app_that_lends()
    broken = '{\n  "src": "x",\n  "w" 5\n}'
    editor.leaves = [lambda _: broken, lambda text: text.replace('"w" 5', '"w": 5')]
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        await press(pilot, "ctrl+o")
        assert screen.panel.question is not None
        assert "line 3, column 7: Expecting ':' delimiter" in screen.panel.plain
        assert row_of(screen, "param:src").text == "s3://in/1.png"
        await press(pilot, "e")
        assert editor.given[1] == broken
        assert editor.lines == [1, 3]
        await press(pilot, "alt+s")
        assert request_of(acts).params == {"src": "x", "w": 5}


@pytest.mark.parametrize(
    ("left", "told"),
    [
        (GigQError("ed ended with status 3: nothing was changed."), "ended with status 3"),
        (lambda text: text, "No changes."),
    ],
)
async def test_the_form_stays_as_it_was(editor: Editor, left: Edit | Exception, told: str) -> None:
    app, _ = app_that_lends()
    editor.leaves = [left]
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        await press(pilot, "ctrl+o")
        assert told in screen.notice_line.text
        assert row_of(screen, "param:src").text == "s3://in/1.png"
        assert not screen.form.edited


async def test_changes_can_be_dropped(editor: Editor) -> None:
    app, _ = app_that_lends()
    editor.leaves = [lambda _: '{"src": 1, "src": 2}']
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await fill(screen, pilot)
        await press(pilot, "ctrl+o", "d")
        assert not screen.panel.is_open
        assert row_of(screen, "param:src").text == "s3://in/1.png"


async def test_a_terminal_that_can_not_be_lent(editor: Editor) -> None:
    app, _ = form_app()

    @contextmanager
    def refuse() -> Iterator[None]:
        raise SuspendNotSupported
        yield

    app.suspend = refuse  # type: ignore[method-assign]
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_form(pilot)
        await press(pilot, "ctrl+o")
        assert "can't run an editor" in screen.notice_line.text
        assert editor.given == []
