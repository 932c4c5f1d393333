"""The package's own log: where it goes, and how a record of it is written."""

from __future__ import annotations

import logging
import sys
from functools import lru_cache

from gigq_core.text import bounded, inert
from gigq_core.writing.outlet import Descriptor, Outlet, OutletHandler, OutletStream

LOGGER_NAME = "gigq_core"
LOG_FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
# What a line of the log tells at most, in characters, and how many lines a traceback has.
MOST_OF_A_MESSAGE = 2_000
MOST_OF_A_NAME = 200
MOST_LINES = 60
_INDENT = "    "


def setup_logging(level: int = logging.INFO, *, outlet: Outlet | None = None) -> None:
    """Send this package's log to stderr.

    Importing the package configures nothing; an application that wants to see the log calls
    this once. Calling it again replaces the handler. Nobody who logs ever waits for whoever reads:
    what does not get through is dropped, and the log says how many lines that were.

    Args:
        level: The lowest level that is shown, as in the standard `logging` module.
        outlet: Where it goes instead of stderr.
    """
    logger = logging.getLogger(LOGGER_NAME)
    logger.setLevel(level)
    logger.propagate = False
    for old in list(logger.handlers):
        logger.removeHandler(old)
    outlet = outlet or stderr_outlet()
    handler = logging.StreamHandler() if outlet is None else OutletHandler(outlet)
    handler.setFormatter(InertFormatter())
    logger.addHandler(handler)


def stderr_outlet() -> Outlet | None:
    """What writes to this process's stderr; None where that is something of the application's."""
    stream = sys.__stderr__
    if stream is None or (sys.stderr is not stream and not isinstance(sys.stderr, OutletStream)):
        return None
    try:
        return _outlet_of(stream.fileno(), stream.encoding)
    except (OSError, ValueError):
        return None


@lru_cache
def _outlet_of(fd: int, encoding: str) -> Outlet:
    return Outlet(Descriptor(fd), encoding)


def silence_by_default() -> None:
    """Keep a library's manners: no output unless the application asks for it."""
    logger = logging.getLogger(LOGGER_NAME)
    logger.addHandler(logging.NullHandler())
    logger.propagate = False


class InertFormatter(logging.Formatter):
    """A record is one line of bounded length, in which nothing can steer a terminal.

    Names, errors and paths in a record come from jobs and from files. Lines of a traceback are
    indented, so that none of them can look like a record of its own.
    """

    def __init__(self) -> None:
        super().__init__(LOG_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the lines of the traceback where the record has one."""
        lines = [
            LOG_FORMAT
            % {
                "asctime": self.formatTime(record),
                "name": inert(bounded(record.name, MOST_OF_A_NAME)),
                "levelname": record.levelname,
                "message": inert(bounded(_message(record), MOST_OF_A_MESSAGE)),
            }
        ]
        if record.exc_info and record.exc_info[0] is not None:
            lines += _indented(self.formatException(record.exc_info))
        if record.stack_info:
            lines += _indented(record.stack_info)
        return "\n".join(lines)


def _message(record: logging.LogRecord) -> str:
    try:
        return record.getMessage()
    # Whatever a value's own __str__ raises, the log goes on.
    except Exception as problem:  # noqa: BLE001
        return f"{record.msg} ({type(problem).__name__} while its values were written out)"


def _indented(text: str) -> list[str]:
    lines = text.splitlines()
    if len(lines) > MOST_LINES:
        half = MOST_LINES // 2
        left = f"[... {len(lines) - 2 * half:,} more lines]"
        lines = [*lines[:half], left, *lines[-half:]]
    return [_INDENT + inert(bounded(line, MOST_OF_A_MESSAGE)) for line in lines]
