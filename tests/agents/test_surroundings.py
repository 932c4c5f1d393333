"""The surroundings of the tests of agents do as the real ones do."""

from __future__ import annotations

import json
import os
import select
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import psutil
import pytest

from tests.agents import answering, cutting, stands_in
from tests.agents.cutting import BACK, OUT, Plan, Rule
from tests.agents.netns import OtherHost
from tests.agents.sshd import HOST, Sshd
from tests.integration.conftest import gone
from tests.waiting import wait_until

ANSWERING = shlex.join([sys.executable, str(answering.__file__)])
# Long enough for anything that comes to have come.
QUIET_S = 0.3


class Talk:
    """A command that is spoken to in lines."""

    def __init__(self, command: str | Sequence[str]) -> None:
        words = shlex.split(command) if isinstance(command, str) else command
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.stdin, self.stdout = self.process.stdin, self.process.stdout
        self._got = b""

    def say(self, **message: object) -> None:
        self.stdin.write(json.dumps(message).encode() + b"\n")
        self.stdin.flush()

    def line(self, within_s: float = 20.0) -> str:
        """The next line; nothing if there is none, whether its end has come or not."""
        until = time.monotonic() + within_s
        while b"\n" not in self._got:
            left = max(0.0, until - time.monotonic())
            if not select.select([self.stdout], [], [], left)[0]:
                return ""
            data = os.read(self.stdout.fileno(), 1 << 16)
            if not data:
                return ""
            self._got += data
        line, _, self._got = self._got.partition(b"\n")
        return line.decode()

    def rest(self) -> str:
        """All that comes until its end."""
        rest = self._got + self.stdout.read()
        self._got = b""
        return rest.decode()

    @property
    def far_pid(self) -> int:
        """The process that answers, which has greeted; its greeting is read."""
        assert self.line() == "Welcome to this host"
        return int(json.loads(self.line())["ready"]["pid"])

    def close(self) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.stdout.close()
        try:
            self.stdin.close()
        except BrokenPipeError:
            pass


@pytest.fixture
def talk() -> Iterator[Callable[[str | Sequence[str]], Talk]]:
    made: list[Talk] = []

    def start(command: str | Sequence[str]) -> Talk:
        made.append(Talk(command))
        return made[-1]

    yield start
    for each in made:
        each.close()


Talks = Callable[[str | Sequence[str]], Talk]


def kind(line: str) -> str:
    return cutting.kind_of(line.encode())


# --- ssh ----------------------------------------------------------------------------------------


def test_the_server_has_keys_a_home_and_a_port_of_its_own(sshd: Sshd) -> None:
    said = sshd.run("echo $HOME; echo $0; echo $SSH_CONNECTION").split("\n")
    assert said[0] == str(sshd.home)
    assert said[2].split()[3] == str(sshd.port) != "22"
    for name in ("user_key", "host_key"):
        assert (sshd.folder / name).stat().st_mode & 0o077 == 0


def test_a_server_with_another_key_is_refused(sshd: Sshd, tmp_path: Path) -> None:
    config = tmp_path / "config"
    known = tmp_path / "known"
    known.write_text(f"{HOST} {(sshd.folder / 'user_key.pub').read_text()}")
    text = (sshd.folder / "ssh_config").read_text()
    config.write_text(text.replace(str(sshd.folder / "known_hosts"), str(known)))
    done = subprocess.run(["ssh", "-F", config, HOST, "true"], capture_output=True, text=True)
    assert done.returncode == 255
    assert "REMOTE HOST IDENTIFICATION HAS CHANGED" in done.stderr


def test_what_is_said_over_ssh_arrives_and_its_end_too(sshd: Sshd, talk: Talks) -> None:
    link = talk(f"{sshd.via} {ANSWERING}")
    pid = link.far_pid
    assert any(login.children() for login in sshd.logins())
    link.say(hello="ü" * 100_000)
    assert json.loads(link.line()) == {"answer": 0, "to": {"hello": "ü" * 100_000}}
    link.stdin.close()
    assert kind(link.line()) == "gone"
    wait_until(lambda: gone(pid))


