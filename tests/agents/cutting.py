"""A program put before the words of a link: it passes lines on, and spoils the link by a plan.

    python cutting.py FOLDER ssh gpu1 …

runs `ssh gpu1 …` with what it is sent, and gives back what that says. The folder holds the plan,
and takes the marks that tests read: one line for each message that passes, and which rules have
been carried out. A rule is carried out once, whatever the number of links made by the same command,
so that the link after one that was cut is sound.

Everything before the first message (a line that holds a JSON object) passes as it is. A long
message comes in parts, lines that begin with `+`, the last one with `=`; what is urgent may come
between them.
"""

from __future__ import annotations

import json
import os
import re
import select
import shlex
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, NamedTuple

OUT, BACK = "out", "back"
PLAN, SEEN, DONE, STARTED = "plan.json", "seen", "done", "started"
# What can be done to the link at a message.
CUT_BEFORE = "cut before"  # it does not arrive, nor does anything after it
CUT_HALF = "cut half"  # half of it arrives, or of its first part
CUT_AFTER = "cut after"  # it is the last one that arrives
HANG_BEFORE = "hang before"  # nothing passes any more in either direction, and nobody is told
HANG_HALF = "hang half"
HANG_AFTER = "hang after"
TWICE = "twice"  # it arrives two times
LATE = "late"  # it arrives so many seconds later, and all behind it
LOSE = "lose"  # it does not arrive; what comes behind it does
FREEZE = "freeze"  # the process that was started is stopped by a signal, for so many seconds
CUTS = (CUT_BEFORE, CUT_HALF, CUT_AFTER)
HANGS = (HANG_BEFORE, HANG_HALF, HANG_AFTER)
LIKE_MESSAGES = (b'{"', b'+{"')
# A line that begins as a message does and has not ended after so long is none.
UNENDED_S = 0.5


class Rule(NamedTuple):
    """What is done at the `nth` message of a kind that passes in one direction; any kind for ""."""

    way: str
    kind: str
    do: str
    nth: int = 1
    seconds: float = 0.0


class Plan:
    """How one link is spoilt, for a test.

    Args:
        folder: made here, for the plan and the marks.
        rules: what is done.
        bytes_per_s: the most that passes in each direction, in a second; None for all.
    """

    def __init__(self, folder: Path, *rules: Rule, bytes_per_s: int | None = None) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        plan = {"rules": [rule._asdict() for rule in rules], "bytes_per_s": bytes_per_s}
        (folder / PLAN).write_text(json.dumps(plan))

    def via(self, via: str) -> str:
        """The text of `--via` for a link that is spoilt, made of the one for a sound link."""
        return f"{shlex.join([sys.executable, __file__, str(self._folder)])} {via}".rstrip()

    def seen(self) -> list[tuple[str, str]]:
        """The messages that came to it, each as its direction and kind, in their order."""
        return [(line.split()[1], line.split()[2]) for line in self._lines(SEEN)]

    def moments(self, way: str, kind: str) -> list[float]:
        """When messages of a kind came to it, by the monotonic clock."""
        lines = (line.split() for line in self._lines(SEEN))
        return [float(words[0]) for words in lines if words[1:3] == [way, kind]]

    def done(self) -> list[float]:
        """When rules were carried out, by the monotonic clock."""
        return [float(line.split()[0]) for line in self._lines(DONE)]

    def started(self) -> list[tuple[int, int]]:
        """For each link: this program's process, and the one that it started."""
        found = (line.split() for line in self._lines(STARTED))
        return [(int(own), int(its)) for own, its in found]

    def _lines(self, name: str) -> list[str]:
        path = self._folder / name
        return path.read_text().splitlines() if path.exists() else []


class Taken(NamedTuple):
    """A message that passes, and what is done with it."""

    rule: Rule | None
    lines: list[bytes]


