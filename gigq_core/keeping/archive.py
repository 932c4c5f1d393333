"""The archive: jobs that keeping lets go, as lines of JSON in a folder that somebody chose.

One file a day, by the UTC day on which they were written: `jobs.db-2030-01-31.jsonl`. Lines are
plain text, since a line can be added and brought to the disk by itself, while a packed file that
was cut short may be lost behind the cut. Nobody writes to the file of a past day any more.

A line is on the disk before its job leaves the queue. Whatever happens between the two, the job is
in one of both; it may be in both, and then twice in the archive: lines of the same `id` and `ended`
are the same.
"""

from __future__ import annotations

import fcntl
import json
import math
import os
import sqlite3
import stat
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, NoReturn

from gigq_core.rows.decoding import decoded_job
from gigq_core.system.kept_files import open_kept
from gigq_core.system.paths import kept_output
from gigq_core.units.times import moment_told

# What a line looks like; another number when that changes.
LINE_FORMAT = 1
# Of what one attempt printed so much is kept, the first half and the last, in bytes.
MOST_OUTPUT_BYTES = 64 * 1024

_NO_LINKS = getattr(os, "O_NOFOLLOW", 0)
# What only the queue itself goes by, or what is told in another form.
_LEFT_OUT = frozenset(
    (
        *("created_at", "updated_at", "started_at", "completed_at", "worker_id", "execution_id"),
        *("retry_after", "stop_requested_at", "function_module", "function_name", "dependencies"),
        *("run_at", "unique_until", "unique_within", "unique_key", "id", "name", "status"),
    )
)
_LEFT_OUT_OF_ATTEMPTS = frozenset(
    ("started_at", "completed_at", "job_id", "began", "ended", "output", "worker_id", "pid")
)


def made_folder(folder: str | Path) -> Path:
    """A folder for an archive; it is made, for this user alone, if its parent is there.

    Returns:
        Its absolute path, links followed.

    Raises:
        ValueError: it can't be one; the message says why.
    """
    if not str(folder).strip():
        raise ValueError("The archive has no name: give a folder.")
    path = Path(os.path.realpath(Path(folder).expanduser()))
    try:
        str(path).encode()
    except UnicodeEncodeError:
        raise ValueError(f"The archive {str(path)!r} has a name that is not UTF-8.") from None
    try:
        path.mkdir(mode=0o700, exist_ok=True)
    except FileNotFoundError:
        raise ValueError(f"There is no folder {path.parent} for the archive: make it.") from None
    except FileExistsError:
        raise ValueError(f"The archive {path} is not a folder: name another.") from None
    except OSError as problem:
        raise ValueError(f"The archive {path} can't be made: {problem.strerror}.") from None
    if not os.access(path, os.W_OK | os.X_OK):
        raise ValueError(f"The archive {path} may not be written: check its permissions.")
    return path


def file_of(folder: Path, queue: Path, utc: float) -> Path:
    """The file that lines of this moment stand in."""
    day = datetime.fromtimestamp(utc, timezone.utc)
    return folder / f"{queue.name}-{day:%Y-%m-%d}.jsonl"


