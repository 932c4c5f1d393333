"""The dependency tree as lines, and what hangs on a job."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gigq_core.graph.blocking import blocked_by, freed_by
from gigq_core.graph.branches import DRAWN_LEVELS, Folding, LineKind, TreeLine, branches, name_stem
from gigq_core.graph.component import find_roots
from gigq_tui.store.graph.depths import depths, levels
from gigq_tui.store.graph.focus import below
from gigq_tui.store.graph.tree import culprit, tree_lines
from gigq_tui.store.graph.waiting import WaitingBehind
from gigq_tui.store.models import Graph, GraphNode
from tests.store_files import Writer, both_kinds, line, reading


def graph_of(
    parents: Mapping[str, Sequence[str]],
    statuses: Mapping[str, str | None] | None = None,
    names: Mapping[str, str] | None = None,
) -> Graph:
    """A graph from each job's parents; a status of None makes a missing one."""
    statuses, names = statuses or {}, names or {}
    ids = dict.fromkeys([*parents, *(p for some in parents.values() for p in some)])
    children: dict[str, list[str]] = {id: [] for id in ids}
    for child, some in parents.items():
        for parent in dict.fromkeys(some):
            children[parent].append(child)
    nodes = {}
    parents_of = {id: tuple(dict.fromkeys(parents.get(id, ()))) for id in ids}
    for id in ids:
        status = statuses.get(id, "pending")
        mine = tuple(dict.fromkeys(parents.get(id, ())))
        unmet = tuple(p for p in mine if statuses.get(p, "pending") != "completed")
        row = None
        if status is not None:
            row = line(id=id, name=names.get(id, id), status=status, unmet=len(unmet))
        nodes[id] = GraphNode(id, row, mine, tuple(children[id]), unmet)
    return Graph(next(iter(ids)), nodes, find_roots(nodes, parents_of, children), truncated=False)


def blocks(graph: Graph, id: str) -> int:
    return len(blocked_by(graph.waits, [id]))


def frees(graph: Graph, id: str) -> int:
    return len(freed_by(graph.waits, [id]))


def drawn(lines: Sequence[TreeLine]) -> list[str]:
    marks = {
        LineKind.JOB: "",
        LineKind.MISSING: " (missing)",
        LineKind.ABOVE: " (shown above)",
        LineKind.CYCLE: " (circle)",
    }
    return [
        f"{branches(each, 999)}{each.id}{marks[each.kind]}"
        if each.kind in marks
        else f"{branches(each, 999)}... {each.fold_count} more {each.stem}{'^' * each.shown_above}"
        for each in lines
    ]


def test_a_diamond_is_drawn_once() -> None:
    graph = graph_of({"b": ["a"], "c": ["a"], "d": ["b", "c"], "e": ["d"]})
    assert drawn(tree_lines(graph)) == [
        "a",
        "|- b",
        "|  `- d",
        "|     `- e",
        "`- c",
        "   `- d (shown above)",
    ]


def test_siblings_that_look_the_same_are_folded() -> None:
    parents = {f"fold_{i}": ["root"] for i in range(1, 9)} | {"odd": ["root"]}
    parents |= {"join": [f"fold_{i}" for i in range(1, 9)]}
    graph = graph_of(parents, {"fold_5": "running"})
    assert drawn(tree_lines(graph)) == [
        "root",
        "|- fold_1",
        "|  `- join",
        "|- fold_2",
        "|  `- join (shown above)",
        "|- ... 5 more fold",
        "|- fold_5",
        "|  `- join (shown above)",
        "`- odd",
    ]
    lines = tree_lines(graph)
    assert lines[5].folded == ("fold_3", "fold_4", "fold_6", "fold_7", "fold_8")
    unfolded = tree_lines(graph, Folding(alike=False))
    assert [each.id for each in unfolded if not each.shown_above] == [
        "root",
        "fold_1",
        "join",
        *(f"fold_{i}" for i in range(2, 9)),
        "odd",
    ]


def test_three_of_a_kind_are_not_folded() -> None:
    graph = graph_of({f"x{i}": ["root"] for i in range(3)})
    assert drawn(tree_lines(graph)) == ["root", "|- x0", "|- x1", "`- x2"]


def test_many_mentions_are_folded_too() -> None:
    left, right = [f"l{i}" for i in range(40)], [f"r{i}" for i in range(40)]
    graph = graph_of(dict.fromkeys(right, left))
    assert len(tree_lines(graph)) < 12
    assert len(tree_lines(graph, Folding(alike=False))) == 40 + 40 * 40


def test_circles_and_missing_parents_are_drawn() -> None:
    graph = graph_of({"a": ["b", "gone"], "b": ["a"], "me": ["me"]}, {"gone": None})
    assert drawn(tree_lines(graph)) == [
        "gone (missing)",
        "`- a",
        "   `- b",
        "      `- a (circle)",
        "me",
        "`- me (circle)",
    ]


