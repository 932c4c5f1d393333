"""What runs inside a child process: one job after another, in the user's own interpreter.

This file needs nothing but the standard library of Python 3.8 or later, and is started by its
path: `PYTHON runner.py LIFELINE_FD WORD_FD FOLDER STACK_PREFIX`. Jobs come as JSON lines on what
was its standard input, answers go out as JSON lines on what was its standard output. Whatever the
user's code prints goes to what was its standard error.
"""

from __future__ import annotations

import os
import sys

# Python puts the folder of a script first on the path; nothing of ours may shadow a user's module.
if __name__ == "__main__" and sys.path[:1] == [os.path.dirname(os.path.abspath(__file__))]:
    del sys.path[0]

import gc
import importlib
import json
import signal
import threading
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType
    from typing import Any, TextIO

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

MAX_TEXT = 200_000
PARENT = "parent_results"

_ENCODE = json.JSONEncoder(allow_nan=False).encode


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
        self._pipe = self._what_it_is()
        os.set_blocking(fd, False)

    def is_given(self) -> bool:
        """Whether the worker has said so; once it has, that stays."""
        try:
            # A job may have closed the descriptor, and opened something of its own under it.
            if not self.given and self._what_it_is() == self._pipe:
                self.given = os.read(self._fd, 1) != b""
        except OSError:
            pass
        return self.given

    def _what_it_is(self) -> tuple[int, int]:
        found = os.fstat(self._fd)
        return found.st_dev, found.st_ino


class Runner:
    """One process's loop over the jobs it is given."""

    def __init__(
        self, jobs_fd: int, answers_fd: int, output_fd: int, word: Word, folder: str
    ) -> None:
        self.jobs = open(jobs_fd, "rb")
        self.answers_fd = answers_fd
        self.output_fd = output_fd
        self.word = word
        self.folder = folder
        self.pid = os.getpid()
        self.at_work = False
        # Signals that came during the present job, and not from the worker.
        self.foreign: list[int] = []
        self.handler = self.on_signal
        self.seen_modules = 0
        self.flush_c = _c_flush()
        self.streams = open_streams()

    def answer(self, message: dict[str, Any]) -> None:
        """Write one line, however long."""
        data = memoryview(json.dumps(message).encode() + b"\n")
        while data:
            data = data[os.write(self.answers_fd, data) :]

    def loop(self) -> None:
        self.answer({"ready": os.getpid(), "python": list(sys.version_info[:3])})
        for line in self.jobs:
            job = json.loads(line)
            self.prepare()
            message = self.run(job)
            self.flush()
            if os.getpid() != self.pid:
                # The job forked, and this is the copy: it has no say here.
                os._exit(0)
            message["done"] = job["id"]
            self.note_modules(message)
            self.answer(message)

    def run(self, job: dict[str, Any]) -> dict[str, Any]:
        """Run one job to its end and tell how it ended."""
        try:
            try:
                self.at_work = True
                if self.word.given:
                    # It came before the job had begun.
                    raise Stopped("the worker stopped it")
                result = self.call(job)
            finally:
                self.at_work = False
            return {"ok": True, "result": None if result is None else encoded(result)}
        except BaseException as problem:  # noqa: BLE001 - whatever it is, the job has failed
            message = failure(problem)
            if self.foreign:
                message["signals"] = self.foreign[:]
            return message

    def call(self, job: dict[str, Any]) -> Any:
        params = decoded_params(job["params"])
        module = importlib.import_module(job["module"])
        try:
            function = getattr(module, job["function"])
        except AttributeError:
            raise AttributeError(
                "module %r has no function %r" % (job["module"], job["function"])
            ) from None
        if job["parents"] and wants_parent_results(function, job["pass_parent_results"]):
            params[PARENT] = self.parent_results()
        return function(**params)

    def parent_results(self) -> dict[str, Any]:
        """Ask the worker for the parents' results; they come as the texts that are stored."""
        self.answer({"ask": "parents"})
        line = self.jobs.readline()
        return decoded_parents(json.loads(line)["parents"])

    def prepare(self) -> None:
        """Undo what an earlier job may have done to the process."""
        os.dup2(self.output_fd, 1)
        os.dup2(self.output_fd, 2)
        if (sys.stdout, sys.stderr) != self.streams or any(s.closed for s in self.streams):
            self.streams = open_streams()
        try:
            os.chdir(self.folder)
        except OSError:
            pass
        self.listen()
        self.foreign.clear()
        if hasattr(signal, "setitimer"):
            signal.setitimer(signal.ITIMER_REAL, 0)

    def flush(self) -> None:
        """Everything that was printed leaves the process before the answer does."""
        for stream in (sys.stdout, sys.stderr, *self.streams):
            try:
                stream.flush()
            except Exception:  # noqa: BLE001 - a stream of the user's may fail in any way
                pass
        self.flush_c()

    def note_modules(self, message: dict[str, Any]) -> None:
        """Tell the worker which of the project's files are loaded: it watches for changes."""
        count = len(sys.modules)
        if count != self.seen_modules:
            self.seen_modules = count
            message["files"] = project_files(self.folder)
        if resource is not None:
            message["peak"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

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
            if self.at_work:
                raise Stopped("the worker stopped it")
        elif signum not in self.foreign:
            self.foreign.append(signum)

    def let_go(self) -> None:
        """In a copy that a job forked: signals do what they do in any Python process."""
        for signum in ENDING_SIGNALS:
            if signal.getsignal(signum) is self.handler:
                signal.signal(signum, usual_handler(signum))


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
        except (ValueError, RecursionError) as problem:
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


def encoded(result: Any) -> str:
    """The result as JSON text; raises Hopeless if JSON can't hold it."""
    try:
        return _ENCODE(result)
    except (TypeError, ValueError, RecursionError) as problem:
        raise Hopeless(
            "its result can't be stored, because JSON can't hold it: %s" % problem
        ) from None


def failure(problem: BaseException, ours: str = __file__) -> dict[str, Any]:
    """The answer that tells of an exception, which may itself be broken.

    `ours` is the file whose frames at the top say nothing to the user.
    """
    hopeless = isinstance(problem, Hopeless)
    return {
        "ok": False,
        "hopeless": hopeless,
        "error": clipped(sentence(problem)),
        "traceback": None if hopeless else clipped(trimmed_traceback(problem, ours)),
    }


def sentence(problem: BaseException) -> str:
    if isinstance(problem, SystemExit):
        return "the job called sys.exit(%s)" % ("" if problem.code is None else repr(problem.code))
    try:
        text = str(problem)
    except Exception:  # noqa: BLE001 - the user's own __str__
        text = ""
    return text or type(problem).__name__


def trimmed_traceback(problem: BaseException, ours: str) -> str:
    """The traceback without our own frames at its ends."""
    try:
        frames = problem.__traceback__
        while frames is not None and frames.tb_frame.f_code.co_filename == ours:
            frames = frames.tb_next
        told = traceback.TracebackException(type(problem), problem, frames)
        # The handler of a signal is at the end, and says no more than the message does.
        while told.stack and told.stack[-1].filename == ours:
            told.stack.pop()
        text = "".join(told.format())
    except Exception as second:  # noqa: BLE001 - the user's own __repr__, a source that is no text
        text = "%s (no traceback: %s)" % (type(problem).__name__, type(second).__name__)
    return text.rstrip()


def clipped(text: str) -> str:
    """At most MAX_TEXT characters: the head and the tail."""
    if len(text) <= MAX_TEXT:
        return text
    half = MAX_TEXT // 2
    return "%s\n[... %d characters left out ...]\n%s" % (
        text[:half],
        len(text) - 2 * half,
        text[-half:],
    )


def project_files(folder: str) -> dict[str, int]:
    """The source files below `folder` that are loaded, and when they changed."""
    prefix = os.path.join(folder, "")
    files = {}
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if not isinstance(path, str) or not path.startswith(prefix) or "site-packages" in path:
            continue
        try:
            files[path] = os.stat(path).st_mtime_ns
        except OSError:
            pass
        if len(files) >= 500:
            break
    return files


def open_streams() -> tuple[TextIO, TextIO]:
    """Text streams on the descriptors 1 and 2: a line at a time, so that it can be followed."""
    sys.stdout, sys.stderr = _stream(1), _stream(2)
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
    threading.Thread(target=_watch, args=(lifeline_fd,), name="lifeline", daemon=True).start()


def _watch(lifeline_fd: int) -> None:
    while os.read(lifeline_fd, 1):
        pass
    os.killpg(os.getpgrp(), signal.SIGKILL)


def answer_with_stack(prefix: str) -> None:
    """On SIGUSR2, add the stack of every thread to a file that bears the pid.

    The answer comes from a C-level handler: no job can hold it up, and none notices it.
    """
    if not prefix:
        return
    path = "%s%d.txt" % (prefix, os.getpid())
    try:
        import faulthandler

        if os.path.lexists(path):
            os.unlink(path)  # of a process that had this pid before
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0)
        fd = os.open(path, flags, 0o600)
        faulthandler.register(signal.SIGUSR2, file=fd, all_threads=True)
    except (ImportError, AttributeError, OSError, RuntimeError):
        pass


