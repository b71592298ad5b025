"""How callers come to a version, to their arm of an A/B comparison, and copies to a shadow: rules of the HTTPRoute. Pure.

A route without an experiment has two places at all times, and each keeps its Envoy cluster for as long as the route lives: see
`two_places`.

The rules of an A/B route keep their shape for as long as it lives, so that each of Envoy's counters means one arm for ever:
backend 0 of every rule is A's place, backend 1 is B's, and neither weights nor places move. Most telling first:

    rule   Cookie                                  Header
    0      cookie says `a` → A                     last digit is one of A's → A
    1      cookie says `b` → B                     last digit is one of B's → B
    2      no cookie → split by weight; the answer no such header, or no hexadecimal digit at its end → A
           brings the cookie (Set-Cookie)
    judged rules 0, 1, 2                           rules 0 and 1: callers of rule 2 had no chance to come to B

Exactness. By Cookie the split is exact in expectation over new callers. By Header it is exact for values whose last digit is
even over 0-9 and a-f, such as UUIDs (version 4) and hashes, in sixteenths; decimal numbers end in 0-9 only, and B has the low
digits, so hash them first. The same header value comes to the same arm whatever the gateway's pod, without any state.

An arm without ready endpoints gets nothing: its callers are answered by the other in the arm's own place, so that no cluster of
Envoy comes or goes, and nobody gets a cookie meanwhile, so that the assignment stays what it was. What is counted meanwhile is of
neither arm (comparison.py).

Sources: Envoy matches a regular expression against the whole header (envoyproxy/envoy v1.37 `api/envoy/type/matcher/v3/
regex.proto`); rules with equally many header matches are tried in the order of the route (envoyproxy/gateway v1.7.0
`internal/gatewayapi/sort.go`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeVar

from gyre.adapters import kserve
from gyre.adapters.exposition import Traffic
from gyre.adapters.gateway import VERSION_HEADER
from gyre.kinds.inferenceservice.experiments import Ab, AssignedBy

Named = TypeVar("Named")

COOKIE_SECONDS: Final = 30 * 24 * 3600
DIGITS: Final = "0123456789abcdef"
TO_A, TO_B = (1, 0), (0, 1)


class Arm(StrEnum):
    A = "a"
    B = "b"


ARMS: Final = (Arm.A, Arm.B)
"""By the index of the backend in each rule."""

JUDGED: Final = {AssignedBy.COOKIE: (0, 1, 2), AssignedBy.HEADER: (0, 1)}
"""Rules whose callers could have come to either arm."""


@dataclass(frozen=True, slots=True)
class Backend:
    """A version behind the route."""

    service: str
    """KServe's Kubernetes Service."""
    version: str
    """The ModelVersion: clients read it in `x-model-version`."""
    ready: bool = True
    """It has an endpoint that takes requests."""


@dataclass(frozen=True, slots=True)
class Mirror:
    """Where copies go."""

    service: str
    percent: int


def backend_ref(backend: Backend, weight: int, *, cookie: str = "") -> dict[str, Any]:
    """One backend of a rule. Its filter gives it an Envoy cluster of its own, which is what makes it countable.

    What is not there is said (`add: []`): a live route that still has it must not pass for this one.
    """
    header = {
        "set": [{"name": VERSION_HEADER, "value": backend.version}],
        "add": [{"name": "set-cookie", "value": cookie}] if cookie else [],
    }
    return {
        "name": backend.service,
        "port": kserve.PORT,
        "weight": weight,
        "filters": [{"type": "ResponseHeaderModifier", "responseHeaderModifier": header}],
    }


def two_places(weights: Sequence[tuple[Named, int]]) -> tuple[tuple[Named, int], ...]:
    """The same shares on two backends; who is alone has both, and the second as little of it as can be.

    The gateway makes an Envoy cluster of each backend that has a weight and drops it with the backend. Envoy hears of the two
    changes one after the other: while its routes still name a cluster that is gone it answers 500 (docs/decisions/0011). So no
    backend ever comes or goes, it only changes its Service; and as the second has next to nothing before a candidate comes,
    next to nothing is counted for the wrong version while Envoy takes up the change.
    """
    if len(weights) != 1:
        return tuple(weights)
    ((alone, share),) = weights
    return ((alone, share - 1), (alone, 1))


