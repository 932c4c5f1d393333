"""`stack`: where a running job is, right now."""

from __future__ import annotations

import click

from gigq_core.cli.errors import sentences
from gigq_core.cli.options import json_option
from gigq_core.cli.output import say, write_json
from gigq_core.cli.settings import Settings
from gigq_core.text import inert


@click.command()
@click.argument("job_id")
@json_option
@click.pass_obj
def stack(settings: Settings, job_id: str, as_json: bool) -> None:
    """Print the stack of the function that a job runs now, most recent call last.

    The job must run in a worker process on this machine; it does not notice.

    JSON: {"id", "stack"}.
    """
    from gigq_core.stack import stack_of

    with settings.reading() as reading:
        found = reading.resolve(job_id)
    with sentences(settings.db):
        text = stack_of(settings.db, found)
    if as_json:
        write_json({"id": found, "stack": text})
    else:
        for line in text.splitlines():
            say(inert(line))