def adopt_orphans() -> None:
    """On Linux, become the parent of descendants whose own is gone: so none of them is lost."""
    if not sys.platform.startswith("linux"):
        return
    try:
        import ctypes

        ctypes.CDLL(None).prctl(36, 1, 0, 0, 0)  # PR_SET_CHILD_SUBREAPER
    except (ImportError, OSError, AttributeError):
        pass


def main() -> None:
    lifeline_fd, word_fd = int(sys.argv[1]), int(sys.argv[2])
    folder, stack_prefix = sys.argv[3], sys.argv[4]
    sys.argv[:] = [""]
    # The pipes move to private descriptors, which no child of the job inherits.
    jobs_fd, answers_fd, output_fd = os.dup(0), os.dup(1), os.dup(2)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(output_fd, 1)
    os.set_inheritable(lifeline_fd, False)
    os.set_inheritable(word_fd, False)
    adopt_orphans()
    tie_to(lifeline_fd)
    try:
        import faulthandler

        faulthandler.enable(file=output_fd)
    except (ImportError, OSError, RuntimeError):
        pass
    answer_with_stack(stack_prefix)
    sys.path.insert(0, folder)
    runner = Runner(jobs_fd, answers_fd, output_fd, Word(word_fd), folder)
    runner.listen()
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(after_in_child=runner.let_go)
    if hasattr(signal, "pthread_sigmask"):
        # The worker had them blocked for the time in which they would have ended us.
        signal.pthread_sigmask(signal.SIG_UNBLOCK, ENDING_SIGNALS)
    gc.collect()
    if hasattr(gc, "freeze"):
        gc.freeze()
    runner.loop()
    # The worker closed the pipe: nothing more to do. Threads the jobs left behind end with us.
    runner.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
