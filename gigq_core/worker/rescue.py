"""Giving back the jobs of workers that died, and GigQ's own rule for its workers' jobs."""

from __future__ import annotations

import logging
import sqlite3
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase

from gigq_core.fleet.agents_seen import BY_AGENTS
from gigq_core.job import DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_S
from gigq_core.retry import RetryPolicy
from gigq_core.rows.due import due_after
from gigq_core.schema import worker_statements as sql
from gigq_core.schema.agent_statements import LOSE_AGENTS
from gigq_core.schema.statements import JOB_STATE
from gigq_core.schema.transaction import is_passing, savepoint
from gigq_core.status import Change, JobStatus, Outcome
from gigq_core.system.identity import ProcessIdentity, is_dead, is_suspended
from gigq_core.system.kept_files import is_kept
from gigq_core.system.paths import attempt_output, output_name
from gigq_core.units.times import Moment, utc_now
from gigq_core.worker.decisions import decide_timeout
from gigq_core.worker.outcomes import (
    CRASHES_ALLOWED,
    UNSTORABLE,
    goes_on_after_crash,
    what_failed,
)

logger = logging.getLogger("gigq_core.worker")

# A worker elsewhere, whose process can't be looked at, loses its jobs after so long a silence.
LEASE_S = 60.0


# What a dead worker's agents ran is over for certain when it has been known to be dead for so long,
# in seconds: each agent's lease ends before that, and then it kills at once.
RESCUE_AGENTS_S = 45.0

# A worker that dies so soon after a job has begun may have died of it, in seconds.
SOON_S = 60


@dataclass
class _Heard:
    beat: int
    at: float


@dataclass
class HeartbeatWatch:
    """When workers were last heard, by this process's own monotonic clock.

    So neither a step of the wall clock nor a laptop's sleep ends anybody: a silence counts only
    while this process was there to listen.
    """

    lease_s: float = LEASE_S
    _heard: dict[str, _Heard] = field(default_factory=dict)
    _last_heard: float = 0.0
    # Since when jobs are known to run of which nobody can tell when they began, by their tokens.
    _undated: dict[bytes, float] = field(default_factory=dict)
    # Since when workers with agents are known to be dead, by the places of their rows.
    _dead: dict[object, float] = field(default_factory=dict)

    def listen(self, rows: Iterable[sqlite3.Row]) -> None:
        """Take note of the workers' heartbeats."""
        now = time.monotonic()
        if now - self._last_heard > self.lease_s / 4:
            # This process slept: it can't say who was silent meanwhile.
            self._heard.clear()
            self._undated.clear()
        self._last_heard = now
        heard: dict[str, _Heard] = {}
        for row in rows:
            old = self._heard.get(row["id"])
            same = old is not None and old.beat == row["beat"]
            heard[row["id"]] = old if same and old is not None else _Heard(row["beat"], now)
        self._heard = heard

    def lease_is_over(self, worker_id: str) -> bool:
        """Whether the worker was silent for longer than its lease."""
        return self.silence_s(worker_id) > self.lease_s

    def watch_undated(self, tokens: Iterable[bytes]) -> None:
        """Take note of running jobs that nobody is registered for and whose start is unreadable."""
        now = time.monotonic()
        self._undated = {token: self._undated.get(token, now) for token in tokens}

    def undated_s(self, token: bytes) -> float:
        """For how many seconds this process has seen such a job run."""
        return time.monotonic() - self._undated.get(token, float("inf"))

    def agents_lease_is_over(self, row: sqlite3.Row) -> bool:
        """Whether nothing can run any more at the agents of a worker that is dead."""
        now = time.monotonic()
        since = self._dead.get(row["registered"])
        if since is None:
            since = self._dead[row["registered"]] = now
            logger.warning(
                "Worker %s died: what its agents ran is given back in %.0f s, when they have "
                "ended all of it for certain",
                row["worker_id"],
                RESCUE_AGENTS_S,
            )
        return now - since > RESCUE_AGENTS_S

    def forget_dead(self, places: Iterable[object]) -> None:
        """Of the dead workers with agents, keep those alone that still have jobs."""
        if self._dead:
            kept = set(places)
            self._dead = {place: at for place, at in self._dead.items() if place in kept}

    def silence_s(self, worker_id: str) -> float:
        """For how many seconds, as far as this process has listened, the worker said nothing."""
        heard = self._heard.get(worker_id)
        return 0.0 if heard is None else time.monotonic() - heard.at


