"""Every action has another key: no screen, panel or notice of all the scenes names a usual one."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from gigq_tui.app import ConsoleApp
from gigq_tui.keys import ACTIONS
from tests.snapshots import (
    test_pictures,
    test_pictures_acts,
    test_pictures_detail_workers,
    test_pictures_list,
    test_pictures_overview,
    test_pictures_tree_workers_form,
)
from tests.snapshots.reader_feed import scene_app
from tests.snapshots.rebound import KEYS, REBOUND, ReboundPilot
from tests.tui.harness import running, screen_text

_no_child = test_pictures_tree_workers_form._no_child
_a_stack = test_pictures_detail_workers._a_stack

SCENES: dict[str, Any] = {
    **{f"main-{name}": scene for name, scene in test_pictures.SCENES.items()},
    **{f"acts-{name}": scene for name, scene in test_pictures_acts.SCENES.items()},
    **{f"list-{name}": scene for name, scene in test_pictures_list.PICTURES.items()},
    **{f"read-{name}": scene for name, scene in test_pictures_detail_workers.SCENES.items()},
    **test_pictures_tree_workers_form.SCENES,
    "overview": test_pictures_overview.pressed("o"),
    "attention": test_pictures_overview.pressed("o", "3", "a", "j"),
    "detail-tabs": test_pictures.keys("enter", "2", "6", find="name:train_full"),
    "range": test_pictures.keys("j", "v"),
    "nothing-matches": test_pictures.keys(find="name:no-such-job"),
    "stack-tab": test_pictures.keys("enter", *["right"] * 4, find="name:dedupe_customers"),
    "paused-view": test_pictures.keys("p"),
    "quit-once": test_pictures.keys("ctrl+c"),
    "find-nothing": test_pictures.keys("enter", "n", find="name:train_full"),
    "wrapped": test_pictures.keys("l", "right_parenthesis", find="name:train_full"),
    "follow": test_pictures.keys("f"),
}
# A question's own keys, what panels and fields say of theirs, and words that only look like keys.
FIXED = re.compile(
    r"\[ [^\[\]]* \([^()]+\) \]|type to narrow, enter runs, esc closes|\besc closes|tab next"
    r"|\bdown picks|Apply \(alt\+s\)|Close \(esc\)|set up workers|A space means"
)
SIGNS = frozenset("+-=/?*<>:[]()")


def usual_keys() -> set[str]:
    """What people call the keys that actions have by default, but for what units are called."""
    named = {word for action in ACTIONS for word in action.shown.split()} - {"twice"}
    return {key for key in named if key not in SIGNS and not key.isdigit()}


def named_in(text: str) -> list[str]:
    """The usual keys that hints of a screen name, each with what follows."""
    keys = "|".join(map(re.escape, sorted(usual_keys() - {"X", "T"})))
    signs = "|".join(map(re.escape, sorted(SIGNS)))
    hint = re.compile(
        rf"(?<![\w$.:/=-])(?:{keys}) (?:[a-z]+s|and|or|then|here|undo|results|gigq-core)\b"
        rf"|(?<!\S)(?:{signs}) (?:starts|sets|finds|filters|shows|opens|drains|chooses)\b"
        rf"|(?<=[a-z]) \((?:{keys}|{signs})\)|(?:[Pp]ress|move,) (?:then )?(?:{keys}|{signs})(?!\S)"
    )
    return [match.group() for match in hint.finditer(FIXED.sub("", text))]


@pytest.mark.parametrize("name", SCENES)
async def test_hints_name_the_keys_that_actions_have(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("jobs.jsonl").write_text('{"source": "a", "api_key": "k"}\n' + '{"source": a}\n' * 30)
    make = test_pictures_acts.console if name.startswith("acts-") else scene_app
    app: ConsoleApp = make(tmp_path, config=REBOUND)
    async with running(app) as pilot:
        await SCENES[name](ReboundPilot(pilot))
        text = screen_text(app)
    assert named_in(text) == [], text


def test_every_action_has_another_key() -> None:
    assert all(not set(KEYS[action.id]) & set(action.keys) for action in ACTIONS)
    assert len({key for keys in KEYS.values() for key in keys}) == len(ACTIONS)
