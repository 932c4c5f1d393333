"""A worker's log in colours: short where it is glanced at, as it was written where it is read."""

from __future__ import annotations

import re

from gigq_tui.widgets.text_view import Mark

# "2026-11-23 12:04:19,512 - gigq_core.worker - INFO - ...": the day, the milliseconds and the
# name of the logger say little beside the worker that the log belongs to.
_HEAD = re.compile(r"\d{4}-\d\d-\d\d (\d\d:\d\d:\d\d),\d{3} - [\w.]+ - ([A-Z]+) - ")
_LEVEL = re.compile(r"\b(ERROR|CRITICAL|WARNING)\b")
_UUID = re.compile(r"\b([0-9a-f]{8})-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")
_ROLES = {"ERROR": "fail", "CRITICAL": "fail", "WARNING": "warn"}
LEVEL_CELLS = 8
LEVEL_WITHIN = 100


def glance(line: str) -> tuple[str, list[Mark]]:
    """Return a line of a log with its ids and its head shortened, and the roles of its parts."""
    head = _HEAD.match(line)
    if head is None:
        return _UUID.sub(r"\1", line), []
    level = head[2]
    lead = f"{head[1]} "
    head_text = f"{lead}{level:<{LEVEL_CELLS}} "
    marks = [
        (0, len(lead), "dim"),
        (len(lead), len(lead) + len(level), _ROLES.get(level, "dim")),
    ]
    return head_text + _UUID.sub(r"\1", line[head.end() :]), marks


def as_written(line: str) -> tuple[str, list[Mark]]:
    """Return a line of a log as it is, with the role of its level."""
    level = _LEVEL.search(line, 0, LEVEL_WITHIN)
    return line, [] if level is None else [(*level.span(), _ROLES[level[0]])]
