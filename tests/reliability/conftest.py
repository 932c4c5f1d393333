"""The files and workers of the integration tests serve these tests too, with GigQ beside them."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.integration.conftest import Place, place
from tests.reliability.theirs import Theirs

__all__ = ["place", "theirs"]


@pytest.fixture
def theirs(place: Place) -> Iterator[Theirs]:
    """The public package on the same file, which ours has attached."""
    made = Theirs(place.db, place.folder)
    yield made
    made.close()
