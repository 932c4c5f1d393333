"""The configuration file: what it says, what it refuses and how, and that it prints what it is."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from textual.keys import KEY_NAME_REPLACEMENTS, Keys, _character_to_key

from gigq_tui.columns import COLUMNS, WIDE, usual_columns
from gigq_tui.config import ChosenColumn, Config, DatabaseSettings, Label
from gigq_tui.config.label import label_of
from gigq_tui.config.load import config_of, read_config
from gigq_tui.config.model import COLOURS, THEMES
from gigq_tui.config.place import default_path, find
from gigq_tui.config.printing import config_text
from gigq_tui.config.problem import ConfigError, Problem
from gigq_tui.keys import ACTIONS, BY_ID, Keymap, Scope, actions_for
from gigq_tui.keys.key_names import is_typed, key_label, key_name
from gigq_tui.screens.jobs.layout import layout_for
from gigq_tui.store.sorting import Sort, SortKey
from gigq_tui.terminal.theme import PALETTES, THEME_NAMES, fitting

WHOLE = r"""
theme = "light"
mouse = false

[jobs]
columns = ["name:30", "why", "id"]
sort = "-dur"

[keys]
cancel = "x"
down = ["f9", "ctrl+n", "down"]
new = "Q"
filter = ""
half_up = ","

[[database]]
path = "/srv/etl/*.db"
label = "prod"
colour = "red"
read_only = true
python = "/srv/etl/bin/python"
chdir = "~/etl"

