"""One table of jobs, of every kind there is, and what the file tells of them in the end.

The same jobs run in the local pool and elsewhere: what is told of them is the same.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from gigq_core import Backoff, Job
from gigq_core.job import FunctionReference
from tests.agents import work
from tests.integration import asking, chores, hungry, submitting, telling
from tests.integration.conftest import Place
from tests.waiting import wait_until

CHORES, TELLING, WORK = chores.__name__, telling.__name__, work.__name__
ASKING, SUBMITTING, HUNGRY = asking.__name__, submitting.__name__, hungry.__name__
# A name that stands for a path of its own for each job: `@pids` is a file of that job's.
PATH = "@"


NOTHING: Mapping[str, Any] = MappingProxyType({})


class Kind(NamedTuple):
    """A job of the table.

    Args:
        function: its module and its name there.
        params: its parameters; texts that begin with `@` become paths in the test's folder.
        options: the rest of `Job`.
        parents: names of jobs that it waits for.
        cancels: whether it is cancelled as soon as it has left a line in `@pids`.
        leaves: how many processes it notes in `@pids`, which are gone in the end.
    """

    name: str
    function: tuple[str, str]
    params: Mapping[str, Any] = NOTHING
    options: Mapping[str, Any] = NOTHING
    parents: tuple[str, ...] = ()
    cancels: bool = False
    leaves: int = 0


ONCE: dict[str, Any] = {"max_attempts": 1}
QUICK: dict[str, Any] = {"max_attempts": 3, "retry_delay": 0.01}
TABLE = (
    # What is returned.
    Kind("nothing", (CHORES, "nothing")),
    Kind("add", (CHORES, "add"), {"a": 2, "b": 3}),
    Kind("unicode", (WORK, "large_result"), {"size": 10}),
    Kind("a large result", (WORK, "large_result"), {"size": 300_000}),
    Kind(
        "large parameters",
        (WORK, "take_large"),
        {"value": "ü\n" * 200_000},
        parents=("unicode", "a large result"),
    ),
    Kind("an object", (CHORES, "give"), {"what": "object"}, ONCE),
    Kind("nan", (CHORES, "give"), {"what": "nan"}, ONCE),
    Kind("a set", (CHORES, "give"), {"what": "set"}, ONCE),
    Kind("async", (TELLING, "later"), {"value": [1]}),
    Kind("a context", (TELLING, "facts_at_second"), options=QUICK),
    Kind("surroundings", (WORK, "surroundings")),
    # What is raised.
    Kind("fails", (CHORES, "fail"), {"message": "é\ud800\0"}, ONCE),
    Kind("fails thrice", (CHORES, "fail"), {}, QUICK),
    Kind("fails async", (TELLING, "fail_later"), {}, ONCE),
    Kind("no such module", ("not.there", "f"), {}, ONCE),
    Kind("no such function", (WORK, "not_there"), {}, ONCE),
    Kind("wrong parameters", (CHORES, "add"), {"a": 1}, ONCE),
    Kind("exits", (CHORES, "call_exit"), {}, ONCE),
    Kind("interrupts", (CHORES, "interrupt"), {}, ONCE),
    Kind("recurses", (CHORES, "recurse"), {}, ONCE),
    Kind("asks to retry", (ASKING, "asks"), {"path": "@c", "what": ["retry", 0.01], "times": 2}),
    Kind("snoozes", (ASKING, "asks"), {"path": "@c", "what": ["snooze", 0.01], "times": 3}),
    Kind("gives up", (ASKING, "asks"), {"path": "@c", "what": ["give_up", "no use"]}, QUICK),
    Kind("marked", (ASKING, "asks"), {"path": "@c", "what": ["marked", "x"], "times": 2}),
    Kind(
        "retried by its type",
        (ASKING, "fails"),
        {"path": "@c", "kind": "Deep", "times": 2},
        {"max_attempts": 5, "retry": Backoff(0.01), "retry_on": [ConnectionError]},
    ),
    Kind(
        "given up by its type",
        (ASKING, "fails"),
        {"path": "@c", "kind": "Busy"},
        {"max_attempts": 5, "retry": Backoff(0.01), "give_up_on": [OSError]},
    ),
    # What is printed.
    Kind("speaks", (CHORES, "speak"), {"lines": 20}),
    Kind("prints a MiB", (WORK, "print_bytes"), {"size": work.MIB, "seed": 1}),
    Kind("prints more than is kept", (WORK, "print_bytes"), {"size": 3 * work.MIB + 17, "seed": 2}),
    Kind("floods", (CHORES, "flood"), {"megabytes": 4}),
    # How it is stopped.
    Kind("too long", (CHORES, "hold"), {"path": "@pids"}, {**ONCE, "timeout": 1.5}, leaves=1),
    Kind(
        "too long, with a tree",
        (CHORES, "hold_stubbornly"),
        {"path": "@pids"},
        {**ONCE, "timeout": 2.0},
        leaves=3,
    ),
    Kind(
        "too long, in C",
        (CHORES, "hold_in_c"),
        {"path": "@pids"},
        {**ONCE, "timeout": 2.0},
        leaves=2,
    ),
    Kind(
        "too long, twice",
        (CHORES, "hold"),
        {"path": "@pids"},
        {"max_attempts": 2, "timeout": 1.5, "retry_delay": 0.01},
        leaves=2,
    ),
    Kind("cancelled", (CHORES, "hold"), {"path": "@pids"}, cancels=True, leaves=1),
    Kind(
        "cancelled, with a tree",
        (CHORES, "hold_stubbornly"),
        {"path": "@pids"},
        cancels=True,
        leaves=3,
    ),
    Kind(
        "cancelled, async",
        (TELLING, "hold_async"),
        {"path": "@pids", "cleaned": "@cleaned"},
        cancels=True,
        leaves=1,
    ),
    Kind(
        "stalls",
        (TELLING, "silent_after"),
        {"done": 42, "total": 100, "path": "@pids"},
        options={**ONCE, "stall_timeout": 1.5},
        leaves=1,
    ),
    # How its process dies.
    Kind("falls", (CHORES, "segfault"), {}, ONCE),
    Kind("ends its process", (CHORES, "end_process"), {"code": 7}, ONCE),
    Kind("dies each time", (CHORES, "die"), {"path": "@pids"}, {**QUICK, "max_attempts": 2}),
    Kind("dies, and is not to", (CHORES, "die"), {"path": "@pids"}, {"on_crash": "fail"}),
    Kind("leaves a process", (WORK, "leave_a_process"), {"path": "@pids"}, leaves=1),
    Kind("leaves a mess", (CHORES, "close_everything"), {}, {**ONCE, "timeout": 2}),
    # What it tells, and what it is told.
    Kind("reports", (TELLING, "track"), {"count": 3_000}),
    Kind("reports, and fails", (TELLING, "report_and_fail"), {"done": 37}, ONCE),
    Kind("reports nonsense", (TELLING, "report_oddly"), {"kind": "nan"}, ONCE),
    Kind("reports long", (TELLING, "report_oddly"), {"kind": "long"}, ONCE),
    Kind("saves", (WORK, "saved_before"), options=QUICK),
    Kind("saves much", (TELLING, "save_much")),
    Kind("saves too much", (TELLING, "save_oddly"), {"kind": "large"}, ONCE),
    Kind(
        "saves from threads",
        (TELLING, "save_from_threads"),
        {"threads": 4, "times": 20},
        options=ONCE,
    ),
    Kind("submits", (SUBMITTING, "fan_out"), {"count": 3, "before": False}),
    Kind("submits before others", (SUBMITTING, "fan_out"), {"count": 2, "before": True}),
    Kind("waits for those", (CHORES, "nothing"), parents=("submits before others",)),
    Kind("submits wrongly", (SUBMITTING, "mistakes"), {}, ONCE),
    # Parents.
    Kind("of parents", (CHORES, "collect"), {}, parents=("add", "unicode")),
    Kind(
        "of a failed one",
        (TELLING, "parents"),
        {},
        parents=("add", "fails"),
        options={"on_parent_failure": "run"},
    ),
    Kind(
        "not without it",
        (CHORES, "nothing"),
        {},
        parents=("gives up",),
        options={"on_parent_failure": "cancel"},
    ),
    # What it takes.
    Kind("takes too much", (HUNGRY, "take"), {"mib": 600}, {"memory": "256M"}),
    Kind("takes it and goes on", (HUNGRY, "take_and_go_on"), {"mib": 600}, {"memory": "256M"}),
)


class Outcome(NamedTuple):
    """What the file, and the folder beside it, tell of one job."""

    job: dict[str, Any]
    attempts: list[dict[str, Any]]


def submit(place: Place, kinds: tuple[Kind, ...] = TABLE) -> dict[str, str]:
    """Submit the jobs; gives the id of each by its name."""
    ids: dict[str, str] = {}
    for kind in kinds:
        job = Job(
            kind.name,
            FunctionReference(*kind.function),
            {key: _param(place, kind.name, value) for key, value in kind.params.items()},
            dependencies=[ids[parent] for parent in kind.parents],
            **kind.options,
        )
        ids[kind.name] = place.queue.submit(job)
    return ids


def _param(place: Place, name: str, value: Any) -> Any:
    if isinstance(value, str) and value.startswith(PATH):
        return str(_file(place, name, value[1:]))
    return value


def _file(place: Place, job: str, name: str) -> Path:
    return place.folder / f"{re.sub(r'[^a-z]+', '-', job)}.{name}"


def run(place: Place, kinds: tuple[Kind, ...] = TABLE, timeout_s: float = 120.0) -> dict[str, str]:
    """Submit the jobs, cancel those that are to be, and wait until all have ended."""
    ids = submit(place, kinds)
    for kind in kinds:
        if kind.cancels:
            pids = _file(place, kind.name, "pids")
            wait_until(
                lambda pids=pids: pids.exists() and pids.read_text().endswith("\n"),  # type: ignore[misc]
                timeout_s,
                f"{kind.name} to begin\n{place.log()}",
            )
            place.queue.cancel(ids[kind.name])
    wait_until(
        lambda: (
            not place.rows("SELECT name, status FROM jobs WHERE status IN ('pending', 'running')")
        ),
        timeout_s,
        f"all jobs to end\n{place.log()}",
    )
    return ids


def pids_of(place: Place, kinds: tuple[Kind, ...] = TABLE) -> dict[str, list[int]]:
    """The processes that jobs noted of themselves, by their names."""
    found = {}
    for kind in kinds:
        if kind.leaves:
            words = _file(place, kind.name, "pids").read_text().split()
            found[kind.name] = [int(word) for word in words]
    return found


def outcomes(place: Place) -> dict[str, Outcome]:
    """What is told of each job by name; jobs of one name stand in order of what is told."""
    told: dict[str, list[Outcome]] = {}
    plain = _plainly(place)
    for row in place.rows("SELECT * FROM jobs"):
        progress = place.rows("SELECT * FROM core_progress WHERE job_id = ?", row["id"])
        saves = place.rows("SELECT saved FROM core_saves WHERE job_id = ?", row["id"])
        job = {name: plain(row[name]) for name in _JOB}
        job["progress"] = [plain([p["done"], p["total"], p["note"]]) for p in progress]
        job["saved"] = [plain(save["saved"]) for save in saves]
        attempts = []
        for attempt in place.rows(
            "SELECT * FROM job_executions WHERE job_id = ? ORDER BY rowid", row["id"]
        ):
            attempts.append({name: plain(attempt[name]) for name in _ATTEMPT})
            attempts[-1]["printed"] = _printed(place, attempt["output"])
            for moment in ("began", "ended", "started_at", "completed_at", "pid"):
                attempts[-1][f"has {moment}"] = attempt[moment] is not None
        told.setdefault(row["name"], []).append(Outcome(job, attempts))
    return {
        name if number == 0 else f"{name} ({number})": outcome
        for name, found in told.items()
        for number, outcome in enumerate(sorted(found, key=repr))
    }


_JOB = (
    *("name", "status", "result", "error", "attempts", "max_attempts", "execution_id"),
    *("worker_id", "stop_requested_at", "submitted_by", "params", "dependencies"),
)
_ATTEMPT = (
    *("status", "result", "error", "traceback", "error_type", "error_message", "fingerprint"),
    "decision",
)


def _printed(place: Place, output: str | None) -> bytes | None:
    if output is None:
        return None
    printed = (Path(f"{place.db}-logs") / output).read_bytes()
    if b"Fatal Python error" not in printed:
        return printed
    # What Python itself says names threads by addresses, and the file that runs jobs by its place.
    printed = re.sub(rb"0x[0-9a-f]+", b"<address>", printed)
    return re.sub(rb'File "[^"]*/((?:start_)?runner.py)", line \d+', rb"File \1", printed)


def _plainly(place: Place) -> Callable[[Any], Any]:
    """A function that takes from a value what differs from one file to the next."""
    names = {row["id"]: f"<{row['name']}>" for row in place.rows("SELECT id, name FROM jobs")}
    workers = {row["id"] for row in place.rows("SELECT id FROM core_workers")}

    def plain(value: Any) -> Any:
        if isinstance(value, list):
            return [plain(each) for each in value]
        if not isinstance(value, str):
            return value
        value = value.replace(str(place.folder), "<folder>")
        for worker in workers:
            value = value.replace(worker, "<worker>")
        value = re.sub(_UUID, lambda found: names.get(found[0], "<an id>"), value)
        value = re.sub(r"\([0-9a-f]{4}…\)", "(<an id>)", value)
        return re.sub(r"0x[0-9a-f]+", "<address>", value)

    return plain


_UUID = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"


def differences(one: dict[str, Outcome], other: dict[str, Outcome]) -> Iterator[str]:
    """Each value that is not the same, in words."""
    for name in sorted(one.keys() | other.keys()):
        if name not in one or name not in other:
            yield f"{name}: only in {'the second' if name in other else 'the first'}"
            continue
        for where, first, second in (
            ("job", one[name].job, other[name].job),
            *(
                (f"attempt {number}", *pair)
                for number, pair in enumerate(
                    zip(one[name].attempts, other[name].attempts, strict=False), 1
                )
            ),
        ):
            for key in first:
                if first[key] != second[key]:
                    both = f"{_shown(first[key])}\n  {_shown(second[key])}"
                    yield f"{name}, {where}, {key}:\n  {both}"
        counts = [len(found[name].attempts) for found in (one, other)]
        if counts[0] != counts[1]:
            yield f"{name}: {counts[0]} attempts, and {counts[1]}"


def _shown(value: Any) -> str:
    text = value if isinstance(value, str) else repr(value)
    return json.dumps(text[:600]) + (f" … {len(text)}" if len(text) > 600 else "")
