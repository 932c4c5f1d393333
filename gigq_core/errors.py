"""The errors of this package. Each message is a sentence for a person that says what to do.

All that it raises on purpose is a `GigQError`, but for what a wrong argument raises (`TypeError`,
`ValueError`) and for what is raised within a job (`JobTimeout`, `JobCancelled`). `gigq-core` prints
the sentence on stderr, and ends with the exit code that is named here.
"""

from __future__ import annotations


class GigQError(Exception):
    """Base of every error that this package raises on purpose. Exit code 1 where none is named."""


class DatabaseError(GigQError):
    """The file can't be used as a job queue; the message says why, and what to do. Exit code 2.

    Raised where a file is opened, read or written: it is damaged, on a full disk, on a file system
    without locks, or what SQLite is asked for can't be had.
    """


class DatabaseMissing(DatabaseError):
    """There is no file at the path, and nobody asked to create one. Exit code 2.

    Raised by `JobQueue(path, initialize=False)` at its first call, and by a worker as it starts.
    """


class NotAQueue(DatabaseError):
    """The file exists, but is not a job queue. Exit code 2."""


class DatabaseBusy(DatabaseError):
    """Another process kept the write lock for too long. Exit code 2.

    Nothing was written: the same call may be made again. From `gigq-core detach`, which is refused
    while a worker lives, the exit code is 1.
    """


class HiddenJobs(DatabaseError):
    """Jobs wait that only this package's workers can run correctly. Exit code 1.

    Raised by `gigq-core detach`: nothing was written.
    """


class FilesLost(DatabaseError):
    """The file, its WAL or its index was deleted or replaced while it was in use. Exit code 1.

    The next call opens the path anew.
    """


class AccessRefused(DatabaseError):
    """The system does not permit this process to use the file that way. Exit code 2."""


class FileChanged(DatabaseError):
    """A file that was read as it stands, as it may not be written, was written by another process.

    Exit code 2. What was read is of no use; the same call may be made again.
    """


class CycleError(GigQError, ValueError):
    """Jobs form a dependency cycle, so none could ever run. Exit code 1.

    Raised by the methods that submit; nothing was written.
    """


class WorkerIdInUse(GigQError):
    """A live worker already works on the file under that id. Exit code 1.

    Raised by a worker as it starts.
    """


class WorkerCannotStart(GigQError):
    """The interpreter for the jobs does not start; the message says what it said. Exit code 1.

    Raised by a worker with child processes, after several have ended before they were ready.
    """


class StackUnavailable(GigQError):
    """The stack of a running job can't be had; the message says why. Exit code 1."""


class ScriptFunctionWarning(UserWarning):
    """A job was submitted whose function no worker process can import: it is the script's own."""


class JobTimeout(Exception):
    """Raised in a job's own thread when its timeout has passed (thread isolation).

    The function may catch it to put things in order; its outcome is a timeout all the same.
    """


class JobCancelled(Exception):
    """Raised in a job's own thread when somebody asked to stop it (thread isolation).

    The function may catch it to put things in order; its outcome is what was asked for.
    """
