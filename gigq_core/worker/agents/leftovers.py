"""What agents leave at the far end of a link: what is kept there on purpose, and for how long."""

from __future__ import annotations

import fcntl
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

# An agent of another version that nobody has started for so long is forgotten, in seconds.
UNUSED_S = 30 * 24 * 3600.0
# So often whoever runs says that its own is in use, in seconds.
USED_EVERY_S = 6 * 3600.0
# What is younger may be about to be used, in seconds.
NEW_S = 600.0
# How the folders are called in which an agent has what it needs while it runs, and the one that it
# was unpacked into for this once.
RUN_PREFIX = "gigq-run-"
ONCE_PREFIX = "gigq-agent-"
# The file in each that is locked while it is in use: of the second it is what was sent.
_LOCKS = {RUN_PREFIX: "lock", ONCE_PREFIX: "agent.zip"}


def make_run_folder() -> Path:
    """A folder for this agent alone, in use until the last process ends that has it from here."""
    folder = Path(tempfile.mkdtemp(prefix=RUN_PREFIX))
    (folder / _LOCKS[RUN_PREFIX]).touch(0o600)
    hold(folder, RUN_PREFIX)
    return folder


def hold(folder: Path, prefix: str) -> int | None:
    """Say that a folder is in use, as long as this process lives, or one that it forks from now on.

    Returns:
        A descriptor, with which that ends if it is closed everywhere; None where the folder is in
        use already.
    """
    lock = -1
    try:
        lock = os.open(folder / _LOCKS[prefix], os.O_RDWR | os.O_NOFOLLOW)
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        if lock >= 0:
            os.close(lock)
        return None
    return lock


def clean(bundle: Path | None) -> None:
    """Remove what others have left, and say that `bundle` is in use.

    Args:
        bundle: the folder that this agent was started from, if it is one that is kept.
    """
    if bundle is not None:
        for folder in _ours(bundle.parent, ("agent-", ".new-", ".old-")):
            if folder != bundle and _age_s(folder) > UNUSED_S:
                shutil.rmtree(folder, ignore_errors=True)
        note_use(bundle)
    for prefix in (RUN_PREFIX, ONCE_PREFIX):
        for folder in _ours(Path(tempfile.gettempdir()), (prefix,)):
            if _age_s(folder) <= NEW_S:
                continue
            lock = hold(folder, prefix)
            if lock is not None or not (folder / _LOCKS[prefix]).exists():
                # Whoever used it was killed.
                shutil.rmtree(folder, ignore_errors=True)
            if lock is not None:
                os.close(lock)


def note_use(bundle: Path) -> None:
    """Say that a folder is in use."""
    try:
        os.utime(bundle)
    except OSError:
        pass  # it was removed by hand


def _ours(place: Path, prefixes: tuple[str, ...]) -> Iterator[Path]:
    """The folders of this user there whose names begin so."""
    try:
        names = os.listdir(place)
    except OSError:
        return
    for name in names:
        if not name.startswith(prefixes):
            continue
        try:
            found = (place / name).lstat()
        except OSError:
            continue
        if stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid():
            yield place / name


def _age_s(folder: Path) -> float:
    try:
        return time.time() - folder.lstat().st_mtime
    except OSError:
        return 0.0