def needed(
    conn: sqlite3.Connection, heartbeats: HeartbeatWatch, worker_id: str
) -> list[sqlite3.Row]:
    """The running jobs that nobody runs any more, as far as `worker_id` can tell; a plain read."""
    workers = conn.execute(sql.LIVE_WORKERS).fetchall()
    heartbeats.listen(workers)
    # By the worker's row: two ids that are no valid text may look alike.
    lost: dict[object, bool] = {}
    rows = []
    running = conn.execute(sql.RUNNING_JOBS).fetchall()
    heartbeats.watch_undated(row["token"] for row in running if _is_undated(row))
    heartbeats.forget_dead(row["registered"] for row in running)
    for row in running:
        if row["execution_id"] is None:
            if _past_gigqs_timeout(row):
                rows.append(row)
            continue
        holder = row["worker_id"]
        if holder == worker_id:
            continue
        if row["registered"] is None:
            if _is_lost(row, heartbeats):
                rows.append(row)
            continue
        if row["registered"] not in lost:
            lost[row["registered"]] = _is_lost(row, heartbeats)
        if lost[row["registered"]]:
            rows.append(row)
    return rows


def stopped_holders(
    rows: Iterable[sqlite3.Row], heartbeats: HeartbeatWatch, worker_id: str
) -> dict[int, ProcessIdentity]:
    """Workers that hold jobs, live on this machine, are suspended, and silent past their lease.

    Such a one may wake at any time and go on with a job that somebody else runs by then. They are
    told by the place of their rows.
    """
    holders = {
        row["registered"]: (row["worker_id"], ProcessIdentity.of_row(row))
        for row in rows
        if row["registered"] is not None and row["worker_id"] != worker_id
    }
    return {
        place: identity
        for place, (holder, identity) in holders.items()
        if heartbeats.lease_is_over(holder)
        and is_dead(identity) is False
        and is_suspended(identity.pid)
    }


def dead_workers(conn: sqlite3.Connection, worker_id: str) -> list[sqlite3.Row]:
    """The registered workers whose process is certainly gone; a plain read."""
    return [
        row
        for row in conn.execute(sql.LIVE_WORKERS).fetchall()
        if row["id"] != worker_id and is_dead(ProcessIdentity.of_row(row)) is True
    ]


def _is_undated(row: sqlite3.Row) -> bool:
    if row["registered"] is not None or row["token"] is None:
        return False
    return _began(row) is None


def _is_lost(row: sqlite3.Row, heartbeats: HeartbeatWatch | None) -> bool:
    if heartbeats is not None and _is_undated(row):
        return heartbeats.undated_s(row["token"]) > _timeout_s(row) + heartbeats.lease_s
    if row["registered"] is None:
        # Nobody can be asked; past its own timeout, and a lease, nobody runs it.
        return is_past(row, LEASE_S)
    dead = is_dead(ProcessIdentity.of_row(row))
    if dead is None and row["state"] == "stopped":
        # It said goodbye, and nobody listens for it any more.
        return is_past(row, LEASE_S)
    if dead is None and heartbeats is not None:
        return heartbeats.lease_is_over(row["worker_id"])
    if dead is True and row["isolation"] == BY_AGENTS:
        return heartbeats is not None and heartbeats.agents_lease_is_over(row)
    return dead is True


def _past_gigqs_timeout(row: sqlite3.Row) -> bool:
    return is_past(row, 0.0)


def is_past(row: sqlite3.Row, more_s: float) -> bool:
    """Whether a running job's timeout was over so many seconds ago, by the wall clock."""
    began = _began(row)
    return began is not None and utc_now() - began > _timeout_s(row) + more_s


def _began(row: sqlite3.Row) -> float | None:
    """When the attempt began; a damaged row may hold anything."""
    began = row["began"]
    return began if isinstance(began, (int, float)) else None


def _timeout_s(row: sqlite3.Row) -> float:
    timeout = row["timeout"]
    return timeout if isinstance(timeout, (int, float)) and timeout else DEFAULT_TIMEOUT_S


def rescue(
    conn: sqlite3.Connection,
    rows: Iterable[sqlite3.Row],
    killed: Mapping[object, str] | None = None,
) -> list[str]:
    """Give back what `needed` found, within the caller's transaction; returns the jobs' ids.

    `killed` tells of workers, by the place of their rows, how they came to their end.

    Each row is fenced by its token, so what ended meanwhile stays as it is.
    """
    saved = []
    for row in rows:
        how = (killed or {}).get(row["registered"], _how_it_died(row))
        try:
            with savepoint(conn):
                if row["execution_id"] is None:
                    done = _time_out_for_gigq(conn, row)
                else:
                    done = bool(give_back(conn, row, how))
                if done:
                    saved.append(row["id"])
        except UNSTORABLE as problem:
            if is_passing(problem) or not conn.in_transaction:
                raise
            logger.error("Job %s can't be given back: %s", row["id"], problem)
    return saved


def _how_it_died(row: sqlite3.Row) -> str:
    # What ran elsewhere can't have been the reason.
    return "died, and its agents with it" if row["isolation"] == BY_AGENTS else "died"


