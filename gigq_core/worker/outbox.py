"""What a running job has submitted, kept until it is known how the attempt ended."""

from __future__ import annotations

import json
import tempfile
from io import RawIOBase
from typing import NamedTuple, cast

from gigq_core.duplicate_job import submitted_before
from gigq_core.job import Job
from gigq_core.lane_names import filled
from gigq_core.submitting.definition import encode_definition, job_of_definition
from gigq_core.submitting.insertion import Prepared
from gigq_core.worker import runner

# So much is kept in memory, in bytes, and what is more in a file without a name: large orders of
# many slots would else take 16 MB each, and so a worker that dies leaves nothing.
IN_MEMORY_BYTES = 1024 * 1024


class Order(NamedTuple):
    """A job that is to be submitted; whether what waits for the submitting one waits for it too."""

    job: Job
    before_dependents: bool


class Outbox:
    """What one attempt has submitted so far."""

    def __init__(self) -> None:
        self._memory = bytearray()
        self._file: RawIOBase | None = None
        self._ids: set[str] = set()
        self._bytes = 0
        self._orders: list[Order] | None = None
        # The rows of the jobs, once they are made for the file, or why they can't be.
        self.new: Prepared | Exception | None = None

    def __len__(self) -> int:
        return len(self._ids)

    def keep(self, job: Job, before_dependents: bool) -> None:
        """Take in a job.

        Raises:
            TypeError: as for `Job`.
            ValueError: as for `Job`; or there are too many, or there is no room.
            DuplicateJob: it is there already.
        """
        if len(self._ids) >= runner.MOST_SUBMITTED:
            raise ValueError(
                f"A job can submit {runner.MOST_SUBMITTED:,} jobs at most in one attempt: let some "
                "of them submit the others."
            )
        if job.id in self._ids:
            raise submitted_before("this one")
        filled(job.lane, job.params)
        # JSON holds neither tabs nor ends of lines.
        line = f"{json.dumps(job.id)}\t{before_dependents:d}\t{encode_definition(job)}\n".encode()
        if self._bytes + len(line) > runner.MOST_SUBMITTED_BYTES:
            raise ValueError(runner.TOO_LARGE)
        try:
            self._append(line)
        except OSError as problem:
            reason = problem.strerror or problem
            raise ValueError(f"There is no room to keep what is submitted: {reason}.") from None
        self._bytes += len(line)
        self._ids.add(job.id)

    def orders(self) -> list[Order]:
        """The jobs in their order, made anew; the same ones at each further call.

        Raises:
            OSError: what was kept can't be read.
            TypeError: a job is no longer as it should be; so for `ValueError`.
        """
        if self._orders is None:
            self._orders = [_read(line) for line in self._all().decode().splitlines()]
        return self._orders

    def close(self) -> None:
        """Let go of what was kept."""
        self._memory.clear()
        if self._file is not None:
            self._file.close()

    def _append(self, line: bytes) -> None:
        if self._file is None and self._bytes + len(line) <= IN_MEMORY_BYTES:
            self._memory += line
            return
        if self._file is None:
            # Without a buffer, so that what can't be written is known at once.
            file = cast("RawIOBase", tempfile.TemporaryFile(buffering=0))  # noqa: SIM115
            try:
                _write(file, self._memory)
            except OSError:
                file.close()
                raise
            self._file = file
            self._memory = bytearray()
        # Of one that failed, a part may stand behind the others.
        self._file.seek(self._bytes)
        _write(self._file, line)

    def _all(self) -> bytes:
        if self._file is None:
            return bytes(self._memory)
        self._file.seek(0)
        found = bytearray()
        while len(found) < self._bytes:
            data = self._file.read(self._bytes - len(found))
            if not data:
                raise OSError(f"of {self._bytes:,} bytes only {len(found):,} are left")
            found += data
        return bytes(found)


def _write(file: RawIOBase, data: bytes | bytearray) -> None:
    left = memoryview(bytes(data))
    while left:
        left = left[file.write(left) or 0 :]


def _read(line: str) -> Order:
    job_id, before, text = line.split("\t")
    return Order(job_of_definition(text, id=json.loads(job_id)), before == "1")
