"""Sizes in words."""

from __future__ import annotations

import pytest

from gigq_core.units.sizes import bytes_in, size_words


@pytest.mark.parametrize(
    ("size", "words"),
    [
        (1, "1 bytes"),
        (1023, "1023 bytes"),
        (1024, "1 KB"),
        (2 * 1024**3, "2 GB"),
        (2.2 * 1024**3, "2.2 GB"),
        (1536 * 1024**2, "1.5 GB"),
        (275.4 * 1024**2, "275 MB"),
        (99.96 * 1024**2, "100 MB"),
        (1023.9 * 1024**2, "1024 MB"),
        (5 * 1024**4, "5 TB"),
    ],
)
def test_a_size_in_words(size: float, words: str) -> None:
    assert size_words(size) == words


def test_what_is_said_can_be_written() -> None:
    for power in range(10, 44):
        size = 3 * 2**power
        assert bytes_in(size_words(size)) == pytest.approx(size, rel=0.05)
