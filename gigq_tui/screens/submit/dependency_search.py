"""Finding the jobs that the new one depends on, by their ids or names, as they are typed."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from textual import events
from textual.timer import Timer

from gigq_core.reasons.why import state_of
from gigq_tui.format import MARKS, cut, inert
from gigq_tui.screens.submit.host import FormHost, Notices
from gigq_tui.screens.submit.suggestions import Suggestion, SuggestionList
from gigq_tui.store.clock import Clock
from gigq_tui.store.models import JobRow
from gigq_tui.store.questions import Questions
from gigq_tui.widgets.lines import Line, span

# How long nothing is typed before jobs are searched, which costs the file some milliseconds.
SEARCH_AFTER_S = 0.15


class DependencySearch:
    """The part of the form that knows jobs to depend on.

    Args:
        host: The screen.
        suggestions: The list that hangs under the field that is typed into.
        clock: By which a job's state is judged.
        notices: Where it is said that the file could not be read.
    """

    def __init__(
        self, host: FormHost, suggestions: SuggestionList, clock: Clock, notices: Notices
    ) -> None:
        self._host = host
        self._suggestions = suggestions
        self._clock = clock
        self._notices = notices
        self._timer: Timer | None = None
        self._asked: set[str] = set()

    @property
    def is_asking(self) -> bool:
        """Whether it is still being found out which job is meant by what is typed."""
        return bool(self._asked)

    def take_key(self, event: events.Key) -> bool:
        """Take a key before the field gets it; say whether it was for the list of suggestions."""
        if self._suggestions.take_key(event):
            return True
        field = self._host.form.depends_field
        if event.key == "down" and field.value.strip() and not self._suggestions.is_open:
            # Pressed right behind the last letter, before the search.
            self._suggestions.want(field)
            self.search()
            return True
        return False

    # Searching

    def typed(self) -> None:
        """What is in the field is another text: search once nothing has been typed for a moment."""
        if self._timer is not None:
            self._timer.stop()
        self._timer = self._host.set_timer(SEARCH_AFTER_S, self.search)

    def search(self) -> None:
        """Offer the jobs whose id or name is typed."""
        field = self._host.form.depends_field
        typed = field.value
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
        if not field.has_focus or not typed.strip():
            self._suggestions.close_under(field)
            return
        self._host.reads.ask(lambda r: r.find_jobs(typed), partial(self._found, typed))

    def _found(self, typed: str, jobs: tuple[JobRow, ...]) -> None:
        form = self._host.form
        field = form.depends_field
        if typed != field.value or not field.has_focus:
            return
        rows = {row.id: row for row in jobs if row.id not in form.depends_on}
        items = [Suggestion(row.id, self._line(row)) for row in rows.values()]

        def take(picked: Suggestion) -> None:
            self._host.known.rows[picked.value] = rows[picked.value]
            form.add_dependency(picked.value)
            field.value = ""
            self._host.review()

        foot = "" if rows else "no job's id begins with it, no new job's name holds it"
        self._suggestions.offer(field, items, take, foot=foot)

    # The ids that are typed, and the jobs that were chosen

    def look_up(self) -> None:
        """Find out which jobs are meant by the ids that are typed, and how the chosen ones are."""
        for prefix in self._host.form.prefixes:
            if prefix not in self._host.known.ids and prefix not in self._asked:
                self._asked.add(prefix)
                self._host.reads.ask(
                    partial(_resolve, prefix),
                    partial(self._resolved, prefix),
                    partial(self._not_resolved, prefix),
                )
        self.read_rows()

    def _resolved(self, prefix: str, ids: tuple[str, ...]) -> None:
        self._asked.discard(prefix)
        # One that is whole is meant itself, even if it begins another.
        self._host.known.ids[prefix] = (prefix,) if prefix in ids else ids
        self.adopt_typed()
        self._host.review()

    def _not_resolved(self, prefix: str, trouble: str) -> None:
        self._asked.discard(prefix)
        self._notices.tell(trouble, "warn")
        self._host.review()

    def adopt_typed(self) -> None:
        """Choose the jobs that are typed by their ids, once nobody types on."""
        form = self._host.form
        field = form.depends_field
        found = [self._host.known.ids.get(prefix, ()) for prefix in form.prefixes]
        if field.has_focus or not found or any(len(ids) != 1 for ids in found):
            return
        for (job_id,) in found:
            form.add_dependency(job_id)
        field.value = ""
        self.read_rows()

    def read_rows(self, *, again: bool = False) -> None:
        """Read the lines of the jobs it depends on.

        Args:
            again: Also of those that were read before.
        """
        chosen, rows = self._host.form.depends_on, self._host.known.rows
        wanted = tuple(id for id in chosen if again or id not in rows)
        if wanted:
            self._host.reads.ask(lambda r: r.rows(wanted), partial(self._rows_known, wanted))

    def _rows_known(self, wanted: tuple[str, ...], found: Mapping[str, JobRow]) -> None:
        rows = self._host.known.rows
        before = dict(rows)
        rows.update({id: found.get(id) for id in wanted})
        if rows != before:
            self._host.review()

    def draw_chosen(self) -> None:
        """Draw the jobs that were chosen, a line each."""
        form, rows = self._host.form, self._host.known.rows
        form.chosen.show(
            [
                (id, self._line(rows[id], id) if id in rows else (span(id[:8], "dim"),))
                for id in form.depends_on
            ]
        )

    def _line(self, row: JobRow | None, id: str = "") -> Line:
        if row is None:
            return (span(id[:8], "dim"), ("  not in the queue", "fail"))
        mark = MARKS[state_of(row, self._clock.now())]
        return (
            span(f"{row.id[:8]} ", "dim"),
            (f"{mark.glyph} {mark.word:<9} ", mark.role),
            span(cut(inert(row.name), 40)),
        )


def _resolve(prefix: str, questions: Questions) -> tuple[str, ...]:
    return questions.resolve(prefix)
