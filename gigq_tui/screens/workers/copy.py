"""What can be copied here: the pid of the worker under the cursor, and of its log what is read."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from gigq_tui.actions.question import Choice, Question
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import WORKER_COPY
from gigq_tui.screens.parts.needs import FindsOut, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.text_reader import CopiesText, copy_tail
from gigq_tui.screens.workers.entries import WorkerEntry
from gigq_tui.screens.workers.log import WorkerLog
from gigq_tui.store.tail import WHOLE_BYTES, Tail, read_tail


class CopyHost(Protocol):
    """What the part needs of its screen."""

    @property
    def entry(self) -> WorkerEntry | None:
        """The line under the cursor."""

    @property
    def reads(self) -> FindsOut:
        """What reads all of the log, in a thread."""

    def question(self, question: Question) -> None:
        """Ask in the panel."""


class WorkerCopy(Part):
    """Copies the worker's pid; where its log is expanded, it asks what to copy.

    Args:
        host: The screen.
        log: The log of the worker under the cursor.
        copying: Where it goes.
        notices: Where it is said that there is nothing to copy.
    """

    def __init__(self, host: CopyHost, log: WorkerLog, copying: CopiesText, notices: Tells) -> None:
        self._host = host
        self._log = log
        self._copying = copying
        self._notices = notices

    @does(WORKER_COPY)
    def do_worker_copy(self) -> None:
        """Copy the pid, or ask what to copy."""
        if not self._log.is_expanded:
            self._copy_pid()
            return
        visible = self._log.text_view.visible_text()
        self._host.question(
            Question(
                "Copy from this log:",
                (),
                (
                    Choice("escape", "Nothing"),
                    Choice("v", "what is visible", partial(self._copy_visible, visible)),
                    Choice("o", "all of it", self._copy_log),
                    Choice("i", "the worker's pid", self._copy_pid),
                ),
                harmless=True,
            )
        )

    def _copy_pid(self) -> None:
        entry = self._host.entry
        if entry is None or entry.worker is None:
            self._notices.tell("This worker's pid is unknown.", "warn")
            return
        self._copying.copy_text(str(entry.worker.pid), "the pid")

    def _copy_visible(self, text: str) -> None:
        self._copying.copy_text(text, "what is visible")

    def _copy_log(self) -> None:
        if self._log.path is not None:
            read = partial(read_tail, self._log.path, None, WHOLE_BYTES)
            self._host.reads.find_out(read, self._copy_tail)

    def _copy_tail(self, tail: Tail) -> None:
        copy_tail(tail, "the log", self._copying, self._notices)
