"""The view that a console was left with, kept for each queue file, and back at the next start.

It is kept in the user's folder for state, never beside the queue. Nothing depends on it: where the
folder can't be read or written, or takes long, the console starts as if there were none.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from gigq_tui.format import is_secret
from gigq_tui.store.filter.language import NO_FILTER, Filter
from gigq_tui.viewpoint import ViewError, Viewpoint, viewpoint_of

_Value = TypeVar("_Value")

# The views of so many files are kept; the ones left longest ago go.
MOST_FILES = 200
MOST_BYTES = 20_000
# A home in a network that hangs must not hold up the screen, nor the end.
WITHIN_S = 0.5


def recall(file: Path) -> Viewpoint | None:
    """Return the view that a queue file was left with; None where none is known."""
    return _within(WITHIN_S, lambda: _read(_place(file)))


def remember(file: Path, view: Viewpoint) -> None:
    """Keep a view as the last one of a queue file."""
    _within(WITHIN_S, lambda: _write(_place(file), file, view))


def _within(seconds: float, call: Callable[[], _Value]) -> _Value | None:
    """What a call returns, if it does so in time; None if not, or if it fails."""
    answer: list[_Value] = []

    def run() -> None:
        with suppress(Exception):
            answer.append(call())

    thread = threading.Thread(target=run, name="last-view", daemon=True)
    thread.start()
    thread.join(seconds)
    return answer[0] if answer else None


def _place(file: Path) -> Path:
    # Late: most commands need no folder for state.
    from platformdirs import user_state_path

    name = hashlib.sha256(os.fsencode(os.path.realpath(file))).hexdigest()[:32]
    return user_state_path("gigq-tui", appauthor=False) / "views" / f"{name}.json"


def _read(place: Path) -> Viewpoint | None:
    with place.open("rb") as kept:
        said = json.loads(kept.read(MOST_BYTES))["view"]
    try:
        return viewpoint_of(
            tab=said.get("tab"),
            filter=said.get("filter"),
            sort=said.get("sort"),
            columns=said.get("columns", ()),
            open=said.get("open"),
        )
    except ViewError:
        # Of another release, which knows other words.
        return None


def _write(place: Path, file: Path, view: Viewpoint) -> None:
    kept = Viewpoint(view.tab, _harmless(view.filter), view.sort, view.columns, view.open)
    text = json.dumps({"file": os.path.realpath(file), "view": kept.words})
    place.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    scratch = place.with_suffix(f".{os.getpid()}")
    with os.fdopen(os.open(scratch, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        out.write(text)
    os.replace(scratch, place)
    kept_files = sorted(place.parent.iterdir(), key=lambda each: each.stat().st_mtime)
    for old in kept_files[:-MOST_FILES]:
        old.unlink(missing_ok=True)


def _harmless(filter_: Filter) -> Filter:
    """The filter, but none where it asks for the value of what looks like a secret."""
    asks = any(is_secret(key) for term in filter_.terms() for key in term.path)
    return NO_FILTER if asks else filter_
