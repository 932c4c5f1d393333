"""Keys in one go: each means what it would mean if those before it had been seen to."""

from __future__ import annotations

from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.keys import ACTIONS, BY_ID, Scope, actions_for
from gigq_tui.keys.key_names import key_label
from gigq_tui.screens.job.screen import JobScreen
from gigq_tui.screens.jobs.filter_box import FilterBox
from gigq_tui.screens.overview.screen import OverviewScreen
from gigq_tui.screens.submit.screen import SubmitScreen
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.screens.workers.setup_panel import SetupPanel
from tests import scene
from tests.timetable import with_schedules
from tests.tui.at_once import console_on, settle, state_of, type_at_once, wait_longer
from tests.tui.harness import jobs_screen, running, screen_text

# The way from the jobs screen to each other one.
WAY: dict[Scope, tuple[str, ...]] = {
    Scope.JOBS: (),
    Scope.DETAIL: ("enter",),
    Scope.TREE: ("t",),
    Scope.WORKERS: ("w",),
    Scope.OVERVIEW: ("o",),
    Scope.GROUPS: ("b",),
    Scope.COUNT: ("#", "f", "n", "enter"),
    Scope.LANES: ("L",),
    Scope.SCHEDULES: ("@",),
    Scope.HELP: ("?",),
}
# What opens something to type into, wherever it has a key.
TYPED_INTO = {
    *("filter", "find", "find_row", "worker_filter", "palette", "new", "edit", "set_workers"),
    *("count_keys", "lane_new", "lane_filter"),
    *("schedule_new", "schedule_edit", "schedule_narrow"),
}
# Everything that acts on the file or asks to, with what would say yes behind it.
ACTING = "cyrYCyRYXyYPy>u<+-Seny "


def events_as(keys: str) -> list[str]:
    """Keys of a string, in which a carriage return is enter."""
    return ["enter" if key == "\r" else key for key in keys]


def keys_of(scope: Scope, ids: set[str]) -> list[str]:
    """The first keys of those actions on a screen, as people write them."""
    return [key_label(a.keys[0]) for a in actions_for(scope) if a.id in ids and a.keys]


TEXT_OPENERS = [(scope, key) for scope in WAY for key in keys_of(scope, TYPED_INTO)]


@pytest.fixture(autouse=True)
def _nothing_is_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    wait_longer(monkeypatch)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return with_schedules(scene.build(tmp_path / "jobs.db"))


@pytest.mark.parametrize(("scope", "key"), TEXT_OPENERS, ids=str)
async def test_what_is_typed_behind_a_key_that_opens_a_field_is_text(
    scope: Scope, key: str, path: Path
) -> None:
    before = state_of(path)
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        for letters in (ACTING, ACTING[::-1]):
            await type_at_once(pilot, [*WAY[scope], key, *letters])
            assert state_of(path) == before
            front = app.front
            assert front is not None
            assert front.over is not None or front.typed_into is not None, (letters, front)
            assert not front.panel.is_open, letters
            await back_home(pilot, app)
        assert state_of(path) == before
    assert app.services.workers.pool.alive() == ()


# What acts at once, without a question, and can be taken back.
AT_ONCE = {
    *("raise_priority", "lower_priority", "undo", "spawn_worker", "stop_worker"),
    "schedule_pause",
}
# What asks about nothing that is listed: whoever types yes behind the key knows the question.
FORESEEN = {"pause_queue"}
# More than any way back takes.
MOST_STEPS_HOME = 30
# What leaves the console, or gives its terminal away.
NOT_HERE = {"quit", "suspend"}
ASKING = ("cyrYCyRYXyYPyen", "PyrycyCYXYRYy", "yycycYryrYey")


async def back_home(pilot: Pilot[None], app: ConsoleApp) -> None:
    """Leave whatever is open, until the list of jobs has the keys."""
    for _ in range(MOST_STEPS_HOME):
        if app.front is jobs_screen(app) and not app.front.over and not app.front.typed_into:
            return
        await type_at_once(pilot, ["escape"])
        if app.front is not None and app.front.panel.is_open:
            question = app.front.panel.question
            leaves = question is not None and "leave" in question.title.lower()
            await type_at_once(pilot, ["y" if leaves else "n"])
    raise AssertionError(f"still not at home: {app.front}")


async def every_key_of(scope: Scope, path: Path, letters: str, *, every: int) -> None:
    """Type each key of a screen, with the way there before it and letters behind it, in one go."""
    before = state_of(path)
    app = console_on(path)
    told = [a for a in actions_for(scope) if a.keys and a.id not in AT_ONCE | FORESEEN | NOT_HERE]
    async with running(app) as pilot:
        await settle(pilot)
        for action in told[::every]:
            # The tab is chosen anew, so that no row stands there which somebody has seen.
            leave = scope is Scope.JOBS and action.id == "leave"
            key = "1" if leave else key_label(action.keys[0])
            key = {"esc": "escape", "pgdn": "pagedown", "pgup": "pageup", "space": " "}.get(
                key, key
            )
            await type_at_once(pilot, ["1", *WAY[scope], key, *letters])
            assert state_of(path) == before, (action.id, letters)
            await back_home(pilot, app)
        assert state_of(path) == before


