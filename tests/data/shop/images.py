"""Functions of the jobs in `tests.incident`."""

from __future__ import annotations


def resize_image(customer: int, feed: str) -> str:
    return feed
