"""The `@task` decorator: a plain function that can also be submitted."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, ParamSpec, TypeVar, overload

from gigq_core.job import Job, JobOptions, TaskOptions, reference_to

if TYPE_CHECKING:
    from typing_extensions import Unpack  # type checkers know it, whatever is installed

    from gigq_core.queue import JobQueue

P = ParamSpec("P")
R = TypeVar("R")

_OPTIONS = frozenset(TaskOptions.__annotations__)
_DEFAULTS = {name: value for name, value in JobOptions().values().items() if name in _OPTIONS}
# Those that GigQ has, whose `repr` has each of them.
_GIGQS = frozenset({"priority", "timeout", "max_attempts", "retry_delay", "description"})


class TaskWrapper(Generic[P, R]):
    """A function with its job options; calling it runs the function here and now.

    `@task` makes it. To a type checker its parameters are the function's, in `submit` too: a wrong
    name, a missing one and a value of the wrong type are told before anything runs. A parameter
    that the worker gives itself (`parent_results`) needs a default for that.

    Args:
        fn: A function at the top level of a module.
        **options: As for `task`.

    Raises:
        TypeError: An option is unknown, or a worker could not import the function.
        ValueError: An option is out of range.
    """

    __wrapped__: Callable[P, R]

    def __init__(self, fn: Callable[P, R], **options: Unpack[TaskOptions]) -> None:
        unknown = options.keys() - _OPTIONS
        if unknown:
            raise TypeError(
                f"@task has no option {', '.join(sorted(unknown))}: "
                f"it takes {', '.join(sorted(_OPTIONS))}."
            )
        if isinstance(fn, TaskWrapper):
            raise TypeError("@task is given twice on the same function: remove one.")
        if not callable(fn):
            raise TypeError(f"@task decorates functions, not {type(fn).__name__} objects.")
        functools.update_wrapper(self, fn)
        self._options: dict[str, Any] = {**_DEFAULTS, "name": getattr(fn, "__name__", "")}
        self._options.update(options)
        # The module does not hold the name yet, so the job is made by hand once, to be checked.
        Job(function=reference_to(fn, defined=False), **self._options)

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R:
        return self.__wrapped__(*args, **kwargs)

    def to_job(self, /, *args: P.args, **params: P.kwargs) -> Job:
        """A job that calls the function, not yet submitted.

        Args:
            *args: None: parameters are given by name, as the queue's file holds them.
            **params: The function's parameters; JSON must be able to hold them.

        Raises:
            TypeError: A parameter is missing, unknown or given by position, or JSON can't hold it.
            ValueError: A value is NaN or infinite, which JSON has no word for.
        """
        return self._job(args, params)

    def submit(self, queue: JobQueue, /, *args: P.args, **params: P.kwargs) -> str:
        """Submit a job that calls the function; when this returns, it is on disk.

        Args:
            queue: Where to.
            *args: None: parameters are given by name, as the queue's file holds them.
            **params: The function's parameters; JSON must be able to hold them.

        Returns:
            The job's id.

        Raises:
            TypeError: As for `to_job`; nothing was written. So for the others.
            ValueError: As for `to_job`.
            DatabaseError: The queue's file can't be written.
        """
        return queue.submit(self._job(args, params))

    def _job(self, args: tuple[Any, ...], params: dict[str, Any]) -> Job:
        if args:
            name = self._options["name"]
            raise TypeError(
                f"{name} got {len(args)} parameter{'s' if len(args) > 1 else ''} by position: give "
                "a job's parameters by name."
            )
        return Job(function=self.__wrapped__, params=params, **self._options)

    def __repr__(self) -> str:
        # As GigQ's, which knows nothing of the others: they are told where they were given.
        options = {k: v for k, v in self._options.items() if k in _GIGQS or v != _DEFAULTS[k]}
        options.pop("name", None)
        shown = ", ".join(f"{key}={value!r}" for key, value in sorted(options.items()))
        return f"<TaskWrapper {self._options['name']!r} ({shown})>"


@overload
def task(fn: Callable[P, R], **options: Unpack[TaskOptions]) -> TaskWrapper[P, R]: ...
@overload
def task(
    fn: None = None, **options: Unpack[TaskOptions]
) -> Callable[[Callable[P, R]], TaskWrapper[P, R]]: ...
def task(
    fn: Callable[P, R] | None = None, **options: Unpack[TaskOptions]
) -> TaskWrapper[P, R] | Callable[[Callable[P, R]], TaskWrapper[P, R]]:
    """Make a function submittable: `@task`, `@task()` or `@task(timeout=60, …)`.

    Calling the function still runs it here and now; `submit(queue, …)` makes a job of it.

    Args:
        fn: The function, where `@task` stands without parentheses.
        **options: As for `Job`, but for `dependencies` and `pass_parent_results`. `name` is the
            function's by default. They are checked at once.

    Returns:
        The function as a `TaskWrapper`; with options alone, a decorator that makes one.

    Raises:
        TypeError: An option is unknown, or a worker could not import the function.
        ValueError: An option is out of range.
    """
    if fn is not None:
        return TaskWrapper(fn, **options)

    def wrap(function: Callable[P, R]) -> TaskWrapper[P, R]:
        return TaskWrapper(function, **options)

    return wrap
