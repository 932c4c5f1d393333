"""Which values of a parameter a filter covers, so that an action on what matches can name them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass

from gigq_core.rows.decoding import as_int, as_optional_text
from gigq_tui.store import queries
from gigq_tui.store.file_schema import FileSchema
from gigq_tui.store.filter.sql_json import json_pair, reads_as_json
from gigq_tui.store.filter.terms import JSON_FIELDS, Field
from gigq_tui.store.filter.writing import path_text
from gigq_tui.store.list.view import View

# So many values are named, of so many keys.
MAX_VALUES = 6
MAX_KEYS = 3
# In the place of a value, where there is none.
NO_VALUE = "no value"


@dataclass(frozen=True)
class Covered:
    """The values of one key among the jobs of a list.

    `values` are the most frequent ones, each as it is read and with its number of jobs; `others` is
    how many jobs have another.
    """

    name: str
    values: tuple[tuple[str, int], ...]
    others: int = 0


def keys_of(view: View) -> tuple[tuple[Field, tuple[str, ...]], ...]:
    """The keys that a filter is about, in their order."""
    keys = ((term.field, term.path) for term in view.filter.terms() if term.field in JSON_FIELDS)
    return tuple(dict.fromkeys(keys))[:MAX_KEYS]


def covered(
    conn: sqlite3.Connection,
    schema: FileSchema,
    view: View,
    where: str,
    params: Sequence[object],
) -> tuple[Covered, ...]:
    """The values that a view covers, of each key that its filter is about.

    Args:
        conn: an open connection, within its read transaction.
        schema: what the file is made of.
        view: the tab and the filter.
        where: the filter's condition on `jobs`.
        params: its values.
    """
    source, tab = queries.tab_source(schema, view.listed_tab)
    condition = f"{tab} AND jobs.rowid <= {queries.TOP_KEY} AND ({where})"
    total: int | None = None
    found: list[Covered] = []
    for field, keys in keys_of(view):
        value, paths = json_pair(_COLUMNS[field], keys)
        sql = queries.values_matching(source, condition, value)
        rows = conn.execute(sql, (*paths, *params, MAX_VALUES + 1)).fetchall()
        values = [(_shown(as_optional_text(row["value"])), as_int(row["n"])) for row in rows]
        others = 0
        if len(values) > MAX_VALUES:
            if total is None:
                count = queries.count_matching(source, tab, f"({where})")
                total = as_int(conn.execute(count, params).fetchone()[0])
            del values[MAX_VALUES:]
            others = total - sum(number for _, number in values)
        found.append(Covered(f"{field.value}{path_text(keys)}", tuple(values), others))
    return tuple(found)


_COLUMNS = {Field.PARAM: "jobs.params", Field.RESULT: "jobs.result"}


def _shown(pair: str | None) -> str:
    if pair is None:
        return NO_VALUE
    try:
        value = json.loads(pair)[0]
    except ValueError:
        return pair[1:].removeprefix('"')  # it was cut
    if isinstance(value, str) and value and not reads_as_json(value):
        return value
    return json.dumps(value, ensure_ascii=False)
