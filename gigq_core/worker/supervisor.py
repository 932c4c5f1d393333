"""The one thread of a worker that writes to the queue: what ended, what came due, what is next."""

from __future__ import annotations

import logging
import math
import selectors
import signal
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from gigq_core.errors import DatabaseError, WorkerIdInUse
from gigq_core.fleet.agents_seen import BY_AGENTS
from gigq_core.schema.opening import explain
from gigq_core.schema.transaction import is_lock_trouble, is_passing
from gigq_core.status import WorkerState
from gigq_core.units.times import utc_now
from gigq_core.worker import register, runner
from gigq_core.worker.claims import Begun, Claim, Ending, Fate
from gigq_core.worker.disturbed import Disturbed
from gigq_core.worker.heard import Report, Save, Unwritten
from gigq_core.worker.ledger import LONGEST_PAUSE_S, Ledger, LockBusy, PendingWork, pauses
from gigq_core.worker.register import Register
from gigq_core.worker.service import Service
from gigq_core.worker.standstill import Standstill
from gigq_core.worker.troubles import FileTroubles
from gigq_core.worker.upkeep import Upkeep
from gigq_core.worker.wakes import FileWatch, Looks, Signals, Waker

logger = logging.getLogger("gigq_core.worker")

# The slowest poll, in seconds, whatever the polling interval: the floor under all hints.
SLOWEST_POLL_S = 1.0
# Heartbeats, in seconds: with a transaction that happens anyway, alone while busy, alone when idle.
BEAT_ALONG_S = 0.5
BEAT_BUSY_S = 5.0
BEAT_IDLE_S = 30.0
# How many transactions a worker that ends takes at most to tell children of parents that failed.
MOST_LAST_PARTS = 40
# After trouble with the disk, in seconds.
BACK_OFF_S = 1.0
# The longest time, in seconds, that endings wait for those of the jobs claimed ahead: they share a
# commit.
SHARE_S = 0.004
# How often a worker that ends tries to say goodbye while others keep the file locked: each time it
# waits for the lock.
RETIRE_TRIES = 10
# What does not end within the grace is waited for so much longer, in seconds, by those whose jobs
# may not end at all.
PATIENCE_S = {"thread": 0.0, BY_AGENTS: 5.0}
# Signals of which one is enough to stop now.
AT_ONCE = (getattr(signal, "SIGQUIT", None),)

_REQUESTED: dict[str, WorkerState] = {
    "pause": "paused",
    "resume": "running",
    "drain": "draining",
    "stop": "stopping",
}
# What ends a worker on purpose, so that no job can be the reason.
_ON_PURPOSE = (DatabaseError, KeyboardInterrupt, SystemExit)


class Pool(Protocol):
    """What runs the jobs: child processes or threads, as far as a supervisor knows them."""

    isolation: str

    # How many jobs may run at a time; and for now, while the system gives no more.
    @property
    def slots(self) -> int: ...
    @property
    def usable(self) -> int: ...

    def running(self) -> dict[str, Claim]: ...
    def busy(self) -> int: ...
    def free(self) -> list[int]: ...
    def prepare(self, wanted: int) -> None: ...
    def start(self, claims: list[Claim]) -> None: ...
    def room_ahead(self) -> int: ...
    def ahead(self) -> int: ...
    def unclaim(self) -> None: ...
    def take_begun(self) -> list[Begun]: ...
    def take_reports(self) -> list[Report]: ...
    def take_saves(self) -> list[Save]: ...
    def saved(self, save: Save) -> None: ...
    def was_away(self) -> None: ...
    def stop(self, execution_id: str, fate: Fate) -> None: ...
    def tick(self) -> None: ...
    def due(self) -> float | None: ...
    def collect(self) -> list[Ending]: ...
    def wind_down(self) -> None: ...


