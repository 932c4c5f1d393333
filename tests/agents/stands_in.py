"""Programs that stand for `srun`, `kubectl`, `docker` and `systemd-run` where there are none.

Each parses its options as the real one does, refuses those that it does not know, and does what
matters for a link: where the command runs (never as a child of what was called, and in which
surroundings), how its input and output get there, and what becomes of it when the caller goes.

What becomes of it is a fact about each of them:

* `srun`: the step is ended when `srun` is, by a signal or for good, unless `Slurm` is told to wait
  for it (`InactiveLimit`), for which `STAND_IN_KEEPS=1` stands;
* `kubectl exec`, `docker exec`: the command lives on, and its input ends; with `STAND_IN_KEEPS=1`
  not even that, nor where the input of the caller ends, as with a proxy on the way;
* `docker run`: the container is ended where the caller is ended by a signal that it can pass on;
* `systemd-run --pipe`: the unit has the very descriptors of the caller, and lives on.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import signal
import socket
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import IO, NamedTuple, NoReturn

PROGRAMS = ("srun", "kubectl", "docker", "systemd-run")
MARK = "TESTS_STARTED_BY"
KEEPS = "STAND_IN_KEEPS"
# The calls that came, a line each, for whoever tests.
CALLS = "STAND_IN_CALLS"
# Slurm's KillWait, shortened.
KILL_WAIT_S = 0.5


def install(folder: Path) -> Path:
    """Put the programs into a folder, to be the first on a PATH; returns it."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in PROGRAMS:
        path = folder / name
        path.write_text(f'#!/bin/sh\nexec {sys.executable} -I {__file__} {name} "$@"\n')
        path.chmod(path.stat().st_mode | stat.S_IXUSR | stat.S_IXGRP | stat.S_IXOTH)
    return folder


class Options:
    """Options up to the first word that is none, as `getopt` with a leading `+` reads them.

    Args:
        flags: those without a value; short ones as `i`, long ones as `stdin`.
        valued: those with one.
    """

    def __init__(self, program: str, flags: set[str], valued: set[str]) -> None:
        self._program = program
        self._flags = flags
        self._valued = valued
        self.given: dict[str, str] = {}

    def parse(self, words: list[str]) -> list[str]:
        """Take the options off the words, and return the rest."""
        words = list(words)
        while words and words[0].startswith("-") and words[0] != "-":
            word = words.pop(0)
            if word == "--":
                break
            if word.startswith("--"):
                name, equals, value = word[2:].partition("=")
                if name in self._valued:
                    self.given[name] = value if equals else self._next(word, words)
                elif name in self._flags:
                    self.given[name] = value
                else:
                    self._refuse(word)
                continue
            letters = word[1:]
            while letters:
                letter, letters = letters[0], letters[1:]
                if letter in self._valued:
                    self.given[letter] = letters.lstrip("=") or self._next(word, words)
                    break
                if letter not in self._flags:
                    self._refuse(f"-{letter}")
                self.given[letter] = ""
        return words

    def has(self, *names: str) -> bool:
        return any(name in self.given for name in names)

    def value(self, *names: str) -> str | None:
        return next((self.given[name] for name in names if name in self.given), None)

    def _next(self, word: str, words: list[str]) -> str:
        if not words:
            _fail(f"{self._program}: option {word} needs a value", 1)
        return words.pop(0)

    def _refuse(self, word: str) -> None:
        _fail(f"{self._program}: unrecognized option '{word}'", 1)


# --- srun -------------------------------------------------------------------------------------


