"""The console as a Textual app: the wiring between the file, the screens and the acts.

The way of the data: the feed's reader thread hands over a frozen `Snapshot`; it becomes a
replaceable message, then `ConsoleApp.snapshot`, then `ConsoleScreen.show_snapshot()` of the screen
in front, whose widgets compare lines and repaint the cells that changed. No widget holds a
connection. What only one screen needs (a job's detail, a graph, the ids that match) is asked of
the same thread with `ask()`, and the answer comes back as a message.

The way of an act: a screen captures ids at the key press, asks its question, and calls `act()` with
a blocking function of `gigq_tui.actions`; it runs in a thread, its report becomes a notice with the
command that does the same, and what really happened comes back through the file.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol

from rich.console import RenderableType
from textual import events, on
from textual._compositor import CompositorUpdate
from textual.binding import BindingType
from textual.driver import Driver
from textual.filter import LineFilter
from textual.screen import Screen

from gigq_tui import format as fmt
from gigq_tui.config.model import NO_LABEL, Config, Label
from gigq_tui.keys import Keymap
from gigq_tui.keys.handlers import Handler, does, handlers_of
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.looking_actions import PAUSE_VIEW
from gigq_tui.keys.screen_actions import REFRESH, REPAINT
from gigq_tui.leaving import HUNG_UP, Leaving
from gigq_tui.router import Router
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.services.messages import AnswerArrived, SnapshotArrived, TroubleArrived
from gigq_tui.services.routes import Navigation
from gigq_tui.store.clock import SYSTEM_CLOCK, Clock
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Snapshot
from gigq_tui.store.sorting import NEWEST
from gigq_tui.terminal.canvas import Canvas, Changes
from gigq_tui.terminal.driver import ConsoleDriver
from gigq_tui.terminal.line_filters import line_filters
from gigq_tui.terminal.theme import THEME_NAMES, THEMES, fitting
from gigq_tui.widgets.header import FRESH, age_class

if TYPE_CHECKING:
    from gigq_tui.demo import DemoSession

TICK_S = 1.0
NOTICE_TICKS = 12


class FeedLike(Protocol):
    """What the app needs of a feed; tests put their own here."""

    def start(self) -> None: ...

    def close(self) -> None: ...

    def show(self, view: View) -> None: ...

    def refresh(self) -> None: ...

    def ask(self, kind: str, subject: Any, callback: Callable[[Any], None]) -> None: ...


class ConsoleApp(Navigation, inherit_bindings=False):
    """The console on one queue file.

    Args:
        path: The queue file; it exists.
        python: The interpreter in which the workers' jobs run.
        chdir: The folder in which they run.
        read_only: Disable every key that writes.
        clock: Where the hour comes from.
        demo: The demonstration this console shows, or None.
        feed: Whether to read the file; tests hand snapshots over by themselves.
        liveness: What tells whether a worker's process lives; None for the real thing.
        theme: `dark`, `light`, `ansi`, or `auto` for what the terminal's colours are enough for.
        config: The user's keys and columns.
        label: What the header calls the file besides its name.
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
    ) -> None:
        super().__init__(path, python=python, chdir=chdir, read_only=read_only, demo=demo)
        self.clock = clock
        self.feed: FeedLike | None = None
        self.view = View(sort=config.sort if config else NEWEST)
        self.held = False
        self.age = FRESH
        self.trouble = ""
        self._trouble_began = 0.0
        self._waiting: Snapshot | None = None
        # What the feed has handed over last, while nobody has taken it yet.
        self._handed: SnapshotArrived | None = None
        self._handing = threading.Lock()
        self._looking_elsewhere = False
        self._wants_feed = feed
        self._liveness = liveness
        self._notice_ticks = 0
        self._canvas = Canvas()
        for known in THEMES:
            self.register_theme(known)
        self.theme = THEME_NAMES[fitting(theme, self.console.color_system, self.no_color)]
        self.config = config or Config()
        self.label = label or NO_LABEL
        self.leaving: Leaving | None = None
        self.keymap = Keymap(self.config.keys)
        self.hints = KeyHints(self.keymap)
        self.set_keymap(self.keymap.for_textual())
        self.router = Router(self)

    def get_line_filters(self) -> Sequence[LineFilter]:
        usual = super().get_line_filters()
        return line_filters(usual, colour=not self.no_color, utf8=fmt.UTF8)

    def get_driver_class(self) -> type[Driver]:
        usual = super().get_driver_class()
        return ConsoleDriver if issubclass(ConsoleDriver, usual) else usual

    def terminal_lost(self) -> None:
        """The driver can't read keys any more. From its thread."""
        if self.leaving is not None:
            self.leaving.begin(HUNG_UP)

    @property
    def is_leaving(self) -> bool:
        """Whether a signal or the end of the terminal was seen: nothing new is begun."""
        return self.leaving is not None and self.leaving.code is not None

    def give_terminal_back(self) -> None:
        """Restore the terminal although nothing of this app may go on. From any thread."""
        if isinstance(self._driver, ConsoleDriver):
            self._driver.give_back_now()

    def get_default_screen(self) -> Screen[None]:
        return JobsScreen()

    def on_mount(self) -> None:
        self.router.start()
        self._ticker = self.set_interval(TICK_S, self._tick, pause=True)
        self.set_interval(TICK_S, self._tell_age)
        # After `fg` the terminal is empty, and nothing else would be painted anew.
        self.app_resume_signal.subscribe(self, lambda _: self.do_repaint())
        if self._wants_feed:
            self._open_feed()
        if self.demo is not None:
            self.start_demo_workers(self.demo)

    def on_unmount(self) -> None:
        self.router.stop()
        if self.feed is not None:
            self.feed.close()

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

    def _display(self, screen: Screen[Any], renderable: RenderableType | None) -> None:
        # Textual's one way to the terminal: of what it paints, only what differs goes there.
        if isinstance(renderable, CompositorUpdate):
            renderable = Changes(renderable, self._canvas)
        super()._display(screen, renderable)

    def on_resize(self) -> None:
        # Each terminal moves what stands on it in its own way.
        self._canvas.forget()

    def _open_feed(self) -> None:
        from gigq_tui.store.feed import Feed
        from gigq_tui.store.reader import Reader

        factory: Any = Reader
        if self._liveness is not None:
            factory = partial(Reader, is_dead=self._liveness)
        self.feed = Feed(
            self.path,
            self.clock,
            self._hand_snapshot,
            self._hand_trouble,
            reader_factory=factory,
        )
        self.feed.start()
        self.feed.show(self.view)

    # Reading: the first three are called from other threads

    def _hand_snapshot(self, snapshot: Snapshot) -> None:
        with self._handing:
            if self._handed is not None:
                # As while an editor has the terminal: a flood must not fill the memory.
                self._handed.snapshot = snapshot
                return
            message = self._handed = SnapshotArrived(snapshot)
        self.post_message(message)

    def _hand_trouble(self, text: str, since: datetime) -> None:
        with self._handing:
            self._handed = None  # the next snapshot ends this trouble: it comes behind it
        self.post_message(TroubleArrived(text, since))

    def _hand_answer(self, receive: Callable[[Any], None], answer: Any) -> None:
        self.post_message(AnswerArrived(receive, answer))

    @on(SnapshotArrived)
    def _snapshot_arrived(self, event: SnapshotArrived) -> None:
        with self._handing:
            self._handed = None
        self.trouble = ""
        self.mind_acts()
        if self.held and self.snapshot is not None and not self._looking_elsewhere:
            self._waiting = event.snapshot
        else:
            self._looking_elsewhere = False
            self._take(event.snapshot)

    @property
    def trouble_s(self) -> float:
        """Seconds since the file could last be read."""
        return self.clock.monotonic() - self._trouble_began

    def _take(self, snapshot: Snapshot) -> None:
        self._waiting = None
        self.snapshot = snapshot
        self._redraw()

    @property
    def newest(self) -> Snapshot | None:
        return self._waiting or self.snapshot

    @on(TroubleArrived)
    def _trouble_arrived(self, event: TroubleArrived) -> None:
        if not self.trouble:
            # From here on by the clock that never jumps: the hour may be set meanwhile.
            passed = (self.clock.now() - event.since).total_seconds()
            self._trouble_began = self.clock.monotonic() - max(0.0, passed)
        self.trouble = event.text
        self._redraw(frame_only=True)

    def _redraw(self, *, frame_only: bool = False) -> None:
        screen = self.front
        if screen is not None and screen.is_whole:
            screen.refresh_frame()
            if not frame_only and self.snapshot is not None:
                screen.show_snapshot(self.snapshot)
        self.mind_the_ticker()

    def look_at(self, view: View, *, anew: bool = False) -> None:
        """Ask for a part of the table.

        Args:
            view: Which.
            anew: Whether its rows are waited for even where they are those shown now.
        """
        same = view == self.view
        if same and not anew:
            return
        self.view = view
        # A picture that is held is held again once it shows what was asked for.
        self._looking_elsewhere = True
        if self.feed is not None:
            self.feed.show(view)
            if same:
                # To the feed it is no news, and it would bring nothing.
                self.feed.refresh()

    def ask(self, kind: str, subject: Any, receive: Callable[[Any], None]) -> None:
        """Have the reader thread find something out.

        Args:
            kind: One of `gigq_tui.store.feed.KINDS`.
            subject: What that takes: a job's id, a `View`, ..
            receive: Called in the app's own thread with the value, or with the exception.
        """
        if self.feed is not None:
            self.feed.ask(kind, subject, partial(self._hand_answer, receive))

    def in_thread(self, call: Callable[[], Any], receive: Callable[[Any], None]) -> None:
        """Run something that may block, like reading a log, and hand its value to `receive`."""

        def run() -> None:
            self.post_message(AnswerArrived(receive, call()))

        self.run_worker(run, thread=True, group="looks")

    @on(AnswerArrived)
    def _answer_arrived(self, event: AnswerArrived) -> None:
        event.receive(event.answer)

    def notice(self, text: str, tone: str = "info", twin: str = "", hint: str = "") -> None:
        self._notice_ticks = NOTICE_TICKS
        super().notice(text, tone, twin, hint)

    def key_pressed(self) -> None:
        """A key was pressed: an old notice has been read."""
        screen = self.front
        if screen is not None and screen.is_whole:
            self.fresh_twin = screen.notice_line.twin
            screen.notice_line.clear()
        self._notice_ticks = 0

    def monotonic(self) -> float:
        return self.clock.monotonic()

    def now(self) -> datetime:
        return self.clock.now()

    @property
    def shows_last_act(self) -> bool:
        """Whether every act has ended, and the newest picture of the file shows what came of it."""
        if self.acting:
            return False
        newest = self.newest
        return self.acted_at is None or newest is None or newest.taken_at >= self.acted_at

    def refresh_feed(self) -> None:
        if self.feed is not None:
            self.feed.refresh()

    # Time

    def _tell_age(self) -> None:
        """Say how old a held picture is, where the class of its age has changed."""
        seconds = 0.0
        if self.held and self.snapshot is not None:
            seconds = (self.clock.now() - self.snapshot.taken_at).total_seconds()
        if age_class(seconds) != self.age:
            self.age = age_class(seconds)
            self._redraw(frame_only=True)

    def mind_the_ticker(self) -> None:
        counts = self.snapshot.counts if self.snapshot is not None else None
        timed = counts is not None and bool(counts.running or counts.delayed)
        if (
            timed
            or self.trouble
            or self._notice_ticks
            or self.acting
            or self.pool.alive()
            or self.requests.waiting
        ):
            self._ticker.resume()
        else:
            self._ticker.pause()

    def _tick(self) -> None:
        screen = self.front
        self.tell_about_workers()
        self.mind_acts()
        if screen is None or not screen.is_whole:
            return
        if self._notice_ticks:
            self._notice_ticks -= 1
            if not self._notice_ticks:
                screen.notice_line.clear()
        if self.trouble:
            screen.refresh_frame()
        if not self.held:
            screen.tick()
        self.mind_the_ticker()

    @cached_property
    def handlers(self) -> Mapping[str, Handler]:
        """What is done on any screen, by the actions' ids."""
        return handlers_of(self)

    # What works on every screen

    @does(PAUSE_VIEW)
    def do_pause_view(self) -> None:
        """Hold the picture, or take the newest one."""
        self.held = not self.held
        if not self.held and self._waiting is not None:
            self._take(self._waiting)
        else:
            self._redraw(frame_only=True)
        self._tell_age()

    @does(REFRESH)
    def do_refresh(self) -> None:
        """Read the file again, and show it even while the picture is held."""
        self._looking_elsewhere = True
        self.refresh_feed()
        self.notice("read again")

    @does(REPAINT)
    def do_repaint(self) -> None:
        """Paint the whole screen, for a terminal that lost some of it."""
        self._canvas.forget()
        self.screen.refresh(layout=True)
