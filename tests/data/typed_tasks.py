"""What a type checker is to say of decorated functions: the lines marked `wrong` are errors."""

from gigq_core import Backoff, Job, JobQueue, Workflow, task


@task(timeout=60, on_crash="fail")
def fetch(url: str, retries: int = 3) -> bytes:
    return url.encode() * retries


@task
def double(number: int) -> int:
    return 2 * number


@task()
def combine(parent_results: dict[str, int] | None = None) -> int:
    return sum((parent_results or {}).values())


def fine(queue: JobQueue) -> None:
    data: bytes = fetch("https://example.org")
    data = fetch(url="https://example.org", retries=1)
    job_id: str = fetch.submit(queue, url="https://example.org")
    job: Job = fetch.to_job(url="https://example.org", retries=2)
    number: int = double(4)
    combine.submit(queue)
    workflow = Workflow("nightly")
    first = workflow.add_task(double, {"number": 1})
    workflow.add_task(combine, depends_on=[first])
    print(data, job_id, job, number)


def not_fine(queue: JobQueue) -> None:
    fetch.submit(queue, ulr="https://example.org")  # wrong
    fetch.submit(queue)  # wrong
    fetch.submit(queue, url=3)  # wrong
    fetch.submit("q.db", url="https://example.org")  # wrong
    fetch.to_job(url="https://example.org", tries=2)  # wrong
    fetch(ulr="https://example.org")  # wrong
    text: str = fetch("https://example.org")  # wrong
    double.submit(queue, number="one")  # wrong
    print(text)


@task(timeuot=60)  # wrong
def misspelt() -> None: ...


@task(priority="high")  # wrong
def mistyped() -> None: ...


@task(timeout="1h30m", retry=Backoff(30, jitter="full"), retry_on=[OSError, "shop.Busy"])
def told_much() -> None: ...


@task(retry_on=[OSError()])  # wrong
def an_exception_and_no_class() -> None: ...


@task(on_crash="again")  # wrong
def unknown_word() -> None: ...
