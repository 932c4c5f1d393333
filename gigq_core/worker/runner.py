"""What runs inside a child process: one job after another, in the user's own interpreter.

This file needs nothing but the standard library of Python 3.8 or later, and is started by its
path: `PYTHON runner.py LIFELINE_FD WORD_FD FOLDER STACK_PREFIX MAX_RESULT`. Jobs come as JSON
lines on what was its standard input, answers go out as JSON lines on what was its standard output.
Whatever the user's code prints goes to what was its standard error.
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
import math
import reprlib
import signal
import threading
import traceback

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import Any, TextIO

try:
    import resource
except ImportError:  # not on Windows
    resource = None  # type: ignore[assignment]

MAX_TEXT = 200_000
# The largest result that is stored, in bytes of JSON.
MAX_RESULT = 16 * 1024 * 1024
PARENT = "parent_results"
# With this exit code a process says that the pipe for its answer is no longer its own.
LOST_PIPE = 113
# Of a result that can't be stored: how many values are looked at for the one that is to blame, how
# deep a nesting is shown, and how much of the whole is kept, in characters.
LOOKED_AT = 1_000_000
DEEP = 100
KEPT = 2_000

# Bound here, as a job may put other things in the place of the module's functions.
_ENCODE = json.JSONEncoder(allow_nan=False).encode
_ENCODE_ANY = json.JSONEncoder().encode
_QUOTE = json.JSONEncoder(ensure_ascii=False).encode
_DECODE = json.loads


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
        self.jobs = open(jobs_fd, "rb")
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
        # Signals that came during the present job, and not from the worker.
        self.foreign: list[int] = []
        self.handler = self.on_signal
        self.seen_modules = 0
        self.flush_c = _c_flush()
        self.streams = open_streams()

    def answer(self, message: dict[str, Any]) -> None:
        """Write one line, however long, into the pipe to the worker and nowhere else."""
        data = memoryview(_ENCODE_ANY(message).encode() + b"\n")
        if self.has_lost(self.answers_fd):
            os._exit(LOST_PIPE)
        os.set_blocking(self.answers_fd, True)
        while data:
            data = data[os.write(self.answers_fd, data) :]

    def loop(self) -> None:
        self.answer({"ready": os.getpid(), "python": list(sys.version_info[:3])})
        for line in self.jobs:
            job = _DECODE(line)
            self.prepare()
            message = self.run(job)
            self.flush()
            if os.getpid() != self.pid:
                # The job forked, and this is the copy: it has no say here.
                os._exit(0)
            message["done"] = job["id"]
            self.note_modules(message)
            if self.has_lost(self.jobs_fd) or self.has_lost(self.output_fd):
                # The next job would come from the user's file, or what it prints go there.
                message["spent"] = True
            else:
                os.set_blocking(self.jobs_fd, True)
            self.answer(message)
            if "spent" in message:
                return

    def has_lost(self, fd: int) -> bool:
        """Whether a descriptor of ours is closed, or something else by now."""
        return what_is(fd) != self.own[fd]

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
            text = None if result is None else encoded(result, self.max_result)
            return {"ok": True, "result": text}
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
        return decoded_parents(_DECODE(line)["parents"])

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


def failure(problem: BaseException, ours: str = __file__) -> dict[str, Any]:
    """The answer that tells of an exception, which may itself be broken.

    `ours` is the file whose frames at the top say nothing to the user.
    """
    hopeless = isinstance(problem, Hopeless)
    return {
        "ok": False,
        "hopeless": hopeless,
        "error": sentence(problem),
        "traceback": None if hopeless else clipped(storable(trimmed_traceback(problem, ours))),
    }


def sentence(problem: BaseException) -> str:
    """What is stored as the error: type and text, as Python prints them."""
    if isinstance(problem, SystemExit):
        return "the job called sys.exit(%s)" % ("" if problem.code is None else shown(problem.code))
    try:
        text = clipped(storable(str(problem)))
    except BaseException:  # noqa: BLE001 - the user's own __str__
        text = "<exception str() failed>"
    if isinstance(problem, Hopeless):
        return text
    kind = storable(kind_of(problem))
    return "%s: %s" % (kind, text) if text else kind


def kind_of(value: object) -> str:
    """The name of a value's type, with its module as tracebacks give it."""
    kind = type(value)
    module = getattr(kind, "__module__", None)
    if module in ("builtins", "__main__"):
        return kind.__qualname__
    return "%s.%s" % (module if isinstance(module, str) else "<unknown>", kind.__qualname__)


def storable(text: str) -> str:
    """The text as a database holds it, and every reader of it reads to its end."""
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode("utf-8")
    return text.replace("\0", "\\x00")


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
    except BaseException as second:  # noqa: BLE001 - the user's own __str__, a source that is no text
        text = "%s (no traceback: %s)" % (type(problem).__name__, type(second).__name__)
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
    folder, stack_prefix, max_result = sys.argv[3], sys.argv[4], int(sys.argv[5])
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
    runner = Runner(jobs_fd, answers_fd, output_fd, Word(word_fd), folder, max_result)
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
