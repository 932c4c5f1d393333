"""Taking jobs back from workers that are gone, on any screen that shows either of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gigq_core.reasons.why import Health
from gigq_core.status import JobStatus
from gigq_tui.actions.question import Choice, Question
from gigq_tui.format import inert, listed, plural
from gigq_tui.store.held_jobs import HeldJob
from gigq_tui.store.models import JobRow


def orphans(ids: Sequence[str], rows: Sequence[JobRow]) -> list[HeldJob]:
    """Return the jobs that are to be released, where that is what a retry of them must mean.

    Args:
        ids: The jobs, captured at the key press.
        rows: Those of them that are in memory.

    Returns:
        All of them, where each is an orphan: it runs, and its worker is gone. Otherwise none.
    """
    found = [
        HeldJob(row.id, row.name)
        for row in rows
        if row.status == JobStatus.RUNNING.value and row.holder in (Health.LOST, Health.STOPPED)
    ]
    return found if len(found) == len(ids) else []


def release_question(
    held: Sequence[HeldJob], release: Callable[[], None], about: str = ""
) -> Question:
    """Return the question whether to take jobs back from workers that are gone.

    Args:
        held: The jobs, captured at the key press.
        release: What yes does.
        about: What is said of them after their number.
    """
    names = [f"{inert(job.name)} {job.id[:8]}" for job in held]
    gone = "Its worker's process is" if len(held) == 1 else "The processes of their workers are"
    return Question(
        f"Release {plural(len(held), 'job')}{about}?",
        (
            listed(names, 3),
            f"{gone} gone: what has attempts left goes back to the queue, the rest fails.",
        ),
        (Choice("n", "No"), Choice("y", "Release", release)),
    )
