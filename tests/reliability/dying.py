"""What the processes of the crash tests do until somebody kills them, or they do it themselves."""

from __future__ import annotations

import os
import signal
import sqlite3
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from itertools import count
from types import SimpleNamespace
from typing import Any

from gigq_core import Job, JobQueue, Worker
from gigq_core.changes import cascade
from gigq_core.job import FunctionReference
from gigq_core.schema import worker_statements
from gigq_core.schema.attach import open_for_work
from gigq_core.units import times
from gigq_core.worker import delivery, heard, ledger, register, rescue, said
from gigq_core.worker.claims import Claim, Ending, Fate, Wish

BATCH = 4
NOTHING = FunctionReference("tests.integration.chores", "nothing")
BETWEEN_TURNS_S = 0.015


def submit_for_ever(db: str, who: str) -> None:
    """Submit single jobs and batches; say each name when its submit has returned."""
    queue = JobQueue(db)
    for number in count():
        name = f"{who}-{number}"
        if number % 3:
            queue.submit(Job(name, NOTHING))
        else:
            parent, *rest = (Job(name, NOTHING) for _ in range(BATCH))
            for child in rest:
                child.dependencies = [parent.id]
            queue.submit_many([*rest, parent])
        print(name, flush=True)


def work_until(db: str, folder: str, step: str) -> None:
    """Work; before the supervisor's statement number `step`, kill this process.

    With step 0 it counts instead, and says how many there were when the queue is empty.
    """
    done = _traced_to(int(step))
    # The owner of a command line: orphans are its own, so is the process.
    worker = Worker(db, concurrency=2, isolation="process", chdir=folder, owner="cli")
    while worker.process_one():
        pass
    worker.close()
    print(done())


def tell_until(db: str, at_once: str, step: str) -> None:
    """Tell children what became of their parents, so many in a transaction; killed as above."""
    done = _traced_to(int(step), within=False)
    held = ledger.Ledger(db, runs_script=False)
    while cascade.is_waiting(held.conn):
        with held.writing() as conn:
            cascade.work_off(conn, int(at_once))
    print(done())


def _traced_to(step: int, *, within: bool = True) -> Callable[[], int]:
    """Let the supervisor's connection kill this process before that statement.

    Args:
        step: which one.
        within: whether each trigger that it fires counts as one more.

    Returns:
        Says how many there were.
    """
    done, last = 0, ""

    def trace(statement: str) -> None:
        nonlocal done, last
        before, last = last, statement
        if not within and statement == before:
            return
        # Looks and waits come by the clock; what is written, and when, comes by the jobs.
        if statement.lstrip().startswith(("SELECT", "PRAGMA")):
            return
        done += 1
        if done == step:
            os.kill(os.getpid(), signal.SIGKILL)

    def open_traced(*args: Any, **options: Any) -> sqlite3.Connection:
        conn = open_for_work(*args, **options)
        conn.set_trace_callback(trace)
        return conn

    vars(ledger)["open_for_work"] = open_traced
    return lambda: done


def save_until(db: str, folder: str, step: str) -> None:
    """Work; when a second checkpoint comes, kill this process at that step of it."""
    saves = 0

    def kill_at(reached: str) -> None:
        if reached == step and saves == 2:
            os.kill(os.getpid(), signal.SIGKILL)

    def write(conn: sqlite3.Connection, *what: Any) -> set[str]:
        nonlocal saves
        saves += bool(what[0])
        kill_at("before it is written")
        written = plain_write(conn, *what)
        kill_at("before the commit")
        return written

    def tell_saved(self: heard.Dialogue, number: int) -> None:
        kill_at("before the answer")
        plain_tell_saved(self, number)
        kill_at("after the answer")

    plain_write, plain_tell_saved = said.write, heard.Dialogue.tell_saved
    vars(said)["write"] = write
    heard.Dialogue.tell_saved = tell_saved  # type: ignore[method-assign]
    worker = Worker(db, isolation="process", chdir=folder, owner="cli")
    while worker.process_one():
        pass


