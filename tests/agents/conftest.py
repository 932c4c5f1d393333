"""Real servers and hosts for the tests of agents, and queues with workers."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.agents import netns, stands_in
from tests.agents.dask_cluster import Adaptive
from tests.agents.netns import OtherHost
from tests.agents.places import AgentsPlace
from tests.agents.sshd import Sshd
from tests.integration.conftest import Place, place
from tests.reliability.conftest import theirs

__all__ = ["Place", "place", "theirs"]


@pytest.fixture
def agents_place(tmp_path: Path) -> Iterator[AgentsPlace]:
    """A queue whose workers have agents."""
    made = AgentsPlace(tmp_path)
    yield made
    made.close()


@pytest.fixture(scope="session")
def sshd(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sshd]:
    """An SSH server on the loopback, which the tests of a process share."""
    made = Sshd(tmp_path_factory.mktemp("sshd") / "server")
    yield made
    made.close()


@pytest.fixture
def other_host(tmp_path: Path) -> Iterator[OtherHost]:
    """A host of its own, on a cable that can be pulled."""
    if reason := netns.why_not():
        assert not os.environ.get(netns.EXPECTED), reason
        pytest.skip(f"there can be no other host here: {reason}")
    made = OtherHost(tmp_path / "other-host")
    yield made
    made.close()


@pytest.fixture
def stand_ins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """`srun`, `kubectl`, `docker` and `systemd-run` on the PATH; gives the file of their calls."""
    folder = stands_in.install(tmp_path / "bin")
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    calls = tmp_path / "calls"
    monkeypatch.setenv(stands_in.CALLS, str(calls))
    return calls


@pytest.fixture
def adaptive() -> Iterator[Adaptive]:
    """A Dask cluster that grows and shrinks by itself, of no worker at first, and two at most."""
    cluster = Adaptive()
    yield cluster
    cluster.close()
