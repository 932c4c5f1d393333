"""What runs inside a child process: one job after another, in the user's own interpreter.

This file needs nothing but the standard library of Python 3.8 or later, and is started by
`PYTHON start_runner.py LIFELINE_FD WORD_FD FOLDER STACK_PREFIX MAX_RESULT`. Jobs come as JSON
lines on what was its standard input, answers go out as JSON lines on what was its standard output.
Whatever the user's code prints goes to what was its standard error.
"""

from __future__ import annotations

import _locale
import _signal  # type: ignore[import-not-found]
import _thread
import builtins
import collections
import contextvars
import errno
import gc
import importlib
import importlib.machinery
import json
import math
import operator
import os
import reprlib
import signal
import stat
import sys
import threading
import time
import traceback
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
    from types import FrameType
    from typing import Any, Protocol, TextIO, TypeVar

    T = TypeVar("T")

    # A name, how to read it, how to put it back.
    Thing = tuple[str, Callable[[], Any], Callable[[Any], object]]

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]
try:
    import ctypes
except ImportError:  # Python can be built without it
    ctypes = None  # type: ignore[assignment]

MAX_TEXT = 200_000
# The largest result that is stored, in bytes of JSON.
MAX_RESULT = 16 * 1024 * 1024
# The folders of installed packages, which are not looked at for changes.
PACKAGES = {"site-packages", "dist-packages"}
# Python's own.
LIBRARY = tuple(
    {
        os.path.join(convert(os.path.dirname(os.__file__)), "")
        for convert in (os.path.abspath, os.path.realpath)
    }
)
# The system tells the largest size of a process in kilobytes, or in bytes.
PEAK_UNIT = 1024 if sys.platform == "darwin" else 1
PARENT = "parent_results"
CONTEXT = "job_context"
# Where a program finds the descriptor for what it reports: lines of what is done, the total or `-`,
# and a note.
REPORTS = "GIGQ_PROGRESS"
LAST_DIGIT = 9
# With this exit code a process says that the pipe for its answer is no longer its own.
LOST_PIPE = 113
# Of a result that can't be stored: how many values are looked at for the one that is to blame, how
# deep a nesting is shown, and how much of the whole is kept, in characters.
LOOKED_AT = 1_000_000
DEEP = 100
KEPT = 2_000

# Of what a job reports no more is told than once in so many seconds; and the longest note.
REPORT_EVERY_S = 0.2
NOTE_CHARACTERS = 200
# The largest checkpoint, in bytes of JSON.
MOST_SAVED = 64 * 1024
# So much an attempt may submit: jobs, and bytes of JSON.
MOST_SUBMITTED = 10_000
MOST_SUBMITTED_BYTES = 16 * 1024 * 1024
# What a job may be told, beside its function and that one's parameters.
JOB_OPTIONS = (
    *("name", "priority", "timeout", "max_attempts", "retry_delay", "dependencies"),
    *("description", "on_crash", "pass_parent_results", "retry", "retry_on", "give_up_on"),
    *("on_timeout", "run_at", "run_after", "on_parent_failure", "batch", "stall_timeout", "ours"),
    *("lane", "unique", "memory"),
)
# A job can have one of two at most: this one for that.
INSTEAD_OF = {
    "retry": "retry_delay",
    "retry_delay": "retry",
    "run_at": "run_after",
    "run_after": "run_at",
}
# SQLite's whole numbers are smaller.
LARGEST = 2**63
# So many functions may wrap each other.
MOST_WRAPPERS = 100
# The flag of a function that takes arguments of any names.
VARIOUS_NAMES = 0x08
READ_BYTES = 256 * 1024
# How often whoever waits for an answer looks up, in seconds.
WAIT_STEP_S = 0.05
# Of the types of an exception, how many are told, and the longest name, in characters; and how many
# more are looked for as the job's policy asks.
MOST_NAMES = 10
LONGEST_NAME = 500
MOST_ASKED = 200
# Where the functions stand that come with us.
READY_MADE = ("gigq_core", "gigq_core.notify")
# What a job may ask for by raising an exception whose class has one of these as `__gigq_core__`.
WISHES = ("retry", "snooze", "give_up")

# Bound here, as a job may put other things in the place of the module's functions.
_ENCODE = json.JSONEncoder(allow_nan=False).encode
_ENCODE_ANY = json.JSONEncoder().encode
_QUOTE = json.JSONEncoder(ensure_ascii=False).encode
_DECODE = json.loads
_monotonic = time.monotonic
_time = time.time
_getpid = os.getpid


# What a service, a shell or a person sends to end a process. The worker itself sends SIGTERM.
ENDING_SIGNALS = tuple(
    getattr(signal, name)
    for name in ("SIGTERM", "SIGINT", "SIGHUP", "SIGQUIT")
    if hasattr(signal, name)
)


class Stopped(BaseException):
    """Raised in the job by the worker's SIGTERM, so that its `finally` blocks run."""


class Hopeless(Exception):
    """The job can't get better by running again."""


class Word:
    """The pipe by which the worker says that a SIGTERM is its own.

    A signal does not tell who sent it, and one that was meant for the worker, or for everything
    that a service runs, must not end a job.
    """

    def __init__(self, fd: int) -> None:
        self.given = False
        self._fd = fd
        self._pipe = what_is(fd)
        os.set_blocking(fd, False)

    def is_given(self) -> bool:
        """Whether the worker has said so; once it has, that stays."""
        try:
            # A job may have closed the descriptor, and opened something of its own under it.
            if not self.given and what_is(self._fd) == self._pipe:
                self.given = os.read(self._fd, 1) != b""
        except OSError:
            pass
        return self.given


class Runner:
    """One process's loop over the jobs it is given."""

    def __init__(
        self,
        jobs_fd: int,
        answers_fd: int,
        output_fd: int,
        word: Word,
        folder: str,
        max_result: int = MAX_RESULT,
    ) -> None:
        self.jobs_fd = jobs_fd
        self.answers_fd = answers_fd
        self.output_fd = output_fd
        # A job may close a descriptor, and open something of its own under the same number.
        self.own = {fd: what_is(fd) for fd in (jobs_fd, answers_fd, output_fd)}
        self.word = word
        self.folder = folder
        self.max_result = max_result
        self.pid = os.getpid()
        self.at_work = False
        self.loading = False
        # Whether the present job's parameters turned out not to fit its function.
        self.misfit = False
        # When the present job came, by the clock; which function was looked at last, and whether it
        # takes the job's context.
        self.began = 0.0
        self.looked_at: tuple[Any, bool] = (None, False)
        # How to stop a job that runs in an event loop.
        self.cancel: Callable[[], object] | None = None
        # Signals that came during the present job, and not from the worker.
        self.foreign: list[int] = []
        self.handler = self.on_signal
        # Of threads that are forking.
        self.masks: dict[int, set[int]] = {}
        self.memory = Memory()
        self.link = Link(jobs_fd, self.answer)
        self.sources = Sources()
        self.flush_c = _c_flush()
        self.streams = open_streams()
        self.surroundings: Surroundings
        self.root = root_folder()
        self.idle_since = 0.0

    def answer(self, message: dict[str, Any]) -> None:
        """Write one line, however long, into the pipe to the worker and nowhere else."""
        data = memoryview(_ENCODE_ANY(message).encode() + b"\n")
        if self.has_lost(self.answers_fd):
            os._exit(LOST_PIPE)
        while data:
            try:
                data = data[os.write(self.answers_fd, data) :]
            except BlockingIOError:
                # A job has made it so.
                os.set_blocking(self.answers_fd, True)

    def loop(self) -> None:
        self.answer({"ready": os.getpid(), "python": list(sys.version_info[:3])})
        while True:
            line = self.link.read_line()
            if line is None:
                return
            job = message_of(line)
            if "id" not in job:
                # An answer to what the job before did not wait for.
                continue
            self.prepare()
            message = self.run(job)
            if os.getpid() != self.pid:
                # The job forked, and this is the copy: it has no say here, and ends as it likes.
                return
            self.flush()
            left = self.restore()
            self.link.finish()
            message["done"] = job["id"]
            self.note_wear(message)
            lost = self.has_lost(self.jobs_fd) or self.has_lost(self.output_fd)
            if lost:
                left.append("descriptors of its worker closed")
            if left:
                message["left"] = left
            self.answer(message)
            if lost:
                # The next job would come from the user's file, or what it prints go there.
                return
            os.set_blocking(self.jobs_fd, True)

    def has_lost(self, fd: int) -> bool:
        """Whether a descriptor of ours is closed, or something else by now."""
        return what_is(fd) != self.own[fd]

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run one job to its end and tell how it ended."""
        try:
            try:
                self.misfit = False
                self.cancel = None
                self.at_work = True
                if self.word.given:
                    # It came before the job had begun.
                    raise Stopped("the worker stopped it")
                result = self.call(job)
            finally:
                self.at_work = False
                sys.setrecursionlimit(self.surroundings.recursion_limit)
                self.memory.give_back()
            if os.getpid() != self.pid:
                return {}
            text = None if result is None else encoded(result, self.max_result)
            return {"ok": True, "result": text}
        except BaseException as problem:
            if os.getpid() != self.pid:
                raise
            message = failure(problem, asked=job.get("asked", ()))
            if self.misfit:
                message["hopeless"] = True
            if "memory" in job and "raised" in message and was_refused_memory(problem):
                most = MOST_NAMES + MOST_ASKED - 1
                message["raised"] = [*message["raised"][:most], name_of(MemoryError)]
            if self.foreign:
                message["signals"] = self.foreign[:]
            return message

    def call(self, job: dict[str, Any]) -> Any:
        params = decoded_params(job["params"])
        if "memory" in job:
            self.memory.limit(job["memory"])
        module = self.module(job["module"])
        try:
            function = getattr(module, job["function"])
        except AttributeError:
            raise AttributeError(
                "module %r has no function %r" % (job["module"], job["function"])
            ) from None
        if job["parents"] and wants_parent_results(function, job["pass_parent_results"]):
            params[PARENT] = self.parent_results()
        if function is not self.looked_at[0]:
            self.looked_at = function, takes_context(function, job["function"])
        if self.looked_at[1]:
            refuse_own_context(params)
            parents = bool(job["parents"])
            context = JobContext(self.link, job["facts"], self.began, parents)
            params[CONTEXT] = self.link.context = context
        try:
            return self.surroundings.call(function, params, self.watch)
        except TypeError as problem:
            if lacks_context(problem, function):
                raise Hopeless(no_context(job["function"])) from None
            # What the job forces upon its function is tried as often as GigQ would.
            forced = job["pass_parent_results"] is True
            self.misfit = not forced and does_not_fit(function, params, problem)
            raise

    def module(self, name: str) -> Any:
        module = sys.modules.get(name)
        if module is not None:
            return module
        self.loading = True
        try:
            # Unlike `importlib.import_module`, it leaves no part of itself in a traceback.
            __import__(name)
        except ImportError as problem:
            if name not in READY_MADE or problem.name not in READY_MADE:
                # What is missing may be there the next time.
                importlib.invalidate_caches()
                raise
            name = load_ready_made()
        finally:
            self.loading = False
        if self.word.given:
            raise Stopped("the worker stopped it")
        self.sources.note()
        return sys.modules[name]

    def parent_results(self) -> dict[str, Any]:
        """Ask the worker for the parents' results; they come as the texts that are stored."""
        rows = self.link.parents()
        return decoded_parents([(row[0], row[3]) for row in rows])

    def watch(self, cancel: Callable[[], object] | None) -> None:
        self.cancel = cancel

    def prepare(self) -> None:
        """Begin where a new process would."""
        self.began = _time()
        if time.monotonic() - self.idle_since > FOLDER_S:
            # Another one may have its name by now.
            self.enter_folder()
        self.foreign.clear()

    def enter_folder(self) -> bool:
        try:
            os.chdir(self.folder)
            return True
        except OSError:
            return False

    def restore(self) -> list[str]:
        """Put back what the job has changed; tells in words what can't be."""
        left = self.surroundings.restore()
        if not self.enter_folder() and root_folder() != self.root:
            left.append("another root folder")
        self.idle_since = time.monotonic()
        if any(stream.closed for stream in (sys.stdin, *self.streams)):
            # Modules may hold them.
            self.streams = open_streams()
            left.append("closed streams")
        return left

    def flush(self) -> None:
        """Everything that was printed leaves the process before the answer does."""
        theirs = () if (sys.stdout, sys.stderr) == self.streams else (sys.stdout, sys.stderr)
        for stream in (*theirs, *self.streams):
            try:
                stream.flush()
            except Exception:  # noqa: BLE001 - a stream of the user's may fail in any way
                pass
        self.flush_c()

    def note_wear(self, message: dict[str, Any]) -> None:
        """Tell the worker what it judges by whether this process should go on."""
        files = self.sources.news()
        if files:
            message["files"] = files
        if resource is not None:
            message["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // PEAK_UNIT

    def listen(self) -> None:
        """Take charge of the signals that end processes, in this process alone."""
        for signum in ENDING_SIGNALS:
            if signal.getsignal(signum) is not self.handler:
                signal.signal(signum, self.handler)

    def on_signal(self, signum: int, frame: FrameType | None) -> None:
        """The worker's SIGTERM stops the job; whoever else sends one does not."""
        if os.getpid() != self.pid:
            end_as_usual(signum)
        elif signum == signal.SIGTERM and self.word.is_given():
            # An import is not broken off: Python swallows what is raised in some parts of it.
            if self.cancel is not None and not self.link.waiting:
                self.cancel()
            # Whoever waits for an answer holds the event loop up, and may get none.
            elif self.at_work and not self.loading:
                raise Stopped("the worker stopped it")
        elif signum not in self.foreign:
            self.foreign.append(signum)

    def before_fork(self) -> None:
        """Let a signal to the copy wait until it does there what it does in any process."""
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, ENDING_SIGNALS)
        self.masks[threading.get_ident()] = mask

    def after_fork(self) -> None:
        signal.pthread_sigmask(signal.SIG_SETMASK, self.masks.pop(threading.get_ident()))

    def let_go(self) -> None:
        """In a copy that a job forked: signals do what they do in any Python process."""
        for signum in ENDING_SIGNALS:
            if signal.getsignal(signum) is self.handler:
                signal.signal(signum, usual_handler(signum))
        self.link.fall_silent()
        self.after_fork()