def bury(conn: sqlite3.Connection, rows: Iterable[sqlite3.Row]) -> None:
    """Close the rows of dead workers, within the caller's transaction."""
    for row in rows:
        # Another worker may have taken the id, and the row, since.
        held = conn.execute(sql.LIVE_WORKER_AT, (row["place"],)).fetchone()
        if held is not None and is_dead(ProcessIdentity.of_row(held)) is True:
            now = Moment.now()
            conn.execute(sql.BURY_WORKER, {"place": row["place"], "now": now.text, "utc": now.utc})
            conn.execute(sql.NOTE_DEATH, {"place": row["place"], "utc": now.utc})
            conn.execute(LOSE_AGENTS, {"place": row["place"]})


def release_dead(conn: sqlite3.Connection, job_ids: Iterable[str] | None) -> list[Outcome]:
    """Give back running jobs whose worker is certainly dead, within the caller's transaction.

    Args:
        job_ids: which ones; None for all that run.

    Returns:
        One outcome for each id, in the order given; for None, one for each job given back.
    """
    if job_ids is None:
        rows = conn.execute(sql.RUNNING_JOBS).fetchall()
        return [
            Outcome(row["id"], Change.RELEASED, became, row["name"])
            for row in rows
            if _certainly_lost(row) and (became := give_back(conn, row))
        ]
    return [_release_one(conn, job_id) for job_id in job_ids]


def _certainly_lost(row: sqlite3.Row) -> bool:
    return row["execution_id"] is not None and _is_lost(row, None)


def _release_one(conn: sqlite3.Connection, job_id: str) -> Outcome:
    row = conn.execute(sql.RUNNING_JOB, (job_id,)).fetchone()
    if row is None:
        return _not_running(conn, job_id)
    if row["execution_id"] is None:
        reason = "a GigQ worker runs it: its timeout gives it back"
    elif _certainly_lost(row) and (became := give_back(conn, row)):
        return Outcome(job_id, Change.RELEASED, became, row["name"])
    elif row["isolation"] == BY_AGENTS and is_dead(ProcessIdentity.of_row(row)) is True:
        reason = (
            f"its worker {row['worker_id']} died, but an agent elsewhere may still run it: a live "
            f"worker gives it back {RESCUE_AGENTS_S:.0f} s after it has seen that"
        )
    elif row["registered"] is None:
        reason = f"its worker {row['worker_id']} is not registered: its timeout gives it back"
    elif is_dead(ProcessIdentity.of_row(row)) is False:
        reason = f"its worker {row['worker_id']} (pid {row['pid']}) lives: cancel it instead"
    else:
        reason = (
            f"its worker {row['worker_id']} on {row['host']} can't be seen from here: a live "
            "worker gives the job back after a minute of silence"
        )
    return Outcome(job_id, Change.REFUSED, reason, row["name"])


def _not_running(conn: sqlite3.Connection, job_id: str) -> Outcome:
    known = conn.execute(JOB_STATE, (job_id,)).fetchone()
    if known is None:
        return Outcome(job_id, Change.REFUSED, "there is no such job")
    reason = f"it is not running, but {known['status']}"
    return Outcome(job_id, Change.REFUSED, reason, known["name"])


def give_back(conn: sqlite3.Connection, row: sqlite3.Row, how: str = "died") -> str:
    """Let a lost job wait again, or fail if it has no attempt left.

    Args:
        conn: the queue file, within the caller's transaction.
        row: one of `RUNNING_JOBS`.
        how: what became of its worker.

    Returns:
        What became of it; an empty string where somebody else has ended it meanwhile.
    """
    now = Moment.now()
    who = f"worker {row['worker_id']}" + (f" (pid {row['pid']})" if row["registered"] else "")
    error = f"{who} {how}{_for_how_long(row)}"
    values: dict[str, object] = {
        "place": row["place"],
        "token": row["token"],
        "now": now.text,
        "utc": now.utc,
        "error": error,
        "decision": None,
        "begun": None,
        "begun_utc": None,
    }
    output = _output_left(conn, row["execution_id"])
    attempts = _number(row["attempts"], 1)
    most = _number(row["max_attempts"], DEFAULT_MAX_ATTEMPTS)
    begun = output is not None or _had_begun(conn, row)
    if not begun:
        held = conn.execute(sql.GIVE_BACK_LOST_JOB, values).rowcount
        became = "it waits, as its turn had not come"
    elif goes_on_after_crash(conn, row["id"], attempts, most, row["on_crash"]):
        values |= due_after(0, now)
        held = conn.execute(sql.RETRY_LOST_JOB, values).rowcount
        became = "it waits for another attempt"
    else:
        values |= {"status": JobStatus.FAILED.value, "result": None}
        held = conn.execute(sql.END_LOST_JOB, values).rowcount
        became = f"it failed: {_why_no_more(row, attempts, most)}"
    if not held:
        return ""
    if row["stop_requested_at"] is not None and not became.startswith("it failed"):
        became = "it is cancelled, as it was asked to stop"
    if begun:
        values |= what_failed(error)
        conn.execute(sql.END_CRASHED_EXECUTION, values | {"output": output})
    else:
        conn.execute(sql.FORGET_EXECUTION, (row["execution_id"],))
    logger.warning("Job %s is given back: %s %s", row["id"], who, how)
    return became


