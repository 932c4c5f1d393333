"""Jobs that leave something behind in their process, and one that looks at all that it finds."""

from __future__ import annotations

import _thread
import asyncio
import atexit
import builtins
import contextvars
import ctypes
import decimal
import faulthandler
import gc
import locale
import logging
import multiprocessing
import os
import pathlib
import pickle
import random
import resource
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
import warnings
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    # What runs these jobs may be an older Python.
    Leaving = Callable[[], object]

LEAVINGS: dict[str, Leaving] = {}
KEPT: list[Any] = []
WHOSE: contextvars.ContextVar[str] = contextvars.ContextVar("WHOSE", default="nobody's")
LIBC = ctypes.CDLL(None)
IS_ROOT = os.geteuid() == 0
# For what is told apart from the rest by its name alone.
MARK = "left-by-a-job"


def leaving(function: Leaving) -> Leaving:
    LEAVINGS[function.__name__] = function
    return function


def also(name: str, leave: Leaving) -> None:
    LEAVINGS[name] = leave


# --- the environment and the like ------------------------------------------------------------


@leaving
def a_variable() -> None:
    os.environ[MARK] = "secret"


@leaving
def no_variables() -> None:
    os.environ.clear()


@leaving
def a_variable_that_python_does_not_see() -> None:
    os.putenv(MARK, "secret")


@leaving
def a_variable_taken_from_c_alone() -> None:
    os.unsetenv("PATH")


@leaving
def another_environment_altogether() -> None:
    os.environ = {"PATH": "/nowhere"}  # noqa: B003 - meant


@leaving
def another_zone() -> None:
    os.environ["TZ"] = "Pacific/Auckland"
    time.tzset()


@leaving
def a_zone_whose_variable_is_gone() -> None:
    os.environ["TZ"] = "Pacific/Auckland"
    time.tzset()
    del os.environ["TZ"]


@leaving
def a_path() -> None:
    sys.path.insert(0, "/left/behind")


@leaving
def another_list_of_paths() -> None:
    sys.path = ["/left/behind"]


@leaving
def no_arguments_at_all() -> None:
    del sys.argv


also("a_umask", lambda: os.umask(0o777))
also("a_folder", lambda: os.chdir("/"))


@leaving
def a_folder_that_is_gone() -> None:
    folder = tempfile.mkdtemp()
    os.chdir(folder)
    os.rmdir(folder)


@leaving
def a_finder() -> None:
    class Finder:
        def find_spec(self, name: str, path: object = None, target: object = None) -> None:
            raise ImportError("nothing can be imported any more")

    sys.meta_path.insert(0, Finder())


# --- signals and timers ----------------------------------------------------------------------

CATCHABLE = sorted(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP})


def ignoring(number: int) -> Leaving:
    return lambda: signal.signal(number, signal.SIG_IGN)


def ignoring_in_c(number: int) -> Leaving:
    return lambda: LIBC.signal(number, ctypes.c_void_p(1))


for _name in ("SIGCHLD", "SIGTERM", "SIGINT", "SIGHUP", "SIGPIPE", "SIGUSR1", "SIGUSR2", "SIGQUIT"):
    also(f"{_name}_ignored", ignoring(getattr(signal, _name)))
for _name in ("SIGCHLD", "SIGTERM", "SIGINT", "SIGPIPE", "SIGUSR2", "SIGSEGV"):
    also(f"{_name}_ignored_by_c", ignoring_in_c(getattr(signal, _name)))


@leaving
def handlers_of_all_signals() -> None:
    for number in CATCHABLE:
        signal.signal(number, lambda *_: print("a handler of another job"))


@leaving
def a_handler_that_raises_again_and_again() -> None:
    def handle(number: int, frame: object) -> None:
        raise TimeoutError("of another job")

    signal.signal(signal.SIGALRM, handle)
    signal.setitimer(signal.ITIMER_REAL, 0.0005, 0.0005)


@leaving
def an_alarm() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.alarm(1)


@leaving
def timers_of_processor_time() -> None:
    signal.signal(signal.SIGPROF, signal.SIG_IGN)
    signal.signal(signal.SIGVTALRM, signal.SIG_IGN)
    signal.setitimer(signal.ITIMER_PROF, 0.01, 0.01)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.01, 0.01)


@leaving
def a_mask() -> None:
    signal.pthread_sigmask(signal.SIG_SETMASK, CATCHABLE)


