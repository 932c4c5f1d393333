"""What can be asked of a reader of the file, and what the feed needs of one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Protocol

from gigq_tui.store.clock import Clock
from gigq_tui.store.history.overview import Overview
from gigq_tui.store.history.rings import Past
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Graph, JobDetail, JobRow, Snapshot

# What can be asked: each is a method of the reader.
KINDS = frozenset(
    {
        "detail",
        "graph",
        "resolve",
        "matching_ids",
        "overview",
        "rows",
        "behind",
        "find_jobs",
        "recent_functions",
        "jobs_ahead",
    }
)

Answer = Callable[[Any], None]


class ReaderLike(Protocol):
    """What the feed needs of a reader."""

    version_read: int

    def snapshot(self, view: View) -> Snapshot: ...
    def detail(self, job_id: str) -> JobDetail | None: ...
    def graph(self, job_id: str, limit: int = 5_000) -> Graph | None: ...
    def matching_ids(self, view: View, limit: int | None = None) -> tuple[str, ...]: ...
    def resolve(self, prefix: str) -> tuple[str, ...]: ...
    def overview(self, past: Past) -> Overview: ...
    def rows(self, ids: Sequence[str]) -> dict[str, JobRow]: ...
    def behind(self, ids: Sequence[str]) -> int: ...
    def find_jobs(self, words: str) -> tuple[JobRow, ...]: ...
    def recent_functions(self, _: str = "") -> tuple[str, ...]: ...
    def jobs_ahead(self, priority: int) -> int | None: ...
    def data_version(self) -> int: ...
    def liveness_changed(self) -> bool: ...
    def owed_in(self) -> float | None: ...
    def interrupt(self) -> None: ...
    def rearm(self) -> None: ...
    def close(self) -> None: ...


ReaderFactory = Callable[[Path, Clock], ReaderLike]
