"""Workers with agents, as a person starts them."""

from __future__ import annotations

import subprocess
import sys

from tests.integration.conftest import ROOT, Place

# A way that leads to this machine.
HERE = "env"


def worker_of(
    place: Place, *via: str, name: str = "far", slots: int = 2
) -> subprocess.Popen[bytes]:
    """A worker whose jobs run where these lead; nothing is waited for."""
    with open(place.folder / f"worker-{len(place._workers)}.log", "wb") as log:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", "gigq_core", "--db", str(place.db), "worker"),
                *(word for one in via for word in ("--via", one)),
                *("--remote-python", sys.executable, "--remote-chdir", str(ROOT)),
                *("--concurrency", str(slots), "--grace", "0.3", "--worker-id", name),
            ],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    place._workers.append(process)
    return process
