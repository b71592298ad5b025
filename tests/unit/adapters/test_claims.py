"""Claims as disks that cost money."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

from gyre.adapters.claims import disks, what_is_kept
from gyre.cost.prices import Book, Entry, PriceList, Resource

TEN = "2026-11-02T10:00:00Z"
STORAGE = (Entry(Resource.STORAGE, Decimal("0.10")),)


def claim(phase: str = "Bound", size: Any = "20Gi", **metadata: Any) -> dict[str, Any]:
    labels = {"gyre.dev/project": "delays", "gyre.dev/cost-center": "4711"}
    known = {"name": "data", "namespace": "ml", "uid": "u", "creationTimestamp": TEN, "labels": labels}
    return {
        "metadata": {**known, **metadata},
        "spec": {"resources": {"requests": {"storage": size}}},
        "status": {"phase": phase},
    }


def book(*names: str) -> Book:
    return Book(tuple(PriceList(name, "EUR", STORAGE, {"pool": name}) for name in names))


def test_a_disk_is_on_the_account_of_its_claim_from_its_creation_on():
    (disk,) = disks([claim()], {}, book("a"))
    assert (disk.start.hour, disk.end, disk.node, disk.container) == (10, None, "", "")
    assert (disk.owner.kind, disk.owner.project, disk.owner.cost_center) == ("PersistentVolumeClaim", "delays", "4711")
    assert disk.amounts == ((Resource.STORAGE, Decimal(20)),)
    assert disk.place is not None
    assert disk.place.provider == "a"


def test_it_ends_when_it_is_told_to_go():
    (disk,) = disks([claim(deletionTimestamp="2026-11-02T12:00:00Z")], {}, book("a"))
    assert disk.end is not None
    assert disk.end.hour == 12


def test_with_several_prices_its_first_node_says_whose_it_is_and_else_nobody_does():
    node = {"metadata": {"name": "n", "labels": {"pool": "b"}}}
    chosen = claim(annotations={"volume.kubernetes.io/selected-node": "n"})
    (disk,) = disks([chosen], {"n": node}, book("a", "b"))
    assert disk.place is not None
    assert disk.place.provider == "b"
    for unknown in (disks([chosen], {}, book("a", "b")), disks([claim()], {"n": node}, book("a", "b"))):
        assert next(iter(unknown)).place is None


def test_what_is_no_disk_or_nobodys_or_not_priced_is_not_there():
    for nothing in (claim("Pending"), claim(size="much"), claim(size="0"), claim(labels={"app": "x"}), {}):
        assert list(disks([nothing], {}, book("a"))) == [], nothing
    assert list(disks([claim()], {}, Book((PriceList("a", "EUR"),)))) == []


def test_one_that_gyre_made_is_its_business_on_whoevers_account():
    (disk,) = disks([claim(labels={"app.kubernetes.io/managed-by": "gyre"})], {}, book("a"))
    assert (disk.owner.name, disk.owner.team) == ("data", "")


def test_only_what_has_to_do_with_money_is_told():
    assert what_is_kept(claim()) == what_is_kept(claim(annotations={"a": "b"}, resourceVersion="7"))
    changed = (claim(size="30Gi"), claim("Lost"), claim(deletionTimestamp=TEN), claim(uid="v"))
    assert all(what_is_kept(claim()) != what_is_kept(other) for other in changed)
    assert what_is_kept(claim(labels={})) is None
