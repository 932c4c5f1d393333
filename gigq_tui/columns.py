"""The columns of the list of jobs, each in one place: its name, its width, its order, what it says.

The table of the jobs screen, its head, the configuration and `--once` all read this list. To add a
column, add a `Column` to `COLUMNS`, where it shall stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from gigq_core.reasons.why import (
    RUNNING_STATES,
    Health,
    State,
    done_share,
    first_line,
    run_seconds,
    state_of,
    why,
)
from gigq_core.rows.decoding import as_json as decoded
from gigq_core.units.moments import brief_time, clock_time
from gigq_tui import format as fmt
from gigq_tui.store.agents import HOST
from gigq_tui.store.models import OPEN_STATUSES, JobRow
from gigq_tui.store.sorting import SortKey

if TYPE_CHECKING:
    from gigq_core.grouping.counting import CountKey, Value

# A table of at least so many cells has all columns; a narrower one has some, in short.
WIDE = 100
# From so many on, what isn't usual takes what the reason would leave empty.
VAST = 170
NARROW = 70
TINY = 50
# A bar in a column of at least so many cells, and how many it takes.
BAR_FROM, SHORT_BAR = 24, 6
LONG_BAR_FROM, LONG_BAR = 48, 10
GONE = "no longer in this list"
_ALARMING = frozenset({State.DOOMED, State.ORPHANED, State.OVERDUE})

# A text, and the role that the theme colours it by.
Cell = tuple[str, str]


class JobAt(NamedTuple):
    """A job at a moment, as its columns tell it.

    `now` is what a running job's time is told by, `ages_at` when ages were last told. In `short`,
    ids and states are shorter.
    """

    row: JobRow
    state: State
    now: datetime
    ages_at: datetime
    short: bool = False

    @staticmethod
    def of(row: JobRow, now: datetime) -> JobAt:
        """Return a job as it is told once, where nothing ticks."""
        return JobAt(row, state_of(row, now), now, now)


@dataclass(frozen=True)
class Column:
    """One column.

    `name` is what the configuration calls it, `title` what the head says, `sort` the order that a
    click there means. `cells` is its width, `narrow` that in a narrow table; `usual` says it for
    the width of the table, where that is not all. `stretch` is for a column that takes what is
    left: of several, the highest does. `cell` is what it says of a job, by the cells it has: where
    they are enough, it may say more than it must; 0 is for no more than that.

    Where columns were chosen that have no room, those of the least `weight` go; where none were,
    this one is there in a table of at least `shown_from` cells. `gone` is what it says of a row
    that has left the list: usually, and in short. `picture` is drawn before what it says, by the
    cells it has, where it has any for it. `is_extra` says that it is there only where it was
    chosen, or has so much room that its `shown_from` is reached.
    """

    name: str
    title: str
    cells: int
    narrow: int
    weight: int
    sort: SortKey | None
    cell: Callable[[JobAt, int], Cell]
    short_title: str = ""
    right: bool = False
    stretch: int = 0
    shown_from: int = 0
    usual: Callable[[int], int] | None = None
    gone: tuple[str, str] = ("", "")
    picture: Callable[[JobAt, int], tuple[Cell, ...]] | None = None
    is_extra: bool = False

    def title_in(self, *, short: bool) -> str:
        """Return its title, the short one where there is one and that is wanted."""
        return (self.short_title if short else "") or self.title

    @property
    def gap(self) -> int:
        """The blank cells behind it; what stands at its right needs more."""
        return 2 if self.right else 1


def _id(job: JobAt, room: int) -> Cell:
    return job.row.id[: 6 if job.short else 8], "dim"


def _name(job: JobAt, room: int) -> Cell:
    return job.row.name, ""


def _state(job: JobAt, room: int) -> Cell:
    mark = fmt.MARKS[job.state]
    return (f"{mark.glyph}{mark.short}" if job.short else f"{mark.glyph} {mark.word}"), mark.role


def _priority(job: JobAt, room: int) -> Cell:
    return str(job.row.priority), "" if job.row.priority else "dim"


def _attempts(job: JobAt, room: int) -> Cell:
    row = job.row
    return f"{row.attempts}/{row.max_attempts}", "" if row.attempts > 1 else "dim"


def _age(job: JobAt, room: int) -> Cell:
    if job.row.created_at is None:
        return "-", "dim"
    return fmt.age((job.ages_at - job.row.created_at).total_seconds()), "dim"


def _duration(job: JobAt, room: int) -> Cell:
    seconds, runs = run_seconds(job.row, job.now), job.state in RUNNING_STATES
    if seconds is None:
        return "-", "run" if runs else ""
    return (fmt.elapsed(seconds), "run") if runs else (fmt.duration(seconds), "")


def _started(job: JobAt, room: int) -> Cell:
    return _moment(job.row.started_at, job.now, room)


def _ended(job: JobAt, room: int) -> Cell:
    ended = None if job.row.status in OPEN_STATUSES else job.row.completed_at
    return _moment(ended, job.now, room)


def _moment(moment: datetime | None, now: datetime, room: int) -> Cell:
    """A moment by the reader's clock, with its day unless that is today."""
    return (brief_time(moment, now) if room else clock_time(moment, now)), "dim"


