"""`gigq-core retry --failure`: jobs that failed for one cause, all of them or a canary first."""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import FrameType
from typing import TYPE_CHECKING, Any

import click

from gigq_core.cli.errors import EXIT_CANARY_FAILED, EXIT_REFUSED, Trouble
from gigq_core.cli.output import say, warn, write_json
from gigq_core.cli.settings import Settings
from gigq_core.cli.watch import hints_of
from gigq_core.status import FINAL_STATUSES, JobStatus, Outcome
from gigq_core.text import inert

if TYPE_CHECKING:
    from gigq_core.changes.canary import Canary, FailedGroup
    from gigq_core.cli.queue_view import QueueView
    from gigq_core.queue import JobQueue

SHOWN_DIGITS = 8
SHOWN_JOBS = 20
SHOWN_KINDS = 5
_FINAL = frozenset(status.value for status in FINAL_STATUSES)


@dataclass
class CanaryRun:
    """What is to be done with the jobs that failed for one cause, and what came of it.

    Args:
        settings: What was said before the command.
        group: The jobs.
        title: Their cause, with `#` for what differs.
        chosen: The canary.
        rest: Whether the other jobs follow where the canary passes.
        as_json: Whether JSON is printed, and nothing for people.
    """

    settings: Settings
    group: FailedGroup
    title: str
    chosen: Sequence[str]
    rest: bool
    as_json: bool

    def run(self) -> None:
        """Retry the canary, wait until it has ended, and say what comes next.

        Raises:
            Exit: More than a fifth failed again, or nothing could be retried.
        """
        with self.settings.changing() as queue:
            with _EndingSignals() as signals:
                canary = queue.retry_first(self.chosen)
                try:
                    with signals.heard():
                        standing = self._follow(queue, canary)
                finally:
                    # Also where somebody waits no longer: what waits then waits as it did before.
                    queue.end_canary(canary)
            if not canary.job_ids:
                if self.as_json:
                    self._print_json(canary, {}, 0, False, self.group.jobs, ())
                raise click.exceptions.Exit(EXIT_REFUSED)
            self._judge(canary, standing)

    def _follow(self, queue: JobQueue, canary: Canary) -> dict[str, str]:
        """Wait until all of it has ended, and tell each change; the status of each job then.

        A job that has ended gets its own priority back at once: others may retry it from then on.
        """
        for outcome in canary.outcomes:
            if not outcome.done:
                warn(f"Could not retry job {inert(outcome.job_id)}: {inert(outcome.reason)}.")
        ids = canary.job_ids
        if not ids:
            return {}
        self._say(
            f"Retried {len(ids)} of {_jobs(len(self.group.jobs))}: {inert(self.title)}."
            f"{_raised(canary)}"
        )
        with self.settings.viewing() as view, hints_of(view) as pause:
            facts = next(filter(None, map(view.facts_of, ids)), None)
            if facts is not None and facts.halt is not None:
                warn(f"The canary waits: {facts.halt.value}.")
            told = ""
            left = set(ids)
            while True:
                standing = {id: status for id, (_, status) in view.standing(ids).items()}
                words = _in_words(len(ids), standing)
                if words != told:
                    told = words
                    self._say(words)
                ended = {id for id in left if standing.get(id) in (None, *_FINAL)}
                left -= ended
                if not left:
                    return standing
                if ended:
                    queue.end_canary(canary, ended)
                pause()

    def _judge(self, canary: Canary, standing: dict[str, str]) -> None:
        from gigq_core.changes.canary import may_go_on

        counts = Counter(standing.values())
        passed = counts[JobStatus.COMPLETED.value]
        failed = counts[JobStatus.FAILED.value] + counts[JobStatus.TIMEOUT.value]
        goes_on = passed > 0 and may_go_on(passed, failed)
        with self.settings.viewing() as view:
            alike = {
                job.job_id for g in view.failed_groups(self.group.fingerprint) for job in g.jobs
            }
        same = sum(id in alike for id in canary.job_ids)
        # Meanwhile somebody may have retried others, or cancelled or deleted them.
        others = [
            job.job_id
            for job in self.group.jobs
            if job.job_id in alike and job.job_id not in canary.own
        ]
        if failed:
            self._say(f"{failed} failed again{_causes(failed, same)}.")
        outcomes: list[Outcome] = []
        if goes_on and self.rest and others:
            with self.settings.changing() as queue:
                outcomes = queue.requeue_jobs(others)
        refused = [outcome for outcome in outcomes if not outcome.done]
        if self.as_json:
            self._print_json(canary, standing, same, goes_on, others, outcomes)
        else:
            self._say_next(goes_on, len(others), len(alike), len(outcomes) - len(refused))
        for outcome in refused:
            warn(f"Could not retry job {inert(outcome.job_id)}: {inert(outcome.reason)}.")
        if not goes_on:
            raise click.exceptions.Exit(EXIT_CANARY_FAILED)
        if refused:
            raise click.exceptions.Exit(EXIT_REFUSED)

    def _say_next(self, goes_on: bool, others: int, alike: int, retried: int) -> None:
        digits = self.group.fingerprint[:SHOWN_DIGITS]
        if not goes_on:
            left = f"; the other {others:,} are left alone" if others else ""
            say(f"More than a fifth did not pass{left}.")
        elif self.rest and others:
            say(f"Retried the other {_jobs(retried)}.")
        elif others:
            say(f"The rest can be retried: gigq-core retry --failure {digits} retries {alike:,}.")

    def _print_json(
        self,
        canary: Canary,
        standing: dict[str, str],
        same: int,
        goes_on: bool,
        others: Sequence[object],
        outcomes: Sequence[Outcome],
    ) -> None:
        counts = Counter(standing.values())
        write_json(
            {
                "fingerprint": self.group.fingerprint,
                "failed": len(self.group.jobs),
                "dry_run": False,
                "canary": [{"id": id, "status": standing.get(id)} for id in canary.job_ids],
                "passed": counts[JobStatus.COMPLETED.value],
                "failed_again": counts[JobStatus.FAILED.value] + counts[JobStatus.TIMEOUT.value],
                "same_cause": same,
                "may_go_on": goes_on,
                "rest": len(others),
                "retried_rest": sum(outcome.done for outcome in outcomes),
            }
        )

    def _say(self, text: str) -> None:
        if not self.as_json:
            say(text)


