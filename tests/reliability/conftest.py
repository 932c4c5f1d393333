"""The files and workers of the integration tests serve these tests too."""

from __future__ import annotations

from tests.integration.conftest import place

__all__ = ["place"]
