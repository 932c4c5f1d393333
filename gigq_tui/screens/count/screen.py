"""The count screen: how many jobs have what in common, by one or two of their values."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from gigq_core.grouping.counting import CountKey, count_keys
from gigq_core.reasons.why import Health
from gigq_core.text import sentence
from gigq_tui.keys import Scope, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import BACK, COUNT_JOBS, COUNT_KEYS, COUNT_SORT
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.count.actions import ValueActions
from gigq_tui.screens.count.choice import SORTS, Choice
from gigq_tui.screens.count.keys_line import KeysLine
from gigq_tui.screens.count.lines import Table, foot_line, head_line, help_lines
from gigq_tui.screens.parts.job_actions import ChosenJobs, JobActions
from gigq_tui.screens.parts.stepped_read import PACE_S, SteppedRead
from gigq_tui.services import Services
from gigq_tui.store.counts.reading import Counted, CountsReading, NamesReading
from gigq_tui.store.filter.language import NO_FILTER, Filter
from gigq_tui.store.models import Snapshot, Tab
from gigq_tui.store.stepwise import SoFar
from gigq_tui.viewpoint import Destination, Viewpoint
from gigq_tui.widgets.lines import TextLines
from gigq_tui.widgets.row_list import PickList, RowList
from gigq_tui.widgets.scrolled import Pane, Scrolled
from gigq_tui.widgets.typed_line import TypedLine


class CountScreen(ConsoleScreen, inherit_bindings=False):
    """Jobs, counted.

    Args:
        services: What the console can do.
        keys: What they are counted by at first; where there are none, that is asked.
        tab: Only the jobs of this tab,
        filter: and of those, the ones that this lets through.
    """

    SCOPE = Scope.COUNT
    BINDINGS = bindings_for(SCOPE)
    CSS_PATH = "screen.tcss"

    def __init__(
        self,
        services: Services,
        keys: tuple[CountKey, ...] = (),
        tab: Tab = Tab.ALL,
        filter: Filter = NO_FILTER,
    ) -> None:
        super().__init__(services)
        settings, notices = services.settings, services.notices
        self.keys = keys
        self.among = (tab, filter)
        self.order = "jobs"
        self._work: CountsReading | None = None
        self.reading: SteppedRead[Counted] = SteppedRead(
            self, services.picture, settings.clock, self._take
        )
        self.choice = Choice(self)
        asking = JobActions.of(self, services)
        actions = ValueActions(
            self,
            self.choice,
            asking.ask_cancel,
            asking.ask_retry,
            services.routes.show_jobs,
            services.copying,
            notices,
            settings.path,
        )
        self.parts = (self.reading, self.choice, actions)

    def compose_body(self) -> Iterable[Widget]:
        yield KeysLine(id="count-keys")
        yield TextLines(id="count-columns")
        yield Pane(id="count-help")
        yield PickList(id="counts")
        yield TextLines(id="count-foot")

    # What the parts ask

    @property
    def known(self) -> Counted | None:
        """What was counted; None before anything was."""
        so_far = self.reading.so_far
        if so_far is None:
            return None
        known = so_far.value
        if known.order != self.order and known.is_complete:
            return Counted(known.keys, known.counts.by(self.order), self.order, known.is_whole)
        return known

    @property
    def roster(self) -> PickList:
        """The list of values."""
        return self.query_one("#counts", PickList)

    @property
    def line(self) -> KeysLine:
        """Where it is typed what is counted by."""
        return self.query_one(KeysLine)

    def destination(self) -> Destination:
        return Destination("count", ",".join(key.name for key in self.keys))

    def chosen_jobs(self) -> ChosenJobs:
        """No single jobs are meant here."""
        return ChosenJobs()

    def marked_count(self) -> int:
        return len(self.choice.marked)

    def mover(self) -> Scrolled:
        return self.roster

    # Reading

    def on_mount(self) -> None:
        self.set_interval(PACE_S, self.reading.keep_up)
        names = NamesReading()
        # Tab waits for the names that it completes by.
        self.reads.ask(lambda reader: reader.step(names), self._named, first=True)
        if self.keys:
            self._count()
        else:
            self.line.open("")
        self.draw()

    def _named(self, so_far: SoFar[tuple[str, ...]]) -> None:
        self.line.names = so_far.value
        if self.line.typing:
            self.line.offer()
        self.draw()

    def show_snapshot(self, snapshot: Snapshot) -> None:
        self.reading.take_news()

    def _count(self) -> None:
        """Count from the beginning."""
        self.choice.marked.clear()
        snapshot = self.services.picture.shown
        workers = () if snapshot is None else snapshot.workers
        lost = [worker.id for worker in workers if worker.health is Health.LOST]
        self._work = CountsReading(self.keys, *self.among, self.order, lost)
        self.reading.read(self._work)

    def _take(self, so_far: SoFar[Counted]) -> None:
        if so_far.value.is_whole:
            self.choice.forget_gone()
        self.draw()

    # Drawing

    def draw(self) -> None:
        """Draw what has changed."""
        if not self.is_whole:
            return
        known, so_far, width = self.known, self.reading.so_far, self.app.size.width
        view = Viewpoint(*self.among)
        about = view.summary if view.words else ""
        self.set_class(not self.keys, "-unasked")
        if not self.keys:
            self.query_one("#count-help", Pane).show(help_lines(self.line.names, about, width))
        if marked := self.choice.marked:
            about = f"{about}   {len(marked)} marked".strip()
        self.line.rest(head_line(self.keys, about, known, width, self.services.hints))
        foot = self.query_one("#count-foot", TextLines)
        share = 1.0 if so_far is None else so_far.share
        foot.show(foot_line(known if self.keys else None, share, width) if self.keys else ())
        if known is None:
            return
        table = Table(known, width)
        self.query_one("#count-columns", TextLines).show(table.heading())
        self.roster.show(
            [(row.id, table.line(row, marked=row.id in marked)) for row in self.choice.rows]
        )

    # What the widgets tell

    def on_resize(self) -> None:
        self.call_after_refresh(self.draw)

    @on(RowList.RowOpened)
    def _opened(self) -> None:
        self.perform(COUNT_JOBS)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        if not event.kept:
            if not self.keys:
                self.services.routes.back()
            return
        try:
            keys = count_keys(event.text)
        except ValueError as problem:
            self.services.notices.tell(sentence(str(problem)), "warn")
            self.line.open(event.text)
            return
        if keys != self.keys:
            self.keys = keys
            self._count()
        self.draw()

    # Keys

    @does(COUNT_KEYS)
    def do_keys(self) -> None:
        """Type what else to count by."""
        self.line.open(" ".join(key.name for key in self.keys))

    @does(COUNT_SORT)
    def do_sort(self) -> None:
        """Sort by the next figure."""
        known = self.known
        self.order = SORTS[(SORTS.index(self.order) + 1) % len(SORTS)]
        if known is not None and not known.is_complete:
            self._count()
        elif self._work is not None:
            self._work.order = self.order
        self.draw()

    @does(BACK)
    def do_back(self) -> None:
        """Take the marks away, or go back."""
        if not self.choice.unmark():
            super().do_back()
