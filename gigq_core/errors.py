"""The errors a person may meet: each message is one sentence that says what to do."""

from __future__ import annotations

import sqlite3


class GigQError(Exception):
    """Base of every error this package raises on purpose."""


class DatabaseError(GigQError):
    """The file can't be used as a job queue; the message says why and what to do."""


class DatabaseMissing(DatabaseError):
    """There is no file at the path, and nobody asked to create one."""


class NotAQueue(DatabaseError):
    """The file exists and is something else than a job queue."""


class DatabaseBusy(DatabaseError):
    """Another process kept the write lock for longer than we wait."""


class FilesLost(DatabaseError):
    """The file, its WAL or its index was deleted or replaced while it was in use."""


class AccessRefused(DatabaseError):
    """The system does not let this process do with the file what was wanted."""


class FileChanged(DatabaseError):
    """A file that is read as it stands, since it may not be written, was written by another."""


class DuplicateJob(GigQError, sqlite3.IntegrityError):
    """A job with that id is already in the queue."""


class CycleError(GigQError, ValueError):
    """Jobs of a workflow depend on each other in a circle."""


class WorkerIdInUse(GigQError):
    """A live worker already works under that id."""


class JobTimeout(Exception):
    """Raised in the job's own thread when its timeout has passed (thread isolation)."""


class JobCancelled(Exception):
    """Raised in the job's own thread when somebody asked to stop it (thread isolation)."""