class Memory:
    """The most memory that this process may ask the system for, while a job has a limit.

    So an allocation fails where it is made, which Python tells with the line; without it, the
    system would end the process in the midst of something. Where it holds nobody to it, nothing is
    done here.
    """

    def __init__(self) -> None:
        self.usual: Any = None
        self.which: Any = getattr(resource, "RLIMIT_DATA", None)

    def limit(self, most: int) -> None:
        """Have no more than so many bytes."""
        if self.which is None:
            return
        soft, hard = resource.getrlimit(self.which)
        if soft != resource.RLIM_INFINITY:
            most = min(most, soft)
        if hard != resource.RLIM_INFINITY:
            most = min(most, hard)
        try:
            resource.setrlimit(self.which, (most, hard))
        except (OSError, ValueError, OverflowError):
            return
        self.usual = soft

    def give_back(self) -> None:
        """Have what there was before."""
        if self.usual is None:
            return
        usual, self.usual = self.usual, None
        try:
            resource.setrlimit(self.which, (usual, resource.getrlimit(self.which)[1]))
        except (OSError, ValueError):
            # The job has lowered the limit for good, which is seen as what else it leaves is.
            pass


# --- what goes between a job and its worker while it runs ------------------------------------

if TYPE_CHECKING:

    class TalksToWorker(Protocol):
        """What a job's context needs: a way to its worker."""

        def wake(self) -> None: ...
        def save(self, context: JobContext, text: str) -> None: ...
        def saved(self) -> str | None: ...
        def parents(self) -> list[list[Any]]: ...
        def submit(self, context: JobContext, order: str) -> str: ...


# Why somebody has no say.
A_COPY = "only the job's own process can do this, not a copy that it forked"
ENDED = "the job has ended"


class Parent(collections.namedtuple("Parent", ("status", "error", "result"))):
    """How a parent ended: its status, its error or None, and what it returned."""

    __slots__ = ()


class JobContext:
    """What a job knows of itself, and how it tells how far it is.

    Attributes:
        id: the job's.
        attempt: which attempt this is, from 1.
        max_attempts: how many there may be.
        deadline: when this attempt is stopped, in seconds as `time.time()` counts them.
    """

    def __init__(
        self, link: TalksToWorker, facts: Iterable[Any], began: float, has_parents: bool
    ) -> None:
        self.id, self.attempt, self.max_attempts, timeout_s = facts
        self.deadline = began + timeout_s
        self._link = link
        self._has_parents = has_parents
        # The newest report, and whether somebody comes for it without being told.
        self._latest: tuple[Any, Any, str] | None = None
        self._held = False
        # What the worker was asked for.
        self._known: dict[str, Any] = {}

    def progress(self, done: float, total: float | None = None, note: str = "") -> None:
        """Tell how far the job is; it costs next to nothing, so tell it as often as you like.

        Args:
            done: how much is done, in any unit, 0 or more.
            total: how much there is, in the same unit, if that is known.
            note: what the job is at, up to 200 characters.

        Raises:
            TypeError: `done` or `total` is not a number, or `note` is not text.
            ValueError: a number is below 0, or not finite.
        """
        if (
            done.__class__ is not int
            or done < 0
            or not (total is None or (total.__class__ is int and total >= 0))
            or note.__class__ is not str
        ):
            done, total, note = checked_report(done, total, note)
        self._latest = (done, total, note)
        if not self._held:
            self._link.wake()

    def track(self, iterable: Iterable[T], total: float | None = None) -> Iterator[T]:
        """Go through `iterable`, and report how many of its items are done.

        Args:
            iterable: what to go through.
            total: how many items there are; by default its length, if it has one.
        """
        if total is None:
            try:
                total = len(iterable)  # type: ignore[arg-type]
            except Exception:  # noqa: BLE001 - the user's own type may do anything
                pass
        self.progress(0, total)
        for done, item in enumerate(iterable, 1):
            yield item
            self.progress(done, total)

    def save(self, value: Any) -> None:
        """Store a checkpoint, which the next attempts find as `saved`; returns when it is on disk.

        It stays until the job has completed, and takes the place of the one before.

        Args:
            value: what JSON can hold, in 65,536 bytes at most.

        Raises:
            TypeError: JSON can't hold it.
            ValueError: it is too large; or it holds NaN, infinity, or itself.
            RuntimeError: this is a copy of the job's process, or the job has ended.
        """
        text = checkpoint(value)
        self._link.save(self, text)
        self._known["saved"] = text

    @property
    def saved(self) -> Any:
        """What was saved last, by this attempt or one before; None if nothing was."""
        if "saved" not in self._known:
            self._known["saved"] = self._link.saved()
        text = self._known["saved"]
        try:
            return None if text is None else _DECODE(text)
        except (TypeError, ValueError, RecursionError) as problem:
            raise Hopeless("what the job saved is not JSON: %s" % problem) from None

    @property
    def parents(self) -> dict[str, Any]:
        """How each parent ended, by its id: `status`, `error` and `result`."""
        if "parents" not in self._known:
            rows = self._link.parents() if self._has_parents else []
            results = decoded_parents([(row[0], row[3]) for row in rows])
            self._known["parents"] = {
                row[0]: Parent(row[1], row[2], results[row[0]]) for row in rows
            }
        return dict(self._known["parents"])

    def submit(
        self,
        function: Any,
        params: dict[str, Any] | None = None,
        *,
        before_dependents: bool = False,
        **options: Any,
    ) -> str:
        """Submit a job, which is there when this one has completed, and only then.

        It is checked at once. An attempt that ends in any other way leaves none of its jobs. They
        belong to the same workflow as this one, and to the same batch unless they name another.

        Args:
            function: what the job calls: a function, `package.module.function` as text, or one
                that was made with `@task`; or a `Job`.
            params: the function's keyword arguments.
            before_dependents: whether the jobs that wait for this one wait for the new one too.
            **options: as for `Job`; `name` is the function's by default.

        Returns:
            The new job's id, on which the next one may depend.

        Raises:
            TypeError: as for `Job`.
            ValueError: as for `Job`; or it is one too many: 10,000 jobs and 16 MB are the most.
            RuntimeError: this is a copy of the job's process, or the job has ended.
        """
        known = self._known.setdefault("functions", {})
        order = order_of(function, params, before_dependents, options, known)
        return self._link.submit(self, order)

    def __repr__(self) -> str:
        return "<job %s, attempt %s of %s>" % (self.id, self.attempt, self.max_attempts)


def checked_report(done: Any, total: Any, note: Any) -> tuple[float, float | None, str]:
    """What was reported, as numbers and text of Python's own; raises as `progress` does."""
    if not isinstance(note, str):
        raise TypeError("progress() takes text for its note, not %s" % kind_of(note))
    return (
        amount("done", done),
        None if total is None else amount("total", total),
        note if type(note) is str else str.__str__(note),
    )


def amount(name: str, value: Any) -> float:
    try:
        if isinstance(value, (bool, str, bytes)):
            raise TypeError
        number = operator.index(value) if hasattr(type(value), "__index__") else float(value)
        if number >= LARGEST:
            number = float(number)
    except OverflowError:
        number = math.inf
    except (TypeError, ValueError):
        raise TypeError("progress() takes a number for %s, not %s" % (name, shown(value))) from None
    if not 0 <= number < math.inf:
        raise ValueError("progress() takes a finite number, 0 or more, for %s: %r" % (name, value))
    return number


def report_of(report: tuple[Any, Any, str]) -> list[Any]:
    """A report as it is told; it fits into a pipe as a whole."""
    done, total, note = report
    return [within_limits(done), within_limits(total), note[:NOTE_CHARACTERS]]


def within_limits(number: Any) -> Any:
    if number is None or number < LARGEST:
        return number
    try:
        return float(number)
    except OverflowError:
        return sys.float_info.max


def checkpoint(value: Any) -> str:
    """What `save` stores; raises as it does."""
    try:
        text = _ENCODE(value)
    except (ValueError, RecursionError) as problem:
        raise ValueError(
            "save() can't store it, because JSON can't hold it: %s" % problem
        ) from None
    except TypeError as problem:
        raise TypeError("save() can't store it, because JSON can't hold it: %s" % problem) from None
    if len(text) > MOST_SAVED:
        raise ValueError(
            "save() can't store it, because it is too large: as JSON it has {:,} bytes, and {:,} "
            "are the most: write it to a file, and save the path".format(len(text), MOST_SAVED)
        )
    return text


def order_of(
    function: Any,
    params: Any,
    before_dependents: bool,
    options: dict[str, Any],
    known: dict[int, tuple[Any, str]],
) -> str:
    """A job to be submitted, as JSON; raises as `submit` does.

    What is wrong with a value is said by the worker, but for what JSON can't hold.

    Args:
        function, params, before_dependents, options: as for `submit`.
        known: how functions are told, by their ids; it is added to.
    """
    own_id = None
    if hasattr(function, "to_job") and not isinstance(function, type):
        function, params = function.to_job(**({} if params is None else params)), None
    if is_job(function):
        if params is not None:
            raise TypeError("submit() takes no params beside a job, which has its own.")
        job, own_id = function, getattr(function, "id", None)
        if own_id is not None and not isinstance(own_id, str):
            raise TypeError("A job's id must be a string that isn't empty.")
        function, params = job.function, job.params
        own = {name: getattr(job, name) for name in JOB_OPTIONS if hasattr(job, name)}
        options = over(own, options)
    try:
        told = _ENCODE_OPTIONS(options)
    except (TypeError, ValueError, RecursionError) as problem:
        raise TypeError("submit() can't tell its worker these options: %s" % problem) from None
    order = '{"function": %s, "params": %s, "before": %s, "id": %s, "options": %s}' % (
        function_told(function, known),
        encoded_params({} if params is None else params),
        "true" if before_dependents else "false",
        _ENCODE_OPTIONS(own_id),
        told,
    )
    if len(order) > MOST_SUBMITTED_BYTES:
        raise ValueError(TOO_LARGE)
    return order


