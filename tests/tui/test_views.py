"""Views on the screen: started with one, what each screen says of itself, copied from anywhere."""

from __future__ import annotations

import pytest
from textual.pilot import Pilot

from gigq_tui.app import ConsoleApp
from gigq_tui.store.models import Tab
from gigq_tui.store.sorting import Sort, SortKey
from gigq_tui.viewpoint import Viewpoint, viewpoint_of
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
        assert opened is None or f"--open {opened}" in copied[0]


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
