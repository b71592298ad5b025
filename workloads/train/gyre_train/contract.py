"""The shapes of docs/run-contract.md, version 1, on the side of the code in the pods.

Promises   what is read is checked on reading, and a wrong field is named; what is written keeps to the page's names, units
           and limits (tests/unit/workloads/test_contract.py holds both to docs/run-contract.example.json).
Never      knows Kubernetes, Ray or torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Literal

VERSION: Final = 1
PROGRESS_LIMIT: Final = 64 * 1024  # bytes of progress.json
RESTARTS_KEPT: Final = 10
METRICS_KEPT: Final = 50

State = Literal[
    "Starting", "Verifying", "Restoring", "Running", "Recovering", "Evaluating", "Parked", "Succeeded", "Failed"
]
FailureClass = Literal["User", "StorageNotWritable", "DatasetChanged", "RestoreFailed", "Framework"]


class ContractError(ValueError):
    """run.json is not what docs/run-contract.md says; the text names the field."""


@dataclass(frozen=True, slots=True)
class S3:
    """Where an S3-compatible store answers; credentials come from AWS_* in the environment, never from here."""

    endpoint: str | None = None
    region: str | None = None


@dataclass(frozen=True, slots=True)
class Storage:
    path: str  # a folder or s3://bucket/prefix, for this process
    uri: str  # the same place as people write it: pvc://claim/sub or s3://…
    s3: S3 | None = None


@dataclass(frozen=True, slots=True)
class Data:
    name: str
    path: str
    digest: str | None = None
    version: int | None = None
    s3: S3 | None = None


@dataclass(frozen=True, slots=True)
class Script:
    path: str
    args: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Workers:
    count: int = 1
    cpu: float = 1.0
    gpu: float = 0.0


@dataclass(frozen=True, slots=True)
class CheckpointPolicy:
    every_steps: int = 0  # 0: by time alone
    every_seconds: float = 30.0  # 0: by steps alone
    keep: int = 3
    quarantined: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Objective:
    metric: str
    goal: Literal["Maximize", "Minimize"]

    def better(self, new: float, old: float) -> bool:
        return new > old if self.goal == "Maximize" else new < old


@dataclass(frozen=True, slots=True)
class WarmStart:
    path: str
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Champion:
    """The version that speaks for the model when the attempt starts: to be measured on the same rows as the new one."""

    version: str
    digest: str
    path: str
    flavour: str = ""
    s3: S3 | None = None


@dataclass(frozen=True, slots=True)
class RunSpec:
    """run.json. Exactly one of `tabular` and `script` is set."""

    uid: str
    job: str
    attempt: int
    workers: Workers
    storage: Storage
    checkpoint: CheckpointPolicy
    tabular: Mapping[str, Any] | None = None
    script: Script | None = None
    datasets: tuple[Data, ...] = ()
    parameters: Mapping[str, str] = field(default_factory=dict)
    warm_start: WarmStart | None = None
    champion: Champion | None = None
    push_every_seconds: float = 5.0
    metrics: tuple[str, ...] = ()
    objective: Objective | None = None

    @staticmethod
    def load(path: str | Path) -> RunSpec:
        """Raises OSError when it cannot be read, ContractError when it is wrong."""
        try:
            return RunSpec.parse(json.loads(Path(path).read_text(encoding="utf-8")))
        except json.JSONDecodeError as error:
            raise ContractError(f"{path} is not JSON: {error}") from error

    @staticmethod
    def parse(raw: Mapping[str, Any]) -> RunSpec:
        root = Node(raw, "run.json")
        version = root.get("version", int)
        if version != VERSION:
            raise ContractError(f"run.json: version {version} is not known; this image speaks version {VERSION}")
        entrypoint = root.child("entrypoint")
        tabular, script = entrypoint.maybe("tabular"), entrypoint.maybe("script")
        if (tabular is None) == (script is None):
            raise ContractError("run.json: entrypoint needs exactly one of tabular and script")
        objective = root.maybe("objective")
        warm = root.maybe("warmStart")
        return RunSpec(
            uid=root.get("uid", str),
            job=root.get("job", str),
            attempt=root.get("attempt", int),
            workers=workers(root.child("workers")),
            storage=storage(root.child("storage")),
            checkpoint=checkpoint_policy(root.maybe("checkpoint") or Node({}, "checkpoint")),
            tabular=dict(tabular.raw) if tabular else None,
            script=Script(script.get("path", str), tuple(map(str, script.get("args", list, [])))) if script else None,
            datasets=tuple(data(node) for node in root.children("datasets")),
            parameters={str(key): str(value) for key, value in root.get("parameters", dict, {}).items()},
            warm_start=WarmStart(warm.get("path", str), warm.get("digest", str, None)) if warm else None,
            champion=champion(root.maybe("champion")),
            push_every_seconds=root.get("pushEverySeconds", float, 5.0),
            metrics=tuple(map(str, root.get("metrics", list, []))),
            objective=Objective(objective.get("metric", str), objective.one_of("goal", "Maximize", "Minimize"))
            if objective
            else None,
        )

    def dataset(self, name: str) -> Data:
        """Raises KeyError naming what there is."""
        for known in self.datasets:
            if known.name == name:
                return known
        raise KeyError(f"no dataset {name!r}; run.json has {[known.name for known in self.datasets]}")


def workers(node: Node) -> Workers:
    found = Workers(node.get("count", int), node.get("cpu", float, 1.0), node.get("gpu", float, 0.0))
    if found.count < 1:
        raise ContractError("run.json: workers.count must be at least 1")
    return found


def storage(node: Node) -> Storage:
    path = node.get("path", str).rstrip("/")
    return Storage(path, node.get("uri", str, path).rstrip("/"), s3(node.maybe("s3")))


def data(node: Node) -> Data:
    return Data(
        node.get("name", str),
        node.get("path", str),
        node.get("digest", str, None),
        node.get("version", int, None),
        s3(node.maybe("s3")),
    )


def s3(node: Node | None) -> S3 | None:
    return S3(node.get("endpoint", str, None), node.get("region", str, None)) if node else None


def champion(node: Node | None) -> Champion | None:
    if node is None:
        return None
    return Champion(
        node.get("version", str),
        node.get("digest", str),
        node.get("path", str),
        node.get("flavour", str, ""),
        s3(node.maybe("s3")),
    )


def checkpoint_policy(node: Node) -> CheckpointPolicy:
    return CheckpointPolicy(
        node.get("everySteps", int, 0),
        node.get("everySeconds", float, 30.0),
        max(1, node.get("keep", int, 3)),
        tuple(map(str, node.get("quarantined", list, []))),
    )


_REQUIRED: Final = object()


@dataclass(frozen=True, slots=True)
class Node:
    """A JSON object with its place, so that an error says where."""

    raw: Mapping[str, Any]
    place: str

    def get(self, key: str, kind: type, default: Any = _REQUIRED) -> Any:
        value = self.raw.get(key)
        if value is None:
            if default is _REQUIRED:
                raise ContractError(f"{self.place}: {key} is missing")
            return default
        if kind is float and isinstance(value, int) and not isinstance(value, bool):
            return float(value)
        if not isinstance(value, kind) or (kind is int and isinstance(value, bool)):
            raise ContractError(f"{self.place}: {key} must be {kind.__name__}, not {type(value).__name__}")
        return value

    def one_of(self, key: str, *choices: str) -> Any:
        value = self.get(key, str)
        if value not in choices:
            raise ContractError(f"{self.place}: {key} must be one of {choices}, not {value!r}")
        return value

    def child(self, key: str) -> Node:
        return Node(self.get(key, dict), f"{self.place}: {key}")

    def maybe(self, key: str) -> Node | None:
        return self.child(key) if self.raw.get(key) is not None else None

    def children(self, key: str) -> list[Node]:
        items: Sequence[Any] = self.get(key, list, [])
        for index, item in enumerate(items):
            if not isinstance(item, dict):
                raise ContractError(f"{self.place}: {key}[{index}] must be dict, not {type(item).__name__}")
        return [Node(item, f"{self.place}: {key}[{index}]") for index, item in enumerate(items)]


@dataclass(frozen=True, slots=True)
class Command:
    """command.json. An id that was carried out is not carried out again."""

    park: str | None = None
    drain: str | None = None
    drain_deadline: str | None = None
    drain_pods: tuple[str, ...] = ()

    @staticmethod
    def parse(text: str | None) -> Command:
        """A command that cannot be read is no command: a run does not die of it."""
        try:
            raw = json.loads(text or "{}")
            park, drain = raw.get("park") or {}, raw.get("drain") or {}
            return Command(park.get("id"), drain.get("id"), drain.get("deadline"), tuple(drain.get("pods") or ()))
        except (ValueError, AttributeError, TypeError):
            return Command()


def timestamp(ms: int) -> str:
    """RFC 3339 in UTC with milliseconds."""
    return datetime.fromtimestamp(ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def encoded(progress: Mapping[str, Any]) -> str:
    """progress.json within its limit; the oldest restarts and then the long texts go first."""
    trimmed = dict(progress)
    text = json.dumps(trimmed, separators=(",", ":"), allow_nan=False)
    while len(text.encode()) > PROGRESS_LIMIT and (trimmed.get("restarts") or trimmed.get("lineage")):
        if trimmed.get("restarts"):
            trimmed["restarts"] = trimmed["restarts"][1:]
        else:
            trimmed["lineage"] = None
        text = json.dumps(trimmed, separators=(",", ":"), allow_nan=False)
    return text