def over(own: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """A job's own options, with what is said of this one over them: of two that exclude each other,
    the one that is said stands."""
    merged = dict(own, **said)
    for one, other in INSTEAD_OF.items():
        nothing = 0 if one == "retry_delay" else None
        if one in said and other not in said and said[one] != nothing:
            merged.pop(other, None)
    return merged


def refused(kind: str, sentence: str) -> Exception:
    """The exception for a job that was not taken."""
    return (TypeError if kind == "TypeError" else ValueError)(sentence)


TOO_LARGE = (
    "A job can submit {:,} MB at most in one attempt: write what is large to a file, and pass its "
    "path.".format(MOST_SUBMITTED_BYTES // 1024**2)
)


def is_job(value: Any) -> bool:
    """Whether it has what a `Job` has; its id it may still lack."""
    if isinstance(value, (str, type)) or hasattr(value, "__code__"):
        return False
    return hasattr(value, "function") and hasattr(value, "params")


def encoded_params(params: Any) -> str:
    """Parameters as JSON; what JSON can't hold is refused as `Job` does."""
    if not isinstance(params, dict):
        raise TypeError(
            "params must be a dictionary of keyword arguments, not a value of type %s."
            % type(params).__name__
        )
    for key in params:
        if not isinstance(key, str):
            raise TypeError("The parameter %r must have a string for its name." % (key,))
    try:
        return _ENCODE(params)
    except TypeError as problem:
        raise TypeError(
            "JSON can't hold params (%s): pass strings, numbers, lists and dictionaries." % problem
        ) from None
    except (ValueError, RecursionError) as problem:
        raise ValueError("JSON can't hold params: %s." % problem) from None


def option_told(value: Any) -> Any:
    """How an option is told for which JSON has no word: as it is written where there is no Python.

    Raises:
        TypeError: there is no telling it.
    """
    if isinstance(value, type) and issubclass(value, BaseException):
        return name_of(value)
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if is_job(value):
        raise TypeError("dependencies takes job ids: pass job.id instead of the job.")
    if hasattr(value, "__dataclass_fields__"):
        return {name: getattr(value, name) for name in value.__dataclass_fields__}
    if isinstance(value, (set, frozenset)) or hasattr(value, "__next__"):
        return list(value)
    raise TypeError("a value of type %s" % type(value).__name__)


_ENCODE_OPTIONS = json.JSONEncoder(allow_nan=False, default=option_told).encode


def function_told(function: Any, known: dict[int, tuple[Any, str]]) -> str:
    """What tells the worker which function it is, and how it can be called, as JSON."""
    if isinstance(function, tuple) and len(function) == 2:
        # A reference by names.
        function = "%s.%s" % function
    if isinstance(function, str):
        found = found_as(function) if "." in function else None
        told = {"path": function, "takes": takes(found) if callable(found) else None}
        return _ENCODE(told)
    if id(function) not in known:
        told = {"is": described(function), "takes": takes(function) if callable(function) else None}
        # The function is kept, so that its id stays its own.
        known[id(function)] = function, _ENCODE(told)
    return known[id(function)][1]


def described(function: Any) -> list[Any]:
    """What tells whether a worker can import a function."""
    import inspect

    module = getattr(function, "__module__", None)
    name = getattr(function, "__name__", None)
    names = [module, name, getattr(function, "__qualname__", name)]
    loaded = sys.modules.get(module) if isinstance(module, str) else None
    return [
        type(function).__name__,
        callable(function),
        inspect.ismethod(function),
        inspect.isbuiltin(function),
        inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function),
        *(one if isinstance(one, str) else None for one in names),
        loaded is None or not isinstance(name, str) or hasattr(loaded, name),
    ]


def takes(function: Any) -> list[Any]:
    """What a function can be called with: the names that it knows, those that it needs, whether
    others are fine, those that it needs by position, and whether our workers alone can run it."""
    import inspect

    try:
        parameters = list(inspect.signature(function, follow_wrapped=False).parameters.values())
    except Exception:  # noqa: BLE001 - the user's own type may do anything
        return [[], [], True, [], needs_ours(function)]
    named = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)
    needed = [one for one in parameters if one.default is one.empty]
    return [
        [one.name for one in parameters if one.kind in named],
        [one.name for one in needed if one.kind in named],
        any(one.kind is one.VAR_KEYWORD for one in parameters),
        [one.name for one in needed if one.kind is one.POSITIONAL_ONLY],
        needs_ours(function),
    ]


def needs_ours(function: Any) -> bool:
    """Whether a function is async, or needs its job's context."""
    import inspect

    def within(one: Any) -> Any:
        return getattr(one, "__dict__", {}).get("__wrapped__")

    if not inspect.isfunction(function):
        function = within(function) or function
    if inspect.iscoroutinefunction(function):
        return True
    while function is not None:
        try:
            found = inspect.signature(function, follow_wrapped=False).parameters.get(CONTEXT)
        except Exception:  # noqa: BLE001 - the user's own type may do anything
            return False
        if found is not None and found.kind in (found.POSITIONAL_OR_KEYWORD, found.KEYWORD_ONLY):
            return found.default is found.empty
        function = within(function)
    return False


def message_of(line: bytes) -> dict[str, Any]:
    """What the worker said in a line; nothing where a part of it got lost.

    A signal handler of the job's may have broken off a reading, and what was read is gone then.
    """
    try:
        message = _DECODE(line)
    except ValueError:
        return {}
    return message if isinstance(message, dict) else {}


class Link:
    """The two pipes to the worker, while a job runs.

    What the job reports and saves is written by a thread of its own. No signal handler runs there,
    so no exception of the job's breaks a line off in its middle; and the job waits for no pipe.

    Args:
        jobs_fd: where jobs and answers come from.
        write: sends one message.
    """

    def __init__(self, jobs_fd: int, write: Callable[[dict[str, Any]], None]) -> None:
        self.jobs_fd = jobs_fd
        self.write = write
        self.pid = os.getpid()
        self.context: JobContext | None = None
        # How many threads of ours there are, and whether there can be none for now.
        self.threads = 0
        self.refused = False
        # What has been read, and how far it holds no end of a line.
        self.read = bytearray()
        self.looked = 0
        # One thread of the job's asks at a time, but a signal handler may ask within an ask.
        self.asking = threading.RLock()
        self.number = 0
        self.waiting: dict[int, dict[str, Any] | None] = {}
        # Held by whoever takes what is to be written, until it is written.
        self.gate = _thread.allocate_lock()
        self.starting = threading.RLock()
        self.woken = _thread.allocate_lock()
        self.woken.acquire()
        self.unsent: list[dict[str, Any]] = []
        self.told: object = None
        self.not_before = 0.0

    # --- reports -----------------------------------------------------------------------------

    def wake(self) -> None:
        """Have what is new told, by and by."""
        if not self.threads and not self.has_begun():
            # No more threads are allowed.
            if self.gate.acquire(False):
                try:
                    self.tell()
                finally:
                    self.gate.release()
            return
        try:
            self.woken.release()
        except RuntimeError:
            pass  # it is awake

    def has_begun(self) -> bool:
        """Start the thread that writes; False where there can be none."""
        with self.starting:
            if not self.threads and not self.refused:
                begun = _thread.allocate_lock()
                begun.acquire()
                try:
                    _thread.start_new_thread(self.run, (begun,))
                except RuntimeError:
                    # Too many of them; the next job may find fewer.
                    self.refused = True
                    return False
                begun.acquire()
        return not self.refused

    def run(self, begun: Any) -> None:
        with self.gate:
            self.threads += 1
        begun.release()
        pause = -1.0
        while True:
            self.woken.acquire(True, pause)
            with self.gate:
                try:
                    pause = self.tell()
                except MemoryError:
                    # Of a job that has reached its limit: there may be some again.
                    pause = WAIT_STEP_S

    def tell(self) -> float:
        """Write what is to be written now; gives the seconds until there may be more, or -1."""
        while self.unsent:
            self.write(self.unsent[0])
            del self.unsent[0]
        context = self.context
        if context is None:
            return -1.0
        left = self.not_before - _monotonic()
        if left > 0:
            return left
        # In this order: what is reported from here on is seen here, or wakes this thread.
        context._held = False
        report = context._latest
        if report is None or report is self.told:
            return -1.0
        context._held = self.threads > 0
        self.told = report
        self.not_before = _monotonic() + REPORT_EVERY_S
        self.write({"report": report_of(report)})
        return REPORT_EVERY_S

    def finish(self) -> None:
        """The job has ended: nobody asks any more, and its last report goes out."""
        context = self.context
        if context is None:
            return
        # A thread that the job left may still wait for an answer.
        with self.asking, self.gate:
            self.not_before = 0.0
            self.tell()
            context._held = True
            self.context = self.told = None
            self.not_before = 0.0
            self.refused = False

    def fall_silent(self) -> None:
        """This is a copy of the process: it has no say."""
        if self.context is not None:
            self.context._held = True

    # --- asking ------------------------------------------------------------------------------

    def save(self, context: JobContext, text: str) -> None:
        self.ask({"save": text}, context)

    def saved(self) -> str | None:
        text: str | None = self.ask({"ask": "saved"})["saved"]
        return text

    def parents(self) -> list[list[Any]]:
        rows: list[list[Any]] = self.ask({"ask": "parents"})["parents"]
        return rows

    def submit(self, context: JobContext, order: str) -> str:
        answer = self.ask({"submit": order}, context)
        if "refused" in answer:
            raise refused(*answer["refused"])
        job_id: str = answer["submitted"]
        return job_id

    def ask(self, message: dict[str, Any], context: JobContext | None = None) -> dict[str, Any]:
        """Send a message, and wait for the answer with its number."""
        if os.getpid() != self.pid:
            raise RuntimeError(A_COPY)
        with self.asking:
            if context is not None and context is not self.context:
                raise RuntimeError(ENDED)
            self.number += 1
            number = message["number"] = self.number
            self.waiting[number] = None
            try:
                self.send(message)
                # A handler that asks within may take this answer from the pipe, so that nothing
                # here waits for ever.
                os.set_blocking(self.jobs_fd, False)
                while True:
                    self.hear()
                    answer = self.waiting[number]
                    if answer is not None:
                        return answer
                    self.wait()
            finally:
                del self.waiting[number]

    def send(self, message: dict[str, Any]) -> None:
        # What is short goes into the pipe as a whole, and needs no thread for that.
        if self.threads or ("ask" not in message and self.has_begun()):
            self.unsent.append(message)
            self.wake()
        else:
            self.write(message)

    def hear(self) -> None:
        """Take in what has come; what nobody waits for is dropped."""
        while True:
            line = self.next_line()
            if line is None:
                try:
                    data = os.read(self.jobs_fd, READ_BYTES)
                except BlockingIOError:
                    return
                if not data:
                    raise RuntimeError("the pipe from the worker is closed")
                self.read += data
                continue
            answer = message_of(line)
            number = answer.get("answer")
            if number in self.waiting:
                self.waiting[number] = answer

    def wait(self) -> None:
        """Wait until something comes, but not for long."""
        import select

        if hasattr(select, "poll"):
            poll = select.poll()
            poll.register(self.jobs_fd, select.POLLIN)
            poll.poll(1000 * WAIT_STEP_S)
        else:
            select.select([self.jobs_fd], [], [], WAIT_STEP_S)

    def next_line(self) -> bytes | None:
        """A line that has come as a whole."""
        end = self.read.find(b"\n", self.looked)
        if end < 0:
            self.looked = len(self.read)
            return None
        self.looked = 0
        line = bytes(self.read[:end])
        del self.read[: end + 1]
        return line

    def read_line(self) -> bytes | None:
        """The next line, for which it waits; None when the worker has closed the pipe."""
        while True:
            line = self.next_line()
            if line is not None:
                return line
            try:
                data = os.read(self.jobs_fd, READ_BYTES)
            except BlockingIOError:
                # An ask has made it so, or a job.
                os.set_blocking(self.jobs_fd, True)
                continue
            if not data:
                return None
            self.read += data


