"""The commands that act on jobs, on the queue as a whole, and on workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal, cast

import click

from gigq_core.cli.common import EXIT_REFUSED, Settings, Trouble, json_option
from gigq_core.cli.output import say, warn, write_json
from gigq_core.cli.text import inert
from gigq_core.status import Change, Outcome

if TYPE_CHECKING:
    from gigq_core.queue import JobQueue

_DONE = {
    Change.CANCELLED: "cancelled",
    Change.STOPPING: "is being stopped",
    Change.REQUEUED: "requeued",
    Change.RELEASED: "released",
}

_JSON_OF_OUTCOMES = """JSON: an array of {"id", "change", "done", "reason"}, in the order given."""


@click.command(
    help=f"""Cancel jobs that wait, and stop those that run.

    A running job is stopped by its worker, which takes a moment.

    {_JSON_OF_OUTCOMES}"""
)
@click.argument("job_ids", nargs=-1, required=True, metavar="ID...")
@json_option
@click.pass_obj
def cancel(settings: Settings, job_ids: tuple[str, ...], as_json: bool) -> None:
    _act(settings, job_ids, "cancel", lambda queue, ids: queue.cancel_jobs(ids), as_json)


@click.command(
    help=f"""Let failed, timed out or cancelled jobs run again, their attempts counted anew.

    {_JSON_OF_OUTCOMES}"""
)
@click.argument("job_ids", nargs=-1, required=True, metavar="ID...")
@json_option
@click.pass_obj
def requeue(settings: Settings, job_ids: tuple[str, ...], as_json: bool) -> None:
    _act(settings, job_ids, "requeue", lambda queue, ids: queue.requeue_jobs(ids), as_json)


@click.command(
    help=f"""Give back running jobs whose worker is certainly dead.

    {_JSON_OF_OUTCOMES}"""
)
@click.argument("job_ids", nargs=-1, required=True, metavar="ID...")
@json_option
@click.pass_obj
def release(settings: Settings, job_ids: tuple[str, ...], as_json: bool) -> None:
    _act(settings, job_ids, "release", lambda queue, ids: queue.release_jobs(ids), as_json)


@click.command()
@click.option(
    "--before",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Only jobs that ended more than this many days ago.",
)
@json_option
@click.pass_obj
def clear(settings: Settings, before: int | None, as_json: bool) -> None:
    """Delete completed and cancelled jobs.

    JSON: {"cleared"}.
    """
    moment = None
    if before is not None:
        try:
            moment = (datetime.now() - timedelta(days=before)).isoformat()
        except OverflowError:
            raise click.UsageError(f"{before} days ago is before the calendar begins.") from None
    with settings.acting() as queue:
        count = queue.clear_completed(moment)
    if as_json:
        write_json({"cleared": count})
    else:
        say(f"Cleared {count} completed {'job' if count == 1 else 'jobs'}.")


@click.command()
@json_option
@click.pass_obj
def pause(settings: Settings, as_json: bool) -> None:
    """Let no worker claim another job until `resume`; what runs goes on.

    GigQ's own workers know nothing of this.

    JSON: {"paused": true}.
    """
    with settings.acting() as queue:
        queue.pause()
    if as_json:
        write_json({"paused": True})
    else:
        say("The queue is paused. Workers of GigQ's can't be: if there are any, they go on.")


@click.command()
@json_option
@click.pass_obj
def resume(settings: Settings, as_json: bool) -> None:
    """End a pause of the queue.

    JSON: {"paused": false}.
    """
    with settings.acting() as queue:
        queue.resume()
    if as_json:
        write_json({"paused": False})
    else:
        say("The queue goes on.")


@click.command()
@click.argument("worker_id")
@click.argument("request", type=click.Choice(["pause", "resume", "drain", "stop"]))
@json_option
@click.pass_obj
def ask(settings: Settings, worker_id: str, request: str, as_json: bool) -> None:
    """Ask one worker to pause, resume, drain (finish what runs, then end) or stop now.

    JSON: {"id", "request", "done"}.
    """
    wish = cast(Literal["pause", "resume", "drain", "stop"], request)
    with settings.acting() as queue:
        done = queue.request_worker(worker_id, wish)
    if as_json:
        write_json({"id": worker_id, "request": request, "done": done})
    if not done:
        raise Trouble(f"No worker {worker_id} is at work: `workers` shows those that are.")
    if not as_json:
        say(f"Asked worker {inert(worker_id)} to {request}.")


def _act(
    settings: Settings,
    texts: tuple[str, ...],
    verb: str,
    act: Callable[[JobQueue, Iterable[str]], list[Outcome]],
    as_json: bool,
) -> None:
    """Do it to each job that is found, tell what became of each, exit 1 if any was refused."""
    known: dict[str, str] = {}
    unknown: dict[str, Outcome] = {}
    with settings.reading() as reading:
        for text in texts:
            try:
                known[text] = reading.resolve(text)
            except Trouble as problem:
                unknown[text] = Outcome(text, Change.REFUSED, problem.message)
    ids = list(dict.fromkeys(known.values()))
    found: dict[str, Outcome] = {}
    if ids:
        with settings.acting() as queue:
            found = {outcome.job_id: outcome for outcome in act(queue, ids)}
    outcomes = [unknown[text] if text in unknown else found[known[text]] for text in texts]
    outcomes = list(dict.fromkeys(outcomes))
    if as_json:
        write_json([_as_json(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            _tell(outcome, verb, known=outcome.job_id in found)
    if not all(outcome.done for outcome in outcomes):
        raise click.exceptions.Exit(EXIT_REFUSED)


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "id": outcome.job_id,
        "change": outcome.change.value,
        "done": outcome.done,
        "reason": outcome.reason,
    }


def _tell(outcome: Outcome, verb: str, *, known: bool) -> None:
    if outcome.done:
        say(f"Job {inert(outcome.job_id)} {_DONE[outcome.change]}.")
    elif known:
        warn(f"Could not {verb} job {inert(outcome.job_id)}: {inert(outcome.reason)}.")
    else:
        warn(inert(outcome.reason))
