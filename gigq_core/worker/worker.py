"""The public worker: what it is called, how it is started and stopped."""

from __future__ import annotations

import json
import logging
import os
import selectors
import shutil
import sys
import threading
import uuid
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Literal
from weakref import WeakSet

from gigq_core.connections import close_connection, get_connection
from gigq_core.fleet.agents_seen import BY_AGENTS
from gigq_core.functions.script import note_worker
from gigq_core.lanes.rules import check_patterns
from gigq_core.system.paths import attempt_output, stack_prefix
from gigq_core.text import storable
from gigq_core.worker import system_limits
from gigq_core.worker.agents.lease import Lease
from gigq_core.worker.agents.via import Via, via_of
from gigq_core.worker.child_age import limits_of
from gigq_core.worker.claims import Claim
from gigq_core.worker.file_responder import FileResponder
from gigq_core.worker.heard import Heard, ParentRow
from gigq_core.worker.lane_claims import Takes
from gigq_core.worker.ledger import Ledger, parents_of, saved_of
from gigq_core.worker.output import Capture
from gigq_core.worker.pool import ProcessPool
from gigq_core.worker.processes import adopt_orphans
from gigq_core.worker.register import Register
from gigq_core.worker.runner import MAX_RESULT
from gigq_core.worker.service import Service
from gigq_core.worker.supervisor import Supervisor
from gigq_core.worker.threads import ThreadPool
from gigq_core.worker.wakes import FileWatch, Signals, Waker

if TYPE_CHECKING:
    from gigq_core.worker.agents.agent_pool import AgentPool
    from gigq_core.worker.agents.checking import Checked

logger = logging.getLogger("gigq_core.worker")

# A row of SQLite holds a billion bytes, and a result stands in two rows.
LARGEST_RESULT = 512 * 1024 * 1024
_LEASE = Lease()


class _Default(int):
    """A number that nobody has given: it can be told from the same one, given."""


_ONE = _Default(1)