def srun(words: list[str]) -> int:
    """A step of so many tasks: the input goes to each, and what they print comes back mixed."""
    options = Options(
        "srun",
        flags={
            *("u", "unbuffered", "Q", "quiet", "overlap", "exclusive", "K", "kill-on-bad-exit"),
            *("O", "overcommit", "s", "oversubscribe"),
        },
        valued={
            *("n", "ntasks", "N", "nodes", "c", "cpus-per-task", "mem", "mem-per-cpu", "p"),
            *("partition", "t", "time", "J", "job-name", "G", "gpus", "gres", "D", "chdir", "A"),
            *("account", "w", "nodelist", "q", "qos", "jobid", "export", "C", "constraint"),
        },
    )
    command = options.parse(words)
    if not command:
        _fail("srun: fatal: No command given to execute.", 1)
    memory = options.value("mem", "mem-per-cpu")
    if memory is not None and not re.fullmatch(r"\d+[KMGT]?", memory):
        _fail(f"srun: error: Invalid --mem specification: {memory}", 1)
    tasks = int(options.value("n", "ntasks") or 1)
    step = str(os.getpid())
    # Slurm passes the caller's environment on, and adds what the step is.
    environment = dict(os.environ, SLURM_JOB_ID=step, SLURM_STEP_ID="0", SLURM_NTASKS=str(tasks))
    where = options.value("D", "chdir") or os.getcwd()
    keeps = bool(os.environ.get(KEEPS))
    return _attend(
        [Task(command, dict(environment, SLURM_PROCID=str(n)), where) for n in range(tasks)],
        Manner(ends_with_caller=not keeps, closes_input=not keeps, ends_rest=True),
    )


# --- kubectl ----------------------------------------------------------------------------------


def kubectl(words: list[str]) -> int:
    """Of all its commands, `exec`."""
    shared = {"n", "namespace", "context", "kubeconfig", "cluster"}
    first = Options("kubectl", flags=set(), valued=shared)
    words = first.parse(words)
    if not words or words[0] != "exec":
        _fail(f'error: unknown command {words[:1]} for "kubectl"', 1)
    # Unlike the others it takes options behind the name of the pod too, until `--`.
    if "--" in words:
        before, command = words[1 : words.index("--")], words[words.index("--") + 1 :]
    else:
        _fail(
            "error: exec [POD] [COMMAND] is not supported anymore. Use exec [POD] -- [COMMAND]", 1
        )
    options = Options(
        "kubectl",
        flags={"i", "stdin", "t", "tty", "q", "quiet"},
        valued={*shared, "c", "container", "pod-running-timeout"},
    )
    pods = []
    while before:
        before = options.parse(before)
        pods += before[:1]
        before = before[1:]
    if len(pods) != 1:
        _fail("error: pod, type/name or --filename must be specified", 1)
    if not command:
        _fail("error: you must specify at least one command for the container", 1)
    if options.has("t", "tty"):
        print("Unable to use a TTY - input is not a terminal", file=sys.stderr)
    return _attend(
        [Task(command, _container(pods[0].rpartition("/")[2]), "/")],
        Manner(reads=options.has("i", "stdin"), closes_input=not os.environ.get(KEEPS)),
    )


# --- docker -----------------------------------------------------------------------------------


def docker(words: list[str]) -> int:
    """Of all its commands, `exec` and `run`."""
    if not words or words[0] not in ("exec", "run"):
        _fail(f"docker: '{' '.join(words[:1])}' is not a docker command.", 1)
    verb = words[0]
    valued = {"e", "env", "u", "user", "w", "workdir"}
    flags = {"i", "interactive", "t", "tty", "d", "detach", "privileged"}
    if verb == "run":
        flags |= {"rm", "init"}
        valued |= {"name", "v", "volume", "m", "memory", "cpus", "gpus", "network", "mount"}
    options = Options("docker", flags, valued)
    rest = options.parse(words[1:])
    if len(rest) < 2:
        _fail(f"docker: 'docker {verb}' requires at least 2 arguments.", 1)
    if options.has("t", "tty"):
        _fail("the input device is not a TTY", 1)
    environment = _container(rest[0].replace(":", "-"))
    given = options.value("e", "env")
    if given is not None:
        name, _, value = given.partition("=")
        environment[name] = value or os.environ.get(name, "")
    command = rest[1:]
    if verb == "run" and not options.has("init"):
        command = [*_alone(), *command]
    return _attend(
        [Task(command, environment, options.value("w", "workdir") or "/")],
        Manner(
            reads=options.has("i", "interactive"),
            passes_signals=verb == "run",
            ends_rest=verb == "run",
            closes_input=not os.environ.get(KEEPS),
        ),
    )


