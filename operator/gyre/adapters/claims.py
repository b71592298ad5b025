"""PersistentVolumeClaims as disks that cost money: how much is asked for, for whom, from when until when.

A claim is gyre's business when gyre made it (for a Dataset), or when it has an account label (`gyre.dev/project`, `team`,
`cost-center`): others are somebody else's. It counts once it is bound, from its creation on, until it is told to go, whether
anything mounts it or not. Never raises.

A disk is on no node, so its price is that of the Provider of the node that its first pod was put on, where the claim says so and
that Provider prices storage, or else of the only Provider that does. With several nobody knows which.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from gyre.adapters.pods import moment
from gyre.adapters.prices import NodeTerms, place_of
from gyre.api.accounts import ACCOUNT_LABELS, COST_CENTER, PROJECT, TEAM
from gyre.api.kind import MANAGED_BY
from gyre.api.quantities import parse_quantity
from gyre.cost.bill import EXACT, Owner
from gyre.cost.prices import Book, Place, Resource
from gyre.cost.spans import Sighting

CLAIM: Final = "PersistentVolumeClaim"
FIRST_NODE: Final = "volume.kubernetes.io/selected-node"
"""Annotation of the scheduler's, where a claim waits for its first pod."""
GIB: Final = 2**30


def disks(
    claims: Iterable[Mapping[str, Any]], nodes: Mapping[str, Mapping[str, Any]], prices: Book
) -> Iterator[Sighting]:
    """Those that are on somebody's account. None at all while no Provider prices storage: then nobody pays by the claim."""
    selling = tuple(
        one.name for one in prices.lists if any(entry.resource is Resource.STORAGE for entry in one.entries)
    )
    for claim in claims if selling else ():
        metadata, labels = claim.get("metadata") or {}, (claim.get("metadata") or {}).get("labels") or {}
        born, size = moment(metadata.get("creationTimestamp")), _size(claim)
        if born is None or not size or not accounted(claim) or (claim.get("status") or {}).get("phase") != "Bound":
            continue
        accounts = (str(labels.get(label, "")) for label in (PROJECT, TEAM, COST_CENTER))
        owner = Owner(str(metadata.get("namespace", "")), CLAIM, str(metadata.get("name", "")), *accounts)
        node = str((metadata.get("annotations") or {}).get(FIRST_NODE, ""))
        amounts = ((Resource.STORAGE, EXACT.divide(size, Decimal(GIB))),)
        ended, place = moment(metadata.get("deletionTimestamp")), _place(nodes.get(node), selling, prices)
        yield Sighting(str(metadata.get("uid", "")), "", born, ended, owner, node, place, amounts)


def accounted(claim: Mapping[str, Any]) -> bool:
    labels = (claim.get("metadata") or {}).get("labels") or {}
    return labels.get(MANAGED_BY) == "gyre" or any(labels.get(label) for label in ACCOUNT_LABELS)


def what_is_kept(claim: Mapping[str, Any]) -> object:
    """What of a claim has to do with money; nothing of one that is on nobody's account."""
    metadata = claim.get("metadata") or {}
    phase = (claim.get("status") or {}).get("phase")
    said = (metadata.get("uid"), metadata.get("deletionTimestamp"), metadata.get("labels"), str(_size(claim)), phase)
    return said if accounted(claim) else None


def _size(claim: Mapping[str, Any]) -> Any:
    asked = (((claim.get("spec") or {}).get("resources") or {}).get("requests") or {}).get("storage")
    try:
        return parse_quantity(str(asked))
    except ValueError:
        return None


def _place(node: Mapping[str, Any] | None, selling: tuple[str, ...], prices: Book) -> Place | None:
    """None where nobody knows; then it stays where it was known to be."""
    of_node = place_of(NodeTerms.of(node), prices).provider if node is not None else ""
    if of_node in selling:
        return Place(of_node)
    return Place(selling[0]) if len(selling) == 1 else None
