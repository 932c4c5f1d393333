"""The picture of the file that the screens show: which part of it, and whether it is paused."""

from __future__ import annotations

from collections.abc import Callable

from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import PAUSE_VIEW
from gigq_tui.keys.screen_actions import REFRESH
from gigq_tui.services.notices import Notices
from gigq_tui.services.reads import Reads
from gigq_tui.store.clock import Clock
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Snapshot


class Picture:
    """What is shown of the file.

    Args:
        reads: Where pictures come from.
        notices: Where it is told that the file is read again.
        clock: What time it is.
        view: Which part of the file is shown first.
        changed: Called with whether another picture is shown, or only another state of it.

    Attributes:
        view: Which part of the file is asked for. The list of jobs asks, and nobody else.
        shown: What is on the screen; None before the file was first read.
        waiting: The newest picture, where an older one is shown since the view is paused.
        paused: Whether the view is paused.
    """

    def __init__(
        self,
        reads: Reads,
        notices: Notices,
        clock: Clock,
        view: View,
        changed: Callable[[bool], None],
    ) -> None:
        self.view = view
        self.shown: Snapshot | None = None
        self.waiting: Snapshot | None = None
        self.paused = False
        self._reads = reads
        self._notices = notices
        self._clock = clock
        self._changed = changed
        # What was asked for is shown even while the view is paused.
        self._asked = False

    @property
    def newest(self) -> Snapshot | None:
        """The newest picture, also while an older one is shown."""
        return self.waiting or self.shown

    @property
    def age_s(self) -> float:
        """How old the picture of a paused view is, in seconds; 0 where it isn't paused."""
        if not self.paused or self.shown is None:
            return 0.0
        return (self._clock.now() - self.shown.taken_at).total_seconds()

    def take(self, snapshot: Snapshot) -> None:
        """Show a new picture, or let it wait."""
        if self.paused and self.shown is not None and not self._asked:
            self.waiting = snapshot
        else:
            self._asked = False
            self._show(snapshot)

    def _show(self, snapshot: Snapshot) -> None:
        self.waiting = None
        self.shown = snapshot
        self._changed(True)

    def look_at(self, view: View, *, anew: bool = False) -> None:
        """Ask for a part of the file.

        Args:
            view: Which.
            anew: Whether its rows are waited for even where they are those shown now.
        """
        same = view == self.view
        if same and not anew:
            return
        self.view = view
        # A paused view is paused again once it shows what was asked for.
        self._asked = True
        self._reads.show(view)
        if same:
            # To the feed it is no news, and it would bring nothing.
            self._reads.refresh()

    @does(PAUSE_VIEW)
    def do_pause_view(self) -> None:
        """Pause the view, or show the newest picture."""
        self.paused = not self.paused
        if not self.paused and self.waiting is not None:
            self._show(self.waiting)
        else:
            self._changed(False)

    @does(REFRESH)
    def do_refresh(self) -> None:
        """Read the file again, and show it even while the view is paused."""
        self._asked = True
        self._reads.refresh()
        self._notices.tell("read again")