def takes_context(function: Any, name: str) -> bool:
    """Whether a function is given the job's context: if it, or what it wraps, names it.

    Raises:
        Hopeless: what it wraps needs it, and can't get it.
    """
    passes = True
    for _ in range(MOST_WRAPPERS):
        called = plain(function)
        if called is not None:
            code = called.__code__
            positional = code.co_varnames[: code.co_argcount]
            only_by_name = code.co_varnames[code.co_argcount :][: code.co_kwonlyargcount]
            if CONTEXT in positional[getattr(code, "co_posonlyargcount", 0) :]:
                place = code.co_argcount - positional.index(CONTEXT)
                needed = place > len(called.__defaults__ or ())
                break
            if CONTEXT in only_by_name:
                needed = CONTEXT not in (called.__kwdefaults__ or ())
                break
            passes = passes and bool(code.co_flags & VARIOUS_NAMES)
        else:
            passes = False
        try:
            function = function.__dict__["__wrapped__"]
        except Exception:  # noqa: BLE001 - the user's own type may do anything
            return False
    else:
        return False
    if needed and not passes:
        raise Hopeless(no_context(name))
    return passes


def plain(function: Any) -> Any:
    """The function of Python's in which a call of this begins; None if there is none."""
    try:
        if not hasattr(function, "__code__"):
            owner: Any = function if isinstance(function, type) else type(function)
            function = owner.__init__ if owner is function else owner.__call__
        code = function.__code__
        return function if hasattr(code, "co_varnames") else None
    except Exception:  # noqa: BLE001 - the user's own type may do anything
        return None


def no_context(name: str) -> str:
    return (
        "{0}() can't be given its job_context: it must be a parameter that has a name for the "
        "caller, and a function that wraps {0}() must pass it on".format(name)
    )


def lacks_context(problem: TypeError, function: Any) -> bool:
    """Whether a call failed before the job's own function had begun, for want of the context."""
    before, missing, names = str(problem).partition("() missing ")
    if not missing or repr(CONTEXT) not in names:
        return False
    import inspect

    name = getattr(inspect.unwrap(function), "__name__", None)
    if before.rpartition(".")[2] != name:
        return False
    frames = problem.__traceback__
    while frames is not None and frames.tb_next is not None:
        frames = frames.tb_next
    if frames is None:
        return False
    code = frames.tb_frame.f_code
    return code.co_filename == __file__ or code.co_name != name


def refuse_own_context(params: dict[str, Any]) -> None:
    """Raises Hopeless if the parameters hold a value in the context's place."""
    if CONTEXT in params:
        raise Hopeless(
            "its parameters hold job_context, which the worker gives: leave it out, or call the "
            "function's parameter something else"
        )


def is_awaitable(result: Any) -> bool:
    """Whether what a function returned is to be awaited: it is async, or wraps one that is."""
    return result is not None and hasattr(type(result), "__await__")


def awaited(result: Any, watch: Callable[[Callable[[], object] | None], None]) -> Any:
    """What comes of it in an event loop.

    Args:
        result: what the job's function returned.
        watch: is given what stops it, for as long as that does.
    """
    import asyncio

    async def main(awaitable: Awaitable[Any]) -> Any:
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None
        stop = task.cancel
        watch(lambda: loop.call_soon_threadsafe(stop))
        try:
            return await awaitable
        finally:
            watch(None)

    try:
        return asyncio.run(main(result))
    except BaseException as problem:  # noqa: BLE001 - raised below, where it is no context
        raised = problem
    # The traceback begins where the user's code does. Before Python 3.11 what was raised there, if
    # the task was cancelled, is the context of what `run` raises.
    for one in (raised, raised.__context__):
        frames = one.__traceback__ if one is not None else None
        while frames is not None and frames.tb_frame.f_code is not main.__code__:
            frames = frames.tb_next
        if one is not None and frames is not None:
            raise one.with_traceback(frames.tb_next)
    raise raised


def root_folder() -> tuple[int, int]:
    found = os.stat("/")
    return found.st_dev, found.st_ino


def usual_handler(signum: int) -> Any:
    """What a Python process begins with."""
    return signal.default_int_handler if signum == signal.SIGINT else signal.SIG_DFL


def end_as_usual(signum: int) -> None:
    """Let a signal do what it does in any Python process."""
    signal.signal(signum, usual_handler(signum))
    os.kill(os.getpid(), signum)


def decoded_params(text: str | None) -> dict[str, Any]:
    """The keyword arguments; raises Hopeless if the stored text does not hold any."""
    if text is None:
        raise Hopeless("its parameters are missing: the row holds NULL where JSON should be")
    if text == "":
        return {}
    try:
        params = json.loads(text)
    except (TypeError, ValueError, RecursionError) as problem:
        raise Hopeless("its parameters are not JSON: %s" % problem) from None
    if not isinstance(params, dict):
        raise Hopeless(
            "its parameters are not a JSON object with names, but %s: %s"
            % (type(params).__name__, text[:80])
        )
    return params


def decoded_parents(pairs: list[tuple[str, str | None]]) -> dict[str, Any]:
    """{parent id: decoded result}, in the order of the dependencies."""
    results = {}
    for parent_id, text in pairs:
        try:
            results[parent_id] = None if text is None else json.loads(text)
        except (TypeError, ValueError, RecursionError) as problem:
            raise Hopeless(
                "the result of parent %s is not JSON: %s" % (parent_id, problem)
            ) from None
    return results


def wants_parent_results(function: Callable[..., Any], mode: bool | None) -> bool:
    """Whether to hand over the parents' results: as the job says, or as the function accepts."""
    if mode is not None:
        return mode
    import inspect

    try:
        parameters = inspect.signature(function).parameters
    except (TypeError, ValueError):
        return False
    return PARENT in parameters or any(
        p.kind is inspect.Parameter.VAR_KEYWORD for p in parameters.values()
    )


def does_not_fit(
    function: Callable[..., Any], params: dict[str, Any], problem: TypeError, ours: str = __file__
) -> bool:
    """Whether a call failed before the function had begun, as it will each time.

    `ours` is the file that made the call: it goes by where the exception came from.
    """
    import inspect

    def fits(called: Callable[..., Any]) -> bool:
        try:
            inspect.signature(called, follow_wrapped=False).bind(**params)
        except TypeError:
            return False
        except ValueError:
            pass  # it has no signature to be asked for
        return True

    if type(problem) is not TypeError:
        return False
    frames = problem.__traceback__
    while frames is not None and frames.tb_frame.f_code.co_filename in (ours, __file__):
        frames = frames.tb_next
    if frames is None and not fits(function):
        return True
    # A decorator may have been called, and not have got further.
    within = inspect.unwrap(function)
    names = [getattr(within, name, None) for name in ("__qualname__", "__name__")]
    if within is function or not str(problem).startswith(tuple("%s()" % n for n in names)):
        return False
    while frames is not None:
        if frames.tb_frame.f_code is getattr(within, "__code__", None):
            return False
        frames = frames.tb_next
    return not fits(within)


def encoded(result: Any, most: int = MAX_RESULT) -> str:
    """The result as JSON text of at most `most` bytes; raises Hopeless if there is none."""
    try:
        text = _ENCODE(result)
    except MemoryError:
        raise
    except Exception as problem:  # noqa: BLE001 - the user's own types may fail in any way
        raise Hopeless(not_json(result, problem)) from None
    if len(text) > most:
        raise Hopeless(
            "its result can't be stored, because it is too large: as JSON it has {:,} bytes, and "
            "this worker stores {} at most (see --max-result): write it to a file, and return the "
            "path\nThe result: {}".format(len(text), size(most), shown(result))
        )
    return text


def not_json(result: Any, problem: Exception) -> str:
    """Why JSON can't hold a result: which value in it is to blame, and a short form of it all."""
    reason = "its result can't be stored, because JSON can't hold it: "
    try:
        found = culprit(result, nested=isinstance(problem, RecursionError))
    except Exception:  # noqa: BLE001 - the user's own types may fail in any way
        found = None
    if found is None:
        return "%s%s\nThe result: %s" % (reason, problem, shown(result))
    path, value = shortened(storable(found[0])), found[1]
    told = "%s%s: %s (%s)" % (reason, path, shown(value), problem)
    return told if value is result else "%s\nThe result: %s" % (told, shown(result))


def culprit(result: Any, nested: bool) -> tuple[str, Any] | None:
    """The path to the first value in `result` that JSON can't hold, and that value.

    `nested` says that it is nested too deeply, and that nothing else is known to be wrong.
    """
    if not isinstance(result, (dict, list, tuple)):
        return "result", result
    path, above, trail = ["result"], [result], [parts(result)]
    for _ in range(LOOKED_AT):
        step, value = next(trail[-1], (None, None))
        if step is None:
            for stack in (path, above, trail):
                stack.pop()
            if not trail:
                return None
            continue
        if step == "" or not fits(value):
            return "".join(path) + step, value
        if isinstance(value, (dict, list, tuple)):
            path.append(step)
            if any(value is one for one in above) or (nested and len(path) > DEEP):
                return "".join(path), value
            above.append(value)
            trail.append(parts(value))
    return None


def parts(value: Any) -> Iterator[tuple[str, Any]]:
    """What is directly in a dictionary or a list, each with its step; a bad key has none."""
    if not isinstance(value, dict):
        for index, inner in enumerate(value):
            yield "[%d]" % index, inner
        return
    for key, inner in value.items():
        if not (key is None or isinstance(key, (str, int, float))) or not fits(key):
            yield "", key
        yield "[%s]" % (_QUOTE(clipped(key, 80)) if isinstance(key, str) else shown(key)), inner


def fits(value: Any) -> bool:
    """Whether JSON can hold a value, leaving aside what is in it."""
    if isinstance(value, float):
        return math.isfinite(value)
    if isinstance(value, int):
        try:
            # Python writes none of more than some thousand digits, unless it is told to.
            return bool(int.__repr__(value))
        except ValueError:
            return False
    return value is None or isinstance(value, (str, dict, list, tuple))


class _Short(reprlib.Repr):
    """Short forms of what a job returned, which may be of any size and kind."""

    def __init__(self) -> None:
        super().__init__()
        self.maxdict = self.maxlist = self.maxtuple = self.maxset = self.maxfrozenset = 20
        self.maxstring = self.maxother = 200

    def repr_bytes(self, value: Any, level: int) -> str:
        # The repr of it all would be four times as long.
        return repr(value[: self.maxother]) + ("..." if len(value) > self.maxother else "")

    repr_bytearray = repr_bytes

    def repr_int(self, value: int, level: int) -> str:
        try:
            return super().repr_int(value, level)
        except ValueError:
            return "<a whole number of %d bits>" % value.bit_length()


