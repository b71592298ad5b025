"""The RayJob of one attempt: one head that coordinates, one group of workers that train. Pure.

Facts about KubeRay with their sources are in `adapters/kuberay.py`; the meaning of the environment in docs/run-contract.md.
Created once and never edited: KubeRay ignores edits of `rayClusterSpec`, and Kueue writes into it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from math import ceil
from typing import Any, Final

from gyre.adapters import storage
from gyre.adapters.kuberay import NO_HEAD_RESTART, QUEUE_LABEL, RAY_VERSION
from gyre.adapters.pods import GPU
from gyre.adapters.storage import Reach
from gyre.adapters.versions import USES_MODEL_VERSION
from gyre.api import restricted
from gyre.api.accounts import account
from gyre.api.kind import MANAGED_BY
from gyre.api.quantities import parse_quantity
from gyre.kinds.trainingjob.entrypoint import Git
from gyre.kinds.trainingjob.ledger import Ledger
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.names import ATTEMPT_LABEL, JOB_LABEL, ray_job_name, run_name
from gyre.kinds.trainingjob.parts import Bucket, Claim

CODE, RUN, DATA, STORAGE, WARM = "/gyre/code", "/gyre/run", "/gyre/data", "/gyre/storage", "/gyre/warmstart"
CHAMPION: Final = "/gyre/champion"
ENTRYPOINT: Final = "/opt/venv/bin/python -m gyre_train"

DRAIN_SECONDS: Final = 30
"""RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S: what `ray start --block` gives itself after SIGTERM (Ray 2.60)."""
HEAD_DRAIN_SECONDS: Final = 10
"""A head never moves its work elsewhere, yet uses its drain to the end: each new attempt, and each parked job, would wait 30 s
for it. Ten are enough for the driver to hear of an eviction (it asks every 2.5 s) and to save."""
GRACE_SECONDS: Final = DRAIN_SECONDS + 30
"""Kubernetes' own default of 30 s kills a node that is still draining."""
EVIDENCE_SECONDS: Final = 60
"""How long KubeRay leaves the pods of an ended job: gyre deletes them itself as soon as it has read what they tell."""

RAY_ENV: Final = {
    "USE_LIBUV": "0",
    "RAY_TRAIN_HEALTH_CHECK_INTERVAL_S": "1",
    "RAY_health_check_period_ms": "1000",
    "RAY_health_check_timeout_ms": "3000",
    "RAY_health_check_failure_threshold": "3",
    "TORCH_PROCESS_GROUP_SHUTDOWN_TIMEOUT_S": "2",
    "RAY_TRAIN_PREEMPTION_POLL_INTERVAL_S": "1",
    "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": str(DRAIN_SECONDS),
    "RAY_TRAIN_WORKER_GROUP_START_TIMEOUT_S": "30",
    "RAY_USAGE_STATS_ENABLED": "0",
    "HOME": "/tmp",  # noqa: S108 - an emptyDir
}
"""For head and workers alike; why and what it was measured to bring: docs/run-contract.md, "Environment the operator sets"."""

REPOSITORY: Final = f"{CODE}/repository"
"""Not CODE itself: that is root's, and git refuses to work in somebody else's folder (safe.directory)."""
CLONE: Final = (
    'set -eu; git init -q repository; cd repository; git fetch -q --depth 1 "$GYRE_GIT_URL" "$GYRE_GIT_REVISION"; '
    "git checkout -q FETCH_HEAD; git rev-parse HEAD > ../revision"
)


def ray_job(job: TrainingJob, ledger: Ledger) -> dict[str, Any]:
    """The RayJob of the newest attempt. KubeRay's own retries stay off: it tells no bug from a lost node."""
    attempt = ledger.count
    labels = labels_of(job, attempt)
    queue = {QUEUE_LABEL: job.spec.queue} if job.spec.queue else {}
    champion = ledger.champion
    uses = {USES_MODEL_VERSION: champion.version} if champion and not champion.problem else {}
    return {
        "apiVersion": "ray.io/v1",
        "kind": "RayJob",
        "metadata": {
            "name": ray_job_name(job.name, attempt),
            "namespace": job.namespace,
            "labels": labels | queue | uses,
            "annotations": {NO_HEAD_RESTART: "true"},
            "ownerReferences": [job.owner_reference()],
        },
        "spec": {
            **({"suspend": True} if job.spec.queue else {}),
            "submissionMode": "HTTPMode",
            "entrypoint": ENTRYPOINT,
            "backoffLimit": 0,
            "shutdownAfterJobFinishes": True,
            "ttlSecondsAfterFinished": max(EVIDENCE_SECONDS, int(job.spec.ttl.pods.total_seconds())),
            "rayClusterSpec": {
                "rayVersion": RAY_VERSION,
                "headGroupSpec": {
                    "rayStartParams": {"num-cpus": "0", "dashboard-host": "0.0.0.0"},  # noqa: S104 - in its own pod
                    "template": _head(job, ledger, labels),
                },
                "workerGroupSpecs": [
                    {
                        "groupName": "workers",
                        "replicas": job.spec.workers,
                        "minReplicas": job.spec.workers,
                        "maxReplicas": job.spec.workers,
                        "rayStartParams": {"num-cpus": str(ray_cpus(job))},
                        "template": _worker(job, ledger, labels),
                    }
                ],
            },
        },
    }


