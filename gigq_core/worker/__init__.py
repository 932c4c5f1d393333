"""Running jobs: the worker, its supervisor, and the processes and threads that do the work."""

from __future__ import annotations

from gigq_core.worker.worker import Worker

__all__ = ["Worker"]
