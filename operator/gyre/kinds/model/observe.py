"""The only reads a Model makes: its versions, and the services that serve them."""

from __future__ import annotations

from dataclasses import dataclass

from gyre.adapters.services import ServiceView
from gyre.adapters.versions import ModelVersionView
from gyre.api import gvks
from gyre.api.kind import Reader
from gyre.kinds.model.model import Model


@dataclass(frozen=True, slots=True)
class Observed:
    versions: tuple[ModelVersionView, ...]
    """Oldest first, by the end of their runs; those being deleted are left out."""
    services: tuple[ServiceView, ...] = ()

    @property
    def latest(self) -> ModelVersionView | None:
        return self.versions[-1] if self.versions else None


async def gather(reader: Reader, model: Model) -> Observed:
    """Versions are found by the Model they name, so that one counts before it is owned."""
    found = (ModelVersionView.of(obj) for obj in reader.referrers(model.ref, gvks.MODEL_VERSION))
    kept = (version for version in found if not version.deleting)
    services = tuple(ServiceView.of(obj) for obj in reader.referrers(model.ref, gvks.INFERENCE_SERVICE))
    return Observed(tuple(sorted(kept, key=lambda version: (version.time, version.name))), services)
