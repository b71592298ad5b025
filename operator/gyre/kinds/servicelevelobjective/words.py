"""What people read of a look, in Events, conditions and decisions alike. Pure."""

from __future__ import annotations

from gyre.api.terms import clip
from gyre.kinds.servicelevelobjective.looking import Look
from gyre.kinds.servicelevelobjective.model import Exhausted, ServiceLevelObjective
from gyre.kinds.servicelevelobjective.standing import Stand, worst

LONGEST = 900


def budget(least: Stand | None) -> str:
    if least is None or least.remaining is None:
        return "too few events to say how much"
    return f"{least.label}: {max(0.0, least.remaining):.0%} of the budget is left"


def burning(found: Look) -> str:
    stand = next((each for each in found.stands if each.pages), None)
    page = stand.pages if stand else None
    if stand is None or page is None:
        return "the budget burns fast"
    rates = f"{min(page.rate, page.short_rate):.1f} times as fast as allowed (alarm at {page.rule.rate:g})"
    return f"{stand.label} burns {rates}: look at what changed, kubectl get gis and its history"


def exhausted(slo: ServiceLevelObjective, found: Look) -> str:
    least = worst(found.stands)
    who = f" under {found.ledger.version}" if found.ledger.version else ""
    counts = f"{round(least.counts.bad)} of {round(least.counts.events)} events were bad" if least else ""
    then = {
        Exhausted.NONE: "",
        Exhausted.FREEZE: "; no new version begins a rollout meanwhile",
        Exhausted.ROLL_BACK: "; the Model may take its champion back (spec.rollback)",
        Exhausted.RETRAIN: "; the Model may train anew (spec.retrain)",
    }[slo.spec.on_exhausted]
    label = least.label if least else slo.name
    return clip(f"{label}: the budget is spent{who}: {counts}{then}", LONGEST)
