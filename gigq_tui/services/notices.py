"""What is told in one line of the screen in front, and for how long."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from gigq_tui.format import without_folder
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.looking_actions import COPY
from gigq_tui.services.front import FrontNow

# A notice that nobody has pressed a key for stands so many seconds.
TICKS = 12


class Notices:
    """Tells things in the notice line of the screen in front.

    Args:
        path: The queue file; its folder is not named in a notice.
        hints: Names the key that copies a command.
        front: The screen in front.
        changed: Called when a notice begins to stand there: it goes by itself.
    """

    def __init__(
        self, path: Path, hints: KeyHints, front: FrontNow, changed: Callable[[], None]
    ) -> None:
        self._path = path
        self._hints = hints
        self._front = front
        self._changed = changed
        self._ticks = 0
        # The command of the notice that stood there at the last key.
        self.fresh_twin = ""
        self._about: object = None

    @property
    def is_timed(self) -> bool:
        """Whether one stands there that goes by itself."""
        return self._ticks > 0

    def stands_about(self, subject: object) -> bool:
        """Whether what stands there is about this."""
        return self.is_timed and self._about is subject

    def tell(
        self, text: str, tone: str = "info", twin: str = "", hint: str = "", about: object = None
    ) -> None:
        """Tell something.

        Args:
            text: One sentence or less.
            tone: `info`, `ok`, `warn` or `error`.
            twin: The shell command that does the same, or an empty string.
            hint: Keys that belong to it and what they do, or an empty string.
            about: What it is about, where it is told again as that changes.
        """
        self._ticks, self._about = TICKS, about
        screen = self._front()
        if screen is not None and screen.is_whole:
            screen.notice_line.tell(
                without_folder(text, self._path), tone, twin, hint, self._hints(COPY)
            )
            self._changed()

    def key_pressed(self) -> None:
        """A key was pressed: an old notice has been read."""
        screen = self._front()
        if screen is not None and screen.is_whole:
            self.fresh_twin = screen.notice_line.twin
            screen.notice_line.clear()
        self._ticks = 0

    def tick(self) -> None:
        """A second has passed."""
        screen = self._front()
        if self._ticks and screen is not None and screen.is_whole:
            self._ticks -= 1
            if not self._ticks:
                screen.notice_line.clear()
