"""The panel in which a rule is written: what it limits, and what would come of it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from gigq_core.lanes.rules import Lane, Rule
from gigq_tui.actions.lanes import RuleText, applies_to
from gigq_tui.format import plural
from gigq_tui.screens.lanes.words import limit_words, waiting_words
from gigq_tui.store.lanes import startable
from gigq_tui.widgets.form_panel import FormPanel
from gigq_tui.widgets.form_row import FormRow
from gigq_tui.widgets.lines import Line

PATTERN_CELLS, NUMBER_CELLS = 32, 12
# The rows for what limits the lanes: key, label and hint.
_LIMITS = (
    ("running", "at a time", "jobs of a lane that run at a time; empty: any number"),
    ("rate", "rate", "starts of a lane: 5/s, 10/m, 100/h, 1000/d; empty: any number"),
    ("burst", "burst", "of these, so many at once after a rest"),
    ("reserved", "reserved", "yes: only for workers that name the lane"),
)


def _rows(text: RuleText) -> list[FormRow]:
    lane, prefixes = text.pattern, "a name, or a prefix: fetch:*"
    return [
        FormRow("pattern", "lane", lane, cells=PATTERN_CELLS, hint=prefixes),
        *(
            FormRow(key, label, getattr(text, key), cells=NUMBER_CELLS, hint=hint)
            for key, label, hint in _LIMITS
        ),
    ]


class RulePanel(FormPanel):
    """Asks for a rule.

    Args:
        command: Makes of a rule the command that does the same.
        text: What is in the fields at first.
        is_new: Whether there is no such rule yet.
        lanes: Tells the lanes there are now.
        go: Called with the rule, when the panel is closed.
    """

    def __init__(
        self,
        command: Callable[[Rule], str],
        text: RuleText,
        lanes: Callable[[], Sequence[Lane]],
        go: Callable[[Rule], None],
        *,
        is_new: bool,
    ) -> None:
        title = "A new rule" if is_new else "A lane's rule"
        super().__init__(title, _rows(text), "Save", id="rule")
        self._command_of = command
        self._lanes = lanes
        self._go = go
        self._is_new = is_new
        self._rule: Rule | None = None
        self._troubles: dict[str, str] = {}

    def on_mount(self) -> None:
        first = self.rows["pattern" if self._is_new else "running"].field
        self.screen.set_focus(first)
        if not self._is_new:
            # What is typed takes its place.
            first.select_all()
        self.review()

    @property
    def troubles(self) -> Mapping[str, str]:
        return self._troubles

    def judge(self) -> None:
        text = RuleText(**{key: row.text.strip() for key, row in self.rows.items()})
        self._rule, self._troubles = text.read()
        for key, row in self.rows.items():
            row.tell(self._troubles.get(key, "") if row.text or key != "pattern" else "")

    def plan(self) -> Line:
        rule, lanes = self._rule, self._lanes()
        if rule is None:
            if not self.rows["pattern"].text.strip():
                return ((" name a lane, or write how the names of some begin", "dim"),)
            return self.trouble_line()
        meant = [lane for lane in lanes if applies_to(rule.pattern, lane)]
        limits = limit_words(rule.running, rule.rate, rule.burst, reserved=rule.reserved)
        waits = waiting_words(sum(map(startable, meant)))
        if rule.pattern.endswith("*"):
            waits = f"{plural(len(meant), 'lane')} now, {waits}"
        return ((" ", ""), (limits, "accent"), (f"; {waits}", ""))

    def command(self) -> str:
        return "" if self._rule is None else self._command_of(self._rule)

    def act(self) -> None:
        """Write the rule, or go to the field that something is wrong with."""
        self.review()
        if self._rule is None:
            self.screen.set_focus(self.doubted.field)
            return
        rule = self._rule
        self.close()
        self._go(rule)
