"""`--once`: one snapshot of the queue on stdout, for people as a table and for scripts as JSON.

The JSON is one object, and keeps its keys from release to release; new ones may be added:

    format           1
    taken_at         when the file was read (all times: naive local ISO 8601, or null)
    file             path, label (what the header shows beside the name, or null), attached,
                     journal_mode ("immutable": the file may not be written, and is read as it
                     stands), size, wal_size (bytes), sqlite_version, utc_offsets (that GigQ's
                     workers and the others have different ones, or null)
    paused           whether the queue is paused
    counts           ready, blocked, delayed, running, completed, failed, timeout, cancelled,
                     other, pending (the first three together), total, and doomed: part of
                     blocked, null where it isn't known
    filter           the filter's text
    sort             the order of `jobs` as --sort takes it
    matched          how many jobs match it; `jobs` holds the first of them
    jobs             id, name, function, batch (or null), lane (or null), schedule (or null),
                     host (where an agent runs it or ran it last, or null), status (the raw
                     word), state (the derived one), why, priority, attempts, max_attempts,
                     timeout_s, created_at, started_at, completed_at, due_at, worker_id, error,
                     and of a running job that reports
                     progress: done, total (or null), percent (or null), note, at, eta_s (seconds
                     until all is done, or null); null for any other. With --columns that name
                     parameters or results: columns, their values as they are shown
    workers          id, owner, host, pid, health (alive, lost, stopped, unknown), suspended, state,
                     request, isolation, slots, started_at, stopped_at, done, failed,
                     last_claim_at, log_path, running (id, name, started_at, host: where an agent
                     runs it, or null), agents (id, via, host, pid, python, slots, busy, load,
                     state: starting, ready, silent, lost, refused or stopped, began, heard,
                     latency_s, trouble; null for what is not known)
    foreign_workers  workers of GigQ's, known by what they hold: id, running
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

from gigq_core.errors import FileChanged
from gigq_core.fleet.agents_seen import AgentSeen
from gigq_core.reasons.agent_words import place_of, trouble_of
from gigq_core.reasons.why import left_seconds, state_of, why
from gigq_core.rows.progress import percent_of
from gigq_core.text import storable
from gigq_core.units.times import local, moment_of, to_text
from gigq_tui import format as text
from gigq_tui.columns import JobAt, column_named, own_key, own_names, usual_columns, value_label
from gigq_tui.store.agents import HOST
from gigq_tui.store.clock import SYSTEM_CLOCK, Clock
from gigq_tui.store.filter.language import NO_FILTER, Filter
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Counts, JobRow, RunningJob, Snapshot, WorkerRow
from gigq_tui.store.reader import Reader
from gigq_tui.store.sorting import NEWEST, Sort

FORMAT = 1
DEFAULT_ROWS = 50
MAX_ROWS = 1_000
# A file that is read as it stands, and written meanwhile, is read so often.
TRIES = 5
_NAME_WIDTH = 32
# A cell of the jobs is cut at so many cells.
_CELLS = 160
_MOST_CELLS = {"name": _NAME_WIDTH}
_GAP = "  "
_COUNTED = ("ready", "blocked", "delayed", "running", "completed", "failed", "timeout", "cancelled")


def take(
    path: Path,
    filter_: Filter = NO_FILTER,
    limit: int = DEFAULT_ROWS,
    clock: Clock = SYSTEM_CLOCK,
    reader_factory: Callable[[Path, Clock], Reader] = Reader,
    sort: Sort = NEWEST,
    columns: Sequence[str] = (),
) -> Snapshot:
    """Read one snapshot.

    Args:
        path: The queue file; it is opened for reading only.
        filter_: Which jobs.
        limit: How many of them, from 0 to `MAX_ROWS`.
        clock: Where the present moment comes from.
        reader_factory: What reads; another one in tests.
        sort: Their order; the claim order knows waiting jobs alone.
        columns: What is shown of them, as far as it has to be read for it.

    Raises:
        DatabaseError: The file can't be read; the message is a sentence for a person.
    """
    for tries_left in range(TRIES - 1, -1, -1):
        reader = reader_factory(path, clock)
        try:
            own = (HOST, *(name for name in own_names(columns) if name != HOST))
            view = View(filter=filter_, size=max(1, limit), sort=sort, own=own)
            return reader.snapshot(view)
        except FileChanged:
            if not tries_left:
                raise
        finally:
            reader.close()
    raise AssertionError("unreachable")


def as_json(snapshot: Snapshot, limit: int = DEFAULT_ROWS, label: str = "") -> str:
    """The snapshot as the object that this module documents; ASCII, so no character steers."""
    info, counts = snapshot.info, snapshot.counts
    answer = {
        "format": FORMAT,
        "taken_at": _moment(snapshot.taken_at),
        "file": {
            "path": storable(info.path),
            "label": label or None,
            "attached": info.attached,
            "journal_mode": info.journal_mode,
            "size": info.size,
            "wal_size": info.wal_size,
            "sqlite_version": info.sqlite_version,
            "utc_offsets": storable(info.offsets) or None,
        },
        "paused": snapshot.paused,
        "counts": {
            **{state: getattr(counts, state) for state in _COUNTED},
            "other": counts.other,
            "pending": counts.pending,
            "total": counts.total,
            "doomed": counts.doomed,
            "told_apart": counts.told_apart,
        },
        "filter": snapshot.filter_text,
        "sort": str(snapshot.sort),
        "matched": snapshot.window.matching,
        "jobs": [_job(row, snapshot.taken_at) for row in snapshot.window.rows[:limit]],
        "workers": [_worker(worker) for worker in snapshot.workers],
        "foreign_workers": [
            {"id": worker.id, "running": [_running(job) for job in worker.running]}
            for worker in snapshot.foreign_workers
        ],
    }
    return json.dumps(answer, indent=2)


def as_text(
    snapshot: Snapshot,
    limit: int = DEFAULT_ROWS,
    width: int | None = None,
    label: str = "",
    columns: Sequence[str] = (),
) -> str:
    """The snapshot as lines for a person: plain text, whatever the jobs hold.

    Args:
        snapshot: What was read.
        limit: How many rows of the table to show.
        width: Cells of a line; None where the text goes into a file.
        label: What the file is called besides its name.
        columns: The columns of the jobs; none for the usual ones.
    """
    lines = [_head(snapshot, label)]
    if snapshot.info.offsets:
        lines.append(text.inert(f"{snapshot.info.offsets}: delays are off for GigQ's workers"))
    lines.append(_counts_line(snapshot.counts))
    lines += _worker_lines(snapshot)
    lines.append("")
    lines += _table(snapshot, limit, columns)
    if width is not None:
        lines = [text.cut(line, width) for line in lines]
    return "\n".join(line.rstrip() for line in lines)


def _head(snapshot: Snapshot, label: str) -> str:
    info = snapshot.info
    parts = [text.inert(info.path)]
    if label:
        parts.append(text.inert(label))
    if not info.attached:
        parts.append("GigQ's own file, not changed")
    how = "no write access, read only" if info.still else f"{info.journal_mode} mode"
    parts.append(f"{how}, {text.size(info.size)}")
    parts.append(f"read {local(snapshot.taken_at):%Y-%m-%d %H:%M:%S}")
    if snapshot.paused:
        parts.append("QUEUE PAUSED")
    return _GAP.join(parts)


def _counts_line(counts: Counts) -> str:
    parts = [text.plural(counts.total, "job") + ":"]
    for state in _COUNTED:
        number = getattr(counts, state)
        word = f"{state} {text.count(number)}"
        if state == "blocked" and counts.doomed:
            word += f" ({text.count(counts.doomed)} doomed)"
        parts.append(word)
    if counts.other:
        parts.append(f"other {text.count(counts.other)}")
    return _GAP.join(parts)


def _worker_lines(snapshot: Snapshot) -> list[str]:
    now = snapshot.taken_at
    live = [worker for worker in snapshot.workers if worker.health.value != "stopped"]
    if not live and not snapshot.foreign_workers:
        return ["no workers"]
    cells: list[tuple[str, ...]] = []
    for worker in live:
        state = worker.state if worker.health.value == "alive" else worker.health.value.upper()
        state = "SUSPENDED" if worker.suspended else state
        cells.append(
            (
                f"worker {text.inert(worker.id)}",
                f"pid {worker.pid}",
                text.inert(state),
                f"up {_age(worker.started_at, now)}",
                f"done {worker.done}",
                f"failed {worker.failed}",
                _holds(worker.running, now),
            )
        )
        cells += [_agent_cells(agent, now) for agent in worker.agents]
    for foreign in snapshot.foreign_workers:
        name = f"GigQ worker {text.inert(foreign.id)}"
        cells.append((name, "", "of GigQ", "", "", "", _holds(foreign.running, now)))
    return _aligned(cells)


def _agent_cells(agent: AgentSeen, now: datetime) -> tuple[str, ...]:
    """An agent below its worker."""
    state = agent.state if agent.state == "ready" else agent.state.upper()
    told = (trouble_of(agent, now.timestamp()), text.inert(agent.via) if agent.host else "")
    return (
        f"{_GAP}agent {place_of(agent)}",
        "" if agent.pid is None else f"pid {agent.pid}",
        state,
        f"up {_age(moment_of(agent.began), now)}",
        f"busy {agent.busy}/{agent.slots}",
        "" if agent.load is None else f"load {agent.load:.1f}",
        ", ".join(filter(None, told)),
    )


def _table(snapshot: Snapshot, limit: int, names: Sequence[str]) -> list[str]:
    rows = snapshot.window.rows[:limit]
    matched = (
        f"{text.plural(snapshot.window.matching, 'job')} match" if snapshot.filter_text else ""
    )
    if not rows:
        return [matched or "no jobs"] if limit else []
    now = snapshot.taken_at
    chosen = [column for name in names if (column := column_named(name)) is not None]
    columns = chosen or usual_columns()
    cells = [tuple(column.title for column in columns)]
    for row in rows:
        job = JobAt.of(row, now)
        told = [(column.name, text.inert(column.cell(job, 0)[0])) for column in columns]
        cells.append(tuple(text.cut(said, _MOST_CELLS.get(name, _CELLS)) for name, said in told))
    lines = _aligned(cells)
    left = snapshot.window.matching - len(rows)
    if left > 0:
        lines.append(f"and {text.count(left)} more (--limit shows more, --filter fewer)")
    return lines


def _aligned(cells: Sequence[tuple[str, ...]]) -> list[str]:
    """Columns as wide as their widest cell; the last one is left as it is."""
    widths = [max(text.width_of(row[n]) for row in cells) for n in range(len(cells[0]) - 1)]
    return [
        _GAP.join([*(text.pad(cell, w) for cell, w in zip(row, widths, strict=False)), row[-1]])
        for row in cells
    ]


def _holds(running: Iterable[RunningJob], now: datetime) -> str:
    held = [
        f"{text.inert(job.id[:8])} {text.cut(text.inert(job.name), _NAME_WIDTH)} "
        f"{_elapsed(job.started_at, now)}{f' on {text.inert(job.host)}' if job.host else ''}"
        for job in running
    ]
    return f"runs {', '.join(held)}" if held else "idle"


def _age(moment: datetime | None, now: datetime) -> str:
    return "-" if moment is None else text.age((now - moment).total_seconds())


def _elapsed(moment: datetime | None, now: datetime) -> str:
    return "" if moment is None else text.elapsed((now - moment).total_seconds())


def _job(row: JobRow, now: datetime) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "function": row.function,
        "batch": row.batch or None,
        "lane": row.lane or None,
        "schedule": row.schedule or None,
        "host": row.host or None,
        "status": row.status,
        "state": state_of(row, now).value,
        "why": why(row, now),
        "priority": row.priority,
        "attempts": row.attempts,
        "max_attempts": row.max_attempts,
        "timeout_s": row.timeout_s,
        "created_at": _moment(row.created_at),
        "started_at": _moment(row.started_at),
        "completed_at": _moment(row.completed_at),
        "due_at": _moment(row.due),
        "worker_id": row.worker_id,
        "error": row.error,
        "progress": _progress(row, now),
        **({"columns": own} if (own := _own(row)) else {}),
    }


def _own(row: JobRow) -> dict[str, str]:
    """The values of the columns that were asked for, as they are shown; secrets are masked."""
    pairs = ((name, own_key(name), value) for name, value in row.own)
    return {name: value_label(key, value) for name, key, value in pairs if key is not None}


def _progress(row: JobRow, now: datetime) -> dict[str, Any] | None:
    told = row.progress
    if told is None:
        return None
    return {
        "done": told.done,
        "total": told.total,
        "percent": percent_of(told.done, told.total),
        "note": told.note,
        "at": _moment(told.at),
        "eta_s": left_seconds(row, now),
    }


def _worker(worker: WorkerRow) -> dict[str, Any]:
    return {
        "id": worker.id,
        "owner": worker.owner,
        "host": worker.host,
        "pid": worker.pid,
        "health": worker.health.value,
        "suspended": worker.suspended,
        "state": worker.state,
        "request": worker.request,
        "isolation": worker.isolation,
        "slots": worker.slots,
        "started_at": _moment(worker.started_at),
        "stopped_at": _moment(worker.stopped_at),
        "done": worker.done,
        "failed": worker.failed,
        "last_claim_at": _moment(worker.last_claim_at),
        "log_path": worker.log_path,
        "running": [{**_running(job), "host": job.host or None} for job in worker.running],
        "agents": [_agent(agent) for agent in worker.agents],
    }


def _agent(agent: AgentSeen) -> dict[str, Any]:
    return {
        "id": agent.id,
        "via": agent.via,
        "host": agent.host,
        "pid": agent.pid,
        "python": agent.python,
        "slots": agent.slots,
        "busy": agent.busy,
        "load": agent.load,
        "state": agent.state,
        "began": _moment(moment_of(agent.began)),
        "heard": _moment(moment_of(agent.heard)),
        "latency_s": agent.latency,
        "trouble": agent.trouble,
    }


def _running(job: RunningJob) -> dict[str, Any]:
    return {"id": job.id, "name": job.name, "started_at": _moment(job.started_at)}


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else to_text(moment)
