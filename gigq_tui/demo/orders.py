"""The demo's orders: they fail alike, since the rates that they need lie under a wrong name."""

from __future__ import annotations

import json
from pathlib import Path
from typing import NamedTuple

FOLDER = "orders"
# What each order needs, and how it arrived: whoever gives it its name mends most of them.
RATES = f"{FOLDER}/rates.json"
ARRIVED = f"{FOLDER}/rates.json.part"
NUMBER = 24
CUSTOMERS = (11, 22, 33, 44)
CURRENCIES = ("EUR", "USD", "CHF")
# A currency that is gone, so that a few fail for another reason then.
_OLD, _WITH_OLD = "DEM", (9, 20)
_RATES = {"EUR": 1.0, "USD": 0.92, "CHF": 1.05}


class Order(NamedTuple):
    """An order: its file, and what its job is told."""

    file: str
    customer: int
    currency: str


def fill(folder: Path) -> list[Order]:
    """Write the orders below `folder`, and return them."""
    (folder / FOLDER).mkdir()
    (folder / ARRIVED).write_text(json.dumps(_RATES), "utf-8")
    orders = []
    for number in range(1, NUMBER + 1):
        currency = _OLD if number in _WITH_OLD else CURRENCIES[number % len(CURRENCIES)]
        customer = CUSTOMERS[number % len(CUSTOMERS)]
        order = Order(f"{FOLDER}/{number:02}.json", customer, currency)
        lines = [[f"part {line}", 1 + (number * line) % 5, 9.5 * line] for line in range(1, 4)]
        text = json.dumps({"currency": currency, "lines": lines})
        (folder / order.file).write_text(text, "utf-8")
        orders.append(order)
    return orders
