"""What every screen of the console shares: header, question, notice, key bar, and the way to act.

How to write a screen:

* extend `ConsoleScreen`, set `SCOPE` and `BINDINGS = bindings_for(SCOPE)`, yield your widgets from
  `compose_body()`, and name a `.tcss` beside the module in `CSS_PATH`;
* `show_snapshot(snapshot)` is called with each new picture of the file, and when the screen comes
  to the front; what a snapshot does not hold is asked for with `self.reads.ask(...)`;
* for each action of your scope there is one method marked `@does(ACTION)`: on the screen, on one of
  its `parts`, or on a service; movement is done for you on the widget that `mover()` returns;
* `crumbs()` names the way from the jobs screen, for the header; `destination()` is the word by
  which a view leads here, and has its line in `viewpoint.SCREEN_WORDS` and in `app`;
* what it does it does by `self.services`; what it wants to know it asks of `self.reads`;
* `question(...)` asks a person.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import ClassVar, Protocol, cast

from textual import events, on
from textual.app import ComposeResult
from textual.geometry import Offset
from textual.screen import Screen
from textual.widget import Widget

from gigq_tui.actions.question import Question
from gigq_tui.keys import ALWAYS, BY_ID, Context, Scope, bar_actions
from gigq_tui.keys.action import Action
from gigq_tui.keys.handlers import Handler, collect, does, handlers_of
from gigq_tui.keys.screen_actions import BACK, LEAVE
from gigq_tui.screens.parts.movement import Movement
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.services import Services
from gigq_tui.store.models import JobRow, Snapshot
from gigq_tui.viewpoint import Destination
from gigq_tui.widgets.header import TALL, WIDE, HeaderBar, HeaderState, age_class
from gigq_tui.widgets.key_bar import KeyBar
from gigq_tui.widgets.lines import Lines
from gigq_tui.widgets.notice import NoticeLine
from gigq_tui.widgets.question import QuestionPanel
from gigq_tui.widgets.row_list import RowList
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.takes_keys import OVERLAY, Overlay, TakesKeys
from gigq_tui.widgets.typed_line import TypedLine


class App(Protocol):
    """What a screen asks of the app."""

    @property
    def handlers(self) -> Mapping[str, Handler]:
        """What is done on any screen, by the actions' ids."""


def selected_cell(screen: ConsoleScreen) -> Offset | None:
    """The cell of the selected row; None where a field is typed into, or there is no row."""
    mover = screen.mover() if screen.is_attached and screen.focused is None else None
    if mover is None or not mover.is_attached:
        return None
    row = mover.cursor - mover.top if isinstance(mover, RowList) else 0
    return mover.region.offset + Offset(0, max(0, row))


