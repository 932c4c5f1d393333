"""How each screen is opened, and each panel: what only some of them need is loaded then."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

from textual.screen import Screen

from gigq_core.schedules.rules import Schedule
from gigq_tui.keys import actions_for
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.screens.parts.needs import AboutJobs
from gigq_tui.screens.tree.folds import Folds
from gigq_tui.services import Services
from gigq_tui.store.failures.grouping import CAUSE, Grouping, grouping_of
from gigq_tui.store.filter.language import Filter
from gigq_tui.store.history.time_window import USUAL, Period, period_of
from gigq_tui.store.models import JobDetail, Tab
from gigq_tui.viewpoint import Viewpoint

# The words of the shapes of a graph.
_SHAPES = ("tree", "timeline", "levels", "runs")


class Console(Protocol):
    """The app, as far as it opens screens."""

    services: Services

    @property
    def front(self) -> ConsoleScreen | None: ...

    @property
    def screen_stack(self) -> Sequence[Screen[Any]]: ...

    def push_screen(self, screen: Screen[Any]) -> object: ...

    def pop_screen(self) -> object: ...


class ScreenOpeners:
    """Opens the screens of one console.

    Args:
        app: The console.
    """

    def __init__(self, app: Console) -> None:
        self._app = app
        # What was folded in a tree is folded in the next one.
        self._folds = Folds()

    @property
    def _services(self) -> Services:
        return self._app.services

    @property
    def _first(self) -> JobsScreen:
        return next(s for s in self._app.screen_stack if isinstance(s, JobsScreen))

    def _home(self) -> JobsScreen:
        """Close what lies over the jobs screen."""
        first = self._first
        while self._app.screen_stack[-1] is not first:
            self._app.pop_screen()
        return first

    def job(self, job_id: str, tab: str | None = None) -> None:
        from gigq_tui.screens.job.screen import JobScreen

        self._app.push_screen(JobScreen(self._services, job_id, tab, self._first))

    def tree(self, job_id: str, shape: str = "tree") -> None:
        from gigq_tui.screens.tree.screen import TreeScreen
        from gigq_tui.screens.tree.shapes import shape_of

        self._app.push_screen(TreeScreen(self._services, job_id, self._folds, shape_of(shape)))

    def form(self, template: JobDetail | None) -> None:
        from gigq_tui.screens.submit.screen import SubmitScreen

        self._app.push_screen(SubmitScreen(self._services, template))

    def schedule_form(self, schedule: Schedule | None) -> None:
        from gigq_tui.screens.submit.screen import SubmitScreen

        self._app.push_screen(SubmitScreen.for_schedule(self._services, schedule))

    def workers(self, *, setting_up: bool = False) -> None:
        from gigq_tui.screens.workers.screen import WorkersScreen

        self._app.push_screen(WorkersScreen(self._services, setting_up=setting_up))

    def overview(self, period: Period = USUAL) -> None:
        from gigq_tui.screens.overview.screen import OverviewScreen

        self._app.push_screen(OverviewScreen(self._services, period))

    def groups(self, by: Grouping = CAUSE) -> None:
        from gigq_tui.screens.groups.screen import GroupsScreen

        front = self._app.front
        self._app.push_screen(
            GroupsScreen(self._services, by, None if front is None else front.current_row())
        )

    def count(self, keys: str = "") -> None:
        from gigq_core.grouping.counting import count_keys
        from gigq_tui.screens.count.screen import CountScreen

        front, view = self._app.front, self._services.picture.view
        among = front.listed if isinstance(front, AboutJobs) else (view.tab, view.filter)
        self._app.push_screen(CountScreen(self._services, count_keys(keys) if keys else (), *among))

    def lanes(self) -> None:
        from gigq_tui.screens.lanes.screen import LanesScreen

        self._app.push_screen(LanesScreen(self._services))

    def schedules(self) -> None:
        from gigq_tui.screens.schedules.screen import SchedulesScreen

        self._app.push_screen(SchedulesScreen(self._services))

    def help(self) -> None:
        from gigq_tui.screens.help import HelpScreen

        if (front := self._app.front) is not None:
            self._app.push_screen(HelpScreen(self._services, front.SCOPE))

    def palette(self) -> None:
        from gigq_tui.widgets.palette import PalettePanel

        if (front := self._app.front) is not None:
            front.lay_over(PalettePanel(front, self._services.keymap))

    def views(self) -> None:
        from gigq_tui.widgets.view_panel import ViewPanel

        services = self._services
        if (front := self._app.front) is not None:
            actions = services.keymap.rebound(actions_for(front.SCOPE))
            front.lay_over(ViewPanel(services.views, services.copying.copy_text, actions))

    def outcomes(self) -> None:
        from gigq_tui.widgets.outcome_panel import OutcomePanel

        services = self._services
        if (front := self._app.front) is not None:
            front.lay_over(OutcomePanel(services.actions.following, services.routes))

    def jobs(self, tab: Tab, matching: Filter) -> None:
        self._home().listing.show_matching(tab, matching)

    def view(self, viewpoint: Viewpoint) -> None:
        self._home().arrival.show(viewpoint)

    def back(self) -> None:
        self._app.pop_screen()

    @property
    def words(self) -> Mapping[str, Callable[[str], None]]:
        return {
            "job": self.job,
            **{shape: partial(self.tree, shape=shape) for shape in _SHAPES},
            "workers": lambda _: self.workers(),
            "overview": lambda period: self.overview(period_of(period) if period else USUAL),
            "count": self.count,
            "lanes": lambda _: self.lanes(),
            "schedules": lambda _: self.schedules(),
            "groups": lambda by: self.groups(grouping_of(by) if by else CAUSE),
        }
