"""The tables of the judge: what it does with good, bad and slow candidates, beside two rules that people use.

Promises   seeds are fixed, so the figures are those of docs/statistics.md; all rules of a row see the same traffic; a guarantee
           that is broken is said by name.
Never      rounds in its own favour: broken means above the promise by more than chance explains, one time in a thousand.

Where nothing else is said: an hour, a look each 15 s, a tenth of the traffic, 0.5 % of the stable version's requests fail, and
alpha = beta = 5 %.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from math import exp, lgamma, log, log1p, sqrt
from typing import Any, Final

from rich.console import Console
from rich.table import Table
from tests.perf.statistics_rollouts import rollouts
from tests.perf.statistics_runs import POLICY, Outcome, Rule, World, flagger_like, judged, simulated, slower, z_test

from gyre.stats.evidence import SLOW_FLOOR

RUNS: Final = 4000
QUICK_RUNS: Final = 500
CHANCE: Final = 0.001
"""That a promise which holds is said to be broken."""
RULES: Final[Mapping[str, Callable[[], Rule]]] = {"judge": judged, "z-test": z_test, "Flagger-like": flagger_like}
RATES: Final = (2, 20, 200)
CANDIDATES: Final = (0.005, 0.01, 0.02, 0.05, 1.0)
TIMES: Final = {0.005: "equal", 0.01: "2×, the margin", 0.02: "4×", 0.05: "10×", 1.0: "all"}
DEFAULTS: Final = replace(
    POLICY, error_floor=0.01, latency_tolerance=sqrt(POLICY.latency_margin), slow_floor=SLOW_FLOOR
)
"""What an InferenceService has when nothing is said."""
TOLERATED: Final = slower(DEFAULTS.latency_tolerance)
AT_MARGIN: Final = slower(DEFAULTS.latency_margin)
FAST, FLOOR = 0.0013, 0.01084
"""Seconds: the stable version's median, and the first bound of gyre's own server from a latencyFloor of 10 ms on."""


@dataclass(frozen=True)
class Guarantee:
    """That an error happens with at most this probability."""

    what: str
    happened: int
    runs: int
    promised: float

    @property
    def broken(self) -> bool:
        return tail(self.happened, self.runs, self.promised) < CHANCE


def tail(count: int, runs: int, probability: float) -> float:
    """P(at least so many of so many), exactly."""
    total = 0.0
    for k in range(count, runs + 1):
        ways = lgamma(runs + 1) - lgamma(k + 1) - lgamma(runs - k + 1)
        total += exp(ways + k * log(probability) + (runs - k) * log1p(-probability))
    return total


def main(*, runs: int, console: Console) -> tuple[dict[str, Any], list[Guarantee]]:
    """All tables, printed; what goes into build/perf.json, and the guarantees as they were found."""
    began, result, kept = time.monotonic(), {"runs": runs}, []
    for name, measure in TABLES.items():
        rows, guarantees, table = measure(runs)
        result[name], kept = rows, [*kept, *guarantees]
        console.print(table)
    console.print(guaranteed(kept))
    result["guarantees"] = [{**asdict(one), "broken": one.broken} for one in kept]
    result["seconds"] = round(time.monotonic() - began, 1)
    return result, [one for one in kept if one.broken]


Measured = tuple[list[dict[str, Any]], list[Guarantee], Table]


def errors(runs: int) -> Measured:
    """Rates of traffic and of errors."""
    table = titled(
        "Errors: rolled back (median time) / promoted (median time)", "requests/s", "candidate fails", *RULES
    )
    rows, guarantees = [], []
    for per_second in RATES:
        for candidate in CANDIDATES:
            found = simulated(World(per_second, candidate), RULES, runs=runs, seed=1)
            rows.append(row(found, perSecond=per_second, candidate=candidate))
            label = f"{candidate:.1%} ({TIMES[candidate]})"
            table.add_row(str(per_second), label, *(brief(found[name], name) for name in RULES))
            if candidate == 0.005:
                guarantees.append(never_worse(found["judge"], f"equal, {per_second}/s"))
            if candidate == 0.01:
                guarantees.append(never_promoted(found["judge"], f"at the margin, {per_second}/s"))
    return rows, guarantees, table


def shares(runs: int) -> Measured:
    """The candidate's share, at 20 requests/s and four times the errors."""
    table = titled("Share of the traffic: 20 requests/s, 4× the errors", "share", "rolled back (median time)")
    rows = []
    for share in (0.01, 0.05, 0.1, 0.25, 0.5):
        found = simulated(World(20, 0.02, share=share), {"judge": judged}, runs=runs, seed=2)
        rows.append(row(found, share=share))
        table.add_row(f"{share:.0%}", brief(found["judge"], "judge"))
    return rows, [], table