def mirrored(rules: Sequence[Mapping[str, Any]], mirror: Mirror | None) -> list[dict[str, Any]]:
    """The rules, each of which also copies its requests, or says that it copies none. Envoy drops the answers to copies."""
    if mirror is None:
        return [{**rule, "filters": []} for rule in rules]
    target = {"backendRef": {"name": mirror.service, "port": kserve.PORT}, "percent": mirror.percent}
    return [{**rule, "filters": [{"type": "RequestMirror", "requestMirror": target}]} for rule in rules]


def ab_rules(ab: Ab, a: Backend, b: Backend | None) -> list[dict[str, Any]]:
    """The three rules. `b` is None until its Service exists: the gateway refuses a route that names a missing one."""
    first, second = _answering(a, b)
    if ab.by is AssignedBy.HEADER:
        last = {Arm.A: DIGITS[ab.sixteenths :], Arm.B: DIGITS[: ab.sixteenths]}
        matches = [_matches(ab.name, f".*[{_both_cases(last[arm])}]") for arm in ARMS]
        rest = _refs(first, second, TO_A)
    else:
        matches = [_matches("cookie", rf"(.*;\s*)?{ab.name}={arm}(\s*;.*)?") for arm in ARMS]
        rest = _newcomers(ab, first, second, told=first is a and second is b)
    return [
        {**matches[0], "backendRefs": _refs(first, second, TO_A)},
        {**matches[1], "backendRefs": _refs(first, second, TO_B)},
        {"backendRefs": rest},
    ]


def _answering(a: Backend, b: Backend | None) -> tuple[Backend, Backend]:
    """Who answers in the place of A and in that of B: an arm that cannot is answered for by the other, in its own place."""
    b_answers = b if b is not None and b.ready else None
    return (a if a.ready or b_answers is None else b_answers), b_answers or a


def _refs(first: Backend, second: Backend, weights: tuple[int, int]) -> list[dict[str, Any]]:
    return [backend_ref(first, weights[0]), backend_ref(second, weights[1])]


def _newcomers(ab: Ab, first: Backend, second: Backend, *, told: bool) -> list[dict[str, Any]]:
    """`told`: each arm answers for itself, so they are told theirs."""
    cookies = [set_cookie(ab.name, arm) if told else "" for arm in ARMS]
    return [
        backend_ref(first, 100 - ab.split, cookie=cookies[0]),
        backend_ref(second, ab.split, cookie=cookies[1]),
    ]


def set_cookie(name: str, arm: Arm) -> str:
    """Not for scripts, not to other sites; for thirty days, so that a caller who comes back meets the same arm."""
    return f"{name}={arm}; Path=/; Max-Age={COOKIE_SECONDS}; HttpOnly; SameSite=Lax"


def _matches(header: str, regex: str) -> dict[str, Any]:
    return {"matches": [{"headers": [{"type": "RegularExpression", "name": header, "value": regex}]}]}


def _both_cases(digits: str) -> str:
    return digits + "".join(digit.upper() for digit in digits if digit.isalpha())


def fallback(ab: Ab, a: Backend, b: Backend | None) -> str:
    """What to say while one arm answers for both; empty while each answers for itself."""
    b_ready = b is not None and b.ready
    if a.ready and b_ready:
        return ""
    if not a.ready and b_ready:
        return (
            f"arm a ({a.version}) has no ready endpoint: its callers are answered by arm b ({b.version if b else ''})"
        )
    return f"arm b ({ab.version}) has no ready endpoint: its callers are answered by arm a ({a.version})"


def by_arm(ab: Ab, counted: Mapping[tuple[int, int], Traffic]) -> dict[Arm, dict[tuple[int, int], Traffic]]:
    """What one Envoy pod counted (`exposition.of_route`), by arm and Envoy cluster; callers that are not judged left out."""
    return {
        arm: {place: traffic for place, traffic in counted.items() if place[0] in JUDGED[ab.by] and place[1] == index}
        for index, arm in enumerate(ARMS)
    }
