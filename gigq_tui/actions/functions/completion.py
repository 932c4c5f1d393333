"""Which functions may be meant while one is typed: those used lately, then those of the project."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from gigq_core.job import FunctionReference
from gigq_tui.actions.functions.inspection import (
    ChildTimeout,
    ask_child,
    check_folder,
    check_python,
)

LISTER = Path(__file__).with_name("lister.py")
LISTING_TIMEOUT_S = 10.0
READING_WITHIN_S = 3.0
# Functions that are kept of one listing.
MAX_LISTED = 20_000


@dataclass(frozen=True)
class Listing:
    """The functions that a project, or one package, defines. `cut` says why some may be missing."""

    functions: tuple[str, ...] = ()
    cut: str = ""


def list_functions(
    python: str,
    chdir: Path,
    package: str = "",
    timeout_s: float = LISTING_TIMEOUT_S,
    *,
    within_s: float = READING_WITHIN_S,
    unwanted: Callable[[], bool] = lambda: False,
) -> Listing:
    """Have the workers' interpreter list functions; it reads their source and imports nothing.

    Args:
        python: The workers' interpreter.
        chdir: The workers' folder.
        package: One package or module, wherever the interpreter finds it; else the project.
        timeout_s: Seconds after which the child is killed. What it had found by then is kept.
        within_s: Seconds after which the child reads no further file.
        unwanted: Asked from time to time whether to kill the child before that.

    Raises:
        GigQError: The interpreter can't be started, or the folder is gone.
    """
    words = [check_python(python), str(LISTER), f"{within_s:g}", *([package] if package else [])]
    try:
        child = ask_child(words, check_folder(chdir), timeout_s, unwanted)
        out, cut = child.out, "" if child.status == 0 else "the listing ended early"
    except ChildTimeout as late:
        out, cut = late.out, f"the listing took longer than {timeout_s:g} s"
    functions: dict[str, None] = {}
    for line in out.splitlines():
        try:
            told = json.loads(line)
            cut = str(told.get("cut", "")) or cut
            names = [f"{told['module']}.{name}" for name in told.get("functions", ())]
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        functions.update(dict.fromkeys(name for name in names if _is_path(name)))
    return Listing(tuple(functions)[:MAX_LISTED], cut)


def ranked(
    typed: str, recent: Sequence[str], listed: Iterable[str], limit: int
) -> tuple[list[str], int]:
    """The functions that may be meant, the likeliest first, and how many there are in all.

    A function used lately comes before the others, and one that begins with what is typed before
    one that has it somewhere. Nothing typed offers those used lately.

    Args:
        typed: What stands in the field.
        recent: Functions of the queue, the latest used first.
        listed: Functions of the project.
        limit: How many to return.
    """
    wanted = typed.strip().lower()
    every = list(dict.fromkeys([*recent, *(listed if wanted else ())]))
    begin = [name for name in every if name.lower().startswith(wanted)]
    inside = [
        name for name in every if wanted in name.lower() and not name.lower().startswith(wanted)
    ]
    found = [name for name in (*begin, *inside) if name != typed.strip()]
    return found[:limit], len(found)


def package_to_list(typed: str, listed: Iterable[str]) -> str:
    """The package that should be listed by itself, because the project does not have it; or ''."""
    first, dot, _ = typed.strip().partition(".")
    if not dot or not first.isidentifier():
        return ""
    return "" if any(name.startswith(f"{first}.") for name in listed) else first


def _is_path(name: str) -> bool:
    try:
        FunctionReference.parse(name)
    except ValueError:
        return False
    return True
