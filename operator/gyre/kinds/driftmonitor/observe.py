"""The only reads of a DriftMonitor: its ledger, its Jobs and their pods, the service with its log, the Model, the Dataset, the
version that serves. A pod whose end our watch has missed although its Job is over is asked for live: it holds the report.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal

from gyre.adapters import lastwords
from gyre.adapters.datasets import DatasetView
from gyre.adapters.lastwords import Jobs
from gyre.adapters.ownership import controller_uid
from gyre.adapters.predictionlog import LogView
from gyre.adapters.services import ServiceView
from gyre.adapters.versions import ModelVersionView
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Reader
from gyre.kinds.driftmonitor.desired import MONITOR_LABEL, ledger_name
from gyre.kinds.driftmonitor.ledger import Ledger, UnreadableLedger, from_data
from gyre.kinds.driftmonitor.model import DriftMonitor


@dataclass(frozen=True, slots=True)
class Observed(Jobs):
    ledger: Ledger | None = None
    ledger_version: str = ""
    """Its resourceVersion: guards every write that follows from it."""
    ledger_problem: str = ""
    """Why it cannot be read, when there is one that cannot."""
    service: ServiceView | None = None
    log: LogView | None = None
    """None where nothing is logged."""
    model: bool = False
    metric: str = ""
    """Of the Model's objective; empty where it states none."""
    dataset: DatasetView | None = None
    baseline: Mapping[str, Decimal] = field(default_factory=dict)
    """The metrics of the version that serves."""

    @property
    def uri(self) -> str:
        return self.log.uri if self.log else ""


async def gather(reader: Reader, dm: DriftMonitor) -> Observed:
    held = reader.get(Ref(gvks.CONFIG_MAP, dm.namespace, ledger_name(dm.name)))
    ledger, problem = None, ""
    if held is not None and controller_uid(held) != dm.uid:
        held = None  # a namesake's: the engine refuses to touch it and says so
    if held is not None:
        try:
            ledger = from_data(held.get("data"))
        except UnreadableLedger as error:
            problem = str(error)
    runs = await lastwords.seen(reader, uid=dm.uid, namespace=dm.namespace, label=MONITOR_LABEL, name=dm.name)
    service = reader.get(Ref(gvks.INFERENCE_SERVICE, dm.namespace, dm.spec.service_ref.name))
    model = reader.get(Ref(gvks.MODEL, dm.namespace, dm.spec.model_ref.name))
    view = ServiceView.of(service) if service else None
    return Observed(
        ledger=ledger,
        ledger_version=str(held["metadata"].get("resourceVersion", "")) if held else "",
        ledger_problem=problem,
        jobs=runs.jobs,
        pods=runs.pods,
        service=view,
        log=LogView.of(service) if service else None,
        model=model is not None,
        metric=str((((model or {}).get("spec") or {}).get("objective") or {}).get("metric") or ""),
        dataset=_dataset(reader, dm),
        baseline=_baseline(reader, dm, view),
    )


def _dataset(reader: Reader, dm: DriftMonitor) -> DatasetView | None:
    wanted = dm.spec.reference.dataset
    found = reader.get(Ref(gvks.DATASET, dm.namespace, wanted.name)) if wanted else None
    return DatasetView.of(found) if found else None


def _baseline(reader: Reader, dm: DriftMonitor, service: ServiceView | None) -> Mapping[str, Decimal]:
    name = service.stable if service else ""
    version = reader.get(Ref(gvks.MODEL_VERSION, dm.namespace, name)) if name else None
    return ModelVersionView.of(version).metrics if version else {}
