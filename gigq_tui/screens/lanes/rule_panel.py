"""The panel in which a rule is written: what it limits, and what would come of it.

It covers lines of the screen in front and moves none.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from textual import events, on
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widget import Widget
from textual.widgets import Input

from gigq_core.lanes.rules import Lane, Rule
from gigq_tui.actions.lanes import RuleText, applies_to
from gigq_tui.format import plural, width_of
from gigq_tui.keys.hints import APPLY, ESC, TAB
from gigq_tui.screens.lanes.words import limit_words, waiting_words
from gigq_tui.store.lanes import startable
from gigq_tui.terminal import theme
from gigq_tui.widgets.command_lines import CommandLines
from gigq_tui.widgets.form_row import WALKS, Field, FormRow, PushLine
from gigq_tui.widgets.lines import Line, TextLines, span
from gigq_tui.widgets.takes_keys import OVERLAY, TakesKeys

PATTERN_CELLS, NUMBER_CELLS = 32, 12


class RulePanel(Vertical):
    """Asks for a rule; nothing is written before it makes sense.

    Args:
        command: Makes of a rule the command that does the same.
        text: What is in the fields at first.
        is_new: Whether there is no such rule yet.
        lanes: Tells the lanes there are now.
        go: Called with the rule, when the panel is closed.
    """

    DEFAULT_CSS = """
    RulePanel { height: auto; max-height: 100%; background: $panel; layer: palette; dock: bottom;
                margin: 0 0 2 0; overflow-y: auto; scrollbar-size-vertical: 1; }
    RulePanel Field { background: $background; }
    RulePanel #rule-buttons { height: 1; }
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
        super().__init__(id="rule", classes=OVERLAY)
        self.is_open = True
        self._command = command
        self._lanes = lanes
        self._go = go
        self._is_new = is_new
        number = NUMBER_CELLS
        self.rows = {
            row.key: row
            for row in (
                FormRow(
                    "pattern",
                    "lane",
                    text.pattern,
                    cells=PATTERN_CELLS,
                    hint="a name, or a prefix: fetch:*",
                ),
                FormRow(
                    "running",
                    "at a time",
                    text.running,
                    cells=number,
                    hint="jobs of a lane that run at a time; empty: any number",
                ),
                FormRow(
                    "rate",
                    "rate",
                    text.rate,
                    cells=number,
                    hint="starts of a lane: 5/s, 10/m, 100/h, 1000/d; empty: any number",
                ),
                FormRow(
                    "burst",
                    "burst",
                    text.burst,
                    cells=number,
                    hint="of these, so many at once after a rest",
                ),
                FormRow(
                    "reserved",
                    "reserved",
                    text.reserved,
                    cells=number,
                    hint="yes: only for workers that name the lane",
                ),
            )
        }
        self.rule: Rule | None = None
        self.troubles: dict[str, str] = {}

    def compose(self) -> ComposeResult:
        yield TextLines(id="rule-title")
        yield from self.rows.values()
        yield TextLines(id="rule-plan")
        yield CommandLines(id="rule-twin")
        with Horizontal(id="rule-buttons"):
            yield PushLine(f"Save ({APPLY})", self.save, id="rule-go")
            yield PushLine(f"Close ({ESC})", self.close, id="rule-close")

    def on_mount(self) -> None:
        first = self.rows["pattern" if self._is_new else "running"].field
        self.screen.set_focus(first)
        if not self._is_new:
            # What is typed takes its place.
            first.select_all()
        self.review()

    @property
    def is_whole(self) -> bool:
        """Whether its lines are there: not before it is composed, nor while it is taken away."""
        lines = ("#rule-title", "#rule-plan", "#rule-twin")
        return self.is_mounted and all(self.query(line) for line in lines)

    # Moving

    @property
    def _stops(self) -> list[Widget]:
        fields: list[Widget] = [row.field for row in self.rows.values()]
        return [*fields, *self.query(PushLine)]

    def take_key(self, event: events.Key) -> bool:
        """Move, press, close or save; what is typed goes to the field that has the focus."""
        here = self.screen.focused
        if event.key in WALKS:
            self._move(WALKS[event.key])
        elif event.key == "escape":
            self.close()
        elif event.key == APPLY:
            self.save()
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

    def _move(self, step: int) -> None:
        """Go to the next field or button, or the one before."""
        stops = self._stops
        here = self.screen.focused
        at = stops.index(here) if here in stops else -step
        stop = stops[(at + step) % len(stops)]
        self.screen.set_focus(stop)
        if isinstance(stop, Field):
            stop.select_all()
        self._draw()

    @on(Input.Changed)
    def _typed(self, event: Input.Changed) -> None:
        event.stop()
        self.review()

    # Judging

    def review(self) -> None:
        """Tell beside each field what is wrong, and below what would happen."""
        if not self.is_whole:
            return
        text = RuleText(**{key: row.text.strip() for key, row in self.rows.items()})
        self.rule, self.troubles = text.read()
        for key, row in self.rows.items():
            row.tell(self.troubles.get(key, "") if row.text or key != "pattern" else "")
        self._draw()

    def _draw(self) -> None:
        width = self.app.size.width
        title = " A new rule " if self._is_new else " A lane's rule "
        end = f" {TAB} next  {ESC} closes "
        rule = theme.RULE * max(0, width - 3 - width_of(title) - width_of(end))
        self.query_one("#rule-title", TextLines).show(
            ((theme.RULE * 3, "rule"), (title, "title"), (rule, "rule"), (end, "dim"))
        )
        self.query_one("#rule-plan", TextLines).show(self._plan())
        twin = "" if self.rule is None else self._command(self.rule)
        self.query_one("#rule-twin", CommandLines).tell(twin)

    def _plan(self) -> Line:
        if self.rule is None:
            if not self.rows["pattern"].text.strip():
                return ((" name a lane, or write how the names of some begin", "dim"),)
            key = self._doubted
            trouble = self.troubles[key]
            return ((" ! ", "fail"), span(f"{self.rows[key].label}: {trouble}", "fail"))
        rule, lanes = self.rule, self._lanes()
        meant = [lane for lane in lanes if applies_to(rule.pattern, lane)]
        told = limit_words(rule.running, rule.rate, rule.burst, reserved=rule.reserved)
        waits = waiting_words(sum(map(startable, meant)))
        if rule.pattern.endswith("*"):
            waits = f"{plural(len(meant), 'lane')} now, {waits}"
        return ((" ", ""), (told, "accent"), (f"; {waits}", ""))

    @property
    def _doubted(self) -> str:
        """The row that something is wrong with: the one that is typed into, or the first."""
        here = self.screen.focused
        typed = (key for key in self.troubles if self.rows[key].field is here)
        return next(typed, next(iter(self.troubles)))

    def on_resize(self) -> None:
        self.call_after_refresh(self.review)

    # Acting

    def save(self) -> None:
        """Write the rule, or go to the first field that something is wrong with."""
        self.review()
        if self.rule is None:
            self.screen.set_focus(self.rows[self._doubted].field)
            return
        rule = self.rule
        self.close()
        self._go(rule)

    def close(self) -> None:
        """Take the panel away and give the keys back."""
        self.is_open = False
        self.screen.set_focus(None)
        self.remove()
