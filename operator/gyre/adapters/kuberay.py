"""KubeRay's RayJob and RayCluster as we read them, and the few words that we say to them.

Every statement about KubeRay here was read in github.com/ray-project/kuberay/ray-operator v1.6.0; the paths are below its
`controllers/ray/`.

- The name of a RayJob is a DNS-1035 label (it begins with a letter) of at most 47 characters (utils/validation.go,
  ValidateRayJobMetadata).
- `JobStatus` STOPPED ends as deployment status `Complete` with an empty reason, exactly like SUCCEEDED
  (rayjob_controller.go, JobDeploymentStatusRunning): only `jobStatus == SUCCEEDED` is success.
- ValidationFailed has no way out: the spec has to be a new object (rayjob_controller.go, `default:`).
- A lost head is noticed only when the dashboard was silent for 300 s; and a head container that restarts in place gets
  the job submitted again (rayjob_controller.go, `errors.IsBadRequest` in HTTPMode). So we look at the pods ourselves.
- With the annotation `ray.io/disable-provisioned-head-restart` a lost head of a provisioned cluster is not replaced
  (raycluster_controller.go, shouldSkipHeadPodRestart); annotations and labels of a RayJob are copied to its RayCluster
  (rayjob_controller.go, constructRayClusterForRayJob), so setting it on the RayJob is enough.
- A pod with restartPolicy Always whose Ray container died is left to the kubelet (raycluster_controller.go,
  shouldDeletePod), which keeps `lastState.terminated`: the only place where an OOM kill is written down.
- `status.message` of a failed job ends with the last lines of its log (utils/dashboardclient: JobInfo.Message).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from gyre.adapters.ownership import controller_uid
from gyre.adapters.pods import moment

RAY_VERSION: Final = "2.60.0"
MAX_RAY_JOB_NAME: Final = 47
NO_HEAD_RESTART: Final = "ray.io/disable-provisioned-head-restart"
QUEUE_LABEL: Final = "kueue.x-k8s.io/queue-name"
"""Kueue's own; it then writes `spec.suspend` and merges scheduling fields: create once, never re-apply."""
NODE_TYPE_LABEL: Final = "ray.io/node-type"
DASHBOARD_PORT: Final = 8265

TERMINAL_JOB: Final = frozenset({"SUCCEEDED", "FAILED", "STOPPED"})


@dataclass(frozen=True, slots=True)
class RayJobView:
    """One attempt's RayJob. Strings are empty where KubeRay has not spoken yet."""

    name: str
    uid: str
    owner: str
    attempt: int
    deleting: bool
    suspended: bool
    job_status: str
    deployment: str
    reason: str
    message: str
    cluster: str
    ended: datetime | None

    @property
    def succeeded(self) -> bool:
        return self.job_status == "SUCCEEDED"

    @property
    def over(self) -> bool:
        """Nothing will run any more in this RayJob, whatever the cause."""
        return self.job_status in TERMINAL_JOB or self.deployment in ("Complete", "Failed", "ValidationFailed")

    @classmethod
    def of(cls, obj: Mapping[str, Any], *, attempt_label: str) -> RayJobView:
        metadata, status = obj["metadata"], obj.get("status") or {}
        info = status.get("rayJobInfo") or {}
        return cls(
            name=metadata["name"],
            uid=metadata.get("uid", ""),
            owner=controller_uid(obj),
            attempt=attempt_of(metadata, attempt_label),
            deleting=bool(metadata.get("deletionTimestamp")),
            suspended=bool((obj.get("spec") or {}).get("suspend")),
            job_status=status.get("jobStatus") or "",
            deployment=status.get("jobDeploymentStatus") or "",
            reason=status.get("reason") or "",
            message=status.get("message") or "",
            cluster=status.get("rayClusterName") or "",
            ended=moment(info.get("endTime")) or moment(status.get("endTime")),
        )


def attempt_of(metadata: Mapping[str, Any], label: str) -> int:
    """The attempt that an object belongs to, by its label; 0 when it carries none that makes sense."""
    value = str((metadata.get("labels") or {}).get(label, ""))
    return int(value) if value.isascii() and value.isdigit() else 0
