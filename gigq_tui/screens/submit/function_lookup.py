"""Finding the function that is typed: what it takes, and which others may be meant.

Nothing here blocks typing. The workers' interpreter is asked in a thread, the file by the reader's
thread, and an answer to what is no longer typed is dropped.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from textual import events

from gigq_core.errors import GigQError
from gigq_core.job import FunctionReference
from gigq_tui.actions.functions.completion import Listing, list_functions, package_to_list, ranked
from gigq_tui.actions.functions.inspection import FunctionInfo, inspect_function
from gigq_tui.screens.submit.host import FormHost
from gigq_tui.screens.submit.suggestions import Suggestion, SuggestionList

MAX_SUGGESTED = 30


class FunctionHost(FormHost, Protocol):
    """What the search for functions needs besides: to know whether anybody still wants it."""

    @property
    def is_attached(self) -> bool:
        """Whether the screen is still there. From any thread."""

    def call_later(self, callback: Callable[..., Awaitable[None]], *args: Any) -> bool:
        """Call something in the screen's own turn."""


class FunctionLookup:
    """The part of the form that knows functions.

    Args:
        host: The screen.
        suggestions: The list that hangs under the field that is typed into.
        python: The interpreter in which the workers' jobs run.
        chdir: The folder in which they run.
    """

    def __init__(
        self, host: FunctionHost, suggestions: SuggestionList, python: str, chdir: Path
    ) -> None:
        self._host = host
        self._suggestions = suggestions
        self._python = python
        self._chdir = chdir
        self.recent: tuple[str, ...] = ()
        self._listings: dict[str, Listing | None] = {}
        self._asked = ""

    def typed(self) -> None:
        """The name in the field is another one."""
        self._host.known.trouble = ""
        self._host.form.follow_name()
        self.suggest()

    def take_key(self, event: events.Key) -> bool:
        """Take a key before the field gets it; say whether it was for the list of suggestions."""
        if self._suggestions.take_key(event):
            return True
        if event.key != "down" or self._suggestions.is_open:
            return False
        if not self._host.form.function:
            self.suggest(all_recent=True)
            return self._suggestions.take_key(event)
        if None in self._listings.values():
            self._suggestions.want(self._host.form.function_field)
            return True
        return False

    # What the function takes

    def look_up(self) -> None:
        """Ask the workers' interpreter about the function that is typed, if it is another one."""
        function = self._host.form.function
        if function == self._asked:
            return
        if not _is_name(function):
            return
        self._asked = function
        self._host.reads.find_out(
            partial(self._inspect, function), partial(self._inspected, function)
        )

    def _inspect(self, function: str) -> FunctionInfo | GigQError:
        try:
            return inspect_function(
                function, self._python, self._chdir, unwanted=lambda: self._is_stale(function)
            )
        except GigQError as problem:
            return problem

    def _is_stale(self, function: str) -> bool:
        """Whether another function is looked up by now, or the form is gone. From any thread."""
        return function != self._asked or not self._host.is_attached

    def _inspected(self, function: str, found: FunctionInfo | GigQError) -> None:
        self._host.call_later(self._show, function, found)

    async def _show(self, function: str, found: FunctionInfo | GigQError) -> None:
        if function != self._host.form.function:
            return  # something else has been typed since
        known = self._host.known
        had_info = known.info is not None
        known.info = found if isinstance(found, FunctionInfo) else None
        known.trouble = "" if isinstance(found, FunctionInfo) else str(found)
        if known.info is not None or had_info:
            await self._host.form.build_params(known.info)
        self._host.review()

    # Which functions there are

    def ask_recent(self) -> None:
        """Ask the file for the functions of its newest jobs."""
        self._host.reads.ask(lambda r: r.recent_functions(), self._recent_known)

    def _recent_known(self, functions: tuple[str, ...]) -> None:
        self.recent = functions
        self._host.review()

    def suggest(self, *, all_recent: bool = False) -> None:
        """Offer the functions that may be meant by what is typed.

        Args:
            all_recent: Offer those used lately where nothing is typed.
        """
        field = self._host.form.function_field
        typed = field.value
        if not field.has_focus or not (typed.strip() or all_recent):
            self._suggestions.close_under(field)
            return
        listed = [name for known in self._listings.values() if known for name in known.functions]
        for package in ("", package_to_list(typed, listed)):
            # The project always; one installed package only once it is named with its dot.
            if package not in self._listings and (not package or "" in self._listings):
                self._list(package)
        found, count = ranked(typed, self.recent, listed, MAX_SUGGESTED)
        used = set(self.recent)
        items = [
            Suggestion(name, ((name, ""), *((("  recent", "dim"),) if name in used else ())), name)
            for name in found
        ]
        name = typed.strip()
        self._suggestions.offer(
            field,
            items,
            self._take,
            foot=self._foot(count, len(found)),
            whole=name in used or name in listed or name == self._found,
            # Its last letter may just have been typed, and only the listing can tell.
            unsure=None in self._listings.values() and _is_name(name),
        )

    @property
    def _found(self) -> str:
        info = self._host.known.info
        return info.function if info is not None else ""

    def _foot(self, count: int, shown: int) -> str:
        if count > shown:
            return f"{count - shown:,} more: type on"
        listings = self._listings.values()
        cut_short = next((known.cut for known in listings if known and known.cut), "")
        return f"list incomplete: {cut_short}" if count and cut_short else ""

    def _list(self, package: str) -> None:
        if package and self._listings.get("") is None:
            return  # the project first: it may have that package
        self._listings[package] = None
        self._host.reads.find_out(
            partial(self._read_listing, package), partial(self._listed, package)
        )

    def _read_listing(self, package: str) -> Listing:
        try:
            return list_functions(
                self._python,
                self._chdir,
                package,
                unwanted=lambda: not self._host.is_attached,
            )
        except GigQError:
            return Listing()  # what is wrong is said where the function is looked up

    def _listed(self, package: str, listing: Listing) -> None:
        self._listings[package] = listing
        if self._host.form.function_field.value.strip():
            self.suggest()

    def _take(self, picked: Suggestion) -> None:
        field = self._host.form.function_field
        field.value = picked.value
        field.cursor_position = len(picked.value)
        self.look_up()


def _is_name(typed: str) -> bool:
    """Whether that can be the whole name of a function."""
    try:
        FunctionReference.parse(typed)
    except ValueError:
        return False
    return True
