"""A thread that runs jobs is ended in their functions, and never in what leads to them."""

from __future__ import annotations

import os
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from gigq_core.worker.claims import Claim, Ending, Fate
from gigq_core.worker.heard import ParentRow
from gigq_core.worker.threads import ThreadPool
from tests.waiting import wait_until

MODULE = """
import time
from pathlib import Path

here = Path(__file__).parent
(here / "begun").touch()
while not (here / "go").exists():
    time.sleep(0.005)

def note():
    (here / "called").touch()
"""


@pytest.fixture
def slow_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    name = "slow_to_import"
    (tmp_path / f"{name}.py").write_text(MODULE)
    monkeypatch.syspath_prepend(tmp_path)
    yield name
    (tmp_path / "go").touch()
    sys.modules.pop(name, None)


class KnowsNothing:
    """What jobs ask for, where none does."""

    def parents_of(self, claim: Claim) -> list[ParentRow]:
        return []

    def saved_of(self, claim: Claim) -> str | None:
        return None


@pytest.fixture
def pool() -> Iterator[ThreadPool]:
    made = ThreadPool(
        slots=2, wake=lambda: None, knows=KnowsNothing(), pid=os.getpid(), name="job-threads"
    )
    yield made
    made.close()
    wait_until(
        lambda: not any(t.name.startswith("job-threads") for t in threading.enumerate()),
        what="the threads to end",
    )


def claim_of(token: str, module: str) -> Claim:
    return Claim(token, token, token, module, "note", "{}", (), 1, 1, 300.0, 0.0, None)


def next_ending(pool: ThreadPool) -> Ending:
    (ending,) = wait_until(pool.collect, what="an ending")
    return ending


@pytest.mark.parametrize("fate", [Fate.TIMEOUT, Fate.CANCELLED])
def test_an_import_goes_on_to_its_end_and_the_function_is_not_called(
    pool: ThreadPool, slow_module: str, tmp_path: Path, fate: Fate
) -> None:
    pool.start([claim_of("first", slow_module)])
    wait_until((tmp_path / "begun").exists, what="the import to begin")
    pool.stop("first", fate)
    (tmp_path / "go").touch()
    assert next_ending(pool).fate is fate
    assert slow_module in sys.modules
    assert not (tmp_path / "called").exists()
    pool.start([claim_of("second", slow_module)])
    assert next_ending(pool).fate is Fate.COMPLETED
    assert (tmp_path / "called").exists()


def test_an_import_that_does_not_end_is_ended_at_last(
    pool: ThreadPool, slow_module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gigq_core.worker.threads.PATIENCE_S", 0.0)
    pool.start([claim_of("first", slow_module)])
    wait_until((tmp_path / "begun").exists, what="the import to begin")
    pool.stop("first", Fate.TIMEOUT)
    assert next_ending(pool).fate is Fate.TIMEOUT
    assert not (tmp_path / "go").exists()


@pytest.mark.parametrize("fate", [Fate.TIMEOUT, Fate.CANCELLED])
def test_a_thread_that_has_only_just_been_made_ends_its_attempt(
    pool: ThreadPool, slow_module: str, tmp_path: Path, fate: Fate
) -> None:
    (tmp_path / "go").touch()
    for number in range(50):
        token = str(number)
        pool.start([claim_of(token, slow_module)])
        pool.stop(token, fate)
        assert next_ending(pool).fate is fate


SAVING = """
import threading
import time
from pathlib import Path

here = Path(__file__).parent

def save(job_context):
    try:
        job_context.save(1)
    except RuntimeError as problem:
        (here / "told").write_text(str(problem))

def note(job_context):
    threading.Thread(target=save, args=(job_context,), daemon=True).start()
    while not job_context._link._waiting:
        time.sleep(0.001)
"""


def test_a_thread_that_a_job_left_saving_does_not_wait_for_ever(
    pool: ThreadPool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "left_saving.py").write_text(SAVING)
    monkeypatch.syspath_prepend(tmp_path)
    pool.start([claim_of("first", "left_saving")])
    assert next_ending(pool).fate is Fate.COMPLETED
    # What is saved from here on is nobody's any more.
    told = tmp_path / "told"
    wait_until(lambda: told.exists() and told.read_text(), what="the thread to be told")
    assert told.read_text() == "the job has ended"
