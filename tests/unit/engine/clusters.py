"""A model world with one operator over it, for tests of single parts of the engine."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from tests.sweep.operators import Door, run
from tests.sweep.toys import KIND, WIDGET, widget, widget_ref
from tests.sweep.world import World

from gyre.api.effects import Effect, Ref
from gyre.api.gvks import CONFIG_MAP
from gyre.api.kind import MANAGED_BY, Object
from gyre.engine.cache import Cache
from gyre.engine.effects import Writer
from gyre.engine.engine import known_gvks
from gyre.kube.paths import KindOf

C = Ref(CONFIG_MAP, "ns", "c")


class Bench:
    """A Writer over a world; the cache knows only what it is told."""

    def __init__(self) -> None:
        self.world = World()
        self.door = Door(self.world)
        self.owner = self.world.create(widget_ref(), widget())
        self.cache = Cache((KIND,), self._fetch)
        self.cache.observe(WIDGET, self.owner)
        self.leader = True
        self.told: list[tuple[str, str]] = []
        self.writer = Writer(self.door, self.cache, KindOf(known_gvks((KIND,))), lambda: self.leader, self._changed)

    async def _fetch(self, ref: Ref) -> Object | None:
        return self.world.find(ref)

    def _changed(self, gvk: Any, obj: Object, by: Ref) -> None:
        self.told.append((obj["metadata"]["name"], by.name))

    def manifest(self, name: str = "c", owner: str | None = None, **data: str) -> dict[str, Any]:
        reference = {
            "apiVersion": WIDGET.api_version,
            "kind": WIDGET.kind,
            "name": "w",
            "uid": owner or self.owner["metadata"]["uid"],
            "controller": True,
        }
        metadata = {"name": name, "namespace": "ns", "labels": {MANAGED_BY: "gyre"}, "ownerReferences": [reference]}
        return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}

    def exists(self, manifest: Mapping[str, Any], *, seen: bool = True) -> Object:
        """Put an object into the world, as another writer would; `seen`: our watch has told."""
        obj = self.world.create(Ref(CONFIG_MAP, "ns", manifest["metadata"]["name"]), manifest)
        if seen:
            self.cache.observe(CONFIG_MAP, obj)
        return obj

    def see(self) -> None:
        for obj in self.world.list(CONFIG_MAP):
            self.cache.observe(CONFIG_MAP, obj)

    def do(self, *effects: Effect) -> bool:
        return run(
            self.writer.carry_out(effects, manager="gyre-widget", by=widget_ref(), uid=self.owner["metadata"]["uid"])
        )

    @property
    def requests(self) -> list[str]:
        return [f"{write.verb} {write.ref.name}" for write in self.door.writes]
