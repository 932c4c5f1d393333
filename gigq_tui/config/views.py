"""The `[[view]]` entries of the configuration: read, and written among what else stands there.

The file is the user's own: its comments, its order and its layout stay. So its text is edited line
by line, and what comes of it is read again before it is written: where it would not say just what
it shall, nothing is written. (A library that writes TOML with its comments was tried: of entries
that stand apart it lost one, and with an entry it took the comment over the next one along.)
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from gigq_tui.config.load import config_of, name_problem, read_config, toml_of
from gigq_tui.config.model import NamedView
from gigq_tui.config.problem import ConfigError, Problem
from gigq_tui.config.toml_text import listed, quoted

_HEADER = re.compile(r"^\s*\[\[\s*view\s*\]\]\s*(#.*)?$")
_ANY_HEADER = re.compile(r"^\s*\[\[?[^\[\]=]+\]\]?\s*(#.*)?$")
_REMARK = re.compile(r"^\s*(#.*)?$")
_NAME = re.compile(r"""^(\s*name\s*=\s*)("(?:\\.|[^"\\])*"|'[^']*')(.*)$""")


def entry_text(view: NamedView) -> str:
    """A view as its entry in the configuration, without an end of line."""
    lines = ["[[view]]", f"name = {quoted(view.name)}"]
    for part, value in view.view.words.items():
        lines.append(f"{part} = {quoted(value) if isinstance(value, str) else listed(value)}")
    return "\n".join(lines)


def save(path: Path, view: NamedView) -> tuple[NamedView, ...]:
    """Write a view into a configuration file; one of the same name gives way to it.

    Returns:
        All views of the file.

    Raises:
        ConfigError: it can't be read, or not be written, or has something wrong in it.
    """
    if problem := name_problem(view.name):
        raise ConfigError(f"{problem}.")

    def edit(lines: list[str], entries: list[range]) -> list[str]:
        written = entry_text(view).split("\n")
        for entry in entries:
            if _name_in(lines, entry) == view.name:
                remarks = [lines[at] for at in entry if lines[at].lstrip().startswith("#")]
                return [*lines[: entry.start], *written, *remarks, *lines[entry.stop :]]
        while lines and not lines[-1].strip():
            lines = lines[:-1]
        return [*lines, *([""] if lines else []), *written]

    return _edited(path, edit, lambda views: _replaced(views, view))


def delete(path: Path, name: str) -> tuple[NamedView, ...]:
    """Take a view out of a configuration file.

    Returns:
        The views that are left in it.

    Raises:
        ConfigError: as for `save`.
    """

    def edit(lines: list[str], entries: list[range]) -> list[str]:
        for entry in entries:
            if _name_in(lines, entry) == name:
                before, behind = lines[: entry.start], lines[entry.stop :]
                while behind and not behind[0].strip() and (not before or not before[-1].strip()):
                    behind = behind[1:]
                return [*before, *behind]
        return lines

    return _edited(path, edit, lambda views: [each for each in views if each["name"] != name])


def rename(path: Path, name: str, new: str) -> tuple[NamedView, ...]:
    """Give a view of a configuration file another name, which none of the others has.

    Returns:
        All views of the file.

    Raises:
        ConfigError: as for `save`; or another view has that name.
    """
    if problem := name_problem(new):
        raise ConfigError(f"{problem}.")

    def edit(lines: list[str], entries: list[range]) -> list[str]:
        for entry in entries:
            if _name_in(lines, entry) == name:
                at = next(at for at in entry if _NAME.match(lines[at]))
                lines[at] = _NAME.sub(lambda found: f"{found[1]}{quoted(new)}{found[3]}", lines[at])
        return lines

    def change(views: list[dict[str, Any]]) -> list[dict[str, Any]]:
        if new != name and any(each["name"] == new for each in views):
            raise ConfigError(f"There is a view named {new!r} already: take another name.")
        return [{**each, "name": new} if each["name"] == name else each for each in views]

    return _edited(path, edit, change)


def _replaced(views: list[dict[str, Any]], view: NamedView) -> list[dict[str, Any]]:
    said = {"name": view.name, **view.view.words}
    if all(each["name"] != view.name for each in views):
        return [*views, said]
    return [said if each["name"] == view.name else each for each in views]


def _edited(
    path: Path,
    edit: Callable[[list[str], list[range]], list[str]],
    change: Callable[[list[dict[str, Any]]], list[dict[str, Any]]],
) -> tuple[NamedView, ...]:
    """Edit the text of a file as `edit` says, if that means just what `change` says."""
    # Nothing is written into a file that could not be read again.
    read_config(path, must_exist=False)
    try:
        text = path.read_bytes().decode() if path.exists() else ""
    except OSError as problem:
        raise ConfigError(f"{path} can't be read: {problem.strerror or problem}.") from None
    end = "\r\n" if "\r\n" in text else "\n"
    lines = text.replace("\r\n", "\n").split("\n")
    if lines[-1] == "":
        lines.pop()
    meant = toml_of(text)
    views = change([dict(each) for each in meant.pop("view", [])])
    edited = end.join([*edit(lines, _entries(lines)), ""])
    if not _says(edited, {**meant, "view": views} if views else meant):
        raise ConfigError(f"The views in {path} can't be edited from here: edit them by hand.")
    _write(path, edited)
    return config_of(edited).views


def _says(text: str, meant: Mapping[str, Any]) -> bool:
    try:
        config_of(text)
        return toml_of(text) == meant
    except Problem:
        return False


def _entries(lines: list[str]) -> list[range]:
    """Which lines each entry has: up to its last one that says something."""
    headers = [at for at, line in enumerate(lines) if _ANY_HEADER.match(line)]
    entries = []
    for at, behind in zip(headers, [*headers[1:], len(lines)], strict=False):
        if _HEADER.match(lines[at]):
            while _REMARK.match(lines[behind - 1]):
                behind -= 1
            entries.append(range(at, behind))
    return entries


def _name_in(lines: list[str], entry: Iterable[int]) -> str | None:
    """What an entry calls its view."""
    for at in entry:
        if found := _NAME.match(lines[at]):
            with suppress(Problem):
                return str(toml_of(f"name = {found[2]}")["name"])
    return None


def _write(path: Path, text: str) -> None:
    """Write a file whole or not at all; where its name leads elsewhere, it goes on to."""
    target = Path(os.path.realpath(path))
    if target.exists() and not target.is_file():
        raise ConfigError(f"{path} is not a file that views can be written into.")
    scratch = ""
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        descriptor, scratch = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        with os.fdopen(descriptor, "wb") as file:
            file.write(text.encode())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(scratch, target.stat().st_mode & 0o7777 if target.exists() else 0o644)
        os.replace(scratch, target)
    except OSError as problem:
        if scratch:
            with suppress(OSError):
                os.unlink(scratch)
        reason = problem.strerror or problem
        raise ConfigError(f"{path} can't be written: {reason}.") from None
