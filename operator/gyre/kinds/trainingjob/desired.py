"""The children of a TrainingJob as plain objects, one function each. The RayJob is in `ray.py`. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from gyre.adapters import run
from gyre.adapters.kept import guarded
from gyre.adapters.run import Progress
from gyre.adapters.storage import Reach
from gyre.api.effects import Apply, Create, Effect
from gyre.api.kind import MANAGED_BY
from gyre.api.terms import clip
from gyre.kinds.trainingjob import memory, ray
from gyre.kinds.trainingjob.entrypoint import Tabular
from gyre.kinds.trainingjob.ledger import Champion, Ledger
from gyre.kinds.trainingjob.ledger import Final as Ended
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.names import JOB_LABEL, run_name, version_name

PUSH_SECONDS: Final = 5
NOT_MEASURED: Final = "the program did not measure it"
FLAVOUR: Final = re.compile(r"[A-Za-z0-9]([-._A-Za-z0-9]*[A-Za-z0-9])?")


def ledger_write(job: TrainingJob, ledger: Ledger, seen: str | None) -> Effect:
    return guarded(run_config_map(job, ledger), seen)


def run_config_map(job: TrainingJob, ledger: Ledger) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(job, run_name(job.name)),
        "data": {
            **memory.to_data(ledger),
            run.RUN_KEY: memory.text(run_json(job, ledger)),
            run.COMMAND_KEY: memory.text(command_json(ledger)),
        },
    }


def run_json(job: TrainingJob, ledger: Ledger) -> dict[str, Any]:
    """What the driver shall run: docs/run-contract.md."""
    spec, reaches = job.spec, ray.reached(job, ledger)
    storage, warm = reaches["storage"], reaches.get("warmstart")
    every = spec.checkpoint
    return {
        "version": run.VERSION,
        "uid": job.uid,
        "job": f"{job.namespace}/{job.name}",
        "attempt": ledger.count,
        "entrypoint": _entrypoint(job),
        "workers": {"count": spec.workers, "cpu": float(ray.ray_cpus(job)), "gpu": spec.resources.gpu},
        "storage": {"path": storage.path, "uri": ray.place_of(job).uri, "s3": storage.s3},
        "datasets": [
            {
                "name": pin.name,
                "path": reaches[f"data-{pin.name}"].path,
                "digest": pin.digest,
                "version": pin.version,
                "s3": reaches[f"data-{pin.name}"].s3,
            }
            for pin in ledger.pins
        ],
        "checkpoint": {
            "everySteps": every.every_steps or 0,
            "everySeconds": 0 if every.every_steps else every.every.total_seconds(),
            "keep": every.keep,
            "quarantined": list(ledger.quarantined),
        },
        "parameters": dict(sorted(spec.parameters.items())),
        "warmStart": {"path": warm.path, "digest": ledger.warm_start.digest} if warm and ledger.warm_start else None,
        "champion": _champion(ledger, reaches.get("champion")),
        "pushEverySeconds": PUSH_SECONDS,
        "metrics": sorted(spec.metrics),
        "objective": spec.objective.to_dict() if spec.objective else None,
    }


def _champion(ledger: Ledger, reach: Reach | None) -> dict[str, Any] | None:
    champion = ledger.champion
    if champion is None or reach is None:
        return None
    known = {"version": champion.version, "digest": champion.digest, "flavour": champion.flavour}
    return {**known, "path": reach.path, "s3": reach.s3}


def _entrypoint(job: TrainingJob) -> dict[str, Any]:
    script = job.spec.entrypoint.script
    if script is None:
        tabular = job.spec.entrypoint.tabular
        return {"tabular": _tabular(tabular) if tabular else {}}
    if script.config_map:
        path = f"{ray.CODE}/{script.config_map.key}"
    elif script.git:
        path = f"{ray.REPOSITORY}/{script.git.path}"
    else:
        path = script.image.path if script.image else ""
    return {"script": {"path": path, "args": list(script.args)}}


def _tabular(loop: Tabular) -> dict[str, Any]:
    """As in the spec, but for what the API has no floats and booleans for."""
    said = loop.to_dict()
    numbers = {name: float(said[name]) for name in ("learningRate", "weightDecay", "dropout")}
    above = {"above": float(loop.target.above)} if loop.target.above is not None else {}
    changed = {**said, **numbers, "target": {**said["target"], **above}}
    if loop.holdout is not None and loop.holdout.partition is not None:
        changed["holdout"] = {"lastPartition": True}
    elif loop.holdout is not None and loop.holdout.newest is not None:
        changed["holdout"] = {"newest": float(loop.holdout.newest)}
    return changed


def command_json(ledger: Ledger) -> dict[str, Any]:
    """What the driver shall do next. Commands stand until they are carried out or the attempt ends."""
    notice = ledger.notice
    drain = {"id": notice.id, "pods": list(notice.pods), "deadline": stamp(notice.deadline)} if notice else None
    return {"park": {"id": ledger.park} if ledger.park else None, "drain": drain}


def credentials(job: TrainingJob) -> tuple[dict[str, Any], ...]:
    """ServiceAccount, Role, RoleBinding: the driver may get and patch one ConfigMap. They vanish with the run."""
    name = run_name(job.name)
    role_ref = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name}
    subject = {"kind": "ServiceAccount", "name": name, "namespace": job.namespace}
    rule = {"apiGroups": [""], "resources": ["configmaps"], "resourceNames": [name], "verbs": ["get", "patch"]}
    account = {"apiVersion": "v1", "kind": "ServiceAccount", "automountServiceAccountToken": False}
    rbac = "rbac.authorization.k8s.io/v1"
    return (
        {**account, "metadata": _metadata(job, name)},
        {"apiVersion": rbac, "kind": "Role", "metadata": _metadata(job, name), "rules": [rule]},
        {
            "apiVersion": rbac,
            "kind": "RoleBinding",
            "metadata": _metadata(job, name),
            "roleRef": role_ref,
            "subjects": [subject],
        },
    )


def running(job: TrainingJob, ledger: Ledger, seen: str | None) -> tuple[Effect, ...]:
    """An open attempt, whole: the ledger first, then who it runs as, then the run. A RayJob that was seen is not remade."""
    attempt = ledger.open
    effects: tuple[Effect, ...] = (ledger_write(job, ledger, seen), *(Apply(item) for item in credentials(job)))
    if attempt is not None and not attempt.ray_job_uid:
        effects += (Create(ray.ray_job(job, ledger)),)
    return effects


# ── what a success leaves ────────────────────────────────────────────────────────────────────────────────────────────


def model_name(job: TrainingJob) -> str:
    return job.spec.model.name if job.spec.model else job.name


def version_of(job: TrainingJob, progress: Progress | None) -> str | None:
    artifact = progress.artifact if progress else None
    return version_name(model_name(job), artifact.digest) if artifact else None


def model(job: TrainingJob) -> dict[str, Any]:
    """Without an owner: deleting the job leaves the model."""
    metadata = {"name": model_name(job), "namespace": job.namespace, "labels": {MANAGED_BY: "gyre"}}
    return {"apiVersion": "gyre.dev/v1alpha1", "kind": "Model", "metadata": metadata, "spec": {}}


def model_version(job: TrainingJob, ledger: Ledger, progress: Progress, ended: Ended) -> dict[str, Any]:
    """Immutable, without an owner: deleting the job leaves the version."""
    artifact, evaluation = progress.artifact, _evaluation(progress.evaluation, ledger.champion)
    assert artifact is not None  # noqa: S101 - the rule that publishes asks for it
    name = version_name(model_name(job), artifact.digest)
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "ModelVersion",
        "metadata": {
            "name": name,
            "namespace": job.namespace,
            "labels": {MANAGED_BY: "gyre", JOB_LABEL: job.name},
        },
        "spec": {
            "modelRef": {"name": model_name(job)},
            "artifact": {
                "uri": artifact.uri,
                "digest": artifact.digest,
                "bytes": artifact.bytes,
                **({"files": artifact.files} if artifact.files else {}),
                "flavour": artifact.flavour if FLAVOUR.fullmatch(artifact.flavour) else "unknown",
            },
            "metrics": metrics_of(job, progress),
            **({"evaluation": evaluation} if evaluation else {}),
            "lineage": _lineage(job, ledger, progress, ended),
        },
    }


def metrics_of(job: TrainingJob, progress: Progress) -> dict[str, str]:
    """On hold-out rows where there are such, else the best seen; only the named ones when the job names any."""
    measured = {**progress.latest, **progress.best, **_numbers(progress.evaluation.get("metrics"))}
    wanted = set(job.spec.metrics) or set(measured)
    return {name: decimal(value) for name, value in sorted(measured.items()) if name in wanted}


def _evaluation(said: Mapping[str, Any], champion: Champion | None) -> dict[str, Any]:
    numbers = _numbers(said.get("metrics"))
    if not numbers:
        return {}
    rows, split, baseline = said.get("rows"), said.get("split"), said.get("baseline")
    result: dict[str, Any] = {"metrics": {name: decimal(value) for name, value in numbers.items()}}
    if isinstance(rows, int) and rows >= 0:
        result["rows"] = rows
    if isinstance(split, str) and split:
        result["split"] = clip(split, 256)
    if isinstance(baseline, dict) and isinstance(baseline.get("name"), str):
        values = {name: decimal(value) for name, value in _numbers(baseline.get("metrics")).items()}
        result["baseline"] = {"name": clip(baseline["name"], 256), "metrics": values}
    if champion is not None:
        result["champion"] = _beside(said.get("champion"), champion)
    return result


def _beside(said: Any, champion: Champion) -> dict[str, Any]:
    """What the champion is worth there. Which one that is says the ledger, never the program."""
    told = said if isinstance(said, dict) and said.get("digest") == champion.digest else {}
    named, measured = {"version": champion.version, "digest": champion.digest}, _numbers(told.get("metrics"))
    if measured and not champion.problem:
        return {**named, "metrics": {name: decimal(value) for name, value in measured.items()}}
    problem = champion.problem or told.get("problem")
    return {**named, "problem": clip(problem, 256) if isinstance(problem, str) and problem else NOT_MEASURED}


def _lineage(job: TrainingJob, ledger: Ledger, progress: Progress, ended: Ended) -> dict[str, Any]:
    said, image = progress.lineage, ledger.last.image if ledger.last else ""
    code, framework = said.get("code"), said.get("framework")
    return {
        "datasets": [
            {"name": pin.dataset, "version": pin.version, "digest": pin.digest, "role": pin.name} for pin in ledger.pins
        ],
        "image": {"name": job.spec.image, **({"digest": image} if image else {})},
        **({"code": _code(code)} if isinstance(code, dict) else {}),
        "parameters": dict(sorted(job.spec.parameters.items())),
        "run": {
            "name": job.name,
            "uid": job.uid,
            "attempts": max(1, ledger.count),
            **({"started": seconds(ledger.started)} if ledger.started else {}),
            "finished": seconds(ended.at),
        },
        **({"framework": clip(framework, 256)} if isinstance(framework, str) else {}),
    }


def _code(said: Mapping[str, Any]) -> dict[str, str]:
    sha256, revision = str(said.get("sha256") or ""), str(said.get("revision") or "")
    known = re.fullmatch(r"(sha256:)?[0-9a-f]{64}", sha256)
    return ({"sha256": sha256} if known else {}) | ({"revision": clip(revision, 128)} if revision else {})


def _numbers(said: Any) -> dict[str, float]:
    if not isinstance(said, dict):
        return {}
    names = sorted(name for name in said if isinstance(name, str))[: run.MOST_METRICS]
    return {name: float(said[name]) for name in names if run.is_number(said[name])}


def decimal(value: float) -> str:
    """A number as the API has it: ten significant digits, which every finite number fits into (`api.fields.Number`)."""
    return f"{float(value):.10g}"


# ── words ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def stamp(time: datetime) -> str:
    """RFC 3339 with milliseconds."""
    return time.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds(time: datetime) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ")


def _metadata(job: TrainingJob, name: str) -> dict[str, Any]:
    return {
        "name": name,
        "namespace": job.namespace,
        "labels": {MANAGED_BY: "gyre", JOB_LABEL: job.name},
        "ownerReferences": [job.owner_reference()],
    }
