"""What people change about lanes: rules and pauses, within the caller's transaction.

Each is obeyed when the transaction has committed: all lanes that it is about are looked at in it.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict

from gigq_core.lanes.rules import Rule, span_of
from gigq_core.lanes.settling import settle_under
from gigq_core.schema import lane_statements as sql
from gigq_core.schema.features import Feature, use


def set_rule(conn: sqlite3.Connection, rule: Rule, now_utc: float) -> None:
    """Give lanes these limits, instead of those of an earlier rule for the same pattern."""
    use(conn, Feature.LANES)
    conn.execute(sql.SET_RULE, asdict(rule))
    settle_under(conn, rule.pattern, now_utc)


def remove_rule(conn: sqlite3.Connection, pattern: str, now_utc: float) -> bool:
    """Take a rule away; says whether there was one."""
    return _changed(conn, sql.REMOVE_RULE, (pattern,), pattern, now_utc)


def pause(conn: sqlite3.Connection, pattern: str, now_utc: float) -> bool:
    """Let no job of these lanes begin; says whether that is new."""
    use(conn, Feature.LANES)
    return _changed(conn, sql.PAUSE, (pattern, now_utc), pattern, now_utc)


def resume(conn: sqlite3.Connection, pattern: str, now_utc: float) -> bool:
    """End a pause, or else open what jobs have shut; says whether there was either."""
    between = (*span_of(pattern), now_utc)
    return _changed(conn, sql.RESUME, (pattern,), pattern, now_utc) or _changed(
        conn, sql.OPEN_SHUT, between, pattern, now_utc
    )


def _changed(
    conn: sqlite3.Connection,
    statement: str,
    values: tuple[object, ...],
    pattern: str,
    now_utc: float,
) -> bool:
    if not conn.execute(statement, values).rowcount:
        return False
    settle_under(conn, pattern, now_utc)
    return True
