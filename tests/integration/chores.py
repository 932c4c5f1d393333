"""The functions that the workers of these tests run."""

from __future__ import annotations

import ctypes
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any


def nothing() -> None:
    """Be done at once."""


def add(a: int, b: int) -> int:
    return a + b


def note(path: str, text: str) -> str:
    """Append a line: one write, so that lines of several processes do not mix."""
    with open(path, "a", encoding="utf-8") as file:
        file.write(text + "\n")
    return text


def submit_twin(path: str, conflict: str, job_context: Any) -> None:
    """Submit the like of itself, once."""
    first = not os.path.exists(path)
    note(path, conflict)
    if first:
        job_context.submit(
            "tests.integration.chores.submit_twin",
            {"path": path, "conflict": conflict},
            unique={"key": conflict, "conflict": conflict},
        )


def note_and_rest(path: str, text: str) -> None:
    """Append a line, and take two milliseconds for it."""
    note(path, text)
    time.sleep(0.002)


def fail(message: str = "no good") -> None:
    raise ValueError(message)


def fail_until(path: str, times: int) -> int:
    """Fail for the first `times` calls."""
    count = len(Path(path).read_text().splitlines()) if Path(path).exists() else 0
    note(path, str(time.time()))
    if count < times:
        raise RuntimeError(f"not yet, {count}")
    return count


def hold(path: str, seconds: float = 60.0) -> str:
    """Say who runs, then sleep."""
    note(path, str(os.getpid()))
    time.sleep(seconds)
    return "slept"


def hold_until(path: str, free: str) -> str:
    """Say who runs, then wait for a file."""
    note(path, str(os.getpid()))
    while not os.path.exists(free):
        time.sleep(0.01)
    return "freed"


def hold_with_cleanup(path: str, cleaned: str) -> None:
    try:
        hold(path)
    finally:
        note(cleaned, "cleaned up")


def hold_stubbornly(path: str) -> None:
    """Ignore SIGTERM, with a grandchild in the group and one that left it."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    code = "import signal, time; signal.signal(15, signal.SIG_IGN); time.sleep(60)"
    with_us = subprocess.Popen([sys.executable, "-c", code])
    away = subprocess.Popen([sys.executable, "-c", code], start_new_session=True)
    note(path, f"{os.getpid()} {with_us.pid} {away.pid}")
    while True:
        time.sleep(60)


def hold_in_c(path: str) -> None:
    """Hold the GIL in C code, so that no signal handler of Python's can run."""
    child = subprocess.Popen(["sleep", "60"])
    note(path, f"{os.getpid()} {child.pid}")
    ctypes.PyDLL(None).sleep(60)


def segfault() -> None:
    print("about to fall", flush=True)
    ctypes.string_at(0)


def end_process(code: int) -> None:
    os._exit(code)


def call_exit() -> None:
    sys.exit(3)


def recurse() -> int:
    return recurse() + 1


def give(what: str) -> Any:
    """Results that JSON can't hold."""
    return {"object": object(), "nan": float("nan"), "bytes": b"x", "set": {1}}[what]


def interrupt() -> None:
    raise KeyboardInterrupt


def speak(lines: int) -> int:
    """Print by every way there is."""
    for number in range(lines):
        print("line", number)
    print("to stderr", file=sys.stderr)
    subprocess.run(["sh", "-c", "echo from a shell"], check=True)
    os.write(1, b"to the descriptor\n")
    return lines


def flood(megabytes: int) -> None:
    print("the first line")
    for _ in range(megabytes):
        sys.stdout.write("x" * 1023 + "\n" + "y" * 1023 * 1024)
    print("\nthe last line")


def say_and_hold(path: str) -> None:
    print("here I am")
    hold(path)


def collect(parent_results: dict[str, Any]) -> list[Any]:
    return list(parent_results.values())


def collect_any(**given: Any) -> list[str]:
    return sorted(given)


def where() -> dict[str, Any]:
    return {
        "cwd": str(Path.cwd()),
        "python": sys.executable,
        "path": sys.path[0],
        "pid": os.getpid(),
        "stdin": sys.stdin.read(),
    }


