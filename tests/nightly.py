"""A workflow of 597 jobs in the middle of a bad night, with the nights before: the same each time.

562 jobs are done, four prices failed and doom thirty jobs, and the export goes on.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

from gigq_core.units.times import to_text
from tests.scene import NOW
from tests.store_files import Writer

NAME = "nightly"
FAILED_PRICES = (11, 12, 40, 77)
ERROR = "ConnectionRefusedError: connect to 10.0.4.7:5432 refused"
# When this run was submitted, in seconds before now, and how long the export takes in the others.
SUBMITTED = 26 * 60.0
EXPORT_S = 40 * 60.0
DAY_S = 86_400.0
_NAMESPACE = uuid.UUID("0d6f3c55-58c0-4a2b-9b43-2d8f6ed1a4b7")


@dataclass(frozen=True)
class Planned:
    """A job of the workflow, and when it begins and ends in seconds from its submission."""

    name: str
    function: str
    after: tuple[str, ...]
    begins: float
    ends: float


def job_id(name: str, night: int = 0) -> str:
    """The id of a job of a run, of this night or of so many nights ago."""
    return str(uuid.uuid5(_NAMESPACE, f"{night}/{name}"))


def run_id(night: int = 0) -> str:
    """The id of a run."""
    return str(uuid.uuid5(_NAMESPACE, f"run {night}"))


def planned() -> Iterator[Planned]:
    """The jobs in the order in which they are submitted."""
    extracts = [f"extract {n}" for n in range(1, 7)]
    cleans = [f"clean {n:03}" for n in range(1, 481)]
    prices = [f"price c{n}" for n in range(1, 81)]
    regions = [f"render region {n:02}" for n in range(1, 29)]
    for n, name in enumerate(extracts):
        yield Planned(name, "feeds.extract", (), 0.0, 40.0 + 5 * n)
    for n, name in enumerate(cleans):
        begins = 65.0 + n // 8 * 7
        yield Planned(name, "feeds.clean", (extracts[n % 6],), begins, begins + 5 + n % 3)
    for n, name in enumerate(prices):
        begins = 490.0 + n // 8 * 30
        after = tuple(cleans[6 * n : 6 * n + 6])
        yield Planned(name, "pricing.price", after, begins, begins + 20 + n % 9)
    yield Planned("export ledger", "ledger.export", tuple(cleans[:12]), 500.0, 500.0 + EXPORT_S)
    for n, name in enumerate(regions):
        begins = 800.0 + n // 4 * 60
        yield Planned(name, "maps.render", tuple(prices), begins, begins + 50)
    yield Planned("audit c11", "pricing.audit", ("price c11",), 600.0, 605.0)
    last = 510.0 + EXPORT_S
    yield Planned("publish nightly", "report.publish", (*regions, "export ledger"), last, last + 30)


def build(path: Path, nights: int = 3, failing: Sequence[int] = (2,)) -> Path:
    """Write the file.

    Args:
        path: where.
        nights: how many runs there are of the nights before.
        failing: in which of them a price failed.
    """
    writer = Writer(path)
    try:
        writer.conn.execute("BEGIN")
        for night in range(nights, 0, -1):
            _write_night(writer, night, failing)
        _write_tonight(writer)
        writer.conn.execute("COMMIT")
    finally:
        writer.close()
    return path


def _write_night(writer: Writer, night: int, failing: Sequence[int]) -> None:
    start = SUBMITTED + night * DAY_S
    for job in planned():
        slower = 1 + 0.1 * (night % 3 - 1)
        ends = job.begins + (job.ends - job.begins) * slower
        failed = night in failing and job.name == "price c40"
        _write(writer, job, night, "failed" if failed else "completed", start, job.begins, ends)


def _write_tonight(writer: Writer) -> None:
    failed = {f"price c{n}" for n in FAILED_PRICES}
    for job in planned():
        if job.name in failed:
            _write(writer, job, 0, "failed", SUBMITTED, job.begins, job.begins + 3)
        elif job.name == "export ledger":
            _write(writer, job, 0, "running", SUBMITTED, job.begins, None)
        elif job.function in ("maps.render", "pricing.audit", "report.publish"):
            _write(writer, job, 0, "pending", SUBMITTED, None, None)
        else:
            _write(writer, job, 0, "completed", SUBMITTED, job.begins, job.ends)
    writer.worker("w1", slots=4)


def _write(
    writer: Writer,
    job: Planned,
    night: int,
    status: str,
    start: float,
    begins: float | None,
    ends: float | None,
) -> None:
    """One job with its attempt; `start` is how long ago its run was submitted."""
    id = job_id(job.name, night)
    module, function = job.function.split(".")
    times = {
        "created_at": _at(-start),
        "updated_at": _at(-start),
        "started_at": None if begins is None else _at(begins - start),
        "completed_at": None if ends is None else _at(ends - start),
    }
    attempt = None if begins is None else str(uuid.uuid5(_NAMESPACE, f"attempt {id}"))
    writer.job(
        id,
        status,
        _ids(job.after, night),
        name=job.name,
        function_module=module,
        function_name=function,
        workflow=NAME,
        workflow_id=run_id(night),
        timeout=7200,
        worker_id=None if begins is None else "w1",
        execution_id=attempt if status == "running" else None,
        attempts=0 if begins is None else 1,
        error=ERROR if status == "failed" else None,
        **times,
    )
    if attempt is None:
        return
    writer.insert(
        "job_executions",
        {
            "id": attempt,
            "job_id": id,
            "worker_id": "w1",
            "status": status,
            "started_at": times["started_at"],
            "completed_at": times["completed_at"],
            "error": ERROR if status == "failed" else None,
        },
    )


def _ids(names: Iterable[str], night: int) -> list[str]:
    return [job_id(name, night) for name in names]


def _at(seconds: float) -> str:
    return to_text(NOW + timedelta(seconds=seconds))
