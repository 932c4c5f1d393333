"""Who works off which kind of entry of the agenda.

What most files don't use is loaded where it is due.
"""

from __future__ import annotations

from importlib import import_module

from gigq_core.agenda import Duty

# The module of each kind; its `DUTY` does the work.
_MODULES: dict[str, str] = {
    "hook": "gigq_core.hooks.rules",
    "lanes": "gigq_core.lanes.settling",
    "keep": "gigq_core.keeping.rules",
    "schedule": "gigq_core.schedules.slots",
}


def duty_of(kind: str) -> Duty | None:
    """The duty of a kind of entry; None for one that this release does not know."""
    module = _MODULES.get(kind)
    if module is None:
        return None
    duty: Duty = import_module(module).DUTY
    return duty
