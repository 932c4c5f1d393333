"""Timestamps as GigQ stores them: naive local time in ISO 8601."""

from __future__ import annotations

from datetime import datetime


def now_text() -> str:
    """The present moment, as it is stored."""
    return datetime.now().isoformat()


def to_text(moment: datetime) -> str:
    """`moment` (naive local time) as it is stored."""
    return moment.isoformat()


def parse_time(text: object) -> datetime | None:
    """The moment that `text` stands for, or None where it stands for none.

    A column of a damaged file may hold anything, so anything is accepted. A time with a zone is
    turned into naive local time.
    """
    if not isinstance(text, str):
        return None
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    if moment.tzinfo is not None:
        moment = moment.astimezone().replace(tzinfo=None)
    return moment
