"""Every reason that a ServiceLevelObjective can give, with its meaning. Pure."""

from __future__ import annotations

from gyre.api.terms import Reason as Term


class Reason(Term):
    """Why a ServiceLevelObjective is as it is."""

    STARTING = "Starting", "its ledger is being created"
    LEDGER_UNREADABLE = "LedgerUnreadable", "ConfigMap <name>-budget was edited and cannot be read"
    WAITING_FOR_NAMESAKE = (
        "WaitingForNamesake",
        "the ledger of a deleted objective of the same name is still going away",
    )
    SERVICE_MISSING = "ServiceMissing", "the InferenceService of the spec does not exist"
    NOT_SERVED = "NotServed", "no version of the service has traffic yet, so there is nothing to count"
    COUNTS_UNAVAILABLE = "CountsUnavailable", "the counts cannot be read; what is missed comes with the next look"
    COUNTS_AVAILABLE = "CountsAvailable", "everybody who counts has answered"
    LATENCY_UNKNOWN = "LatencyUnknown", "nobody tells latencies that fine"
    LABELS_MISSING = "LabelsMissing", "nobody counts which predictions labels have confirmed"
    TOO_FEW_EVENTS = "TooFewEvents", "too few events in the window to say anything"
    WITHIN_BUDGET = "WithinBudget", "there is budget left, and it does not burn fast"
    BURN_RATE_HIGH = "BurnRateHigh", "the budget burns so fast that somebody should look now"
    BUDGET_EXHAUSTED = "BudgetExhausted", "the budget of the window is spent"
    BUDGET_RECOVERED = "BudgetRecovered", "there is budget again"
