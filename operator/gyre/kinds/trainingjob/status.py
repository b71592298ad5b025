"""The status of a TrainingJob: its conditions as a table, and what was seen in numbers. Pure.

Nothing here is computed from the present time: a status changes when something was seen or done, so a settled job writes
nothing. Ages are times (kubectl makes ages of them).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from gyre.adapters.pods import CONFIG_FAULTS, PULL_FAULTS
from gyre.adapters.run import Checkpoint, Progress
from gyre.api.conditions import Row, Truth, Verdict, merge, no, report, yes
from gyre.api.kind import Decision
from gyre.api.outcomes import standard
from gyre.cost.estimate import Expected
from gyre.kinds.trainingjob import costs, desired
from gyre.kinds.trainingjob.evidence import config_problem, pull_problem
from gyre.kinds.trainingjob.goodput import Account, account
from gyre.kinds.trainingjob.ledger import KEPT, Attempt, End, Ledger, Restarted
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.names import ray_job_name
from gyre.kinds.trainingjob.observe import Observed
from gyre.kinds.trainingjob.report import (
    AttemptReport,
    CheckpointReport,
    CostReport,
    Ending,
    ExpectedReport,
    Goodput,
    MetricsReport,
    Opponent,
    Pinned,
    ProgressReport,
    RestartReport,
    TrainingJobStatus,
)
from gyre.stats import daly

URI: Final = re.compile(r"[a-z][-+.a-z0-9]*://[^\s]+")
STATES: Final = frozenset(
    ["Starting", "Verifying", "Restoring", "Running", "Recovering", "Evaluating", "Parked", "Succeeded", "Failed"]
)
ENDING_OF: Final = {End.SUCCEEDED: Ending.SUCCEEDED, End.PARKED: Ending.PARKED, End.FAILED: Ending.FAILED}
STALE: Final = 3
"""A checkpoint is fresh for so many intervals, measured up to the last heartbeat."""


@dataclass(frozen=True, slots=True)
class Facts:
    job: TrainingJob
    seen: Observed

    @property
    def ledger(self) -> Ledger | None:
        return self.seen.ledger


def dataset_pinned(facts: Facts) -> Verdict | None:
    if facts.ledger is None or not facts.ledger.pins:
        return None
    pins = facts.ledger.pins
    return yes(
        "Pinned", ", ".join(f"{pin.name}: {pin.dataset} version {pin.version} {pin.digest[:19]}" for pin in pins)
    )


def pods_ready(facts: Facts) -> Verdict | None:
    """The pods of the open attempt: what is wrong with the first that is not well, in the cluster's own words."""
    ledger = facts.ledger
    if ledger is None or ledger.open is None:
        return None
    pods = facts.seen.pods_of(ledger.count)
    for pod in pods:
        if pod.waiting_on(PULL_FAULTS):
            return no("ImagePullBackOff", pull_problem(pod))
        if pod.waiting_on(CONFIG_FAULTS):
            return no("ContainerConfigError", config_problem(pod))
        if pod.unschedulable:
            return no("Unschedulable", f"pod {pod.name}: {pod.unschedulable}")
        if pod.oom and not pod.ready:
            return no("OOMKilled", f"pod {pod.name} ran out of memory ({pod.oom}); raise spec.resources.memory")
    wanted, ready = facts.job.spec.workers + 1, sum(pod.ready for pod in pods)
    if ready < wanted:
        return no("NotReady", f"{ready} of {wanted} pods are ready")
    return yes("Ready", f"{ready} pods are ready")


def checkpoint_fresh(facts: Facts) -> Verdict | None:
    spoken = facts.seen.progress
    if spoken is None or spoken.checkpoint is None or spoken.checkpoint.time is None or spoken.heartbeat is None:
        return None
    saved, every, time = spoken.checkpoint, facts.job.spec.checkpoint, spoken.checkpoint.time
    step = f"step {saved.step}"
    if every.every_steps:
        behind = spoken.step - saved.step
        fresh, age = behind <= STALE * every.every_steps, f"{behind} steps"
    else:
        since = spoken.heartbeat - time
        fresh, age = since <= STALE * every.every, f"{max(0, int(since.total_seconds()) // 10 * 10)} s"
    if fresh:
        return yes("Fresh", "the newest checkpoint is younger than three intervals")
    return no(
        "Stale", f"the checkpoint at {step} is {age} older than the last heartbeat: saving has stopped or is slow"
    )


CONDITIONS: Final = (
    #   type               what was seen → verdict   None means
    Row[Facts]("DatasetPinned", dataset_pinned, "the job has not chosen its data yet"),
    Row[Facts]("PodsReady", pods_ready, "no attempt is open"),
    Row[Facts]("CheckpointFresh", checkpoint_fresh, "no checkpoint was written yet"),
)


