"""The messages that carry what other threads found to the screens; a flood of them coalesces."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from textual.message import Message

if TYPE_CHECKING:
    from gigq_tui.actions.report import Report
    from gigq_tui.store.models import Snapshot


class SnapshotArrived(Message):
    """The file was read. A newer snapshot replaces one that nobody has looked at yet."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, SnapshotArrived)


class TroubleArrived(Message):
    """The file can't be read just now, since a moment of the console's clock."""

    def __init__(self, text: str, since: datetime) -> None:
        self.text = text
        self.since = since
        super().__init__()

    def can_replace(self, message: Message) -> bool:
        return isinstance(message, TroubleArrived)


class AnswerArrived(Message):
    """The reader thread answered a question of a screen, with a value or with an error."""

    def __init__(self, receive: Callable[[Any], None], answer: Any) -> None:
        self.receive = receive
        self.answer = answer
        super().__init__()


class ActionFinished(Message):
    """An act ended: with a report, or with the one sentence that says why it could not be done."""

    def __init__(
        self,
        report: Report | None,
        trouble: str = "",
        after: Callable[[], None] | None = None,
    ) -> None:
        self.report = report
        self.trouble = trouble
        self.after = after
        super().__init__()
