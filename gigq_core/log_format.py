"""How a record of the log is written: one line, harmless and bounded, whatever it tells."""

from __future__ import annotations

import logging

from gigq_core.text import bounded, inert

LOG_FORMAT = "%(asctime)s - %(name)s - %(levelname)s - %(message)s"
# What a line of the log tells at most, in characters, and how many lines a traceback has.
MOST_OF_A_MESSAGE = 2_000
MOST_OF_A_NAME = 200
MOST_LINES = 60
_INDENT = "    "


class InertFormatter(logging.Formatter):
    """A record is one line of bounded length, in which nothing can steer a terminal.

    Names, errors and paths in a record come from jobs and from files. Lines of a traceback are
    indented, so that none of them can look like a record of its own.
    """

    def __init__(self) -> None:
        super().__init__(LOG_FORMAT)

    def format(self, record: logging.LogRecord) -> str:
        """The line, and the lines of the traceback where the record has one."""
        told = [
            LOG_FORMAT
            % {
                "asctime": self.formatTime(record),
                "name": inert(bounded(record.name, MOST_OF_A_NAME)),
                "levelname": record.levelname,
                "message": inert(bounded(_message(record), MOST_OF_A_MESSAGE)),
            }
        ]
        if record.exc_info and record.exc_info[0] is not None:
            told += _indented(self.formatException(record.exc_info))
        if record.stack_info:
            told += _indented(record.stack_info)
        return "\n".join(told)


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