def _alone() -> list[str]:
    """Words that make what follows the first process of a container, where that is possible."""
    words = ["unshare", "--pid", "--fork", "--kill-child", "--mount-proc"]
    if shutil.which(words[0]) is None:
        return []
    return [] if subprocess.run([*words, "true"], stderr=subprocess.DEVNULL).returncode else words


# --- systemd-run ------------------------------------------------------------------------------


def systemd_run(words: list[str]) -> int:
    """A unit with this process's own descriptors; it is no child of it."""
    options = Options(
        "systemd-run",
        flags={
            *("user", "system", "scope", "P", "pipe", "t", "pty", "wait", "q", "quiet", "G"),
            *("collect", "d", "same-dir", "no-block", "r", "remain-after-exit"),
        },
        valued={"unit", "p", "property", "uid", "gid", "nice", "working-directory", "E", "setenv"},
    )
    command = options.parse(words)
    if not command:
        _fail("systemd-run: Command line to execute required.", 1)
    if options.has("P", "pipe") and options.has("scope"):
        _fail("--pipe is not compatible in --scope mode.", 1)
    prop = options.value("p", "property")
    if prop is not None and "=" not in prop:
        _fail(f"Not an assignment: {prop}", 1)
    where = os.getcwd() if options.has("d", "same-dir") else "/"
    piped = options.has("P", "pipe")
    return _attend(
        [Task(command, _container(""), options.value("working-directory") or where)],
        Manner(reads=piped, own_descriptors=piped, ends_rest=True),
    )


# --- what they have in common -----------------------------------------------------------------


class Task(NamedTuple):
    """A command, with its surroundings and the folder that it begins in."""

    words: list[str]
    environment: dict[str, str]
    folder: str


class Manner(NamedTuple):
    """How commands hang together with who called."""

    # Whether they are given the input; else they have none.
    reads: bool = True
    # Whether they have the caller's own descriptors, and nothing is passed on.
    own_descriptors: bool = False
    # Whether they are ended when the caller is.
    ends_with_caller: bool = False
    # Whether SIGTERM, SIGINT and SIGHUP are passed on to them.
    passes_signals: bool = False
    # Whether their input ends when the caller does.
    closes_input: bool = True
    # Whether what they leave is ended when they have ended, as in a control group.
    ends_rest: bool = False


def _container(host: str) -> dict[str, str]:
    """What a command finds that does not inherit the caller's surroundings."""
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": os.environ.get("HOME", "/"),
        MARK: os.environ.get(MARK, ""),
    }
    return environment | ({"HOSTNAME": host} if host else {})


def _attend(tasks: list[Task], manner: Manner) -> int:
    """Let somebody else run the commands, and pass on what they read and say.

    Somebody else is a process that is no child of this one, as the daemons of the real ones are.

    Returns:
        The exit code of the first that ended badly.
    """
    ours, theirs = socket.socketpair()
    if os.fork() == 0:
        try:
            # Away from the caller's group and session, and from its parentage.
            os.setsid()
            ours.close()
            if os.fork() == 0:
                Daemon(theirs, tasks, manner).run()
        except BaseException as problem:
            print(f"stand-in: {problem!r}", file=sys.stderr)
        finally:
            os._exit(0)
    theirs.close()
    os.wait()
    stream = Frames(ours)
    for signum in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        if manner.passes_signals:
            signal.signal(signum, lambda number, _: stream.send("signal", b"%d" % number))
        else:
            signal.signal(signum, signal.SIG_DFL)
    if manner.reads and not manner.own_descriptors:
        threading.Thread(target=_send_input, args=(stream,), daemon=True).start()
    for what, data in stream:
        if what == "code":
            return int(data)
        _write(1 if what == "out" else 2, data)
    return 1


def _send_input(stream: Frames) -> None:
    while data := os.read(0, 1 << 16):
        stream.send("in", data)
    if not os.environ.get(KEEPS):
        stream.send("in", b"")


