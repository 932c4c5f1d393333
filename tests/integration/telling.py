"""Jobs that tell how far they are, save, and ask; some of them are async."""

from __future__ import annotations

import asyncio
import functools
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.integration.chores import note


def wait_for(path: str) -> None:
    while not os.path.exists(path):
        time.sleep(0.005)


# --- what a job knows ------------------------------------------------------------------------


def facts(job_context: Any) -> dict[str, Any]:
    return {
        "id": job_context.id,
        "attempt": job_context.attempt,
        "max_attempts": job_context.max_attempts,
        "left": job_context.deadline - time.time(),
        "said": repr(job_context),
    }


def facts_at_second(job_context: Any) -> int:
    if job_context.attempt == 1:
        raise ValueError("once more")
    return int(job_context.attempt)


def parents(job_context: Any, parent_results: dict[str, Any] | None = None) -> Any:
    found = job_context.parents
    assert found == job_context.parents
    told = {key: [one.status, one.error, one.result] for key, one in found.items()}
    return [told, parent_results]


def by_name_alone(*, job_context: Any) -> bool:
    return job_context is not None


def with_default(job_context: Any = None) -> bool:
    return job_context is not None


def of_any_names(**given: Any) -> list[str]:
    return sorted(given)


def by_position(job_context: Any, /) -> None: ...


