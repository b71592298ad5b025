"""`gyre cost export` and `gyre prices import` as a person at a terminal has them."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from tests.unit.cost.test_opencost import HEADER, NODE
from tests.unit.costbudget.worlds import BUDGET, LEDGER, TEN, Town, pod

from gyre.__main__ import main
from gyre.api.effects import Ref
from gyre.kinds.provider.model import Provider
from gyre.kube.errors import NotFound
from gyre.money.export import read


class Live:
    """`gyre.kube.client.Api` as far as an export needs it."""

    def __init__(self, town: Town) -> None:
        self.town = town

    async def get(self, ref: Ref) -> Any:
        if ref not in self.town.objects:
            raise NotFound(404, "NotFound", f"{ref} not found")
        return self.town.objects[ref]


def exported(town: Town, name: str = BUDGET.name, first: str | None = None, last: str | None = None) -> Any:
    return asyncio.run(read(Live(town), name, first, last))  # type: ignore[arg-type]


def test_the_ledger_of_a_budget_is_exported_month_by_month():
    town = Town(pod("a", "2026-10-31 23:00", "2026-11-01 01:00"))
    town.at("2026-11-02 12:00")
    assert sum(row["BilledCost"] for row in exported(town)) == 4
    assert sum(row["BilledCost"] for row in exported(town, first="2026-11", last="2026-12")) == 2
    assert {row["BillingAccountId"] for row in exported(town)} == {"team-a"}


def test_what_is_missing_is_said():
    town = Town(pod("a", TEN))
    with pytest.raises(LookupError, match="there is no CostBudget 'nobody'"):
        exported(town, "nobody")
    with pytest.raises(LookupError, match="has no ledger yet"):
        exported(town)
    town.at("2026-11-02 12:00")
    del town.objects[LEDGER]
    with pytest.raises(LookupError, match="is the operator running"):
        exported(town)


def test_prices_are_imported_as_manifests_and_what_is_left_out_goes_to_standard_error(tmp_path: Path):
    file = tmp_path / "prices.csv"
    file.write_text(HEADER + NODE + NODE.replace("cpx21", "cpx31"))
    ran = CliRunner().invoke(main, ["prices", "import", str(file), "--currency", "EUR", "--shape", "cpx21=3,4"])
    assert ran.exit_code == 0
    (made,) = yaml.safe_load_all(ran.stdout)
    assert Provider.parse(made).spec.currency == "EUR"
    assert "node cpx31 is left out: say --shape cpx31=CORES,GIB" in ran.stderr


def test_a_file_that_is_no_price_file_is_one_line_and_exit_status_1(tmp_path: Path):
    file = tmp_path / "prices.csv"
    file.write_text("a,b\n")
    ran = CliRunner().invoke(main, ["prices", "import", str(file), "--currency", "EUR"])
    assert ran.exit_code == 1
    assert "line 1: 2 fields, not 8" in ran.stderr
