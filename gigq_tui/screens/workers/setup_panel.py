"""The panel that starts workers with chosen slots, interpreter, folder and environment, or scales.

It covers lines of the screen in front and moves none, which costs a third of a screen of its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import NamedTuple

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from gigq_core.errors import GigQError
from gigq_core.lanes.rules import check_patterns
from gigq_core.units.durations import seconds_text
from gigq_tui.actions import shell_command
from gigq_tui.actions.functions.inspection import full_path
from gigq_tui.actions.workers import environment, head_count, vias
from gigq_tui.actions.workers.setup import MOST_SLOTS, Examined, WorkerSetup, examine
from gigq_tui.format import width_of
from gigq_tui.keys.hints import APPLY, ESC, TAB
from gigq_tui.screens.workers.environment_row import ENVIRONMENT_HINT, EnvironmentRow
from gigq_tui.services.waiting import find_out
from gigq_tui.terminal import theme
from gigq_tui.widgets.command_lines import CommandLines
from gigq_tui.widgets.form_row import WALKS, Field, FormRow, PushLine
from gigq_tui.widgets.lines import Line, TextLines, span
from gigq_tui.widgets.takes_keys import OVERLAY, TakesKeys

NUMBER_CELLS, LANE_CELLS = 8, 28
SLOTS_HINT = "jobs at once"
VIA_HINT = "run there: ssh gpu1; srun"
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


class SetupPanel(Vertical):
    """Asks how many workers, and with what; nothing is started before that was examined.

    Args:
        path: The queue file, for the command that does the same.
        setup: What is in the fields at first.
        present: Tells the present workers of this console.
        go: Called once they are good, when the panel is closed, with the change wanted and the
            setup; it may be None where none is started.
    """

    DEFAULT_CSS = """
    SetupPanel { height: auto; max-height: 100%; background: $panel; layer: palette; dock: bottom;
                 margin: 0 0 2 0; overflow-y: auto; scrollbar-size-vertical: 1; }
    SetupPanel Field { background: $background; }
    SetupPanel #setup-buttons { height: 1; }
    SetupPanel #setup-twin { height: auto; }
    """

    def __init__(
        self,
        path: Path,
        setup: WorkerSetup,
        present: Callable[[], ConsoleWorkers],
        go: Callable[[int, WorkerSetup | None], None],
    ) -> None:
        super().__init__(id="setup", classes=OVERLAY)
        self.is_open = True
        self.path = path
        self._present = present
        self.go = go
        number = NUMBER_CELLS
        self.rows = {
            row.key: row
            for row in (
                FormRow("count", "workers", "+1", cells=number, hint=head_count.HOW),
                FormRow(
                    "slots",
                    "slots each",
                    str(setup.slots) if setup.slots else "",
                    cells=number,
                    hint=SLOTS_HINT,
                ),
                FormRow("via", "via", vias.text_of(setup.via), hint=VIA_HINT),
                FormRow("python", "interpreter", setup.python),
                FormRow("folder", "folder", str(setup.chdir), hint="jobs run there"),
                FormRow(
                    "remote_python",
                    "interpreter",
                    setup.remote_python,
                    hint="the Python there",
                    placeholder="python3",
                ),
                FormRow(
                    "remote_folder",
                    "folder",
                    setup.remote_chdir,
                    hint="jobs run there",
                    placeholder="where the command leads to",
                ),
                EnvironmentRow(environment.text_of(setup.environment)),
                FormRow(
                    "grace",
                    "grace",
                    seconds_text(setup.grace_s),
                    cells=number,
                    hint="seconds for a job to end before it is killed",
                ),
                FormRow(
                    "lanes",
                    "lanes",
                    ", ".join(setup.lanes),
                    cells=LANE_CELLS,
                    hint="reserved ones, too: gpu, big:*",
                ),
                FormRow(
                    "only_lanes",
                    "only lanes",
                    ", ".join(setup.only_lanes),
                    cells=LANE_CELLS,
                    hint="jobs of these alone",
                ),
            )
        }
        self.result = SetupResult()
        self._known: tuple[WorkerSetup, Examined] | None = None
        self._examining: WorkerSetup | None = None
        self._starts_when_examined = False

    def compose(self) -> ComposeResult:
        yield TextLines(id="setup-title")
        yield from self.rows.values()
        yield TextLines(id="setup-plan")
        yield CommandLines(id="setup-twin")
        with Horizontal(id="setup-buttons"):
            yield PushLine(f"Apply ({APPLY})", self.start, id="setup-go")
            yield PushLine(f"Close ({ESC})", self.close, id="setup-close")

    def on_mount(self) -> None:
        count = self.rows["count"].field
        self.screen.set_focus(count)
        # What is typed takes its place.
        count.select_all()
        self._examine()
        self.review()

    @property
    def is_whole(self) -> bool:
        """Whether its lines are there: not before it is composed, nor while it is taken away.

        A field that goes is left, and an interpreter may answer, when they are there no more.
        """
        lines = ("#setup-title", "#setup-plan", "#setup-twin")
        return self.is_mounted and all(self.query(line) for line in lines)

    # Moving

    @property
    def _stops(self) -> list[Widget]:
        fields: list[Widget] = [row.field for row in self.rows.values() if row.display]
        return [*fields, *self.query(PushLine)]

    def take_key(self, event: events.Key) -> bool:
        """Move, press, close or start; what is typed goes to the field that has the focus."""
        here = self.screen.focused
        if event.key in WALKS:
            self._move(WALKS[event.key])
        elif event.key == "escape":
            self.close()
        elif event.key == APPLY:
            self.start()
        elif event.key == "enter" and isinstance(here, PushLine):
            here.act()
        elif event.key == "enter":
            self._move(1)
        elif here in self._stops and isinstance(here, TakesKeys):
            return here.take_key(event)
        else:
            return False
        return True

    def take_paste(self, text: str) -> None:
        """Paste into the field that has the focus."""
        here = self.screen.focused
        if here in self._stops and isinstance(here, TakesKeys):
            here.take_paste(text)

    @property
    def is_examining(self) -> bool:
        """Whether it is to start workers, and examines interpreter and folder first."""
        return self._starts_when_examined

    def _move(self, step: int) -> None:
        """Go to the next field or button, or the one before."""
        stops = self._stops
        here = self.screen.focused
        at = stops.index(here) if here in stops else -step
        stop = stops[(at + step) % len(stops)]
        self.screen.set_focus(stop)
        if (
            isinstance(stop, Field)
            and isinstance(stop.parent, FormRow)
            and stop.parent.key in _NUMBERS
        ):
            stop.select_all()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self._starts_when_examined = False
        self.review()

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
            self.start()

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

    def review(self) -> None:
        """Tell beside each field what is wrong, and below what would happen."""
        if not self.is_whole:
            return
        result = self.result = SetupResult()
        self._show_place(elsewhere=bool(self.rows["via"].text.strip()))
        workers = self._present()
        result.setup = self._typed_setup(result)
        try:
            result.change = head_count.change_wanted(self.rows["count"].text, workers.total)
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
        self._draw(result, workers)

    def _show_place(self, *, elsewhere: bool) -> None:
        """Ask for interpreter and folder of where the jobs run: here, or where a command leads."""
        for key in ("python", "folder"):
            self.rows[key].display = not elsewhere
            self.rows[f"remote_{key}"].display = elsewhere
        self.rows["slots"].tell(hint=FAR_SLOTS if elsewhere else SLOTS_HINT)
        self.rows["environment"].tell(hint=FAR_ENVIRONMENT if elsewhere else ENVIRONMENT_HINT)

    # Drawing

    def _draw(self, result: SetupResult, workers: ConsoleWorkers) -> None:
        width = self.app.size.width
        title = " Workers: start or drain "
        end = f" {TAB} next  {ESC} closes "
        rule = theme.RULE * max(0, width - 3 - width_of(title) - width_of(end))
        self.query_one("#setup-title", TextLines).show(
            ((theme.RULE * 3, "rule"), (title, "title"), (rule, "rule"), (end, "dim"))
        )
        plan: Line
        if result.troubles:
            key, trouble = next(iter(result.troubles.items()))
            plan = ((" ! ", "fail"), span(f"{self.rows[key].label}: {trouble}", "fail"))
        elif self._starts_when_examined:
            plan = ((" checking the interpreter and the folder first ..", "warn"),)
        else:
            slots = result.setup.slots if result.setup is not None else 1
            plan = ((" will " if result.change else " ", ""),)
            agents = len(result.setup.via) if result.setup is not None else 0
            change = head_count.intention(
                result.change, slots, workers.total, len(workers.idle), agents
            )
            plan += ((change, "accent"),)
        self.query_one("#setup-plan", TextLines).show(plan)
        command = self._command(result, workers)
        self.query_one("#setup-twin", CommandLines).tell(command)

    def _command(self, result: SetupResult, workers: ConsoleWorkers) -> str:
        if result.troubles or result.change == 0:
            return ""
        if result.change < 0:
            names = [*workers.idle, *workers.busy][: -result.change]
            return shell_command.for_requests(self.path, names, "drain")
        return (
            shell_command.for_worker(self.path, result.setup, result.change) if result.setup else ""
        )

    def on_resize(self) -> None:
        self.call_after_refresh(self.review)

    # Acting

    def start(self) -> None:
        """Do it, or go to the first field that something is wrong with."""
        self._examine()
        self.review()
        result = self.result
        if result.troubles:
            self._starts_when_examined = False
            self.screen.set_focus(self.rows[next(iter(result.troubles))].field)
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
        self.go(result.change, result.setup)

    def close(self) -> None:
        """Take the panel away and give the keys back."""
        self.is_open = False
        self.screen.set_focus(None)
        self.remove()


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
