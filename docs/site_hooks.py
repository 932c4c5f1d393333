"""What the site takes from outside its pages: documents, pictures, and tables made from the code.

Pages link to documents and pictures as the repository has them (`../../RELIABILITY.md`), so that
they can be read there too; here these links become those of the site. A line such as
`<!-- from the code: keys -->` is replaced by what that function in FROM_THE_CODE returns.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from gigq_tui.registry import ACTIONS, Action, Scope

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import Files
    from mkdocs.structure.pages import Page

ROOT = Path(__file__).resolve().parents[1]

# The documents of the top level that are pages of the site, too.
DOCUMENTS = ("CHANGELOG.md", "RELIABILITY.md")

_MARK = re.compile(r"^<!-- from the code: (\w+) -->$", re.MULTILINE)
_LINK = re.compile(r"(\]\()(?:\.\./\.\./)?([^)\s#]+)")


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
    """Return the keys of each screen, from the registry of actions."""
    return "\n\n".join(f"### {scope.value}\n\n{_table(scope)}" for scope in Scope)


def _table(scope: Scope) -> str:
    rows = (_row(action) for action in ACTIONS if scope in action.scopes)
    return "| key | action | name in the configuration |\n|---|---|---|\n" + "\n".join(rows)


def _row(action: Action) -> str:
    keys = " ".join(_code(key) for key in action.shown.split())
    return f"| {keys} | {_cell(action.help)} | `{action.id}` |"


def _code(key: str) -> str:
    return key if key in ("twice",) else f"`{_cell(key)}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


FROM_THE_CODE: dict[str, Callable[[], str]] = {"keys": keys}
