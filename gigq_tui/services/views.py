"""Views: what is looked at now, as words that travel, and those that are kept under a name."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from gigq_tui.actions import shell_command
from gigq_tui.config import views as kept
from gigq_tui.config.model import NamedView
from gigq_tui.config.problem import ConfigError
from gigq_tui.format import inert
from gigq_tui.services.front import FrontNow
from gigq_tui.services.notices import Notices
from gigq_tui.services.picture import Picture
from gigq_tui.services.settings import Settings
from gigq_tui.services.waiting import RunsWorkers, find_out
from gigq_tui.viewpoint import Viewpoint

Saved = tuple[NamedView, ...]


class Views:
    """Tells what is looked at now, goes to another view, and keeps views in the configuration.

    Args:
        settings: How the console was started.
        runner: With whose end the waiting for a write ends.
        picture: Which part of the file is listed.
        notices: Where it is told what was written, or why not.
        front: The screen in front.
        go: Shows a view.

    Attributes:
        saved: The views that are kept under a name.
        columns: The columns of the view that is shown; empty for those that are configured.
    """

    def __init__(
        self,
        settings: Settings,
        runner: RunsWorkers,
        picture: Picture,
        notices: Notices,
        front: FrontNow,
        go: Callable[[Viewpoint], object],
    ) -> None:
        self.saved: Saved = settings.config.views
        self.columns = settings.start.columns
        self._settings = settings
        self._runner = runner
        self._picture = picture
        self._notices = notices
        self._front = front
        self._go = go

    @property
    def present(self) -> Viewpoint:
        """What is looked at now."""
        view, front = self._picture.view, self._front()
        return Viewpoint(
            tab=view.tab,
            filter=view.filter,
            sort=view.sort,
            columns=self.columns,
            open=front.destination() if front is not None else None,
        )

    @property
    def command(self) -> str:
        """The command that shows the same, in any folder and at any time."""
        return self.command_for(self.present)

    def command_for(self, view: Viewpoint) -> str:
        """The command that shows a view as it is now, whenever it is run."""
        settings = self._settings
        fixed = view.at(settings.clock.now())
        return shell_command.for_view(settings.path, fixed, read_only=settings.read_only)

    def show(self, view: Viewpoint) -> None:
        """Show a view."""
        self.columns = view.columns
        self._go(view)

    # Under a name

    def save(self, name: str, view: Viewpoint, then: Callable[[], None]) -> None:
        """Keep a view under a name, in the place of the one that has it.

        Args:
            name: What it is called.
            view: What it shows.
            then: Called once it is written, or is not.
        """
        write = partial(kept.save, self._settings.config_file, NamedView(name, view))
        self._change(write, f"saved {inert(name)}", then)

    def delete(self, name: str, then: Callable[[], None]) -> None:
        """Take a view out of those that are kept."""
        write = partial(kept.delete, self._settings.config_file, name)
        self._change(write, f"deleted {inert(name)}", then)

    def rename(self, name: str, new: str, then: Callable[[], None]) -> None:
        """Call a view by another name."""
        write = partial(kept.rename, self._settings.config_file, name, new)
        self._change(write, f"{inert(name)} is {inert(new)} now", then)

    def _change(self, write: Callable[[], Saved], done: str, then: Callable[[], None]) -> None:
        def call() -> Saved | str:
            try:
                return write()
            except ConfigError as problem:
                return str(problem)

        def got(answer: Saved | str) -> None:
            if isinstance(answer, str):
                self._notices.tell(answer, "warn")
            else:
                self.saved = answer
                self._notices.tell(f"{done} in {self._settings.config_file}", "ok")
            then()

        find_out(self._runner, call, got)
