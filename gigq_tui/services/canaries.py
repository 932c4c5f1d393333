"""Canaries: a few jobs of a group that are retried first, followed to their end, and what then."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial

from gigq_core.changes.canary import Canary, may_go_on
from gigq_core.errors import GigQError
from gigq_tui.actions.followed import Followed
from gigq_tui.actions.report import Report
from gigq_tui.format import plural
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.screen_actions import GROUP_RETRY
from gigq_tui.services.actions import Actions
from gigq_tui.services.notices import Notices
from gigq_tui.store.failures.grouping import CAUSE
from gigq_tui.store.outcomes.states import JobNow

# How the line of a canary ends once nothing of it runs any more.
NONE_RUNS = ", 0 running"
# So long it is waited at the end of the console for the file to be written, in seconds.
LAST_WRITE_S = 2.0
# Canaries that have ended stay to be seen while there are no more than these.
MOST_KEPT = 20


@dataclass(frozen=True)
class CanaryRun:
    """One canary.

    Attributes:
        groups: The groups that its jobs are of.
        by: The name of what they are grouped by.
        title: What they are called.
        ids: Its jobs.
        others: How many other jobs the groups had then.
        then_rest: Whether these follow by themselves where it passes.
        canary: What the retry came to; None before that.
        followed: Where its jobs are; None before that is known.
        is_over: Whether all of them have ended.
    """

    groups: frozenset[str | None]
    by: str
    title: str
    ids: tuple[str, ...]
    others: int
    then_rest: bool = False
    canary: Canary | None = None
    followed: Followed | None = None
    is_over: bool = False
    number: int = field(default=0, compare=False)

    @property
    def passed(self) -> int:
        """How many have completed."""
        return self.followed.now.passed if self.followed is not None else 0

    @property
    def failed(self) -> int:
        """How many have failed again."""
        return self.followed.now.failed if self.followed is not None else 0

    @property
    def failed_here(self) -> int:
        """How many are in its groups again: of a cause, those that failed for another are not."""
        if self.followed is None or self.by != CAUSE.name:
            return self.failed
        return self.failed - self.followed.now.count(JobNow.FAILED_OTHER)

    @property
    def may_go_on(self) -> bool:
        """Whether the others may follow: all have ended, and at most a fifth failed again."""
        return self.is_over and self.passed > 0 and may_go_on(self.passed, self.failed)

    @property
    def words(self) -> str:
        """One line: "canary of 10: 8 passed, 2 failed again (same cause), 0 running"."""
        head = f"canary of {len(self.ids)}"
        if self.followed is None:
            return f"{head}: queued"
        now = self.followed.now
        same = now.failed_same
        cause = ""
        if self.failed:
            cause = " (same cause)" if same == self.failed else f" ({same} of the same cause)"
            cause = cause if same else " (another cause)"
        parts = [f"{self.passed} passed", f"{self.failed} failed again{cause}"]
        parts.append(f"{now.running} running")
        if now.waiting:
            parts.append(f"{now.waiting} waiting")
        left = len(now) - self.passed - self.failed - now.running - now.waiting
        if left and self.is_over:
            parts.append(f"{left} cancelled or gone")
        return f"{head}: {', '.join(parts)}"


class Canaries:
    """The canaries of this console.

    When one has ended, its jobs get their own priority back; so they do when the console ends.

    Args:
        actions: What acts, and follows jobs.
        notices: Where it is told that the rest follows, or does not.
        hints: What keys are called.
    """

    def __init__(self, actions: Actions, notices: Notices, hints: KeyHints) -> None:
        self._actions = actions
        self._notices = notices
        self._hints = hints
        self._runs: dict[int, CanaryRun] = {}
        # What ends that each is watched.
        self._ends: dict[int, Callable[[], None]] = {}
        self._begun = 0
        # Called whenever one has changed.
        self.changed: Callable[[], None] = lambda: None

    def of(self, groups: Iterable[str | None], by: str) -> CanaryRun | None:
        """The newest canary of any of these groups, or None.

        Args:
            groups: The values that their jobs have in common.
            by: The name of what they are grouped by.
        """
        wanted = frozenset(groups)
        # One that begins is put in from the thread that acts.
        runs = reversed(tuple(self._runs.values()))
        return next((run for run in runs if run.by == by and run.groups & wanted), None)

    @property
    def newest(self) -> CanaryRun | None:
        """The newest canary that goes on, or else the newest of all."""
        runs = tuple(reversed(tuple(self._runs.values())))
        return next((run for run in runs if not run.is_over), runs[0] if runs else None)

    def begin(self, run: CanaryRun, failure: str, rest: Sequence[str] | None = None) -> None:
        """Retry a canary, and follow it.

        Args:
            run: Which jobs, and of what.
            failure: The fingerprint of their failure, where it is one.
            rest: The jobs that follow by themselves where it passes; None for none.
        """
        self._begun += 1
        run = replace(run, number=self._begun, then_rest=rest is not None)
        report: list[Report] = []

        def call() -> Report:
            told, canary = self._actions.jobs.retry_first(run.ids, failure)
            report.append(told)
            self._runs[run.number] = replace(run, canary=canary)
            return told

        def after() -> None:
            self._keep_few()
            watcher = partial(self._heard, run.number, rest)
            self._ends[run.number] = self._actions.following.watch(report[0], watcher)
            if (followed := self._actions.following.of(report[0])) is not None:
                self._heard(run.number, rest, followed)
            else:
                # None of them could be retried.
                del self._runs[run.number]
            self.changed()

        self._actions.act(call, after)

    def _keep_few(self) -> None:
        ended = [number for number, run in tuple(self._runs.items()) if run.is_over]
        for number in ended[: max(0, len(self._runs) - MOST_KEPT)]:
            del self._runs[number]

    def _heard(self, number: int, rest: Sequence[str] | None, followed: Followed) -> None:
        run = self._runs.get(number)
        if run is None or run.is_over:
            return
        run = self._runs[number] = replace(run, followed=followed, is_over=followed.is_over)
        if run.is_over and run.canary is not None:
            self._ends.pop(number)()
            self._actions.act(partial(self._end, run.canary))
            if rest is not None:
                self._go_on(run, rest)
        self.changed()

    def _end(self, canary: Canary) -> None:
        self._actions.jobs.end_canary(canary)

    def _go_on(self, run: CanaryRun, ids: Sequence[str]) -> None:
        if run.may_go_on:
            if ids:
                self._actions.act(partial(self._actions.jobs.retry, ids))
        else:
            key = self._hints(GROUP_RETRY)
            self._notices.tell(
                f"{run.words}: the other {plural(len(ids), 'job')} not retried; {key} asks again",
                "warn",
            )

    async def close(self) -> None:
        """Give the jobs of canaries that go on their own priority again: nobody follows them."""
        for run in [run for run in tuple(self._runs.values()) if not run.is_over]:
            if run.canary is not None:
                ending = asyncio.to_thread(self._end, run.canary)
                with suppress(GigQError, OSError, asyncio.TimeoutError):
                    await asyncio.wait_for(ending, LAST_WRITE_S)
        self._runs.clear()
