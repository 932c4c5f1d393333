"""Values within JSON, in SQL: each kind of value is compared as what it is."""

from __future__ import annotations

import json
import re

from gigq_tui.store.filter.sql_text import Sql, holds
from gigq_tui.store.filter.terms import Term

# As JSON writes numbers.
_NUMBER = re.compile(r"-?(?:0|[1-9]\d*)(\.\d+)?([eE][+-]?\d+)?", re.ASCII)
_WORDS = ("true", "false", "null")
# SQLite keeps no whole number beyond these exactly.
_INT64 = range(-(2**63), 2**63)


def json_condition(column: str, term: Term) -> Sql:
    """The condition on one value in a column of JSON.

    `:` is found in text, and in each value of a list or an object; a number, `true`, `false` and
    `null` are equal to it or not. `=` is equal to the whole value. What stands between quotes is
    text alone. Comparisons are of numbers.

    Args:
        column: the column, which may hold anything.
        term: the term, with the path.
    """
    tests = [_at(column, path, term) for path in _paths(term.path)]
    test = " OR ".join(f"({part})" for part, _ in tests)
    # What is no JSON has no values.
    whole = f"CASE WHEN typeof({column}) = 'text' AND json_valid({column}) THEN {test} END"
    may, values = _may_hold(column, term)
    return f"{may}{whole}", [*values, *(value for _, params in tests for value in params)]


def _may_hold(column: str, term: Term) -> Sql:
    """Beginning of a condition that few other rows meet, so that few have to be read as JSON.

    Text stands in JSON as it is, but for what is written with escapes, and in `=` for lists and
    objects, which are compared without their spaces. A number has many ways to be written.
    """
    text = term.text
    is_plain = text.isascii() and text[0] not in "[{" and not is_number(text)
    if term.operator not in (":", "=") or not is_plain:
        return "", []
    part, values = holds(column, text)
    return f"({part} OR instr({column}, '\\')) AND ", values


def json_path(keys: tuple[str, ...], *, escaped: bool = False) -> str:
    """The path to a value, with keys as they are, or as JSON escapes them."""
    written = (json.dumps(key)[1:-1] if escaped else key for key in keys)
    return "$" + "".join(f'."{key}"' for key in written)


def _paths(keys: tuple[str, ...]) -> tuple[str, ...]:
    """A key is compared as it is written, which may be with escapes."""
    plain, escaped = json_path(keys), json_path(keys, escaped=True)
    return (plain,) if plain == escaped else (escaped, plain)


def _at(column: str, path: str, term: Term) -> Sql:
    """The condition on the value at one path; the column is known to be JSON."""
    kind, value = f"json_type({column}, ?)", f"json_extract({column}, ?)"
    if term.operator not in (":", "="):
        # Text sorts above every number in SQLite: only numbers are compared.
        test = f"CASE WHEN {kind} IN ('integer', 'real') THEN {value} {term.operator} ? END"
        return test, [path, path, term.number]
    cases: list[str] = []
    values: list[object] = [path]

    def case(kinds: tuple[str, ...], test: str, *params: object) -> None:
        for kind in kinds:
            cases.append(f"WHEN '{kind}' THEN {test}")
            values.extend(params)

    # The kind of JSON is asked only where the value leaves a doubt: each question has its price.
    if not term.is_text and is_number(term.text):
        test, number = _number(term.text, value, f"json_extract({column}, ?, ?)")
        is_bool = f" AND {kind} IN ('integer', 'real')" if float(term.text) in (0, 1) else ""
        paths = [path] * (test.count("?") - 1)
        case(("integer", "real"), test + is_bool, *paths, *number, *([path] if is_bool else ()))
    elif term.text in ("true", "false") and not term.is_text:
        case(("integer",), f"{kind} = '{term.text}'", path)
    elif term.text == "null" and not term.is_text:
        case(("null",), f"{kind} = 'null'", path)
    if term.operator == "=":
        # A list and an object come as their text, with what is not ASCII as the file holds it.
        if (escaped := _escaped(term.text)) is None:
            case(("text",), f"{value} = ?", path, term.text)
        else:
            test = f"({value} = ? OR {value} = ? AND {kind} IN ('array', 'object'))"
            case(("text",), test, path, term.text, path, escaped, path)
        return f"CASE typeof({value}) {' '.join(cases)} END", values
    leaf, params = _leaf(column, term)
    text, held = holds(value, term.text)
    inside = f"EXISTS (SELECT 1 FROM json_tree({column}, ?) leaf WHERE {leaf})"
    test = f"CASE {kind} WHEN 'text' THEN {text} ELSE {inside} END"
    case(("text",), test, path, path, *held, path, *params)
    return f"CASE typeof({value}) {' '.join(cases)} END", values


def json_pair(column: str, keys: tuple[str, ...]) -> Sql:
    """The SQL for a value as a list of it and of it again, whose text tells it exactly.

    NULL where there is no such value.
    """
    cases: list[str] = []
    values: list[object] = []
    for path in _paths(keys):
        cases.append(f"WHEN json_type({column}, ?) IS NOT NULL THEN json_extract({column}, ?, ?)")
        values += [path] * 3
    is_json = f"typeof({column}) = 'text' AND json_valid({column})"
    return f"CASE WHEN {is_json} THEN CASE {' '.join(cases)} END END", values


def _escaped(text: str) -> str | None:
    r"""A list or an object as Python writes it, `\u00e4` for ä; None where that is the same."""
    if text.isascii() or text[:1] not in ("[", "{"):
        return None
    try:
        return json.dumps(json.loads(text), separators=(",", ":"))
    except (ValueError, RecursionError):
        return None


def is_number(text: str) -> bool:
    """Whether a text reads as a number of JSON's."""
    return _NUMBER.fullmatch(text) is not None


def reads_as_json(text: str) -> bool:
    """Whether a text reads as a value of JSON's that is no text: a number, true, false, null."""
    return text in _WORDS or is_number(text)


def _number(text: str, value: str, twice: str) -> Sql:
    """The condition that a number is the one that was typed.

    Args:
        text: what was typed.
        value: the number in SQL.
        twice: a list of it and of it again, by which SQLite tells its digits.
    """
    found = _NUMBER.fullmatch(text)
    if found is not None and not any(found.groups()) and int(text) not in _INT64:
        return f"{twice} = ?", [f"[{text},{text}]"]
    # Read by SQLite, as the stored one is: others may round otherwise.
    return f"{value} = CAST(? AS NUMERIC)", [text]


def _leaf(column: str, term: Term) -> Sql:
    """The condition on one value within a list or an object, however deep."""
    test, params = holds("leaf.atom", term.text)
    parts, values = [f"leaf.type = 'text' AND {test}"], list(params)
    if term.text in _WORDS and not term.is_text:
        parts.append(f"leaf.type = '{term.text}'")
    elif not term.is_text and is_number(term.text):
        raw = f"json_extract({column}, leaf.fullkey, leaf.fullkey)"
        test, number = _number(term.text, "leaf.atom", raw)
        parts.append(f"leaf.type IN ('integer', 'real') AND {test}")
        values += number
    return f"({' OR '.join(parts)})", values
