"""Who may import whom: the contracts of `pyproject.toml`, held against the packages as they are."""

from __future__ import annotations

import os
import subprocess
import sys
from functools import lru_cache
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

# The same on any Python; on 3.10 there is no import-linter that knows circles.
grimp = pytest.importorskip("grimp")
read_configuration = pytest.importorskip("importlinter.api").read_configuration

ROOT = Path(__file__).parents[2]
CONTRACTS = read_configuration(str(ROOT / "pyproject.toml"))["contracts_options"]


@lru_cache
def report() -> str:
    """What `lint-imports` says of all contracts."""
    command = Path(sys.executable).with_name("lint-imports")
    answer = subprocess.run(
        [str(command), "--no-cache"],
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    return answer.stdout + answer.stderr


@pytest.mark.parametrize("name", [contract["name"] for contract in CONTRACTS])
def test_the_imports_keep_the_contract(name: str) -> None:
    assert f"{name} KEPT" in report(), report()


def test_the_contract_on_sqlite_names_all_but_the_store() -> None:
    (contract,) = [contract for contract in CONTRACTS if contract["id"] == "sqlite-in-store"]
    console = ROOT / "gigq_tui"
    parts = {path.stem for path in console.iterdir() if path.suffix == ".py" or path.is_dir()}
    named = {name.removeprefix("gigq_tui.") for name in contract["source_modules"]}
    assert named == parts - {"store", "__init__", "__pycache__"}


@pytest.mark.parametrize("package", ["gigq_core", "gigq_tui"])
def test_no_file_is_in_a_circle_with_that_of_its_package(package: str) -> None:
    # Siblings alone are looked at by the contracts, and not the `__init__` above them.
    graph = grimp.build_graph(package, cache_dir=None)
    imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
    TopologicalSorter(imports).prepare()