class ConsoleScreen(Screen[None], inherit_bindings=False):
    """A screen with the console's header at its top and its notice and keys at the bottom."""

    SCOPE: ClassVar[Scope]
    parts: Sequence[Part] = ()
    AUTO_FOCUS = ""
    ALLOW_SELECT = False
    HORIZONTAL_BREAKPOINTS = [  # noqa: RUF012
        (0, "-narrow"),
        (WIDE, "-wide"),
    ]
    VERTICAL_BREAKPOINTS = [(0, "-short"), (TALL, "-tall")]  # noqa: RUF012

    def __init__(self, services: Services) -> None:
        super().__init__()
        self.services = services
        self.reads = ScreenReads(services.reads, self)
        # Since when it is in front, and shows this list or this job, by `time.monotonic()`:
        # whoever typed before has not seen what a key is about.
        self.front_since = self.shown_since = time.monotonic()

    def compose(self) -> ComposeResult:
        # What the size decides is decided before the first layout: later it would paint twice.
        width, height = self.app.size
        self.add_class("-wide" if width >= WIDE else "-narrow")
        self.add_class("-tall" if height >= TALL else "-short")
        header = HeaderBar(id="header")
        header.tell(self.header_state())
        yield header
        yield from self.compose_body()
        yield QuestionPanel(id="question")
        yield NoticeLine(id="notice")
        yield KeyBar(id="keys")

    @property
    def is_here(self) -> bool:
        """Whether it is there to hear an answer: it has come, and has not gone."""
        return self.is_attached and self.is_whole

    @property
    def is_whole(self) -> bool:
        """Whether its widgets are there: not before it is composed, nor while the app ends."""
        return self.is_mounted and bool(self.query(KeyBar))

    def compose_body(self) -> Iterable[Widget]:
        """Yield what stands between the header and the bottom lines."""
        return ()

    # What a screen tells about itself

    def crumbs(self) -> tuple[str, ...]:
        """The names that lead here from the jobs screen; empty for the jobs screen itself."""
        return (self.SCOPE.value,)

    def destination(self) -> Destination | None:
        """The word that opens it again as it is; None where a view leads to the list alone."""
        return None

    def mover(self) -> Scrolled | None:
        """The widget that the movement keys move."""
        return None

    def current_row(self) -> JobRow | None:
        """The job that keys act on, or None."""
        return None

    def marked_count(self) -> int:
        """How many rows are marked."""
        return 0

    def context(self) -> Context:
        """What the registry looks at to say what can be done now."""
        return Context(
            read_only=self.services.settings.read_only,
            snapshot=self.services.picture.shown,
            row=self.current_row(),
            marked=self.marked_count(),
        )

    # What the app tells a screen

    def show_snapshot(self, snapshot: Snapshot) -> None:
        """Draw a new picture of the file."""

    def shows_anew(self) -> None:
        """Note that something else is on the screen from now on."""
        self.shown_since = time.monotonic()

    def on_screen_resume(self) -> None:
        self.front_since = self.shown_since = time.monotonic()
        self.refresh_frame()
        if self.services.picture.shown is not None:
            self.show_snapshot(self.services.picture.shown)

    def tick(self) -> None:
        """Called once a second while a job runs: redraw elapsed times, and nothing else."""

    def refresh_frame(self) -> None:
        """Draw header and key bar anew, where they changed."""
        if not self.is_whole:
            return
        self.query_one(HeaderBar).tell(self.header_state())
        actions = self.services.keymap.rebound(bar_actions(self.SCOPE))
        self.query_one(KeyBar).tell(actions, self.context())

    def header_state(self) -> HeaderState:
        """What the header shows."""
        settings, picture = self.services.settings, self.services.picture
        reads = self.services.reads
        return HeaderState(
            path=settings.path,
            read_only=settings.read_only,
            snapshot=picture.shown,
            held=picture.paused,
            trouble=reads.trouble,
            trouble_s=reads.trouble_s,
            age=age_class(picture.age_s),
            crumbs=self.crumbs(),
            label=settings.label,
            hints=self.services.hints,
        )

    # What the router asks

    @property
    def overlays(self) -> list[Overlay]:
        """The panels that lie over this screen and are open."""
        panels = (child for child in self.children if child.has_class(OVERLAY))
        return [panel for panel in panels if isinstance(panel, Overlay) and panel.is_open]

    @property
    def is_steady(self) -> bool:
        """Whether all of it is there: nothing is still being mounted, or taken away."""
        if not self.is_whole:
            return False
        laid_over = sum(child.has_class(OVERLAY) for child in self.children)
        widgets = self.walk_children(Widget)
        return laid_over == len(self.overlays) and all(widget.is_mounted for widget in widgets)

    @property
    def over(self) -> TakesKeys | None:
        """What lies over the screen and is asked first: a question, or a panel."""
        if self.panel.is_open:
            return self.panel
        return next(iter(self.overlays), None)

    @property
    def typed_into(self) -> TakesKeys | None:
        """What is typed into, if anything: it is asked before keys mean actions."""
        if (line := self._typed_line) is not None:
            return line
        for part in self.parts:
            if (taker := part.typed_into) is not None:
                return taker
        focused = self.focused
        return focused if isinstance(focused, TakesKeys) else None

    @property
    def _typed_line(self) -> TypedLine | None:
        """The line of this screen in which words are typed now."""
        return next((line for line in self.walk_children(TypedLine) if line.typing), None)

    def take_key(self, event: events.Key) -> bool:
        """Handle a key that belongs to no action; say whether it meant anything here."""
        return any(part.takes_key(event) for part in self.parts)

    @property
    def expects(self) -> bool:
        """Whether something that a key asked for is about to change what keys mean here."""
        return self.reads.expects or any(part.expects for part in self.parts)

    def give_up(self) -> None:
        """Expect nothing any longer: it may still come."""
        self.reads.give_up()

    def awaits(self, action: Action) -> bool:
        """Whether an action is about something that was asked for, and is not on the screen yet."""
        return any(part.awaits(action) for part in self.parts)

    # Acting

    @cached_property
    def handlers(self) -> Mapping[str, Handler]:
        """What this screen does by itself, by the actions' ids: a part's, or its own."""
        return {**collect((Movement(self._move), *self.parts)), **handlers_of(self)}

    def perform(self, action: Action) -> None:
        """Do one action of the registry, or say in a notice why it can't be done now."""
        if self.panel.is_open and action.id not in ALWAYS:
            return
        if any(part.forestalls(action) for part in self.parts):
            return
        if (line := self._typed_line) is not None and action.id not in ALWAYS:
            # The mouse came in between: what was typed stays.
            line.close(kept=True)
        self.services.notices.key_pressed()
        refusal = action.refusal(self.context())
        if refusal:
            self.services.notices.tell(refusal, "warn")
            return
        handler = self.handlers.get(action.id) or cast(App, self.app).handlers[action.id]
        handler()

    def action_perform(self, action_id: str) -> None:
        """The one Textual action behind every key."""
        self.perform(BY_ID[action_id])

    @on(KeyBar.Pressed)
    def _key_clicked(self, event: KeyBar.Pressed) -> None:
        self.perform(BY_ID[event.action_id])

    @property
    def panel(self) -> QuestionPanel:
        """The question panel of this screen."""
        return self.query_one(QuestionPanel)

    @property
    def notice_line(self) -> NoticeLine:
        """The notice line of this screen."""
        return self.query_one(NoticeLine)

    def lay_over(self, panel: Widget) -> None:
        """Lay a panel over this screen, unless one of its kind lies there already."""
        if not self.query(type(panel)):
            # In a layer of its own it covers lines and moves nothing.
            self.styles.layers = "default palette"
            self.mount(panel)

    def question(self, question: Question) -> None:
        """Ask in the panel; the chosen choice acts. Ids must be captured before."""
        for overlay in self.overlays:
            overlay.close()
        self.panel.ask(question, self.question_hosts())

    def amend_question(self, question: Question, amended: Question) -> None:
        """Put another in the place of a question, where that is still open."""
        if self.panel.question is question:
            self.panel.amend(amended, self.question_hosts())

    def question_hosts(self) -> Iterable[Lines]:
        """The widgets that a question may hang over, the best first."""
        mover = self.mover()
        return () if mover is None else (mover,)

    def on_resize(self) -> None:
        if self.is_mounted and self.panel.is_open:
            self.call_after_refresh(lambda: self.panel.hang(self.question_hosts()))

    def on_click(self, event: events.Click) -> None:
        if self.panel.is_open:
            self.panel.take_click(event)

    def _move(self, move: Callable[[Scrolled], None]) -> None:
        mover = self.mover()
        if mover is not None:
            move(mover)

    # Leaving

    @does(BACK)
    def do_back(self) -> None:
        """Go back to the screen before this one."""
        self.services.routes.back()

    @does(LEAVE)
    def do_leave(self) -> None:
        """Go back too; the jobs screen quits."""
        self.services.routes.back()
