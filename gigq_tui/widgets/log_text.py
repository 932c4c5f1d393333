"""A worker's log as lines: short where it is glanced at, as it was written where it is read."""

from __future__ import annotations

import re

from gigq_tui.format import inert_lines, wrap
from gigq_tui.widgets.lines import Line

# "2026-11-23 12:04:19,512 - gigq_core.worker - INFO - ...": the day, the milliseconds and the
# name of the logger say little beside the worker that the log belongs to.
_HEAD = re.compile(r"\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d),\d{3} - [\w.]+ - ([A-Z]+) - ")
_LEVEL = re.compile(r"\b(ERROR|CRITICAL|WARNING)\b")
_UUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_ROLES = {"ERROR": "fail", "CRITICAL": "fail", "WARNING": "warn"}
LEVEL_CELLS = 8


def glance(text: str) -> list[Line]:
    """Return a log with one line for each of its lines, the ids and the heads shortened."""
    lines: list[Line] = []
    for line in inert_lines(text):
        head = _HEAD.match(line)
        rest = _UUID.sub(r"\1", line[head.end() :] if head else line)
        if head is None:
            lines.append(((f" {rest}", ""),))
            continue
        level = head[2]
        lines.append(
            (
                (f" {head[1]} ", "dim"),
                (level.ljust(LEVEL_CELLS), _ROLES.get(level, "dim")),
                (f" {rest}", ""),
            )
        )
    return lines


def whole(text: str, width: int) -> list[Line]:
    """Return a log as it was written, lines that are longer than `width` cells broken."""
    lines: list[Line] = []
    for line in inert_lines(text):
        level = _LEVEL.search(line[:100])
        first, *others = wrap(line, max(1, width - 2))
        if level is None or level.end() > len(first):
            lines.append(((f" {first}", ""),))
        else:
            lines.append(
                (
                    (f" {first[: level.start()]}", ""),
                    (level[0], _ROLES[level[0]]),
                    (first[level.end() :], ""),
                )
            )
        lines += [((f" {piece}", ""),) for piece in others]
    return lines
