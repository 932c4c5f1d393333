"""An exception that others import, and so hold under another name."""

from __future__ import annotations


class Broken(Exception):
    """Defined here, and known elsewhere too."""
