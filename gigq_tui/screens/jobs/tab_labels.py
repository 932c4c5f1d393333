"""What the tabs of the jobs screen are called, with their keys and counts."""

from __future__ import annotations

from gigq_tui.format import count, short_count
from gigq_tui.keys.hints import DEFAULT_HINTS, KeyHints
from gigq_tui.keys.looking_actions import TAB_ACTIONS
from gigq_tui.store.models import Counts, Tab
from gigq_tui.widgets.tabs import TabLabel

_NAMES = {
    Tab.ALL: ("All", "All"),
    Tab.WAITING: ("Waiting", "Wait"),
    Tab.RUNNING: ("Running", "Run"),
    Tab.FAILED: ("Failed", "Fail"),
    Tab.TIMEOUT: ("Timeout", "T/O"),
    Tab.DONE: ("Done", "Done"),
    Tab.CANCELLED: ("Cancelled", "Canc"),
}
_LOUD = frozenset({Tab.FAILED, Tab.TIMEOUT})


def describe_tab(tab: Tab) -> str:
    """Return the name of a tab."""
    return _NAMES[tab][0]


def tab_labels(counts: Counts | None, hints: KeyHints = DEFAULT_HINTS) -> tuple[TabLabel, ...]:
    """Return the labels of all tabs; the counts are left out where they are not known."""
    return tuple(
        _label(tab, hints(action), counts) for tab, action in zip(Tab, TAB_ACTIONS, strict=True)
    )


def _label(tab: Tab, key: str, counts: Counts | None) -> TabLabel:
    name, short = _NAMES[tab]
    if counts is None:
        return TabLabel(f"{key} {name}", f"{key} {short}", "dim")
    number = counts.of(tab)
    role = "fail" if number and tab in _LOUD else ("" if number else "dim")
    return TabLabel(f"{key} {name} {count(number)}", f"{key} {short} {short_count(number)}", role)
