"""The table of contents of the system: every kind of resource that gyre drives, in the order in which they depend."""

from __future__ import annotations

from typing import Any

from gyre.api.kind import Kind
from gyre.kinds.costbudget import KIND as COST_BUDGET
from gyre.kinds.dataset import KIND as DATASET
from gyre.kinds.driftmonitor import KIND as DRIFT_MONITOR
from gyre.kinds.inferenceservice import KIND as INFERENCE_SERVICE
from gyre.kinds.model import KIND as MODEL
from gyre.kinds.modelversion import KIND as MODEL_VERSION
from gyre.kinds.provider import KIND as PROVIDER
from gyre.kinds.servicelevelobjective import KIND as SERVICE_LEVEL_OBJECTIVE
from gyre.kinds.trainingjob import KIND as TRAINING_JOB

KINDS: tuple[Kind[Any, Any], ...] = (
    DATASET,
    TRAINING_JOB,
    MODEL,
    MODEL_VERSION,
    INFERENCE_SERVICE,
    SERVICE_LEVEL_OBJECTIVE,
    DRIFT_MONITOR,
    PROVIDER,
    COST_BUDGET,
)
