"""Submitting what the form comes to, once everything is looked up and nothing is against it."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Protocol

from textual.widget import Widget

from gigq_tui.actions.report import Report
from gigq_tui.actions.submit import SubmitRequest
from gigq_tui.format import inert, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import SUBMIT
from gigq_tui.screens.parts.part import Part
from gigq_tui.screens.submit.check import FormResult
from gigq_tui.screens.submit.dependency_search import DependencySearch
from gigq_tui.screens.submit.form import SubmitForm
from gigq_tui.screens.submit.host import Notices
from gigq_tui.screens.submit.lines_file import LinesFile
from gigq_tui.screens.submit.suggestions import SuggestionList
from gigq_tui.services.actions import Actions
from gigq_tui.services.routes import Routes


class SubmissionHost(Protocol):
    """The screen, as what submits knows it."""

    form: SubmitForm
    result: FormResult

    @property
    def is_current(self) -> bool:
        """Whether it is in front."""

    def look_up(self) -> None:
        """Look up whatever is typed and not known yet."""

    def review(self) -> None:
        """Tell what is wrong, and what would be submitted."""

    def set_focus(self, widget: Widget) -> None:
        """Go to a field."""


class Submission(Part):
    """The part of the form that submits.

    Args:
        host: The screen.
        suggestions: The list that is closed first.
        dependencies: What knows whether a dependency is still being looked up.
        lines: What knows the jobs of the file of lines.
        actions: What asks first where the file is GigQ's own, and does it.
        submit: What submits, or stores a schedule; it blocks.
        notices: Where it is said how it went.
        routes: The way back, once it has been submitted.

    Attributes:
        tried: Whether somebody has tried to: only then is what is missing a mistake.
    """

    def __init__(
        self,
        host: SubmissionHost,
        suggestions: SuggestionList,
        dependencies: DependencySearch,
        lines: LinesFile,
        actions: Actions,
        submit: Callable[[SubmitRequest], Report],
        notices: Notices,
        routes: Routes,
    ) -> None:
        self._host = host
        self._suggestions = suggestions
        self._dependencies = dependencies
        self._lines = lines
        self._actions = actions
        self._submit = submit
        self._notices = notices
        self._routes = routes
        self.tried = False
        self._sending = False
        self._when_known = False

    @property
    def expects(self) -> bool:
        """Whether the screen is about to be left, so that keys wait for what comes then."""
        return self._sending or self._when_known

    @property
    def request(self) -> SubmitRequest | None:
        """What would be submitted, or None while something stands against it."""
        return None if self._lines.troubles else self._host.result.request

    @property
    def troubles(self) -> list[str]:
        """What stands against it."""
        return [*self._host.result.troubles, *self._lines.troubles]

    @property
    def _is_asking(self) -> bool:
        return self._dependencies.is_asking or self._lines.is_asking

    @does(SUBMIT)
    def submit(self) -> None:
        """Submit the job, or go to the first field that something is wrong with."""
        if self._sending:
            return
        self._suggestions.close()
        self.tried = True
        # This is what was waited for: the review below must not submit besides.
        self._when_known = False
        self._host.look_up()
        self._host.review()
        if self._is_asking:
            self._when_known = True
        elif (request := self.request) is None:
            self._go_to_trouble()
        else:
            send = partial(self._send, request)
            self._actions.after_attach_question(self._title(request), send)

    def go_on(self) -> None:
        """Submit now, if that was only waiting for what has just been found out."""
        if self._when_known and not self._is_asking:
            self._when_known = False
            self.submit()

    def _title(self, request: SubmitRequest) -> str:
        if request.schedule is not None:
            return f"Save the schedule {inert(request.schedule.name)}?"
        if self._lines.jobs or request.copies > 1:
            return f"Submit {plural(len(self._lines.jobs) or request.copies, 'job')}?"
        return f"Submit {inert(request.options.name)}?"

    def _go_to_trouble(self) -> None:
        form = self._host.form
        wrong = next((row for row in form.rows if row.trouble), None)
        if self._lines.troubles:
            wrong = form.fixed["jsonl"]
        if wrong is not None:
            form.make_visible(wrong)
            self._host.set_focus(wrong.field)
        done = "submitted" if form.schedule is None else "saved"
        self._notices.tell(
            f"Nothing was {done}: {plural(len(self.troubles), 'thing')} to fix first.", "warn"
        )

    def _send(self, request: SubmitRequest) -> None:
        self._sending = True
        self._notices.tell("submitting.." if request.schedule is None else "saving..")
        sent: list[Report] = []

        def call() -> Report:
            try:
                sent.append(self._submit(request))
            finally:
                self._sending = False
            return sent[0]

        def after() -> None:
            # The notice of this screen goes with it: it is said again on the one below.
            if self._host.is_current:
                self._routes.back()
                self._notices.tell(sent[0].title, "ok", sent[0].twin)
                if sent[0].instead:
                    self._ask_to_open(sent[0])

        self._actions.act(call, after=after)

    def _ask_to_open(self, report: Report) -> None:
        """Offer the job that was there already, in whose place none was submitted."""
        show = partial(self._routes.show_job, report.instead)
        details = ("It holds the same key, so nothing was submitted.",)
        self._actions.confirm(f"{report.title}. Open it?", details, "Open", show)
