"""Running the screen on this terminal: what happens on a signal, and at every way of leaving."""

from __future__ import annotations

import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from gigq_tui.actions.editor import drop_edited_files, end_editors
from gigq_tui.app import ConsoleApp
from gigq_tui.config.last_view import remember
from gigq_tui.config.model import Config, Label
from gigq_tui.leaving import LAST_THINGS_S, Leaving
from gigq_tui.terminal.driver import is_gone, screen_stream
from gigq_tui.viewpoint import Viewpoint

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession

DEMO_WORKERS_END_S = 8.0


def show(
    path: Path,
    *,
    python: str,
    chdir: Path,
    read_only: bool = False,
    config: Config | None = None,
    label: Label | None = None,
    start: Viewpoint | None = None,
    resumed: bool = False,
    config_file: Path | None = None,
    demo: DemoSession | None = None,
) -> int:
    """Show the console until the person leaves it.

    SIGTERM, SIGHUP and a terminal that is gone leave it too, with the terminal restored where there
    is one, and within seconds whatever hangs. Workers that it spawned go on by themselves, but for
    a demo's: those are ended in every case, also when the screen failed.

    Args:
        path: The queue file; it exists.
        python: The interpreter in which the workers' jobs run.
        chdir: The folder in which they run.
        read_only: Disable every key that writes.
        config: The user's configuration.
        label: What the header calls the file besides its name.
        start: What is looked at first.
        resumed: Whether that is what was looked at last.
        config_file: Where the configuration is, or would be.
        demo: The demonstration that is shown, or None.

    Returns:
        The exit code.
    """
    config = config or Config()
    app = ConsoleApp(
        path,
        python=python,
        chdir=chdir,
        read_only=read_only,
        demo=demo,
        theme=config.theme,
        config=config,
        label=label,
        start=start,
        resumed=resumed,
        config_file=config_file,
    )
    leaving = Leaving(
        terminal_descriptors(),
        ask=partial(_ask_to_leave, app),
        told=partial(app.call_later, _nothing),
        last=partial(_end_by_force, app),
        last_s=LAST_THINGS_S if demo is None else DEMO_WORKERS_END_S + LAST_THINGS_S,
    )
    app.leaving = leaving
    try:
        with leaving.watching():
            app.run(mouse=config.mouse)
    except Exception:
        # A screen that closes on a terminal that is gone has nowhere to say what went wrong.
        if not leaving.is_cut_off():
            raise
    finally:
        if demo is not None:
            leaving.allow(DEMO_WORKERS_END_S + LAST_THINGS_S)
            app.services.workers.pool.end_all(DEMO_WORKERS_END_S)
        else:
            app.services.workers.pool.leave_running()
    if leaving.is_cut_off():
        _write_nowhere()
    if config.last_view and demo is None and app.left is not None:
        remember(path, app.left)
    return leaving.code or app.return_code or int(app.failed)


def terminal_descriptors() -> tuple[int, ...]:
    """Where the screen's keys come from, and where it is painted."""
    streams = (sys.__stdin__, screen_stream())
    return tuple({s.fileno() for s in streams if s is not None and not s.closed and s.isatty()})


def _ask_to_leave(app: ConsoleApp, code: int) -> None:
    end_editors()
    try:
        app.call_from_thread(app.exit, return_code=code)
    except RuntimeError:
        # The app has ended meanwhile, or has not begun: it is told before its first screen.
        app.exit(return_code=code)


def _end_by_force(app: ConsoleApp) -> None:
    """What can't be left undone although the screen hangs."""
    drop_edited_files()
    app.give_terminal_back()
    if app.services.settings.demo is not None:
        app.services.workers.pool.end_all(DEMO_WORKERS_END_S)


def _nothing() -> None:
    """What the event loop wakes up for, to see by itself what was signalled."""


def _write_nowhere() -> None:
    """What is still in a buffer for the terminal that is gone must not change the exit code."""
    nowhere = os.open(os.devnull, os.O_RDWR)
    for descriptor in range(3):
        if os.isatty(descriptor) or is_gone(descriptor):
            os.dup2(nowhere, descriptor)
    os.close(nowhere)
