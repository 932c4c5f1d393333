"""Whether the workers in a file's register live, as far as this machine can tell."""

from __future__ import annotations

from typing import Any

_SHOWN = (
    "id",
    "owner",
    "host",
    "pid",
    "isolation",
    "slots",
    "state",
    "request",
    "started_at",
    "stopped_at",
    "done",
    "failed",
    "last_claim_at",
    "log_path",
)


def with_life(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of workers, cut to what is meant for people and scripts.

    Each with `alive` and `suspended`: null where it can't be told from here.
    """
    return [_with_life(row) for row in rows]


def _with_life(row: dict[str, Any]) -> dict[str, Any]:
    from gigq_core.identity import is_suspended

    alive = _alive(row)
    suspended = is_suspended(row["pid"]) if alive else alive
    return {**{key: row[key] for key in _SHOWN}, "alive": alive, "suspended": suspended}


def _alive(row: dict[str, Any]) -> bool | None:
    from gigq_core.identity import ProcessIdentity, is_dead

    if row["state"] == "stopped":
        return False
    dead = is_dead(ProcessIdentity.of_row(row))
    return None if dead is None else not dead
