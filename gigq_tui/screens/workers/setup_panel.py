"""The panel that starts workers with chosen slots, interpreter and folder, or drains some."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from textual import events, on
from textual.widgets import Input

from gigq_core.errors import GigQError
from gigq_core.lanes.rules import check_patterns
from gigq_core.units.durations import seconds_text
from gigq_tui.actions import shell_command
from gigq_tui.actions.functions.inspection import full_path
from gigq_tui.actions.workers import environment, head_count, vias
from gigq_tui.actions.workers.setup import MOST_SLOTS, Examined, WorkerSetup, examine
from gigq_tui.screens.workers.environment_row import ENVIRONMENT_HINT, EnvironmentRow
from gigq_tui.services.waiting import find_out
from gigq_tui.widgets.form_panel import FormPanel
from gigq_tui.widgets.form_row import FormRow
from gigq_tui.widgets.lines import Line

NUMBER_CELLS, LANE_CELLS = 8, 28
SLOTS_HINT = "jobs at once"
VIA_HINT = "run there: ssh gpu1; srun"
FOLDER_HINT = "jobs run there"
GRACE_HINT = "seconds for a job to end before it is killed"
LANES_HINT = "reserved ones, too: gpu, big:*"
FAR_SLOTS = "of each agent; empty for 1, or a Dask worker's threads"
FAR_ENVIRONMENT = "of the commands, not jobs"
_NUMBERS = ("count", "slots", "grace")
# What is examined before anything is started.
_EXAMINED = ("python", "folder", "environment")


class ConsoleWorkers(NamedTuple):
    """The ids of this console's workers that stay, the youngest first: without a job, and with."""

    idle: tuple[str, ...]
    busy: tuple[str, ...]

    @property
    def total(self) -> int:
        """How many there are."""
        return len(self.idle) + len(self.busy)


@dataclass
class SetupResult:
    """What the fields come to, and what is wrong with them, by the key of the row."""

    change: int = 0
    setup: WorkerSetup | None = None
    troubles: dict[str, str] = field(default_factory=dict)


def _rows(setup: WorkerSetup) -> list[FormRow]:
    number = NUMBER_CELLS
    slots = str(setup.slots) if setup.slots else ""
    lanes, only_lanes = ", ".join(setup.lanes), ", ".join(setup.only_lanes)
    there = "where the command leads to"
    return [
        FormRow("count", "workers", "+1", cells=number, hint=head_count.HOW),
        FormRow("slots", "slots each", slots, cells=number, hint=SLOTS_HINT),
        FormRow("via", "via", vias.text_of(setup.via), hint=VIA_HINT),
        FormRow("python", "interpreter", setup.python),
        FormRow("folder", "folder", str(setup.chdir), hint=FOLDER_HINT),
        FormRow(
            "remote_python",
            "interpreter",
            setup.remote_python,
            hint="the Python there",
            placeholder="python3",
        ),
        FormRow("remote_folder", "folder", setup.remote_chdir, hint=FOLDER_HINT, placeholder=there),
        EnvironmentRow(environment.text_of(setup.environment)),
        FormRow("grace", "grace", seconds_text(setup.grace_s), cells=number, hint=GRACE_HINT),
        FormRow("lanes", "lanes", lanes, cells=LANE_CELLS, hint=LANES_HINT),
        FormRow(
            "only_lanes", "only lanes", only_lanes, cells=LANE_CELLS, hint="only jobs of these"
        ),
    ]


