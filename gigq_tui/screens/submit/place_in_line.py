"""How many jobs would be claimed before the new one, asked anew where the line is another."""

from __future__ import annotations

from functools import partial

from gigq_tui.screens.submit.host import FormHost
from gigq_tui.screens.submit.param_specs import MISSING
from gigq_tui.store.models import Snapshot


class PlaceInLine:
    """The part of the form that knows the place in line.

    `ahead` is how many jobs are claimed before it: None if there are too many to count, `MISSING`
    while it is not known.
    """

    def __init__(self, host: FormHost) -> None:
        self._host = host
        self.ahead: object = MISSING
        self._asked: tuple[int, int] | None = None

    def look_up(self, priority: int, snapshot: Snapshot) -> None:
        """Ask for it, where the line or the priority is another than before."""
        asked = (priority, snapshot.counts.ready)
        if asked != self._asked:
            self._asked = asked
            self._host.reads.ask(lambda r: r.jobs_ahead(priority), partial(self._known, asked))

    def _known(self, asked: tuple[int, int], ahead: int | None) -> None:
        if asked == self._asked:
            self.ahead = ahead
            self._host.review()
