"""The jobs of these tests: each run leaves its traces, line by line, in one file."""

from __future__ import annotations

import os
import time
import uuid
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

TICK_S = 0.01


def trace(path: str, label: str, run: str, word: str) -> None:
    """Append a line: one write, so that lines of several processes do not mix."""
    fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
    try:
        os.write(fd, f"{label} {run} {os.getpid()} {word}\n".encode())
    finally:
        os.close(fd)


def traced(path: str, label: str, seconds: float = 0.0, failures: int = 0, **_: Any) -> str:
    """Run for a while; the first `failures` runs raise."""
    run = uuid.uuid4().hex
    before = len(runs(Path(path)).get(label, ()))
    trace(path, label, run, "begun")
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        time.sleep(TICK_S)
        trace(path, label, run, "goes on")
    trace(path, label, run, "ended")
    if before < failures:
        raise ValueError(f"failure {before + 1}")
    return label


def late_at_first(path: str, label: str, raises: bool = False) -> str:
    """The first run waits for the file `path`.go, then ends; a later one ends at once."""
    run = uuid.uuid4().hex
    first = label not in runs(Path(path))
    trace(path, label, run, "begun")
    while first and not Path(path + ".go").exists():
        time.sleep(TICK_S)
    trace(path, label, run, "ended")
    if first and raises:
        raise ValueError("late")
    return "late" if first else "in time"


def given(value: Any) -> Any:
    """Return it."""
    return value


def refusing() -> None:
    """Fail."""
    raise ValueError("no")


def reporting_parents(parent_results: dict[str, Any], job_context: Any) -> dict[str, Any]:
    """What the job is told of its parents."""
    parents = job_context.parents
    return {
        "results": parent_results,
        "status": {id: parent.status for id, parent in parents.items()},
        "errors": {id: parent.error for id, parent in parents.items()},
    }


@dataclass
class Run:
    """One run of a job, as it left its traces."""

    run: str
    pid: int
    words: list[str] = field(default_factory=list)

    @property
    def ended(self) -> bool:
        return self.words[-1] == "ended"


def runs(path: Path) -> dict[str, list[Run]]:
    """The runs of each job, in the order they began."""
    found: dict[str, list[Run]] = defaultdict(list)
    for line in path.read_text().splitlines() if path.exists() else ():
        label, run, pid, word = line.split(maxsplit=3)
        known = next((r for r in found[label] if r.run == run), None)
        if known is None:
            found[label].append(known := Run(run, int(pid)))
        known.words.append(word)
    return dict(found)


def overlapping(path: Path) -> list[str]:
    """The jobs of which a run left a trace after the next one had begun."""
    latest: dict[str, str] = {}
    seen: set[str] = set()
    wrong = []
    for line in path.read_text().splitlines():
        label, run = line.split()[:2]
        if run != latest.get(label) and run in seen:
            wrong.append(label)
        latest[label] = run
        seen.add(run)
    return wrong


def order(path: Path, word: str) -> list[str]:
    """The jobs in the order in which they came to `word`."""
    lines = [line.split(maxsplit=3) for line in path.read_text().splitlines()]
    return [line[0] for line in lines if line[3] == word]


def stamped(path: str, label: str, seconds: float = 0.0) -> None:
    """Leave the moments of its begin and its end, by the clock that all processes share."""
    run = uuid.uuid4().hex
    trace(path, label, run, f"{time.monotonic()}")
    time.sleep(seconds)
    trace(path, label, run, f"{time.monotonic()}")


def most_at_once(path: Path, died: dict[int, float] | None = None) -> dict[str, int]:
    """How many runs of `stamped` there were at a time, at most, for each label.

    Args:
        path: where they left their moments.
        died: when a process was killed: a run in it without an end lasted until then.
    """
    changes: dict[str, list[tuple[float, int]]] = defaultdict(list)
    for label, found in runs(path).items():
        for run in found:
            began = float(run.words[0])
            ended = float(run.words[1]) if len(run.words) > 1 else (died or {}).get(run.pid, began)
            changes[label] += [(began, 1), (ended, -1)]
    most = {}
    for label, steps in changes.items():
        running = most[label] = 0
        for _, step in sorted(steps):
            running += step
            most[label] = max(most[label], running)
    return most
