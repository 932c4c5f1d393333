"""Jobs that submit jobs."""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
import uuid
from pathlib import Path
from types import SimpleNamespace
from typing import Any, NamedTuple

from gigq_core import Backoff, GiveUp, Job, Snooze, Unique, task
from tests.integration.chores import note
from tests.integration.telling import wait_for


def child(n: Any = 0) -> Any:
    return n


def of_parents(parent_results: dict[str, Any]) -> list[Any]:
    return list(parent_results.values())


def needs_context(job_context: Any) -> str:
    return str(job_context.id)


async def is_async() -> str:
    return "async"


@task(timeout="90s", max_attempts=7, name="a task")
def decorated(n: int) -> int:
    return n


def fan_out(count: int, before: bool, job_context: Any) -> list[str]:
    return [
        job_context.submit(child, {"n": n}, before_dependents=before, name=f"part {n}")
        for n in range(count)
    ]


def fan_out_twice(count: int, job_context: Any) -> str:
    """Let one more job, which fans out in turn, stand before what waits."""
    made: str = job_context.submit(
        fan_out, {"count": count, "before": True}, before_dependents=True
    )
    return made


def every_form(job_context: Any) -> list[str]:
    first = job_context.submit(child, {"n": 1})
    made = Job("made", child, {"n": 5}, dependencies=[first], retry=Backoff(3, factor=4))
    return [
        first,
        job_context.submit("tests.integration.submitting.child", {"n": 2}, dependencies=[first]),
        job_context.submit("not.to.be.imported", priority=-1, timeout="1m", ours=True),
        job_context.submit(decorated, {"n": 3}, priority=4),
        job_context.submit(made),
        job_context.submit(Job("named", child, batch="own"), priority=2),
        job_context.submit(child, retry_on=[KeyError], run_after="1h", retry=[1, 2]),
        job_context.submit(needs_context),
        job_context.submit(is_async),
    ]


class Like(NamedTuple):
    """Something with a job's attributes."""

    id: Any
    name: str
    function: Any
    params: Any
    priority: int = 3


def forms_like_a_job(job_context: Any) -> list[Any]:
    """Each is submitted, or gives its mistake."""
    path = f"{__name__}.child"
    likes = [
        Like("a tuple", "named", child, {"n": 1}),
        SimpleNamespace(id="a namespace", name="plain", function=path, params={}, timeout="7s"),
        SimpleNamespace(function=child, params=None),
        Like(None, "without an id", child, {}),
        *(Like(wrong, "wrong", child, {}) for wrong in (7, "", [], uuid.uuid4())),
    ]
    told = []
    for like in likes:
        try:
            told.append(job_context.submit(like))
        except TypeError as problem:
            told.append([str(problem)])
    return told


def after_itself(job_context: Any) -> str:
    made: str = job_context.submit(
        of_parents, dependencies=[job_context.id], pass_parent_results=True
    )
    return made


def mistakes(job_context: Any) -> list[str]:
    """What comes of jobs that can't be: one that can be stands between them."""

    def inner() -> None: ...

    told = []
    for function, params, options in (
        (inner, None, {}),
        (child, {"m": 1}, {}),
        (child, None, {"max_attempts": 0}),
        (child, {"n": float("nan")}, {}),
        (child, {"n": 1}, {}),
        (child, None, {"prio": 1}),
    ):
        try:
            told.append(job_context.submit(function, params, **options))
        except (TypeError, ValueError) as problem:
            told.append(f"{type(problem).__name__}: {problem}")
    return told


def mistaken(job_context: Any) -> None:
    job_context.submit(child, {"n": 1})
    job_context.submit(child, {"m": 1})


def ends(how: str, path: str, job_context: Any) -> object:
    """Submit, and end in some way that is not completion; the second attempt submits nothing."""
    if job_context.attempt > 1:
        return None
    for n in range(3):
        job_context.submit(child, {"n": n})
    note(path, str(os.getpid()))
    if how == "fails":
        raise KeyError("customer")
    if how == "gives up":
        raise GiveUp("no use")
    if how == "snoozes":
        raise Snooze(after=3600)
    if how == "dies":
        os.kill(os.getpid(), signal.SIGKILL)
    if how == "exits":
        raise SystemExit(0)
    if how == "returns what JSON can't hold":
        return object()
    while how == "holds":
        time.sleep(0.01)
    return None


def hold_and_submit(path: str, go: str, job_context: Any) -> str:
    job_context.submit(child, {"n": 1})
    note(path, "submitted")
    wait_for(go)
    made: str = job_context.submit(child, {"n": 2})
    return made


