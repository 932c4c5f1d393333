"""What a measure yields: samples by peer, and what follows from their medians."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import Any

CORE, GIGQ, HUEY, RAW = "gigq_core", "gigq", "huey", "raw"
APSCHEDULER = "apscheduler"


@dataclass
class Figure:
    """One line of the table.

    Args:
        measure: the name that `--only` takes.
        what: which part of the measure, in words.
        unit: of the samples.
        samples: by peer; references that are no peer may stand here too, under their own name.
        more_is_better: false for times and sizes.
        target: what was aimed at, in words.
        met: whether it was; None where that can't be said.
        stated: what is known of a peer that has no figure, such as "never".
        notes: sentences below the table.
        durability: by peer, the `synchronous` setting it wrote with.
    """

    measure: str
    what: str
    unit: str
    samples: dict[str, list[float]] = field(default_factory=dict)
    more_is_better: bool = True
    target: str = ""
    met: bool | None = None
    stated: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    durability: dict[str, str] = field(default_factory=dict)

    def median(self, peer: str) -> float | None:
        """The median of the peer's samples."""
        samples = self.samples.get(peer)
        return median(samples) if samples else None

    def ratio(self, peer: str, ours: str = CORE) -> float | None:
        """How many times as good ours is: above 1 is better, whatever the unit."""
        mine, theirs = self.median(ours), self.median(peer)
        if mine is None or theirs is None or mine <= 0 or theirs <= 0:
            return None
        return mine / theirs if self.more_is_better else theirs / mine

    def judge_ratio(self, peer: str, at_least: float) -> None:
        """Set `met` by the ratio to a peer or reference."""
        ratio = self.ratio(peer)
        self.met = None if ratio is None else ratio >= at_least

    def judge_limit(self, limit: float) -> None:
        """Set `met` by the figure itself, which must not be worse than `limit`."""
        mine = self.median(CORE)
        if mine is not None:
            self.met = mine >= limit if self.more_is_better else mine <= limit

    def as_json(self) -> dict[str, Any]:
        """Everything, with medians and ratios, for `--json`."""
        return {
            "measure": self.measure,
            "what": self.what,
            "unit": self.unit,
            "more_is_better": self.more_is_better,
            "medians": {peer: self.median(peer) for peer in self.samples},
            "samples": self.samples,
            "stated": self.stated,
            "times_as_good_as": {peer: self.ratio(peer) for peer in self.samples if peer != CORE},
            "target": self.target,
            "met": self.met,
            "durability": self.durability,
            "notes": self.notes,
        }
