"""What every measure is given: a folder, sizes, and peers measured in turn."""

from __future__ import annotations

import itertools
import shutil
import sqlite3
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.processes import Trouble


@dataclass
class Bench:
    """One run of the benchmarks.

    Args:
        folder: where all files go; its disk is what is measured.
        runs: how often each peer is measured.
        quick: small sizes, to see that everything works.
        say: where progress goes.
    """

    folder: Path
    runs: int
    quick: bool
    say: Callable[[str], None]
    _numbers: Iterator[int] = field(default_factory=itertools.count)

    def size(self, full: int, quick: int) -> int:
        """One size or the other."""
        return quick if self.quick else full

    @contextmanager
    def place(self, name: str) -> Iterator[Path]:
        """A folder of its own for one measurement, removed afterwards."""
        folder = self.folder / f"{next(self._numbers)}-{name}"
        folder.mkdir()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def alternate(
        self,
        takes: Mapping[str, Callable[[], float]],
        notes: list[str],
        runs: int | None = None,
    ) -> dict[str, list[float]]:
        """Measure everyone in turn, beginning with another one each time.

        A peer that fails is left out from then on, and the notes say why.
        """
        samples: dict[str, list[float]] = {}
        left = list(takes)
        for run in range(runs or self.runs):
            turn = run % max(1, len(left))
            for peer in left[turn:] + left[:turn]:
                try:
                    value = takes[peer]()
                except (Trouble, OSError, sqlite3.Error, ImportError, RecursionError) as problem:
                    notes.append(f"{peer}: no figure, {type(problem).__name__}: {problem}")
                    left.remove(peer)
                    continue
                self.say(f"  {peer}: {value:,.4g}")
                samples.setdefault(peer, []).append(value)
        return samples
