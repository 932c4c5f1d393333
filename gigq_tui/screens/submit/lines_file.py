"""The file of lines that a form may name: one job for each, read while the form stands there."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

from gigq_core.errors import GigQError
from gigq_core.job import Job
from gigq_core.submitting.bulk import BulkTrouble, Unwanted
from gigq_tui.actions.functions.inspection import FunctionInfo
from gigq_tui.actions.submit import SubmitRequest, jobs_of_lines
from gigq_tui.screens.submit.host import FormHost


@dataclass(frozen=True)
class _Lines:
    """What a file came to: its jobs, or what is wrong with it."""

    jobs: tuple[Job, ...] = ()
    troubles: tuple[str, ...] = ()


_READING = _Lines(troubles=("reading the file..",))


class LinesFile:
    """The part of the form that reads the file of lines, for just the request there is."""

    def __init__(self, host: FormHost) -> None:
        self._host = host
        self._lines = _Lines()
        self._asked: tuple[SubmitRequest, FunctionInfo] | None = None
        self._read: tuple[SubmitRequest, FunctionInfo] | None = None

    @property
    def jobs(self) -> tuple[Job, ...]:
        """The jobs of its lines, as far as it has been read and is good."""
        return self._lines.jobs

    @property
    def troubles(self) -> tuple[str, ...]:
        """What stands against submitting them."""
        return self._lines.troubles

    @property
    def is_asking(self) -> bool:
        """Whether the file is still being read."""
        return self._asked is not None

    def look_up(self, request: SubmitRequest | None, info: FunctionInfo | None) -> None:
        """Read the file, unless it was read for just this request and function."""
        if request is None or request.jsonl is None:
            self._lines, self._asked, self._read = _Lines(), None, None
            return
        if info is None:
            return
        asked = (request, info)
        if asked in (self._asked, self._read):
            return
        self._asked, self._lines = asked, _READING
        self._host.reads.find_out(partial(self._take_lines, *asked), partial(self._taken, asked))

    def _take_lines(self, request: SubmitRequest, info: FunctionInfo) -> _Lines:
        def unwanted() -> bool:
            return self._asked is None or self._asked[0] is not request

        try:
            return _Lines(tuple(jobs_of_lines(request, info, unwanted)))
        except BulkTrouble as problem:
            return _Lines(troubles=problem.sentences)
        except GigQError as problem:
            return _Lines(troubles=(str(problem),))
        except Unwanted:
            return _READING

    def _taken(self, asked: tuple[SubmitRequest, FunctionInfo], lines: _Lines) -> None:
        if asked is self._asked:
            self._asked, self._read, self._lines = None, asked, lines
            self._host.review()