def shown(value: Any) -> str:
    """A short form of any value, bounded whatever it is."""
    try:
        return clipped(storable(_Short().repr(value)), KEPT)
    except BaseException as problem:  # noqa: BLE001 - the user's own __repr__
        return "<%s, whose repr failed: %s>" % (kind_of(value), kind_of(problem))


def shortened(path: str) -> str:
    return path if len(path) <= 400 else "%s...%s" % (path[:200], path[-200:])


def size(count: int) -> str:
    """A number of bytes in words."""
    for unit, name in ((1024**3, "GiB"), (1024**2, "MiB"), (1024, "KiB")):
        if count >= unit and count % unit == 0:
            return "%d %s" % (count // unit, name)
    return "{:,} bytes".format(count)


def failure(
    problem: BaseException, ours: str = __file__, asked: Sequence[str] = ()
) -> dict[str, Any]:
    """The answer that tells of an exception, which may itself be broken.

    `ours` is the file whose frames at the top say nothing to the user. `asked` are the names that
    the job's policy has for exceptions.
    """
    if is_a(problem, Hopeless):
        return {"ok": False, "hopeless": True, "error": sentence(problem), "traceback": None}
    message = {
        "ok": False,
        "hopeless": False,
        "error": sentence(problem),
        "traceback": clipped(storable(trimmed_traceback(problem, ours))),
        "raised": names_of(type(problem), asked),
    }
    try:
        wish = wish_of(problem)
    except ValueError as refusal:
        message["error"] = clipped("%s (%s)" % (message["error"], refusal))
    else:
        if wish is not None:
            message["wish"] = wish
    return message


# What the system says of a module in C for which there is no memory.
NO_ROOM = ("failed to map segment", os.strerror(errno.ENOMEM))


def was_refused_memory(problem: BaseException) -> bool:
    """Whether the system refused memory to what Python does not tell as a MemoryError: a new
    process, a mapped file, a module in C."""
    try:
        if isinstance(problem, ImportError):
            said = str(problem)
            return any(words in said for words in NO_ROOM)
        return isinstance(problem, OSError) and problem.errno == errno.ENOMEM
    except Exception:  # noqa: BLE001 - the user's own types may fail in any way
        return False


def names_of(kind: type, asked: Sequence[str] = ()) -> list[str]:
    """The names of an exception's type and of those above it, the nearest first.

    Behind them stand those of `asked` that mean one of these types: a class is known by the names
    of all modules that hold it.
    """
    # Not its `__mro__`, which a class may define anew.
    types = told_of(kind, "__mro__")[:-1]
    names = [name_of(one) for one in types[:MOST_NAMES]]
    for name in asked:
        if name not in names:
            found = found_as(name)
            if any(one is found for one in types):
                names.append(name)
    return names


def found_as(name: str) -> Any:
    """What is loaded under a whole name; None where nothing is."""
    parts = name.split(".")
    try:
        for end in range(len(parts) - 1, 0, -1):
            found: Any = sys.modules.get(".".join(parts[:end]))
            if found is not None:
                for part in parts[end:]:
                    found = getattr(found, part)
                return found
    except Exception:  # noqa: BLE001 - a user's module may do anything when it is asked
        pass
    return None


def wish_of(problem: BaseException) -> tuple[Any, ...] | None:
    """What the job asks for by what it raised, and after how many seconds; None for nothing.

    A third part, True, asks the same for the job's whole lane.

    The exceptions are ours by their mark, as the user's environment need not hold us.

    Raises:
        ValueError: It can't be had; the sentence says why.
    """
    try:
        kind = type(problem).__gigq_core__  # type: ignore[attr-defined]
        if kind not in WISHES or type(kind) is not str:
            return None
        after = None if kind == "give_up" else getattr(problem, "after", None)
        lane = (True,) if kind == "retry" and getattr(problem, "lane", False) is True else ()
    except Exception:  # noqa: BLE001 - the user's own class may do anything
        return None
    if after is None:
        if kind == "snooze":
            raise ValueError("it names no time: say after how many seconds")
        return (kind, None, *lane)
    if isinstance(after, bool) or not isinstance(after, (int, float)):
        raise ValueError("its `after` is no number of seconds: %s" % shown(after))
    try:
        seconds = float(after)
    except OverflowError:
        seconds = math.inf
    if not 0 <= seconds < math.inf:
        raise ValueError("its `after` must be 0 seconds or more, and finite: %s" % shown(after))
    return (kind, seconds, *lane)


def sentence(problem: BaseException) -> str:
    """What is stored as the error: type and text, as Python prints them."""
    if is_a(problem, SystemExit):
        try:
            code = getattr(problem, "code", None)
        except BaseException:  # noqa: BLE001 - the user's own class
            code = None
        told = "" if code is None else shown(code)
        return "%s: the job called sys.exit(%s)" % (kind_of(problem), told)
    try:
        text = clipped(storable(str(problem)))
    except BaseException:  # noqa: BLE001 - the user's own __str__
        text = "<exception str() failed>"
    if is_a(problem, Hopeless):
        return text
    kind = kind_of(problem)
    return "%s: %s" % (kind, text) if text else kind


def kind_of(value: object) -> str:
    """The name of a value's type, with its module as tracebacks give it."""
    kind = type(value)
    module = told_of(kind, "__module__")
    if type(module) is str and module in ("builtins", "__main__"):
        return clipped(storable(told_of(kind, "__qualname__")), LONGEST_NAME)
    return name_of(kind)


def name_of(kind: type) -> str:
    """The name of a type, with its module."""
    module = told_of(kind, "__module__")
    name = "%s.%s" % (
        module if type(module) is str else "<unknown>",
        told_of(kind, "__qualname__"),
    )
    return clipped(storable(name), LONGEST_NAME)


def told_of(kind: type, name: str) -> Any:
    """What Python itself keeps of a type: a metaclass may answer with anything."""
    try:
        return type.__dict__[name].__get__(kind)
    except AttributeError:
        return None


def is_a(problem: BaseException, kind: type) -> bool:
    """Whether it is one by its type, whatever it says its class is."""
    return issubclass(type(problem), kind)


def storable(text: str) -> str:
    """The text as a database holds it, and every reader of it reads to its end."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.replace("\0", "\\x00")


def trimmed_traceback(problem: BaseException, ours: str) -> str:
    """The traceback without our own frames at its ends."""
    try:
        frames = problem.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename in (ours, __file__):
            frames = frames.tb_next
        told = traceback.TracebackException(type(problem), problem, frames)
        # The handler of a signal is at the end, and says no more than the message does.
        while told.stack and told.stack[-1].filename in (ours, __file__):
            told.stack.pop()
        text = "".join(told.format())
    except BaseException as second:  # noqa: BLE001 - the user's own __str__, a source that is no text
        text = "%s (no traceback: %s)" % (kind_of(problem), kind_of(second))
    return text.rstrip()


def what_is(fd: int) -> tuple[int, int] | None:
    """What a descriptor leads to; None if it is closed."""
    try:
        found = os.fstat(fd)
    except OSError:
        return None
    return found.st_dev, found.st_ino


def clipped(text: str, most: int = MAX_TEXT) -> str:
    """At most `most` characters: the head and the tail."""
    if len(text) <= most:
        return text
    half = most // 2
    return "%s\n[... %d characters left out ...]\n%s" % (
        text[:half],
        len(text) - 2 * half,
        text[-half:],
    )


class Sources:
    """The files of loaded modules that are the project's: not Python's, not installed packages'."""

    def __init__(self) -> None:
        self.count = 0
        self.seen: set[str] = set()
        self.fresh: dict[str, int] = {}

    def note(self) -> None:
        """Take in what was imported; the sooner, the less can have changed since."""
        if len(sys.modules) == self.count:
            return
        modules = sys.modules.copy()
        self.count = len(modules)
        for name in modules.keys() - self.seen:
            self.seen.add(name)
            path = file_of(modules[name])
            if path and not self.is_installed(path):
                self.fresh[path] = mark_of(path)

    def is_installed(self, path: str) -> bool:
        return path.startswith(LIBRARY) or not PACKAGES.isdisjoint(path.split(os.sep))

    def news(self) -> dict[str, int]:
        """The files that were not told before, with their marks."""
        self.note()
        fresh, self.fresh = self.fresh, {}
        return fresh


def file_of(module: Any) -> str:
    """The file that a module came from; of one in an archive, the archive."""
    try:
        path = getattr(getattr(module, "__loader__", None), "archive", None)
        if not isinstance(path, str):
            path = getattr(module, "__file__", None)
        return os.path.abspath(path) if isinstance(path, str) else ""
    except Exception:  # noqa: BLE001 - anything may stand in `sys.modules`
        return ""


def mark_of(path: str) -> int:
    """A number that is another one when the file has changed; 0 if it is not there."""
    try:
        found = os.stat(path)
    except OSError:
        return 0
    return (found.st_mtime_ns * 1_000_003 + found.st_size * 1_009 + found.st_ino) % 2**63


# --- what a job may leave behind -------------------------------------------------------------

# After so many seconds without a job the folder is entered anew.
FOLDER_S = 0.5
# Connections that a module keeps for itself (to a database, of HTTP) may stay open: so many.
CONNECTIONS_KEPT = 16
# How long processes that a job left may take to end when asked, and when killed, in seconds.
ASKED_S = 0.1
KILLED_S = 1.0
# How long a thread that is about to end is waited for, in seconds.
THREADS_S = 0.02
# How often a handler that the job left may break off the putting back.
TRIES = 10

HOOKS = (
    (
        sys,
        "excepthook displayhook breakpointhook unraisablehook dont_write_bytecode stdin stdout"
        " stderr __stdin__ __stdout__ __stderr__ __excepthook__",
    ),
    # A test double that stayed.
    (time, "time sleep monotonic perf_counter localtime"),
    (os, "open close read write stat listdir getcwd getpid fork system kill _exit"),
    (json, "dumps loads"),
    (threading, "excepthook _trace_hook _profile_hook"),
    (warnings, "showwarning formatwarning _showwarnmsg_impl"),
)
BUILTINS = (
    "__import__ __build_class__ open print input eval exec compile type isinstance getattr setattr"
    " hasattr len range sorted sum min max map filter zip str int exit"
)
# By these, and by any extension module that is not Python's own, C code of the user's choice runs.
NATIVE = frozenset(("ctypes", "cffi", "_cffi_backend"))
EXTENSIONS = tuple(importlib.machinery.EXTENSION_SUFFIXES)
# The modules that this file alone has imported, as far as a job may have no need of them.
OURS = ("resource", "ctypes", "ctypes._endian", "faulthandler", "_locale")
# Those that there may only be one of: out of sight until a job imports them.
ONCE = ("signal", "_signal", "_thread")
# By what means handlers, masks and timers change.
SIGNALLING = frozenset(("signal", "_signal", "readline", "curses", "_curses"))
# The settings of a logger that nobody has touched: level, disabled, propagate, handlers, filters.
UNTOUCHED = (0, False, True, (), ())
UNTOUCHED_ROOT = (30, False, True, (), ())


class Absent:
    """The value of what belongs to a module that is not imported yet."""


class Surroundings:
    """What a job finds in its process beside the modules.

    It is noted before the first job, and put back after each. What an import changes belongs to
    the module, which stays; so that stays too: this is the first finder on `sys.meta_path`, and
    watches the outermost imports.
    """

    def __init__(
        self, output_fd: int, nothing_fd: int, faults: Faults, sources: Sources, link: Link
    ) -> None:
        self.output_fd = output_fd
        self.link = link
        self.sources = sources
        self.faults = faults
        self.nothing_fd = nothing_fd
        self.pid = os.getpid()
        self.main = threading.get_ident()
        self.importing = False
        # What can't be told to be an import's or a job's.
        self.unsure = ""
        self.decimals: Any = None
        sys.meta_path.insert(0, self)
        for name in OURS:
            sys.modules.pop(name, None)
        self.hidden = {name: sys.modules.pop(name) for name in ONCE if name in sys.modules}
        self.rarely, self.builtins = Rarely(), Builtins()
        self.things = list(things(faults.handle, self.rarely, self.builtins))
        self.reads = [read for _, read, _ in self.things]
        self.noted = self.copy()
        self.recursion_limit = sys.getrecursionlimit()
        self.threads = self.thread_count()
        self.thread_states = self.states()
        self.children = children() if has_children() else set()
        self.descriptors = open_descriptors()
        self.lowest_free = lowest_free()

    def thread_count(self) -> int:
        """How many threads of Python's there are that are not ours."""
        return _thread._count() - self.link.threads

    def states(self) -> int:
        return thread_states() - self.link.threads

    def read(self) -> list[Any]:
        """All values, which may be the things themselves."""
        self.rarely.look()
        return [read() for read in self.reads]

    def copy(self) -> list[Any]:
        return [
            dict(value) if type(value) is dict else list(value) if type(value) is list else value
            for value in self.read()
        ]

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Find a module as the other finders do, and watch what running it changes."""
        if name in self.hidden:
            loader: Any = Given(self.hidden.pop(name))
            return importlib.machinery.ModuleSpec(name, loader)
        if self.importing or threading.get_ident() != self.main or os.getpid() != self.pid:
            return None
        for finder in list(sys.meta_path):
            if finder is self:
                continue
            if not hasattr(finder, "find_spec"):
                # One of the old kind, which Python knows how to ask.
                return None
            spec = finder.find_spec(name, path, target)
            if spec is not None:
                self.watch(spec.loader)
                return spec
        return None

    def watch(self, loader: Any) -> None:
        """Have it told when the loader runs a module."""
        run = getattr(loader, "exec_module", None)
        own = getattr(loader, "__dict__", None)
        # What is built in or frozen has a class for its loader, and changes nothing.
        if run is None or type(own) is not dict or "exec_module" in own:
            return

        def exec_module(module: Any) -> None:
            own.pop("exec_module", None)
            if self.importing or threading.get_ident() != self.main:
                run(module)
                return
            before = self.state()
            self.importing = True
            done = False
            try:
                run(module)
                done = True
            finally:
                self.importing = False
                name = str(getattr(module, "__name__", "a module"))[:200]
                try:
                    self.take_in(before, name, done)
                except Exception:  # noqa: BLE001 - a module may do anything
                    self.unsure = "what the import of %s changed" % name

        # Python leaves its own frames out of the traceback of an import; this is one more of them.
        exec_module.__code__ = exec_module.__code__.replace(
            co_filename="<frozen importlib._bootstrap>"
        )
        try:
            loader.exec_module = exec_module
        except (AttributeError, TypeError):
            pass

    def state(self) -> tuple[Any, ...] | None:
        try:
            return self.copy(), open_descriptors(), self.thread_count(), decimal_settings()
        except Exception:  # noqa: BLE001 - a job may have broken anything
            return None

    def take_in(self, before: tuple[Any, ...] | None, name: str, done: bool) -> None:
        """Note what an import has changed."""
        self.sources.note()
        after = self.state()
        if before is None or after is None:
            self.unsure = "what the import of %s changed" % name
            return
        if not done:
            # It runs again when it is next imported, but what it imported itself does not.
            if before != after:
                self.unsure = "what the failed import of %s changed" % name
            return
        for place, (old, new) in enumerate(zip(before[0], after[0])):
            if old != new:
                self.noted[place] = merged(self.noted[place], old, new)
                self.builtins.note()
        if after[1] != before[1]:
            self.descriptors |= after[1] - before[1]
            self.lowest_free = lowest_free()
        self.threads += after[2] - before[2]
        self.thread_states = self.states()
        self.recursion_limit = sys.getrecursionlimit()
        if has_children():
            self.children |= children()
        if after[3] != before[3]:
            self.decimals = sys.modules["decimal"].getcontext().copy()

    def call(
        self,
        function: Callable[..., Any],
        params: dict[str, Any],
        watch: Callable[[Callable[[], object] | None], None],
    ) -> Any:
        """Call a job's function with context variables, and a context of decimals, of its own."""
        context = contextvars.copy_context()
        decimal = sys.modules.get("decimal")
        if decimal is not None:
            context.run(decimal.setcontext, (self.decimals or decimal.getcontext()).copy())
        result = context.run(function, **params)
        return context.run(awaited, result, watch) if is_awaitable(result) else result

    def restore(self) -> list[str]:
        """Put back what a job has changed; tells in words what can't be, and so is left."""
        for _ in range(TRIES):
            try:
                return self.restored()
            except BaseException:  # noqa: BLE001 - from a signal handler of the job's, until it is gone
                continue
        return ["a process that can't be put in order"]

    def restored(self) -> list[str]:
        left = []
        try:
            as_noted = self.read() == self.noted
        except Exception:  # noqa: BLE001 - a job may have broken anything
            as_noted = False
        if not as_noted:
            left += self.put_back()
        os.dup2(self.nothing_fd, 0)
        os.dup2(self.output_fd, 1)
        os.dup2(self.output_fd, 2)
        self.faults.cancel()
        if has_children():
            ended = end_children(self.children | set(helpers_of_python()))
            if ended:
                left.append(counted(ended, "process", "processes"))
        reseed()
        threads = self.threads_left()
        if threads:
            left.append(counted(threads, "thread", "threads"))
        left += self.descriptors_left()
        if self.unsure:
            left.append(self.unsure)
            self.unsure = ""
        return left

    def put_back(self) -> list[str]:
        left = []
        for place, (name, read, write) in enumerate(self.things):
            noted = self.noted[place]
            if reads_as(read, noted):
                continue
            if noted is Absent:
                # Its module came in by a way that is not watched.
                self.noted[place] = read()
                continue
            try:
                write(noted)
            except Exception:  # noqa: BLE001 - whatever the reason, it is not as it was
                pass
            if not reads_as(read, noted):
                left.append(name)
        return left

    def threads_left(self) -> int:
        """How many threads of Python's the job left; those of C libraries do no harm."""
        until = time.monotonic() + THREADS_S
        while self.thread_count() > self.threads or self.begins_threads():
            if time.monotonic() > until:
                self.thread_states = self.states()
                return max(0, self.thread_count() - self.threads)
            # One is about to end, or one that has been started has not begun.
            time.sleep(0.001)
        return 0

    def begins_threads(self) -> bool:
        """Whether one has been started that has not begun; `threading` waits for that itself."""
        raw = self.rarely.native or "_thread" in sys.modules
        return raw and self.states() > self.thread_states

    def descriptors_left(self) -> list[str]:
        if lowest_free() == self.lowest_free:
            return []
        if open_descriptors() - self.descriptors:
            # Garbage may hold them.
            gc.collect()
        now = open_descriptors()
        found = now - self.descriptors - set(helpers_of_python().values())
        connections = {fd for fd in found if is_connection(fd)}
        left = []
        if found != connections or len(found) > CONNECTIONS_KEPT:
            left.append(counted(len(found), "open descriptor", "open descriptors"))
        if self.descriptors - now:
            left.append("descriptors closed that were not its own")
        self.lowest_free = lowest_free()
        return left


class Given:
    """Loads a module that there is already: the same one, as it was."""

    def __init__(self, module: Any) -> None:
        self.module = module
        self.spec = module.__spec__

    def create_module(self, spec: Any) -> Any:
        return self.module

    def exec_module(self, module: Any) -> None:
        module.__spec__ = self.spec


def reads_as(read: Callable[[], Any], noted: Any) -> bool:
    try:
        return bool(read() == noted)
    except Exception:  # noqa: BLE001 - a job may have broken anything
        return False


def merged(noted: Any, old: Any, new: Any) -> Any:
    """What is noted, with the changes from `old` to `new`."""
    if noted == old:
        return new
    if type(noted) is type(old) is type(new) is dict:
        result = {key: value for key, value in noted.items() if key in new or key not in old}
        result.update((k, v) for k, v in new.items() if k not in old or old[k] != v)
        return result
    if type(noted) is type(old) is type(new) is list:
        first = [entry for entry in new[: len(new) - len(old)] if entry not in old]
        last = [entry for entry in new if entry not in old and entry not in first]
        return first + [e for e in noted if e in new or e not in old] + last
    if type(noted) is type(old) is type(new) is tuple and len(noted) == len(old) == len(new):
        return tuple(n if a == b else b for n, a, b in zip(noted, old, new))
    return new


def things(repair: Callable[[], None], rarely: Rarely, names: Builtins) -> Iterator[Thing]:
    """What belongs to the process: the name of each, how to read it, and how to put it back.

    Those that could disturb the rest come first. `repair` sets up the handlers of faults.
    """
    yield "trace functions", lambda: (sys.gettrace(), sys.getprofile()), put_traces
    yield "the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit
    if os.name == "posix":
        yield from things_of_signals(repair, rarely)
    environ = os.environ
    yield "the environment", lambda: os.environ._data, lambda noted: put_environ(environ, noted)  # type: ignore[attr-defined]
    below = EnvironmentBelow.find()
    if below is not None:
        yield "the environment of C", below.read, below.put_back
    if hasattr(time, "tzset"):
        yield "the time zone", lambda: (time.tzname, time.timezone), lambda noted: time.tzset()
    yield "the umask", umask, os.umask
    for owner, name in (
        (sys, "path"),
        (sys, "meta_path"),
        (sys, "path_hooks"),
        (sys, "argv"),
        (gc, "callbacks"),
        (warnings, "filters"),
    ):
        yield thing_of_list(owner, name)
    for owner, attributes in HOOKS:
        yield thing_of_attributes(owner, [a for a in attributes.split() if hasattr(owner, a)])
    yield "sys.tracebacklimit", lambda: vars(sys).get("tracebacklimit"), put_tracebacklimit
    yield "the builtins", names.read, names.put_back
    yield "the switch interval", sys.getswitchinterval, sys.setswitchinterval
    if hasattr(sys, "get_int_max_str_digits"):
        yield "the limit of digits", sys.get_int_max_str_digits, sys.set_int_max_str_digits
    yield "settings of gc", lambda: (gc.isenabled(), gc.get_threshold(), gc.get_debug()), put_gc
    yield "settings of logging", logging_settings, put_logging_settings
    yield "loggers", loggers, put_loggers
    yield "the timeout of sockets", socket_timeout, put_socket_timeout
    yield "the event loop", event_loop, put_event_loop
    locale = rarely.when(
        frozenset(("locale", "_locale")), lambda: _locale.setlocale(_locale.LC_ALL, None)
    )
    yield "the locale", locale, put_locale
    yield from things_of_the_system(rarely)


def things_of_signals(repair: Callable[[], None], rarely: Rarely) -> Iterator[Thing]:
    yield "timers", rarely.when(SIGNALLING, timers), put_timers
    yield "the wakeup descriptor", rarely.when(SIGNALLING, wakeup_fd), signal.set_wakeup_fd
    numbers = sorted(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP})
    handler_of = _signal.getsignal

    def put_handlers(noted: tuple[Any, ...]) -> None:
        for number, handler in zip(numbers, noted):
            if handler is not None and handler_of(number) != handler:
                signal.signal(number, handler)
        repair()

    handlers = rarely.when(SIGNALLING, lambda: tuple(map(handler_of, numbers)))
    yield "signal handlers", handlers, put_handlers
    dispositions = dispositions_of_c()
    if dispositions is not None:
        asked = rarely.when(frozenset(("faulthandler",)), dispositions)

        def put_dispositions(noted: tuple[bytes, bytes]) -> None:
            # C code has put there another one than Python knows of.
            wrong = [int(a) ^ int(b) for a, b in zip(dispositions(), noted)]
            for number in numbers:
                handler = handler_of(number)
                if handler is not None and (wrong[0] | wrong[1]) >> (number - 1) & 1:
                    signal.signal(number, handler)
            repair()

        yield "signal handlers of C", asked, put_dispositions
    mask, block, put = _signal.pthread_sigmask, signal.SIG_BLOCK, signal.SIG_SETMASK
    blocked = rarely.when(SIGNALLING, lambda: mask(block, ()))
    yield "the signal mask", blocked, lambda noted: mask(put, noted)