def test_a_client_that_is_killed_ends_the_far_input(sshd: Sshd, talk: Talks) -> None:
    link = talk(f"{sshd.via} {ANSWERING}")
    pid = link.far_pid
    link.process.kill()
    wait_until(lambda: gone(pid))


# --- another host -------------------------------------------------------------------------------


def test_another_host_has_a_name_processes_and_a_network_of_its_own(
    other_host: OtherHost, talk: Talks
) -> None:
    assert other_host.sshd.run("hostname").strip() == HOST != os.uname().nodename
    assert "eth" not in other_host.sshd.run("cat /proc/net/dev")
    link = talk(f"{other_host.via} {ANSWERING}")
    far = link.far_pid
    assert far in [other_host.number_there(pid) for pid in other_host.pids()]
    assert not psutil.pid_exists(far) or far not in other_host.pids()
    link.stdin.close()
    wait_until(lambda: not other_host.pids())


def test_nobody_is_told_when_the_cable_is_pulled(other_host: OtherHost, talk: Talks) -> None:
    link = talk(f"{other_host.via} {ANSWERING}")
    assert link.far_pid
    link.say(one=1)
    assert kind(link.line()) == "answer"
    running = set(other_host.pids())
    other_host.pull()
    link.say(two=2)
    assert link.line(1.0) == ""
    assert link.process.poll() is None
    assert set(other_host.pids()) == running
    other_host.plug()
    # What was sent meanwhile comes late, as on any network.
    assert kind(link.line()) == "answer"


def test_a_host_without_power_says_nothing(other_host: OtherHost, talk: Talks) -> None:
    link = talk(f"{other_host.via} {ANSWERING}")
    assert link.far_pid
    running = other_host.pids()
    other_host.lose_power()
    assert all(gone(pid) for pid in running)
    assert link.line(QUIET_S) == ""
    assert link.process.poll() is None


# --- links that are cut -------------------------------------------------------------------------


def spoilt(tmp_path: Path, *rules: Rule, **options: int) -> tuple[Plan, str]:
    plan = Plan(tmp_path / "plan", *rules, **options)
    return plan, plan.via(ANSWERING)


def test_a_sound_link_passes_everything_and_notes_it(tmp_path: Path, talk: Talks) -> None:
    plan, via = spoilt(tmp_path)
    link = talk(via)
    pid = link.far_pid
    for number in range(50):
        link.say(say=number)
    link.stdin.close()
    lines = link.rest().splitlines()
    assert [kind(line) for line in lines] == ["answer"] * 50 + ["gone"]
    assert link.process.wait(20) == 0
    assert [kind for way, kind in plan.seen() if way == OUT] == ["say"] * 50
    assert [kind for way, kind in plan.seen() if way == BACK] == ["ready", *["answer"] * 50, "gone"]
    assert plan.started() == [(link.process.pid, pid)]
    assert plan.done() == []