def summarize(job: TrainingJob, seen: Observed, decision: Decision, now: datetime) -> dict[str, Any]:
    conditions = (
        *standard(decision, job.generation, bounded=True),
        *report(CONDITIONS, Facts(job, seen), job.generation),
    )
    ledger, spoken = seen.ledger, seen.progress
    merged = merge(job.status.conditions, conditions, now)
    if ledger is None:
        return TrainingJobStatus(observed_generation=job.generation, conditions=merged).to_dict()
    final = ledger.final
    made = final is not None and final.end is End.SUCCEEDED
    return TrainingJobStatus(
        observed_generation=job.generation,
        conditions=merged,
        start_time=ledger.started,
        completion_time=final.at if final else None,
        attempt=ledger.count,
        attempts=tuple(_attempt(attempt) for attempt in ledger.attempts),
        restart_count=ledger.restart_count,
        restarts=tuple(_restart(restart) for restart in ledger.restarts[-KEPT:]),
        failures=dict(ledger.failures),
        datasets=tuple(
            Pinned(name=pin.name, dataset=pin.dataset, version=pin.version, digest=pin.digest) for pin in ledger.pins
        ),
        champion=_opponent(ledger),
        progress=_progress(ledger, spoken) if spoken else None,
        checkpoint=_checkpoint(ledger, spoken),
        metrics=_metrics(job, spoken) if spoken else None,
        goodput=_goodput(account(ledger, seen.current)),
        cost=_cost(ledger),
        model_version=desired.version_of(job, spoken) if made else None,
        ray_job=ray_job_name(job.name, ledger.count) if ledger.open else None,
    ).to_dict()


def _opponent(ledger: Ledger) -> Opponent | None:
    champion = ledger.champion
    if champion is None:
        return None
    return Opponent(version=champion.version, digest=champion.digest[:71], problem=champion.problem)


def _attempt(attempt: Attempt) -> AttemptReport:
    return AttemptReport(
        number=attempt.number,
        opened=attempt.opened,
        closed=attempt.closed,
        result=ENDING_OF[attempt.end] if attempt.end else None,
        class_=attempt.cls,
        evidence=attempt.evidence,
        from_step=attempt.from_step,
        to_step=attempt.to_step,
        seconds_lost=round(attempt.lost / 1000),
    )


def _restart(restart: Restarted) -> RestartReport:
    return RestartReport(
        attempt=restart.attempt,
        time=restart.key,
        class_=restart.cls,
        message=restart.message,
        from_step=restart.from_step,
        to_step=restart.to_step,
        seconds_lost=round(restart.lost / 1000),
    )


def _progress(ledger: Ledger, spoken: Progress) -> ProgressReport:
    total, speed, step = spoken.total_steps, spoken.steps_per_second, ledger.stands_at(spoken.attempt, spoken.step)
    left = max(0, total - step) / speed if total and speed > 0 else None
    running = spoken.state in ("Running", "Recovering")
    finish = None
    if left is not None and left < 3.2e9 and running and spoken.heartbeat:
        finish = spoken.heartbeat + timedelta(seconds=left)
    return ProgressReport(
        step=step,
        total_steps=total or None,
        percent=min(100, step * 100 // total) if total else None,
        epoch=spoken.epoch,
        steps_per_second=Decimal(f"{speed:.4g}") if 0 < speed < 1e12 else None,
        heartbeat=spoken.heartbeat,
        estimated_finish=finish,
        state=spoken.state if spoken.state in STATES else None,
    )


def _checkpoint(ledger: Ledger, spoken: Progress | None) -> CheckpointReport | None:
    saved = spoken.checkpoint if spoken else None
    advised = advised_interval(ledger, saved)
    if saved is None and not ledger.quarantined:
        return None
    quarantined = ledger.quarantined[-32:]
    if saved is None:
        return CheckpointReport(quarantined=quarantined)
    return CheckpointReport(
        uri=saved.uri if URI.fullmatch(saved.uri) else None,
        name=saved.name,
        step=saved.step,
        time=saved.time,
        bytes=saved.bytes,
        verified=Truth.TRUE if saved.verified else Truth.FALSE,
        advised=advised,
        quarantined=quarantined,
    )


def advised_interval(ledger: Ledger, saved: Checkpoint | None) -> timedelta | None:
    """Daly's optimum, once failures were seen: δ is the time the last save blocked training, M the time between losses.

    M is computed from closed attempts and counted restarts, so it moves only when something happened.
    """
    losses = sum(ledger.failures.values())
    worked = sum(ledger.totals.get(row, 0) for row in ("productive", "checkpointSave", "wasted")) / 1000
    if saved is None or saved.blocked_seconds <= 0 or losses == 0 or worked <= 0:
        return None
    seconds = daly.interval(saved.blocked_seconds, worked / losses)
    return timedelta(seconds=min(86_400, max(1, round(seconds))))


def _metrics(job: TrainingJob, spoken: Progress) -> MetricsReport | None:
    wanted = set(job.spec.metrics)

    def chosen(values: Any) -> dict[str, str]:
        return {name: desired.decimal(value) for name, value in values.items() if not wanted or name in wanted}

    latest, best = chosen(spoken.latest), chosen(spoken.best)
    return MetricsReport(latest=latest, best=best) if latest or best else None


def _cost(ledger: Ledger) -> CostReport | None:
    foreseen = _expected(ledger.expected)
    if not ledger.meter:
        return CostReport(currency=foreseen.currency, expected=foreseen) if foreseen else None
    known, amount = not costs.unknown(ledger), f"{costs.spent(ledger):f}"
    return CostReport(
        spent=amount if known else None,
        at_least=None if known else amount,
        currency=ledger.currency or "XXX",
        expected=foreseen,
    )


def _expected(kept: Expected | None) -> ExpectedReport | None:
    if kept is None:
        return None
    p50, p90, most = (None if value is None else f"{value:f}" for value in (kept.p50, kept.p90, kept.most))
    return ExpectedReport(basis=kept.basis, why=kept.why, p50=p50, p90=p90, most=most, currency=kept.currency)


def _goodput(account: Account) -> Goodput:
    permille = account.permille
    return Goodput(
        as_of=account.as_of,
        wall_milliseconds=account.wall,
        ratio=f"{permille / 10:.1f}%" if permille is not None else None,
        milliseconds=dict(account.rows),
    )
