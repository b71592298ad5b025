"""Every reason that a Model can give, with its meaning. Pure."""

from __future__ import annotations

from gyre.api.terms import Reason as Reasons


class Reason(Reasons):
    """Why a Model is as it is."""

    NO_VERSION = "NoVersion", "no version is registered yet"
    VERSIONED = "Versioned", "there are versions"
    METRIC_UNKNOWN = "MetricUnknown", "no version reports the metric of the objective"
    METRIC_REPORTED = "MetricReported", "the latest version reports the metric of the objective"
    NO_OBJECTIVE = "NoObjective", "spec.objective is not given, so nothing ranks the versions"
    IN_USE = "InUse", "somebody needs a version"
    NOT_IN_USE = "NotInUse", "nobody needs a version"
    STARTING = "Starting", "its ledger is being created"
    LEDGER_UNREADABLE = "LedgerUnreadable", "ConfigMap <name>-doings was edited and cannot be read"
    WAITING_FOR_NAMESAKE = "WaitingForNamesake", "the ledger of a deleted Model of the same name is still going away"
    TRIGGER_INVALID = "TriggerInvalid", "a schedule, time zone or rule of spec.retrain says nothing"
    RETRAINING = "Retraining", "a new version is being trained"
    RETRAINED = "Retrained", "the training that was asked for is over"
    CALL_UNKNOWN = "CallUnknown", "nobody can tell whether a trigger calls"
    RUNNING = "Running", "suppressed: one retraining at a time"
    DATA_BUG = "DataBug", "suppressed: the data are broken"
    QUARANTINED = "Quarantined", "suppressed: a Dataset is quarantined"
    DATA_NOT_READY = "DataNotReady", "suppressed: a Dataset is missing or not ready"
    COOLDOWN = "Cooldown", "suppressed: the last one began too short a time ago"
    MAX_PER_MONTH = "MaxPerMonth", "suppressed: enough began this month"
    BUDGET_UNKNOWN = "BudgetUnknown", "suppressed: nobody knows whether there is money"
    BUDGET_EXHAUSTED = "BudgetExhausted", "suppressed: there is no money"
    WORTH_UNKNOWN = "WorthUnknown", "suppressed: nobody knows what it would bring or cost"
    NOT_WORTH_IT = "NotWorthIt", "suppressed: it would cost more than it brings"
    ROLLED_BACK = "RolledBack", "the champion was taken back"
    NO_WAY_BACK = "NoWayBack", "the champion should be taken back, and there is no earlier good version"
