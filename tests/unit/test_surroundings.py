"""The tests pass in whatever surroundings they are started: a sample of them, in hostile ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests import surroundings
from tests.waiting import wait_until

ROOT = Path(__file__).parents[2]
IGNORED = ("INT", "HUP", "TERM", "QUIT", "PIPE", "TSTP", "CHLD", "USR1")
SAMPLE = (
    "tests/unit/test_tui_cli.py::test_a_reader_that_goes_away_is_no_error",
    "tests/integration/test_signals.py::test_a_shell_in_the_background_keeps_its_worker",
    "tests/tui/test_job_actions_keys.py::test_u_takes_an_act_on_one_job_back_at_once",
)
HOSTILE = {
    "LC_ALL": "C",
    "LANG": "de_DE",
    "TZ": "Asia/Kathmandu",
    "TERM": "dumb",
    "COLUMNS": "20",
    "NO_COLOR": "1",
    "FORCE_COLOR": "1",
    "EDITOR": "false",
    "TMUX": "x",
    "PYTHONPATH": "/none",
    "GIGQ_DB": "/none",
    "GIGQ_ASCII": "1",
    "GIGQ_TUI_CONFIG": "/none",
    "PYTHONUTF8": "0",
}


def hostile() -> None:
    """What a shell in the background, a service or a person may leave to a child."""
    for name in IGNORED:
        signal.signal(getattr(signal, f"SIG{name}"), signal.SIG_IGN)
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM, signal.SIGINT, signal.SIGALRM])
    os.umask(0o077)
    os.close(0)


def test_a_sample_passes_in_hostile_surroundings(tmp_path: Path) -> None:
    spaced = tmp_path / "a b"
    spaced.mkdir()
    environment = {"PATH": os.environ["PATH"], "TMPDIR": str(spaced), **HOSTILE}
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-n", "0", "-p", "no:cacheprovider", *SAMPLE],
        cwd=ROOT,
        env=environment,
        preexec_fn=hostile,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"{len(SAMPLE)} passed" in done.stdout


@pytest.mark.parametrize("session", [False, True])
def test_a_process_that_stays_is_found_and_ended(
    session: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(surroundings, "ENDS_WITHIN_S", 0.0)
    monkeypatch.setitem(os.environ, surroundings.MARK, "another run")
    staying = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=session
    )
    try:
        (told,) = wait_until(surroundings.still_running, what="it to be found")
        assert told.startswith(f"pid {staying.pid}: {sys.executable}")
        assert staying.wait(timeout=60) == -signal.SIGKILL
        assert surroundings.still_running() == []
    finally:
        staying.kill()
        staying.wait()


def test_with_one_case_each_test_is_collected_once() -> None:
    """CI runs so much on every Python but one."""

    def collected(*options: str) -> list[str]:
        command = ["-m", "pytest", "--co", "-q", "-n", "0", "-p", "no:cacheprovider", *options]
        said = subprocess.run(
            [sys.executable, *command, "tests/reliability/test_keeping.py"],
            cwd=ROOT,
            env=os.environ | {"PYTEST_ADDOPTS": ""},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        return [line for line in said.splitlines() if "::" in line]

    every, chosen = collected(), collected("--one-case")
    names = {case.partition("[")[0] for case in every}
    assert len(names) == len(chosen) < len(every)
    assert {case.partition("[")[0] for case in chosen} == names
    assert set(chosen) <= set(every)
