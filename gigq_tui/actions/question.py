"""What is asked before an action: a question and its choices, as values."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

# From this many jobs on, yes takes a capital letter, so that no finger slips into it.
MANY = 20


@dataclass(frozen=True)
class Choice:
    """One way to answer. `key` is a Textual key name; `act` is called when it is chosen.

    Without a label it is not drawn: then the title says which key it is.
    """

    key: str
    label: str
    act: Callable[[], None] | None = None
    grave: bool = False


@dataclass(frozen=True)
class Question:
    """What is asked: a title, some lines of detail, and the choices, the safe one first.

    `focus` is the choice that enter takes; escape always takes the first. `harmless` says that no
    answer changes anything in the file, nor what is typed: such an answer may be typed before the
    question is seen.
    """

    title: str
    details: tuple[str, ...]
    choices: tuple[Choice, ...]
    harmless: bool = False
    focus: int = 0
