"""KServe's InferenceService, one a version, and what it makes: as we write it and as we read it.

Facts, each from kserve/kserve v0.20.0:
- `status.observedGeneration` is that of the child Deployment (`inference_service_status.go`, issue #6081): never asked here.
  Converged is what the Deployment says of a pod template that carries our digest.
- Annotations of the InferenceService are copied to the pod template (`components/predictor.go`, buildPredictorResources), and
  those of the predictor win (buildObjectMeta). The engine's digest of the whole intent would thus restart every pod whenever
  `minReplicas` changes; the predictor's own annotation of that name, a digest of what is in the pods, stands in its way.
- Labels of the InferenceService reach Deployment, Service and pods, and from the Service its EndpointSlices.
- With `autoscalerClass: none` the Deployment has `minReplicas` replicas, and a `kubectl scale` is undone.
- The defaulter writes quantities in their canonical form, and a CPU and memory limit where there is none
  (`inference_service_defaults.go`, setResourceRequirementDefaults).
- Creating and changing one goes through its webhooks with failurePolicy Fail, and so does every pod: without the controller
  nothing new comes up, and what runs goes on.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from gyre.adapters.ownership import controller_uid
from gyre.api.gvks import KSERVE_SERVICE
from gyre.api.intent import INTENT, contains

CONTAINER: Final = "kserve-container"
PREDICTOR_LABEL: Final = "serving.kserve.io/inferenceservice"
"""On everything that KServe makes of an InferenceService: its name."""
PORT: Final = 80
"""Of the Service `<name>-predictor`, whatever the container listens on."""
ANNOTATIONS: Final = {
    "serving.kserve.io/deploymentMode": "Standard",
    "serving.kserve.io/autoscalerClass": "none",
}
DEFINITION: Final = f"{KSERVE_SERVICE.plural}.{KSERVE_SERVICE.group}"
CONTROLLER: Final = {"control-plane": "kserve-controller-manager"}
"""Labels of its pods (`config/manager/manager.yaml`)."""


def inference_service(
    metadata: Mapping[str, Any], *, replicas: int, predictor: Mapping[str, Any], labels: Mapping[str, str]
) -> dict[str, Any]:
    """One predictor. `labels` go to everything that is made of it; old pods go when new ones are ready, never before."""
    pods = {"labels": dict(labels), **predictor}
    return {
        "apiVersion": KSERVE_SERVICE.api_version,
        "kind": KSERVE_SERVICE.kind,
        "metadata": {**metadata, "labels": dict(labels), "annotations": dict(ANNOTATIONS)},
        "spec": {
            "predictor": {
                **pods,
                "annotations": {INTENT: template_digest(pods)},
                "minReplicas": replicas,
                "deploymentStrategy": {
                    "type": "RollingUpdate",
                    "rollingUpdate": {"maxUnavailable": 0, "maxSurge": 1},
                },
            }
        },
    }


def template_digest(pods: Mapping[str, Any]) -> str:
    """Of what is in the pods: two predictors with the same one need no new pods."""
    return hashlib.sha256(json.dumps(pods, sort_keys=True).encode()).hexdigest()[:16]


def template_of(manifest: Mapping[str, Any]) -> str:
    """The digest that the pods of an InferenceService are to carry."""
    annotations = manifest["spec"]["predictor"].get("annotations") or {}
    return str(annotations.get(INTENT, ""))


@dataclass(frozen=True, slots=True)
class PredictorView:
    """An InferenceService of KServe as it is. `message` is KServe's own word on why it is not ready."""

    name: str
    uid: str
    owner: str
    deleting: bool
    ready: bool
    message: str
    spec: Mapping[str, Any]

    def says(self, manifest: Mapping[str, Any]) -> bool:
        """Its spec is what the manifest means."""
        return contains(self.spec, manifest["spec"])

    @classmethod
    def of(cls, obj: Mapping[str, Any]) -> PredictorView:
        metadata = obj["metadata"]
        conditions = {entry.get("type"): entry for entry in (obj.get("status") or {}).get("conditions") or ()}
        told = conditions.get("PredictorReady") or conditions.get("Ready") or {}
        failure = ((obj.get("status") or {}).get("modelStatus") or {}).get("lastFailureInfo") or {}
        said = (told.get("message") or failure.get("message") or "") if told.get("status") != "True" else ""
        return cls(
            name=metadata["name"],
            uid=metadata.get("uid", ""),
            owner=controller_uid(obj),
            deleting=bool(metadata.get("deletionTimestamp")),
            ready=(conditions.get("Ready") or {}).get("status") == "True",
            message=str(said),
            spec=obj.get("spec") or {},
        )
