"""What the form has looked up while somebody types: the function, jobs to depend on, the place.

Nothing here blocks typing. Children run in threads, the file is read by the feed's thread, and an
answer to what is no longer typed is dropped.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from textual import on
from textual.message import Message
from textual.timer import Timer

from gigq_core.bulk import BulkTrouble, Unwanted
from gigq_core.errors import GigQError
from gigq_core.job import FunctionReference, Job
from gigq_tui.actions.functions.completion import Listing, list_functions, package_to_list, ranked
from gigq_tui.actions.functions.inspection import FunctionInfo, inspect_function
from gigq_tui.actions.submit import SubmitRequest, jobs_of_lines
from gigq_tui.format import MARKS, cut, inert
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.submit.check import FormResult, Known
from gigq_tui.screens.submit.form import SubmitForm
from gigq_tui.screens.submit.param_specs import MISSING
from gigq_tui.screens.submit.preview import Preview
from gigq_tui.screens.submit.suggestions import Suggestion, SuggestionList
from gigq_tui.services import Services
from gigq_tui.store.derive import state_of
from gigq_tui.store.models import JobDetail, JobRow, Snapshot
from gigq_tui.widgets.lines import Line, span

# How long nothing is typed before the function and the dependencies are looked up.
LOOK_UP_AFTER_S = 0.4
# And before jobs are searched, which costs the file some milliseconds.
SEARCH_AFTER_S = 0.15
MAX_SUGGESTED = 30


class SubmitLookups(ConsoleScreen, inherit_bindings=False):
    """The half of the submit screen that finds things out. The other half says `review()`."""

    class Told(Message):
        """A thread found something out: what to do with it, in the app's own thread."""

        def __init__(self, receive: Callable[[], None]) -> None:
            self.receive = receive
            super().__init__()

    class Inspected(Message):
        """The workers' interpreter answered about a function."""

        def __init__(self, function: str, info: FunctionInfo | None, trouble: str) -> None:
            self.function = function
            self.info = info
            self.trouble = trouble
            super().__init__()

    def __init__(self, services: Services, template: JobDetail | None) -> None:
        super().__init__(services)
        self.template = template
        self.form = SubmitForm(template, id="form")
        self.suggestions = SuggestionList(id="suggestions")
        self.known = Known()
        self.verdict = FormResult()
        self.recent: tuple[str, ...] = ()
        self.listings: dict[str, Listing | None] = {}
        self.ahead: object = MISSING
        self.jobs: tuple[Job, ...] = ()
        self.bulk_troubles: tuple[str, ...] = ()
        self._asked_function = ""
        self._asked_ids: set[str] = set()
        self._look_up_timer: Timer | None = None
        self._search_timer: Timer | None = None
        self._asked_place: tuple[int, int] | None = None
        self._asked_bulk: SubmitRequest | None = None
        self._read_bulk: SubmitRequest | None = None
        if template is not None:
            self.known.rows = {parent.id: parent.row for parent in template.parents}

    def review(self) -> None:
        """Tell what is wrong, and what would be submitted."""
        raise NotImplementedError

    def nothing_asked(self) -> None:
        """Called when no answer about the dependencies or the file is outstanding any more."""

    @property
    def is_asking(self) -> bool:
        """Whether a dependency or the file of lines is still being looked up."""
        return bool(self._asked_ids) or self._asked_bulk is not None

    @on(Told)
    def _told(self, event: Told) -> None:
        if self.is_whole:
            event.receive()

    # The function

    def look_up_later(self) -> None:
        """Look things up once nothing has been typed for a moment."""
        if self._look_up_timer is not None:
            self._look_up_timer.stop()
        self._look_up_timer = self.set_timer(LOOK_UP_AFTER_S, self.look_up)

    def look_up(self) -> None:
        """Look up whatever is typed and not known yet."""
        if self._look_up_timer is not None:
            self._look_up_timer.stop()
            self._look_up_timer = None
        self._look_up_function()
        for prefix in self.form.prefixes:
            if prefix not in self.known.ids and prefix not in self._asked_ids:
                self._asked_ids.add(prefix)
                self.ask("resolve", prefix, partial(self._resolved, prefix))
        self._look_up_rows()

    def _look_up_function(self) -> None:
        function = self.form.function
        if function == self._asked_function:
            return
        try:
            FunctionReference.parse(function)
        except ValueError:
            return
        self._asked_function = function
        python, chdir = self.console.python, self.console.chdir

        def ask() -> None:
            try:
                info = inspect_function(
                    function, python, chdir, unwanted=lambda: self._is_stale(function)
                )
            except GigQError as problem:
                self.post_message(self.Inspected(function, None, str(problem)))
            else:
                self.post_message(self.Inspected(function, info, ""))

        self.run_worker(ask, thread=True, group="inspect")

    def _is_stale(self, function: str) -> bool:
        """Whether another function is looked up by now, or the form is gone. From any thread."""
        return function != self._asked_function or not self.is_attached

    @on(Inspected)
    async def _inspected(self, event: Inspected) -> None:
        if event.function != self.form.function or not self.is_whole:
            return  # something else has been typed since
        had_info = self.known.info is not None
        self.known.info, self.known.trouble = event.info, event.trouble
        if event.info is not None or had_info:
            await self.form.build_params(event.info)
        self._read_bulk = None
        self.review()

    # Completing the function

    def ask_recent(self) -> None:
        """Ask the file for the functions of its newest jobs."""
        self.ask("recent_functions", "", self._recent_known)

    def _recent_known(self, answer: Any) -> None:
        if isinstance(answer, tuple) and self.is_whole:
            self.recent = answer
            self.review()

    def suggest_functions(self, *, all_recent: bool = False) -> None:
        """Offer the functions that may be meant by what is typed.

        Args:
            all_recent: Offer those used lately where nothing is typed.
        """
        field = self.form.function_field
        typed = field.value
        if not field.has_focus or not (typed.strip() or all_recent):
            self._close_for(field)
            return
        listed = [name for known in self.listings.values() if known for name in known.functions]
        for package in ("", package_to_list(typed, listed)):
            # The project always; one installed package only once it is named with its dot.
            if package not in self.listings and (not package or "" in self.listings):
                self._list_later(package)
        found, count = ranked(typed, self.recent, listed, MAX_SUGGESTED)
        used = set(self.recent)
        items = [
            Suggestion(name, ((name, ""), *((("  recent", "dim"),) if name in used else ())), name)
            for name in found
        ]
        name = typed.strip()
        self.suggestions.offer(
            field,
            items,
            self._take_function,
            foot=self._foot(count, len(found)),
            whole=name in used or name in listed or name == self._found_function,
        )

    @property
    def _found_function(self) -> str:
        return self.known.info.function if self.known.info is not None else ""

    def _foot(self, count: int, shown: int) -> str:
        if count > shown:
            return f"{count - shown:,} more: type on"
        cut_short = next((known.cut for known in self.listings.values() if known and known.cut), "")
        return f"list incomplete: {cut_short}" if count and cut_short else ""

    def _list_later(self, package: str) -> None:
        if package and self.listings.get("") is None:
            return  # the project first: it may have that package
        self.listings[package] = None
        python, chdir = self.console.python, self.console.chdir

        def listed() -> None:
            try:
                listing = list_functions(
                    python, chdir, package, unwanted=lambda: not self.is_attached
                )
            except GigQError:
                listing = Listing()  # told where the function is looked up
            self.post_message(self.Told(partial(self._listed, package, listing)))

        self.run_worker(listed, thread=True, group="list")

    def _listed(self, package: str, listing: Listing) -> None:
        self.listings[package] = listing
        if self.form.function_field.value.strip():
            self.suggest_functions()

    def _take_function(self, picked: Suggestion) -> None:
        field = self.form.function_field
        field.value = picked.value
        field.cursor_position = len(picked.value)
        self.look_up()

    def _close_for(self, field: object) -> None:
        if self.suggestions.field is field:
            self.suggestions.close()

    # Dependencies

    def search_later(self) -> None:
        """Search jobs once nothing has been typed for a moment."""
        if self._search_timer is not None:
            self._search_timer.stop()
        self._search_timer = self.set_timer(SEARCH_AFTER_S, self.search)

    def search(self) -> None:
        """Offer the jobs whose id or name is typed."""
        field = self.form.depends_field
        typed = field.value
        if self._search_timer is not None:
            self._search_timer.stop()
            self._search_timer = None
        if not field.has_focus or not typed.strip():
            self._close_for(field)
            return
        self.ask("find_jobs", typed, partial(self._jobs_found, typed))

    def _jobs_found(self, typed: str, answer: Any) -> None:
        field = self.form.depends_field
        if typed != field.value or not field.has_focus or not isinstance(answer, tuple):
            return
        rows = {row.id: row for row in answer if row.id not in self.form.depends_on}
        items = [Suggestion(row.id, self.job_line(row)) for row in rows.values()]

        def take(picked: Suggestion) -> None:
            self.known.rows[picked.value] = rows[picked.value]
            self.form.add_dependency(picked.value)
            field.value = ""
            self.review()

        foot = "" if rows else "no job's id begins with it, no new job's name holds it"
        self.suggestions.offer(field, items, take, foot=foot)

    def job_line(self, row: JobRow | None, id: str = "") -> Line:
        """A job that may be depended on, as a line."""
        if row is None:
            return (span(id[:8], "dim"), ("  not in the queue", "fail"))
        mark = MARKS[state_of(row, self.console.clock.now())]
        return (
            span(f"{row.id[:8]} ", "dim"),
            (f"{mark.glyph} {mark.word:<9} ", mark.role),
            span(cut(inert(row.name), 40)),
        )

    def _resolved(self, prefix: str, answer: Any) -> None:
        self._asked_ids.discard(prefix)
        if isinstance(answer, tuple):
            # One that is whole is meant itself, even if it begins another.
            self.known.ids[prefix] = (prefix,) if prefix in answer else answer
        else:
            self.console.notice(str(answer), "warn")
        self.adopt_typed()
        self.review()
        if not self.is_asking:
            self.nothing_asked()

    def adopt_typed(self) -> None:
        """Choose the jobs that are typed by their ids, once nobody types on."""
        field = self.form.depends_field
        prefixes = self.form.prefixes
        found = [self.known.ids.get(prefix, ()) for prefix in prefixes]
        if field.has_focus or not prefixes or any(len(ids) != 1 for ids in found):
            return
        for (job_id,) in found:
            self.form.add_dependency(job_id)
        field.value = ""
        self._look_up_rows()

    def _look_up_rows(self, *, again: bool = False) -> None:
        wanted = tuple(id for id in self.form.depends_on if again or id not in self.known.rows)
        if wanted:
            self.ask("rows", wanted, partial(self._rows_known, wanted))

    def _rows_known(self, wanted: tuple[str, ...], answer: Any) -> None:
        if not isinstance(answer, dict):
            return
        before = dict(self.known.rows)
        self.known.rows.update({id: answer.get(id) for id in wanted})
        if self.known.rows != before:
            self.review()

    # The place in line

    def look_at(self, snapshot: Snapshot) -> None:
        """The file has changed: ask anew for what may be another now."""
        self._look_up_rows(again=True)
        self.look_up_place()

    def look_up_place(self) -> None:
        """Ask for the place in line, where the line or the priority is another than before."""
        request, snapshot = self.verdict.request, self.console.snapshot
        if request is None or snapshot is None:
            return
        priority = self.jobs[0].priority if self.jobs else request.options.priority
        asked = (priority, snapshot.counts.ready)
        if asked != self._asked_place:
            self._asked_place = asked
            self.ask("jobs_ahead", priority, partial(self._place_known, asked))

    def _place_known(self, asked: tuple[int, int], answer: Any) -> None:
        if asked == self._asked_place and not isinstance(answer, Exception):
            self.ahead = answer
            self.review()

    @property
    def outlook(self) -> Preview:
        """What is known of how the new jobs would fare."""
        return Preview(self.ahead, self.known.rows, self.jobs)

    # The file of lines

    def look_up_lines(self) -> None:
        """Read the file of lines, unless it was read for just this request."""
        request, info = self.verdict.request, self.known.info
        if request is None or request.jsonl is None:
            self.jobs, self.bulk_troubles = (), ()
            self._asked_bulk = self._read_bulk = None
            return
        if info is None or request in (self._asked_bulk, self._read_bulk):
            return
        self._asked_bulk = request
        self.jobs, self.bulk_troubles = (), ("reading the file..",)

        def read() -> None:
            jobs: tuple[Job, ...] = ()
            troubles: tuple[str, ...] = ()
            try:
                jobs = tuple(jobs_of_lines(request, info, lambda: self._asked_bulk is not request))
            except BulkTrouble as problem:
                troubles = problem.sentences
            except GigQError as problem:
                troubles = (str(problem),)
            except Unwanted:
                return
            self.post_message(self.Told(partial(self._lines_read, request, jobs, troubles)))

        self.run_worker(read, thread=True, group="lines")

    def _lines_read(
        self, request: SubmitRequest, jobs: tuple[Job, ...], troubles: tuple[str, ...]
    ) -> None:
        if request is not self._asked_bulk:
            return
        self._asked_bulk, self._read_bulk = None, request
        self.jobs, self.bulk_troubles = jobs, troubles
        self.review()
        if not self.is_asking:
            self.nothing_asked()
