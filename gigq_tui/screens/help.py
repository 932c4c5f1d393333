"""The help screen: every key of the screen it was opened from, from the registry."""

from __future__ import annotations

from collections.abc import Iterable

from textual import on
from textual.widget import Widget

from gigq_tui.format import pad, width_of
from gigq_tui.keys import DEFAULT_KEYS, Action, Group, Keymap, Scope, actions_for, bindings_for
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.looking_actions import FILTER
from gigq_tui.keys.screen_actions import CLOSE_HELP
from gigq_tui.screens.base import ConsoleScreen
from gigq_tui.screens.parts.row_finder import RowFinder
from gigq_tui.services import Services
from gigq_tui.widgets.lines import Line, Span, fit, line_width
from gigq_tui.widgets.question import wrap_words
from gigq_tui.widgets.scrolled import Pane, Scrolled
from gigq_tui.widgets.typed_line import TypedLine

_NOTES = (
    "Lower-case keys act on the marked rows, or else on the row under the cursor. Upper-case keys "
    "act on everything that matches, or can't be undone. Both say how many rows first.",
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
    ' filters: words and -words, "two words", name: fn: state: id: err: fp: worker: host: '
    "workflow: batch: lane: schedule: hook: unique: from:ID dep:ID pri>5 try>1 dur>30s progress<50 "
    "retry param.src:x result.rows>9. A colon finds part of a text, but a whole number; = asks for "
    "all of it. A space means and, | means or and binds tighter; parentheses group, -( ) negates.",
    "Times: age>2m, and submitted: started: ended: ran: with ranges like ran:02:00..04:00, "
    "ended:2026-11-27, started:2h..1h, ended:02:00.. or comparisons like ended<20m (ago). A clock "
    "time is the last one that clocks showed; ran: is any attempt that ran then, even "
    "if its job was retried since.",
)


def help_lines(scope: Scope, width: int, keymap: Keymap = DEFAULT_KEYS) -> tuple[Line, ...]:
    """Return the help of a screen with its present keys, laid out for `width` cells."""
    lines: list[Line] = []
    lines += _laid_out([*_blocks(keymap.rebound(actions_for(scope))), _states()], width)
    lines.append(())
    filters = (KeyHints(keymap)(FILTER) + _FILTER[0], _FILTER[1]) if scope is Scope.JOBS else ()
    for note in (*_NOTES, *filters):
        lines += [((f" {piece}", ""),) for piece in wrap_words(note, width - 2)]
    return tuple(lines)


def _blocks(actions: Iterable[Action]) -> list[list[Line]]:
    blocks = []
    for group in Group:
        members = [action for action in actions if action.group is group]
        if not any(action.keys for action in members):
            continue
        lines: list[Line] = [((f" {group.value.upper()}", "heading"),)]
        entries = _entries(members)
        cells = max(width_of(keys) for keys, _ in entries) + 1
        lines += [((f" {pad(keys, cells)}", "key"), (meaning, "")) for keys, meaning in entries]
        blocks.append(lines)
    return blocks


def _entries(actions: list[Action]) -> list[tuple[str, str]]:
    """Keys and their meaning; pairs share a line, and so do the seven tabs."""
    entries: list[tuple[str, str]] = []
    tabs = [action for action in actions if action.id.startswith(("tab_", "detail_tab_"))]
    if [tab.shown for tab in tabs] != [str(number) for number, _ in enumerate(tabs, start=1)]:
        tabs = []
    at = 0
    while at < len(actions):
        action = actions[at]
        at += 1
        if action in tabs:
            if action is tabs[0]:
                meaning = "jobs by state" if tabs[0].id == "tab_1" else "its tabs"
                entries.append((f"{tabs[0].shown}-{tabs[-1].shown}", meaning))
        elif action.pair and action.keys and at < len(actions) and actions[at].keys:
            keys = _both(action.shown.split()[0], actions[at].shown.split()[0])
            entries.append((keys, action.pair))
            at += 1
        elif action.keys:
            entries.append((action.shown, action.help))
    return entries


def _both(one: str, other: str) -> str:
    """Two keys on one line: `j k`, `ctrl+d/u`."""
    if one.startswith("ctrl+") and other.startswith("ctrl+"):
        return f"{one}/{other.removeprefix('ctrl+')}"
    return f"{one} {other}"


def _laid_out(blocks: list[list[Line]], width: int) -> list[Line]:
    """Set blocks in as many columns as fit, each block under the shortest column so far."""
    for number in range(len(blocks), 1, -1):
        columns: list[list[Line]] = [[] for _ in range(number)]
        for block in blocks:
            shortest = min(columns, key=len)
            shortest += [(), *block] if shortest else block
        cells = [max(line_width(line) for line in column) + 2 for column in columns]
        if sum(cells) <= width + 2:
            return _joined(columns, cells, width)
    return [line for block in blocks for line in [*block, ()]]


def _joined(columns: list[list[Line]], cells: list[int], width: int) -> list[Line]:
    lines: list[Line] = []
    for y in range(max(len(column) for column in columns)):
        spans: list[Span] = []
        for column, room in zip(columns, cells, strict=True):
            line = column[y] if y < len(column) else ()
            spans += [*line, (" " * (room - line_width(line)), "")]
        lines.append(fit(tuple(spans), width))
    return lines


def _states() -> list[Line]:
    return [((" STATES", "heading"),), *(((f" {text}", role),) for text, role in _STATES)]


class HelpScreen(ConsoleScreen, inherit_bindings=False):
    """The keys of the screen that was in front.

    Args:
        services: What the console can do.
        of: The scope of that screen.
    """

    SCOPE = Scope.HELP
    BINDINGS = bindings_for(Scope.HELP)
    CSS = """
    HelpScreen #find { display: none; }
    HelpScreen #find.-typing { display: block; }
    """

    def __init__(self, services: Services, of: Scope) -> None:
        super().__init__(services)
        self.of = of
        self.finder = RowFinder(self, services.notices)
        self.parts = (self.finder,)

    def compose_body(self) -> Iterable[Widget]:
        yield Pane(id="keys-text")
        yield TypedLine(id="find")

    @property
    def typed_line(self) -> TypedLine:
        """The line in which the text to find is typed."""
        return self.query_one(TypedLine)

    def crumbs(self) -> tuple[str, ...]:
        return ("Help", f"{self.of.value} screen")

    def mover(self) -> Scrolled | None:
        return self.query_one(Pane)

    @on(TypedLine.Typed)
    def _typed(self, event: TypedLine.Typed) -> None:
        self.finder.show_typed(event.text)

    @on(TypedLine.Ended)
    def _typing_ended(self, event: TypedLine.Ended) -> None:
        self.finder.typing_ended(event)

    @does(CLOSE_HELP)
    def do_close_help(self) -> None:
        """The key that opened the help closes it too."""
        self.do_back()

    def on_mount(self) -> None:
        self._draw()

    def on_resize(self) -> None:
        self.call_after_refresh(self._draw)

    def _draw(self) -> None:
        width = max(20, self.app.size.width - 1)
        self.query_one(Pane).show(help_lines(self.of, width, self.services.keymap))
