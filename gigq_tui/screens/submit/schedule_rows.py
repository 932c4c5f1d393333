"""The rows of the form that make a schedule of its job: name, rule, zone, and what it obeys."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from itertools import chain
from typing import Any

from gigq_core.job import JobOptions
from gigq_core.schedules.cron import UTC, check_when, check_zone
from gigq_core.schedules.rules import CATCH_UPS, OVERLAPS, Schedule, check_name
from gigq_core.schedules.slot_text import check_slot_text
from gigq_core.status import JobStatus
from gigq_core.submitting.new_rows import row_of
from gigq_core.unique import unique_of
from gigq_core.units.times import Moment
from gigq_tui.actions.schedules import job_of, request_of
from gigq_tui.actions.submit import ScheduleTerms
from gigq_tui.screens.parts.slots import CATCH_UP_WORDS, OVERLAP_WORDS, rule_words, there
from gigq_tui.screens.submit.param_specs import Required
from gigq_tui.screens.submit.parse_value import ValueTrouble, parse_word
from gigq_tui.store.models import JobDetail
from gigq_tui.store.rows import job_row
from gigq_tui.widgets.form_row import FormRow

RULE_HINT = "30 2 * * *, @daily or every 15m"
SLOT_HINT = "{slot:%Y-%m-%d} in a text becomes the slot's day"
_WORD_CELLS = 9
_ZONEINFO = "zoneinfo/"


def zone_here() -> str:
    """The name of the zone of this machine, as far as it tells one; otherwise UTC."""
    told = os.environ.get("TZ", "").lstrip(":")
    names = chain([told] if told else [], [os.path.realpath("/etc/localtime")])
    for name in names:
        try:
            return check_zone(name.rpartition(_ZONEINFO)[2])
        except ValueError:
            continue
    return UTC


class ScheduleRows:
    """Those rows.

    Args:
        schedule: What stands in them at first; None for a new one.

    Attributes:
        is_new: Whether a schedule is added, and not changed.
        options: What its job was told so far; None for a new one, or where that can't be read.
    """

    def __init__(self, schedule: Schedule | None) -> None:
        self.is_new = schedule is None
        self.options = None if schedule is None else _options_of(schedule)
        catch_up, overlap = "", ""
        if schedule is not None:
            catch_up = "" if schedule.catch_up == CATCH_UPS[0] else schedule.catch_up
            overlap = "" if schedule.overlap == OVERLAPS[0] else schedule.overlap
        self.name = FormRow(
            "schedule", "Schedule", schedule.name if schedule else "", hint="what it is called"
        )
        self.rule = FormRow("rule", "Comes", schedule.when if schedule else "", hint=RULE_HINT)
        self.zone = FormRow("zone", "Zone", schedule.zone if schedule else zone_here())
        self.catch_up = FormRow("catch_up", "If missed", catch_up, cells=_WORD_CELLS)
        self.overlap = FormRow("overlap", "If it runs", overlap, cells=_WORD_CELLS)

    @property
    def rows(self) -> tuple[FormRow, ...]:
        """All of them, from top to bottom."""
        return (self.name, self.rule, self.zone, self.catch_up, self.overlap)

    @property
    def first(self) -> FormRow:
        """Where somebody begins."""
        return self.name if self.is_new else self.rule

    def read(
        self, read: Callable[..., None], values: dict[str, Any], now: datetime
    ) -> ScheduleTerms | None:
        """Judge what is typed; None where something stands against it.

        Args:
            read: Reads a row, and tells beside it what is wrong.
            values: Where it puts what it has read, by the rows' keys.
            now: The present moment.
        """
        read(self.name, _checked(check_name))
        read(self.rule, _checked(check_when), quiet=self.rule.field.has_focus)
        read(self.zone, _checked(check_zone), quiet=self.zone.field.has_focus)
        read(self.catch_up, lambda text: parse_word(text, CATCH_UPS), quiet=True)
        read(self.overlap, lambda text: parse_word(text, OVERLAPS), quiet=True)
        self._tell_hints(values, now)
        if any(row.key not in values for row in self.rows):
            return None
        return ScheduleTerms(
            values["schedule"],
            values["rule"],
            values["zone"],
            values["catch_up"],
            values["overlap"],
        )

    def _tell_hints(self, values: dict[str, Any], now: datetime) -> None:
        rule, zone = values.get("rule"), values.get("zone")
        words = rule_words(rule) if rule else ""
        self.rule.tell(self.rule.trouble, hint=words or RULE_HINT, tone="ok" if words else "dim")
        here = there(now.timestamp(), zone) if zone else None
        hint = f"{here:%H:%M} there now" if here is not None else "as Europe/Berlin"
        self.zone.tell(self.zone.trouble, hint=hint)
        for row, words_of, plain in (
            (self.catch_up, CATCH_UP_WORDS, CATCH_UPS),
            (self.overlap, OVERLAP_WORDS, OVERLAPS),
        ):
            word = values.get(row.key, plain[0])
            told = words_of[word] if row.text else f"{word}: {words_of[word]}"
            row.tell(row.trouble, hint=told)


def template_of(schedule: Schedule) -> JobDetail | None:
    """A job such as a schedule makes, as the form begins with it; None where none can be made."""
    try:
        job = job_of(schedule)
        row: dict[str, Any] = row_of(job, Moment(0.0, job.created_at))
        row["run_after"] = job.run_after
        if unique := unique_of(job.unique):
            row["on_duplicate"] = unique.conflict
    except (TypeError, ValueError):
        return None
    line = job_row(defaultdict(lambda: None, {**row, "status": JobStatus.PENDING.value}))
    return JobDetail(
        row=replace(line, due=None),
        description=job.description,
        params=dict(schedule.params),
        result=None,
        error="",
        retry_delay_s=float(job.retry_delay),
        attempts=(),
        parents=(),
        children=(),
        child_count=0,
        raw=row,
    )


def _options_of(schedule: Schedule) -> JobOptions | None:
    try:
        return request_of(schedule).options
    except ValueError:
        return None


def check_params(params: dict[str, Any]) -> str:
    """Why the slot can't be filled into parameters; nothing where it can."""
    try:
        check_slot_text(params)
    except ValueError as problem:
        return str(problem)
    return ""


def _checked(check: Callable[[object], str]) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if not text.strip():
            raise Required("required")
        try:
            return check(text)
        except ValueError as problem:
            raise ValueTrouble(str(problem)) from None

    return parse
