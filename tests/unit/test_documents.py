"""What the documents name exists: commands, options, keys, codes, files and anchors."""

from __future__ import annotations

import ast
import importlib.util
import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from pkgutil import resolve_name
from types import ModuleType

import click
import pytest

from gigq_core.cli import errors as core_errors
from gigq_core.cli.main import cli as core
from gigq_tui.cli import cli as console
from gigq_tui.config.load import read_config
from gigq_tui.config.model import Config
from gigq_tui.keys import ACTIONS, Scope, actions_for
from tests.commands import all_commands
from tests.pages import DOCUMENTS, ROOT, blocks_of

PACKAGES = ("gigq_core", "gigq_tui")

# Programs of others, and options of theirs that stand by themselves.
_THEIRS = (
    *("docker", "mkdocs", "pip", "systemctl", "journalctl", "logrotate", "python", "pytest"),
    *("salloc", "sbatch"),
)
_THEIR_OPTIONS = {"--init", "--stop-timeout", "--pty", "--time", "--lifetime"}


@pytest.fixture(scope="module")
def hooks() -> ModuleType:
    """The hooks of the site, without MkDocs."""
    spec = importlib.util.spec_from_file_location("site_hooks", ROOT / "docs" / "site_hooks.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def text_of(document: Path) -> str:
    return document.read_text("utf-8")


def options_of(*commands: click.Command) -> set[str]:
    return {
        option
        for command in commands
        for parameter in command.params
        for option in (*parameter.opts, *parameter.secondary_opts)
    }


OPTIONS = options_of(console, core, *core.commands.values(), *all_commands().values()) | {
    "--help",
    "-h",
    *_THEIR_OPTIONS,
}
# The registry's, those that answer a question, and those of terminals and of Textual's fields.
KEYS = {word for action in ACTIONS for word in action.shown.split()} | {
    *("y", "Y", "n", "F", "E"),
    *("ctrl+s", "ctrl+\\"),
}
SOURCES = "".join(
    file.read_text("utf-8")
    for package in PACKAGES
    for file in sorted((ROOT / package).rglob("*.py"))
)
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda document: document.stem)


def code_in(text: str) -> Iterator[str]:
    """The code of a document: fenced blocks line by line, and what stands between backticks."""
    for block in re.findall(r"^```[^\n]*\n(.*?)^```", text, re.MULTILINE | re.DOTALL):
        yield from block.splitlines()
    rest = re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL)
    yield from re.findall(r"`([^`\n]+)`", rest)


@each_document
def test_each_command_of_ours_that_a_document_names_exists(document: Path) -> None:
    for code in code_in(text_of(document)):
        for words in re.findall(r"gigq-core\b((?: [^\s|;)\\]+)*)", code):
            rest = re.sub(r" (--db \S+|--version|--help|-h)", "", words).split()
            if rest and rest[0] not in ("COMMAND", "…"):
                for command in rest[0].split("|"):
                    assert command in core.commands, code


@each_document
def test_each_option_that_a_document_names_exists(document: Path) -> None:
    for code in code_in(text_of(document)):
        if code.strip().startswith(_THEIRS):
            continue
        # What leads elsewhere has options of its own.
        for option in re.findall(
            r"(?<![\w-])--[a-z][a-z-]*", re.sub(r"--via '[^']*'", "--via", code)
        ):
            assert option in OPTIONS, code


def test_every_command_and_every_option_stands_on_the_site(hooks: ModuleType) -> None:
    # Generated, so it is enough that the pages ask for them.
    pages = ROOT / "docs" / "pages"
    for page, module in (("gigq-core", "gigq_core.cli.main"), ("gigq-tui", "gigq_tui.cli")):
        assert f":module: {module}\n" in text_of(pages / f"{page}.md")


