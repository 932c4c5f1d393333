"""What is done with lanes: their jobs are listed, their rules written, removed, paused, copied."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from gigq_core.lanes.rules import Lane, Rule
from gigq_tui.actions.lanes import (
    ChangesLanes,
    RuleText,
    command_of,
    for_each,
    named,
    text_of,
)
from gigq_tui.actions.question import Choice, Question
from gigq_tui.actions.report import Report
from gigq_tui.actions.shell_command import first_commands
from gigq_tui.format import inert, listed, plural
from gigq_tui.keys.handlers import does
from gigq_tui.keys.lane_actions import (
    LANE_COPY,
    LANE_EDIT,
    LANE_JOBS,
    LANE_NEW,
    LANE_PAUSE,
    LANE_REMOVE,
)
from gigq_tui.screens.lanes.rule_panel import RulePanel
from gigq_tui.screens.lanes.words import waiting_words
from gigq_tui.screens.parts.copy_choices import (
    Copies,
    command_choice,
    copy_question,
    text_choice,
)
from gigq_tui.screens.parts.needs import Acts, AsksQuestion, Tells
from gigq_tui.screens.parts.panel_part import LaysOver, PanelPart
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import equal, quoted
from gigq_tui.store.lanes import jobs, startable
from gigq_tui.store.models import Tab


class LanesHost(LaysOver, AsksQuestion, Protocol):
    """What the part needs of its screen."""

    @property
    def lanes(self) -> Sequence[Lane]:
        """All lanes."""

    @property
    def is_read(self) -> bool:
        """Whether they have been read."""

    def reread(self) -> None:
        """Read the lanes anew."""


class Chooses(Protocol):
    """Which lanes are meant."""

    @property
    def current(self) -> Lane | None: ...

    @property
    def chosen(self) -> tuple[Lane, ...]: ...

    def unmark(self) -> bool: ...


class RuleActions(PanelPart[RulePanel]):
    """Writes, removes, pauses and resumes the rules of lanes.

    Args:
        host: The screen.
        choice: Which lanes are meant.
        changes: What writes.
        actions: What has it done, and tells it.
        notices: Where it is told why nothing is done.
        path: The queue file, for the command that does the same.
    """

    def __init__(
        self,
        host: LanesHost,
        choice: Chooses,
        changes: ChangesLanes,
        actions: Acts,
        notices: Tells,
        path: Path,
    ) -> None:
        super().__init__(host)
        self._host = host
        self._choice = choice
        self._changes = changes
        self._actions = actions
        self._notices = notices
        self._path = path

    # The panel

    @does(LANE_NEW)
    def add(self) -> None:
        """Ask for a new rule."""
        self._write(RuleText(), is_new=True)

    @does(LANE_EDIT)
    def edit(self) -> None:
        """Ask for the rule that the lane under the cursor obeys, or one of its own."""
        lane = self._choice.current
        if lane is None:
            self._refuse("There is no lane under the cursor.")
        else:
            self._write(text_of(lane), is_new=not lane.pattern)

    def _write(self, text: RuleText, *, is_new: bool) -> None:
        command, lanes = partial(command_of, self._path), lambda: self._host.lanes
        self.open(lambda: RulePanel(command, text, lanes, self._save, is_new=is_new))

    def _save(self, rule: Rule) -> None:
        self._actions.after_attach_question(
            f"Save the rule {inert(rule.pattern)}?",
            partial(self._act, partial(self._changes.set_rule, rule)),
        )

    # Pausing, removing

    @does(LANE_PAUSE)
    def pause(self) -> None:
        """Ask whether to pause the lanes, or to let them go on."""
        if not (chosen := self._meant()):
            return
        paused = [lane for lane in chosen if lane.paused_by]
        if paused:
            self._ask_resume(paused)
        else:
            self._ask_pause(chosen)

    def _ask_pause(self, chosen: Sequence[Lane]) -> None:
        names = [lane.name for lane in chosen]
        running = sum(lane.running for lane in chosen)
        details = [
            f"{waiting_words(sum(map(startable, chosen)))}; none starts until it is resumed.",
        ]
        if running:
            finish = "finishes" if running == 1 else "finish"
            details.append(f"{plural(running, 'running job')} {finish}.")
        choices = [Choice("n", "No"), self._pausing("y", named(names), names, paused=True)]
        rule = chosen[0].pattern if len(chosen) == 1 else ""
        if rule and rule != names[0]:
            those = self._of_rule(rule)
            choices.append(
                self._pausing("A", f"all of {inert(rule)}", [rule], paused=True, grave=True)
            )
            details.append(f"{inert(rule)} is the rule of {plural(len(those), 'lane')} now.")
        shut = [lane.name for lane in chosen if lane.opens_at is not None]
        if shut:
            choices.append(self._pausing("o", named(shut), shut, paused=False, verb="Open"))
            details.append(f"Open lets {named(shut)} start at once, which a job had shut.")
        self._ask(f"Pause {named(names)}?", details, choices, for_each(self._path, "pause", names))

    def _ask_resume(self, paused: Sequence[Lane]) -> None:
        patterns = list(dict.fromkeys(lane.paused_by or lane.name for lane in paused))
        held = [lane for lane in self._host.lanes if lane.paused_by in patterns]
        details = [f"{waiting_words(sum(map(startable, held)))}."]
        broad = [pattern for pattern in patterns if pattern.endswith("*")]
        if broad:
            details.append(f"That lets {plural(len(held), 'lane')} go on.")
        choices = [
            Choice("n", "No"),
            self._pausing("y", named(patterns), patterns, paused=False),
        ]
        title = f"Resume {named(patterns)}?"
        self._ask(title, details, choices, for_each(self._path, "resume", patterns))

    def _pausing(
        self,
        key: str,
        label: str,
        patterns: Sequence[str],
        *,
        paused: bool,
        grave: bool = False,
        verb: str = "",
    ) -> Choice:
        call = partial(self._changes.pause, tuple(patterns), paused=paused)
        verb = verb or ("Pause" if paused else "Resume")
        return Choice(key, f"{verb} {label}", partial(self._act, call), grave=grave)

    @does(LANE_REMOVE)
    def remove(self) -> None:
        """Ask whether to remove the rules of the lanes."""
        if not (chosen := self._meant()):
            return
        patterns = list(dict.fromkeys(lane.pattern for lane in chosen if lane.pattern))
        if not patterns:
            self._refuse("There is no rule to remove: this lane has no limit.")
            return
        obeying = [lane for lane in self._host.lanes if lane.pattern in patterns and jobs(lane)]
        what = f"the rule {inert(patterns[0])}" if len(patterns) == 1 else f"{len(patterns)} rules"
        details = ["No lane with jobs obeys it now."]
        if obeying:
            those = f"{plural(len(obeying), 'lane')} with {plural(sum(map(jobs, obeying)), 'job')}"
            obey = "obeys" if len(obeying) == 1 else "obey"
            details = [f"{those} {obey} it: the next best rule applies then, or no limit."]
        if len(patterns) > 1:
            details.insert(0, listed(list(map(inert, patterns))))
        remove = partial(self._act, partial(self._changes.remove, tuple(patterns)))
        many = bool(obeying) and any(pattern.endswith("*") for pattern in patterns)
        choices = [Choice("n", "No"), Choice("Y" if many else "y", "Remove", remove, grave=many)]
        self._ask(f"Remove {what}?", details, choices, for_each(self._path, "remove", patterns))

    # Inside

    def _of_rule(self, pattern: str) -> list[Lane]:
        return [
            lane for lane in self._host.lanes if lane.pattern == pattern and not lane.is_rule_only
        ]

    def _meant(self) -> tuple[Lane, ...]:
        chosen = self._choice.chosen
        if not chosen:
            self._refuse("There is no lane under the cursor.")
        return chosen

    def _ask(
        self, title: str, details: Sequence[str], choices: Sequence[Choice], twin: str
    ) -> None:
        told = (*details, *first_commands(twin), *self._actions.attach_details)
        self._host.question(Question(title, told, tuple(choices)))

    def _act(self, call: Callable[[], Report]) -> None:
        def after() -> None:
            self._choice.unmark()
            self._host.reread()

        self._actions.act(call, after)

    def _refuse(self, why: str) -> None:
        self._notices.tell(why, "warn")


class LaneLinks(Part):
    """Lists the jobs of lanes, and copies what is told of them.

    Args:
        host: The screen.
        choice: Which lanes are meant.
        show_jobs: Lists jobs by a tab and a filter.
        copying: What copies.
        notices: Where it is told why nothing is done.
        path: The queue file.
    """

    def __init__(
        self,
        host: LanesHost,
        choice: Chooses,
        show_jobs: Callable[[Tab, str], None],
        copying: Copies,
        notices: Tells,
        path: Path,
    ) -> None:
        self._host = host
        self._choice = choice
        self._show_jobs = show_jobs
        self._copying = copying
        self._notices = notices
        self._path = path

    @does(LANE_JOBS)
    def show(self) -> None:
        """List the jobs of the lane under the cursor."""
        lane = self._choice.current
        if lane is None:
            self._notices.tell("There is no lane under the cursor.", "warn")
        else:
            self._show_jobs(Tab.ALL, _filter(lane))

    @does(LANE_COPY)
    def copy(self) -> None:
        """Copy the command of the last action while its notice stands; else ask what to copy."""
        lane = self._choice.current
        if self._copying.copy_fresh_twin() or lane is None:
            return
        choices = [
            text_choice(self._copying, "n", "name", lane.name),
            text_choice(self._copying, "f", "filter", _filter(lane)),
        ]
        if (rule := text_of(lane).read()[0]) is not None and lane.pattern:
            line = command_of(self._path, rule)
            choices.append(command_choice(self._copying, "r", "rule's command", line))
        title = f"Copy from {inert(lane.name)}?"
        self._host.question(copy_question(self._copying, title, choices))


def _filter(lane: Lane) -> str:
    """The filter for the jobs of a lane, or of all those that a rule is about."""
    if lane.is_rule_only:
        return f"{Field.LANE.value}:{quoted(lane.name)}"
    return equal(Field.LANE, lane.name)