def _function(job: JobAt, room: int) -> Cell:
    """The whole name where there is room for it, or else what is behind the last dot."""
    name = job.row.function
    return (name if not room or fmt.width_of(name) <= room else name.rpartition(".")[2]), ""


def _batch(job: JobAt, room: int) -> Cell:
    return job.row.batch or "-", "" if job.row.batch else "dim"


def _lane(job: JobAt, room: int) -> Cell:
    return job.row.lane or "-", "" if job.row.lane else "dim"


def _schedule(job: JobAt, room: int) -> Cell:
    return job.row.schedule or "-", "" if job.row.schedule else "dim"


def _error(job: JobAt, room: int) -> Cell:
    return first_line(job.row.error), ""


def _worker(job: JobAt, room: int) -> Cell:
    """Who holds the job; the pid only beside a whole name, which is how it is found again."""
    row, runs = job.row, job.state in RUNNING_STATES
    if row.worker_id is None:
        return "-", "dim"
    besides = ""
    if job.state is State.ORPHANED or (runs and row.holder is Health.LOST):
        besides = " (gone)"
    elif runs and row.holder_pid is not None:
        besides = f" {row.holder_pid}"
    both = f"{row.worker_id}{besides}"
    return (both if fmt.width_of(both) <= room else row.worker_id), "dim"


def _host(job: JobAt, room: int) -> Cell:
    """Where an agent runs or ran it; nothing where its worker did that by itself."""
    return job.row.host or "-", "" if job.row.host else "dim"


def _why(job: JobAt, room: int) -> Cell:
    link = job.row.link
    alarms = job.state in _ALARMING or (link is not None and link.state != "ready")
    return why(job.row, job.now), "warn" if alarms else ""


def _progress(job: JobAt, room: int) -> tuple[Cell, ...]:
    """A bar for a job that tells how much of its work is done."""
    share = done_share(job.row) if job.state in RUNNING_STATES else None
    if share is None or room < BAR_FROM:
        return ()
    return (*fmt.bar(share, LONG_BAR if room >= LONG_BAR_FROM else SHORT_BAR), (" ", ""))


