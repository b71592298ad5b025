"""Fixtures: the cluster that is up, the operator in it, a fresh namespace a test; figures and diagnosis around them."""

from __future__ import annotations

import os
import re
import secrets
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from tests.e2e import manifests
from tests.e2e.cluster import REPOSITORY, Cluster, Object
from tests.e2e.diagnosis import OPERATOR_NAMESPACE, OPERATOR_SELECTOR, look
from tests.e2e.figures import Figures
from tests.e2e.place import Place

from gyre.api import gvks
from gyre.kinds import KINDS

OPERATOR_IMAGE = "localhost/gyre-operator:dev"
AT_ONCE = 30
"""Lines of a failure that are shown when it happens."""
FAILED = pytest.StashKey[bool]()
FIGURES = pytest.StashKey[Figures]()


# ── the session ───────────────────────────────────────────────────────────────────────────────────────────────────────


def pytest_configure(config: pytest.Config) -> None:
    config.stash[FIGURES] = Figures()


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    """The one that `hack/cluster up` brought about; its images are those of the working tree."""
    asked = subprocess.run(
        [sys.executable, "hack/cluster", "kubeconfig"], cwd=REPOSITORY, capture_output=True, text=True, check=False
    )
    if asked.returncode != 0:
        pytest.fail(f"no cluster: {asked.stderr.strip()}", pytrace=False)
    return Cluster(Path(asked.stdout.strip()))


@pytest.fixture(scope="session")
def operator(cluster: Cluster) -> None:
    """Installed as users do it, of the image that is loaded now, and ready."""
    if os.environ.get("GYRE_E2E_OPERATOR") == "keep":
        return
    install = [sys.executable, "-m", "gyre", "install", f"--image={OPERATOR_IMAGE}"]
    text = subprocess.run(install, cwd=REPOSITORY, capture_output=True, text=True, check=True).stdout
    cluster.kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", given=text)
    where = ("--namespace", OPERATOR_NAMESPACE)
    # The tag is the same for every build: pods that are already there may be of an older one.
    cluster.kubectl(*where, "rollout", "restart", "deployment/gyre-operator")
    cluster.until(
        "the operator is ready",
        lambda: cluster.tried(*where, "rollout", "status", "deployment/gyre-operator", "--timeout=5s").returncode == 0,
        seconds=180,
        hopeless=lambda: crashed(cluster),
    )
    crds = [f"crd/{kind.gvk.plural}.{kind.gvk.group}" for kind in KINDS]
    cluster.kubectl("wait", "--for=condition=Established", *crds, "--timeout=30s")


def crashed(cluster: Cluster) -> str | None:
    """The last words of an operator's pod that starts again and again."""
    for pod in cluster.every(gvks.POD, OPERATOR_NAMESPACE, OPERATOR_SELECTOR):
        waiting = [one.get("state", {}).get("waiting", {}) for one in pod["status"].get("containerStatuses", ())]
        name = pod["metadata"]["name"]
        if any(one.get("reason") == "CrashLoopBackOff" for one in waiting) and belongs_to_newest(cluster, pod):
            return cluster.tried("--namespace", OPERATOR_NAMESPACE, "logs", name, "--previous", "--tail=20").stdout
    return None


def belongs_to_newest(cluster: Cluster, pod: Object) -> bool:
    """Pods of an older build may crash as they like: they are being replaced."""
    pods = cluster.every(gvks.POD, OPERATOR_NAMESPACE, OPERATOR_SELECTOR)
    newest = max(pods, key=lambda one: str(one["metadata"]["creationTimestamp"]))
    return bool(pod["metadata"]["labels"]["pod-template-hash"] == newest["metadata"]["labels"]["pod-template-hash"])


@pytest.fixture(scope="session")
def figures(request: pytest.FixtureRequest) -> Figures:
    return request.config.stash[FIGURES]


# ── a test ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def place(request: pytest.FixtureRequest, cluster: Cluster, operator: None) -> Iterator[Place]:
    """A fresh namespace that takes restricted pods only; a failure in it is looked at before it is deleted."""
    words = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())
    made = Place(cluster, f"e2e-{words[:20].strip('-')}-{secrets.token_hex(2)}")
    cluster.apply(manifests.namespace(made.name))
    yield made
    if request.node.stash.get(FAILED, False):
        print(look(made))
        if os.environ.get("GYRE_E2E_KEEP"):
            return
    empty(made)


@pytest.fixture
def seeded(place: Place) -> Place:
    """A namespace with a claim and a tiny Dataset on it that is ready: what a job that trains a script needs."""
    place.apply(manifests.claim())
    run_shell(place, "seed", "mkdir -p /work/data /work/runs && seq 1 1000 > /work/data/numbers.csv")
    place.apply(manifests.dataset())
    place.until(gvks.DATASET, manifests.DATA, "Ready", seconds=120)
    return place


def run_shell(place: Place, name: str, command: str, **more: Any) -> str:
    """Run a command on the claim in a pod; what it printed. `more`: of manifests.shell."""
    place.apply(manifests.shell(name, command, **more))

    def over() -> Object | None:
        pod = place.find(gvks.POD, name)
        return pod if pod and pod["status"].get("phase") in ("Succeeded", "Failed") else None

    pod = place.cluster.until(f"pod {name} ends", over, seconds=90)
    printed = place.kubectl("logs", name)
    assert pod["status"]["phase"] == "Succeeded", f"{command}: {printed}"
    place.delete(gvks.POD, name)
    return printed


def empty(place: Place) -> None:
    """Delete the namespace and see its pods gone, so that the next test has the machine to itself."""
    place.cluster.kubectl("delete", "namespace", place.name, "--wait=false")
    place.kubectl("delete", "pods", "--all", "--grace-period=0", "--force", "--wait=false")
    place.cluster.until(f"no pods in {place.name}", lambda: not place.every(gvks.POD), seconds=120)


# ── the report ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Iterator[None]:
    report: pytest.TestReport = yield  # type: ignore[assignment]
    if report.failed:
        item.stash[FAILED] = True
        tell_at_once(item.config, report)
    if report.when == "call":
        figures = item.config.stash[FIGURES]
        figures.outcome(item.name, report.outcome, report.duration)
        figures.write()  # now: a run that is cut off has measured all the same
    return report  # type: ignore[return-value]


def tell_at_once(config: pytest.Config, report: pytest.TestReport) -> None:
    """Why it failed: the whole is told at the end, which is an hour away."""
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    if terminal is not None:
        terminal.write_line("")
        for line in report.longreprtext.splitlines()[-AT_ONCE:]:
            terminal.write_line(line)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    figures = config.stash[FIGURES]
    if figures.measured:
        terminalreporter.section("measured on the cluster")
        for line in figures.lines():
            terminalreporter.write_line(line)
