"""Functions are listed by reading source in a child process: nothing of the project runs."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from gigq_core.errors import GigQError
from gigq_core.system.identity import process_start
from gigq_tui.actions.functions import completion
from gigq_tui.actions.functions.completion import list_functions, package_to_list, ranked
from gigq_tui.actions.functions.inspection import inspect_function
from tests.waiting import wait_until

IMAGES = """
import subprocess
import sys
open("touched", "w").close()
print("noise")
def resize(src): ...
def _private(): ...
async def later(): ...
class Helper:
    def method(self): ...
if sys.platform:
    def here(): ...
else:
    def there(): ...
try:
    def tried(): ...
except ImportError:
    def instead(): ...
if __name__ == "__main__":
    def script(): ...
"""


@pytest.fixture
def project(tmp_path: Path) -> Path:
    files = {
        "pipeline/__init__.py": "def top(): ...\n",
        "pipeline/images.py": IMAGES,
        "pipeline/deep/er/one.py": "def far(): ...\n",
        "tasks.py": "def go(): ...\n",
        "broken.py": "def f(:\n",
        "not-a-module.py": "def f(): ...\n",
        "venv/pyvenv.cfg": "",
        "venv/lib.py": "def f(): ...\n",
        "node_modules/x.py": "def f(): ...\n",
        ".hidden/x.py": "def f(): ...\n",
        "hangs.py": "def slow(): ...\nimport threading\nthreading.Event().wait()\n",
        "raises.py": "def angry(): ...\nraise SystemExit(3)\n",
    }
    for name, text in files.items():
        path = tmp_path / "project" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "project"


def test_the_functions_of_a_project(project: Path) -> None:
    (project / "around").symlink_to(project)
    before = sorted(project.rglob("*"))
    listing = list_functions(sys.executable, project, timeout_s=60, within_s=60)
    assert listing.cut == ""
    # The path may add other folders, as an editable install does: they come behind this one.
    found = list(listing.functions[:10])
    # Modules that hang, or end the process, when they are imported: they never are.
    assert found == [
        *("hangs.slow", "raises.angry", "tasks.go", "pipeline.top"),
        *(f"pipeline.images.{name}" for name in ("here", "instead", "resize", "there", "tried")),
        "pipeline.deep.er.one.far",
    ]
    assert sorted(project.rglob("*")) == before


def test_one_installed_package_on_demand(project: Path) -> None:
    listing = list_functions(sys.executable, project, "click", 60, within_s=60)
    assert "click.utils.echo" in listing.functions
    assert all(name.startswith("click.") for name in listing.functions)
    assert list_functions(sys.executable, project, "no_such_package").functions == ()


def test_what_was_found_before_the_time_ran_out_is_kept(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    slow = project.parent / "slow.py"
    slow.write_text(
        "import json, os, subprocess, sys, threading\n"
        "child = subprocess.Popen([sys.executable, '-c', 'input()'], stdin=subprocess.PIPE)\n"
        "open('child', 'w').write(str(child.pid))\n"
        "os.write(1, b'no json\\n[1]\\n{\"module\": 5}\\n')\n"
        "told = {'module': 'a', 'functions': ['f', 'no name']}\n"
        "os.write(1, json.dumps(told).encode() + b'\\n')\n"
        "threading.Event().wait()\n"
    )
    monkeypatch.setattr(completion, "LISTER", slow)
    began = time.monotonic()
    listing = list_functions(sys.executable, project, timeout_s=2.0)
    assert time.monotonic() - began < 10
    assert listing.functions == ("a.f",)
    assert listing.cut == "the listing took longer than 2 s"
    pid = int((project / "child").read_text())

    def gone() -> bool:
        try:
            return (Path("/proc") / str(pid) / "stat").read_text().split(")")[1].split()[0] == "Z"
        except OSError:
            return True

    if os.path.exists("/proc/self/stat"):
        wait_until(gone, what="the end of what the listing had started")


def test_bounds_are_said(project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    bounded = tmp_path / "bounded.py"
    text = completion.LISTER.read_text().replace("MAX_FILES = 2000", "MAX_FILES = 2")
    bounded.write_text(text)
    monkeypatch.setattr(completion, "LISTER", bounded)
    listing = list_functions(sys.executable, project, timeout_s=60, within_s=60)
    assert listing.cut == "there are more than 2 files"
    assert listing.functions == ("hangs.slow",)


def test_a_lister_that_dies_is_said(
    project: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    dies = tmp_path / "dies.py"
    dies.write_text("raise SystemExit(3)\n")
    monkeypatch.setattr(completion, "LISTER", dies)
    assert (
        list_functions(sys.executable, project, timeout_s=60, within_s=60).cut
        == "the listing ended early"
    )
    with pytest.raises(GigQError, match="no folder"):
        list_functions(sys.executable, project / "none")


def test_what_may_be_meant() -> None:
    recent = ["pipeline.images.resize", "jobs.nightly"]
    listed = ["jobs.hourly", "pipeline.images.resize", "pipeline.Resample", "tasks.jobs.x"]
    assert ranked("", recent, listed, 5) == (recent, 2)
    assert ranked("jobs", recent, listed, 5) == (["jobs.nightly", "jobs.hourly", "tasks.jobs.x"], 3)
    assert ranked("RES", recent, listed, 5) == (["pipeline.images.resize", "pipeline.Resample"], 2)
    assert ranked("jobs", recent, listed, 1) == (["jobs.nightly"], 3)
    # What is typed whole is not offered once more.
    assert ranked("jobs.nightly", recent, listed, 5) == ([], 0)


def test_which_package_is_listed_by_itself() -> None:
    assert package_to_list("click.", ["pipeline.f"]) == "click"
    assert package_to_list("click", ["pipeline.f"]) == ""
    assert package_to_list("pipeline.im", ["pipeline.f"]) == ""
    assert package_to_list("a b.c", []) == ""


TYPED = """
import enum
import dataclasses
from typing import Optional, TypedDict
class Mode(enum.Enum):
    FAST = "fast"
    SLOW = "slow"
