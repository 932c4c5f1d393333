"""What is asked before something is copied: a choice for each thing that can be."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from pathlib import Path
from typing import Protocol

from gigq_tui.actions.question import Choice, Question


class CopiesText(Protocol):
    """What puts text on the clipboard."""

    def copy_text(self, text: str, what: str, source: Path | None = None) -> None: ...


class Copies(CopiesText, Protocol):
    """What copies, as far as a question asks for it."""

    def copy_command(self, twin: str) -> None: ...

    def copy_fresh_twin(self) -> bool: ...

    def everywhere(self) -> Iterable[Choice]: ...


def text_choice(copying: CopiesText, key: str, what: str, text: str) -> Choice:
    """The choice that copies a text.

    Args:
        copying: What copies.
        key: The key of the choice.
        what: What it copies; the notice calls it so too.
        text: The text.
    """
    named = what if what.startswith("what ") else f"the {what}"
    return Choice(key, what, partial(copying.copy_text, text, named))


def command_choice(copying: Copies, key: str, what: str, command: str) -> Choice:
    """The choice that copies a command, where that is no more than a terminal takes.

    Args:
        copying: What copies.
        key: The key of the choice.
        what: What it copies.
        command: The command.
    """
    return Choice(key, what, partial(copying.copy_command, command))


def copy_question(copying: Copies, title: str, choices: Iterable[Choice]) -> Question:
    """The question what to copy: nothing, one of these, or what can be copied everywhere.

    Args:
        copying: What copies.
        title: What is asked.
        choices: What can be copied here.
    """
    nothing = Choice("escape", "Nothing")
    return Question(title, (), (nothing, *choices, *copying.everywhere()), harmless=True)
