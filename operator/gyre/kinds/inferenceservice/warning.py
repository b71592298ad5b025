"""A warning at admission when the expected traffic cannot decide a rollout within its deadline: said by the API server itself.

A ValidatingAdmissionPolicy that only warns works while the operator is down and never refuses. The formulas are those of
gyre/stats/power.py, which they are tested against on a real API server; this page adds the logarithm that CEL does not have:
x = 2^k·y with y in [1, 2), log x = k·log 2 + 2(z + z³/3 + z⁵/5 + z⁷/7) with z = (y − 1)/(y + 1), to a hundred-thousandth.
With maxBadRequests the shares are not known before: as if they were the default steps.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import log
from typing import Final

from gyre.adapters.admission import ADMISSION, binding, of_install
from gyre.api import gvks
from gyre.api.effects import Manifest
from gyre.kinds.inferenceservice.policy import STEPS
from gyre.stats.power import MIXTURE_COST, RAREST_EDGE

NAME: Final = f"{gvks.INFERENCE_SERVICE.plural}-undecidable.{gvks.INFERENCE_SERVICE.group}"
LONGEST_HOURS: Final = 720
"""The longest deadline, 30d."""
DOUBLINGS: Final = 41
"""beta is 1e-12 at the least, and 2^40 above 1e12."""


def policies() -> tuple[Manifest, ...]:
    gvk = gvks.INFERENCE_SERVICE
    rule = {
        "apiGroups": [gvk.group],
        "apiVersions": [gvk.version],
        "operations": ["CREATE", "UPDATE"],
        "resources": [gvk.plural],
    }
    asked = "has(object.spec.rollout) && has(object.spec.rollout.expectedTraffic)"
    policy = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": of_install(NAME),
        "spec": {
            "failurePolicy": "Ignore",
            "matchConstraints": {"resourceRules": [rule]},
            "matchConditions": [{"name": "expected-traffic-is-stated", "expression": asked}],
            "variables": [{"name": name, "expression": " ".join(text.split())} for name, text in variables()],
            "validations": [
                {
                    "expression": "variables.seconds <= variables.deadline",
                    "messageExpression": " ".join(MESSAGE.split()),
                    "message": "the expected traffic cannot decide the rollout within rollout.deadline",
                }
            ],
        },
    }
    return policy, binding(NAME, "Warn")


def variables() -> Iterator[tuple[str, str]]:
    """(name, CEL) in the order in which they use each other."""
    yield "rollout", "object.spec.rollout"
    yield "traffic", "variables.rollout.expectedTraffic"
    yield "rps", "double(variables.traffic.requestsPerSecond)"
    yield "rate", "double(variables.traffic.errorRate)"
    yield "margin", "double(variables.rollout.margins.errorRate)"
    yield "slower", "double(variables.rollout.margins.latency)"
    yield "floor", "double(variables.rollout.margins.errorFloor)"
    yield "minimum", "double(variables.rollout.minRequests)"
    for name in ("deadline", "interval"):
        yield f"{name}Text", f"string(variables.rollout.{name})"
        yield name, seconds_of(f"variables.{name}Text")
    given = "has(variables.rollout.steps) && size(variables.rollout.steps) > 0"
    yield "steps", f"{given} ? variables.rollout.steps : {list(STEPS)}"
    yield "last", "variables.steps[size(variables.steps) - 1]"
    yield "share", "double(variables.last) / 100.0"
    yield from logarithm("logGoal", "1.0 / double(variables.rollout.beta)")
    yield from logarithm("logMargin", "variables.margin")
    yield from logarithm("logAtMargin", "1.0 + variables.share * (variables.margin - 1.0)")
    yield from logarithm("logSlower", "variables.slower")
    yield from logarithm("logAtSlower", "1.0 + variables.share * (variables.slower - 1.0)")
    below = "variables.rate < variables.floor"
    yield from logarithm("logFloor", f"{below} ? variables.floor / variables.rate : 1.0")
    yield from logarithm("logPassed", f"{below} ? (1.0 - variables.rate) / (1.0 - variables.floor) : 1.0")
    yield "byRatio", "variables.rate * (variables.logAtMargin - variables.share * variables.logMargin)"
    passed = "(1.0 - variables.rate) * variables.logPassed"
    yield "byFloor", f"variables.share * ({passed} - variables.rate * variables.logFloor)"
    yield "errors", "variables.byRatio > variables.byFloor ? variables.byRatio : variables.byFloor"
    yield "latency", f"{RAREST_EDGE} * (variables.logAtSlower - variables.share * variables.logSlower)"
    yield "growth", "variables.latency < variables.errors ? variables.latency : variables.errors"
    times = f"""[(variables.logGoal + {MIXTURE_COST}) / variables.growth / variables.rps,
        variables.minimum / variables.share / variables.rps, variables.interval].max()"""
    yield "lastStep", times
    dwell = "[variables.interval, variables.minimum * 100.0 / double(step) / variables.rps].max()"
    yield "before", f"variables.steps.filter(step, step != variables.last).map(step, {dwell}).sum()"
    yield "seconds", "variables.before + variables.lastStep"
    yield "hours", "variables.seconds / 3600.0"
    yield "said", "[variables.hours, 1000000.0].min()"
    rounded = (
        "variables.said < 10.0 ? double(int(variables.said * 10.0 + 0.5)) / 10.0 : double(int(variables.said + 0.5))"
    )
    minutes = "string(int(variables.seconds / 60.0) + 1) + ' min'"
    yield "time", f"variables.said < 1.0 ? {minutes} : string({rounded}) + ' h'"
    yield "percent", "string(double(int(variables.rate * 1000000.0 + 0.5)) / 10000.0)"


def logarithm(name: str, of: str) -> Iterator[tuple[str, str]]:
    """Variables that give the natural logarithm of a number from 1 on, up to 2^40; none is above that."""
    yield f"{name}Of", of
    powers = [float(2**k) for k in range(DOUBLINGS)]
    yield f"{name}Powers", f"{powers}.filter(power, power <= variables.{name}Of)"
    yield f"{name}Rest", f"variables.{name}Of / variables.{name}Powers.max()"
    yield f"{name}Z", f"(variables.{name}Rest - 1.0) / (variables.{name}Rest + 1.0)"
    yield f"{name}Zz", f"variables.{name}Z * variables.{name}Z"
    z, zz = f"variables.{name}Z", f"variables.{name}Zz"
    series = f"2.0 * {z} * (1.0 + {zz} * (1.0 / 3.0 + {zz} * (0.2 + {zz} / 7.0)))"
    yield name, f"double(size(variables.{name}Powers) - 1) * {log(2.0)} + {series}"


def seconds_of(text: str) -> str:
    """A duration as we write it; CEL's own grammar has no days."""
    days, rest = f"double({text}.split('d')[0]) * 86400.0", f"{text}.split('d')[1]"
    plain = "double(duration({0}).getSeconds())"
    with_days = f"{days} + ({rest} == '' ? 0.0 : {plain.format(rest)})"
    return f"{text}.contains('d') ? {with_days} : {plain.format(text)}"


MESSAGE: Final = f"""
    'spec.rollout cannot be decided within its deadline of ' + variables.deadlineText + ': at '
    + string(variables.traffic.requestsPerSecond) + ' requests/s, of which ' + variables.percent
    + ' % fail, about ' + variables.time + ' pass until a version as good as the stable one is proved to be so; '
    + 'after the deadline onInconclusive (' + string(variables.rollout.onInconclusive) + ') decides. '
    + (variables.said < {LONGEST_HOURS - 1}.0
        ? 'Set rollout.deadline to ' + string(int(variables.said) + 1) + 'h, or' : 'No deadline is long enough:')
    + (variables.last < 40 ? ' end rollout.steps nearer to 50, or' : '')
    + ' widen rollout.margins.'
    + (variables.latency < variables.errors ? 'latency' : 'errorRate or raise rollout.margins.errorFloor')
"""


__all__ = ["NAME", "policies"]
