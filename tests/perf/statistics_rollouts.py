"""Whole rollouts, many at once: shares rise step by step as the operator lets them, each run at its own pace.

The rules are those of kinds/inferenceservice/looking.py: a step takes one look and min_requests at least, and is left when
nothing speaks against the candidate; after the last step it is promoted once the judge says so.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from tests.perf.statistics_runs import NONE, PROMOTE, ROLLBACK, Outcome, World, outcome

from gyre.kinds.inferenceservice.rulings import EVEN
from gyre.stats import judge
from gyre.stats.judge import Evidence, Policy


def rollouts(world: World, policy: Policy, shares: Sequence[float], *, runs: int, seed: int) -> tuple[Outcome, float]:
    """What became of them, and how many requests failed beyond what the stable version would have failed, on average."""
    chance, steps = np.random.default_rng(seed), np.asarray(shares)
    evidence = Evidence.start(len(world.exceeding))
    step, in_step, extra = (np.zeros(runs, dtype=kind) for kind in (np.int64, np.int64, np.float64))
    verdict, times = np.zeros(runs, dtype=np.int8), np.full(runs, np.inf)
    for number in range(1, world.looks + 1):
        live = verdict == NONE
        look = world.look(chance, steps[step], runs)
        evidence = judge.updated(evidence, look, policy)
        bad, good = judge.bad_of(evidence, policy), judge.good_of(evidence, policy)
        worse, fine = judge.reached(bad, good, evidence.candidate.requests, policy)
        in_step = in_step + look.candidate.requests
        extra += live * (look.candidate.errors - world.stable * look.candidate.requests)
        enough = (in_step >= policy.min_requests) & (bad <= EVEN)
        promoted = fine & enough & (step == len(steps) - 1)
        verdict[live & worse], verdict[live & promoted & ~worse] = ROLLBACK, PROMOTE
        times[live & (worse | promoted)] = number * world.every
        more = live & enough & ~worse & (step < len(steps) - 1)
        step, in_step = step + more, np.where(more, 0, in_step)
        if not np.any(verdict == NONE):
            break
    return outcome(verdict, times), float(np.mean(extra))
