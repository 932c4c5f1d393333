"""What a run of the tests inherits, made the same everywhere, and what it leaves, found at its end.

A shell in the background, `nohup`, a service and a person's own settings leave signals ignored or
blocked, another mask of files, and other variables. Whatever the tests start
inherits all that, so it is put right once, before anything is imported that looks at it.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import sys
import tempfile
import time

import psutil

MARK = "TESTS_STARTED_BY"
# All else of the environment is left out.
_KEPT = {
    *("PATH", "TMPDIR", "TMP", "TEMP", "USER", "LOGNAME", "SHELL", "VIRTUAL_ENV"),
    *("LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "OLD_SQLITE_PYTHON", "TESTS_EXPECT_NAMESPACES"),
    *("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"),
}
_KEPT_FAMILIES = ("PYTEST_", "TEXTUAL_SNAPSHOT_", "PIP_", "UV_", "COV_", "COVERAGE_", "HYPOTHESIS_")
_SET = {
    "TZ": "UTC",
    "LANG": "C.UTF-8",
    "TERM": "xterm",
    "TEXTUAL_ANIMATIONS": "none",
    "GIGQ_TUI_CONFIG": os.devnull,
    # Each console starts on its list, whatever another one looked at last.
    "XDG_STATE_HOME": os.devnull,
}
# Python itself ignores SIGPIPE, and gives it back to what it starts.
_AS_USUAL = ("TERM", "HUP", "QUIT", "TSTP", "TTIN", "TTOU", "USR1", "USR2", "ALRM", "CHLD", "CONT")
ENDS_WITHIN_S = 10.0


def make_usual() -> None:
    """Give this process, and what it starts, the surroundings that the tests are written for."""
    _usual_signals()
    _usual_environment()
    os.umask(0o022)
    time.tzset()
    # Asked to write no bytecode, each of thousands of processes would compile all that it imports.
    sys.dont_write_bytecode = False


def _usual_signals() -> None:
    for name in _AS_USUAL:
        signum = getattr(signal, f"SIG{name}")
        if signal.getsignal(signum) == signal.SIG_IGN:
            signal.signal(signum, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def _usual_environment() -> None:
    is_first = "PYTEST_XDIST_WORKER" not in os.environ
    kept = {
        name: value
        for name, value in os.environ.items()
        if name.upper() in _KEPT or name.upper().startswith(_KEPT_FAMILIES)
    }
    home = "" if is_first else os.environ.get("HOME", "")
    os.environ.clear()
    os.environ.update(kept | _SET)
    if not home:
        home = tempfile.mkdtemp(prefix="tests-home-")
        atexit.register(shutil.rmtree, home, ignore_errors=True)
    os.environ["HOME"] = home
    os.environ[MARK] = f"{os.getpid()}.{time.time_ns()}"


def still_running() -> list[str]:
    """The processes that this one has started and that live on, ended now; each in words.

    They get some seconds to end by themselves, since some tests only ask for it.
    """
    deadline = time.monotonic() + ENDS_WITHIN_S
    while (left := _started_here()) and time.monotonic() < deadline:
        time.sleep(0.05)
    told = []
    for process in left:
        try:
            told.append(f"pid {process.pid}: {' '.join(process.cmdline())}")
            process.kill()
        except psutil.Error:
            continue  # it has just ended
    return told


def _started_here() -> list[psutil.Process]:
    mark = os.environ[MARK]
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
                continue
            if process.environ().get(MARK) == mark and not _is_pythons_own(process):
                found.append(process)
        except psutil.Error:
            continue  # another user's, or it has just ended
    return found


def _is_pythons_own(process: psutil.Process) -> bool:
    """Whether it is what `multiprocessing` starts for a process, and what ends with that."""
    return any("multiprocessing.resource_tracker" in word for word in process.cmdline())
