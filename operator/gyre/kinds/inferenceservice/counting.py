"""From counters to counts: what each version answered between two looks, whatever restarted in between. Pure.

A source is a process that counts, seen for one of the two versions. Its key says which: `g` an Envoy pod, `p` a predictor pod;
`s` the stable version, `c` the candidate. Requests and errors are what the gateway's clients saw; latency is the predictor's own
where it tells it, because its buckets are finer.
What a source has counted since its last value: `adapters/counters.py`, shared with whoever else counts.

A version of which a pod is not heard would look quick: what the predictors have timed is held against what the gateway counted.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Final

from gyre.adapters.counters import Proxy, Server, more
from gyre.adapters.exposition import Traffic
from gyre.kinds.inferenceservice.ledger import Rollout, milliseconds
from gyre.stats import judge

GATEWAY, PREDICTOR = "gateway", "predictor"
STABLE, CANDIDATE = "s", "c"
BACKENDS: Final = {STABLE: (0, 0), CANDIDATE: (0, 1)}
"""(rule, backend) of the route: the stable version first, as `Ledger.weights` has it."""
ENOUGH: Final = 50
"""Requests of the stable version from which the edges of its usual latency are taken."""
TELLING: Final = 20
"""Requests from which it tells something that fewer than half of them were timed: the rest are still being answered."""


@dataclass(frozen=True, slots=True)
class Readings:
    """Everybody who counts, asked at one time. With a `problem` somebody did not answer, and nothing is to be made of it."""

    at: datetime
    proxies: tuple[Proxy, ...] = ()
    servers: tuple[Server, ...] = ()
    problem: str = ""


def begun(rollout: Rollout, readings: Readings, floor: float) -> Rollout | None:
    """The rollout with everybody's present value as the zero from which is counted; None while latency has no measure yet.

    floor: seconds within which no answer is slow.
    """
    timed_by, edges = rollout.timed_by, rollout.edges
    if not timed_by:
        timed_by = PREDICTOR if readings.servers else GATEWAY
        usual = _usual(readings, timed_by)
        if not usual or usual[-1][1] < ENOUGH:
            return None
        edges = judge.edges_of(usual, floor)
    measured = replace(rollout, timed_by=timed_by, edges=edges)
    at = milliseconds(readings.at)
    evidence = measured.evidence or judge.Evidence.start(len(edges)).to_json()
    sources = {key: value for key, _, value in _values(measured, readings)}
    return replace(measured, counting=at, looked=at, sources=sources, evidence=evidence)


@dataclass(frozen=True, slots=True)
class Between:
    """What each version answered since the last look."""

    stable: judge.Counts
    candidate: judge.Counts
    sources: Mapping[str, tuple[int, ...]]
    problem: str = ""
    """Why it tells only a part; then nothing is to be made of it."""


def between(rollout: Rollout, readings: Readings) -> Between:
    width = len(rollout.edges)
    asked = {role: [0, 0, *[0] * width] for role in (STABLE, CANDIDATE)}
    timed = dict.fromkeys(asked, 0)
    sources: dict[str, tuple[int, ...]] = {}
    for key, created, value in _values(rollout, readings):
        sources[key] = value
        young = created is not None and rollout.counting is not None and created >= rollout.counting
        grown, role = more(rollout.sources.get(key), value, young=young), key[1]
        if key.startswith("g"):
            asked[role] = [known + new for known, new in zip(asked[role], _padded(grown, width), strict=True)]
        else:
            timed[role] += grown[0]
            asked[role][2:] = [known + new for known, new in zip(asked[role][2:], grown[1:], strict=True)]
    return Between(_counts(asked[STABLE]), _counts(asked[CANDIDATE]), sources, _untimed(rollout, asked, timed))


def _padded(grown: tuple[int, ...], width: int) -> tuple[int, ...]:
    """A proxy that does not tell latency tells nobody to be slow."""
    return (*grown, *[0] * (2 + width - len(grown)))


def _untimed(rollout: Rollout, asked: Mapping[str, list[int]], timed: Mapping[str, int]) -> str:
    if rollout.timed_by != PREDICTOR or not rollout.edges:
        return ""
    for role, who in ((CANDIDATE, "the candidate"), (STABLE, "the stable version")):
        requests = asked[role][0]
        if requests >= TELLING and 2 * timed[role] < requests:
            return f"the gateway counted {requests} requests to {who}, and its pods timed {timed[role]} of them"
    return ""


def _values(rollout: Rollout, readings: Readings) -> Iterable[tuple[str, datetime | None, tuple[int, ...]]]:
    """(key, when it was made, its values) of every source."""
    by_gateway = rollout.timed_by == GATEWAY
    for proxy in readings.proxies:
        for role, place in BACKENDS.items():
            counted = proxy.counted.get(place, Traffic())
            slow = counted.slower(rollout.edges) if by_gateway else ()
            yield f"g{role}/{proxy.uid[:13]}", proxy.created, (counted.requests, counted.errors, *slow)
    for server in readings.servers if not by_gateway else ():
        value = (server.counted.timed, *server.counted.slower(rollout.edges))
        yield f"p{server.role}/{server.uid[:13]}", server.created, value


def _usual(readings: Readings, timed_by: str) -> tuple[tuple[float, int], ...]:
    """The stable version's histogram, of all who tell it."""
    if timed_by == PREDICTOR:
        told = [server.counted.latency for server in readings.servers if server.role == STABLE]
    else:
        told = [proxy.counted.get(BACKENDS[STABLE], Traffic()).latency for proxy in readings.proxies]
    total: dict[float, int] = {}
    for histogram in told:
        for edge, count in histogram:
            total[edge] = total.get(edge, 0) + count
    return tuple(sorted(total.items()))


def _counts(sums: list[int]) -> judge.Counts:
    return judge.Counts(requests=sums[0], errors=sums[1], slow=tuple(sums[2:]))
