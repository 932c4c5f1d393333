"""A worker with agents, whose links have shorter times than a person can ask for.

python -m tests.agents.worker_of DB '{"via": ["ssh gpu1"], "concurrency": 2, "lease": {…}}'
"""

from __future__ import annotations

import json
import logging
import sys
from typing import Any

from gigq_core import Worker, setup_logging
from gigq_core.errors import WorkerCannotStart
from gigq_core.worker import rescue
from gigq_core.worker.agents.lease import Lease


def main(db: str, options: dict[str, Any]) -> int:
    """Work until a signal comes; gives the exit code."""
    setup_logging(logging.INFO)
    lease = Lease(**options.pop("lease", {}))
    rescue_s = options.pop("rescue_s", None)
    if rescue_s is not None:
        vars(rescue)["RESCUE_AGENTS_S"] = rescue_s
    worker = Worker(db, isolation="process", owner="cli", lease=lease, **options)
    try:
        worker.start()
    except WorkerCannotStart as problem:
        print(problem, file=sys.stderr)
        return 1
    return worker.exit_code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2])))
