"""From the file to a `Config`: every mistake becomes one sentence with file, key and remedy."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from gigq_tui.config.model import (
    COLOURS,
    THEMES,
    ChosenColumn,
    Config,
    DatabaseSettings,
    NamedView,
)
from gigq_tui.config.problem import ConfigError, Problem, unknown
from gigq_tui.store.sorting import Sort, sort_of
from gigq_tui.viewpoint import ViewError, viewpoint_of

MAX_COLUMN_CELLS = 500
MAX_LABEL = 24
MAX_NAME = 40
_TYPES = {bool: "true or false", str: "a text in quotes", list: "a list", dict: "a table"}
# How columns of values are written.
OWN = ("param.NAME", "result.NAME")
_VIEW_KEYS = ("name", "tab", "filter", "sort", "columns", "open")
_DATABASE_KEYS = ("path", "label", "colour", "read_only", "python", "chdir")


def read_config(path: Path, *, must_exist: bool) -> Config:
    """Read a configuration file; where there is none, everything is as it is by default.

    Args:
        path: The file.
        must_exist: Whether a missing file is a mistake: somebody has named it.

    Raises:
        ConfigError: It can't be read, or something in it is wrong.
    """
    try:
        text = path.read_bytes().decode()
    except FileNotFoundError:
        if must_exist:
            raise ConfigError(f"There is no configuration file {path}.") from None
        return Config()
    except UnicodeDecodeError as problem:
        raise ConfigError(f"{path} is not UTF-8 text (byte {problem.start}).") from None
    except OSError as problem:
        raise ConfigError(f"{path} can't be read: {problem.strerror or problem}.") from None
    try:
        return config_of(text)
    except Problem as problem:
        where = f", {problem.key}" if problem.key else ""
        raise ConfigError(f"{path}{where}: {problem.said}") from None


def config_of(text: str) -> Config:
    """Return the configuration that a TOML text says.

    Raises:
        Problem: something in it is wrong.
    """
    table = toml_of(text)
    _only(table, ("theme", "mouse", "last_view", "jobs", "keys", "database", "view"))
    jobs = _take(table, "jobs", dict, {})
    _only(jobs, ("columns", "sort"), "jobs.")
    return Config(
        theme=_choice(table, "theme", THEMES, "auto"),
        mouse=_take(table, "mouse", bool, True),
        columns=_columns(_take(jobs, "columns", list, None, "jobs.")),
        sort=_sort(_take(jobs, "sort", str, "submitted", "jobs.")),
        keys=_keys(_take(table, "keys", dict, {})),
        databases=_databases(table),
        views=_views(table),
        last_view=_take(table, "last_view", bool, True),
    )


def toml_of(text: str) -> dict[str, Any]:
    """Return what a TOML text says.

    Raises:
        Problem: it is none.
    """
    # Late: most people have no such file.
    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib

    try:
        table: dict[str, Any] = tomllib.loads(text)
    except tomllib.TOMLDecodeError as problem:
        raise Problem("", f"not valid TOML: {_decapitalised(str(problem))}.") from None
    return table


def _decapitalised(text: str) -> str:
    return text[:1].lower() + text[1:].rstrip(".")


def _only(table: Mapping[str, Any], known: tuple[str, ...], where: str = "") -> None:
    for name in table:
        if name not in known:
            raise Problem(f"{where}{name}", unknown("setting", name, known))


def _take(table: Mapping[str, Any], name: str, kind: type, default: Any, where: str = "") -> Any:
    value = table.get(name, default)
    if name in table and type(value) is not kind:
        raise Problem(f"{where}{name}", f"write {_TYPES[kind]}, not {value!r}.")
    return value


def _choice(
    table: Mapping[str, Any], name: str, known: tuple[str, ...], default: str, where: str = ""
) -> str:
    value: str = _take(table, name, str, default, where)
    if name in table and value not in known:
        raise Problem(f"{where}{name}", unknown(name, value, known))
    return value


def _keys(table: Mapping[str, Any]) -> Mapping[str, tuple[str, ...]]:
    if not table:
        return {}
    # Late: without it the registry of all actions isn't needed yet.
    from gigq_tui.config.keys import read_keys

    return read_keys(table)


def _columns(listed: list[Any] | None) -> tuple[ChosenColumn, ...]:
    """The columns that are chosen; none where they are the usual ones."""
    if listed is None:
        return ()
    # Late, like the keys.
    from gigq_tui.columns import usual_columns

    columns = _chosen(listed, "jobs.columns")
    return (
        () if columns == tuple(ChosenColumn(column.name) for column in usual_columns()) else columns
    )


def columns_of(text: str) -> tuple[str, ...]:
    """The columns that a command line names, apart by commas.

    Raises:
        Problem: as for the configuration's.
    """
    return tuple(map(str, _chosen([name.strip() for name in text.split(",")], "")))


def _chosen(listed: list[Any], where: str) -> tuple[ChosenColumn, ...]:
    # Late, like the keys.
    from gigq_tui.columns import COLUMNS, column_named

    names = tuple(column.name for column in COLUMNS)
    columns: list[ChosenColumn] = []
    for written in listed:
        if not isinstance(written, str):
            raise Problem(where, f'write names in quotes, "name" or "name:30", not {written!r}.')
        name, colon, cells = (part.strip() for part in written.partition(":"))
        column = column_named(name)
        if column is None:
            own = name.partition(".")[0] in ("param", "result")
            hint = f"write {name.partition('.')[0]}.NAME, of letters, digits, _ and -."
            raise Problem(where, hint if own else unknown("column", name, (*names, *OWN)))
        name = column.name
        if name in (chosen.name for chosen in columns):
            raise Problem(where, f"{name!r} is listed twice: remove one.")
        width = int(cells) if cells.isascii() and cells.isdigit() else None
        if colon and (width is None or not 0 < width <= MAX_COLUMN_CELLS):
            raise Problem(
                where,
                f"{cells!r} is not a width: write {name}:N with N from 1 to "
                f"{MAX_COLUMN_CELLS} cells.",
            )
        columns.append(ChosenColumn(name, width))
    if not columns:
        raise Problem(where, f"name at least one of {', '.join(names)}.")
    return tuple(columns)


def _sort(text: str) -> Sort:
    try:
        return sort_of(text)
    except ValueError as problem:
        raise Problem("jobs.sort", f"{problem}.") from None


def _databases(table: Mapping[str, Any]) -> tuple[DatabaseSettings, ...]:
    entries = table.get("database", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Problem("database", "write each one as a table of its own, under [[database]].")
    return tuple(
        _database(entry, f"database[{number}].") for number, entry in enumerate(entries, start=1)
    )


def _views(table: Mapping[str, Any]) -> tuple[NamedView, ...]:
    entries = table.get("view", [])
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise Problem("view", "write each one as a table of its own, under [[view]].")
    views: list[NamedView] = []
    for number, entry in enumerate(entries, start=1):
        view = _view(entry, f"view[{number}].")
        if any(view.name == other.name for other in views):
            raise Problem(f"view[{number}].name", f"{view.name!r} is there twice: rename one.")
        views.append(view)
    return tuple(views)


def _view(entry: Mapping[str, Any], where: str) -> NamedView:
    _only(entry, _VIEW_KEYS, where)
    name = _take(entry, "name", str, "", where)
    if said := name_problem(name):
        raise Problem(f"{where}name", f"{said}.")
    columns = _take(entry, "columns", list, None, where)
    try:
        view = viewpoint_of(
            tab=_take(entry, "tab", str, None, where),
            filter=_take(entry, "filter", str, None, where),
            sort=_take(entry, "sort", str, None, where),
            columns=() if columns is None else map(str, _chosen(columns, f"{where}columns")),
            open=_take(entry, "open", str, None, where),
        )
    except ViewError as problem:
        raise Problem(f"{where}{problem.part}", f"{problem.said}.") from None
    return NamedView(name, view)


def name_problem(name: str) -> str:
    """Say what is wrong with the name of a view, without a full stop; empty where nothing is."""
    if not name.strip():
        return "a view needs a name"
    if name != name.strip() or len(name) > MAX_NAME or not name.isprintable():
        return f"a view's name has at most {MAX_NAME} printable characters, no space at its ends"
    return ""


def _database(entry: Mapping[str, Any], where: str) -> DatabaseSettings:
    _only(entry, _DATABASE_KEYS, where)
    if not entry.get("path"):
        raise Problem(f"{where}path", 'say which files are meant, like "/srv/etl/*.db".')

    def text(name: str) -> str:
        return str(_take(entry, name, str, "", where))

    for name in ("path", "chdir"):
        if text(name) and not text(name).startswith(("/", "~")):
            raise Problem(
                f"{where}{name}", f"write the whole path, from / or ~, not {text(name)!r}."
            )
    label = text("label")
    if len(label) > MAX_LABEL or not label.isprintable():
        raise Problem(f"{where}label", f"write at most {MAX_LABEL} printable characters.")
    return DatabaseSettings(
        path=text("path"),
        label=label,
        colour=_choice(entry, "colour", COLOURS, "", where),
        read_only=_take(entry, "read_only", bool, False, where),
        python=text("python"),
        chdir=text("chdir"),
    )