def append(file: Path, lines: Sequence[bytes]) -> None:
    """Add whole lines to a file of the archive; when this returns they are on the disk.

    What is left of a line that was cut short, as by a power failure, is taken away first.

    Raises:
        OSError: nothing was added.
    """
    # The folder is not made again: where a disk is not mounted, another would fill up.
    folder = os.open(file.parent, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    try:
        flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | _NO_LINKS
        try:
            descriptor = os.open(file.name, flags, 0o600, dir_fd=folder)
        except OSError as problem:
            raise OSError(problem.errno, problem.strerror, str(file)) from None
        with open(descriptor, "r+b", buffering=0) as stream:
            _refuse_what_is_not_ours(descriptor, file)
            _lock(descriptor)
            size = _cut_to_whole_lines(descriptor)
            try:
                _write(descriptor, b"".join(lines))
                os.fsync(stream.fileno())
            except OSError:
                os.ftruncate(descriptor, size)
                raise
            if not size:
                os.fsync(folder)
    finally:
        os.close(folder)


def lines_of(
    queue: Path,
    jobs: Iterable[sqlite3.Row],
    executions: Iterable[sqlite3.Row],
    utc: float,
) -> list[bytes]:
    """The lines of some jobs, each with its attempts and what they printed.

    Args:
        queue: the queue's file.
        jobs: their rows, whole.
        executions: the rows of all their attempts.
        utc: now.
    """
    attempts: dict[object, list[dict[str, Any]]] = {}
    for row in executions:
        attempts.setdefault(row["job_id"], []).append(_attempt(queue, row))
    archived = _iso(utc, None)
    return [_line(queue, row, attempts.get(row["id"], []), archived) for row in jobs]


def _line(
    queue: Path, row: sqlite3.Row, attempts: list[dict[str, Any]], archived: str | None
) -> bytes:
    job = decoded_job(row)
    told = {
        "format": LINE_FORMAT,
        "archived": archived,
        "queue": queue.name,
        "id": row["id"],
        "name": row["name"],
        "function": f"{row['function_module']}.{row['function_name']}",
        "status": row["status"],
        "created": _iso(job.pop("created", None), row["created_at"]),
        "began": _iso(job.pop("began", None), row["started_at"]),
        "ended": _iso(job.pop("ended", None), row["completed_at"] or row["updated_at"]),
        "depends_on": job["dependencies"] or [],
    }
    told |= {
        key: value
        for key, value in job.items()
        if key not in _LEFT_OUT and key not in told and value not in (None, "", [])
        if value is not False or key == "pass_parent_results"
    }
    told["params"] = job["params"]
    told["result"] = job["result"]
    told["executions"] = attempts
    return _encoded(told) + b"\n"


def _attempt(queue: Path, row: sqlite3.Row) -> dict[str, Any]:
    keys = row.keys()
    told: dict[str, Any] = {
        "id": row["id"],
        "status": row["status"],
        "worker": row["worker_id"],
        "began": _iso(row["began"], row["started_at"]),
        "ended": _iso(row["ended"], row["completed_at"]),
    }
    told |= {
        key: row[key]
        for key in keys
        if key not in _LEFT_OUT_OF_ATTEMPTS and key not in told and row[key] is not None
    }
    # The job has it too, if this was the attempt that completed.
    told.pop("result", None)
    if row["output"] is not None:
        told |= _output(queue, row)
    return told


def _output(queue: Path, row: sqlite3.Row) -> dict[str, Any]:
    stream = open_kept(kept_output(queue, row["id"], row["output"]))
    if stream is None:
        return {}
    with stream:
        size = os.fstat(stream.fileno()).st_size
        if size <= MOST_OUTPUT_BYTES:
            return {"output": stream.read(MOST_OUTPUT_BYTES).decode("utf-8", "replace")}
        half = MOST_OUTPUT_BYTES // 2
        head = stream.read(half)
        stream.seek(size - half)
        tail = stream.read(half)
    cut = f"\n[... {size - 2 * half:,} bytes left out]\n"
    text = head.decode("utf-8", "replace") + cut + tail.decode("utf-8", "replace")
    return {"output": text, "output_bytes": size}


def _encoded(value: dict[str, Any]) -> bytes:
    try:
        text = json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    except (TypeError, ValueError, RecursionError):
        text = json.dumps(_plain(value, 0), ensure_ascii=False, separators=(",", ":"))
    # Half a character, which JSON's spelling allows, is none in UTF-8.
    return text.encode("utf-8", "replace")


def _plain(value: Any, depth: int) -> Any:
    """A value that any reader of JSON takes: what is none becomes text."""
    if depth > 100:
        return "..."
    if isinstance(value, dict):
        return {str(key): _plain(inner, depth + 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, depth + 1) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value


def _iso(seconds: object, text: object) -> str | None:
    moment = moment_told(seconds, text)
    if moment is None:
        return None
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]


def _lock(descriptor: int) -> None:
    """Keep others out, who archive a queue of the same name; until it is closed."""
    for pause_s in (0.01, 0.02, 0.04, 0.08, None):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError as problem:
            if pause_s is None:
                raise OSError(problem.errno, "another process writes to it") from None
            time.sleep(pause_s)


def _cut_to_whole_lines(descriptor: int) -> int:
    """Take away what stands behind the last line's end; returns the size that is left."""
    size = os.fstat(descriptor).st_size
    place = size
    while place > 0:
        step = min(place, 64 * 1024)
        end = os.pread(descriptor, step, place - step).rfind(b"\n")
        if end >= 0:
            place = place - step + end + 1
            break
        place -= step
    if place < size:
        os.ftruncate(descriptor, place)
    return place


def _refuse_what_is_not_ours(descriptor: int, file: Path) -> None:
    found = os.fstat(descriptor)
    if not stat.S_ISREG(found.st_mode):
        _refuse(f"{file} is not a regular file")
    if found.st_uid != os.geteuid():
        _refuse(f"{file} belongs to somebody else")


def _refuse(sentence: str) -> NoReturn:
    raise PermissionError(1, sentence)
