"""The `@task` decorator: a plain function that can also be submitted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, overload

from gigq_core.job import Job, JobOptions, TaskOptions, reference_to

if TYPE_CHECKING:
    from gigq_core.queue import JobQueue

_OPTIONS = frozenset(TaskOptions.__annotations__)
_DEFAULTS = {name: value for name, value in JobOptions().values().items() if name in _OPTIONS}


class TaskWrapper:
    """A function with its job options; calling it runs the function here and now.

    Args:
        fn: a function at the top level of a module.
        **options: name, priority, max_attempts, timeout, description, retry_delay, on_crash, as for
            `Job`.

    Raises:
        TypeError: an option is unknown, or a worker could not import the function.
        ValueError: an option is out of range.
    """

    __wrapped__: Callable[..., Any]

    def __init__(self, fn: Callable[..., Any], **options: Any) -> None:
        unknown = options.keys() - _OPTIONS
        if unknown:
            raise TypeError(
                f"@task has no option {', '.join(sorted(unknown))}: "
                f"it takes {', '.join(sorted(_OPTIONS))}."
            )
        if isinstance(fn, TaskWrapper):
            raise TypeError("@task is there twice on the same function: remove one.")
        if not callable(fn):
            raise TypeError(f"@task decorates functions, not {type(fn).__name__} objects.")
        functools.update_wrapper(self, fn)
        self._options: dict[str, Any] = {**_DEFAULTS, "name": getattr(fn, "__name__", "")}
        self._options.update(options)
        # The module does not hold the name yet, so the job is made by hand once, to be checked.
        _check_decorated(fn, self._options)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self.__wrapped__(*args, **kwargs)

    def to_job(self, /, **params: Any) -> Job:
        """A job that calls the function with `params`, not yet submitted."""
        return Job(function=self.__wrapped__, params=params, **self._options)

    def submit(self, queue: JobQueue, /, **params: Any) -> str:
        """Submit a job that calls the function with `params`; returns its id.

        Raises:
            TypeError, ValueError: as for `Job`.
            DatabaseError: the queue's file can't be written.
        """
        return queue.submit(self.to_job(**params))

    def __repr__(self) -> str:
        shown = ", ".join(f"{k}={v!r}" for k, v in sorted(self._options.items()) if k != "name")
        return f"<TaskWrapper {self._options['name']!r} ({shown})>"


@overload
def task(fn: Callable[..., Any]) -> TaskWrapper: ...
@overload
def task(fn: None = None, **options: Any) -> Callable[[Callable[..., Any]], TaskWrapper]: ...
def task(
    fn: Callable[..., Any] | None = None, **options: Any
) -> TaskWrapper | Callable[[Callable[..., Any]], TaskWrapper]:
    """Make a function submittable: `@task`, `@task()` or `@task(timeout=60, …)`.

    The options are those of `TaskWrapper`; they are checked at once.
    """
    if fn is not None:
        return TaskWrapper(fn, **options)
    return functools.partial(_wrap, options)


def _wrap(options: dict[str, Any], fn: Callable[..., Any]) -> TaskWrapper:
    return TaskWrapper(fn, **options)


def _check_decorated(fn: Callable[..., Any], options: dict[str, Any]) -> None:
    Job(function=reference_to(fn, defined=False), **options)