def passing_on(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        return function(*args, **kwargs)

    return wrapper


def keeping_back(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper() -> Any:
        return function()

    return wrapper


def dropping(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def wrapper(**kwargs: Any) -> Any:
        return function()

    return wrapper


wrapped = passing_on(passing_on(by_name_alone))
kept_back = keeping_back(by_name_alone)
dropped = dropping(by_name_alone)
default_kept_back = keeping_back(with_default)


# --- progress --------------------------------------------------------------------------------


def report(reports: list[list[Any]], path: str, job_context: Any) -> None:
    """Report as often as given, then be silent until the file is there."""
    for values in reports:
        job_context.progress(*values)
    wait_for(path)


def report_and_fail(done: int, job_context: Any) -> None:
    if job_context.attempt == 1:
        job_context.progress(done, 100)
    raise ValueError("no good")


def report_oddly(kind: str, job_context: Any) -> None:
    import decimal
    import fractions

    class Index:
        def __index__(self) -> int:
            return 7

    values: dict[str, tuple[Any, ...]] = {
        "index": (Index(), 70),
        "fraction": (fractions.Fraction(1, 2), 1),
        "decimal": (decimal.Decimal("0.25"), 1),
        "huge": (10**30, 10**31),
        "beyond": (10**400, 10**401),
        "long": (1, None, "\0é\udce9" * 1000),
        "text": ("5",),
        "none": (None,),
        "true": (True,),
        "negative": (-1,),
        "nan": (float("nan"),),
        "infinite": (1, float("inf")),
        "a note": (1, 2, 3),
    }
    job_context.progress(*values[kind])


def count_up(calls: int, job_context: Any) -> float:
    began = time.monotonic()
    progress = job_context.progress
    for number in range(calls):
        progress(number + 1, calls)
    return time.monotonic() - began


def track(count: int, job_context: Any) -> list[int]:
    return list(job_context.track(range(count)))


def track_to(count: int, stop: int, job_context: Any) -> int:
    for item in job_context.track(iter(range(count)), total=count):
        if item == stop:
            break
    return stop


def short(job_context: Any) -> int:
    for number in range(3):
        job_context.progress(number)
    return os.getpid()


def report_in_copies(path: str, alone: bool, job_context: Any) -> list[str]:
    """Fork: the copies report and save, and write down what came of it.

    If they report alone, the job itself never does.
    """
    if not alone:
        job_context.progress(1, 10, "from the job")
    for number in range(3):
        pid = os.fork()
        if pid == 0:
            try:
                for _ in range(1000):
                    job_context.progress(9, 10, "from a copy")
                time.sleep(0.05)
                job_context.save({"copy": number})
            except RuntimeError as problem:
                note(path, str(problem))
            os._exit(0)
        os.waitpid(pid, 0)
    if not alone:
        job_context.save("from the job")
        job_context.progress(2, 10, "from the job")
    return Path(path).read_text().splitlines()


PROGRAM = """
echo "$1" >&"$GIGQ_PROGRESS"
"""


def report_by_a_program(lines: list[str], path: str) -> None:
    fd = int(os.environ["GIGQ_PROGRESS"])
    for line in lines:
        subprocess.run(["sh", "-c", PROGRAM, "sh", line], pass_fds=[fd], check=True)
    wait_for(path)


# --- checkpoints -----------------------------------------------------------------------------


def save_and_fail(value: Any, job_context: Any) -> Any:
    """Save, and find it again at the second attempt."""
    if job_context.attempt > 1:
        return [job_context.saved]
    assert job_context.saved is None
    job_context.save(value)
    assert job_context.saved == value
    raise ValueError("once more")


def save_and_hold(path: str, value: Any, job_context: Any) -> None:
    job_context.save(value)
    note(path, str(os.getpid()))
    time.sleep(60)


def save_oddly(kind: str, job_context: Any) -> None:
    around: list[Any] = []
    around.append(around)
    value = {
        "an object": object(),
        "bytes": b"x",
        "nan": float("nan"),
        "itself": around,
        "large": "x" * 65_535,
        "a key": {(1, 2): 3},
    }[kind]
    job_context.save(value)


def save_much(job_context: Any) -> int:
    job_context.save("é" * 10_922)
    return len(job_context.saved)


def save_from_threads(threads: int, times: int, job_context: Any) -> list[int]:
    saved: list[int] = []

    def save(who: int) -> None:
        for number in range(times):
            job_context.save([who, number])
            job_context.progress(number, times)
            saved.append(who)

    made = [threading.Thread(target=save, args=(who,)) for who in range(threads)]
    for thread in made:
        thread.start()
    for thread in made:
        thread.join()
    return sorted(saved)


class Alarmed(Exception):
    pass


def save_among_alarms(times: int, job_context: Any) -> list[int]:
    """Save a large value again and again, while alarms break it off."""

    def broken_off(signum: int, frame: Any) -> None:
        job_context.progress(1, 2)
        raise Alarmed

    signal.signal(signal.SIGALRM, broken_off)
    told = [0, 0]
    for number in range(times):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0002 + 0.0001 * (number % 40))
            job_context.save(["x" * 60_000, number])
            signal.setitimer(signal.ITIMER_REAL, 0)
            told[0] += 1
        except Alarmed:
            told[1] += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    job_context.save(times)
    assert job_context.saved == times
    return told


def save_within_an_alarm(job_context: Any) -> list[Any]:
    """The handler of a signal saves while a save waits."""
    done: list[Any] = []

    def handle(signum: int, frame: Any) -> None:
        job_context.save("in the handler")
        done.append(job_context.saved)

    signal.signal(signal.SIGALRM, handle)
    for number in range(30):
        signal.setitimer(signal.ITIMER_REAL, 0.0003 + 0.0001 * (number % 10))
        for _ in range(5):
            job_context.save("outside")
            done.append(job_context.saved)
        signal.setitimer(signal.ITIMER_REAL, 0)
    return sorted(set(done))


def save_twice(path: str, job_context: Any) -> Any:
    """At the first attempt, save two values and wait; at the second, tell which one was kept."""
    if job_context.attempt > 1:
        return job_context.saved
    job_context.save("first")
    job_context.save("second")
    note(path, "both are on disk")
    time.sleep(60)
    return None


def save_when_stopped(path: str, job_context: Any) -> None:
    try:
        note(path, str(os.getpid()))
        while True:
            time.sleep(0.01)
    finally:
        job_context.save("as it was stopped")


def tell_after_the_end(path: str, job_context: Any) -> str:
    """Leave a thread behind that goes on telling."""

    def go_on() -> None:
        time.sleep(0.1)
        try:
            for _ in range(1000):
                job_context.progress(99, 100)
            job_context.save("too late")
        except RuntimeError as problem:
            note(path, str(problem))

    job_context.progress(1, 100)
    threading.Thread(target=go_on, daemon=True).start()
    return "left"


def hold_and_tell(path: str, go: str, job_context: Any) -> None:
    """Tell one thing, wait to be told to, and tell another."""
    job_context.progress(1, 10)
    job_context.save("first")
    note(path, "told")
    wait_for(go)
    job_context.progress(9, 10)
    job_context.save("second")
    note(path, "not stopped")


async def hold_and_tell_async(path: str, go: str, job_context: Any) -> None:
    try:
        hold_and_tell(path, go, job_context)
    finally:
        note(path, "tidied up")


# --- async -----------------------------------------------------------------------------------


async def later(value: Any, job_context: Any) -> Any:
    job_context.progress(1, 2)
    await asyncio.sleep(0.01)
    return [value, job_context.attempt]


async def at_once() -> str:
    return "at once"


wrapped_later = passing_on(later)


async def fail_later() -> None:
    await asyncio.sleep(0)
    raise KeyError("customer")


async def hold_async(path: str, cleaned: str) -> None:
    try:
        note(path, str(os.getpid()))
        await asyncio.sleep(60)
    finally:
        await asyncio.sleep(0.05)
        note(cleaned, "cleaned up")


async def hold_stubbornly_async(path: str) -> None:
    note(path, str(os.getpid()))
    while True:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            note(path, "not I")


async def save_async(job_context: Any) -> Any:
    await asyncio.gather(*(asyncio.to_thread(job_context.save, n) for n in range(5)))
    return job_context.saved in range(5)


# --- signs of life ---------------------------------------------------------------------------


def silent(path: str) -> None:
    note(path, str(os.getpid()))
    time.sleep(60)


def silent_after(done: int, total: int | None, path: str, job_context: Any) -> None:
    job_context.progress(done, total)
    silent(path)


def talk(how: str, path: str, job_context: Any) -> str:
    """Show a sign of life again and again, until the file is there."""
    number = 0
    while not os.path.exists(path):
        number += 1
        if how == "progress":
            job_context.progress(number)
        elif how == "save":
            job_context.save(number)
        elif how == "output":
            print("still here", flush=True)
        elif how == "a program":
            os.write(int(os.environ["GIGQ_PROGRESS"]), b"%d\n" % number)
        time.sleep(0.05)
    return how


def save_once(path: str, go: str, job_context: Any) -> str:
    note(path, "before")
    wait_for(go)
    job_context.save(1)
    return "saved"
