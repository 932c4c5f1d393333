"""The results of the last action, row by row, in a panel of the screen."""

from __future__ import annotations

from textual import events

from gigq_core.status import Change, Outcome
from gigq_tui.actions.report import Report
from gigq_tui.format import cut, inert, pad, plural, width_of
from gigq_tui.keys.hints import ESC
from gigq_tui.terminal import theme
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.scrolled import Scrolled
from gigq_tui.widgets.takes_keys import OVERLAY

ID_CELLS = 8
LEAST_LINES = 4
# Narrower than this, a name gets less room.
WIDE = 100

# What has not happened, or not yet.
_OPEN = (Change.REFUSED, Change.STOPPING)


def in_order(outcomes: tuple[Outcome, ...]) -> tuple[Outcome, ...]:
    """The refused ones first, since one looks for those; else the order of the act."""
    return tuple(sorted(outcomes, key=lambda outcome: outcome.done))


class OutcomePanel(Scrolled):
    """Takes every key while it is open: it is moved through, and escape closes it."""

    DEFAULT_CSS = """
    OutcomePanel { height: 10; background: $panel; layer: palette; dock: bottom;
                   margin: 0 0 2 0; }
    """

    def __init__(self, report: Report) -> None:
        super().__init__(id="outcomes", classes=OVERLAY)
        self.is_open = True
        self.report = report
        self.rows = in_order(report.outcomes)

    @property
    def total(self) -> int:
        return len(self.rows)

    @property
    def page(self) -> int:
        return max(1, self.size.height - 1)

    def on_mount(self) -> None:
        most = max(LEAST_LINES, self.app.size.height // 2)
        self.styles.height = max(LEAST_LINES, min(most, len(self.rows) + 1))

    def line_at(self, y: int) -> Line:
        return self._title() if y == 0 else super().line_at(y - 1)

    def _title(self) -> Line:
        refused = len(self.report.refused)
        count = plural(len(self.rows), "job") + (f", {refused:,} not done" if refused else "")
        title = f" results: {count}   {ESC} closes "
        rest = theme.RULE * max(0, self.size.width - 3 - width_of(title))
        return ((theme.RULE * 3, "rule"), (title, "title"), (rest, "rule"))

    def content_line(self, index: int, width: int) -> Line:
        outcome = self.rows[index]
        role = "warn" if outcome.change in _OPEN else "ok"
        name = 30 if width >= WIDE else 20
        line = [
            (f" {pad(inert(outcome.job_id[:ID_CELLS]), ID_CELLS)} ", "dim"),
            (pad(inert(outcome.name), name), ""),
            (f" {outcome.change.word:<12}", role),
        ]
        if outcome.reason:
            used = sum(width_of(text) for text, _ in line)
            line.append((cut(inert(outcome.reason), max(1, width - used)), ""))
        return tuple(line)

    def close(self) -> None:
        """Take the panel away and give the keys back."""
        self.is_open = False
        self.remove()

    def take_key(self, event: events.Key) -> bool:
        """Move through the rows or close; no key goes on to the screen below."""
        if event.key in ("escape", "q", "i", "enter"):
            self.close()
        elif event.key in ("down", "j"):
            self.step(1)
        elif event.key in ("up", "k"):
            self.step(-1)
        elif event.key in ("pagedown", "space"):
            self.turn(1)
        elif event.key in ("pageup", "b"):
            self.turn(-1)
        elif event.key in ("home", "g"):
            self.go_first()
        elif event.key in ("end", "G"):
            self.go_last()
        return True

    def take_paste(self, text: str) -> None:
        """There is nothing to type here."""