class SetupPanel(FormPanel):
    """Asks how many workers, and with what; nothing is started before that was examined.

    Args:
        path: The queue file, for the command that does the same.
        setup: What is in the fields at first.
        present: Tells the present workers of this console.
        go: Called once they are good, when the panel is closed, with the change wanted and the
            setup; it may be None where none is started.
    """

    def __init__(
        self,
        path: Path,
        setup: WorkerSetup,
        present: Callable[[], ConsoleWorkers],
        go: Callable[[int, WorkerSetup | None], None],
    ) -> None:
        super().__init__("Workers: start or drain", _rows(setup), "Apply", id="setup")
        self._path = path
        self._present = present
        self._go = go
        self.result = SetupResult()
        self._known: tuple[WorkerSetup, Examined] | None = None
        self._examining: WorkerSetup | None = None
        self._starts_when_examined = False

    def on_mount(self) -> None:
        count = self.rows["count"].field
        self.screen.set_focus(count)
        # What is typed takes its place.
        count.select_all()
        self._examine()
        self.review()

    def replaces(self, key: str) -> bool:
        return key in _NUMBERS

    @property
    def is_examining(self) -> bool:
        """Whether it is to start workers, and examines interpreter and folder first."""
        return self._starts_when_examined

    @on(Input.Changed)
    def _starts_no_more(self) -> None:
        """Something else is asked for than what was to start; `FormPanel` judges it after this."""
        self._starts_when_examined = False

    @on(events.DescendantBlur)
    def _left(self, event: events.DescendantBlur) -> None:
        if event.widget in [self.rows[key].field for key in _EXAMINED]:
            self._examine()
            self.review()

    # Judging

    def _examine(self) -> None:
        """Have interpreter and folder examined in a thread, unless they were."""
        setup = self._typed_setup(SetupResult())
        if setup is None or self._examined(setup) or _same(self._examining, setup):
            return
        self._examining = setup
        find_out(self, lambda: examine(setup), partial(self._take, setup))

    def _take(self, setup: WorkerSetup, examined: Examined) -> None:
        if not self.is_whole:
            return
        self._known = (setup, examined)
        if _same(self._examining, setup):
            self._examining = None
        self.review()
        if self._starts_when_examined:
            self.act()

    def _examined(self, setup: WorkerSetup | None) -> Examined | None:
        if self._known is None or setup is None or not _same(self._known[0], setup):
            return None
        return self._known[1]

    def _typed_setup(self, result: SetupResult) -> WorkerSetup | None:
        """The setup that is typed; None where that says none, and the troubles say why."""
        troubles = result.troubles
        text = {key: row.text.strip() for key, row in self.rows.items()}
        slots, grace = _slots(text["slots"]), _seconds(text["grace"])
        if text["via"] and not text["slots"]:
            slots = 0
        if slots is None:
            troubles["slots"] = f"a whole number from 1 to {MOST_SLOTS}"
        if grace is None:
            troubles["grace"] = "seconds, 0 or more"
        try:
            via = vias.parse(text["via"])
        except GigQError as problem:
            troubles["via"] = str(problem)
            return None
        if not via and not text["python"]:
            troubles["python"] = "required: the Python of your project"
        if not via and not text["folder"]:
            troubles["folder"] = "required: the folder to run jobs in"
        try:
            pairs = environment.parse(self.rows["environment"].text)
        except GigQError as problem:
            troubles["environment"] = str(problem)
            return None
        lanes = {key: _lanes(key, text[key], troubles) for key in ("lanes", "only_lanes")}
        if None in lanes.values():
            return None
        if slots is None or grace is None or troubles:
            return None
        python = text["python"]
        if "/" in python:
            python = str(full_path(python))
        return WorkerSetup(
            python,
            full_path(text["folder"]),
            slots,
            pairs,
            grace,
            lanes["lanes"] or (),
            lanes["only_lanes"] or (),
            via,
            text["remote_python"] if via else "",
            text["remote_folder"] if via else "",
        )

    @property
    def troubles(self) -> Mapping[str, str]:
        return self.result.troubles

    def judge(self) -> None:
        result = self.result = SetupResult()
        self._show_place(elsewhere=bool(self.rows["via"].text.strip()))
        result.setup = self._typed_setup(result)
        try:
            result.change = head_count.change_wanted(self.rows["count"].text, self._present().total)
        except GigQError as problem:
            result.troubles["count"] = str(problem)
        examined = self._examined(result.setup)
        if examined is not None:
            for key, trouble in (
                ("python", examined.python_trouble),
                ("folder", examined.folder_trouble),
                ("environment", examined.environment_trouble),
            ):
                if trouble:
                    result.troubles[key] = trouble
        if "count" not in result.troubles and result.change <= 0:
            # With what new ones would be started matters to nobody.
            result.troubles.clear()
        for key, row in self.rows.items():
            row.tell(result.troubles.get(key, ""))
        if "python" not in result.troubles:
            self.rows["python"].tell(hint=_versions(examined))

    def _show_place(self, *, elsewhere: bool) -> None:
        """Ask for interpreter and folder of where the jobs run: here, or where a command leads."""
        for key in ("python", "folder"):
            self.rows[key].display = not elsewhere
            self.rows[f"remote_{key}"].display = elsewhere
        self.rows["slots"].tell(hint=FAR_SLOTS if elsewhere else SLOTS_HINT)
        self.rows["environment"].tell(hint=FAR_ENVIRONMENT if elsewhere else ENVIRONMENT_HINT)

    # What would happen

    def plan(self) -> Line:
        result, workers = self.result, self._present()
        if result.troubles:
            return self.trouble_line()
        if self._starts_when_examined:
            return ((" checking the interpreter and the folder first ..", "warn"),)
        slots, agents = 1, 0
        if result.setup is not None:
            slots, agents = result.setup.slots, len(result.setup.via)
        idle = len(workers.idle)
        change = head_count.intention(result.change, slots, workers.total, idle, agents)
        return ((" will " if result.change else " ", ""), (change, "accent"))

    def command(self) -> str:
        result, workers = self.result, self._present()
        if result.troubles or result.change == 0:
            return ""
        if result.change < 0:
            names = [*workers.idle, *workers.busy][: -result.change]
            return shell_command.for_requests(self._path, names, "drain")
        if result.setup is None:
            return ""
        return shell_command.for_worker(self._path, result.setup, result.change)

    def act(self) -> None:
        """Do it, or go to the field that something is wrong with."""
        self._examine()
        self.review()
        result = self.result
        if result.troubles:
            self._starts_when_examined = False
            self.screen.set_focus(self.doubted.field)
            return
        if result.setup is None and result.change > 0:
            return
        if result.change > 0 and self._examined(result.setup) is None:
            self._starts_when_examined = True
            self.review()
            return
        if result.change == 0:
            return
        self.close()
        self._go(result.change, result.setup)


