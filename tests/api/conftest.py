"""One etcd and kube-apiserver for the whole tier, gyre installed in it as `gyre install` prints it, a namespace a test.

All tests here go to one worker of pytest-xdist: two pairs of servers would not fit on two cores. The operator runs in a
process of its own with its ServiceAccount's token; a test that kills or stops it leaves it to the next one to start another.
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.api.actors import Team
from tests.api.apiserver import ApiServer, binaries
from tests.api.budgeting import MONEY, body
from tests.api.cluster import Cluster
from tests.api.install import install, operator_kubeconfig
from tests.api.running import Operator, forget_leader

from gyre.api.effects import Ref
from gyre.api.gvks import COST_BUDGET

_number = itertools.count(1)


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.api)
            item.add_marker(pytest.mark.xdist_group("api"))
    items.sort(key=lambda item: item.path.name == "test_permissions.py")  # it judges what all others made happen


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    if "PYTEST_XDIST_WORKER" in os.environ:  # a second worker fails here: test_permissions.py needs all that happened
        (tmp_path_factory.getbasetemp().parent / "api-tier").mkdir()
    server = ApiServer(tmp_path_factory.mktemp("api"), binaries())
    server.start()
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def cluster(server: ApiServer) -> Cluster:
    """The administrator's hands; gyre is installed."""
    cluster = Cluster(server)
    install(cluster)
    return cluster


@pytest.fixture
def namespace(cluster: Cluster, request: pytest.FixtureRequest) -> str:
    """A namespace of its own for the test."""
    return cluster.namespace(f"team-{next(_number)}")


@pytest.fixture
def team(cluster: Cluster, namespace: str) -> Team:
    return Team(cluster, namespace)


class Replicas:
    """The operators of the session: the one that everybody uses, and more on demand."""

    def __init__(self, server: ApiServer, cluster: Cluster) -> None:
        self.kubeconfig = operator_kubeconfig(cluster)
        self._folder, self._cluster = server.folder, cluster
        self.all: list[Operator] = []

    def another(self) -> Operator:
        replica = Operator(f"operator-{len(self.all) + 1}", self.kubeconfig, self._folder)
        self.all.append(replica)
        return replica.start()

    def one(self) -> Operator:
        """Exactly one running replica, and it leads."""
        alive = [replica for replica in self.all if replica.running]
        for surplus in alive[1:]:
            surplus.stop()
        if not alive:
            forget_leader(self._cluster)
            alive = [self.another()]
        return alive[0].wait_until_leader()

    def none(self) -> None:
        for replica in self.all:
            replica.stop()


@pytest.fixture(scope="session")
def replicas(server: ApiServer, cluster: Cluster) -> Iterator[Replicas]:
    replicas = Replicas(server, cluster)
    yield replicas
    replicas.none()


@pytest.fixture
def operator(replicas: Replicas) -> Operator:
    """The operator, running and leading."""
    return replicas.one()


@pytest.fixture
def budget(cluster: Cluster, namespace: str, replicas: Replicas) -> Iterator[Ref]:
    """A CostBudget of this namespace alone, and no operator."""
    replicas.none()
    ref = Ref(COST_BUDGET, "", f"budget-{namespace}")
    scope = {"namespaces": [namespace], "labels": {"gyre.dev/team": "a"}}
    cluster.create(COST_BUDGET, body(COST_BUDGET, ref.name, {**MONEY, "timeZone": "Europe/Berlin", "scope": scope}))
    yield ref
    cluster.delete(ref)
