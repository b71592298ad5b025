"""The ledger as FOCUS 1.2. What its own validator said of such a file is in docs/cost.md."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from tests.unit.cost.focus_rules import ALLOWED, RULES, broken
from tests.unit.cost.histories import BERLIN, PRICES, SPOT, TAXIS, at, metered, run

from gyre.cost.bill import money
from gyre.cost.focus import COLUMNS, months_between, rows
from gyre.cost.prices import Resource
from gyre.cost.usage import Sample, entered
from gyre.money.export import write_csv, write_parquet

MANDATORY = [
    "BilledCost",
    "BillingAccountId",
    "BillingAccountName",
    "BillingCurrency",
    "BillingPeriodEnd",
    "BillingPeriodStart",
    "ChargeCategory",
    "ChargeClass",
    "ChargeDescription",
    "ChargePeriodEnd",
    "ChargePeriodStart",
    "ContractedCost",
    "EffectiveCost",
    "InvoiceIssuerName",
    "ListCost",
    "PricingQuantity",
    "PricingUnit",
    "ProviderName",
    "PublisherName",
    "ServiceCategory",
    "ServiceName",
]
"""Mandatory columns of FOCUS 1.2."""
NULLABLE = {"BillingAccountName", "ChargeClass", "ChargeDescription", "PricingQuantity", "PricingUnit"}


def exported():
    runs = [
        run("p", "2026-10-24 20:00", "2026-11-01 01:00"),
        run("q", "2026-11-02 10:00", "2026-11-02 10:07", owner=TAXIS, place=SPOT),
    ]
    meter = metered([("2026-11-03 00:00", runs)])
    return meter.bill, list(rows(meter, account="team-a", currency="EUR", zone=BERLIN))


def test_every_mandatory_column_is_there_and_has_a_value():
    _, found = exported()
    assert set(MANDATORY) <= set(COLUMNS)
    for row in found:
        assert set(row) == set(COLUMNS)
        assert all(row[name] not in (None, "") for name in MANDATORY if name not in NULLABLE)


def test_quantity_times_price_is_the_cost_and_rows_sum_to_the_bill():
    bill, found = exported()
    for row in found:
        assert abs(row["PricingQuantity"] * row["ListUnitPrice"] - row["ListCost"]) < Decimal("1e-9")
    assert sum(row["BilledCost"] for row in found).quantize(Decimal("0.01")) == money(bill.total())


def test_usage_stands_beside_allocation_and_is_empty_where_nobody_looked():
    now = at("2026-11-02 10:10")
    ran = run("p", "2026-11-02 10:00")
    looked = metered([(now, [ran, run("q", "2026-11-02 10:00", owner=TAXIS)])])
    sample = Sample(ran.key, now, ((Resource.CPU, Decimal(1)),))
    found = list(rows(entered(looked, [sample], PRICES, BERLIN), account="a", currency="EUR", zone=BERLIN))
    told = {(row["ResourceName"], row["SkuMeter"]): row for row in found}
    cpu = told["flights", "CPU kept free"]
    assert (cpu["PricingQuantity"], cpu["x_UsageQuantity"]) == (Decimal("0.3333333333"), Decimal("0.1666666667"))
    assert (cpu["x_SampledCost"], cpu["x_UsageCost"] * 2) == (cpu["BilledCost"], cpu["BilledCost"])
    unknown = [row for key, row in told.items() if key != ("flights", "CPU kept free")]
    assert len(unknown) == 3
    assert all(row["x_UsageCost"] is row["x_UsageQuantity"] is row["x_SampledCost"] is None for row in unknown)
    assert broken(found) == set(ALLOWED)


def test_a_month_is_that_of_the_budget_and_spot_is_dynamic():
    _, found = exported()
    october = [row for row in found if row["BillingPeriodStart"] == datetime(2026, 9, 30, 22, tzinfo=UTC)]
    assert {row["BillingPeriodEnd"] for row in october} == {datetime(2026, 10, 31, 23, tzinfo=UTC)}
    assert {row["PricingCategory"] for row in found if row["ResourceName"] == "taxis"} == {"Dynamic"}
    assert json.loads(found[0]["Tags"]) == {"gyre.dev/team": "a"}


def test_the_file_has_what_the_rows_have(tmp_path: Path):
    _, found = exported()
    file = io.StringIO()
    write_csv(found, file)
    read = list(csv.DictReader(io.StringIO(file.getvalue())))
    assert [Decimal(row["BilledCost"]) for row in read] == [row["BilledCost"] for row in found]
    assert read[0]["BillingPeriodStart"] == "2026-09-30T22:00:00Z"
    write_parquet(found, tmp_path / "x.parquet")
    table = pq.read_table(tmp_path / "x.parquet")
    assert table.column_names == list(COLUMNS)
    assert table.column("BilledCost").to_pylist() == [float(row["BilledCost"]) for row in found]


def test_months_are_from_one_to_the_other_and_nothing_else_is_taken():
    assert months_between("2026-11", "2027-02") == ["2026-11", "2026-12", "2027-01", "2027-02"]
    for wrong in (("2026-13", "2027-01"), ("2027-02", "2026-11"), ("x", "y")):
        with pytest.raises(ValueError, match=r".+"):
            months_between(*wrong)


def test_the_rules_of_focus_hold_but_for_those_that_contradict_each_other():
    _, found = exported()
    assert len(RULES) > 100
    assert broken(found) == set(ALLOWED)


@pytest.mark.parametrize(
    ("column", "value", "rule"),
    [
        ("BilledCost", None, "BilledCost-C-003-M"),
        ("ChargeCategory", "Gift", "ChargeCategory-C-003-M"),
        ("ListCost", Decimal("1000000"), "ListUnitPrice-C-010-C"),
        ("BillingCurrency", "Euro", "BillingCurrency-C-003-M"),
        ("ServiceCategory", "Magic", "ServiceCategory-C-003-M"),
        ("BillingPeriodStart", "2026-11-01", "BillingPeriodStart-C-001-M"),
    ],
)
def test_a_row_that_breaks_a_rule_is_found(column: str, value: object, rule: str):
    _, found = exported()
    assert rule in broken([{**found[0], column: value}, *found[1:]])


def test_a_missing_column_is_found():
    _, found = exported()
    without = [{name: value for name, value in row.items() if name != "BilledCost"} for row in found]
    assert "CostAndUsage-D-006-M" in broken(without)
