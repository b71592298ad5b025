"""A service with an Envoy pod that counts, and a ServiceLevelObjective that looks at it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from tests.unit.reading import Cluster

from gyre.adapters.gateway import OWNING_GATEWAY, OWNING_NAMESPACE
from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.api.kind import Decision, Object
from gyre.kinds.servicelevelobjective import KIND
from gyre.kinds.servicelevelobjective.ledger import Ledger
from gyre.kinds.servicelevelobjective.ledger import of as remembered

NS = "ml"
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
SLO = Ref(gvks.SERVICE_LEVEL_OBJECTIVE, NS, "late-level")
LEDGER = Ref(gvks.CONFIG_MAP, NS, "late-level-budget")
RULE = Ref(gvks.PROMETHEUS_RULE, NS, "late-level-slo")
AVAILABLE = {"name": "availability", "type": "Availability", "target": "99"}
FAST = {"name": "fast", "type": "Latency", "target": "90", "threshold": "250ms"}
RIGHT = {"name": "right", "type": "Accuracy", "target": "80", "monitorRef": {"name": "late-drift"}}
LABELS = {OWNING_GATEWAY: "gyre", OWNING_NAMESPACE: "gyre-gateway"}


def a_level(*objectives: Any, **spec: Any) -> Object:
    given = {"serviceRef": {"name": "late"}, "objectives": list(objectives or (AVAILABLE,)), "window": "1h", **spec}
    metadata = {"name": SLO.name, "namespace": NS, "uid": "slo", "generation": 1}
    return {"metadata": metadata, "spec": given}


class Story:
    """Looked at whenever something happens; what each Envoy pod has counted is set by hand."""

    def __init__(self, *objectives: Any, serving: str = "delays-a", **spec: Any) -> None:
        self.cluster, self.now = Cluster(), NOW
        self.counts: dict[str, dict[str, tuple[int, int]]] = {}
        """(requests, errors) by place, by address of the Envoy pod."""
        self.slow: dict[str, tuple[int, int, int]] = {}
        """(within 0.1 s, within 0.2 s, all) by address."""
        self.silent: set[str] = set()
        self.cluster.answers = self._answer
        self.envoy("10.0.0.1", created=NOW - timedelta(days=1))
        self.serves(serving)
        self.put(gvks.SERVICE_LEVEL_OBJECTIVE, a_level(*objectives, **spec))

    def put(self, gvk: Gvk, obj: Object) -> Object:
        return self.cluster.put(gvk, obj)

    def envoy(self, address: str, *, created: datetime, uid: str = "") -> None:
        name = f"envoy-{address.rpartition('.')[2]}"
        metadata = {"name": name, "namespace": "envoy-gateway-system", "labels": dict(LABELS)}
        metadata |= {"uid": uid or f"uid-of-{name}", "creationTimestamp": created.isoformat()}
        status = {"phase": "Running", "podIP": address, "conditions": [{"type": "Ready", "status": "True"}]}
        self.put(gvks.POD, {"metadata": metadata, "status": status})
        self.counts[address] = {}

    def gone(self, address: str) -> None:
        del self.cluster.objects[Ref(gvks.POD, "envoy-gateway-system", f"envoy-{address.rpartition('.')[2]}")]

    def serves(self, version: str) -> None:
        status = {"stable": {"version": version}} if version else {}
        spec = {"modelRef": {"name": "delays"}}
        self.put(
            gvks.INFERENCE_SERVICE, {"metadata": {"name": "late", "namespace": NS}, "spec": spec, "status": status}
        )

    def came(self, requests: int, errors: int = 0, *, address: str = "10.0.0.1", place: str = "0/backend/0") -> None:
        """So many more."""
        before = self.counts[address].get(place, (0, 0))
        self.counts[address][place] = (before[0] + requests, before[1] + errors)

    def look(self, seconds: float = 10) -> Decision:
        self.now += timedelta(seconds=seconds)
        return self.cluster.look(KIND, SLO, self.now)

    @property
    def status(self) -> Any:
        return self.cluster.objects[SLO]["status"]

    @property
    def ledger(self) -> Ledger:
        found = remembered(self.cluster.objects[LEDGER]).ledger
        assert found is not None
        return found

    def counted(self, name: str = "availability") -> tuple[int, int]:
        tally = self.ledger.tallies[name]
        return tally.events, tally.bad

    def truth(self) -> dict[str, str]:
        return {c["type"]: c["status"] for c in self.status["conditions"]}

    def told(self) -> list[str]:
        return [note.reason for note in self.cluster.notes]

    def _answer(self, url: str, headers: Any) -> tuple[int, str]:
        address = url.removeprefix("http://").split(":")[0]
        if address in self.silent or address not in self.counts:
            return 0, "no answer within 2 s"
        lines = []
        for place, (requests, errors) in self.counts[address].items():
            name = f'envoy_cluster_name="httproute/{NS}/late/rule/{place}"'
            for code, count in (("2", requests - errors), ("5", errors)):
                lines.append(f'envoy_cluster_upstream_rq_xx{{envoy_response_code_class="{code}",{name}}} {count}')
        if address in self.slow:
            name = f'envoy_cluster_name="httproute/{NS}/late/rule/0/backend/0"'
            for edge, count in zip(("100", "200", "+Inf"), self.slow[address], strict=True):
                lines.append(f'envoy_cluster_upstream_rq_time_bucket{{{name},le="{edge}"}} {count}')
        return 200, "\n".join(lines)