def _same(one: WorkerSetup | None, other: WorkerSetup) -> bool:
    """Whether what was found of one setup is true of the other."""
    return one is not None and _seen(one) == _seen(other)


def _seen(setup: WorkerSetup) -> tuple[object, ...]:
    """What is looked at of a setup before anything is started."""
    here = None if setup.via else (setup.python, setup.chdir)
    return (here, setup.environment)


def _versions(examined: Examined | None) -> str:
    if examined is None:
        return "the Python of the jobs"
    sqlite = f"SQLite {examined.sqlite}" if examined.sqlite else "without SQLite"
    return f"Python {examined.python}, {sqlite}"


def _slots(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) < 5):
        return None
    return int(text) if 1 <= int(text) <= MOST_SLOTS else None


def _lanes(key: str, text: str, troubles: dict[str, str]) -> tuple[str, ...] | None:
    """The lanes that are typed; None where some can't be ones, and the troubles say why."""
    named = [one.strip() for one in text.split(",") if one.strip()]
    try:
        return check_patterns(named, "one")
    except ValueError as problem:
        troubles[key] = str(problem)
        return None


def _seconds(text: str) -> float | None:
    try:
        seconds = float(text)
    except ValueError:
        return None
    return seconds if math.isfinite(seconds) and seconds >= 0 else None
