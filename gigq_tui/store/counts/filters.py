"""The filter that lists exactly the jobs with a value, where there is one."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date, datetime, time, timedelta

from gigq_core.grouping.counting import CountKey, Kind, Value
from gigq_core.status import JobStatus
from gigq_core.units.times import moment_of
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import all_of, equal, none_of, period, value

_TEXTS = {
    "fn": Field.FUNCTION,
    "name": Field.NAME,
    "worker": Field.WORKER,
    "host": Field.HOST,
    "err": Field.ERROR,
    "fp": Field.FAILURE,
    "batch": Field.BATCH,
    "workflow": Field.WORKFLOW,
    "lane": Field.LANE,
    "schedule": Field.SCHEDULE,
}
_NUMBERS = {"pri": Field.PRIORITY, "try": Field.ATTEMPT}
_PERIODS = {"created": Field.SUBMITTED, "started": Field.STARTED, "ended": Field.ENDED}
_JSON = {"param": Field.PARAM, "result": Field.RESULT}
# What jobs without a lane are counted as.
_NO_LANES = frozenset({"any", "ours"})
_STATES = frozenset(status.value for status in JobStatus)


def filter_of(key: CountKey, found: Value, texts: Collection[str] | None) -> str:
    """The filter for the jobs with a value; empty where none lists exactly those.

    Args:
        key: What was counted by.
        found: The value.
        texts: The texts that are values of it as well; None where not all of them are known.
    """
    if found.kind in (Kind.MISSING, Kind.UNREADABLE):
        return ""
    try:
        return _filter_of(key, found, texts)
    except (ValueError, OverflowError):
        return ""


def _filter_of(key: CountKey, found: Value, texts: Collection[str] | None) -> str:
    if key.field in _JSON:
        return _within(_JSON[key.field], key.rest, found, texts)
    if key.field in _PERIODS:
        return _moments(_PERIODS[key.field], key, found)
    if key.field in _NUMBERS and found.kind is Kind.NUMBER:
        return f"{_NUMBERS[key.field].value}={found.plain()}"
    if found.kind is not Kind.TEXT:
        return ""
    text = str(found.value)
    if key.field == "lane" and text in _NO_LANES:
        return ""
    if key.field == "state":
        return f"{Field.STATE.value}:{text}" if text in _STATES else ""
    return equal(_TEXTS[key.field], text) if key.field in _TEXTS else ""


def _within(field: Field, path: Sequence[str], found: Value, texts: Collection[str] | None) -> str:
    plain = found.plain()
    told = value(field, path, plain)
    if isinstance(plain, (str, list, dict)):
        return told
    # A number is one with the text that reads the same, if there is such a text.
    same = json.dumps(plain)
    if texts is not None and same not in texts:
        return told
    return all_of(told, none_of(value(field, path, same)))


def _moments(field: Field, key: CountKey, found: Value) -> str:
    if key.unit_s:
        since = moment_of(found.value)
        until = None if since is None else since + timedelta(seconds=key.unit_s)
    else:
        day = date.fromisoformat(str(found.value))
        since, until = _midnight(day), _midnight(day + timedelta(days=1))
    return "" if since is None else period(field, since, until)


def _midnight(day: date) -> datetime:
    return datetime.combine(day, time()).astimezone()
