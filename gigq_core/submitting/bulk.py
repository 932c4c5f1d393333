"""Jobs from a JSONL file, one a line, every line checked before anything is written.

A line is a JSON object: the parameters of one job, or `{"params": {...}, "name": ..., ...}` where
the job differs from the others in more than its parameters. What a line does not say is taken from
what all the jobs have in common. Empty lines are passed over. Lines of an export are read too,
where that is wanted: see `MovedJobs`.
"""

from __future__ import annotations

import json
import stat
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from gigq_core.errors import GigQError
from gigq_core.job import OPTION_NAMES, FunctionReference, Job, JobOptions, over
from gigq_core.lane_names import filled

if TYPE_CHECKING:
    from gigq_core.submitting.moved_jobs import MovedJobs

MAX_JOBS = 100_000
MAX_LINE_BYTES = 1_000_000
# Mistakes that are told one by one; the rest is counted.
MISTAKES_SHOWN = 20
# How many lines are read between two checks whether anybody still wants them.
_LINES_BETWEEN_CHECKS = 500

# What a line may say beside its parameters, and the option that it is.
KEYS = {"depends_on" if name == "dependencies" else name: name for name in OPTION_NAMES}


class BulkTrouble(GigQError):
    """The lines can't be submitted. `mistakes` are sentences that begin with the line's number.

    `more` counts the mistakes that are not among them.
    """

    def __init__(self, mistakes: tuple[str, ...], more: int = 0) -> None:
        self.mistakes = mistakes
        self.more = more
        super().__init__("\n".join(self.sentences))

    @property
    def summary(self) -> str:
        """The first mistake, and how many more there are, in one sentence."""
        more = len(self.mistakes) - 1 + self.more
        return f"{self.mistakes[0].rstrip('.')} (and {more:,} more)." if more else self.mistakes[0]

    @property
    def sentences(self) -> tuple[str, ...]:
        """The mistakes, and how many more there are."""
        noun = "line is" if self.more == 1 else "lines are"
        return (
            (*self.mistakes, f"and {self.more:,} more {noun} wrong.")
            if self.more
            else (self.mistakes)
        )


class Unwanted(Exception):
    """Nobody wants the lines any more."""


@dataclass(frozen=True)
class JobTemplate:
    """What all the jobs have in common.

    `params` are those that a line need not repeat; its own come over them. Without a function each
    line has to name its own, as those of an export do.
    """

    function: FunctionReference | None
    params: Mapping[str, Any] = field(default_factory=dict)
    options: JobOptions = field(default_factory=JobOptions)

    def job(self, params: Mapping[str, Any], changes: Mapping[str, Any]) -> Job:
        """One of the jobs.

        Args:
            params: Its own parameters.
            changes: What else it differs in, by the names of `Job`'s arguments.

        Raises:
            TypeError: As for `Job`.
            ValueError: As for `Job`.
        """
        values = self.options.values()
        values["dependencies"] = list(self.options.dependencies)
        values.update(function=self.function, params={**self.params, **params})
        job = Job(**over(values, changes))
        # What is missing for the name of its lane will not come any more.
        filled(job.lane, job.params)
        return job


def read_jobs(
    lines: Iterable[bytes],
    template: JobTemplate,
    misfit: Callable[[Mapping[str, Any]], str],
    unwanted: Callable[[], bool] = lambda: False,
    moved: MovedJobs | None = None,
) -> list[Job]:
    """The jobs of all lines, none of them submitted yet.

    Args:
        lines: UTF-8, one JSON object each; see `lines_of`.
        template: What the jobs have in common.
        misfit: Says why the function can't be called with some parameters, or nothing.
        unwanted: Asked from time to time whether to give up.
        moved: Takes the lines of an export; without it they are refused.

    Raises:
        BulkTrouble: Some lines are wrong, there is none, or there are too many.
        Unwanted: `unwanted` said so.
    """
    jobs: list[Job] = []
    mistakes: list[str] = []
    wrong = 0
    for number, line in enumerate(lines, start=1):
        if number % _LINES_BETWEEN_CHECKS == 0 and unwanted():
            raise Unwanted
        if not line.strip() or (moved is not None and moved.passes_over(line)):
            continue
        if len(jobs) + wrong >= MAX_JOBS:
            raise BulkTrouble(
                (f"line {number}: there are more than {MAX_JOBS:,} jobs: split the file.",)
            )
        try:
            if moved is not None and moved.is_one(line):
                jobs.append(_moved_job(line, template, moved))
            else:
                jobs.append(_job_of(line, template, misfit))
        except (TypeError, ValueError) as problem:
            wrong += 1
            if len(mistakes) < MISTAKES_SHOWN:
                mistakes.append(f"line {number}: {problem}")
    if mistakes:
        raise BulkTrouble(tuple(mistakes), wrong - len(mistakes))
    if not jobs and moved is not None and moved.passed_over:
        raise BulkTrouble(("No job in it waits: what has begun or ended is not submitted again.",))
    if not jobs:
        raise BulkTrouble(("There is no job in it: write one JSON object a line.",))
    return jobs


