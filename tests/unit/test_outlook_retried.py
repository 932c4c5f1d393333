"""A forecast of what would be if failed jobs were retried."""

from __future__ import annotations

from pathlib import Path

from gigq_core.forecasting.forecast import Forecast
from gigq_tui.store.clock import FrozenClock
from gigq_tui.store.forecast import QueueForecast
from gigq_tui.store.graph.expected import to_retry_for_all
from gigq_tui.store.reader import Reader
from tests import nightly
from tests.scene import NOW
from tests.store_files import reading


def made(reader: Reader, work: QueueForecast) -> Forecast:
    while not (so_far := reader.step(work)).done:
        pass
    return so_far.value


def test_what_is_stuck_has_a_time_once_what_failed_is_retried(tmp_path: Path) -> None:
    path = nightly.build(tmp_path / "jobs.db")
    with reading(path, clock=FrozenClock(NOW)) as reader:
        graph = reader.graph(nightly.job_id("publish nightly"))
        assert graph is not None
        failed = to_retry_for_all(graph)
        assert set(failed) == {nightly.job_id(f"price c{n}") for n in nightly.FAILED_PRICES}
        now = made(reader, QueueForecast(graph.nodes))
        assert set(now.windows) == {nightly.job_id("export ledger")}
        retried = made(reader, QueueForecast(graph.nodes, retried=failed))
        names = {
            "export ledger",
            "publish nightly",
            "audit c11",
            *(f"price c{n}" for n in nightly.FAILED_PRICES),
        }
        assert set(retried.windows) >= {nightly.job_id(name) for name in names}
        assert len(retried.windows) == 1 + 4 + 30
        publish = retried.windows[nightly.job_id("publish nightly")]
        price = retried.windows[nightly.job_id("price c11")]
        audit = retried.windows[nightly.job_id("audit c11")]
        assert price.end.p50 <= audit.begin.p50 + 1
        assert publish.end.p50 >= now.windows[nightly.job_id("export ledger")].end.p50
        # What completed, or what nobody knows, is not run again.
        again = made(reader, QueueForecast(graph.nodes, retried=[nightly.job_id("clean 001"), "x"]))
        assert set(again.windows) == set(now.windows)
