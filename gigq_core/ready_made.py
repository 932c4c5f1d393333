"""The functions of `notify` as tasks: `queue.hook("failed", post_json.to_job(url=...))`."""

from __future__ import annotations

from gigq_core import notify
from gigq_core.task import task

post_json = task(notify.post_json)
run_command = task(notify.run_command)
