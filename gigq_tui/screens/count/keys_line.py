"""The line in which it is typed what jobs are counted by; tab completes from what they have."""

from __future__ import annotations

from collections.abc import Sequence

from textual import events

from gigq_tui.widgets.typed_line import TypedLine

# How many names are offered beside what is typed.
_OFFERED = 4


def matches(names: Sequence[str], word: str) -> list[str]:
    """The names that a word may stand for: those that begin so, then those that hold it."""
    low = word.lower()
    first = [name for name in names if name.lower().startswith(low)]
    return first + [name for name in names if low in name.lower() and name not in first]


class KeysLine(TypedLine):
    """Typing offers names; tab takes the first of them, and the next one when pressed again."""

    PROMPT = " # "

    def __init__(self, *, id: str | None = None) -> None:
        super().__init__(id=id)
        self.names: Sequence[str] = ()
        # What tab completed last, and what may stand there instead.
        self._completed = ""
        self._others: list[str] = []

    def open(self, text: str) -> None:
        """Begin to type, with these words to begin with."""
        super().open(text)
        self.offer()

    def take_key(self, event: events.Key) -> bool:
        """Complete by tab; any other key is typed."""
        if event.key == "tab":
            self._complete()
            return True
        taken = super().take_key(event)
        if self.typing:
            self.offer()
        return taken

    def offer(self) -> None:
        """Show what the last word may become."""
        found = matches(self.names, self._word)[: _OFFERED + 1]
        more = " .." if len(found) > _OFFERED else ""
        told = f"tab: {' '.join(found[:_OFFERED])}{more}" if found else ""
        self.tell("" if found == [self._word] else told)

    @property
    def _word(self) -> str:
        return self.text.replace(",", " ").rpartition(" ")[2]

    def _complete(self) -> None:
        head = self.text[: len(self.text) - len(self._word)]
        if self._word != self._completed or not self._others:
            self._others = matches(self.names, self._word)
        if not self._others:
            return
        first, *rest = self._others
        self._others = [*rest, first]
        self._completed = first
        self._change(head + first)
        self.offer()
