"""The commands that only look: status, list, stats, workflows, workers, stack."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from gigq_core.cli.completion import complete_job_id
from gigq_core.cli.errors import EXIT_REFUSED, Trouble, sentences
from gigq_core.cli.options import Limit, json_option, selecting
from gigq_core.cli.output import (
    cell,
    lines_of,
    say,
    shown_moment,
    shown_time,
    table,
    terminal_columns,
    warn,
    write_json,
)
from gigq_core.cli.settings import Settings
from gigq_core.cli.watch import progress_in_words, watch
from gigq_core.fleet.elsewhere import Elsewhere
from gigq_core.retry import Backoff, retry_of
from gigq_core.status import JobStatus
from gigq_core.text import inert
from gigq_core.unique import words_of
from gigq_core.units.durations import duration_text
from gigq_core.units.sizes import size_text
from gigq_core.units.spans import span
from gigq_core.units.times import utc_now

# Below this width a whole id leaves no room for the rest.
WIDE_TERMINAL = 120
SHORT_ID = 8
SHOWN_PARENTS = 10

_IF_A_PARENT_FAILS = {"cancel": "it is cancelled", "run": "it runs"}
_INSTANTS = (("ended", "completed_at"), ("began", "started_at"), ("created", "created_at"))
_TEXTS = frozenset(text for _, text in _INSTANTS)


@click.command()
@click.argument("job_id", shell_complete=complete_job_id)
@click.option("--show-params", is_flag=True, help="Show the parameters.")
@click.option("--show-result", is_flag=True, help="Show the result.")
@click.option("--show-executions", is_flag=True, help="Show each attempt.")
@click.option("--show-traceback", is_flag=True, help="Show the last attempt's traceback.")
@click.option("--watch", "watched", is_flag=True, help="Follow the job until it has ended.")
@json_option
@click.pass_obj
@click.pass_context
def status(
    ctx: click.Context,
    settings: Settings,
    job_id: str,
    show_params: bool,
    show_result: bool,
    show_executions: bool,
    show_traceback: bool,
    watched: bool,
    as_json: bool,
) -> None:
    """Show one job.

    With --watch, tell each change until the job has ended: 0 is the exit code if it completed, 1 if
    not. On a terminal a bar shows how far it is, if it tells so itself. Ctrl-C ends the watching,
    not the job. What else was asked for is shown at the end.

    JSON: the columns of the job (params, dependencies and result decoded), its options as a line
    of JSONL gives them, "run_at" (when it is due; with an offset), "workflow", "progress" (null, or
    "done", "total", "percent", "note" and "at"), "exists", "blocked" and "executions", always
    whole, and "why" where something holds up a job that waits;
    {"id", "exists": false} if there is no such job.
    """
    with settings.viewing() as view:
        try:
            job = view.job(view.resolve(job_id))
        except Trouble as problem:
            if not as_json:
                raise
            warn(f"Error: {inert(problem.message)}")
            job = None
        if job is None:
            write_json({"id": job_id, "exists": False})
            ctx.exit(EXIT_REFUSED)
        completed = watch(view, job["id"], quiet=as_json) if watched else True
        if watched:
            job = view.job(job["id"]) or job
        origin = view.origin(job)
        unmet = view.unmet(job) if job["status"] == JobStatus.PENDING.value else []
    if as_json:
        write_json(job)
    else:
        if not watched:
            _print_facts(job, unmet, origin)
        _print_asked(job, show_params, show_result, show_executions, show_traceback)
    if not completed:
        ctx.exit(EXIT_REFUSED)


def _print_asked(
    job: dict[str, Any],
    show_params: bool,
    show_result: bool,
    show_executions: bool,
    show_traceback: bool,
) -> None:
    if show_params and job["params"]:
        say("\nParameters:")
        _print_value(job["params"])
    if show_result and job["result"] is not None:
        say("\nResult:")
        _print_value(job["result"])
    if show_executions and job["executions"]:
        say("\nExecutions:")
        _print_executions(job["executions"])
    if show_traceback:
        _print_traceback(job["executions"])


@click.command("list")
@selecting
@click.option(
    "--limit",
    type=Limit(min=0),
    default=100,
    show_default=True,
    help="Maximum number of jobs.",
)
@json_option
@click.pass_obj
def list_jobs(
    settings: Settings,
    status: str | None,
    workflow: str | None,
    batch: str | None,
    failure: str | None,
    limit: int,
    as_json: bool,
) -> None:
    """List the newest jobs first.

    JSON: an array of jobs, each with the keys that `status --json` prints but for "exists" and
    "executions".
    """
    with settings.viewing() as view:
        jobs = view.newest(status, limit, workflow, batch, failure)
    if as_json:
        write_json(jobs)
        return
    if not jobs:
        say("No jobs found.")
        return
    columns = terminal_columns()
    narrow = columns is not None and columns < WIDE_TERMINAL
    headers = ["ID", "Name", "Status", "Priority", "Created", "Updated", "Why waiting"]
    reasons = [job.get("why", "") for job in jobs]
    rows = [
        [
            str(job["id"])[: SHORT_ID if narrow else None],
            job["name"],
            job["status"],
            job["priority"],
            _time(job, "created_at"),
            _time(job, "updated_at"),
            reason,
        ]
        for job, reason in zip(jobs, reasons, strict=True)
    ]
    if narrow:
        rows = [[*row[:-2], row[-1]] for row in rows]
        headers.remove("Updated")
    if not any(reasons):
        headers, rows = headers[:-1], [row[:-1] for row in rows]
    table(headers, rows, shrinking=["Name", "Why waiting"])


@click.command()
@json_option
@click.pass_obj
def stats(settings: Settings, as_json: bool) -> None:
    """Count the jobs of each status.

    JSON: {"pending", "running", "completed", "failed", "cancelled", "timeout", "total"}.
    """
    with settings.viewing() as view:
        counts = view.stats()
    if as_json:
        write_json(counts)
        return
    table(("Status", "Count"), list(counts.items()))


@click.command(short_help="List the runs of workflows, with how their jobs stand.")
@click.option(
    "--limit",
    type=Limit(min=0),
    default=20,
    show_default=True,
    help="Maximum number of runs.",
)
@json_option
@click.pass_obj
def workflows(settings: Settings, limit: int, as_json: bool) -> None:
    """List the runs of workflows, newest first, with their states.

    `list --workflow` lists the jobs of one.

    JSON: an array of {"name", "id", "submitted" (UTC seconds since 1970), "counts" (of each
    status), "total"}.
    """
    with settings.viewing() as view:
        runs = view.workflows(limit)
    if as_json:
        write_json(runs)
        return
    if not runs:
        say("No workflows found.")
        return
    statuses = [status.value for status in JobStatus]
    table(
        ("Name", "ID", "Submitted", *(status.capitalize() for status in statuses), "Total"),
        [
            (
                run["name"],
                run["id"][:SHORT_ID],
                shown_moment(run["submitted"]),
                *(run["counts"][status] or "-" for status in statuses),
                run["total"],
            )
            for run in runs
        ],
        shrinking=["Name"],
    )


@click.command(short_help="List the workers, and whether their processes live.")
@click.option("--all", "with_stopped", is_flag=True, help="Include stopped workers.")
@json_option
@click.pass_obj
def workers(settings: Settings, with_stopped: bool, as_json: bool) -> None:
    """List the workers, and whether their processes live.

    GigQ's own workers don't register themselves, so they are not among them. If a worker runs its
    jobs elsewhere (--via), its agents are listed too.

    JSON: an array of {"id", "owner", "host", "pid", "alive" (null: can't be told from here),
    "isolation", "slots", "state", "request", "started_at", "stopped_at", "done", "failed",
    "last_claim_at", "log_path", "suspended" (as "alive"), "agents"}; an agent is {"id", "via",
    "state" (starting, ready, silent, lost, refused, stopped), "slots", "busy", "host", "pid",
    "python", "load", "began" (since when its link stands), "heard" (UTC seconds), "latency" (of an
    answer, in seconds), "trouble"}.
    """
    with settings.viewing() as view:
        found = view.workers()
    if not with_stopped:
        found = [worker for worker in found if worker["state"] != "stopped"]
    if as_json:
        write_json(found)
        return
    if not found:
        say("No workers found.")
        return
    words = {True: "yes", False: "no", None: "?"}
    table(
        ("ID", "Pid", "Host", "Owner", "State", "Alive", "Slots", "Done", "Failed", "Started"),
        [
            (
                worker["id"],
                worker["pid"],
                worker["host"],
                worker["owner"],
                "suspended" if worker["suspended"] else worker["state"],
                words[worker["alive"]],
                worker["slots"],
                worker["done"],
                worker["failed"],
                shown_time(worker["started_at"]),
            )
            for worker in found
        ],
        shrinking=["ID", "Host"],
    )
    living = [worker for worker in found if worker["alive"] is not False]
    agents = [agent for worker in living for agent in worker["agents"]]
    if agents:
        say("")
        _print_agents(agents)


def _print_agents(agents: list[dict[str, Any]]) -> None:
    now = utc_now()
    troubled = any(agent["trouble"] for agent in agents)
    table(
        (
            *("Agent", "Via", "Host", "State", "Slots", "Busy", "Load", "Link", "Answers"),
            *(["Trouble"] if troubled else []),
        ),
        [
            (
                agent["id"],
                agent["via"],
                agent["host"] or "-",
                agent["state"],
                agent["slots"],
                agent["busy"],
                "-" if agent["load"] is None else f"{agent['load']:.2f}",
                "-" if agent["began"] is None else span(now - agent["began"]),
                "-" if agent["latency"] is None else span(agent["latency"]),
                *([agent["trouble"] or ""] if troubled else []),
            )
            for agent in agents
        ],
        shrinking=["Via", "Agent", "Trouble"],
    )


@click.command(short_help="Print the stack of the function that a job runs now.")
@click.argument("job_id", shell_complete=complete_job_id)
@json_option
@click.pass_obj
def stack(settings: Settings, job_id: str, as_json: bool) -> None:
    """Print the stack of a running job, most recent call last.

    The job must run in a worker process on this machine, or at an agent of a worker, which is asked
    through the file. The job does not notice.

    JSON: {"id", "stack"}.
    """
    from gigq_core.inspection.stack import stack_of

    with settings.viewing() as view:
        found = view.resolve(job_id)
    with sentences(settings.db):
        text = stack_of(settings.db, found)
    if as_json:
        write_json({"id": found, "stack": text})
    else:
        for line in text.splitlines():
            say(inert(line))


def _time(row: dict[str, Any], column: str) -> str:
    """A time of a job or an attempt, by its instant where it has one.

    There is none for the last update: it is that of what was written together with it.
    """
    text = row[column]
    for instant, other in _INSTANTS:
        if column == other or (column not in _TEXTS and row[other] == text):
            return shown_time(text, row.get(instant))
    return shown_time(text)


def _print_facts(job: dict[str, Any], unmet: list[tuple[str, str, str]], origin: str) -> None:
    say(f"Job: {cell(job['name'])} ({cell(job['id'])})")
    say(f"Status: {cell(job['status'])}")
    for label, column in (
        ("Created", "created_at"),
        ("Updated", "updated_at"),
        ("Started", "started_at"),
        ("Completed", "completed_at"),
    ):
        say(f"{label}: {_time(job, column)}")
    if "why" in job:
        say(f"Waiting: {job['why']}.")
    say(f"Attempts: {cell(job['attempts'])} / {cell(job['max_attempts'])}")
    if origin:
        say(f"Origin: {inert(origin)}")
    if job["progress"]:
        say(f"Progress: {progress_in_words(job['progress'])}")
    if job["run_at"]:
        say(f"Due: {shown_time(job['run_at'])}")
    for label, words in _options_in_words(job):
        say(f"{label}: {cell(words)}")
    for parent_id, name, standing in unmet[:SHOWN_PARENTS]:
        say(
            " ".join(
                filter(None, ["Waits for:", cell(parent_id), cell(name), f"({cell(standing)})"])
            )
        )
    if len(unmet) > SHOWN_PARENTS:
        say(f"Waits for: {len(unmet) - SHOWN_PARENTS} more")
    if job["worker_id"]:
        last = job["executions"][-1] if job["executions"] else {}
        who = Elsewhere("", last.get("link")).agent(job["worker_id"])
        elsewhere = f", on {cell(last['agent'])}" if last.get("agent") else ""
        say(f"Worker: {cell(who)}{elsewhere}")
    if job["error"]:
        say(f"Error: {inert(job['error'], lines=True)}")
    decision = job["executions"][-1].get("decision") if job["executions"] else None
    # Of one that waits, what was decided is said above.
    if decision and job["status"] in (JobStatus.FAILED.value, JobStatus.TIMEOUT.value):
        say(f"Decision: {inert(decision)}")


def _options_in_words(job: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """The options that are not as they are by default and that GigQ does not know."""
    delays = retry_of(job["retry"])
    if isinstance(delays, Backoff):
        yield "Delays", str(delays)
    elif delays is not None:
        yield "Delays", ", ".join(map(duration_text, delays))
    for label, key in (("Retried on", "retry_on"), ("Given up on", "give_up_on")):
        if job[key]:
            yield label, ", ".join(name.removeprefix("builtins.") for name in job[key])
    if job["on_timeout"] == "fail":
        yield "After a timeout", "it fails"
    if job["on_parent_failure"] in _IF_A_PARENT_FAILS:
        yield "If a parent fails", _IF_A_PARENT_FAILS[job["on_parent_failure"]]
    if job["stall_timeout"]:
        yield "Stopped when silent for", duration_text(job["stall_timeout"])
    if job["memory"]:
        yield "Most memory", size_text(job["memory"])
    if job["unique"]:
        yield "Unique key", words_of(**job["unique"])
    for key in ("workflow", "batch", "lane"):
        if job[key]:
            yield key.capitalize(), job[key]
    if job["ours"]:
        yield "Hidden from GigQ's workers", "yes"


def _print_value(value: object) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            say(f"  {cell(key)}: {inert(item)}")
    else:
        say(lines_of(value, "  "))


def _print_executions(executions: list[dict[str, Any]]) -> None:
    elsewhere = any(execution.get("agent") for execution in executions)
    table(
        (
            *("Attempt", "ID", "Started", "Completed", "Status", "Worker"),
            *(["Host"] if elsewhere else []),
        ),
        [
            (
                number,
                execution["id"],
                _time(execution, "started_at"),
                _time(execution, "completed_at"),
                execution["status"],
                Elsewhere("", execution.get("link")).agent(execution["worker_id"]),
                *([execution.get("agent") or "-"] if elsewhere else []),
            )
            for number, execution in enumerate(executions, start=1)
        ],
        shrinking=["Worker"],
    )


def _print_traceback(executions: list[dict[str, Any]]) -> None:
    kept = [e["traceback"] for e in executions if e.get("traceback")]
    if kept:
        say("\nTraceback:")
        say(lines_of(kept[-1].rstrip(), "  "))
    else:
        say("\nNo traceback was recorded.")
