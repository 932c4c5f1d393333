"""The filter of a group of failed jobs lists those jobs, all of them and no others, or is none."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from gigq_tui.screens.groups.copy import filter_of
from gigq_tui.store.clock import SystemClock
from gigq_tui.store.failures.grouping import of_param
from gigq_tui.store.failures.reading import GroupsReading, JobsOfGroups
from gigq_tui.store.filter.language import parse
from gigq_tui.store.filter.terms import Field
from gigq_tui.store.filter.writing import equal, exactly
from gigq_tui.store.list.view import View
from gigq_tui.store.models import Tab
from gigq_tui.store.reader import Reader
from tests import incident

# What a parameter may be, as the file holds it, and whether a filter can say it.
PARAMS = [
    (b'{"customer": 17}', True),
    (b'{"customer": "a b|c"}', True),
    (b'{"customer": true}', True),
    (b'{"customer": null}', True),
    (b'{"customer": [1, 2]}', True),
    (b'{"customer": ""}', False),
    (b'{"customer": "' + b"x" * 199 + b'"}', True),
    # It is cut where jobs are grouped.
    (b'{"customer": "' + b"x" * 300 + b'"}', False),
    (b'{"customer": "a\xff"}', False),
]


@pytest.mark.parametrize(("params", "is_named"), PARAMS)
def test_a_parameter_of_any_kind(tmp_path: Path, params: bytes, is_named: bool) -> None:
    path = incident.build(tmp_path / "jobs.db")
    with closing(sqlite3.connect(path)) as conn, conn:
        conn.execute(
            "UPDATE jobs SET params = CAST(? AS TEXT) WHERE rowid IN"
            " (SELECT rowid FROM jobs WHERE status = 'failed' LIMIT 3)",
            (params,),
        )
        changed = {
            row[0] for row in conn.execute("SELECT id FROM jobs WHERE status = 'failed' LIMIT 3")
        }
    by = of_param("customer")
    with closing(Reader(path, SystemClock())) as reader:
        work = GroupsReading(by)
        groups = reader.step(work)
        while not groups.done:
            groups = reader.step(work)
        (group,) = (
            group
            for group in groups.value.known.groups
            if set(reader.step(JobsOfGroups(work, [group.value])).value.ids) == changed
        )
        text = filter_of(group, by)
        assert bool(text) == is_named
        if text:
            assert set(reader.matching_ids(View(Tab.ALL, parse(text)))) == changed


@pytest.mark.parametrize("text", ["", "a\0b", "\ufffd", "a\udcff"])
def test_what_is_no_text_is_named_by_no_filter(text: str) -> None:
    for write in (exactly, lambda text: equal(Field.NAME, text)):
        with pytest.raises(ValueError, match="there is no filter for"):
            write(text)
