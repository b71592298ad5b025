"""The only reads a CostBudget makes: its ledger, pods and claims in its scope, nodes, Providers, TrainingJobs, and what pods use.

All but the last comes from the cache. Pods are those that carry gyre's label: what others run is nobody's here, unless whole
nodes are paid for. What pods use is asked of `metrics.k8s.io` while any run, at most each `GLANCE` seconds for all budgets.

Of pods and claims that have gone since the last look the last word is recalled: their end is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from gyre.adapters.budgets import covers
from gyre.adapters.charges import of_nodes, samples, sightings
from gyre.adapters.claims import disks
from gyre.adapters.ownership import controller_uid
from gyre.adapters.pods import moment
from gyre.adapters.prices import NodeTerms, book, place_of
from gyre.adapters.trainings import ran
from gyre.api import gvks
from gyre.api.durations import parse_duration
from gyre.api.effects import Ref
from gyre.api.fields import Switch
from gyre.api.kind import MANAGED_BY, Object, Reader
from gyre.cost.bill import Owner
from gyre.cost.estimate import History, Run
from gyre.cost.meter import Meter
from gyre.cost.prices import Book, Place
from gyre.cost.spans import Sighting
from gyre.cost.usage import Sample
from gyre.kinds.costbudget.desired import ledger_ref
from gyre.kinds.costbudget.ledger import Unreadable, from_data, history_from
from gyre.kinds.costbudget.model import CostBudget

GLANCE: Final = 30.0
"""metrics-server itself looks each 15 s."""


@dataclass(frozen=True, slots=True)
class Observed:
    meter: Meter | None = None
    history: History = field(default_factory=History)
    """How long runs took, as the ledger has it."""
    ledger_version: str = ""
    """Its resourceVersion: guards every write that follows from it."""
    ledger_problem: str = ""
    prices: Book = field(default_factory=Book)
    """In the budget's currency."""
    foreign: tuple[str, ...] = ()
    """Providers in other currencies, `name (USD)`."""
    sightings: tuple[Sighting, ...] = ()
    samples: tuple[Sample, ...] = ()
    """What is used now, as far as anybody tells."""
    ran: tuple[tuple[str, Run], ...] = ()
    """TrainingJobs in scope that have succeeded, with their model."""
    places: Mapping[str, Place] = field(default_factory=dict)
    """Of the nodes that there are, by name."""
    ends: Mapping[Owner, datetime | None] = field(default_factory=dict)
    """When each running TrainingJob will be over by its own estimate; None when it says nothing."""


async def gather(reader: Reader, budget: CostBudget) -> Observed:
    held = reader.get(ledger_ref(budget))
    if held is not None and controller_uid(held) != budget.uid:
        held = None  # a namesake's: the engine refuses to touch it and says so
    meter, history, problem = None, History(), ""
    if held is not None:
        try:
            meter, history = from_data(held.get("data")), history_from(held.get("data"))
        except Unreadable as error:
            problem = str(error)
    providers = reader.everything(gvks.PROVIDER)
    prices = book(providers, budget.spec.currency)
    pods = _in_scope(budget, reader.everything(gvks.POD))
    seen = tuple(_sightings(reader, budget, pods, prices))
    if held is not None:
        seen += tuple(_departed(reader, budget, prices, moment(held["metadata"].get("creationTimestamp"))))
    running = {sighting.owner for sighting in seen if sighting.end is None and sighting.owner.kind == "TrainingJob"}
    return Observed(
        meter=meter,
        history=history,
        ledger_version=str(held["metadata"].get("resourceVersion", "")) if held else "",
        ledger_problem=problem,
        prices=prices,
        foreign=tuple(
            f"{one.name} ({one.currency})" for one in book(providers).lists if one.currency != budget.spec.currency
        ),
        sightings=seen,
        samples=tuple(samples(pods, await _metrics(reader)))
        if any(one.end is None and one.container for one in seen)
        else (),
        ran=tuple(filter(None, map(ran, _in_scope(budget, reader.everything(gvks.TRAINING_JOB))))),
        places={terms.name: place_of(terms, prices) for terms in map(NodeTerms.of, reader.everything(gvks.NODE))},
        ends={owner: _end(reader, owner) for owner in sorted(running)},
    )


def _sightings(reader: Reader, budget: CostBudget, pods: Sequence[Object], prices: Book) -> list[Sighting]:
    nodes = _nodes(reader)
    claims = _in_scope(budget, reader.everything(gvks.PERSISTENT_VOLUME_CLAIM))
    found = [*sightings(pods, nodes, prices), *disks(claims, nodes, prices)]
    if budget.spec.scope.unallocated is Switch.ENABLED:
        found += of_nodes(nodes.values(), prices)
    return found


def _departed(reader: Reader, budget: CostBudget, prices: Book, began: datetime | None) -> Iterator[Sighting]:
    """Those that said their end, since the books began. Of one that did not, nobody knows more than that it is gone."""
    nodes = _nodes(reader)
    pods = _in_scope(budget, reader.departed(gvks.POD))
    claims = _in_scope(budget, reader.departed(gvks.PERSISTENT_VOLUME_CLAIM))
    for one in (*sightings(pods, nodes, prices), *disks(claims, nodes, prices)):
        if one.end is not None and (began is None or one.end >= began):
            yield one


def _nodes(reader: Reader) -> dict[str, Object]:
    return {obj["metadata"]["name"]: obj for obj in reader.everything(gvks.NODE)}


def _in_scope(budget: CostBudget, objects: Iterable[Object]) -> list[Object]:
    scope = budget.spec.scope.to_dict()
    told = ((obj, obj["metadata"]) for obj in objects)
    return [obj for obj, at in told if covers(scope, at.get("namespace", ""), at.get("labels") or {})]


async def _metrics(reader: Reader) -> Sequence[Object]:
    return await reader.glance(gvks.POD_METRICS, {MANAGED_BY: "gyre"}, max_age=GLANCE)


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
