"""What a claimed row holds, as the attempt at its job; a damaged row says what is wrong with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from gigq_core.job import DEFAULT_MAX_ATTEMPTS, DEFAULT_TIMEOUT_S
from gigq_core.lane_names import HIDDEN
from gigq_core.retry import RetryPolicy
from gigq_core.worker.claims import Claim


class BrokenRow(ValueError):
    """A column of the row holds what it can't hold; the message is the reason for a person."""


def claim_of_row(row: Mapping[str, Any]) -> Claim:
    """Read a claimed row; whatever is wrong with it is said in `broken`."""
    reasons: list[str] = []
    dependencies: tuple[str, ...] = ()
    timeout_s: float = DEFAULT_TIMEOUT_S
    max_attempts, retry_delay_s, stall_timeout_s, memory = 1.0, 0.0, 0.0, 0.0
    policy: RetryPolicy | None = None
    try:
        dependencies = _dependencies(row["dependencies"])
        timeout_s = _number(row["timeout"], "timeout", DEFAULT_TIMEOUT_S) or DEFAULT_TIMEOUT_S
        retry_delay_s = _number(row["retry_delay"], "retry_delay", 0)
        max_attempts = _number(row["max_attempts"], "max_attempts", DEFAULT_MAX_ATTEMPTS)
        if row["retry_policy"] is not None:
            policy = _policy(row["retry_policy"])
        stall_timeout_s = _number(row["stall_timeout"], "stall_timeout", 0)
        memory = _number(row["memory"], "memory", 0)
    except BrokenRow as problem:
        reasons.append(str(problem))
    params = row["params"]
    if params is not None and not isinstance(params, str):
        reasons.append("its parameters are not text")
        params = None
    passing = row["pass_parent_results"]
    return Claim(
        job_id=row["id"],
        execution_id=row["execution_id"],
        name=str(row["name"]),
        module=str(row["function_module"]),
        function=str(row["function_name"]),
        params=params,
        dependencies=dependencies,
        attempt=row["attempts"] if isinstance(row["attempts"], int) else 1,
        max_attempts=max_attempts,
        timeout_s=timeout_s,
        retry_delay_s=retry_delay_s,
        pass_parent_results=None if passing is None else bool(passing),
        on_crash=row["on_crash"],
        policy=policy,
        asked=() if policy is None else policy.retry_on + policy.give_up_on,
        stall_timeout_s=stall_timeout_s if stall_timeout_s > 0 else None,
        lane=row["lane"] if row["lane"] != HIDDEN else None,
        memory=int(memory) if 0 < memory < 2**63 else None,
        broken="; ".join(reasons),
    )


def _dependencies(text: Any) -> tuple[str, ...]:
    if text is None or text in ("", "[]"):
        return ()
    try:
        parents = json.loads(text)
    except (TypeError, ValueError, RecursionError) as problem:
        raise BrokenRow(f"its dependencies are not JSON: {problem}") from None
    if not isinstance(parents, list) or not all(isinstance(parent, str) for parent in parents):
        raise BrokenRow(f"its dependencies are not a list of job ids: {text[:80]}")
    return tuple(parents)


def _policy(text: Any) -> RetryPolicy | None:
    try:
        return RetryPolicy.decode(text)
    except ValueError as problem:
        raise BrokenRow(f"its retry policy can't be read: {problem}") from None


def _number(value: Any, column: str, default: float) -> float:
    if value is None:
        return default
    if not isinstance(value, (int, float)):
        raise BrokenRow(f"its {column} is not a number: {str(value)[:80]!r}")
    return value
