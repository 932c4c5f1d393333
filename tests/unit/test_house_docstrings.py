"""What the docstrings of the console say: each parameter by its name, where there are several."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[2] / "gigq_tui"
# With fewer the name and the type say it.
MANY = {ast.FunctionDef: 4, ast.ClassDef: 2}
# Of every widget, and of every error.
FOR_EVERYBODY = {"id", "classes"}
ERRORS = ("Error", "Exception", "Refusal")


def parameters(function: ast.FunctionDef) -> list[str]:
    args = function.args
    return [arg.arg for arg in (*args.posonlyargs, *args.args, *args.kwonlyargs)]


def documented(path: Path) -> Iterator[tuple[str, str, list[str]]]:
    """What is public in a module, and takes several things: name, docstring and parameters."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
            continue
        takes, said = node, ast.get_docstring(node) or ""
        if isinstance(node, ast.ClassDef):
            made = [one for one in node.body if getattr(one, "name", "") == "__init__"]
            if not made or any(ast.unparse(base).endswith(ERRORS) for base in node.bases):
                continue
            (takes,) = made
        assert isinstance(takes, ast.FunctionDef)
        names = [name for name in parameters(takes) if name != "self"]
        if len(names) >= MANY[type(node)]:
            yield node.name, said, [name for name in names if name not in FOR_EVERYBODY]


def modules() -> list[str]:
    return sorted(path.relative_to(PACKAGE).as_posix() for path in PACKAGE.rglob("*.py"))


@pytest.mark.parametrize("module", modules())
def test_what_takes_several_things_says_what_each_is(module: str) -> None:
    unsaid = {
        name: missing
        for name, said, names in documented(PACKAGE / module)
        if (missing := [each for each in names if f"\n    {each}: " not in said])
    }
    assert not unsaid


def test_the_rule_is_about_something() -> None:
    assert sum(len(list(documented(PACKAGE / module))) for module in modules()) > 200
