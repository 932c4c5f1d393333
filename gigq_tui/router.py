"""The one way of keys and paste: each is judged in the order typed, once its turn has come.

Over a slow line, or on a busy machine, many keys come in one go. Each means what it would mean if
it were typed after all those before it had done their work: so each waits, for a bounded time,
until the screen that the last one opened is whole, until what it set off has been handled, until
the answer that it asked for is there, and until the rows that it is about are on the screen. Then
what is open there is asked first: a question, a panel, what is typed into; and only then is it the
key of an action.

What waits too long is dropped with all that was typed behind it, and that is told: a key never
reaches a meaning that was not on the screen when its turn came.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from textual import events
from textual.widget import Widget

from gigq_tui.keys import ALWAYS, BEFORE_FIELDS, Action, action_of
from gigq_tui.keys.key_names import is_typed, key_label
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.typed_ahead import WAITS_AT_MOST_S, is_about_rows
from gigq_tui.services import Services

# A screen takes longer than this to be built on no machine that anybody types at.
STEADY_WITHIN_S = 10.0
# An act takes longer where another process holds the file's lock: then keys go on without it.
ACT_WITHIN_S = 2.0
# Whoever hands over a key waits no longer than this for what needs nothing of theirs.
AT_ONCE_S = 3.0
# How long there is nothing to do but to look again, at first and at most.
FIRST_PAUSE_S = 0.002
LONGEST_PAUSE_S = 0.05


class Typed(NamedTuple):
    """A key or a paste, and when it came from the terminal, by `time.monotonic()`."""

    event: events.Key | events.Paste
    at: float


class Dropped(Exception):
    """What was typed ahead is dropped; the text is the sentence that says why."""


class Console(Protocol):
    """What the router asks of the app."""

    app_focus: bool

    @property
    def front(self) -> ConsoleScreen | None:
        """The screen in front."""

    @property
    def is_leaving(self) -> bool:
        """Whether the console is about to end."""

    def call_later(self, callback: Callable[[Exception], None], fault: Exception) -> object:
        """Do something in the app's own turn."""