def dispositions_of_c() -> Callable[[], tuple[bytes, bytes]] | None:
    """How to ask Linux which signals are ignored, and which are caught, by whomever."""
    try:
        fd = os.open("/proc/self/stat", os.O_RDONLY)
    except OSError:
        return None

    def dispositions() -> tuple[bytes, bytes]:
        text = os.pread(fd, 2048, 0)
        fields = text[text.rindex(b")") + 2 :].split()
        return fields[30], fields[31]

    return dispositions


class Rarely:
    """What takes long to read, and changes by the means of certain modules alone.

    Until one of them is there, it is taken to be as it was. Those that this file has imported
    itself are not there for a job until it imports them too.
    """

    def __init__(self) -> None:
        self.count = 0
        self.native = False

    def look(self) -> None:
        """See which modules are there."""
        if len(sys.modules) == self.count:
            return
        modules = sys.modules.copy()
        self.count = len(modules)
        self.native = not modules.keys().isdisjoint(NATIVE) or any(
            path.endswith(EXTENSIONS) and not path.startswith(LIBRARY)
            for path in (getattr(module, "__file__", None) for module in modules.values())
            if isinstance(path, str)
        )

    def when(self, names: frozenset[str], read: Callable[[], Any]) -> Callable[[], Any]:
        """`read`, but for the time before one of the modules is there, or any of C code."""
        usual = read()

        def value() -> Any:
            there = self.native or not sys.modules.keys().isdisjoint(names)
            return read() if there else usual

        return value


