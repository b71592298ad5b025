"""What a Provider says of its prices and of the nodes of the cluster."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from tests.unit.reading import Cluster

from gyre.adapters.prices import NodeTerms, book, place_of
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Decision, Outcome
from gyre.cost.prices import Capacity
from gyre.kinds.provider import KIND

NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)
CPU = {"resource": "CPU", "amount": "0.03", "capacityType": "OnDemand"}
MEMORY = {"resource": "Memory", "amount": "0.004", "capacityType": "OnDemand"}


def provider(*prices: dict[str, Any], name: str = "onprem", **spec: Any) -> dict[str, Any]:
    return {
        "metadata": {"name": name, "generation": 1},
        "spec": {"currency": "EUR", "prices": list(prices) or [CPU, MEMORY], **spec},
    }


def node(name: str = "n1", gpus: str = "0", **labels: str) -> dict[str, Any]:
    capacity = {"cpu": "8", "memory": "32Gi", **({"nvidia.com/gpu": gpus} if gpus != "0" else {})}
    return {"metadata": {"name": name, "labels": labels}, "status": {"capacity": capacity}}


def look(*objects: tuple[Any, dict[str, Any]], now: datetime = NOW) -> tuple[Decision, dict[str, Any]]:
    cluster = Cluster()
    for gvk, obj in objects:
        cluster.put(gvk, obj)
    decision = cluster.look(KIND, Ref(gvks.PROVIDER, "", "onprem"), now)
    return decision, cluster.objects[Ref(gvks.PROVIDER, "", "onprem")]["status"]


def nodes_priced(status: dict[str, Any]) -> tuple[str, str]:
    (found,) = (c for c in status["conditions"] if c["type"] == "NodesPriced")
    return found["status"], found.get("message", "")


def test_it_tells_what_has_a_price_and_how_many_nodes_it_prices():
    decision, status = look((gvks.PROVIDER, provider()), (gvks.NODE, node()))
    assert (decision.outcome, decision.reason, status["nodes"]) == (Outcome.SETTLED, "Priced", 1)
    assert status["priced"] == ["CPU OnDemand 0.03", "Memory OnDemand 0.004"]
    assert nodes_priced(status) == ("True", "")


def test_a_node_that_nobody_prices_is_unknown_with_the_fix():
    _, status = look((gvks.PROVIDER, provider(nodeSelector={"pool": "a"})), (gvks.NODE, node()))
    assert nodes_priced(status)[0] == "Unknown"
    assert status["unpriced"] == [
        {"node": "n1", "why": "no Provider chooses it: create one, or widen spec.nodeSelector of one that is there"}
    ]


def test_a_device_without_a_price_is_named():
    _, status = look((gvks.PROVIDER, provider()), (gvks.NODE, node(gpus="4", **{"nvidia.com/gpu.product": "A100"})))
    assert status["unpriced"][0]["why"] == (
        "Accelerator (A100) has no price now: add it to spec.prices of Provider onprem"
    )


def test_spot_without_a_price_is_named():
    _, status = look((gvks.PROVIDER, provider()), (gvks.NODE, node(**{"karpenter.sh/capacity-type": "spot"})))
    assert "CPU, Memory as Spot has no price now" in status["unpriced"][0]["why"]


def test_two_providers_for_one_node_are_contested():
    decision, status = look((gvks.PROVIDER, provider()), (gvks.PROVIDER, provider(name="cloud")), (gvks.NODE, node()))
    assert (decision.outcome, decision.reason) == (Outcome.STALLED, "Contested")
    assert "node n1 is claimed by Provider cloud as well: narrow spec.nodeSelector" in decision.message
    assert status["nodes"] == 0


def test_prices_begin_and_end_with_the_clock():
    timed = provider({**CPU, "until": "2026-12-01T00:00:00Z"}, {**CPU, "from": "2026-12-01T00:00:00Z", "amount": "1"})
    decision, status = look((gvks.PROVIDER, timed), (gvks.NODE, node()))
    assert (status["nextChange"], decision.after) == ("2026-12-01T00:00:00Z", 7 * 86_400 + 16 * 3600)
    _, later = look((gvks.PROVIDER, timed), (gvks.NODE, node()), now=datetime(2026, 12, 1, tzinfo=UTC))
    assert later["priced"] == ["CPU OnDemand 1"]


def test_a_list_whose_prices_have_ended_is_stalled_and_one_that_has_not_begun_waits():
    over = provider({**CPU, "until": "2026-11-01T00:00:00Z"})
    assert look((gvks.PROVIDER, over), (gvks.NODE, node()))[0].reason == "Expired"
    ahead = provider({**CPU, "from": "2026-12-01T00:00:00Z"})
    decision, _ = look((gvks.PROVIDER, ahead), (gvks.NODE, node()))
    assert (decision.outcome, decision.reason) == (Outcome.WAITING, "NotYet")


def test_a_label_of_its_own_makes_a_node_spot():
    prices = book([provider(spotLabels={"pool": "cheap"})])
    assert place_of(NodeTerms.of(node(pool="cheap")), prices).capacity is Capacity.SPOT
    assert place_of(NodeTerms.of(node(pool="dear")), prices).capacity is Capacity.ON_DEMAND


def test_what_is_malformed_is_no_price():
    assert (
        book([{"metadata": {"name": "x"}, "spec": {"prices": [{"resource": "CPU", "amount": "NaN"}, {}]}}])
        .lists[0]
        .entries
        == ()
    )
