"""The demo's inbox: sources that arrive from outside, some of them truly broken."""

from __future__ import annotations

import shutil
from pathlib import Path

FOLDER = "inbox"
BROKEN = "prices.py"
# What the price list is made from.
WANTED = ("hello.py", "primes.py", BROKEN)

_SOUND = {
    "hello.py": (
        b'"""A sound file."""\n\n\ndef hello(name: str) -> str:\n    return f"Hello {name}"\n'
    ),
    "primes.py": (
        b"def primes(below: int) -> list[int]:\n"
        b"    return [n for n in range(2, below) if all(n % d for d in range(2, n))]\n"
    ),
}

# Each is broken in a way of its own, and each can be mended by hand.
_BROKEN = {
    BROKEN: (
        b'"""Prices with tax."""\n\nRATE = 0.2\nTOTAL = (100 * (1 + RATE)\n\n'
        b"def price(net):\n    return net * (1 + RATE)\n"
    ),
    "latin1.py": 'CITY = "Zürich"\nSTREET = "Löwenstraße"\n'.encode("latin-1"),
    "tabs.py": b"def mixed(n):\n        if n:\n\t    return n\n        return 0\n",
    "nul.py": b"BEFORE = 1\n\x00\x00\nAFTER = 2\n",
}

# Python's own test data is broken on purpose; where a distribution leaves it out, so do we.
_OF_THE_LIBRARY = (
    "lib2to3/tests/data/py2_test_grammar.py",
    "test/tokenizedata/bad_coding.py",
    "test/tokenizedata/badsyntax_3131.py",
    "test/bad_coding.py",
    "test/badsyntax_3131.py",
)


def fill(folder: Path, library: Path) -> list[str]:
    """Write the inbox below `folder`; returns the names of its files, sorted.

    Args:
        folder: the demo's folder.
        library: the standard library's folder, whose own broken files are added.
    """
    inbox = folder / FOLDER
    inbox.mkdir()
    for name, content in {**_SOUND, **_BROKEN}.items():
        (inbox / name).write_bytes(content)
    for path in _OF_THE_LIBRARY:
        source = library / path
        if source.is_file():
            shutil.copyfile(source, inbox / source.name)
    return sorted(file.name for file in inbox.iterdir())
