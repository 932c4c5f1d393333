"""The panel that starts workers with chosen slots, interpreter, folder, environment, or scales."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest
from textual.pilot import Pilot

from gigq_tui.actions.workers.setup import Examined, WorkerSetup
from gigq_tui.app import ConsoleApp
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.screens.workers import setup_panel
from gigq_tui.screens.workers.screen import WorkersScreen
from gigq_tui.screens.workers.setup_panel import SetupPanel
from tests.tui.harness import give, press, row, running, screen_text, settle
from tests.tui.test_workers_screen import BUSY, IDLE, open_workers, workers_app

GOOD = Examined("3.11.9", "3.45.1")


@pytest.fixture(autouse=True)
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[WorkerSetup]:
    """Nothing is run: what was to be looked at, in its order."""
    asked: list[WorkerSetup] = []

    def examine(setup: WorkerSetup) -> Examined:
        asked.append(setup)
        python = "There is no interpreter at /no." if setup.python == "/no" else ""
        folder = "There is no folder /gone." if str(setup.chdir) == "/gone" else ""
        return Examined("3.11.9", "3.45.1", python_trouble=python, folder_trouble=folder)

    monkeypatch.setattr(setup_panel, "examine", examine)
    return asked


def panel_of(app: ConsoleApp) -> SetupPanel:
    return app.screen.query_one(SetupPanel)


def is_open(app: ConsoleApp) -> bool:
    return bool(app.screen.query(SetupPanel))


def focused(app: ConsoleApp) -> str:
    parent = app.screen.focused.parent if app.screen.focused is not None else None
    return getattr(parent, "key", "")


async def put(pilot: Pilot[None], key: str, text: str) -> None:
    """Type into a field, in the place of what stands there."""
    assert isinstance(pilot.app, ConsoleApp)
    field = panel_of(pilot.app).rows[key].field
    pilot.app.screen.set_focus(field)
    field.value = text
    await settle(pilot)


async def test_two_workers_with_everything_chosen(tmp_path: Path) -> None:
    app, _, pool = workers_app()
    async with running(app) as pilot:
        await open_workers(pilot, IDLE)
        await press(pilot, "equals_sign")
        assert focused(app) == "count"
        assert "Python 3.11.9, SQLite 3.45.1" in screen_text(app)
        # What is typed first takes the place of what stands there.
        await press(pilot, *"+2")
        await put(pilot, "slots", "3")
        await put(pilot, "python", "~/py")
        await put(pilot, "folder", str(tmp_path))
        await put(pilot, "environment", "A=1 API_KEY='hunter2'")
        await put(pilot, "grace", "0.5")
        text = screen_text(app)
        assert "will start 2 workers with 3 slots each: 2 of this console then" in text
        assert "for i in $(seq 2); do A=1 API_KEY='<API_KEY>' gigq-core" in text
        assert "hunter2" not in text
        assert "API_KEY=*********" in text
        field = panel_of(app).rows["environment"].field
        field.select_all()
        field.action_copy()
        assert app.clipboard == ""
        await press(pilot, "alt+s")
        assert not is_open(app)
        assert pool.calls == [("spawn", "3")] * 2
        assert pool.setup == WorkerSetup(
            str(Path("~/py").expanduser()),
            tmp_path,
            3,
            (("A", "1"), ("API_KEY", "hunter2")),
            0.5,
        )
        assert "hunter2" not in screen_text(app)
        # From now on, + means the same, and the panel begins with it.
        await press(pilot, "plus")
        assert pool.calls[-1] == ("spawn", "3")
        await press(pilot, "equals_sign")
        assert panel_of(app).rows["slots"].text == "3"
        assert "hunter2" not in screen_text(app)


async def test_keys_of_the_panel(looked_at: list[WorkerSetup]) -> None:
    app, acts, pool = workers_app()
    async with running(app, size=(80, 24)) as pilot:
        screen = await open_workers(pilot, IDLE, BUSY)
        await press(pilot, "equals_sign")
        seen = [focused(app)]
        for key in ("tab", "enter", "down", "tab", "tab"):
            await press(pilot, key)
            seen.append(focused(app))
        assert seen == ["count", "slots", "via", "python", "folder", "environment"]
        await press(pilot, "shift+tab", "up")
        assert focused(app) == "python"
        assert len(looked_at) == 1
        # On a button, the letters of the list do nothing to the worker under its cursor.
        await press(pilot, *["up"] * 4, "c", "C", "P", "r", "minus", "equals_sign", "q", "j")
        assert app.screen.focused is not None
        assert app.screen.focused.id == "setup-close"
        assert acts.calls == pool.calls == []
        assert screen.roster.cursor_id == "w1"
        await press(pilot, "enter")
        assert not is_open(app)
        await press(pilot, "equals_sign", "escape")
        assert not is_open(app)
        assert app.screen is screen
        # Where the focus has gone elsewhere, as after a click, escape closes it all the same.
        await press(pilot, "equals_sign")
        screen.set_focus(None)
        await press(pilot, "c", "escape")
        assert not is_open(app)
        assert app.screen is screen
        assert acts.calls == []


async def test_typing_at_once_reaches_the_field_that_is_meant() -> None:
    app, _, _ = workers_app()
    async with running(app) as pilot:
        await open_workers(pilot, IDLE)
        await press(pilot, "equals_sign")
        await pilot.press(*"+2", "tab", "7", *["tab"] * 4, *"A=1")
        await settle(pilot)
        rows = panel_of(app).rows
        assert (rows["count"].text, rows["slots"].text) == ("+2", "7")
        assert rows["environment"].text == "A=1"


MISTAKES = [
    ("count", "x", "+2 more, -1 fewer, 4 in all"),
    ("count", "-1", "There are only 0."),
    ("slots", "0", "a whole number from 1 to 128"),
    ("slots", "999", "a whole number from 1 to 128"),
    ("python", "", "required: the Python"),
    ("python", "/no", "There is no interpreter at /no."),
    ("folder", "", "required: the folder to run jobs in"),
    ("folder", "/gone", "There is no folder /gone."),
    ("environment", "A", "Word 1 is not KEY=VALUE"),
    ("environment", "A='x", "A quote is not closed."),
    ("grace", "-1", "seconds, 0 or more"),
    ("grace", "inf", "seconds, 0 or more"),
]


async def test_mistakes_are_told_beside_the_field() -> None:
    app, _, pool = workers_app()
    async with running(app) as pilot:
        await open_workers(pilot, IDLE)
        await press(pilot, "equals_sign")
        for key, text, sentence in MISTAKES:
            row = panel_of(app).rows[key]
            before = row.text
            await put(pilot, key, text)
            await press(pilot, "alt+s")
            assert sentence in row.trouble
            assert sentence in screen_text(app)
            assert focused(app) == key
            await put(pilot, key, before)
        assert is_open(app)
        assert pool.calls == []


async def test_a_home_of_nobody_is_a_name_like_any_other() -> None:
    app, _, _ = workers_app()
    async with running(app) as pilot:
        await open_workers(pilot, IDLE)
        await press(pilot, "equals_sign")
        await put(pilot, "folder", "~no-such-user")
        await put(pilot, "python", "~no-such-user/python")
        setup = panel_of(app).result.setup
        assert setup is not None
        assert setup.chdir == Path.cwd() / "~no-such-user"
        assert setup.python == str(Path.cwd() / "~no-such-user/python")


async def test_nothing_starts_before_it_was_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    app, _, pool = workers_app()
    may_answer = threading.Event()

    def examine(_setup: WorkerSetup) -> Examined:
        assert may_answer.wait(10)
        return GOOD

    monkeypatch.setattr(setup_panel, "examine", examine)
    async with running(app) as pilot:
        await open_workers(pilot, IDLE)
        await pilot.press("equals_sign", "alt+s")
        await pilot.pause()
        assert "checking the interpreter and the folder first" in screen_text(app)
        assert pool.calls == []
        may_answer.set()
        await settle(pilot)
        await settle(pilot)
        assert pool.calls == [("spawn", "1")]
        assert not is_open(app)


async def test_scaling_down_lets_idle_ones_go_first() -> None:
    app, _, pool = workers_app(["w1", "w2", "w5"])
    pool.busy = ["w2"]
    async with running(app) as pilot:
        screen = await open_workers(pilot, IDLE, BUSY)
        await press(pilot, "equals_sign", "3", "alt+s")
        assert "nothing to do: 3 workers of this console already" in screen_text(app)
        assert is_open(app)
        assert pool.calls == []
        await press(pilot, "backspace", "1")
        assert "drain 2 idle ones now: 1 worker then" in screen_text(app)
        await press(pilot, "backspace", "0")
        text = screen_text(app)
        assert "drain 2 idle ones now, then 1 after its job: 0 workers then" in text
        assert 'for w in w5 w1 w2; do gigq-core --db /srv/queues/jobs.db ask "$w" drain' in text
        # With what others would be started does not matter.
        await put(pilot, "python", "/no")
        await press(pilot, "alt+s")
        assert pool.calls == [("drain_some", "3 True")]
        assert "draining w5 and w1 and w2 after" in screen.notice_line.text
        assert "for w in w5 w1 w2; do gigq-core" in screen.notice_line.twin


async def test_read_only_has_no_panel() -> None:
    app, _, _ = workers_app(read_only=True)
    async with running(app) as pilot:
        screen = await open_workers(pilot, IDLE)
        await press(pilot, "equals_sign")
        assert not is_open(app)
        assert "read-only" in screen.notice_line.text


async def test_from_another_screen_it_opens_on_the_workers() -> None:
    app, _, _ = workers_app()
    async with running(app) as pilot:
        await give(pilot, [row(1)], workers=(IDLE,))
        await press(pilot, "equals_sign")
        assert isinstance(app.screen, WorkersScreen)
        assert focused(app) == "count"
        await press(pilot, "escape", "escape")
        assert isinstance(app.screen, JobsScreen)


async def test_the_palette_opens_it_and_it_fits_a_small_terminal() -> None:
    app, _, pool = workers_app()
    async with running(app, size=(40, 10)) as pilot:
        await open_workers(pilot, IDLE)
        await pilot.press("colon", *"set up workers", "enter")
        await settle(pilot)
        assert is_open(app)
        await pilot.press(*["tab"] * 9, "enter")
        await settle(pilot)
        assert pool.calls == [("spawn", "1")]


async def test_an_answer_that_comes_once_it_is_closed_is_dropped() -> None:
    app, _, _ = workers_app()
    async with running(app) as pilot:
        await open_workers(pilot, IDLE)
        await press(pilot, "equals_sign")
        panel = panel_of(app)
        setup = panel.result.setup
        assert setup is not None
        await panel.query("TextLines").remove()
        panel._take(setup, GOOD)
        panel.rows["python"].field.focus()
        await press(pilot, "tab", "escape")
        assert not is_open(app)
        assert app.return_code is None


async def test_lanes_are_typed_checked_and_handed_to_the_worker() -> None:
    app, _, pool = workers_app()
    async with running(app) as pilot:
        await open_workers(pilot, IDLE)
        await press(pilot, "equals_sign")
        await press(pilot, *["tab"] * 7, *"gpu, big*")
        assert "write a lane's name, or a prefix as in fetch:*" in screen_text(app)
        await press(pilot, "ctrl+u", *"gpu, big:*", "tab", *"mail")
        text = " ".join(screen_text(app).split())
        assert "--lanes 'gpu,big:*' --only-lanes mail" in text
        await press(pilot, "alt+s")
        assert pool.setup.lanes == ("gpu", "big:*")
        assert pool.setup.only_lanes == ("mail",)
        assert pool.calls == [("spawn", "1")]


async def test_jobs_of_new_workers_run_where_commands_lead(looked_at: list[WorkerSetup]) -> None:
    app, _, pool = workers_app()
    async with running(app, size=(100, 30)) as pilot:
        await open_workers(pilot, IDLE)
        await press(pilot, "equals_sign", "tab", *"4", "tab", *"env -u A; env")
        text = screen_text(app)
        assert "will start 1 worker with 2 agents of 4 slots each: 1 of this console then" in text
        rows = panel_of(app).rows
        assert not rows["python"].display
        assert "of each agent; empty for 1, or a Dask worker's threads" in text
        assert "of the commands, not jobs" in text
        await press(pilot, "tab", *"/opt/py", "tab", *"~/work dir")
        assert focused(app) == "remote_folder"
        twin = " ".join(screen_text(app).split())
        assert (
            "worker --concurrency 4 --via 'env -u A' --via env --remote-python /opt/py "
            "--remote-chdir '~/work dir'" in twin
        )
        assert "--python " not in twin.replace("--remote-python", "")
        await press(pilot, "alt+s")
        assert not is_open(app)
        setup = pool.setup
        assert setup.via == ("env -u A", "env")
        assert (setup.remote_python, setup.remote_chdir) == ("/opt/py", "~/work dir")
        # From now on, + means the same, and the panel begins with it.
        await press(pilot, "plus")
        assert pool.calls == [("spawn", "4")] * 2
        await press(pilot, "equals_sign")
        rows = panel_of(app).rows
        assert rows["via"].text == "env -u A; env"
        assert rows["remote_folder"].text == "~/work dir"
        # How many at once may be left to the agents, and to nobody else.
        await put(pilot, "slots", "")
        assert "will start 1 worker with 2 agents: 1 of this console then" in screen_text(app)
        assert "worker --via 'env -u A'" in " ".join(screen_text(app).split())
        await put(pilot, "via", "")
        assert panel_of(app).result.troubles == {"slots": "a whole number from 1 to 128"}
        await put(pilot, "slots", "4")
        # Without commands they run here again, with what was chosen here before.
        assert rows["python"].display
        await press(pilot, "alt+s")
        assert pool.setup == WorkerSetup(setup.python, setup.chdir, 4)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("env 'x", "has a quotation mark that is never closed"),
        ("no-such-command-here gpu1", "there is no command no-such-command-here here"),
        ("env; dask:head", "names no Dask scheduler: give its address"),
    ],
)
async def test_a_command_that_leads_nowhere_is_refused_before_anything_starts(
    typed: str, said: str
) -> None:
    app, _, pool = workers_app()
    async with running(app, size=(120, 30)) as pilot:
        await open_workers(pilot, IDLE)
        await press(pilot, "equals_sign")
        await put(pilot, "via", typed)
        assert said in " ".join(screen_text(app).split())
        await press(pilot, "alt+s")
        assert is_open(app)
        assert focused(app) == "via"
        assert pool.calls == []


async def test_the_panel_with_commands_fits_a_small_terminal() -> None:
    app, _, pool = workers_app()
    async with running(app, size=(40, 10)) as pilot:
        await open_workers(pilot, IDLE)
        await press(pilot, "equals_sign", *["tab"] * 2, *"env", *["tab"] * 7, "enter")
        assert pool.calls == [("spawn", "1")]
        assert pool.setup.via == ("env",)
