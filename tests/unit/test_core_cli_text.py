"""What `gigq-core` prints: harmless, aligned, and as long as a line can bear."""

from __future__ import annotations

import json
import re
import unicodedata

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from gigq_core.cli.group import Group
from gigq_core.cli.main import cli
from gigq_core.cli.output import CELL_LIMIT, cell, shown_time, table, width, write_json
from gigq_core.text import inert

STEERING = {"Cc", "Cs", "Zl", "Zp"}
BIDI = set("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


@given(st.text())
def test_inert_text_holds_nothing_that_steers_a_terminal(text: str) -> None:
    shown = inert(text)
    assert not [c for c in shown if unicodedata.category(c) in STEERING or c in BIDI]


UNSEEN = "\u115f\u1160\u3164\uffa0"


@given(st.text(st.characters(exclude_categories=["C", "Z", "M"], exclude_characters=UNSEEN)))
def test_harmless_text_stays_as_it_is(text: str) -> None:
    assert inert(text) == text


def test_lines_and_tabs_stay_where_they_are_wanted() -> None:
    assert inert("a\tb\nc\r", lines=True) == "a\tb\nc\\x0d"
    assert inert("a\tb\nc") == "a\\x09b\\x0ac"


def test_a_cell_is_cut() -> None:
    shown = cell("x" * 1_000_000)
    assert shown == "x" * CELL_LIMIT + "…"


@pytest.mark.parametrize(
    ("stored", "shown"),
    [
        ("2026-01-02T03:04:05.678901", "2026-01-02 03:04:05"),
        (None, "-"),
        ("", "-"),
        ("never\x1b", "never\\x1b"),
        (7, "7"),
    ],
)
def test_a_stored_time_is_shown_to_the_second(stored: object, shown: str) -> None:
    assert shown_time(stored) == shown


def test_columns_stand_below_each_other_whatever_the_script(
    capsys: pytest.CaptureFixture[str],
) -> None:
    names = ["plain", "日本語", "naïve", "e\u0301clair"]
    table(("Name", "N"), [(name, 1) for name in names])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == ["Name", *names]
    assert {width(line.rpartition(" ")[0]) for line in lines} == {7}


def test_a_flood_of_marks_is_thinned_and_what_hides_is_shown() -> None:
    assert inert("a" + "\u0301" * 1_000 + "b") == "a" + "\u0301" * 4 + "\ufffdb"
    assert inert("a\u3164b\U000e0041") == "a\\u3164b\\U000e0041"
    assert inert("-" * 20 + "\u2500" * 20) == "-" * 20 + "\u2500" * 20


def test_what_json_can_not_hold_is_printed_as_text(capsys: pytest.CaptureFixture[str]) -> None:
    deep: list[object] = [float("inf")]
    for _ in range(5_000):
        deep = [deep]
    write_json({"deep": deep, "bytes": b"caf\xe9"})
    told = capsys.readouterr().out
    assert json.loads(told)["bytes"] == "caf\ufffd"
    assert "nested too deep" in told


def test_json_is_plain_ascii_and_has_no_nan(capsys: pytest.CaptureFixture[str]) -> None:
    write_json({"a": "\x1b é 🚀", "b": [float("nan"), {"c": float("-inf")}]})
    text = capsys.readouterr().out
    assert text.isascii()
    assert "\x1b" not in text
    assert json.loads(text) == {"a": "\x1b é 🚀", "b": ["nan", {"c": "-inf"}]}


GROUPS = {"": cli} | {
    name: command for name, command in cli.commands.items() if isinstance(command, Group)
}


@pytest.mark.parametrize("name", GROUPS)
def test_the_list_of_commands_says_of_each_in_80_columns_what_it_does(name: str) -> None:
    words = [*name.split(), "--help"]
    shown = CliRunner().invoke(cli, words, terminal_width=80).output
    listed = re.findall(r"^  [a-z-]+  .*$", shown.rpartition("and exit.\n")[2], re.MULTILINE)
    assert len(listed) == len(GROUPS[name].commands)
    assert [line for line in listed if not line.endswith(".") or line.endswith("..")] == []
