"""What is told of workers that ended or answered; what they held is looked up in the file."""

from __future__ import annotations

import signal
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from gigq_core.errors import GigQError
from gigq_tui.actions.workers import held_jobs
from gigq_tui.actions.workers.pending_requests import (
    ANSWER_WITHIN_S,
    ENDS,
    Answer,
    Request,
    request_word,
)
from gigq_tui.actions.workers.pool import Ended
from gigq_tui.format import listed, signal_name
from gigq_tui.store import held_jobs as stored
from gigq_tui.store.held_jobs import HeldJob


class LeftJobs(NamedTuple):
    """Jobs that a dead worker still held: who that was, what became of it, and which they are."""

    worker_id: str
    how: str
    held: tuple[HeldJob, ...]


class Announcement(NamedTuple):
    """A sentence for the notice line, its tone (`ok`, `warn` or `error`), and what is left open."""

    text: str
    tone: str
    left: LeftJobs | None = None


def of_end(path: Path, ended: Ended, asked: Request | None, release: str) -> Announcement:
    """How a worker of this console's ended.

    Args:
        path: The queue file.
        ended: The worker, and how its process ended.
        asked: What it had been asked for, if anything.
        release: Which keys release its jobs, as the end of a sentence.
    """
    name = f"worker {ended.worker_id}"
    expected = ended.exit_code == 0
    if ended.asked or (asked is not None and asked.request in ENDS):
        # One that had only just begun may not have heard of it otherwise.
        expected |= ended.exit_code in (-signal.SIGTERM, 128 + signal.SIGTERM)
    if expected:
        held = asked.held if asked is not None else ()
        return Announcement(with_fates(path, f"{name} ended", ended.worker_id, held), "ok")
    how = f"ended with exit code {ended.exit_code}"
    if ended.exit_code < 0:
        how = f"was ended by {signal_name(-ended.exit_code)}"
    left = held_by(path, ended.worker_id)
    if left:
        names = listed([job.name for job in left])
        still = LeftJobs(ended.worker_id, f"{name} {how}", left)
        return Announcement(f"{name} {how}, still holding {names}: {release}", "error", still)
    why = f": {ended.last_log_line}" if ended.last_log_line else ""
    return Announcement(f"{name} {how}{why}", "error")


def of_answer(path: Path, answer: Answer, release: str) -> Announcement:
    """What came of a request."""
    asked = answer.asked
    name = asked.worker_id
    if answer.word == "paused":
        runs = "; its running jobs continue" if asked.held else ""
        return Announcement(f"{name} paused{runs}", "ok")
    if answer.word == "resumed":
        return Announcement(f"{name} resumed", "ok")
    if answer.word == "ended":
        return Announcement(with_fates(path, f"{name} ended", name, asked.held), "ok")
    if answer.word == "lost":
        how = f"{name} died without answering"
        if not asked.held:
            return Announcement(how, "error")
        left = LeftJobs(name, how, asked.held)
        return Announcement(f"{how}: {release}", "error", left)
    if answer.word == "otherwise":
        return Announcement(
            f"{name} did not {request_word(asked.request)}: it is {answer.why}", "warn"
        )
    return Announcement(
        f"{name} has not answered for {ANSWER_WITHIN_S:g}s "
        f"({request_word(asked.request)} requested): {answer.why}",
        "warn",
    )


def since(path: Path, told: Announcement) -> Announcement:
    """What was told, as it is now: once a dead worker holds nothing any more, nobody is asked to
    release it.
    """
    left = told.left
    if left is None:
        return told
    try:
        if stored.held_by(path, left.worker_id):
            return told
    except GigQError:
        return told
    return Announcement(with_fates(path, left.how, left.worker_id, left.held), "warn")


def held_by(path: Path, worker_id: str) -> tuple[HeldJob, ...]:
    """What a worker holds now, or nothing where the file can't be read."""
    try:
        return stored.held_by(path, worker_id)
    except GigQError:
        return ()


def with_fates(path: Path, text: str, worker_id: str, held: Sequence[HeldJob]) -> str:
    """A sentence, and what became by now of the jobs that a worker held.

    Args:
        path: The queue file.
        text: The sentence, without its full stop.
        worker_id: The worker that held them.
        held: The jobs.
    """
    if not held:
        return text
    try:
        return f"{text}; {held_jobs.describe_fates(held_jobs.fates_of(path, held), worker_id)}"
    except GigQError as problem:
        return f"{text}; the fate of its jobs can't be read: {problem}"
