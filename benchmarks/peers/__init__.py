"""The queues that are compared, behind one small interface."""

from __future__ import annotations

from importlib.util import find_spec

from benchmarks.peers.base import Peer, Spec
from benchmarks.peers.core import CorePeer

__all__ = ["Peer", "Spec", "all_peers"]


def all_peers() -> list[Peer]:
    """Ours, and those of the others that are installed."""
    peers: list[Peer] = [CorePeer()]
    if find_spec("gigq"):
        from benchmarks.peers.gigq import GigqPeer

        peers.append(GigqPeer())
    if find_spec("huey"):
        from benchmarks.peers.huey import HueyPeer

        peers.append(HueyPeer())
    return peers
