"""Ready-made functions for hooks: post what has failed to a URL, or hand it to a program.

It needs nothing but the standard library of Python 3.8 or later, and no other module of ours: the
interpreter that runs the jobs may know none of them.
"""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Sequence
from typing import Any, NoReturn
from urllib.parse import unquote, urlsplit, urlunsplit

# Of what a server or a program answers, so much is told, in characters.
MOST_TOLD = 300
# How many jobs the text names, and how much of each failure, in characters.
NAMED_IN_TEXT = 5
MOST_OF_FAILURE = 200

_PLACE = re.compile(r"\{(text|count)\}")


def post_json(
    url: str,
    jobs: Sequence[dict[str, Any]] = (),
    count: int = 0,
    headers: dict[str, str] | None = None,
    fields: dict[str, Any] | None = None,
    timeout: float = 10.0,
) -> int:
    """Post `{"text", "count", "jobs"}` as JSON to a URL, as chats and pagers take it.

    Args:
        url: Where to, with http or https. A name and a password in it are sent as basic
            authentication.
        jobs: The jobs that ended; a hook gives them.
        count: How many there were; a hook gives it.
        headers: More headers, such as Authorization.
        fields: More fields of the JSON; they stand in place of those of the same names.
        timeout: How long the server may take to answer, in seconds.

    Returns:
        The status of the answer.

    Raises:
        ValueError: It is no such URL.
        RuntimeError: The server can't be reached, or refuses it.
    """
    url, server, allowed = _read(url)
    body = json.dumps({**_told(jobs, count), **(fields or {})}).encode()
    kinds = {"Content-Type": "application/json", "User-Agent": "gigq_core", **allowed}
    request = urllib.request.Request(url, body, {**kinds, **(headers or {})}, method="POST")
    # Followed, the post would become a question, and what it says be lost.
    opener = urllib.request.build_opener(_NoRedirects)
    try:
        with opener.open(request, timeout=timeout) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as problem:
        with problem:
            said = problem.read(MOST_TOLD).decode("utf-8", "replace").strip()
        told = f"{server} answered {problem.code} {problem.reason}"
        _refuse(f"{told}: {said}" if said else told)
    except OSError as problem:
        _refuse("{} could not be reached: {}".format(server, getattr(problem, "reason", problem)))
    except http.client.HTTPException as problem:
        _refuse(f"{server} gave no answer of HTTP: {type(problem).__name__}")


def _read(url: str) -> tuple[str, str, dict[str, str]]:
    """The URL as it is asked for, the server as it may be told, and who asks, as headers.

    Raises:
        ValueError: It is no URL.
    """
    # Of what is wrong nothing is told: a path, or who asks, is often a secret.
    try:
        parts = urlsplit(url)
        server = f"{parts.scheme}://{parts.hostname}"
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.port == 0:
            raise ValueError
    except (ValueError, TypeError, AttributeError):
        raise ValueError(
            "post_json needs a URL that begins with https:// or http://, and a host behind it."
        ) from None
    who, _, host = parts.netloc.rpartition("@")
    asked = parts.path + parts.query
    if not (asked.isascii() and (asked + host).isprintable()) or " " in asked + host:
        raise ValueError(
            "post_json needs a URL of ASCII characters without spaces: write %20 for a space."
        )
    url = urlunsplit(parts._replace(netloc=host))
    if not who:
        return url, server, {}
    given = base64.b64encode(unquote(who).encode()).decode()
    return url, server, {"Authorization": f"Basic {given}"}


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *about: Any) -> None:
        """Leave it at the answer that names another address."""


def run_command(
    command: str | list[str],
    jobs: Sequence[dict[str, Any]] = (),
    count: int = 0,
    timeout: float = 60.0,
) -> int:
    """Run a program that reads `{"text", "count", "jobs"}` as JSON on its standard input.

    Args:
        command: The program and its arguments: a list, or text that is split as a shell splits it;
            there is no shell. `{text}` and `{count}` in an argument are replaced.
        jobs: The jobs that ended; a hook gives them.
        count: How many there were; a hook gives it.
        timeout: How long it may run, in seconds, before it is killed.

    Returns:
        Its exit code, which is 0.

    Raises:
        TypeError: The command is of the wrong type.
        ValueError: No program is named.
        RuntimeError: It can't be started, or ends with another exit code.
        TimeoutError: It ran for too long.
    """
    if not isinstance(command, (str, list, tuple)):
        raise TypeError(f"run_command needs text or a list of words, not {type(command).__name__}.")
    words = shlex.split(command) if isinstance(command, str) else [str(word) for word in command]
    if not words:
        raise ValueError("run_command needs a program: give a command that is not empty.")
    told = _told(jobs, count)
    values = {"text": str(told["text"]), "count": str(count)}
    words = [_PLACE.sub(lambda place: values[place[1]], word) for word in words]
    # Files, and no pipes: what it starts and leaves behind may hold them for as long as it likes.
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as errors:
        given.write(json.dumps(told).encode())
        given.seek(0)
        try:
            process = subprocess.Popen(words, stdin=given, stderr=errors, start_new_session=True)
        except OSError as problem:
            _refuse(f"{words[0]} could not be started: {problem.strerror or problem}")
        try:
            code = process.wait(timeout)
        except subprocess.TimeoutExpired:
            raise TimeoutError(
                f"{words[0]} still ran after {timeout:g} s, and was killed"
            ) from None
        finally:
            if process.poll() is None:
                _kill(process)
            errors.seek(0)
            said = errors.read().decode("utf-8", "replace")
            sys.stderr.write(said)
    if code:
        lines = said.strip().splitlines()
        ended = f"{words[0]} ended with exit code {code}"
        _refuse(f"{ended}: {lines[-1][:MOST_TOLD]}" if lines else ended)
    return code


def _kill(process: subprocess.Popen[bytes]) -> None:
    """The program and all that it started, where that can be told."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (AttributeError, OSError):
        process.kill()
    process.wait()


def _told(jobs: Sequence[dict[str, Any]], count: int) -> dict[str, Any]:
    return {"text": _text(jobs, count), "count": count, "jobs": list(jobs)}


def _text(jobs: Sequence[dict[str, Any]], count: int) -> str:
    """What happened, for a person: a line, and one for each of the first few jobs."""
    ended = "completed" if any(job.get("status") == "completed" for job in jobs) else "failed"
    lines = ["{} {} {}".format(format(count, ","), "job" if count == 1 else "jobs", ended)]
    for job in jobs[:NAMED_IN_TEXT]:
        line = "{} ({})".format(job.get("name"), str(job.get("id"))[:8])
        if job.get("error_message") is not None:
            kind = job.get("error_type")
            message = "{}: {}".format(kind, job["error_message"]) if kind else job["error_message"]
            line += ": " + " ".join(message.split())[:MOST_OF_FAILURE]
        lines.append(line)
    if count > len(jobs[:NAMED_IN_TEXT]) and jobs:
        lines.append("and {} more".format(format(count - len(jobs[:NAMED_IN_TEXT]), ",")))
    return "\n".join(lines)


def _refuse(sentence: str) -> NoReturn:
    raise RuntimeError(sentence) from None
