"""The commands that act on jobs, on the queue as a whole, and on workers."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TYPE_CHECKING, TextIO, cast, get_args

import click

from gigq_core.cli.canary import CanaryRun, group_of, print_plan
from gigq_core.cli.completion import complete_worker_id
from gigq_core.cli.errors import EXIT_REFUSED, Trouble
from gigq_core.cli.options import Fingerprint, all_ids, json_option, named_jobs
from gigq_core.cli.output import say, warn, write_json
from gigq_core.cli.settings import Settings
from gigq_core.status import Change, Outcome, WorkerRequest
from gigq_core.text import inert

if TYPE_CHECKING:
    from gigq_core.queue import JobQueue

# How a request is stored, where people have another word for it, and the other way round.
_STORED = {"kill": "stop"}
_WORDS = {stored: word for word, stored in _STORED.items()}

_JSON_OF_OUTCOMES = """JSON: an array of {"id", "name", "change", "done", "reason"}, in the order
    given."""


@click.command(
    help=f"""Cancel waiting and running jobs.

    A running job is ended by its worker, which takes a moment.

    {_JSON_OF_OUTCOMES}"""
)
@named_jobs
@json_option
@click.pass_obj
def cancel(
    settings: Settings, job_ids: tuple[str, ...], ids_from: TextIO | None, as_json: bool
) -> None:
    wanted = all_ids(job_ids, ids_from)
    _act(settings, wanted, "cancel", lambda queue, ids: queue.cancel_jobs(ids), as_json)


@click.command(
    help=f"""Retry failed, timed out or cancelled jobs. Their attempts are counted from 0 again.

    A job that was cancelled because another one failed is retried after that one, or with it.

    --failure means all jobs that are failed now for one cause, as `failures` shows them. With
    --canary a few of them are retried first, spread over time and parameters, and before everything
    that waits; the command waits until they have ended. It exits with 0 if at most a fifth of them
    failed again, and with 3 if more did: then --rest retries nothing more.

    `requeue`, as GigQ calls it, does the same.

    {_JSON_OF_OUTCOMES[:-1]}, and then of the children. Of a canary, and of --dry-run:
    {{"fingerprint", "failed" (how many jobs were failed), "dry_run", "canary" (or "jobs"): [{{"id",
    "status"}}], "passed", "failed_again", "same_cause", "may_go_on", "rest", "retried_rest"}}.""",
    short_help="Retry failed, timed-out or cancelled jobs.",
)
@named_jobs
@click.option(
    "--with-children",
    is_flag=True,
    help="Also retry the jobs that were cancelled because one of these failed.",
)
@click.option(
    "--failure",
    type=Fingerprint(),
    metavar="DIGITS",
    help="All jobs that are failed now for this cause: the first digits of a fingerprint that "
    "`failures` shows.",
)
@click.option(
    "--canary",
    type=click.IntRange(1, 250),
    metavar="N",
    help="Retry only N of them, wait until these have ended, and say whether the rest may follow.",
)
@click.option("--rest", is_flag=True, help="Then retry the rest, if at most a fifth failed again.")
@click.option("--dry-run", is_flag=True, help="With --failure: only show what would be retried.")
@json_option
@click.pass_obj
def retry(
    settings: Settings,
    job_ids: tuple[str, ...],
    ids_from: TextIO | None,
    with_children: bool,
    failure: str | None,
    canary: int | None,
    rest: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    def act(queue: JobQueue, ids: Iterable[str]) -> list[Outcome]:
        return queue.requeue_jobs(ids, cancelled_children=with_children)

    if failure is None:
        if canary is not None or dry_run or rest:
            raise click.UsageError(
                "--canary, --rest and --dry-run go with --failure: name the cause with it."
            )
        _act(settings, all_ids(job_ids, ids_from), "retry", act, as_json)
        return
    if job_ids or ids_from is not None:
        raise click.UsageError("Give ids or --failure, not both.")
    if rest and canary is None:
        raise click.UsageError("--rest goes with --canary N; without, --failure retries all.")
    if with_children and canary is not None:
        raise click.UsageError("--with-children goes with the retry of all, not with --canary.")
    with settings.viewing() as view:
        group = group_of(view, failure)
        ids = [job.job_id for job in group.jobs]
        chosen = ids if canary is None else view.canary_of(group, canary)
        if dry_run:
            print_plan(view, group, chosen, canary=canary is not None, as_json=as_json)
            return
        title = view.cause(group)
    if canary is None:
        _act(settings, ids, "retry", act, as_json)
    else:
        CanaryRun(settings, group, title, chosen, rest, as_json).run()


@click.command(
    help=f"""Give back running jobs whose worker is dead. They run again if they have attempts left.

    {_JSON_OF_OUTCOMES}""",
    short_help="Release running jobs whose worker is dead.",
)
@named_jobs
@json_option
@click.pass_obj
def release(
    settings: Settings, job_ids: tuple[str, ...], ids_from: TextIO | None, as_json: bool
) -> None:
    wanted = all_ids(job_ids, ids_from)
    _act(settings, wanted, "release", lambda queue, ids: queue.release_jobs(ids), as_json)


@click.command(
    help=f"""Set or change the priority of waiting jobs. Higher runs first.

    {_JSON_OF_OUTCOMES}""",
    short_help="Set the priority of waiting jobs, or move it.",
)
@named_jobs
@click.option("--set", "priority", type=int, metavar="N", help="The new priority.")
@click.option("--by", type=int, metavar="N", help="What to add to each; less than 0 lowers it.")
@json_option
@click.pass_obj
def priority(
    settings: Settings,
    job_ids: tuple[str, ...],
    ids_from: TextIO | None,
    priority: int | None,
    by: int | None,
    as_json: bool,
) -> None:
    wanted = all_ids(job_ids, ids_from)

    def act(queue: JobQueue, ids: Iterable[str]) -> list[Outcome]:
        try:
            if by is None:
                return queue.set_priority(ids, cast(int, priority))
            return queue.change_priority(ids, by)
        except ValueError as problem:
            raise click.UsageError(str(problem)) from None

    if (priority is None) == (by is None):
        raise click.UsageError("Give either --set N or --by N.")
    _act(settings, wanted, "change the priority of", act, as_json)


@click.command(short_help="Let no new job start until `resume`.")
@json_option
@click.pass_obj
def pause(settings: Settings, as_json: bool) -> None:
    """Pause the queue: no new job starts until `resume`. Running jobs finish.

    GigQ's own workers are not affected.

    JSON: {"paused": true}.
    """
    with settings.changing() as queue:
        queue.pause()
    if as_json:
        write_json({"paused": True})
    else:
        say("The queue is paused. GigQ workers, if there are any, are not affected.")


@click.command()
@json_option
@click.pass_obj
def resume(settings: Settings, as_json: bool) -> None:
    """Resume a paused queue.

    JSON: {"paused": false}.
    """
    with settings.changing() as queue:
        queue.resume()
    if as_json:
        write_json({"paused": False})
    else:
        say("The queue is resumed.")


@click.command(short_help="Pause, resume, drain or kill one worker.")
@click.argument("worker_id", shell_complete=complete_worker_id)
# The file's own word for a kill, "stop", is taken too.
@click.argument(
    "request",
    type=click.Choice([*get_args(WorkerRequest), *_STORED]),
    metavar="pause|resume|drain|kill",
)
@json_option
@click.pass_obj
def ask(settings: Settings, worker_id: str, request: str, as_json: bool) -> None:
    """Pause, resume, drain or kill one worker.

    A drained worker finishes its jobs, then ends. A killed one ends now, and its jobs go back to
    the queue.

    JSON: {"id", "request", "done"}.
    """
    wish = cast(WorkerRequest, _STORED.get(request, request))
    with settings.changing() as queue:
        done = queue.request_worker(worker_id, wish)
    if as_json:
        write_json({"id": worker_id, "request": wish, "done": done})
    if not done:
        raise Trouble(f"Worker {worker_id} is not running: `workers` lists those that are.")
    if not as_json:
        say(f"Requested {_WORDS.get(wish, wish)} of worker {inert(worker_id)}.")


def _act(
    settings: Settings,
    texts: Sequence[str],
    verb: str,
    act: Callable[[JobQueue, Iterable[str]], list[Outcome]],
    as_json: bool,
) -> None:
    """Do it to each job that is found, tell what became of each, exit 1 if any was refused."""
    known, unknown = resolved(settings, texts)
    ids = list(dict.fromkeys(known.values()))
    found: dict[str, Outcome] = {}
    if ids:
        with settings.changing() as queue:
            found = {outcome.job_id: outcome for outcome in act(queue, ids)}
    outcomes = [unknown[text] if text in unknown else found[known[text]] for text in texts]
    # Those of the named ones, and of what was done along.
    outcomes = list(dict.fromkeys([*outcomes, *found.values()]))
    if as_json:
        write_json([_as_json(outcome) for outcome in outcomes])
    else:
        for outcome in outcomes:
            _print_outcome(outcome, verb, known=outcome.job_id in found)
    if not all(outcome.done for outcome in outcomes):
        raise click.exceptions.Exit(EXIT_REFUSED)


def resolved(settings: Settings, texts: Iterable[str]) -> tuple[dict[str, str], dict[str, Outcome]]:
    """The jobs that ids, or their beginnings, stand for; and the outcome for those of none."""
    known: dict[str, str] = {}
    unknown: dict[str, Outcome] = {}
    with settings.viewing() as view:
        for text in texts:
            try:
                known[text] = view.resolve(text)
            except Trouble as problem:
                unknown[text] = Outcome(text, Change.REFUSED, problem.message)
    return known, unknown


def _as_json(outcome: Outcome) -> dict[str, object]:
    return {
        "id": outcome.job_id,
        "name": outcome.name,
        "change": outcome.change.value,
        "done": outcome.done,
        "reason": outcome.reason,
    }


def _print_outcome(outcome: Outcome, verb: str, *, known: bool) -> None:
    if outcome.done:
        sentence = outcome.change.sentence.format(reason=outcome.reason)
        if outcome.reason and outcome.change in (Change.CANCELLED, Change.REQUEUED):
            sentence += f"; {outcome.reason}"
            if outcome.change is Change.REQUEUED:
                sentence += " (--with-children retries them too)"
        say(f"Job {inert(outcome.job_id)} {sentence}.")
    elif known:
        warn(f"Could not {verb} job {inert(outcome.job_id)}: {inert(outcome.reason)}.")
    else:
        warn(inert(outcome.reason))
