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
    if text.endswith(("Z", "z")):
        text = f"{text[:-1]}+00:00"  # Python understands it only from 3.11 on
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            moment = moment.astimezone().replace(tzinfo=None)
    except (ValueError, OverflowError, OSError):
        # No time, or one that its zone moves out of the calendar.
        return None
    return moment