@leaving
def a_signal_that_is_pending() -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGHUP])
    os.kill(os.getpid(), signal.SIGHUP)


@leaving
def a_wakeup_descriptor() -> None:
    KEPT.append(socket.socketpair())
    KEPT[-1][0].setblocking(False)
    signal.set_wakeup_fd(KEPT[-1][0].fileno())


@leaving
def a_traceback_to_come() -> None:
    faulthandler.dump_traceback_later(0.05, repeat=True)


also("no_handlers_of_faults", faulthandler.disable)
also("no_stack_on_demand", lambda: faulthandler.unregister(signal.SIGUSR2))


@leaving
def faults_told_elsewhere() -> None:
    faulthandler.enable(file=tempfile.TemporaryFile("w"))  # noqa: SIM115 - left open


# --- the interpreter -------------------------------------------------------------------------

also("a_recursion_limit", lambda: sys.setrecursionlimit(60))
also("a_switch_interval", lambda: sys.setswitchinterval(2.0))
also("a_trace_function", lambda: sys.settrace(lambda *_: None))
also("a_profile_function", lambda: sys.setprofile(lambda *_: None))
also("a_trace_function_of_threads", lambda: threading.settrace(lambda *_: None))
also("a_profile_function_of_threads", lambda: threading.setprofile(lambda *_: None))
also("no_collector", gc.disable)
also("another_threshold", lambda: gc.set_threshold(1))
also("a_callback_of_the_collector", lambda: gc.callbacks.append(lambda *_: None))
also("no_trace_in_tracebacks", lambda: setattr(sys, "tracebacklimit", 0))
also("no_bytecode", lambda: setattr(sys, "dont_write_bytecode", True))


@leaving
def hooks() -> None:
    for owner in (sys, threading):
        owner.excepthook = lambda *_: print("a hook of another job")
    sys.unraisablehook = sys.displayhook = lambda *_: print("a hook")
    sys.breakpointhook = lambda *_: print("a hook")


@leaving
def another_print() -> None:
    builtins.print = lambda *_, **__: None


@leaving
def a_new_builtin() -> None:
    builtins.left_by_a_job = 1


@leaving
def no_open() -> None:
    del builtins.open


@leaving
def another_clock() -> None:
    time.time = lambda: 0.0
    time.sleep = lambda seconds: None
    os.getcwd = lambda: "/left/behind"


@leaving
def filters_of_warnings() -> None:
    warnings.simplefilter("error")


@leaving
def another_way_to_show_warnings() -> None:
    warnings.showwarning = lambda *_: None


@leaving
def warnings_in_the_log() -> None:
    logging.captureWarnings(True)


@leaving
def a_context_of_decimals() -> None:
    decimal.getcontext().prec = 2
    decimal.getcontext().traps[decimal.Inexact] = True


@leaving
def another_context_of_decimals() -> None:
    decimal.setcontext(decimal.Context(prec=3))


@leaving
def a_context_variable() -> None:
    WHOSE.set(MARK)


also("a_seed", lambda: random.seed(1))
also("a_locale", lambda: locale.setlocale(locale.LC_ALL, "C"))
also("a_timeout_of_sockets", lambda: socket.setdefaulttimeout(0.001))


@leaving
def no_event_loop() -> None:
    async def nothing() -> None:
        pass

    asyncio.run(nothing())


@leaving
def a_closed_event_loop() -> None:
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    loop.close()


# --- logging ---------------------------------------------------------------------------------

also("logging_disabled", lambda: logging.disable(logging.CRITICAL))
also("a_handler_of_the_root", lambda: logging.basicConfig(level=logging.DEBUG, force=True))
also("a_level_of_the_root", lambda: logging.getLogger().setLevel(logging.DEBUG))


@leaving
def a_logger_that_says_all_twice() -> None:
    logger = logging.getLogger("leaving.good")
    logger.setLevel(logging.DEBUG)
    logger.addHandler(logging.StreamHandler(sys.stdout))
    logger.addHandler(logging.StreamHandler(sys.stdout))


@leaving
def a_logger_that_is_mute() -> None:
    logging.getLogger("leaving.good").disabled = True
    logging.getLogger("leaving").propagate = False
    logging.getLogger("leaving").addFilter(lambda _: False)


@leaving
def a_file_of_the_log() -> None:
    logging.getLogger().addHandler(logging.FileHandler(tempfile.mktemp()))