def _usual_name(width: int) -> int:
    if width >= WIDE:
        return min(34, 18 + max(0, width - 120) // 4)
    return 16 if width >= NARROW else 14 if width >= TINY else 12


def _usual_worker(width: int) -> int:
    return 12 if width >= 116 else 8


COLUMNS = (
    Column("id", "ID", 8, 6, 8, SortKey.SUBMITTED, _id, shown_from=NARROW),
    Column("name", "NAME", 18, 16, 17, SortKey.NAME, _name, stretch=1, usual=_usual_name),
    Column("state", "STATE", 11, 5, 16, SortKey.STATE, _state, "ST", gone=("- gone", "-gone")),
    Column("pri", "PRI", 3, 3, 2, SortKey.PRIORITY, _priority, right=True, shown_from=WIDE),
    Column("att", "ATT", 5, 4, 3, SortKey.ATTEMPTS, _attempts, shown_from=NARROW),
    Column("age", "AGE", 4, 4, 10, SortKey.AGE, _age, shown_from=TINY),
    Column("dur", "DUR", 6, 6, 12, SortKey.DURATION, _duration, shown_from=TINY),
    Column("worker", "WORKER", 12, 8, 1, None, _worker, shown_from=WIDE, usual=_usual_worker),
    Column(HOST, "HOST", 14, 10, 6, SortKey.HOST, _host, is_extra=True),
    Column(
        "fn",
        "FUNCTION",
        *(24, 16, 11),
        SortKey.FUNCTION,
        _function,
        stretch=1,
        shown_from=VAST,
        is_extra=True,
    ),
    Column("started", "STARTED", 11, 11, 13, SortKey.STARTED, _started, is_extra=True),
    Column("ended", "ENDED", 11, 11, 14, SortKey.ENDED, _ended, shown_from=VAST, is_extra=True),
    Column("batch", "BATCH", 12, 8, 4, SortKey.BATCH, _batch, is_extra=True),
    Column("lane", "LANE", 16, 10, 7, None, _lane, is_extra=True),
    Column("schedule", "SCHEDULE", 16, 10, 5, None, _schedule, is_extra=True),
    Column("error", "ERROR", 24, 16, 9, None, _error, stretch=2, is_extra=True),
    Column(
        "why",
        "WHY / LAST ERROR",
        *(16, 12, 15),
        None,
        _why,
        "WHY",
        stretch=2,
        gone=(GONE, GONE),
        picture=_progress,
    ),
)


# A column of somebody's own, in a wide table and in a narrow one.
_OWN_CELLS, _OWN_NARROW, _OWN_WEIGHT = 14, 10, 13


def own_key(name: str) -> CountKey | None:
    """What a column of somebody's own shows, `param.customer` or `result.rows`; None for others."""
    if not name.lower().startswith(("param.", "params.", "result.")):
        return None
    from gigq_core.grouping.counting import count_key  # here: most lists have no such column

    try:
        return count_key(name)
    except ValueError:
        return None


@lru_cache(maxsize=100)
def column_named(name: str) -> Column | None:
    """Return the column of a name, as the configuration writes it; None where there is none."""
    for column in COLUMNS:
        if column.name == name:
            return column
    key = own_key(name)
    if key is None:
        return None

    def cell(job: JobAt, room: int) -> Cell:
        value = dict(job.row.own).get(key.name)
        if value is None:
            return "", ""
        label = value_label(key, value)
        return label, "dim" if label == "-" else ""

    title = fmt.inert(key.name.upper())
    short = fmt.inert(key.rest[-1].upper())
    return Column(
        *(key.name, title, _OWN_CELLS, _OWN_NARROW, _OWN_WEIGHT, None, cell),
        short_title=short,
        is_extra=True,
    )


def own_names(names: Iterable[str]) -> tuple[str, ...]:
    """Those of some columns for which more of the jobs is read, by the names of that."""
    wanted: dict[str, None] = {}
    for name in names:
        key = own_key(name)
        if key is not None or name == HOST:
            wanted[key.name if key is not None else HOST] = None
    return tuple(wanted)


def has_secrets(key: CountKey) -> bool:
    """Whether the values of a key are not to be seen."""
    return any(fmt.is_secret(step) for step in key.rest)


def value_label(key: CountKey, value: Value) -> str:
    """What a value is called on the screen: a secret is masked, whatever steers is harmless."""
    from gigq_core.grouping.counting import Kind, shown

    if value.kind in (Kind.MISSING, Kind.UNREADABLE):
        return shown(key, value)
    if has_secrets(key):
        return fmt.MASK
    if value.kind is Kind.JSON:
        return fmt.inert(fmt.as_json(fmt.masked(decoded(str(value.value)))))
    return fmt.inert(shown(key, value))


def usual_columns() -> tuple[Column, ...]:
    """Return the columns that are there where none were chosen."""
    return tuple(column for column in COLUMNS if not column.is_extra)


def shown_columns(width: int) -> tuple[Column, ...]:
    """Return the columns of a table of `width` cells for which none were chosen."""
    return tuple(
        column
        for column in COLUMNS
        if width >= column.shown_from and (column.shown_from or not column.is_extra)
    )
