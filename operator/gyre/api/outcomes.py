"""The conditions that every kind reports of its decision: Ready, Reconciling, Stalled and, where it ends, Succeeded.

Promises   kstatus, Flux, Argo CD and `kubectl wait` read each outcome right: Settled is Current, Failed and Stalled are
           Failed, the others InProgress; of Reconciling and Stalled at most one is ever present.
Never      looks at the world: the decision says it all.

A kind's `summarize` puts these before the rows of its own table:
    merge(job.status.conditions, (*standard(decision, job.generation, bounded=True), *report(TABLE, seen, …)), now)
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from gyre.api.conditions import READY, RECONCILING, STALLED, SUCCEEDED, Condition, Truth
from gyre.api.kind import Decision, Outcome

TRUE, FALSE, UNKNOWN = Truth.TRUE, Truth.FALSE, Truth.UNKNOWN

STANDARD: Final[dict[Outcome, dict[str, Truth]]] = {
    Outcome.SETTLED: {READY: TRUE, SUCCEEDED: TRUE},
    Outcome.PROGRESSING: {READY: UNKNOWN, SUCCEEDED: UNKNOWN, RECONCILING: TRUE},
    Outcome.WAITING: {READY: FALSE, SUCCEEDED: UNKNOWN, RECONCILING: TRUE},
    Outcome.STALLED: {READY: FALSE, SUCCEEDED: UNKNOWN, STALLED: TRUE},
    Outcome.FAILED: {READY: FALSE, SUCCEEDED: FALSE, STALLED: TRUE},
}
"""Succeeded is for kinds that end; a stalled one may still succeed once somebody mends what it waits for."""


MEANINGS: Final = {
    READY: "the object is what its spec asks for, and nothing is left to do",
    SUCCEEDED: "of kinds that end: it ended well (True), badly (False), or not yet (Unknown)",
    RECONCILING: "only while True: gyre is working on it or waiting for something",
    STALLED: "only while True: nothing will happen until somebody does what the message says",
}


def standard(decision: Decision, generation: int, *, bounded: bool = False) -> tuple[Condition, ...]:
    """The decision as conditions, without times. `bounded` adds Succeeded: the kind ends some day, well or badly."""
    return tuple(_conditions(decision, generation, bounded))


def _conditions(decision: Decision, generation: int, bounded: bool) -> Iterator[Condition]:
    for type, status in STANDARD[decision.outcome].items():
        if bounded or type != SUCCEEDED:
            yield Condition(
                type=type,
                status=status,
                reason=str(decision.reason),
                message=decision.message,
                observed_generation=generation,
            )