@leaving
def other_classes_of_logging() -> None:
    class Logger(logging.Logger):
        pass

    logging.setLoggerClass(Logger)
    logging.raiseExceptions = False


# --- streams and descriptors -----------------------------------------------------------------


@leaving
def a_stream_of_its_own() -> None:
    sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - left open


@leaving
def closed_streams() -> None:
    sys.stdout.close()
    sys.stderr.close()
    sys.stdin.close()


@leaving
def no_streams() -> None:
    sys.stdout = sys.stderr = sys.stdin = None


@leaving
def closed_descriptors() -> None:
    for fd in (0, 1, 2):
        os.close(fd)


@leaving
def standard_descriptors_that_lead_elsewhere() -> None:
    fd = os.open(tempfile.mktemp(), os.O_RDWR | os.O_CREAT)
    for standard in (0, 1, 2):
        os.dup2(fd, standard)
    os.close(fd)


@leaving
def words_in_a_buffer() -> None:
    sys.stdout = sys.__stdout__
    sys.stdout.write("an unfinished line")
    open(1, "w", closefd=False).write("more of it\n")  # noqa: SIM115 - left open


@leaving
def words_in_a_buffer_of_c() -> None:
    LIBC.puts(b"from C")


@leaving
def an_open_file() -> None:
    KEPT.append(open(__file__))  # noqa: SIM115 - left open


@leaving
def nine_hundred_open_files() -> None:
    soft = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    for _ in range(min(900, soft - 40)):
        KEPT.append(open(os.devnull))  # noqa: SIM115 - left open


@leaving
def every_descriptor() -> None:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 200), hard))
    try:
        while True:
            KEPT.append(os.dup(0))
    except OSError:
        pass


@leaving
def a_listening_socket() -> None:
    KEPT.append(socket.create_server(("127.0.0.1", 0)))


@leaving
def a_pipe() -> None:
    KEPT.append(os.pipe())


@leaving
def a_descriptor_in_a_circle() -> None:
    class Circle:
        pass

    circle = Circle()
    circle.itself, circle.file = circle, open(__file__)  # noqa: SIM115 - left open


# --- limits and rank -------------------------------------------------------------------------


def soft_limit(name: str, value: int) -> Leaving:
    which = getattr(resource, name)
    return lambda: resource.setrlimit(which, (value, resource.getrlimit(which)[1]))


def hard_limit(name: str, value: int) -> Leaving:
    which = getattr(resource, name)
    return lambda: resource.setrlimit(which, (value, value))


also("a_limit_of_files", soft_limit("RLIMIT_NOFILE", 40))
also("a_limit_of_files_for_good", hard_limit("RLIMIT_NOFILE", 64))
also("a_limit_of_sizes", soft_limit("RLIMIT_FSIZE", 0))
also("a_limit_of_memory", soft_limit("RLIMIT_AS", 2 << 30))
also("a_limit_of_memory_for_good", hard_limit("RLIMIT_AS", 4 << 30))
also("a_limit_of_cores_for_good", hard_limit("RLIMIT_CORE", 0))
also("a_limit_of_time", soft_limit("RLIMIT_CPU", 600))
also("a_limit_of_the_stack", soft_limit("RLIMIT_STACK", 1 << 20))
also("a_nice_value", lambda: os.nice(5))


@leaving
def one_processor() -> None:
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})


@leaving
def another_scheduling() -> None:
    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))


if IS_ROOT:

    @leaving
    def another_user() -> None:
        os.setgroups([])
        os.setresgid(65534, 65534, 65534)
        os.setresuid(65534, 65534, 65534)

    @leaving
    def a_user_that_can_be_left_again() -> None:
        os.seteuid(65534)

    also("another_root", lambda: os.chroot("/tmp"))


# --- threads and processes -------------------------------------------------------------------


def talk() -> None:
    while True:
        os.write(1, b"a thread or a process of another job\n")
        time.sleep(0.005)


@leaving
def a_thread() -> None:
    threading.Thread(target=talk, daemon=True).start()


@leaving
def a_thread_that_is_no_daemon() -> None:
    threading.Thread(target=talk).start()


@leaving
def a_thread_by_the_low_road() -> None:
    _thread.start_new_thread(talk, ())


@leaving
def a_timer_thread() -> None:
    threading.Timer(600, print).start()