def test_long_chains_and_wide_fans_are_drawn_quickly() -> None:
    chain = graph_of({str(i): [str(i - 1)] for i in range(1, 5_000)})
    fan = graph_of({f"n{i}": ["root"] for i in range(5_000)} | {"end": ["n1", "n2"]})
    joined = graph_of({"end": [f"n{i}" for i in range(5_000)]})
    began = time.perf_counter()
    deep = tree_lines(chain)
    assert [each.depth for each in deep] == list(range(5_000))
    assert max(len(branches(each, 999)) for each in deep) <= 3 * DRAWN_LEVELS + 8
    assert branches(deep[-1], 999).startswith("<4975 ")
    assert len(tree_lines(fan)) < 12
    assert len(tree_lines(fan, Folding(alike=False))) == 5_003
    assert len(tree_lines(joined)) == 5
    assert blocks(chain, "0") == 4_999
    assert blocks(fan, "root") == 5_001
    assert time.perf_counter() - began < 5


GRAPHS = st.dictionaries(
    st.integers(0, 14).map(str), st.lists(st.integers(0, 14).map(str), max_size=5), min_size=1
)
STATUSES = st.dictionaries(
    st.integers(0, 14).map(str),
    st.sampled_from(["pending", "running", "completed", "failed", None]),
)
NAMES = st.dictionaries(st.integers(0, 14).map(str), st.sampled_from(["a_1", "a_2", "b", ""]))


@settings(max_examples=300, deadline=None)
@given(GRAPHS, STATUSES, NAMES)
def test_every_job_is_drawn_exactly_once(
    parents: dict[str, list[str]], statuses: dict[str, str | None], names: dict[str, str]
) -> None:
    graph = graph_of(parents, statuses, names)
    plain = tree_lines(graph, Folding(alike=False))
    own = [each.id for each in plain if each.kind in (LineKind.JOB, LineKind.MISSING)]
    assert sorted(own) == sorted(graph.nodes)
    # Every dependency is a line below its parent.
    assert len(plain) == len(graph.roots) + sum(len(n.children) for n in graph.nodes.values())

    folded = tree_lines(graph, Folding())
    shown = [each.id for each in folded if each.kind in (LineKind.JOB, LineKind.MISSING)]
    hidden = [id for each in folded if each.kind is LineKind.FOLD for id in each.folded]
    assert sorted(shown + hidden) == sorted(graph.nodes)
    seen: set[str] = set()
    for each in folded:
        if each.shown_above:
            assert set(each.folded or (each.id,)) <= seen
        seen |= set(each.folded or (each.id,))
        assert branches(each, 999).isascii()
        assert len(each.guides) == min(each.depth, DRAWN_LEVELS)


@settings(max_examples=300, deadline=None)
@given(GRAPHS, STATUSES, NAMES, st.sets(st.integers(0, 14).map(str)), st.booleans())
def test_what_is_closed_hides_what_stands_nowhere_else_and_never_what_goes_on(
    parents: dict[str, list[str]],
    statuses: dict[str, str | None],
    names: dict[str, str],
    closed: set[str],
    done: bool,
) -> None:
    graph = graph_of(parents, statuses, names)
    closed &= {id for id, node in graph.nodes.items() if node.children}
    lines = tree_lines(graph, Folding(closed=closed, done=done))
    own = {each.id for each in lines if each.kind in (LineKind.JOB, LineKind.MISSING)}
    held = {id for each in lines if each.kind is LineKind.FOLD for id in each.folded}
    hidden = {id for each in lines for id in each.hidden}
    assert own | held | hidden == set(graph.nodes)
    assert not own & held
    behind = {id for each in lines if each.is_closed for id in below(graph, each.id)}
    behind |= {
        id
        for each in lines
        if each.kind is LineKind.FOLD
        for it in each.folded
        for id in below(graph, it)
    }
    assert hidden <= behind
    if not closed:
        unfinished = {id for id in graph.nodes if statuses.get(id, "pending") != "completed"}
        assert not hidden & unfinished
    if done:
        again = tree_lines(graph, Folding(done=True, kept_open=set(graph.nodes), alike=False))
        assert len(again) == len(tree_lines(graph, Folding(alike=False)))


@settings(max_examples=200, deadline=None)
@given(GRAPHS, STATUSES)
def test_who_waits_behind_is_counted_for_all_as_for_each(
    parents: dict[str, list[str]], statuses: dict[str, str | None]
) -> None:
    graph = graph_of(parents, statuses)
    waiting = WaitingBehind(graph)
    for id in graph.nodes:
        assert waiting.of(id) == len(blocked_by(graph.waits, [id]))
    ids = list(graph.nodes)[::2]
    assert waiting.of_all(ids) == len(blocked_by(graph.waits, ids))


