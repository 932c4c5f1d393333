"""The `clear` command: delete what has ended, after a look at what others still need of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING, TextIO

import click

from gigq_core.cli.actions import resolved
from gigq_core.cli.errors import EXIT_REFUSED
from gigq_core.cli.options import all_ids, json_option, named_jobs
from gigq_core.cli.output import say, warn, write_json
from gigq_core.cli.settings import Settings
from gigq_core.status import FINAL_STATUSES, JobStatus, Outcome
from gigq_core.text import inert

if TYPE_CHECKING:
    from gigq_core.changes.clearing import ClearPlan, Finished

SHOWN_NEEDED = 20
_USUAL = (JobStatus.COMPLETED.value, JobStatus.CANCELLED.value)


@click.command(short_help="Delete jobs that have ended.")
@named_jobs
@click.option(
    "--status",
    "statuses",
    type=click.Choice([status.value for status in FINAL_STATUSES]),
    multiple=True,
    help="Only jobs that ended so; more than one may be given. Without ids, the default is "
    "completed and cancelled.",
)
@click.option(
    "--before",
    type=click.IntRange(min=0),
    metavar="DAYS",
    help="Only jobs that ended more than this many days ago.",
)
@click.option("--needed", is_flag=True, help="Also delete jobs that other jobs still need.")
@click.option("--dry-run", is_flag=True, help="Only show what would be deleted.")
@json_option
@click.pass_obj
def clear(
    settings: Settings,
    job_ids: tuple[str, ...],
    ids_from: TextIO | None,
    statuses: tuple[str, ...],
    before: int | None,
    needed: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Delete jobs that have ended. Without ids, all that completed or were cancelled.

    A job stays while others need it: a completed one while its result may still be read, any
    other while a job waits for it. Attempts and captured output are deleted 30 days later.

    JSON: {"cleared", "dry_run", "by_status", "needed": [{"id", "name", "reason"}], "refused":
    [the same], "attempts", "outputs"}.
    """
    from gigq_core.queue import JobQueue

    named = bool(job_ids) or ids_from is not None
    moment = _moment(before)
    unknown: Sequence[Outcome] = ()
    if named:
        known, missing = resolved(settings, all_ids(job_ids, ids_from))
        ids, unknown = list(dict.fromkeys(known.values())), tuple(missing.values())
    else:
        with settings.viewing() as view:
            ids = view.ended(statuses or _USUAL, moment)
    with settings.viewing():
        plan = JobQueue(settings.db, initialize=False).plan_clear(ids)
    going = _going(plan, named, statuses, moment, needed)
    refused = [*unknown, *plan.refused]
    left = [job for job in plan.needed if not needed]
    if not dry_run and going:
        with settings.changing() as queue:
            outcomes = queue.clear_jobs([job.job_id for job in going], needed)
        done = {outcome.job_id for outcome in outcomes if outcome.done}
        going = [job for job in going if job.job_id in done]
        refused += [outcome for outcome in outcomes if not outcome.done]
    if as_json:
        write_json(_as_json(plan, going, left, refused, dry_run))
    else:
        _print_plan(plan, going, left, refused, dry_run)
    if refused or (named and left):
        raise click.exceptions.Exit(EXIT_REFUSED)


def _moment(days: int | None) -> datetime | None:
    if days is None:
        return None
    try:
        return datetime.now(timezone.utc) - timedelta(days=days)
    except OverflowError:
        raise click.UsageError(f"{days} days ago is too long ago for a date.") from None


def _going(
    plan: ClearPlan, named: bool, statuses: Sequence[str], moment: datetime | None, needed: bool
) -> list[Finished]:
    jobs: Iterable[Finished] = plan.finished if needed else plan.free
    if named:
        jobs = [
            job
            for job in jobs
            if (not statuses or job.status in statuses)
            and (moment is None or (job.ended is not None and job.ended < moment))
        ]
    return list(jobs)


def _as_json(
    plan: ClearPlan,
    going: Sequence[Finished],
    left: Sequence[Finished],
    refused: Sequence[Outcome],
    dry_run: bool,
) -> dict[str, object]:
    return {
        "cleared": len(going),
        "dry_run": dry_run,
        "by_status": dict(Counter(job.status for job in going)),
        "needed": [{"id": j.job_id, "name": j.name, "reason": j.need} for j in left],
        "refused": [{"id": o.job_id, "name": o.name, "reason": o.reason} for o in refused],
        "attempts": plan.attempts,
        "outputs": plan.outputs,
    }


def _print_plan(
    plan: ClearPlan,
    going: Sequence[Finished],
    left: Sequence[Finished],
    refused: Sequence[Outcome],
    dry_run: bool,
) -> None:
    counts = Counter(job.status for job in going)
    which = ", ".join(f"{n} {status}" for status, n in counts.items())
    verb = "Would clear" if dry_run else "Cleared"
    say(f"{verb} {_count(len(going), 'job')}{f': {which}' if which else ''}.")
    if dry_run and plan.attempts:
        files = f" and {_count(plan.outputs, 'file')} of output" if plan.outputs else ""
        say(f"Their {_count(plan.attempts, 'attempt')}{files} would be deleted 30 days later.")
    if left:
        say(
            f"Kept because other jobs need them (--needed deletes them too): "
            f"{_count(len(left), 'job')}."
        )
    for job in left[:SHOWN_NEEDED]:
        say(f"  {inert(job.job_id)} ({inert(job.name)}): {job.need}")
    if len(left) > SHOWN_NEEDED:
        say(f"  … and {len(left) - SHOWN_NEEDED} more.")
    for outcome in refused:
        known = outcome.name or not outcome.reason.endswith(".")
        lead = f"Could not clear job {inert(outcome.job_id)}: " if known else ""
        warn(f"{lead}{inert(outcome.reason)}{'.' if known else ''}")


def _count(number: int, thing: str) -> str:
    return f"{number} {thing}{'' if number == 1 else 's'}"
