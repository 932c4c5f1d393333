"""The doctor: what is wrong, or soon will be, with a queue file and the place it lives in."""

from __future__ import annotations

import os
import shutil
import sqlite3
import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from itertools import groupby
from operator import attrgetter
from pathlib import Path

from gigq_core.fleet.agents_seen import BY_AGENTS, AgentSeen, read_agents
from gigq_core.fleet.utc_offsets import (
    describe_differences,
    differences_for_gigq,
    offsets_of_workers,
)
from gigq_core.functions.function_files import why_missing
from gigq_core.graph.cycles import in_circles
from gigq_core.hooks.rules import read_hooks
from gigq_core.keeping.rules import keeping_words, read_keeping
from gigq_core.lanes.rules import read_lanes, read_takers
from gigq_core.reasons.agent_words import place_of, trouble_of
from gigq_core.rows.decoding import as_int, as_text
from gigq_core.schedules.rules import read_schedules
from gigq_core.schema import ddl, features
from gigq_core.schema import doctor_statements as sql
from gigq_core.schema.attach import is_current, living_of_release_before, living_workers
from gigq_core.schema.opening import Connection, check_path, is_attached, open_read_only
from gigq_core.schema.transaction import read
from gigq_core.submitting.key_holders import count_shared_keys
from gigq_core.system.file_locks import process_words
from gigq_core.system.identity import ProcessIdentity, is_dead, is_suspended
from gigq_core.system.paths import queue_file
from gigq_core.system.wal_index import Holder, WalIndex, read_wal_index
from gigq_core.text import sentence
from gigq_core.units.spans import span
from gigq_core.units.times import utc_now

# A WAL that stays larger than this means that a reader never lets go, or nobody checkpoints.
LARGE_WAL_BYTES = 64 * 1024 * 1024

# How long a lock is watched before somebody is said to keep it, and how often, in seconds.
HELD_S = 1.5
LOOK_AGAIN_S = 0.2

# What is late by so much is done by nobody, in seconds; a hook whose last jobs all failed, so many.
LATE_S = 3600.0
FAILING = 3
# So long after the last that the file tells of it, an agent has ended without its worker, in
# seconds: with room for how seldom that is written.
LEFT_S = 120.0
# An agent that takes so long to answer is slow, in seconds.
SLOW_LINK_S = 1.0
# Of troubles of one kind so many are told.
SHOWN = 10

# Room on the disk: soon none, and as good as none.
LITTLE_SPACE_BYTES = 512 * 1024 * 1024
NO_SPACE_BYTES = 16 * 1024 * 1024

# Two connections, a checkpoint meeting a reset of the WAL: https://sqlite.org/wal.html says that
# it was fixed in 3.51.3. Very rare.
WAL_RESET_BUG_SINCE = (3, 7, 0)
WAL_RESET_BUG_FIXED = (3, 51, 3)

