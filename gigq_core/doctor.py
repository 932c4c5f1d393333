"""The doctor: what is wrong, or soon will be, with a queue file and the place it lives in."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from gigq_core.identity import ProcessIdentity, is_dead
from gigq_core.schema import ddl
from gigq_core.schema import doctor_statements as sql
from gigq_core.schema.opening import Connection, check_path, is_attached, open_read_only
from gigq_core.schema.transaction import read

# A WAL that stays larger than this means that a reader never lets go, or nobody checkpoints.
LARGE_WAL_BYTES = 64 * 1024 * 1024

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
            findings = [_journal_mode(conn), _wal_size(file), _sqlite_version(), _filesystem(file)]
            if is_attached(conn):
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


def _wal_size(file: Path) -> Finding:
    try:
        size = file.with_name(file.name + "-wal").stat().st_size
    except OSError:
        size = 0
    if size <= LARGE_WAL_BYTES:
        return Finding("wal_size", Level.FINE, f"The WAL holds {size / 1e6:.1f} MB.")
    return Finding(
        "wal_size",
        Level.WARNING,
        f"The WAL has grown to {size / 1e6:.0f} MB: a program holds a read transaction open; end "
        "it, and the next checkpoint shrinks the WAL.",
    )


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
    ours = {**ddl.INDEXES, **ddl.TRIGGERS}
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
            dead.append(row["id"])
    if dead:
        yield Finding(
            "orphans",
            Level.WRONG,
            f"{_jobs(len(dead))} held by a worker that is gone, for example {dead[0]}: start any "
            "worker, and it takes over.",
        )
    else:
        yield Finding("orphans", Level.FINE, "Every running job's worker is there.")


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
    circle = _in_circles(conn)
    if circle:
        yield Finding(
            "circles",
            Level.WARNING,
            f"{_jobs(len(circle))} waiting for each other in a circle, or behind one, for example "
            f"{min(circle)}: cancel them, and submit them without it.",
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


def _in_circles(conn: sqlite3.Connection) -> set[str]:
    """Kahn's algorithm over what waits for what waits: who can't be ordered. GigQ takes circles."""
    waits: dict[str, int] = {}
    children: dict[str, list[str]] = {}
    for child, parent in conn.execute(sql.WAITING_FOR_EACH_OTHER):
        waits[child] = waits.get(child, 0) + 1
        children.setdefault(parent, []).append(child)
    ordered = [parent for parent in children if parent not in waits]
    for parent in ordered:
        for child in children.get(parent, ()):
            waits[child] -= 1
            if waits[child] == 0:
                ordered.append(child)
    return {job_id for job_id, n in waits.items() if n}


def _damaged_rows(conn: sqlite3.Connection) -> Iterator[Finding]:
    damaged = conn.execute(sql.COUNT_DAMAGED).fetchone()[0]
    if damaged:
        yield Finding(
            "damaged_rows",
            Level.WARNING,
            f"{_jobs(damaged)} waiting with parameters or dependencies that aren't JSON: such a "
            "job fails when it is claimed.",
        )


def _jobs(n: int) -> str:
    return "1 job is" if n == 1 else f"{n:,} jobs are"


_ATTACHED_CHECKS: tuple[Callable[[sqlite3.Connection], Iterator[Finding]], ...] = (
    _schema_parts,
    _counters,
    _orphans,
    _never_runs,
)
