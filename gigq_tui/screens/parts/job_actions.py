"""What can be done with jobs on any screen that shows them: cancel, retry, copy, edit, look."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from gigq_tui.actions.report import Report
from gigq_tui.actions.shell_command import for_jobs
from gigq_tui.format import as_json, cut, inert, masked, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.job_actions import CANCEL, EDIT, LOWER_PRIORITY, RAISE_PRIORITY, RETRY
from gigq_tui.keys.looking_actions import COPY, LOG, OPEN, TREE
from gigq_tui.keys.reading_actions import STACK
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.release import offer_release
from gigq_tui.services.notes import MANY, attach_note
from gigq_tui.store.models import JobDetail, JobRow
from gigq_tui.widgets.question import Choice, Question

if TYPE_CHECKING:
    from gigq_tui.app import ConsoleApp

NAMED = 3
# What is said of jobs on which nothing can be cancelled any more.
_ENDED = {
    "completed": "completed",
    "failed": "failed",
    "timeout": "timed out",
    "cancelled": "cancelled",
}


class JobActs(ConsoleScreen, inherit_bindings=False):
    """A screen with a current job. `chosen()` says which jobs an act is about."""

    def chosen(self) -> tuple[JobRow, ...]:
        """The jobs that a lower-case key acts on, captured now."""
        row = self.current_row()
        return () if row is None else (row,)

    def chosen_ids(self) -> tuple[str, ...]:
        """Their ids; more than `chosen()` where not all the rows are in memory."""
        return tuple(row.id for row in self.chosen())

    @does(CANCEL)
    def do_cancel(self) -> None:
        """Cancel waiting jobs, and have running ones stopped by their workers."""
        self.ask_cancel(self.chosen_ids(), self.chosen())

    @does(RETRY)
    def do_retry(self) -> None:
        """Give failed, timed out and cancelled jobs a fresh start; orphaned ones are released."""
        ids, rows = self.chosen_ids(), self.chosen()
        if not offer_release(self, ids, rows, self.acted):
            self.ask_retry(ids, rows)

    def ask_cancel(self, ids: Sequence[str], rows: Sequence[JobRow], about: str = "") -> None:
        """Ask whether to cancel these jobs, and do it."""
        snapshot = self.console.snapshot
        theirs = {worker.id for worker in snapshot.foreign_workers} if snapshot is not None else ()
        busy = [row for row in rows if row.status == "running"]
        refused = sum(1 for row in busy if row.worker_id in theirs)
        running = len(busy) - refused
        details = []
        if running:
            details.append(
                f"{_some(running, ids, rows)} running: the workers will be asked to stop what runs."
                if len(ids) > 1
                else "It is running: its worker will be asked to stop it."
            )
        if refused:
            details.append(
                f"{_some(refused, ids, rows)} run by workers of GigQ's, which can't be asked to "
                "stop, and will be refused."
                if len(ids) > 1
                else "A worker of GigQ's runs it, which can't be asked to stop: it will be refused."
            )
        ended = Counter(row.status for row in rows if row.status in _ENDED)
        details += [
            f"{_some(count, ids, rows)} {_ENDED[status]} and will be refused."
            if len(ids) > 1
            else f"It is {_ENDED[status]}: only waiting and running jobs can be cancelled."
            for status, count in ended.items()
        ]
        jobs = self.console.jobs
        # What has ended holds nobody up any more than it does now.
        over = {row.id for row in rows if row.status in _ENDED}
        self._ask(
            "Cancel",
            ids,
            rows,
            about,
            details,
            lambda: jobs.cancel(ids),
            _dooms,
            asked_behind=tuple(id for id in ids if id not in over),
        )

    def ask_retry(self, ids: Sequence[str], rows: Sequence[JobRow], about: str = "") -> None:
        """Ask whether to retry these jobs, and do it."""
        others = Counter(
            row.status for row in rows if row.status in ("pending", "running", "completed")
        )
        details = [
            f"{_some(count, ids, rows)} {status} and will be refused."
            if len(ids) > 1
            else f"It is {status}: only failed, timed out and cancelled jobs can be retried."
            for status, count in others.items()
        ]
        jobs = self.console.jobs
        self._ask("Retry", ids, rows, about, details, lambda: jobs.retry(ids), _frees)

    @does(RAISE_PRIORITY)
    def do_raise_priority(self) -> None:
        """Let waiting jobs run sooner."""
        self._move_priority(1, "Raise")

    @does(LOWER_PRIORITY)
    def do_lower_priority(self) -> None:
        """Let waiting jobs run later."""
        self._move_priority(-1, "Lower")

    def _move_priority(self, by: int, verb: str) -> None:
        ids, console = self.chosen_ids(), self.console
        call = partial(console.jobs.change_priority, ids, by)
        if len(ids) == 1:
            title = f"{verb} the priority of 1 job?"
            console.after_attach_question(title, lambda: console.act(call, after=self.looked))
        else:
            title = f"{verb} the priority of"
            self._ask(title, ids, self.chosen(), f" by {abs(by)}", [], call, after=self.looked)

    def looked(self) -> None:
        """Called after an act that may well be done once more on the same jobs."""

    def _ask(
        self,
        verb: str,
        ids: Sequence[str],
        rows: Sequence[JobRow],
        about: str,
        details: list[str],
        call: Callable[[], Report],
        behind: Callable[[int, int], str] | None = None,
        after: Callable[[], None] | None = None,
        asked_behind: Sequence[str] | None = None,
    ) -> None:
        concerned = tuple(ids if asked_behind is None else asked_behind)
        if not ids:
            self.console.notice("There is no job to act on.", "warn")
            return
        count = len(ids)
        names = [f"{row.name} {row.id[:8]}" for row in rows[:NAMED]]
        if count > len(names) and names:
            names.append(f"and {count - len(names):,} more")
        if names:
            details.insert(0, ", ".join(names))
        if self.console.will_attach:
            details.append(attach_note(self.console.path))
        yes = "Y" if count >= MANY else "y"
        what = plural(count, "job")
        question = Question(
            f"{verb} {what}{about}?",
            tuple(details),
            (
                Choice("n", "No"),
                Choice(
                    yes,
                    f"{verb.partition(' ')[0]} {what}",
                    lambda: self.console.act(call, after=after or self.acted),
                    grave=count >= MANY,
                ),
            ),
        )
        self.question(question)
        if behind is not None and concerned:
            self.ask("behind", concerned, partial(self._amend, question, behind, len(concerned)))

    def _amend(
        self, question: Question, behind: Callable[[int, int], str], count: int, answer: Any
    ) -> None:
        """Say in the open question how many jobs wait behind those that it is about."""
        if isinstance(answer, int) and answer and self.panel.question is question:
            details = (*question.details, behind(answer, count))
            self.panel.amend(replace(question, details=details), self.question_hosts())

    def acted(self) -> None:
        """Called after an act on jobs succeeded."""

    # Looking

    @does(OPEN)
    def do_open(self) -> None:
        """Open the job under the cursor."""
        self._show_detail(None)

    @does(LOG)
    def do_log(self) -> None:
        """Open the output of the job under the cursor."""
        self._show_detail("Output")

    @does(STACK)
    def do_stack(self) -> None:
        """Take the stack of the job under the cursor, now."""
        self._show_detail("Stack")

    def _show_detail(self, tab: str | None) -> None:
        from gigq_tui.screens.job.screen import DetailScreen

        row = self.current_row()
        if row is not None:
            self.console.push_screen(DetailScreen(row.id, tab=tab))

    @does(TREE)
    def do_tree(self) -> None:
        """Open the dependency tree around the job under the cursor."""
        from gigq_tui.screens.tree.screen import TreeScreen

        row = self.current_row()
        if row is not None:
            self.console.push_screen(TreeScreen(row.id))

    @does(EDIT)
    def do_edit(self) -> None:
        """Open the form with a copy of the job under the cursor."""
        row = self.current_row()
        if row is not None:
            self.ask_first("detail", row.id, self._edit)

    def _edit(self, answer: Any) -> None:
        from gigq_tui.screens.submit.screen import SubmitScreen

        if isinstance(answer, JobDetail) and self.is_current:
            self.console.push_screen(SubmitScreen(answer))
        elif self.is_current:
            self.console.notice(trouble_of(answer), "warn")

    # Copying

    @does(COPY)
    def do_copy(self) -> None:
        """Copy the command of the last act while its notice stands; else ask what to copy."""
        row = self.current_row()
        if self.console.copy_fresh_twin() or row is None:
            return
        choices = [
            Choice("escape", "Nothing"),
            Choice("i", "id", lambda: self.console.copy_text(row.id, "the id")),
            Choice("n", "name", lambda: self.console.copy_text(row.name, "the name")),
        ]
        if row.error:
            choices.append(
                Choice("e", "error", lambda: self.console.copy_text(row.error, "the error"))
            )
        choices.append(Choice("p", "params", lambda: self._copy_params(row.id)))
        command = for_jobs(self.console.path, "status", [row.id])
        choices.append(
            Choice("c", "command", lambda: self.console.copy_text(command, "the command"))
        )
        choices += last_command(self.console)
        title = f"Copy what of {cut(inert(row.name), 40)} {row.id[:8]}?"
        self.question(Question(title, (), tuple(choices), harmless=True))

    def _copy_params(self, job_id: str) -> None:
        def copy(answer: Any) -> None:
            if isinstance(answer, JobDetail):
                text = as_json(masked(answer.params), indent=2)
                self.console.copy_text(text, "the params, secrets masked")
            else:
                self.console.notice(trouble_of(answer), "warn")

        self.ask("detail", job_id, copy)


def last_command(console: ConsoleApp) -> list[Choice]:
    """The choice to copy the command that does what the last act did, if there was one."""
    report = console.last_report
    if report is None or not report.twin:
        return []
    return [Choice("l", "last act's command", partial(console.copy_command, report.twin))]


def _dooms(waiting: int, count: int) -> str:
    them = "it" if count == 1 else "them"
    return (
        f"{waiting:,} {'job waits' if waiting == 1 else 'jobs wait'} behind {them}, and will "
        f"never run without {them}."
    )


def _frees(waiting: int, count: int) -> str:
    them = "it" if count == 1 else "them"
    return (
        f"{waiting:,} {'job waits' if waiting == 1 else 'jobs wait'} behind {them}, and may run "
        f"once {'they have' if count > 1 else 'it has'} completed."
    )


def _some(count: int, ids: Sequence[str], rows: Sequence[JobRow]) -> str:
    """Say how many of some jobs, where perhaps not all of them are in memory, are something."""
    least = "At least " if len(rows) < len(ids) else ""
    return f"{least}{count:,} of them {'is' if count == 1 else 'are'}"


def trouble_of(answer: Any) -> str:
    """Say why an answer is not what was asked for."""
    if isinstance(answer, BaseException):
        return str(answer)
    return "This job is no longer in the file."
