"""The parameters as a text for an editor, and back."""

from __future__ import annotations

import json
from typing import Any

import pytest

from gigq_tui.actions.functions.inspection import FunctionInfo, Parameter
from gigq_tui.screens.submit.param_specs import specs_for
from gigq_tui.screens.submit.texts import TextMistake, offer, read_back

INFO = FunctionInfo(
    "shop.f",
    "",
    (
        Parameter("src", "POSITIONAL_OR_KEYWORD", "str", "", True),
        Parameter("w", "POSITIONAL_OR_KEYWORD", "int", "1024", False),
        Parameter("when", "KEYWORD_ONLY", "", "<object>", False),
    ),
)
SPECS = specs_for(INFO, {})
SECRETS: dict[str, Any] = {
    "src": "a",
    "token": "hunter2",
    "auth": {"password": "p4ss", "user": "me"},
    "hosts": [{"api_key": "k1"}, {"api_key": "k2"}],
}


def back(text: str, values: dict[str, Any]) -> dict[str, Any]:
    return read_back(text, offer(SPECS, values), SPECS, values)


def test_what_is_offered() -> None:
    assert offer(SPECS, {}).shown == {"src": None, "w": 1024}
    assert offer(SPECS, {"w": 5, "more": [1]}).shown == {"src": None, "w": 5, "more": [1]}
    assert json.loads(offer([], {"a": "é\n"}).text) == {"a": "é\n"}


def test_halves_of_characters_are_offered_as_escapes() -> None:
    values = {"src": "\ud800 é", "token": "\udfff"}
    text = offer(SPECS, values).text
    assert "\\ud800 \\u00e9" in text.encode("utf-8").decode()
    assert back(text, values) == values


def test_what_was_only_offered_is_left_out() -> None:
    assert back(offer(SPECS, {}).text, {}) == {}
    assert back('{"src": "x", "w": 1024}', {}) == {"src": "x"}
    assert back('{"src": "x", "w": 1025}', {}) == {"src": "x", "w": 1025}
    # What was typed stays, even if it is the default.
    assert back('{"src": null, "w": 1024}', {"w": 1024}) == {"w": 1024}
    assert back("{}", {"w": 5}) == {}


def test_secrets_stand_in_it_as_placeholders_and_are_kept() -> None:
    text = offer(SPECS, SECRETS).text
    for secret in ("hunter2", "p4ss", "k1", "k2"):
        assert secret not in text
    assert back(text, SECRETS) == SECRETS
    told = json.loads(text)
    told["token"] = "new"
    told["auth"]["user"] = "you"
    del told["hosts"][0]
    assert back(json.dumps(told), SECRETS) == {
        "src": "a",
        "token": "new",
        "auth": {"password": "p4ss", "user": "you"},
        "hosts": [{"api_key": "k2"}],
    }


def test_a_placeholder_that_keeps_nothing() -> None:
    with pytest.raises(TextMistake, match="is not a placeholder"):
        back('{"password": "<kept: password>"}', {})


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('{\n  "a": 1,\n  "b" 2\n}', "line 3, column 7: Expecting ':' delimiter"),
        ("", "line 1, column 1: Expecting value"),
        ("[1]", "line 1, column 1: write one JSON object, {...}"),
        ('{"a": NaN}', "NaN is not JSON"),
        ('{"a": 1, "a": 2}', '"a" appears twice.'),
        ("[" * 100_000, "it is nested too deeply"),
    ],
)
def test_mistakes_are_told_with_their_place(text: str, sentence: str) -> None:
    with pytest.raises(TextMistake) as caught:
        back(text, {})
    assert str(caught.value) == sentence
