"""`make demo`: from nothing to a trained, checkpointed, versioned model that is served, on a real Kubernetes; a worker is killed
on the way, a good version promoted and two bad ones rolled back (serving.py).

Promises   real data (336,776 flights of 2013, here January to May), real KubeRay and Ray; every figure is read from the
           cluster; exit status 0 only if training survived the kill within one checkpoint interval and beat the baseline.
           It can be run again, and leaves the cluster for you to look around. `make demo-loop` (loop.py) is what comes
           after: months of traffic, drift, a retraining, a budget.
"""

from __future__ import annotations

import sys
import time
from typing import Any

import loop
import serving
from ground import cluster, operator
from narrator import Narrator, Trouble, condition, step_of, told, true

NAMESPACE = "gyre-demo"
KUBECTL = f"kubectl -n {NAMESPACE}"


def main() -> int:
    story, namespace = (loop.tell, loop.NAMESPACE) if sys.argv[1:] == ["loop"] else (tell, NAMESPACE)
    say = Narrator(namespace)
    try:
        story(say)
    except Trouble as trouble:
        say.console.print(f"\n[bold red]The demo stops:[/] {trouble}")
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


def tell(say: Narrator) -> None:
    cluster(say)
    operator(say)
    dataset(say)
    checkpoint = training(say)
    killed_at = kill(say)
    job = recovery(say, checkpoint, killed_at)
    version = model(say, job)
    serving.tell(say, version)
    farewell(say, job, version)


def dataset(say: Narrator) -> None:
    with say.step(
        "A Dataset of real flights",
        "January to May 2013, out of New York, with weather, as Parquet, under a digest.",
    ):
        say.run(f"{KUBECTL} delete tj flights --ignore-not-found --wait=true")
        say.run(f"{KUBECTL} apply -f examples/pvc-runs.yaml -f examples/dataset-flights.yaml")
        say.watch("dset/flights", lambda data: true(data, "Ready"), told, minutes=10)
        say.run(f"{KUBECTL} get dset")


def training(say: Narrator) -> int:
    """The step of the newest checkpoint that was seen before the kill: training must not go back behind it."""
    with say.step("A TrainingJob", "Two workers learn which flights arrive more than 15 minutes late."):
        say.run(f"{KUBECTL} apply -f examples/model-flights.yaml -f examples/trainingjob-flights.yaml")
        job = say.watch(
            "tj/flights",
            lambda tj: bool(_checkpoint(tj)) and step_of(tj) > int(_checkpoint(tj)["step"]),
            _progress,
            minutes=15,
        )
        say.run(f"{KUBECTL} get tj")
        return int(_checkpoint(job)["step"])


def kill(say: Narrator) -> float:
    with say.step("A worker dies", "Its pod is killed at once, as when a spot machine is taken away without notice."):
        worker = say.ask(
            f"{KUBECTL} get pods -l gyre.dev/trainingjob=flights,ray.io/node-type=worker -o jsonpath={{.items[0].metadata.name}}"
        )
        say.run(f"{KUBECTL} delete pod {worker} --grace-period=0 --force 2>&1")
        return time.monotonic()


def recovery(say: Narrator, checkpoint: int, killed_at: float) -> dict[str, Any]:
    with say.step("It recovers by itself", "A new worker joins, training resumes from the last checkpoint."):
        job = say.watch("tj/flights", lambda tj: _lost(tj) is not None, _progress, minutes=10)
        lost = _lost(job) or {}
        say.console.print(
            f"  [bold]{lost['class']}[/]: from step {lost['fromStep']} back to {lost['toStep']}; "
            f"seen recovered {time.monotonic() - killed_at:.0f} s after the kill."
        )
        job = say.watch("tj/flights", lambda tj: true(tj, "Succeeded"), _progress, minutes=20)
        lost = _lost(job) or lost
        say.run(f"{KUBECTL} wait --for=condition=Succeeded tj/flights --timeout=10s")
        if int(lost["toStep"]) < checkpoint:
            raise Trouble(f"training went back to step {lost['toStep']}, behind its checkpoint at {checkpoint}")
        return job


def model(say: Narrator, job: dict[str, Any]) -> dict[str, Any]:
    with say.step("A ModelVersion", "Immutable, with its data digests, image, code, parameters, and held-out quality."):
        name = job["status"]["modelVersion"]
        version = say.watch(f"mv/{name}", lambda mv: true(mv, "Ready"), told, minutes=2)
        evaluation = version["spec"]["evaluation"]
        mine, baseline = evaluation["metrics"], evaluation["baseline"]
        say.console.print(
            f"  held-out flights ({evaluation['split']}, {evaluation['rows']} rows): AUC [bold]{float(mine['auc']):.4f}[/]; "
            f"baseline ({baseline['name']}): {float(baseline['metrics']['auc']):.4f}"
        )
        if float(mine["auc"]) <= float(baseline["metrics"]["auc"]):
            raise Trouble("the model does not beat its baseline on held-out flights")
        return version


def farewell(say: Narrator, job: dict[str, Any], version: dict[str, Any]) -> None:
    with say.step("What you would type", "The same tables your colleagues and your GitOps controller read."):
        say.run(f"{KUBECTL} get dset,tj,mdl,mv,gis")
        say.run(f"{KUBECTL} describe tj flights | sed -n '/^Events/,$p'")
    say.console.print()
    say.summary()
    say.console.print(
        f"""
Look around:
  export KUBECONFIG={say.environment["KUBECONFIG"]}
  {KUBECTL} describe tj flights        what happened, attempt by attempt
  {KUBECTL} get mv {version["metadata"]["name"]} -o yaml
  kubectl explain tj.spec.checkpoint
  gyre explain tj/flights -n {NAMESPACE}   what the operator thinks right now
  gyre rollout status gis/flights -n {NAMESPACE}
  build/rollout-*.png                     the evidence of the rollout that was promoted, and of the last one
Go on with what comes after, months of traffic, drift, a retraining by itself, a budget:
  make demo-loop
Remove everything:
  make cluster-down
"""
    )


def _checkpoint(job: dict[str, Any]) -> dict[str, Any]:
    return dict(job.get("status", {}).get("checkpoint") or {})


def _progress(job: dict[str, Any]) -> str:
    status = job.get("status", {})
    progress, checkpoint = status.get("progress") or {}, _checkpoint(job)
    parts = [condition(job, "Ready").get("reason") or "not looked at yet"]
    if progress.get("totalSteps"):
        parts.append(f"step {progress.get('step', 0)} of {progress['totalSteps']}")
    if checkpoint:
        parts.append(f"checkpoint at {checkpoint['step']}{' verified' if checkpoint.get('verified') else ''}")
    if status.get("restartCount"):
        parts.append(f"{status['restartCount']} restart(s)")
    return ", ".join(parts)


def _lost(job: dict[str, Any]) -> dict[str, Any] | None:
    """The first loss that training has got over: a restart inside an attempt, or an attempt that had a successor."""
    for one in job.get("status", {}).get("restarts") or ():
        if one.get("secondsLost"):
            return dict(one)
    return None


if __name__ == "__main__":
    sys.exit(main())
