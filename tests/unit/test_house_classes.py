"""How classes are built in both packages: how much each knows, and what each does to Textual's."""

from __future__ import annotations

import ast
import inspect
import pkgutil
from collections.abc import Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import pytest
from textual.app import App
from textual.events import Key
from textual.message_pump import MessagePump
from textual.screen import Screen
from textual.widget import Widget

import gigq_core
import gigq_tui

ROOT = Path(__file__).parents[2]
OWN = 50
WITH_INHERITED = 100
ATTRIBUTE_BY_NAME = {"getattr", "setattr", "hasattr", "delattr"}
# What the standard library has of this form for everybody.
FOR_EVERYBODY = {"_replace", "_asdict", "_exit", "_getframe"}


@lru_cache
def classes() -> dict[str, type]:
    """Every class of both packages, by its module and name."""
    found: dict[str, type] = {}
    for package in (gigq_core, gigq_tui):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.endswith("__main__") or "start_runner" in module.name:
                continue
            for value in vars(import_module(module.name)).values():
                if inspect.isclass(value) and value.__module__ == module.name:
                    found[f"{value.__module__}.{value.__qualname__}"] = value
    return found


def is_ours(kind: type) -> bool:
    return kind.__module__.partition(".")[0] in ("gigq_core", "gigq_tui")


@lru_cache
def statements(module: str) -> dict[str, ast.ClassDef]:
    """The class statements of a module, by the names of the classes."""
    found: dict[str, ast.ClassDef] = {}

    def look(body: list[ast.stmt], within: str) -> None:
        for node in body:
            if isinstance(node, ast.ClassDef):
                found[within + node.name] = node
                look(node.body, f"{within}{node.name}.")

    look(ast.parse(inspect.getsource(import_module(module))).body, "")
    return found


@lru_cache
def own_names(kind: type) -> frozenset[str]:
    """What a class defines: its methods, its attributes, and those of its objects."""
    node = statements(kind.__module__).get(kind.__qualname__)
    if node is None:
        # Made by a call, as a named tuple may be.
        return frozenset(name for name in vars(kind) if not name.startswith("_"))
    names = set()
    for part in node.body:
        if isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
            names.add(part.name)
        elif isinstance(part, ast.Assign):
            names |= {target.id for target in part.targets if isinstance(target, ast.Name)}
        elif isinstance(part, ast.AnnAssign) and isinstance(part.target, ast.Name):
            names.add(part.target.id)
    for part in ast.walk(node):
        if (
            isinstance(part, ast.Attribute)
            and isinstance(part.ctx, ast.Store)
            and isinstance(part.value, ast.Name)
            and part.value.id == "self"
        ):
            names.add(part.attr)
    return frozenset(name for name in names if not name.startswith("__"))


def all_names(kind: type) -> frozenset[str]:
    """What a class defines, and what it has of classes of ours."""
    return frozenset().union(*(own_names(base) for base in kind.__mro__ if is_ours(base)))


def large() -> list[str]:
    """The classes of some size; the others can't be too large."""
    return [
        name
        for name, kind in classes().items()
        if not issubclass(kind, BaseException) and len(all_names(kind)) > OWN // 2
    ]


@pytest.mark.parametrize("name", large())
def test_a_class_has_few_names(name: str) -> None:
    kind = classes()[name]
    assert len(own_names(kind)) <= OWN, sorted(own_names(kind))
    assert len(all_names(kind)) <= WITH_INHERITED, sorted(all_names(kind))


def of_textual(*bases: type) -> list[str]:
    return [name for name, kind in classes().items() if issubclass(kind, bases)]


@pytest.mark.parametrize("name", of_textual(App, Screen))
def test_one_class_of_ours_stands_between_textual_and_a_screen_or_the_app(name: str) -> None:
    between = [kind for kind in classes()[name].__mro__[1:] if is_ours(kind)]
    assert len(between) <= 1, between


def gets_keys(kind: type) -> bool:
    """Whether Textual hands keys to what a class defines: by its name, as `key_x`, or by `@on`."""
    for name, method in vars(kind).items():
        messages = [message for message, _ in getattr(method, "_textual_on", ())]
        by_key = name.startswith(("key_", "_key_")) and inspect.isfunction(method) and not messages
        if name in ("on_key", "_on_key") or by_key or Key in messages:
            return True
    return False