# File systems whose locks SQLite can't rely on: https://sqlite.org/faq.html#q5
NETWORK_FILESYSTEMS = frozenset(
    (
        *("9p", "afpfs", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.glusterfs", "fuse.s3fs"),
        *("fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs3", "nfs4", "smb2"),
        *("smb3", "smbfs", "vboxsf", "virtiofs", "webdav"),
    )
)


class Level(Enum):
    """How much a finding matters: all is well, look at it, or jobs are lost or stuck."""

    FINE = "fine"
    WARNING = "warning"
    WRONG = "wrong"


@dataclass(frozen=True)
class Finding:
    """One thing that was looked at.

    Attributes:
        check: a stable word for scripts, for example `journal_mode`.
        level: how much it matters.
        text: one sentence: what was found and, unless all is well, what to do.
    """

    check: str
    level: Level
    text: str


def examine(path: str | Path) -> list[Finding]:
    """Look at a queue file, read-only; every check gives at least one finding.

    Raises:
        DatabaseError: the file can't be opened as a queue; the message says why.
    """
    file = check_path(path)
    conn = open_read_only(file)
    try:
        with read(conn):
            findings = [_journal_mode(conn), _sqlite_version(), _filesystem(file), _disk(file)]
            if is_attached(conn) and not is_current(conn):
                findings.append(
                    Finding(
                        "attached",
                        Level.FINE,
                        "The previous release attached this file: `gigq-core attach`, or the next "
                        "action, brings it up to date.",
                    )
                )
            elif is_attached(conn):
                for check in _ATTACHED_CHECKS:
                    findings.extend(check(conn))
            else:
                findings.append(
                    Finding(
                        "attached",
                        Level.FINE,
                        "This is GigQ's own file: `gigq-core attach` adds what keeps its jobs.",
                    )
                )
            findings.extend(_damaged_rows(conn))
    finally:
        conn.close()
    # Only now, with the connection closed: it would be one of those that are found.
    findings[1:1] = _locks(file)
    return findings


def _journal_mode(conn: Connection) -> Finding:
    if conn.still is not None:
        return Finding(
            "journal_mode",
            Level.FINE,
            "The file may not be written here, and nobody has it open: it was read as it stands.",
        )
    mode = conn.execute("PRAGMA journal_mode").fetchone()[0]
    if mode == "wal":
        return Finding("journal_mode", Level.FINE, "The journal mode is WAL.")
    return Finding(
        "journal_mode",
        Level.WARNING,
        f"The journal mode is {mode}, so readers and writers wait for each other: the first worker "
        "that starts changes it to WAL.",
    )


def _locks(file: Path) -> Iterator[Finding]:
    """Who holds the file's locks for longer than any program of this package does."""
    first = now = read_wal_index(file)
    until = time.monotonic() + HELD_S
    while (_writes_on(first, now) or _staying(first, now)) and time.monotonic() < until:
        time.sleep(LOOK_AGAIN_S)
        now = read_wal_index(file)
    yield _write_lock(now if _writes_on(first, now) else None)
    yield _wal_size(file, now, _staying(first, now))


def _writes_on(first: WalIndex | None, now: WalIndex | None) -> bool:
    """Whether one process has held the write lock all the time, and committed nothing."""
    if first is None or now is None or now.writer is None:
        return False
    return (first.writer, first.change) == (now.writer, now.change)


def _staying(first: WalIndex | None, now: WalIndex | None) -> frozenset[Holder]:
    """The readers that were in the way all the time."""
    if first is None or now is None:
        return frozenset()
    return now.in_the_way & first.in_the_way


def _write_lock(held: WalIndex | None) -> Finding:
    if held is None:
        return Finding("write_lock", Level.FINE, "Nothing holds the write lock.")
    return Finding(
        "write_lock",
        Level.WRONG,
        f"The write lock has been held for more than {HELD_S:g} s by "
        f"{process_words(held.writer or 0)}, so no job can be submitted, claimed or ended: let "
        "that program commit, or end it.",
    )


def _wal_size(file: Path, index: WalIndex | None, readers: frozenset[Holder]) -> Finding:
    size = wal_bytes(file)
    shown = f"{size / 1e6:.1f} MB"
    if readers:
        who = " and ".join(sorted({process_words(reader.pid) for reader in readers}))
        return Finding(
            "wal_size",
            Level.WARNING,
            f"A read transaction is held open ({who}), so the WAL ({shown}) can't be copied back "
            "and grows with all that is written: end that program.",
        )
    if size > LARGE_WAL_BYTES and (index is None or index.waiting_bytes > LARGE_WAL_BYTES):
        return Finding(
            "wal_size",
            Level.WARNING,
            f"The WAL has grown to {shown}: a program holds a read transaction open, or nobody "
            "writes who copies it back; end the program, or start a worker.",
        )
    if size > LARGE_WAL_BYTES:
        shown += ", none of it needed any more: a worker will shrink it"
    return Finding("wal_size", Level.FINE, f"The WAL holds {shown}.")


def wal_bytes(file: Path) -> int:
    """The size of the WAL on the disk; 0 where there is none."""
    try:
        return os.stat(f"{queue_file(file)}-wal").st_size
    except OSError:
        return 0


def _disk(file: Path) -> Finding:
    free = free_bytes(file)
    if free is None or free >= LITTLE_SPACE_BYTES:
        shown = "not known" if free is None else f"{free / 1e9:.1f} GB"
        return Finding("disk", Level.FINE, f"The free space on the file's disk is {shown}.")
    return Finding(
        "disk",
        Level.WRONG if free < NO_SPACE_BYTES else Level.WARNING,
        f"The file's disk has only {free / 1e6:.1f} MB left, and no job can be submitted or ended "
        "when it is full: free some space.",
    )


def free_bytes(file: Path) -> int | None:
    """What this user may still write on the file's disk; None if it can't be told."""
    try:
        return shutil.disk_usage(queue_file(file).parent).free
    except OSError:
        return None


def _sqlite_version() -> Finding:
    version = sqlite3.sqlite_version
    if not WAL_RESET_BUG_SINCE <= sqlite3.sqlite_version_info < WAL_RESET_BUG_FIXED:
        return Finding("sqlite_version", Level.FINE, f"SQLite is {version}.")
    return Finding(
        "sqlite_version",
        Level.WARNING,
        f"SQLite is {version}, and releases before 3.51.3 have the WAL-reset bug (very rare): use "
        "a Python with a newer SQLite when there is one, and keep backups.",
    )


def _filesystem(file: Path) -> Finding:
    kind = _filesystem_type(file)
    if kind in NETWORK_FILESYSTEMS:
        return Finding(
            "filesystem",
            Level.WRONG,
            f"The file lies on a network file system ({kind}), where locks can't be relied on: "
            "move it to a local disk.",
        )
    return Finding("filesystem", Level.FINE, f"The file system is {kind or 'not known'}.")


def _filesystem_type(file: Path) -> str:
    import psutil

    resolved = file.resolve()
    best, kind = -1, ""
    for partition in psutil.disk_partitions(all=True):
        mount = Path(partition.mountpoint)
        if (resolved == mount or mount in resolved.parents) and len(mount.parts) >= best:
            best, kind = len(mount.parts), partition.fstype
    return kind.lower()


def _schema_parts(conn: sqlite3.Connection) -> Iterator[Finding]:
    present = {row["name"]: row["sql"] for row in conn.execute(sql.SCHEMA_PARTS)}
    indexes = {**ddl.INDEXES, **features.indexes_of(conn)}
    ours = {**indexes, **ddl.TRIGGERS, **features.triggers_of(conn)}
    missing = sorted(ours.keys() - present.keys())
    altered = sorted(
        name
        for name in ours.keys() & present.keys()
        if present[name] != ours[name].strip().replace("IF NOT EXISTS ", "", 1)
    )
    for what, names in (("Missing from", missing), ("Not as it should be in", altered)):
        if names:
            yield Finding(
                "schema",
                Level.WRONG,
                f"{what} the file: {', '.join(names)}. `gigq-core detach` and then "
                "`gigq-core attach` bring everything back.",
            )
    if not (missing or altered):
        yield Finding("schema", Level.FINE, "All indexes and triggers are in place.")


def _release(conn: sqlite3.Connection) -> Iterator[Finding]:
    old = living_of_release_before(conn)
    if old:
        names = ", ".join(str(row["id"]) for row in old)
        yield Finding(
            "release",
            Level.WARNING,
            f"Worker{'s' if len(old) > 1 else ''} {names}: of the previous release, which ignores "
            "the rates of lanes. Drain them, and start them again with this release.",
        )
    else:
        yield Finding("release", Level.FINE, "No worker of an earlier release is at work.")


def _counters(conn: sqlite3.Connection) -> Iterator[Finding]:
    kept = {row["state"]: row["n"] for row in conn.execute(sql.COUNTERS) if row["n"]}
    true = {row["state"]: row["n"] for row in conn.execute(sql.TRUE_COUNTS)}
    if kept == true:
        yield Finding("counters", Level.FINE, "The counters agree with the rows.")
    else:
        yield Finding(
            "counters",
            Level.WRONG,
            f"The counters say {kept} and the rows say {true}: `gigq-core detach` and then "
            "`gigq-core attach` count anew.",
        )


def _orphans(conn: sqlite3.Connection) -> Iterator[Finding]:
    dead = []
    for row in conn.execute(sql.RUNNING_WITH_WORKER).fetchall():
        if row["pid"] is not None and is_dead(ProcessIdentity.of_row(row)) is True:
            dead.append(row)
    if dead:
        elsewhere = any(row["isolation"] == BY_AGENTS for row in dead)
        yield Finding(
            "orphans",
            Level.WRONG,
            f"{_jobs(len(dead))} held by a dead worker, for example {dead[0]['id']}: start any "
            "worker, and it takes over"
            + (", once its agents must have ended." if elsewhere else "."),
        )
    else:
        yield Finding("orphans", Level.FINE, "Every running job has a live worker.")


def _agents(conn: sqlite3.Connection) -> Iterator[Finding]:
    """Agents that run no jobs, of workers that live, and what is left of those that died."""
    found = read_agents(conn)
    living = {as_text(row["id"]) for row in living_workers(conn)}
    now = utc_now()
    troubled = []
    for worker_id, all_of_it in groupby(found, key=attrgetter("worker_id")):
        agents = list(all_of_it)
        if worker_id not in living:
            left = [agent for agent in agents if _may_be_left(agent, now)]
            if left:
                troubled.append(Finding("agents", Level.WARNING, _left_words(left)))
            continue
        if all(agent.state in ("lost", "refused") for agent in agents):
            text = f"Worker {worker_id} runs no job: {_agent_words(agents[0], now)}"
            rest = len(agents) - 1
            more = f", and {rest:,} more {'is' if rest == 1 else 'are'} like it" if rest else ""
            troubled.append(Finding("agents", Level.WRONG, f"{text}{more}."))
            continue
        troubled += [
            Finding("agents", Level.WARNING, f"Worker {worker_id}: {_agent_words(agent, now)}.")
            for agent in agents
            if agent.state in ("silent", "lost", "refused") or _is_slow(agent)
        ]
    yield from troubled[:SHOWN]
    if not troubled:
        states = Counter(agent.state for agent in found if agent.worker_id in living)
        n, starting = states["ready"], states["starting"]
        text = "No worker has agents."
        if n:
            more = f", and {_are(starting)} starting" if starting else ""
            text = f"{_are(n, 'agent')} at work, each over a good link{more}."
        elif starting:
            text = f"{_are(starting, 'agent')} starting."
        yield Finding("agents", Level.FINE, text)


def _are(count: int, what: str = "") -> str:
    """How many are something, as the beginning of that."""
    return f"1{what and f' {what}'} is" if count == 1 else f"{count:,}{what and f' {what}s'} are"


def _agent_words(agent: AgentSeen, utc: float) -> str:
    if _is_slow(agent) and agent.state == "ready":
        return (
            f"its agent {place_of(agent)} takes {span(agent.latency or 0)} to answer, and its "
            "jobs begin and end so much later"
        )
    return f"its agent {place_of(agent)} {trouble_of(agent, utc)}"


def _is_slow(agent: AgentSeen) -> bool:
    return agent.latency is not None and agent.latency >= SLOW_LINK_S


def _may_be_left(agent: AgentSeen, utc: float) -> bool:
    """Whether an agent may go on for a while, whose worker died."""
    if agent.state in ("lost", "refused", "stopped"):
        return False
    return agent.heard is None or utc - agent.heard < LEFT_S


def _left_words(agents: list[AgentSeen]) -> str:
    are = "1 agent is" if len(agents) == 1 else f"{len(agents):,} agents are"
    return (
        f"{are} left of worker {agents[0].worker_id}, which died, for example "
        f"{place_of(agents[0])}: they end by themselves, and any worker then gives back their jobs."
    )


def _never_runs(conn: sqlite3.Connection) -> Iterator[Finding]:
    doomed, missing = conn.execute(sql.COUNT_DOOMED).fetchone()
    if doomed:
        yield Finding(
            "doomed",
            Level.WARNING,
            f"{_jobs(doomed)} waiting behind a parent that failed, timed out or was cancelled: "
            "retry the parent, or cancel what waits for it.",
        )
    if missing:
        yield Finding(
            "missing_parents",
            Level.WARNING,
            f"{_jobs(missing)} waiting for a parent that is not in the queue: submit the parent, "
            "or cancel what waits for it.",
        )
    circle = in_circles(conn.execute(sql.WAITING_FOR_EACH_OTHER))  # GigQ takes them
    if circle:
        yield Finding(
            "circles",
            Level.WARNING,
            f"{_jobs(len(circle))} in a dependency cycle, or behind one, for example "
            f"{min(circle, key=str)}: cancel them, and submit them without it.",
        )
    scripts = conn.execute(sql.COUNT_SCRIPT_JOBS).fetchone()[0]
    if scripts:
        yield Finding(
            "script_jobs",
            Level.WARNING,
            f"{_jobs(scripts)} waiting whose function lives in a script (__main__): only that "
            "script's own worker can run such a job.",
        )
    if not (doomed or missing or circle or scripts):
        yield Finding("doomed", Level.FINE, "Every waiting job can run.")


def _damaged_rows(conn: sqlite3.Connection) -> Iterator[Finding]:
    damaged = conn.execute(sql.COUNT_DAMAGED).fetchone()[0]
    if damaged:
        yield Finding(
            "damaged_rows",
            Level.WARNING,
            f"{_jobs(damaged)} waiting with parameters or dependencies that aren't JSON: such a "
            "job fails when it is claimed.",
        )


def _shared_keys(conn: sqlite3.Connection) -> Iterator[Finding]:
    shared = count_shared_keys(conn)
    if shared:
        have = "1 key of a unique job is" if shared == 1 else f"{shared:,} keys of unique jobs are"
        yield Finding(
            "shared_keys",
            Level.WARNING,
            f"{have} held by two jobs at once: GigQ's requeue does not ask for them. Cancel what "
            "is not to run twice.",
        )


def _jobs(n: int) -> str:
    return "1 job is" if n == 1 else f"{n:,} jobs are"


def _clocks(conn: sqlite3.Connection) -> Iterator[Finding]:
    differences = differences_for_gigq(conn)
    if differences:
        yield Finding(
            "utc_offsets",
            Level.WARNING,
            f"{sentence(differences)} GigQ's workers read a delay as their own "
            "local time, so for them it ends early or late: give all workers the same TZ.",
        )
    elif differences := describe_differences(offsets_of_workers(conn)):
        yield Finding(
            "utc_offsets",
            Level.FINE,
            f"{sentence(differences)} That would matter to GigQ's workers "
            "alone, and none of them is at work.",
        )
    else:
        yield Finding("utc_offsets", Level.FINE, "The workers' UTC offsets agree.")


def _lanes(conn: sqlite3.Connection) -> Iterator[Finding]:
    """Jobs in lanes: that somebody takes them, and how many GigQ would run without their limits."""
    lanes = [lane for lane in read_lanes(conn, utc_now()) if not lane.is_rule_only]
    waiting = sum(lane.waiting for lane in lanes)
    left = [lane for lane in lanes if lane.waiting and not lane.takers]
    if left and read_takers(conn):
        n = sum(lane.waiting for lane in left)
        yield Finding(
            "lanes",
            Level.WARNING,
            f"{_jobs(n)} waiting in lanes that no worker takes, for example in {left[0].name}: "
            f"start one with --lanes {left[0].name}.",
        )
    elif waiting:
        yield Finding(
            "lanes",
            Level.FINE,
            f"{_jobs(waiting)} waiting in lanes; `detach` refuses while there are any, as GigQ's "
            "workers would run them without their limits.",
        )
    else:
        yield Finding("lanes", Level.FINE, "No job waits in a lane.")


def _agenda(conn: sqlite3.Connection) -> Iterator[Finding]:
    """What was to be done by now, though workers live who do it."""
    living = [row for row in living_workers(conn) if not is_suspended(as_int(row["pid"]))]
    late = conn.execute(sql.LATE_ON_AGENDA, (utc_now() - LATE_S,)).fetchall()
    if living and late:
        yield Finding(
            "agenda",
            Level.WRONG,
            f"{late[0]['what']} was due more than an hour ago, and no worker has done it: look "
            f"into the log of worker {living[0]['id']}.",
        )
    else:
        yield Finding("agenda", Level.FINE, "Nothing on the agenda is late.")


def _schedules(conn: sqlite3.Connection) -> Iterator[Finding]:
    found = [schedule for schedule in read_schedules(conn, 0) if schedule.paused_at is None]
    troubles = [(s.name, s.trouble or why_missing(s.function)) for s in found]
    troubles = [(name, trouble) for name, trouble in troubles if trouble]
    for name, trouble in troubles[:SHOWN]:
        yield Finding("schedules", Level.WARNING, f"The schedule {name}: {trouble.rstrip('.')}.")
    if not troubles:
        yield Finding("schedules", Level.FINE, "No schedule is in trouble.")


def _hooks(conn: sqlite3.Connection) -> Iterator[Finding]:
    found = [hook for hook in read_hooks(conn) if hook.paused_at is None]
    troubles = [hook for hook in found if hook.problem or hook.failures_in_a_row >= FAILING]
    for hook in troubles[:SHOWN]:
        why = hook.problem or f"its last {hook.failures_in_a_row} jobs failed"
        yield Finding(
            "hooks", Level.WARNING, f"The hook {hook.name} reports nothing: {why.rstrip('.')}."
        )
    if not troubles:
        yield Finding("hooks", Level.FINE, "No hook fails.")


def _keeping(conn: sqlite3.Connection) -> Iterator[Finding]:
    kept = read_keeping(conn)
    if kept.trouble:
        yield Finding("keeping", Level.WARNING, f"Old jobs can't be deleted. {kept.trouble}")
    else:
        yield Finding("keeping", Level.FINE, f"Jobs are kept: {keeping_words(kept)}.")


_ATTACHED_CHECKS: tuple[Callable[[sqlite3.Connection], Iterator[Finding]], ...] = (
    _release,
    _schema_parts,
    _counters,
    _orphans,
    _agents,
    _never_runs,
    _shared_keys,
    _lanes,
    _agenda,
    _schedules,
    _hooks,
    _keeping,
    _clocks,
)
