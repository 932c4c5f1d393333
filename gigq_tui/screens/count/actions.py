"""What is done with values: their jobs are listed, cancelled, retried, and copied."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Protocol

from gigq_core.grouping.counting import csv_of
from gigq_core.text import sentence
from gigq_tui.actions.question import Choice as Answer
from gigq_tui.actions.shell_command import command
from gigq_tui.columns import has_secrets
from gigq_tui.format import plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import COUNT_CANCEL, COUNT_COPY, COUNT_JOBS, COUNT_RETRY
from gigq_tui.screens.count.choice import Choice
from gigq_tui.screens.count.lines import Row
from gigq_tui.screens.parts.copy_choices import (
    Copies,
    command_choice,
    copy_question,
    text_choice,
)
from gigq_tui.screens.parts.job_actions import ChosenJobs
from gigq_tui.screens.parts.needs import AsksQuestion, Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.parts.screen_reads import ScreenReads
from gigq_tui.store.counts.reading import Counted
from gigq_tui.store.filter.language import Filter, FilterError, parse
from gigq_tui.store.filter.writing import all_of
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Tab

# Asks about some jobs; the second is what is said of them after their number.
Asks = Callable[[ChosenJobs, str], None]


class ValuesHost(AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def reads(self) -> ScreenReads: ...

    @property
    def known(self) -> Counted | None: ...

    @property
    def among(self) -> tuple[Tab, Filter]:
        """The jobs that are counted."""

    @property
    def is_current(self) -> bool: ...


class ValueActions(Part):
    """Lists, cancels, retries and copies the jobs of values.

    Args:
        host: The screen.
        choice: Which values are meant.
        ask_cancel: Asks whether to cancel some jobs.
        ask_retry: Asks whether to retry some jobs.
        show_jobs: Lists jobs by a tab and a filter.
        copying: What copies.
        notices: Where it is told why nothing is done.
        path: The queue file.
    """

    def __init__(
        self,
        host: ValuesHost,
        choice: Choice,
        ask_cancel: Asks,
        ask_retry: Asks,
        show_jobs: Callable[[Tab, str], None],
        copying: Copies,
        notices: Tells,
        path: Path,
    ) -> None:
        self._host = host
        self._choice = choice
        self._ask_cancel = ask_cancel
        self._ask_retry = ask_retry
        self._show_jobs = show_jobs
        self._copying = copying
        self._notices = notices
        self._path = path

    @does(COUNT_JOBS)
    def show(self) -> None:
        """List the jobs of the value under the cursor."""
        (tab, _), current = self._host.among, self._choice.current
        try:
            self._show_jobs(tab, self._filter(() if current is None else (current,)))
        except FilterError as problem:
            self._refuse(problem)

    @does(COUNT_CANCEL)
    def cancel(self) -> None:
        """Ask whether to cancel the jobs of the values."""
        self._ask(self._ask_cancel)

    @does(COUNT_RETRY)
    def retry(self) -> None:
        """Ask whether to retry the jobs of the values."""
        self._ask(self._ask_retry)

    def _filter(self, rows: tuple[Row, ...]) -> str:
        """The filter for the jobs of some values among those that are counted."""
        _, filter = self._host.among
        found = self._choice.filter_of(rows)
        if not filter:
            return found
        return all_of(filter.text, f"({found})" if len(rows) > 1 else found)

    def _ask(self, ask: Asks) -> None:
        rows, (tab, _) = self._choice.chosen, self._host.among
        try:
            view = View(tab, parse(self._filter(rows)))
        except FilterError as problem:
            self._refuse(problem)
            return
        about = f" with {self._choice.words(rows)}"

        def got(ids: tuple[str, ...]) -> None:
            if self._host.is_current:
                ask(ChosenJobs(ids), about)

        self._host.reads.ask(
            lambda reader: reader.matching_ids(view),
            got,
            lambda trouble: self._notices.tell(trouble, "warn"),
            first=True,
        )

    def _refuse(self, problem: FilterError) -> None:
        self._notices.tell(sentence(problem.message), "warn")

    @does(COUNT_COPY)
    def copy(self) -> None:
        """Copy the command of the last action while its notice stands; else ask what to copy."""
        known = self._host.known
        if self._copying.copy_fresh_twin() or known is None:
            return
        choices: list[Answer] = []
        if not any(map(has_secrets, known.keys)):
            choices.append(Answer("c", "CSV", partial(self._copy_csv, known)))
        rows = self._choice.chosen
        try:
            text = self._filter(rows)
        except FilterError:
            pass
        else:
            choices.append(text_choice(self._copying, "f", "filter", text))
        words = [word for key in known.keys for word in ("--by", key.name)]
        line = command(self._path, "count", *words)
        choices.append(command_choice(self._copying, "a", "command, of all jobs", line))
        what = plural(len(rows), "marked value") if self._choice.marked else "this count"
        self._host.question(copy_question(self._copying, f"Copy from {what}?", choices))

    def _copy_csv(self, known: Counted) -> None:
        wanted = self._choice.marked
        depth = len(known.keys)
        rows = [
            (row.values, row.counted)
            for row in self._choice.rows
            if len(row.values) == depth and (not wanted or row.id in wanted)
        ]
        self._copying.copy_text(csv_of(known.keys, rows), f"{plural(len(rows), 'line')} of CSV")
