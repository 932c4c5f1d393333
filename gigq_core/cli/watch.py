"""`gigq-core status --watch`: a job followed to its end, with a bar on a terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Protocol

from gigq_core.cli.errors import Trouble
from gigq_core.cli.output import cell, say, shown_moment
from gigq_core.cli.queue_view import QueueView
from gigq_core.rows.decoding import as_int, as_text
from gigq_core.rows.progress import Progress, amount_words, percent_of, whole_percent
from gigq_core.status import FINAL_STATUSES, JobStatus
from gigq_core.system.change_hints import ChangeHints
from gigq_core.units.times import utc_now
from gigq_core.writing.streams import pause_while_read

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

# The slowest look, in seconds, hints or none.
LOOK_S = 1.0
# How long after a hint the file is looked at, in seconds: it comes before the commit can be seen,
# and on a busy queue one follows the other.
AFTER_HINT_S = 0.05
# The pace of less time than this is chance, in seconds.
LEAST_PACE_S = 1.0
BAR_CELLS = 24

_FINAL = tuple(status.value for status in FINAL_STATUSES)


def watch(view: QueueView, job_id: str, *, quiet: bool = False) -> bool:
    """Follow a job until it has ended, and tell each change once; whether it completed.

    Args:
        view: the file.
        job_id: the job's whole id.
        quiet: tell nothing.

    Raises:
        Trouble: it is gone.
        BrokenPipeError: nobody reads what is told.
    """
    with _screen(quiet) as screen, hints_of(view) as pause:
        told: tuple[str, ...] | None = None
        pace = Pace()
        while True:
            state = view.state(job_id)
            if state is None:
                raise Trouble(f"Job {job_id} is gone: it was deleted.")
            job, progress = state
            words = _state_words(job)
            if words != told:
                told = words
                screen.state(*words)
            if not _is_of_this_attempt(job, progress):
                progress = None
            screen.progress(job, progress, pace.left_s(job, progress))
            if job["status"] in _FINAL:
                return bool(job["status"] == JobStatus.COMPLETED.value)
            pause()


def _is_of_this_attempt(job: dict[str, Any], progress: Progress | None) -> bool:
    """What an attempt reported stays until the next one reports."""
    began = job.get("began")
    if progress is None or job["status"] != JobStatus.RUNNING.value:
        return False
    return not isinstance(began, (int, float)) or progress["at"] >= began


def progress_in_words(progress: Progress) -> str:
    """How far a job is: `42 of 100 (42%): its note`, or `42 done`."""
    done, total = amount_words(progress["done"]), progress["total"]
    words = f"{done} done" if total is None else f"{done} of {amount_words(total)}"
    if progress["percent"] is not None:
        words += f" ({whole_percent(progress['percent'])}%)"
    return f"{words}: {cell(progress['note'])}" if progress["note"] else words


def _state_words(job: dict[str, Any]) -> tuple[str, ...]:
    """Where a job stands, and what there is to say of it."""
    status = job["status"]
    attempt = f"attempt {as_int(job['attempts'])} of {as_int(job['max_attempts'])}"
    first = as_text(job["error"]).strip().split("\n")[0]
    if status == JobStatus.RUNNING.value:
        where = f" on {job['worker_id']}" if job["worker_id"] else ""
        after = f", after {first}" if first and as_int(job["attempts"]) > 1 else ""
        return (status, f"{attempt}{where}{after}")
    if status == JobStatus.PENDING.value:
        why = job.get("why")
        return (status, *([why] if why else []))
    return (status,) if status == JobStatus.COMPLETED.value or not first else (status, first)


class Pace:
    """How long a job still takes, by the reports of one attempt since the first that was seen."""

    def __init__(self) -> None:
        self._attempt: object = None
        self._first: Progress | None = None

    def left_s(self, job: dict[str, Any], progress: Progress | None) -> float | None:
        """Seconds; None where there is no telling."""
        if progress is None or not progress["total"]:
            return None
        first = self._first
        if first is None or job["attempts"] != self._attempt or progress["done"] < first["done"]:
            self._attempt, self._first = job["attempts"], progress
            return None
        took, done = progress["at"] - first["at"], progress["done"] - first["done"]
        if took < LEAST_PACE_S or done <= 0:
            return None
        left = took / done * (progress["total"] - progress["done"])
        return max(0.0, left - max(0.0, utc_now() - progress["at"]))


@contextmanager
def hints_of(view: QueueView) -> Iterator[Callable[[], None]]:
    """Waiting until the file may have changed, and no longer than somebody reads what is told."""
    ours, theirs = os.pipe()
    os.set_blocking(ours, False)
    os.set_blocking(theirs, False)

    def hint() -> None:
        try:
            os.write(theirs, b"\0")
        except BlockingIOError:
            pass  # there are enough of them

    def pause() -> None:
        began = time.monotonic()
        pause_while_read(LOOK_S, ours)
        if time.monotonic() - began < LOOK_S:
            time.sleep(AFTER_HINT_S)
        try:
            while os.read(ours, 4096):
                pass
        except BlockingIOError:
            pass

    hints = ChangeHints(view.path, hint)
    hints.start()
    try:
        yield pause
    finally:
        hints.close()
        os.close(ours)
        os.close(theirs)


# --- what is shown -----------------------------------------------------------------------------


class _Screen(Protocol):
    def state(self, status: str, words: str = "") -> None: ...

    def progress(
        self, job: dict[str, Any], progress: Progress | None, left_s: float | None
    ) -> None: ...


@contextmanager
def _screen(quiet: bool) -> Iterator[_Screen]:
    if quiet:
        yield _Quiet()
    elif sys.stdout is None or not sys.stdout.isatty() or os.environ.get("TERM") == "dumb":
        yield _Lines()
    else:
        from rich.console import Console
        from rich.live import Live

        console = Console()
        with Live(console=console, auto_refresh=False, transient=True) as live:
            yield _Bar(console, lambda drawn: live.update(drawn, refresh=True))


class _Quiet:
    def state(self, status: str, words: str = "") -> None:
        pass

    def progress(
        self, job: dict[str, Any], progress: Progress | None, left_s: float | None
    ) -> None:
        pass


class _Lines:
    """A line for each change."""

    def __init__(self) -> None:
        self._told: Progress | None = None

    def state(self, status: str, words: str = "") -> None:
        say(_state_line(status, words))

    def progress(
        self, job: dict[str, Any], progress: Progress | None, left_s: float | None
    ) -> None:
        if progress is not None and progress != self._told:
            self._told = progress
            say(f"{shown_moment(progress['at'])}  {progress_in_words(progress)}")


def _state_line(status: str, words: str) -> str:
    line = f"{shown_moment(utc_now())}  {cell(status)}"
    return f"{line}: {cell(words)}" if words else line


class _Bar:
    """A line for each state; below them, while the job runs, one that is drawn anew."""

    def __init__(self, console: Console, draw: Callable[[RenderableType], None]) -> None:
        self._console = console
        self._draw = draw
        self._drawn: object = None

    def state(self, status: str, words: str = "") -> None:
        from rich.text import Text

        self._console.print(Text(_state_line(status, words)), soft_wrap=True)

    def progress(
        self, job: dict[str, Any], progress: Progress | None, left_s: float | None
    ) -> None:
        left = "" if left_s is None else f"about {in_words(left_s)} left"
        drawn = (progress, left)
        if drawn != self._drawn:
            self._drawn = drawn
            self._draw(line_of(job, progress, left))


def line_of(job: dict[str, Any], progress: Progress | None, left: str) -> RenderableType:
    """How far a job is, on one line: its name, a bar, figures, how much is left, and its note."""
    from rich.progress_bar import ProgressBar
    from rich.table import Table
    from rich.text import Text

    if progress is None:
        return Text("")
    done, total = progress["done"], progress["total"]
    percent = percent_of(done, total)
    line = Table.grid(padding=(0, 1, 0, 0))
    said = amount_words(done)
    figures: list[RenderableType] = []
    if percent is None or total is None:
        figures.append(Text(f"{said} done"))
    else:
        figures.append(ProgressBar(total=100.0, completed=percent, width=BAR_CELLS))
        figures.append(Text(f"{whole_percent(percent):3}%  {said}/{amount_words(total)}"))
    if left:
        figures.append(Text(left))
    # Where there is no room for all of it, columns without a width are cut: name and note.
    line.add_column()
    for figure in figures:
        line.add_column(no_wrap=True, width=len(figure) if isinstance(figure, Text) else BAR_CELLS)
    cells: list[RenderableType] = [Text(cell(job["name"]), no_wrap=True, overflow="ellipsis")]
    cells += figures
    if progress["note"]:
        line.add_column()
        cells.append(Text(cell(progress["note"]), no_wrap=True, overflow="ellipsis"))
    line.add_row(*cells)
    return line


def in_words(seconds: float) -> str:
    """A rough duration: `12s`, `3m`, `1h20m`."""
    if seconds < 60:
        return f"{max(1, round(seconds))}s"
    minutes = round(seconds / 60)
    return f"{minutes}m" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"
