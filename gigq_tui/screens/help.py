"""The help screen: every key of the screen it was opened from, from the registry."""

from __future__ import annotations

from collections.abc import Iterable

from textual.widget import Widget

from gigq_tui.format import pad, width_of
from gigq_tui.registry import Action, Group, Scope, actions_for, bindings_for
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.widgets.lines import Line, Span, fit, line_width
from gigq_tui.widgets.question import wrap_words
from gigq_tui.widgets.scrolled import Pane, Scrolled

_NOTES = (
    "Lower case acts on what you marked, or else on the row under the cursor. Upper case acts on "
    "everything that matches, or can't be taken back. Both tell you how many rows first.",
)
_STATES: tuple[Span, ...] = (
    (". ready or waiting", "wait"),
    ("* running", "run"),
    ("+ done", "ok"),
    ("X failed", "fail"),
    ("! never runs", "fail"),
    ("T timeout", "fail"),
    ("- cancelled", "dim"),
    ("? worker gone", "fail"),
)
_FILTER = (
    "/ filters: words and -words, \"two words\", name: fn: state: id: err: worker: pri>5 age>2m "
    "dur>30s try>1 dep:ID param.src:x. A space means and, | means or."
)
_KEY_CELLS = 12


def help_lines(scope: Scope, width: int) -> tuple[Line, ...]:
    """Return the help of a screen, laid out for `width` cells."""
    lines: list[Line] = [()]
    lines += _side_by_side(_columns(scope), width)
    lines.append(())
    for note in (*_NOTES, _FILTER) if scope is Scope.JOBS else _NOTES:
        lines += [((f" {piece}", ""),) for piece in wrap_words(note, width - 2)]
    lines.append(())
    lines += _states(width)
    return tuple(lines)


def _columns(scope: Scope) -> list[list[Line]]:
    columns = []
    for group in Group:
        actions = [action for action in actions_for(scope) if action.group is group]
        if not actions:
            continue
        lines: list[Line] = [((f" {group.value.upper()}", "heading"),)]
        lines += [_entry(action) for action in _merged(actions)]
        columns.append(lines)
    return columns


def _merged(actions: list[Action]) -> list[Action]:
    """The seven tabs are one line."""
    tabs = [action for action in actions if action.id.startswith("tab_")]
    if not tabs:
        return actions
    kept = [action for action in actions if action not in tabs]
    first = tabs[0]
    merged = Action(
        first.id,
        (),
        f"1-{len(tabs)}",
        "tab",
        "jobs by state",
        first.group,
        first.scopes,
    )
    return [merged, *kept]


def _entry(action: Action) -> Line:
    return ((f" {pad(action.shown, _KEY_CELLS)} ", "key"), (action.help, ""))


def _side_by_side(columns: list[list[Line]], width: int) -> list[Line]:
    """Set columns beside each other, as many as fit, the next ones below."""
    lines: list[Line] = []
    while columns:
        taken: list[tuple[list[Line], int]] = []
        used = 0
        while columns:
            cells = max(line_width(line) for line in columns[0]) + 2
            if taken and used + cells > width:
                break
            taken.append((columns.pop(0), cells))
            used += cells
        for y in range(max(len(column) for column, _ in taken)):
            spans: list[Span] = []
            for column, cells in taken:
                line = column[y] if y < len(column) else ()
                spans += [*line, (" " * (cells - line_width(line)), "")]
            lines.append(fit(tuple(spans), width))
        if columns:
            lines.append(())
    return lines


def _states(width: int) -> list[Line]:
    lines: list[Line] = []
    spans: list[Span] = [(" states  ", "heading")]
    used = 9
    for text, role in _STATES:
        if used + width_of(text) + 3 > width:
            lines.append(tuple(spans))
            spans, used = [(" " * 9, "")], 9
        spans += [(text, role), ("   ", "")]
        used += width_of(text) + 3
    return [*lines, tuple(spans)]


class HelpScreen(ConsoleScreen, inherit_bindings=False):
    """The keys of the screen that was in front."""

    SCOPE = Scope.HELP
    BINDINGS = bindings_for(Scope.HELP)

    def __init__(self, of: ConsoleScreen) -> None:
        super().__init__()
        self.of = of.SCOPE

    def compose_body(self) -> Iterable[Widget]:
        yield Pane(id="keys-text")

    def crumbs(self) -> tuple[str, ...]:
        return ("Help", f"{self.of.value} screen")

    def mover(self) -> Scrolled | None:
        return self.query_one(Pane)

    def do_close_help(self) -> None:
        """The key that opened the help closes it too."""
        self.do_back()

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        self.query_one(Pane).show(help_lines(self.of, max(20, self.app.size.width - 1)))
