"""Where the console can go: to other screens, to the commands, to the shell and back."""

from __future__ import annotations

from dataclasses import replace

from gigq_tui.keys.handlers import does
from gigq_tui.keys.looking_actions import OVERVIEW, WORKERS
from gigq_tui.keys.screen_actions import HELP, PALETTE, SUSPEND
from gigq_tui.screens.jobs.screen import JobsScreen
from gigq_tui.services.worker_control import WorkerSteering
from gigq_tui.store.filter.language import parse
from gigq_tui.store.models import JobDetail, Tab


class Navigation(WorkerSteering, inherit_bindings=False):
    """The app, as far as it puts another screen in front."""

    @does(SUSPEND)
    def do_suspend(self) -> None:
        """Go to the shell; `fg` comes back."""
        self.action_suspend_process()

    @does(HELP)
    def do_help(self) -> None:
        """Show the keys of the screen in front."""
        from gigq_tui.screens.help import HelpScreen

        screen = self.front
        if screen is not None:
            self.push_screen(HelpScreen(screen))

    @does(WORKERS)
    def do_workers(self) -> None:
        """Show the workers."""
        from gigq_tui.screens.workers.screen import WorkersScreen

        self.push_screen(WorkersScreen())

    @does(OVERVIEW)
    def do_overview(self) -> None:
        """Show the overview."""
        from gigq_tui.screens.overview.screen import OverviewScreen

        self.push_screen(OverviewScreen())

    def show_job(self, job_id: str, tab: str | None = None) -> None:
        """Show one job; without a tab, its state chooses that."""
        from gigq_tui.screens.job.screen import DetailScreen

        self.push_screen(DetailScreen(job_id, tab=tab))

    def show_tree(self, job_id: str) -> None:
        """Show the dependency graph around a job."""
        from gigq_tui.screens.tree.screen import TreeScreen

        self.push_screen(TreeScreen(job_id))

    def show_form(self, template: JobDetail | None = None) -> None:
        """Show the form for a new job: an empty one, or a copy of another job."""
        from gigq_tui.screens.submit.screen import SubmitScreen

        self.push_screen(SubmitScreen(template))

    def show_jobs(self, tab: Tab, filter_text: str) -> None:
        """Go back to the jobs screen, and show what a filter matches there.

        Raises:
            FilterError: the filter can't be understood; nothing is left.
        """
        wanted = parse(filter_text)
        jobs = next(screen for screen in self.screen_stack if isinstance(screen, JobsScreen))
        while self.screen is not jobs:
            self.pop_screen()
        jobs.look(replace(jobs.view, tab=tab, filter=wanted, follow=None))

    @does(PALETTE)
    def do_palette(self) -> None:
        """Open the command palette on the screen in front."""
        from gigq_tui.widgets.palette import open_palette

        screen = self.front
        if screen is not None:
            open_palette(screen)
