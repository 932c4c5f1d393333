"""What becomes of new jobs whose key another one holds, and of that one.

What is submitted together is decided upon together, before any of it is inserted: children may
stand before their parents.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from gigq_core.duplicate_job import DuplicateJob, submitted_before
from gigq_core.graph.cycles import Waiting, refuse_cycle_with_file, refuse_cycle_within
from gigq_core.job import Job, named
from gigq_core.rows.decoding import as_json
from gigq_core.schema import statements as sql
from gigq_core.schema import unique_statements as unique_sql
from gigq_core.schema.features import Feature, is_used, use
from gigq_core.submitting.key_holders import Holder, lasting_holder, live_holders
from gigq_core.unique import Unique
from gigq_core.units.times import Moment


@dataclass(frozen=True)
class _Rewired:
    """A job with the parents that it has in the end."""

    id: str
    name: str
    dependencies: Sequence[str]


class Conflicts:
    """What becomes of jobs of which some are unique, and of those that hold their keys.

    All within the caller's write transaction.

    Args:
        conn: The queue file, attached.
        jobs: Those that are submitted together.
        rows: Theirs.
        now: When that is.

    Raises:
        DuplicateJob: A key is held, and its job asks for this error.
    """

    def __init__(
        self,
        conn: sqlite3.Connection,
        jobs: Sequence[Job],
        rows: Sequence[dict[str, Any]],
        now: Moment,
    ) -> None:
        self._conn = conn
        self._jobs, self._rows, self._now = jobs, rows, now
        # Another id for that of a job which is not inserted; and for that of one that is replaced.
        self._instead: dict[str, str] = {}
        self._replaced_by: dict[str, str] = {}
        # Which of them is to have a key.
        self._taken: dict[str, int] = {}
        self._left_out: set[int] = set()
        # By place: who is cancelled for it, and after whom it runs.
        self._replaces: dict[int, list[Holder]] = {}
        self._after: dict[int, list[Holder]] = {}
        self._holders: dict[str, Holder] = {}
        use(conn, Feature.KEYS)
        self._has_lasting = is_used(conn, Feature.LASTING_KEYS)
        for place, row in enumerate(self._rows):
            if row.get("unique_key") is not None:
                self._decide(place, row["unique_key"])

    def _stands_for(self, job_id: str) -> str:
        """The id of the job that is there in the end."""
        while other := self._instead.get(job_id) or self._replaced_by.get(job_id):
            job_id = other
        return job_id

    def settle(self) -> tuple[list[dict[str, Any]], list[Waiting]]:
        """Write down who stands for whom, in `duplicate_of` and in what waits for them.

        Returns:
            The rows that are to be inserted, and for whom each waits.

        Raises:
            CycleError: Jobs would wait for each other.
            DuplicateJob: One was submitted before, so that nobody can stand for it.
        """
        for job in self._jobs:
            other = self._stands_for(job.id)
            job.duplicate_of = None if other == job.id else other
            if job.duplicate_of and self._conn.execute(unique_sql.IS_THERE, (job.id,)).fetchone():
                raise submitted_before(named(job))
        rows: list[dict[str, Any]] = []
        waiting: list[Waiting] = []
        for place, (job, row) in enumerate(zip(self._jobs, self._rows, strict=True)):
            if place not in self._left_out:
                own, parents = self._rewired(place, job, row)
                rows.append(own)
                waiting.append(parents)
        refuse_cycle_within(waiting)
        for old in self._instead:
            self._hand_over(old, self._stands_for(old), ())
        for place, holders in self._replaces.items():
            replaced = {holder.id for holder in holders}
            for old in replaced:
                self._hand_over(old, self._jobs[place].id, replaced)
        if any(row.get("unique_until") == "forever" or row.get("unique_within") for row in rows):
            use(self._conn, Feature.LASTING_KEYS)
        return rows, waiting

    def finish(self) -> None:
        """Do what needs the new rows: end what is replaced, and go on after what runs."""
        values = {"now": self._now.text, "utc": self._now.utc}
        for place, holders in self._replaces.items():
            job = self._jobs[place]
            error = f"replaced by {job.name[:200]} ({job.id[:4]}…)"
            for holder in holders:
                statement = unique_sql.CANCEL_REPLACED if holder.waits else sql.REQUEST_STOP
                self._conn.execute(
                    statement, {**values, "id": holder.id, "error": error}
                ).fetchall()
        for place, holders in self._after.items():
            use(self._conn, Feature.POLICIES)
            for holder in holders:
                ends = {"child": self._jobs[place].id, "parent": holder.id}
                self._conn.execute(unique_sql.GO_ON_AFTER, ends)

    def _decide(self, place: int, key: str) -> None:
        job = self._jobs[place]
        wish = job.unique
        assert isinstance(wish, Unique)
        twin = self._taken.get(key)
        if twin is not None and self._jobs[twin].id != job.id:
            other = self._jobs[twin]
            if wish.conflict == "error":
                raise DuplicateJob(
                    f"{job.name!r} has the same key as {other.name!r}, which is submitted with it: "
                    "leave out one of them.",
                    other.id,
                )
            if wish.conflict != "replace":
                self._leave_out(place, other.id)
                return
            self._leave_out(twin, job.id)
            self._after.pop(twin, None)
            self._replaces.pop(twin, None)
        live = live_holders(self._conn, key, job.id)
        first = live[0] if live else None
        if first is None and self._has_lasting:
            first = lasting_holder(self._conn, key, self._now.utc, job.id)
        if first is not None:
            if wish.conflict == "error":
                raise DuplicateJob(f"{job.name!r} was not submitted: {first.sentence}.", first.id)
            comes_again = wish.conflict == "again" and not first.waits
            if not live or not (comes_again or wish.conflict == "replace"):
                self._leave_out(place, first.id)
                self._holders[first.id] = first
                return
            self._after[place] = [holder for holder in live if holder.runs]
            if wish.conflict == "replace":
                self._replaces[place] = live
                self._replaced_by.update((holder.id, job.id) for holder in live)
        self._taken[key] = place

    def _leave_out(self, place: int, other: str) -> None:
        self._left_out.add(place)
        self._instead[self._jobs[place].id] = other

    def _rewired(self, place: int, job: Job, row: dict[str, Any]) -> tuple[dict[str, Any], Waiting]:
        """The row of a job, and the job, with the parents that it has in the end."""
        after = [holder.id for holder in self._after.get(place, ())]
        there = (one if one in after else self._stands_for(one) for one in job.dependencies)
        parents = list(dict.fromkeys(there))
        more: dict[str, Any] = {}
        if after and not parents:
            more = {"on_parent_failure": "run", "pass_parent_results": 0}
        parents += [id for id in after if id not in parents]
        if parents == list(job.dependencies):
            return row, job
        more["dependencies"] = json.dumps(parents)
        return {**row, **more}, _Rewired(job.id, job.name, parents)

    def _hand_over(self, old: str, new: str, but: Collection[str]) -> None:
        """Let what waits for one job wait for another one, but for some."""
        conn = self._conn
        children = conn.execute(unique_sql.CHILDREN_OF, {"old": old}).fetchall()
        for child in children:
            if child["id"] == new or child["id"] in but:
                continue
            values = {"child": child["id"], "old": old, "new": new}
            conn.execute(unique_sql.FORGET_EDGE, values)
            conn.execute(unique_sql.WAIT_FOR, {**values, "on_failure": child["on_failure"]})
            named = as_json(child["dependencies"])
            # A damaged row: its edges hold it all the same.
            if isinstance(named, list):
                parents: list[object] = []
                for parent in named:
                    wanted = new if parent == old else parent
                    parents += [wanted] if wanted not in parents else []
                told = json.dumps(parents)
                conn.execute(unique_sql.SET_DEPENDENCIES, (told, child["place"]))
            conn.execute(sql.RELEASE_CHILD, {"child": child["place"]})
        if children and (holder := self._holders.get(new)) is not None:
            above = [row[0] for row in conn.execute(sql.PARENTS_OF, (new,))]
            refuse_cycle_with_file(conn, _Rewired(new, holder.name, above), ())