class Frames:
    """What goes over a socket in pieces: a word, and bytes."""

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._reads = end.makefile("rb")
        self._lock = threading.RLock()

    def send(self, what: str, data: bytes) -> None:
        """Send a piece; nothing happens if nobody is there any more."""
        with self._lock:
            try:
                self._end.sendall(f"{what} {len(data)}\n".encode() + data)
            except OSError:
                return

    def __iter__(self) -> Iterator[tuple[str, bytes]]:
        """The pieces that come, until the other end is gone."""
        try:
            while line := self._reads.readline():
                what, size = line.split()
                yield what.decode(), self._reads.read(int(size))
        except OSError:
            return


class Daemon:
    """Who runs the commands."""

    def __init__(self, end: socket.socket, tasks: list[Task], manner: Manner) -> None:
        self._stream = Frames(end)
        self._manner = manner
        self._mark = f"STAND_IN_UNIT={os.getpid()}"
        piped = None if manner.own_descriptors else subprocess.PIPE
        self._running = [
            subprocess.Popen(
                task.words,
                env=dict([*task.environment.items(), self._mark.split("=")]),
                cwd=task.folder,
                stdin=piped if manner.reads else subprocess.DEVNULL,
                stdout=piped,
                stderr=piped,
                start_new_session=True,
            )
            for task in tasks
        ]
        nothing = os.open(os.devnull, os.O_RDWR)
        for fd in range(3):
            os.dup2(nothing, fd)

    def run(self) -> None:
        """Serve the commands, to their end."""
        talking = []
        for task in self._running:
            for what, source in (("out", task.stdout), ("err", task.stderr)):
                if source is not None:
                    talking.append(threading.Thread(target=self._send, args=(what, source)))
                    talking[-1].start()
        threading.Thread(target=self._listen, daemon=True).start()
        codes = [task.wait() for task in self._running]
        if self._manner.ends_rest:
            self._end_all()
        for thread in talking:
            thread.join()
        code = next((code for code in codes if code), 0)
        self._stream.send("code", b"%d" % (128 - code if code < 0 else code))

    def _send(self, what: str, source: IO[bytes]) -> None:
        while data := os.read(source.fileno(), 1 << 16):
            self._stream.send(what, data)

    def _listen(self) -> None:
        for what, data in self._stream:
            if what == "signal":
                for task in self._running:
                    task.send_signal(int(data))
            else:
                self._put_in(data)
        # Whoever called is gone.
        if self._manner.ends_with_caller:
            for task in self._running:
                task.terminate()
            time.sleep(KILL_WAIT_S)
            self._end_all()
        elif self._manner.closes_input and self._manner.reads:
            self._put_in(b"")

    def _put_in(self, data: bytes) -> None:
        """Give input to all of them; none means its end."""
        for task in self._running:
            if task.stdin is None or task.stdin.closed:
                continue
            if data:
                _write(task.stdin.fileno(), data)
            else:
                task.stdin.close()

    def _end_all(self) -> None:
        """End every process that came of the commands, wherever it has gone."""
        mark = self._mark.encode()
        for entry in os.listdir("/proc"):
            try:
                if entry.isdigit() and mark in Path(f"/proc/{entry}/environ").read_bytes().split(
                    b"\0"
                ):
                    os.kill(int(entry), signal.SIGKILL)
            except OSError:
                continue


def _write(fd: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(fd, data) :]
    except BrokenPipeError:
        return


def _fail(sentence: str, code: int) -> NoReturn:
    print(sentence, file=sys.stderr)
    sys.exit(code)


def main(program: str, words: list[str]) -> int:
    """Be one of them."""
    if CALLS in os.environ:
        with open(os.environ[CALLS], "a") as calls:
            calls.write(f"{shlex.join([program, *words])}\n")
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    return {"srun": srun, "kubectl": kubectl, "docker": docker, "systemd-run": systemd_run}[
        program
    ](words)


if __name__ == "__main__":
    # At once, whatever threads still wait for.
    code = main(sys.argv[1], sys.argv[2:])
    sys.stderr.flush()
    os._exit(code)