def note_twice(path: str) -> None:
    """Note the beginning; the end too, once a file says that it may come."""
    note(path, "begun")
    while not Path(path + ".go").exists():
        time.sleep(0.01)
    note(path, "ended")


def vandalise() -> int:
    """Leave the process in a bad state for whoever comes next."""
    os.chdir("/")
    sys.stdout.close()
    os.close(1)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    return os.getpid()


def fork_and_return() -> str:
    """Return twice: in this process and in a copy of it."""
    pid = os.fork()
    if pid == 0:
        return "the copy"
    os.waitpid(pid, 0)
    return "the original"


def close_everything() -> None:
    os.closerange(3, 256)
    time.sleep(60)


def leave_a_process(path: str) -> int:
    """Start something that goes on when the job has ended, and holds its output open."""
    process = subprocess.Popen(["sleep", "60"], start_new_session=True)
    note(path, str(process.pid))
    return process.pid


def spin(path: str) -> None:
    """Python code that only an exception in its thread can stop."""
    note(path, str(threading.get_ident()))
    while True:
        pass


def sleep_stubbornly(path: str, seconds: float) -> str:
    """Wait in C code, which no exception in the thread can stop."""
    note(path, "begun")
    try:
        time.sleep(seconds)
    finally:
        note(path, "ended")
    return json.dumps("late")


def compute(path: str) -> None:
    """Say who runs, then compute in one endless call of C code that never gives the lock back."""
    note(path, str(os.getpid()))
    sum(iter(int, 1))


def die(path: str) -> None:
    """End the process the hard way, each time."""
    note(path, str(os.getpid()))
    os.kill(os.getpid(), signal.SIGKILL)


def run_a_program(path: str) -> str:
    """Wait for a program, and fail if it does not end well."""
    program = subprocess.Popen(["sleep", "60"])
    note(path, f"{os.getpid()} {program.pid}")
    if program.wait() != 0:
        raise RuntimeError(f"the program ended with {program.returncode}")
    return "ran"


def hold_with_a_handler(path: str, heard: str) -> str:
    """Note each SIGTERM by a handler of its own, until a file says that it may end."""
    signal.signal(signal.SIGTERM, lambda signum, frame: note(heard, str(signum)) and None)
    note_twice(path)
    return "held"


def hold_by_default(path: str) -> None:
    """Let SIGTERM do what it does by default."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    hold(path)


def hold_off(path: str) -> None:
    """Swallow whatever is raised, until a file says that it may end."""
    note(path, str(os.getpid()))
    while not Path(path + ".go").exists():
        try:
            time.sleep(0.01)
        except BaseException as problem:
            note(path, f"swallowed {problem}")


def dispositions() -> dict[str, list[str]]:
    """Which signals this process, and a program that it starts, ignore or hold back."""
    masks = {}
    for who, text in (
        ("job", Path("/proc/self/status").read_text()),
        ("program", subprocess.check_output(["cat", "/proc/self/status"], text=True)),
    ):
        fields = dict(line.split(":", 1) for line in text.splitlines())
        for mask in ("SigBlk", "SigIgn"):
            bits = int(fields[mask], 16)
            masks[f"{who} {mask}"] = [
                s.name
                for s in signal.Signals
                # Python ignores these two by itself.
                if bits >> (s - 1) & 1 and s.name not in ("SIGPIPE", "SIGXFSZ")
            ]
    return masks


def signal_a_copy(signum: int) -> int:
    """Fork, signal the copy, and tell how it ended."""
    reads, writes = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            os.write(writes, b"!")
            time.sleep(60)
        except KeyboardInterrupt:
            os._exit(99)
        os._exit(0)
    os.read(reads, 1)
    os.kill(pid, signum)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


def most_open_files() -> tuple[int, int]:
    import resource

    return resource.getrlimit(resource.RLIMIT_NOFILE)


def variables() -> list[str]:
    return sorted(os.environ)


def call_customer(customer: int, refuses: str) -> int:
    """Fail for the customers that a file names, and for all while it is not there."""
    refused = Path(refuses).read_text().split() if Path(refuses).exists() else [str(customer)]
    if str(customer) in refused:
        raise ConnectionRefusedError(f"connect to 10.0.0.{customer} refused")
    return customer