def things_of_the_system(rarely: Rarely) -> Iterator[Thing]:
    if hasattr(os, "getpriority"):
        who = (os.PRIO_PROCESS, 0)
        yield (
            "its nice value",
            lambda: os.getpriority(*who),
            lambda noted: os.setpriority(*who, noted),
        )
    if hasattr(os, "sched_getscheduler"):
        yield "its scheduling", lambda: os.sched_getscheduler(0), put_scheduling
    if hasattr(os, "sched_getaffinity"):
        yield (
            "its processors",
            lambda: os.sched_getaffinity(0),
            lambda noted: os.sched_setaffinity(0, noted),
        )
    if resource is not None:
        yield from things_of_limits(rarely)
    if hasattr(os, "getresuid") and 0 in (*os.getresuid(), *os.getresgid()):
        # Nobody else can become another one.
        yield "its user", os.getresuid, lambda noted: os.setresuid(*noted)
        yield "its group", os.getresgid, lambda noted: os.setresgid(*noted)
        yield "its groups", os.getgroups, os.setgroups


def things_of_limits(rarely: Rarely) -> Iterator[Thing]:
    getrlimit, files = resource.getrlimit, resource.RLIMIT_NOFILE
    numbers = [getattr(resource, name) for name in dir(resource) if name.startswith("RLIMIT_")]

    def limits() -> tuple[Any, ...]:
        return tuple(map(getrlimit, numbers))

    def put(noted: tuple[Any, ...]) -> None:
        for number, limit in zip(numbers, noted):
            if getrlimit(number) == limit:
                continue
            try:
                resource.setrlimit(number, limit)
            except (ValueError, OSError):
                # A hard limit is lowered for good: until the process is replaced, all that is left.
                resource.setrlimit(number, (getrlimit(number)[1],) * 2)

    yield "its limits", rarely.when(frozenset(("resource", "psutil")), limits), put
    # Other programs can change this one; it is the first to be missed.
    yield (
        "its limit of open files",
        lambda: getrlimit(files),
        lambda noted: resource.setrlimit(files, noted),
    )


def umask() -> int:
    # There is no asking for it without setting it.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


def put_traces(noted: tuple[Any, Any]) -> None:
    sys.settrace(noted[0])
    sys.setprofile(noted[1])


TIMERS = (
    [signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF]
    if hasattr(signal, "setitimer")
    else []
)


def timers() -> tuple[bool, ...]:
    """Which timers run."""
    return tuple([signal.getitimer(timer) != (0.0, 0.0) for timer in TIMERS])


def put_timers(noted: tuple[bool, ...]) -> None:
    for timer, runs in zip(TIMERS, noted):
        if not runs:
            signal.setitimer(timer, 0)


def wakeup_fd() -> int:
    fd = signal.set_wakeup_fd(-1)
    if fd != -1:
        signal.set_wakeup_fd(fd)
    return fd


def put_environ(environ: Any, noted: dict[bytes, bytes]) -> None:
    os.environ = environ  # noqa: B003 - a job may have put something else there
    put_dict(environ, {os.fsdecode(key): os.fsdecode(value) for key, value in noted.items()})


def put_dict(target: Any, noted: dict[Any, Any]) -> None:
    for key in list(target):
        if key not in noted:
            del target[key]
    for key, value in noted.items():
        if key not in target or target[key] is not value:
            target[key] = value


class EnvironmentBelow:
    """The environment as C code and new programs find it, which `os.putenv` alone changes."""

    def __init__(self, pointer: Any, bytes_at: Callable[..., bytes]) -> None:
        self.pointer = pointer
        self.bytes_at = bytes_at
        # The pointers to the entries, as they were read last: a new entry has another one.
        self.raw = b""
        self.known: dict[bytes, bytes] = {}

    @classmethod
    def find(cls) -> EnvironmentBelow | None:
        if os.name != "posix" or ctypes is None:
            return None
        try:
            found = cls(ctypes.c_void_p.in_dll(ctypes.CDLL(None), "environ"), ctypes.string_at)
            return found if found.read() else None
        except (ValueError, OSError):
            return None

    def read(self) -> dict[bytes, bytes]:
        at = self.pointer.value
        if at and self.raw and self.bytes_at(at, len(self.raw)) == self.raw:
            return self.known
        self.raw, self.known = b"", {}
        width = ctypes.sizeof(ctypes.c_void_p)
        while at:
            entry = self.bytes_at(at + len(self.raw), width)
            self.raw += entry
            address = int.from_bytes(entry, sys.byteorder)
            if not address:
                break
            key, _, value = self.bytes_at(address).partition(b"=")
            self.known.setdefault(key, value)
        return self.known

    def put_back(self, noted: dict[bytes, bytes]) -> None:
        now = self.read()
        for key in now:
            if key not in noted:
                os.unsetenv(key)
        for key, value in noted.items():
            if now.get(key) != value:
                os.putenv(key, value)
        if hasattr(time, "tzset"):
            time.tzset()


def thing_of_list(owner: Any, name: str) -> Thing:
    """A list that is a module's: its entries are put back, and the list itself."""
    original = getattr(owner, name)

    def put(noted: list[Any]) -> None:
        original[:] = noted
        setattr(owner, name, original)
        if owner is warnings and hasattr(warnings, "_filters_mutated"):
            warnings._filters_mutated()

    return "%s.%s" % (owner.__name__, name), lambda: getattr(owner, name), put


def thing_of_attributes(owner: Any, names: list[str]) -> Thing:
    """Attributes of a module that are there to be replaced."""

    def put(noted: tuple[Any, ...]) -> None:
        for name, value in zip(names, noted):
            setattr(owner, name, value)

    values_of = operator.attrgetter(*names)
    return "the hooks of %s" % owner.__name__, lambda: values_of(owner), put


class Builtins:
    """The built-in names: how many there are, and those that are replaced now and then."""

    def __init__(self) -> None:
        self.names = vars(builtins)
        self.often = operator.itemgetter(*[n for n in BUILTINS.split() if n in self.names])
        self.note()

    def note(self) -> None:
        self.known = dict(self.names)

    def read(self) -> tuple[int, tuple[Any, ...]]:
        return len(self.names), self.often(self.names)

    def put_back(self, noted: object) -> None:
        put_dict(self.names, self.known)


def put_tracebacklimit(noted: int | None) -> None:
    if noted is None:
        del sys.tracebacklimit
    else:
        sys.tracebacklimit = noted


def put_gc(noted: tuple[Any, ...]) -> None:
    (gc.enable if noted[0] else gc.disable)()
    gc.set_threshold(*noted[1])
    gc.set_debug(noted[2])


def logging_settings() -> Any:
    logging: Any = sys.modules.get("logging")
    if not hasattr(logging, "root"):  # not imported, or not to its end
        return Absent
    return (
        logging.root.manager.disable,
        logging._warnings_showwarning,
        logging.raiseExceptions,
        logging.lastResort,
        logging._logRecordFactory,
        logging._loggerClass,
    )


def put_logging_settings(noted: tuple[Any, ...]) -> None:
    logging: Any = sys.modules["logging"]
    logging.disable(noted[0])
    (
        logging._warnings_showwarning,
        logging.raiseExceptions,
        logging.lastResort,
        logging._logRecordFactory,
        logging._loggerClass,
    ) = noted[1:]


def loggers() -> dict[str, Any]:
    """The settings of all loggers that somebody has touched, by name."""
    logging: Any = sys.modules.get("logging")
    if not hasattr(logging, "root"):  # not imported, or not to its end
        return {}
    touched = {}
    root = settings_of(logging.root)
    if root != UNTOUCHED_ROOT:
        touched[""] = root
    for name, logger in list(logging.root.manager.loggerDict.items()):
        # Not for what only holds the place of a logger.
        if hasattr(logger, "handlers"):
            settings = settings_of(logger)
            if settings != UNTOUCHED:
                touched[name] = settings
    return touched


def settings_of(logger: Any) -> tuple[Any, ...]:
    return (
        logger.level,
        bool(logger.disabled),
        bool(logger.propagate),
        tuple(logger.handlers),
        tuple(logger.filters),
    )


def put_loggers(noted: dict[str, Any]) -> None:
    logging: Any = sys.modules["logging"]
    put_logger(logging.root, noted.get("", UNTOUCHED_ROOT))
    for name, logger in list(logging.root.manager.loggerDict.items()):
        if hasattr(logger, "handlers"):
            put_logger(logger, noted.get(name, UNTOUCHED))


def put_logger(logger: Any, noted: tuple[Any, ...]) -> None:
    if settings_of(logger) == noted:
        return
    for handler in logger.handlers:
        if handler not in noted[3]:
            try:
                handler.flush()
            except Exception:  # noqa: BLE001 - the user's own handler
                pass
    logger.setLevel(noted[0])
    logger.disabled, logger.propagate = noted[1:3]
    logger.handlers[:], logger.filters[:] = noted[3], noted[4]


def socket_timeout() -> float | None:
    module = sys.modules.get("_socket")
    if module is None or getattr(module.__spec__, "_initializing", False):
        # While it is being made, a call of its C code brings the process down.
        return None
    timeout: float | None = module.getdefaulttimeout()
    return timeout


def put_socket_timeout(noted: float | None) -> None:
    sys.modules["_socket"].setdefaulttimeout(noted)


def event_loop() -> tuple[Any, ...]:
    """What asyncio keeps for this thread: `asyncio.run` does not leave it as it was."""
    events = sys.modules.get("asyncio.events")
    policy = getattr(events, "_event_loop_policy", None)
    local = getattr(policy, "_local", None)
    return policy, getattr(local, "_loop", None), getattr(local, "_set_called", False)


def put_event_loop(noted: tuple[Any, ...]) -> None:
    events: Any = sys.modules["asyncio.events"]
    events._event_loop_policy = policy = noted[0]
    local = getattr(policy, "_local", None)
    if local is not None:
        vars(local).clear()
        if noted[2]:
            local._set_called = True
        if noted[1] is not None:
            local._loop = noted[1]


