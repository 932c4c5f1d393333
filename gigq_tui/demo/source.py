"""Which source files the demo works on: the standard library of the running interpreter."""

from __future__ import annotations

import sysconfig
from collections.abc import Iterator
from pathlib import Path

# Not the library's own code, or made by programs: tables as large as all the rest together.
_LEFT_OUT = {
    "__phello__",
    "__pycache__",
    "dist-packages",
    "ensurepip",
    "idle_test",
    "lib2to3",
    "pydoc_data",
    "site-packages",
    "test",
    "tests",
}
SINGLE_MODULES = "modules-"

# A file beyond this would make one job as long as all others together.
LARGEST_FILE_BYTES = 400_000


def library_folder() -> Path:
    """The folder of the standard library's sources."""
    return Path(sysconfig.get_path("stdlib"))


def packages(library: Path) -> dict[str, list[Path]]:
    """The library's files by package, single modules grouped by their first letter.

    Args:
        library: the folder that holds them.

    Returns:
        Names with their files, both sorted; no package is empty.
    """
    found: dict[str, list[Path]] = {}
    for entry in sorted(library.iterdir()):
        if entry.is_dir() and (entry / "__init__.py").is_file() and entry.name not in _LEFT_OUT:
            found[entry.name] = list(_files_below(entry))
        elif _is_source(entry):
            letter = entry.stem.lstrip("_")[:1].lower() or "_"
            found.setdefault(f"{SINGLE_MODULES}{letter}", []).append(entry)
    return {name: files for name, files in sorted(found.items()) if files}


def _files_below(folder: Path) -> Iterator[Path]:
    for entry in sorted(folder.iterdir()):
        if entry.is_dir():
            if entry.name not in _LEFT_OUT:
                yield from _files_below(entry)
        elif _is_source(entry):
            yield entry


def _is_source(path: Path) -> bool:
    return path.suffix == ".py" and path.is_file() and path.stat().st_size <= LARGEST_FILE_BYTES
