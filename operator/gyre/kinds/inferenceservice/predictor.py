"""KServe's InferenceService of one version: the pods that serve it. Pure.

The pods are restricted, have no token and no secrets in their spec; the artifact of a claim is mounted read-only, keys of a
bucket come by reference. A pod that has to go answers for some seconds more, until no gateway sends it anything.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from gyre.adapters import kserve, storage
from gyre.adapters.pods import GPU
from gyre.adapters.versions import USES_MODEL_VERSION
from gyre.api import restricted
from gyre.api.accounts import account
from gyre.api.kind import MANAGED_BY
from gyre.api.quantities import canonical, format_quantity, parse_quantity
from gyre.kinds.inferenceservice import collecting
from gyre.kinds.inferenceservice.ledger import Version
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import SERVICE_LABEL, predictor_name
from gyre.kinds.inferenceservice.parts import Container, OwnServer, ServingRuntime, Variable

MODELS: Final = "/mnt/models"
PORT: Final = 8080
PROGRAM: Final = ("/opt/venv/bin/python", "-m", "gyre_serve")
LEAVING_SECONDS: Final = 5
"""Between the word that a pod goes and its SIGTERM: endpoints reach Envoy within a second (measured 0.3 s)."""
GRACE_SECONDS: Final = 60
PROBE_SECONDS: Final = 2
STARTING_SECONDS: Final = 1800
"""Not rollout.readyWithin: a change of that would restart every pod."""


def predictor(gis: InferenceService, version: Version) -> dict[str, Any]:
    """The whole object; the same version and spec give the same one."""
    labels = labels_of(gis, version)
    metadata = {
        "name": predictor_name(gis.name, version.digest),
        "namespace": gis.namespace,
        "ownerReferences": [gis.owner_reference()],
    }
    return kserve.inference_service(metadata, replicas=gis.spec.replicas, predictor=_pods(gis, version), labels=labels)


def port_of(gis: InferenceService) -> int:
    """Where the container listens; a ServingRuntime of KServe is taken to listen where all of KServe's own do."""
    runtime = gis.spec.runtime.chosen
    return runtime.port if isinstance(runtime, Container) else PORT


def ready_path(gis: InferenceService) -> str:
    """Answered with 200 by a version that can serve."""
    runtime = gis.spec.runtime.chosen
    return runtime.readiness_path if isinstance(runtime, Container) else f"/v2/models/{gis.name}/ready"


def labels_of(gis: InferenceService, version: Version) -> dict[str, str]:
    """They reach Deployment, Service, EndpointSlices and pods; the version cannot be deleted while they are there."""
    ours = {MANAGED_BY: "gyre", SERVICE_LABEL: gis.name, USES_MODEL_VERSION: version.name}
    return {**account(gis.metadata.labels), **ours}


def _pods(gis: InferenceService, version: Version) -> dict[str, Any]:
    place = storage.from_uri(version.uri)
    placement = {
        "nodeSelector": dict(gis.spec.node_selector),
        "imagePullSecrets": [{"name": gis.spec.image_pull_secret}] if gis.spec.image_pull_secret else [],
    }
    common = {
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "terminationGracePeriodSeconds": GRACE_SECONDS,
        "securityContext": restricted.POD,
        **{key: value for key, value in placement.items() if value},
    }
    runtime = gis.spec.runtime.chosen
    if not isinstance(runtime, OwnServer):
        common |= collecting.agent(gis, version, labels_of(gis, version))
    if isinstance(runtime, ServingRuntime):
        return common | _by_kserve(gis, version, runtime)
    reach = storage.reach(_reached(gis, place), volume="model", mount=MODELS, read_only=True) if place else None
    token = collecting.token_of(gis) if isinstance(runtime, OwnServer) else None
    container = _container(gis, version, runtime, reach)
    container["volumeMounts"] += [mount for more in (reach, token) if more for mount in more.mounts]
    volumes = [volume for more in (reach, token) if more for volume in more.volumes]
    return common | {"containers": [container], "volumes": [{"name": "tmp", "emptyDir": {}}, *volumes]}


def _reached(gis: InferenceService, place: storage.Place) -> storage.Place:
    """A bucket's URI does not say how to reach it: the spec does."""
    s3 = gis.spec.s3
    if isinstance(place, storage.ClaimPlace) or s3 is None:
        return place
    secret = s3.credentials_secret.name if s3.credentials_secret else None
    return storage.BucketPlace(place.bucket, place.prefix, s3.endpoint, s3.region, secret)