def test_the_tables_of_keys_have_every_action_of_every_screen(hooks: ModuleType) -> None:
    found = {
        part.partition("\n")[0]: set(re.findall(r"\| `(\w+)` \|$", part, re.MULTILINE))
        for part in hooks.keys().split("### ")[1:]
    }
    shared = found.pop("On every screen")
    assert found.keys() == {scope.value for scope in Scope}
    for scope in Scope:
        own = {action.id for action in actions_for(scope)}
        assert own - found[scope.value] in (set(), shared)
        assert found[scope.value] <= own


def test_the_page_of_the_configuration_shows_it_whole_but_for_the_keys(hooks: ModuleType) -> None:
    text = hooks.configuration()
    assert "theme = " in text
    assert "[jobs]" in text
    assert "[[database]]" in text
    assert str(Path.home()) not in text
    assert all(f"{field} = " in text for field in ("theme", "mouse", "columns", "sort"))
    assert Config().databases == ()


@each_document
def test_each_key_that_a_document_names_does_something(document: Path) -> None:
    for code in re.findall(r"`([^`\n]+)`", text_of(document)):
        if re.fullmatch(r"[a-z0-9<>/:?*+=-]|(?:ctrl|alt)\+\S+", code, re.IGNORECASE):
            assert code in KEYS, code


@each_document
def test_each_configuration_in_a_document_is_one(document: Path, tmp_path: Path) -> None:
    for block in blocks_of(document):
        if block.language == "toml" and block.mark != "file":
            file = tmp_path / "config.toml"
            file.write_text(block.text)
            assert read_config(file, must_exist=True) != Config()


@each_document
def test_each_variable_of_ours_that_a_document_names_is_read(document: Path) -> None:
    for name in set(re.findall(r"\bGIGQ_[A-Z_]+\b", text_of(document))):
        assert name in SOURCES, name


@each_document
def test_each_file_of_the_repository_that_a_document_names_is_there(document: Path) -> None:
    for code in re.findall(r"`([^`\s]+)`", text_of(document)):
        if re.fullmatch(r"(?:gigq_\w+|tests|docs|screenshots|benchmarks)/[\w./-]*", code):
            assert (ROOT / code).exists(), code
        elif re.fullmatch(r"test_\w+\.py", code):
            assert list((ROOT / "tests").rglob(code)), code


def test_the_map_of_the_house_names_every_folder_and_nothing_else() -> None:
    house = next(block for block in blocks_of(ROOT / "ARCHITECTURE.md") if not block.language)
    named: set[Path] = set()
    folders: list[Path] = []
    for line in house.text.splitlines():
        depth = (len(line) - len(line.lstrip())) // 2
        names = [] if depth > 2 else re.split(r" {2,}", line.strip())[0].split()
        for name in names:
            there = (folders[depth - 1] if depth else ROOT) / name
            assert there.is_dir() or there.with_suffix(".py").is_file(), line
            if there.is_dir():
                folders[depth:] = [there]
                named.add(there)
    packages = {file.parent for name in PACKAGES for file in (ROOT / name).rglob("*.py")}
    screens = ROOT / "gigq_tui" / "screens"
    assert {
        folder for folder in packages if folder.parent in (ROOT, *map(ROOT.joinpath, PACKAGES))
    } <= named
    assert {folder.name for folder in packages if folder.parent == screens} <= set(
        re.findall(r"\w+", house.text)
    )


def test_the_exit_codes_of_the_console_are_those_of_its_help(hooks: ModuleType) -> None:
    codes = re.findall(r"^\| (\d+) \|", hooks.console_exit_codes(), re.MULTILINE)
    assert codes == ["0", "1", "2", "3", "4", "5", "129", "130", "141", "143"]


def test_the_exit_codes_of_the_queue_s_command_are_those_it_ends_with() -> None:
    text = text_of(ROOT / "docs" / "pages" / "errors.md")
    _, _, table = text.partition("## Exit codes of gigq-core")
    codes = {value for name, value in vars(core_errors).items() if name.startswith("EXIT_")}
    assert set(map(int, re.findall(r"^\| (\d+) \|", table, re.MULTILINE))) == {0, *codes}


