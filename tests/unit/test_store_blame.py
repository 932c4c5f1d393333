"""Whom a waiting job waits for, and whether it waits in vain."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gigq_core.graph.blame import BAD_ENDS, Blame, Culprit, Parent, blame_of, blamed_for


def kin(**statuses: str | None) -> dict[str, Parent | None]:
    return {
        id: Parent(id, f"n-{id}", status) if status else None for id, status in statuses.items()
    }


def judge(unmet: dict[str, list[str]], **statuses: str | None) -> dict[str, Blame]:
    return blame_of(unmet, kin(**statuses))


def blame(verdict: Blame) -> tuple[bool, str, str]:
    assert verdict.culprit is not None
    return verdict.doomed, verdict.culprit.id, verdict.culprit.problem


def test_the_root_of_the_evil_is_blamed_all_the_way_down() -> None:
    judged = judge({"b": ["a"], "c": ["b"], "d": ["c"]}, a="failed", b="pending", c="pending")
    assert {id: blame(verdict) for id, verdict in judged.items()} == dict.fromkeys(
        "bcd", (True, "a", "failed")
    )


def test_one_bad_parent_dooms_whatever_the_others_do() -> None:
    judged = judge({"c": ["a", "b"]}, a="running", b="cancelled")
    assert blame(judged["c"]) == (True, "b", "cancelled")


@given(st.permutations(["top", "one", "both"]), st.permutations(["m", "n"]))
def test_whom_a_job_blames_hangs_on_no_other_job_of_the_list(
    order: list[str], parents: list[str]
) -> None:
    unmet = {"top": ["both"], "one": ["n"], "both": parents}
    judged = judge({id: unmet[id] for id in order}, m="failed", n="failed", both="pending")
    assert blame(judged["one"]) == (True, "n", "failed")
    assert blame(judged["both"]) == blame(judged["top"]) == (True, "m", "failed")


@pytest.mark.parametrize("end", sorted(BAD_ENDS))
@pytest.mark.parametrize("policy", ["cancel", "run"])
def test_who_is_told_of_a_failure_does_not_wait_for_it(end: str, policy: str) -> None:
    unmet = {"b": ["a"], "c": ["b"], "d": ["a"], "e": ["d", "x"]}
    known = kin(a=end, b="pending", d="pending", x="pending")
    # The grandchild e waits for a job that waits in vain: of that nobody is told.
    told = {("b", "a"): policy, ("c", "b"): policy, ("e", "d"): policy}
    judged = blame_of(unmet, known, told)
    assert {id: verdict.doomed for id, verdict in judged.items()} == {
        "b": False,
        "c": False,
        "d": True,
        "e": True,
    }
    assert judged["b"].culprit == Culprit("a", "n-a", end, told=policy)


def test_nobody_is_told_of_a_parent_that_nobody_knows() -> None:
    assert blame_of({"b": ["a"]}, kin(a=None), {("b", "a"): "cancel"})["b"].doomed


def test_a_missing_parent_dooms() -> None:
    assert blame(judge({"c": ["gone"]}, gone=None)["c"]) == (True, "gone", "missing")


def test_a_running_parent_is_named_before_a_waiting_one() -> None:
    judged = judge({"c": ["a", "b"]}, a="pending", b="running")
    assert blame(judged["c"]) == (False, "b", "running")
    judged = judge({"c": ["a", "b"]}, a="pending", b="pending")
    assert blame(judged["c"]) == (False, "a", "waiting")


def test_circles_doom_their_members_and_what_hangs_on_them() -> None:
    unmet = {"a": ["c"], "b": ["a"], "c": ["b"], "d": ["c"], "e": ["free"], "self": ["self"]}
    judged = judge(unmet, free="pending", **dict.fromkeys(["a", "b", "c", "self"], "pending"))
    for id in ("a", "b", "c", "d"):
        doomed, culprit, problem = blame(judged[id])
        assert doomed
        assert problem == "cycle"
        assert culprit in ("a", "b", "c")
    assert blame(judged["self"]) == (True, "self", "cycle")
    assert blame(judged["e"]) == (False, "free", "waiting")


def test_what_was_not_looked_into_counts_as_hopeful() -> None:
    judged = judge({"c": ["beyond", "unheard"]}, beyond="pending")
    assert blame(judged["c"]) == (False, "beyond", "waiting")
    assert judge({"c": ["unheard"]})["c"] == Blame(False, None)


def test_chains_of_thousands_need_no_recursion() -> None:
    unmet = {str(i): [str(i - 1)] for i in range(1, 20_000)}
    judged = blame_of(unmet, {"0": Parent("0", "root", "failed")})
    assert all(verdict.doomed for verdict in judged.values())
    unmet["0"] = ["19999"]
    judged = blame_of(unmet | {"19999": ["19998"]}, {})
    assert all(verdict.doomed for verdict in judged.values())


IDS = st.integers(0, 12).map(str)
STATUSES = st.sampled_from(["pending", "running", "failed", "timeout", "cancelled", None])


@given(
    st.dictionaries(IDS, st.lists(IDS, min_size=1, max_size=4)),
    st.dictionaries(IDS, STATUSES),
)
def test_doom_is_what_following_the_arrows_says(
    unmet: dict[str, list[str]], statuses: dict[str, str | None]
) -> None:
    known = kin(**{id: statuses.get(id) for id in statuses})
    for id in unmet:  # whoever waits is pending
        known[id] = Parent(id, "", "pending")
    judged = blame_of(unmet, known)
    assert judged.keys() == unmet.keys()
    doomed = {id for id, parent in known.items() if parent is None or parent.status in BAD_ENDS}
    # The jobs that can run some day: those whose parents all can.
    can: set[str] = {p for parents in unmet.values() for p in parents if p not in unmet} - doomed
    while more := {id for id, parents in unmet.items() if id not in can and set(parents) <= can}:
        can |= more
    assert {id for id, verdict in judged.items() if verdict.doomed} == unmet.keys() - can


@st.composite
def upwards(draw: st.DrawFn) -> dict[str, list[str]]:
    """Waiting jobs with their parents, without a cycle."""
    jobs = draw(st.lists(st.integers(1, 12), unique=True))
    parents = {n: draw(st.lists(st.integers(0, n - 1), min_size=1, max_size=4)) for n in jobs}
    return {str(n): [str(parent) for parent in each] for n, each in parents.items()}


@given(upwards(), st.dictionaries(IDS, STATUSES), st.sets(st.tuples(IDS, IDS), max_size=3))
def test_once_all_that_are_blamed_are_mended_nothing_is_doomed_and_not_before(
    unmet: dict[str, list[str]], statuses: dict[str, str | None], telling: set[tuple[str, str]]
) -> None:
    known = kin(**statuses)
    for id in unmet:
        known[id] = Parent(id, "", "pending")
    told = dict.fromkeys(telling, "cancel")
    judged = blame_of(unmet, known, told)
    blamed = blamed_for(judged, unmet, known, told)
    mended = {id: Parent(id, "", "running") for id in blamed}

    def doomed(mended: dict[str, Parent]) -> bool:
        again = blame_of(unmet, {**known, **mended}, told)
        return any(verdict.doomed for verdict in again.values())

    assert not doomed(mended)
    for id in blamed:
        assert doomed({other: parent for other, parent in mended.items() if other != id})


def test_a_cycle_is_one_to_blame() -> None:
    unmet = {"a": ["b"], "b": ["a"], "c": ["b", "x"], "d": ["c", "y"]}
    known = kin(a="pending", b="pending", c="pending", x="running", y="failed")
    judged = blame_of(unmet, known)
    assert all(verdict.doomed for verdict in judged.values())
    assert len(blamed_for(judged, unmet, known)) == 2
