"""Running the screen on this terminal: what happens on a signal, and at every way of leaving."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING

from gigq_tui.app import ConsoleApp
from gigq_tui.config.model import Config, Label

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession

DEMO_WORKERS_END_S = 8.0
_SIGNALS = (signal.SIGTERM, signal.SIGHUP)


def show(
    path: Path,
    *,
    python: str,
    chdir: Path,
    read_only: bool = False,
    config: Config | None = None,
    label: Label | None = None,
    demo: DemoSession | None = None,
) -> int:
    """Show the console until the person leaves it.

    SIGTERM and SIGHUP leave it too, with the terminal restored. Workers that it spawned go on by
    themselves, but for a demo's: those are ended in every case, also when the screen failed.

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
    )
    try:
        with _leaving_on_signals(app):
            app.run(mouse=config.mouse)
    finally:
        if demo is not None:
            app.pool.end_all(DEMO_WORKERS_END_S)
        else:
            app.pool.leave_running()
    return app.return_code or int(app.failed)


@contextmanager
def _leaving_on_signals(app: ConsoleApp) -> Iterator[None]:
    """While the screen runs, a signal to end closes it as a key would."""

    def leave(number: int, _frame: FrameType | None) -> None:
        # From a thread, since the app's own thread may be anywhere, in a lock of its loop too.
        threading.Thread(target=_exit, args=(app, 128 + number), daemon=True).start()

    before = {number: signal.signal(number, leave) for number in _SIGNALS}
    try:
        yield
    finally:
        # From here on a second signal must not keep a demo's workers from being ended.
        for number in before:
            signal.signal(number, signal.SIG_IGN if app.demo is not None else before[number])


def _exit(app: ConsoleApp, code: int) -> None:
    try:
        app.call_from_thread(app.exit, return_code=code)
    except RuntimeError:
        # The app has ended meanwhile, or has not begun: it is told before its first screen.
        app.exit(return_code=code)
