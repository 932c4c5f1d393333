"""Views on the screen: started with one, what each screen says of itself, copied from anywhere."""

from __future__ import annotations

import shlex
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.config.load import read_config
from gigq_tui.config.model import NamedView
from gigq_tui.config.views import save
from gigq_tui.store.filter.language import parse
from gigq_tui.store.filter.writing import absolute
from gigq_tui.store.models import Tab
from gigq_tui.store.sorting import Sort, SortKey
from gigq_tui.viewpoint import Viewpoint, viewpoint_of
from gigq_tui.widgets.view_panel import ViewPanel
from tests.scene import NOW
from tests.tui.harness import (
    Console,
    detail_of,
    feed_of,
    give,
    jobs_screen,
    press,
    row,
    screen_text,
    services_of,
    settle,
)
from tests.tui.test_tree_keys import graph_of

ONE = row(1, "ingest", "failed", error="it broke")
ID = ONE.id


def knows(app: ConsoleApp) -> None:
    """Let the reader know the one job."""
    feed_of(app).answers.update(
        resolve=lambda prefix: tuple(id for id in (ID,) if id.startswith(prefix)),
        detail=lambda _: detail_of(ONE),
        graph=lambda _: graph_of(ONE, alone=(ONE,)),
    )


async def start(pilot: Pilot[None], view: Viewpoint) -> None:
    """Hand over the first picture, of what was asked for."""
    await give(
        pilot,
        [ONE],
        tab=view.tab,
        filter_text=view.filter.text,
        sort=services_of(pilot).picture.view.sort,
    )


async def test_a_console_begins_with_the_list_that_was_asked_for(console: Console) -> None:
    view = viewpoint_of(tab="failed", filter="err:broke", sort="-dur")
    async with console(start=view) as (app, pilot):
        wanted = app.services.picture.view
        assert (wanted.tab, wanted.filter, wanted.sort) == (view.tab, view.filter, view.sort)
        await start(pilot, view)
        assert "err:broke" in screen_text(app)
        # It is the order of that tab from now on, and of no other.
        await press(pilot, "1", "4")
        assert app.services.picture.view.sort == Sort(SortKey.DURATION, turned=True)


@pytest.mark.parametrize(
    ("word", "crumb"),
    [
        ("workers", "Workers"),
        ("overview:6h", "Overview"),
        (f"job:{ID[:8]}", "ingest"),
        (f"tree:{ID}", "Tree of"),
        (f"timeline:{ID}", "Tree of"),
        (f"runs:{ID}", "Tree of"),
    ],
)
async def test_a_console_begins_on_the_screen_that_was_asked_for(
    console: Console, word: str, crumb: str
) -> None:
    view = viewpoint_of(open=word)
    async with console(start=view) as (app, pilot):
        knows(app)
        # What is asked for before the reader is there waits for it.
        jobs_screen(app).arrival.open(view.open) if app.screen is jobs_screen(app) else None
        await start(pilot, view)
        assert crumb in screen_text(app).splitlines()[0]
        again = app.services.views.present
        assert again.open is not None
        assert str(again.open) in (word, word.replace(ID[:8], ID))
        await press(pilot, "escape")
        assert app.screen is jobs_screen(app)


@pytest.mark.parametrize(
    ("ids", "said"), [((), "No job's id begins with 00"), (("00a", "00b"), "Several jobs' ids")]
)
async def test_an_id_that_is_of_no_job_or_of_several_is_told(
    console: Console, ids: tuple[str, ...], said: str
) -> None:
    async with console() as (app, pilot):
        feed_of(app).answers["resolve"] = lambda _: ids
        await give(pilot, [ONE])
        app.services.routes.show_view(viewpoint_of(open="job:00"))
        await settle(pilot)
        assert said in screen_text(app)
        assert app.screen is jobs_screen(app)