@leaving
def a_process() -> None:
    subprocess.Popen(["sh", "-c", "while :; do echo of another job; sleep 0.01; done"])


@leaving
def a_process_in_a_session_of_its_own() -> None:
    code = "while :; do echo of another job; sleep 0.01; done"
    subprocess.Popen(["sh", "-c", code], start_new_session=True)


@leaving
def a_stubborn_process() -> None:
    subprocess.Popen(["sh", "-c", "trap '' TERM INT HUP; while :; do echo x; sleep 0.01; done"])


@leaving
def a_suspended_process() -> None:
    process = subprocess.Popen(["sleep", "600"])
    os.kill(process.pid, signal.SIGSTOP)


@leaving
def a_daemon() -> None:
    code = "(setsid sh -c 'while :; do echo of another job; sleep 0.01; done' &) &"
    subprocess.run(["sh", "-c", code], check=True)


@leaving
def a_dead_process() -> None:
    KEPT.append(subprocess.Popen(["true"]))
    os.waitid(os.P_PID, KEPT[-1].pid, os.WEXITED | os.WNOWAIT)


@leaving
def a_copy_that_goes_on() -> None:
    if os.fork() == 0:
        talk()


@leaving
def a_copy_that_returns() -> None:
    os.fork()


@leaving
def a_copy_that_fails() -> None:
    if os.fork() == 0:
        raise RuntimeError("the copy")


@leaving
def a_process_of_multiprocessing() -> None:
    multiprocessing.get_context("fork").Process(target=talk).start()


@leaving
def a_pool() -> None:
    KEPT.append(multiprocessing.get_context("fork").Pool(2))


@leaving
def a_handler_of_the_end() -> None:
    atexit.register(lambda: print("a handler of another job"))


@leaving
def an_end_that_never_comes() -> None:
    atexit.register(time.sleep, 600)


@leaving
def a_failure() -> None:
    raise ValueError("no good")


# Those after which the process is replaced, which takes as long as its start.
REPLACED = frozenset(
    [
        "SIGUSR2_ignored_by_c",
        "SIGSEGV_ignored_by_c",
        "a_wakeup_descriptor",
        "closed_streams",
        "no_streams",
        "an_open_file",
        "nine_hundred_open_files",
        "every_descriptor",
        "a_listening_socket",
        "a_pipe",
        "a_limit_of_files_for_good",
        "a_limit_of_memory_for_good",
        "a_limit_of_cores_for_good",
        "another_user",
        "another_root",
        "a_thread",
        "a_thread_that_is_no_daemon",
        "a_thread_by_the_low_road",
        "a_timer_thread",
        "a_process",
        "a_process_in_a_session_of_its_own",
        "a_stubborn_process",
        "a_suspended_process",
        "a_daemon",
        "a_copy_that_goes_on",
        "a_copy_that_returns",
        "a_copy_that_fails",
        "a_process_of_multiprocessing",
        "a_pool",
    ]
)


# --- what a good job finds -------------------------------------------------------------------


