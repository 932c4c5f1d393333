"""The filter language: what it matches, what it refuses and where, and that SQL always runs."""

from __future__ import annotations

import re
import sqlite3
import unicodedata
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gigq_tui.keys import Scope
from gigq_tui.screens.help import help_lines
from gigq_tui.store.filter.language import (
    FIELD_LIST,
    NO_FILTER,
    Filter,
    FilterError,
    parse,
)
from gigq_tui.store.filter.sql import Context
from gigq_tui.store.filter.terms import STATE_WORDS, Field
from gigq_tui.store.list.view import View
from gigq_tui.store.reader import Reader
from tests.store_files import GIGQ_FILES, NOW, Writer, ago, gigq_copy, reading

KINDS = ("attached", *GIGQ_FILES)


def fill(writer: Writer, attached: bool) -> None:
    writer.job("0a-root", "failed", name="fetch_feed", error="HTTP 500 from host 3", priority=9)
    writer.job("0b", parents=["0a-root"], name="publish 100%")
    writer.job("0c", parents=["0b"], name="under_score", params='{"src": "s3://in/1", "w": 7}')
    writer.job("1a", "running", started_at=ago(400), worker_id="w-dead", name="Überlauf")
    writer.job("1b", "running", started_at=ago(10), worker_id="w-live", attempts=2)
    writer.job("1c", parents=["1b"], name="hopeful")
    writer.job("2a", "completed", started_at=ago(90), completed_at=ago(30), created_at=ago(7200))
    writer.job("2b", "timeout", error=None, params="not json")
    writer.job("2c", "cancelled", started_at=None, params='[1, "two"]')
    writer.job("3a", retry_after=ago(-60))
    writer.job("3b", attempts=1, error="once", function_name="resize", function_module="img.tools")
    writer.job("3c", "odd", params='{"deep": {"er": "x y"}, "flag": true}')
    if attached:
        writer.job("4a", "running", worker_id="w-live", stop_requested_at=ago(1))
        writer.worker("w-dead", pid=1)
        writer.worker("w-live", pid=2)


