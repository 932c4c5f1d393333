"""The pictures of the documents are of the screens as they are now."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.pages import ROOT


def test_the_script_makes_the_pictures_that_lie_there(tmp_path: Path) -> None:
    make = [sys.executable, str(ROOT / "screenshots" / "make.py"), "jobs", "--folder", tmp_path]
    done = subprocess.run(make, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("jobs-120x32.svg", "jobs-80x24.svg"):
        made, kept = (tmp_path / name).read_text(), (ROOT / "screenshots" / name).read_text()
        assert made == kept, f"{name} is of yesterday: run `python screenshots/make.py`"


def test_no_picture_shows_the_folder_that_it_was_made_in() -> None:
    for picture in sorted((ROOT / "screenshots").glob("*.svg")):
        assert "/tmp/" not in picture.read_text("utf-8"), picture.name
