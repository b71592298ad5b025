"""What to say of a Provider. Pure, and without effects: a price list is read by others."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeAlias

from gyre.adapters.prices import NodeTerms, place_of
from gyre.api.kind import Decision
from gyre.cost.prices import Capacity, Resource
from gyre.kinds.provider.model import Price, Provider
from gyre.kinds.provider.observe import Observed
from gyre.kinds.provider.reasons import Reason

Rule: TypeAlias = Callable[[Provider, Observed, datetime], Decision | None]


def decide(provider: Provider, seen: Observed, now: datetime) -> Decision:
    """The first rule that has something to say wins; the last one always has."""
    for rule in RULES:
        if decision := rule(provider, seen, now):
            return decision
    return priced(provider, seen, now)


def contested(provider: Provider, seen: Observed, now: datetime) -> Decision | None:
    """Two lists for one node: nobody knows which is right, so neither is used there."""
    claimed = [(node, others) for node in chosen(provider, seen) if (others := rivals(provider, seen, node))]
    if not claimed:
        return None
    node, others = claimed[0]
    more = f" and {len(claimed) - 1} more" if len(claimed) > 1 else ""
    return Decision.stalled(
        Reason.CONTESTED,
        f"node {node.name}{more} is claimed by Provider {', '.join(others)} as well: narrow spec.nodeSelector of one of them",
        after=wait(provider, now),
    )


def expired(provider: Provider, seen: Observed, now: datetime) -> Decision | None:
    if any(holds(price, now) for price in provider.spec.prices):
        return None
    if any(price.from_ and price.from_ > now for price in provider.spec.prices):
        begins = min(price.from_ for price in provider.spec.prices if price.from_ and price.from_ > now)
        return Decision.waiting(
            Reason.NOT_YET, f"no price holds before {begins:%Y-%m-%dT%H:%M:%SZ}", after=wait(provider, now)
        )
    return Decision.stalled(
        Reason.EXPIRED, "every price has ended: add entries to spec.prices that begin where these end"
    )


def priced(provider: Provider, seen: Observed, now: datetime) -> Decision:
    count = len(chosen(provider, seen))
    if not count:
        message = f"no node has the labels of spec.nodeSelector ({len(seen.nodes)} in the cluster)"
        return Decision.settled(Reason.NO_NODES, message, after=wait(provider, now))
    gaps = [(node.name, why) for node in chosen(provider, seen) if (why := lacking(node, seen, now))]
    gap = f", {len(gaps)} of them not wholly: {gaps[0][0]}: {gaps[0][1]}" if gaps else ""
    message = f"{count} node{'' if count == 1 else 's'} priced in {provider.spec.currency}{gap}"
    return Decision.settled(Reason.PRICED, message, after=wait(provider, now))


RULES: Final[tuple[Rule, ...]] = (expired, contested)


# what others ask too ------------------------------------------------------------------------------------------------


def chosen(provider: Provider, seen: Observed) -> tuple[NodeTerms, ...]:
    return tuple(node for node in seen.nodes if provider.spec.node_selector.items() <= node.labels.items())


def rivals(provider: Provider, seen: Observed, node: NodeTerms) -> tuple[str, ...]:
    return tuple(name for name in seen.everybody.of_node(node.labels) if name != provider.name)


def holds(price: Price, now: datetime) -> bool:
    return (price.from_ is None or price.from_ <= now) and (price.until is None or now < price.until)


def next_change(provider: Provider, now: datetime) -> datetime | None:
    moments = (moment for price in provider.spec.prices for moment in (price.from_, price.until))
    return min((moment for moment in moments if moment is not None and moment > now), default=None)


def wait(provider: Provider, now: datetime) -> float | None:
    change = next_change(provider, now)
    return (change - now).total_seconds() if change else None


def lacking(node: NodeTerms, seen: Observed, now: datetime) -> str:
    """Why what runs on this node has no price, with the fix; empty when it has."""
    names = seen.everybody.of_node(node.labels)
    if not names:
        return "no Provider chooses it: create one, or widen spec.nodeSelector of one that is there"
    if len(names) > 1:
        return f"Providers {', '.join(names)} all choose it: narrow spec.nodeSelector of all but one"
    place = place_of(node, seen.everybody)
    wanted = [Resource.CPU, Resource.MEMORY, *([Resource.ACCELERATOR] if node.devices else [])]
    missing = [resource for resource in wanted if seen.everybody.price(place, resource, now) is None]
    if not missing:
        return ""
    terms = " as Spot" if place.capacity is Capacity.SPOT else ""
    named = f" ({place.accelerator})" if Resource.ACCELERATOR in missing and place.accelerator else ""
    return f"{', '.join(missing)}{named}{terms} has no price now: add it to spec.prices of Provider {names[0]}"
