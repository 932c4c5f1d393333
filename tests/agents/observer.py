"""A worker of this machine that waits less than usual for the agents of a dead one to end.

python -m tests.agents.observer SECONDS --db DB worker …
"""

from __future__ import annotations

import sys

from gigq_core.cli.main import cli
from gigq_core.worker import rescue

if __name__ == "__main__":
    rescue.RESCUE_AGENTS_S = float(sys.argv[1])
    cli.main(sys.argv[2:], prog_name="gigq-core")
