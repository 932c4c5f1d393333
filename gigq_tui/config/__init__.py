"""The user's configuration: one TOML file, read before the screen is taken, or refused."""

from __future__ import annotations

from gigq_tui.config.model import COLUMN_NAMES, Column, Config, DatabaseSettings, Label

__all__ = ["COLUMN_NAMES", "Column", "Config", "DatabaseSettings", "Label"]
