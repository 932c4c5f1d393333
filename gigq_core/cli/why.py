"""The command that says why a job is where it is, and when it will probably be done."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any

import click

from gigq_core.cli.completion import complete_job_id
from gigq_core.cli.errors import Trouble
from gigq_core.cli.options import json_option
from gigq_core.cli.output import cell, say, write_json
from gigq_core.cli.settings import Settings
from gigq_core.graph.blame import BAD_ENDS
from gigq_core.graph.blocking import Blocking, blocks_in_words, retry_in_words
from gigq_core.reasons.standing import Standing
from gigq_core.reasons.why import state_of, why
from gigq_core.text import inert
from gigq_core.units.spread import Spread, in_words

if TYPE_CHECKING:
    from gigq_core.forecasting.forecast import Forecast

# So many ids stand in a command that is shown.
MOST_IDS = 20


@click.command("why", short_help="Say why a job is where it is, and when it will be done.")
@click.argument("job_id", shell_complete=complete_job_id)
@json_option
@click.pass_obj
def why_job(settings: Settings, job_id: str, as_json: bool) -> None:
    """Say why a job is where it is, and when it will be done.

    You see what holds it up, how many jobs it blocks, what a retry would free, its place in line,
    and a forecast, from past runs of each function and the slots of the workers.

    JSON: {"id", "name", "state", "why", "origin" (where it comes from: the job that submitted it, a
    schedule, a hook; or ""), "culprit" (null, or "id", "name", "problem", "error" of the
    job to blame), "line" (its place, null where it has none), "children" (direct ones), "blocks",
    "frees" (by retrying it alone), "frees_all" (with all of "retry"), "retry" (ids of the failed
    jobs that it and all that it blocks wait for), "forecast"}; a forecast has "begins" and "ends"
    (null, or "p10", "p50" and "p90" in seconds from now), "runs" (how many past runs it stands on),
    "unknown" (functions that have never run) and "reason" (why there is none, or "").
    """
    with settings.viewing() as view:
        found = view.resolve(job_id)
        standing = view.facts_of(found)
        if standing is None:
            raise Trouble(f"Job {found} not found: `list` shows all jobs.")
        numbers, retry = view.blocking(found)
        is_open = standing.status in ("pending", "running") and not standing.doomed
        forecast = view.forecast(found) if is_open else None
    now = datetime.now(timezone.utc)
    if as_json:
        write_json(_as_json(standing, numbers, retry, forecast, now))
        return
    say(f"Job: {cell(standing.name)} ({cell(standing.id)})")
    say(f"State: {state_of(standing, now).value}")
    if reason := why(standing, now, dated=True):
        say(f"Why: {inert(reason.rstrip('.'))}.")
    if standing.origin:
        say(f"Origin: {inert(standing.origin)}.")
    for line in _about_others(standing, numbers, retry):
        say(line)
    if forecast is not None:
        say(f"Forecast: {_in_words(standing, forecast)}.")


def _about_others(standing: Standing, numbers: Blocking, retry: list[str]) -> Iterator[str]:
    if standing.status in BAD_ENDS and numbers.blocks:
        yield retry_in_words(numbers)
    elif numbers.blocks:
        yield f"{blocks_in_words(numbers.blocks, numbers.is_cut).capitalize()}."
    if retry and (standing.doomed or numbers.blocks):
        ids = " ".join(retry[:MOST_IDS])
        more = f" and {len(retry) - MOST_IDS:,} more" if len(retry) > MOST_IDS else ""
        yield f"Retry: gigq-core retry {inert(ids)}{more}"


def _in_words(standing: Standing, forecast: Forecast) -> str:
    window = forecast.windows.get(standing.id)
    if window is None:
        reason = forecast.held.get(standing.id) or forecast.reason or "it may never run"
        return f"not known: {reason}"
    text = f"done in {in_words(window.end)}"
    if standing.status == "pending":
        text = f"begins in {in_words(window.begin)}, {text}"
    said = [f"{forecast.runs:,} past {'run' if forecast.runs == 1 else 'runs'}"]
    if forecast.unknown:
        one = len(forecast.unknown) == 1
        said.append(
            f"{len(forecast.unknown)} {'function has' if one else 'functions have'} never run"
        )
    return f"{text} ({'; '.join(said)})"


def _as_json(
    standing: Standing,
    numbers: Blocking,
    retry: list[str],
    forecast: Forecast | None,
    now: datetime,
) -> dict[str, Any]:
    culprit = standing.culprit
    told = None
    if forecast is not None:
        window = forecast.windows.get(standing.id)
        told = {
            "begins": _spread(window.begin) if window and standing.status == "pending" else None,
            "ends": _spread(window.end) if window else None,
            "runs": forecast.runs,
            "unknown": list(forecast.unknown),
            "reason": forecast.held.get(standing.id) or forecast.reason,
        }
    return {
        "id": standing.id,
        "name": standing.name,
        "state": state_of(standing, now).value,
        "why": why(standing, now, dated=True),
        "origin": standing.origin,
        "culprit": culprit
        and {
            "id": culprit.id,
            "name": culprit.name,
            "problem": culprit.problem,
            "error": culprit.error,
        },
        "line": standing.line or None,
        "children": numbers.children,
        "blocks": numbers.blocks,
        "frees": numbers.frees,
        "frees_all": numbers.frees_all,
        "retry": retry,
        "forecast": told,
    }


def _spread(spread: Spread) -> dict[str, float]:
    return {name: round(seconds, 3) for name, seconds in spread._asdict().items()}
