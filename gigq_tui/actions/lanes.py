"""What is done to lanes: their rules are written, removed, paused and resumed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from gigq_core import JobQueue
from gigq_core.errors import GigQError
from gigq_core.lanes.rules import Lane, Rule, matches, rule_of
from gigq_tui.actions.report import Report
from gigq_tui.actions.shell_command import command, guarding
from gigq_tui.actions.undo_log import DoneChange, UndoLog
from gigq_tui.actions.writing import opened
from gigq_tui.format import inert, plural

_YES, _NO = ("y", "yes"), ("", "n", "no")
_MOST_DIGITS = 9
_NUMBERS = {
    "running": "a whole number, or nothing for no limit",
    "burst": "a whole number, 1 or more",
}
# Of which rule each part is tried, so that what is wrong is said of that part.
_ALONE: dict[str, dict[str, Any]] = {
    "pattern": {},
    "running": {"pattern": "x"},
    "rate": {"pattern": "x"},
    "burst": {"pattern": "x", "rate": "1/s"},
}


@dataclass(frozen=True)
class RuleText:
    """A rule as it is typed."""

    pattern: str = ""
    running: str = ""
    rate: str = ""
    burst: str = "1"
    reserved: str = "no"

    def read(self) -> tuple[Rule | None, dict[str, str]]:
        """Return the rule, or what is wrong with it by the name of the part, in their order."""
        troubles: dict[str, str] = {}
        values: dict[str, Any] = {"pattern": self.pattern}
        for key in ("running", "burst"):
            typed = getattr(self, key)
            values[key] = _whole(typed)
            if values[key] is None and (typed or key == "burst"):
                troubles[key] = _NUMBERS[key]
        values["rate"] = self.rate or None
        reserved = self.reserved.lower()
        values["reserved"] = reserved in _YES
        if reserved not in (*_YES, *_NO):
            troubles["reserved"] = "yes or no"
        for key, alone in _ALONE.items():
            if key not in troubles and values[key] is not None:
                try:
                    rule_of(**{**alone, key: values[key]})
                except ValueError as problem:
                    troubles[key] = str(problem)
        if troubles:
            return None, {key: troubles[key] for key in values if key in troubles}
        try:
            return rule_of(**values), {}
        except ValueError as problem:
            # What is right alone is wrong together: only a burst without a rate is.
            return None, {"burst": str(problem)}


def _whole(text: str) -> int | None:
    if not (text.isascii() and text.isdigit() and len(text) <= _MOST_DIGITS):
        return None
    return int(text)


def text_of(lane: Lane) -> RuleText:
    """The rule that a lane obeys, as it is typed, or an empty one of its own."""
    running = "" if lane.running_limit is None else str(lane.running_limit)
    reserved = "yes" if lane.reserved else "no"
    return RuleText(lane.pattern or lane.name, running, lane.rate or "", str(lane.burst), reserved)


def applies_to(pattern: str, lane: Lane) -> bool:
    """Whether a rule of this pattern is, or would be, the one that a lane obeys."""
    return (
        not lane.is_rule_only
        and matches(pattern, lane.name)
        and (not lane.pattern or _rank(pattern) >= _rank(lane.pattern))
    )


def _rank(pattern: str) -> tuple[bool, int]:
    """Which rule of two a lane obeys: its own, or else the one that says more of its name."""
    return not pattern.endswith("*"), len(pattern)


class ChangesLanes(Protocol):
    """What changes lanes in the file; each method blocks."""

    def set_rule(self, rule: Rule) -> Report: ...

    def remove(self, patterns: Sequence[str]) -> Report: ...

    def pause(self, patterns: Sequence[str], *, paused: bool) -> Report: ...


class LaneActions:
    """Writes the rules of lanes. Call its methods in a thread: each one blocks.

    Args:
        path: The queue file.
        undo_log: Where it is kept what can be taken back.
        read_only: Refuse every act.
    """

    def __init__(self, path: Path, undo_log: UndoLog, *, read_only: bool = False) -> None:
        self.path = path
        self.read_only = read_only
        self._undo_log = undo_log

    def set_rule(self, rule: Rule) -> Report:
        """Write a rule, in the place of the one that has its pattern.

        Raises:
            GigQError: Nothing was done; the sentence says why. So for every act below.
        """
        with self._queue() as queue:
            before = _rules_of(queue).get(rule.pattern)
            _write(queue, rule)
            after = _rules_of(queue).get(rule.pattern, rule)
        self._keep_rules("change", {rule.pattern: before}, {rule.pattern: after})
        title = f"saved the rule {inert(rule.pattern)}"
        return Report(title, (), command_of(self.path, rule), undoable=before != after)

    def remove(self, patterns: Sequence[str]) -> Report:
        """Remove rules: their lanes obey the next best ones, or none."""
        with self._queue() as queue:
            rules = _rules_of(queue)
            gone = [pattern for pattern in patterns if queue.remove_lane(pattern)]
        self._keep_rules(
            "removal", {pattern: rules.get(pattern) for pattern in gone}, dict.fromkeys(gone)
        )
        twin = for_each(self.path, "remove", patterns)
        if not gone:
            return Report(f"{_named_rules(patterns)} is gone already", (), twin)
        return Report(f"removed {_named_rules(gone)}", (), twin, undoable=True)

    def pause(self, patterns: Sequence[str], *, paused: bool) -> Report:
        """Let no job of some lanes start, or let them go on."""
        with self._queue() as queue:
            switch = queue.pause_lane if paused else queue.resume_lane
            before = _pauses_of(queue)
            done = tuple(pattern for pattern in patterns if switch(pattern))
        # What a job had shut is open, and nobody shuts it again.
        switched = tuple(pattern for pattern in done if paused or pattern in before)
        if switched:
            what = f"{'pause' if paused else 'resumption'} of {named(switched)}"
            self._undo_log.add(DoneChange(what, switched, partial(_switch_back, switched, paused)))
        twin = for_each(self.path, "pause" if paused else "resume", patterns)
        word = "paused" if paused else "resumed" if switched else "opened"
        if not done:
            word = "paused" if paused else "resumed"
            return Report(f"{named(patterns)}: {word} already", (), twin)
        then = ": running jobs finish" if paused else ""
        return Report(f"{word} {named(done)}{then}", (), twin, undoable=bool(switched))

    def _queue(self) -> AbstractContextManager[JobQueue]:
        return opened(self.path, read_only=self.read_only)

    def _keep_rules(
        self, verb: str, before: Mapping[str, Rule | None], after: Mapping[str, Rule | None]
    ) -> None:
        names = tuple(pattern for pattern in before if before[pattern] != after[pattern])
        if names:
            what = f"{verb} of {_named_rules(names)}"
            put_back = partial(_put_back, dict(before), dict(after))
            self._undo_log.add(DoneChange(what, names, put_back))


def _rules_of(queue: JobQueue) -> dict[str, Rule]:
    """The rules of a file by their patterns."""
    return {
        lane.pattern: Rule(lane.pattern, lane.running_limit, lane.rate, lane.burst, lane.reserved)
        for lane in queue.lanes()
        if lane.pattern is not None
    }


def _write(queue: JobQueue, rule: Rule) -> None:
    try:
        queue.set_lane(
            rule.pattern,
            running=rule.running,
            rate=rule.rate,
            burst=rule.burst,
            reserved=rule.reserved,
        )
    except ValueError as problem:
        raise GigQError(str(problem)) from None


def _put_back(
    before: Mapping[str, Rule | None], after: Mapping[str, Rule | None], queue: JobQueue
) -> tuple[str, ...]:
    now = _rules_of(queue)
    changed = []
    for pattern, rule in before.items():
        if now.get(pattern) != after[pattern]:
            changed.append(f"{inert(pattern)} was changed since")
        elif rule is None:
            queue.remove_lane(pattern)
        else:
            _write(queue, rule)
    return tuple(changed)


def _pauses_of(queue: JobQueue) -> set[str | None]:
    """What is paused, by the names under which it was."""
    return {lane.paused_by for lane in queue.lanes()}


def _switch_back(patterns: Sequence[str], paused: bool, queue: JobQueue) -> tuple[str, ...]:
    held = _pauses_of(queue)
    switch = queue.resume_lane if paused else queue.pause_lane
    word = "resumed" if paused else "paused"
    done = {pattern: (pattern in held) == paused and switch(pattern) for pattern in patterns}
    return tuple(f"{inert(pattern)} was {word} since" for pattern, was in done.items() if not was)


def _named_rules(patterns: Sequence[str]) -> str:
    """What rules are called: `the rule fetch:*`, or how many they are."""
    if len(patterns) == 1:
        return f"the rule {inert(patterns[0])}"
    return plural(len(patterns), "rule")


def named(patterns: Sequence[str]) -> str:
    """What lanes are called: by the name, or how many they are."""
    return inert(patterns[0]) if len(patterns) == 1 else plural(len(patterns), "lane")


def command_of(path: Path, rule: Rule) -> str:
    """The command that writes a rule."""
    words: list[str] = []
    if rule.running is not None:
        words += ["--running", str(rule.running)]
    if rule.rate is not None:
        words += ["--rate", rule.rate]
        if rule.burst != 1:
            words += ["--burst", str(rule.burst)]
    words += ["--reserved"] if rule.reserved else []
    return command(path, "lane", "set", *_place(rule.pattern, words))


def for_each(path: Path, verb: str, patterns: Sequence[str]) -> str:
    """The command that does something to each of some lanes."""
    return "\n".join(command(path, "lane", verb, *_place(pattern)) for pattern in patterns)


def _place(pattern: str, options: Sequence[str] = ()) -> list[str]:
    """A pattern and what stands behind it, or before it where it would be taken for an option."""
    guard = guarding([pattern])
    return [*options, *guard, pattern] if guard else [pattern, *options]
