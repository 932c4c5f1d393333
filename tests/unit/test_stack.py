"""A dump of a process's threads, as people read it."""

from __future__ import annotations

from pathlib import Path

from gigq_core.worker import process_stack
from gigq_core.worker.process_stack import readable

RUNNER = Path(process_stack.__file__).with_name("runner.py")
OURS = f"""Thread 0x1 (most recent call first):
  File "{RUNNER}", line 321 in _watch
  File "/usr/lib/python3/threading.py", line 982 in run
"""
THEIRS = f"""Current thread 0x2 (most recent call first):
  File "/srv/slow.py", line 9 in inner
  File "/srv/slow.py", line 5 in talk
  File "{RUNNER}", line 107 in call
"""
HELPER = """Thread 0x3 (most recent call first):
  File "/srv/slow.py", line 40 in pump
  File "/usr/lib/python3/threading.py", line 982 in run
"""


def test_the_last_call_stands_last_and_our_frames_are_left_out() -> None:
    assert readable(THEIRS) == (
        "Thread (most recent call last):\n"
        '  File "/srv/slow.py", line 5, in talk\n'
        '  File "/srv/slow.py", line 9, in inner'
    )


def test_our_own_threads_are_left_out_and_those_of_a_job_stay() -> None:
    told = readable(f"{OURS}\n{THEIRS}\n{HELPER}")
    assert told.count("Thread (") == 2
    assert "line 40, in pump" in told
    assert readable(OURS) == ""
