"""Jobs from the lines of a file: every line checked, all of them or none."""

from __future__ import annotations

import io
import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from gigq_core.errors import GigQError
from gigq_core.functions.call_signature import signature_of
from gigq_core.job import FunctionReference, Job, JobOptions
from gigq_core.submitting import bulk
from gigq_core.submitting.bulk import (
    BulkTrouble,
    JobTemplate,
    Unwanted,
    lines_of,
    opened,
    read_jobs,
)

PARENT = "00000000-0000-4000-8000-000000000000"


def resize(src: str, w: int = 1024) -> None: ...


def anything(**params: object) -> None: ...


MISFIT = signature_of("shop.resize", resize).misfit
COMMON = JobTemplate(
    FunctionReference("shop", "resize"), options=JobOptions("resize", priority=3, timeout=60)
)


def read(*lines: str | bytes, common: JobTemplate = COMMON) -> list[Job]:
    octets = [line if isinstance(line, bytes) else line.encode() for line in lines]
    return read_jobs(octets, common, MISFIT)


def mistakes(*lines: str | bytes) -> tuple[str, ...]:
    with pytest.raises(BulkTrouble) as caught:
        read(*lines)
    return caught.value.sentences


def test_a_line_is_parameters_or_a_definition() -> None:
    full: dict[str, Any] = {
        "params": {"src": "b"},
        "name": "special",
        "priority": 9,
        "max_attempts": 1,
        "timeout": 2.5,
        "retry_delay": 4,
        "description": "note",
        "depends_on": [PARENT],
        "on_crash": "fail",
        "pass_parent_results": False,
    }
    plain, rich = read('{"src": "a", "w": 5}\n', "\n", json.dumps(full))
    assert (plain.name, plain.params, plain.priority) == ("resize", {"src": "a", "w": 5}, 3)
    assert (plain.timeout, plain.dependencies, plain.on_crash) == (60, [], "retry")
    assert plain.reference == ("shop", "resize")
    assert (rich.name, rich.params, rich.priority) == ("special", {"src": "b"}, 9)
    assert (rich.max_attempts, rich.timeout, rich.retry_delay) == (1, 2.5, 4)
    assert (rich.description, rich.dependencies) == ("note", [PARENT])
    assert (rich.on_crash, rich.pass_parent_results) == ("fail", False)
    assert plain.id != rich.id


def test_what_all_have_in_common_need_not_be_repeated() -> None:
    common = JobTemplate(FunctionReference("shop", "resize"), {"w": 7, "src": "x"}, JobOptions("n"))
    first, second = read('{"src": "a"}', '{"params": {}}', common=common)
    assert first.params == {"src": "a", "w": 7}
    assert second.params == {"src": "x", "w": 7}


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("{", "not JSON: Expecting property name enclosed in double quotes, character 2."),
        ('{"src": "a"} x', "not JSON: Extra data, character 14."),
        ("[1]", "it is not a JSON object"),
        ('{"src": NaN}', "NaN is not JSON"),
        ('{"src": 1, "src": 2}', '"src" appears twice'),
        (b'{"src": "\xff"}', "it is not UTF-8 at byte 10"),
        ("[" * 200_000, "it is nested too deeply"),
        ('{"w": 5}', "shop.resize needs a value for src"),
        ('{"src": "a", "h": 5}', "shop.resize has no parameter h: it takes src and w"),
        ('{"params": {"src": "a"}, "colour": 1}', '"colour" is not an option of a job'),
        ('{"params": {"src": "a"}, "priority": "high"}', "priority must be a whole number"),
        ('{"params": {"src": "a"}, "timeout": 0}', "timeout is 0"),
        ('{"params": {"src": "a"}, "name": ""}', "needs a name"),
        ('{"params": {"src": "a"}, "depends_on": ["77ab"]}', 'whole job ids, not "77ab"'),
        ('{"params": {"src": "a"}, "depends_on": "x"}', 'a list of job ids, not "x"'),
        (f'{{"params": {{"src": "a"}}, "depends_on": "{PARENT}"}}', "a list of job ids, not "),
        ('{"params": {"src": "a"}, "depends_on": 5}', "a list of job ids, not 5"),
        ('{"params": {"src": "a"}, "depends_on": {"a": 1}}', "a list of job ids, not "),
        ('{"params": {"src": "a"}, "depends_on": [5]}', "whole job ids, not 5"),
        ('{"params": {"src": "a"}, "on_crash": "pray"}', "on_crash is 'pray'"),
        ('{"src": "' + "a" * 1_000_001 + '"}', "it is longer than 1,000,000 bytes"),
    ],
)
def test_a_wrong_line_is_told_by_its_number(line: str | bytes, sentence: str) -> None:
    (told,) = mistakes('{"src": "good"}', line)
    assert told.startswith("line 2: ")
    assert sentence in told


def test_twenty_mistakes_are_told_and_the_rest_counted() -> None:
    told = mistakes(*['{"src": 1}', "x"] * 30)
    assert len(told) == 21
    assert told[0].startswith("line 2: ")
    assert told[-1] == "and 10 more lines are wrong."
    assert mistakes(*["x"] * 21)[-1] == "and 1 more line is wrong."


def test_no_job_and_too_many(monkeypatch: pytest.MonkeyPatch) -> None:
    assert mistakes("\n", "  \n") == ("There is no job in it: write one JSON object a line.",)
    monkeypatch.setattr(bulk, "MAX_JOBS", 2)
    assert len(read('{"src": 1}', '{"src": 2}', "\n")) == 2
    assert mistakes(*['{"src": 1}'] * 3) == ("line 3: there are more than 2 jobs: split the file.",)


def test_it_stops_when_nobody_wants_it() -> None:
    def endless() -> Iterable[bytes]:
        while True:
            yield b'{"src": 1}'

    with pytest.raises(Unwanted):
        read_jobs(endless(), COMMON, MISFIT, unwanted=lambda: True)


def test_a_long_line_is_not_kept_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bulk, "MAX_LINE_BYTES", 10)
    lines = list(lines_of(io.BytesIO(b"x" * 35 + b"\nshort\n" + b"y" * 11)))
    assert [len(line) for line in lines] == [11, 6, 11]


def test_only_an_ordinary_file_is_opened(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path, sentence in (
        (tmp_path / "none", "There is no file"),
        (tmp_path, "is a folder"),
        (pipe, "is not a regular file"),
        (Path("/dev/zero"), "is not a regular file"),
        (Path("a\0b"), "can't be read"),
    ):
        with pytest.raises(GigQError, match=sentence), opened(path):
            pass


def test_what_a_function_takes() -> None:
    assert signature_of("f", anything).misfit({"x": 1}) == ""
    assert signature_of("f", json.dumps).names
