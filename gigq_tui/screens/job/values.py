"""The values of a job: parameters, result, and the row as it is stored; secrets are masked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

from gigq_core.status import JobStatus
from gigq_tui.format import as_json, inert, masked, pad, plural, split_lines
from gigq_tui.keys.handlers import does
from gigq_tui.keys.hints import KeyHints
from gigq_tui.keys.reading_actions import REVEAL
from gigq_tui.screens.parts.needs import Tells
from gigq_tui.screens.parts.part import Part
from gigq_tui.store.models import JobDetail
from gigq_tui.widgets.lines import Line
from gigq_tui.widgets.text_view import TextView


class Draws(Protocol):
    """Where they are shown."""

    def draw(self) -> None:
        """Draw everything that changed."""


class SecretsHost(Protocol):
    """What the secrets need of their screen."""

    @property
    def page(self) -> Draws:
        """What draws them."""


class Secrets(Part):
    """Whether what is masked under secret-looking keys is shown, until the job is left.

    Args:
        notices: Where it is said.
        hints: How keys are called.
        host: The screen.
    """

    def __init__(self, notices: Tells, hints: KeyHints, host: SecretsHost) -> None:
        self.hints = hints
        self._notices = notices
        self._host = host
        self.revealed = False

    def start_over(self) -> None:
        """Mask them again, as of another job."""
        self.revealed = False

    @does(REVEAL)
    def toggle(self) -> None:
        """Show what is masked under secret-looking keys, or mask it again."""
        self.revealed = not self.revealed
        self._host.page.draw()
        shown = "shown until you leave this job; copies never hold them"
        self._notices.tell(f"secrets are {shown if self.revealed else 'masked'}")


class ValueTab:
    """What a tab of values shows.

    Args:
        secrets: Says whether they are masked.
        lines: What it shows of a job, with secrets or without.
        values: Those of the job's values in it that may hold secrets.
    """

    def __init__(
        self,
        secrets: Secrets,
        lines: Callable[[JobDetail, bool], Sequence[Line]],
        values: Callable[[JobDetail], Sequence[Any]],
    ) -> None:
        self._secrets = secrets
        self._lines = lines
        self._values = values
        self._count = 0
        self._has_secrets = False

    @property
    def shows_secrets(self) -> bool:
        """Whether it shows secrets unmasked: copies never hold them."""
        return self._secrets.revealed and self._has_secrets

    @property
    def state(self) -> tuple[object, ...]:
        """What its text is made of, besides the job."""
        return (self._secrets.revealed,)

    def fill(self, view: TextView, detail: JobDetail, now: datetime) -> None:
        """Show the values."""
        values = self._values(detail)
        self._has_secrets = any(v is not None and masked(v) != v for v in values)
        lines = self._lines(detail, self._secrets.revealed)
        self._count = len(lines)
        view.show_lines(lines)

    def describe(self, detail: JobDetail, now: datetime) -> str:
        """Say how long the text is, and which key shows its secrets."""
        lines = plural(self._count, "line")
        if not self._has_secrets:
            return lines
        verb = "hides" if self._secrets.revealed else "shows"
        return f"{lines}   {self._secrets.hints(REVEAL)} {verb} secrets"


def params_tab(secrets: Secrets) -> ValueTab:
    """The tab of the parameters."""
    return ValueTab(secrets, params_lines, lambda detail: (detail.params,))


def result_tab(secrets: Secrets) -> ValueTab:
    """The tab of the result."""
    return ValueTab(secrets, result_lines, lambda detail: (detail.result,))


def raw_tab(secrets: Secrets) -> ValueTab:
    """The tab of the row as it is stored."""
    return ValueTab(secrets, raw_lines, lambda detail: (detail.params, detail.result))


def params_lines(detail: JobDetail, reveal: bool) -> list[Line]:
    """What the job's function is called with."""
    return value_lines(detail.params, "This job takes no parameters.", reveal)


def result_lines(detail: JobDetail, reveal: bool) -> list[Line]:
    """What the job's function returned."""
    done = detail.row.status == JobStatus.COMPLETED.value
    return value_lines(detail.result, "It returned nothing." if done else "No result yet.", reveal)


def raw_lines(detail: JobDetail, reveal: bool) -> list[Line]:
    """The columns of the row as they are stored; values that could hold secrets are masked."""
    lines: list[Line] = []
    known = {"params": detail.params, "result": detail.result}
    cells = max((len(name) for name in detail.raw), default=0) + 2
    for name, value in detail.raw.items():
        hidden = name in known and value is not None and not reveal
        shown = as_json(masked(known[name])) if hidden else value
        role = "dim" if shown is None else ""
        for at, piece in enumerate(split_lines("NULL" if shown is None else str(shown)) or [""]):
            label = pad(inert(name), cells) if at == 0 else " " * cells
            lines.append(((label, "dim"), (piece, role)))
    return lines


def value_lines(value: Any, empty: str, reveal: bool) -> list[Line]:
    """A decoded value as JSON, secrets masked unless they are to be seen."""
    if value is None or value == {}:
        return [((empty, "dim"),)]
    shown = value if reveal else masked(value)
    return [((line, ""),) for line in split_lines(as_json(shown, indent=2))]