class Worker:
    """Runs the jobs of a queue file.

    Args:
        db_path: The queue's file; it must exist.
        worker_id: What the worker is called, unique among those at work; made up by default.
        polling_interval: Seconds after which to look for jobs even if nothing announced one; more
            than one second counts as one.
        concurrency: How many jobs to run at a time; one by default. At each agent, with `via`; by
            default one, or as many as a Dask worker has threads.
        isolation: "thread" runs jobs in threads of this process, so that functions of the script
            itself can be jobs, and a timeout stops Python code but not C code. "process" runs
            them in child processes, where a timeout stops everything.
        python: The interpreter for child processes; this one by default.
        chdir: The folder that child processes run in, first on their path; the current one by
            default.
        grace_s: Seconds between asking a job to end (SIGTERM) and killing it.
        stop_within_s: Seconds after the first signal at which what still runs is ended and given
            back; None waits for it.
        owner: Who started it: "script", "cli" or "console". Other than a script, a worker is its
            process's only purpose: it also takes charge of the signals in `process_one`, and of
            orphaned grandchildren.
        log_path: Where its log goes, for others to find.
        on_hangup: Called instead of ending when SIGHUP comes.
        max_result_bytes: The most bytes of JSON that a job may return, up to 512 MiB; one that
            returns more has failed for good, and nothing of its result is stored.
        jobs_per_child: Replace a child process after so many jobs; 5,000 by default.
        max_child_memory: Replace a child process after a job if it has been larger than so many
            bytes, or "500M", "2G". By default, if it has grown beyond 1G.
        lanes: Lanes whose jobs it takes beside all others, though they are reserved; names, or
            prefixes like `gpu:*`.
        only_lanes: Lanes whose jobs it takes, and no others.
        via: Commands that lead elsewhere, such as "ssh gpu1": an agent at the far end of each runs
            up to `concurrency` jobs at a time, and none runs on this machine. A text that is there
            twice leads to two agents; "dask:tcp://host:8786" to one in each worker of a cluster.
        remote_python: The interpreter there, for the agents and their jobs; `python3`, or each
            Dask worker's own, by default.
        remote_chdir: The folder there that jobs run in, first on their path; where the command
            leads to by default.
        lease: The times of the links, for tests.

    Attributes:
        running: Whether it is at work.
        exit_code: For the process, once `start` has returned: 0, or 128 + the signal that ended
            it at once.

    Raises:
        ValueError: An argument is out of range.
    """

    def __init__(
        self,
        db_path: str | Path,
        worker_id: str | None = None,
        polling_interval: float = 5,
        concurrency: int | None = _ONE,
        *,
        isolation: Literal["thread", "process"] = "thread",
        python: str | None = None,
        chdir: str | Path | None = None,
        grace_s: float = 5.0,
        stop_within_s: float | None = None,
        owner: str = "script",
        log_path: str | Path | None = None,
        on_hangup: Callable[[], None] | None = None,
        max_result_bytes: int = MAX_RESULT,
        jobs_per_child: int | None = None,
        max_child_memory: int | str | None = None,
        lanes: Iterable[str] = (),
        only_lanes: Iterable[str] = (),
        via: Iterable[str] = (),
        remote_python: str | None = None,
        remote_chdir: str | None = None,
        lease: Lease = _LEASE,
    ) -> None:
        if concurrency is not None and concurrency < 1:
            raise ValueError(f"concurrency must be >= 1, got {concurrency}")
        if isolation not in ("thread", "process"):
            raise ValueError(f"isolation must be 'thread' or 'process', got {isolation!r}")
        if not polling_interval >= 0:
            raise ValueError(f"polling_interval must be >= 0, got {polling_interval}")
        if not grace_s >= 0:
            raise ValueError(f"grace_s must be >= 0, got {grace_s}")
        if not 1 <= max_result_bytes <= LARGEST_RESULT:
            raise ValueError(
                f"max_result_bytes (--max-result) must be from 1 to {LARGEST_RESULT} (512 MiB), "
                f"got {max_result_bytes}"
            )
        self._vias = _vias(via)
        _check_remote(self._vias, isolation, python, chdir, remote_python, remote_chdir)
        asked = jobs_per_child is not None or max_child_memory is not None
        if asked and isolation != "process":
            raise ValueError(
                "jobs_per_child and max_child_memory are about child processes: "
                'use isolation="process"'
            )
        self._takes = Takes(
            check_patterns(lanes, "lanes"), check_patterns(only_lanes, "only_lanes")
        )
        if self._takes.lanes and self._takes.only_lanes:
            raise ValueError(
                "lanes are taken beside all other jobs, and only_lanes instead of them: give one "
                "of the two."
            )
        self._limits = limits_of(jobs_per_child, max_child_memory)
        self.db_path = db_path
        self.worker_id = storable(worker_id) if worker_id else f"worker-{uuid.uuid4()}"
        self.polling_interval = polling_interval
        self.concurrency = int(concurrency or 1)
        self.isolation = isolation
        self.running = False
        self.exit_code = 0
        self.logger = logging.getLogger(f"gigq_core.worker.{self.worker_id}")
        self._python = python
        self._chdir = chdir
        self._remote_python = remote_python
        self._asked_slots = None if concurrency is _ONE else concurrency
        self._remote_chdir = remote_chdir
        self._lease = lease
        self._grace_s = grace_s
        self._stop_within_s = stop_within_s
        self._owner = owner
        self._log_path = log_path
        self._on_hangup = on_hangup
        # A script may have more to do than this, and tells its manager itself.
        self._service = None if owner == "script" else Service.of_environment(os.environ)
        self._max_result_bytes = max_result_bytes
        self._session: _Session | None = None
        self._lock = threading.Lock()
        self._stop_wanted = False
        self._supervisor: Supervisor | None = None
        _workers.add(self)
        if isolation == "thread":
            note_worker(db_path)

    @property
    def current_job_id(self) -> str | None:
        """The id of a job that runs now, the one that began first; None while none does."""
        session = self._session
        if session is None:
            return None
        running = list(session.pool.running().values())
        return running[0].job_id if running else None

    def start(self) -> None:
        """Work until `stop` is called or a signal comes; blocks.

        In the main thread, SIGTERM, SIGINT and SIGHUP let it finish what runs and return; a second
        one, or SIGQUIT, ends what runs and gives it back, with `exit_code` telling the signal.
        What was ignored before stays ignored.

        Raises:
            DatabaseError: The file can't be used.
            WorkerIdInUse: A live worker has the id.
            WorkerCannotStart: The interpreter for the jobs does not start.
        """
        self._stop_wanted = False
        self.running = True
        try:
            self._work(limit=None)
        finally:
            self.running = False
            self.close()

    def stop(self) -> None:
        """Finish what runs and return from `start`; from any thread."""
        self._stop_wanted = True
        self.running = False
        supervisor = self._supervisor
        if supervisor is not None:
            supervisor.drain()

    def process_one(self) -> bool:
        """Run one job to its end, if there is one that can run now.

        Returns:
            True if a job was run, whatever became of it; False if there was none.

        Raises:
            DatabaseError: The file can't be used.
            WorkerIdInUse: A live worker has the id.
            WorkerCannotStart: The interpreter for the jobs does not start.
        """
        return self._work(limit=1) > 0

    def check_links(self, functions: Iterable[str] = ()) -> list[Checked]:
        """Find out what is where `via` leads, without the queue's file; blocks.

        Args:
            functions: Names such as "pipeline.train", which are imported there.

        Returns:
            What is there, or why no job can run there, for each of `via`.

        Raises:
            ValueError: A name can't be one of a function.
        """
        # Here: no worker at work needs them.
        from gigq_core.job import FunctionReference
        from gigq_core.worker.agents.checking import Wanted, check

        wanted = Wanted(
            slots=self._asked_slots,
            python=self._remote_python,
            chdir=self._remote_chdir,
            grace_s=self._grace_s,
            functions=tuple(map(FunctionReference.parse, functions)),
        )
        return check(self._vias, wanted)

    def close(self) -> None:
        """End the child processes, and close the connections to the file.

        While another thread is in `start` or `process_one`, only this thread's connection.
        """
        if self._lock.acquire(blocking=False):
            try:
                session, self._session = self._session, None
                if session is not None:
                    session.close()
            finally:
                self._lock.release()
        close_connection(self.db_path)

    def _work(self, limit: int | None) -> int:
        with self._lock:
            session = self._open_session()
            session.own.state = "running"
            supervisor = Supervisor(
                session.ledger,
                session.pool,
                session.own,
                session.selector,
                session.waker,
                session.watch,
                self.polling_interval,
                self._grace_s,
                limit,
                self._on_hangup,
                self._service,
                self._stop_within_s,
            )
            self._supervisor = supervisor
            if self._stop_wanted and limit is None:
                supervisor.drain()
            try:
                alone = self._owner != "script"
                caught, for_good = limit is None or alone, limit is None and alone
                with Signals(session.waker.fd, caught, for_good) as signals:
                    pool = session.pool
                    if limit is not None or isinstance(pool, ThreadPool):
                        supervisor.run(signals)
                    else:
                        # One more signal is enough to wait no longer.
                        close = partial(pool.close, lambda: bool(signals.take()))
                        supervisor.run(signals, close)
            finally:
                self._supervisor = None
                self.exit_code = supervisor.exit_code
                self._session = session if limit is not None else None
                if limit is None:
                    session.close()
            return supervisor.claimed

    def _open_session(self) -> _Session:
        if self._session is None:
            self._session = _Session(self)
        return self._session

    def _begin_anew(self) -> None:
        """In a copy of the process: what is open is the parent's, and so is whoever is at work."""
        # Using or closing anything of it here would harm the parent.
        _inherited.append((self._session, self._supervisor))
        self._session = self._supervisor = None
        self._lock = threading.Lock()
        self.running = False


