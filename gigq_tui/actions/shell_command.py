"""The command line that does what an action did, ready to paste into a shell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gigq_core.job import JobOptions
from gigq_core.schedules.rules import CATCH_UPS, OVERLAPS
from gigq_core.text import UNSAFE
from gigq_core.unique import Unique
from gigq_core.units.durations import seconds_text
from gigq_core.units.sizes import size_text
from gigq_tui.actions.shell_words import line_of
from gigq_tui.actions.workers import environment
from gigq_tui.actions.workers.setup import GRACE_S, WorkerSetup
from gigq_tui.format import is_secret
from gigq_tui.viewpoint import Viewpoint

if TYPE_CHECKING:
    from gigq_tui.actions.submit import ScheduleTerms, SubmitRequest

PROGRAM = "gigq-core"
CONSOLE = "gigq-tui"
# More ids than these make a command line that nobody reads, and that a terminal may not take.
MOST_NAMED = 20
# So many commands are shown in a question.
_MOST_SHOWN = 3
_END = "IDS"


def command(path: Path, *words: str) -> str:
    """`gigq-core --db PATH WORDS...`, quoted for a shell."""
    return line_of([PROGRAM, "--db", str(path), *words])


def for_jobs(path: Path, verb: str, ids: Iterable[str], *options: str) -> str:
    """The command for an act on jobs; many ids are handed to it on its standard input.

    Ids that would read as options are kept from it by `--`.
    """
    names = list(ids)
    if len(names) > MOST_NAMED and not any(_breaks_lines(name) for name in names):
        line = command(path, verb, *options, "--ids-from", "-")
        # Quoted, so that the shell takes nothing in it for its own.
        return "\n".join([f"{line} <<'{_END}'", *names, _END])
    return command(path, verb, *options, *guarding(names), *names)


def first_commands(commands: str) -> list[str]:
    """The first ones of some commands, a line each, as many as a question has room for."""
    return commands.split("\n")[:_MOST_SHOWN]


def guarding(names: Iterable[str]) -> list[str]:
    """What keeps names from being read as options, where one looks like it."""
    return ["--"] if any(name.startswith("-") for name in names) else []


def _breaks_lines(name: str) -> bool:
    """Whether an id can't be a line of its own."""
    return name == _END or name != name.strip() or UNSAFE.search(name) is not None


def for_view(path: Path, view: Viewpoint, *, read_only: bool = False) -> str:
    """The command that opens the console on a view.

    The tab and the order are always said: without any part of a view, whoever runs it would see
    what they looked at last.
    """
    words = [CONSOLE, str(path.absolute()), "--tab", view.tab.name.lower()]
    for part, value in view.words.items():
        if part != "tab":
            words += [f"--{part}", value if isinstance(value, str) else ",".join(value)]
    return line_of([*words, *(["--read-only"] if read_only else [])])


def for_submit(path: Path, request: SubmitRequest) -> str:
    """The command that submits the same, or stores it, with a placeholder for each secret."""
    return command(path, *words_of_submit(request))


def words_of_submit(request: SubmitRequest) -> list[str]:
    """That command's words behind the file."""
    if request.schedule is not None:
        return _words_of_schedule(request, request.schedule)
    words = ["submit", request.function, "--name", request.options.name]
    words += _words_of_job(request)
    if request.copies > 1:
        words += ["--copies", str(request.copies)]
    if request.jsonl is not None:
        words += ["--jsonl", str(request.jsonl.absolute())]
    return words


def _words_of_schedule(request: SubmitRequest, terms: ScheduleTerms) -> list[str]:
    options = ["--zone", terms.zone]
    options += ["--catch-up", terms.catch_up] if terms.catch_up != CATCH_UPS[0] else []
    options += ["--overlap", terms.overlap] if terms.overlap != OVERLAPS[0] else []
    if request.options.name != request.function.rpartition(".")[2]:
        options += ["--job-name", request.options.name]
    options += _words_of_job(request)
    places = [terms.name, terms.when, request.function]
    if guard := guarding(places):
        return ["schedule", "add", *options, *guard, *places]
    return ["schedule", "add", *places, *options]


def _words_of_job(request: SubmitRequest) -> list[str]:
    """Parameters and options, but for the name."""
    words: list[str] = []
    for key, value in request.params.items():
        words += ["--param", f"{key}={param_text(key, value)}"]
    for name, value in request.options.changed().items():
        if name != "name":
            words += _words_of_option(name, value)
    return words


def _words_of_option(name: str, value: object) -> list[str]:
    flag = f"--{JobOptions.flag_of(name)}"
    if isinstance(value, Unique):
        return _words_of_unique(flag, value)
    if name == "ours" or (name == "unique" and value is True):
        return [flag]
    if name == "memory" and isinstance(value, int):
        return [flag, size_text(value)]
    if isinstance(value, bool):
        return [flag if value else f"--no-{flag[2:]}"]
    if name == "retry" and isinstance(value, (list, tuple)):
        return ["--retry-delays", ",".join(map(_typed, value))]
    if isinstance(value, (list, tuple)):
        return [word for one in value for word in (flag, _typed(one))]
    return [flag, _typed(value)]


def _words_of_unique(flag: str, value: Unique) -> list[str]:
    usual = Unique(value.key)
    words = [flag] if value.key is True else [flag, str(value.key)]
    words += ["--unique-until", value.until] if value.until != usual.until else []
    words += ["--unique-within", _typed(value.within)] if value.within is not None else []
    words += ["--on-duplicate", value.conflict] if value.conflict != usual.conflict else []
    return words


def _typed(value: object) -> str:
    """One value as it is typed behind its option."""
    if isinstance(value, type):
        return f"{value.__module__}.{value.__qualname__}"
    if isinstance(value, float):
        return seconds_text(value)
    return value.isoformat() if isinstance(value, datetime) else str(value)


def for_worker(path: Path, setup: WorkerSetup, count: int = 1) -> str:
    """The command that starts such a worker, with a placeholder for each secret."""
    words = ["worker", *setup.slot_words]
    here = ["--python", setup.python, "--chdir", str(setup.chdir)]
    words += setup.remote_words if setup.via else here
    if setup.grace_s != GRACE_S:
        words += ["--grace", seconds_text(setup.grace_s)]
    words += setup.lane_words
    line = command(path, *words)
    if setup.environment:
        line = f"{environment.without_secrets(setup.environment)} {line}"
    return f"for i in $(seq {count}); do {line} & done" if count > 1 else line


def for_requests(path: Path, worker_ids: Sequence[str], request: str) -> str:
    """The command that asks workers for something."""
    if len(worker_ids) == 1:
        return command(path, "ask", *guarding(worker_ids), worker_ids[0], request)
    line = f'{command(path, "ask", *guarding(worker_ids))} "$w" {request}'
    return f"for w in {line_of(worker_ids)}; do {line}; done"


def param_text(key: str, value: Any) -> str:
    """A parameter's value as `--param key=...` takes it: JSON, or the bare text of a string."""
    value = without_secrets(value, key)
    if isinstance(value, str) and not _reads_as_json(value):
        return value
    return json.dumps(value, ensure_ascii=False)


def without_secrets(value: Any, key: str = "") -> Any:
    """A copy of decoded JSON in which `<key>` stands for each value under a secret's key.

    Args:
        value: Whatever JSON can hold.
        key: The key under which the value itself stands.
    """
    if is_secret(key):
        return f"<{key}>"
    if isinstance(value, Mapping):
        return {name: without_secrets(inner, str(name)) for name, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_secrets(inner) for inner in value]
    return value


def _reads_as_json(text: str) -> bool:
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return False
    return True
