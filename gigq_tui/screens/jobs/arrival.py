"""Where a view leads: the list as it says, and the screen that lies over it."""

from __future__ import annotations

from functools import partial
from typing import Protocol

from gigq_tui.format import inert
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.services.settings import Settings
from gigq_tui.store.models import Tab
from gigq_tui.viewpoint import SCREEN_WORDS, Destination, Viewpoint


class ArrivalHost(Protocol):
    """What the part needs of its screen."""

    @property
    def reads(self) -> ScreenReads:
        """Finds out which job an id is of."""


class Lists(Protocol):
    """What chooses the list."""

    def show_view(self, view: Viewpoint) -> None: ...


class OpensScreens(Protocol):
    """What puts another screen in front."""

    def open(self, destination: Destination) -> None: ...


class Arrival(Part):
    """Shows a view: one that was saved, one of the command line, or the last one.

    Args:
        host: The screen.
        listing: Chooses the list.
        routes: Opens the screen over it.
        notices: Where it is told that a job is not there.
    """

    def __init__(
        self, host: ArrivalHost, listing: Lists, routes: OpensScreens, notices: Tells
    ) -> None:
        self._host = host
        self._listing = listing
        self._routes = routes
        self._notices = notices

    def tell_resumed(self, settings: Settings) -> None:
        """Say so where the console shows less than all jobs since it was left that way."""
        start = settings.start
        if settings.resumed and (start.filter or start.tab is not Tab.ALL):
            self._notices.tell(f"as it was left: {inert(start.summary)}")

    def show(self, view: Viewpoint) -> None:
        """List what a view says, and open what lies over it."""
        self._listing.show_view(view)
        self.open(view.open)

    def open(self, destination: Destination | None) -> None:
        """Open a screen; keys that are typed behind wait for it."""
        if destination is None:
            return
        if not SCREEN_WORDS[destination.screen].of_job:
            self._routes.open(destination)
            return
        self._host.reads.ask(
            lambda reader: reader.resolve(destination.argument),
            partial(self._resolved, destination),
            lambda trouble: self._notices.tell(trouble, "warn"),
            first=True,
        )

    def _resolved(self, destination: Destination, ids: tuple[str, ...]) -> None:
        wanted = destination.argument
        if wanted in ids:
            ids = (wanted,)
        if len(ids) == 1:
            self._routes.open(destination._replace(argument=ids[0]))
            return
        found = "Several jobs' ids begin" if ids else "No job's id begins"
        self._notices.tell(f"{found} with {inert(wanted)}.", "warn")