def labels_of(job: TrainingJob, attempt: int) -> dict[str, str]:
    return {
        MANAGED_BY: "gyre",
        JOB_LABEL: job.name,
        ATTEMPT_LABEL: str(attempt),
        **account(job.metadata.labels),
    }


def ray_cpus(job: TrainingJob) -> int:
    """Ray counts whole CPUs per pod; a worker asks for all of them, so that one pod never holds two workers."""
    return max(1, ceil(parse_quantity(job.spec.resources.cpu)))


def _head(job: TrainingJob, ledger: Ledger, labels: Mapping[str, str]) -> dict[str, Any]:
    run = {"name": "run", "configMap": {"name": run_name(job.name)}}
    env = {
        "GYRE_CONFIGMAP": run_name(job.name),
        "GYRE_NAMESPACE": job.namespace,
        "GYRE_ATTEMPT": str(ledger.count),
        "RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S": str(HEAD_DRAIN_SECONDS),
    }
    own: list[dict[str, Any]] = [
        *({"name": name, "value": value} for name, value in env.items()),
        {"name": "GYRE_POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        {"name": "GYRE_POD_UID", "valueFrom": {"fieldRef": {"fieldPath": "metadata.uid"}}},
    ]
    amounts = {"cpu": job.spec.head.cpu, "memory": job.spec.head.memory}
    mount = {"name": "run", "mountPath": RUN, "readOnly": True}
    pod = _pod(job, ledger, labels, container="ray-head", amounts=amounts, env=own, volumes=[run], mounts=[mount])
    # The only pod with a token, and the token may read and patch one ConfigMap.
    pod["spec"] |= {"serviceAccountName": run_name(job.name), "automountServiceAccountToken": True}
    return pod


def _worker(job: TrainingJob, ledger: Ledger, labels: Mapping[str, str]) -> dict[str, Any]:
    resources = job.spec.resources
    amounts = {"cpu": resources.cpu, "memory": resources.memory}
    if resources.gpu:
        amounts[GPU] = str(resources.gpu)
    return _pod(job, ledger, labels, container="ray-worker", amounts=amounts, env=[], volumes=[], mounts=[])


def _pod(
    job: TrainingJob,
    ledger: Ledger,
    labels: Mapping[str, str],
    *,
    container: str,
    amounts: Mapping[str, str],
    env: list[dict[str, Any]],
    volumes: list[dict[str, Any]],
    mounts: list[dict[str, Any]],
) -> dict[str, Any]:
    """Shared memory comes from KubeRay: an emptyDir as large as the container's memory (common/pod.go, addEmptyDir)."""
    spec, reaches = job.spec, reached(job, ledger)
    code_volumes, code_mounts, clone = _code(job)
    scratch = {"name": "tmp", "emptyDir": {}}
    placement = {
        "nodeSelector": dict(spec.node_selector),
        "tolerations": [toleration.to_dict() for toleration in spec.tolerations],
        "priorityClassName": spec.priority_class_name,
        "imagePullSecrets": [{"name": spec.image_pull_secret}] if spec.image_pull_secret else [],
        "initContainers": clone,
    }
    return {
        "metadata": {"labels": dict(labels)},
        "spec": {
            "automountServiceAccountToken": False,
            "enableServiceLinks": False,
            "restartPolicy": "Always",  # an OOM kill is only written down in a container that starts again
            "terminationGracePeriodSeconds": GRACE_SECONDS,
            "securityContext": {**restricted.POD, **restricted.OWNS_FILES},
            **{key: value for key, value in placement.items() if value},
            "containers": [
                {
                    "name": container,
                    "image": spec.image,
                    "imagePullPolicy": str(spec.image_pull_policy),
                    "env": _env(job, env, reaches),
                    "resources": {
                        "requests": dict(amounts),
                        "limits": {key: value for key, value in amounts.items() if key != "cpu"},
                    },
                    "securityContext": restricted.CONTAINER,
                    "volumeMounts": [
                        {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
                        *mounts,
                        *code_mounts,
                        *(mount for reach in reaches.values() for mount in reach.mounts),
                    ],
                }
            ],
            "volumes": [
                scratch,
                *volumes,
                *code_volumes,
                *(volume for reach in reaches.values() for volume in reach.volumes),
            ],
        },
    }


def _env(job: TrainingJob, own: list[dict[str, Any]], reaches: Mapping[str, Reach]) -> list[dict[str, Any]]:
    """Ours first; a variable of the user's wins over one of Ray's settings, never over a name of ours (see the CRD)."""
    entries: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in RAY_ENV.items()]
    entries += _code_env(job)
    entries += own
    entries += [entry for reach in reaches.values() for entry in reach.env]
    for variable in job.spec.env:
        if variable.secret_key_ref:
            entries.append({"name": variable.name, "valueFrom": {"secretKeyRef": variable.secret_key_ref.to_dict()}})
        else:
            entries.append({"name": variable.name, "value": variable.value or ""})
    return list({entry["name"]: entry for entry in entries}.values())


def _code(job: TrainingJob) -> tuple[list[dict[str, Any]], list[dict[str, Any]], list[dict[str, Any]]]:
    """Volumes, mounts and init containers that bring the user's code to head and workers."""
    script = job.spec.entrypoint.script
    if script is None or script.image is not None:
        return [], [], []
    mounts = [{"name": "code", "mountPath": CODE, "readOnly": True}]
    if script.config_map is not None:
        return [{"name": "code", "configMap": {"name": script.config_map.name}}], mounts, []
    assert script.git is not None  # noqa: S101 - the API server admits exactly one of the three
    return [{"name": "code", "emptyDir": {}}], mounts, [_clone(job, script.git)]


def _code_env(job: TrainingJob) -> list[dict[str, Any]]:
    """Modules beside the script are found by the workers through PYTHONPATH."""
    script = job.spec.entrypoint.script
    if script is None:
        return []
    if script.image is not None:
        return [{"name": "PYTHONPATH", "value": script.image.path.rpartition("/")[0] or "/"}]
    if script.git is None:
        return [{"name": "PYTHONPATH", "value": CODE}]
    folder = "/".join((REPOSITORY, *script.git.path.split("/")[:-1]))
    return [{"name": "PYTHONPATH", "value": folder}, {"name": "GYRE_CODE_REVISION", "value": script.git.revision}]


def _clone(job: TrainingJob, git: Git) -> dict[str, Any]:
    return {
        "name": "code",
        "image": job.spec.image,
        "imagePullPolicy": str(job.spec.image_pull_policy),
        "command": ["/bin/sh", "-c", CLONE],
        "workingDir": CODE,
        "env": [
            {"name": "GYRE_GIT_URL", "value": git.url},
            {"name": "GYRE_GIT_REVISION", "value": git.revision},
            {"name": "HOME", "value": "/tmp"},  # noqa: S108
        ],
        "securityContext": restricted.CONTAINER,
        "volumeMounts": [
            {"name": "code", "mountPath": CODE},
            {"name": "tmp", "mountPath": "/tmp"},  # noqa: S108
        ],
        "resources": {"requests": {"cpu": "100m", "memory": "128Mi"}, "limits": {"memory": "512Mi"}},
    }


def reached(job: TrainingJob, ledger: Ledger) -> dict[str, Reach]:
    """How the pods reach the storage, each data set, the model to start from and the one to compare with, by name of volume."""
    places = {
        "storage": storage.reach(place_of(job), volume="storage", mount=STORAGE, read_only=False),
        **{
            f"data-{pin.name}": storage.reach(
                pin.place, volume=f"data-{pin.name}"[:63], mount=f"{DATA}/{pin.name}", read_only=True
            )
            for pin in ledger.pins
        },
    }
    if ledger.warm_start:
        places["warmstart"] = storage.reach(ledger.warm_start.place, volume="warmstart", mount=WARM, read_only=True)
    champion = ledger.champion
    if champion and champion.place and not champion.problem:
        places["champion"] = storage.reach(
            champion.place, volume="champion", mount=CHAMPION, read_only=True, may_be_gone=True
        )
    return places


def place_of(job: TrainingJob) -> storage.Place:
    return place(job.spec.storage.pvc, job.spec.storage.s3)


def place(pvc: Claim | None, s3: Bucket | None) -> storage.Place:
    if pvc is not None:
        return storage.ClaimPlace(pvc.claim_name, pvc.path)
    assert s3 is not None  # noqa: S101 - the API server admits exactly one of the two
    secret = s3.credentials_secret.name if s3.credentials_secret else None
    return storage.BucketPlace(s3.bucket, s3.prefix, s3.endpoint, s3.region, secret)


def secrets_of(places: Iterable[storage.Place]) -> set[str]:
    """The Secrets whose keys the pods would need; a program has one set of AWS_* variables."""
    return {place.secret for place in places if isinstance(place, storage.BucketPlace) and place.secret}
