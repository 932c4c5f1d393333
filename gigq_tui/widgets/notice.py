"""One line that tells what an act did, or what is wrong; at rest it explains the current row."""

from __future__ import annotations

from gigq_tui.format import cut, inert, width_of
from gigq_tui.widgets.lines import BLANK, Line, Span, TextLines, line_width

TONES = {"info": "accent", "ok": "ok", "warn": "warn", "error": "fail"}
GAP = 3
LEAST_TWIN = 12


class NoticeLine(TextLines):
    """The notice of a screen. A notice hides the resting line until it is cleared."""

    DEFAULT_CSS = """
    NoticeLine { height: 1; }
    """

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.text = ""
        self.tone = "info"
        self.twin = ""
        self.hint = ""
        self.key = ""
        self._rest: Line = BLANK

    def tell(
        self, text: str, tone: str = "info", twin: str = "", hint: str = "", key: str = ""
    ) -> None:
        """Show a notice.

        Args:
            text: One sentence or less.
            tone: `info`, `ok`, `warn` or `error`.
            twin: The shell command that does the same, or an empty string.
            hint: Keys that belong to it and what they do, or an empty string.
            key: The key that copies the command.
        """
        self.text, self.tone, self.twin, self.hint = text, tone, twin, hint
        self.key = key
        self._draw()

    def _draw(self) -> None:
        text, twin, hint = self.text, self.twin, self.hint
        # The keys are named, however long the sentence is.
        room = self.size.width - 1 - (width_of(hint) + GAP if hint else 0)
        spans: list[Span] = [(" " + cut(inert(text), max(1, room)), TONES[self.tone])]
        if hint:
            spans.append((" " * GAP + hint, "key"))
        # Of the command a beginning is shown, where one is to be read.
        if twin and line_width(tuple(spans)) + GAP + LEAST_TWIN <= self.size.width:
            first, behind, _ = twin.partition("\n")
            shown = f"{first} .." if behind else first
            spans += [(" " * GAP + self.key, "key"), (f" {inert(shown)}", "dim")]
        self.show(tuple(spans))

    def rest(self, line: Line) -> None:
        """Set the line that stands here while there is no notice."""
        self._rest = line
        if not self.text:
            self.show(line)

    def on_resize(self) -> None:
        if self.text:
            self._draw()

    def clear(self) -> None:
        """Take the notice away."""
        if self.text:
            self.text = self.twin = self.hint = ""
            self.show(self._rest)
