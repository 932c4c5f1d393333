"""`attach` and `detach`: bring this package's additions into a file of GigQ's, or take them out."""

from __future__ import annotations

import json
from pathlib import Path

import click

from gigq_core.cli.errors import Trouble, sentences
from gigq_core.cli.options import json_option
from gigq_core.cli.output import say, write_json
from gigq_core.cli.settings import Settings
from gigq_core.errors import DatabaseBusy
from gigq_core.text import inert

SHOWN_ORPHANS = 20

_WAIVED = """
SELECT j.id, j.name, e.parent_id
FROM core_edges e JOIN jobs j ON j.id = e.child_id
WHERE e.met = 2 ORDER BY j.rowid"""

_file_argument = click.argument(
    "file", required=False, type=click.Path(path_type=Path), metavar="[FILE]"
)


@click.command()
@_file_argument
@json_option
@click.pass_obj
def attach(settings: Settings, file: Path | None, as_json: bool) -> None:
    """Add what this package needs to a file that GigQ wrote; GigQ goes on working with it.

    FILE may stand here instead of --db.

    JSON: {"file", "attached": true, "missing_parents": [{"id", "name", "parent_id"}]}: the jobs
    whose missing parents count as completed, as they do for GigQ.
    """
    from gigq_core.schema.attach import open_for_work

    path = file or settings.db
    with sentences(path):
        conn = open_for_work(path, create=False)
        try:
            waived = conn.execute(_WAIVED).fetchall()
        finally:
            conn.close()
    if as_json:
        missing = [{"id": row[0], "name": row[1], "parent_id": row[2]} for row in waived]
        write_json({"file": str(path), "attached": True, "missing_parents": missing})
        return
    say(f"{inert(path)} is attached.")
    for job_id, name, parent_id in waived[:SHOWN_ORPHANS]:
        say(
            f"Job {inert(job_id)} ({inert(json.dumps(name))}) depends on {inert(parent_id)}, which "
            "is not in the file: it counts as completed, as it does for GigQ."
        )
    if len(waived) > SHOWN_ORPHANS:
        say(f"… and {len(waived) - SHOWN_ORPHANS} more dependencies on jobs that are missing.")


@click.command()
@_file_argument
@json_option
@click.pass_obj
def detach(settings: Settings, file: Path | None, as_json: bool) -> None:
    """Take everything of this package out of the file; refused while one of its workers lives.

    FILE may stand here instead of --db.

    JSON: {"file", "attached": false}.
    """
    from gigq_core.schema.attach import detach as detach_file

    path = file or settings.db
    with sentences(path):
        try:
            detach_file(path)
        except DatabaseBusy as problem:
            raise Trouble(str(problem)) from None
    if as_json:
        write_json({"file": str(path), "attached": False})
    else:
        say(f"{inert(path)} is detached: it is as GigQ knows it.")