@pytest.mark.parametrize("way", [OUT, BACK])
@pytest.mark.parametrize("do", cutting.CUTS)
def test_a_link_is_cut_at_a_message(tmp_path: Path, talk: Talks, way: str, do: str) -> None:
    plan, via = spoilt(tmp_path, Rule(way, "say" if way == OUT else "answer", do, nth=2))
    link = talk(via)
    pid = link.far_pid
    link.say(say=1)
    assert kind(link.line()) == "answer"
    link.say(say=2)
    rest = link.rest()
    if way == BACK:
        whole = '{"answer": 1, "to": {"say": 2}}\n'
        length = {cutting.CUT_BEFORE: 0, cutting.CUT_HALF: len(whole) // 2}.get(do, len(whole))
        assert rest == whole[:length]
    assert link.process.wait(20) != 0
    wait_until(lambda: gone(pid))
    assert len(plan.done()) == 1
    # The next link is sound.
    again = talk(via)
    assert again.far_pid
    again.say(say=3)
    again.say(say=4)
    again.stdin.close()
    assert [kind(line) for line in again.rest().splitlines()] == ["answer", "answer", "gone"]


@pytest.mark.parametrize("way", [OUT, BACK])
@pytest.mark.parametrize("do", cutting.HANGS)
def test_a_link_that_hangs_tells_nobody(tmp_path: Path, talk: Talks, way: str, do: str) -> None:
    _, via = spoilt(tmp_path, Rule(way, "say" if way == OUT else "answer", do))
    link = talk(via)
    pid = link.far_pid
    for number in range(3):
        link.say(say=number)
    line = link.line(QUIET_S)
    if way == OUT and do == cutting.HANG_AFTER and kind(line) == "answer":
        # The far end was faster with it than the link with its hanging.
        line = link.line(QUIET_S)
    assert (kind(line) == "answer") is (way == BACK and do == cutting.HANG_AFTER)
    assert link.line(QUIET_S) == ""
    assert link.process.poll() is None
    assert not gone(pid)
    link.close()
    wait_until(lambda: gone(pid))


def test_a_message_comes_twice_late_or_never(tmp_path: Path, talk: Talks) -> None:
    plan, via = spoilt(
        tmp_path,
        Rule(OUT, "a", cutting.TWICE),
        Rule(OUT, "b", cutting.LOSE),
        Rule(BACK, "answer", cutting.LATE, nth=3, seconds=0.5),
    )
    link = talk(via)
    assert link.far_pid
    for name in "abc":
        link.say(**{name: 1})
    said = [json.loads(link.line())["to"] for _ in range(2)]
    begun = time.monotonic()
    said.append(json.loads(link.line())["to"])
    assert said == [{"a": 1}, {"a": 1}, {"c": 1}]
    assert time.monotonic() - begun > 0.4
    assert len(plan.done()) == 3


def test_the_far_end_freezes_and_thaws(tmp_path: Path, talk: Talks) -> None:
    _, via = spoilt(tmp_path, Rule(OUT, "say", cutting.FREEZE, seconds=0.6))
    link = talk(via)
    pid = link.far_pid
    link.say(say=0)
    wait_until(lambda: psutil.Process(pid).status() == psutil.STATUS_STOPPED)
    wait_until(lambda: psutil.Process(pid).status() != psutil.STATUS_STOPPED)
    link.say(say=1)
    assert [kind(link.line()) for _ in range(2)] == ["answer"] * 2


def test_a_slow_link_is_slow(tmp_path: Path, talk: Talks) -> None:
    _, via = spoilt(tmp_path, bytes_per_s=100_000)
    link = talk(via)
    assert link.far_pid
    begun = time.monotonic()
    link.say(say="x" * 50_000)
    assert len(link.line()) > 50_000
    assert time.monotonic() - begun > 0.8


# --- stand-ins ----------------------------------------------------------------------------------

# Each with whether the far side is ended where its caller is killed, without a look at its input.
CALLS = (
    ("srun -n1 --mem=4G -c 2 --time=8:00:00", True),
    ("kubectl exec -i -n batch deploy/worker -c jobs --", False),
    ("docker exec -i worker-1", False),
    ("docker run --rm -i python:3.12", False),
    ("systemd-run --user --pipe --quiet -p MemoryMax=4G", False),
)
REFUSED = (
    ("srun -n1 --memory=4G", "unrecognized option '--memory=4G'"),
    ("srun --mem=4GB", "Invalid --mem specification"),
    ("kubectl exec -i pod", "Use exec [POD] -- [COMMAND]"),
    ("kubectl exec -i --", "pod, type/name or --filename must be specified"),
    ("kubectl run -i pod --", "unknown command"),
    ("docker exec -it worker-1", "not a TTY"),
    ("docker ps", "not a docker command"),
    ("systemd-run --user --pipes", "unrecognized option"),
    ("systemd-run --user --pipe --scope", "not compatible"),
)


@pytest.mark.parametrize(("via", "ends_it"), CALLS)
def test_stand_ins_pass_words_input_output_and_code(
    stand_ins: Path, talk: Talks, via: str, ends_it: bool
) -> None:
    link = talk(f"{via} {ANSWERING}")
    pid = link.far_pid
    assert not psutil.Process(link.process.pid).children(recursive=True)
    link.say(say="$HOME 'a' \"b\" *")
    assert json.loads(link.line())["to"] == {"say": "$HOME 'a' \"b\" *"}
    link.stdin.close()
    assert link.rest() == '{"gone": true}\n'
    assert link.process.wait(20) == 0
    failing = [*shlex.split(via), "sh", "-c", "echo to stderr >&2; exit 7"]
    done = subprocess.run(failing, capture_output=True, text=True, timeout=20, input="")
    assert (done.returncode, done.stderr) == (7, "to stderr\n")
    assert stand_ins.read_text().splitlines()[0].startswith(via.split()[0])
    assert pid


@pytest.mark.parametrize(("via", "ends_it"), CALLS)
@pytest.mark.parametrize("keeps", ["", "1"])
def test_stand_ins_whose_caller_is_killed_do_as_theirs_do(
    stand_ins: Path,
    talk: Talks,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    via: str,
    ends_it: bool,
    keeps: str,
) -> None:
    """What is not ended by that, can see the end of its input: or not even that."""
    monkeypatch.setenv(stands_in.KEEPS, keeps)
    ended = tmp_path / "ended"
    program = tmp_path / "program.py"
    program.write_text(
        "import signal, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('begun', flush=True)\n"
        "sys.stdin.read()\n"
        f"open({str(ended)!r}, 'w').close()\n"
        "time.sleep(60)\n"
    )
    link = talk(f"{via} {shlex.join([sys.executable, str(program)])}")
    assert link.line() == "begun"
    found = wait_until(lambda: processes_of(program))
    link.process.kill()
    if via.startswith("systemd-run"):
        # The descriptors are the unit's own; the test's end of the pipe is what counts.
        link.stdin.close()
        wait_until(ended.exists)
        assert processes_of(program) == found
    elif keeps:
        time.sleep(QUIET_S + stands_in.KILL_WAIT_S)
        assert not ended.exists()
        assert processes_of(program) == found
    elif ends_it:
        wait_until(lambda: not processes_of(program))
    else:
        wait_until(ended.exists)
        assert processes_of(program) == found
    for pid in processes_of(program):
        os.kill(pid, signal.SIGKILL)


def processes_of(program: Path) -> list[int]:
    """Those that run a file, as this machine numbers them."""
    found = []
    for process in psutil.process_iter():
        try:
            words = process.cmdline()
        except psutil.Error:
            continue
        if words[:1] == [sys.executable] and str(program) in words[1:2]:
            found.append(process.pid)
    return sorted(found)


@pytest.mark.parametrize(("via", "sentence"), REFUSED)
def test_stand_ins_refuse_what_theirs_refuse(stand_ins: Path, via: str, sentence: str) -> None:
    done = subprocess.run(
        shlex.split(f"{via} {ANSWERING}"), capture_output=True, text=True, timeout=20, input=""
    )
    assert done.returncode != 0
    assert sentence in done.stderr
    assert done.stdout == ""


def test_without_an_input_nothing_is_read(stand_ins: Path) -> None:
    """Who forgets `-i` talks to somebody who hears nothing."""
    words = shlex.split(f"kubectl exec pod -- {ANSWERING}")
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, input='{"say": 1}\n')
    assert [kind(line) for line in done.stdout.splitlines()] == ["", "ready", "gone"]


def test_two_tasks_of_a_step_get_the_same_and_answer_both(stand_ins: Path) -> None:
    words = shlex.split(f"srun -n2 {ANSWERING}")
    done = subprocess.run(words, capture_output=True, text=True, timeout=20, input='{"say": 1}\n')
    kinds = sorted(kind(line) for line in done.stdout.splitlines())
    assert kinds == ["", "", "answer", "answer", "gone", "gone", "ready", "ready"]
