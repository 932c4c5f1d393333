"""The error of a job that is there already: one of SQLite's too, as GigQ's own is."""

from __future__ import annotations

import sqlite3

from gigq_core.errors import GigQError


class DuplicateJob(GigQError, sqlite3.IntegrityError):
    """The job is in the queue already. Exit code 1.

    It was submitted before, which a `Job` can be once; or it is unique, another one holds its key,
    and it was said that this is an error. Raised by the methods that submit; nothing was written.

    Attributes:
        duplicate_of: The id of the job that holds the key; empty where the job itself is there.
    """

    def __init__(self, message: str, duplicate_of: str = "") -> None:
        super().__init__(message)
        self.duplicate_of = duplicate_of


def submitted_before(which: str) -> DuplicateJob:
    """The error of a job that was submitted before.

    Args:
        which: that job, in words.
    """
    return DuplicateJob(f"A job can be submitted once, and {which} already was: make a new Job.")
