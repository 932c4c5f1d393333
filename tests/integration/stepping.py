"""A job that goes on when it is told to, and tells how far it is."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any


def step(job_context: Any, path: str, steps: int, fails: bool = False) -> str:
    """One step for each of the files `path.1`, `path.2` and so on, of the attempt's own."""
    for number in range(1, steps + 1):
        while not Path(f"{path}.{job_context.attempt}.{number}").exists():
            time.sleep(0.01)
        job_context.progress(number, steps, note=f"row \x1b[31m{number}")
    while not Path(f"{path}.{job_context.attempt}.end").exists():
        time.sleep(0.01)
    if fails:
        raise KeyError("customer")
    return "all done"