@pytest.mark.parametrize("scope", WAY)
async def test_nothing_acts_on_what_nobody_has_seen(scope: Scope, path: Path) -> None:
    await every_key_of(scope, path, ASKING[0], every=4)


@pytest.mark.long
@pytest.mark.parametrize("letters", ASKING)
@pytest.mark.parametrize("scope", WAY)
async def test_nothing_acts_on_what_nobody_has_seen_for_long(
    scope: Scope, letters: str, path: Path
) -> None:
    await every_key_of(scope, path, letters, every=1)


def test_the_table_names_all_that_opens_a_field() -> None:
    assert set(BY_ID) >= TYPED_INTO
    slashes = {action.id for action in ACTIONS if "slash" in action.keys}
    assert slashes <= TYPED_INTO
    for scope in WAY:
        assert any("slash" in a.keys for a in actions_for(scope)), scope


async def test_no_worker_is_drained_by_a_filter_behind_the_key_to_its_screen(path: Path) -> None:
    before = state_of(path)
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        await type_at_once(pilot, "w/cpu")
        assert isinstance(app.screen, WorkersScreen)
        assert app.screen.order.filter_text == "cpu"
        assert not app.services.picture.paused
        assert state_of(path) == before


async def test_no_answers_a_question_and_what_is_behind_it_moves(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        jobs = jobs_screen(app)
        at = jobs.table.cursor
        await type_at_once(pilot, "cnjj")
        assert not jobs.panel.is_open
        assert jobs.table.cursor == at + 2


async def test_a_slash_on_a_job_opens_its_find_box(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        await type_at_once(pilot, ["enter", *"/cr"])
        assert isinstance(app.screen, JobScreen)
        assert app.screen.typed_line.typing
        assert app.screen.typed_line.text == "cr"
        assert not app.screen.panel.is_open


async def test_the_number_of_workers_is_typed_behind_its_key(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        await type_at_once(pilot, "=+2")
        panel = app.screen.query_one(SetupPanel)
        assert panel.rows["count"].text == "+2"


async def test_paste_keeps_its_place_among_the_keys(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        await type_at_once(pilot, ["/", "a", "paste:bcd\nefg", "h"])
        assert jobs_screen(app).query_one(FilterBox).box.value == "abcdh"
        await type_at_once(pilot, ["escape", "n", "paste:shop.sell", "x"])
        assert isinstance(app.screen, SubmitScreen)
        assert app.screen.form.function == "shop.sellx"
        await type_at_once(pilot, ["escape", "y", ":", "paste:over", "v", "enter"])
        assert isinstance(app.screen, OverviewScreen), screen_text(app)


async def test_a_yes_to_a_question_about_what_nobody_has_seen_is_not_heard(path: Path) -> None:
    before = state_of(path)
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        for keys in ("2cy", "CY", "4RY", "2/e\rcy", "wjcy", "wjCy", "oPy"):
            await type_at_once(pilot, events_as(keys))
            assert state_of(path) == before, keys
            assert app.front is not None
            assert app.front.panel.is_open, keys
            await type_at_once(pilot, "n")
            if app.front is not jobs_screen(app):
                await type_at_once(pilot, ["escape"])


async def test_a_yes_to_a_question_about_what_is_on_the_screen_is_heard(path: Path) -> None:
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        await type_at_once(pilot, "4")
        failed = jobs_screen(app).table.total
        await type_at_once(pilot, "ry")
        assert jobs_screen(app).table.total < failed or jobs_screen(app).table.held_order.gone


@pytest.mark.parametrize("keys", ["1", "44", "4\x004", "11j4", "]["])
async def test_the_list_never_goes_dead(keys: str, path: Path) -> None:
    """The tab that is shown already is asked for: its rows come again, and keys go on."""
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        for part in keys.split("\x00"):
            await type_at_once(pilot, part)
        table = jobs_screen(app).table
        assert not table.awaits_list
        at = table.cursor
        await type_at_once(pilot, "j")
        assert table.cursor == at + 1


@pytest.mark.parametrize("key", ["P", "c"])
async def test_what_stops_work_asks_first(key: str, path: Path) -> None:
    before = state_of(path)
    app = console_on(path)
    async with running(app) as pilot:
        await settle(pilot)
        await type_at_once(pilot, "wj")
        for said in ("n", "q"):
            await type_at_once(pilot, [key, said, "j", "k", "k", "j"])
            assert state_of(path) == before
        await type_at_once(pilot, [key, "y"])
        assert state_of(path) != before
