"""Parameters and results in the filter: each kind of value is compared as what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from gigq_tui.store.filter.language import parse
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import any_of, value
from gigq_tui.store.list.view import View
from gigq_tui.store.reader import Reader
from tests.store_files import Writer, reading

BIG = 2**63 + 5
# By the name of its job: the JSON of its one parameter.
VALUES = {
    "seventeen": "17",
    "seventeen.0": "17.0",
    "exponent": "1.7e1",
    "hundredseventy": "170",
    "minus": "-17",
    "text17": '"17"',
    "text170": '"170"',
    "room": '"Room 17b"',
    "leading": '"017"',
    "one": "1",
    "one.0": "1.0",
    "zero": "0",
    "minuszero": "-0.0",
    "tenth": "0.1",
    "sum": "0.30000000000000004",
    "true": "true",
    "false": "false",
    "null": "null",
    "texttrue": '"true"',
    "nothing": '""',
    "list": "[17, 170]",
    "list170": "[170, 1700]",
    "listtext": '["17", "x y"]',
    "listtrue": "[true, null]",
    "deep": '{"a": {"b": [5, 17]}, "c": "Room"}',
    "key": '{"17": 1}',
    "big": str(BIG),
    "bigger": str(BIG + 1),
    "int64": str(2**63 - 1),
    "escaped": json.dumps('Ärger "17" \\ /'),
    "slash": '"a\\/b"',
}
SEVENTEEN = "seventeen seventeen.0 exponent"

# What a term takes, by the names above.
TABLE = {
    "param.x:17": f"{SEVENTEEN} text17 text170 room leading list listtext deep escaped",
    "param.x=17": f"{SEVENTEEN} text17",
    'param.x="17"': "text17",
    'param.x:"17"': "text17 text170 room leading listtext escaped",
    "param.x=17.0": SEVENTEEN,
    "param.x=1.70e1": SEVENTEEN,
    "param.x:-17": "minus",
    "param.x:170": "hundredseventy text170 list list170",
    "param.x=017": "leading",
    "param.x:1": "one one.0 text17 text170 room leading escaped key listtext",
    "param.x=1": "one one.0",
    "param.x=1.0": "one one.0",
    "param.x=0": "zero minuszero",
    "param.x=0.1": "tenth",
    "param.x=0.30000000000000004": "sum",
    "param.x=0.3": "",
    "param.x:true": "true texttrue listtrue",
    "param.x=true": "true texttrue",
    'param.x="true"': "texttrue",
    "param.x=false": "false",
    "param.x:null": "null listtrue",
    "param.x=null": "null",
    "param.x:room": "room deep",
    "param.x:x": "listtext",
    'param.x:"x y"': "listtext",
    "param.x=[17,170]": "list",
    'param.x="[17,170]"': "list",
    "param.x.a.b:17": "deep",
    'param.x."a".b=[5,17]': "deep",
    'param.x."17"=1': "key",
    f"param.x:{BIG}": "big",
    f"param.x={BIG}": "big",
    f"param.x={BIG + 1}": "bigger",
    f"param.x={2**63 - 1}": "int64",
    "param.x:ärger": "escaped",
    "param.x:a/b": "slash",
    r'param.x:"\\"': "escaped",
    "param.x>17": "hundredseventy big bigger int64",
    "param.x>=17 param.x<=17": SEVENTEEN,
    "param.x<0": "minus",
    "param.y:17": "",
    "-param.x:17 id:seven": "",
    "-param.x:170 id:seven": "seventeen seventeen.0",
    "param.ключ:да": "russian raw",
    "param.ключ:Да": "russian raw",
    "result.n=5": "five",
    "result.n:7": "",
}


@pytest.fixture(scope="module")
def reader(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reader]:
    writer = Writer(tmp_path_factory.mktemp("json") / "jobs.db")
    for name, raw in VALUES.items():
        writer.job(name, params=f'{{"x": {raw}, "other": 17}}')
    writer.job("russian", params=json.dumps({"ключ": "Да"}))
    writer.job("raw", params=json.dumps({"ключ": "да"}, ensure_ascii=False))
    writer.job("five", "completed", params="{}", result='{"n": 5}')
    writer.job("broken", params='{"x": 17')
    writer.job("none", params=None)
    writer.job("blob", params=b'{"x": 17}')
    with reading(writer.path) as reader:
        yield reader
    writer.close()


def match(reader: Reader, text: str) -> set[str]:
    return set(reader.matching_ids(View(filter=parse(text))))


@pytest.mark.parametrize("text", TABLE)
def test_each_kind_of_value_is_compared_as_what_it_is(reader: Reader, text: str) -> None:
    assert match(reader, text) == set(TABLE[text].split())


def same(one: Any, other: Any) -> bool:
    """Whether `=` with the first value finds the second."""
    if isinstance(other, str):
        return json.dumps(one, separators=(",", ":")) == other or one == other
    kinds = {isinstance(found, bool) for found in (one, other)}
    return len(kinds) == 1 and one == other


@pytest.mark.parametrize("name", [name for name in VALUES if name != "nothing"])
def test_a_value_that_is_written_as_a_filter_is_found_and_no_other(
    reader: Reader, name: str
) -> None:
    found = json.loads(VALUES[name])
    text = value(Field.PARAM, ("x",), found)
    expected = {other for other, raw in VALUES.items() if same(found, json.loads(raw))}
    assert match(reader, text) == expected, text


def test_values_that_are_written_together_are_found_together(reader: Reader) -> None:
    texts = [value(Field.PARAM, ("x",), found) for found in (170, "Room 17b", None, [17, 170])]
    assert match(reader, any_of(texts)) == {"hundredseventy", "text170", "room", "null", "list"}


def test_what_no_filter_can_say_is_refused() -> None:
    for keys, found in (((), 1), (('a"b',), 1), (("",), 1), (("a",), ""), (("a",), float("nan"))):
        with pytest.raises(ValueError, match=r"named|empty|JSON|key"):
            value(Field.PARAM, keys, found)
