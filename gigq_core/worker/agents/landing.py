"""What is run first at the far end of a link: sees to it that the agent is there, and becomes it.

Its text is sent as one line to an interpreter that reads its commands from the link, so it needs
nothing but the standard library, and any Python 3.4 or later can read it. What it says goes to
standard output, as lines that begin with a mark; what other programs say before is no matter.
"""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def say(what: object) -> None:
    import json

    # The mark is made of two parts: where the line that brought this is echoed, it is not said.
    data = ("\ngigq-" + "agent " + json.dumps(what) + "\n").encode("ascii")
    while data:
        data = data[os.write(1, data) :]


def leave(trouble: str) -> "NoReturn":
    say({"trouble": trouble})
    os._exit(1)


def read(size: int) -> bytes:
    parts = []
    while size:
        part = os.read(0, min(size, 65536))
        if not part:
            os._exit(1)
        parts.append(part)
        size -= len(part)
    return b"".join(parts)


def is_ours(folder: str) -> bool:
    """Whether a folder is one of this user's, in which nobody else can put anything."""
    import stat

    found = os.lstat(folder)
    return stat.S_ISDIR(found.st_mode) and found.st_uid == os.geteuid() and not found.st_mode & 0o22


def cache() -> "str | None":
    """The folder in which agents are kept for the next time; None if there can't be one."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    if not os.path.isabs(base):
        base = os.path.expanduser("~/.cache")
    folder = os.path.join(base, "gigq")
    try:
        if os.path.isabs(folder):
            os.makedirs(folder, 0o700, exist_ok=True)
            if is_ours(folder):
                return folder
    except OSError:
        pass
    return None


def holds(folder: str, sha: str) -> bool:
    """Whether the agent stands there as it was sent, in each of its files."""
    import hashlib
    import zipfile

    try:
        path = os.path.join(folder, "agent.zip")
        if not is_ours(folder) or os.path.islink(path):
            return False
        with open(path, "rb") as file:
            if hashlib.sha256(file.read()).hexdigest() != sha:
                return False
        with zipfile.ZipFile(path) as bundle:
            for name in bundle.namelist():
                path = os.path.join(folder, name)
                if not is_ours(os.path.dirname(path)) or os.path.islink(path):
                    return False
                with open(path, "rb") as file:
                    if file.read() != bundle.read(name):
                        return False
        # By this others see when it was last used.
        os.utime(folder)
        return True
    except (OSError, ValueError, KeyError, zipfile.BadZipFile):
        return False


def unpack(data: bytes, folder: str) -> None:
    import io
    import zipfile

    with open(os.path.join(folder, "agent.zip"), "wb") as file:
        file.write(data)
    with zipfile.ZipFile(io.BytesIO(data)) as bundle:
        bundle.extractall(folder)
    for place, _, _ in os.walk(folder):
        os.chmod(place, 0o700)


def keep(data: bytes, base: str, sha: str) -> str:
    """Put the agent into the cache as a whole, or not at all; gives its folder."""
    import shutil
    import tempfile

    place = os.path.join(base, "agent-" + sha[:16])
    new = tempfile.mkdtemp(prefix=".new-", dir=base)
    try:
        unpack(data, new)
        for _ in range(10):
            try:
                os.rename(new, place)
                return place
            except OSError:
                # Another one was faster, or what is there is not whole.
                if holds(place, sha):
                    return place
                old = tempfile.mkdtemp(prefix=".old-", dir=base)
                try:
                    os.rename(place, os.path.join(old, "agent"))
                except OSError:
                    pass  # another one did
                shutil.rmtree(old, ignore_errors=True)
        raise OSError("it can't be put in the place of what is there")
    finally:
        shutil.rmtree(new, ignore_errors=True)


def settle(data: bytes, base: "str | None", sha: str) -> "tuple[str, bool]":
    """Unpack the agent: into the cache, or else for this once; gives its folder, and whether it is
    to be kept."""
    import shutil
    import tempfile

    problems = []
    if base is not None:
        try:
            return keep(data, base, sha), True
        except OSError as problem:
            problems.append("%s: %s" % (base, problem.strerror or problem))
    new = None
    try:
        new = tempfile.mkdtemp(prefix="gigq-agent-")
        unpack(data, new)
        return new, False
    except OSError as problem:
        if new is not None:
            shutil.rmtree(new, ignore_errors=True)
        problems.append("%s: %s" % (new or "temporary folders", problem.strerror or problem))
    return leave("there is no place for the agent (" + "; ".join(problems) + ")")


def land(sha: str, size: int, least: "tuple[int, int]") -> "NoReturn":
    if sys.version_info[:2] < least:
        say({"old": "%d.%d.%d" % tuple(sys.version_info[:3]), "python": sys.executable})
        os._exit(1)
    import base64
    import hashlib

    if not sys.executable:
        leave("its Python can't tell where it is")
    base = cache()
    folder = os.path.join(base or "", "agent-" + sha[:16])
    kept = True
    if base is None or not holds(folder, sha):
        say({"send": True})
        data = base64.b64decode(read(size))
        if hashlib.sha256(data).hexdigest() != sha:
            leave("the agent did not arrive as it was sent: does the link change bytes?")
        folder, kept = settle(data, base, sha)
    start = os.path.join(folder, "gigq_core", "worker", "agents", "start_agent.py")
    # `-S` spares the time for looking at packages, which the agent needs where this isn't Linux.
    options = ["-I", "-S"] if sys.platform.startswith("linux") else ["-I"]
    os.execv(sys.executable, [sys.executable, *options, start, folder, "01"[kept]])
