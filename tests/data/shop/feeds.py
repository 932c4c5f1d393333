"""Functions of the jobs in `tests.incident`: they fail for whom `outage.json` names."""

from __future__ import annotations

import json
from pathlib import Path


def fetch_feed(customer: int, feed: str) -> str:
    if customer in json.loads(Path("outage.json").read_text()):
        raise ConnectionRefusedError(f"connect to 10.0.0.{customer}:6001 refused")
    return feed


def store_feed(customer: int, feed: str) -> str:
    raise KeyError(customer)
