"""The demo's report: totals and rankings as Markdown, and as a page."""

from __future__ import annotations

from html import escape
from typing import Any

RANKED = 15
_COLUMNS = ("lines", "code_lines", "comments", "functions", "classes", "instructions")


def markdown(totals: dict[str, Any], imports: dict[str, int], clones: list[dict[str, Any]]) -> str:
    """The report as Markdown.

    Args:
        totals: what `merge_measures` found.
        imports: how many packages import each package.
        clones: pairs of functions that are alike, the closest first.
    """
    head = " | ".join(("package", *_COLUMNS, "knottiest function"))
    rows = [
        " | ".join(
            (
                name,
                *(f"{measure[column]:,}" for column in _COLUMNS),
                f"{measure['knottiest']} ({measure['complexity']})",
            )
        )
        for name, measure in ranked(totals)
    ]
    return "\n".join(
        [
            f"# {totals['python']}: its standard library",
            "",
            f"{totals['files']:,} files, {totals['lines']:,} lines, {totals['functions']:,} "
            f"functions, {totals['instructions']:,} bytecode instructions.",
            "",
            head,
            " | ".join("---" for _ in range(len(_COLUMNS) + 2)),
            *rows,
            "",
            "## Most imported",
            "",
            *(f"- {name}: by {count} packages" for name, count in _most(imports)),
            "",
            "## Most alike",
            "",
            *(
                f"- {found['alike']:.0%}: {found['one']} and {found['other']} in {found['package']}"
                for found in clones[:RANKED]
            ),
            "",
        ]
    )


def page(totals: dict[str, Any]) -> str:
    """The rankings as an HTML page, a bar for each package."""
    ranking = ranked(totals)
    longest = max((measure["lines"] for _, measure in ranking), default=1)
    bars = "\n".join(
        f"<tr><td>{escape(name)}<td>{measure['lines']:,}"
        f'<td><div style="width:{30 * measure["lines"] / longest:.2f}em"></div>'
        for name, measure in ranking
    )
    title = f"{escape(totals['python'])}: lines by package"
    return (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{title}</title>\n'
        "<style>div { background: #468; height: 1em }</style>\n"
        f"<h1>{title}</h1>\n<table>\n{bars}\n</table>\n"
    )


def ranked(totals: dict[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """The largest packages first."""
    packages: dict[str, dict[str, Any]] = totals["packages"]
    return sorted(packages.items(), key=lambda item: (-item[1]["lines"], item[0]))[:RANKED]


def _most(imports: dict[str, int]) -> list[tuple[str, int]]:
    return sorted(imports.items(), key=lambda item: (-item[1], item[0]))[:RANKED]
