"""Which rows of a long list are in memory, and which are wanted next."""

from __future__ import annotations

from gigq_tui.store.list.view import END, TOP, Anchor
from gigq_tui.store.models import JobRow, Window


def row_at(window: Window, index: int) -> JobRow | None:
    """Return row `index` of the whole list, if it is in memory."""
    at = index - window.start
    return window.rows[at] if 0 <= at < len(window.rows) else None


def index_of(window: Window, job_id: str | None) -> int | None:
    """Return where a job is in the whole list, if its row is in memory."""
    for at, row in enumerate(window.rows):
        if row.id == job_id:
            return window.start + at
    return None


def covers(window: Window, top: int, page: int) -> bool:
    """Say whether all rows of a page from `top` on are in memory."""
    end = window.start + len(window.rows)
    low, high = top, min(window.total, top + page)
    return bool(window.rows) and window.start <= low and end >= high


def wanted_anchor(window: Window, top: int, page: int, size: int) -> Anchor | None:
    """Return the anchor of the rows to read next, or None while those in memory do.

    Args:
        window: The rows in memory.
        top: The first row that is seen.
        page: How many are seen.
        size: How many are read at a time.
    """
    total = window.total
    end = window.start + len(window.rows)
    low = max(0, top - page)
    high = min(total, top + 2 * page)
    if not total or (window.start <= low and end >= high):
        return None
    half = size // 2
    if top + page <= half:
        return TOP
    if top >= total - half:
        return END
    first = max(1, top + page // 2 - half)
    before = row_at(window, first - 1)
    if before is not None:
        return Anchor.after(before.key, first)
    after = row_at(window, first + size)
    if after is not None:
        return Anchor.before(after.key, first + size)
    return Anchor.near(first / total, first)