@each_document
def test_what_a_document_takes_from_the_code_is_made_by_the_hooks(
    document: Path, hooks: ModuleType
) -> None:
    for name in re.findall(r"<!-- from the code: (\w+) -->", text_of(document)):
        assert hooks.FROM_THE_CODE[name]()


def anchors_of(document: Path) -> set[str]:
    """The anchors of a document's headings, as Python-Markdown makes them."""
    headings = re.findall(r"^#+ (.+)$", text_of(document), re.MULTILINE)
    plain = (re.sub(r"[^\w\s-]", "", heading).strip().lower() for heading in headings)
    return {re.sub(r"[-\s]+", "-", heading) for heading in plain}


# Their headings are made when the site is, which checks the anchors.
_GENERATED = ("gigq-core.md", "gigq-tui.md", "python.md", "keys.md")


@each_document
def test_every_link_of_a_document_leads_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text_of(document)):
        if target.startswith(("https:", "#")):
            assert not target.startswith("#") or target[1:] in anchors_of(document), target
            continue
        path, _, anchor = target.partition("#")
        found = (document.parent / path).resolve()
        assert found.exists(), target
        assert found.is_relative_to(ROOT), target
        assert not anchor or found.name in _GENERATED or anchor in anchors_of(found), target


def test_every_link_of_the_site_leads_to_what_the_site_has(hooks: ModuleType) -> None:
    pictures = set((ROOT / "screenshots").glob("*.png"))
    shown = {*(ROOT / "docs" / "pages").glob("*.md"), *map(ROOT.joinpath, hooks.DOCUMENTS)}
    for document in shown:
        for target in re.findall(r"\]\(([^)\s#]+)", text_of(document)):
            if not target.startswith("https:"):
                found = (document.parent / target).resolve()
                assert found in shown | pictures, (document.name, target)


def functions_on_the_site() -> Iterator[Callable[..., object]]:
    """Every function that the page of the Python names shows."""
    page = text_of(ROOT / "docs" / "pages" / "python.md")
    for name in re.findall(r"^::: ([\w.]+)$", page, re.MULTILINE):
        shown = resolve_name(name)
        members = vars(shown).items() if inspect.isclass(shown) else ((shown.__name__, shown),)
        for member, function in members:
            if inspect.isfunction(function) and (member[0] != "_" or member == "__init__"):
                yield function


def test_each_parameter_that_the_site_names_is_one() -> None:
    named = 0
    for function in functions_on_the_site():
        _, _, behind = (inspect.getdoc(function) or "").partition("\nArgs:\n")
        section = re.split(r"\n(?=\S)", behind)[0]
        for name in re.findall(r"^    (\S[^:\n]*):", section, re.MULTILINE):
            assert name.lstrip("*") in inspect.signature(function).parameters, (function, name)
            named += 1
    assert named > 50


def said_in(package: str) -> Iterator[str]:
    """Every text in the sources of a package, with `…` for what differs."""
    for file in sorted((ROOT / package).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text("utf-8"))):
            if isinstance(node, ast.JoinedStr):
                parts = node.values
                yield "".join(str(p.value) if isinstance(p, ast.Constant) else "…" for p in parts)
            elif isinstance(node, ast.Constant) and isinstance(node.value, str):
                yield re.sub(r"%[\d.]*[sdf]", "…", node.value)


def test_each_sentence_about_agents_is_one_that_is_said() -> None:
    text = text_of(ROOT / "docs" / "pages" / "troubleshooting.md").partition("## Agents")[2]
    said = "\n".join(said_in("gigq_core"))
    rows = re.findall(r"^\| (.+?) \| .+ \|$", text, re.MULTILINE)
    sentences = [code for row in rows for code in re.findall(r"`([^`]+)`", row)]
    assert len(sentences) > 30
    for sentence in sentences:
        fragments = [part.strip(" .:()") for part in re.split(r'"?…"?', sentence)]
        for fragment in fragments:
            assert len(fragment) < 8 or fragment in said, (sentence, fragment)
