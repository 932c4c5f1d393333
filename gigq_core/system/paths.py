"""Which file a path leads to, and where the files that stand beside a queue file are.

Ids come out of the file, where anybody may have written them: each path made of an id is made here,
of ids of our form alone.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

from gigq_core.text import unstored

# UUIDs, and what is as harmless as the name of a file on any system.
_OUR_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_-]{0,63}")
_PLAIN_WORKER_ID = re.compile(r"[0-9A-Za-z][0-9A-Za-z_.@+-]{0,99}")


def queue_file(path: str | Path) -> Path:
    """The file that a path leads to: the path itself, unless there is a link on the way.

    A queue has one name: whatever stands beside it (its WAL, its logs), whatever is watched and
    whatever is compared goes by this one, so that a path through a link leads to the same queue.
    """
    try:
        real = os.path.realpath(path)
    except (OSError, ValueError):
        return Path(path)
    if real == os.path.abspath(path) or (os.path.islink(path) and not os.path.exists(real)):
        # A link to nowhere keeps its name: whoever looks says that it is one.
        return Path(path)
    return Path(real)


def parts_of(path: str | Path) -> tuple[Path, ...]:
    """The queue's file and what SQLite keeps beside it: nothing else may be written there."""
    file = Path(path).resolve()
    return file, *(file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm", "-journal"))


def logs_folder(db_path: str | Path) -> Path:
    """The folder that holds the workers' logs and the jobs' captured output."""
    path = queue_file(db_path).absolute()
    return path.with_name(path.name + "-logs")


def stored_path(text: str) -> Path:
    """The path that a worker's row tells; bytes that are not UTF-8 stand there as escapes."""
    path = Path(text)
    return path if unstored(text) == text or path.exists() else Path(unstored(text))


def stack_prefix(db_path: str | Path, worker_id: str) -> str:
    """Where a worker's processes put their stack when asked; the pid and `.txt` follow."""
    return str(logs_folder(db_path) / "stacks" / f"{_file_name_of(worker_id)}-")


def attempt_output(db_path: str | Path, execution_id: object) -> Path | None:
    """The file that holds what one attempt printed; there is none if it printed nothing.

    None for an id that is not of our form: no attempt of ours has it, and nothing was kept.
    """
    name = output_name(execution_id)
    return None if name is None else logs_folder(db_path) / name


def kept_output(db_path: str | Path, execution_id: object, named: object) -> Path | None:
    """That file, as far as the row agrees: one that names another file than its own is damaged.

    Args:
        db_path: the queue's file.
        execution_id: the attempt's id, out of the file.
        named: what the row says; None while the attempt runs.
    """
    if named is not None and named != output_name(execution_id):
        return None
    return attempt_output(db_path, execution_id)


def output_name(execution_id: object) -> str | None:
    """That file's name within the folder of logs, as it is stored; None as in `attempt_output`."""
    if not isinstance(execution_id, str) or not _OUR_ID.fullmatch(execution_id):
        return None
    return f"attempts/{execution_id}.log"


def worker_log(db_path: str | Path, worker_id: str) -> Path:
    """Where the log of a worker goes that is given none."""
    return logs_folder(db_path) / f"{_file_name_of(worker_id)}.log"


def _file_name_of(worker_id: str) -> str:
    """A worker's id as part of a file's name; people choose such ids freely."""
    if _PLAIN_WORKER_ID.fullmatch(worker_id):
        return worker_id
    import hashlib

    return "~" + hashlib.sha256(worker_id.encode("utf-8", "backslashreplace")).hexdigest()[:32]
