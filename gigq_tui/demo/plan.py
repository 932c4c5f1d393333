"""The demo's workflow: which jobs there are, and what waits for what."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gigq_core import Backoff, Job, JobQueue, Workflow
from gigq_tui.demo import inbox, jobs
from gigq_tui.demo.orders import Order
from gigq_tui.demo.source import SINGLE_MODULES

MOST_PACKAGES = 60
TWINS_TIMEOUT_S = 2
FIRST_TOTALS_RETRIES = Backoff(1, factor=1.5, most=6)
CLONES_STALL_S = 60
LARGEST_PACKAGES = 20
LARGE_BYTES = 200_000
PACK_LANES, PACK_RATE = "pack:*", "30/m"
STOCK_EVERY, NOTE_EVERY_S = "every 15s", 10


def arrange(queue: JobQueue) -> None:
    """What stands around the demo's jobs: limits of a lane, a schedule, and a hook."""
    queue.set_lane(PACK_LANES, running=1, rate=PACK_RATE)
    # Behind all others: a slot that comes while the last one's job still waits is skipped.
    stock = Job("take stock", jobs.take_stock, priority=-1)
    queue.schedule("stock", STOCK_EVERY, stock, catch_up="none")
    note = Job("note failures", jobs.note_failures, priority=60)
    queue.hook("failed", note, every=NOTE_EVERY_S, name="note")


def workflow(
    library: Path,
    packages: dict[str, list[Path]],
    inbox_files: list[str],
    placed: list[Order],
) -> Workflow:
    """Everything that the demo submits, in one piece.

    Args:
        library: the standard library's folder.
        packages: its files by package.
        inbox_files: the names of the files that arrived.
        placed: the orders.
    """
    plan = Workflow("library report")
    # First, so that the list of newest jobs begins with others.
    for order in placed:
        name = f"price {Path(order.file).stem}"
        params = {
            "order": order.file,
            "customer": order.customer,
            "currency": order.currency,
        }
        _add(plan, name, jobs.price_order, params, priority=45, max_attempts=1)
    names = list(packages)[:MOST_PACKAGES]
    inventory = _add(plan, "inventory", jobs.inventory, {"library": str(library)}, priority=100)
    _add(
        plan,
        "first totals",
        jobs.first_totals,
        priority=110,
        max_attempts=10,
        retry=FIRST_TOTALS_RETRIES,
        description="Fails until five packages are measured, and is tried again.",
    )
    measures = [
        _add(
            plan,
            f"measure {name}",
            jobs.measure_package,
            {"package": name},
            [inventory],
            priority=20 if _bytes(packages[name]) > LARGE_BYTES else 10,
        )
        for name in names
    ]
    imports = [
        _add(plan, f"imports {name}", jobs.imports_of_package, {"package": name}, [inventory])
        for name in names
        if not name.startswith(SINGLE_MODULES)
    ]
    largest = sorted(names, key=lambda name: -_bytes(packages[name]))[:LARGEST_PACKAGES]
    clones = [
        _add(
            plan,
            f"clones {name}",
            jobs.clones_in_package,
            {"package": name},
            [inventory],
            priority=5,
            stall_timeout=CLONES_STALL_S,
        )
        for name in largest
    ]
    totals = _add(plan, "merge measures", jobs.merge_measures, {}, measures)
    graph = _add(plan, "import graph", jobs.import_graph, {}, imports)
    alike = _add(plan, "merge clones", jobs.merge_clones, {}, clones)
    _add(plan, "write report", jobs.write_report, {}, [totals, graph, alike])
    _add(plan, "write page", jobs.write_page, {}, [totals])
    _add(
        plan,
        "find twins",
        jobs.find_twins,
        {"package": "encodings" if "encodings" in packages else names[0]},
        [inventory],
        priority=40,
        max_attempts=1,
        timeout=TWINS_TIMEOUT_S,
        description="Its timeout is far too short for what it has to do.",
    )
    packing = _add(plan, "pack the largest", jobs.pack_the_largest, {}, [inventory], priority=30)
    _add(plan, "check packs", jobs.check_packs, {}, [packing])
    _add_inbox(plan, inbox_files)
    return plan


def _bytes(files: list[Path]) -> int:
    return sum(file.stat().st_size for file in files)


def _add_inbox(plan: Workflow, files: list[str]) -> None:
    """A check for each file; the price list waits for three of them, one of which is broken."""
    checks = {
        name: _add(
            plan,
            f"check {name}",
            jobs.check_file,
            {"path": f"{inbox.FOLDER}/{name}"},
            priority=50,
            max_attempts=2 if name == inbox.BROKEN else 1,
            retry_delay=2,
        )
        # Last, so that it is at the top of what failed, with what it blocks right above it.
        for name in sorted(files, key=inbox.BROKEN.__eq__)
    }
    needed = [check for name, check in checks.items() if name in inbox.WANTED]
    accepted = _add(plan, "accept files", jobs.accept_files, {}, needed)
    _add(plan, "write price list", jobs.write_price_list, {}, [accepted])


def _add(
    plan: Workflow,
    name: str,
    function: Callable[..., Any],
    params: dict[str, Any] | None = None,
    depends_on: list[Job] | None = None,
    **options: Any,
) -> Job:
    return plan.add_job(Job(name, function, params, **options), depends_on)