def lines_of(stream: IO[bytes]) -> Iterator[bytes]:
    """The lines of a stream; of one that is too long only as much as tells that it is."""
    while line := stream.readline(MAX_LINE_BYTES + 1):
        yield line
        while len(line) > MAX_LINE_BYTES and not line.endswith(b"\n"):
            line = stream.readline(MAX_LINE_BYTES + 1)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """A JSONL file, open for reading; a pipe or a device would never end, and is refused.

    Raises:
        GigQError: It can't be read, or is no file.
    """
    try:
        # Looked at before it is opened: to open a pipe waits for whoever writes into it.
        if not stat.S_ISREG(path.stat().st_mode):
            what = "a folder" if path.is_dir() else "not a regular file"
            raise GigQError(f"{path} is {what}: name a file with one JSON object a line.")
        stream = path.open("rb")
    except FileNotFoundError:
        raise GigQError(f"There is no file {path}.") from None
    except (OSError, ValueError) as problem:
        reason = getattr(problem, "strerror", None) or problem
        raise GigQError(f"{path} can't be read: {reason}.") from None
    with stream:
        yield stream


def is_full_id(text: str) -> bool:
    """Whether this is a whole job id, and not only the beginning of one."""
    try:
        return str(uuid.UUID(text)) == text
    except ValueError:
        return False


def refuse_twice(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Make an object whose every key stands in it once: of two values one would be lost unseen.

    Raises:
        ValueError: A key appears twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise ValueError(f"{json.dumps(key)} appears twice.")
            seen.add(key)
    return found


def _job_of(line: bytes, template: JobTemplate, misfit: Callable[[Mapping[str, Any]], str]) -> Job:
    value = _object(line)
    if template.function is None:
        raise ValueError("it names no function: give the command the FUNCTION that it calls.")
    params, changes = _parts(value)
    reason = misfit({**template.params, **params})
    if reason:
        raise ValueError(reason)
    return template.job(params, changes)


def _moved_job(line: bytes, template: JobTemplate, moved: MovedJobs) -> Job:
    value = _object(line)
    function = moved.function(value)
    params, changes = value.get("params"), _changes(value)
    if not isinstance(params, dict):
        raise TypeError("its params are not a JSON object: write {...}.")
    if not is_full_id(str(value.get("id"))):
        raise ValueError(f"its id is {json.dumps(value.get('id'))[:40]}: give it a UUID.")
    if reason := function.misfit({**template.params, **params}):
        raise ValueError(reason)
    changes["function"] = function.reference
    changes["ours"] = bool(changes.get("ours")) or template.options.ours or function.ours
    job = template.job(params, changes)
    moved.bring(job, value)
    return job


def _object(line: bytes) -> dict[str, Any]:
    if len(line) > MAX_LINE_BYTES:
        raise ValueError(f"it is longer than {MAX_LINE_BYTES:,} bytes.")
    value = _decoded(line)
    if not isinstance(value, dict):
        raise TypeError("it is not a JSON object: write the job's parameters, {...}.")
    return value


def _decoded(line: bytes) -> Any:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeDecodeError as problem:
        raise ValueError(f"it is not UTF-8 at byte {problem.start + 1}.") from None
    try:
        return json.loads(text, parse_constant=refuse_constant, object_pairs_hook=refuse_twice)
    except json.JSONDecodeError as problem:
        raise ValueError(f"not JSON: {problem.msg}, character {problem.pos + 1}.") from None
    except RecursionError:
        raise ValueError("it is nested too deeply.") from None


def refuse_constant(word: str) -> NoReturn:
    """Refuse what Python reads as a number, and JSON does not know.

    Raises:
        ValueError: always.
    """
    raise ValueError(f"{word} is not JSON.")


def _parts(value: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """The line's own parameters, and what else it says of its job."""
    params = value.get("params")
    if not isinstance(params, dict):
        return value, {}
    unknown = [key for key in value if key != "params" and key not in KEYS]
    if unknown:
        raise ValueError(
            f"{json.dumps(unknown[0])} is not an option of a job: beside params a line may have "
            f"{', '.join(KEYS)}."
        )
    return params, _changes(value)


def _changes(value: dict[str, Any]) -> dict[str, Any]:
    """What a line says of its job by the names of `Job`'s arguments."""
    changes = {KEYS[key]: inner for key, inner in value.items() if key in KEYS}
    parents = changes.get("dependencies")
    if parents is not None and not isinstance(parents, list):
        raise TypeError(f"depends_on takes a list of job ids, not {json.dumps(parents)[:40]}.")
    for parent in parents or []:
        if not isinstance(parent, str) or not is_full_id(parent):
            raise ValueError(f"depends_on takes whole job ids, not {json.dumps(parent)[:40]}.")
    return changes
