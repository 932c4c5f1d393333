"""The console as a Textual app: it makes services, screens and feed, and joins them.

The way of the data: the feed's reader thread hands over a frozen `Snapshot`; `Reads` brings it into
the app's own thread, `Picture` shows it or lets it wait, and `ConsoleScreen.show_snapshot()` of the
screen in front draws it: its widgets compare lines and repaint the cells that changed. No widget
holds a connection. What only one screen needs (a job's detail, a graph, the ids that match) is
asked of the same thread, by `ConsoleScreen.reads`.

The way of an action: a key comes to `ConsoleApp.on_event()`, the router looks it up, and the screen
in front performs it: with one of its parts, by itself, or with a service. Ids are captured at the
key press, a question is asked, and `Actions.act()` does something that blocks in a thread; its
report becomes a notice with the command that does the same, and what really happened comes back
through the file.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import fields
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from textual import events
from textual.binding import BindingType
from textual.geometry import Offset
from textual.screen import Screen

from gigq_core.system.paths import queue_file
from gigq_tui.actions.jobs import QueueActions
from gigq_tui.actions.lanes import LaneActions
from gigq_tui.actions.schedules import ScheduleActions
from gigq_tui.actions.workers.pool import WorkerPool
from gigq_tui.actions.workers.preflight import Preflight
from gigq_tui.actions.workers.setup import WorkerSetup
from gigq_tui.columns import own_names
from gigq_tui.config.model import NO_LABEL, ChosenColumn, Config, Label
from gigq_tui.config.place import default_path
from gigq_tui.keys import Keymap
from gigq_tui.keys.handlers import Handler, collect, does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.screen_actions import REPAINT, SUSPEND
from gigq_tui.leaving import HUNG_UP, Leaving
from gigq_tui.openers import ScreenOpeners
from gigq_tui.router import Router
from gigq_tui.screens.base import ConsoleScreen, selected_cell
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.services import Services
from gigq_tui.services.actions import Actions
from gigq_tui.services.canaries import Canaries
from gigq_tui.services.copying import Copying
from gigq_tui.services.notices import Notices
from gigq_tui.services.picture import Picture
from gigq_tui.services.quitting import Quitting
from gigq_tui.services.reads import FeedLike, Reads
from gigq_tui.services.routes import Routes
from gigq_tui.services.settings import Settings
from gigq_tui.services.views import Views
from gigq_tui.services.worker_control import WorkerControl
from gigq_tui.store.clock import SYSTEM_CLOCK, Clock
from gigq_tui.store.list.view import View, usual_sort
from gigq_tui.store.models import Snapshot
from gigq_tui.terminal.app import TerminalApp
from gigq_tui.viewpoint import Viewpoint
from gigq_tui.widgets.header import FRESH, age_class

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession

TICK_S = 1.0


class ConsoleApp(TerminalApp, inherit_bindings=False):
    """The console on one queue file.

    Args:
        path: The queue file; it exists.
        python: The interpreter in which the workers' jobs run.
        chdir: The folder in which they run.
        read_only: Disable every key that writes.
        clock: What time it is.
        demo: The demonstration this console shows, or None.
        feed: Whether to read the file; tests hand snapshots over by themselves.
        liveness: What tells whether a worker's process lives; None for the real thing.
        theme: `dark`, `light`, `ansi`, or `auto` for what the terminal's colours are enough for.
        config: The user's keys and columns.
        label: What the header calls the file besides its name.
        start: What is looked at first.
        resumed: Whether that is what was looked at last.
        config_file: Where the configuration is, or would be.

    Attributes:
        leaving: What sees signals and the end of the terminal, once that is watched.
        left: What was looked at when the console was left; None before.
    """

    # The first screen's own sheet is not loaded with it by Textual, so it stands here.
    CSS_PATH: ClassVar[Any] = ["app.tcss", "screens/jobs/screen.tcss"]
    TITLE = "gigq-tui"
    ENABLE_COMMAND_PALETTE = False
    ALLOW_SELECT = False
    BINDINGS: ClassVar[list[BindingType]] = []

    def __init__(
        self,
        path: Path,
        *,
        python: str,
        chdir: Path,
        read_only: bool = False,
        clock: Clock = SYSTEM_CLOCK,
        demo: DemoSession | None = None,
        feed: bool = True,
        liveness: Any = None,
        theme: str = "dark",
        config: Config | None = None,
        label: Label | None = None,
        start: Viewpoint | None = None,
        resumed: bool = False,
        config_file: Path | None = None,
    ) -> None:
        super().__init__(theme)
        self.leaving: Leaving | None = None
        self.left: Viewpoint | None = None
        self._age = FRESH
        self._wants_feed = feed
        self._liveness = liveness
        self.services = self._make_services(
            Settings(
                path=Path(os.path.abspath(queue_file(path))),
                python=python,
                chdir=chdir,
                read_only=read_only,
                config=config or Config(),
                label=label or NO_LABEL,
                clock=clock,
                demo=demo,
                start=start or Viewpoint(),
                resumed=resumed,
                config_file=config_file or default_path(),
            )
        )
        self.set_keymap(self.services.keymap.for_textual())
        self.router = Router(self, self.services)

    def _make_services(self, settings: Settings) -> Services:
        path, clock, changed = settings.path, settings.clock, self.mind_the_ticker

        def front() -> ConsoleScreen | None:
            return self.front

        keymap = Keymap(settings.config.keys)
        hints = KeyHints(keymap)
        notices = Notices(settings.path, hints, front, changed)
        reads = Reads(clock, self.call_later, self._snapshot_arrived, self._redraw)
        start = settings.start
        sort = start.sort or usual_sort(settings.config.sort, start.tab)
        columns = start.columns or map(str, settings.config.columns)
        own = own_names(ChosenColumn.of(column).name for column in columns)
        view = View(start.tab, start.filter, sort=sort, own=own)
        picture = Picture(reads, notices, clock, view, self._redraw)
        routes = Routes(ScreenOpeners(self), notices, lambda: bool(actions.following.actions))
        views = Views(settings, self, picture, notices, front, routes.show_view)
        jobs = QueueActions(path, settings.read_only, python=settings.python, chdir=settings.chdir)
        actions = Actions(
            jobs,
            settings,
            hints,
            self,
            reads,
            picture,
            notices,
            front,
            changed,
        )
        workers = WorkerControl(
            WorkerPool(
                path,
                WorkerSetup(settings.python, settings.chdir),
                tied=settings.demo is not None,
            ),
            Preflight(path),
            settings,
            hints,
            self,
            actions,
            picture,
            notices,
            front,
        )
        return Services(
            settings=settings,
            keymap=keymap,
            hints=hints,
            notices=notices,
            reads=reads,
            picture=picture,
            actions=actions,
            lanes=LaneActions(path, jobs.undo_log, read_only=settings.read_only),
            schedules=ScheduleActions(
                path,
                jobs.undo_log,
                read_only=settings.read_only,
                python=settings.python,
                chdir=settings.chdir,
            ),
            workers=workers,
            canaries=Canaries(actions, notices, hints),
            copying=Copying(self, notices, lambda: actions.last_report, lambda: views.command),
            views=views,
            routes=routes,
            quitting=Quitting(settings, hints, actions, workers, notices, front, self.exit),
        )

    @property
    def front(self) -> ConsoleScreen | None:
        """The screen in front, if it is one of ours."""
        if not self.screen_stack:
            return None
        screen = self.screen
        return screen if isinstance(screen, ConsoleScreen) else None

    def exit(self, *args: Any, **options: Any) -> None:
        """End; what is looked at now is what was looked at last."""
        self.left = self.services.views.present
        super().exit(*args, **options)

    def place_of_cursor(self, screen: Screen[Any]) -> Offset:
        place = selected_cell(screen) if isinstance(screen, ConsoleScreen) else None
        return super().place_of_cursor(screen) if place is None else place

    def terminal_lost(self) -> None:
        """The driver can't read keys any more. From its thread."""
        if self.leaving is not None:
            self.leaving.begin(HUNG_UP)

    @property
    def is_leaving(self) -> bool:
        """Whether a signal or the end of the terminal was seen: nothing new is begun."""
        return self.leaving is not None and self.leaving.code is not None

    def get_default_screen(self) -> Screen[None]:
        return JobsScreen(self.services)

    def on_mount(self) -> None:
        self.router.start()
        self._ticker = self.set_interval(TICK_S, self._tick, pause=True)
        self.set_interval(TICK_S, self._tell_age)
        # After `fg` the terminal is empty, and nothing else would be painted anew.
        self.app_resume_signal.subscribe(self, lambda _: self.do_repaint())
        services = self.services
        if self._wants_feed:
            services.reads.start(self._make_feed(), services.picture.view)
        if services.settings.demo is not None:
            services.workers.start_demo(services.settings.demo)

    async def on_unmount(self) -> None:
        self.router.stop()
        await self.services.canaries.close()
        self.services.reads.close()

    async def on_event(self, event: events.Event) -> None:
        typed = isinstance(event, (events.Key, events.Paste))
        if self.is_leaving and (typed or isinstance(event, events.InputEvent)):
            return  # keys that stand before the end in the queue must not put it off
        # Here and nowhere else, in the order in which they come: Textual would hand them from pump
        # to pump, and one could overtake what the one before it opens.
        if isinstance(event, (events.Key, events.Paste)):
            await self.router.take(event)
        else:
            await super().on_event(event)

    def _make_feed(self) -> FeedLike:
        from gigq_tui.store.feed import Feed
        from gigq_tui.store.reader import Reader

        factory: Any = Reader
        if self._liveness is not None:
            factory = partial(Reader, is_dead=self._liveness)
        settings, reads = self.services.settings, self.services.reads
        return Feed(
            settings.path,
            settings.clock,
            reads.hand_snapshot,
            reads.hand_trouble,
            reader_factory=factory,
        )

    # What is shown

    def _snapshot_arrived(self, snapshot: Snapshot) -> None:
        self.services.actions.following.take_news()
        self.services.picture.take(snapshot)

    def _redraw(self, whole: bool = False) -> None:
        """Draw the screen in front: all that it shows of the file, or only its frame."""
        screen, shown = self.front, self.services.picture.shown
        if screen is not None and screen.is_whole:
            screen.refresh_frame()
            if whole and shown is not None:
                screen.show_snapshot(shown)
        self.mind_the_ticker()

    # Time

    def _tell_age(self) -> None:
        """Say how old the picture of a paused view is, where the class of its age has changed."""
        age = age_class(self.services.picture.age_s)
        if age != self._age:
            self._age = age
            self._redraw()

    def mind_the_ticker(self) -> None:
        """Let the ticker run while anything changes by the second."""
        services = self.services
        shown = services.picture.shown
        if (
            (shown is not None and (shown.counts.running or shown.counts.delayed))
            or services.reads.trouble
            or services.notices.is_timed
            or services.actions.running
            or services.actions.following.owes
            or services.workers.pool.alive()
            or services.workers.requests.waiting
        ):
            self._ticker.resume()
        else:
            self._ticker.pause()

    def _tick(self) -> None:
        services = self.services
        services.workers.tell_news()
        services.actions.mind()
        screen = self.front
        if screen is None or not screen.is_whole:
            return
        services.notices.tick()
        if services.reads.trouble:
            screen.refresh_frame()
        if not services.picture.paused:
            screen.tick()
        self.mind_the_ticker()

    # What works on every screen

    @cached_property
    def handlers(self) -> Mapping[str, Handler]:
        """What is done on any screen, by the actions' ids.

        Raises:
            TypeError: two of the services do the same action.
        """
        services = [getattr(self.services, field.name) for field in fields(self.services)]
        return collect([*services, self])

    @does(SUSPEND)
    def do_suspend(self) -> None:
        """Go to the shell; `fg` comes back."""
        self.action_suspend_process()

    @does(REPAINT)
    def do_repaint(self) -> None:
        """Paint the whole screen, for a terminal that lost some of it."""
        self.paint_anew()
