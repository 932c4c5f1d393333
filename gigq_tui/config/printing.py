"""The whole configuration as TOML with its comments, to be saved and edited."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from gigq_tui.config.model import COLOURS, THEMES, Config, DatabaseSettings
from gigq_tui.config.place import VARIABLE, default_path
from gigq_tui.config.toml_text import listed, quoted, truth
from gigq_tui.config.views import entry_text
from gigq_tui.keys import ACTIONS, Group, Keymap
from gigq_tui.keys.key_names import key_label
from gigq_tui.store.sorting import SortKey
from gigq_tui.viewpoint import SCREEN_WORDS, TAB_WORDS

_EXAMPLE = """\
# What holds for single queue files: the first entry whose path matches. In a path, * stays within
# a folder and ** does not. An option of the command line overrides what is set here.
#
# [[database]]
# path = "/srv/etl/*.db"
# label = "prod"           # shown in the header
# colour = "red"           # {colours}
# read_only = true         # keys that change the queue are off
# python = "/srv/etl/venv/bin/python"
# chdir = "/srv/etl"
"""

_VIEW_EXAMPLE = """\
# Views, to be chosen in the console, or with --view NAME.
#
# [[view]]
# name = "failed at night"
# tab = "failed"           # {tabs}
# filter = "err:timeout"
# sort = "ended"
# columns = ["id", "name:30", "why"]
# open = "overview:6h"     # {screens}
"""


def config_text(config: Config, read_from: Path, found: bool) -> str:
    """Return the configuration as a TOML file that says the same when it is read.

    Args:
        config: What holds.
        read_from: The file it was looked for in.
        found: Whether that file is there.
    """
    # Late: it brings what draws a row with it.
    from gigq_tui.columns import COLUMNS, usual_columns
    from gigq_tui.config.load import OWN

    names, usual = ([column.name for column in some] for some in (COLUMNS, usual_columns()))
    parts = [
        _head(read_from, found),
        f"# {' or '.join(THEMES)}; auto fits the terminal's colours\n"
        f"theme = {quoted(config.theme)}\n\n"
        "# false leaves selecting text to the terminal\n"
        f"mouse = {truth(config.mouse)}\n\n"
        "# false starts with all jobs, and not with what was looked at last\n"
        f"last_view = {truth(config.last_view)}\n",
        "[jobs]\n"
        f"# of {', '.join((*names, *OWN))}, in any order;\n"
        '# "name:30" makes a column 30 cells wide; what does not fit is left out\n'
        f"columns = {listed(map(str, config.columns or usual))}\n"
        f"# {', '.join(key.value for key in SortKey)}; -dur reverses dur\n"
        f"sort = {quoted(str(config.sort))}\n",
        _keys(config),
        _EXAMPLE.format(colours=", ".join(COLOURS)),
        *map(_database, config.databases),
        _VIEW_EXAMPLE.format(tabs=", ".join(TAB_WORDS), screens=_screens()),
        *(f"{entry_text(view)}\n" for view in config.views),
    ]
    return "\n".join(parts)


def _screens() -> str:
    return ", ".join(word.usage for word in SCREEN_WORDS.values())


def _head(read_from: Path, found: bool) -> str:
    state = "was read" if found else "is not there: this is how it is without it"
    return (
        "# The configuration of gigq-tui.\n"
        f"# It is looked for in --config FILE, else in ${VARIABLE}, else in\n"
        f"# {_comment(default_path())}\n"
        f"# {_comment(read_from)} {state}.\n"
    )


def _keys(config: Config) -> str:
    lines = ["[keys]", '# an action\'s keys: ["a", "ctrl+x"] or "a,ctrl+x", or "" for none']
    actions = Keymap(config.keys).rebound(ACTIONS)
    for group in Group:
        lines += ["", f"# {group.value}"]
        for action in actions:
            if action.group is group:
                keys = listed(map(key_label, action.keys)) if action.keys else '""'
                screens = ", ".join(sorted(scope.value for scope in action.scopes))
                lines.append(f"{action.id} = {keys}  # {action.help} ({screens})")
    return "\n".join(lines) + "\n"


def _database(settings: DatabaseSettings) -> str:
    lines = ["[[database]]"]
    for field in fields(settings):
        value = getattr(settings, field.name)
        if value:
            written = truth(value) if isinstance(value, bool) else quoted(value)
            lines.append(f"{field.name} = {written}")
    return "\n".join(lines) + "\n"


def _comment(path: Path) -> str:
    """A path on one line of a comment, whatever it holds."""
    return quoted(str(path))[1:-1]
