"""An adaptive Dask cluster in a process of its own: `python -m tests.agents.dask_adaptive`.

It says its address, and for each line that it reads how many Dask workers there are.
"""

from __future__ import annotations

import sys


def main() -> None:
    from distributed import LocalCluster

    with LocalCluster(
        n_workers=0,
        threads_per_worker=2,
        processes=True,
        host="127.0.0.1",
        dashboard_address=None,
        memory_limit=0,
        silence_logs=50,
    ) as cluster:
        cluster.adapt(minimum=0, maximum=2, interval="300ms", wait_count=3)
        print(cluster.scheduler_address, flush=True)
        for _ in sys.stdin:
            print(len(cluster.scheduler.workers), flush=True)


if __name__ == "__main__":
    main()