class Spoiling:
    """The program: two threads, one for each direction."""

    def __init__(self, folder: str, words: list[str]) -> None:
        plan = json.loads(Path(folder, PLAN).read_text())
        self._folder = folder
        self._rules = [Rule(**rule) for rule in plan["rules"]]
        self._rate = plan["bytes_per_s"]
        self._counts: dict[Rule, int] = {}
        # In each direction, the long message that has begun and not ended.
        self._long: dict[str, Taken] = {}
        self._lock = threading.Lock()
        self._hangs = False
        self._child = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self._mark(STARTED, f"{os.getpid()} {self._child.pid}")

    def run(self) -> int:
        """Pass everything on, until both sides have ended; gives the exit code."""
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        threading.Thread(
            target=self._pump, args=(sys.stdin.buffer, self._child.stdin, OUT), daemon=True
        ).start()
        self._pump(self._child.stdout, sys.stdout.buffer, BACK)
        if self._hangs:
            # Whoever looks sees a link that stands.
            threading.Event().wait()
        return self._child.wait()

    def _pump(self, source: IO[bytes], target: IO[bytes], way: str) -> None:
        come, go = source.fileno(), target.fileno()
        rest = b""
        while True:
            waiting = rest.startswith(LIKE_MESSAGES)
            ready, _, _ = select.select([come], [], [], UNENDED_S if waiting else None)
            if not ready:
                self._pass(go, rest)
                rest = b""
                continue
            data = os.read(come, 1 << 16)
            if self._hangs:
                return
            if not data:
                self._pass(go, rest)
                os.close(go)
                return
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                self._take(go, line + b"\n", way)
                if self._hangs:
                    return
            if rest and not (rest.startswith(LIKE_MESSAGES) or way in self._long):
                self._pass(go, rest)
                rest = b""

    def _take(self, go: int, line: bytes, way: str) -> None:
        """Pass on a line, or do with it what is to be done with its message."""
        first = line[:1]
        message = self._long.pop(way, None) if first in (b"+", b"=") else None
        if message is None:
            kind = kind_of(line)
            rule = self._due(way, kind) if kind else None
            message = Taken(rule, [])
            if rule is not None:
                self._mark(DONE, f"{time.monotonic()} {way} {kind} {rule.do}")
                self._begin(go, line, rule)
        message.lines.append(line)
        do = "" if message.rule is None else message.rule.do
        if do in (HANG_BEFORE, HANG_HALF):
            return
        if do != LOSE:
            self._pass(go, line)
        if first == b"+":
            self._long[way] = message
        elif message.rule is not None:
            self._end(go, message)

    def _begin(self, go: int, line: bytes, rule: Rule) -> None:
        """Do what is done before a message has passed."""
        if rule.do in (CUT_HALF, HANG_HALF):
            self._pass(go, line[: len(line) // 2])
        if rule.do in (CUT_BEFORE, CUT_HALF):
            self._cut()
        elif rule.do in (HANG_BEFORE, HANG_HALF):
            self._hangs = True
        elif rule.do == LATE:
            time.sleep(rule.seconds)

    def _end(self, go: int, message: Taken) -> None:
        """Do what is done when all of a message has passed."""
        rule = message.rule
        assert rule is not None
        if rule.do == CUT_AFTER:
            self._cut()
        elif rule.do == HANG_AFTER:
            self._hangs = True
        elif rule.do == TWICE:
            for line in message.lines:
                self._pass(go, line)
        elif rule.do == FREEZE:
            os.kill(self._child.pid, signal.SIGSTOP)
            time.sleep(rule.seconds)
            os.kill(self._child.pid, signal.SIGCONT)

    def _cut(self) -> None:
        self._child.kill()
        os._exit(255)

    def _due(self, way: str, kind: str) -> Rule | None:
        with self._lock:
            self._mark(SEEN, f"{time.monotonic()} {way} {kind}")
            for rule in self._rules:
                if rule.way != way or rule.kind not in ("", kind):
                    continue
                self._counts[rule] = self._counts.get(rule, 0) + 1
                if self._counts[rule] == rule.nth and self._is_first(rule):
                    return rule
        return None

    def _is_first(self, rule: Rule) -> bool:
        """Whether no link before this one has carried it out."""
        path = Path(self._folder, f"rule-{self._rules.index(rule)}")
        try:
            path.touch(exist_ok=False)
        except FileExistsError:
            return False
        return True

    def _pass(self, go: int, data: bytes) -> None:
        step = len(data) if self._rate is None else max(1, self._rate // 20)
        while data:
            try:
                written = os.write(go, data[:step])
            except BrokenPipeError:
                return
            data = data[written:]
            if self._rate is not None:
                time.sleep(written / self._rate)

    def _mark(self, name: str, line: str) -> None:
        """Append a line: one write, so that those of several threads do not mix."""
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT
        fd = os.open(os.path.join(self._folder, name), flags, 0o644)
        try:
            os.write(fd, f"{line}\n".encode())
        finally:
            os.close(fd)


def kind_of(line: bytes) -> str:
    """The kind of message that begins in a line, which is its first key; nothing for none."""
    begins = re.match(rb'\+?\{"(\w+)":', line)
    return begins[1].decode() if begins else ""


if __name__ == "__main__":
    # As with any program between two others, its end is theirs.
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    sys.exit(Spoiling(sys.argv[1], sys.argv[2:]).run())
