"""Columns of somebody's own: values of parameters and results, in list, configuration, `--once`."""

from __future__ import annotations

import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from gigq_tui.columns import JobAt, column_named
from gigq_tui.config.load import config_of
from gigq_tui.config.model import ChosenColumn
from gigq_tui.config.problem import Problem
from gigq_tui.once.picture import as_json, as_text, take
from gigq_tui.screens.jobs.layout import layout_for
from gigq_tui.store.list.view import View
from gigq_tui.store.models import JobRow
from gigq_tui.store.reader import Reader
from tests.store_files import NOW, Writer, both_kinds, reading

NAMES = ("param.customer", "param.file.size", "result.rows", "param.api_key")
ROWS: list[tuple[Any, tuple[str, str, str, str]]] = [
    ({"customer": 17, "api_key": "s3cret"}, ("17", "-", "-", "********")),
    ({"customer": "17", "file": {"size": 3.5}}, ('"17"', "3.5", "-", "-")),
    ({"customer": None, "file": [1]}, ("null", "-", "-", "-")),
    ({"customer": {"token": "s3cret", "a": 1}}, ('{"token": "********", "a": 1}', "-", "-", "-")),
    ({"customer": "\x1b[31mred\n"}, ('"\\u001b[31mred\\n"', "-", "-", "-")),
    ("no JSON", ("(unreadable)",) * 2 + ("-", "(unreadable)")),
    (b"\x80\x04K\x11.", ("(unreadable)",) * 2 + ("-", "(unreadable)")),
    (None, ("-", "-", "-", "-")),
    ({"customer": "x" * 1_000}, ("x" * 300, "-", "-", "-")),
    ({"customer": 1, "more": "x" * 300_000}, ("(unreadable)",) * 2 + ("-", "(unreadable)")),
]


def cells(row: JobRow) -> tuple[str, ...]:
    found = []
    for name in NAMES:
        column = column_named(name)
        assert column is not None
        found.append(column.cell(JobAt.of(row, NOW), 14)[0])
    return tuple(found)


def write(path: Path, attached: bool = True) -> None:
    with closing(Writer(path, attached)) as writer:
        for at, (params, _) in enumerate(ROWS):
            stored = json.dumps(params) if isinstance(params, dict) else params
            writer.job(f"j{at}", params=stored)


@both_kinds
def test_rows_are_read_with_what_the_columns_need(tmp_path: Path, attached: bool) -> None:
    path = tmp_path / "q.db"
    write(path, attached)
    with reading(path) as reader:
        rows = reader.snapshot(View(own=NAMES)).window.rows
        assert [cells(row) for row in reversed(rows)] == [told for _, told in ROWS]


def test_a_list_without_them_reads_nothing_more(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    write(path)
    asked: list[str] = []
    with reading(path) as reader:
        reader._door.conn.set_trace_callback(asked.append)
        assert all(row.own == () for row in reader.snapshot(View()).window.rows)
        assert not any("json_extract" in statement for statement in asked)
        reader.snapshot(View(own=NAMES))
        assert sum("json_extract" in statement for statement in asked) == 1


def test_the_configuration_names_them() -> None:
    config = config_of('[jobs]\ncolumns = ["id", "param.customer:8", "result.rows"]')
    assert config.columns == (
        ChosenColumn("id"),
        ChosenColumn("param.customer", 8),
        ChosenColumn("result.rows"),
    )
    layout = layout_for(120, config.columns)
    assert [(one.title, one.cells) for one in layout.columns] == [
        ("ID", 8),
        ("PARAM.CUSTOMER", 8),
        ("RESULT.ROWS", 14),
    ]


@pytest.mark.parametrize("name", ["param", "param.", "param.a b", "parm.x", "result.x[0]"])
def test_what_is_none_is_refused_in_words(name: str) -> None:
    with pytest.raises(Problem) as refused:
        config_of(f'[jobs]\ncolumns = ["{name}"]')
    assert "write" in refused.value.said or "param.NAME" in refused.value.said


def test_once_prints_them(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    write(path)
    names = ("id", *NAMES)
    snapshot = take(path, columns=names, reader_factory=Reader)
    lines = as_text(snapshot, columns=names).splitlines()
    head = next(line for line in lines if line.startswith("ID"))
    assert head.split() == [
        *("ID", "PARAM.CUSTOMER", "PARAM.FILE.SIZE", "RESULT.ROWS", "PARAM.API_KEY"),
    ]
    text = "\n".join(lines)
    assert "\x1b" not in text
    assert "s3cret" not in text
    jobs = json.loads(as_json(snapshot))["jobs"]
    assert jobs[-1]["columns"] == dict(zip(NAMES, ROWS[0][1], strict=True))
    assert "s3cret" not in as_json(snapshot)