class Orders:
    """What signals, and whoever calls `drain`, want of the worker: to finish, or to end at once.

    Args:
        stop_within_s: how long what runs may go on after the first signal; None for ever.
        on_hangup: called when SIGHUP comes; without it, that is a signal to end like others.
    """

    def __init__(self, stop_within_s: float | None, on_hangup: Callable[[], None] | None) -> None:
        self.exit_code = 0
        self.drain_wanted = False
        # When what still runs is given back, by the monotonic clock.
        self.stop_at: float | None = None
        self._stop_within_s = stop_within_s
        self._on_hangup = on_hangup
        self._heard = 0

    def take(self, signals: Iterable[int]) -> Iterator[WorkerState]:
        """The states that follow, in their order; the worker may be beyond some of them."""
        for signum in signals:
            if self._on_hangup is not None and signum == getattr(signal, "SIGHUP", None):
                self._on_hangup()
                logger.info("The log was reopened")
                continue
            self._heard += 1
            if self._heard == 1 and signum not in AT_ONCE:
                logger.info("Finishing running jobs; signal again to stop now")
                yield "draining"
                if self._stop_within_s is not None:
                    self.stop_at = time.monotonic() + self._stop_within_s
            else:
                yield "stopping"
                self.exit_code = 128 + signum
        if self.stop_at is not None and time.monotonic() >= self.stop_at:
            self.stop_at = None
            yield "stopping"
        if self.drain_wanted:
            yield "draining"


class Timer:
    """When what waits for an instant has come due."""

    def __init__(self) -> None:
        # Not before: what looked due was not.
        self._not_before = 0.0

    def is_due(self, due: float | None, now: float) -> bool:
        """Whether the first of it has, which is due then; `now` by the monotonic clock."""
        return due is not None and now >= self._not_before and due <= utc_now()

    def seconds_until(self, due: float) -> float:
        """Seconds until that may be so."""
        left = due - utc_now()
        return left if left > 0 else max(0.0, self._not_before - time.monotonic())

    def was_early(self) -> None:
        """Nothing could be done."""
        self._not_before = time.monotonic() + SLOWEST_POLL_S


