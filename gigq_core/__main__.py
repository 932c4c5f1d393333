"""`python -m gigq_core` is the `gigq-core` command; so is this file, from any folder."""

from __future__ import annotations

import os
import sys


def _take_own_package() -> None:
    """Make `gigq_core` the package around this file, whatever the path would find by that name."""
    folder = os.path.dirname(os.path.abspath(__file__))
    if sys.path and os.path.realpath(sys.path[0]) == os.path.realpath(folder):
        del sys.path[0]  # the modules here are no top-level ones
    from importlib.util import module_from_spec, spec_from_file_location

    spec = spec_from_file_location(
        "gigq_core", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    assert spec is not None
    assert spec.loader is not None
    package = sys.modules["gigq_core"] = module_from_spec(spec)
    spec.loader.exec_module(package)


if __name__ == "__main__":
    if not __package__:
        _take_own_package()
    from gigq_core.cli.main import main

    main()