class Router:
    """Takes keys and paste as they come, and gives each to whom it belongs to at its turn.

    Args:
        app: The console; nothing is asked of it before `start()`.
        services: What it does, and what it waits for.
    """

    def __init__(self, app: Console, services: Services) -> None:
        self._app = app
        self._keymap = services.keymap
        self._notices = services.notices
        self._reads = services.reads
        self._actions = services.actions
        self._clock = services.settings.clock
        self._typed: deque[Typed] = deque()
        self._came = asyncio.Event()
        # Set while there is nothing to judge, or only what waits for something.
        self._rests = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        # When the question was asked that a key opened at once, on what stood on the screen: it
        # may be answered by what is typed right behind that key.
        self._foreseen_at = 0.0
        # The number of the last action that was waited for in vain: it is not waited for again.
        self._gave_up_on = 0
        self._judging = False

    def start(self) -> None:
        """Begin to judge; what has come before is judged now."""
        self._task = asyncio.create_task(self._run())

    def stop(self) -> None:
        """End; what has not been judged never is."""
        if self._task is not None:
            self._task.cancel()
        self._task = None
        self._rests.set()

    @property
    def is_idle(self) -> bool:
        """Whether all that has come so far has been judged."""
        return not self._typed and not self._judging

    async def has_come_to_rest(self) -> None:
        """Return once all that has come is judged, or has looked and waits for what isn't there."""
        if self._task is not None and not self.is_idle:
            self._rests.clear()
            await self._rests.wait()

    async def take(self, event: events.Key | events.Paste) -> None:
        """Take a key or a paste, in the order in which they come.

        What can be judged at once has been when this returns; what must wait does so by itself,
        since what it waits for may come through whoever calls this.
        """
        self._typed.append(Typed(event, event.time))
        self._rests.clear()
        self._came.set()
        if self._task is not None:
            with suppress(asyncio.TimeoutError):
                await asyncio.wait_for(self._rests.wait(), AT_ONCE_S)

    async def _run(self) -> None:
        try:
            while True:
                await self._came.wait()
                self._came.clear()
                self._judging = True
                while self._typed:
                    typed = self._typed.popleft()
                    try:
                        await self._judge(typed)
                    except Dropped as why:
                        self._drop(typed, str(why))
                self._judging = False
                self._rests.set()
        except Exception as fault:  # noqa: BLE001 - raised where the app ends because of it
            self._task = None
            self._rests.set()
            self._app.call_later(_raise, fault)

    def _drop(self, typed: Typed, why: str) -> None:
        """Forget what has come so far, but for what leaves the console in any case."""
        behind, self._typed = self._typed, deque()
        front = self._app.front
        self._notices.tell(why, "warn")
        for each in (typed, *behind):
            if isinstance(each.event, events.Key) and front is not None and front.is_whole:
                action = action_of(each.event.key, front.SCOPE, self._keymap)
                if action is not None and action.id in ALWAYS and not is_typed(each.event.key):
                    front.perform(action)

    # One after the other

    async def _judge(self, typed: Typed) -> None:
        """Give one key or paste to whom it belongs to, once its turn has come.

        Raises:
            Dropped: it has not come in time.
        """
        event = typed.event
        while (screen := await self._steady_front()) is not None:
            if not self._app.app_focus:
                # What had the focus gets it back: it lost it to nobody.
                self._app.app_focus = True
                continue
            key = event.key if isinstance(event, events.Key) else ""
            action = action_of(key, screen.SCOPE, self._keymap) if key else None
            if action is not None and action.id in ALWAYS and not is_typed(key):
                screen.perform(action)
                return
            if screen.expects:
                await self._wait_for_what_is_expected(screen)
                continue
            began = time.monotonic()
            if not self._hand_out(screen, typed, action):
                assert action is not None
                if await self._has_waited(screen, action):
                    continue
                screen.perform(action)
            about_rows = action is None or is_about_rows(action)
            if typed.at >= (screen.shown_since if about_rows else screen.front_since):
                self._foresee(began)
            return

    def _hand_out(self, screen: ConsoleScreen, typed: Typed, action: Action | None) -> bool:
        """Give a key or paste to what is open; false where it is for the action."""
        event = typed.event
        part = screen.over or screen.typed_into
        if isinstance(event, events.Paste):
            if part is not None:
                part.take_paste(event.text)
            return True
        if self._is_unforeseen(screen, typed):
            self._notices.tell(
                f"{key_label(event.key)} was typed before this question was on the screen: "
                "press it again",
                "warn",
            )
            return True
        if action is not None and action.id in BEFORE_FIELDS and screen.over is None:
            return False
        if part is not None and part.take_key(event):
            return True
        if action is None:
            screen.take_key(event)
        return action is None

    def _is_unforeseen(self, screen: ConsoleScreen, typed: Typed) -> bool:
        """Whether a key would say yes to a question that nobody could know when it was typed.

        What the question is about was not on the screen: the rows of another list, or a number
        that was asked of the file. No is always heard.
        """
        panel = screen.panel
        if panel.question is None or panel.question.harmless:
            return False
        if typed.at >= panel.asked_at or panel.asked_at == self._foreseen_at:
            return False
        assert isinstance(typed.event, events.Key)
        return bool(panel.answer(typed.event.key))

    def _foresee(self, began: float) -> None:
        """Remember a question that was asked since, of what stood on the screen."""
        front = self._app.front
        if front is not None and front.is_whole and front.panel.asked_at >= began:
            self._foreseen_at = front.panel.asked_at

    # Turns

    async def _has_waited(self, screen: ConsoleScreen, action: Action) -> bool:
        """Wait for what an action must see done, or must see; false where nothing is wanting.

        Raises:
            Dropped: what it is about has not come in time.
        """
        if not self._actions.is_shown and self._gave_up_on != self._actions.begun:
            if not await self._until(lambda: self._actions.is_shown, ACT_WITHIN_S, time.monotonic):
                self._gave_up_on = self._actions.begun
            return True
        if screen.awaits(action):
            await self._wait_for_what_it_is_about(screen, action)
            return True
        return False

    async def _wait_for_what_is_expected(self, screen: ConsoleScreen) -> None:
        came = await self._until(
            lambda: not screen.expects or self._app.front is not screen,
            WAITS_AT_MOST_S,
            time.monotonic,
        )
        if not came:
            screen.give_up()
            raise Dropped("Keys typed ahead were dropped: there was no answer yet.")

    async def _wait_for_what_it_is_about(self, screen: ConsoleScreen, action: Action) -> None:
        """Wait for rows by the app's own clock: how long is too long is the reader's matter."""
        app = self._app
        since = self._clock.monotonic()
        while screen.awaits(action) and app.front is screen:
            if self._reads.trouble:
                raise Dropped("The rows that this key acts on can't be read now.")
            await self._until(
                lambda: not screen.awaits(action) or bool(self._reads.trouble),
                WAITS_AT_MOST_S,
                self._clock.monotonic,
            )
            if self._clock.monotonic() - since >= WAITS_AT_MOST_S:
                raise Dropped("Keys typed ahead were dropped: the rows were not there yet.")

    async def _until(
        self, holds: Callable[[], bool], within_s: float, clock: Callable[[], float]
    ) -> bool:
        """Wait until something holds; false where it does not in so many seconds of the clock."""
        end = clock() + within_s
        pause = FIRST_PAUSE_S
        while not holds():
            if clock() >= end:
                return False
            self._rests.set()
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE_S)
        return True

    async def _steady_front(self) -> ConsoleScreen | None:
        """Wait until the screen in front is whole, and has handled what came to it so far.

        Returns:
            The screen; None where the app ends.

        Raises:
            Dropped: it has not come to rest in time.
        """
        app = self._app
        end = time.monotonic() + STEADY_WITHIN_S
        pause = FIRST_PAUSE_S
        while (left := end - time.monotonic()) > 0:
            front = app.front
            if app.is_leaving or (front is not None and not front.is_attached):
                return None
            if front is None or not front.is_steady:
                await asyncio.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)
            elif await self._has_rested(front, left) and front is app.front and front.is_steady:
                return front
            else:
                # It gets on by itself, at its own turn.
                await asyncio.sleep(0)
        raise Dropped("Keys typed ahead were dropped: the screen was not ready yet.")

    async def _has_rested(self, front: ConsoleScreen, within_s: float) -> bool:
        """Let all messages be handled that wait now; say whether those were all there are.

        A message goes from a widget to the one around it, up to the screen: on the same way, each
        is asked in its turn whether it has come to what was put there behind those.
        """
        widgets = front.walk_children(Widget)
        pumps: list[Widget] = [widget for widget in widgets if widget.message_queue_size]
        rested = not pumps and not front.message_queue_size
        if (focused := front.focused) is not None:
            way = focused.ancestors_with_self
            pumps += [node for node in way if isinstance(node, Widget) and node not in pumps]
        if front not in pumps:
            pumps.append(front)
        try:
            await asyncio.wait_for(_pass_through(pumps), within_s)
        except asyncio.TimeoutError:
            return False
        return rested and not any(pump.message_queue_size for pump in (*widgets, front))


async def _pass_through(pumps: Sequence[Widget]) -> None:
    for pump in pumps:
        passed = asyncio.Event()
        if pump.call_later(passed.set):
            await passed.wait()


def _raise(fault: Exception) -> None:
    raise fault
