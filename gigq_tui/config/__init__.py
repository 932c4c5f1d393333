"""The user's configuration: one TOML file, read before the screen is taken, or refused."""

from __future__ import annotations

from gigq_tui.config.model import ChosenColumn, Config, DatabaseSettings, Label

__all__ = ["ChosenColumn", "Config", "DatabaseSettings", "Label"]
