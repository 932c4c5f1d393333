"""Workers with agents, as a person starts them."""

from __future__ import annotations

import subprocess
import sys

from tests.integration.conftest import ROOT, Place
from tests.waiting import wait_until

# A way that leads to this machine.
HERE = "env"
# On a busy machine.
READY_WITHIN_S = 60.0


def worker_of(
    place: Place, *via: str, name: str = "far", slots: int = 2
) -> subprocess.Popen[bytes]:
    """A worker whose jobs run where these lead, once its agents are ready."""
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
    ready = "SELECT 1 FROM core_agents WHERE worker_id = ? AND state = 'ready'"
    wait_until(
        lambda: process.poll() is not None or len(place.rows(ready, name)) == len(via),
        READY_WITHIN_S,
        f"its agents to be ready:\n{place.log()}",
    )
    assert process.poll() is None, place.log()
    return process