[[database]]
path = "/srv/**"
label = "say \"hi\""
"""


def test_a_whole_file_is_understood() -> None:
    config = config_of(WHOLE)
    assert (config.theme, config.mouse) == ("light", False)
    assert config.columns == (ChosenColumn("name", 30), ChosenColumn("why"), ChosenColumn("id"))
    assert config.sort == Sort(SortKey.DURATION, turned=True)
    assert config.keys == {
        "cancel": ("x",),
        "down": ("f9", "ctrl+n", "down"),
        "new": ("Q",),
        "filter": (),
        "half_up": ("comma",),
    }
    assert config.databases[0] == DatabaseSettings(
        "/srv/etl/*.db", "prod", "red", True, "/srv/etl/bin/python", "~/etl"
    )


def test_an_empty_file_changes_nothing() -> None:
    assert config_of("") == Config()


@pytest.mark.parametrize(
    ("text", "key", "said"),
    [
        ("colour = 1", "colour", "no setting 'colour'"),
        ('themes = "dark"', "themes", "did you mean theme?"),
        ('theme = "drak"', "theme", "did you mean dark?"),
        ("theme = 3", "theme", "a text in quotes, not 3"),
        ('mouse = "no"', "mouse", "true or false, not 'no'"),
        ("mouse = 1", "mouse", "true or false"),
        ("jobs = 1", "jobs", "a table"),
        ("keys = 3", "keys", "a table"),
        ('[jobs]\nsrot = "x"', "jobs.srot", "did you mean sort?"),
        ('[jobs]\nsort = "size"', "jobs.sort", "no order 'size': choose from submitted,"),
        ("[jobs]\nsort = 1", "jobs.sort", "a text in quotes"),
        ('[jobs]\ncolumns = "id"', "jobs.columns", "a list"),
        ("[jobs]\ncolumns = [1]", "jobs.columns", "in quotes"),
        ("[jobs]\ncolumns = []", "jobs.columns", "at least one"),
        ('[jobs]\ncolumns = ["nmae"]', "jobs.columns", "did you mean name?"),
        ('[jobs]\ncolumns = ["id", "id"]', "jobs.columns", "twice"),
        ('[jobs]\ncolumns = ["id:x"]', "jobs.columns", "id:N"),
        ('[jobs]\ncolumns = ["id:0"]', "jobs.columns", "from 1 to 500"),
        ('[jobs]\ncolumns = ["id:"]', "jobs.columns", "id:N"),
        ('[keys]\ncancle = "x"', "keys.cancle", "did you mean cancel?"),
        ("[keys]\nopen = 3", "keys.open", '["a", "ctrl+x"]'),
        ("[keys]\nopen = [3]", "keys.open", '["a", "ctrl+x"]'),
        ('[keys]\nopen = "foo"', "keys.open", "'foo' is not a key"),
        ('[keys]\nopen = "enter,,o"', "keys.open", "'' is not a key"),
        ('[keys]\nopen = "hyper+x"', "keys.open", "is not a key"),
        ('[keys]\nretry = "c"', "keys.retry", "'c' is the key of cancel on the Jobs screen too"),
        ('[keys]\nretry = "x"\ncancel = "x"', "keys.retry", "'x' is the key of cancel"),
        (
            '[keys]\nworker_log = "ctrl+i"\nworker_open = "tab"',
            "keys.",
            "on the Workers screen too",
        ),
        ('[keys]\nquit = "z"', "keys.quit", "typed into fields too"),
        ('[keys]\nsubmit = "space"', "keys.submit", "typed into fields too"),
        ('[keys]\nquit = ""\nleave = ""', "keys.quit", "leave the Jobs screen"),
        ('[keys]\nquit = ""\nback = ""', "keys.quit", "leave the New job screen"),
        ('[database]\npath = "/x"', "database", "[[database]]"),
        ('[[database]]\nlabel = "x"', "database[1].path", "which files"),
        ('[[database]]\npath = "/a"\n[[database]]\npath = "x.db"', "database[2].path", "from /"),
        ('[[database]]\npath = "/a"\nchdir = "x"', "database[1].chdir", "whole path"),
        ('[[database]]\npath = "/a"\ncolor = "red"', "database[1].color", "did you mean colour?"),
        ('[[database]]\npath = "/a"\ncolour = "pink"', "database[1].colour", "no colour 'pink'"),
        ('[[database]]\npath = "/a"\nlabel = "\\u001b[31m"', "database[1].label", "printable"),
        (f'[[database]]\npath = "/a"\nlabel = "{"x" * 25}"', "database[1].label", "at most 24"),
        ('[[database]]\npath = "/a"\nread_only = 1', "database[1].read_only", "true or false"),
        ("theme =", "", "not valid TOML"),
        ("mouse = true\nmouse = true", "", "not valid TOML"),
    ],
)
def test_what_is_wrong_is_said_with_its_key_and_a_remedy(text: str, key: str, said: str) -> None:
    with pytest.raises(Problem) as caught:
        config_of(text)
    assert caught.value.key.startswith(key) if key.endswith(".") else caught.value.key == key
    assert said in caught.value.said
    assert "\n" not in caught.value.said


def test_without_ctrl_c_the_other_ways_out_are_enough() -> None:
    assert config_of('[keys]\nquit = ""').keys == {"quit": ()}
    assert config_of('[keys]\nleave = ""').keys == {"leave": ()}


def test_two_keys_may_change_places() -> None:
    keys = config_of('[keys]\ncancel = "r"\nretry = "c"\nworker_drain = "r"\nworker_release = "c"')
    assert keys.keys["retry"] == ("c",)


# --- the file ----------------------------------------------------------------------------------


def refusal(path: Path, *, must_exist: bool = True) -> str:
    with pytest.raises(ConfigError) as caught:
        read_config(path, must_exist=must_exist)
    return str(caught.value)


def test_a_missing_file_is_wrong_only_if_it_was_named(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    assert read_config(path, must_exist=False) == Config()
    assert f"There is no configuration file {path}" in refusal(path)


def test_what_is_no_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_bytes(b'theme = "\xff"')
    assert "not UTF-8 text" in refusal(path)
    assert "Is a directory" in refusal(tmp_path, must_exist=False)


def test_the_sentence_names_file_and_key(tmp_path: Path) -> None:
    path = tmp_path / "config.toml"
    path.write_text("mouse = 3")
    assert refusal(path) == f"{path}, mouse: write true or false, not 3."


def test_where_it_is_looked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("GIGQ_TUI_CONFIG", raising=False)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert default_path().parts[-2:] == ("gigq-tui", "config.toml")
    assert find(None) == (default_path(), False)
    monkeypatch.setenv("GIGQ_TUI_CONFIG", "/x/mine.toml")
    assert find(None) == (Path("/x/mine.toml"), True)
    assert find(Path("other.toml")) == (Path("other.toml"), True)
    monkeypatch.setenv("GIGQ_TUI_CONFIG", "")
    assert find(None) == (default_path(), False)


# --- what is printed, read back ----------------------------------------------------------------


def printed(config: Config) -> str:
    return config_text(config, Path("/x/config.toml"), False)


@pytest.mark.parametrize("text", ["", WHOLE])
def test_what_is_printed_says_the_same(text: str) -> None:
    config = config_of(text)
    assert config_of(printed(config)) == config


def test_everything_is_printed() -> None:
    lines = printed(Config()).splitlines()
    for action in ACTIONS:
        assert any(line.startswith(f"{action.id} = [") for line in lines), action.id
    assert 'theme = "auto"' in "\n".join(lines)
    assert "# /x/config.toml is not there" in "\n".join(lines)


key_names = st.sampled_from(["x", "X", "alt+x", "ctrl+t", "f5", "comma", "quotation_mark", "ö"])
databases = st.builds(
    DatabaseSettings,
    path=st.text(max_size=8).map(lambda text: "/" + text),
    label=st.text(max_size=8).filter(str.isprintable),
    colour=st.sampled_from(("", *COLOURS)),
    read_only=st.booleans(),
    python=st.text(max_size=8),
    chdir=st.sampled_from(("", "~", "/a b")),
)


@given(
    st.builds(
        Config,
        theme=st.sampled_from(THEMES),
        mouse=st.booleans(),
        columns=st.permutations([column.name for column in COLUMNS]).map(
            lambda names: tuple(map(ChosenColumn, names[:5], (None, 7, None, 500, 1)))
        ),
        sort=st.builds(Sort, st.sampled_from(SortKey), st.booleans()),
        keys=st.fixed_dictionaries(
            {"fold": key_names.map(lambda key: (key,)), "mark": st.just(())}
        ),
        databases=st.lists(databases, max_size=3).map(tuple),
    )
)
def test_whatever_is_printed_says_the_same(config: Config) -> None:
    assert config_of(printed(config)) == config


# --- keys --------------------------------------------------------------------------------------


def test_every_key_of_ours_can_be_written_as_it_is_shown() -> None:
    for action in ACTIONS:
        for key in action.keys:
            assert key_name(key) == key_name(key_label(key)) == key


def test_keys_are_called_as_textual_calls_them() -> None:
    for code in range(0x21, 0x7F):
        name = _character_to_key(chr(code))
        name = KEY_NAME_REPLACEMENTS.get(name, name)
        assert key_name(chr(code)) == name
        assert key_name(key_label(name)) == name
    sent_as_others = {"ctrl+h", "ctrl+i", "ctrl+m", "return"}
    odd = {"ctrl+@", "ctrl-at", "<any>", "<ignore>", "<scroll-down>", "<scroll-up>"}
    for key in Keys:
        if key.value not in sent_as_others | odd | {"shift+escape"}:
            assert key_name(key.value) in (key.value, "alt+" + key.value), key


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("/", "slash"),
        ("ESC", "escape"),
        ("pgdn", "pagedown"),
        ("ctrl+P", "ctrl+p"),
        ("shift+c", "C"),
        ("alt+C", "alt+shift+c"),
        ("shift+ctrl+left", "ctrl+shift+left"),
        ("ctrl++", "ctrl+plus"),
        ("+", "plus"),
        ("ctrl+i", "tab"),
        ("ctrl+m", "enter"),
        ("ö", "ö"),
        ("shift+/", None),
        ("ctrl+ctrl+a", None),
        ("f25", None),
        ("", None),
        ("\x1b", None),
        ("ab", None),
    ],
)
def test_keys_as_people_write_them(written: str, name: str | None) -> None:
    assert key_name(written) == name


def test_what_is_typed() -> None:
    assert all(map(is_typed, ("a", "C", "slash", "space", "ö")))
    assert not any(map(is_typed, ("ctrl+a", "enter", "f1", "alt+x")))


def test_a_keymap_tells_the_users_keys() -> None:
    keymap = Keymap({"quit": ("ctrl+x",), "down": ("h", "pagedown"), "filter": ()})
    told = {action.id: action for action in keymap.rebound(actions_for(Scope.JOBS))}
    assert told["quit"].shown == "ctrl+x twice"
    assert told["down"].shown == "h pgdn"
    assert (told["filter"].keys, told["filter"].shown) == ((), "")
    assert told["up"] is BY_ID["up"]


# --- files, labels, colours, columns -----------------------------------------------------------


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("/srv/etl/jobs.db", "/srv/etl/jobs.db", True),
        ("/srv/etl/jobs.db", "/srv/etl/jobs.db2", False),
        ("/srv/*/jobs.db", "/srv/etl/jobs.db", True),
        ("/srv/*.db", "/srv/etl/jobs.db", False),
        ("/srv/**/*.db", "/srv/etl/jobs.db", True),
        ("/srv/**/*.db", "/srv/jobs.db", True),
        ("/srv/**", "/srv/a/b/c", True),
        ("/srv/job?.db", "/srv/jobs.db", True),
        ("/srv/[ab].db", "/srv/a.db", False),
        ("/srv/jobs.db", "/srv/etl/../jobs.db", True),
    ],
)
def test_which_files_an_entry_means(pattern: str, path: str, matches: bool) -> None:
    assert DatabaseSettings(pattern).matches(Path(path)) is matches


def test_a_link_is_known_by_where_it_leads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("HOME", str(tmp_path))
    Path("jobs.db").touch()
    Path("link.db").symlink_to("jobs.db")
    assert DatabaseSettings("~/jobs.db").matches(Path("link.db"))
    assert DatabaseSettings("~/link.db").matches(Path("link.db"))
    assert not DatabaseSettings("~/link.db").matches(Path("jobs.db"))


def test_the_first_entry_that_matches_holds() -> None:
    config = Config(databases=(DatabaseSettings("/a", "one"), DatabaseSettings("/*", "two")))
    assert [config.database(Path(path)).label for path in ("/a", "/b", "/b/c")] == [
        "one",
        "two",
        "",
    ]


@pytest.mark.parametrize(
    ("label", "environment", "told"),
    [
        ("prod", {}, "prod"),
        ("prod", {"SSH_CONNECTION": "1.2.3.4 5 6.7.8.9 22"}, "prod@etl-3"),
        ("", {"SSH_TTY": "/dev/pts/3"}, "@etl-3"),
        ("", {}, ""),
    ],
)
def test_the_host_is_told_over_ssh(label: str, environment: dict[str, str], told: str) -> None:
    settings = DatabaseSettings("/x", label, "red")
    assert label_of(settings, environment, "etl-3.example.org") == Label(told, "red")


@pytest.mark.parametrize(
    ("wanted", "can", "no_color", "theme"),
    [
        ("auto", "truecolor", False, "dark"),
        ("auto", "256", False, "dark"),
        ("auto", "standard", False, "ansi"),
        ("auto", None, False, "ansi"),
        ("light", "standard", False, "light"),
        ("light", "truecolor", True, "ansi"),
        ("auto", "truecolor", True, "ansi"),
    ],
)
def test_the_theme_fits_the_terminal(
    wanted: str, can: str | None, no_color: bool, theme: str
) -> None:
    assert fitting(wanted, can, no_color) == theme


def test_every_theme_and_colour_that_can_be_named_is_there() -> None:
    assert set(THEMES) == {"auto", *THEME_NAMES}
    for palette in PALETTES.values():
        assert {f"label-{colour}" for colour in COLOURS} <= set(palette)


@pytest.mark.parametrize("width", [*range(8, 140, 11), 99, 100, 119])
@pytest.mark.parametrize(
    "names",
    [
        ("why", "name", "id"),
        ("name", "id", "worker", "pri", "att", "age", "dur", "state"),
        ("name:30", "why:20"),
        ("id",),
    ],
)
def test_chosen_columns_fit_as_far_as_they_can(width: int, names: tuple[str, ...]) -> None:
    columns = config_of(f"[jobs]\ncolumns = {list(names)}").columns
    layout = layout_for(width, columns)
    titles = [placed.column.name for placed in layout.columns]
    order = [column.name for column in columns]
    assert titles == [name for name in order if name in titles]
    used = layout.gutter + sum(placed.cells for placed in layout.columns) + len(titles) - 1
    assert used <= width or len(titles) == 1


def test_what_was_not_chosen_is_laid_out_as_ever() -> None:
    names = [column.name for column in usual_columns()]
    # To list them all, in their order, is to choose none.
    assert config_of(f"[jobs]\ncolumns = {names}") == Config()
    assert [placed.column for placed in layout_for(WIDE).columns] == list(usual_columns())
