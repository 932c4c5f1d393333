"""A canary: a few of many jobs that failed alike, retried first to see if the rest would pass."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from gigq_core.changes import actions
from gigq_core.job import INTEGER_LIMIT
from gigq_core.rows.decoding import as_int, as_json, as_text
from gigq_core.schema import failure_statements as failures
from gigq_core.schema import statements as sql
from gigq_core.status import Change, Outcome
from gigq_core.units.times import now_text

# How many jobs a canary has where nobody says otherwise.
CANARY_JOBS = 10
# The rest is better left alone while more than one in so many of the canary failed again.
ALLOWED_ONE_IN = 5
# How many jobs of each stretch of time are looked at for other parameters.
LOOKED_AT = 50
# What a value counts that no chosen job has; half of that where one has it, and so on.
_NEW = 720_720
# How much of a value is compared, in characters.
MOST_COMPARED = 200


# What a job is known by while it is chosen: its id, or its place in the file.
Key = TypeVar("Key", str, int)
# A job, and when it failed in UTC seconds; None where that is not known.
Failed = tuple[Key, float | None]


class FailedJob(NamedTuple):
    """A job that is failed now. `ended` is in UTC seconds, None where that is not known."""

    place: int
    job_id: str
    ended: float | None


class FailedGroup(NamedTuple):
    """The jobs that are failed now for one cause, the first that ended first."""

    fingerprint: str
    jobs: tuple[FailedJob, ...]


@dataclass(frozen=True)
class Canary:
    """Jobs that were retried before all that waits.

    Attributes:
        outcomes: What became of the retry of each.
        priority: What they wait with; None where none was retried.
        own: The priority that each had before, by its id.
    """

    outcomes: tuple[Outcome, ...]
    priority: int | None
    own: Mapping[str, int]

    @property
    def job_ids(self) -> tuple[str, ...]:
        """The jobs that were retried."""
        return tuple(outcome.job_id for outcome in self.outcomes if outcome.done)


def may_go_on(passed: int, failed: int) -> bool:
    """Whether the rest may follow a canary: at most a fifth of it failed again.

    Args:
        passed: How many of its jobs have completed.
        failed: How many have ended otherwise.
    """
    return failed * ALLOWED_ONE_IN <= passed + failed


def choose(
    failed: Iterable[Failed[Key]],
    size: int,
    params_of: Callable[[Sequence[Key]], Mapping[Key, object]],
) -> list[Key]:
    """Choose jobs that are spread over the time in which they failed, and over their parameters.

    The jobs are parted into as many stretches of time as there are to be chosen, with as many jobs
    in each; of each stretch one is chosen, that whose values the others have
    least. The same jobs give the same choice, in whatever order they come.

    Args:
        failed: The jobs, each once, by id or by place, with the time when it failed.
        size: How many to choose.
        params_of: Gives the parameters of some jobs, as decoded JSON; it is asked once, of at most
            50 jobs for each that is to be chosen.

    Returns:
        Those that failed first first: all of them, where there are no more than `size`.

    Raises:
        ValueError: `size` is less than 1.
    """
    if size < 1:
        raise ValueError(f"A canary has at least 1 job, not {size}.")
    jobs = sorted(failed, key=_place)
    if len(jobs) <= size:
        return [key for key, _ in jobs]
    stretches = [jobs[at * len(jobs) // size : (at + 1) * len(jobs) // size] for at in range(size)]
    looked_at = [_evenly(stretch, LOOKED_AT) for stretch in stretches]
    params = params_of([key for stretch in looked_at for key, _ in stretch])
    taken: Counter[tuple[str, str]] = Counter()
    chosen: list[Key] = []
    for at, stretch in enumerate(looked_at):
        # From the beginning of the first stretch to the end of the last one.
        middle = at / max(1, size - 1) * (len(stretch) - 1)
        values = [_values(params.get(key)) for key, _ in stretch]
        # In whole numbers: the order of a set, and so of a sum of others, is not always the same.
        news = [sum(_NEW // (1 + taken[value]) for value in some) for some in values]
        best = min(range(len(stretch)), key=lambda i: (-news[i], abs(i - middle), i))
        taken.update(values[best])
        chosen.append(stretch[best][0])
    return chosen


def _place(job: Failed[Key]) -> tuple[float, Key]:
    key, ended = job
    return (float("-inf") if ended is None else ended, key)


def _evenly(jobs: Sequence[Failed[Key]], most: int) -> Sequence[Failed[Key]]:
    if len(jobs) <= most:
        return jobs
    return [jobs[at * (len(jobs) - 1) // (most - 1)] for at in range(most)]


def _values(params: object) -> set[tuple[str, str]]:
    if not isinstance(params, Mapping):
        return {("", _compared(params))}
    return {(str(key), _compared(value)) for key, value in params.items()}


def _compared(value: object) -> str:
    try:
        return json.dumps(value, sort_keys=True)[:MOST_COMPARED]
    except (TypeError, ValueError, RecursionError):
        return repr(value)[:MOST_COMPARED]


# --- from the file -----------------------------------------------------------------------------


def failed_groups(conn: sqlite3.Connection, digits: str) -> list[FailedGroup]:
    """The jobs that are failed now, by the cause of their last failure.

    Args:
        conn: The file, opened by `open_read_only`; attached or not.
        digits: The first ones of the causes' fingerprints.
    """
    executions = {row[0] for row in conn.execute(failures.EXECUTION_COLUMNS)}
    jobs = {row[0] for row in conn.execute(failures.JOB_COLUMNS)}
    groups: dict[str, list[FailedJob]] = {}
    statement = failures.failed_now_so(executions, jobs)
    for place, job_id, ended, kind in conn.execute(statement, failures.beginning_with(digits)):
        when = ended if isinstance(ended, (int, float)) else None
        groups.setdefault(as_text(kind), []).append(FailedJob(place, as_text(job_id), when))
    return [
        FailedGroup(kind, tuple(sorted(found, key=lambda job: _place((job.place, job.ended)))))
        for kind, found in groups.items()
    ]


def params_at(conn: sqlite3.Connection, places: Sequence[int]) -> dict[int, object]:
    """The parameters of some jobs by their places; see `choose`."""
    found = conn.execute(sql.PARAMS_AT, (json.dumps(list(places)),))
    return {place: as_json(params) for place, params in found}


# --- within the caller's transaction -------------------------------------------------------------


@dataclass
class Raised:
    """The priority that jobs of a canary get, and those that they had before."""

    priority: int | None = None
    own: dict[str, int] = field(default_factory=dict)


def retry_first(conn: sqlite3.Connection, job_ids: Iterable[str], raised: Raised) -> list[Outcome]:
    """Retry jobs, with a priority above all that waits; `raised` is filled in."""
    if raised.priority is None:
        row = conn.execute(sql.HIGHEST_WAITING).fetchone()
        raised.priority = min(as_int(row[0]) + 1, INTEGER_LIMIT - 1)
    outcomes = actions.requeue(conn, job_ids)
    for outcome in outcomes:
        if outcome.change is Change.REQUEUED:
            before = conn.execute(sql.JOB_STATE, (outcome.job_id,)).fetchone()["priority"]
            raised.own[outcome.job_id] = as_int(before)
            if as_int(before) < raised.priority:
                values = {"id": outcome.job_id, "priority": raised.priority, "now": now_text()}
                conn.execute(sql.SET_PRIORITY, values)
    return outcomes


def set_back(conn: sqlite3.Connection, canary: Canary, job_ids: Iterable[str]) -> list[Outcome]:
    """Give jobs of a canary their own priority again, where nobody has given them another."""
    outcomes = []
    for job_id in job_ids:
        values = {"id": job_id, "own": canary.own[job_id], "raised": canary.priority}
        done = conn.execute(sql.SET_PRIORITY_BACK, values).rowcount > 0
        outcomes.append(Outcome(job_id, Change.REPRIORITIZED if done else Change.REFUSED))
    return outcomes
