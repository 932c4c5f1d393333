"""Parameters and results in the filter: each kind of value is compared as what it is."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gigq_tui.screens.jobs.all_matching import AllMatching, describe_values
from gigq_tui.screens.parts.job_actions import ChosenJobs
from gigq_tui.store.filter.language import parse
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import any_of, value
from gigq_tui.store.list.covered import Covered
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Window
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
    "listescaped": json.dumps([23, "öl"]),
    "deepescaped": json.dumps({"ä": "\N{GRINNING FACE}"}),
    "listplain": json.dumps([24, "öl"], ensure_ascii=False),
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


def test_the_values_that_a_filter_covers_are_counted(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db")
    customers = [17] * 5 + [170] * 3 + ["17", "a b", None, True, [1], 1.5, 2, BIG]
    for number, customer in enumerate(customers):
        writer.job(f"j{number:02d}", params=json.dumps({"customer": customer, "Ä": "x" * 900}))
    writer.job("without", params="{}")
    with reading(writer.path) as reader:

        def covered(text: str) -> list[str]:
            return [describe_values(each) for each in reader.covered(View(filter=parse(text)))]

        assert covered("param.customer:17") == ['param.customer: 17 (5 jobs), "17" (1 job)']
        assert covered("param.customer>=17") == [
            f"param.customer: 17 (5 jobs), 170 (3 jobs), {BIG} (1 job)"
        ]
        assert covered("-param.customer:17 id:j1|id:without") == [
            f"param.customer: no value (1 job), 1.5 (1 job), 2 (1 job), {BIG} (1 job), "
            "[1] (1 job), null (1 job), others (1 job)"
        ]
        assert covered("param.customer=true param.Ä:x")[1] == f"param.Ä: {'x' * 38}.. (1 job)"
        assert covered("name:j") == []
        assert covered("param.customer=nobody") == ["param.customer: nothing"]
    writer.close()


def test_the_question_about_all_that_match_names_the_values() -> None:
    asked: list[tuple[ChosenJobs, str]] = []
    host = Host(View(filter=parse("param.customer:17")))
    AllMatching(host, lambda *asks: asked.append(asks), lambda *asks: None, host).cancel_all()
    ((chosen, about),) = asked
    assert chosen.ids == ("a", "b")
    assert chosen.told == ("param.customer: 17 (2 jobs)",)
    assert about == " (all that match param.customer:17)"
    host.view = View(filter=parse("name:x"))
    AllMatching(host, lambda *asks: asked.append(asks), lambda *asks: None, host).cancel_all()
    assert asked[-1][0].told == ()


class Host:
    """A screen whose reads are answered at once."""

    def __init__(self, view: View) -> None:
        self.view = view
        self.is_current = True
        self.reads: Any = self
        self.table: Any = self
        self.window = Window()

    def ask(self, read: Any, got: Any, failed: Any, *, first: bool = False) -> None:
        got(read(self))

    def matching_ids(self, view: View) -> tuple[str, ...]:
        return "a", "b"

    def covered(self, view: View) -> tuple[Covered, ...]:
        return (Covered("param.customer", (("17", 2),)),)

    def tell(self, text: str, tone: str = "info") -> None: ...
