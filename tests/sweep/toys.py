"""A small kind to try the engine on: a Widget keeps `spec.parts` ConfigMaps and a ledger of how many it ever made.

It has what real kinds have: children that are applied, a ledger that guards what follows, a reference to another Widget, a
child that is created once and outlives its owner's whims, deletes by UID, timers and a Stalled end.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from gyre.api.effects import Apply, Create, Delete, Effect, Ref
from gyre.api.gvks import CONFIG_MAP, SECRET, ours
from gyre.api.kind import MANAGED_BY, Decision, Grant, Kind, Object, Outcome, Reader

WIDGET = ours("Widget", "widgets")


@dataclass(frozen=True, slots=True)
class Widget:
    name: str
    namespace: str
    uid: str
    generation: int
    spec: Mapping[str, Any]

    @classmethod
    def parse(cls, obj: Object) -> Widget:
        metadata, spec = obj["metadata"], obj.get("spec", {})
        if not isinstance(spec.get("parts", 0), int):
            raise ValueError("Widget spec.parts: is not a number")
        return cls(metadata["name"], metadata["namespace"], metadata["uid"], metadata.get("generation", 1), spec)

    @property
    def owner(self) -> dict[str, Any]:
        return {
            "apiVersion": WIDGET.api_version,
            "kind": WIDGET.kind,
            "name": self.name,
            "uid": self.uid,
            "controller": True,
            "blockOwnerDeletion": True,
        }


@dataclass(frozen=True, slots=True)
class Seen:
    ledger: Object | None
    parts: tuple[Object, ...]
    friend: Object | None


def ledger_ref(widget: Widget) -> Ref:
    return Ref(CONFIG_MAP, widget.namespace, f"{widget.name}-ledger")


async def gather(reader: Reader, widget: Widget) -> Seen:
    ledger = ledger_ref(widget)
    parts = tuple(obj for obj in reader.owned(CONFIG_MAP, widget.uid) if obj["metadata"]["name"] != ledger.name)
    friend = reader.get(Ref(WIDGET, widget.namespace, widget.spec["friend"])) if widget.spec.get("friend") else None
    return Seen(reader.get(ledger), parts, friend)


def config_map(widget: Widget, name: str, data: Mapping[str, str]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {
            "name": name,
            "namespace": widget.namespace,
            "labels": {MANAGED_BY: "gyre"},
            "ownerReferences": [widget.owner],
        },
        "data": dict(data),
    }


def decide(widget: Widget, seen: Seen, now: datetime) -> Decision:
    if widget.spec.get("broken"):
        return Decision.stalled("Broken", "the widget is broken; mend spec.broken")
    if widget.spec.get("friend") and not ready(seen.friend):
        return Decision.waiting("FriendMissing", f"waits for {widget.spec['friend']}", after=60.0)
    wanted = {f"{widget.name}-part-{index}" for index in range(widget.spec.get("parts", 0))}
    have = {part["metadata"]["name"] for part in seen.parts}
    made = set(filter(None, ((seen.ledger or {}).get("data") or {}).get("made", "").split(",")))
    data = {"made": ",".join(sorted(made | wanted))} | (
        {"colour": widget.spec["colour"]} if widget.spec.get("colour") else {}
    )
    guard = seen.ledger["metadata"]["resourceVersion"] if seen.ledger else None
    effects: list[Effect] = [Apply(config_map(widget, ledger_ref(widget).name, data), guard=guard)]
    effects += [Create(config_map(widget, name, {"name": name})) for name in sorted(wanted)]
    effects += [
        Delete(Ref(CONFIG_MAP, widget.namespace, name), uid)
        for name, uid in sorted((part["metadata"]["name"], part["metadata"]["uid"]) for part in seen.parts)
        if name not in wanted
    ]
    if have != wanted:
        return Decision.progressing("Making", f"{len(have)} of {len(wanted)} parts", *effects)
    return Decision.settled("Made", f"{len(wanted)} parts", *effects)


def ready(obj: Object | None) -> bool:
    conditions = ((obj or {}).get("status") or {}).get("conditions") or ()
    return any(condition["type"] == "Ready" and condition["status"] == "True" for condition in conditions)


def summarize(widget: Widget, seen: Seen, decision: Decision, now: datetime) -> dict[str, Any]:
    ok = decision.outcome is Outcome.SETTLED
    conditions = [{"type": "Ready", "status": str(ok), "reason": decision.reason, "message": decision.message}]
    if decision.outcome in (Outcome.STALLED, Outcome.FAILED):
        conditions.append({"type": "Stalled", "status": "True", "reason": decision.reason, "message": decision.message})
    elif not ok:
        conditions.append({"type": "Reconciling", "status": "True", "reason": decision.reason})
    return {"observedGeneration": widget.generation, "conditions": conditions, "parts": len(seen.parts)}


def references(widget: Widget) -> Iterable[Ref]:
    if widget.spec.get("friend"):
        yield Ref(WIDGET, widget.namespace, widget.spec["friend"])


KIND: Kind[Widget, Seen] = Kind(
    model=Widget,
    gvk=WIDGET,
    gather=gather,
    decide=decide,
    summarize=summarize,
    owns=(CONFIG_MAP,),
    references=references,
    labels=((CONFIG_MAP, "colour"),),
    grants=(Grant(SECRET, ("get",)),),
)


def widget(name: str = "w", *, namespace: str = "ns", **spec: Any) -> dict[str, Any]:
    return {
        "apiVersion": WIDGET.api_version,
        "kind": WIDGET.kind,
        "metadata": {"name": name, "namespace": namespace},
        "spec": spec,
    }


def widget_ref(name: str = "w", namespace: str = "ns") -> Ref:
    return Ref(WIDGET, namespace, name)


def part_ref(index: int, name: str = "w", namespace: str = "ns") -> Ref:
    return Ref(CONFIG_MAP, namespace, f"{name}-part-{index}")
