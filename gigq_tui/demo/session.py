"""Setting a demo up: a folder of its own, the files in it, and the queue with the workflow."""

from __future__ import annotations

import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

DATABASE = "demo.db"
GUIDE = "README.txt"
WORKERS = 2

_GUIDE = """\
The demo's folder
=================

demo.db           the queue: every job that the console shows
demo.db-logs/     what the jobs printed, and the workers' logs
inbox/            sources that arrived; some are truly broken
orders/           orders to be priced, and the rates for that, under a wrong name
manifest.json     written by the job "inventory"
measures/         one file for each package that was measured
packs/            the largest packages, compressed one at a time; packs.md lists them
failures.log      a line for all that failed within ten seconds, written by a hook
stock.log         a line every 15 seconds, written by the schedule "stock"
report.md         written at the end, like report.html and imports.json

Find out why, mend it, try again
--------------------------------
"check prices.py" fails, and "write price list" can't run because of it. Open the failed job
with enter: its error names a line. Add the parenthesis that is missing in inbox/prices.py,
then press r on the failed job: it completes, and so does what waited for it.

Many failed for one cause: a few of them first
----------------------------------------------
The jobs "price 01" to "price 24" fail alike: orders/rates.json is not there. Press b: they are
one group. Rename orders/rates.json.part to orders/rates.json, press r on the group, then y: ten
of them run first, and the line below tells how they end. Then R retries the rest. Two orders
fail for another cause now: their currency has no rate.

Break something on purpose
--------------------------
Submit a job (n) with the function gigq_tui.demo.jobs.check_file and the parameter
path = inbox/mine.py. There is no such file, so it fails and says so. Write one, press r.

Nothing outside this folder is changed. Delete it when you have seen enough.
"""


@dataclass(frozen=True)
class DemoSession:
    """A demo that is ready to run: `workers` processes of `python`, started in `chdir`."""

    db_path: Path
    folder: Path
    python: str
    chdir: Path
    workers: int = WORKERS


def prepare(folder: Path | None = None) -> DemoSession:
    """Make the demo's folder and queue, and submit its workflow.

    Args:
        folder: where; made if it is missing. None makes a new one among the temporary files. A
            folder that already holds a demo is gone on with as it is.

    Raises:
        GigQError: the folder holds something else or can't be written, or this interpreter came
            without its library's sources.
    """
    from gigq_core.errors import GigQError

    try:
        place = _place(folder)
    except OSError as problem:
        raise GigQError(
            f"The demo's folder {folder or tempfile.gettempdir()} can't be used "
            f"({problem.strerror or problem}): name another one."
        ) from None
    session = DemoSession(place / DATABASE, place, sys.executable, place)
    if session.db_path.exists():
        return session
    if any(place.iterdir()):
        raise GigQError(f"{place} is not empty: name a new folder for the demo.")
    _fill(session)
    return session


def _place(folder: Path | None) -> Path:
    if folder is None:
        return Path(tempfile.mkdtemp(prefix="gigq-demo-")).resolve()
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


def _fill(session: DemoSession) -> None:
    """The queue comes last: a folder with a queue in it is a whole demo."""
    from gigq_core import JobQueue
    from gigq_core.errors import GigQError
    from gigq_tui.demo import inbox, orders, source
    from gigq_tui.demo.plan import arrange, workflow

    library = source.library_folder()
    packages = source.packages(library) if library.is_dir() else {}
    if not packages:
        raise GigQError(
            f"The demo reads Python's own sources, and there are none in {library}: run it with "
            "another interpreter."
        )
    files = inbox.fill(session.folder, library)
    placed = orders.fill(session.folder)
    (session.folder / GUIDE).write_text(_GUIDE, "utf-8")
    queue = JobQueue(session.db_path)
    try:
        arrange(queue)
        workflow(library, packages, files, placed).submit_all(queue)
    finally:
        queue.close()
