"""A queue file in which every column tries something: to steer, to hide, to outgrow, to confuse.

Each payload names the column that it stands in, so that what comes out of a screen tells where it
came from. What may never come out is in `STEERING`.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from gigq_core.system.paths import logs_folder
from tests.store_files import Writer

# A name for a folder or a file: everything but the slash and the NUL is allowed.
HOSTILE_NAME = "a\x1b]0;PWNED\x07[@click=app.quit]x\u202e\u9b1a\x9b31m \n'\"%3f"
BLOB_NAME = b"bytes-\xff\xfe-\x9b5m"

ESCAPES = (
    "\x1b]0;PWNED-{m}\x07"
    "\x1b[8m\x1b[?1049l\x1b[2J\x1bc\x1b[6n\x1b[>0q\x1b#8\x9b31;5m\x9d0;PWNED\x9c"
)
STRINGS = "\x1bP+q544e\x1b\\\x1b_GPWNED;AAAA\x1b\\\x1b^PWNED\x1b\\\x1bXPWNED\x1b\\\x90PWNED\x9c {m}"
CLIPBOARD = "\x1b]52;c;UFdORUQ=\x07\x1b]8;;http://PWNED/{m}\x07link\x1b]8;;\x07"
MARKUP = "[@click=app.quit]{m}[/] [link=http://PWNED]x[/link] [blink]b[/ [[ ]] [/nope] [red"
MARKDOWN = "[bold red on #deadbe]{m}[/] :skull: [$error]y[/] [@click='screen.back']z[/]"
BIDI = "\u202e{m}\u202c\u2066x\u2069\u200f\u061c\u200b\u200d\u2060\ufeff\u00ad\u180e\U000e0041"
MARKS = "{m} a" + "\u0301" * 250 + "b" + "\u20dd" * 40 + "\u0e01" + "\u0e49" * 60
EMOJI = (
    "\U0001f468\u200d\U0001f469\u200d\U0001f467\u2764\ufe0f\U0001f44d\U0001f3fd"
    "\U0001f1e9\U0001f1ea{m}"
)
WIDE = (
    "\u4e2d\u6587{m}\uff37\uff49\uff44\uff45\u1112\u1161\u11ab\ufdfa\u3164\u115f\u0915\u094d\u0937"
)
BREAKS = "{m}\ta\r\nb\x0bc\x0cd\x85e\u2028f\x08\x08\x08g\x00hidden\x7f"
NUMBERS = "1e999"
PAYLOADS = (
    ESCAPES, STRINGS, CLIPBOARD, MARKUP, MARKDOWN, BIDI, MARKS, EMOJI, WIDE, BREAKS, NUMBERS
)  # fmt: skip
BAD_TEXT = b"caf\xe9 \xed\xa0\x80 \xff\xfe \x9b31m \x1b[31m \xc3 {m}"

# Nothing of these may reach a terminal or a pipe: no control character but a line end (and what a
# terminal's own program sends), nothing that reorders or hides, no flood of marks.
STEERING = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u034f\u061c\u115f\u180b-\u180f\u200b-\u200f\u2028-\u202e"
    "\u2060-\u206f\u3164\ufeff\ufff9-\ufffb\ud800-\udfff\U000e0000-\U000e0fff]"
    "|[\u0300-\u036f\u0e31\u0e34-\u0e4e\u20d0-\u20f0]{7}"
)

DEEP = "[" * 100_000
NESTED = '{"a":' * 700 + "1" + "}" * 700
LONG = 10_000_000
MANY_PARENTS = 100_000

_TIMES = ("0001-01-01T00:00:00", "9999-12-31T23:59:58", "-5", "1e999", "2026-02-31T99:99:99Z")
_STATUSES = ("pending", "running", "completed", "failed", "timeout", "cancelled")


def build(path: Path, attached: bool, *, long: int = LONG, parents: int = MANY_PARENTS) -> Path:
    """Write such a queue.

    Args:
        path: a new file; its folder exists.
        attached: with our tables, or as GigQ itself makes it.
        long: how many characters the long values have.
        parents: how many jobs one job depends on.
    """
    writer = Writer(path, attached)
    writer.conn.execute("BEGIN")
    # The oldest first: what stands lowest on the screen.
    _dear_jobs(writer, long, parents)
    for number, values in enumerate(_odd_jobs(), 1):
        _insert(writer, "jobs", {"id": f"odd{number:05}-{'x' * 20}"} | values)
    for number, payload in enumerate(PAYLOADS):
        for status in ("failed", "pending", "running") if payload is ESCAPES else ("failed",):
            _hostile_job(writer, path, number, payload, status)
    if attached:
        _hostile_workers(writer)
    writer.conn.execute("COMMIT")
    writer.close()
    return path


def filled(payload: str, where: str) -> str:
    """The payload, with the place it stands in."""
    return payload.replace("{m}", where)


def _ago(seconds: float) -> str:
    # Beside the machine's own hour, so that ages are ordinary where nothing odd is meant.
    return (datetime.now() - timedelta(seconds=seconds)).isoformat()


def _job(status: str) -> dict[str, Any]:
    values: dict[str, Any] = {"function_module": "tasks", "function_name": "work", "name": "job"}
    values |= {"status": status, "params": "{}", "dependencies": "[]"}
    values |= {"created_at": _ago(600), "updated_at": _ago(600)}
    if status != "pending":
        values["started_at"] = _ago(60)
    if status not in ("pending", "running"):
        values["completed_at"] = _ago(30)
    return values


def _insert(writer: Writer, table: str, values: dict[str, Any]) -> None:
    if not isinstance(values.get("id"), bytes):
        writer.insert(table, values)
        return
    # A column's affinity leaves bytes alone; CAST brings them in as text that is no UTF-8.
    names, marks = ", ".join(values), ", ".join("?" * len(values))
    writer.conn.execute(
        f"INSERT INTO {table} ({names}) VALUES ({marks.replace('?', 'CAST(? AS TEXT)', 1)})",
        tuple(values.values()),
    )


def _hostile_job(writer: Writer, path: Path, number: int, payload: str, status: str) -> None:
    """One job that says its payload in every column that holds text, and in what belongs to it."""

    def say(where: str) -> str:
        return filled(payload, f"{where}{number}")

    # SQLite's functions stop at a NUL, so a row with one in its id can't be found by it.
    id = f"{number:02}{say('id')}".replace("\0", "")[:60] + status
    quoted = say("params").encode("unicode_escape").decode("ascii")
    values = _job(status) | {
        "id": id,
        "name": say("name"),
        "function_module": say("module"),
        "function_name": say("function"),
        "params": json_of({say("key"): say("value"), "token": "hunter2", "n": float("inf")}),
        "description": say("description"),
        "error": say("error"),
        "result": json_of([say("result"), quoted]),
        "worker_id": say("worker"),
        "dependencies": json_of([say("parent"), "odd00001-" + "x" * 20]),
    }
    writer.insert("jobs", values)
    attempt = f"attempt-{number}-{status}"
    execution = {
        "id": attempt,
        "job_id": id,
        "worker_id": say("worker"),
        "status": say("outcome") if number % 2 else "failed",
        "started_at": _ago(60),
        "completed_at": _ago(30),
        "error": say("error"),
        "result": say("result"),
    }
    columns = {row[1] for row in writer.conn.execute("PRAGMA table_info(job_executions)")}
    if "traceback" in columns:
        output = f"attempts/{attempt}.log"
        file = logs_folder(path) / output
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(say("printed").encode("utf-8", "replace") + b"\r\n" + BAD_TEXT)
        execution |= {"traceback": say("traceback"), "output": output, "pid": number}
    writer.insert("job_executions", execution)


def _odd_jobs() -> Iterator[dict[str, Any]]:
    yield _job("completed")
    yield _job("failed") | {"id": "nul\0id"}
    for time in _TIMES:
        yield _job("running") | {"created_at": time, "started_at": time, "worker_id": "w"}
        yield _job("failed") | {"created_at": time, "started_at": time, "completed_at": time}
        yield _job("pending") | {"retry_after": time}
    bad = BAD_TEXT.replace(b"{m}", b"blob")
    yield _job("failed") | {"id": bad, "name": bad, "error": bad, "params": bad, "status": bad}
    for value in (float("inf"), float("-inf"), 2**63 - 1, -(2**63), "1e999", "NaN", b"\x1b[31m"):
        names = ("priority", "attempts", "max_attempts", "timeout", "retry_delay")
        yield _job("failed") | dict.fromkeys(names, value)
    yield _job("failed") | {"params": DEEP, "result": NESTED}
    yield _job("failed") | {"params": NESTED, "result": '{"a": 1e999, "b": NaN, "c": -Infinity}'}
    yield _job("failed") | {"result": '"\\ud800 \\u001b[31m \\u202e"', "params": '{"\\udc00": 1}'}
    for word in ("", "\x1b[31mfailed", "unheard-of", "FAILED"):
        yield _job("failed") | {"status": word}


def _dear_jobs(writer: Writer, long: int, parents: int) -> None:
    """Rows that are dear to read: long in each column, and with a great many parents."""
    text = {
        *("id", "name", "function_name", "function_module", "params", "description", "status"),
        *("created_at", "updated_at", "result", "error", "started_at", "completed_at"),
        *("worker_id", "retry_after", "dependencies"),
    }
    if long:
        for status in ("failed", "pending"):
            values = _job(status) | {
                column: filled(f"\x1b[31m{{m}}{'L' * long}", column)
                for column in text - {"status", "id"}
            }
            writer.insert("jobs", values | {"id": f"long-{status}"})
            for _ in range(2):
                values = {"id": f"{writer.conn.total_changes}", "job_id": f"long-{status}"}
                for column in ("worker_id", "status", "started_at", "error", "result"):
                    values[column] = f"\x1b[31m{'E' * long}"
                writer.insert("job_executions", values)
        listed = f'["{"P" * long}"]'
        writer.insert("jobs", _job("pending") | {"id": "long-list", "dependencies": listed})
        writer.insert("jobs", _job("failed") | {"id": "I" * long})
        writer.insert("jobs", _job("failed") | {"id": "long-status", "status": "S" * long})
    many = json_of([f"missing-{number}" for number in range(parents)])
    writer.insert("jobs", _job("pending") | {"id": "many-parents", "dependencies": many})


def _hostile_workers(writer: Writer) -> None:
    for number, payload in enumerate(PAYLOADS):

        def say(where: str, payload: str = payload, number: int = number) -> str:
            return filled(payload, f"{where}{number}")

        writer.worker(
            say("worker"),
            **{name: say(name) for name in ("owner", "host", "isolation", "state", "request")},
            log_path=say("log"),
            pid=2**62 if number % 2 else -1,
            slots=10**15 if number % 3 else -5,
            done=10**17,
        )
    writer.worker("wide" * 50, pid="many", state="running", started_at="1e999")


def json_of(value: Any) -> str:
    """As `json.dumps`, with every character as it is."""
    import json

    return json.dumps(value, ensure_ascii=False)


def rows_of(path: Path) -> int:
    """How many jobs are in the file."""
    connection = sqlite3.connect(path)
    try:
        return int(connection.execute("SELECT COUNT(*) FROM jobs").fetchone()[0])
    finally:
        connection.close()
