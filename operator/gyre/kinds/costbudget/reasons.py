"""Every reason that a CostBudget can give, with its meaning. Pure."""

from __future__ import annotations

from gyre.api.terms import Reason as Term


class Reason(Term):
    """Why a CostBudget is as it is."""

    STARTING = "Starting", "its ledger is being created"
    BILLING = "Billing", "what has run since the last look goes into the ledger"
    WITHIN = "Within", "less is spent than any threshold"
    WARNED = "Warned", "a threshold with action Warn is passed"
    DENYING = "Denying", "new TrainingJobs are refused"
    PARKING = "Parking", "new TrainingJobs are refused and running ones are parked after a checkpoint"
    APPROVAL_NEEDED = "ApprovalNeeded", "new TrainingJobs are refused until somebody approves more"
    EXHAUSTED = "Exhausted", "as much is spent as there is"
    NOT_EXHAUSTED = "NotExhausted", "some is left"
    PRICES_MISSING = "PricesMissing", "something ran for which no Provider has a price"
    CURRENCY_MIXED = "CurrencyMixed", "prices are in another currency than the budget"
    PRICED = "Priced", "everything that ran has a price"
    SAMPLED = "Sampled", "what pods use is known, as far as somebody looked"
    LEDGER_UNREADABLE = "LedgerUnreadable", "somebody changed the ledger ConfigMap"
    UNKNOWN_TIME_ZONE = "UnknownTimeZone", "the operator does not know spec.timeZone"
    FORECAST_MADE = "ForecastMade", "there are days enough to forecast from"
    TOO_FEW_DAYS = "TooFewDays", "fewer than seven whole days of spending are known"
    ANOMALY = "Anomaly", "days cost more than such days do"
    ORDINARY = "Ordinary", "no day stands out"
