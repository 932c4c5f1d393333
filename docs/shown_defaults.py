"""Defaults as a reader of the Python reference wants them: `300`, not `JobOptions.timeout`."""

from __future__ import annotations

from typing import Any

from griffe import Extension, Function

from gigq_core.job import JobOptions


class ShownDefaults(Extension):
    """Puts the values of job options in place of their names."""

    def on_function(self, *, func: Function, **kwargs: Any) -> None:
        """Change the defaults of one function's parameters."""
        for parameter in func.parameters:
            owner, dot, name = str(parameter.default or "").partition(".")
            if dot and owner == JobOptions.__name__:
                parameter.default = repr(getattr(JobOptions, name))