def _container(
    gis: InferenceService, version: Version, runtime: OwnServer | Container, reach: storage.Reach | None
) -> dict[str, Any]:
    ours = isinstance(runtime, OwnServer)
    port = port_of(gis)
    command = list(PROGRAM) if isinstance(runtime, OwnServer) else list(runtime.command)
    arguments = [] if isinstance(runtime, OwnServer) else list(runtime.args)
    return {
        "name": kserve.CONTAINER,
        "image": runtime.image,
        "imagePullPolicy": str(runtime.image_pull_policy),
        **({"command": command} if command else {}),
        **({"args": arguments} if arguments else {}),
        "env": _env(gis, version, runtime, reach),
        "ports": [{"containerPort": port, "protocol": "TCP"}],
        "resources": _resources(gis),
        **_probes(port, ready_path(gis), alive="/v2/health/live" if ours else None),
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVING_SECONDS}}},
        "securityContext": restricted.CONTAINER,
        "volumeMounts": [{"name": "tmp", "mountPath": "/tmp"}],  # noqa: S108 - the pod's own
    }


def _env(
    gis: InferenceService, version: Version, runtime: OwnServer | Container, reach: storage.Reach | None
) -> list[dict[str, Any]]:
    """docs/run-contract.md, section Serving."""
    s3 = (reach.s3 or {}) if reach else {}
    values = {
        "GYRE_MODEL": gis.name,
        "GYRE_MODEL_VERSION": version.name,
        "GYRE_ARTIFACT_URI": version.uri,
        "GYRE_ARTIFACT_DIGEST": version.digest,
        "GYRE_ARTIFACT_DIR": MODELS,
        **({"GYRE_S3_ENDPOINT": s3["endpoint"]} if "endpoint" in s3 else {}),
        **({"GYRE_S3_REGION": s3["region"]} if "region" in s3 else {}),
        "HOME": "/tmp",  # noqa: S108
    }
    if isinstance(runtime, OwnServer):
        values["GYRE_MAX_BODY_BYTES"] = str(int(parse_quantity(runtime.max_body_bytes)))
        values |= collecting.told_of(gis)
    given: tuple[Variable, ...] = () if isinstance(runtime, OwnServer) else runtime.env
    entries: list[dict[str, Any]] = [{"name": name, "value": value} for name, value in values.items()]
    entries += list(reach.env) if reach else []
    for variable in given:
        if variable.secret_key_ref:
            entries.append({"name": variable.name, "valueFrom": {"secretKeyRef": variable.secret_key_ref.to_dict()}})
        else:
            entries.append({"name": variable.name, "value": variable.value or ""})
    return list({entry["name"]: entry for entry in entries}.values())


def _probes(port: int, ready: str, *, alive: str | None) -> dict[str, Any]:
    """Coming up may take long: the rollout has its own patience. Being up is asked every two seconds."""
    asked = {"httpGet": {"path": ready, "port": port}, "periodSeconds": PROBE_SECONDS, "timeoutSeconds": 2}
    lives = {"httpGet": {"path": alive, "port": port}, "periodSeconds": 10, "timeoutSeconds": 5, "failureThreshold": 6}
    return {
        "startupProbe": {**asked, "failureThreshold": STARTING_SECONDS // PROBE_SECONDS},
        "readinessProbe": {**asked, "failureThreshold": 2},
        **({"livenessProbe": lives} if alive else {}),
    }


def _resources(gis: InferenceService) -> dict[str, Any]:
    """In canonical form: KServe's webhook writes it back so, and another text would look like a change."""
    asked = gis.spec.resources
    cpu, memory = parse_quantity(asked.cpu), canonical(asked.memory)
    gpu = {GPU: str(asked.gpu)} if asked.gpu else {}
    return {
        "requests": {"cpu": format_quantity(cpu), "memory": memory, **gpu},
        "limits": {"cpu": format_quantity(max(2 * cpu, parse_quantity("1"))), "memory": memory, **gpu},
    }


def _by_kserve(gis: InferenceService, version: Version, runtime: ServingRuntime) -> dict[str, Any]:
    """KServe's own runtimes: it mounts or fetches the artifact, and merges this into the runtime's container."""
    model: Mapping[str, Any] = {
        "modelFormat": {"name": runtime.model_format},
        **({"runtime": runtime.runtime} if runtime.runtime else {}),
        "protocolVersion": str(runtime.protocol_version),
        "storageUri": version.uri,
        "args": [f"--model_name={gis.name}", *runtime.args],
        "resources": _resources(gis),
        "lifecycle": {"preStop": {"sleep": {"seconds": LEAVING_SECONDS}}},
        "securityContext": restricted.CONTAINER,
    }
    account = {"serviceAccountName": runtime.service_account_name} if runtime.service_account_name else {}
    return {"model": dict(model), **account}
