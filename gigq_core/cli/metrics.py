"""The `metrics` command: how the queue stands, in the text format of Prometheus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from gigq_core.cli.errors import Trouble, sentences
from gigq_core.cli.output import say
from gigq_core.cli.settings import Settings
from gigq_core.system.paths import parts_of
from gigq_core.text import inert

if TYPE_CHECKING:
    from prometheus_client.core import Metric as Family
    from prometheus_client.registry import CollectorRegistry

    from gigq_core.inspection.metrics import Metric

PACKAGE = "gigq-tui[metrics]"


@click.command(short_help="Print a queue's numbers for Prometheus.")
@click.option(
    "--textfile",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Write to this file, completely or not at all, instead of printing.",
)
@click.pass_obj
def metrics(settings: Settings, textfile: Path | None) -> None:
    """Print numbers for Prometheus.

    They are about jobs, lanes, workers and their agents, schedules, hooks, retention, and the file.
    Each has the label file, so that several queues can be told apart.

    --textfile writes them for the textfile collector of the node exporter: run it by a timer. It
    needs the package prometheus-client, which comes with gigq-tui[metrics].

    \b
      gigq-core --db jobs.db metrics --textfile /var/lib/node_exporter/gigq.prom
    """
    from gigq_core.inspection.metrics import read_metrics

    try:
        import prometheus_client
    except ImportError:
        raise Trouble(
            f"metrics needs the package prometheus-client: install it with pip install '{PACKAGE}'."
        ) from None
    if textfile is not None and textfile.resolve() in parts_of(settings.db):
        raise click.UsageError(f"{textfile} is the queue's own file: name another.")
    with sentences(settings.db):
        registry = _registry(read_metrics(settings.db), inert(settings.db.absolute()))
    if textfile is None:
        say(prometheus_client.generate_latest(registry).decode().rstrip("\n"))
        return
    try:
        prometheus_client.write_to_textfile(str(textfile), registry)
    except OSError as problem:
        raise Trouble(f"{textfile} can't be written: {problem.strerror}.") from None


def _registry(found: Sequence[Metric], file: str) -> CollectorRegistry:
    """The numbers with the file as a label: those of two queues must not be alike."""
    from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
    from prometheus_client.registry import Collector, CollectorRegistry

    class Found(Collector):
        def collect(self) -> Iterable[Family]:
            for metric in found:
                kind = CounterMetricFamily if metric.kind == "counter" else GaugeMetricFamily
                labels = metric.samples[0][0] if metric.samples else ()
                family = kind(metric.name, metric.words, labels=["file", *(n for n, _ in labels)])
                for values, number in metric.samples:
                    family.add_metric([file, *(value for _, value in values)], number)
                yield family

    registry = CollectorRegistry()
    registry.register(Found())
    return registry