def from_threads(threads: int, times: int, job_context: Any) -> list[str]:
    made: list[str] = []

    def submit(who: int) -> None:
        for number in range(times):
            made.append(job_context.submit(child, {"n": [who, number]}))
            job_context.progress(number, times)
            job_context.save([who, number])

    started = [threading.Thread(target=submit, args=(who,)) for who in range(threads)]
    for thread in started:
        thread.start()
    for thread in started:
        thread.join()
    return made


async def from_a_loop(times: int, job_context: Any) -> list[str]:
    made = [asyncio.to_thread(job_context.submit, child, {"n": n}) for n in range(times)]
    return [*await asyncio.gather(*made), job_context.submit(child, {"n": times})]


def from_copies(path: str, job_context: Any) -> list[str]:
    made = job_context.submit(child, {"n": 1})
    for number in range(2):
        pid = os.fork()
        if pid == 0:
            try:
                job_context.submit(child, {"n": number})
            except RuntimeError as problem:
                note(path, str(problem))
            os._exit(0)
        os.waitpid(pid, 0)
    return [made, *Path(path).read_text().splitlines()]


class Alarmed(Exception):
    pass


def among_alarms(times: int, job_context: Any) -> list[list[str]]:
    """Submit again and again, while alarms break it off; tells what was acknowledged."""

    def broken_off(signum: int, frame: Any) -> None:
        raise Alarmed

    signal.signal(signal.SIGALRM, broken_off)
    told: list[list[str]] = [[], []]
    for number in range(times):
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0002 + 0.0001 * (number % 30))
            made = job_context.submit(child, {"n": [number, "x" * 20_000]})
            signal.setitimer(signal.ITIMER_REAL, 0)
            told[0].append(made)
        except Alarmed:
            told[1].append(str(number))
    signal.setitimer(signal.ITIMER_REAL, 0)
    told[0].append(job_context.submit(child, {"n": ["last"]}))
    return told


def submit_until(path: str, job_context: Any) -> int:
    """Submit, and say nothing else, until the file is there."""
    made = 0
    while not os.path.exists(path):
        job_context.submit(child)
        made += 1
        time.sleep(0.05)
    return made


def after_the_end(path: str, job_context: Any) -> str:
    """Leave a thread behind that goes on submitting."""

    def go_on() -> None:
        try:
            while True:
                job_context.submit(child)
                time.sleep(0.01)
        except RuntimeError as problem:
            note(path, str(problem))

    threading.Thread(target=go_on, daemon=True).start()
    return "left"


def too_many(count: int, job_context: Any) -> str:
    """Submit so many, and one more than may be."""
    for n in range(count):
        job_context.submit(child, {"n": n})
    try:
        job_context.submit(child, {"n": count})
    except ValueError as problem:
        return str(problem)
    return "taken"


def too_much(size: int, job_context: Any) -> list[int | str]:
    """Submit jobs of so many bytes each until one is refused."""
    taken = 0
    while True:
        try:
            job_context.submit(child, {"n": "x" * size})
        except ValueError as problem:
            return [taken, str(problem)]
        taken += 1


def oddly(kind: str, job_context: Any) -> None:
    """Submit what can't be stored, though each job by itself can be."""
    made = Job("twice", child)
    if kind == "there already":
        made.id = job_context.id
        job_context.submit(made)
    elif kind == "a circle":
        other = Job("other", child, dependencies=[made.id])
        made.dependencies = [other.id]
        for job in (made, other):
            job_context.submit(job)
    elif kind == "behind what waits":
        dependent = job_context.submit(child)
        job_context.submit(child, before_dependents=True, dependencies=[dependent])
    job_context.save(kind)


def in_lanes(count: int, path: str, job_context: Any) -> None:
    """Submit jobs that write down when they begin and end, all in one lane."""
    for n in range(count):
        params = {"path": path, "text": str(n)}
        job_context.submit(noted, params, lane="disk:{text}" if n == 0 else "disk:0")


def noted(path: str, text: str) -> None:
    note(path, f"{text} begins")
    time.sleep(0.02)
    note(path, f"{text} ends")


def unique(conflict: str, job_context: Any) -> list[str]:
    """Submit two jobs with the same key, one that waits for the second, and one with a held key."""
    held = Unique("held", conflict=conflict)  # type: ignore[arg-type]
    first = job_context.submit(child, {"n": 1}, unique="mine")
    second = job_context.submit(child, {"n": 2}, unique="mine")
    third = job_context.submit(child, {"n": 3}, dependencies=[second])
    return [first, second, third, job_context.submit(child, {"n": 4}, unique=held)]


def behind(waiting: str, job_context: Any) -> None:
    """Submit a job before what waits, and let it wait for that."""
    between = job_context.submit(child, dependencies=[waiting])
    job_context.submit(child, dependencies=[between], before_dependents=True)
