"""List the functions of a project by reading its source; nothing of it is imported or run.

Run as a file by the workers' interpreter, in the workers' folder: standard library only.
`PYTHON lister.py SECONDS` lists the folder, and the project folders that the interpreter's path
adds to it, and reads no further file after so many seconds. `PYTHON lister.py SECONDS NAME` lists
the one package or module NAME wherever that interpreter finds it.
What it prints is a line of JSON for each module, {"module", "functions"}, and at last {"cut"},
which says why the list is not whole, or is empty.
"""

from __future__ import annotations

import ast
import json
import os
import sys
import time

# Whichever is reached first, the seconds too, ends the listing.
MAX_FILES = 2000
MAX_BYTES = 20000000
MAX_FILE_BYTES = 1000000
MAX_DEPTH = 6
MAX_ENTRIES = 20000

_NO_PROJECT = {"node_modules", "site-packages", "dist-packages", "build", "dist", "__pycache__"}


class _Cut(Exception):
    """A bound was reached; the message says which."""


class _Listing:
    def __init__(self, within_s: float) -> None:
        self.files = self.octets = self.entries = 0
        self.within_s = within_s
        self.ends_at = time.monotonic() + within_s
        self.seen: set = set()  # type: ignore[type-arg]

    def folder(self, path: str, prefix: str, depth: int) -> None:
        """List the modules of a folder, and those of the packages in it."""
        real = os.path.realpath(path)
        if depth > MAX_DEPTH or real in self.seen:
            return
        self.seen.add(real)
        folders = []
        for name in self._names(path):
            full = os.path.join(path, name)
            stem, dot, ending = name.rpartition(".")
            if ending == "py" and dot and stem.isidentifier():
                if stem == "__init__" and prefix:
                    self.module(full, prefix[:-1])
                elif stem not in ("__init__", "__main__"):
                    self.module(full, prefix + stem)
            elif name.isidentifier() and name not in _NO_PROJECT and _is_project(full):
                folders.append((full, prefix + name + "."))
        for full, inner in folders:
            self.folder(full, inner, depth + 1)

    def module(self, path: str, module: str) -> None:
        """Print the functions that stand at the top of one file."""
        if time.monotonic() > self.ends_at:
            raise _Cut("it took longer than %g s" % self.within_s)
        if self.files >= MAX_FILES:
            raise _Cut("there are more than %d files" % MAX_FILES)
        if self.octets >= MAX_BYTES:
            raise _Cut("there are more than %d bytes of source" % MAX_BYTES)
        try:
            if not os.path.isfile(path) or os.path.getsize(path) > MAX_FILE_BYTES:
                return
            with open(path, "rb") as stream:
                source = stream.read(MAX_FILE_BYTES)
            self.files += 1
            self.octets += len(source)
            names = _functions(ast.parse(source).body) if b"def " in source else []
        except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
            return
        if names:
            _say({"module": module, "functions": sorted(set(names))})

    def _names(self, path: str) -> list:  # type: ignore[type-arg]
        try:
            names = sorted(os.listdir(path))
        except OSError:
            return []
        self.entries += len(names)
        if self.entries > MAX_ENTRIES:
            raise _Cut("there are more than %d entries in its folders" % MAX_ENTRIES)
        return names


def _is_project(path: str) -> bool:
    # A virtual environment is no package, though it is full of them.
    return os.path.isdir(path) and not os.path.exists(os.path.join(path, "pyvenv.cfg"))


def _functions(body: list) -> list:  # type: ignore[type-arg]
    names = []
    for node in body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            names.append(node.name)
        elif isinstance(node, ast.If) and "__name__" not in ast.dump(node.test):
            names += _functions(node.body) + _functions(node.orelse)
        elif isinstance(node, ast.Try):
            names += _functions(node.body)
            for handler in node.handlers:
                names += _functions(handler.body)
    return names


def _say(value: dict) -> None:  # type: ignore[type-arg]
    # Written at once: what is known stays known if a source file is too much for the parser.
    os.write(1, json.dumps(value).encode("ascii") + b"\n")


def _project_folders() -> list:  # type: ignore[type-arg]
    """The folder, and what the path adds to it that belongs to no installation."""
    installed = {sys.prefix, sys.base_prefix, sys.exec_prefix, os.path.dirname(os.__file__)}
    roots = tuple(os.path.realpath(path) + os.sep for path in installed)
    here = os.path.realpath(os.getcwd())
    found = [here]
    for entry in sys.path:
        real = os.path.realpath(entry)
        inside = (real + os.sep).startswith(roots) or "site-packages" in real
        if os.path.isdir(real) and real not in found and (not inside or real == here):
            found.append(real)
    return found


def main() -> None:
    if not getattr(sys.flags, "safe_path", False):
        # The folder of this file, where nothing of the user's is.
        del sys.path[0]
    listing = _Listing(float(sys.argv[1]))
    cut = ""
    try:
        if len(sys.argv) > 2:
            name = sys.argv[2]
            for entry in [os.getcwd(), *sys.path]:
                listing.module(os.path.join(entry, name + ".py"), name)
                listing.folder(os.path.join(entry, name), name + ".", 1)
        else:
            for folder in _project_folders():
                listing.folder(folder, "", 0)
    except _Cut as reason:
        cut = str(reason)
    _say({"cut": cut})


if __name__ == "__main__":
    main()
