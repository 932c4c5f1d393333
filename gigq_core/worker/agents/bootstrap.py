"""The first words over a link: how the agent gets to its far end, and what is said if it can't.

What a link's command is given are plain words, which survive any number of shells, and none. They
start an interpreter that reads its commands from the link; the first line is `landing.py`.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from gigq_core.text import inert
from gigq_core.worker import answers
from gigq_core.worker.agents.bundle import Bundle, make_bundle
from gigq_core.worker.runner import clipped

# Isolated, quiet, without packages, and reading commands although there is no terminal.
OPTIONS = "-ISqi"
LEAST = (3, 10)
MARK = b"gigq-agent "
# What may come before, of a message of the day or a profile, in bytes; and how much of it is shown.
MOST_NOISE = 64 * 1024
SHOWN = 300
# A line of ours is no longer.
MOST_LINE = 8 * 1024
# What an interpreter that reads commands writes before each, to standard error.
_PROMPTS = re.compile(r"^(?:>>> |\.\.\. )+", re.MULTILINE)


class LinkRefused(Exception):
    """Nothing can run over this link; the message says why, and what to do."""


def words(python: str) -> list[str]:
    """What the command of a link ends with.

    Args:
        python: the interpreter at the far end.
    """
    return [python, OPTIONS]


class Handshake:
    """What is said until the agent stands at the far end; nothing is read or written here.

    Args:
        via: what the link is called, for people.
        bundle: what is sent if it is not there.

    Attributes:
        first: what to send as soon as there is a link.
        done: whether the agent stands, so that what follows are messages.
        sent: whether it had to be sent.
        rest: what came of those already.
    """

    def __init__(self, via: str, bundle: Bundle | None = None) -> None:
        self._via = via
        self._bundle = bundle or make_bundle()
        self._data = bytearray()
        self._noise = bytearray()
        self.first = first_line(self._bundle)
        self.done = self.sent = False
        self.rest = b""

    @property
    def noise(self) -> str:
        """The end of what came before, and was not meant for us, as one line."""
        return _as_line(self._noise.decode("utf-8", "replace"))

    def feed(self, data: bytes) -> bytes:
        """Take in what came, and give what is to be sent now, if anything is.

        Raises:
            LinkRefused: no agent can stand there.
        """
        self._data += data
        to_send = b""
        at = 0
        while not self.done and (end := self._data.find(b"\n", at)) >= 0:
            line, at = bytes(self._data[at:end]), end + 1
            if line.startswith(MARK):
                to_send += self._answer(line[len(MARK) :])
            else:
                self._hear_noise(line)
        del self._data[:at]
        if self.done:
            self.rest, self._data = bytes(self._data), bytearray()
        elif self._data.startswith(MARK):
            if len(self._data) > MOST_LINE:
                raise LinkRefused(f"{self._name} does not answer as an agent does")
        else:
            self._check_noise(len(self._data))
        return to_send

    def ended(self, exit_code: int | None, stderr: str) -> str:
        """The sentence for a link that ended before the agent stood.

        Args:
            exit_code: of its command; None if it is not known.
            stderr: what it wrote to standard error.
        """
        told = "" if exit_code is None else f" with exit code {exit_code}"
        said = _as_line(_PROMPTS.sub("", stderr)) or self.noise
        sentence = f"{self._name} ended{told} before an agent was there"
        if said:
            sentence += f": {said}"
        if exit_code in (2, 126, 127) or OPTIONS in said:
            sentence += (
                f". Is there a Python of {LEAST[0]}.{LEAST[1]} or later? "
                "Name it with --remote-python"
            )
        elif exit_code == 0:
            # As an interpreter does that has nothing to read.
            sentence += (
                ". Does its command pass on what it is sent? kubectl exec and docker exec need -i"
            )
        return sentence if sentence.endswith(".") else sentence + "."

    @property
    def _name(self) -> str:
        return f'The link "{self._via}"'

    def _hear_noise(self, line: bytes) -> None:
        if b"exec(" in line and self.first[:40] in line:
            raise LinkRefused(
                f"{self._name} sends back what it is sent, as a terminal does: take options "
                "such as -t, -tt and --pty out of its command."
            )
        self._noise += line + b"\n"
        self._check_noise()

    def _check_noise(self, more: int = 0) -> None:
        if len(self._noise) + more > MOST_NOISE:
            raise LinkRefused(
                f"{self._name} says too much before the agent can start: {self.noise}"
            )

    def _answer(self, line: bytes) -> bytes:
        try:
            told: dict[str, Any] = answers.decode(line.decode("ascii"))
        except (ValueError, RecursionError):
            told = {}
        if type(told) is dict and told.get("send") is True and not self.sent:
            self.sent = True
            return self._bundle.text
        if type(told) is dict and told.get("go") is True:
            self.done = True
            return b""
        if type(told) is dict and type(told.get("old")) is str:
            raise LinkRefused(
                f"{self._name} leads to Python {_as_line(told['old'])} "
                f"({_as_line(str(told.get('python')))}), and an agent needs "
                f"{LEAST[0]}.{LEAST[1]} or later: name another one with --remote-python."
            )
        if type(told) is dict and type(told.get("trouble")) is str:
            raise LinkRefused(
                f"No agent can run at the far end of {self._name[4:]}: {_as_line(told['trouble'])}."
            )
        raise LinkRefused(f"{self._name} does not answer as an agent does: {_as_line(repr(line))}")


def first_line(bundle: Bundle) -> bytes:
    """The line that is sent first: `landing.py`, as one expression."""
    text = Path(__file__).with_name("landing.py").read_text("utf-8")
    call = f"land({bundle.sha!r}, {len(bundle.text)}, {LEAST!r})"
    text += f"\ntry:\n    {call}\nexcept BaseException as problem:\n    leave(repr(problem))\n"
    # In ASCII, with the ends of its lines as escapes.
    return f"exec({json.dumps(text)})\n".encode("ascii")


def _as_line(text: str) -> str:
    return inert(" ".join(clipped(text, SHOWN).split()))