class _EndingSignals:
    """Ctrl-C, SIGTERM and SIGHUP end the command only where they are `heard`; at other times they
    wait for that, or for the end of the block."""

    _EXPECTED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

    def __init__(self) -> None:
        self._before: dict[int, Any] = {}
        self._got: int | None = None
        self._is_heard = False

    def __enter__(self) -> _EndingSignals:
        for number in self._EXPECTED:
            before = signal.getsignal(number)
            if before is not signal.SIG_IGN:  # as `nohup` leaves it
                self._before[number] = before
                signal.signal(number, self._take)
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        for number, before in self._before.items():
            signal.signal(number, before)
        if kind is None:
            self._end()

    @contextmanager
    def heard(self) -> Iterator[None]:
        """Within the block, a signal ends it at once."""
        self._is_heard = True
        try:
            self._end()
            yield
        finally:
            self._is_heard = False

    def _take(self, number: int, frame: FrameType | None) -> None:
        self._got = number
        if self._is_heard:
            self._is_heard = False
            self._end()

    def _end(self) -> None:
        if self._got == signal.SIGINT:
            raise KeyboardInterrupt
        if self._got is not None:
            raise SystemExit(128 + self._got)


def group_of(view: QueueView, digits: str) -> FailedGroup:
    """The jobs that are failed now for the one cause whose fingerprint begins so.

    Raises:
        Trouble: There is none, or there are several.
    """
    groups = view.failed_groups(digits)
    if not groups:
        raise Trouble(
            f"No failed job has a fingerprint that begins with {digits}: "
            "`failures` shows what failed."
        )
    if len(groups) > 1:
        shown = ", ".join(sorted(group.fingerprint for group in groups)[:SHOWN_KINDS])
        more = ", …" if len(groups) > SHOWN_KINDS else ""
        raise Trouble(
            f"{digits} begins {len(groups)} fingerprints ({shown}{more}): give more digits."
        )
    return groups[0]


def print_plan(
    view: QueueView, group: FailedGroup, chosen: Sequence[str], *, canary: bool, as_json: bool
) -> None:
    """Say which jobs would be retried."""
    standing = view.standing(chosen)
    if as_json:
        plan: dict[str, Any] = {
            "fingerprint": group.fingerprint,
            "failed": len(group.jobs),
            "dry_run": True,
            "canary" if canary else "jobs": [
                {"id": id, "status": standing[id][1]} for id in chosen if id in standing
            ],
        }
        write_json(plan)
        return
    of = f" of {len(group.jobs):,}" if len(chosen) < len(group.jobs) else ""
    first = ", before what waits" if canary else ""
    say(f"Would retry {_jobs(len(chosen))}{of}{first}: {inert(view.cause(group))}.")
    for id in chosen[:SHOWN_JOBS]:
        say(f"  {inert(id)} ({inert(standing[id][0] if id in standing else '')})")
    if len(chosen) > SHOWN_JOBS:
        say(f"  … and {len(chosen) - SHOWN_JOBS:,} more.")


def _in_words(jobs: int, standing: dict[str, str]) -> str:
    counts = Counter(standing.values())
    parts = [
        f"{counts[JobStatus.COMPLETED.value]} passed",
        f"{counts[JobStatus.FAILED.value] + counts[JobStatus.TIMEOUT.value]} failed again",
        f"{counts[JobStatus.RUNNING.value]} running",
        f"{counts[JobStatus.PENDING.value]} waiting",
    ]
    if counts[JobStatus.CANCELLED.value]:
        parts.append(f"{counts[JobStatus.CANCELLED.value]} cancelled")
    if jobs > len(standing):
        parts.append(f"{jobs - len(standing)} deleted")
    return f"canary of {jobs}: {', '.join(parts)}"


def _raised(canary: Canary) -> str:
    """That they have another priority meanwhile, where any of them has."""
    first = canary.priority
    if first is None or all(own >= first for own in canary.own.values()):
        return ""
    they = "It has" if len(canary.own) == 1 else "They have"
    return f" {they} priority {first} until {they.lower()} ended, to run before what waits."


def _causes(failed: int, same: int) -> str:
    if same >= failed:
        return " for the same cause"
    return f", {same} of them for the same cause" if same else " for another cause"


def _jobs(number: int) -> str:
    return f"{number:,} job{'' if number == 1 else 's'}"
