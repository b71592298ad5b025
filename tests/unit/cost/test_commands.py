"""`gyre cost show`, `gyre cost export` and `gyre prices import` as a person at a terminal has them."""

from __future__ import annotations

import asyncio
import io
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from rich.console import Console
from tests.unit.cost.test_opencost import HEADER, NODE
from tests.unit.costbudget.worlds import BUDGET, LEDGER, TEN, Town, pod

from gyre.__main__ import main
from gyre.api.effects import Ref
from gyre.kinds.provider.model import Provider
from gyre.kube.errors import NotFound
from gyre.money.export import opened, read
from gyre.money.show import shares, table


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


def books(town: Town, first: str | None = None, last: str | None = None) -> Any:
    return asyncio.run(opened(Live(town), BUDGET.name, first, last))  # type: ignore[arg-type]


def a_town(**spec: Any) -> Town:
    accounts = {"gyre.dev/team": "a", "gyre.dev/project": "delays", "gyre.dev/cost-center": "4711"}
    town = Town(pod("a", **accounts), pod("b", job="taxis", **{"gyre.dev/team": "b"}), pod("c", job="lost"), **spec)
    town.at("2026-11-02 10:00")
    town.told("a", "2026-11-02 10:15", cpu="500m", memory="1Gi")
    town.at("2026-11-02 10:15")
    return town


@pytest.mark.parametrize(
    ("by", "rows"),
    [
        ("team", {"a": "0.50", "b": "0.50", "(none)": "0.50"}),
        ("project", {"delays": "0.50", "(none)": "1.00"}),
        ("cost-center", {"4711": "0.50", "(none)": "1.00"}),
        ("kind", {"TrainingJob": "1.50"}),
        (
            "object",
            {"TrainingJob ml/flights": "0.50", "TrainingJob ml/taxis": "0.50", "TrainingJob ml/lost": "0.50"},
        ),
    ],
)
def test_what_was_spent_is_shown_by_whatever_is_asked(by: str, rows: dict[str, str]):
    assert {share.name: str(share.cost) for share in shares(books(a_town()), by)} == rows


def test_usage_stands_beside_it_and_a_dash_where_nobody_looked():
    told = {share.name: share.use for share in shares(books(a_town()), "team")}
    assert (told["a"].efficiency, told["a"].sampled, told["b"].known) == (50, 100, False)
    console = Console(width=100, file=io.StringIO(), record=True)
    console.print(table(shares(books(a_town()), "team"), "team", "EUR"))
    lines = {line.split()[1]: line for line in console.export_text().splitlines() if len(line.split()) > 8}
    assert [part for part in lines["a"].split() if part[0].isdigit()] == ["0.50", "0.25", "0.50", "50"]
    assert lines["b"].split().count("-") == 3


def test_node_time_that_nobody_asked_for_is_a_row_of_its_own_by_whatever_is_asked():
    found = shares(books(a_town(scope={"unallocated": "Enabled"})), "team")
    assert {share.name: str(share.cost) for share in found} == {
        "a": "0.50",
        "b": "0.50",
        "(none)": "0.50",
        "(unallocated)": "4.50",  # eight cores and 32 GiB for a quarter of an hour, but for the above
    }


def test_months_that_were_not_asked_for_are_left_out():
    town = Town(pod("a", "2026-10-31 23:00", "2026-11-01 01:00"))
    town.at("2026-11-02 12:00")
    assert [str(share.cost) for share in shares(books(town, first="2026-11"), "kind")] == ["2.00"]


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
