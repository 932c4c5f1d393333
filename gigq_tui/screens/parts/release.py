"""Taking jobs back from workers that are gone, on any screen that shows either of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from gigq_tui.actions.workers.held_jobs import HeldJob
from gigq_tui.format import inert, listed, plural
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.store.models import Health, JobRow
from gigq_tui.widgets.question import Choice, Question


def offer_release(
    screen: ConsoleScreen, ids: Sequence[str], rows: Sequence[JobRow], after: Callable[[], None]
) -> bool:
    """Ask about a release where that is what a retry of these jobs must mean.

    Args:
        screen: Where the question is asked.
        ids: The jobs, captured at the key press.
        rows: Those of them that are in memory.
        after: Called once they were released.

    Returns:
        Whether each of them is an orphan: it runs, and its worker is gone.
    """
    orphans = [
        row
        for row in rows
        if row.status == "running" and row.holder in (Health.LOST, Health.STOPPED)
    ]
    if not orphans or len(orphans) < len(ids):
        return False
    ask_release(screen, [HeldJob(row.id, row.name) for row in orphans], after=after)
    return True


def ask_release(
    screen: ConsoleScreen,
    held: Sequence[HeldJob],
    about: str = "",
    after: Callable[[], None] | None = None,
) -> None:
    """Ask whether to take jobs back from workers that are gone, and do it.

    Args:
        screen: Where the question is asked.
        held: The jobs, captured at the key press.
        about: What is said of them after their number.
        after: Called once that was done.
    """
    console = screen.console
    names = [f"{inert(job.name)} {job.id[:8]}" for job in held]
    gone = "Its worker's process is" if len(held) == 1 else "The processes of their workers are"
    screen.question(
        Question(
            f"Release {plural(len(held), 'job')}{about}?",
            (
                listed(names, 3),
                f"{gone} gone: what has attempts left goes back to the queue, the rest fails.",
            ),
            (
                Choice("n", "No"),
                Choice("y", "Release", lambda: console.release_jobs(held, after)),
            ),
        )
    )
