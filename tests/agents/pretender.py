"""Stands at the far end of a link, and is no agent of ours: what it says is up to the test.

    python pretender.py WHAT python3 -ISqi

says that it goes on as an agent does, and then what is asked for.
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

READY: dict[str, Any] = {
    "protocol": 1,
    "version": "0.1.0",
    "host": "far",
    "pid": 7,
    "boot_id": "",
    "pid_namespace": "",
    "python": "3.12.0",
    "executable": "/usr/bin/python3",
    "folder": "/",
    "slots": 2,
    "cpus": 2,
}
ENDED: dict[str, Any] = {
    "fate": "completed",
    "result": "1",
    "error": None,
    "traceback": None,
    "raised": [],
    "wish": None,
    "signal": None,
    "output": False,
    "pid": 7,
    "ran_s": 1e12,
}


def say(line: object) -> None:
    """Write one line at once."""
    text = line if isinstance(line, bytes) else json.dumps(line).encode()
    os.write(1, text + b"\n")


def hear(name: str) -> dict[str, Any]:
    """Read until the worker says that; it may come in the first line that holds it."""
    for line in sys.stdin.buffer:
        if line.startswith(b'{"') and name in (told := json.loads(line)):
            found: dict[str, Any] = told[name]
            return found
    sys.exit(3)


def main(what: str) -> None:
    """Be that."""
    os.write(1, b'gigq-agent {"go": true}\n')
    ready = dict(READY)
    if what == "other version":
        ready["version"] = "0.0.9"
    if what == "odd host":
        ready["host"] = "\x1b]0;mine\x07far\nAgent on near"
    if what == "other protocol":
        ready["protocol"] = 99
    if what == "without slots":
        ready["slots"] = 0
    if what == "refuses":
        say({"refused": {"sentence": "There is no room here: make some."}})
    elif what == "says nothing more":
        pass
    else:
        say({"ready": ready})
    if what == "garbage at once":
        say(b"\xff\x00 what?")
    if what == "twice ready":
        say({"ready": ready})
    if what == "a pong too many":
        say({"pong": {"number": 1_000, "busy": 0, "load": 0.0}})
    if what == "dies of a job":
        hear("run")
        say({"gone": {"why": "it was killed", "on_purpose": False}})
        return
    if what == "ends when it is closed":
        hear("run")
        hear("close")
        say({"gone": {"why": "its worker has closed it", "on_purpose": False}})
        return
    if what == "not at once":
        token = hear("run")["token"]
        say({"ended": {**ENDED, "token": token, "fate": "not begun", "result": None, "pid": None}})
        say({"ended": {**ENDED, "token": hear("run")["token"]}})
    if what == "garbage for a job":
        run = hear("run")
        say({"ended": {"token": run["token"], "fate": "completed"}})
    if what == "odd words":
        run = hear("run")
        for token in ("never-heard-of", run["token"], run["token"]):
            say({"ended": {**ENDED, "token": token}})
            say({"reported": {"token": token, "done": 1, "total": 2, "note": "late"}})
    if what == "a huge line":
        os.write(1, b"x" * 10_000_000)
    while sys.stdin.buffer.readline():
        pass
    time.sleep(0.1)


if __name__ == "__main__":
    main(sys.argv[1])
