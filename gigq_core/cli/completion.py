"""Completion in the shell: the script that switches it on, and the ids that it offers."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import click
from click.shell_completion import CompletionItem, get_completion_class

from gigq_core.cli.queue_view import QueueView
from gigq_core.errors import GigQError
from gigq_core.text import inert
from gigq_core.writing.streams import put

SHELLS = ("bash", "zsh", "fish")
# More than these nobody reads.
MOST_OFFERED = 50


@click.command(short_help="Print the script that completes commands in a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def completion(ctx: click.Context, shell: str) -> None:
    """Print the script for completion in your shell.

    It completes commands, options, and the ids of jobs and workers.

    \b
      bash, in ~/.bashrc:  eval "$(gigq-core completion bash)"
      zsh, in ~/.zshrc:    eval "$(gigq-core completion zsh)"
      fish:  gigq-core completion fish > ~/.config/fish/completions/gigq-core.fish
    """
    root = ctx.find_root()
    put(script_for(shell, root.command, root.info_name or "gigq-core"))


def script_for(shell: str, command: click.Command, name: str) -> str:
    """The script that makes one of SHELLS ask `name` itself what it could go on with."""
    kind = get_completion_class(shell)
    assert kind is not None
    made = kind(command, {}, name, f"_{name}_COMPLETE".replace("-", "_").upper())
    return made.source_template % made.source_vars() + "\n"


def complete_job_id(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The jobs whose ids begin so, with their names for the shells that show them."""
    try:
        with closing(QueueView(_file_of(ctx))) as view:
            found = view.beginning_with(incomplete, MOST_OFFERED)
    except (GigQError, OSError, sqlite3.Error):
        return []
    return [CompletionItem(id, help=inert(name)) for id, name in found if id == inert(id)]


def complete_worker_id(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The workers at work whose ids begin so."""
    try:
        with closing(QueueView(_file_of(ctx))) as view:
            found = view.workers()
    except (GigQError, OSError, sqlite3.Error):
        return []
    ids = [str(worker["id"]) for worker in found if worker["state"] != "stopped"]
    return [CompletionItem(id) for id in ids if id.startswith(incomplete) and id == inert(id)]


def complete_schedule(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The schedules whose names begin so."""
    try:
        with closing(QueueView(_file_of(ctx))) as view:
            found = view.schedules()
    except (GigQError, OSError, sqlite3.Error):
        return []
    return [
        CompletionItem(one.name, help=one.when)
        for one in found[:MOST_OFFERED]
        if one.name.startswith(incomplete) and one.name == inert(one.name)
    ]


def complete_hook(
    ctx: click.Context, param: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """The hooks whose names begin so."""
    try:
        with closing(QueueView(_file_of(ctx))) as view:
            found = view.hooks()
    except (GigQError, OSError, sqlite3.Error):
        return []
    return [
        CompletionItem(one.name, help=f"{one.event} {inert(one.match)}".strip())
        for one in found[:MOST_OFFERED]
        if one.name.startswith(incomplete) and one.name == inert(one.name)
    ]


def _file_of(ctx: click.Context) -> Path:
    """The queue's file as far as it has been typed: behind the command, or before it."""
    if ctx.obj is not None:
        db: Path = ctx.obj.db
        return db
    return Path(ctx.find_root().params["db"])