@pytest.mark.parametrize("name", of_textual(MessagePump))
def test_keys_come_to_what_has_the_focus_or_to_the_router(name: str) -> None:
    kind = classes()[name]
    if gets_keys(kind):
        assert issubclass(kind, Widget)
        assert not issubclass(kind, Screen)
        assert kind.can_focus


@lru_cache
def trees() -> list[tuple[str, ast.Module]]:
    """What stands in the console's files."""
    return [
        (str(source.relative_to(ROOT)), ast.parse(source.read_text(encoding="utf-8")))
        for source in sorted(ROOT.glob("gigq_tui/**/*.py"))
    ]


def super_handlers(tree: ast.AST) -> Iterator[str]:
    """Handlers of a base that are called, by `super()` or by its name: Textual does by itself."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith(("on_", "_on_")):
            whose = ast.unparse(node.value)
            # A class, but not `events.Mount`: a handler is named in lower case.
            if whose.startswith("super(") or whose.rpartition(".")[2][:1].isupper():
                yield node.attr


def test_no_handler_of_a_base_is_called_besides() -> None:
    found = {f"{place}: {name}" for place, tree in trees() for name in super_handlers(tree)}
    assert found == {"gigq_tui/app.py: on_event"}


@lru_cache
def private_names_of_ours() -> frozenset[str]:
    """Every private name that is defined somewhere in the packages."""
    found: set[str] = set(FOR_EVERYBODY)
    for _, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                found.add(node.name)
            elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
                found.add(node.id)
            elif (
                isinstance(node, ast.Attribute)
                and isinstance(node.ctx, ast.Store)
                and isinstance(node.value, ast.Name)
                and node.value.id == "self"
            ):
                found.add(node.attr)
    return frozenset(found)


def is_private(name: str) -> bool:
    return name.startswith("_") and not name.startswith("__")


def foreign_privates(tree: ast.AST) -> Iterator[str]:
    """What is private and not of the object itself; and of that, what nobody here defines."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute):
            mine = ast.unparse(node.value) in ("self", "cls", "super()")
            known = private_names_of_ours() if mine else FOR_EVERYBODY
            if is_private(node.attr) and node.attr not in known:
                yield ast.unparse(node)
        elif isinstance(node, ast.Call) and ast.unparse(node.func) in ATTRIBUTE_BY_NAME:
            name = node.args[1] if len(node.args) > 1 else None
            if isinstance(name, ast.Constant) and is_private(str(name.value)):
                yield ast.unparse(node)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("textual"):
            parts = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            if any(part.startswith("_") for part in parts):
                yield ast.unparse(node)
        elif isinstance(node, ast.Import):
            yield from (a.name for a in node.names if a.name.startswith("textual._"))


def test_only_the_terminal_knows_private_parts_of_textual() -> None:
    found = {
        f"{place}: {what}"
        for place, tree in trees()
        if not place.startswith("gigq_tui/terminal/")
        for what in foreign_privates(tree)
    }
    assert found == set()


def test_only_the_terminal_replaces_private_parts_of_textual() -> None:
    found = {
        f"{name}.{own}"
        for name, kind in classes().items()
        if ".terminal." not in name and issubclass(kind, MessagePump)
        for own in own_names(kind)
        for base in kind.__mro__
        if own.startswith("_") and not is_ours(base) and own in vars(base)
    }
    assert found == set()


@pytest.mark.parametrize("name", of_textual(MessagePump))
def test_a_widget_reads_no_private_part_that_textual_gave_it(name: str) -> None:
    kind = classes()[name]
    if ".terminal." in name:
        return
    tree = ast.parse(dedent(inspect.getsource(kind)))
    read = {
        node.attr
        for node in ast.walk(tree)
        if isinstance(node, ast.Attribute) and ast.unparse(node.value) in ("self", "super()")
    }
    assert {attr for attr in read if is_private(attr)} <= all_names(kind)
