"""The user's editor: a private file that is gone afterwards, whatever the editor did."""

from __future__ import annotations

import os
import signal
import stat
import sys
import tempfile
from pathlib import Path

import pytest

from gigq_core.errors import GigQError
from gigq_tui.actions.editor import edit_text, editor_words


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the private files are made."""
    place = tmp_path / "tmp"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))
    return place


def use(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, body: str) -> None:
    """Make an editor of some Python; `file` is the path that it was given."""
    script = tmp_path / "my editor.py"
    script.write_text(f"import os, signal, sys\nfile = sys.argv[-1]\n{body}\n")
    monkeypatch.setenv("VISUAL", f"'{sys.executable}' '{script}' --wait")


def test_the_text_comes_back_and_the_file_is_private(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    note = tmp_path / "note"
    use(
        monkeypatch,
        tmp_path,
        f"modes = [os.stat(p).st_mode for p in (file, os.path.dirname(file))]\n"
        f"open({str(note)!r}, 'w').write(repr((modes, file, sys.argv[1])))\n"
        "text = open(file).read()\n"
        "open(file + '~', 'w').write(text)\n"
        "open(file, 'w').write(text.upper())",
    )
    assert edit_text('{"a": 1}\n') == '{"A": 1}\n'
    modes, file, option = eval(note.read_text())
    assert [stat.S_IMODE(mode) for mode in modes] == [0o600, 0o700]
    assert file.startswith(str(folder))
    assert file.endswith(".json")
    assert option == "--wait"
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        ("sys.exit(3)", "ended with status 3: nothing was changed"),
        ("os.kill(os.getpid(), signal.SIGKILL)", "was ended by signal 9"),
        ("os.unlink(file)", "can't be read: No such file"),
        ("open(file, 'wb').write(b'\\xff')", "not valid UTF-8 at byte 1"),
        ("open(file, 'wb').write(b'x' * 4_000_001)", "longer than 4,000,000 bytes"),
    ],
)
def test_a_failing_editor(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, body: str, sentence: str
) -> None:
    use(monkeypatch, tmp_path, body)
    with pytest.raises(GigQError, match=sentence):
        edit_text("x")
    assert list(folder.iterdir()) == []


def test_ctrl_c_belongs_to_the_editor(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = signal.getsignal(signal.SIGINT)
    use(
        monkeypatch,
        tmp_path,
        "assert signal.getsignal(signal.SIGINT) is signal.default_int_handler\n"
        "os.kill(os.getppid(), signal.SIGINT)\n"
        "os.kill(os.getppid(), signal.SIGQUIT)\n",
    )
    assert edit_text("same") == "same"
    assert signal.getsignal(signal.SIGINT) is before


def test_which_editor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert editor_words({"VISUAL": "code --wait", "EDITOR": "ed"}) == ["code", "--wait"]
    assert editor_words({"VISUAL": " ", "EDITOR": "'my ed' -x"}) == ["my ed", "-x"]
    with pytest.raises(GigQError, match="EDITOR is not a valid command"):
        editor_words({"EDITOR": "'half"})
    (tmp_path / "nano").write_text("#!/bin/sh\n")
    (tmp_path / "nano").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert editor_words({}) == ["nano"]
    (tmp_path / "nano").unlink()
    with pytest.raises(GigQError, match="set EDITOR"):
        editor_words({})
    monkeypatch.setenv("VISUAL", "/no/such/editor")
    with pytest.raises(GigQError, match="can't be started: No such file"):
        edit_text("x")
    assert not [name for name in os.listdir(tempfile.gettempdir()) if name == "params.json"]


def test_a_file_that_can_not_be_written_is_a_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use(monkeypatch, tmp_path, "pass")
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    with pytest.raises(GigQError, match="can't be written: No such file or directory"):
        edit_text("{}")
