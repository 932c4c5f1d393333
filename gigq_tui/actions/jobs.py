"""Acts on jobs and on the queue: each one blocks, tells what it did, and knows its CLI twin."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from gigq_core import JobQueue
from gigq_core.changes.action_progress import ActionProgress
from gigq_core.changes.canary import Canary
from gigq_core.changes.clearing import ClearPlan
from gigq_core.changes.undo import Undo
from gigq_core.errors import GigQError
from gigq_core.schema.opening import check_path, explained
from gigq_core.status import Change, Outcome, WorkerRequest
from gigq_core.submitting.key_holders import DELETED, already
from gigq_tui.actions import shell_command
from gigq_tui.actions.report import NAME_CELLS, Report, one_name, summarise
from gigq_tui.actions.submit import SubmitRequest, submit
from gigq_tui.actions.undo_log import Done, DoneAction, DoneChange, UndoLog
from gigq_tui.actions.workers.pending_requests import request_word
from gigq_tui.actions.writing import check_writable, opened
from gigq_tui.format import cut, inert
from gigq_tui.store.outcomes.following import newest_attempt

# How many jobs of an act are named when it is to be taken back.
NAMED = 3
# What an action is called while it goes on, before the number of jobs.
_DOING = {
    "cancel": "cancelling",
    "retry": "retrying",
    "priority": "moving the priority of",
    "clear": "clearing",
    "release": "releasing",
}


class ChangesJobs(Protocol):
    """What changes jobs in the file; each method blocks."""

    def cancel(self, ids: Iterable[str]) -> Report: ...

    def retry(self, ids: Iterable[str], with_children: bool = False) -> Report: ...

    def change_priority(self, ids: Iterable[str], by: int) -> Report: ...


class WritesJobs(ChangesJobs, Protocol):
    """What the console writes of jobs; tests put their own in its place. Each method blocks."""

    @property
    def undo_log(self) -> UndoLog: ...

    @property
    def undoable(self) -> Done | None: ...

    @property
    def under_way(self) -> str: ...

    def plan_clear(self, ids: Iterable[str]) -> ClearPlan: ...

    def clear(self, ids: Iterable[str], include_needed: bool = False) -> Report: ...

    def undo(self, act: Done) -> Report: ...

    def release(self, ids: Iterable[str]) -> Report: ...

    def retry_first(self, ids: Iterable[str], failure: str = "") -> tuple[Report, Canary]: ...

    def end_canary(self, canary: Canary) -> None: ...

    def submit(self, request: SubmitRequest) -> Report: ...

    def set_queue_paused(self, paused: bool) -> Report: ...

    def ask_worker(self, worker_id: str, request: WorkerRequest) -> Report: ...


class QueueActions:
    """What the console can do to one queue file. Call its methods in a thread: each one blocks.

    Args:
        path: The queue file.
        read_only: Refuse every act.
        python: The interpreter of the workers' jobs, where functions are looked for.
        chdir: The folder of the workers' jobs.

    Attributes:
        undo_log: What was done and can be taken back, by whatever acts on the file.
    """

    def __init__(
        self,
        path: Path,
        read_only: bool = False,
        *,
        python: str = sys.executable,
        chdir: Path | None = None,
    ) -> None:
        self.path = path
        self.read_only = read_only
        self.python = python
        self.chdir = Path.cwd() if chdir is None else chdir
        self.undo_log = UndoLog()
        # What goes on now, each in a thread of its own: what it is called, and how far it is.
        self._under_way: list[tuple[str, ActionProgress]] = []

    def cancel(self, ids: Iterable[str]) -> Report:
        """Cancel waiting jobs, and ask the workers of running ones to stop them.

        Raises:
            GigQError: Nothing was done; the sentence says why. So for every act below.
        """
        return self._act(ids, "cancel", lambda queue, names, undo: queue.cancel_jobs(names, undo))

    def retry(self, ids: Iterable[str], with_children: bool = False) -> Report:
        """Give jobs that failed, timed out or were cancelled a fresh start.

        Args:
            ids: Which jobs.
            with_children: Also those that were cancelled because some of these had failed.
        """
        return self._act(
            ids,
            "retry",
            lambda queue, names, undo: queue.requeue_jobs(names, undo, with_children),
            *(["--with-children"] if with_children else []),
            said="retry",
        )

    def retry_first(self, ids: Iterable[str], failure: str = "") -> tuple[Report, Canary]:
        """Retry a canary of jobs before all that waits; see `JobQueue.retry_first`.

        Args:
            ids: Which jobs.
            failure: The fingerprint that all of them failed with, where it is one.
        """
        canaries: list[Canary] = []

        def act(queue: JobQueue, names: list[str], undo: Undo) -> list[Outcome]:
            canaries.append(queue.retry_first(names, undo))
            return list(canaries[0].outcomes)

        report = self._act(ids, "retry", act, said="canary")
        if failure:
            size = str(len(report.job_ids))
            words = ("retry", "--failure", failure, "--canary", size)
            report = replace(report, twin=shell_command.command(self.path, *words))
        return report, canaries[0]

    def end_canary(self, canary: Canary) -> None:
        """Give a canary's jobs their own priority again."""
        with self._queue() as queue:
            queue.end_canary(canary)

    def change_priority(self, ids: Iterable[str], by: int) -> Report:
        """Raise the priority of waiting jobs by `by`, or lower it."""
        return self._act(
            ids,
            "priority",
            lambda queue, names, undo: queue.change_priority(names, by, undo),
            "--by",
            str(by),
            said="change of the priority",
        )

    def plan_clear(self, ids: Iterable[str]) -> ClearPlan:
        """Find out what clearing these jobs would do; changes nothing."""
        check_path(self.path)
        with explained(self.path):
            return JobQueue(self.path, initialize=False).plan_clear(ids)

    def clear(self, ids: Iterable[str], include_needed: bool = False) -> Report:
        """Delete jobs that have ended.

        Args:
            ids: Which jobs.
            include_needed: Delete those too that others still need.
        """
        return self._act(
            ids,
            "clear",
            lambda queue, names, undo: queue.clear_jobs(names, include_needed, undo),
            *(["--needed"] if include_needed else []),
        )

    @property
    def under_way(self) -> str:
        """How far the action is that began last, in words; empty where none goes on.

        May be asked from any thread.
        """
        if not (now := self._under_way[-1:]):
            return ""
        ((doing, progress),) = now
        if progress.waits_for_lock:
            return "waiting for another process that is writing to the file"
        if progress.total > 1:
            return f"{doing} {progress.done:,} of {progress.total:,}"
        return f"still {doing}"

    @property
    def undoable(self) -> Done | None:
        """The last action that can still be taken back."""
        return self.undo_log.last

    def undo(self, act: Done) -> Report:
        """Take an act back, as far as what it changed is still as it left it."""
        check_writable(self.path, read_only=self.read_only)
        if not self.undo_log.take(act):
            return Report("that was undone already")
        return self._undo_jobs(act) if isinstance(act, DoneAction) else self._undo_change(act)

    def _undo_change(self, act: DoneChange) -> Report:
        try:
            with self._queue("undoing") as queue:
                refused = act.put_back(queue)
        except GigQError:
            self.undo_log.put_back(act)
            raise
        if refused:
            part = "not undone" if len(refused) == len(act) else "not all undone"
            return Report(f"{part}, {act.what}: {', '.join(refused)}")
        return Report(f"undone: {act.what}")

    def _undo_jobs(self, act: DoneAction) -> Report:
        try:
            with self._queue("undoing") as queue:
                newest = newest_attempt(self.path)
                outcomes = tuple(queue.restore_jobs(act.undo))
        except GigQError:
            self.undo_log.put_back(act)
            raise
        rest = act.undo.rest()
        if len(rest):
            # The file could not be written any more: what is left can be undone later.
            self.undo_log.put_back(replace(act, undo=rest))
        title = f"undone: {act.what}"
        refused = [outcome for outcome in outcomes if not outcome.done]
        if len(outcomes) == len(refused) == 1:
            # The act's name holds the job's.
            title = f"not undone, {act.what}: {refused[0].reason}"
        elif refused:
            undone = "not undone, " if len(refused) == len(outcomes) else ""
            title = f"{undone}{act.what}: {summarise(outcomes)}"
        return Report(title, outcomes, "", act.undo.job_ids, undoable=len(rest) > 0, newest=newest)

    def release(self, ids: Iterable[str]) -> Report:
        """Take jobs back from workers that are certainly dead."""
        return self._act(ids, "release", lambda queue, names, _: queue.release_jobs(names))

    def submit(self, request: SubmitRequest) -> Report:
        """Insert the job, or its copies, once the workers' interpreter has found the function."""
        check_writable(self.path, read_only=self.read_only)
        with explained(self.path):
            jobs = submit(self.path, request, self.python, self.chdir)
        twin = shell_command.for_submit(self.path, request)
        ids = tuple(dict.fromkeys(job.duplicate_of or job.id for job in jobs))
        if len(jobs) == 1:
            title = f"submitted {request.options.name} ({ids[0][:8]})"
            if jobs[0].duplicate_of is not None:
                return self._instead_of_duplicate(ids[0])
            return Report(title, (), twin, ids)
        new = [job for job in jobs if job.duplicate_of is None]
        outcomes = tuple(Outcome(job.id, Change.SUBMITTED, name=job.name) for job in new)
        title = f"submitted {len(new):,} job{'s' * (len(new) != 1)}"
        if others := len(jobs) - len(new):
            title += f"; {others:,} not, since others hold their keys"
        return Report(title, outcomes, twin, ids)

    def _instead_of_duplicate(self, job_id: str) -> Report:
        """What is told where another job holds the key of the one that was to be submitted."""
        with self._queue() as queue:
            found = queue.get_status(job_id)
        if "name" not in found:
            return Report(f"{already(DELETED)}: {job_id[:8]}; nothing was submitted")
        named = f"{cut(inert(found['name']), NAME_CELLS)} ({job_id[:8]})"
        return Report(f"{already(found['status'])}: {named}", job_ids=(job_id,), instead=job_id)

    def set_queue_paused(self, paused: bool) -> Report:
        """Let workers claim nothing more, or let them go on."""
        with self._queue() as queue:
            if paused:
                queue.pause()
            else:
                queue.resume()
        title = (
            "queue paused: running jobs finish; GigQ workers are not affected"
            if paused
            else "queue resumed"
        )
        return Report(title, (), shell_command.command(self.path, "pause" if paused else "resume"))

    def ask_worker(self, worker_id: str, request: WorkerRequest) -> Report:
        """Ask any worker on the file, of this console or not.

        Args:
            worker_id: The id of its row.
            request: `pause`, `resume`, `drain` or `stop`.
        """
        with self._queue() as queue:
            if not queue.request_worker(worker_id, request):
                raise GigQError(f"Worker {worker_id} is not running.")
        line = shell_command.for_requests(self.path, [worker_id], request_word(request))
        return Report(f"requested {request_word(request)} of {worker_id}", (), line)

    def _act(
        self,
        ids: Iterable[str],
        verb: str,
        act: Callable[[JobQueue, list[str], Undo], list[Outcome]],
        *options: str,
        said: str = "",
    ) -> Report:
        names = list(dict.fromkeys(ids))
        if not names:
            return Report("nothing to do")
        undo = Undo()
        with self._queue(_DOING[verb]) as queue:
            newest = newest_attempt(self.path)
            outcomes = tuple(act(queue, names, undo))
        self.undo_log.add(_done_act(said or verb, outcomes, undo))
        return Report(
            summarise(outcomes),
            outcomes,
            shell_command.for_jobs(self.path, verb, names, *options),
            tuple(names),
            undoable=undo.restorable > 0,
            newest=newest,
        )

    @contextmanager
    def _queue(self, doing: str = "writing") -> Iterator[JobQueue]:
        case = doing, ActionProgress()
        self._under_way.append(case)
        try:
            with opened(self.path, read_only=self.read_only, progress=case[1]) as queue:
                yield queue
        finally:
            self._under_way.remove(case)


def _done_act(verb: str, outcomes: Sequence[Outcome], undo: Undo) -> DoneAction:
    done = [outcome for outcome in outcomes if outcome.done]
    who = f"{len(done):,} jobs" if len(done) != 1 else one_name(done)
    names = tuple(f"{outcome.name} {outcome.job_id[:8]}" for outcome in done[:NAMED])
    return DoneAction(f"{verb} of {who}", names, undo)
