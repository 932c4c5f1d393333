"""The shell command that does what a panel is about to do, in as few lines as it needs."""

from __future__ import annotations

from gigq_tui.format import cut, inert
from gigq_tui.widgets.lines import Line, TextLines
from gigq_tui.widgets.question import wrap_words

MOST_LINES = 3
# On a terminal of fewer lines there is one for the command.
_TALL = 20


class CommandLines(TextLines):
    """A command, wrapped; what has no room for all of it ends with dots."""

    def tell(self, command: str) -> None:
        """Show a command; an empty text is one empty line."""
        width = self.app.size.width - 2
        lines: list[Line] = []
        if command:
            pieces = wrap_words(inert(command), width)
            most = MOST_LINES if self.app.size.height >= _TALL else 1
            if len(pieces) > most:
                pieces = [*pieces[: most - 1], cut(f"{pieces[most - 1]}  ..", width)]
            lines = [((f" {piece}", "dim"),) for piece in pieces]
        height = max(1, len(lines))
        if self.styles.height is None or self.styles.height.value != height:
            self.styles.height = height
        self.show(*lines)
