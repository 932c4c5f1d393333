"""Who may import whom in the console, and what an import brings with it."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SOURCES = sorted([*ROOT.glob("gigq_core/**/*.py"), *ROOT.glob("gigq_tui/**/*.py")])

# Nothing but the standard library: these run as files in the user's own interpreter.
STANDALONE = (
    "gigq_core/worker/runner.py",
    "gigq_core/worker/start_runner.py",
    "gigq_tui/actions/functions/inspector.py",
    "gigq_tui/actions/functions/lister.py",
)


def module_of(source: Path) -> str:
    parts = source.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(source: Path) -> Iterator[str]:
    """Every module that a file imports, wherever in it; `from a import b` counts as `a.b` too.

    What is imported for the types alone does not count: it isn't there when the program runs.
    """
    tree = ast.parse(source.read_text(encoding="utf-8"))
    typing = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
    ]
    for node in typing:
        node.body = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def loaded_by(statement: str) -> set[str]:
    """The modules that a fresh interpreter holds after the statement."""
    code = f"import sys\n{statement}\nprint(' '.join(sys.modules))"
    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True, text=True
    )
    return set(answer.stdout.split())


@pytest.mark.parametrize("name", STANDALONE)
def test_what_runs_in_the_users_interpreter_is_standard_library(name: str) -> None:
    roots = {module.partition(".")[0] for module in imports_of(ROOT / name)}
    assert roots - set(sys.stdlib_module_names) == set()


@pytest.mark.parametrize(
    ("statement", "left_out"),
    [
        ("import gigq_core", {"click", "rich", "psutil", "watchfiles", "textual", "gigq_tui"}),
        # What most programs do without.
        ("import gigq_core", {"gigq_core.retry", "gigq_core.units.durations", "gigq_core.worker"}),
        ("import gigq_core.worker", {"click", "rich", "watchfiles", "textual", "gigq_tui"}),
        ("import gigq_core.cli.main", {"textual", "gigq_tui"}),
        ("import gigq_tui.cli", {"textual", "rich", "platformdirs"}),
        ("import gigq_tui.config.keys, gigq_tui.config.printing", {"textual", "rich"}),
        (
            "from gigq_tui.config.place import *; from gigq_tui.config.load import *\n"
            'read_config(default_path() / "none", must_exist=False)',
            {"textual", "rich", "gigq_tui.keys", "difflib", "tomllib"},
        ),
        ("import gigq_tui.once.picture", {"textual"}),
        ("import gigq_tui.store.feed", {"textual"}),
        ("import gigq_tui.actions.jobs, gigq_tui.actions.workers.pool", {"textual", "psutil"}),
        ("import gigq_tui.demo", {"textual"}),
    ],
)
def test_an_import_brings_no_more_than_it_needs(statement: str, left_out: set[str]) -> None:
    assert loaded_by(statement) & left_out == set()


def test_every_module_says_what_lives_in_it() -> None:
    silent = [
        module_of(source)
        for source in SOURCES
        if (text := source.read_text(encoding="utf-8")).strip()
        and ast.get_docstring(ast.parse(text)) is None
    ]
    assert silent == []
