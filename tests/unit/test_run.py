"""What happens to the workers at every way in which the screen can end."""

from __future__ import annotations

import signal
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from gigq_tui import run
from gigq_tui.config import Config
from gigq_tui.demo import DemoSession

DEMO = DemoSession(Path("demo.db"), Path(), "python", Path())


class FakePool:
    def __init__(self) -> None:
        self.calls: list[str] = []

    def end_all(self, timeout_s: float) -> None:
        assert timeout_s > 0
        self.calls.append("ended")

    def leave_running(self) -> None:
        self.calls.append("left")


class FakeApp:
    """Stands in for the console: ends as the test says."""

    problem: BaseException | None = None
    code: int | None = 0
    failed = False
    mouse = True
    left = None
    last: FakeApp

    def __init__(self, path: Path, **options: Any) -> None:
        self.options = options
        self.pool = FakePool()
        self.services = SimpleNamespace(
            settings=SimpleNamespace(demo=options["demo"]),
            workers=SimpleNamespace(pool=self.pool),
        )
        self.return_code = self.code
        type(self).last = self

    def call_later(self, callback: Any) -> None:
        callback()

    def run(self, *, mouse: bool) -> None:
        self.mouse = mouse
        assert signal.getsignal(signal.SIGTERM) not in (signal.SIG_DFL, signal.SIG_IGN)
        if self.problem is not None:
            raise self.problem


@pytest.fixture(autouse=True)
def fake_app(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "ConsoleApp", FakeApp)


def show(**options: Any) -> int:
    try:
        return run.show(Path("jobs.db"), python="python", chdir=Path(), **options)
    finally:
        for number in (signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)


def test_workers_are_left_to_themselves() -> None:
    assert show() == 0
    assert FakeApp.last.pool.calls == ["left"]
    assert FakeApp.last.options["theme"] == "auto"
    assert FakeApp.last.mouse


def test_the_workers_of_a_demo_are_ended() -> None:
    config = Config(theme="light", mouse=False)
    assert show(demo=DEMO, config=config) == 0
    assert FakeApp.last.pool.calls == ["ended"]
    assert FakeApp.last.options["theme"] == "light"
    assert FakeApp.last.options["config"] is config
    assert not FakeApp.last.mouse


@pytest.mark.parametrize("problem", [RuntimeError("a bug"), KeyboardInterrupt(), SystemExit(3)])
def test_a_screen_that_crashes_still_ends_the_workers_of_its_demo(
    monkeypatch: pytest.MonkeyPatch, problem: BaseException
) -> None:
    monkeypatch.setattr(FakeApp, "problem", problem)
    with pytest.raises(type(problem)):
        show(demo=DEMO)
    assert FakeApp.last.pool.calls == ["ended"]


def test_the_exit_code_is_the_apps(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FakeApp, "code", 143)
    assert show() == 143
    monkeypatch.setattr(FakeApp, "code", None)
    assert show() == 0
    monkeypatch.setattr(FakeApp, "failed", True)
    assert show() == 1


def test_signals_are_given_back() -> None:
    run.show(Path("jobs.db"), python="python", chdir=Path())
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    assert signal.getsignal(signal.SIGHUP) is signal.SIG_DFL
