"""What holds a graph up: the jobs to look at first, the one that blocks most before the others."""

from __future__ import annotations

from gigq_core.graph.blame import BAD_ENDS
from gigq_tui.store.graph.focus import above
from gigq_tui.store.graph.waiting import WaitingBehind
from gigq_tui.store.models import Graph, GraphNode
from gigq_tui.store.statuses import RUNNING


def culprits(graph: Graph, job_id: str, waiting: WaitingBehind) -> tuple[str, ...]:
    """The failed jobs that hold others up, of a job's ancestors if there are any, else of all.

    Where nothing failed, what runs takes their place.

    Args:
        graph: the jobs.
        job_id: the job that is asked about.
        waiting: how many wait behind each.
    """
    everywhere = list(graph.nodes)
    upstream = [*above(graph, job_id), job_id] if job_id in graph.nodes else []
    for is_culprit in (_has_failed, _runs):
        for ids in (upstream, everywhere):
            counted = [(waiting.of(id), id) for id in ids if is_culprit(graph.nodes[id])]
            if found := sorted((it for it in counted if it[0]), key=lambda it: -it[0]):
                return tuple(id for _, id in found)
    return ()


def _has_failed(node: GraphNode) -> bool:
    return node.row is None or node.row.status in BAD_ENDS


def _runs(node: GraphNode) -> bool:
    return node.row is not None and node.row.status == RUNNING
