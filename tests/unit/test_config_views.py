"""The `[[view]]` entries: read, refused in one sentence, and written among what the user wrote."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigq_tui.config import last_view
from gigq_tui.config.load import MAX_NAME, config_of, name_problem, toml_of
from gigq_tui.config.model import ChosenColumn, NamedView
from gigq_tui.config.printing import config_text
from gigq_tui.config.problem import ConfigError, Problem
from gigq_tui.config.views import delete, entry_text, rename, save
from gigq_tui.viewpoint import Viewpoint, viewpoint_of

NIGHT = NamedView(
    "failed at night",
    viewpoint_of(
        tab="failed",
        filter='err:"time out"',
        sort="-ended",
        columns=("id", "name:30"),
        open="overview:6h",
    ),
)
# Whatever stands beside the views has to be there afterwards, letter by letter.
MINE = """\
# my own, in git
theme = "dark"    # not light

[[view]]   # the first one
name = "a"  # short
# about it
filter = "name:x"

# about b
[[view]]
name = 'b'
columns = [
  "id",   # always
  "name",
]

[keys]
cancel = "x"
[[database]]
path = "/srv/[a]/*.db"

[[view]]
name = "c"
# the end
"""


def test_a_view_is_read_with_all_its_parts() -> None:
    config = config_of(entry_text(NIGHT))
    assert config.views == (NIGHT,)
    assert config.view("failed at night") == NIGHT.view
    assert [ChosenColumn.of(text) for text in NIGHT.view.columns] == [
        ChosenColumn("id"),
        ChosenColumn("name", 30),
    ]


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("view = 3", "view", "under [[view]]"),
        ("[view]\nname = 'a'", "view", "under [[view]]"),
        ("[[view]]\ntab = 'failed'", "view[1].name", "needs a name"),
        ("[[view]]\nname = ' a'", "view[1].name", "no space at its ends"),
        ("[[view]]\nname = 'a'\n[[view]]\nname = 'a'", "view[2].name", "there twice"),
        ("[[view]]\nname = 'a'\nfilters = 'x'", "view[1].filters", "did you mean filter?"),
        ("[[view]]\nname = 'a'\nfilter = 'x |'", "view[1].filter", "at character 3"),
        ("[[view]]\nname = 'a'\ntab = 'dead'", "view[1].tab", "choose from all"),
        ("[[view]]\nname = 'a'\nsort = 'size'", "view[1].sort", "no order 'size'"),
        ("[[view]]\nname = 'a'\ntab = 'done'\nsort = 'claim'", "view[1].sort", "sorted by"),
        ("[[view]]\nname = 'a'\nopen = 'tree'", "view[1].open", "tree:ID"),
        ("[[view]]\nname = 'a'\ncolumns = ['size']", "view[1].columns", "no column 'size'"),
        ("[[view]]\nname = 'a'\ncolumns = []", "view[1].columns", "at least one"),
        ("last_view = 1", "last_view", "true or false"),
    ],
)
def test_a_mistake_is_told_with_its_place_and_what_to_write(text: str, key: str, said: str) -> None:
    with pytest.raises(Problem) as problem:
        config_of(text)
    assert problem.value.key == key
    assert said in problem.value.said
    assert problem.value.said.endswith((".", "?"))


def test_what_is_printed_reads_the_same() -> None:
    config = config_of("last_view = false\n" + entry_text(NIGHT))
    assert config_of(config_text(config, Path("/x"), True)) == config


# --- writing


def test_the_first_view_makes_the_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "config.toml"
    assert save(path, NIGHT) == (NIGHT,)
    assert path.read_text() == entry_text(NIGHT) + "\n"


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_new_view_is_put_at_the_end_and_all_else_stays(tmp_path: Path, end: str) -> None:
    path = tmp_path / "config.toml"
    before = MINE.replace("\n", end)
    path.write_bytes(before.encode())
    views = save(path, NIGHT)
    assert [each.name for each in views] == ["a", "b", "c", NIGHT.name]
    assert path.read_bytes().decode() == before + end + entry_text(NIGHT).replace("\n", end) + end


def test_a_view_that_is_saved_again_stays_in_its_place_with_its_remarks(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(MINE)
    save(path, NamedView("a", viewpoint_of(tab="done")))
    assert path.read_text() == MINE.replace(
        '[[view]]   # the first one\nname = "a"  # short\n# about it\nfilter = "name:x"\n',
        '[[view]]\nname = "a"\ntab = "done"\n# about it\n',
    )


@pytest.mark.parametrize(
    ("name", "gone"),
    [
        ("a", '[[view]]   # the first one\nname = "a"  # short\n# about it\nfilter = "name:x"\n\n'),
        ("b", '[[view]]\nname = \'b\'\ncolumns = [\n  "id",   # always\n  "name",\n]\n'),
        ("c", '[[view]]\nname = "c"\n'),
    ],
)
def test_a_deleted_view_takes_its_own_lines_along_and_no_others(
    tmp_path: Path, name: str, gone: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(MINE)
    assert gone in MINE
    left = delete(path, name)
    assert name not in [each.name for each in left]
    assert path.read_text() == MINE.replace(gone, "")


def test_a_renamed_view_keeps_what_stands_behind_its_name(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text(MINE)
    assert [each.name for each in rename(path, "a", 'say "hi"')] == ['say "hi"', "b", "c"]
    assert path.read_text() == MINE.replace('"a"  # short', '"say \\"hi\\""  # short')
    with pytest.raises(ConfigError, match="take another name"):
        rename(path, "b", "c")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("view = [{name = 'a'}]\n", "edit them by hand"),
        ("view.x = 1\n", "under"),
        ("theme = 'pink'\n", "theme"),
        ("theme = ", "not valid TOML"),
        ("[[view]]\n'name' = 'b'\n", "edit them by hand"),
        ("[[view]]\nname = '''b'''\n", "edit them by hand"),
    ],
)
def test_a_file_that_can_not_be_edited_surely_is_left_as_it_is(
    tmp_path: Path, text: str, said: str
) -> None:
    path = tmp_path / "config.toml"
    path.write_text(text)
    with pytest.raises(ConfigError, match=said):
        save(path, NamedView("b", Viewpoint()))
    assert path.read_text() == text


def test_what_can_not_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="not a file that views can be written into"):
        save(Path(os.devnull), NIGHT)
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="can't be"):
        save(tmp_path / "file" / "config.toml", NIGHT)


def test_a_link_still_leads_to_the_file_and_the_mode_stays(tmp_path: Path) -> None:
    real, link = tmp_path / "dotfiles.toml", tmp_path / "config.toml"
    real.write_text("# mine\n")
    real.chmod(0o600)
    link.symlink_to(real)
    save(link, NIGHT)
    assert link.is_symlink()
    assert NIGHT.name in real.read_text()
    assert stat.S_IMODE(real.stat().st_mode) == 0o600
    assert sorted(each.name for each in tmp_path.iterdir()) == ["config.toml", "dotfiles.toml"]


NAMES = st.text(st.characters(blacklist_categories=("Cs", "Cc")), max_size=MAX_NAME).filter(
    lambda name: not name_problem(name)
)
REMARKS = st.lists(
    st.sampled_from(["", "# remark", "theme = 'dark'", "[keys]", "cancel = 'x' # y", "  "])
    | st.sampled_from([f"[[view]]\nname = 'v{number}'\ntab = 'done'" for number in range(3)]),
    max_size=8,
)


@settings(deadline=None)
@given(lines=REMARKS, names=st.lists(NAMES, min_size=1, max_size=4))
def test_any_edits_say_in_toml_just_what_was_meant(
    tmp_path_factory: pytest.TempPathFactory, lines: list[str], names: list[str]
) -> None:
    path = tmp_path_factory.mktemp("views") / "config.toml"
    text = "\n".join(lines) + "\n"
    try:
        others = config_of(text)
    except Problem:
        return
    path.write_text(text)
    meant = {each.name: each.view for each in others.views}
    for name in names:
        meant[name] = NIGHT.view
        save(path, NamedView(name, NIGHT.view))
    gone = next(iter(meant))
    del meant[gone]
    assert dict(delete(path, gone)) == meant
    left = toml_of(path.read_text())
    left.pop("view", None)
    was = toml_of(text)
    was.pop("view", None)
    assert left == was
    assert path.read_text().count("# remark") >= text.count("# remark")


# --- the last view


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    return tmp_path / "state"


def test_each_file_has_its_own_last_view(tmp_path: Path, state: Path) -> None:
    one, other, link = tmp_path / "one.db", tmp_path / "other.db", tmp_path / "link.db"
    one.write_text("")
    link.symlink_to(one)
    last_view.remember(one, NIGHT.view)
    assert last_view.recall(link) == NIGHT.view
    assert last_view.recall(other) is None
    (kept,) = (state / "gigq-tui" / "views").iterdir()
    assert stat.S_IMODE(kept.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("name:x", True),
        ("param.token:abc", False),
        ("fn:a (x|-param.db.password=abc)", False),
        ("param.customer:17 err:token", True),
    ],
)
def test_the_value_of_a_secret_is_not_kept(
    tmp_path: Path, state: Path, text: str, kept: bool
) -> None:
    view = viewpoint_of(tab="failed", filter=text)
    last_view.remember(tmp_path / "q.db", view)
    assert last_view.recall(tmp_path / "q.db") == (view if kept else viewpoint_of(tab="failed"))
    (file,) = (state / "gigq-tui" / "views").iterdir()
    assert ("abc" in file.read_text()) is False


def test_no_more_files_are_kept_than_there_may_be(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(last_view, "MOST_FILES", 3)
    for number in range(6):
        last_view.remember(tmp_path / f"{number}.db", NIGHT.view)
        last = max((state / "gigq-tui" / "views").iterdir(), key=lambda each: each.stat().st_ctime)
        os.utime(last, (number, number))
    known = [last_view.recall(tmp_path / f"{number}.db") is not None for number in range(6)]
    assert known == [False, False, False, True, True, True]


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"view": 3}', '{"view": {"tab": "x"}}', '{"view": {"tab": 3}}']
)
def test_what_is_damaged_or_of_another_release_counts_as_nothing(
    tmp_path: Path, state: Path, text: str
) -> None:
    last_view.remember(tmp_path / "q.db", NIGHT.view)
    (file,) = (state / "gigq-tui" / "views").iterdir()
    file.write_text(text)
    assert last_view.recall(tmp_path / "q.db") is None


def test_a_folder_that_can_not_be_written_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)
    last_view.remember(tmp_path / "q.db", NIGHT.view)
    assert last_view.recall(tmp_path / "q.db") is None


def test_a_folder_that_hangs_holds_nothing_up(
    tmp_path: Path, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.mkfifo(fifo := tmp_path / "pipe")
    monkeypatch.setattr(last_view, "_place", lambda _: fifo)
    monkeypatch.setattr(last_view, "WITHIN_S", 0.05)
    assert last_view.recall(tmp_path / "q.db") is None
    # Whoever hangs there is let go.
    with fifo.open("w"):
        pass
