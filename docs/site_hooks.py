"""What the site takes from outside its pages: documents, pictures, and tables made from the code.

Pages link to documents and pictures as the repository has them (`../../RELIABILITY.md`), so that
they can be read there too; here these links become those of the site. A line such as
`<!-- from the code: keys -->` is replaced by what that function in FROM_THE_CODE returns.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigq_core.cli.main import cli as core
from gigq_tui.cli import cli as console
from gigq_tui.config.model import Config
from gigq_tui.config.printing import config_text
from gigq_tui.keys import ACTIONS, Action, Scope, actions_for
from gigq_tui.keys.action import SCREENS

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]

# The documents of the top level that are pages of the site, too.
DOCUMENTS = ("ARCHITECTURE.md", "CHANGELOG.md", "CONTRIBUTING.md", "RELIABILITY.md")

_AFTER_THE_KEYS = "# What holds for single queue files"
_MARK = re.compile(r"^<!-- from the code: (\w+) -->$", re.MULTILINE)
# Click's mark is a backspace on a line of its own.
_AS_IT_STANDS = re.compile(r"^ *\x08\n(.*?)\n(?=\n)", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^ +(\d+) +(\S.*)$", re.MULTILINE)
_LINK = re.compile(r"(\]\()(?:\.\./\.\./)?([^)\s#]+)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Keep what the help of a command shows line by line as it stands there."""
    for command in (console, *_with_those_within(core)):
        if command.help:
            command.help = _fenced(command.help)
    return config


def _with_those_within(command: click.Command) -> Iterator[click.Command]:
    yield command
    if isinstance(command, click.Group):
        for one in command.commands.values():
            yield from _with_those_within(one)


def _fenced(text: str) -> str:
    """Help with the paragraphs that click leaves alone as blocks of text."""
    return _AS_IT_STANDS.sub(r"```text\n\1\n```", text.strip() + "\n\n")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add the documents of the top level, and the pictures."""
    from mkdocs.structure.files import File

    for name in DOCUMENTS:
        files.append(File.generated(config, name.lower(), content=(ROOT / name).read_text("utf-8")))
    for picture in sorted((ROOT / "screenshots").glob("*.png")):
        files.append(
            File.generated(config, f"screenshots/{picture.name}", abs_src_path=str(picture))
        )
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fill in what comes from the code, and turn the repository's links into the site's."""
    return site_links(_MARK.sub(lambda mark: FROM_THE_CODE[mark[1]](), markdown))


def site_links(markdown: str) -> str:
    """Return a page with its links to documents, pages and pictures as they are on the site."""

    def on_site(link: re.Match[str]) -> str:
        start, target = link.groups()
        if target in DOCUMENTS:
            return start + target.lower()
        return start + target.removeprefix("docs/pages/")

    return _LINK.sub(on_site, markdown)


def keys() -> str:
    """Return the keys of each screen, from the registry of actions.

    Those that all have are told once; the form and the help have fewer.
    """
    shared = [action for action in ACTIONS if action.scopes >= SCREENS]
    parts = [f"### On every screen\n\n{_table(shared)}"]
    for scope in Scope:
        told = () if scope not in SCREENS else shared
        own = [action for action in actions_for(scope) if action not in told]
        parts.append(f"### {scope.value}\n\n{_table(own)}")
    return "\n\n".join(parts)


def configuration() -> str:
    """Return the configuration as it is without a file, but for the keys."""
    text = config_text(Config(), Path("config.toml"), found=False)
    # The head names files of the machine that the site is made on; the keys have their tables.
    _, _, text = text.partition("\n\n")
    before, _, after = text.partition("[keys]\n")
    named, _, after = after.partition("\n\n")
    return f"```toml\n{before}[keys]\n{named}\n{after[after.index(_AFTER_THE_KEYS) :]}```"


def console_exit_codes() -> str:
    """Return the exit codes of gigq-tui, from its help."""
    rows = (f"| {code} | {meaning} |" for code, meaning in _CODE.findall(console.help or ""))
    return "| code | meaning |\n|---|---|\n" + "\n".join(rows)


def _table(actions: Iterable[Action]) -> str:
    head = "| key | action | name in the configuration |\n|---|---|---|\n"
    return head + "\n".join(map(_row, actions))


def _row(action: Action) -> str:
    keys = " ".join(_code(key) for key in action.shown.split())
    return f"| {keys} | {_cell(action.help)} | `{action.id}` |"


def _code(key: str) -> str:
    return key if key in ("twice",) else f"`{_cell(key)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


FROM_THE_CODE: dict[str, Callable[[], str]] = {
    "configuration": configuration,
    "console_exit_codes": console_exit_codes,
    "keys": keys,
}
