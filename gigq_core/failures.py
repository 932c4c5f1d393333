"""What failed in an attempt, and by what others that failed in the same way are known.

All of it is told by the texts that an attempt leaves, so that it is the same for an attempt which
ends now, for one that the release before recorded, and for one of GigQ's, which keeps no traceback.
"""

from __future__ import annotations

import builtins
import hashlib
import re
from typing import NamedTuple

# How much of a message is stored beside the whole error, in characters.
MOST_MESSAGE = 1_000
# How much of a message, quoted parts taken out, tells one failure from another, in characters.
MOST_READ = 2_000
MOST_TITLE = 300
# How many frames are looked at for one of the user's.
MOST_FRAMES = 200
# How much of an error is looked for in its traceback, in characters.
MOST_SOUGHT = 80
_TOO_DEEP = "maximum recursion depth exceeded"
# The hexadecimal digits of a fingerprint.
FINGERPRINT_DIGITS = 16

# What stands for a part that differs from one failure to another.
PART = "#"


class Failure(NamedTuple):
    """How an attempt failed."""

    # The exception's type as tracebacks name it; None where no exception tells of it.
    type: str | None
    message: str
    # Type and message, with whatever differs from one failure to another as `#`.
    title: str
    # The innermost line of the user's own code, as `feeds.py:17`; None where it is not known.
    where: str | None
    # Of all failures with the same type, message and function of the user's.
    fingerprint: str


