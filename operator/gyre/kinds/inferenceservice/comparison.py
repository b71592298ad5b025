"""An A/B comparison over time: what each arm was asked since the last look, and what that proves. Pure.

Promises   a winner where there is no difference with probability alpha at the most, ever (gyre/stats/compare.py); nothing is
           switched by it; a restart loses nothing, since all of it lies in the ledger.
Never      mixes comparisons: another version, split or metric begins anew, at zero.

Slow answers are told by the gateway's histogram: our predictor's finer one cannot tell callers who are judged from others. While
one arm answers for both nothing is counted, and afterwards only what came since the first look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from math import exp
from typing import Any, Final

from gyre.adapters.counters import Proxy, more
from gyre.adapters.exposition import Traffic
from gyre.kinds.inferenceservice.counting import Readings
from gyre.kinds.inferenceservice.experiments import Ab, AbReport, ArmCounts, Metric, Winner
from gyre.kinds.inferenceservice.ledger import Counts, Version, milliseconds
from gyre.kinds.inferenceservice.splitting import ARMS, JUDGED, Arm, by_arm
from gyre.stats import compare as stats
from gyre.stats.rates import edges_of

ENOUGH: Final = 50
"""Answers of arm A from which its usual latency is taken."""
LARGEST: Final = 10_000.0


@dataclass(frozen=True, slots=True)
class Compared:
    """What is remembered, in the ledger."""

    what: str
    """What is compared: any other is another comparison."""
    counting: datetime
    """Since when."""
    looked: datetime
    """The last look."""
    sources: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """What each Envoy cluster had counted at the last look."""
    edges: tuple[float, ...] = ()
    """Seconds, with metric Latency: fixed as soon as arm A has answered often enough."""
    a: Counts = field(default_factory=Counts)
    b: Counts = field(default_factory=Counts)
    evidence: Mapping[str, Any] = field(default_factory=dict)
    """Of stats/compare.py; empty before anything was compared."""

    @property
    def proved(self) -> stats.Comparison:
        return stats.Comparison.from_json(self.evidence) if self.evidence else stats.Comparison.start()


def what_of(ab: Ab, a: Version, b: Version) -> str:
    return f"{a.digest[:19]} {b.digest[:19]} {ab.by} {ab.name} {ab.split} {ab.metric}"


def looked(known: Compared | None, ab: Ab, a: Version, b: Version, readings: Readings, *, alpha: float) -> Compared:
    """After one more look, of which everybody's counts came. The first look of a comparison only takes the zero."""
    at = milliseconds(readings.at)
    if known is None or known.what != what_of(ab, a, b):
        return _from_zero(Compared(what_of(ab, a, b), at, at), ab, readings)
    if ab.metric is Metric.LATENCY and not known.edges:
        return _measured(known, ab, readings)
    if not known.sources:
        return _from_zero(known, ab, readings)
    sums, sources = _between(known, ab, readings)
    asked_a, asked_b = sums[Arm.A], sums[Arm.B]
    told = range(2, 2 + len(known.edges)) if ab.metric is Metric.LATENCY else range(1, 2)
    before = known.proved if known.evidence else stats.Comparison.start(len(told))
    failures = [(asked_a[row], asked_b[row]) for row in told]
    return replace(
        known,
        looked=at,
        sources=sources,
        a=known.a.plus(*asked_a[:2]),
        b=known.b.plus(*asked_b[:2]),
        evidence=stats.compare(before, (asked_a[0], asked_b[0]), failures, alpha=alpha).to_json(),
    )


def paused(known: Compared | None) -> Compared | None:
    """While one arm answers for both: what the gateway counts by then tells nothing about either, and has to be forgotten."""
    return replace(known, sources={}) if known is not None and known.sources else known


# ── counting ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def _from_zero(compared: Compared, ab: Ab, readings: Readings) -> Compared:
    sources = {key: value for key, _, _, value in _values(compared, ab, readings)}
    return replace(compared, looked=milliseconds(readings.at), sources=sources)


def _measured(compared: Compared, ab: Ab, readings: Readings) -> Compared:
    """With the edges of arm A's usual latency, once there are enough answers; what was counted before tells no latency."""
    usual: dict[float, int] = {}
    for proxy in readings.proxies:
        for traffic in by_arm(ab, proxy.counted)[Arm.A].values():
            for edge, count in traffic.latency:
                usual[edge] = usual.get(edge, 0) + count
    histogram = tuple(sorted(usual.items()))
    if not histogram or histogram[-1][1] < ENOUGH or not (edges := edges_of(histogram)):
        return compared
    return _from_zero(replace(compared, edges=edges), ab, readings)


def _between(
    compared: Compared, ab: Ab, readings: Readings
) -> tuple[dict[Arm, list[int]], Mapping[str, tuple[int, ...]]]:
    """(requests, errors, slow…) of each arm since the last look, and what everybody has counted by now."""
    sums = {arm: [0] * (2 + len(compared.edges)) for arm in ARMS}
    sources: dict[str, tuple[int, ...]] = {}
    for key, arm, proxy, value in _values(compared, ab, readings):
        sources[key] = value
        young = proxy.created is not None and proxy.created >= compared.counting
        for place, count in enumerate(more(compared.sources.get(key), value, young=young)):
            sums[arm][place] += count
    return sums, sources


def _values(compared: Compared, ab: Ab, readings: Readings) -> Iterable[tuple[str, Arm, Proxy, tuple[int, ...]]]:
    """Every Envoy cluster that an arm can have; one that Envoy does not tell of has counted nothing."""
    for proxy in readings.proxies:
        for index, arm in enumerate(ARMS):
            for rule in JUDGED[ab.by]:
                counted = proxy.counted.get((rule, index), Traffic())
                value = (counted.requests, counted.errors, *counted.slower(compared.edges))
                yield f"{arm}{rule}/{proxy.uid[:13]}", arm, proxy, value


# ── telling ───────────────────────────────────────────────────────────────────────────────────────────────────────────


WINNERS: Final = {
    stats.Better.A: Winner.A,
    stats.Better.B: Winner.B,
    stats.Better.UNDECIDED: Winner.UNDECIDED,
}


def report(compared: Compared | None, a: Version, b: Version, *, alpha: float) -> AbReport:
    """`status.ab`."""
    proved = compared.proved if compared else stats.Comparison.start()
    goal = exp(stats.threshold(alpha))
    sides = (("A", proved.evidence_for_a), ("B", proved.evidence_for_b))
    return AbReport(
        a=_arm(a, compared.a if compared else Counts()),
        b=_arm(b, compared.b if compared else Counts()),
        evidence=" ".join(f"{arm} better {_brief(value)}/{goal:.0f}" for arm, value in sides),
        winner=WINNERS[proved.better],
    )


def _arm(version: Version, counts: Counts) -> ArmCounts:
    return ArmCounts(version=version.name, requests=counts.requests, errors=counts.errors)


def _brief(value: float) -> str:
    """An e-value as people read it."""
    plain = exp(min(value, 100.0))
    if plain > LARGEST:
        return f">{LARGEST:.0f}"
    return f"{plain:.0f}" if plain >= 10 else f"{plain:.1f}"
