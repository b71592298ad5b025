"""A ServiceLevelObjective promises how many answers of a service are good, and says how much of the allowed failure is left.

Promises   counts are those of the canary's judge, and no restart of anybody loses or doubles them; with few events nothing burns
           and nothing is spent; what cannot be measured is Unknown and says what to do; a spent budget stays spent while nobody
           can be asked; the version that is blamed had the traffic when it was spent.
Children   ConfigMap <name>-budget (the ledger), PrometheusRule <name>-slo where that kind is installed
Never      acts itself: the InferenceService freezes, the Model rolls back or trains anew, each by what is published here.

    created ──▶ NotServed ──traffic──▶ TooFewEvents ──▶ WithinBudget ◀──▶ BurnRateHigh ──▶ BudgetExhausted ──▶ WithinBudget

Conditions   Ready, CountsAvailable, Burning (fast enough to call somebody), Exhausted; Unknown while nothing can be said
"""

from __future__ import annotations

from collections.abc import Iterable

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Grant, Kind, Watch
from gyre.kinds.servicelevelobjective.decide import decide
from gyre.kinds.servicelevelobjective.model import ServiceLevelObjective
from gyre.kinds.servicelevelobjective.observe import gather
from gyre.kinds.servicelevelobjective.reasons import Reason
from gyre.kinds.servicelevelobjective.status import CONDITIONS, summarize


def references(slo: ServiceLevelObjective) -> Iterable[Ref]:
    """The service, and who counts its labels."""
    yield Ref(gvks.INFERENCE_SERVICE, slo.namespace, slo.spec.service_ref.name)
    for name in sorted({each.monitor_ref.name for each in slo.spec.objectives if each.monitor_ref}):
        yield Ref(gvks.DRIFT_MONITOR, slo.namespace, name)


KIND = Kind(
    model=ServiceLevelObjective,
    gvk=gvks.SERVICE_LEVEL_OBJECTIVE,
    gather=gather,
    decide=decide,
    summarize=summarize,
    conditions=CONDITIONS,
    reasons=Reason,
    owns=(gvks.CONFIG_MAP, gvks.PROMETHEUS_RULE),
    watches=(Watch(gvks.INFERENCE_SERVICE, managed=False), Watch(gvks.DRIFT_MONITOR, managed=False)),
    references=references,
    grants=(
        Grant(gvks.POD, ("list",)),  # who counts
        Grant(gvks.CUSTOM_RESOURCE_DEFINITION, ("get",)),  # whether PrometheusRules can be written
    ),
)
