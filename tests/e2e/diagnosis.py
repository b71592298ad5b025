"""What somebody would look at after a failure: resources, events, pods, and the logs of operator and heads."""

from __future__ import annotations

from tests.e2e.cluster import Cluster
from tests.e2e.place import Place

from gyre.api import gvks

OPERATOR_NAMESPACE = "gyre-system"
OPERATOR_SELECTOR = "app.kubernetes.io/name=gyre,app.kubernetes.io/component=operator"
KINDS = "datasets.gyre.dev,trainingjobs.gyre.dev,models.gyre.dev,modelversions.gyre.dev"


def look(place: Place) -> str:
    """Never raises: a look at a broken cluster is still worth something."""
    commands = (
        ("get", f"{KINDS},rayjobs,rayclusters,pods,jobs,pvc,configmaps", "-o", "wide", "--ignore-not-found"),
        ("describe", "trainingjobs.gyre.dev,datasets.gyre.dev"),
        ("get", "events", "--sort-by=.lastTimestamp"),
    )
    parts = [section(place.cluster, "--namespace", place.name, *command) for command in commands]
    for pod in place.every(gvks.POD):
        name = pod["metadata"]["name"]
        parts.append(section(place.cluster, "--namespace", place.name, "logs", name, "--all-containers", "--tail=60"))
    parts.append(operator_log(place.cluster, place.name))
    return "\n".join(parts)


def operator_log(cluster: Cluster, about: str, lines: int = 60) -> str:
    """The last lines of the operator's replicas that speak of a namespace."""
    log = cluster.tried(
        "--namespace", OPERATOR_NAMESPACE, "logs", f"--selector={OPERATOR_SELECTOR}", "--tail=4000", "--prefix"
    ).stdout
    about_it = [line for line in log.splitlines() if about in line or "Traceback" in line or '"ERROR"' in line]
    return "\n".join([f"--- operator, about {about}", *about_it[-lines:]])


def section(cluster: Cluster, *command: str) -> str:
    done = cluster.tried(*command)
    return f"--- kubectl {' '.join(command)}\n{done.stdout}{done.stderr}"
