"""A ModelVersion as a CycloneDX 1.6 machine-learning bill of materials. Pure.

Written as JSON, and validated in the tests with the strict schema of `cyclonedx-python-lib`: that library (11.12) has no class
for a model card, so its objects cannot say what is most wanted here.

Promises   the same objects give the same text; what an object does not state is left out, and never guessed.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from gyre import __version__
from gyre.api.kind import Object
from gyre.lineage.naming import data_at, serial

SCHEMA: Final = "http://cyclonedx.org/schema/bom-1.6.schema.json"
MERKLE: Final = "Merkle root over the files: docs/run-contract.md"
MODEL, IMAGE, CODE = "model", "image", "code"


@dataclass(frozen=True, slots=True)
class Origin:
    """A ModelVersion with what is still there of its Model and its Datasets."""

    version: Object
    model: Object | None = None
    datasets: Mapping[str, Object] = field(default_factory=dict)

    @property
    def lineage(self) -> Mapping[str, Any]:
        found: Mapping[str, Any] = (self.version.get("spec") or {}).get("lineage") or {}
        return found


def bom(of: Origin) -> dict[str, Any]:
    metadata = of.version["metadata"]
    parts = [*_datasets(of), *_image(of), *_code(of), *_libraries(of)]
    refs = [part["bom-ref"] for part in parts]
    return {
        "$schema": SCHEMA,
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "serialNumber": f"urn:uuid:{serial(str(metadata.get('uid', '')))}",
        "version": 1,
        "metadata": {
            **({"timestamp": metadata["creationTimestamp"]} if metadata.get("creationTimestamp") else {}),
            "tools": {"components": [{"type": "application", "name": "gyre", "version": __version__}]},
            "component": _model(of),
        },
        "components": parts,
        "dependencies": [{"ref": MODEL, **({"dependsOn": refs} if refs else {})}, *({"ref": ref} for ref in refs)],
    }


# ── the model ────────────────────────────────────────────────────────────────────────────────────────────────────────


def _model(of: Origin) -> dict[str, Any]:
    metadata, spec = of.version["metadata"], of.version.get("spec") or {}
    artifact, about = spec.get("artifact") or {}, (of.model or {}).get("spec") or {}
    name = str((spec.get("modelRef") or {}).get("name", ""))
    return {
        "type": "machine-learning-model",
        "bom-ref": MODEL,
        **({"authors": [{"name": about["owner"]}]} if about.get("owner") else {}),
        "name": name,
        "version": str(metadata["name"]),
        **({"description": about["description"]} if about.get("description") else {}),
        **_hashes(artifact.get("digest")),
        **({"externalReferences": [{"type": "distribution", "url": artifact["uri"]}]} if artifact.get("uri") else {}),
        **_pedigree(of),
        "modelCard": _card(of, spec, about),
        "properties": _properties(of, artifact, about),
    }


def _card(of: Origin, spec: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    parameters: dict[str, Any] = {"task": str(about["task"]).lower()} if about.get("task") else {}
    if used := [{"ref": part["bom-ref"]} for part in _datasets(of)]:
        parameters["datasets"] = used
    card: dict[str, Any] = {"modelParameters": parameters} if parameters else {}
    if metrics := list(_metrics(spec)):
        card["quantitativeAnalysis"] = {"performanceMetrics": metrics}
    if about.get("description"):
        card["considerations"] = {"useCases": [about["description"]]}
    return card


def _metrics(spec: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """Of the version, then of what it was compared with."""
    evaluation = spec.get("evaluation") or {}
    rows, split = evaluation.get("rows"), evaluation.get("split")
    slice_ = ", ".join(part for part in (split, f"{rows} rows" if rows is not None else "") if part)
    told = {**(evaluation.get("metrics") or {}), **(spec.get("metrics") or {})}
    for name in sorted(told):
        where = {"slice": slice_} if slice_ and name in (evaluation.get("metrics") or {}) else {}
        yield {"type": name, "value": str(told[name]), **where}
    baseline = evaluation.get("baseline") or {}
    for name in sorted(baseline.get("metrics") or {}):
        yield {"type": name, "value": str(baseline["metrics"][name]), "slice": f"baseline: {baseline.get('name', '')}"}
    champion = evaluation.get("champion") or {}
    for name in sorted(champion.get("metrics") or {}):
        yield {
            "type": name,
            "value": str(champion["metrics"][name]),
            "slice": f"champion: {champion.get('version', '')}",
        }


def _pedigree(of: Origin) -> dict[str, Any]:
    run, code = of.lineage.get("run") or {}, of.lineage.get("code") or {}
    said: dict[str, Any] = {}
    if code.get("revision"):
        said["commits"] = [{"uid": str(code["revision"])}]
    if run.get("name"):
        tries = f", {run['attempts']} attempts" if run.get("attempts") else ""
        said["notes"] = f"trained by TrainingJob {run['name']} (uid {run.get('uid', 'unknown')}{tries})"
    return {"pedigree": said} if said else {}


def _properties(of: Origin, artifact: Mapping[str, Any], about: Mapping[str, Any]) -> list[dict[str, str]]:
    run = of.lineage.get("run") or {}
    found = {
        "gyre:artifact:flavour": artifact.get("flavour"),
        "gyre:artifact:bytes": artifact.get("bytes"),
        "gyre:digest": MERKLE if artifact.get("digest") else None,
        "gyre:risk": about.get("risk"),
        "gyre:run:started": run.get("started"),
        "gyre:run:finished": run.get("finished"),
        **{f"gyre:parameter:{name}": value for name, value in sorted((of.lineage.get("parameters") or {}).items())},
    }
    return [{"name": name, "value": str(value)} for name, value in found.items() if value not in (None, "")]


# ── what it was made from ────────────────────────────────────────────────────────────────────────────────────────────


def _datasets(of: Origin) -> list[dict[str, Any]]:
    namespace, parts = str(of.version["metadata"].get("namespace", "")), []
    for number, row in enumerate(of.lineage.get("datasets") or ()):
        name, obj = str(row.get("name", "")), of.datasets.get(str(row.get("name", "")))
        content: dict[str, Any] = {"type": "dataset", "name": name}
        if obj is not None:
            where, path = data_at(namespace, obj)
            content["contents"] = {"url": f"{where}/{path.strip('/')}".rstrip("/")}
        about = ((obj or {}).get("spec") or {}).get("description")
        role = [{"name": "gyre:role", "value": str(row["role"])}] if row.get("role") else []
        parts.append(
            {
                "type": "data",
                "bom-ref": f"data-{number}-{name}",
                "name": name,
                **({"version": str(row["version"])} if row.get("version") is not None else {}),
                **({"description": about} if about else {}),
                **_hashes(row.get("digest")),
                "data": [content],
                "properties": [*role, {"name": "gyre:digest", "value": MERKLE}],
            }
        )
    return parts


def _image(of: Origin) -> list[dict[str, Any]]:
    image = of.lineage.get("image") or {}
    if not image.get("name"):
        return []
    return [{"type": "container", "bom-ref": IMAGE, "name": str(image["name"]), **_hashes(image.get("digest"))}]


def _code(of: Origin) -> list[dict[str, Any]]:
    code = of.lineage.get("code") or {}
    if not code.get("sha256"):
        return []
    version = {"version": str(code["revision"])} if code.get("revision") else {}
    name = str(code.get("path") or "training program")
    return [{"type": "file", "bom-ref": CODE, "name": name, **version, **_hashes(code["sha256"])}]


def _libraries(of: Origin) -> list[dict[str, Any]]:
    """`torch 2.6.0, ray 2.60.0`, as the run said it."""
    parts: list[dict[str, Any]] = []
    for said in filter(None, map(str.strip, str(of.lineage.get("framework") or "").split(","))):
        name, _, version = said.partition(" ")
        kept = {"version": version.strip()} if version.strip() else {}
        parts.append({"type": "framework", "bom-ref": f"framework-{len(parts)}-{name}", "name": name, **kept})
    return parts


def _hashes(digest: Any) -> dict[str, Any]:
    """Of a digest as gyre and registries write it; of anything else none."""
    content = str(digest or "").removeprefix("sha256:")
    whole = len(content) == 64 and all(letter in "0123456789abcdef" for letter in content)
    return {"hashes": [{"alg": "SHA-256", "content": content}]} if whole else {}