def reached(graph: Graph, id: str) -> set[str]:
    """All behind a job, itself too where it is in a circle."""
    found: set[str] = set()
    left = [id]
    while left:
        for child in graph.nodes[left.pop()].children:
            if child not in found:
                found.add(child)
                left.append(child)
    return found


@settings(max_examples=200, deadline=None)
@given(GRAPHS)
def test_a_level_is_the_longest_way_down(parents: dict[str, list[str]]) -> None:
    graph = graph_of(parents)
    depth = depths(graph)
    circular = {id for id in graph.nodes if id in reached(graph, id)}
    stuck = circular | {id for each in circular for id in reached(graph, each)}
    for id, node in graph.nodes.items():
        if id not in stuck:
            assert depth[id] == max((depth[parent] + 1 for parent in node.parents), default=0)
        else:
            assert depth[id] == max(depth.values())
    assert levels(graph) == len(set(depth.values()))


@settings(max_examples=200, deadline=None)
@given(GRAPHS, STATUSES)
def test_no_job_frees_more_than_it_blocks(
    parents: dict[str, list[str]], statuses: dict[str, str | None]
) -> None:
    graph = graph_of(parents, statuses)
    for id in graph.nodes:
        assert 0 <= frees(graph, id) <= blocks(graph, id) < len(graph.nodes)


def test_what_a_job_frees_and_blocks() -> None:
    graph = graph_of(
        {"b": ["a"], "c": ["b"], "d": ["c", "x"], "e": ["a", "done"]},
        {"done": "completed", "a": "failed", "x": "failed"},
    )
    assert frees(graph, "a") == 3
    assert blocks(graph, "a") == 4
    assert frees(graph, "x") == 0
    assert blocks(graph, "x") == 1
    assert frees(graph, "done") == 0
    assert culprit(graph, "a") is None
    assert culprit(graph, "nobody") is None


@pytest.mark.parametrize(
    ("name", "stem"),
    [("train_fold_12", "train_fold"), ("a1b", "a1b"), ("42", "42"), ("", ""), ("x-2.3", "x")],
)
def test_stems(name: str, stem: str) -> None:
    assert name_stem(name) == stem


# --- graphs out of a file ---------------------------------------------------------------------


@both_kinds
def test_the_component_around_a_job(attached: bool, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    writer.job("root", "completed")
    writer.job("bad", "failed", ["root"])
    writer.job("child", parents=["bad", "gone"])
    writer.job("grand", parents=["child", "child"])
    writer.job("other", "completed", ["root"])
    writer.job("apart")
    with reading(path) as reader:
        assert reader.graph("nobody") is None
        graph = reader.graph("child")
        alone = reader.graph("apart")
        cut = reader.graph("child", limit=2)
    writer.close()
    assert graph is not None
    assert set(graph.nodes) == {"root", "bad", "child", "grand", "other", "gone"}
    assert graph.roots[0] in ("root", "gone")
    assert set(graph.roots) == {"root", "gone"}
    assert not graph.truncated
    assert graph.nodes["gone"].row is None
    assert graph.nodes["child"].unmet == (("gone", "bad") if attached else ("bad",))
    assert graph.nodes["bad"].unmet == ()
    grand = culprit(graph, "grand")
    assert grand is not None
    assert grand.id in ("bad", "gone")
    assert frees(graph, "bad") == (0 if attached else 2)
    assert blocks(graph, "bad") == 2
    assert alone is not None
    assert list(alone.nodes) == ["apart"]
    assert cut is not None
    assert cut.truncated
    assert len(cut.nodes) == 2


@both_kinds
def test_circles_in_a_file_are_read(attached: bool, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    writer.job("a", parents=["c"])
    writer.job("b", parents=["a"])
    writer.job("c", parents=["b"])
    with reading(path) as reader:
        graph = reader.graph("b")
    writer.close()
    assert graph is not None
    assert len(graph.roots) == 1
    blamed = culprit(graph, "a")
    assert blamed is not None
    assert blamed.problem == "cycle"
    assert len(tree_lines(graph)) == 4


@both_kinds
def test_a_fan_of_five_thousand_is_read(attached: bool, tmp_path: Path) -> None:
    path = tmp_path / "jobs.db"
    writer = Writer(path, attached)
    writer.job("root", "running")
    writer.many(5_000, "leaf_", parents=["root"])
    with reading(path) as reader:
        graph = reader.graph("leaf_7", limit=6_000)
        small = reader.graph("leaf_7")
    writer.close()
    assert graph is not None
    assert len(graph.nodes) == 5_001
    assert blocks(graph, "root") == 5_000
    assert len(tree_lines(graph)) == 4
    assert small is not None
    assert small.truncated
    assert len(small.nodes) == 5_000