def deliver_until(db: str, folder: str, step: str) -> None:
    """Work on one job that submits others; killed before, or behind, a statement of its ending.

    With step 0 it counts them instead.
    """
    done = 0

    def trace(statement: str) -> None:
        nonlocal done
        if statement.lstrip().startswith(("SELECT", "PRAGMA", "--")):
            return
        done += 1
        if done == int(step):
            os.kill(os.getpid(), signal.SIGKILL)

    def end(conn: sqlite3.Connection, *what: Any) -> Any:
        # What comes along with it in the same commit, and the commit, are steps of it too.
        conn.set_trace_callback(trace)
        return plain_end(conn, *what)

    plain_end = delivery.end
    vars(delivery)["end"] = end
    worker = Worker(db, isolation="process", chdir=folder, owner="cli")
    assert worker.process_one()
    if done < int(step):
        os.kill(os.getpid(), signal.SIGKILL)
    worker.close()
    print(done)


def show_until(db: str, now: str, step: str) -> None:
    """Claim and end jobs of lanes, one of which shuts its lane; look at the lanes, and give back
    what a worker left; killed as above.

    By a clock that begins at that moment and moves with the turns: which jobs a rate has room for,
    and so how many steps there are, depends on no machine's speed.
    """
    done = _traced_to(int(step))
    moment = float(now)
    vars(times)["time"] = SimpleNamespace(**{**vars(time), "time": lambda: moment})
    held = ledger.Ledger(db, runs_script=False)
    own = register.Register("dying", "cli", "process", 8, "python", "/", None)

    def turn(endings: list[Ending], slots: int) -> list[Claim]:
        nonlocal moment
        moment += BETWEEN_TURNS_S
        held.pending_work(own.id, slots)
        claim = {"claim": slots > 0, "stage": True, "beat": True}
        return held.commit(own, endings, list(range(slots)), **claim).claims

    claims = turn([], 6)
    fates = (Fate.COMPLETED, Fate.FAILED, Fate.GIVEN_BACK)
    endings = [Ending(a, fates[n % 3], error="no") for n, a in enumerate(claims[:-1])]
    endings[1] = replace(endings[1], wish=Wish("retry", 5.0, True), raised=("app.Busy",))
    turn(endings, 6)
    turn([], 6)
    rows = held.conn.execute(worker_statements.RUNNING_JOBS).fetchall()
    with held.writing() as conn:
        rescue.rescue(conn, rows)
    while held.work_off_agenda():
        pass
    print(done())


def fire_until(db: str, now: str, step: str) -> None:
    """Work off the agenda as it stands at that moment; killed as above."""
    done = _traced_to(int(step), within=False)
    moment = float(now)
    vars(times)["time"] = SimpleNamespace(**{**vars(time), "time": lambda: moment})
    held = ledger.Ledger(db, runs_script=False)
    while held.work_off_agenda():
        pass
    print(done())


def fire_at_a_run(db: str, start: str, base: str, speed: str, until: str) -> None:
    """Work off the agenda again and again, by a clock that runs fast from a moment on for all."""
    begun, first, faster = float(start), float(base), float(speed)

    def fast() -> float:
        return first + max(0.0, time.time() - begun) * faster

    vars(times)["time"] = SimpleNamespace(**{**vars(time), "time": fast})
    held = ledger.Ledger(db, runs_script=False)
    while fast() < float(until):
        try:
            held.work_off_agenda()
            held.recheck_agenda()
        except ledger.LockBusy:
            continue


SAVE_STEPS = ("before it is written", "before the commit", "before the answer", "after the answer")


if __name__ == "__main__":
    acts: dict[str, Callable[..., None]] = {
        "submit": submit_for_ever,
        "work": work_until,
        "tell": tell_until,
        "save": save_until,
        "deliver": deliver_until,
        "fire": fire_until,
        "show": show_until,
        "race": fire_at_a_run,
    }
    act = acts[sys.argv[1]]
    act(*sys.argv[2:])