class Supervisor:
    """Runs jobs until it is told to end.

    Args:
        ledger: the queue file, for this thread alone.
        pool: what runs the jobs.
        own: the worker's row.
        selector, waker, watch: what it waits for.
        polling_interval_s: the longest time between two looks; at most a second counts.
        grace_s: how long threads that were told to stop are waited for.
        limit: end after so many jobs, or when there is none; None to stay.
        stop_within_s: how long what runs may go on after the first signal; None for ever.
        service: who is told how the worker is, if anybody.
        on_hangup: called when SIGHUP comes; without it, that is a signal to end like others.
    """

    def __init__(
        self,
        ledger: Ledger,
        pool: Pool,
        own: Register,
        selector: selectors.BaseSelector,
        waker: Waker,
        watch: FileWatch | None,
        polling_interval_s: float,
        grace_s: float,
        limit: int | None = None,
        on_hangup: Callable[[], None] | None = None,
        service: Service | None = None,
        stop_within_s: float | None = None,
    ) -> None:
        self.claimed = 0
        self._ledger = ledger
        self._pool = pool
        self._own = own
        self._selector = selector
        self._waker = waker
        self._looks = Looks(watch, max(0.01, min(polling_interval_s, SLOWEST_POLL_S)))
        self._grace_s = grace_s
        self._limit = limit
        self._service = service
        self._orders = Orders(stop_within_s, on_hangup)
        self._endings: list[Ending] = []
        self._disturbed = Disturbed()
        self._standstill = Standstill()
        self._begun: list[Begun] = []
        self._unwritten = Unwritten()
        self._share_until = 0.0
        self._pending = PendingWork()
        # Between tries to get the write lock, while others keep it.
        self._pauses: Iterator[float] | None = None
        # Whether jobs are known, or thought, to wait for a free slot.
        self._waiting = False
        self._staging = Timer()
        self._agenda = Timer()
        self._state_written = ""
        self._last_beat = 0.0
        self._not_before = 0.0
        self._troubles = FileTroubles(ledger.path, ledger.conn)
        self._leave_by: float | None = None
        self._upkeep = Upkeep(ledger, own.id)

    @property
    def exit_code(self) -> int:
        """For the process: 0, or 128 + the signal that ended it at once."""
        return self._orders.exit_code

    def drain(self) -> None:
        """Finish what runs, claim nothing more, end; from any thread."""
        self._orders.drain_wanted = True
        self._waker.wake()

    # --- the loop ----------------------------------------------------------------------------

    def run(self, signals: Signals, close: Callable[[], object] = lambda: None) -> None:
        """Work until it is over; on any exception what runs is ended first.

        An attempt that had begun counts as crashed then, as nobody knows whether it was the reason;
        but not if the worker is ended on purpose.

        Args:
            signals: those that come meanwhile.
            close: closes the pool, unless there was an exception; what ends by that is written.

        Raises:
            WorkerIdInUse: a live worker has the id.
            DatabaseError: the file can't be used any more.
            WorkerCannotStart: the interpreter for the jobs does not start.
        """
        try:
            while True:
                self._hear(signals)
                self._step()
                if self._service is not None:
                    _notify(self._service, self._own)
                if self._is_over():
                    break
                self._wait()
        except sqlite3.Error as problem:
            self._give_up(problem)
            raise explain(problem, self._ledger.path) from problem
        except BaseException as problem:
            self._give_up(problem)
            raise
        if self._own.enrolled and self._own.state != "stopping":
            _tell_children(self._ledger)
        self._retire()
        close()
        self._collect()
        self._endings += self._disturbed.rest()
        if self._own.enrolled and self._endings:
            quietly = _Quietly()
            for ending in self._endings:
                quietly(self._write_last, ending)
                _report(ending, False)
            self._retire()

    def _hear(self, signals: Signals) -> None:
        for state in self._orders.take(signals.take()):
            self._enter(state)

    def _enter(self, state: WorkerState) -> None:
        own = self._own
        if own.state == state or own.state == "stopping":
            return
        if own.state == "draining" and state != "stopping":
            return
        logger.info("Worker %s is %s", own.id, state)
        own.state = state
        self._looks.again = True
        if state != "running":
            self._pool.unclaim()
        if state == "stopping":
            self._leave_by = time.monotonic() + self._grace_s
            for token in self._pool.running():
                self._pool.stop(token, Fate.GIVEN_BACK)

    def _collect(self) -> None:
        """Take what ended from the pool."""
        leaving = self._own.state in ("draining", "stopping")
        self._endings += self._disturbed.settle(self._pool.collect(), leaving)

    def _step(self) -> None:
        self._pool.tick()
        self._collect()
        if self._own.state in ("draining", "stopping"):
            self._pool.wind_down()
        now = time.monotonic()
        if self._looks.taken_away():
            self._ledger.check_files()
        if now < self._resting_until():
            return
        try:
            if self._standstill.is_unsettled:
                self._stop_what_was_taken()
            self._read_if_changed(now)
            if not self._may_claim():
                self._pool.unclaim()
            self._collect()
            self._begun += self._pool.take_begun()
            self._unwritten.add(self._pool.take_saves(), self._pool.take_reports())
            self._write_if_needed(now)
            if self._own.asked is not None:
                self._own.asked.answer()
            if self._pending.cascade and self._own.state != "stopping":
                self._ledger.tell_children()
                self._looks.again = True
            if self._own.keeps_agenda and self._agenda.is_due(self._pending.agenda, now):
                if not self._ledger.work_off_agenda():
                    self._agenda.was_early()
                self._looks.again = True
            if self._upkeep.run_if_due(now):
                self._looks.again = True
            self._troubles.look_after_wal(now)
            self._troubles.fine()
            self._pauses = None
        except LockBusy:
            # Meanwhile jobs go on, and what ends is written together. If all that was to do is to
            # take a job, another worker is taking it, mostly: that is seen soon.
            self._looks.again = self._looks.again or not self._endings
            self._troubles.locked()
            if self._pauses is None:
                self._pauses = pauses() if self._endings else pauses(LONGEST_PAUSE_S)
            self._not_before = time.monotonic() + next(self._pauses)
        except sqlite3.OperationalError as problem:
            self._endure(problem)

    def _resting_until(self) -> float:
        """Before this time nothing is read or written."""
        return max(self._not_before, self._share_until if self._pool.ahead() else 0.0)

    def _wait(self) -> None:
        """Until something happens, but no longer than to the next thing that comes due."""
        hinted = True
        while hinted:
            now = time.monotonic()
            self._looks.listen()
            timeout = max(0.0, self._next_due(now) - now)
            ready = self._selector.select(timeout)
            away_s = self._standstill.woken(now, timeout)
            if away_s:
                self._was_away(away_s)
            # A hint only tells when to look.
            hinted = bool(ready) and all(self._looks.is_hint(key.fd) for key, _ in ready)
            for key, _ in ready:
                # One callback may have closed what another one was to read.
                if key.fd in self._selector.get_map():
                    key.data()

    def _next_due(self, now: float) -> float:
        """When there is something to do, if nothing happens before, by the monotonic clock."""
        resting_until = self._resting_until()
        if resting_until > now:
            next_due = resting_until
        elif self._endings or (self._waiting and self._may_claim() and self._pool.free()):
            return now
        else:
            next_due = self._looks.next(now, self._is_eager())
            if self._pending.due is not None and self._own.state == "running":
                next_due = min(next_due, now + self._staging.seconds_until(self._pending.due))
        if self._pending.agenda is not None and self._own.keeps_agenda:
            agenda_due = now + self._agenda.seconds_until(self._pending.agenda)
            next_due = min(next_due, max(agenda_due, resting_until))
        told_due = max(self._unwritten.due(), resting_until)
        service_due = self._service.due() if self._service is not None else None
        others = (self._pool.due(), service_due, self._orders.stop_at, self._disturbed.due())
        return min(next_due, told_due, *(at for at in others if at is not None))

    def _was_away(self, seconds: float) -> None:
        """This process stood still: others may have taken its jobs, and run them by now."""
        logger.warning(
            "This worker did not run for %.0f s: it was suspended, or waited for a processor or "
            "a disk",
            seconds,
        )
        self._pool.was_away()
        self._pool.unclaim()

    def _stop_what_was_taken(self) -> None:
        """After such a time, stop what others have taken."""
        running = self._pool.running()
        owned = self._ledger.still_owned(running)
        for token, claim in running.items():
            if token not in owned:
                logger.warning(
                    "Job %s (%r) was taken from this worker meanwhile: it is stopped here, and "
                    "what it ends with is discarded",
                    claim.job_id,
                    claim.name,
                )
                self._pool.stop(token, Fate.CANCELLED)
        self._standstill.is_unsettled = False

    def _is_over(self) -> bool:
        # What was claimed and had no place in the pool, for example, is there already.
        self._collect()
        if self._endings or self._disturbed.due() is not None:
            return False
        if self._own.state == "stopping" and self._leave_by is not None:
            # A thread may not end, and an agent may not be heard; a process always ends.
            patience_s = PATIENCE_S.get(self._pool.isolation, math.inf)
            late = time.monotonic() > self._leave_by + patience_s
            return late or not self._pool.busy()
        if self._pool.busy():
            return False
        if self._own.state == "draining":
            return True
        if self._limit is None or self.claimed >= self._limit:
            return self._limit is not None
        # A worker that stays for one job only has seen that there is none.
        if self._looks.again or self._pauses is not None:
            return False
        return not self._waiting or not self._may_claim()

    # --- reading -----------------------------------------------------------------------------

    def _may_claim(self) -> bool:
        if self._own.state != "running" or self._pending.queue_paused:
            return False
        return self._limit is None or self.claimed < self._limit

    def _is_eager(self) -> bool:
        """Whether a job that comes now would begin here at once."""
        return not self._waiting and self._may_claim() and self._pool.busy() < self._pool.slots

    def _read_if_changed(self, now: float) -> None:
        if now < self._looks.next(now, self._is_eager()):
            return
        if not self._looks.ask(now, self._ledger.data_version):
            return
        wanted = self._pool.slots - self._pool.busy()
        self._pending = pending = self._ledger.pending_work(
            self._own.id, wanted, _may_claim_lost(self._pool)
        )
        self._waiting = pending.ready > 0
        if pending.request is not None:
            self._own.answered = pending.request
            self._enter(_REQUESTED.get(pending.request, self._own.state))
        for token in pending.stops:
            self._pool.stop(token, Fate.CANCELLED)
        if self._own.asked is not None:
            self._own.asked.look()

    # --- writing -----------------------------------------------------------------------------

    def _write_if_needed(self, now: float) -> None:
        own, pending = self._own, self._pending
        free: list[int] = []
        ahead = 0
        if self._may_claim():
            self._pool.prepare(pending.ready)
            own.slots = self._pool.usable
            if self._endings or self._waiting:
                free = self._pool.free()
                if self._limit is None:
                    ahead = self._pool.room_ahead()
                else:
                    free = free[: self._limit - self.claimed]
        stage = own.state == "running" and self._staging.is_due(self._pending.due, now)
        news = own.state != self._state_written or own.answered is not None or own.has_agent_news
        if self._limit is not None and not own.enrolled:
            # Whoever stays for one job only, and finds none, leaves no trace.
            news = False
        silent_s = now - self._last_beat
        often = own.agents is not None or self._pool.busy()
        alone = silent_s > (BEAT_BUSY_S if often else BEAT_IDLE_S) and own.enrolled
        claim = bool(free) or (ahead > 0 and bool(self._endings))
        told = now >= self._unwritten.due()
        if not (self._endings or self._begun or claim or stage or news or alone or told):
            return
        idle_after = not claim and not self._pool.busy()
        beat = news or alone or idle_after or silent_s > BEAT_ALONG_S
        self._commit(free, ahead, claim=claim, stage=stage, beat=beat)
        if beat:
            self._last_beat = now
            self._state_written = own.state

    def _commit(self, free: list[int], ahead: int, *, claim: bool, stage: bool, beat: bool) -> None:
        result = self._ledger.commit(
            self._own,
            self._endings,
            free,
            claim=claim,
            stage=stage,
            beat=beat,
            ahead=ahead,
            begun=self._begun,
            lost=_may_claim_lost(self._pool),
            saves=self._unwritten.saves,
            reports=self._unwritten.reports,
            patient=False,
        )
        for ending in self._endings:
            if ending.outbox is not None:
                ending.outbox.close()
        self._endings, self._begun = [], []
        for save in self._unwritten.written():
            if save.claim.execution_id in result.saved:
                self._pool.saved(save)
            else:
                _warn_discarded(save.claim)
                self._pool.stop(save.claim.execution_id, Fate.CANCELLED)
        if stage and not result.staged:
            self._staging.was_early()
        if result.claims:
            self._pool.start(result.claims)
            self._share_until = time.monotonic() + SHARE_S
            self.claimed += len(result.claims)
        self.claimed += result.broken
        if self._limit is not None:
            # What did not begin is not run: another one is.
            self.claimed -= sum(ending.fate is Fate.NOT_BEGUN for ending in result.endings)
        for ending in result.endings:
            _report(ending, bool(result.superseded) and ending in result.superseded)
        full = claim and len(result.claims) + result.broken >= max(1, len(free))
        self._waiting = full
        # How many more wait is worth knowing only if there is a slot for them.
        room = self._pool.busy() < self._pool.slots
        mixed = any(
            ending.fate is not Fate.COMPLETED or ending.outbox is not None
            for ending in result.endings
        )
        if (
            stage
            or mixed
            or result.broken
            or result.put_back
            or (room and (full or not result.claims))
        ):
            self._looks.again = True
        self._looks.own_commit(room)

    # --- trouble, and the end ----------------------------------------------------------------

    def _endure(self, problem: sqlite3.OperationalError) -> None:
        """Passing trouble is waited out, with everything kept; what will not pass is raised."""
        self._ledger.check_files()
        if not is_passing(problem):
            raise problem
        if is_lock_trouble(problem):
            self._troubles.locked()
        else:
            self._troubles.unusable(problem)
        self._not_before = time.monotonic() + BACK_OFF_S
        self._looks.again = True

    def _retire(self) -> None:
        """Close the worker's row, unless a thread of its still runs a job."""
        if not self._own.enrolled or self._pool.busy():
            return
        for _ in range(RETIRE_TRIES):
            try:
                self._write_last(retire=True)
                return
            except LockBusy:
                why = "others keep the file locked"
            except sqlite3.Error as problem:
                why = str(problem)
                break
        logger.warning("The worker's row stays open: %s", why)

    def _give_up(self, problem: BaseException) -> None:
        """Something is badly wrong: end what runs, and write what became of each attempt.

        Whatever goes wrong with one of them keeps no other from being written.
        """
        quietly = _Quietly()
        quietly(self._ledger.save)
        self._pool.unclaim()
        quietly(self._collect)
        ended = set(self._pool.running())
        fate = Fate.GIVEN_BACK if isinstance(problem, _ON_PURPOSE) else Fate.CRASHED
        for token in ended:
            quietly(self._pool.stop, token, fate)
        patience_s = 1.0 + PATIENCE_S.get(self._pool.isolation, 0.0)
        until = time.monotonic() + self._grace_s + patience_s
        while self._pool.busy() and time.monotonic() < until:
            for key, _ in self._selector.select(0.05):
                if key.fd in self._selector.get_map():
                    quietly(key.data)
            quietly(self._pool.tick)
            quietly(self._collect)
        quietly(self._collect)
        self._endings += self._disturbed.rest()
        if not self._own.enrolled and not isinstance(problem, WorkerIdInUse):
            quietly(register.look_up, self._ledger.conn, self._own)
        if not self._own.enrolled:
            return
        known = {*ended, *self._pool.running()}
        known |= {ending.claim.execution_id for ending in self._endings}
        quietly(_give_back_others, self._ledger, self._own.id, known, self._endings)
        for begun in self._begun:
            quietly(self._write_last, begun=[begun])
        for ending in self._endings:
            if ending.fate is Fate.CRASHED and ending.claim.execution_id in ended:
                sentence = runner.storable(runner.sentence(problem))
                ending = replace(ending, error=f"its worker ended unexpectedly: {sentence}")
            quietly(self._write_last, ending)
        quietly(self._write_last, retire=not self._pool.busy())
        quietly(self._ledger.save)

    def _write_last(
        self, *endings: Ending, begun: Sequence[Begun] = (), retire: bool = False
    ) -> None:
        self._ledger.commit(
            self._own,
            endings,
            [],
            claim=False,
            stage=False,
            beat=False,
            retire=retire,
            begun=begun,
        )


