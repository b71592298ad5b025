"""A CostBudget keeps the books of what gyre's pods cost, and acts when an amount of money is spent.

Promises   a run of a container is billed once, from its start to its end, at the prices of that time, and so is a claim; rows sum
           to the total; a missing price makes the cost Unknown, never less; what was used is told beside it, as far as somebody
           looked, and is Unknown where nobody did; while it says so, the API server refuses new TrainingJobs, whether the
           operator runs or not, and running ones are parked after a checkpoint.
Children   ConfigMap <name>-ledger in spec.ledgerNamespace
Never      touches a job itself: TrainingJobs read the budget and park; takes money for spent that has no price.

    created ──▶ ledger ──▶ Within ──threshold──▶ Warned | Denying | Parking | ApprovalNeeded ──▶ … next period: Within
                             └── Stalled: PricesMissing, CurrencyMixed, UnknownTimeZone, LedgerUnreadable

Conditions   Ready, Exhausted, Priced, Metered, Forecast, Anomalous

    model, report   the API           account    what the books come to      ledger      the books as a ConfigMap
    observe         the reads         decide     the policy: RULES           status      what people read
    desired         the child         policy     what the API server says    foreseen    of a job's own cost, before it is made
"""

from __future__ import annotations

from typing import Final

from gyre.adapters.charges import what_runs
from gyre.adapters.claims import what_is_kept
from gyre.adapters.prices import price_list, terms_of
from gyre.adapters.trainings import ran
from gyre.api import gvks
from gyre.api.kind import Grant, Kind, Watch
from gyre.kinds.costbudget.decide import decide
from gyre.kinds.costbudget.model import CostBudget
from gyre.kinds.costbudget.observe import gather
from gyre.kinds.costbudget.policy import policies
from gyre.kinds.costbudget.reasons import Reason
from gyre.kinds.costbudget.status import CONDITIONS, summarize

SETTLE: Final = 3.0
"""Seconds: a thousand jobs that start at once are one look, not a thousand. What ends meanwhile is recalled."""

KIND = Kind(
    model=CostBudget,
    gvk=gvks.COST_BUDGET,
    gather=gather,
    decide=decide,
    summarize=summarize,
    conditions=CONDITIONS,
    reasons=Reason,
    owns=(gvks.CONFIG_MAP,),
    watches=(
        Watch(gvks.POD, everyone=what_runs, settle=SETTLE),
        Watch(gvks.PERSISTENT_VOLUME_CLAIM, managed=False, everyone=what_is_kept, settle=SETTLE),
        Watch(gvks.NODE, managed=False, everyone=terms_of),
        Watch(gvks.PROVIDER, managed=False, everyone=price_list),
        Watch(gvks.TRAINING_JOB, managed=False, everyone=ran, settle=SETTLE),
    ),
    recalls=(gvks.POD, gvks.PERSISTENT_VOLUME_CLAIM),
    grants=(Grant(gvks.POD_METRICS, ("list",)),),
    policies=policies,
)