def latency(runs: int) -> Measured:
    """Lognormal latency, multiplied. With the defaults; and without any tolerance, as in research, where nothing is promoted."""
    strict = replace(POLICY, beta=1e-300)
    rules = {"judge": lambda: judged(DEFAULTS, edges=4), "strict": lambda: judged(strict, edges=4)}
    columns = ("requests/s", "slower", "the defaults", "no tolerance, against it alone")
    table = titled("Latency: rolled back (median time) / promoted (median time)", *columns)
    rows, guarantees = [], []
    for per_second in (20, 200):
        for times in (1.0, TOLERATED, 1.1, AT_MARGIN, 1.25, 1.5):
            found = simulated(World(per_second, 0.005, slower=times), rules, runs=runs // 2, seed=3)
            rows.append(row(found, perSecond=per_second, slower=round(times, 3)))
            table.add_row(str(per_second), f"×{times:.2f}", *(brief(found[name], name) for name in rules))
            if times in (1.0, TOLERATED):
                what = "as fast" if times == 1.0 else "as slow as is tolerated"
                guarantees.append(never_worse(found["judge"], f"{what}, {per_second}/s"))
            if times == 1.0:
                guarantees.append(never_worse(found["strict"], f"as fast, no tolerance, {per_second}/s"))
            if times == AT_MARGIN:
                guarantees.append(never_promoted(found["judge"], f"p95 at the margin, {per_second}/s"))
    return rows, guarantees, table


def fast(runs: int) -> Measured:
    """A stable version that answers in 1.3 ms: edges at its quantiles, and the one edge that the floor leaves."""
    table = titled("Answers in 1.3 ms, 20 requests/s", "slower", "no floor", "latencyFloor: 10ms")
    four, one = (lambda: judged(DEFAULTS, edges=4)), (lambda: judged(DEFAULTS, edges=1))
    rows, guarantees = [], []
    for times in (1.0, 1.25, 2.0, 5.0, 10.0):
        plain = World(20, 0.005, slower=times)
        floored = replace(plain, edges=(FLOOR / FAST,))
        found = {
            "judge": simulated(plain, {"judge": four}, runs=runs // 2, seed=6)["judge"],
            "floor": simulated(floored, {"floor": one}, runs=runs // 2, seed=6)["floor"],
        }
        rows.append(row(found, slower=times))
        table.add_row(f"×{times:.2f}", *(brief(each, "judge") for each in found.values()))
        if times < FLOOR / FAST / 2:
            guarantees.append(never_worse(found["floor"], f"within the floor, ×{times:g}"))
        if times > FLOOR / FAST:
            guarantees.append(never_promoted(found["floor"], f"above the floor, ×{times:g}"))
    at_floor = World(20, 0.005, beyond=((SLOW_FLOOR / 10, SLOW_FLOOR),))
    found = simulated(at_floor, {"judge": one}, runs=runs // 2, seed=6)
    rows.append(row(found, slow=SLOW_FLOOR))
    table.add_row("2 % of its answers beyond the edge, 0.2 % of the others'", "", brief(found["judge"], "judge"))
    guarantees.append(never_worse(found["judge"], "as slow as the floor, ten times as often"))
    return rows, guarantees, table


def whole(runs: int) -> Measured:
    """As the operator does it with its defaults: 10, 25, 50 %, a look each 10 s, floors, errors and latency."""
    table = titled("Whole rollouts with the defaults", "requests/s", "candidate", "judge", "extra errors, mean")
    cases = {
        "as good": (0.005, 1.0),
        "no errors at all": (0.0, 1.0),
        "3 % fail": (0.03, 1.0),
        "5 % fail": (0.05, 1.0),
        "all fail": (1.0, 1.0),
        "×1.5 slower": (0.005, 1.5),
    }
    rows, guarantees = [], []
    for per_second in RATES:
        for name, (candidate, times) in cases.items():
            stable = min(candidate, 0.005)
            world = World(per_second, candidate, stable, slower=times, every=10.0)
            found, extra = rollouts(world, DEFAULTS, (0.1, 0.25, 0.5), runs=runs // 2, seed=4)
            rows.append({**row({"judge": found}, perSecond=per_second, candidate=name), "extraErrors": extra})
            table.add_row(str(per_second), name, brief(found, "judge"), f"{extra:.1f}")
            if name in ("as good", "no errors at all"):
                guarantees.append(never_worse(found, f"{name}, by steps, {per_second}/s"))
            else:
                guarantees.append(never_promoted(found, f"{name}, by steps, {per_second}/s"))
    return rows, guarantees, table


def bursts(runs: int) -> Measured:
    """No guarantee: what happens when failures come together, and each version has its own. Both are equally bad."""
    table = titled("Bursts of 5 s in one version at a time, equally often", "an hour", "requests/s", "judge")
    rows = []
    for per_hour in (0.5, 2, 6):
        for per_second in (2, 20):
            found = simulated(World(per_second, 0.005, bursts=per_hour), {"judge": judged}, runs=runs, seed=5)
            rows.append(row(found, perHour=per_hour, perSecond=per_second))
            table.add_row(f"{per_hour:g}", str(per_second), brief(found["judge"], "judge"))
    return rows, [], table


TABLES: Final[Mapping[str, Callable[[int], Measured]]] = {
    "errors": errors,
    "shares": shares,
    "latency": latency,
    "fast": fast,
    "rollouts": whole,
    "bursts": bursts,
}


def never_worse(found: Outcome, what: str) -> Guarantee:
    return Guarantee(f"rolled back, {what}", found.rolled_back, found.runs, POLICY.alpha)


def never_promoted(found: Outcome, what: str) -> Guarantee:
    return Guarantee(f"promoted, {what}", found.promoted, found.runs, POLICY.beta)


def row(found: Mapping[str, Outcome], **about: Any) -> dict[str, Any]:
    return {**about, **{name: asdict(one) for name, one in found.items()}}


def brief(found: Outcome, rule: str) -> str:
    """`95 % (180 s) / 4 % (705 s)`; of a rule that promotes whatever is left at the end, only the first."""

    def part(count: int, seconds: float | None) -> str:
        return f"{100 * count / found.runs:.1f} %" + (f" ({seconds:.0f} s)" if seconds is not None else "")

    against = part(found.rolled_back, found.rollback_seconds)
    return against if rule != "judge" else f"{against} / {part(found.promoted, found.promote_seconds)}"


def guaranteed(kept: list[Guarantee]) -> Table:
    table = titled("Guarantees", "error", "happened", "promised", "kept")
    for one in kept:
        share = f"{100 * one.happened / one.runs:.2f} % of {one.runs}"
        table.add_row(one.what, share, f"≤ {one.promised:.0%}", "[red]BROKEN" if one.broken else "yes")
    return table


def titled(title: str, *columns: str) -> Table:
    table = Table(title=title)
    for column in columns:
        table.add_column(column)
    return table
