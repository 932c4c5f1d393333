"""What can be configured, and what it is where nobody said anything."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from gigq_tui.store.sorting import NEWEST, Sort
from gigq_tui.viewpoint import Viewpoint

THEMES = ("auto", "dark", "light", "ansi")
COLOURS = ("red", "green", "yellow", "blue", "magenta", "cyan")


class ChosenColumn(NamedTuple):
    """A column of the jobs table; its width in cells, or None for the usual one."""

    name: str
    width: int | None = None

    def __str__(self) -> str:
        return self.name if self.width is None else f"{self.name}:{self.width}"

    @staticmethod
    def of(text: str) -> ChosenColumn:
        """Return the column that a text means which has been checked."""
        name, _, width = text.partition(":")
        return ChosenColumn(name, int(width) if width else None)


class NamedView(NamedTuple):
    """A view, and what it is called."""

    name: str
    view: Viewpoint


class Label(NamedTuple):
    """What the header calls a queue file beside its name, and in which colour."""

    text: str = ""
    colour: str = ""


NO_LABEL = Label()


@dataclass(frozen=True)
class DatabaseSettings:
    """What holds for the queue files whose path matches `path`, a glob; empty text: not said."""

    path: str = ""
    label: str = ""
    colour: str = ""
    read_only: bool = False
    python: str = ""
    chdir: str = ""

    def matches(self, file: Path) -> bool:
        """Say whether a file is meant, by the path it was named by or by where that leads."""
        pattern = re.compile(_glob(os.path.expanduser(self.path)))
        names = {os.path.abspath(file), os.path.realpath(file)}
        return any(pattern.fullmatch(name) for name in names)


@dataclass(frozen=True)
class Config:
    """The whole configuration.

    `columns` is empty for the usual ones. `keys` holds only the actions that were rebound, by
    their id. `last_view` says whether a file is shown as it was left.
    """

    theme: str = "auto"
    mouse: bool = True
    columns: tuple[ChosenColumn, ...] = ()
    sort: Sort = NEWEST
    keys: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    databases: tuple[DatabaseSettings, ...] = ()
    views: tuple[NamedView, ...] = ()
    last_view: bool = True

    def view(self, name: str) -> Viewpoint | None:
        """Return the view of a name, or None."""
        return next((each.view for each in self.views if each.name == name), None)

    def database(self, file: Path) -> DatabaseSettings:
        """Return what holds for a queue file: the first entry that matches it, or nothing said."""
        for settings in self.databases:
            if settings.matches(file):
                return settings
        return DatabaseSettings()


def _glob(pattern: str) -> str:
    """A glob as a regular expression: `*` and `?` stay within a folder's name, `**` does not."""
    wild = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}
    pieces = re.split(r"(\*\*/|\*\*|\*|\?)", pattern)
    return "".join(wild.get(piece) or re.escape(piece) for piece in pieces)