_inherited: list[object] = []
_workers: WeakSet[Worker] = WeakSet()


def _begin_all_anew() -> None:
    for worker in list(_workers):
        worker._begin_anew()


os.register_at_fork(after_in_child=_begin_all_anew)


class _KnowsInThreads:
    """Answers what jobs ask for in the threads that run them, each with its own connection."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def parents_of(self, claim: Claim) -> list[ParentRow]:
        return parents_of(get_connection(self._path, create=False), claim)

    def saved_of(self, claim: Claim) -> str | None:
        return saved_of(get_connection(self._path, create=False), claim)


class _Session:
    """Everything a working worker holds open."""

    def __init__(self, worker: Worker) -> None:
        self.python: str | None = _interpreter(worker._python)
        self.folder: str | None = _folder(worker._chdir)
        by_process = worker.isolation == "process"
        if worker._vias:
            self.python, self.folder = worker._remote_python, worker._remote_chdir
        takes = worker._takes
        self.ledger = Ledger(
            worker.db_path, runs_script=not by_process, takes=takes if any(takes) else None
        )
        self.own = Register(
            id=worker.worker_id,
            owner=worker._owner,
            isolation=BY_AGENTS if worker._vias else worker.isolation,
            slots=0 if worker._vias else worker.concurrency,
            python=self.python if by_process else sys.executable,
            chdir=self.folder,
            log_path=None if worker._log_path is None else str(worker._log_path),
            lanes=json.dumps(takes.lanes) if takes.lanes else None,
            only_lanes=json.dumps(takes.only_lanes) if takes.only_lanes else None,
        )
        self.selector = selectors.DefaultSelector()
        self.waker = Waker(self.selector)
        self.watch = FileWatch(self.ledger.path, self.selector, self.waker.wake)
        self.pool: ProcessPool | ThreadPool | AgentPool
        if worker._vias:
            self.pool = self.own.agents = self._agent_pool(worker)
        elif by_process:
            self.pool = self._process_pool(worker)
        else:
            self.pool = ThreadPool(
                slots=worker.concurrency,
                wake=self.waker.wake,
                knows=_KnowsInThreads(self.ledger.path),
                pid=os.getpid(),
                name=worker.worker_id,
                max_result_bytes=worker._max_result_bytes,
            )

    def _process_pool(self, worker: Worker) -> ProcessPool:
        alone = worker._owner != "script"
        if alone:
            adopt_orphans()
            system_limits.make_room(worker.concurrency)
        self.own.slots = slots = system_limits.slots_with_room(worker.concurrency)
        if slots < worker.concurrency:
            logger.warning(
                "%s of %s slots can be used: %s", slots, worker.concurrency, system_limits.why()
            )
        return ProcessPool(
            python=self.python or sys.executable,
            folder=self.folder or os.getcwd(),
            slots=slots,
            selector=self.selector,
            grace_s=worker._grace_s,
            responder=FileResponder(self.ledger),
            sink_of=self._capture_of,
            stack_prefix=stack_prefix(self.ledger.path, worker.worker_id),
            adopts=alone,
            max_result_bytes=worker._max_result_bytes,
            limits=worker._limits,
        )

    def _agent_pool(self, worker: Worker) -> AgentPool:
        # Of no use to those whose jobs run here, and not small.
        from gigq_core.worker.agents.agent_pool import AgentPool
        from gigq_core.worker.agents.asked import AskedOfAgents
        from gigq_core.worker.agents.doubts import Doubts
        from gigq_core.worker.agents.terms import Terms

        terms = Terms(
            selector=self.selector,
            lease=worker._lease,
            grace_s=worker._grace_s,
            max_result_bytes=worker._max_result_bytes,
            limits=worker._limits,
            chdir=worker._remote_chdir,
            responder=FileResponder(self.ledger),
            heard=Heard(),
            capture_of=self._capture_of,
            doubts=Doubts(),
        )
        pool = AgentPool(
            vias=worker._vias,
            slots=worker._asked_slots,
            python=worker._remote_python,
            terms=terms,
            worker_id=worker.worker_id,
        )
        writing = partial(self.ledger.writing, False)
        self.own.asked = AskedOfAgents(self.ledger.conn, writing, worker.worker_id, pool)
        return pool

    def _capture_of(self, claim: Claim) -> Capture:
        return Capture(partial(attempt_output, self.ledger.path, claim.execution_id))

    def close(self) -> None:
        is_over = self.pool.close()
        if is_over or not isinstance(self.pool, ThreadPool):
            self._let_go()
            return
        # A function that does not end has its job until it does, and somebody has to write that.
        name = f"{self.own.id}-outlasting"
        threading.Thread(target=self._outlast, name=name, daemon=True).start()

    def _outlast(self) -> None:
        """Go on without the worker, until the last thread has ended its job."""
        self.own.state = "draining"
        supervisor = Supervisor(
            self.ledger, self.pool, self.own, self.selector, self.waker, self.watch, 1.0, 0.0
        )
        try:
            supervisor.run(Signals(self.waker.fd, caught=False))
        except Exception as problem:  # noqa: BLE001 - whatever it is, nobody is there to catch it
            logger.warning("The ends of the last jobs can't be written: %s", problem)
        finally:
            self.pool.close()
            self._let_go()

    def _let_go(self) -> None:
        self.watch.close()
        self.waker.close()
        self.selector.close()
        self.ledger.close()


def _vias(via: Iterable[str]) -> list[Via]:
    if isinstance(via, str):
        raise ValueError(f"via leads to several places: give a list, as in via=[{via!r}]")
    vias = [via_of(text) for text in via]
    if any(one.address for one in vias):
        from gigq_core.worker.agents.dask_placement import why_not

        if why := why_not():
            raise ValueError(f"{why}.")
    return vias


def _check_remote(
    vias: list[Via],
    isolation: str,
    python: str | None,
    chdir: str | Path | None,
    remote_python: str | None,
    remote_chdir: str | None,
) -> None:
    """Make sure that what is said about this machine, and about others, goes together.

    Raises:
        ValueError: it does not.
    """
    if not vias:
        if remote_python is not None or remote_chdir is not None:
            raise ValueError(
                "remote_python and remote_chdir (--remote-python, --remote-chdir) are about where "
                "via (--via) leads: give that too."
            )
        return
    if isolation != "process":
        raise ValueError(
            "Where via (--via) leads, jobs run in child processes: "
            'use isolation="process" (--isolation process).'
        )
    if python is not None or chdir is not None:
        raise ValueError(
            "python and chdir (--python, --chdir) are about this machine, where no job runs with "
            "via (--via): give remote_python and remote_chdir (--remote-python, --remote-chdir)."
        )
    for name, value in (("remote_python", remote_python), ("remote_chdir", remote_chdir)):
        if value is not None and not (value and value.isprintable()):
            raise ValueError(f"{name} must be a path, got {value!r}")


def _interpreter(python: str | None) -> str:
    if python is None:
        return sys.executable
    found = shutil.which(python)
    # `~` and a relative path mean what they mean where the worker was started, not in its folder.
    return os.path.abspath(found) if found else str(Path(python).expanduser().absolute())


def _folder(chdir: str | Path | None) -> str:
    return str(Path.cwd() if chdir is None else Path(chdir).expanduser().absolute())
