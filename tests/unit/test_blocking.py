"""The numbers of a failure, against a model that lets jobs run and end, one after the other."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from gigq_core.graph.blocking import (
    CANCEL,
    RUN,
    WAIT,
    Blocking,
    Waits,
    all_to_retry,
    blocked_by,
    blocking,
    cancelled_with,
    count_blocked,
    failed_above,
    freed_by,
    read_blocking,
)
from tests.store_files import Writer, both_kinds

BAD = ("failed", "timeout", "cancelled")
IDS = [str(n) for n in range(9)]
EDGES = st.dictionaries(
    st.tuples(st.sampled_from(IDS), st.sampled_from(IDS)),
    st.sampled_from([WAIT, WAIT, CANCEL, RUN]),
    max_size=16,
)
STATUSES = st.fixed_dictionaries(
    {id: st.sampled_from(["pending"] * 5 + ["running", "completed", None, *BAD]) for id in IDS}
)


def waits_of(
    edges: dict[tuple[str, str], int], statuses: dict[str, str | None]
) -> tuple[Waits, dict[tuple[str, str], int]]:
    """The unmet ones of some dependencies: what the file would hold once all were told."""
    unmet = {
        (child, parent): policy
        for (child, parent), policy in edges.items()
        if statuses[child] in ("pending", *BAD) and statuses[parent] != "completed"
    }
    waits = Waits(dict(statuses))
    for (child, parent), policy in unmet.items():
        waits.add(child, parent, policy)
    return waits, unmet


def ends(
    unmet: dict[tuple[str, str], int],
    statuses: dict[str, str | None],
    *,
    retried: set[str] = frozenset(),  # type: ignore[assignment]
    fails: set[str] = frozenset(),  # type: ignore[assignment]
) -> dict[str, str | None]:
    """Let all run that can, until nothing changes; those of `fails` fail, wherever they stand."""
    now = {id: "pending" if id in retried else status for id, status in statuses.items()}
    now |= dict.fromkeys(fails, "failed")
    while True:
        before = dict(now)
        for id, status in before.items():
            if status == "running":
                now[id] = "completed"
            elif status == "pending":
                mine = [(p, policy) for (c, p), policy in unmet.items() if c == id]
                if any(policy == CANCEL and now[p] in BAD for p, policy in mine):
                    now[id] = "cancelled"
                elif all(
                    now[p] == "completed" or (policy == RUN and now[p] in BAD) for p, policy in mine
                ):
                    now[id] = "completed"
        if now == before:
            return now


def waiting(statuses: dict[str, str | None]) -> set[str]:
    return {id for id, status in statuses.items() if status == "pending"}


@settings(max_examples=600, deadline=None)
@given(EDGES, STATUSES, st.sets(st.sampled_from(IDS), min_size=1, max_size=3))
def test_what_a_retry_frees_is_what_then_ends_and_did_not(
    edges: dict[tuple[str, str], int], statuses: dict[str, str | None], ids: set[str]
) -> None:
    waits, unmet = waits_of(edges, statuses)
    # A job that runs has no dependency that is not met.
    retried = {id for id in ids if statuses[id] in BAD}
    before, after = ends(unmet, statuses), ends(unmet, statuses, retried=retried)
    expected = {
        id
        for id in waiting(statuses)
        if after[id] == "completed" and before[id] != "completed" and id not in retried
    }
    assert freed_by(waits, ids) == expected


@settings(max_examples=600, deadline=None)
@given(EDGES, STATUSES, st.sampled_from(IDS))
def test_what_a_job_blocks_can_end_only_when_it_completes(
    edges: dict[tuple[str, str], int], statuses: dict[str, str | None], id: str
) -> None:
    """Everything else is helped along: what is missing comes, and what failed is retried."""
    edges = {(c, p): policy for (c, p), policy in edges.items() if int(c) > int(p)}  # no circle
    waits, unmet = waits_of(edges, statuses)
    assume(statuses[id] not in ("completed", None))
    # Whoever is told to run when a parent has failed is not held by it, also while it is retried.
    held = {
        (c, p): policy
        for (c, p), policy in unmet.items()
        if not (policy == RUN and statuses[p] in BAD and p != id)
    }
    helped = {
        other: "completed" if status is None else status for other, status in statuses.items()
    }
    failed = {other for other, status in statuses.items() if status in BAD} - {id}
    end = ends(held, helped, retried=failed, fails={id})
    expected = {w for w in waiting(statuses) - {id} if end[w] != "completed"}
    assert blocked_by(waits, [id]) == expected


@settings(max_examples=300, deadline=None)
@given(EDGES, STATUSES, st.sampled_from(IDS))
def test_who_is_cancelled_with_a_job(
    edges: dict[tuple[str, str], int], statuses: dict[str, str | None], id: str
) -> None:
    waits, unmet = waits_of(edges, statuses)
    assume(statuses[id] in ("pending", "running"))
    before = ends(unmet, statuses)
    told = {key: policy for key, policy in unmet.items() if statuses[key[1]] not in BAD}
    # Of those alone that wait for nobody who has failed already.
    assume(not any(before[w] == "cancelled" for w in waiting(statuses)))
    now = dict(statuses) | {id: "failed"}
    while True:
        more = {c for (c, p), policy in told.items() if policy == CANCEL and now[p] in BAD}
        more = {c for c in more if now[c] == "pending"}
        if not more:
            break
        now |= dict.fromkeys(more, "cancelled")
    expected = {w for w in waiting(statuses) - {id} if now[w] == "cancelled"}
    assert cancelled_with(waits, [id]) == expected


@settings(max_examples=300, deadline=None)
@given(EDGES, STATUSES, st.sampled_from(IDS))
def test_the_numbers_of_one_job_fit_together(
    edges: dict[tuple[str, str], int], statuses: dict[str, str | None], id: str
) -> None:
    waits, _ = waits_of(edges, statuses)
    told = blocking(waits, [id], children=0)
    together = all_to_retry(waits, [id])
    assert 0 <= told.cancels <= told.blocks
    if RUN not in edges.values():
        # With the others comes back one that would be cancelled, and may wait for ever: whoever
        # runs on its failure is freed no more.
        assert told.frees <= told.frees_all
    if statuses[id] in BAD:
        assert freed_by(waits, [id]) <= blocked_by(waits, [id])
        assert id in together
        assert told.failed == len(together) - 1
    assert all(statuses[other] in BAD for other in together)
    assert set(failed_above(waits, [id])) <= set(together)


def test_who_runs_on_a_failure_is_not_held_by_one_that_is_cancelled_with_it() -> None:
    waits = Waits({"0": "pending", "1": "failed", "2": "pending", "3": "pending"})
    for child, parent, policy in (("1", "0", CANCEL), ("2", "1", CANCEL), ("3", "2", RUN)):
        waits.add(child, parent, policy)
    assert blocked_by(waits, ["0"]) == {"2"}


def test_a_retry_does_not_free_who_runs_once_another_is_cancelled() -> None:
    waits = Waits({"0": "pending", "1": "pending", "8": "failed"})
    waits.add("0", "8", CANCEL)
    waits.add("1", "0", RUN)
    assert freed_by(waits, ["8"]) == blocked_by(waits, ["8"]) == {"0"}


def test_thirty_behind_four_failures() -> None:
    """The story: one of four that failed blocks thirty jobs, and retried alone frees none."""
    waits = Waits({f"bad{n}": "failed" for n in range(4)})
    for n in range(30):
        waits.statuses[f"w{n}"] = "pending"
        for bad in range(4):
            waits.add(f"w{n}", f"bad{bad}")
    told = blocking(waits, ["bad0"], children=30)
    assert told == Blocking(children=30, blocks=30, frees=0, frees_all=30, failed=3)
    assert all_to_retry(waits, ["w7"]) == ["bad0", "bad1", "bad2", "bad3"]


# --- out of a file --------------------------------------------------------------------------------


def connected(path: Path) -> sqlite3.Connection:
    conn = sqlite3.connect(path)
    conn.row_factory = sqlite3.Row
    return conn


@both_kinds
def test_the_numbers_out_of_a_file(attached: bool, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    writer.job("root", "completed")
    writer.job("bad", "failed", ["root"])
    writer.job("worse", "timeout", ["root"])
    writer.job("child", parents=["bad"])
    writer.job("both", parents=["bad", "worse", "root"])
    writer.job("below", parents=["child", "child"])
    writer.job("last", parents=["both", "below"])
    with connected(path) as conn:
        told = read_blocking(conn, ["bad"])
        nobody = read_blocking(conn, ["nobody"])
        together = read_blocking(conn, ["bad", "worse"])
        assert count_blocked(conn, "bad", 100) == 4
        assert count_blocked(conn, "root", 100) == 0
    writer.close()
    assert told == Blocking(children=2, blocks=4, frees=2, frees_all=4, failed=1)
    assert nobody == Blocking()
    assert (together.children, together.blocks, together.frees) == (2, 4, 4)
    assert together.failed == 0


@pytest.mark.parametrize("most", [10, 1_000])
@both_kinds
def test_what_is_looked_at_is_bounded_and_that_is_told(
    attached: bool, most: int, tmp_path: Path
) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    writer.job("root", "failed")
    writer.many(300, "leaf_", parents=["root"])
    with connected(path) as conn:
        told = read_blocking(conn, ["root"], most)
    writer.close()
    assert told.is_cut is (most == 10)
    assert told.blocks == (10 if most == 10 else 300)
