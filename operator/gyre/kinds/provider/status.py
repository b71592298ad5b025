"""The status of a Provider: what has a price, and which nodes have none."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gyre.api.conditions import Row, Verdict, merge, report, unknown, yes
from gyre.api.kind import Decision
from gyre.api.outcomes import standard
from gyre.kinds.provider.decide import chosen, holds, lacking, next_change, rivals
from gyre.kinds.provider.model import MAX_SHOWN, Price, Provider, ProviderStatus, Unpriced
from gyre.kinds.provider.observe import Observed
from gyre.kinds.provider.reasons import Reason


@dataclass(frozen=True, slots=True)
class Facts:
    provider: Provider
    seen: Observed
    unpriced: tuple[Unpriced, ...]


def nodes_priced(facts: Facts) -> Verdict | None:
    """Of the whole cluster: a node that nobody prices is everybody's business."""
    if facts.unpriced:
        first, count = facts.unpriced[0], len(facts.unpriced)
        more = f"; {count - 1} more, see status.unpriced" if count > 1 else ""
        return unknown(Reason.UNPRICED, f"node {first.node}: {first.why}{more}")
    return yes(Reason.COMPLETE) if facts.seen.nodes else None


CONDITIONS: Final = (
    Row[Facts]("NodesPriced", nodes_priced, "the cluster has no nodes, or gyre has not looked at them"),
)


def summarize(provider: Provider, seen: Observed, decision: Decision, now: datetime) -> dict[str, Any]:
    why = ((node.name, lacking(node, seen, now)) for node in sorted(seen.nodes, key=lambda node: node.name))
    unpriced = tuple(Unpriced(node=name, why=said) for name, said in why if said)
    rows = report(CONDITIONS, Facts(provider, seen, unpriced), provider.generation)
    return ProviderStatus(
        observed_generation=provider.generation,
        conditions=merge(provider.status.conditions, (*standard(decision, provider.generation), *rows), now),
        nodes=sum(1 for node in chosen(provider, seen) if not rivals(provider, seen, node)),
        priced=tuple(_said(price) for price in provider.spec.prices if holds(price, now)),
        unpriced=unpriced[:MAX_SHOWN],
        next_change=next_change(provider, now),
    ).to_dict()


def _said(price: Price) -> str:
    device = f" {price.accelerator}" if price.accelerator else ""
    return f"{price.resource}{device} {price.capacity_type} {price.amount:f}"
