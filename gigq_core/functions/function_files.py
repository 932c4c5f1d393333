"""Whether a function can be where its name says, by the source files alone: nothing is imported."""

from __future__ import annotations

import os
import re
import sys
from importlib.machinery import PathFinder
from pathlib import Path


def why_missing(function: str) -> str:
    """Why `package.module.function` can't be found from the current folder; empty where it may be.

    What is not installed here says nothing: workers may run elsewhere.
    """
    module, _, name = function.rpartition(".")
    top, *rest = module.split(".")
    if not module or top == "__main__":
        return ""
    try:
        spec = PathFinder.find_spec(top, [os.getcwd(), *sys.path])
    except (ImportError, ValueError, OSError):
        return ""
    if spec is None or (rest and not spec.submodule_search_locations):
        return ""
    file = Path(spec.origin) if spec.origin else None
    folders = [Path(folder) for folder in spec.submodule_search_locations or ()]
    for part in rest:
        found = [(folder / part, folder / f"{part}.py") for folder in folders]
        packages = [package for package, _ in found if package.is_dir()]
        files = [source for _, source in found if source.is_file()]
        if not packages and not files:
            if any(_has_other(folder, part) for folder in folders):
                return ""
            return f"there is no module {module}"
        file = packages[0] / "__init__.py" if packages else files[0]
        folders = packages
    return _why_not_in(file, module, name)


def _why_not_in(file: Path | None, module: str, name: str) -> str:
    if file is None or file.suffix != ".py":
        return ""
    try:
        source = file.read_text("utf-8", "replace")
    except OSError:
        return ""
    # Whoever makes names in other ways than by writing them may make this one.
    if re.search(r"import \*|\b__getattr__\b|\bglobals\(\)|\bsetattr\(|\bexec\(", source):
        return ""
    return "" if re.search(rf"\b{re.escape(name)}\b", source) else f"{module} has no {name}"


def _has_other(folder: Path, part: str) -> bool:
    """Whether there is a module that is no source: compiled, for example."""
    try:
        return any(entry.split(".")[0] == part for entry in os.listdir(folder))
    except OSError:
        return True
