"""Where logs go: the package's loggers, and the folder of captured output beside a queue file."""

from __future__ import annotations

import logging
from pathlib import Path

LOGGER_NAME = "gigq_core"
LOG_FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"


def setup_logging(level: int = logging.INFO) -> None:
    """Send this package's log to stderr.

    Importing the package configures nothing; an application that wants to see the log calls
    this once. Calling it again replaces the handler.

    Args:
        level: the lowest level that is shown, as in the standard `logging` module.
    """
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(level)
    logger.propagate = False
    for old in list(logger.handlers):
        logger.removeHandler(old)
    handler = logging.StreamHandler()
    handler.setFormatter(logging.Formatter(LOG_FORMAT))
    logger.addHandler(handler)


def silence_by_default() -> None:
    """Keep a library's manners: no output unless the application asks for it."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


def logs_folder(db_path: str | Path) -> Path:
    """The folder that holds the workers' logs and the jobs' captured output."""
    path = Path(db_path)
    return path.with_name(path.name + "-logs")


def stack_prefix(db_path: str | Path, worker_id: str) -> str:
    """Where a worker's processes put their stack when asked; the pid and `.txt` follow."""
    from urllib.parse import quote

    return str(logs_folder(db_path).absolute() / "stacks" / f"{quote(worker_id, safe='')}-")


def attempt_output(db_path: str | Path, execution_id: str) -> Path:
    """The file that holds what one attempt printed; there is none if it printed nothing."""
    return logs_folder(db_path) / "attempts" / f"{execution_id}.log"