@pytest.mark.parametrize("keys", [(), ("enter",), ("t",), ("w",), ("o",)])
async def test_the_view_is_copied_from_every_screen(
    console: Console, keys: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    async with console() as (app, pilot):
        monkeypatch.setattr(app.services.copying, "copy_text", lambda text, *_: copied.append(text))
        knows(app)
        await give(pilot, [ONE])
        await press(pilot, "4")
        await give(pilot, [ONE], tab=Tab.FAILED)
        await press(pilot, *keys, "y")
        if "o" not in keys:
            await press(pilot, "w")
        assert copied == [app.services.views.command]
        assert copied[0].startswith("gigq-tui /srv/queues/jobs.db --tab failed --sort submitted")
        opened = app.services.views.present.open
        assert (opened is None) is (not keys)
        assert opened is None or f"--open {opened.screen}" in copied[0]
        # The last hour is an hour of that day, whenever the command is run.
        assert ("o" in keys) is (copied[0].count("2026-11-23T") == 2)


async def test_what_depends_on_the_hour_is_handed_over_as_moments(console: Console) -> None:
    async with console() as (app, _pilot):
        view = viewpoint_of(filter="err:x age>2h")
        command = app.services.views.command_for(view)
        assert "age>2h" not in command
        (words,) = [word for word in shlex.split(command) if "err:x" in word]
        later = parse(words)
        assert absolute(later, NOW + timedelta(days=3)) == later
        # What is kept under a name goes on meaning the last two hours.
        assert view.words["filter"] == "err:x age>2h"


async def test_no_command_names_the_file_or_a_folder_from_here(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    async with console(path=Path("jobs.db")) as (app, _pilot):
        assert app.services.views.command.split()[1] == str(tmp_path / "jobs.db")
        assert app.services.settings.path == tmp_path / "jobs.db"
        assert app.services.workers.pool.setup.chdir.is_absolute()


async def test_an_empty_list_can_be_handed_over_too(
    console: Console, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    async with console(read_only=True) as (app, pilot):
        monkeypatch.setattr(app.services.copying, "copy_text", lambda text, *_: copied.append(text))
        app.services.routes.show_jobs(Tab.ALL, "name:zzz")
        await give(pilot, [], filter_text="name:zzz")
        await press(pilot, "y", "w")
        assert copied == [
            "gigq-tui /srv/queues/jobs.db --tab all --filter name:zzz --sort submitted --read-only"
        ]


# --- the panel


def panel_of(app: ConsoleApp) -> ViewPanel:
    return app.screen.query_one(ViewPanel)


def with_views(*names: str, file: Path) -> dict[str, Any]:
    """A console whose configuration has some views."""
    file.write_text("# mine\n")
    for name in names:
        save(file, NamedView(name, viewpoint_of(tab="failed", filter=f'err:"{name}"')))
    return {"config": read_config(file, must_exist=True), "config_file": file}


async def test_a_view_is_chosen_from_any_screen(console: Console, tmp_path: Path) -> None:
    options = with_views("one", "two", file=tmp_path / "config.toml")
    async with console(**options) as (app, pilot):
        await give(pilot, [ONE])
        await press(pilot, "w", "V", "j")
        assert "views: 2" in screen_text(app)
        await press(pilot, "enter")
        assert app.screen is jobs_screen(app)
        view = app.services.picture.view
        assert (view.tab, view.filter.text) == (Tab.FAILED, 'err:"two"')
        assert not app.screen.query(ViewPanel)


@pytest.mark.parametrize("read_only", [False, True])
async def test_what_is_looked_at_is_kept_under_a_name_and_stays_there(
    console: Console, tmp_path: Path, read_only: bool
) -> None:
    options = with_views(file=tmp_path / "config.toml")
    async with console(read_only=read_only, **options) as (app, pilot):
        app.services.routes.show_jobs(Tab.FAILED, "err:broke")
        await give(pilot, [ONE], tab=Tab.FAILED, filter_text="err:broke")
        await press(pilot, "V")
        assert "No views are saved yet." in screen_text(app)
        await press(pilot, "s", *"my", "space", *"qj", "enter")
        assert "my qj" in screen_text(app)
        text = (tmp_path / "config.toml").read_text()
        assert text.startswith("# mine\n")
        (kept,) = read_config(tmp_path / "config.toml", must_exist=True).views
        assert kept.name == "my qj"
        assert kept.view == app.services.views.present
        # A second one of that name is meant, or it is not written.
        await press(pilot, "s", *"my", "space", *"qj", "enter")
        assert "replaces it" in screen_text(app)
        await press(pilot, "escape", "escape")
        assert (tmp_path / "config.toml").read_text() == text


async def test_views_are_renamed_and_deleted_once_that_is_sure(
    console: Console, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    async with console(**with_views("one", "two", file=file)) as (app, pilot):
        await give(pilot, [ONE])
        await press(pilot, "V", "r", *(["backspace"] * 3), *"1st", "enter")
        assert [each.name for each in app.services.views.saved] == ["1st", "two"]
        await press(pilot, "d", "j", "d")
        assert [each.name for each in app.services.views.saved] == ["1st", "two"]
        assert "again deletes two" in screen_text(app)
        await press(pilot, "d")
        assert [each.name for each in read_config(file, must_exist=True).views] == ["1st"]
        assert panel_of(app).cursor == 0


@pytest.mark.parametrize(
    ("keys", "left"),
    [
        # Each view is asked about by itself, also where the one before has just gone.
        ("ddd", ["two", "three"]),
        ("dddd", ["three"]),
        # Being sure that a name may be replaced is no word about deleting another.
        (["s", *"three", "enter", "enter", "d"], ["one", "two", "three"]),
        (["s", *"three", "enter", "escape", "d"], ["one", "two", "three"]),
    ],
)
async def test_one_word_deletes_one_view(
    console: Console, tmp_path: Path, keys: list[str], left: list[str]
) -> None:
    file = tmp_path / "config.toml"
    async with console(**with_views("one", "two", "three", file=file)) as (_, pilot):
        await give(pilot, [ONE])
        await press(pilot, "V", *keys)
        assert [each.name for each in read_config(file, must_exist=True).views] == left


async def test_what_could_not_be_written_is_told_and_nothing_is_lost(
    console: Console, tmp_path: Path
) -> None:
    file = tmp_path / "config.toml"
    async with console(**with_views("one", file=file)) as (app, pilot):
        await give(pilot, [ONE])
        file.write_text("theme = ")
        await press(pilot, "V", "d", "d")
        assert "not valid TOML" in screen_text(app)
        assert [each.name for each in app.services.views.saved] == ["one"]


async def test_a_view_can_have_columns_of_its_own(console: Console, tmp_path: Path) -> None:
    file = tmp_path / "config.toml"
    save(file, NamedView("names", viewpoint_of(columns=("name", "state"))))
    save(file, NamedView("all", viewpoint_of()))
    config = read_config(file, must_exist=True)
    async with console(config=config, config_file=file) as (app, pilot):
        await give(pilot, [ONE])
        await press(pilot, "V", "enter")
        await give(pilot, [ONE])
        assert "WHY" not in screen_text(app)
        assert app.services.views.present.columns == ("name", "state")
        await press(pilot, "V", "j", "enter")
        await give(pilot, [ONE])
        assert "WHY" in screen_text(app)


async def test_the_command_of_a_kept_view_is_copied(
    console: Console, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[str] = []
    async with console(**with_views("one", file=tmp_path / "config.toml")) as (app, pilot):
        monkeypatch.setattr(app.services.copying, "copy_text", lambda text, *_: copied.append(text))
        await give(pilot, [ONE])
        await press(pilot, "V", "y", "escape")
        assert copied == ["gigq-tui /srv/queues/jobs.db --tab failed --filter 'err:\"one\"'"]


@pytest.mark.parametrize("size", [(40, 12), (80, 24), (200, 50)])
async def test_more_views_than_there_is_room_for_are_moved_through(
    console: Console, tmp_path: Path, size: tuple[int, int]
) -> None:
    names = [f"view {number:02}" for number in range(30)]
    file = tmp_path / "config.toml"
    file.write_text("\n".join(f"[[view]]\nname = '{name}'" for name in names))
    options = {"config": read_config(file, must_exist=True), "config_file": file}
    async with console(size=size, **options) as (app, pilot):
        await give(pilot, [ONE])
        await press(pilot, "V", "G")
        assert "> view 29" in screen_text(app)
        await press(pilot, "pageup", "g")
        assert "> view 00" in screen_text(app)


async def test_the_last_view_is_told_where_it_hides_jobs(console: Console) -> None:
    view = viewpoint_of(tab="failed", filter="err:broke")
    async with console(start=view, resumed=True) as (app, pilot):
        assert "as it was left: Failed, err:broke" in screen_text(app)
        await start(pilot, view)
        await press(pilot, "w")
        app.exit()
        assert app.left is not None
        assert (app.left.tab, app.left.filter) == (view.tab, view.filter)
        assert str(app.left.open) == "workers"
