"""Rows of FOCUS 1.2 (FinOps Open Cost and Usage Specification) from a bill: one a line of the bill, for a month. Pure.

Promises   every column that is mandatory in 1.2, and those that are conditional on what a cluster has; quantity × unit price is
           the cost, to ten decimals; rows of a month sum to the bill of that month; usage stands beside it in columns of our own,
           empty where nobody looked.
Never      a discount, a tax or a credit: a Provider's price is what is paid, so list, contracted, effective and billed are one,
           and what is priced in a currency is billed in it.

CommitmentDiscountStatus is always empty, and there all the same: rules about ConsumedQuantity read it.

Columns of our own begin with `x_`: `x_UsageQuantity` and `x_UsageCost` are about `x_SampledCost` of the row's cost.

Source: FinOps-Open-Cost-and-Usage-Spec/FOCUS_Spec, `specification/columns/*.md`, v1.2.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Any, Final
from zoneinfo import ZoneInfo

from gyre.api.accounts import COST_CENTER, PROJECT, TEAM
from gyre.cost.bill import HOUR, MONTH_HOURS, WIDE, Line
from gyre.cost.meter import Meter
from gyre.cost.periods import Every, period_of, starts
from gyre.cost.prices import Capacity, Resource

PLACES: Final = Decimal("0.0000000001")
UNITS: Final = {
    Resource.CPU: ("Core-Hours", HOUR),
    Resource.MEMORY: ("GiB-Hours", HOUR),
    Resource.ACCELERATOR: ("Device-Hours", HOUR),
    Resource.STORAGE: ("GiB-Months", HOUR * MONTH_HOURS),
    Resource.EGRESS: ("GiB", 1),
}
"""The unit that is priced, and how many unit-seconds make one of it."""

COLUMNS: Final = (
    *("BilledCost", "BillingAccountId", "BillingAccountName", "BillingAccountType", "BillingCurrency"),
    *(
        "BillingPeriodEnd",
        "BillingPeriodStart",
        "ChargeCategory",
        "ChargeClass",
        "ChargeDescription",
        "ChargeFrequency",
    ),
    *(
        "ChargePeriodEnd",
        "ChargePeriodStart",
        "CommitmentDiscountStatus",
        "ConsumedQuantity",
        "ConsumedUnit",
        "ContractedCost",
    ),
    *(
        "ContractedUnitPrice",
        "EffectiveCost",
        "InvoiceId",
        "InvoiceIssuerName",
        "ListCost",
        "ListUnitPrice",
        "PricingCategory",
    ),
    *("PricingCurrency", "PricingCurrencyContractedUnitPrice", "PricingCurrencyEffectiveCost"),
    *("PricingCurrencyListUnitPrice", "PricingQuantity", "PricingUnit", "ProviderName", "PublisherName"),
    *("ResourceId", "ResourceName", "ResourceType", "ServiceCategory", "ServiceName", "ServiceSubcategory"),
    *("SkuId", "SkuMeter", "SkuPriceDetails", "SkuPriceId", "SubAccountId", "SubAccountName", "SubAccountType", "Tags"),
    *("x_AllocationMethod", "x_CapacityType", "x_SampledCost", "x_UsageCost", "x_UsageQuantity"),
)
DECIMALS: Final = frozenset(name for name in COLUMNS if name.endswith(("Cost", "UnitPrice", "Quantity")))


def rows(
    meter: Meter, *, account: str, currency: str, zone: ZoneInfo, months: Iterable[str] | None = None
) -> Iterator[dict[str, Any]]:
    """One row a line, in the order of the lines. `account` is the CostBudget that the books are of."""
    wanted, lines = None if months is None else set(months), meter.bill.lines
    for line in sorted(lines):
        if (wanted is None or line.month in wanted) and lines[line]:
            yield {**_row(line, lines[line], account, currency, zone), **_used(line, meter)}


def months_between(first: str, last: str) -> list[str]:
    """`2026-10`, `2026-12` → the months from one to the other, both included. Raises ValueError for anything else."""
    begin, end = (date.fromisoformat(f"{month}-01") for month in (first, last))
    if begin > end:
        raise ValueError(f"{first} is after {last}")
    found = []
    while begin <= end:
        found.append(f"{begin:%Y-%m}")
        begin = period_of(begin, Every.MONTHLY).end or end
    return found


def _row(line: Line, quantity: Decimal, account: str, currency: str, zone: ZoneInfo) -> dict[str, Any]:
    unit, seconds = UNITS[line.resource]
    amount = _rounded(WIDE.divide(quantity, Decimal(seconds)))
    cost = _rounded(WIDE.multiply(amount, line.price))
    owner = line.owner
    begin, end = _month(line.month, zone)
    place = f"{owner.namespace}/{owner.name}" if owner.namespace else owner.name
    sku = "/".join(part for part in (line.provider, line.resource.value, line.accelerator) if part)
    details = {"x_CapacityType": line.capacity, **({"x_Accelerator": line.accelerator} if line.accelerator else {})}
    tags = {PROJECT: owner.project, TEAM: owner.team, COST_CENTER: owner.cost_center}
    device = f" {line.accelerator}" if line.accelerator else ""
    return {
        "BilledCost": cost,
        "BillingAccountId": account,
        "BillingAccountName": account,
        "BillingAccountType": "CostBudget",
        "BillingCurrency": currency,
        "BillingPeriodEnd": end,
        "BillingPeriodStart": begin,
        "ChargeCategory": "Usage",
        "ChargeClass": None,
        "ChargeDescription": f"{line.resource}{device} ({line.capacity}) kept free for {owner.kind} {place}",
        "ChargeFrequency": "Usage-Based",
        "ChargePeriodEnd": end,
        "ChargePeriodStart": begin,
        "CommitmentDiscountStatus": None,
        "ConsumedQuantity": amount,
        "ConsumedUnit": unit,
        "ContractedCost": cost,
        "ContractedUnitPrice": line.price,
        "EffectiveCost": cost,
        "InvoiceId": None,
        "InvoiceIssuerName": line.provider,
        "ListCost": cost,
        "ListUnitPrice": line.price,
        "PricingCategory": "Dynamic" if line.capacity == Capacity.SPOT.value else "Standard",
        "PricingCurrency": currency,
        "PricingCurrencyContractedUnitPrice": line.price,
        "PricingCurrencyEffectiveCost": cost,
        "PricingCurrencyListUnitPrice": line.price,
        "PricingQuantity": amount,
        "PricingUnit": unit,
        "ProviderName": line.provider,
        "PublisherName": line.provider,
        "ResourceId": f"{owner.kind}/{place}",
        "ResourceName": owner.name,
        "ResourceType": owner.kind,
        "ServiceCategory": "AI and Machine Learning",
        "ServiceName": "gyre",
        "ServiceSubcategory": "Machine Learning",
        "SkuId": sku,
        "SkuMeter": f"{line.resource} kept free",
        "SkuPriceDetails": json.dumps(details, sort_keys=True),
        "SkuPriceId": f"{sku}/{line.capacity}/{line.price:f}",
        "SubAccountId": owner.namespace or None,
        "SubAccountName": owner.namespace or None,
        "SubAccountType": "Namespace" if owner.namespace else None,
        "Tags": json.dumps({name: value for name, value in tags.items() if value}, sort_keys=True),
        "x_AllocationMethod": "Requests",
        "x_CapacityType": line.capacity,
    }


def _used(line: Line, meter: Meter) -> dict[str, Decimal | None]:
    """Nothing, and not zero, where nobody looked."""
    covered, (_, seconds) = meter.covered.get(line), UNITS[line.resource]
    if not covered:
        return {"x_SampledCost": None, "x_UsageCost": None, "x_UsageQuantity": None}
    used, looked = (WIDE.divide(value, Decimal(seconds)) for value in (meter.used.get(line, Decimal(0)), covered))
    cost = {"x_SampledCost": WIDE.multiply(looked, line.price), "x_UsageCost": WIDE.multiply(used, line.price)}
    return {**{name: _rounded(value) for name, value in cost.items()}, "x_UsageQuantity": _rounded(used)}


def _month(month: str, zone: ZoneInfo) -> tuple[datetime, datetime]:
    period = period_of(date.fromisoformat(f"{month}-01"), Every.MONTHLY)
    assert period.first is not None  # noqa: S101 - a month has both
    assert period.end is not None  # noqa: S101
    return starts(period.first, zone), starts(period.end, zone)


def _rounded(value: Decimal) -> Decimal:
    return value.quantize(PLACES, ROUND_HALF_EVEN, WIDE).normalize(WIDE)
