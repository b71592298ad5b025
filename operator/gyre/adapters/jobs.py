"""batch/v1 Jobs as we read them, and the one shape in which we write them: one pod, one try, nothing it does not need.

A Job's own retries stay off: they know no cause and no patience. Only a pod that was disrupted (drained, evicted, preempted)
is replaced by the Job itself, since that says nothing about the program. Never raises: a half-written Job is still running.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gyre.adapters.pods import moment
from gyre.api import restricted
from gyre.api.effects import Manifest

JOB_NAME_LABEL: Final = "batch.kubernetes.io/job-name"
"""Set on every pod by the Job controller, since Kubernetes 1.27."""


@dataclass(frozen=True, slots=True)
class JobView:
    name: str
    uid: str
    deleting: bool
    created: datetime | None
    complete: bool
    failed: str
    """Reason of the Failed condition, such as DeadlineExceeded; empty while it has not failed."""
    ended: datetime | None

    @property
    def over(self) -> bool:
        return self.complete or bool(self.failed)

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> JobView:
        metadata, status = obj["metadata"], obj.get("status") or {}
        true = {entry.get("type"): entry for entry in status.get("conditions") or () if entry.get("status") == "True"}
        end = true.get("Complete") or true.get("Failed") or {}
        return cls(
            name=metadata["name"],
            uid=metadata.get("uid", ""),
            deleting=bool(metadata.get("deletionTimestamp")),
            created=moment(metadata.get("creationTimestamp")),
            complete="Complete" in true,
            failed=str(true["Failed"].get("reason") or "Failed") if "Failed" in true else "",
            ended=moment(end.get("lastTransitionTime")),
        )


def job(
    metadata: Mapping[str, Any],
    *,
    container: Mapping[str, Any],
    volumes: Sequence[Mapping[str, Any]],
    seconds: int,
    owns_files: bool,
) -> Manifest:
    """A Job of one restricted container with a `/tmp`. `owns_files`: the volumes' files are made its own group's."""
    group = restricted.OWNS_FILES if owns_files else {}
    mounts = [*container.get("volumeMounts", ()), {"name": "tmp", "mountPath": "/tmp"}]  # noqa: S108 - in the pod
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": dict(metadata),
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "podFailurePolicy": {
                "rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                ],
            },
            "template": {
                "metadata": {"labels": dict(metadata["labels"])},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "terminationGracePeriodSeconds": 10,
                    "securityContext": {**restricted.POD, **group},
                    "containers": [
                        {
                            **container,
                            "imagePullPolicy": "IfNotPresent",
                            "securityContext": restricted.CONTAINER,
                            "terminationMessagePolicy": "FallbackToLogsOnError",
                            "volumeMounts": mounts,
                        }
                    ],
                    "volumes": [*volumes, {"name": "tmp", "emptyDir": {}}],
                },
            },
        },
    }
