"""What `--via` says: a command that leads elsewhere, or a Dask scheduler."""

from __future__ import annotations

import re
import shlex
import shutil
from typing import NamedTuple

_DASK = "dask:"
_ADDRESS = re.compile(r"[a-z][a-z0-9+.-]*://\S+", re.IGNORECASE)


class Via(NamedTuple):
    """A way to one agent, or to as many as a Dask cluster has workers.

    Args:
        text: as it was given.
        words: of a command, which runs what follows them elsewhere.
        address: of a Dask scheduler; empty for a command.
    """

    text: str
    words: tuple[str, ...] = ()
    address: str = ""


def via_of(text: str) -> Via:
    """Read what `--via` says.

    Raises:
        ValueError: it can't lead anywhere.
    """
    if not isinstance(text, str):
        raise ValueError(f"via (--via) must be text, a command such as 'ssh gpu1', got {text!r}")
    if not text.isprintable():
        raise ValueError(f"--via {text!r} has characters that no command has: give it in one line.")
    text = text.strip()
    if text.startswith(_DASK):
        address = text.removeprefix(_DASK)
        if not _ADDRESS.fullmatch(address):
            raise ValueError(
                f"--via {text!r} names no Dask scheduler: give its address, as in "
                "dask:tcp://10.0.0.5:8786."
            )
        return Via(text, address=address)
    try:
        words = tuple(shlex.split(text))
    except ValueError:
        raise ValueError(
            f"--via {text!r} has a quotation mark that is never closed: close it, or put a "
            "backslash before it."
        ) from None
    if not words or not words[0]:
        raise ValueError("--via needs a command that leads elsewhere, as in --via 'ssh gpu1'.")
    if shutil.which(words[0]) is None:
        raise ValueError(
            f"--via {text!r}: there is no command {words[0]} here; install it, or give its path."
        )
    return Via(text, words)
