"""The statements of agents: what runs a worker's jobs elsewhere."""

from __future__ import annotations

from collections.abc import Collection

from gigq_core.schema.ddl import AGENT_INDEX

HAS_AGENTS = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'core_agents'"

AGENTS = "SELECT * FROM core_agents ORDER BY worker_id, length(id), id"

# Parameter: the ids of jobs as JSON.
HOSTS_OF_RUNNING = """
SELECT j.id, substr(e.agent, 1, 300), e.link FROM json_each(?) w
CROSS JOIN jobs j ON j.id = w.value AND j.status = 'running'
CROSS JOIN job_executions e ON e.id = j.execution_id AND e.agent IS NOT NULL"""

# The same of a file that does not say which link it was.
HOSTS_OF_RUNNING_ALONE = HOSTS_OF_RUNNING.replace("e.link", "NULL")

KNOWS_LINKS = "SELECT 1 FROM pragma_table_info('job_executions') WHERE name = 'link'"

# The hosts on which agents ran attempts, as `hosts (agent)`: one step for each.
HOSTS = f"""
hosts (agent) AS (
    SELECT min(agent) FROM job_executions INDEXED BY {AGENT_INDEX} WHERE agent IS NOT NULL
    UNION ALL
    SELECT (SELECT min(e.agent) FROM job_executions e INDEXED BY {AGENT_INDEX}
        WHERE e.agent IS NOT NULL AND e.agent > hosts.agent)
    FROM hosts WHERE hosts.agent IS NOT NULL)"""

WRITE_AGENT = """
INSERT OR REPLACE INTO core_agents (
    id, worker_id, via, host, pid, python, slots, busy, load, state, began, heard, latency, trouble
) VALUES (
    :id, :worker_id, :via, :host, :pid, :python, :slots, :busy, :load, :state, :began, :heard,
    :latency, :trouble)"""

# Those of a worker that are none any more; the others' ids, as JSON.
FORGET_OTHER_AGENTS = """
DELETE FROM core_agents WHERE worker_id = ? AND id NOT IN (SELECT value FROM json_each(?))"""

FORGET_AGENTS_OF = "DELETE FROM core_agents WHERE worker_id = ?"

# Those that are gone with their worker's row.
FORGET_OLD_AGENTS = """
DELETE FROM core_agents WHERE worker_id NOT IN (SELECT id FROM core_workers)"""

# With their worker, whose `id` becomes `new`.
RENAME_AGENTS = """
UPDATE OR REPLACE core_agents SET id = :new || substr(id, length(:id) + 1), worker_id = :new
WHERE worker_id = :id"""

# Of a worker that ends.
END_AGENTS = """
UPDATE core_agents SET state = 'stopped', busy = 0
WHERE worker_id = ? AND state NOT IN ('refused', 'lost')"""

# Of a worker that was found dead.
LOSE_AGENTS = """
UPDATE core_agents SET state = 'lost', busy = 0, trouble = 'its worker died'
WHERE worker_id = (SELECT id FROM core_workers WHERE rowid = :place) AND state <> 'stopped'"""


def ran_on(host: str) -> str:
    """The condition that an agent ran an attempt of a row of `jobs` on some hosts, by the index.

    Args:
        host: the condition on `hosts.agent`.
    """
    return (
        f"EXISTS (SELECT 1 FROM job_executions e INDEXED BY {AGENT_INDEX} "
        "WHERE e.agent IS NOT NULL AND e.job_id = jobs.id "
        f"AND e.agent IN (WITH RECURSIVE {HOSTS} SELECT agent FROM hosts WHERE {host}))"
    )


def last_host(columns: Collection[str]) -> str:
    """The expression for where an agent ran the last attempt of a row of `jobs`; NULL for nowhere.

    Args:
        columns: of the table of attempts.
    """
    if "agent" not in columns:
        return "NULL"
    last = "(SELECT max(rowid) FROM job_executions WHERE job_id = jobs.id)"
    return f"(SELECT agent FROM job_executions WHERE rowid = {last})"
