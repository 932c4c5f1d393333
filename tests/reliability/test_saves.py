"""`kill -9` of a worker at each step of a checkpoint: the next attempt finds one of the two."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from tests.integration import telling
from tests.integration.conftest import ROOT, Place
from tests.reliability import dying
from tests.reliability.test_crashes import assert_whole, start


@pytest.mark.parametrize("step", dying.SAVE_STEPS)
def test_a_save_is_there_as_a_whole_or_not_at_all(place: Place, tmp_path: Path, step: str) -> None:
    path = tmp_path / "told"
    job_id = place.submit(telling.save_twice, params={"path": str(path)})
    dead = start("save", str(place.db), str(ROOT), step)
    dead.communicate(timeout=60)
    assert dead.returncode == -signal.SIGKILL
    assert_whole(place.db)
    expected = "second" if "answer" in step else "first"
    assert place.saved(job_id) == expected
    # It has not gone on with what is not on disk.
    assert not path.exists() or step == "after the answer"
    place.worker()
    job = place.end(job_id)
    assert (job["status"], job["result"], job["attempts"]) == ("completed", expected, 2)
    assert [one["status"] for one in job["executions"]] == ["crashed", "completed"]
    assert place.saved(job_id) is None


def test_the_job_process_dies_with_a_save_on_its_way(place: Place, tmp_path: Path) -> None:
    place.worker()
    params = {"path": str(tmp_path / "pid"), "value": 1}
    job_id = place.submit(telling.save_and_hold, params=params, max_attempts=1)
    os.kill(int(place.lines("pid")[0]), signal.SIGKILL)
    assert place.end(job_id)["status"] == "failed"
    assert place.saved(job_id) == 1
