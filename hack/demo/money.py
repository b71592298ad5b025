"""A budget that is spent in mid-training: the job is parked after a checkpoint, the next one refused, and both go on with money.

Promises   fails if the job goes on from anywhere before the checkpoint that it was parked at.
"""

from __future__ import annotations

import json
import shlex
from typing import Any

from narrator import ROOT, Narrator, Trouble, condition, step_of, told, true
from pods import apply

LAB = {"gyre.dev/team": "lab"}


def tell(say: Narrator) -> None:
    budget(say)
    step = parked(say)
    refused(say)
    thawed(say, step)


def budget(say: Narrator) -> None:
    with say.step("A budget", "One euro for a team called lab, and prices at which a training spends it in a minute."):
        say.run("kubectl delete costbudget lab --ignore-not-found --wait=true")
        say.run(f"{say.kubectl} delete tj lab lab-next --ignore-not-found --wait=true")
        say.run("kubectl apply -f examples/loop/lab.yaml")
        say.watch("cb/lab", lambda cb: true(cb, "Ready"), told, minutes=2)
        say.run("kubectl get prov,cb")


def parked(say: Narrator) -> int:
    """The step of the checkpoint that it was parked at."""
    with say.step(
        "A training that runs out of money", "It is parked after a checkpoint: nothing of what was paid for is lost."
    ):
        apply(say, _job(say, "lab"))
        job = say.watch("tj/lab", _is_parked, _progress, minutes=6)
        say.console.print(f"  {condition(job, 'Ready').get('message', '')}")
        say.run(f"{say.kubectl} get tj lab")
        say.run("kubectl get cb lab")
        return int((job["status"].get("checkpoint") or {})["step"])


def refused(say: Narrator) -> None:
    with say.step(
        "The next one", "It is refused where it is applied, by the API server, whether or not the operator runs."
    ):
        manifest = shlex.quote(json.dumps(_job(say, "lab-next")))
        say.refused(f"printf %s {manifest} | {say.kubectl} apply -f -", "CostBudget")


def thawed(say: Narrator, step: int) -> None:
    with say.step(
        "Money again", "The amount is raised, as a commit would do; the job goes on from its checkpoint by itself."
    ):
        say.run("""kubectl patch costbudget lab --type=merge -p '{"spec":{"amount":"100"}}'""")
        job = say.watch("tj/lab", lambda tj: not _is_parked(tj) and step_of(tj) > step, _progress, minutes=5)
        newest = max(job["status"]["attempts"], key=lambda attempt: attempt["number"])
        resumed = int(newest.get("fromStep") or 0)
        if resumed < step:
            raise Trouble(f"it went on from step {resumed}, behind its checkpoint at {step}")
        say.console.print(f"  parked at step {step}, went on from step [bold]{resumed}[/].")
        say.run(f"{say.kubectl} delete tj lab --wait=false")


def _job(say: Narrator, name: str) -> dict[str, Any]:
    """The example's job under another name, with the team's label, and long enough to run out of money."""
    example = f"kubectl create --dry-run=client -o json -f {ROOT}/examples/trainingjob-flights.yaml"
    spec = json.loads(say.ask(example))["spec"]
    spec["model"] = {"name": "lab"}
    spec["entrypoint"]["tabular"]["epochs"] = 200
    spec["storage"]["pvc"]["path"] = "lab"
    metadata = {"name": name, "labels": LAB}
    return {"apiVersion": "gyre.dev/v1alpha1", "kind": "TrainingJob", "metadata": metadata, "spec": spec}


def _is_parked(job: dict[str, Any]) -> bool:
    return condition(job, "Ready").get("reason") == "BudgetExhausted"


def _progress(job: dict[str, Any]) -> str:
    cost = job.get("status", {}).get("cost") or {}
    spent = f", {cost.get('spent') or cost.get('atLeast')} {cost['currency']}" if cost else ""
    return f"{condition(job, 'Ready').get('reason', 'not looked at yet')}, step {step_of(job)}{spent}"
