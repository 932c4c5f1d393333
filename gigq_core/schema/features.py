"""Triggers and indexes that only some files need, made by the transaction that first uses what
they serve.

So a file that uses none of it pays for none of it. What a file uses is marked in `core_meta`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from enum import Enum

from gigq_core.schema import ddl

_IS_USED = "SELECT 1 FROM core_meta WHERE key = ?"
_MARK = "INSERT OR IGNORE INTO core_meta (key, value) VALUES (?, '1')"
_UNMARK = "DELETE FROM core_meta WHERE key = ?"


class Feature(Enum):
    """What a file may use: the key of its mark, and the triggers and indexes that it needs."""

    HIDING = "uses:hiding", ddl.HIDING
    TELLING = "uses:telling", ddl.TELLING
    POLICIES = "uses:policies", ddl.POLICIES
    KEYS = "uses:keys", ddl.NO_TRIGGERS, ddl.KEY_INDEXES
    LASTING_KEYS = "uses:lasting_keys", ddl.LASTING_KEYS, ddl.LASTING_KEY_INDEXES
    HOOKS = "uses:hooks", ddl.HOOKS
    HOOKS_FAILED = "uses:hooks_failed", ddl.TELL_HOOKS_FAILED
    HOOKS_COMPLETED = "uses:hooks_completed", ddl.TELL_HOOKS_COMPLETED
    LANES = "uses:lanes", ddl.LANES, ddl.LANE_INDEXES
    SCHEDULES = "uses:schedules", ddl.NO_TRIGGERS, ddl.SCHEDULE_INDEXES
    AGENTS = "uses:agents", ddl.NO_TRIGGERS, ddl.AGENT_INDEXES

    key: str
    triggers: Mapping[str, str]
    indexes: Mapping[str, str]

    def __new__(
        cls, key: str, triggers: Mapping[str, str], indexes: Mapping[str, str] | None = None
    ) -> Feature:
        feature = object.__new__(cls)
        feature._value_ = feature.key = key
        feature.triggers = triggers
        feature.indexes = indexes or {}
        return feature


def use(conn: sqlite3.Connection, feature: Feature) -> None:
    """Make sure that the file has what the feature needs, within the caller's transaction."""
    if not is_used(conn, feature):
        make(conn, feature)


def is_used(conn: sqlite3.Connection, feature: Feature) -> bool:
    """Whether the file has it."""
    return conn.execute(_IS_USED, (feature.key,)).fetchone() is not None


def make(conn: sqlite3.Connection, feature: Feature) -> None:
    """Make its triggers and indexes, and the mark, within the caller's transaction."""
    for statement in (*feature.indexes.values(), *feature.triggers.values()):
        conn.execute(statement)
    conn.execute(_MARK, (feature.key,))


def drop(conn: sqlite3.Connection, feature: Feature) -> None:
    """Take its triggers and its mark out again, within the caller's transaction."""
    for name in feature.triggers:
        conn.execute(f"DROP TRIGGER IF EXISTS {name}")
    conn.execute(_UNMARK, (feature.key,))


def triggers_of(conn: sqlite3.Connection) -> dict[str, str]:
    """The triggers that the file should have beyond those of every file."""
    return {
        name: statement
        for feature in Feature
        if is_used(conn, feature)
        for name, statement in feature.triggers.items()
    }


def indexes_of(conn: sqlite3.Connection) -> dict[str, str]:
    """The indexes that the file should have beyond those of every file."""
    return {
        name: statement
        for feature in Feature
        if feature.indexes and is_used(conn, feature)
        for name, statement in feature.indexes.items()
    }


# Those that a file may have, by their names.
ALL_INDEXES = {
    **ddl.INDEXES,
    **{name: statement for feature in Feature for name, statement in feature.indexes.items()},
}
