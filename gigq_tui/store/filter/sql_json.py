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
    # What is no JSON has no values.
    whole = f"(CASE WHEN typeof({column}) = 'text' AND json_valid({column}) THEN {column} END)"
    paths = _paths(term.path)
    if len(paths) == 1:
        return _at(whole, paths[0], term)
    parts = [_at(whole, path, term) for path in paths]
    return " OR ".join(f"({part})" for part, _ in parts), [v for _, vs in parts for v in vs]


def json_path(keys: tuple[str, ...], *, escaped: bool = False) -> str:
    """The path to a value, with keys as they are, or as JSON escapes them."""
    written = (json.dumps(key)[1:-1] if escaped else key for key in keys)
    return "$" + "".join(f'."{key}"' for key in written)


def _paths(keys: tuple[str, ...]) -> tuple[str, ...]:
    """A key is compared as it is written, which may be with escapes."""
    plain, escaped = json_path(keys), json_path(keys, escaped=True)
    return (plain,) if plain == escaped else (escaped, plain)


def _at(whole: str, path: str, term: Term) -> Sql:
    kind, value = f"json_type({whole}, ?)", f"json_extract({whole}, ?)"
    if term.operator not in (":", "="):
        # Text sorts above every number in SQLite: only numbers are compared.
        test = f"CASE WHEN {kind} IN ('integer', 'real') THEN {value} {term.operator} ? END"
        return test, [path, path, term.number]
    cases: list[str] = []
    values: list[object] = [path]
    exact = term.operator == "="

    def case(kinds: str, test: str, params: list[object]) -> None:
        cases.append(f"WHEN {kinds} THEN {test}")
        values.extend(params)

    text: Sql = ("{0} = ?", [term.text]) if exact else holds("{0}", term.text)
    case("'text'", text[0].format(value), [path, *text[1]])
    if not term.is_text and is_number(term.text):
        test, number = _number(term.text, value, f"json_extract({whole}, ?, ?)")
        for numbers in ("'integer'", "'real'"):
            case(numbers, test, [*[path] * (test.count("?") - 1), *number])
    word = term.text if term.text in _WORDS and not term.is_text else ""
    if word:
        case(f"'{word}'", "1", [])
    if exact:
        for kinds in ("'array'", "'object'"):
            case(kinds, f"{value} = ?", [path, term.text])
    else:
        leaf, params = _leaf(whole, term, word)
        inside = f"EXISTS (SELECT 1 FROM json_tree({whole}, ?) leaf WHERE {leaf})"
        for kinds in ("'array'", "'object'"):
            case(kinds, inside, [path, *params])
    return f"CASE {kind} {' '.join(cases)} END", values


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


def _leaf(whole: str, term: Term, word: str) -> Sql:
    """The condition on one value within a list or an object, however deep."""
    test, params = holds("leaf.atom", term.text)
    parts, values = [f"leaf.type = 'text' AND {test}"], list(params)
    if word:
        parts.append(f"leaf.type = '{word}'")
    if not term.is_text and is_number(term.text):
        raw = f"json_extract({whole}, leaf.fullkey, leaf.fullkey)"
        test, number = _number(term.text, "leaf.atom", raw)
        parts.append(f"leaf.type IN ('integer', 'real') AND {test}")
        values += number
    return f"({' OR '.join(parts)})", values
