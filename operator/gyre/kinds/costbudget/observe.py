"""The only reads a CostBudget makes: its ledger, the pods in its scope, the nodes, the Providers, and running TrainingJobs.

All of it comes from the cache. Pods are those that carry gyre's label: what others run is nobody's here, unless whole nodes
are paid for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from gyre.adapters.budgets import covers
from gyre.adapters.charges import of_nodes, sightings
from gyre.adapters.ownership import controller_uid
from gyre.adapters.pods import moment
from gyre.adapters.prices import NodeTerms, book, place_of
from gyre.api import gvks
from gyre.api.durations import parse_duration
from gyre.api.effects import Ref
from gyre.api.fields import Switch
from gyre.api.kind import Object, Reader
from gyre.cost.bill import Owner
from gyre.cost.meter import Meter, Sighting
from gyre.cost.prices import Book, Place
from gyre.kinds.costbudget.desired import ledger_ref
from gyre.kinds.costbudget.ledger import Unreadable, from_data
from gyre.kinds.costbudget.model import CostBudget


@dataclass(frozen=True, slots=True)
class Observed:
    meter: Meter | None = None
    ledger_version: str = ""
    """Its resourceVersion: guards every write that follows from it."""
    ledger_problem: str = ""
    prices: Book = field(default_factory=Book)
    """In the budget's currency."""
    foreign: tuple[str, ...] = ()
    """Providers in other currencies, `name (USD)`."""
    sightings: tuple[Sighting, ...] = ()
    places: Mapping[str, Place] = field(default_factory=dict)
    """Of the nodes that there are, by name."""
    ends: Mapping[Owner, datetime | None] = field(default_factory=dict)
    """When each running TrainingJob will be over by its own estimate; None when it says nothing."""


async def gather(reader: Reader, budget: CostBudget) -> Observed:
    held = reader.get(ledger_ref(budget))
    if held is not None and controller_uid(held) != budget.uid:
        held = None  # a namesake's: the engine refuses to touch it and says so
    meter, problem = None, ""
    if held is not None:
        try:
            meter = from_data(held.get("data"))
        except Unreadable as error:
            problem = str(error)
    providers = reader.everything(gvks.PROVIDER)
    prices = book(providers, budget.spec.currency)
    seen = tuple(_sightings(reader, budget, prices))
    running = {sighting.owner for sighting in seen if sighting.end is None and sighting.owner.kind == "TrainingJob"}
    return Observed(
        meter=meter,
        ledger_version=str(held["metadata"].get("resourceVersion", "")) if held else "",
        ledger_problem=problem,
        prices=prices,
        foreign=tuple(
            f"{one.name} ({one.currency})" for one in book(providers).lists if one.currency != budget.spec.currency
        ),
        sightings=seen,
        places={terms.name: place_of(terms, prices) for terms in map(NodeTerms.of, reader.everything(gvks.NODE))},
        ends={owner: _end(reader, owner) for owner in sorted(running)},
    )


def _sightings(reader: Reader, budget: CostBudget, prices: Book) -> list[Sighting]:
    scope = budget.spec.scope.to_dict()
    nodes = {obj["metadata"]["name"]: obj for obj in reader.everything(gvks.NODE)}
    pods = [pod for pod in reader.everything(gvks.POD) if _in_scope(pod, scope)]
    found = list(sightings(pods, nodes, prices))
    if budget.spec.scope.unallocated is Switch.ENABLED:
        found += of_nodes(nodes.values(), prices)
    return found


def _in_scope(pod: Object, scope: dict[str, object]) -> bool:
    metadata = pod["metadata"]
    return covers(scope, metadata.get("namespace", ""), metadata.get("labels") or {})


def _end(reader: Reader, owner: Owner) -> datetime | None:
    """By its progress; else by its time limit, which is the latest that it may be."""
    job = reader.get(Ref(gvks.TRAINING_JOB, owner.namespace, owner.name))
    if job is None:
        return None
    status, limit = job.get("status") or {}, (job.get("spec") or {}).get("timeLimit")
    estimated, started = (status.get("progress") or {}).get("estimatedFinish"), status.get("startTime")
    if estimated:
        return moment(estimated)
    if not limit or not started:
        return None
    begun = moment(started)
    return begun + parse_duration(str(limit)) if begun else None
