"""The rows of the scene: a workflow, a bulk of small jobs, one of each odd state, and workers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

LOST_PID = 3988
MISSING_PARENT = "00000000-dead-4000-8000-000000000000"

_TRACEBACK = """Traceback (most recent call last):
  File "pipeline/customers.py", line 88, in dedupe_customers
    body = fetch(source)
  File "pipeline/http.py", line 31, in fetch
    raise ValueError(f"HTTP {reply.status} from host {host} (request {request})")
"""


@dataclass(frozen=True)
class Try:
    """One attempt, its times in seconds before `NOW`; `ended` is None while it runs."""

    worker: str
    started: float
    ended: float | None
    status: str = "completed"
    error: str = ""
    traceback: str = ""
    output: str = ""


@dataclass(frozen=True)
class Job:
    """One row to be; `created` in seconds before `NOW`, `due` in seconds after it."""

    name: str
    status: str
    created: float
    function: str = "pipeline.images.resize_image"
    tries: tuple[Try, ...] = ()
    after: tuple[str, ...] = ()
    params: dict[str, Any] | None = None
    result: Any = None
    priority: int = 0
    max_attempts: int = 3
    timeout: float = 300
    retry_delay: int = 0
    due: float | None = None
    description: str = ""
    stop_requested: float | None = None
    foreign: bool = False


def _done(worker: str, started: float, took: float, output: str = "") -> tuple[Try, ...]:
    return (Try(worker, started, started - took, output=output),)


def workflow() -> list[Job]:
    """The nightly workflow: done, running, blocked, failed and doomed in one graph."""
    orders, customers = "pipeline.orders", "pipeline.customers"
    failures = tuple(
        Try(
            worker,
            started,
            started - took,
            "failed",
            f"HTTP 500 from host {host} (request {request})",
            f"{_TRACEBACK}ValueError: HTTP 500 from host {host} (request {request})\n",
            f"fetching customers, page 1\nfetching customers, page {page}\n",
        )
        for worker, started, took, host, request, page in (
            ("w2", 139, 8, 5, 81102, 4),
            ("w1", 126, 16, 1, 81377, 9),
            ("w1", 105, 24, 3, 81723, 11),
        )
    )
    jobs = [
        Job(
            "extract_orders",
            "completed",
            900,
            f"{orders}.extract_orders",
            _done("w1", 880, 12),
            params={"day": "2026-11-22", "source": "s3://lake/orders"},
            result={"rows": 48211},
            priority=10,
        ),
        Job(
            "extract_customers",
            "completed",
            900,
            f"{customers}.extract_customers",
            _done("w2", 880, 9),
            params={"day": "2026-11-22"},
            result={"rows": 9120},
            priority=10,
        ),
        Job(
            "clean_orders",
            "completed",
            899,
            f"{orders}.clean_orders",
            _done("w1", 860, 31, "dropped 212 rows without an amount\n"),
            after=("extract_orders",),
            result={"rows": 47999},
            priority=10,
        ),
        Job(
            "validate_orders",
            "completed",
            899,
            f"{orders}.validate_orders",
            _done("w2", 820, 4),
            after=("clean_orders",),
            result={"ok": True},
            priority=10,
        ),
        Job(
            "dedupe_customers",
            "failed",
            899,
            f"{customers}.dedupe_customers",
            failures,
            after=("extract_customers",),
            params={"source": "https://crm.example/v2", "api_key": "k-51f0c3", "batch": 500},
            priority=10,
            retry_delay=5,
            timeout=240,
            description="Merge the customers that two systems know under different numbers.",
        ),
        Job(
            "join_customers",
            "running",
            898,
            f"{orders}.join_customers",
            (Try("w1", 102, None, "running", output="joined 20000 of 47999\n"),),
            after=("clean_orders", "extract_customers"),
            params={"how": "left"},
            priority=10,
            timeout=240,
        ),
        Job(
            "score_customers",
            "pending",
            898,
            f"{customers}.score_customers",
            after=("dedupe_customers",),
            params={"model": "2026-10"},
            priority=5,
        ),
    ]
    jobs += [
        Job(
            f"segment_{n:02}",
            "pending",
            897,
            f"{customers}.export_segment",
            after=("dedupe_customers",),
            params={"segment": n},
        )
        for n in range(1, 13)
    ]
    jobs += [
        Job(
            f"train_fold_{n}",
            "pending",
            896,
            "pipeline.model.train_fold",
            after=("join_customers",),
            params={"fold": n, "folds": 6},
            timeout=1800,
            max_attempts=1,
        )
        for n in range(1, 7)
    ]
    jobs += [
        Job(
            "select_model",
            "pending",
            895,
            "pipeline.model.select_model",
            after=tuple(f"train_fold_{n}" for n in range(1, 7)),
        ),
        Job(
            "report_weekly",
            "pending",
            895,
            "pipeline.report.weekly",
            after=("select_model", "score_customers"),
            description="The report that the sales team reads on Mondays.",
        ),
    ]
    return jobs


def images() -> list[Job]:
    """A bulk of small jobs: most are done, some wait, a few have failed."""
    jobs = []
    for n in range(1, 25):
        source = {"src": f"s3://in/{n:06}.png", "w": 1024, "h": 768}
        name, created = f"resize_{n:03}", 700 - 4 * n
        if n % 8 == 0:
            error = f"cannot identify image file 's3://in/{n:06}.png'"
            trace = (
                "Traceback (most recent call last):\n"
                '  File "pipeline/images.py", line 41, in resize_image\n'
                f"    image = open_image(src)\nOSError: {error}\n"
            )
            tries = tuple(
                Try(f"w{1 + k % 2}", created - 40 * k, created - 40 * k - 2, "failed", error, trace)
                for k in range(1, 4)
            )
            jobs.append(Job(name, "failed", created, tries=tries, params=source))
        else:
            tries = _done(f"w{1 + n % 2}", created - 30, 1.5 + n % 3)
            result = {"bytes": 90_000 + 311 * n, "tiles": 19}
            jobs.append(Job(name, "completed", created, tries=tries, params=source, result=result))
    jobs += [
        Job(f"resize_{n:03}", "pending", 150 - n, params={"src": f"s3://in/{n:06}.png"})
        for n in range(25, 33)
    ]
    return jobs


def odd_ones() -> list[Job]:
    """One job for each state and danger that the rest of the scene does not show."""
    return [
        Job(
            "[b]loud[/b] \x1b[31mname\x1b[0m \u202egnp",
            "pending",
            100,
            params={"note": "[@click=app.quit]press me[/]", "token": "t-7d11"},
        ),
        Job(
            "train_full",
            "running",
            760,
            "pipeline.model.train_full",
            (Try("w3", 718, None, "running", output="epoch 1 of 40\nepoch 2 of 40\n"),),
            max_attempts=1,
        ),
        Job(
            "render_preview",
            "running",
            95,
            "pipeline.video.render",
            (Try("w2", 64, None, "running"),),
            stop_requested=12,
            timeout=600,
        ),
        Job(
            "export_parquet",
            "running",
            2500,
            "pipeline.export.parquet",
            (Try("w9", 2460, None, "running", output="part 1 of 64\n"),),
            timeout=7200,
        ),
        Job(
            "thumbnail_wall",
            "running",
            9,
            tries=(Try("worker-5f2c", 3, None, "running"),),
            foreign=True,
        ),
        Job(
            "fetch_rates",
            "pending",
            180,
            "pipeline.http.fetch_rates",
            (Try("w1", 40, 38, "failed", "ConnectionError: rates.example refused", "", ""),),
            retry_delay=60,
            due=22,
        ),
        Job(
            "resize_retry",
            "pending",
            160,
            "pipeline.images.resize_image",
            (Try("w2", 52, 50, "failed", "HTTP 503 from host 2 (request 81990)"),),
        ),
        Job("rotate_keys", "pending", 130, "pipeline.keys.rotate", due=1529),
        Job(
            "transcode_intro",
            "timeout",
            1300,
            "pipeline.video.transcode",
            (Try("w2", 1250, 1190, "timeout", "Job timed out after 60 seconds"),),
            timeout=60,
            max_attempts=1,
        ),
        Job("old_import", "cancelled", 1200, "pipeline.orders.import_old"),
        Job(
            "index_catalogue",
            "cancelled",
            600,
            "pipeline.search.index",
            (Try("w1", 580, 500, "cancelled", "stopped on request"),),
        ),
        Job("reindex_a", "pending", 590, "pipeline.search.reindex", after=("reindex_b",)),
        Job("reindex_b", "pending", 590, "pipeline.search.reindex", after=("reindex_a",)),
        Job("archive_orders", "pending", 580, "pipeline.orders.archive", after=(MISSING_PARENT,)),
        Job("local_summary", "pending", 120, "__main__.summarise"),
        Job("mail_digest", "pending", 20, "pipeline.mail.digest", priority=50),
    ]


WORKERS: tuple[dict[str, Any], ...] = (
    {"id": "w1", "pid": 4119, "up": 1860, "done": 904, "failed": 31, "claim": 102, "slots": 2},
    {"id": "w2", "pid": 4120, "up": 1860, "done": 871, "failed": 12, "claim": 64, "slots": 2},
    {
        "id": "w3",
        "pid": 4121,
        "up": 21600,
        "owner": "cli",
        "state": "draining",
        "request": "drain",
        "done": 9121,
        "failed": 9,
        "claim": 718,
    },
    {"id": "w4", "pid": 4122, "up": 600, "state": "paused", "done": 12, "failed": 0, "claim": 240},
    {"id": "w9", "pid": LOST_PID, "up": 9000, "done": 440, "failed": 1, "claim": 2460},
    {
        "id": "w0",
        "pid": 3101,
        "up": 7000,
        "state": "stopped",
        "stopped": 3600,
        "done": 77,
        "failed": 0,
        "claim": 3700,
    },
)