def put_locale(noted: str) -> None:
    _locale.setlocale(_locale.LC_ALL, noted)


def put_scheduling(noted: int) -> None:
    # The nice value is apart; a policy without priorities is all that an ordinary process has.
    os.sched_setscheduler(0, noted, os.sched_param(0))


def decimal_settings() -> str | None:
    current = getattr(sys.modules.get("decimal"), "getcontext", None)
    return None if current is None else repr(current())


def reseed() -> None:
    """Give `random` a seed of its own, as a new process has: a job may have set one."""
    module = sys.modules.get("random")
    try:
        if module is not None:
            module._inst.seed(int.from_bytes(os.urandom(16), "big"))
    except Exception:  # noqa: BLE001 - a job may have broken anything
        pass


def thread_states() -> int:
    """A number that grows with each thread, also with one that has been started and not begun."""
    if sys.version_info >= (3, 12):
        return len(sys._current_exceptions())
    try:
        return os.stat("/proc/self/task").st_nlink
    except OSError:
        return 0


def lowest_free() -> int:
    """The lowest number that no descriptor has: another one than before if any came or went."""
    fd = os.dup(1)
    os.close(fd)
    return fd


def open_descriptors() -> set[int]:
    for folder in ("/proc/self/fd", "/dev/fd"):
        try:
            # The listing itself has one, the lowest that is free.
            return set(map(int, os.listdir(folder))) - {lowest_free()}
        except OSError:
            continue
    return set()


def is_connection(fd: int) -> bool:
    """Whether a descriptor is that of a socket with somebody at its other end."""
    try:
        import _socket

        if not stat.S_ISSOCK(os.fstat(fd).st_mode):
            return False
        copy = _socket.socket(fileno=os.dup(fd))
    except (ImportError, OSError):
        return False
    try:
        # One of a pair has nobody's name at its other end.
        return bool(copy.getpeername())
    except OSError:
        return False
    finally:
        copy.close()


def has_children() -> bool:
    """Whether this process has any, alive or dead; the system gives it all that were orphaned."""
    try:
        if hasattr(os, "waitid"):
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT)
        else:
            os.waitpid(-1, os.WNOHANG)
    except ChildProcessError:
        return False
    except OSError:
        pass
    return True


def processes() -> dict[int, tuple[int, bool]]:
    """Of each process of the system: its parent, and whether it is dead; nothing without /proc."""
    found: dict[int, tuple[int, bool]] = {}
    try:
        names = os.listdir("/proc")
    except OSError:
        return found
    for name in names:
        if not name.isdigit():
            continue
        try:
            with open("/proc/%s/stat" % name, "rb") as file:
                text = file.read()
        except OSError:
            continue
        fields = text[text.rindex(b")") + 2 :].split()
        found[int(name)] = int(fields[1]), fields[0] in (b"Z", b"X")
    return found


def children() -> set[int]:
    """The children of this process, alive or dead."""
    me = os.getpid()
    return {pid for pid, (parent, _) in processes().items() if parent == me}


def direct_children() -> set[int]:
    """The children of this process; as Linux tells it without a look at all other processes."""
    found: set[int] = set()
    try:
        for task in os.listdir("/proc/self/task"):
            with open("/proc/self/task/%s/children" % task, "rb") as file:
                found.update(map(int, file.read().split()))
    except OSError:
        return children()
    return found


def end_children(kept: set[int]) -> int:
    """End and reap all that descends from this process but `kept`; returns how many lived."""
    if direct_children() <= kept:
        return 0
    lived = 0
    begun = time.monotonic()
    asked: set[int] = set()
    quiet = 0
    while True:
        alive, dead = below(kept)
        for pid in dead:
            try:
                os.waitpid(pid, os.WNOHANG)
            except OSError:
                pass
        waited = time.monotonic() - begun
        if waited > KILLED_S or not has_children():
            return lived
        if not alive:
            # One that was forked while they were listed shows in the next list.
            quiet += 1
            if quiet > 1:
                return lived
            continue
        quiet = 0
        lived = lived or len(alive)
        for pid in alive if waited > ASKED_S else alive - asked:
            try:
                os.kill(pid, signal.SIGKILL if waited > ASKED_S else signal.SIGTERM)
            except OSError:
                pass
        asked |= alive
        time.sleep(0.002)


def below(kept: set[int]) -> tuple[set[int], set[int]]:
    """What descends from this process and lives, and its dead children; `kept` and theirs aside."""
    known = processes()
    by_parent: dict[int, list[int]] = {}
    for pid, (parent, _) in known.items():
        by_parent.setdefault(parent, []).append(pid)
    alive: set[int] = set()
    dead: set[int] = set()
    me = os.getpid()
    stack = [me]
    while stack:
        parent = stack.pop()
        for pid in by_parent.get(parent, ()):
            if pid in kept:
                continue
            if not known[pid][1]:
                alive.add(pid)
                stack.append(pid)
            elif parent == me:
                dead.add(pid)
    return alive, dead


def helpers_of_python() -> dict[int, int]:
    """The process that multiprocessing tidies up with, and the descriptor to it, if any."""
    module = sys.modules.get("multiprocessing.resource_tracker")
    tracker = getattr(module, "_resource_tracker", None)
    pid, fd = getattr(tracker, "_pid", None), getattr(tracker, "_fd", None)
    return {pid: fd} if isinstance(pid, int) and isinstance(fd, int) else {}


def counted(number: int, one: str, many: str) -> str:
    return "%d %s" % (number, one if number == 1 else many)


def open_streams() -> tuple[TextIO, TextIO]:
    """Text streams on the descriptors 1 and 2: a line at a time, so that it can be followed."""
    sys.stdout, sys.stderr = _stream(1), _stream(2)
    # What the interpreter began with would keep a block of what is printed for itself.
    vars(sys).update(__stdout__=sys.stdout, __stderr__=sys.stderr)
    return sys.stdout, sys.stderr


def _stream(fd: int) -> TextIO:
    return open(fd, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)


def _c_flush() -> Callable[[], object]:
    """What flushes the C library's own streams, for extension modules that print."""
    if os.name != "posix":
        return lambda: None
    try:
        import ctypes

        fflush = ctypes.CDLL(None).fflush
        return lambda: fflush(None)
    except (ImportError, OSError, AttributeError):
        return lambda: None


def tie_to(lifeline_fd: int) -> None:
    """Make this process, and its group, end when the worker at the other end is gone.

    On Linux the kernel does it, which no C code in the job can hold up: when the last writer of
    the pipe is gone it signals the reader's owner, which is the whole group.
    """
    try:
        import fcntl

        fcntl.fcntl(lifeline_fd, fcntl.F_SETOWN, -os.getpgrp())
        fcntl.fcntl(lifeline_fd, fcntl.F_SETSIG, signal.SIGKILL)
        flags = fcntl.fcntl(lifeline_fd, fcntl.F_GETFL)
        fcntl.fcntl(lifeline_fd, fcntl.F_SETFL, flags | os.O_ASYNC)
    except (ImportError, AttributeError, OSError):
        pass
    # The worker may have died before, and elsewhere the kernel does nothing.
    try:
        threading.Thread(target=_watch, args=(lifeline_fd,), name="lifeline", daemon=True).start()
    except RuntimeError:
        # No more threads are allowed. Where the kernel does it, that is enough.
        if not sys.platform.startswith("linux"):
            raise


def _watch(lifeline_fd: int) -> None:
    while os.read(lifeline_fd, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


class Faults:
    """What C-level handlers say: the traceback of a fault, and on SIGUSR2 where the job is.

    No job can hold these handlers up, and none notices them.

    Args:
        output_fd: where the traceback of a fault goes.
        prefix: of the file for stacks, to which the pid and `.txt` are added; "" for none.
    """

    def __init__(self, output_fd: int, prefix: str) -> None:
        self.output_fd = output_fd
        self.stacks_fd = -1
        try:
            import faulthandler

            self.module: Any = faulthandler
        except ImportError:
            self.module = None
            return
        if not prefix:
            return
        path = "%s%d.txt" % (prefix, os.getpid())
        try:
            if os.path.lexists(path):
                os.unlink(path)  # of a process that had this pid before
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND
            self.stacks_fd = os.open(path, flags | getattr(os, "O_NOFOLLOW", 0), 0o600)
        except OSError:
            pass

    def handle(self) -> None:
        """Set the handlers, whatever was there."""
        if self.module is None:
            return
        try:
            self.module.enable(file=self.output_fd)
            if self.stacks_fd >= 0 and hasattr(self.module, "register"):
                self.module.unregister(signal.SIGUSR2)
                self.module.register(signal.SIGUSR2, file=self.stacks_fd, all_threads=True)
        except (AttributeError, OSError, RuntimeError, ValueError):
            pass

    def cancel(self) -> None:
        """Let nothing be told of one job in the output of the next."""
        if self.module is not None:
            self.module.cancel_dump_traceback_later()


def adopt_orphans() -> None:
    """On Linux, become the parent of descendants whose own is gone: so none of them is lost."""
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    except (ImportError, OSError, AttributeError):
        pass


def load_ready_made() -> str:
    """Load the functions of ours that any interpreter can run, also one without our packages.

    Returns:
        The name under which their module stands.
    """
    name = "gigq_core_notify"
    if name not in sys.modules:
        package = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
        path = os.path.join(package, "notify.py")
        module = type(sys)(name)
        module.__file__ = path
        code = importlib.machinery.SourceFileLoader(name, path).get_code(name)
        assert code is not None
        exec(code, vars(module))
        sys.modules[name] = module
    return name


def move_reports_fd() -> None:
    """Give the descriptor for reports of other programs a number of one digit: shells know no
    longer ones."""
    fd = int(os.environ[REPORTS])
    moved = os.dup(fd) if what_is(LAST_DIGIT) else os.dup2(fd, LAST_DIGIT)
    os.set_inheritable(moved, True)
    os.close(fd)
    os.environ[REPORTS] = str(moved)


def main() -> None:
    lifeline_fd, word_fd = int(sys.argv[1]), int(sys.argv[2])
    folder, stack_prefix, max_result = sys.argv[3], sys.argv[4], int(sys.argv[5])
    sys.argv[:] = [""]
    move_reports_fd()
    # The pipes move to private descriptors, which no child of the job inherits.
    jobs_fd, answers_fd, output_fd = os.dup(0), os.dup(1), os.dup(2)
    nothing_fd = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing_fd, 0)
    os.dup2(output_fd, 1)
    os.set_inheritable(lifeline_fd, False)
    os.set_inheritable(word_fd, False)
    adopt_orphans()
    tie_to(lifeline_fd)
    faults = Faults(output_fd, stack_prefix)
    faults.handle()
    sys.path.insert(0, folder)
    runner = Runner(jobs_fd, answers_fd, output_fd, Word(word_fd), folder, max_result)
    runner.listen()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(
            before=runner.before_fork,
            after_in_parent=runner.after_fork,
            after_in_child=runner.let_go,
        )
    if hasattr(signal, "pthread_sigmask"):
        # The worker had them blocked for the time in which they would have ended us.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()
    runner.surroundings = Surroundings(output_fd, nothing_fd, faults, runner.sources, runner.link)
    try:
        # It ends when the worker closes the pipe; then the interpreter ends as any other does.
        runner.loop()
    except BaseException as problem:
        if os.getpid() == runner.pid or isinstance(problem, (SystemExit, KeyboardInterrupt)):
            raise
        # In a copy that the job forked: what Python does, without our part of the traceback.
        frames = problem.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename == __file__:
            frames = frames.tb_next
        sys.excepthook(type(problem), problem.with_traceback(frames), frames)
        sys.exit(1)
    finally:
        # What holds a function holds its module, whose files are written out when that goes.
        runner.looked_at = (None, False)
