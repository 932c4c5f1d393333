"""The one file that is sent over a link: the agent, and all of ours that it stands on."""

from __future__ import annotations

import ast
import hashlib
import io
import zipfile
from base64 import b64encode
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from gigq_core.worker import runner

_ROOT = Path(__file__).parents[3]
# Where it begins; and what is read there as a file, or loaded by whom it is loaded by alone.
_SEEDS = ("gigq_core.worker.agents.guard", "gigq_core.worker.agents.agent")
_ALONGSIDE = (
    "gigq_core/worker/agents/start_agent.py",
    "gigq_core/worker/start_runner.py",
    "gigq_core/notify.py",
)
# This one needs nothing of ours, by design, and is too long to be read for that.
_ALONE = (runner.__name__,)
# Each member bears the same moment, so that the same files make the same bundle.
_MOMENT = (2000, 1, 1, 0, 0, 0)


class Bundle(NamedTuple):
    """The file as it is sent: base64 of a zip; and the sha256 of the zip, by which it is known."""

    sha: str
    text: bytes


@lru_cache(maxsize=1)
def make_bundle() -> Bundle:
    """Make the file out of what this process was started from; once a process."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, data in sorted(_files().items()):
            entry = zipfile.ZipInfo(name, _MOMENT)
            entry.compress_type = zipfile.ZIP_DEFLATED
            bundle.writestr(entry, data)
    data = buffer.getvalue()
    return Bundle(hashlib.sha256(data).hexdigest(), b64encode(data))


def _files() -> dict[str, bytes]:
    files = {name: (_ROOT / name).read_bytes() for name in _ALONGSIDE}
    for module in modules():
        path = _path_of(module)
        files[path] = (_ROOT / path).read_bytes()
        for package in Path(path).parents[:-1]:
            # The packages themselves load the queue.
            files[f"{package.as_posix()}/__init__.py"] = b""
    return files


def modules() -> list[str]:
    """The modules of ours that the agent imports as it starts, in their order."""
    found: set[str] = set()
    waiting = list(_SEEDS)
    while waiting:
        module = waiting.pop()
        if module not in found:
            found.add(module)
            if module not in _ALONE:
                waiting += _imports(module)
    return sorted(found)


def _imports(module: str) -> list[str]:
    found = []
    for node in ast.parse((_ROOT / _path_of(module)).read_bytes()).body:
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.module:
            # What is imported is a module, or a name of one.
            names = [f"{node.module}.{alias.name}" for alias in node.names]
            names = [name if _is_module(name) else node.module for name in names]
        else:
            continue
        found += [name for name in names if _is_module(name)]
    return found


def _is_module(name: str) -> bool:
    return name.startswith("gigq_core.") and (_ROOT / _path_of(name)).is_file()


def _path_of(module: str) -> str:
    return module.replace(".", "/") + ".py"
