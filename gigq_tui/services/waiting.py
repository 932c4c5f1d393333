"""The one way to wait for what blocks: a thread does it, and the value comes back to the loop."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, Protocol, TypeVar

_Value = TypeVar("_Value")


class RunsWorkers(Protocol):
    """An app or a screen; what it runs ends with it."""

    def run_worker(self, work: Coroutine[Any, Any, None], *, group: str) -> object: ...


def find_out(owner: RunsWorkers, call: Callable[[], _Value], got: Callable[[_Value], None]) -> None:
    """Have a thread find something out.

    Args:
        owner: With whose end the waiting ends: then `got` is not called.
        call: What blocks, like reading a log.
        got: Gets the value, in the app's own thread.
    """
    owner.run_worker(_wait(call, got), group="looks")


async def _wait(call: Callable[[], _Value], got: Callable[[_Value], None]) -> None:
    got(await asyncio.to_thread(call))
