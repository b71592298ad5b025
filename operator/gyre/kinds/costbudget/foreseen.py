"""What the API server says a new TrainingJob will cost, in CEL over the status of a CostBudget: as `gyre.cost.estimate`. Pure.

What the job asks for × the dearest prices (`status.rates`) × how long runs of its model took (`status.history`), or at the most
the time that it allows itself. Where any of it is missing it says so, and what; a job that nobody can reckon is never free.

CEL knows no days in durations and compares no money: both are reckoned in floating point, shown in hundredths.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gyre.cost.estimate import LEAST_RUNS


def seconds(text: str) -> str:
    """A duration of ours, such as 1d12h, in seconds."""
    days = f"({text}.contains('d') ? double({text}.split('d')[0]) * 86400.0 : 0.0)"
    rest = f"{text}.contains('d') ? {text}.split('d')[1] : {text}"
    return f"({days} + ({text}.endsWith('d') ? 0.0 : double(duration({rest}).getSeconds())))"


MODEL: Final = """
    has(object.spec.model) && has(object.spec.model.name) ? object.spec.model.name
        : (has(object.metadata.name) ? object.metadata.name : '')
"""
PAST: Final = """
    has(params.status) && has(params.status.history)
        ? params.status.history.filter(past, past.namespace == request.namespace && past.model == variables.model) : []
"""
RATES: Final = "has(params.status) && has(params.status.rates) ? params.status.rates : {}"
CORES: Final = """
    double(object.spec.workers) * quantity(string(object.spec.resources.cpu)).asApproximateFloat()
        + quantity(string(object.spec.head.cpu)).asApproximateFloat()
"""
GIB: Final = """
    (double(object.spec.workers) * quantity(string(object.spec.resources.memory)).asApproximateFloat()
        + quantity(string(object.spec.head.memory)).asApproximateFloat()) / 1073741824.0
"""
DEVICES: Final = "double(object.spec.workers) * double(object.spec.resources.gpu)"
LACKING: Final = """
    (has(variables.rates.cpu) ? [] : ['CPU']) + (has(variables.rates.memory) ? [] : ['Memory'])
        + (variables.devices == 0.0 || has(variables.rates.accelerator) ? [] : ['Accelerator'])
"""
HOURLY: Final = """
    variables.lacking.size() > 0 ? 0.0
        : variables.cores * double(variables.rates.cpu) + variables.gib * double(variables.rates.memory)
            + (variables.devices > 0.0 ? variables.devices * double(variables.rates.accelerator) : 0.0)
"""
TIME_LIMIT: Final = f"!has(object.spec.timeLimit) ? -1.0 : {seconds('object.spec.timeLimit')}"
FINISH: Final = """
    !has(object.spec.finishBy) || !has(object.metadata.creationTimestamp) ? -1.0
        : (timestamp(object.spec.finishBy) < timestamp(object.metadata.creationTimestamp) ? 0.0
            : double((timestamp(object.spec.finishBy) - timestamp(object.metadata.creationTimestamp)).getSeconds()))
"""
LIMIT: Final = """
    variables.timeLimit < 0.0 || (variables.finish >= 0.0 && variables.finish < variables.timeLimit)
        ? variables.finish : variables.timeLimit
"""
P50: Final = f"variables.past.size() == 0 ? -1.0 : {seconds('variables.past[0].p50')}"
P90: Final = f"variables.past.size() == 0 ? -1.0 : {seconds('variables.past[0].p90')}"


def within(time: str) -> str:
    """No longer than the job allows itself."""
    return f"(variables.limit >= 0.0 && variables.limit < variables.{time} ? variables.limit : variables.{time})"


def money(time: str) -> str:
    """CEL writes 59130.00 as an Englishman reads it: with a comma."""
    return f"'%.2f'.format([variables.hourly * {time} / 3600.0]).replace(',', '')"


WORST: Final = f"variables.past.size() > 0 ? {within('p90')} : variables.limit"
"""Seconds: what it is compared with what is left by."""
JOB: Final = f"""
    variables.lacking.size() > 0
        ? '; nobody can say what this job will cost: no Provider in ' + params.spec.currency + ' has a price of '
            + variables.lacking.join(', ')
    : variables.past.size() > 0
        ? '; this job: P50 ' + {money(within("p50"))} + ', P90 ' + {money(within("p90"))}
            + ' (' + string(variables.past[0].runs) + ' runs of model ' + variables.model + ')'
    : variables.limit >= 0.0
        ? '; this job: at most ' + {money("variables.limit")} + ' (its time limit; fewer than {LEAST_RUNS} runs of model '
            + variables.model + ' have succeeded)'
    : '; nobody can say what this job will cost: fewer than {LEAST_RUNS} runs of model ' + variables.model
        + ' have succeeded, and neither spec.timeLimit nor spec.finishBy is set'
"""
TOO_MUCH: Final = """
    has(params.status.left) && variables.lacking.size() == 0 && variables.worst >= 0.0
        && variables.hourly * variables.worst / 3600.0 > double(params.status.left) ? ', more than is left' : ''
"""


def variables() -> Iterator[tuple[str, str]]:
    """In an order in which each uses only those before it."""
    yield "model", MODEL
    yield "past", PAST
    yield "rates", RATES
    yield "cores", CORES
    yield "gib", GIB
    yield "devices", DEVICES
    yield "lacking", LACKING
    yield "hourly", HOURLY
    yield "timeLimit", TIME_LIMIT
    yield "finish", FINISH
    yield "limit", LIMIT
    yield "p50", P50
    yield "p90", P90
    yield "worst", WORST
