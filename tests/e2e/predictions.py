"""What tests of the prediction log apply, set going and count: a small version, callers in a pod, and three who keep the sums.

Who keeps them: the callers know what a predictor has answered, the predictor what became of it (`gyre_log_events_total`), and the
collector what it has stored (`/status`). What is stored is then counted in Parquet itself, in a pod that reads the claim only.
"""

from __future__ import annotations

import json
import re
import shlex
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import requests
from tests.e2e import manifests, serving
from tests.e2e.cluster import Object
from tests.e2e.conftest import run_shell
from tests.e2e.place import Place

from gyre.api import gvks

SERVICE = "logged"
VERSION = "small"
ROOT = f"pvc://{manifests.CLAIM}/predictions"
FOLDER = ROOT.replace(f"pvc://{manifests.CLAIM}", "/work")
ASKED = "/work/asked.jsonl"
SCRIPT = (manifests.SCRIPTS / "logged.py").read_text()
COLLECTOR = "gyre.dev/prediction-log={}"
PREDICTORS = "gyre.dev/inferenceservice={}"
PORT = 8080
COUNTED = re.compile(r'^gyre_log_events_total{result="(\w+)"} (\S+)$', re.MULTILINE)
DRAINED_SECONDS = 90
STORED_SECONDS = 90
"""A collector stores what is 30 s old."""


# ── what is served ────────────────────────────────────────────────────────────────────────────────────────────────────


def script(*arguments: str) -> str:
    """A command that runs scripts/logged.py."""
    return f"cat > /tmp/logged.py <<'END'\n{SCRIPT}\nEND\nexec python /tmp/logged.py {shlex.join(arguments)}"


def make_version(place: Place) -> None:
    place.apply(manifests.claim())
    folder = f"versions/{VERSION}"
    digest = run_shell(place, "model", script("model", f"/work/{folder}")).strip()
    artifact = {"uri": f"pvc://{manifests.CLAIM}/{folder}", "digest": digest, "flavour": "onnx"}
    spec = {"modelRef": {"name": serving.MODEL}, "artifact": artifact}
    metadata = {"name": VERSION}
    place.apply({"apiVersion": manifests.API, "kind": "ModelVersion", "metadata": metadata, "spec": spec})
    place.until(gvks.MODEL_VERSION, VERSION, "Ready", seconds=60)


def service(name: str = SERVICE, log: Object | None = None) -> Object:
    """Of gyre's own server, which counts what it cannot tell."""
    spec: Object = {
        "modelRef": {"name": serving.MODEL, "track": "Version", "version": VERSION},
        "resources": {"cpu": "250m", "memory": "512Mi"},
        **({"log": log} if log else {}),
    }
    return {"apiVersion": manifests.API, "kind": "InferenceService", "metadata": {"name": name}, "spec": spec}


def serve(place: Place, *services: Object) -> None:
    place.apply(*services)
    for one in services:
        name = one["metadata"]["name"]
        serving.serves(place, VERSION, name=name)
        if "log" in one["spec"]:
            place.until(gvks.INFERENCE_SERVICE, name, "LogHealthy", seconds=120)


def through_gateway(place: Place, name: str = SERVICE) -> Object:
    """Where a client would ask."""
    status = place.cluster.get(gvks.INFERENCE_SERVICE, place.name, name)["status"]
    host = str(status["url"]).split("://", 1)[1].split("/", 1)[0]
    return {"url": f"http://{status['address']}", "host": host, "model": name}


def directly(place: Place, name: str = SERVICE) -> Object:
    """Past the gateway, so that what a predictor does is not drowned in what the gateway does."""
    route = place.find(gvks.HTTP_ROUTE, name) or {}
    backend = route["spec"]["rules"][0]["backendRefs"][0]["name"]
    address = place.kubectl("get", "service", backend, "-o", "jsonpath={.spec.clusterIP}")
    return {"url": f"http://{address}", "host": "", "model": name}


# ── the callers ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True)
class Askers:
    """A pod that asks block after block; what it saw."""

    place: Place
    pod: str

    def reports(self) -> list[Object]:
        said = self.place.cluster.tried("--namespace", self.place.name, "logs", self.pod).stdout
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    def asked(self, blocks: int) -> None:
        """Wait until so many blocks are over."""
        what = f"{blocks} blocks of requests are answered"
        self.place.cluster.until(what, lambda: len(self.reports()) >= blocks, seconds=300, hopeless=self._gave_up)

    def all(self) -> list[Object]:
        """Every block, when all are over."""

        def total() -> bool:
            return any("total" in report for report in self.reports())

        self.place.cluster.until("all requests are answered", total, seconds=600, hopeless=self._gave_up)
        return [report for report in self.reports() if "block" in report]

    def _gave_up(self) -> str | None:
        pod = self.place.find(gvks.POD, self.pod) or {}
        failed = (pod.get("status") or {}).get("phase") == "Failed"
        return self.place.kubectl("logs", self.pod, "--tail=20") if failed else None


