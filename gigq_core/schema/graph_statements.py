"""What is asked of the dependencies around a job, on a file attached or not."""

from __future__ import annotations


def parent_edges(has_policies: bool) -> str:
    """The edges to the parents of some jobs. Parameters: the ids as a JSON list, the limit.

    Args:
        has_policies: whether an edge says what becomes of the child when the parent fails.
    """
    return _edges("child_id", has_policies)


def child_edges(has_policies: bool) -> str:
    """The edges from the children of some jobs. Parameters: as above."""
    return _edges("parent_id", has_policies)


def _edges(end: str, has_policies: bool) -> str:
    policy = "e.on_failure" if has_policies else "0 AS on_failure"
    return f"""
SELECT e.child_id, e.parent_id, e.met, {policy}
FROM json_each(?) c CROSS JOIN core_edges e ON e.{end} = c.value LIMIT ?"""


# Grows with the table: only for a file without edges, when somebody looks at a graph.
ALL_EDGES = """
SELECT j.id AS child_id, d.value AS parent_id
FROM jobs j, json_each(CASE WHEN typeof(j.dependencies) = 'text' AND json_valid(j.dependencies)
                            THEN j.dependencies ELSE '[]' END) d
WHERE j.dependencies IS NOT NULL AND j.dependencies NOT IN ('', '[]') AND d.type = 'text'
  AND j.id IS NOT NULL
LIMIT ?"""
