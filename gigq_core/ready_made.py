"""The functions of `notify` as tasks: `queue.hook("failed", post_json.to_job(url=...))`.

They are for our workers: where GigQ's run, this package may not be installed.
"""

from __future__ import annotations

from gigq_core import notify
from gigq_core.task import task

post_json = task(notify.post_json, ours=True)
run_command = task(notify.run_command, ours=True)
