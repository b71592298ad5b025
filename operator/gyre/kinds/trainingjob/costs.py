"""What a job costs, and what it was expected to: its pods' runs at the Providers' prices, kept in its ledger. Pure.

Without a Provider nothing is metered and the cost is Unknown. The currency is that of spec.maxCost; else that of the only
one in which there are prices. With several, and no maxCost, it is Unknown: nobody said which. It stays what it was at first.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from gyre.adapters.charges import amounts_of
from gyre.adapters.pods import GPU
from gyre.adapters.prices import book, rates
from gyre.cost import estimate
from gyre.cost.bill import money, plus
from gyre.cost.estimate import Expected, Took
from gyre.cost.meter import Meter
from gyre.cost.prices import Book, Resource
from gyre.cost.spans import Amounts, Sighting
from gyre.cost.text import Unreadable, bounded, dump, load
from gyre.kinds.trainingjob.ledger import Ledger
from gyre.kinds.trainingjob.model import TrainingJob

UTC_ZONE: Final = ZoneInfo("UTC")
"""A job has no months: only its total counts."""
INTERVAL: Final = timedelta(minutes=5)
"""How often a running job's cost is entered; what ends is billed to the second whatever this is."""
STRICT: Final = timedelta(minutes=1)
"""The same where there is a spec.maxCost, which is held to that."""


def prices_of(job: TrainingJob, ledger: Ledger | None, providers: Iterable[Mapping[str, Any]]) -> Book:
    """The prices that the job is metered by; once metered it stays with its currency."""
    listed = tuple(providers)
    currency = currency_of(job, ledger)
    if currency is None:
        known = {one.currency for one in book(listed).lists}
        currency = known.pop() if len(known) == 1 else None
    return book(listed, currency) if currency is not None else Book()


def currency_of(job: TrainingJob, ledger: Ledger | None) -> str | None:
    if ledger is not None and ledger.currency:
        return ledger.currency
    return job.spec.max_cost.currency if job.spec.max_cost is not None else None


def meter_of(ledger: Ledger) -> Meter:
    """What cannot be read any more is begun again, marked as lost: then the cost is Unknown, and never less than it was."""
    if not ledger.meter:
        return Meter()
    try:
        return load(dict(ledger.meter))
    except Unreadable:
        return replace(Meter(), lost="unreadable")


def read(job: TrainingJob, ledger: Ledger, prices: Book, sightings: Iterable[Sighting], now: datetime) -> Ledger | None:
    """The ledger with its meter read anew; None where there is nothing to enter."""
    before, whole = meter_of(ledger), now.replace(microsecond=0)
    if not prices and not before.spans:
        return None
    looked = before.seen(sightings, whole)
    after = looked.billed(prices, UTC_ZONE, whole)
    moved = looked.spans != before.spans or looked.unseen != before.unseen
    due = before.mark is None or whole >= before.mark + interval(job)
    earned = any(after.spans.get(key) != span for key, span in before.spans.items())
    if not moved and not (earned and due):
        return None
    currency = prices.lists[0].currency if prices else ledger.currency
    return replace(ledger, meter=dump(bounded(after, forever=True)), currency=currency)


def expected(job: TrainingJob, prices: Book, took: Took | None, now: datetime) -> Expected | None:
    """What it will cost, before anything of it runs; None while no Provider prices anything. It is kept as it was at first."""
    if not prices:
        return None
    limits = [job.spec.time_limit, job.spec.finish_by - now if job.spec.finish_by else None]
    known = [max(0, round(limit.total_seconds())) for limit in limits if limit is not None]
    found = estimate.expected(
        asked(job),
        rates(prices, now, job.spec.node_selector),
        model=model_of(job),
        took=took,
        limit=min(known, default=None),
    )
    return replace(found, currency=prices.lists[0].currency)


def model_of(job: TrainingJob) -> str:
    return job.spec.model.name if job.spec.model is not None else job.name


def asked(job: TrainingJob) -> Amounts:
    """What its pods keep free together."""
    worker, head = job.spec.resources, job.spec.head
    workers = [amounts_of({"cpu": worker.cpu, "memory": worker.memory, GPU: worker.gpu})] * job.spec.workers
    sums: dict[Resource, Decimal] = {}
    for amounts in (*workers, amounts_of({"cpu": head.cpu, "memory": head.memory})):
        for resource, amount in amounts:
            sums[resource] = plus(sums, resource, amount)
    return tuple(sorted(sums.items()))


def interval(job: TrainingJob) -> timedelta:
    return STRICT if job.spec.max_cost is not None else INTERVAL


def spent(ledger: Ledger) -> Decimal:
    """What has a price, in hundredths."""
    return money(meter_of(ledger).bill.total())


def unknown(ledger: Ledger) -> bool:
    """Whether something ran that has no price."""
    meter = meter_of(ledger)
    return bool(meter.lost) or (meter.mark is not None and bool(meter.unpriced(meter.mark)))


def next_entry(job: TrainingJob, ledger: Ledger, prices: Book) -> datetime | None:
    """When the running cost is entered next; None while nothing runs that has a price."""
    meter = meter_of(ledger)
    return meter.mark + interval(job) if meter.running and meter.mark is not None and prices else None
