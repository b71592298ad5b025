"""OpenCost's CSV price file as Providers."""

from __future__ import annotations

from decimal import Decimal

import pytest

from gyre.kinds.provider.model import Provider
from gyre.money.opencost import providers

HEADER = "EndTimestamp,InstanceID,Region,AssetClass,InstanceIDField,InstanceType,MarketPriceHourly,Version\n"
NODE = ",cpx21,fsn1,node,metadata.labels.node.kubernetes.io/instance-type,cpx21,0.0160,v1\n"
GPU = ",A100,,gpu,nvidia.com/gpu_type,,2.10,v1\n"
DISK = ",fast,,pv,spec.storageClassName,,0.00005479452,v1\n"


def imported(text: str, *shapes: str):
    return providers(HEADER + text, currency="EUR", name="hetzner", shapes=shapes)


def test_a_node_is_split_into_cores_and_memory_that_cost_what_the_node_costs():
    (made,), notes = imported(NODE, "cpx21=3,4")
    assert notes == []
    assert made["metadata"]["name"] == "hetzner-fsn1-cpx21"
    assert made["spec"]["nodeSelector"] == {
        "node.kubernetes.io/instance-type": "cpx21",
        "topology.kubernetes.io/region": "fsn1",
    }
    cpu, memory = (Decimal(entry["amount"]) for entry in made["spec"]["prices"])
    assert abs(3 * cpu + 4 * memory - Decimal("0.016")) < Decimal("1e-11")
    assert abs(cpu / memory - Decimal("0.031611") / Decimal("0.004237")) < Decimal("1e-6")
    assert Provider.parse(made).spec.prices[0].amount == cpu


def test_devices_and_storage_go_into_every_provider():
    (made,), _ = imported(NODE + GPU + DISK, "cpx21=3,4")
    gpu, disk = made["spec"]["prices"][2:]
    assert gpu == {"resource": "Accelerator", "accelerator": "A100", "amount": "2.1"}
    assert disk == {"resource": "Storage", "amount": "0.0399999996"}


def test_a_node_whose_size_nobody_says_is_left_out_and_said_to_be():
    made, notes = imported(NODE + GPU)
    assert [m["metadata"]["name"] for m in made] == ["hetzner"]
    assert notes[0] == "line 2: node cpx21 is left out: say --shape cpx21=CORES,GIB"


def test_several_prices_of_storage_are_none():
    (made,), notes = imported(NODE + DISK + ",slow,,pv,spec.storageClassName,,0.00001,v1\n", "cpx21=3,4")
    assert [entry["resource"] for entry in made["spec"]["prices"]] == ["CPU", "Memory"]
    assert "add a Storage price by hand" in notes[0]


def test_a_price_that_ends_has_an_until():
    (made,), _ = imported("2026-12-31 16:00:00 UTC" + NODE, "cpx21=3,4")
    assert {entry["until"] for entry in made["spec"]["prices"]} == {"2026-12-31T16:00:00Z"}


def test_comments_are_passed_over():
    assert len(imported("# prices of spring\n" + NODE, "cpx21=3,4")[0]) == 1


@pytest.mark.parametrize(
    ("text", "shapes", "words"),
    [
        ("a,b\n", (), "line 2: 2 fields, not 8"),
        (NODE.replace("0.0160", "cheap"), ("cpx21=3,4",), "MarketPriceHourly 'cheap' is no number"),
        (NODE.replace("0.0160", "-1"), ("cpx21=3,4",), "is no price"),
        (NODE, ("cpx21=three",), "write it like m5.large=2,8"),
        ("yesterday" + NODE, ("cpx21=3,4",), "EndTimestamp 'yesterday' is no time"),
        ("", (), "nothing in the file can be taken over"),
    ],
)
def test_what_is_wrong_is_said_with_its_line(text: str, shapes: tuple[str, ...], words: str):
    with pytest.raises(ValueError, match=words.replace(".", r"\.")):
        imported(text, *shapes)


def test_the_currency_must_be_said():
    with pytest.raises(ValueError, match="write it like EUR"):
        providers(HEADER + NODE, currency="euro", name="x", shapes=())
