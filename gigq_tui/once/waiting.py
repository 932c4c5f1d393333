"""`--wait`: until no job that matches waits or runs any more, told by the feed, without polling."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from queue import Empty, SimpleQueue

from gigq_core.errors import DatabaseMissing
from gigq_core.reasons.why import Health
from gigq_core.writing.streams import pause_while_read
from gigq_tui.format import plural
from gigq_tui.store.feed import Feed
from gigq_tui.store.filter.language import Filter, parse
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Snapshot

# A doomed job never runs by itself: whoever waited for it would wait for ever.
OPEN = parse("state:pending|state:running -state:doomed")

Say = Callable[[str], None]

# How often whoever waits is looked after, in seconds.
ASK_READER_S = 0.5


def wait_until_settled(path: Path, filter_: Filter, timeout_s: float | None, say: Say) -> bool:
    """Wait until no job that matches is still to end; a doomed one is not waited for.

    Args:
        path: The queue file; it exists. It is only read.
        filter_: Which jobs to wait for.
        timeout_s: Seconds after which to give up, or None.
        say: Gets what somebody who waits should know, each sentence once.

    Returns:
        Whether all have ended; False when the time had passed before.

    Raises:
        DatabaseMissing: The file vanished.
        BrokenPipeError: Nobody reads stdout any more.
    """
    news: SimpleQueue[Snapshot | str] = SimpleQueue()

    def trouble(text: str, since: datetime) -> None:
        news.put(text)

    feed = Feed(path, on_snapshot=news.put, on_trouble=trouble)
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    watch = _Watch(path, say)
    feed.show(View(filter=filter_ & OPEN, size=1))
    feed.start()
    try:
        while True:
            try:
                arrived = _next(news, deadline)
            except Empty:
                say(f"Timed out: {watch.told} not finished yet.")
                return False
            if watch.is_settled(arrived):
                return True
    finally:
        feed.close()


def _next(news: SimpleQueue[Snapshot | str], deadline: float | None) -> Snapshot | str:
    """What comes next.

    Raises:
        Empty: The time has passed.
        BrokenPipeError: Nobody reads stdout any more, so nobody waits.
    """
    while True:
        left = math.inf if deadline is None else max(0.0, deadline - time.monotonic())
        try:
            return news.get(timeout=min(left, ASK_READER_S))
        except Empty:
            if left <= ASK_READER_S:
                raise
            pause_while_read(0)


class _Watch:
    """What is known of the jobs that are waited for, and what was said of them already."""

    def __init__(self, path: Path, say: Say) -> None:
        self._path = path
        self._say = say
        self._said: set[str] = set()
        self._open: int | None = None

    @property
    def told(self) -> str:
        """How many jobs are open, as the beginning of a sentence."""
        if self._open is None:
            return "it is not known how many jobs are"
        return f"{plural(self._open, 'job')} {'is' if self._open == 1 else 'are'}"

    def is_settled(self, news: Snapshot | str) -> bool:
        """Take news, say what is worth it, and tell whether the wait is over."""
        if isinstance(news, str):
            if not self._path.exists():
                raise DatabaseMissing(f"{self._path} is gone: {self.told} not finished yet.")
            self._say_once(news, news)
            return False
        self._open = news.window.total
        if not self._open:
            return True
        if news.paused:
            self._say_once("paused", f"The queue is paused: {self.told} not finished yet.")
        elif not _somebody_works(news):
            self._say_once("idle", f"No workers are running: {self.told} not finished yet.")
        return False

    def _say_once(self, what: str, sentence: str) -> None:
        if what not in self._said:
            self._said.add(what)
            self._say(sentence)


def _somebody_works(snapshot: Snapshot) -> bool:
    """Whether a worker may live: one of ours that isn't surely gone, or GigQ's that holds a job."""
    gone = (Health.LOST, Health.STOPPED)
    ours = any(worker.health not in gone for worker in snapshot.workers)
    return ours or bool(snapshot.foreign_workers)
