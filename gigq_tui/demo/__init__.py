"""The demo: a queue with real work in it, over the sources of the interpreter that runs it."""

from __future__ import annotations

from gigq_tui.demo.session import DemoSession, prepare

__all__ = ["DemoSession", "prepare"]