def look(word: str) -> dict[str, Any]:
    """All that a job can find in its process, as text; prints one line."""
    print(word)
    warnings.warn("said by each", stacklevel=1)
    logging.getLogger("leaving.good").warning("logged by each")
    found: dict[str, Any] = {
        "umask": _umask(),
        "cwd": os.getcwd(),
        "environ": dict(sorted(os.environ.items())),
        "environ of C": sorted(
            subprocess.run(["/usr/bin/env"], capture_output=True).stdout.decode().splitlines()
        ),
        "zone": [time.tzname, time.timezone, time.strftime("%Z")],
        "sys.path": list(sys.path),
        "sys.argv": list(sys.argv),
        "finders": [getattr(f, "__name__", type(f).__name__) for f in sys.meta_path],
        "handlers": {n: _name(signal.getsignal(n)) for n in CATCHABLE},
        "masked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        "pending": sorted(signal.sigpending()),
        "timers": [signal.getitimer(t) for t in (0, 1, 2)],
        "wakeup": signal.set_wakeup_fd(-1),
        "status": _status(),
        "tty": _has_tty(),
        "recursion": sys.getrecursionlimit(),
        "interval": sys.getswitchinterval(),
        "tracing": [_name(sys.gettrace()), _name(sys.getprofile())],
        "thread hooks": [_name(threading._trace_hook), _name(threading._profile_hook)],
        "hooks": [_name(getattr(sys, n)) for n in ("excepthook", "unraisablehook", "displayhook")],
        "builtins": sorted(vars(builtins)),
        "print": [_name(function) for function in (builtins.print, time.sleep, os.getcwd)],
        "gc": [gc.isenabled(), gc.get_threshold(), len(gc.callbacks)],
        "limits of tracebacks": getattr(sys, "tracebacklimit", None),
        "bytecode": sys.dont_write_bytecode,
        "filters": [str(f) for f in warnings.filters],
        "decimals": [decimal.getcontext().prec, str(decimal.Decimal(1) / 3)],
        "whose": WHOSE.get(),
        "locale": locale.setlocale(locale.LC_ALL),
        "timeout": socket.getdefaulttimeout(),
        "loop": _loop(),
        "logging": [
            logging.root.manager.disable,
            logging.root.level,
            [type(h).__name__ for h in logging.root.handlers],
            logging.getLogger("leaving.good").handlers != [],
            logging.getLoggerClass().__module__,
            logging.raiseExceptions,
        ],
        "faults": faulthandler.is_enabled(),
        "streams": [s.closed for s in (sys.stdin, sys.stdout, sys.stderr)],
        "stdin": sys.stdin.read(),
        "descriptors": sorted(_leads_to(fd) for fd in os.listdir("/proc/self/fd")),
        "limits": [resource.getrlimit(n) for n in range(15)],
        "nice": os.nice(0),
        "processors": sorted(os.sched_getaffinity(0)),
        "scheduling": os.sched_getscheduler(0),
        "threads": [_thread._count(), len(threading.enumerate())],
        "root": os.stat("/").st_ino,
        "exit code": subprocess.run(["sh", "-c", "exit 7"]).returncode,
        "pickled": len(pickle.dumps([random.__name__])),
    }
    found["children"] = _children()
    return found


def drawn() -> float:
    return random.random()


def where() -> int:
    return os.getpid()


def _umask() -> int:
    mask = os.umask(0o77)
    os.umask(mask)
    return mask


def _name(value: object) -> str:
    if isinstance(value, types.MethodType):
        return value.__qualname__
    return getattr(value, "__qualname__", None) or str(value)


def _status() -> list[str]:
    wanted = ("SigBlk", "SigIgn", "SigCgt", "Uid", "Gid", "Groups", "Cpus_allowed_list", "Threads")
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    return [line for line in lines if line.startswith(wanted)]


def _has_tty() -> bool:
    try:
        os.close(os.open("/dev/tty", os.O_RDWR))
        return True
    except OSError:
        return False


def _loop() -> str:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            loop = asyncio.get_event_loop()
        except RuntimeError as problem:
            return str(problem)
        closed = loop.is_closed()
        loop.close()
        asyncio.set_event_loop_policy(None)
        return f"closed: {closed}"


def _leads_to(fd: str) -> str:
    try:
        return os.readlink(f"/proc/self/fd/{fd}").split(":")[0].replace(str(os.getpid()), "PID")
    except OSError:
        return "the listing"


def _children() -> list[int]:
    me = os.getpid()
    found = []
    for name in os.listdir("/proc"):
        try:
            fields = pathlib.Path(f"/proc/{name}/stat").read_text().rpartition(")")[2].split()
        except (OSError, ValueError):
            continue
        if name.isdigit() and int(fields[1]) == me:
            found.append(int(name))
    return found


def leave(name: str) -> None:
    """Leave behind what bears the name."""
    LEAVINGS[name]()


def grow(megabytes: int) -> None:
    """Take memory, and give it back."""
    bytearray(megabytes << 20)


def note_at_the_end(path: str) -> None:
    """Have it noted that the interpreter ends in good order."""
    atexit.register(lambda: pathlib.Path(path).touch())


def fork(how: str) -> int:
    """Fork, and tell with which code the copy ended."""
    pid = os.fork()
    if pid:
        return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    if how == "exits with 3":
        sys.exit(3)
    if how == "exits with words":
        sys.exit("last words")
    if how == "exits at once":
        os._exit(5)
    if how == "raises":
        raise ZeroDivisionError
    return 0


def end_a_process() -> int | None:
    """Start a process of multiprocessing, end it, and tell what it says of its end."""
    process = multiprocessing.get_context("fork").Process(target=time.sleep, args=(600,))
    process.start()
    process.terminate()
    process.join()
    return process.exitcode