def time_out(conn: sqlite3.Connection, row: sqlite3.Row, why: str) -> None:
    """End an attempt that ran beyond its timeout, and that nobody runs any more.

    Args:
        conn: the queue file, within the caller's transaction.
        row: one of `RUNNING_JOBS`.
        why: why its worker did not do it.
    """
    if not _had_begun(conn, row):
        give_back(conn, row)
        return
    decision = decide_timeout(
        _policy(row),
        _number(row["attempts"], 1),
        _number(row["max_attempts"], DEFAULT_MAX_ATTEMPTS),
        _number(row["retry_delay"], 0),
    )
    now = Moment.now()
    error = f"Job timed out after {_timeout_s(row)} seconds: {why}"
    values: dict[str, object] = {
        "place": row["place"],
        "token": row["token"],
        "now": now.text,
        "utc": now.utc,
        "error": error,
        "decision": decision.sentence,
        "begun": None,
        "begun_utc": None,
    }
    if decision.goes_on:
        values |= due_after(decision.delay_s, now)
        held = conn.execute(sql.RETRY_LOST_JOB, values).rowcount
    else:
        values |= {"status": JobStatus.TIMEOUT.value, "result": None}
        held = conn.execute(sql.END_LOST_JOB, values).rowcount
    if held:
        output = _output_left(conn, row["execution_id"])
        values |= what_failed(error)
        conn.execute(sql.END_TIMED_OUT_EXECUTION, values | {"output": output})
        logger.warning("Job %s timed out: %s", row["id"], why)


def _for_how_long(row: sqlite3.Row) -> str:
    """Nothing where the job may have been the reason, so that it is not run beside its like.

    What ends its worker does so soon, or again and again.
    """
    began = _began(row)
    if began is None or fnmatchcase(row["error"] or "", "worker * died*"):
        return ""
    seconds = max(0, int(utc_now() - began))
    return f" when this had run for {seconds:,} s" if seconds > SOON_S else ""


def _had_begun(conn: sqlite3.Connection, row: sqlite3.Row) -> bool:
    """Whether the attempt had begun, as far as is recorded: if not, it had been claimed ahead."""
    found = conn.execute(sql.PROCESS_OF, (row["execution_id"],)).fetchone()
    return found is None or found["pid"] is not None


def _why_no_more(row: sqlite3.Row, attempts: float, most: float) -> str:
    if row["on_crash"] == "fail":
        return "it must not run again after a crash"
    if attempts >= most:
        return f"its attempts are used up ({attempts} of {most})"
    return f"its process has died {CRASHES_ALLOWED} times"


def _policy(row: sqlite3.Row) -> RetryPolicy | None:
    """The job's own; one that can't be read is for its next claim to tell."""
    try:
        return RetryPolicy.decode(row["retry_policy"])
    except ValueError:
        return None


def _number(value: object, default: float) -> float:
    return value if isinstance(value, (int, float)) else default


def _output_left(conn: sqlite3.Connection, execution_id: object) -> str | None:
    """The name of the file that the dead worker kept of the attempt's output, if there is one."""
    path = conn.execute("PRAGMA database_list").fetchone()[2]
    if not path or not is_kept(attempt_output(path, execution_id)):
        return None
    return output_name(execution_id)


def _time_out_for_gigq(conn: sqlite3.Connection, row: sqlite3.Row) -> bool:
    """GigQ's own scan for timeouts, which its workers do only when they look for a job."""
    most = _number(row["max_attempts"], DEFAULT_MAX_ATTEMPTS)
    again = _number(row["attempts"], 0) < most
    delay = _number(row["retry_delay"], 0)
    now = Moment.now()
    error = f"Job timed out after {_timeout_s(row)} seconds"
    values: dict[str, object] = {
        "place": row["place"],
        "began": row["began"],
        "now": now.text,
        "utc": now.utc,
        "status": (JobStatus.PENDING if again else JobStatus.TIMEOUT).value,
        "error": error,
        "ended": None if again else now.utc,
        **due_after(delay if again else 0, now),
    }
    held = conn.execute(sql.GIGQ_TIMEOUT, values).rowcount
    if held:
        conn.execute(sql.GIGQ_TIMEOUT_EXECUTIONS, values | what_failed(error))
        logger.warning("Job %s, run by GigQ's worker %s, timed out", row["id"], row["worker_id"])
    return held > 0
