"""The children of a Dataset as plain objects, one function each."""

from __future__ import annotations

from typing import Any, Final

from gyre.adapters import jobs
from gyre.adapters.datasets import DATA_SUFFIX, PvcSource, S3Source, source_of
from gyre.adapters.storage import ACCESS_KEYS
from gyre.api import gvks
from gyre.api.accounts import account
from gyre.api.effects import Manifest, Ref
from gyre.api.kind import MANAGED_BY
from gyre.kinds.dataset.ledger import Ledger, to_data
from gyre.kinds.dataset.model import Dataset, Resources, Variable
from gyre.kinds.dataset.plan import Role, Step

DATASET_LABEL: Final = "gyre.dev/dataset"
ROLE_LABEL: Final = "gyre.dev/role"
MOUNT: Final = "/gyre/data"
PROGRAM: Final = ("/opt/venv/bin/python", "-m", "gyre_data")


def ledger_name(dataset: str) -> str:
    return f"{dataset}-versions"


def ledger(ds: Dataset, content: Ledger) -> Manifest:
    """What the scans found so far: the only memory of a Dataset."""
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": _metadata(ds, ledger_name(ds.name)),
        "data": to_data(content),
    }


def claim(ds: Dataset) -> Manifest | None:
    """The claim of source.volume. Its class and mode never change, its size only grows: the CRD sees to that."""
    volume = ds.spec.source.volume
    if volume is None:
        return None
    storage_class = {"storageClassName": volume.storage_class_name} if volume.storage_class_name else {}
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": _metadata(ds, ds.name + DATA_SUFFIX),
        "spec": {
            "accessModes": [str(volume.access_mode)],
            "resources": {"requests": {"storage": volume.size}},
            **storage_class,
        },
    }


def job(ds: Dataset, step: Step) -> Manifest:
    return prepare_job(ds, step) if step.role is Role.PREPARE else scan_job(ds, step)


def job_ref(ds: Dataset, name: str) -> Ref:
    return Ref(gvks.JOB, ds.namespace, name)


def scan_job(ds: Dataset, step: Step) -> Manifest:
    """Reads the data whole, writes only its termination message."""
    spec, source = ds.spec.scan, _source(ds)
    match source:
        case PvcSource():
            where = ["--path", data_path(source)]
        case S3Source():
            flags = (("--endpoint", source.endpoint), ("--region", source.region))
            where = ["--s3", source.uri, *(word for flag, value in flags if value for word in (flag, value))]
    container = {
        "name": Role.SCAN.value,
        "image": spec.image,
        "command": [*PROGRAM],
        "args": ["scan", *where],
        "env": [*_environment(source)],
        "resources": _resources(spec.resources),
        "volumeMounts": _mounts(source, read_only=True),
    }
    return jobs.job(
        _metadata(ds, step.name, step.role),
        container=container,
        volumes=_volumes(source, read_only=True),
        seconds=int(spec.timeout.total_seconds()),
        # A scan must not change the group of somebody else's files.
        owns_files=ds.spec.source.volume is not None,
    )


def prepare_job(ds: Dataset, step: Step) -> Manifest:
    """The user's program, with the data mounted for writing."""
    spec, source = ds.spec.prepare, _source(ds)
    if spec is None or not isinstance(source, PvcSource):
        raise ValueError("only a Dataset with spec.prepare on a volume has a prepare Job")
    out = () if spec.command or _has_out(spec.args) else ("--out", data_path(source))
    container = {
        "name": Role.PREPARE.value,
        "image": spec.image,
        "command": [*(spec.command or PROGRAM)],
        "args": [*spec.args, *out],
        "env": [*_environment(source), *(_variable(variable) for variable in spec.env)],
        "resources": _resources(spec.resources),
        "volumeMounts": _mounts(source, read_only=False),
    }
    return jobs.job(
        _metadata(ds, step.name, step.role),
        container=container,
        volumes=_volumes(source, read_only=False),
        seconds=int(spec.timeout.total_seconds()),
        owns_files=True,
    )


def data_path(source: PvcSource) -> str:
    """The claim is mounted whole, so that a folder that is missing is told as such and not as a pod that never starts."""
    return f"{MOUNT}/{source.path}".rstrip("/")


def _has_out(args: tuple[str, ...]) -> bool:
    return any(arg == "--out" or arg.startswith("--out=") for arg in args)


def _source(ds: Dataset) -> PvcSource | S3Source:
    return source_of(ds.name, ds.spec.source.to_dict())


def _metadata(ds: Dataset, name: str, role: Role | None = None) -> dict[str, Any]:
    ours = {MANAGED_BY: "gyre", DATASET_LABEL: ds.name, **({ROLE_LABEL: role.value} if role else {})}
    labels = {**account(ds.metadata.labels), **ours}
    return {"name": name, "namespace": ds.namespace, "labels": labels, "ownerReferences": [ds.owner_reference()]}


def _environment(source: PvcSource | S3Source) -> list[dict[str, Any]]:
    home = {"name": "HOME", "value": "/tmp"}  # noqa: S108 - in the pod; the root file system is read-only
    if isinstance(source, PvcSource):
        return [home, {"name": "GYRE_DATA_PATH", "value": data_path(source)}]
    secret = source.credentials_secret
    keys = ACCESS_KEYS if secret else ()
    return [home, *({"name": key, "valueFrom": {"secretKeyRef": {"name": secret, "key": key}}} for key in keys)]


def _variable(variable: Variable) -> dict[str, Any]:
    if variable.secret_key_ref:
        return {"name": variable.name, "valueFrom": {"secretKeyRef": variable.secret_key_ref.to_dict()}}
    return {"name": variable.name, "value": variable.value or ""}


def _resources(resources: Resources) -> dict[str, Any]:
    return {
        "requests": {"cpu": resources.cpu, "memory": resources.memory},
        "limits": {"memory": resources.memory},
    }


def _mounts(source: PvcSource | S3Source, *, read_only: bool) -> list[dict[str, Any]]:
    if not isinstance(source, PvcSource):
        return []
    return [{"name": "data", "mountPath": MOUNT, **({"readOnly": True} if read_only else {})}]


def _volumes(source: PvcSource | S3Source, *, read_only: bool) -> list[dict[str, Any]]:
    if not isinstance(source, PvcSource):
        return []
    flag = {"readOnly": True} if read_only else {}
    return [{"name": "data", "persistentVolumeClaim": {"claimName": source.claim, **flag}}]
