"""All commands of `gigq-core`, those within groups too."""

from __future__ import annotations

import click

from gigq_core.cli.main import cli


def all_commands(group: click.Group = cli, within: str = "") -> dict[str, click.Command]:
    """Each by the words it is called with, as `hook add`."""
    found: dict[str, click.Command] = {}
    for name, command in group.commands.items():
        words = f"{within}{name}"
        if isinstance(command, click.Group):
            found |= all_commands(command, f"{words} ")
        else:
            found[words] = command
    return found