@contextmanager
def asking(place: Place, blocks: Sequence[Object], *, rate: float, size: int = 0) -> Iterator[Askers]:
    """`blocks` one after another, from now on; bodies have `size` bytes at least."""
    plan = {"blocks": list(blocks), "rate": rate, "bytes": size, "out": ASKED}
    place.apply(manifests.shell("askers", script("ask", json.dumps(plan))))
    yield Askers(place, "askers")
    place.kubectl("delete", "pod", "askers", "--grace-period=0", "--force", "--wait=false")


def statuses(blocks: Sequence[Object]) -> Counter[str]:
    total: Counter[str] = Counter()
    for block in blocks:
        total.update(block["statuses"])
    return total


# ── the predictor ─────────────────────────────────────────────────────────────────────────────────────────────────────


def counted(place: Place, name: str = SERVICE) -> Counter[str]:
    """What the predictors say became of what they answered."""
    found: Counter[str] = Counter()
    for pod in place.every(gvks.POD, PREDICTORS.format(name)):
        page = requests.get(f"http://{pod['status']['podIP']}:{PORT}/metrics", timeout=5).text
        found.update({result: int(float(number)) for result, number in COUNTED.findall(page)})
    return found


def drained(place: Place, answered: int, name: str = SERVICE) -> Counter[str]:
    """The predictors' sums, when each of so many requests was sent or dropped."""

    def over() -> Counter[str] | None:
        found = counted(place, name)
        return found if found["sent"] + found["dropped"] >= answered else None

    what = f"{answered} requests are sent or dropped"
    return place.cluster.until(what, over, seconds=DRAINED_SECONDS, seen=lambda: dict(counted(place, name)))


# ── the collector ─────────────────────────────────────────────────────────────────────────────────────────────────────


def collector(place: Place, name: str = SERVICE) -> Object:
    """Its pod, when there is one that answers."""

    def answers() -> Object | None:
        return next((pod for pod in place.every(gvks.POD, COLLECTOR.format(name)) if status_of(pod)), None)

    return place.cluster.until(f"the collector of {name} answers", answers, seconds=120)


def status_of(pod: Object) -> Object | None:
    """What a collector's pod says of itself; None when it says nothing, or is on its way out."""
    address = (pod.get("status") or {}).get("podIP")
    if not address or "deletionTimestamp" in pod["metadata"]:
        return None
    try:
        return dict(requests.get(f"http://{address}:{PORT}/status", timeout=2).json())
    except (requests.RequestException, ValueError):
        return None


def told(place: Place, name: str = SERVICE) -> Object:
    return status_of(collector(place, name)) or {}


def stored(place: Place, name: str = SERVICE) -> Object:
    """What it says, when all it has is in Parquet."""

    def at_rest() -> Object | None:
        found = told(place, name)
        return found if found and found["lag"] == 0 and not found["problem"] else None

    what = f"the collector of {name} has stored all it has"
    return place.cluster.until(what, at_rest, seconds=STORED_SECONDS, seen=lambda: told(place, name))


@contextmanager
def collector_away(place: Place, name: str = SERVICE) -> Iterator[None]:
    """Killed, and no node takes its successor, until the block ends. Pods that tolerate everything are made all the same."""
    nodes = [node["metadata"]["name"] for node in place.cluster.every(gvks.NODE)]
    pod = collector(place, name)
    try:
        place.cluster.kubectl("cordon", *nodes)
        place.kill(pod)
        place.cluster.until("the collector is gone", lambda: status_of(pod) is None, seconds=60)
        yield
    finally:
        place.cluster.kubectl("uncordon", *nodes)


# ── what is stored ────────────────────────────────────────────────────────────────────────────────────────────────────


def label(place: Place, name: str = SERVICE) -> Object:
    """One label for each answer, by the id in the answer."""
    url = f"http://{name}-log.{place.name}.svc/labels"
    token = {"name": "LOG_TOKEN", "valueFrom": {"secretKeyRef": {"name": f"{name}-log-token", "key": "token"}}}
    command = script("label", url, ASKED)
    found: dict[str, Any] = json.loads(run_shell(place, "label", command, read_only=True, env=[token]))
    return found


def sums(place: Place, root: str = FOLDER, name: str = SERVICE, env: Sequence[Object] = ()) -> Object:
    command = script("sums", root, name, ASKED)
    found: dict[str, Any] = json.loads(run_shell(place, "sums", command, read_only=True, env=env))
    return found
