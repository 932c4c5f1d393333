"""What type checkers know of the package, as somebody's project sees it."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TASKS = Path("tests/data/typed_tasks.py")


def test_a_wrong_parameter_of_a_task_is_a_type_error_and_a_right_one_is_none() -> None:
    command = [sys.executable, "-m", "mypy", "--strict", "--no-error-summary", str(TASKS)]
    answer = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.stderr == ""
    told = {int(n) for n in re.findall(rf"^{TASKS}:(\d+): error", answer.stdout, re.MULTILINE)}
    lines = (ROOT / TASKS).read_text(encoding="utf-8").splitlines()
    assert told == {n for n, line in enumerate(lines, 1) if line.endswith("# wrong")}, answer.stdout


@pytest.mark.parametrize("package", ["gigq_core", "gigq_tui"])
def test_the_packages_say_that_they_are_typed(package: str) -> None:
    assert files(package).joinpath("py.typed").is_file()
