"""A view in words: read, refused, written as a command, and the same again when that is read."""

from __future__ import annotations

import re
import shlex
from datetime import timedelta
from pathlib import Path

import pytest
from click import Option
from click.testing import CliRunner

from gigq_tui import cli as console_cli
from gigq_tui.actions.shell_command import for_view
from gigq_tui.store.models import Tab
from gigq_tui.store.sorting import Sort, SortKey
from gigq_tui.viewpoint import (
    SCREEN_WORDS,
    TAB_WORDS,
    Destination,
    ViewError,
    Viewpoint,
    destination_of,
    viewpoint_of,
)
from tests.scene import NOW
from tests.tui.harness import make_app

ID = "0adbc7ba-0000-4000-8000-000000000000"
VIEWS = [
    Viewpoint(),
    viewpoint_of(tab="failed"),
    viewpoint_of(tab="failed", filter='err:"it\'s $(here)" -fn:a|b', sort="-dur"),
    viewpoint_of(filter="-name:x", sort="name", open="workers"),
    viewpoint_of(filter='name:"a\tb\x1b[31m" äöü 💥', open=f"tree:{ID}"),
    viewpoint_of(tab="waiting", sort="claim", open="overview:6h"),
    viewpoint_of(open=f"timeline:{ID}"),
    viewpoint_of(columns=("id", "name:30", "param.customer"), sort="name"),
    viewpoint_of(open="job:an id, with 'spaces'"),
]


@pytest.mark.parametrize("view", VIEWS, ids=lambda view: view.summary)
@pytest.mark.parametrize("path", ["/srv/q/jobs.db", "/srv/my queues/it's.db", "/srv/-x.db"])
def test_a_view_comes_back_from_the_command_that_was_copied(
    view: Viewpoint, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shown: list[tuple[Path, Viewpoint, bool]] = []

    def show(file: Path, *, start: Viewpoint, read_only: bool, **_: object) -> int:
        shown.append((file, start, read_only))
        return 0

    monkeypatch.setattr("gigq_tui.run.show", show)
    monkeypatch.setattr(console_cli, "_check_file", lambda _: None)
    monkeypatch.setattr(console_cli, "_need_terminal", lambda: None)
    command = for_view(Path(path), view, read_only=True)
    program, *words = shlex.split(command) if "$'" not in command else _split_by_bash(command)
    assert program == "gigq-tui"
    assert CliRunner().invoke(console_cli.cli, words).exit_code == 0
    assert shown == [(Path(path), view, True)]


def _split_by_bash(command: str) -> list[str]:
    import subprocess

    script = f"printf '%s\\0' {command}"
    answer = subprocess.run(["bash", "-c", script], capture_output=True, check=True, text=True)
    return answer.stdout.split("\0")[:-1]


def test_a_command_names_the_file_so_that_it_is_found_in_any_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert str(tmp_path / "jobs.db") in for_view(Path("jobs.db"), Viewpoint())


def test_the_tab_is_always_said_lest_the_last_view_come_back() -> None:
    assert for_view(Path("/q.db"), Viewpoint()) == "gigq-tui /q.db --tab all"


@pytest.mark.parametrize(
    ("parts", "part", "said"),
    [
        ({"tab": "pending"}, "tab", "choose from all, waiting, running, failed"),
        ({"filter": "a |"}, "filter", "at character 3"),
        ({"sort": "size"}, "sort", "choose from submitted"),
        ({"sort": "claim", "tab": "failed"}, "sort", "can be sorted by"),
        ({"open": "wokers"}, "open", "write workers"),
        ({"open": "x"}, "open", "choose from job:ID, tree:ID"),
        ({"open": "job:"}, "open", "job:ID: write the id"),
        ({"open": "workers:w1"}, "open", "nothing may follow it"),
        ({"open": "overview:soon"}, "open", "write one like 5m"),
    ],
)
def test_what_makes_no_sense_is_refused_with_what_to_write(
    parts: dict[str, str], part: str, said: str
) -> None:
    with pytest.raises(ViewError) as problem:
        viewpoint_of(**parts)
    assert problem.value.part == part
    assert said in str(problem.value)


def test_the_claim_order_brings_the_tab_of_those_that_wait() -> None:
    view = viewpoint_of(sort="claim")
    assert (view.tab, view.sort) == (Tab.WAITING, Sort(SortKey.CLAIM))


def test_a_period_is_written_in_one_way() -> None:
    assert destination_of("overview:60m") == Destination("overview", "1h")


@pytest.mark.parametrize("tab", Tab)
def test_every_tab_is_a_filter_too(tab: Tab) -> None:
    assert bool(Viewpoint(tab).matching) is (tab is not Tab.ALL)


def test_every_screen_that_has_a_word_can_be_opened_by_it() -> None:
    assert set(make_app().services.routes._open.words) == set(SCREEN_WORDS)


def test_what_depends_on_the_hour_becomes_moments() -> None:
    view = viewpoint_of(tab="failed", filter="ended<2h", open="overview:2h").at(NOW)
    assert view == view.at(NOW + timedelta(days=9))
    assert view.open == Destination(
        "overview", "2026-11-23T10:04:31+00:00..2026-11-23T12:04:31+00:00"
    )
    assert destination_of(str(view.open)) == view.open
    assert viewpoint_of(open="workers").at(NOW) == viewpoint_of(open="workers")


def test_the_help_names_every_screen_that_can_be_opened() -> None:
    told = " ".join(CliRunner().invoke(console_cli.cli, ["--help"]).output.split())
    for word in SCREEN_WORDS.values():
        assert word.usage in told


def test_the_help_names_every_tab_and_every_order() -> None:
    helps = {option.name: option for option in console_cli.cli.params if isinstance(option, Option)}
    for name, words in (("tab", TAB_WORDS), ("sort_text", [key.value for key in SortKey])):
        told = re.findall(r"\w+", helps[name].help or "")
        assert set(words) <= set(told)
