"""What tests of serving apply and watch: versions that behave as told, a service over them, and its callers.

The callers are a pod that replays rows at a steady rate through the real gateway; what they saw is read from its log.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from tests.e2e import manifests
from tests.e2e.cluster import Object, brief
from tests.e2e.conftest import run_shell
from tests.e2e.place import Place

from gyre.api import gvks

MODEL = "toy"
SERVICE = "toy"
ROWS = "/work/rows"
HEALTHY: Object = {"failing": 0.0, "milliseconds": 18.0, "sigma": 0.25}
QUICK: Object = {
    "steps": [20, 50],
    "interval": "2s",
    "minRequests": 40,
    "deadline": "15m",
    "margins": {"errorRate": "2", "latency": "2", "errorFloor": "0.01"},
}
"""A policy that decides within minutes at the rate of RATE."""
RATE = 80.0


# ── versions ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def digest_of(behaviour: Object) -> str:
    """Nobody verifies it for a container of one's own; it only has to differ when the behaviour does."""
    return "sha256:" + hashlib.sha256(json.dumps(behaviour, sort_keys=True).encode()).hexdigest()


def version(name: str, behaviour: Object, *, model: str = MODEL, path: str | None = None) -> Object:
    artifact = {
        "uri": f"pvc://{manifests.CLAIM}/versions/{path or name}",
        "digest": digest_of(behaviour),
        "flavour": "toy",
    }
    return {
        "apiVersion": manifests.API,
        "kind": "ModelVersion",
        "metadata": {"name": name},
        "spec": {"modelRef": {"name": model}, "artifact": artifact},
    }


def make_versions(place: Place, **behaviours: Object) -> None:
    """Write the artifacts onto the claim and register them."""
    place.apply(manifests.claim())
    script = (manifests.SCRIPTS / "endpoint.py").read_text()
    place.apply(
        {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "endpoint"}, "data": {"server.py": script}}
    )
    lines = [f"mkdir -p {ROWS}"]
    rows = (
        "import pyarrow as pa, pyarrow.parquet as pq; pq.write_table(pa.table({'x': [0.5] * 8}), '{}/part-0.parquet')"
    )
    lines.append(f'python -c "{rows.replace("{}", ROWS, 1)}"')
    for name, behaviour in behaviours.items():
        folder = f"/work/versions/{name}"
        lines += [
            f"mkdir -p {folder}",
            f"cat > {folder}/behaviour.json <<'END'\n{json.dumps(behaviour)}\nEND",
            f"cat > {folder}/server.py <<'END'\n{script}\nEND",
        ]
    run_shell(place, "versions", "\n".join(lines))
    place.apply(*(version(name, behaviour) for name, behaviour in behaviours.items()))
    for name in behaviours:
        place.until(gvks.MODEL_VERSION, name, "Ready", seconds=60)


# ── the service ───────────────────────────────────────────────────────────────────────────────────────────────────────


def service(version: str, *, name: str = SERVICE, rollout: Object | None = None, **spec: Any) -> Object:
    container = {
        "image": manifests.WORKLOAD_IMAGE,
        "command": ["/opt/venv/bin/python", "/mnt/models/server.py"],
        "readinessPath": "/",
    }
    usual: Object = {
        "modelRef": {"name": MODEL, "track": "Version", "version": version},
        "runtime": {"container": container},
        "resources": {"cpu": "100m", "memory": "256Mi"},
        "rollout": rollout or QUICK,
    }
    return {
        "apiVersion": manifests.API,
        "kind": "InferenceService",
        "metadata": {"name": name},
        "spec": {**usual, **spec},
    }


def ask_for(place: Place, version: str, *, name: str = SERVICE) -> None:
    """Another version, as a user would ask for it."""
    place.patch(gvks.INFERENCE_SERVICE, name, {"spec": {"modelRef": {"version": version}}})


def stable(gis: Object) -> str:
    return str(((gis.get("status") or {}).get("stable") or {}).get("version") or "")


def canary(gis: Object) -> Object:
    return dict((gis.get("status") or {}).get("canary") or {})


def weight(gis: Object) -> int:
    """The candidate's share in percent; 0 without one."""
    return int(str(canary(gis).get("weight") or "0").rstrip("%") or 0)


def history(gis: Object) -> list[tuple[str, str]]:
    """(event, version), newest first."""
    return [(one["event"], one["version"]) for one in (gis.get("status") or {}).get("history") or ()]


def quarantined(gis: Object) -> list[str]:
    return [one["version"] for one in (gis.get("status") or {}).get("quarantined") or ()]


def situation(gis: Object | None) -> str:
    if gis is None:
        return "there is no such InferenceService"
    evidence = ((gis.get("status") or {}).get("evidence") or {}).get("summary", "")
    return f"stable {stable(gis)}, canary {canary(gis).get('version')} at {weight(gis)} %, {evidence}; {brief(gis)}"