def failure_of(error: str | None, traceback: str | None = None, raised: str = "") -> Failure:
    """What failed.

    Args:
        error: what is stored as the attempt's error.
        traceback: what is stored as its traceback, if any.
        raised: the exception's type with its module, where that is known from elsewhere.
    """
    text = error or ""
    first = text[:MOST_SOUGHT].split("\n", 1)[0]
    stopped = _STOPPED.match(text) is not None
    if stopped:
        # What its traceback ends with is what stopped it, and where that was.
        kind, end = None, len(traceback or "")
    else:
        kind, end = _kind_of(text, first, traceback, raised)
    if kind is None:
        # A sentence of ours, or one of GigQ's: what follows it is told of one job alone.
        message = text
        normal = _WORKER.sub(f"worker {PART} ", normalised(text.split("\n", 1)[0]))
        normal = _AGENT.sub(f"its agent on {PART} ", normal)
        title = normal
        place = _place_in(traceback, end, "") if traceback and stopped else None
    else:
        message = text[len(kind) :].removeprefix(": ") if text.startswith(kind) else text
        normal = normalised(message)
        if kind == "RecursionError" and normal.startswith(_TOO_DEEP):
            # What follows says in the midst of what it happened to be.
            normal = _TOO_DEEP
        title = f"{kind}: {normal}" if normal else kind
        place = _place_in(traceback, end, kind) if traceback else None
    within = "" if place is None else f"{place.file}:{place.function}"
    known_by = "\n".join((kind or "", normal, within)).encode("utf-8", "surrogatepass")
    return Failure(
        type=kind,
        message=message[:MOST_MESSAGE],
        title=title,
        where=None if place is None else f"{place.file}:{place.line}",
        fingerprint=hashlib.blake2b(known_by, digest_size=FINGERPRINT_DIGITS // 2).hexdigest(),
    )


# --- messages --------------------------------------------------------------------------------

# No pattern here can take long: what one of them fails at is not looked at again, or is short.

# A quote behind a letter is an apostrophe. Each opening quote could close an earlier one, so that
# at most one of each kind is looked for in vain. (What stands before is looked at last: a pattern
# that begins with the quote itself is found faster.)
_QUOTED = re.compile(
    r"(?:'(?<![\w\\]')|b'(?<![\w\\]b'))[^'\\]*(?:\\.[^'\\]*)*'"
    r"|(?:\"(?<![\w\\]\")|b\"(?<![\w\\]b\"))[^\"\\]*(?:\\.[^\"\\]*)*\""
    r"|`(?<![\w\\]`)[^`]*`",
    re.DOTALL,
)
_TYPESET = re.compile(r"“[^“”]*”|„[^„“”]*[“”]|‘[^‘’]*’|«[^«»]*»")
_IN_PATH = r"[^\s'\"`<>|,;()\[\]{}#]"
# From the root, from home or here, with a scheme or a drive; or two folders deep, or with an
# extension: "I/O" and "and/or" are none.
_PATH = re.compile(
    rf"(?:(?<![\w/\\.~])(?:[A-Za-z][\w+.\-]*://|[A-Za-z]:[/\\]|~?/|\.\.?/|\\\\)(?=[\w.~%\-]){_IN_PATH}*"
    rf"|(?<![\w/.\-])[\w.@\-]+(?:/[\w.@+%=\-]+)+(?:(?<=\.[A-Za-z]\w)|(?<=\.[A-Za-z]\w\w)"
    rf"|(?<=\.[A-Za-z]\w\w\w)|(?<=\.[A-Za-z]\w\w\w\w))(?![\w/])"
    rf"|(?<![\w/.\-])[\w.@\-]+(?:/[\w.@+%=\-]+){{2,}}/?)"
)
_UUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"
_WITH_DIGITS = re.compile(
    rf"(?<![A-Za-z0-9])(?:{_UUID}(?![A-Za-z0-9])|0[xX][0-9A-Fa-f]+(?![A-Za-z0-9])"
    r"|[A-Fa-f]{8,}(?![A-Za-z0-9])|[A-Za-z]*\d[A-Za-z0-9]*)"
)
_HEX = re.compile(r"[0-9A-Fa-f]+")
_DIGITS = re.compile(r"\d+")
_ANY = re.compile(r"\d|[A-Fa-f]{8}")
# Several parts that only a sign stands between are one: lists, times, versions, addresses.
_SEVERAL = re.compile(r"(?:[-+](?<![\w#][-+])#|#)(?:(?:[,;]? |[.,:;/+\-_])?[-+]?#)*")

# How the error of an attempt begins that did not fail by itself, but was stopped.
_STOPPED = re.compile(r"Job timed out after |no sign of life for |its worker ended unexpectedly: ")
_WORKER = re.compile(r"^worker \S+ (?:\(pid \S+ )?")
_AGENT = re.compile(r"^its agent on \S+ ")


def normalised(message: str) -> str:
    """The message with numbers, ids, paths and quoted parts as `#`, on one line and bounded."""
    text = message
    if "'" in text or '"' in text or "`" in text:
        text = _QUOTED.sub(PART, text, MOST_READ)
    if not text.isascii():
        text = _TYPESET.sub(PART, text, MOST_READ)
    text = " ".join(text[:MOST_READ].split())
    if "/" in text or "\\" in text:
        text = _PATH.sub(_path_part, text)
    if _ANY.search(text) is not None:
        text = _WITH_DIGITS.sub(_word_part, text)
    if PART in text:
        text = _SEVERAL.sub(PART, text)
    return text[:MOST_TITLE]


def _path_part(found: re.Match[str]) -> str:
    # What ends the sentence is none of it.
    path = found.group()
    return PART + path[len(path.rstrip(".:!?")) :]


def _word_part(found: re.Match[str]) -> str:
    """Of `int64` the number; all of what looks drawn at random, such as `3fa2` and `xK3jd9Q`."""
    word = found.group()
    if word.isdecimal() or _HEX.fullmatch(word) or "-" in word or word[:2] in ("0x", "0X"):
        return PART
    told, runs = _DIGITS.subn(PART, word)
    return told if runs == 1 else PART


# --- types -----------------------------------------------------------------------------------

_TYPE = re.compile(r"[^\W\d][\w.<>]{0,499}(?=: |$|\n)")
_TYPE_AT_END = re.compile(r"[^\W\d][\w.<>]{0,499}\Z")
_TYPE_IN_LINE = re.compile(r"^[^\W\d][\w.<>]{0,499}(?=: |$)", re.MULTILINE)
_LONGEST_TYPE = 500
_BUILTIN = frozenset(
    name
    for name, value in vars(builtins).items()
    if isinstance(value, type) and issubclass(value, BaseException)
)
_CALLED = ("Error", "Exception", "Warning", "Exit", "Interrupt", "Group", "Timeout", "Failure")


def short_type(name: str) -> str:
    """A type's name with its module as tracebacks print it."""
    for module in ("builtins.", "__main__."):
        if name.startswith(module):
            return name[len(module) :]
    return name


def _kind_of(text: str, first: str, traceback: str | None, raised: str) -> tuple[str | None, int]:
    """The type, and where in the traceback the exception is told of."""
    kind = short_type(raised)[:_LONGEST_TYPE] or None
    found = _TYPE.match(text, 0, _LONGEST_TYPE) if text else None
    if not traceback or not text:
        if kind is None and found is not None and _looks_like_type(found.group()):
            kind = found.group()
        return kind, 0
    end = _line_in(traceback, first)
    if end is not None:
        return kind or (found.group() if found is not None else None), end
    # The release before left the type to the traceback: before the text, or at its end.
    at = traceback.rfind(f": {first}")
    told = _TYPE_AT_END.search(traceback, max(0, at - _LONGEST_TYPE), at) if at > 0 else None
    if told is None or traceback[told.start() - 1 : told.start()] not in ("\n", " "):
        told = _TYPE_IN_LINE.search(traceback, max(0, traceback.rfind(_FRAMES[0])))
    if told is not None:
        return kind or told.group(), told.start()
    if kind is None and found is not None and _looks_like_type(found.group()):
        kind = found.group()
    return kind, len(traceback)


def _line_in(traceback: str, first: str) -> int | None:
    """Where a traceback tells of the exception itself: of a group, before those that it holds."""
    at = traceback.rfind("\n" + first)
    if at < 0:
        at = traceback.find("\n  | " + first)
    return None if at < 0 else at


def _looks_like_type(name: str) -> bool:
    last = name.rpartition(".")[2]
    return last in _BUILTIN or (last[:1].isupper() and last.endswith(_CALLED))


# --- places ----------------------------------------------------------------------------------


class _Place(NamedTuple):
    file: str
    line: str
    function: str


_HEADER = "Traceback (most recent call last):"
_FRAMES = ('\n  File "', '\n  |   File "')
_REST = re.compile(r", line (\d{1,9})(?:, in ([^\n]{1,500}))?")
# Python's own; made up, or in an archive of Python's; and ours.
_PYTHONS = re.compile(r"/lib(?:64)?/(?:python|pypy)\d")
_PACKAGES = ("/site-packages/", "/dist-packages/")
_OURS = "/gigq_core/worker/"
# Frames of their own up to Python 3.11.
_INLINED = ("<listcomp>", "<dictcomp>", "<setcomp>")


def _place_in(traceback: str, end: int, kind: str) -> _Place | None:
    """The innermost frame of the user's code before `end`.

    Where Python gave up a recursion depends on how deep it began, so of that the outermost counts.
    """
    told = "\n" + traceback[max(0, traceback.rfind(_HEADER, 0, end)) : end]
    grouped = _FRAMES[0] not in told and _FRAMES[1] in told
    outermost_first = kind == "RecursionError"
    if outermost_first:
        frames = told.split(_FRAMES[grouped], MOST_FRAMES)[1:]
    else:
        frames = told.rsplit(_FRAMES[grouped], MOST_FRAMES)[:0:-1]
    installed: list[tuple[str, _Place]] = []
    inlined: _Place | None = None
    for frame in frames:
        path, _, rest = frame.partition('"')
        package = _package_of(path)
        if not package and _is_pythons(path):
            continue
        found = _REST.match(rest)
        if found is None:
            continue
        place = _Place(_file_of(path), found[1], found[2] or "")
        if package:
            installed.append((package, place))
        elif place.function not in _INLINED:
            return place if inlined is None else place._replace(line=inlined.line)
        else:
            inlined = inlined or place
    if inlined is not None or not installed:
        return inlined
    # The job's function is itself in a package that is installed: the innermost frame of that.
    outermost = installed[0 if outermost_first else -1][0]
    return next(place for package, place in installed if package == outermost)


def _package_of(path: str) -> str:
    """The folder, or the file, of the package that is installed there; empty for what is not."""
    for packages in _PACKAGES if "-packages/" in path else ():
        at = path.rfind(packages)
        if at >= 0:
            end = path.find("/", at + len(packages))
            return path if end < 0 else path[:end]
    return ""


def _is_pythons(path: str) -> bool:
    """Whether it is Python's own file, no file at all, or ours."""
    return (
        path.startswith("<")
        or ("/lib" in path and _PYTHONS.search(path) is not None)
        or ".zip/" in path
        or _OURS in path
    )


def _file_of(path: str) -> str:
    parts = path.rsplit("/", 2)
    if parts[-1] in ("__init__.py", "__main__.py"):
        return "/".join(parts[-2:])
    return parts[-1]
