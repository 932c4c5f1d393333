"""The stream of snapshots: one thread that reads when, and only when, there is something new.

File events are a hint, SQLite's data version is the truth, and a slow look is the floor under
both. All reading is done on that one thread, and the callbacks are called from it.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TypeVar

from gigq_core.errors import DatabaseBusy, DatabaseError, FileChanged, FilesLost
from gigq_core.system.change_hints import LADDER_S, ChangeHints
from gigq_core.system.paths import queue_file
from gigq_tui.store.clock import SYSTEM_CLOCK, Clock
from gigq_tui.store.door import Interrupted
from gigq_tui.store.file_identity import FileIdentity, holders_of_deleted
from gigq_tui.store.filter.language import FilterError
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Snapshot
from gigq_tui.store.questions import Questions, ReaderFactory, ReaderLike
from gigq_tui.store.reader import Reader

# Without any hint the file is looked at this often, and so are the workers' processes.
FLOOR_S = 1.0
# A flood of changes is told at most this often.
LEAST_BETWEEN_S = 0.1
# What a snapshot cost, times this, is the pause before the next.
REST_FACTOR = 4.0
# How often a rate that fades with time alone is told again.
FADE_S = 2.0
# A thread that hangs in a read of a dead disk is left behind: it is a daemon.
CLOSE_WITHIN_S = 1.0
# A read that takes longer is told, and looked for this often; a lock is waited for that long less.
SLOW_S = 2.5
WATCH_S = 0.5

_Value = TypeVar("_Value")
OnSnapshot = Callable[[Snapshot], None]
OnTrouble = Callable[[str, datetime], None]


class Feed:
    """Keeps somebody told of a queue file.

    Args:
        path: the queue file. It may vanish, be replaced or be locked meanwhile.
        clock: what the hour is for those who are told; the pace is kept by the machine's clock.
        on_snapshot: gets every new snapshot.
        on_trouble: gets a sentence and since when, once for each trouble; a snapshot ends it.
        reader_factory: opens the file; it is called on the feed's own thread.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock = SYSTEM_CLOCK,
        on_snapshot: OnSnapshot = lambda snapshot: None,
        on_trouble: OnTrouble = lambda text, since: None,
        *,
        reader_factory: ReaderFactory = Reader,
    ) -> None:
        self._path = path = queue_file(path)
        self._clock = clock
        self._on_snapshot = on_snapshot
        self._on_trouble = on_trouble
        self._open_reader = reader_factory
        self._changed = threading.Condition()
        # Guarded by `_changed`:
        self._view = View()
        self._view_changed = True
        self._hinted = False
        self._closed = False
        self._asked: deque[Callable[[], Callable[[], None]]] = deque()
        self._snapping: ReaderLike | None = None
        self._reading_since: float | None = None
        self._slow = False
        # The feed's own thread only:
        self._reader: ReaderLike | None = None
        self._place = FileIdentity(path)
        # The WAL or the index was deleted under programs that still use it: nothing new is true.
        self._lost = False
        self._trouble: tuple[str, datetime] | None = None
        self._last: Snapshot | None = None
        self._next_at = 0.0
        self._told_at = 0.0
        self._hints: ChangeHints | None = None
        self._thread = threading.Thread(target=self._run, name="feed", daemon=True)
        self._watch = threading.Thread(target=self._watch_reads, name="feed-watch", daemon=True)

    # --- from any thread -----------------------------------------------------------------------

    def start(self) -> None:
        """Begin; the first snapshot comes as soon as the file is read."""
        self._thread.start()
        self._watch.start()

    def close(self) -> None:
        """End: no callback is called afterwards. Safe to call twice, and before `start`."""
        with self._changed:
            self._closed = True
            self._interrupt()
            self._changed.notify_all()
        for thread in (self._thread, self._watch):
            if thread.is_alive() and threading.current_thread() is not thread:
                thread.join(CLOSE_WITHIN_S)

    def show(self, view: View) -> None:
        """Look at another part of the table; a read for the part before is given up."""
        with self._changed:
            if view == self._view:
                return
            self._view = view
            self._view_changed = True
            self._interrupt()
            self._changed.notify_all()

    def refresh(self) -> None:
        """Tell a snapshot even if nothing has changed."""
        with self._changed:
            self._view_changed = True
            self._changed.notify_all()

    def ask(
        self,
        read: Callable[[Questions], _Value],
        got: Callable[[_Value], None],
        failed: Callable[[Exception], None],
    ) -> None:
        """Read something else between two snapshots.

        Args:
            read: asks the reader; it may be called twice.
            got: gets the answer.
            failed: gets the `DatabaseError` or `FilterError` instead.
        """
        with self._changed:
            self._asked.append(lambda: self._answer_to(read, got, failed))
            self._changed.notify_all()

    def _interrupt(self) -> None:
        if self._snapping is not None:
            self._snapping.interrupt()

    def _hint(self) -> None:
        with self._changed:
            self._hinted = True
            self._changed.notify_all()

    # --- the watch's thread --------------------------------------------------------------------

    def _watch_reads(self) -> None:
        """Tell of a read that hangs, since the thread it hangs in can't."""
        with self._changed:
            while not self._closed:
                since, now = self._reading_since, time.monotonic()
                if since is not None and now - since >= SLOW_S and not self._slow:
                    self._slow = True
                    text = f"{self._path.name} is still being read: a slow disk, or a long search."
                    # Still under the lock: what the read brings is told after this.
                    self._on_trouble(text, self._clock.now() - timedelta(seconds=now - since))
                until = now + WATCH_S
                while not self._closed and (left := until - time.monotonic()) > 0:
                    self._changed.wait(left)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """While this lasts, the watch looks how long it does."""
        with self._changed:
            self._reading_since = time.monotonic()
        try:
            yield
        finally:
            with self._changed:
                self._reading_since = None

    # --- the feed's own thread -----------------------------------------------------------------

    def _run(self) -> None:
        try:
            while self._wait():
                try:
                    self._answer()
                    self._look()
                except Exception as fault:  # noqa: BLE001 - a silent end would look like fresh data
                    self._survive(fault)
        finally:
            self._drop_reader()
            if self._hints is not None:
                self._hints.close()

    def _survive(self, fault: Exception) -> None:
        """Tell a fault of ours, or of whoever is told, and begin anew after a pause."""
        self._drop_reader()
        with suppress(Exception):
            self._tell_trouble(_unreadable(self._path, fault), False)
        with self._changed:
            if not self._closed:
                self._changed.wait(FLOOR_S)

    def _wait(self) -> bool:
        """Sleep until there may be something to do; False when the feed was closed."""
        with self._changed:
            if not (self._closed or self._view_changed or self._hinted or self._asked):
                self._changed.wait(self._pause_s())
            return not self._closed

    def _pause_s(self) -> float:
        if self._reader is None:
            return FLOOR_S
        owed = (self._reader.owed_in(), self._reader.forecast_in())
        soonest = min((s for s in owed if s is not None), default=FLOOR_S)
        return min(FLOOR_S, max(soonest, LEAST_BETWEEN_S))

    def _answer(self) -> None:
        """Answer what was asked, one after another."""
        while True:
            with self._changed:
                if not self._asked or self._closed:
                    return
                question = self._asked.popleft()
            tell = question()
            with self._changed:
                if self._closed:
                    return
            tell()

    def _answer_to(
        self,
        read: Callable[[Questions], _Value],
        got: Callable[[_Value], None],
        failed: Callable[[Exception], None],
    ) -> Callable[[], None]:
        """Read what was asked; returns what tells it."""
        problem: Exception
        for _ in range(2):
            try:
                with self._reading():
                    reader = self._opened()
                    reader.rearm()
                    return partial(got, read(reader))
            except Interrupted as stopped:  # meant for a snapshot that had just ended
                problem = stopped
            except FileChanged as changed:
                self._drop_reader()
                problem = changed
            except (DatabaseError, FilterError) as trouble:
                problem = self._doubt(trouble)
                break
            except Exception as fault:  # noqa: BLE001 - whoever asked waits for an answer
                self._drop_reader()
                problem = _unreadable(self._path, fault)
                break
        return partial(failed, problem)

    def _look(self) -> None:
        """Tell a snapshot if there is anything new to tell."""
        with self._changed:
            wanted, self._view_changed = self._view_changed, False
            hinted, self._hinted = self._hinted, False
        try:
            with self._reading():
                reader = self._opened()
                reader.rearm()
                news = self._in_trouble() or wanted or self._is_news(reader, hinted)
            if news or self._in_trouble():
                self._tell(reader, at_once=wanted)
            # One step of the forecast between two pictures.
            if reader.forecast_in() == 0.0:
                with self._reading():
                    if reader.look_ahead():
                        self.refresh()
        except Interrupted:
            pass  # whoever interrupted has said what is wanted instead
        except FileChanged:
            self._drop_reader()
            self._hint()  # a writer has come: with another reader
        except (DatabaseError, FilterError) as problem:
            self._tell_trouble(self._doubt(problem), wanted)

    def _in_trouble(self) -> bool:
        """Whether trouble was told last: then the next snapshot is news by itself."""
        with self._changed:
            return self._slow or self._trouble is not None

    def _is_news(self, reader: ReaderLike, hinted: bool) -> bool:
        if reader.data_version() != reader.version_read:
            return True
        if hinted and self._climb(reader):
            return True
        if reader.liveness_changed() or reader.owed_in() == 0.0:
            return True
        rate = self._last.finished_per_s if self._last is not None else None
        return bool(rate) and time.monotonic() - self._told_at >= FADE_S

    def _climb(self, reader: ReaderLike) -> bool:
        """Look again for some milliseconds: the event that hinted came before its commit."""
        for pause_s in LADDER_S:
            with self._changed:
                if self._closed or self._view_changed or self._asked:
                    return False
                self._changed.wait(pause_s)
            if reader.data_version() != reader.version_read:
                return True
        return False

    def _tell(self, reader: ReaderLike, *, at_once: bool) -> None:
        if not at_once and not self._rest():
            return
        with self._changed:
            if self._closed:
                return
            view, self._view_changed = self._view, False
            self._snapping = reader
            reader.rearm()
        began = time.monotonic()
        try:
            with self._reading():
                snapshot = reader.snapshot(view)
        finally:
            with self._changed:
                self._snapping = None
        ended = time.monotonic()
        self._next_at = ended + max(LEAST_BETWEEN_S, REST_FACTOR * (ended - began))
        self._told_at = ended
        self._last = snapshot
        self._trouble = None
        with self._changed:
            self._slow = False
            if self._closed:
                return
        self._on_snapshot(snapshot)

    def _rest(self) -> bool:
        """Let changes gather. False if a view or a question came first, or the end."""
        with self._changed:
            while (left := self._next_at - time.monotonic()) > 0:
                if self._closed or self._view_changed or self._asked:
                    self._hinted = True  # what is new will be looked for again
                    return False
                self._changed.wait(left)
            return not self._closed

    def _opened(self) -> ReaderLike:
        """The reader on the file, and the WAL, that are at the path now."""
        try:
            same = self._place.is_as_before()
        except DatabaseError:
            self._drop_reader()
            raise
        if not self._place.folder_is_as_before():
            self._watch_folder()
        if self._reader is not None and same:
            return self._reader
        self._drop_reader()
        if self._lost and same:
            _make_sure_that_nobody_writes_elsewhere(self._path)
        self._lost = False
        self._reader = self._open_reader(self._path, self._clock)
        with self._changed:
            self._view_changed = True
        return self._reader

    def _watch_folder(self) -> None:
        if self._hints is not None:
            self._hints.close()
        self._hints = ChangeHints(self._path, self._hint)
        self._hints.start()

    def _doubt(self, problem: Exception) -> Exception:
        """Let go of a reader that failed: what it has in its cache may be what is wrong.

        Returns:
            What to tell. A file that vanishes during a read fails it in many ways: that it is gone
            says more than any of them.
        """
        if isinstance(problem, (DatabaseBusy, Interrupted, FilterError)):
            return problem
        self._drop_reader()
        self._lost = self._lost or isinstance(problem, FilesLost)
        try:
            self._place.make_sure_it_is_there()
        except DatabaseError as cause:
            return cause
        return problem

    def _drop_reader(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _tell_trouble(self, problem: Exception, wanted: bool) -> None:
        text = str(problem)
        with self._changed:
            again, self._slow = wanted or self._slow, False
        if self._trouble is None or self._trouble[0] != text or again:
            since = self._trouble[1] if self._trouble else self._clock.now()
            self._trouble = (text, since)
            with self._changed:
                if self._closed:
                    return
            self._on_trouble(text, since)


def _unreadable(path: Path, fault: Exception) -> DatabaseError:
    what = f"{type(fault).__name__}: {fault}"
    return DatabaseError(f"{path.name} could not be shown ({what}): please report this.")


def _make_sure_that_nobody_writes_elsewhere(path: Path) -> None:
    holders = holders_of_deleted(path)
    if holders is None or holders:
        told = f" (pid {', '.join(map(str, holders[:5]))})" if holders else ""
        raise FilesLost(
            f"{path.name} lost its -wal or -shm: end every program that has it open"
            f"{told}, check that its newest jobs are there, and start again."
        )
