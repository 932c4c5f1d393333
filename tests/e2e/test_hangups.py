"""Every way in which a terminal goes away: the console ends by itself, with 129, within seconds."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pexpect
import psutil
import pytest

from gigq_core import Job, JobQueue
from tests.e2e.terminal import ConsoleTerminal, terminal_environment
from tests.integration.conftest import gone
from tests.waiting import wait_until

HUNG_UP = 129
# The console's own deadline, and what a busy machine adds to it.
ENDS_WITHIN_S = 30.0
STUBBORN_EDITOR = """
import signal, sys, time
for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT):
    signal.signal(number, signal.SIG_IGN)
print("THE EDITOR STAYS", flush=True)
while True:
    time.sleep(0.1)
"""
SHOP = "def resize(src: str, w: int = 1024): ...\n"
# What a person has before them when the line drops, by the keys that lead there.
PLACES = {
    "the list": ("", r"\[1 All 30\]"),
    "keys in flight": ("jk" * 300, ""),
    "a question": ("c", r"Cancel"),
    "a question, with keys behind it": ("c" + "nc" * 40, ""),
    "a job": ("\r", r"> Job > "),
    "the workers": ("w", r"> Workers"),
    "the overview": ("o", r"> Overview"),
    "the palette": (":", r"(?m)^ *:"),
    "the filter": ("/", r"(?m)^ */"),
    "the form": ("n", r"package\.module\.function"),
    "the help": ("?", r"Help"),
    "a flood of painting": ("\x0c" * 200 + "GgGg" * 50, ""),
}


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("queue") / "jobs.db"
    queue = JobQueue(path)
    for number in range(30):
        queue.submit(Job(f"job {number}", "os.getcwd"))
    queue.close()
    return path


@pytest.fixture
def console(path: Path, tmp_path: Path) -> Iterator[ConsoleTerminal]:
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        console.wait_for(r"\[1 All 30\]")
        yield console


def state_of(pid: int) -> str:
    try:
        return str(psutil.Process(pid).status())
    except psutil.NoSuchProcess:
        return "gone"


def end_after_hang_up(console: ConsoleTerminal) -> int:
    """Close the terminal, and return how the console ended."""
    console.hang_up()
    return end_of(console)


def end_of(console: ConsoleTerminal) -> int:
    """The exit status, or minus the signal's number, of a console whose terminal is not read."""
    pid = console.process.pid
    wait_until(
        lambda: state_of(pid) in ("gone", psutil.STATUS_ZOMBIE), ENDS_WITHIN_S, "the console's end"
    )
    console.process.ptyproc.wait()
    status = console.process.ptyproc.exitstatus
    return -int(console.process.ptyproc.signalstatus) if status is None else int(status)


@pytest.mark.parametrize("place", PLACES)
def test_the_line_drops(console: ConsoleTerminal, place: str) -> None:
    keys, pattern = PLACES[place]
    console.press(keys)
    if pattern:
        console.wait_for(pattern)
    assert end_after_hang_up(console) == HUNG_UP


def test_a_hang_up_while_the_console_sleeps_in_the_shell(console: ConsoleTerminal) -> None:
    console.press("\x1a")
    wait_until(lambda: state_of(console.process.pid) == psutil.STATUS_STOPPED, what="the stop")
    assert end_after_hang_up(console) == HUNG_UP


def test_a_hang_up_while_it_was_stopped_from_outside(console: ConsoleTerminal) -> None:
    console.process.kill(signal.SIGSTOP)
    wait_until(lambda: state_of(console.process.pid) == psutil.STATUS_STOPPED, what="the stop")
    console.hang_up()
    console.process.kill(signal.SIGCONT)
    assert end_of(console) == HUNG_UP


