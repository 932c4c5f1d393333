"""Keys that come in one write to a real terminal, again and again: nothing acts unseen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from gigq_tui.keys import Scope
from tests import scene
from tests.e2e.terminal import ConsoleTerminal
from tests.timetable import with_schedules
from tests.tui.at_once import state_of
from tests.tui.test_bursts import TEXT_OPENERS, WAY

ESCAPE, FOCUS_OUT, FOCUS_IN = "\x1b", "\x1b[O", "\x1b[I"
PASTE = "\x1b[200~{}\x1b[201~"
TIMES = 5
LONG_TIMES = 50


@pytest.fixture(params=[TIMES, pytest.param(LONG_TIMES, marks=pytest.mark.long)])
def times(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return with_schedules(scene.build(tmp_path / "jobs.db"))


def opened(path: Path) -> ConsoleTerminal:
    return ConsoleTerminal(path, cwd=path.parent)


def cursor_row(text: str) -> str:
    """The id at the cursor."""
    found = re.search(r"(?m)^ > +(\w+)", text)
    return found[1] if found else ""


def cursor_place(text: str) -> int:
    """On which of the rows that are seen the cursor stands, counted from 0."""
    marks = re.findall(r"(?m)^ (>| )  [0-9a-f]{8} ", text)
    return marks.index(">") if ">" in marks else -1


def test_a_filter_behind_the_key_to_the_workers_drains_none(path: Path, times: int) -> None:
    before = state_of(path)
    with opened(path) as console:
        console.wait_for(r"> +\w+ ")
        for _ in range(times):
            console.press("w/cpu")
            console.wait_for(r"(?m)^ / cpu_")
            assert "PAUSED" not in console.text()
            console.press(ESCAPE)
            console.wait_until_gone(r"(?m)^ / cpu_")
            console.press(ESCAPE)
            console.wait_for(r"\[1 All")
    assert state_of(path) == before


def test_no_answers_and_what_is_behind_it_moves(path: Path, times: int) -> None:
    before = state_of(path)
    with opened(path) as console:
        console.wait_for(r"> +\w+ ")
        rows = []
        for steps in range(3):
            console.press("gcn" + "j" * steps)
            console.wait_for(lambda text: cursor_row(text) not in ("", *rows))
            rows.append(cursor_row(console.text()))
        for turn in range(times):
            steps = 2 - turn % 2
            console.press("gcn" + "j" * steps)
            console.wait_for(lambda text, row=rows[steps]: cursor_row(text) == row)
            assert "Cancel 1 job" not in console.text()
    assert state_of(path) == before


def test_a_find_box_on_a_job_gets_what_is_behind_its_key(path: Path, times: int) -> None:
    before = state_of(path)
    with opened(path) as console:
        console.wait_for(r"> +\w+ ")
        for _ in range(times):
            console.press("\r/cr")
            console.wait_for(r"(?m)^ / cr_")
            assert "Cancel" not in console.text()
            console.press(ESCAPE)
            console.wait_until_gone(r"(?m)^ / cr_")
            console.press(ESCAPE)
            console.wait_for(r"\[1 All")
    assert state_of(path) == before


def test_the_number_of_workers_gets_what_is_behind_its_key(path: Path, times: int) -> None:
    before = state_of(path)
    with opened(path) as console:
        console.wait_for(r"> +\w+ ")
        for _ in range(times):
            console.press("=+2")
            console.wait_for(r"(?m)^ workers +\+2 ")
            console.press(ESCAPE)
            console.wait_until_gone(r"slots each")
            console.press(ESCAPE)
            console.wait_for(r"\[1 All")
    assert state_of(path) == before


def test_paste_right_behind_the_key_that_opens_its_field(path: Path, times: int) -> None:
    before = state_of(path)
    with opened(path) as console:
        console.wait_for(r"> +\w+ ")
        for _ in range(times):
            console.press("/" + PASTE.format("cancel or cy") + "Y")
            console.wait_for(r"(?m)^ / cancel or cyY")
            console.press(ESCAPE)
            console.wait_until_gone(r"(?m)^ / cancel")
            console.press(":" + PASTE.format("retry") + "x")
            console.wait_for(r"(?m)^ : retryx_")
            console.press(ESCAPE)
            console.wait_until_gone(r"commands: ")
            console.press("n" + PASTE.format("shop.sell") + "x")
            console.wait_for(r"(?m)^ Function +shop\.sellx")
            console.press(ESCAPE)
            console.wait_for("Discard what you typed")
            console.press("y")
            console.wait_for(r"\[1 All")
    assert state_of(path) == before


def test_what_a_palette_runs_opens_before_what_is_typed_behind_it(path: Path, times: int) -> None:
    before = state_of(path)
    with opened(path) as console:
        console.wait_for(r"> +\w+ ")
        for _ in range(times):
            console.press(":cancel\rnj:keys of\r")
            console.wait_for(r"Help")
            console.press(ESCAPE)
            console.wait_for(r"\[1 All")
            assert "Cancel 1 job" not in console.text()
    assert state_of(path) == before


def test_the_list_lives_on_whatever_is_asked_for_twice(path: Path) -> None:
    with opened(path) as console:
        console.wait_for(r"> +\w+ ")
        for tab in ("1", "4", "4", "1", "1"):
            console.press(tab)
            console.wait_for(rf"\[{tab} ")
            for key, place in (("g", 0), ("j", 1), ("j", 2), ("k", 1)):
                console.press(key)
                console.wait_for(lambda text, place=place: cursor_place(text) == place)


def test_keys_between_the_focus_going_and_coming_are_done(path: Path) -> None:
    with opened(path) as console:
        console.wait_for(r"> +\w+ ")
        rows = [cursor_row(console.take())]
        for _ in range(2):
            console.press("j")
            console.wait_for(lambda text: cursor_row(text) not in ("", *rows))
            rows.append(cursor_row(console.text()))
        console.press("g")
        console.wait_for(lambda text: cursor_row(text) == rows[0])
        console.press(f"{FOCUS_OUT}j{FOCUS_OUT}{FOCUS_IN}j")
        console.wait_for(lambda text: cursor_row(text) == rows[2])
        # What is typed into keeps its letters too.
        console.press(f"/{FOCUS_OUT}cy{FOCUS_OUT}{FOCUS_IN}n")
        console.wait_for(r"(?m)^ / cyn")


LETTERS = "cyrP>u"
# The find lines and the palette, the number of workers, the function of a form, keys of a count.
TYPED = re.compile(
    rf"(?m)^ [/:] {LETTERS}|^ workers +{LETTERS}|^ # \S*{LETTERS}"
    rf"|^ (?:Function|Schedule|Comes|lane|at a time) +.*{LETTERS}"
)
AT_HOME = re.compile(r"\[1 All")
EACH = 1
LONG_EACH = 10


def go_home(console: ConsoleTerminal) -> None:
    """Close what is typed into, leave a form, and go back to the list, step by step."""
    while (typed := bool(TYPED.search(text := console.take()))) or not AT_HOME.search(text):
        asked = "Discard what you typed" in text
        console.press("y" if asked else ESCAPE)
        # One escape too many, with a key right behind it, would be read as that key with alt.
        console.wait_for(
            lambda now, before=text, typed=typed, asked=asked: (
                now != before
                and (
                    "Discard what" not in now
                    if asked
                    else not typed or "Discard what" in now or not TYPED.search(now)
                )
            )
        )


@pytest.mark.parametrize("rounds", [EACH, pytest.param(LONG_EACH, marks=pytest.mark.long)])
@pytest.mark.parametrize("scope", WAY)
def test_what_is_typed_behind_a_key_that_opens_a_field_is_text(
    scope: Scope, rounds: int, path: Path
) -> None:
    before = state_of(path)
    way = "".join("\r" if key == "enter" else key for key in WAY[scope])
    with opened(path) as console:
        console.wait_for(r"> +\w+ ")
        for key in [key for at, key in TEXT_OPENERS if at is scope] * rounds:
            console.press(way + key + LETTERS)
            console.wait_for(TYPED.pattern)
            go_home(console)
    assert state_of(path) == before
