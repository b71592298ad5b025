"""What tests of budgets apply, and what a run must have cost: reckoned here once more, from what the kubelet said of containers.

Nothing of `gyre.cost` is used. A watch sees every pod to its end, as the operator's own does; prices are odd, so that cents
are not round by chance.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from kubernetes.utils.quantity import parse_quantity
from tests.e2e import manifests
from tests.e2e.cluster import KUBECTL, Object
from tests.e2e.place import JOB_LABEL, Place

CURRENCY = "XTS"
"""ISO 4217's own for tests: no price list of anybody else's is in it."""
CPU_HOUR, GIB_HOUR = "3217.1234", "361.07"
"""Of the order of one a second for a small job, so that a budget is spent while one watches."""
ENDED, RUNS = "terminated", "running"
Seen = Callable[[], list[Object]]


# ── what is applied ───────────────────────────────────────────────────────────────────────────────────────────────────


def provider(name: str) -> Object:
    prices = [{"resource": "CPU", "amount": CPU_HOUR}, {"resource": "Memory", "amount": GIB_HOUR}]
    spec = {"currency": CURRENCY, "prices": prices}
    return {"apiVersion": manifests.API, "kind": "Provider", "metadata": {"name": name}, "spec": spec}


def budget(name: str, namespace: str, amount: str) -> Object:
    spec = {
        "amount": amount,
        "currency": CURRENCY,
        "period": "Once",
        "interval": "30s",
        "scope": {"namespaces": [namespace]},
        "thresholds": [{"percent": 50, "action": "Warn"}, {"percent": 100, "action": "Park"}],
    }
    return {"apiVersion": manifests.API, "kind": "CostBudget", "metadata": {"name": name}, "spec": spec}


# ── what was seen ─────────────────────────────────────────────────────────────────────────────────────────────────────


@contextmanager
def watching(place: Place) -> Iterator[Seen]:
    """Every state of every pod of the namespace, from now on until the end of the block; oldest first."""
    command = [str(KUBECTL), f"--kubeconfig={place.cluster.kubeconfig}", "--namespace", place.name]
    with TemporaryDirectory() as folder:
        said = Path(folder) / "pods"
        with said.open("w") as out:
            process = subprocess.Popen([*command, "get", "pods", "--watch", "--output=json"], stdout=out)
        try:
            yield lambda: documents(said.read_text())
        finally:
            process.terminate()
            process.wait()


def documents(text: str) -> list[Object]:
    """JSON after JSON; the last may still be on its way."""
    decoder, found, at = json.JSONDecoder(), [], 0
    while (at := start_of(text, at)) < len(text):
        try:
            document, at = decoder.raw_decode(text, at)
        except ValueError:
            break
        found.append(document)
    return found


def start_of(text: str, at: int) -> int:
    while at < len(text) and text[at].isspace():
        at += 1
    return at


# ── what it cost ──────────────────────────────────────────────────────────────────────────────────────────────────────


class Unended(AssertionError):
    """A container ran, and nobody was told of its end: what it cost cannot be reckoned to the cent."""


def runs_of(pods: Iterable[Object], job: str) -> dict[tuple[str, str, str], tuple[Fraction, str | None]]:
    """(pod, container, start) → (money a second, end); a container that starts again is another run."""
    found: dict[tuple[str, str, str], tuple[Fraction, str | None]] = {}
    for pod in pods:
        if pod["metadata"].get("labels", {}).get(JOB_LABEL) != job:
            continue
        asking = (*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"])
        rates = {one["name"]: rate_of(one) for one in asking}
        for part in ("initContainerStatuses", "containerStatuses"):
            for told in pod["status"].get(part, ()):
                for start, end in times_of(told):
                    found[pod["metadata"]["uid"], told["name"], start] = (rates[told["name"]], end)
    return found


def rate_of(container: Object) -> Fraction:
    """Money a second for what a container asked for."""
    asked = container.get("resources", {}).get("requests", {})
    cores, gib = Fraction(parse_quantity(asked.get("cpu", 0))), Fraction(parse_quantity(asked.get("memory", 0))) / 2**30
    return (cores * Fraction(CPU_HOUR) + gib * Fraction(GIB_HOUR)) / 3600


def times_of(told: Object) -> Iterator[tuple[str, str | None]]:
    for state in (told.get("lastState", {}), told.get("state", {})):
        if ENDED in state:
            yield state[ENDED]["startedAt"], state[ENDED]["finishedAt"]
        if RUNS in state:
            yield state[RUNS]["startedAt"], None


def cost_of(pods: Iterable[Object], job: str, until: datetime | None = None) -> Fraction:
    """Exact. `until`: now, for what still runs; without it all must have ended. Raises Unended."""
    total = Fraction(0)
    for (_, container, start), (rate, end) in runs_of(pods, job).items():
        if end is None and until is None:
            raise Unended(f"{container}, started {start}")
        ended = datetime.fromisoformat(end) if end else until or datetime.now(UTC)
        total += rate * max(0, int((ended - datetime.fromisoformat(start)).total_seconds()))
    return total


def rate_now(pods: Iterable[Object], job: str) -> Fraction:
    return sum((rate for rate, end in runs_of(pods, job).values() if end is None), Fraction(0))


def shown(amount: Fraction) -> str:
    """In hundredths, halves to the even one."""
    cents = round(amount * 100)
    return f"{cents // 100}.{cents % 100:02d}"
