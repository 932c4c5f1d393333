"""`gigq-core tree`: the same tree as the console's, for people, pipes and scripts."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from gigq_core.cli import tree as module
from gigq_tui.store.graph.tree import tree_lines
from gigq_tui.store.models import Graph
from tests import nightly
from tests.store_files import Writer, both_kinds, digest, gigq_copy, reading
from tests.unit.test_core_cli import run


@pytest.fixture(scope="module")
def night(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return nightly.build(tmp_path_factory.mktemp("night") / "jobs.db", nights=0)


def small(path: Path, attached: bool = True) -> Path:
    """A diamond with a failure, a circle beside it, and a parent that is missing."""
    writer = Writer(path, attached)
    writer.job("root-0001", "completed", name="root")
    writer.job("left-0001", "failed", ["root-0001"], name="left", error="ValueError: 3")
    writer.job("right-001", "running", ["root-0001"], name="right", timeout=10**9)
    writer.job("end-00001", "pending", ["left-0001", "right-001"], name="end")
    writer.job("after-001", "pending", ["end-00001"], name="after")
    writer.close()
    return path


def asked(path: Path, *arguments: str) -> list[str]:
    result = run(path, "tree", *arguments)
    assert result.exit_code == 0, result.output
    return result.stdout.splitlines()


@both_kinds
def test_branches_states_and_why(attached: bool, tmp_path: Path) -> None:
    path = small(tmp_path / "q.db", attached)
    before = digest(path)
    lines = asked(path, "end-00001")
    assert lines[0] == "5 jobs: 1 failed, 2 doomed, 1 running, 1 completed"
    assert [re.split(r"\s{2,}", line.lstrip("│├╰─ "))[0] for line in lines[1:]] == [
        "root",
        "left",
        "end",
        "after",
        "right",
        "end",
    ]
    assert "never runs: left failed" in lines[3]
    assert "<- this job" in lines[3]
    assert "ValueError: 3" in lines[2]
    assert "never runs: left failed" in lines[4]
    assert lines[6].endswith("(shown above)")
    assert asked(path, "end-")[1:] == lines[1:]
    assert digest(path) == before


@both_kinds
def test_json_has_nodes_and_edges(attached: bool, tmp_path: Path) -> None:
    path = small(tmp_path / "q.db", attached)
    told = json.loads(run(path, "tree", "right-001", "--json").stdout)
    assert told["id"] == "right-001"
    assert told["truncated"] is False
    states = {node["name"]: node["state"] for node in told["nodes"]}
    assert states == {
        "root": "completed",
        "left": "failed",
        "right": "running",
        "end": "doomed",
        "after": "doomed",
    }
    end = next(node for node in told["nodes"] if node["name"] == "end")
    assert end["culprit"] == {"id": "left-0001", "name": "left", "problem": "failed"}
    assert end["status"] == "pending"
    assert end["function"] == "tasks.work"
    assert {(edge["parent"], edge["child"], edge["met"]) for edge in told["edges"]} == {
        ("root-0001", "left-0001", True),
        ("root-0001", "right-001", True),
        ("left-0001", "end-00001", False),
        ("right-001", "end-00001", False),
        ("end-00001", "after-001", False),
    }


def test_circles_and_missing_parents_are_told(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    writer = Writer(path)
    writer.job("aaaa", parents=["bbbb"])
    writer.job("bbbb", parents=["aaaa", "gone"])
    writer.close()
    text = "\n".join(asked(path, "aaaa"))
    assert "missing" in text
    assert "dependency cycle back to the job above" in text
    nodes = json.loads(run(path, "tree", "aaaa", "--json").stdout)["nodes"]
    assert {node["id"]: node["state"] for node in nodes}["gone"] == "missing"


def test_it_says_what_the_console_says(night: Path) -> None:
    """The same lines in the same order, and for each job the same state."""
    job_id = nightly.job_id("publish nightly")
    told = json.loads(run(night, "tree", job_id, "--json").stdout)
    with reading(night) as reader:
        graph = reader.graph(job_id)
    assert isinstance(graph, Graph)
    rows = {id: node.row for id, node in graph.nodes.items()}
    for node in told["nodes"]:
        row = rows[node["id"]]
        assert row is not None
        assert (node["state"] == "doomed") == row.doomed
        assert (node["state"] in ("doomed", "blocked")) == row.blocked
        assert (node["culprit"] or {}).get("id") == (row.culprit.id if row.culprit else None)
    lines = asked(night, job_id, "--all")
    assert len(lines) == 1 + len(tree_lines(graph, module.Folding(alike=False)))


def test_what_is_alike_or_done_is_one_line(night: Path) -> None:
    lines = asked(night, nightly.job_id("price c40"))
    # The night lies in the past: by the clock of today, the export is over its time.
    assert lines[0] == "597 jobs: 4 failed, 30 doomed, 1 overdue, 562 completed"
    assert len(lines) < 60
    text = "\n".join(lines)
    assert "more like clean*" in text
    for number in nightly.FAILED_PRICES:
        assert f" price c{number} " in text
    assert sum("<- this job" in line for line in lines) == 1


@pytest.mark.parametrize("columns", [200, 80, 40, 20])
def test_the_width_of_the_terminal_is_kept(
    columns: int, night: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "terminal_columns", lambda: columns)
    lines = asked(night, nightly.job_id("price c40"))
    assert max(map(len, lines[1:])) <= columns


def test_names_are_inert(tmp_path: Path) -> None:
    path = tmp_path / "q.db"
    writer = Writer(path)
    writer.job("evil", "failed", name="\x1b]0;t\x07[b]x\u202e\ny", error="\x1b[2J")
    writer.job("next", "pending", ["evil"], name="\x1b[31m" + "long" * 500)
    writer.close()
    result = run(path, "tree", "evil")
    assert result.exit_code == 0
    assert "\x1b" not in result.stdout
    assert "\u202e" not in result.stdout
    assert len(result.stdout.splitlines()) == 3
    assert json.loads(run(path, "tree", "evil", "--json").stdout)["nodes"][0]["name"]


def test_no_such_job_is_refused_as_elsewhere(tmp_path: Path) -> None:
    path = small(tmp_path / "q.db")
    result = run(path, "tree", "nothing-like-it")
    assert result.exit_code == 1
    assert "not found" in result.stderr
    assert run(path, "tree").exit_code == 2
    assert run(tmp_path / "other.db", "tree", "root-0001").exit_code == 2


@pytest.mark.parametrize("name", ["gigq-0.1.0.db", "gigq-0.5.1.db"])
def test_files_of_gigq_have_trees_too(name: str, tmp_path: Path) -> None:
    path = gigq_copy(tmp_path, name)
    jobs = json.loads(run(path, "list", "--json").stdout)
    assert jobs
    for job in jobs:
        lines = asked(path, job["id"])
        assert any("<- this job" in line or "..." in line for line in lines)