def until(
    place: Place,
    what: str,
    holds: Callable[[Object], object],
    *,
    seconds: float,
    name: str = SERVICE,
    see: Callable[[Object], None] = lambda gis: None,
) -> Object:
    """The service as it is when `holds` is true of it; `see` gets every state on the way."""

    def probe() -> Object | None:
        gis = place.cluster.get(gvks.INFERENCE_SERVICE, place.name, name)
        see(gis)
        return gis if holds(gis) else None

    return place.cluster.until(
        f"InferenceService {name}: {what}",
        probe,
        seconds=seconds,
        seen=lambda: situation(place.find(gvks.INFERENCE_SERVICE, name)),
    )


def serves(place: Place, version: str, *, seconds: float = 180, name: str = SERVICE) -> Object:
    """That version alone has the traffic."""
    return until(
        place,
        f"serves {version} alone",
        lambda gis: stable(gis) == version and not canary(gis) and routed(place, name) == {version: 100},
        seconds=seconds,
        name=name,
    )


def routed(place: Place, name: str = SERVICE) -> dict[str, int]:
    """Weights of the live route by the version that each backend says it is, in percent."""
    route = place.find(gvks.HTTP_ROUTE, name)
    found: Counter[str] = Counter()
    for backend in ((route or {}).get("spec", {}).get("rules") or [{}])[0].get("backendRefs") or ():
        headers = [one["responseHeaderModifier"]["set"] for one in backend.get("filters") or ()]
        named = [h["value"] for each in headers for h in each if h["name"] == "x-model-version"]
        found[named[0] if named else backend["name"]] += int(backend.get("weight", 1))
    total = sum(found.values()) or 1
    return {name: round(100 * share / total) for name, share in found.items() if share}


# ── the callers ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass
class Callers:
    """A pod that calls, and what it saw."""

    place: Place
    pod: str

    def reports(self) -> list[Object]:
        """Oldest first; none while the container is being made."""
        said = self.place.cluster.tried("--namespace", self.place.name, "logs", self.pod).stdout
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    def total(self) -> Object:
        """Stop calling; all that was ever sent."""
        self.place.kubectl("exec", self.pod, "--", "sh", "-c", "kill -TERM 1")
        self.place.cluster.until("the callers have stopped", self._over, seconds=60)
        (found,) = [report for report in self.reports() if report.get("total")]
        return found

    def gave_up(self) -> str | None:
        """What they said when they could not begin."""
        pod = self.place.find(gvks.POD, self.pod) or {}
        failed = (pod.get("status") or {}).get("phase") == "Failed"
        return self.place.kubectl("logs", self.pod) if failed else None

    def _over(self) -> Object | None:
        pod = self.place.find(gvks.POD, self.pod)
        return pod if pod and pod["status"].get("phase") in ("Succeeded", "Failed") else None


@contextmanager
def calling(
    place: Place,
    *,
    rate: float = RATE,
    name: str = SERVICE,
    url: str = "",
    claim: str = manifests.CLAIM,
    rows: str = ROWS,
    pod: str = "callers",
    more: str = "",
) -> Iterator[Callers]:
    """Callers through the gateway (or of `url`), from now until the end of the block; `rows`: a folder below /work."""
    gis = place.cluster.get(gvks.INFERENCE_SERVICE, place.name, name)
    url = url or f"http://{gis['status']['address']}"
    host = gis["status"]["url"].split("://", 1)[1].split("/", 1)[0]
    command = (
        f"exec python -m gyre_data replay --path {rows} --url {url} --host {host} --model {name} "
        f"--rate {rate} --seconds 3600 --every 1 {more}"
    )
    place.apply(manifests.shell(pod, command, claim_name=claim))
    callers = Callers(place, pod)
    place.cluster.until("the callers call", callers.reports, seconds=90, hopeless=callers.gave_up)
    yield callers
    place.kubectl("delete", "pod", pod, "--grace-period=0", "--force", "--wait=false")


def failures(total: Object, *, but: tuple[str, ...] = ()) -> dict[str, int]:
    """Requests that were not answered with 200, by version and status, but for those that these versions answered."""
    return {
        f"{version or 'nobody'} {status}": number
        for version, statuses in total["versions"].items()
        for status, number in statuses.items()
        if status != "200" and version not in but
    }


def last_answer(reports: list[Object], version: str) -> float:
    """When the last second began in which callers heard of this version; seconds since 1970."""
    return max(report["at"] for report in reports if version in report["versions"] and not report.get("total"))


class Weights:
    """Every weight that was seen, in order, without repetition."""

    def __init__(self) -> None:
        self.seen: list[int] = []

    def __call__(self, gis: Object) -> None:
        if canary(gis) and (not self.seen or self.seen[-1] != weight(gis)):
            self.seen.append(weight(gis))


def moment() -> float:
    return time.time()