@dataclasses.dataclass
class Box:
    w: int
class Named(TypedDict):
    w: int
def draw(mode: Mode, box: Box, named: "Named", other: Optional[Mode] = Mode.FAST, x=1): ...
def odd(a: "NoSuchName", b: Mode): ...
"""


def test_enumerations_and_classes_with_fields_are_told(project: Path) -> None:
    (project / "drawing_for_test.py").write_text(TYPED)
    draw = inspect_function("drawing_for_test.draw", sys.executable, project)
    mode, box, named, other, x = draw.parameters
    assert mode.choices == ("fast", "slow")
    assert (box.is_object, named.is_object, x.is_object) == (True, True, False)
    assert (other.default, other.choices) == ('"fast"', ("fast", "slow"))
    odd = inspect_function("drawing_for_test.odd", sys.executable, project)
    assert odd.parameters[1].choices == ("fast", "slow")


def test_what_an_import_forks_ends_with_the_answer(project: Path) -> None:
    (project / "forks_for_test.py").write_text(
        "import os, threading\n"
        "pid = os.fork()\n"
        "if pid == 0:\n"
        "    threading.Event().wait()\n"
        "open('forked', 'w').write(str(pid))\n"
        "def f(a): ...\n"
    )
    info = inspect_function("forks_for_test.f", sys.executable, project)
    assert [parameter.name for parameter in info.parameters] == ["a"]
    pid = int((project / "forked").read_text())

    def gone() -> bool:
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        stat = Path(f"/proc/{pid}/stat")
        return stat.exists() and stat.read_text().split(")")[1].split()[0] == "Z"

    wait_until(gone, what="the end of what the import had forked")


def test_a_child_that_nobody_waits_for_is_killed(project: Path) -> None:
    began = time.monotonic()
    with pytest.raises(GigQError, match="took longer"):
        inspect_function(
            "hangs.slow", sys.executable, project, unwanted=lambda: time.monotonic() > began + 0.5
        )
    assert time.monotonic() - began < 10


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere the pipe says nothing")
def test_an_import_that_hangs_ends_with_the_console_that_asked(project: Path) -> None:
    (project / "stays_for_test.py").write_text(
        "import os, threading\n"
        "open('pid.new', 'w').write(str(os.getpid()))\n"
        "os.rename('pid.new', 'pid')\n"
        "threading.Event().wait()\n"
    )
    code = (
        "import sys; from pathlib import Path\n"
        "from gigq_tui.actions.functions.inspection import inspect_function\n"
        "inspect_function('stays_for_test.f', sys.executable, Path(sys.argv[1]))\n"
    )
    with subprocess.Popen([sys.executable, "-c", code, str(project)]) as console:
        wait_until((project / "pid").exists, what="the import to begin")
        pid = int((project / "pid").read_text())
        assert process_start(pid) is not None
        console.kill()
    wait_until(lambda: process_start(pid) is None, what="the end of the import")