@pytest.fixture(scope="module", params=["attached", "gigq"])
def reader(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    path = tmp_path_factory.mktemp("filter") / "jobs.db"
    attached = request.param == "attached"
    writer = Writer(path, attached)
    fill(writer, attached)
    writer.close()
    with reading(path, is_dead=lambda process: process.pid == 1) as reader:
        yield reader


def match(reader: Reader, text: str) -> set[str]:
    snapshot = reader.snapshot(View(filter=parse(text)))
    ids = {row.id for row in snapshot.window.rows}
    assert snapshot.window.total == len(ids)
    assert set(reader.matching_ids(View(filter=parse(text)))) == ids
    return ids - {"4a"}


# It began long ago and goes on, but has no row of an attempt.
RAN = {"1a"}

MATCHES = {
    "fetch": {"0a-root"},
    "FETCH": {"0a-root"},
    "http": {"0a-root"},
    '"500 from"': {"0a-root"},
    "500 host": {"0a-root"},
    "100%": {"0b"},
    "r_s": {"0c"},
    "name:Über": {"1a"},
    "name=hopeful": {"1c"},
    "name=hope": set(),
    "fn:resize": {"3b"},
    "fn:img.tools.res": {"3b"},
    "fn=img.tools.resize": {"3b"},
    "resize": {"3b"},
    "id:0": {"0a-root", "0b", "0c"},
    "id=0": set(),
    "err:once": {"3b"},
    "worker:dead": {"1a"},
    "worker=w-live": {"1b"},
    "pri>5": {"0a-root"},
    "pri:9": {"0a-root"},
    "pri>=9 pri<=9": {"0a-root"},
    "pri<-1": set(),
    "try>1": {"1b"},
    "try=1": {"3b"},
    "age>1h": {"2a"},
    "age>1h59m age<2h1m": {"2a"},
    "dur>6m": {"1a"},
    "dur>=60s dur<=1m": {"2a"},
    "dur<11s -state:failed": {"1b", "2b", "3c"},
    "dep:0a": {"0b"},
    "dep=0a": set(),
    "dep=0a-root": {"0b"},
    "param.src:s3": {"0c"},
    "param.src=s3://in/1": {"0c"},
    "param.w>6.5": {"0c"},
    "param.w<7": set(),
    "param.w=7": {"0c"},
    "param.deep.er:y": {"3c"},
    "param.flag:true": {"3c"},
    "param.flag:1": set(),
    "(fn:resize|name:hopeful) id:1": {"1c"},
    "id:0 -(name:publish|name:under)": {"0a-root"},
    "-(id:0 name:publish) id:0": {"0a-root", "0c"},
    "(state:failed dur>1s)|(id:2 (state:timeout|state:cancelled))": {"0a-root", "2b", "2c"},
    "name:überlauf": {"1a"},
    "ÜBER": {"1a"},
    "ended<25s": {"0a-root", "2b", "2c", "3c"},
    "ended>25s": {"2a"},
    "submitted>1h": {"2a"},
    "started:2m..80s": {"2a"},
    "ran:100s..80s": {"2a"} | RAN,
    "param.none:x": set(),
    "state:failed": {"0a-root"},
    "state:failed|state:timeout": {"0a-root", "2b"},
    "state:failed | state:timeout id:2": {"2b"},
    "state:doomed": {"0b", "0c"},
    "state:blocked": {"0b", "0c", "1c"},
    "state:blocked -state:doomed": {"1c"},
    "state:ready": {"3b"},
    "state:delayed": {"3a"},
    "state:retrying": {"3b"},
    "retry": {"3b"},
    "Retry|id:2a": {"3b", "2a"},
    "-retry state:waiting -state:blocked": {"3a"},
    '"retry"': set(),
    "retr": set(),
    "state:pending -state:blocked": {"3a", "3b"},
    "state:waiting state:delayed": {"3a"},
    "state:running": {"1a", "1b"},
    "state:overdue": {"1a"},
    "state:done": {"2a"},
    "STATE:Completed": {"2a"},
    "state:unknown": {"3c"},
    "-id:0 -id:1 -id:3": {"2a", "2b", "2c"},
    "-err:h -err:o id:2": {"2a", "2b", "2c"},
    '-"fetch feed" id:0a': {"0a-root"},
}


def test_progress_is_of_those_that_run_and_report(tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db")
    reports = {"none": None, "zero": (0, 8), "half": (4, 8), "all": (9, 8), "no-total": (4, None)}
    for id, report in reports.items():
        writer.job(id, "running", execution_id=f"{id}/1")
        if report is not None:
            told = {"job_id": id, "execution_id": f"{id}/1", "at": NOW.timestamp()}
            writer.insert("core_progress", told | {"done": report[0], "total": report[1]})
    # By an attempt before, and by one that has ended.
    writer.job("old", "running", execution_id="old/2")
    writer.job("ended", "failed")
    for id in ("old", "ended"):
        told = {"job_id": id, "execution_id": f"{id}/1", "at": NOW.timestamp()}
        writer.insert("core_progress", told | {"done": 4, "total": 8})
    writer.close()
    with reading(tmp_path / "jobs.db") as reader:
        for text, ids in {
            "progress<50": {"zero"},
            "progress<=50%": {"zero", "half"},
            "progress>=90": {"all"},
            "progress:50": {"half"},
            "progress=100": {"all"},
            "-progress<=100": {"none", "no-total", "old", "ended"},
        }.items():
            assert match(reader, text) == ids, text


@pytest.mark.parametrize("text", MATCHES)
def test_what_a_filter_matches(reader: Reader, text: str) -> None:
    assert match(reader, text) == MATCHES[text]


def test_states_that_only_our_own_workers_have(reader: Reader) -> None:
    attached = reader.snapshot(View()).info.attached
    assert match(reader, "state:orphaned") == ({"1a"} if attached else set())
    found = {row.id for row in reader.snapshot(View(filter=parse("state:stopping"))).window.rows}
    assert found == ({"4a"} if attached else set())


@pytest.mark.parametrize(
    ("text", "position", "words"),
    [
        ('"open', 0, "closing"),
        ('a ""', 2, "nothing"),
        ('"a"b', 3, "space"),
        ("a |", 2, "right"),
        ("| a", 0, "left"),
        ("a || b", 2, "right"),
        ("a -", 2, "term"),
        ("a - b", 2, "term"),
        ("--a", 0, "term"),
        ("name:", 5, "missing"),
        ("name: x", 5, "missing"),
        ("foo:bar", 0, "no field foo"),
        ("customer:7", 0, "param.customer:"),
        ("nmae:x", 0, "did you mean name:"),
        ("(a b", 0, "closing ) is missing"),
        ("a b)", 3, "no ( for this )"),
        ("a ()", 2, "nothing between"),
        ("(a |) b", 3, "right"),
        ("(a) -) b", 4, "term"),
        ("state:(failed|timeout)", 6, "(state:a|state:b)"),
        ("a f(x", 3, "not closed"),
        ("(" * 11, 10, "10 parentheses"),
        ("ended:20m", 6, "ended<20m"),
        ("ended:yesteday", 6, "not a time: write 02:00"),
        ("ended>02:00..04:00", 6, "ended:02:00..04:00"),
        ("ran:..", 4, "before the dots"),
        ("ran:1h..2h", 4, "ran:2h..1h"),
        ("ran:2026-11-27..2026-11-26", 4, "earlier time comes first"),
        ("ran:02:00..25:00", 11, "00:00 to 24:00"),
        ("ran:2026-02-30", 4, "no day"),
        ("ran:0900-02-20", 4, "year"),
        ("ran:20", 4, "is not a time"),
        ("ran:2h..1x", 8, "is not a time"),
        ("a s3://x", 2, "quotes"),
        ("name.x:y", 0, "no field name.x"),
        ("param:x", 0, "param.KEY"),
        ("pri>high", 4, "not a number"),
        ("progress<half", 9, "not a number"),
        ("progress<%", 9, "not a number"),
        ("pri>nan", 4, "not a number"),
        ("pri>1e999", 4, "not a number"),
        ("age>soon", 4, "not a time"),
        ("age>5y", 4, "not a time"),
        ("age>99999999d", 4, "hundred years"),
        ("age:2m", 3, "age>2m"),
        ("name>x", 4, "name:x"),
        ("state:gone", 6, "no state gone"),
        ("param.x>y", 8, "not a number"),
        ("a\0b", 1, "character"),
        ("a\ud800", 1, "character"),
        ("x" * 3_000, 2_000, "characters"),
        ("a " * 101, 200, "terms"),
    ],
)
def test_mistakes_are_told_at_their_place(text: str, position: int, words: str) -> None:
    with pytest.raises(FilterError) as caught:
        parse(text)
    assert caught.value.position == position
    assert words in caught.value.message


def test_nothing_typed_is_no_filter() -> None:
    for text in ("", "   ", "\t\n"):
        assert not parse(text)
    assert not NO_FILTER
    assert parse(" a ").text == " a "
    assert parse("a b") == parse("a b")
    assert hash(parse("a|b")) == hash(parse("a|b"))


def test_times_are_taken_from_the_hour_of_the_question() -> None:
    context = Context(NOW, True, ("retry_after",))
    where, params = parse("age>1h30m").sql(context)
    assert "created_at <" in where
    assert params == [ago(5400)]


def test_quotes_can_be_looked_for() -> None:
    (term,) = parse(r'"say \"hi\" \\ there \n \\"').terms()
    assert term.text == 'say "hi" \\ there \\n \\'


# --- whatever is typed ------------------------------------------------------------------------

PIECES = [
    *(
        "name:",
        "fn=",
        "state:",
        "id:",
        "err:",
        "worker:",
        "pri>",
        "age>=",
        "dur<",
        "try:",
        "progress<",
        "dep:",
    ),
    *("param.a.b:", "param.x>", "param.é=", "-", "|", " ", " | ", '"', "\\", "'", "%", "_", ";"),
    *("2m", "1h30m", "5", "-3", "1e308", "9" * 30, "x", "[", "]", "(", ")", "?", "$", "--", "/*"),
    *STATE_WORDS,
]
TYPED = st.one_of(
    st.text(max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=20).map("".join),
    st.lists(st.sampled_from(PIECES) | st.text(max_size=5), max_size=12).map(" ".join),
)


@pytest.fixture(scope="module")
def connections(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list]:
    opened: list[tuple[Reader, Context]] = []
    for kind in KINDS:
        folder = tmp_path_factory.mktemp("any")
        if kind == "attached":
            path: Path = folder / "jobs.db"
            writer = Writer(path)
            fill(writer, True)
            writer.close()
        else:
            path = gigq_copy(folder, kind)
        reader = Reader(path)
        columns = [row["name"] for row in reader._door.conn.execute("PRAGMA table_info(jobs)")]
        opened.append((reader, Context(NOW, kind == "attached", tuple(columns), ("w",))))
    yield opened
    for reader, _ in opened:
        reader.close()


def run(connection: sqlite3.Connection, found: Filter, context: Context) -> None:
    where, params = found.sql(context)
    connection.execute(f"SELECT COUNT(*) FROM jobs WHERE {where}", params).fetchone()


def understood(text: str) -> tuple[Filter | None, FilterError | None]:
    try:
        return parse(text), None
    except FilterError as mistake:
        return None, mistake


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=TYPED)
def test_whatever_is_typed_is_refused_in_words_or_runs(connections: list, text: str) -> None:
    found, mistake = understood(text)
    if found is None:
        assert mistake is not None
        assert 0 <= mistake.position <= len(text)
        assert mistake.message
        return
    for reader, context in connections:
        run(reader._door.conn, found, context)


def test_the_longest_filter_runs(connections: list) -> None:
    for text in (" ".join(["-state:doomed"] * 100), "|".join(["a"] * 100), "%" * 2_000):
        for reader, context in connections:
            run(reader._door.conn, parse(text), context)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_letters_are_found_in_any_case_and_composed_or_not(form: str, tmp_path: Path) -> None:
    writer = Writer(tmp_path / "jobs.db")
    names = ("äpfel", "ÄPFEL", "Straße", "STRASSE", "apfel", "ΣΊΣΥΦΟΣ", "Ὀδυσσεύς")
    for name in names:
        writer.job(f"{name}-c", name=unicodedata.normalize("NFC", name))
        writer.job(f"{name}-d", name=unicodedata.normalize("NFD", name))
    with reading(writer.path) as reader:
        for text, found in {
            "äpfel": names[:2],
            "name:ÄPF": names[:2],
            "straße": names[2:4],
            "-ä -ß -σ -ὀ": ("apfel",),
            "σίσυφος": names[5:6],
            "ὈΔΥΣΣΕΎΣ": names[6:],
        }.items():
            typed = unicodedata.normalize(form, text)
            ids = {f"{name}-{how}" for name in found for how in "cd"}
            assert match(reader, typed) == ids, text
            words = typed.removeprefix("name:")
            if not text.startswith("-"):
                assert {row.id for row in reader.find_jobs(words)} == ids
    writer.close()


def test_what_is_ascii_is_looked_for_by_sqlite_itself() -> None:
    context = Context(NOW, True, ("retry_after",))
    assert "gigq_tui_holds" not in parse("apfel name:x fn:y err:z param.x:y").sql(context)[0]
    assert "gigq_tui_holds" in parse("name:äpfel").sql(context)[0]


def test_each_field_is_named_where_fields_are_listed() -> None:
    page = (Path(__file__).parents[2] / "docs" / "pages" / "filters.md").read_text("utf-8")
    screen = "".join(text for line in help_lines(Scope.JOBS, 200) for text, _ in line)
    for told in (FIELD_LIST, screen, page):
        words = set(re.findall(r"\w+", told))
        assert {field.value for field in Field if field is not Field.WORD} <= words
