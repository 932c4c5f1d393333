"""What the services ask of the screen in front."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from gigq_tui.actions.question import Question
from gigq_tui.viewpoint import Destination


class NoticeLike(Protocol):
    """The line in which notices stand."""

    twin: str

    def tell(
        self, text: str, tone: str = "info", twin: str = "", hint: str = "", key: str = ""
    ) -> None: ...

    def clear(self) -> None: ...


class PanelLike(Protocol):
    """The panel in which questions stand."""

    @property
    def is_open(self) -> bool: ...


class Front(Protocol):
    """The screen in front."""

    @property
    def is_whole(self) -> bool: ...

    @property
    def notice_line(self) -> NoticeLike: ...

    @property
    def panel(self) -> PanelLike: ...

    def question(self, question: Question) -> None: ...

    def destination(self) -> Destination | None: ...


# The screen in front, if it is one of ours.
FrontNow = Callable[[], Front | None]