def test_a_hang_up_beside_an_editor_that_stays(path: Path, tmp_path: Path) -> None:
    """Nothing of what was edited stays either: it may be secret."""
    (tmp_path / "shop_hangs.py").write_text(SHOP)
    (tmp_path / "editor.py").write_text(STUBBORN_EDITOR)
    private = tmp_path / "private"
    private.mkdir()
    editor = f"'{sys.executable}' '{tmp_path / 'editor.py'}'"
    with ConsoleTerminal(
        "--chdir", tmp_path, path, cwd=tmp_path, VISUAL=editor, TMPDIR=str(private)
    ) as console:
        console.wait_for(r"\[1 All 30\]")
        console.press("n")
        console.wait_for(r"package\.module\.function")
        console.press("shop_hangs.resize")
        console.wait_for(r"found: \(src")
        console.press("\x0f")
        console.wait_for("THE EDITOR STAYS")
        (child,) = (
            p
            for p in psutil.Process(console.process.pid).children()
            if "editor.py" in p.cmdline()[1]
        )
        try:
            assert list(private.iterdir())
            assert end_after_hang_up(console) == HUNG_UP
            assert list(private.iterdir()) == []
        finally:
            child.kill()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_among_many_keys_restores_the_terminal(
    console: ConsoleTerminal, number: signal.Signals
) -> None:
    console.press("jk" * 300)
    console.process.kill(number)
    assert console.wait_for_end() == 128 + number
    assert console.restored()


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGTERM])
def test_a_signal_while_stopped_ends_it_and_leaves_the_shells_terminal_alone(
    console: ConsoleTerminal, number: signal.Signals
) -> None:
    console.press("\x1a")
    wait_until(lambda: state_of(console.process.pid) == psutil.STATUS_STOPPED, what="the stop")
    console.take()
    before = len(console.written)
    console.process.kill(number)
    console.process.kill(signal.SIGCONT)
    assert console.wait_for_end() == 128 + number
    assert console.written[before:] == ""


@pytest.mark.parametrize("delay", [0.05, 0.15, 0.3, 0.45, 0.6, 0.8])
def test_a_hang_up_while_it_starts(path: Path, tmp_path: Path, delay: float) -> None:
    with ConsoleTerminal(path, cwd=tmp_path) as console:
        threading.Event().wait(delay)
        # Before it has begun to listen, the signal itself ends it: to a shell that is 129 too.
        assert end_after_hang_up(console) in (HUNG_UP, -signal.SIGHUP)


def test_a_console_that_shall_not_hear_of_a_hang_up_ends_with_its_terminal(
    path: Path, tmp_path: Path
) -> None:
    with ConsoleTerminal(path, cwd=tmp_path, program=("-c", IGNORES_HANG_UPS)) as console:
        console.wait_for(r"\[1 All 30\]")
        assert end_after_hang_up(console) == HUNG_UP


IGNORES_HANG_UPS = """
import os, signal, sys
signal.signal(signal.SIGHUP, signal.SIG_IGN)
os.execv(sys.executable, [sys.executable, "-m", "gigq_tui", *sys.argv[1:]])
"""
# Whatever the main thread waits for: here it never comes back from a key.
HANGS_AT_A_KEY = """
import sys, threading
from gigq_tui import app
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import REPAINT
def hang(self):
    self.services.notices.tell("IT HANGS")
    threading.Event().wait()
app.ConsoleApp.do_repaint = does(REPAINT)(hang)
from gigq_tui.cli import main
main()
"""
# An act that never ends in a thread of its own.
HANGS_IN_A_THREAD = """
import sys, threading
from gigq_tui import app
from gigq_tui.keys.handlers import does
from gigq_tui.keys.screen_actions import REPAINT
def hang(self):
    self.services.notices.tell("IT HANGS")
    self.run_worker(threading.Event().wait, thread=True)
app.ConsoleApp.do_repaint = does(REPAINT)(hang)
from gigq_tui.cli import main
main()
"""


@pytest.mark.parametrize("program", [HANGS_AT_A_KEY, HANGS_IN_A_THREAD])
@pytest.mark.parametrize("way", ["the line drops", "SIGTERM"])
def test_nothing_that_hangs_keeps_it(path: Path, tmp_path: Path, program: str, way: str) -> None:
    with ConsoleTerminal(path, cwd=tmp_path, program=("-c", program)) as console:
        console.wait_for(r"\[1 All 30\]")
        console.press("\x0c")
        if program == HANGS_IN_A_THREAD:
            console.wait_for("IT HANGS")
        if way == "SIGTERM":
            console.process.kill(signal.SIGTERM)
            assert console.wait_for_end(ENDS_WITHIN_S) == 143
            assert console.restored()
        else:
            assert end_after_hang_up(console) == HUNG_UP


def test_a_terminal_that_nobody_reads_is_left_too(console: ConsoleTerminal) -> None:
    """As a connection that is stuck: what is painted no longer fits into it."""
    console.press("\x0c" * 500)
    process = psutil.Process(console.process.pid)
    assert process.is_running()
    console.process.kill(signal.SIGTERM)
    assert end_of(console) == 143