def _tell_children(ledger: Ledger) -> None:
    """Tell the children of what failed last: nobody else may be there to do it."""
    try:
        for _ in range(MOST_LAST_PARTS):
            if not ledger.has_children_to_tell():
                return
            ledger.tell_children()
    except LockBusy:
        return
    except sqlite3.Error as problem:
        logger.warning("Some jobs were not told that a parent failed: %s", problem)


def _give_back_others(
    ledger: Ledger, worker_id: str, known: Iterable[str], endings: list[Ending]
) -> None:
    """Add the endings of what is claimed, and did not get as far as to the pool, or to its end."""
    error = "its worker ended before it was known whether this had begun"
    for claim in ledger.held_beside(worker_id, known):
        endings.append(Ending(claim, Fate.GIVEN_BACK, error=error))


def _may_claim_lost(pool: Pool) -> bool:
    """Whether none runs there of which each may end its worker: they run one at a time."""
    return not any(claim.lost for claim in pool.running().values())


def _notify(service: Service, own: Register) -> None:
    service.tell(
        ready=own.enrolled,
        stopping=own.state in ("draining", "stopping"),
        status=f"{own.state}, worker {own.id}",
        now=time.monotonic(),
    )


def _report(ending: Ending, superseded: bool) -> None:
    claim = ending.claim
    if superseded:
        logger.warning("Job %s was no longer ours: its outcome is discarded", claim.job_id)
    elif ending.fate is Fate.NOT_BEGUN:
        logger.debug("Job %s (%r) was claimed ahead: given back", claim.job_id, claim.name)
    elif ending.fate is Fate.COMPLETED:
        submitted = "" if ending.outbox is None else f", and submitted {_jobs(len(ending.outbox))}"
        logger.info("Job %s (%r) completed%s", claim.job_id, claim.name, submitted)
    elif ending.fate is Fate.SNOOZED:
        logger.info("Job %s (%r) is put off, as it asked", claim.job_id, claim.name)
    else:
        logger.warning(
            "Job %s (%r) ended: %s: %.500r",
            claim.job_id,
            claim.name,
            ending.fate.value,
            ending.error,
        )


def _jobs(count: int) -> str:
    return f"{count:,} {'job' if count == 1 else 'jobs'}"


def _warn_discarded(claim: Claim) -> None:
    logger.warning(
        "Job %s (%r) was taken from this worker: it is stopped, and what it saved is discarded",
        claim.job_id,
        claim.name,
    )


class _Quietly:
    """Calls what may fail while a worker is ending anyway; says what did, each thing once."""

    def __init__(self) -> None:
        self._said: set[str] = set()

    def __call__(self, act: Callable[..., object], *values: object, **more: object) -> None:
        try:
            act(*values, **more)
        except Exception as problem:  # noqa: BLE001 - whatever it is, the rest goes on
            said = f"{type(problem).__name__}: {problem}"
            if said not in self._said:
                self._said.add(said)
                logger.warning("Not everything could be cleaned up: %s", said)
