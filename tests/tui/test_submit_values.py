"""What is typed into the form, and the values that come of it."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigq_tui.actions.functions.inspection import FunctionInfo, Parameter
from gigq_tui.screens.submit.field_types import Base, FieldType, field_type_of, hint_of, signature
from gigq_tui.screens.submit.param_specs import MISSING, kept_dependencies, specs_for, split_ids
from gigq_tui.screens.submit.parse_value import (
    ValueTrouble,
    parse_other,
    parse_seconds,
    parse_value,
    parse_whole,
    text_of,
)
from tests.tui.harness import detail_of, row


def parameter(annotation: str = "", default: str = "", name: str = "x") -> Parameter:
    return Parameter(name, "POSITIONAL_OR_KEYWORD", annotation, default, not default)


INTS = FieldType(Base.LIST, item=FieldType(Base.WHOLE))
INT_OR_TEXT = (FieldType(Base.WHOLE), FieldType(Base.TEXT))


@pytest.mark.parametrize(
    ("annotation", "default", "kind"),
    [
        ("str", "", FieldType(Base.TEXT)),
        ("'int'", "", FieldType(Base.WHOLE)),
        ("float", "0.5", FieldType(Base.NUMBER)),
        ("bool", "", FieldType(Base.TRUTH)),
        ("list", "", FieldType(Base.LIST)),
        ("list[int]", "", INTS),
        ("typing.List[str]", "", FieldType(Base.LIST, item=FieldType(Base.TEXT))),
        ("collections.abc.Sequence[Any]", "", FieldType(Base.LIST)),
        ("tuple[int, ...]", "", INTS),
        ("tuple[int, str]", "", FieldType(Base.LIST)),
        ("dict[str, int | None]", "", FieldType(Base.OBJECT, item=FieldType(Base.WHOLE, True))),
        ("Literal['a', 1]", "", FieldType(choices=("a", 1))),
        ("typing.Optional[typing.Literal['a']]", "", FieldType(Base.ANY, True, ("a",))),
        ("Annotated[int, 'more']", "", FieldType(Base.WHOLE)),
        ("Union[int, str, None]", "", FieldType(Base.ANY, True, options=INT_OR_TEXT)),
        ("Union[int, Path]", "", FieldType(Base.ANY)),
        ("(", "", FieldType()),
        ("int if x else str", "", FieldType()),
        ("Optional[int]", "null", FieldType(Base.WHOLE, True)),
        ("str | None", "null", FieldType(Base.TEXT, True)),
        ("list[int] | None", "null", FieldType(Base.LIST, True, item=FieldType(Base.WHOLE))),
        ("int | str", "", FieldType(Base.ANY, options=INT_OR_TEXT)),
        ("Path", "", FieldType(Base.ANY)),
        ("", "", FieldType(Base.ANY)),
        ("", '"left"', FieldType(Base.TEXT)),
        ("", "100", FieldType(Base.NUMBER)),
        ("", "true", FieldType(Base.TRUTH)),
        ("", "null", FieldType(Base.ANY, True)),
        ("", "<object object>", FieldType(Base.ANY)),
    ],
)
def test_kinds(annotation: str, default: str, kind: FieldType) -> None:
    assert field_type_of(parameter(annotation, default)) == kind


@pytest.mark.parametrize(
    ("text", "base", "value"),
    [
        ("12", Base.TEXT, "12"),
        ('"12"', Base.TEXT, "12"),
        ('""', Base.TEXT, ""),
        ('"half', Base.TEXT, '"half'),
        (" 12 ", Base.WHOLE, 12),
        ("1e3", Base.NUMBER, 1000.0),
        ("True", Base.TRUTH, True),
        ("[1, 2]", Base.LIST, [1, 2]),
        ('{"a": 1}', Base.OBJECT, {"a": 1}),
        ("s3://in/1.png", Base.ANY, "s3://in/1.png"),
        ("12", Base.ANY, 12),
        ('"12"', Base.ANY, "12"),
        ("NaN", Base.ANY, "NaN"),
        ("null", Base.ANY, None),
    ],
)
def test_reading(text: str, base: Base, value: Any) -> None:
    assert parse_value(text, FieldType(base)) == value


@pytest.mark.parametrize(
    ("text", "base", "sentence"),
    [
        ("many", Base.WHOLE, "must be a whole number"),
        ("1.5", Base.WHOLE, "must be a whole number"),
        ("true", Base.WHOLE, "must be a whole number"),
        ("many", Base.NUMBER, "must be a number"),
        ("NaN", Base.NUMBER, "must be a number"),
        ("yes", Base.TRUTH, "must be true or false"),
        ("{}", Base.LIST, "must be a JSON list"),
        ("1, 2", Base.LIST, "must be a JSON list"),
        ("[1, 2", Base.LIST, "not JSON: Expecting ',' delimiter, character 6"),
        ('{"a"}', Base.ANY, "not JSON: Expecting ':' delimiter, character 5"),
        ("null", Base.OBJECT, "must be a JSON object"),
        ("[" * 100_000, Base.ANY, "nested too deeply"),
        ("9" * 5_000, Base.WHOLE, "must be a whole number"),
    ],
)
def test_mistakes(text: str, base: Base, sentence: str) -> None:
    with pytest.raises(ValueTrouble) as caught:
        parse_value(text, FieldType(base))
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("annotation", "text", "value"),
    [
        ("list[int]", "[1, 2]", [1, 2]),
        ("dict[str, float]", '{"a": 1}', {"a": 1}),
        ("Literal['fast', 2]", "fast", "fast"),
        ("Literal['fast', 2]", '"fast"', "fast"),
        ("Literal['fast', 2]", " 2 ", 2),
        ("Literal['2']", "2", "2"),
        ("int | str", "5", 5),
        ("int | str", '"5"', "5"),
        ("int | str", "five", "five"),
        ("int | list[int]", "[5]", [5]),
        ("Optional[Literal['a']]", "null", None),
    ],
)
def test_reading_by_annotation(annotation: str, text: str, value: Any) -> None:
    read = parse_value(text, field_type_of(parameter(annotation)))
    assert (type(read), read) == (type(value), value)


@pytest.mark.parametrize(
    ("annotation", "text", "sentence"),
    [
        ("list[int]", "[1, true]", "item 2 must be a whole number"),
        ("list[list[str]]", '[["a"], ["b", 3]]', "item 2 item 2 must be text"),
        ("dict[str, int]", '{"a": 1, "b": "x"}', "b must be a whole number"),
        ("Literal['fast', 'slow', 2]", "fsat", "must be fast, slow or 2"),
        ("Literal['fast']", '"fast', "not JSON: Unterminated string starting at, character 1"),
        ("int | bool", "five", "must be a whole number or true or false"),
    ],
)
def test_mistakes_by_annotation(annotation: str, text: str, sentence: str) -> None:
    with pytest.raises(ValueTrouble) as caught:
        parse_value(text, field_type_of(parameter(annotation)))
    assert str(caught.value) == sentence


def test_enumerations_and_classes_with_fields() -> None:
    mode = Parameter("m", "KEYWORD_ONLY", "shop.Mode", '"fast"', False, ("fast", "slow"))
    assert parse_value("slow", field_type_of(mode)) == "slow"
    assert hint_of(mode) == 'fast or slow = "fast"'
    with pytest.raises(ValueTrouble, match="must be fast or slow"):
        parse_value("Fast", field_type_of(mode))
    box = Parameter("b", "KEYWORD_ONLY", "shop.Box", "", True, (), True)
    assert field_type_of(box) == FieldType(Base.OBJECT)
    assert hint_of(box) == "Box, a JSON object, required"
    many = FieldType(choices=tuple(range(9)))
    assert many.wanted == "0, 1, 2, 3, 4, 5 or 3 more"


def test_null_where_it_is_allowed() -> None:
    assert parse_value("null", FieldType(Base.TEXT, True)) is None
    assert parse_value("null", FieldType(Base.TEXT)) == "null"


VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(VALUES, st.sampled_from(list(Base)))
def test_what_is_offered_reads_as_the_same_value(value: Any, base: Base) -> None:
    text = text_of(value, FieldType(base))
    if text is not None:
        assert text.isprintable()
        assert json.dumps(parse_value(text, FieldType(base))) == json.dumps(value)


@given(VALUES)
def test_any_value_can_be_offered_somewhere(value: Any) -> None:
    text = text_of(value, FieldType())
    assert text is not None or len(json.dumps(value)) > 4000


def test_other_lines() -> None:
    assert parse_other("w=1024") == ("w", 1024)
    assert parse_other("url = a=b") == ("url", " a=b")
    for wrong in ("w", "=1", "a b=1", "1a=2", "a={"):
        with pytest.raises(ValueTrouble):
            parse_other(wrong)


def test_numbers() -> None:
    assert parse_whole("", 3) == 3
    assert parse_whole(" -5 ", 0) == -5
    assert parse_seconds("1.5s", 300.0, zero=False) == 1.5
    assert parse_seconds("1h30m", 300.0, zero=False) == 5_400
    assert parse_seconds(" 90 s ", 300.0, zero=False) == 90
    assert parse_seconds("", 300.0, zero=False) == 300.0
    assert parse_seconds("0", 0.0, zero=True) == 0.0
    for text, least in (("x", None), ("0", 1), (str(2**63), None)):
        with pytest.raises(ValueTrouble):
            parse_whole(text, 0, least)
    for text in ("0", "-1", "nan", "inf", "soon"):
        with pytest.raises(ValueTrouble):
            parse_seconds(text, 1.0, zero=False)


INFO = FunctionInfo(
    "pipeline.images.resize",
    "",
    (
        parameter("str", name="src"),
        parameter("int", "1024", name="w"),
        parameter("dict", "null", name="parent_results"),
        Parameter("more", "VAR_KEYWORD", "", "", False),
    ),
)


def test_fields_come_from_the_signature_and_the_copied_job() -> None:
    specs = specs_for(INFO, {"w": 5, "extra": [1]})
    assert [spec.name for spec in specs] == ["src", "w", "extra"]
    src, w, extra = specs
    with pytest.raises(ValueTrouble, match="required"):
        src.value(" ")
    assert src.value("12") == "12"
    assert w.value("5") == 5
    assert w.value("") is MISSING
    assert extra.value(extra.first_text) == [1]
    assert signature(INFO) == "(src, w=1024, parent_results=null, **more)"


def test_a_value_that_was_not_touched_is_kept_whatever_it_is() -> None:
    secret = "a\nb\x1b[31m" + "x" * 10_000
    (spec,) = specs_for(None, {"token": secret})
    assert spec.first_text == ""
    assert "unchanged" in spec.placeholder
    assert spec.value("") == secret
    assert spec.value("new") == "new"
    (odd,) = specs_for(INFO, {"w": "five"})[1:2]
    assert odd.value(odd.first_text) == "five"


def test_dependencies_of_a_copied_job() -> None:
    job = row(1)
    assert kept_dependencies(detail_of(job, raw={"dependencies": '["a", "b"]'})) == ("a", "b")
    assert kept_dependencies(detail_of(job, raw={"dependencies": '["a", (cut'})) == ()
    assert kept_dependencies(None) == ()
    assert split_ids("a, b  a\u00a0c") == ["a", "b", "c"]
