"""The same burst in a file with a great many other rows."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

from benchmarks import large
from benchmarks.bench import Bench
from benchmarks.burst import run_burst
from benchmarks.figures import CORE, GIGQ, HUEY, Figure
from benchmarks.peers import Peer, Spec, all_peers

SLOTS = 8
NEED = 200
# GigQ needs a third of a second for a job there, so a few have to do.
GIGQ_NEED = 10
GIGQ_TIMEOUT_S = 60.0
REFERENCE = "gigq_core, reference"


def backlog_100k(bench: Bench) -> list[Figure]:
    """The first 200 jobs with 100,000 pending."""
    return _backlog(bench, "backlog-100k", bench.size(100_000, 5_000), 100)


def backlog_1m(bench: Bench) -> list[Figure]:
    """The first 200 jobs with 1,000,000 pending."""
    return _backlog(bench, "backlog-1m", bench.size(1_000_000, 20_000), 1000)


def _backlog(bench: Bench, name: str, pending: int, times: int) -> list[Figure]:
    figure = Figure(
        name,
        f"first {NEED} of {pending:,} pending, {SLOTS} slots",
        "jobs/s",
        target=f"{times} x {GIGQ}, 0.8 x ours at 1,000",
    )
    with ExitStack() as stack:
        folder = stack.enter_context(bench.place(name))
        bench.say(f"  building {pending:,} jobs")
        large.build(folder / "original.db", pending=pending)
        takes = {
            peer.name: _taker(peer, _file(figure, peer, folder, pending=pending), NEED)
            for peer in all_peers()
        }
        takes[REFERENCE] = lambda: _reference(bench, 1000)
        figure.samples = bench.alternate(takes, figure.notes)
    _judge(figure, times, 0.8, "with 1,000 pending")
    return [figure]


def blocked_100k(bench: Bench) -> list[Figure]:
    """100,000 jobs wait for a parent; the ready ones are plain, or dependents themselves."""
    blocked, ready = bench.size(100_000, 5_000), bench.size(3_000, 600)
    figures = []
    for what, rows in (
        ("ready jobs are plain", {"pending": ready}),
        ("ready jobs are dependents", {"dependents": ready}),
    ):
        figure = Figure(
            "blocked-100k",
            f"{blocked:,} blocked; {what}",
            "jobs/s",
            target="as without them",
        )
        with bench.place("blocked") as folder:
            bench.say(f"  building {blocked:,} dependents")
            large.build(folder / "original.db", blocked=blocked, **rows)
            large.build(folder / "without.db", **rows)
            takes = {}
            for peer in all_peers():
                if peer.name != HUEY:
                    path = _file(figure, peer, folder)
                    takes[peer.name] = _taker(peer, path, NEED)
                if peer.name == CORE:
                    without = _file(figure, peer, folder, original="without.db")
                    takes[REFERENCE] = _taker(peer, without, NEED)
            figure.samples = bench.alternate(takes, figure.notes)
        figure.stated[HUEY] = "no such"
        _judge(figure, None, 0.9, "without them")
        figures.append(figure)
    return figures


def history_1m(bench: Bench) -> list[Figure]:
    """1,000 jobs in a file with 1,000,000 completed ones."""
    completed = bench.size(1_000_000, 20_000)
    figure = Figure(
        "history-1m",
        f"{completed:,} completed in the file, {SLOTS} slots",
        "jobs/s",
        target="0.9 x ours in an empty file",
    )
    n = bench.size(1000, 200)
    with bench.place("history") as folder:
        bench.say(f"  building {completed:,} jobs")
        large.build(folder / "original.db", completed=completed)
        takes = {}
        for peer in all_peers():
            path = _file(figure, peer, folder, completed=completed)
            takes[peer.name] = _taker(peer, path, n, [Spec()] * n)
        takes[REFERENCE] = lambda: _reference(bench, n, n)
        figure.samples = bench.alternate(takes, figure.notes)
    _judge(figure, None, 0.9, "in an empty file")
    return [figure]


def _file(
    figure: Figure,
    peer: Peer,
    folder: Path,
    *,
    original: str = "original.db",
    pending: int = 0,
    completed: int = 0,
) -> Path:
    """The peer's own copy; one is enough, since a few hundred jobs make no difference to it."""
    path = folder / f"{peer.name}-{original}" / "jobs.db"
    path.parent.mkdir()
    took = peer.load(path, folder / original, pending, completed)
    if took and original == "original.db":
        figure.notes.append(f"attaching our additions took {took:.1f} s")
    figure.durability[peer.name] = peer.synchronous(path)
    peer.close(path)
    return path


def _taker(
    peer: Peer, path: Path, need: int, specs: list[Spec] | None = None
) -> Callable[[], float]:
    def take() -> float:
        few = peer.name == GIGQ and specs is None
        return run_burst(
            peer,
            path,
            GIGQ_NEED if few else need,
            specs=specs,
            slots=SLOTS,
            timeout_s=GIGQ_TIMEOUT_S if few else 120.0,
        ).rate

    return take


def _reference(bench: Bench, pending: int, need: int = NEED) -> float:
    """Ours with a small queue."""
    peer = next(peer for peer in all_peers() if peer.name == CORE)
    with bench.place("reference") as folder:
        path = folder / "jobs.db"
        peer.create(path)
        return run_burst(peer, path, need, specs=[Spec()] * pending, slots=SLOTS).rate


def _judge(figure: Figure, times: int | None, of_reference: float, words: str) -> None:
    to_reference = figure.ratio(REFERENCE)
    if to_reference is None:
        return
    figure.notes.append(
        f"ours {words}: {figure.median(REFERENCE) or 0:,.0f} jobs/s, so {to_reference:.2f} of it"
    )
    figure.met = to_reference >= of_reference
    to_gigq = figure.ratio(GIGQ)
    if times is not None and figure.met and to_gigq is not None:
        figure.met = to_gigq >= times