def test_to_be_continued_without_having_been_stopped_changes_nothing(
    console: ConsoleTerminal,
) -> None:
    process = psutil.Process(console.process.pid)
    threads = process.num_threads()
    for number in range(20):
        console.process.kill(signal.SIGCONT)
        console.press("j" if number % 2 else "k")
        console.take()
    # What is typed while the terminal is taken anew is dropped: it may be meant for the shell.
    at_the_end = re.compile(r"(?m)^ *> +\S+ +job 0 ")
    wait_until(lambda: (console.press("G"), at_the_end.search(console.take()))[1], what="the end")
    wait_until(lambda: process.num_threads() <= threads, what="threads as before")
    wait_until(
        lambda: (console.press("q"), console.take(), not console.process.isalive())[2],
        what="the end",
    )
    assert console.wait_for_end() == 0
    assert console.restored()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
@pytest.mark.parametrize("how", ["in front", "stopped", "in the background"])
def test_a_shell_whose_connection_drops_takes_its_console_with_it(
    path: Path, tmp_path: Path, how: str
) -> None:
    shell, pid = shell_with_console(path, tmp_path)
    if how != "in front":
        shell.send("\x1a")
        wait_until(lambda: state_of(pid) == psutil.STATUS_STOPPED, what="the stop")
        shell.expect("READY> ")
    if how == "in the background":
        shell.sendline("bg")
        shell.expect("READY> ")
    shell.ptyproc.fileobj.close()
    shell.ptyproc.closed = shell.closed = True
    wait_until(lambda: gone(pid), ENDS_WITHIN_S, "the console's end")
    shell.ptyproc.wait()


@pytest.mark.skipif(shutil.which("bash") is None, reason="there is no bash here")
def test_a_shell_can_end_a_console_that_it_has_stopped(path: Path, tmp_path: Path) -> None:
    shell, pid = shell_with_console(path, tmp_path)
    shell.send("\x1a")
    wait_until(lambda: state_of(pid) == psutil.STATUS_STOPPED, what="the stop")
    shell.expect("READY> ")
    shell.sendline("kill %1")
    wait_until(lambda: gone(pid), ENDS_WITHIN_S, "the console's end")
    shell.sendline("echo whole $((6 * 7))")
    shell.expect("whole 42")
    shell.close(force=True)


@pytest.mark.skipif(shutil.which("tmux") is None, reason="there is no tmux here")
def test_a_killed_tmux_server_takes_the_console_with_it(path: Path, tmp_path: Path) -> None:
    socket = f"gigq-hangs-{os.getpid()}"
    tmux = ["tmux", "-L", socket, "-f", "/dev/null"]
    environment = terminal_environment()
    subprocess.run(
        [
            *tmux,
            "new-session",
            "-d",
            "-x",
            "120",
            "-y",
            "32",
            sys.executable,
            "-m",
            "gigq_tui",
            path,
        ],
        env=environment,
        cwd=tmp_path,
        check=True,
        timeout=20,
    )

    def ask(*words: str) -> str:
        done = subprocess.run([*tmux, *words], env=environment, capture_output=True, text=True)
        return done.stdout

    wait_until(lambda: "job 29" in ask("capture-pane", "-p"), what="the console")
    pid = int(ask("list-panes", "-F", "#{pane_pid}"))
    ask("send-keys", "-N", "50", "j")
    ask("kill-server")
    wait_until(lambda: gone(pid), ENDS_WITHIN_S, "the console's end")


def shell_with_console(path: Path, folder: Path) -> tuple[pexpect.spawn, int]:
    """A shell in a terminal of its own, and the process of the console that it has in front."""
    shell = pexpect.spawn(
        "bash",
        ["--norc", "--noprofile", "-i"],
        cwd=str(folder),
        env=terminal_environment(PS1="READY> "),
        dimensions=(32, 120),
        encoding="utf-8",
        codec_errors="replace",
        timeout=20,
    )
    shell.expect("READY> ")
    shell.sendline(f"{sys.executable} -m gigq_tui {path}")
    shell.expect("job 29")
    pid = wait_until(lambda: children_named(shell.pid, "gigq_tui"), what="the console")[0]
    return shell, pid


def children_named(pid: int, word: str) -> list[int]:
    def found(p: psutil.Process) -> bool:
        return word in " ".join(p.cmdline())

    return [child.pid for child in psutil.Process(pid).children(recursive=True) if found(child)]


@pytest.mark.long
@pytest.mark.parametrize("place", PLACES)
def test_the_line_drops_twenty_times(path: Path, tmp_path: Path, place: str) -> None:
    keys, pattern = PLACES[place]
    for _ in range(20):
        with ConsoleTerminal(path, cwd=tmp_path) as console:
            console.wait_for(r"\[1 All 30\]")
            console.press(keys)
            if pattern:
                console.wait_for(pattern)
            assert end_after_hang_up(console) == HUNG_UP
