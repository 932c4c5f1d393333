"""`--once` as scripts call it: wait if asked, take the picture, judge it, say how it went.

What is printed on stdout is the picture, in every case but an error. What a person or a log should
know besides is one sentence a line on stderr. The exit code is the verdict; see `gigq-tui --help`.
"""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType

from gigq_core.reasons.why import state_of, why
from gigq_tui.format import MARKS, cut, inert, plural
from gigq_tui.once import picture
from gigq_tui.store.filter.language import NO_FILTER, Filter, parse
from gigq_tui.store.models import Snapshot
from gigq_tui.store.sorting import NEWEST, Sort

EXIT_MATCHED = 3
EXIT_TIMED_OUT = 4
EXIT_TOO_FEW = 5
EXIT_TERMINATED = 128 + signal.SIGTERM
NAMED_ROWS = 10
_DOOMED = parse("state:doomed")


@dataclass(frozen=True)
class Order:
    """What is wanted. `width` is None where the output is no terminal; `timeout_s` in seconds.

    `expect` is how many jobs must match `filter` at least. None means one where `fail_if` is there,
    since a filter with a typing error matches nothing, and nothing in it fails.
    """

    path: Path
    filter: Filter = NO_FILTER
    limit: int = picture.DEFAULT_ROWS
    as_json: bool = False
    label: str = ""
    width: int | None = None
    sort: Sort = NEWEST
    fail_if: Filter | None = None
    wait: bool = False
    timeout_s: float | None = None
    expect: int | None = None
    columns: tuple[str, ...] = ()

    @property
    def expected(self) -> int:
        """How many jobs must match at least."""
        return int(self.fail_if is not None) if self.expect is None else self.expect


def run(order: Order, say: Callable[[str], None]) -> tuple[str, int]:
    """Do what is ordered; nothing here writes to the file.

    Args:
        order: What is wanted.
        say: Gets sentences for stderr.

    Returns:
        What to print, and the exit code.

    Raises:
        DatabaseError: The file can't be read, or it vanished while it was waited for.
    """
    code = 0
    if order.wait and not _wait(order, say):
        code = EXIT_TIMED_OUT
    snapshot = picture.take(
        order.path, order.filter, order.limit, sort=order.sort, columns=order.columns
    )
    if snapshot.window.total < order.expected:
        _tell_too_few(order, snapshot.window.total, say)
        code = code or EXIT_TOO_FEW
    if order.fail_if is not None:
        found = picture.take(order.path, order.filter & order.fail_if, NAMED_ROWS)
        if found.window.total:
            _tell_found(found, say)
            # It is certain already, whatever the jobs that are still open will do.
            code = EXIT_MATCHED
    return _drawn(order, snapshot), code


def _wait(order: Order, say: Callable[[str], None]) -> bool:
    # Late, since nothing else here needs the feed.
    from gigq_tui.once.waiting import wait_until_settled
    from gigq_tui.store.clock import SYSTEM_CLOCK
    from gigq_tui.store.reader import Reader

    # What can't be read at all is an error, and nothing to wait for.
    Reader(order.path, SYSTEM_CLOCK).close()
    with _ending_on_sigterm():
        settled = wait_until_settled(order.path, order.filter, order.timeout_s, say)
    doomed = picture.take(order.path, order.filter & _DOOMED, 0).window.total
    if doomed:
        say(
            f"{plural(doomed, 'job')} never {'runs' if doomed == 1 else 'run'} as things stand: "
            "what must be completed before has failed, was cancelled or is missing."
        )
    return settled


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """Let SIGTERM end the wait as an interrupt from the keyboard does, in good order."""

    def end(number: int, frame: FrameType | None) -> None:
        raise SystemExit(EXIT_TERMINATED)

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _tell_too_few(order: Order, total: int, say: Callable[[str], None]) -> None:
    which = "match the filter" if order.filter.text else "are in the queue"
    only = f"Only {total:,} of the {order.expected:,} jobs expected" if total else "No jobs"
    say(f"{only} {which}: correct the filter, or say with --expect {total} that so few will do.")


def _tell_found(found: Snapshot, say: Callable[[str], None]) -> None:
    total = found.window.total
    say(f"{plural(total, 'job matches', 'jobs match')} --fail-if:")
    rows = found.window.rows[:NAMED_ROWS]
    for row in rows:
        word = MARKS[state_of(row, found.taken_at)].word
        reason = why(row, found.taken_at)
        named = f"  {row.id} {inert(row.name)} {word}"
        say(cut(f"{named}: {inert(reason)}" if reason else named, 200))
    if total > len(rows):
        say(f"  and {total - len(rows):,} more")


def _drawn(order: Order, snapshot: Snapshot) -> str:
    if order.as_json:
        return picture.as_json(snapshot, order.limit, order.label)
    return picture.as_text(snapshot, order.limit, order.width, order.label, order.columns)
