"""The statements of questions that go through the file to a worker, and of their answers."""

from __future__ import annotations

ASK = """
INSERT INTO core_asks (worker_id, execution_id, what, asked)
VALUES (:worker, :execution, :what, :now)"""

# An id may be given again once its row is gone: the moment makes sure that it is the same question.
_SAME = "id = :id AND asked = :asked"

ANSWER_TO = f"SELECT answer, trouble, answered FROM core_asks WHERE {_SAME}"

TAKE_BACK = f"DELETE FROM core_asks WHERE {_SAME}"

# Whoever asked is gone, or a clock was set.
FORGET_STALE = "DELETE FROM core_asks WHERE asked NOT BETWEEN :now - :stale_s AND :now + :stale_s"

# What the worker has been asked, and has not answered yet.
ASKED_OF = """
SELECT id, execution_id, what, asked FROM core_asks
WHERE worker_id = ? AND answered IS NULL AND typeof(execution_id) = 'text'
  AND typeof(asked) = 'real'
ORDER BY id LIMIT ?"""

ANSWER = f"""
UPDATE core_asks SET answer = :answer, trouble = :trouble, answered = :now
WHERE {_SAME} AND answered IS NULL"""
