"""What the console can do, in plain objects that know no screen.

`ConsoleApp` makes them once and hands them to every screen. A part of a screen takes the one or two
that it uses. An action that works on any screen is a method of one of them, marked `@does(IT)`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from gigq_tui.actions.lanes import ChangesLanes
    from gigq_tui.actions.schedules import ChangesSchedules
    from gigq_tui.keys import Keymap
    from gigq_tui.keys.hints import KeyHints
    from gigq_tui.services.actions import Actions
    from gigq_tui.services.canaries import Canaries
    from gigq_tui.services.copying import Copying
    from gigq_tui.services.notices import Notices
    from gigq_tui.services.picture import Picture
    from gigq_tui.services.quitting import Quitting
    from gigq_tui.services.reads import Reads
    from gigq_tui.services.routes import Routes
    from gigq_tui.services.settings import Settings
    from gigq_tui.services.views import Views
    from gigq_tui.services.worker_control import WorkerControl


@dataclass(frozen=True)
class Services:
    """The services of one console."""

    settings: Settings
    keymap: Keymap
    hints: KeyHints
    notices: Notices
    reads: Reads
    picture: Picture
    actions: Actions
    lanes: ChangesLanes
    schedules: ChangesSchedules
    workers: WorkerControl
    canaries: Canaries
    copying: Copying
    routes: Routes
    views: Views
    quitting: Quitting
