"""A queue of 34 hours with a bad night: 412 failures of six kinds between 02:00 and 04:00.

By the reader's own clock, it is the morning after; the night before was a good one.
"""

from __future__ import annotations

import random
from datetime import datetime
from pathlib import Path

from tests.attempts import AttemptWriter

# The morning after, by the reader's clock.
MORNING = datetime(2026, 11, 27, 10, 30).astimezone()
HOURS = 34
FAILURES = 412

# What each function takes, in seconds, and how many of its jobs come in an hour.
_FUNCTIONS = {
    "feeds.fetch_feed": (0.4, 40),
    "images.resize": (2.0, 30),
    "report.render": (9.0, 12),
    "mail.send": (0.2, 18),
}
_KINDS = (
    ("feeds.fetch_feed", "ConnectionRefusedError", "connect to 10.0.0.{n}:80 refused", 118),
    ("feeds.fetch_feed", "OSError", "[Errno 28] No space left on device '/data/{n}'", 69),
    ("feeds.fetch_feed", "KeyError", "{n}", 38),
    ("images.resize", "ValueError", "cannot identify image file '{n}.png'", 90),
    ("images.resize", "MemoryError", "", 47),
    ("report.render", "TimeoutError", "read timed out after {n} s", 50),
)


def build(path: Path, attached: bool = True, now: datetime = MORNING) -> Path:
    """Write the file, with the same rows each time, and return its path."""
    chance = random.Random(7)
    end = now.timestamp()
    night = end - 8.5 * 3_600
    rows: list[tuple[float, str, float, str, str, str]] = []
    for name, (median, an_hour) in _FUNCTIONS.items():
        # Rendering is slower than the day before, in the last hours.
        for n in range(HOURS * an_hour):
            began = end - HOURS * 3_600 + (n + chance.random()) * 3_600 / an_hour
            if night <= began < night + 7_200 and name != "mail.send":
                continue
            slow = 2.0 if name == "report.render" and began > end - 4 * 3_600 else 1.0
            took = slow * median * chance.lognormvariate(0.0, 0.4)
            bad = chance.random() < 0.01
            error = "ValueError: odd" if bad else ""
            rows.append((began, name, took, "failed" if bad else "completed", error, ""))
    for name, kind, message, number in _KINDS:
        for n in range(number):
            began = night + 60 + chance.random() * 7_000
            error = f"{kind}: {message.format(n=n % 9)}".rstrip(": ")
            rows.append((began, name, 0.5 + chance.random(), "failed", error, kind))
    rows.sort()
    writer = AttemptWriter(path, attached)
    writer.conn.execute("BEGIN")
    for number, (began, name, took, status, error, _) in enumerate(rows):
        module, _, function = name.rpartition(".")
        id = f"{number:05x}"
        created = datetime.fromtimestamp(began - 3).isoformat()
        times = {
            "started_at": datetime.fromtimestamp(began).isoformat(),
            "completed_at": datetime.fromtimestamp(min(end - 1, began + took)).isoformat(),
        }
        writer.job(
            id,
            status,
            name=f"{function} c{number % 40} p{number % 7}",
            function_module=module,
            function_name=function,
            params=f'{{"customer": {number % 40}, "page": {number % 7}}}',
            created_at=created,
            updated_at=times["completed_at"],
            attempts=1,
            error=error or None,
            **times,
        )
        writer.insert(
            "job_executions",
            {
                "id": f"{id}-1",
                "job_id": id,
                "worker_id": f"w{number % 4 + 1}",
                "status": status,
                "error": error or None,
                **times,
            },
        )
    writer.conn.execute("COMMIT")
    writer.close()
    return path
