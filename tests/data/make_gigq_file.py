"""Make a queue file by running a real release of GigQ: see README.md beside this script."""

from __future__ import annotations

import argparse
import inspect
import logging
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
NOBODY = "00000000-0000-0000-0000-000000000000"
RESIZES = 12


def main() -> None:
    """Write the file that the command line names, with the release that is installed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the file to make; it must not exist")
    file = parser.parse_args().file
    if file.exists():
        parser.error(f"{file} exists: name a new file")
    sys.path.insert(0, str(HERE))
    logging.disable()
    make(str(file))
    print(f"{file}: made by gigq {version('gigq')}")


def make(file: str) -> None:
    """Jobs in every state that a release can bring about, and rows that it leaves behind."""
    import gigq
    import pipeline

    queue = gigq.JobQueue(file)
    worker = gigq.Worker(file, worker_id="golden-1")

    def submit(name: str, function: Any, **options: Any) -> str:
        # Earlier releases know fewer options.
        known = inspect.signature(gigq.Job).parameters
        options = {key: value for key, value in options.items() if key in known}
        job_id: str = queue.submit(gigq.Job(name=name, function=function, **options))
        return job_id

    orders = submit("extract_orders", pipeline.extract, params={"source": "orders"}, priority=5)
    users = submit("extract_users", pipeline.extract, params={"source": "users", "rows": 7})
    submit("join", pipeline.transform, params={"factor": 3}, dependencies=[orders, users])
    submit("greet_unicode", pipeline.unicode_result, description="returns odd text")
    work_off(worker)

    url = "https://example.invalid/feed?id=4711"
    feed = submit("fetch_feed", pipeline.flaky, params={"url": url}, max_attempts=2)
    work_off(worker)

    publish = submit("publish_feed", pipeline.transform, dependencies=[feed])
    submit("notify", pipeline.slow, dependencies=[publish])
    queue.cancel(submit("cancel_me", pipeline.slow))
    late = {"url": "https://example.invalid/late"}
    submit("retry_later", pipeline.flaky, params=late, priority=50, retry_delay=86_400)
    worker.process_one()
    for n in range(RESIZES):
        submit(f"resize_{n:02}", pipeline.slow, params={"seconds": n / 100}, priority=n % 3)
    submit("needs_nobody", pipeline.slow, dependencies=[NOBODY])
    submit("too_long", pipeline.slow, timeout=1, max_attempts=1, priority=99)
    # Claimed and never finished, as after a crash of the worker.
    worker._claim_job()
    for holder in (queue, worker):
        getattr(holder, "close", lambda: None)()


def work_off(worker: Any) -> None:
    """Process everything that can start now."""
    while worker.process_one():
        pass


if __name__ == "__main__":
    main()
