"""What is looked at now, as words that travel."""

from __future__ import annotations

from gigq_tui.actions import shell_command
from gigq_tui.services.front import FrontNow
from gigq_tui.services.picture import Picture
from gigq_tui.services.settings import Settings
from gigq_tui.viewpoint import Viewpoint


class Views:
    """Tells what is looked at now.

    Args:
        settings: How the console was started.
        picture: Which part of the file is listed.
        front: The screen in front.
    """

    def __init__(self, settings: Settings, picture: Picture, front: FrontNow) -> None:
        self._settings = settings
        self._picture = picture
        self._front = front

    @property
    def present(self) -> Viewpoint:
        """What is looked at now."""
        view, front = self._picture.view, self._front()
        return Viewpoint(
            tab=view.tab,
            filter=view.filter,
            sort=view.sort,
            open=front.destination() if front is not None else None,
        )

    @property
    def command(self) -> str:
        """The command that shows the same, in any folder and at any time."""
        settings = self._settings
        return shell_command.for_view(settings.path, self.present, read_only=settings.read_only)
