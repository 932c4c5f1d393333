"""What can be copied here: the worker's pid, what is read of its log, and the view."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from gigq_tui.actions.question import Choice
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import WORKER_COPY
from gigq_tui.screens.parts.copy_choices import Copies, copy_question, text_choice
from gigq_tui.screens.parts.needs import AsksQuestion, FindsOut, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.text_reader import copy_tail
from gigq_tui.screens.workers.entries import WorkerEntry
from gigq_tui.screens.workers.log import WorkerLog
from gigq_tui.store.tail import WHOLE_BYTES, Tail, read_tail


class CopyHost(AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def entry(self) -> WorkerEntry | None:
        """The line under the cursor."""

    @property
    def reads(self) -> FindsOut:
        """What reads all of the log, in a thread."""


class WorkerCopy(Part):
    """Copies what is asked for of the worker under the cursor.

    Args:
        host: The screen.
        log: The log of the worker under the cursor.
        copying: Where it goes.
        notices: Where it is said that there is nothing to copy.
    """

    def __init__(self, host: CopyHost, log: WorkerLog, copying: Copies, notices: Tells) -> None:
        self._host = host
        self._log = log
        self._copying = copying
        self._notices = notices

    @does(WORKER_COPY)
    def do_worker_copy(self) -> None:
        """Ask what to copy."""
        choices: list[Choice] = []
        title, entry = "Copy what?", self._host.entry
        if self._log.is_expanded:
            visible = self._log.text_view.visible_text()
            title = "Copy from this log:"
            choices += [
                text_choice(self._copying, "v", "what is visible", visible),
                Choice("o", "all of it", self._copy_log),
            ]
        if entry is not None and entry.worker is not None:
            pid = str(entry.worker.pid)
            copy = partial(self._copying.copy_text, pid, "the pid")
            choices.append(Choice("i", "the worker's pid", copy))
        self._host.question(copy_question(self._copying, title, choices))

    def _copy_log(self) -> None:
        if self._log.path is not None:
            read = partial(read_tail, self._log.path, None, WHOLE_BYTES)
            self._host.reads.find_out(read, self._copy_tail)

    def _copy_tail(self, tail: Tail) -> None:
        copy_tail(tail, "the log", self._copying, self._notices)
