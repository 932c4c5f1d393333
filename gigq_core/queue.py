"""The queue: submitting jobs, asking after them, and acting upon them."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from gigq_core.changes import actions, cascade, clearing
from gigq_core.changes import canary as canaries
from gigq_core.changes.canary import Canary
from gigq_core.changes.clearing import ClearPlan
from gigq_core.changes.undo import Undo, recorded, restoring
from gigq_core.errors import DatabaseError
from gigq_core.file_access import FileAccess
from gigq_core.functions.script import warn_of_waiting
from gigq_core.job import Duration, Job, check_integer
from gigq_core.rows.decoding import as_int, as_json, decoded_execution, decoded_job
from gigq_core.rows.progress import progress_of_row
from gigq_core.rows.runs import newest_runs
from gigq_core.schema import statements as sql
from gigq_core.schema.opening import explain, open_read_only
from gigq_core.schema.transaction import read
from gigq_core.status import Change, JobStatus, Outcome, WorkerRequest
from gigq_core.submitting.insertion import prepare, submit_prepared
from gigq_core.text import storable
from gigq_core.units.times import Moment, utc_now, utc_text

if TYPE_CHECKING:
    from gigq_core.hooks.match import Event
    from gigq_core.hooks.rules import Hook
    from gigq_core.keeping.rules import Keeping
    from gigq_core.lanes.rules import Lane
    from gigq_core.schedules.rules import CatchUp, Overlap, Schedule

logger = logging.getLogger("gigq_core.queue")

# Acts on more jobs than this are committed in parts, each of some tens of milliseconds.
AT_ONCE = 250
# Between two parts others get their turn; in seconds.
BREATH_S = 0.02


class JobQueue(FileAccess):
    """A job queue in one SQLite file. Every thread gets a connection of its own.

    Args:
        db_path: The file; it is made if there is none.
        initialize: Open the file at once. False leaves it alone until the first call, and makes
            none.
        progress: Is kept up to date with how far each action on jobs is.

    Attributes:
        db_path: The file.

    Raises:
        DatabaseError: The file can't be used as a queue; the message says why. So for every method,
            where the file can't be read or written any more.
    """

    # --- submitting --------------------------------------------------------------------------

    def submit(self, job: Job) -> str:
        """Put a job into the queue; when this returns, it is on disk.

        Args:
            job: The job. It is checked again as it is now.

        Returns:
            The job's id. If another job holds the key of a unique job, you get that job's id, which
            is then in `job.duplicate_of` too.

        Raises:
            TypeError: A value is of the wrong type, or the function does not take the parameters.
                Nothing was written, nor with the errors below.
            ValueError: A value is out of range.
            CycleError: The job would wait for itself.
            DuplicateJob: It was submitted before; or another job holds its key, and it asks for an
                error then.
            DatabaseError: The file can't be written.

        Warns:
            ScriptFunctionWarning: Its function is the script's own (`__main__`), and no worker was
                made here that could run it.
        """
        return self.submit_many([job])[0]

    def submit_many(self, jobs: Iterable[Job]) -> list[str]:
        """Put jobs into the queue in one transaction: all of them, or none.

        Args:
            jobs: The jobs, in any order, children before their parents too.

        Returns:
            Their ids, in the order given; for a duplicate, the id of the existing job.

        Raises:
            TypeError: As for `submit`; nothing was written, nor with the errors below.
            ValueError: As for `submit`.
            CycleError: The jobs form a dependency cycle.
            DuplicateJob: As for `submit`.
            DatabaseError: The file can't be written.
        """
        new = prepare(jobs, Moment.now())
        functions = ((row["function_module"], row["function_name"]) for row in new.rows)
        warn_of_waiting(functions, self.db_path)
        with self._writing(submits=True) as conn:
            ids = submit_prepared(conn, new)
        if logger.isEnabledFor(logging.INFO):
            for job in new.jobs:
                if job.duplicate_of is None:
                    logger.info("Job submitted: %s (%s)", job.id, job.name)
                else:
                    logger.info("Job not submitted: %s is there (%s)", job.duplicate_of, job.name)
        if any(row.get("on_parent_failure") for row in new.rows):
            # A parent may have failed already.
            self._tell_children()
        return ids

    # --- acting ------------------------------------------------------------------------------

    def cancel(self, job_id: str) -> bool:
        """Cancel a job that waits, or ask the worker of a running one to stop it.

        GigQ leaves running jobs alone. `cancel_jobs` says why one was refused.

        Args:
            job_id: Which job.

        Returns:
            True if the job is cancelled or its worker has been asked; False if it could not be.
        """
        return self.cancel_jobs([job_id])[0].done

    def cancel_jobs(self, job_ids: Iterable[str], undo: Undo | None = None) -> list[Outcome]:
        """Cancel jobs.

        A waiting job is `cancelled` at once; the reason says how many children were cancelled with
        it, by their `on_parent_failure`. A running one is `stopping`: the request is on disk, and
        its worker stops it. The rest are `refused`, with the reason.

        This and the other actions on many jobs are one transaction for up to 250 of them, and
        several for more, so that nobody waits long for the write lock.

        Args:
            job_ids: Which jobs.
            undo: Keeps what is changed, for `restore_jobs`.

        Returns:
            One outcome for each id, in the order given. If the file can't be written any more
            halfway, the rest are refused with that reason.

        Raises:
            DatabaseError: Nothing was done.
        """
        outcomes = self._in_parts(job_ids, actions.cancel, undo)
        self._tell_children()
        return self._with_reasons(cascade.with_those_along, outcomes)

    def requeue_job(self, job_id: str) -> bool:
        """Let a failed, timed out or cancelled job run again, with all of its attempts.

        Args:
            job_id: Which job.

        Returns:
            True if it waits again, False if it could not be requeued.
        """
        return self.requeue_jobs([job_id])[0].done

    def requeue_jobs(
        self, job_ids: Iterable[str], undo: Undo | None = None, cancelled_children: bool = False
    ) -> list[Outcome]:
        """Let failed, timed out or cancelled jobs run again, with all of their attempts.

        A job that would be cancelled again at once, since a parent has failed, is refused, unless
        that parent is among `job_ids`.

        Args:
            job_ids: Which jobs.
            undo: Keeps what is changed, for `restore_jobs`.
            cancelled_children: Also retry jobs that were cancelled because one of these had failed.
                Otherwise the outcome's reason says how many stay cancelled.

        Returns:
            One outcome for each id, in the order given, and then for each of those children;
            transactions as for `cancel_jobs`.

        Raises:
            DatabaseError: Nothing was done.
        """
        self._tell_children()
        ids = _several(job_ids)
        with self._writing() as conn:
            if cancelled_children:
                ids += cascade.cancelled_by(conn, ids)
            order = cascade.parents_first(conn, ids)
        done = self._in_parts([ids[place] for place in order], actions.requeue, undo)
        self._tell_children()
        done = self._with_reasons(cascade.with_those_left, done)
        outcomes = dict(zip(order, done, strict=True))
        return [outcomes[place] for place in range(len(ids))]

    def retry_first(self, job_ids: Iterable[str], undo: Undo | None = None) -> Canary:
        """Let failed jobs run again before everything that waits, as a canary for similar failures.

        They get a priority above all waiting jobs, and keep it until you call `end_canary`, which
        is best done when they have ended. `gigq_core.changes.canary.choose` chooses good ones.

        Args:
            job_ids: Which jobs; a few.
            undo: Keeps what is changed, for `restore_jobs`.

        Returns:
            One outcome for each id, in the order given, and the priorities.

        Raises:
            DatabaseError: Nothing was done.
        """
        self._tell_children()
        raised = canaries.Raised()
        outcomes = self._in_parts(job_ids, partial(canaries.retry_first, raised=raised), undo)
        self._tell_children()
        outcomes = self._with_reasons(cascade.with_those_left, outcomes)
        return Canary(tuple(outcomes), raised.priority, raised.own)

    def end_canary(self, canary: Canary, job_ids: Iterable[str] | None = None) -> int:
        """Give the jobs of a canary back the priority that they had before.

        If somebody has changed a job's priority meanwhile, it keeps that.

        Args:
            canary: What `retry_first` returned.
            job_ids: Which of its jobs; None for all.

        Returns:
            How many priorities were restored.

        Raises:
            DatabaseError: The file can't be written.
        """
        ids = [id for id in (canary.own if job_ids is None else job_ids) if id in canary.own]
        outcomes = self._in_parts(ids, lambda conn, part: canaries.set_back(conn, canary, part))
        return sum(outcome.done for outcome in outcomes)

    def release_jobs(self, job_ids: Iterable[str]) -> list[Outcome]:
        """Give back running jobs whose worker is certainly dead, in one transaction.

        A job with attempts left waits again; otherwise it has failed. A job whose worker lives,
        or can't be judged from this machine, is refused.

        Args:
            job_ids: Which jobs.

        Returns:
            One outcome for each id, in the order given.

        Raises:
            DatabaseError: Nothing was done.
        """
        from gigq_core.worker.rescue import release_dead

        wanted = _several(job_ids)
        with self._writing() as conn:
            outcomes = _for_each(wanted, partial(release_dead, conn))
        self._tell_children()
        return outcomes

    def set_priority(
        self, job_ids: Iterable[str], priority: int, undo: Undo | None = None
    ) -> list[Outcome]:
        """Set the priority of waiting jobs, blocked and delayed ones too. The next claim uses it.

        Jobs that run or have ended are refused.

        Args:
            job_ids: Which jobs.
            priority: Their new priority; higher runs first.
            undo: Keeps what is changed, for `restore_jobs`.

        Returns:
            One outcome for each id, in the order given; transactions as for `cancel_jobs`.

        Raises:
            TypeError: `priority` is not a whole number.
            ValueError: SQLite can't hold it.
            DatabaseError: Nothing was done.
        """
        check_integer("priority", priority)
        return self._in_parts(job_ids, partial(actions.set_priority, priority=priority), undo)

    def change_priority(
        self, job_ids: Iterable[str], by: int, undo: Undo | None = None
    ) -> list[Outcome]:
        """Raise or lower the priority of waiting jobs, each from its present one.

        Args:
            job_ids: Which jobs.
            by: What to add; below zero lowers it.
            undo: Keeps what is changed, for `restore_jobs`.

        Returns:
            One outcome for each id, in the order given; transactions as for `cancel_jobs`.

        Raises:
            TypeError: `by` is not a whole number.
            ValueError: SQLite can't hold it.
            DatabaseError: Nothing was done.
        """
        check_integer("by", by)
        return self._in_parts(job_ids, partial(actions.change_priority, by=by), undo)

    def restore_jobs(self, undo: Undo) -> list[Outcome]:
        """Undo the actions that were given `undo`.

        Args:
            undo: What they kept.

        Returns:
            One outcome for each job that they changed: `restored` if it was still as they left it,
            `refused` if a worker has claimed it since, or anybody has changed it. If the file can't
            be written any more halfway, `undo.rest()` holds those that are left. Then one
            for each job that had been cancelled because of one that waits again.

        Raises:
            DatabaseError: Nothing was done.
        """
        along: list[str] = []
        outcomes = self._in_parts(undo.job_ids, restoring(undo, along), after=undo.judge)
        if along:
            with self._writing() as conn:
                order = cascade.parents_first(conn, along)
            outcomes += self._in_parts([along[place] for place in order], cascade.bring_back)
        self._tell_children()
        return outcomes

    def clear_completed(self, before_timestamp: str | None = None) -> int:
        """Delete completed and cancelled jobs.

        Args:
            before_timestamp: Only those that completed before this time: naive local time in
                ISO 8601, as it is stored.

        Returns:
            How many were deleted.

        Raises:
            DatabaseError: Nothing was deleted.
        """
        with self._writing() as conn:
            if before_timestamp:
                n = conn.execute(sql.CLEAR_FINISHED_BEFORE, (before_timestamp,)).rowcount
            else:
                n = conn.execute(sql.CLEAR_FINISHED).rowcount
        self._tell_children()
        return n

    def plan_clear(self, job_ids: Iterable[str]) -> ClearPlan:
        """Find out what clearing some jobs would do. The file is only read.

        Args:
            job_ids: Which jobs.

        Returns:
            What would be deleted, what is kept because others need it, and what would be refused.

        Raises:
            DatabaseError: The file can't be read.
        """
        try:
            with closing(open_read_only(self.db_path)) as conn, read(conn):
                return clearing.plan(conn, _several(job_ids))
        except sqlite3.OperationalError as problem:
            raise explain(problem, Path(self.db_path)) from problem

    def clear_jobs(
        self, job_ids: Iterable[str], include_needed: bool = False, undo: Undo | None = None
    ) -> list[Outcome]:
        """Delete jobs that have ended.

        Args:
            job_ids: Which jobs.
            include_needed: Also delete jobs that others need: a completed job whose result a
                waiting one may read, and any other job that one still waits for.
            undo: Keeps what is deleted, up to its bound, for `restore_jobs`.

        Returns:
            One outcome for each id, in the order given; transactions as for `cancel_jobs`.

        Raises:
            DatabaseError: Nothing was deleted.
        """
        outcomes = self._in_parts(job_ids, clearing.clearing(include_needed), undo)
        self._tell_children()
        return outcomes

    # --- hooks -------------------------------------------------------------------------------

    def hook(
        self,
        event: Event,
        job: Job,
        match: str = "",
        every: Duration = 0,
        name: str = "",
    ) -> str:
        """Have a job submitted whenever others have failed, or completed.

        The job's function is called with its own parameters, and with `jobs`, a list of the jobs
        that ended, 100 at most, and `count`, how many there were. One of our workers submits it.
        What becomes of a hook's own jobs, and of those that they submit, is reported to no hook.

        Args:
            event: "failed" (for good, or timed out, or cancelled because a parent failed), or
                "completed".
            job: The job to submit each time; its function takes `jobs` and `count`.
            match: Which jobs it is about, in the words of the console's filters: `fn:etl.*
                -err:timeout`; empty for all. The fields are fn, name, err, lane, workflow, batch,
                schedule and worker.
            every: The least time between two of its jobs; the next one reports what ended
                meanwhile.
            name: Its name; an existing hook of that name is changed. Without one it gets the job's
                name, and an equal hook is left as it is.

        Returns:
            Its name.

        Raises:
            TypeError: A value is of the wrong type, or the function does not take the parameters.
                Nothing was written, nor with the errors below.
            ValueError: A value is out of range, or the match can't be understood.
            DatabaseError: The file can't be written.
        """
        from gigq_core.hooks import rules as hooks

        new = hooks.NewHook(event, job, match, every, name)
        warn_of_waiting([job.reference], self.db_path)
        with self._writing() as conn:
            return hooks.put(conn, new, Moment.now())

    def hooks(self) -> list[Hook]:
        """List the hooks, by name, each with what it has yet to report and how its jobs ended."""
        from gigq_core.hooks.rules import read_hooks

        return read_hooks(self._connection())

    def remove_hook(self, name: str) -> bool:
        """Remove a hook. What it had yet to report is forgotten.

        Args:
            name: Which hook.

        Returns:
            True if it is gone, False if there is none of that name.

        Raises:
            DatabaseError: The file can't be written.
        """
        from gigq_core.hooks import rules as hooks

        with self._writing() as conn:
            return hooks.remove(conn, _known_as(name))

    def pause_hook(self, name: str) -> bool:
        """Pause a hook: it submits nothing until `resume_hook`, but goes on counting.

        Args:
            name: Which hook.

        Returns:
            True if it is paused, False if there is none of that name.

        Raises:
            DatabaseError: The file can't be written.
        """
        from gigq_core.hooks import rules as hooks

        with self._writing() as conn:
            return hooks.pause(conn, _known_as(name), Moment.now())

    def resume_hook(self, name: str) -> bool:
        """Resume a hook. One job reports what it counted meanwhile.

        Args:
            name: Which hook.

        Returns:
            True if it is active now, False if there is none of that name.

        Raises:
            DatabaseError: The file can't be written.
        """
        from gigq_core.hooks import rules as hooks

        with self._writing() as conn:
            return hooks.resume(conn, _known_as(name), Moment.now())

    def test_hook(self, name: str) -> str:
        """Submit a hook's job now, with one made-up job in `jobs`, to see whether it arrives.

        Args:
            name: Which hook; a paused one too.

        Returns:
            The id of the job that was submitted.

        Raises:
            KeyError: There is no such hook.
            TypeError: Its job can't be submitted any more; nothing was written, nor with the errors
                below.
            ValueError: As before.
            DatabaseError: The file can't be written.
        """
        from gigq_core.hooks import rules as hooks

        with self._writing() as conn:
            job_id = hooks.submit_test(conn, _known_as(name), Moment.now())
        if job_id is None:
            raise KeyError(f"There is no hook {name!r} in the queue.")
        return job_id

    # --- keeping -----------------------------------------------------------------------------

    def keep(
        self,
        completed: float | str | None = None,
        failed: float | str | None = None,
        cancelled: float | str | None = None,
        archive: str | Path | None = None,
    ) -> Keeping:
        """Set how long jobs stay after they have ended; the default is for ever.

        Workers then delete older jobs, at once and from time to time, a few at a time. A job stays
        while others need it, or would if they were retried. Ages that are not given stay as they
        are.

        Args:
            completed: How long completed jobs stay after their end: seconds, text like `7d`, or
                `forever`.
            failed: The same for jobs that failed or timed out.
            cancelled: The same for cancelled jobs.
            archive: A folder to which each job is written before it is deleted, as a line of JSON;
                it is created, if its parent exists. Empty text for none.

        Returns:
            The settings now.

        Raises:
            TypeError: A value is of the wrong type. Nothing was changed, nor with the errors below.
            ValueError: An age is not a duration, or the folder can't be made or written.
            DatabaseError: The file can't be written.
        """
        from gigq_core.keeping.rules import set_ages, wish_of  # here: few say anything about that

        wish = wish_of(completed, failed, cancelled, archive)
        with self._writing() as conn:
            set_ages(conn, wish)
        return self.keeping()

    def keeping(self) -> Keeping:
        """How long jobs stay after they have ended, and how far the deletion of older ones is."""
        from gigq_core.keeping.rules import read_keeping

        return read_keeping(self._connection())

    # --- the queue as a whole ----------------------------------------------------------------

    def pause(self) -> None:
        """Pause the queue: none of our workers claims another job until `resume`. GigQ's go on."""
        with self._writing() as conn:
            conn.execute(sql.PAUSE, (utc_text(),))

    def resume(self) -> None:
        """End a pause."""
        with self._writing() as conn:
            conn.execute(sql.RESUME)

    def set_lane(
        self,
        pattern: str,
        running: int | None = None,
        rate: str | None = None,
        burst: int = 1,
        reserved: bool = False,
    ) -> None:
        """Set the limits of a lane. They replace those that it has; running jobs go on.

        Args:
            pattern: The lane's name; or `fetch:*` for all whose names begin with `fetch:`, each
                with these limits for itself. The exact name wins, then the longest prefix.
            running: How many of its jobs may run at a time; None for any number.
            rate: How many may start in a second, minute, hour or day: `5/s`, `10/m`, `100/h`,
                `1/d`; None for any number. Another attempt is another start.
            burst: How many of these may start at once after a quiet time.
            reserved: Leave its jobs to workers that name the lane.

        Raises:
            TypeError: A value is of the wrong type; nothing was written, nor with the errors below.
            ValueError: A value is out of range.
            DatabaseError: The file can't be written.
        """
        from gigq_core.lanes import changes as lane_changes
        from gigq_core.lanes import rules as lanes

        rule = lanes.rule_of(pattern, running, rate, burst, reserved)
        with self._writing() as conn:
            lane_changes.set_rule(conn, rule, utc_now())

    def remove_lane(self, pattern: str) -> bool:
        """Remove the limits of a lane. Its jobs stay, and go by the next rule that matches.

        Args:
            pattern: As it was given to `set_lane`.

        Returns:
            Whether there were any.
        """
        from gigq_core.lanes import changes as lane_changes

        with self._writing() as conn:
            return lane_changes.remove_rule(conn, _known_as(pattern), utc_now())

    def pause_lane(self, pattern: str) -> bool:
        """Pause a lane: none of its jobs start until `resume_lane`. Running jobs go on.

        Args:
            pattern: As for `set_lane`. A pause is no rule: the lane keeps its limits.

        Returns:
            Whether it was not paused by that name already.

        Raises:
            TypeError: As for `set_lane`.
            ValueError: As for `set_lane`.
        """
        from gigq_core.lanes import changes as lane_changes
        from gigq_core.lanes import rules as lanes

        lanes.check_pattern(pattern)
        with self._writing() as conn:
            return lane_changes.pause(conn, pattern, utc_now())

    def resume_lane(self, pattern: str) -> bool:
        """End a pause; where there is none, open what a job has shut by `Retry(lane=True)`.

        Args:
            pattern: As it was given to `pause_lane`.

        Returns:
            Whether there was either.
        """
        from gigq_core.lanes import changes as lane_changes

        with self._writing() as conn:
            return lane_changes.resume(conn, _known_as(pattern), utc_now())

    def lanes(self) -> list[Lane]:
        """The lanes in which jobs wait or run, and rules whose lanes have none, by name."""
        from gigq_core.lanes.rules import read_lanes

        with self._reading() as conn:
            return read_lanes(conn, utc_now())

    def is_paused(self) -> bool:
        """Whether the queue is paused."""
        return self._one(sql.IS_PAUSED) is not None

    def request_worker(self, worker_id: str, request: WorkerRequest) -> bool:
        """Ask a worker, wherever it runs, for something.

        Args:
            worker_id: Which worker.
            request: "pause" claims nothing more, "resume" ends that, "drain" finishes what runs and
                ends, "stop" ends at once and gives its jobs back.

        Returns:
            True if the request is on disk, False if no such worker is running.

        Raises:
            ValueError: `request` is none of these.
        """
        if request not in get_args(WorkerRequest):
            raise ValueError(f"A worker can't {request!r}: ask for pause, resume, drain or stop.")
        if not _is_storable(worker_id):
            return False
        with self._writing() as conn:
            return conn.execute(sql.REQUEST_OF_WORKER, (request, worker_id)).rowcount > 0

    # --- schedules ---------------------------------------------------------------------------

    def schedule(
        self,
        name: str,
        when: str,
        job: Job,
        zone: str = "UTC",
        catch_up: CatchUp = "last",
        overlap: Overlap = "skip",
    ) -> Schedule:
        """Make a job at each slot of a rule from now on. Each slot makes one job.

        Any of our workers makes it. An existing schedule of that name is changed: a paused one
        stays paused, and a due slot stays due if the rule is the same, so a script may call this
        each time it starts.

        Args:
            name: What people call it.
            when: Five cron fields, as "30 2 * * *"; @hourly, @daily, @weekly, @monthly or @yearly;
                or "every 15m", which counts from the beginning of 1970, UTC.
            job: The job that each slot makes. `{slot:%Y-%m-%d}` in strings of its parameters
                becomes the slot, in the schedule's zone.
            zone: The zone of the cron fields, such as Europe/Berlin.
            catch_up: What happens to slots that passed while no worker was there: "last" makes a
                job for the newest, "none" for none that is more than a minute late, "all" for each,
                100 at most, one after another unless `overlap` says otherwise.
            overlap: What happens to a slot while a job of the schedule waits or runs: "skip" makes
                no job, "queue" one that runs after it, "replace" one in its place, "allow" one
                beside it.

        Returns:
            The schedule as it is now.

        Raises:
            TypeError: A value is of the wrong type; nothing was written, nor with the errors below.
            ValueError: A value is out of range, or the job waits for others or a time of its own.
            DatabaseError: The file can't be written.
        """
        from gigq_core.schedules import rules as schedules

        terms = schedules.Terms.of(name, when, job, zone, catch_up, overlap)
        with self._writing() as conn:
            schedules.put(conn, terms, Moment.now())
            made = schedules.read_schedule(conn, terms.name)
        assert made is not None
        return made

    def schedules(self) -> list[Schedule]:
        """All schedules, by name."""
        from gigq_core.schedules.rules import read_schedules

        return read_schedules(self._connection())

    def remove_schedule(self, name: str) -> bool:
        """Remove a schedule. The jobs that it made stay.

        Args:
            name: Which one.

        Returns:
            True if it is gone, False if there was none of that name.

        Raises:
            DatabaseError: The file can't be written.
        """
        from gigq_core.schedules import rules as schedules

        with self._writing() as conn:
            return schedules.remove(conn, _known_as(name))

    def pause_schedule(self, name: str) -> bool:
        """Pause a schedule: its slots make no jobs until `resume_schedule`. It can still be run.

        Args:
            name: Which one.

        Returns:
            True if it is paused now, False if it was already, or there is none.

        Raises:
            DatabaseError: The file can't be written.
        """
        from gigq_core.schedules import rules as schedules

        with self._writing() as conn:
            return schedules.pause(conn, _known_as(name), Moment.now())

    def resume_schedule(self, name: str) -> bool:
        """Resume a schedule with its next slot. Those that passed make no job.

        Args:
            name: Which one.

        Returns:
            True if it goes on now, False if it was not paused, or there is none.

        Raises:
            ValueError: This machine does not know its zone.
            DatabaseError: The file can't be written.
        """
        from gigq_core.schedules import rules as schedules

        with self._writing() as conn:
            return schedules.resume(conn, _known_as(name), Moment.now())

    def run_schedule(self, name: str) -> str:
        """Make a job of a schedule now, in addition to its slots, even while it is paused.

        If one of its jobs waits or runs, the new one waits for it, unless the overlap is "replace"
        or "allow".

        Args:
            name: Which one.

        Returns:
            The job's id.

        Raises:
            KeyError: There is no such schedule.
            TypeError: Its job can't be submitted any more; nothing was written, nor with the errors
                below.
            ValueError: As before.
            DuplicateJob: Another job holds its key, or 100 wait already.
            DatabaseError: The file can't be written.
        """
        from gigq_core.schedules import rules as schedules

        with self._writing() as conn:
            job_id = schedules.run(conn, _known_as(name), Moment.now())
        self._tell_children()
        return job_id

    # --- asking ------------------------------------------------------------------------------

    def get_status(self, job_id: str) -> dict[str, Any]:
        """Everything about a job: its row, with `exists`, its `progress` and its `executions`.

        Args:
            job_id: Which job.

        Returns:
            The columns of its row, `params`, `dependencies` and `result` decoded, times as naive
            local time in ISO 8601; `{"exists": False}` for an unknown id. `progress` is what it
            reported last, until it is requeued: `done`, `total`, `percent`, `note` and `at`, which
            is in UTC seconds; None if there is nothing.
        """
        row = self._one(sql.JOB_BY_ID, job_id)
        if row is None:
            return {"exists": False}
        job = decoded_job(row)
        job["exists"] = True
        job["progress"] = progress_of_row(self._one(sql.PROGRESS_OF, job_id))
        job["executions"] = [decoded_execution(r) for r in self._all(sql.EXECUTIONS_OF, job_id)]
        return job

    def get_result(self, job_id: str) -> Any:
        """The result of a completed job.

        Args:
            job_id: Which job.

        Returns:
            What its function returned; None while there is nothing.

        Raises:
            KeyError: There is no such job.
        """
        row = self._one(sql.RESULT_OF, job_id)
        if row is None:
            raise KeyError(f"There is no job {job_id!r} in the queue.")
        if row["status"] != JobStatus.COMPLETED.value or not row["result"]:
            return None
        return as_json(row["result"])

    def list_jobs(
        self, status: JobStatus | str | None = None, limit: int = 100
    ) -> list[dict[str, Any]]:
        """List jobs, newest first.

        Args:
            status: Only those of this status; None for all.
            limit: How many at most.

        Returns:
            Their rows, decoded as for `get_status`.

        Raises:
            TypeError: `limit` is no whole number.
            ValueError: SQLite can't hold it.
        """
        check_integer("limit", limit)
        if isinstance(status, JobStatus):
            status = status.value
        if status:
            rows = self._all(sql.NEWEST_JOBS_WITH_STATUS, status, limit)
        else:
            rows = self._all(sql.NEWEST_JOBS, limit)
        return [decoded_job(row) for row in rows]

    def stats(self) -> dict[str, int]:
        """Count the jobs. It costs the same however many there are.

        Returns:
            How many there are of each status, and `total`.
        """
        counts = {status.value: 0 for status in JobStatus}
        total = 0
        for state, held in self._all(sql.COUNTERS):
            n = as_int(held)
            status = JobStatus.PENDING.value if state in ("ready", "blocked", "delayed") else state
            if n or status in counts:
                counts[status] = counts.get(status, 0) + n
            total += n
        counts["total"] = total
        return counts

    def workflows(self, limit: int = 100) -> list[dict[str, Any]]:
        """List the runs of workflows, newest first.

        Args:
            limit: How many at most.

        Returns:
            For each `Workflow.submit_all` with jobs left: `name`, `id` (the `workflow_id` of
            its jobs), `submitted` (UTC seconds since 1970), `counts` (of its jobs by status),
            and `total`.

        Raises:
            TypeError: `limit` is no whole number.
            ValueError: SQLite can't hold it.
        """
        check_integer("limit", limit)
        return newest_runs(self._all, limit)

    # --- in parts ----------------------------------------------------------------------------

    def _in_parts(
        self,
        job_ids: Iterable[str],
        act: Callable[[sqlite3.Connection, Sequence[str]], list[Outcome]],
        undo: Undo | None = None,
        after: Callable[[Sequence[str]], None] = lambda part: None,
    ) -> list[Outcome]:
        """Act on jobs, each part in a transaction of its own; raises only if the first fails.

        `after` is called with each part that is committed.
        """
        ids = _several(job_ids)
        outcomes: list[Outcome] = []
        progress = self._progress
        if progress is not None:
            progress.done, progress.total = 0, len(ids)
        for start in range(0, len(ids), AT_ONCE):
            if start:
                time.sleep(BREATH_S)
            part = ids[start : start + AT_ONCE]
            try:
                outcomes += _for_each(part, lambda ids: self._one_part(ids, act, undo))
                after(part)
                if progress is not None:
                    progress.done += len(part)
            except DatabaseError as problem:
                if not start:
                    raise
                # What is done is done, so it is told job by job.
                reason = str(problem)
                outcomes += [Outcome(job_id, Change.REFUSED, reason) for job_id in ids[start:]]
                break
        return outcomes

    def _tell_children(self) -> None:
        """Tell children what became of their parents; a worker does what can't be done here."""
        with suppress(DatabaseError):
            while self._one(sql.HAS_CASCADE) is not None:
                with self._writing() as conn:
                    left = cascade.work_off(conn)
                if left:
                    time.sleep(BREATH_S)

    def _with_reasons(
        self,
        add: Callable[[sqlite3.Connection, list[Outcome]], list[Outcome]],
        outcomes: list[Outcome],
    ) -> list[Outcome]:
        """The outcomes with what is only told beside: what was done is done without it."""
        try:
            return add(self._connection(), outcomes)
        except (sqlite3.Error, DatabaseError):
            return outcomes

    def _one_part(
        self,
        job_ids: Sequence[str],
        act: Callable[[sqlite3.Connection, Sequence[str]], list[Outcome]],
        undo: Undo | None,
    ) -> list[Outcome]:
        if undo is None:
            with self._writing() as conn:
                return act(conn, job_ids)
        with self._writing() as conn:
            outcomes, found = recorded(conn, act, job_ids)
        undo.keep(found)
        return outcomes


def _for_each(
    job_ids: Sequence[str], act: Callable[[Sequence[str]], list[Outcome]]
) -> list[Outcome]:
    """Act on those of some ids that a file can hold; no job has one of the others."""
    known = [job_id for job_id in job_ids if _is_storable(job_id)]
    if len(known) == len(job_ids):
        return act(job_ids)
    outcomes = iter(act(known) if known else ())
    return [
        next(outcomes)
        if _is_storable(job_id)
        else Outcome(job_id, Change.REFUSED, "there is no such job")
        for job_id in job_ids
    ]


def _is_storable(text: str) -> bool:
    return not isinstance(text, str) or storable(text) == text


def _known_as(name: str) -> str:
    """A name that may stand in the file; what can't be one there is known by none.

    Raises:
        TypeError: It is no text.
    """
    if not isinstance(name, str):
        raise TypeError(f"A name must be text, not a value of type {type(name).__name__}.")
    return name if _is_storable(name) else ""


def _several(job_ids: Iterable[str]) -> list[str]:
    """The ids of some jobs.

    Raises:
        TypeError: It is a single one, whose letters would be taken for ids.
    """
    if isinstance(job_ids, (str, bytes)):
        raise TypeError("job_ids must be a list of ids, not one id: write [id].")
    return list(job_ids)
