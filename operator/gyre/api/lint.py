"""Conventions that every CRD of ours keeps, as a table of rules over the generated schema.

Promises   `lint(crd)` returns every breach that no reviewed exception covers; `stale(crds)` every exception that no
           breach needs any more.
Never      repeats what the API server checks itself (structural schemas, CEL that compiles, CEL cost): the tests
           apply the CRDs to a real one for that.

After kubernetes-sigs/kube-api-linter (rules nobools, nofloats, maxlength, nophase, ssatags, conditions,
statussubresource, commentstart, nodurations, optionalorrequired) and kubernetes/community `api-conventions.md`,
applied to OpenAPI schemas where those read Go sources.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Final

from gyre.api.markers import RULES, Json

LARGEST_CRD: Final = 262_144
"""Bytes of JSON that client-side apply can keep in its annotation (apimachinery `TotalAnnotationSizeLimitB`)."""


@dataclass(frozen=True, slots=True)
class Field:
    """One node of a schema. `path` is like `spec.env[].name`; `name` is empty for items and map values."""

    path: str
    name: str
    schema: Json

    @property
    def type(self) -> str:
        return "int-or-string" if self.schema.get("x-kubernetes-int-or-string") else str(self.schema.get("type", ""))

    def lacks(self, *keywords: str) -> bool:
        return not any(keyword in self.schema for keyword in keywords)


@dataclass(frozen=True, slots=True)
class Finding:
    kind: str
    path: str
    rule: str
    message: str

    def __str__(self) -> str:
        return f"{self.kind} {self.path}: {self.message} [{self.rule}]"


@dataclass(frozen=True, slots=True)
class Exemption:
    """A breach that was looked at and stays. `kind` and `path` are shell patterns."""

    kind: str
    path: str
    rule: str
    because: str


EXEMPTIONS: Final[tuple[Exemption, ...]] = (
    Exemption(
        "*", "spec.suspend", "no-booleans", "the word of Job, CronJob and RayJob; Argo CD and kubectl look for it"
    ),
    Exemption(
        "DriftMonitor",
        "status.drifted",
        "no-booleans",
        "absent while it is not known; its third state is the condition",
    ),
    Exemption(
        "Model",
        "spec.retrain.template",
        "no-free-objects",
        "a TrainingJob's spec, which the API server judges when the job is made",
    ),
    Exemption(
        "InferenceService", "", "columns", "a rollout is read in one line: who serves, who is judged, on what evidence"
    ),
)


def lint(crd: Json, exemptions: Iterable[Exemption] = EXEMPTIONS) -> list[Finding]:
    """Breaches in one CustomResourceDefinition, in the order of its fields."""
    return [finding for finding in findings(crd) if not any(_covers(e, finding) for e in exemptions)]


def stale(crds: Iterable[Json], exemptions: Iterable[Exemption] = EXEMPTIONS) -> list[Exemption]:
    """Exemptions that cover nothing: delete them."""
    found = [finding for crd in crds for finding in findings(crd)]
    return [exemption for exemption in exemptions if not any(_covers(exemption, finding) for finding in found)]


def findings(crd: Json) -> Iterator[Finding]:
    """Every breach, excused or not."""
    kind = crd["spec"]["names"]["kind"]
    for rule, check in CRD_RULES.items():
        yield from (Finding(kind, path, rule, message) for path, message in check(crd))
    root = crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    for part in ("spec", "status"):
        for field in fields(Field(part, part, root["properties"].get(part, {}))):
            for rule, ask in FIELD_RULES.items():
                if message := ask(field):
                    yield Finding(kind, field.path, rule, message)
    for message in _rule_messages(root):
        yield Finding(kind, "", "rules-say-what-to-do", message)


def fields(field: Field) -> Iterator[Field]:
    """The field and everything below it."""
    yield field
    for name, schema in field.schema.get("properties", {}).items():
        yield from fields(Field(f"{field.path}.{name}", name, schema))
    if "items" in field.schema:
        yield from fields(Field(f"{field.path}[]", "", field.schema["items"]))
    if isinstance(field.schema.get("additionalProperties"), dict):
        yield from fields(Field(f"{field.path}{{}}", "", field.schema["additionalProperties"]))


def _covers(exemption: Exemption, finding: Finding) -> bool:
    pairs = ((finding.kind, exemption.kind), (finding.path, exemption.path), (finding.rule, exemption.rule))
    return all(fnmatchcase(value, pattern) for value, pattern in pairs)


# Rules on one field -------------------------------------------------------------------------------------------------


def _described(field: Field) -> str | None:
    return "describe it: a docstring under the field" if field.name and field.lacks("description") else None


def _camel_case(field: Field) -> str | None:
    return "names are camelCase" if field.name and not re.fullmatch(r"[a-z][a-zA-Z0-9]*", field.name) else None


def _no_booleans(field: Field) -> str | None:
    return "use a Term: a third state always comes" if field.type == "boolean" else None


def _no_floats(field: Field) -> str | None:
    return "use Fraction, Number or Amount: floats differ between readers" if field.type == "number" else None


def _no_phase(field: Field) -> str | None:
    return "use conditions: a phase cannot grow" if field.name == "phase" else None


def _bounded_text(field: Field) -> str | None:
    if field.type not in ("string", "int-or-string") or field.schema.get("format") in ("date-time", "date", "duration"):
        return None
    return "give it MaxLength" if field.lacks("maxLength", "enum") else None


def _bounded_number(field: Field) -> str | None:
    bounded = {"minimum", "maximum"} <= field.schema.keys() or not field.lacks("enum")
    return "give it Between(low, high)" if field.type == "integer" and not bounded else None


def _bounded_list(field: Field) -> str | None:
    return "give it MaxItems" if field.type == "array" and field.lacks("maxItems") else None


def _bounded_map(field: Field) -> str | None:
    return "give it MaxProperties" if not field.lacks("additionalProperties") and field.lacks("maxProperties") else None


def _typed_list(field: Field) -> str | None:
    if field.type != "array":
        return None
    items = field.schema.get("items", {})
    match field.schema.get("x-kubernetes-list-type"):
        case None:
            return "give it ListType: server-side apply must know how to merge it"
        case "set" if items.get("type") in ("object", "array"):
            return "a set is of scalars: use ListType('map', keys=…)"
        case "map":
            return _keys_identify(field.schema["x-kubernetes-list-map-keys"], items)
    return None


def _keys_identify(keys: list[str], items: Json) -> str | None:
    always = {*items.get("required", ()), *(n for n, f in items.get("properties", {}).items() if "default" in f)}
    missing = [key for key in keys if key not in always]
    return f"keys of a map list are required or have a default: {', '.join(missing)}" if missing else None


def _no_free_objects(field: Field) -> str | None:
    if not field.lacks("x-kubernetes-preserve-unknown-fields"):
        return "free-form: type it, or have it reviewed"
    if field.type == "object" and field.lacks("properties", "additionalProperties"):
        return "an object without fields"
    return None


def _strings_for_durations(field: Field) -> str | None:
    unit = re.search(r"(Seconds|Minutes|Hours|Days|Millis|Ms)$", field.name)
    return "use Duration: 1h30m" if unit and field.type == "integer" else None


def _strings_for_quantities(field: Field) -> str | None:
    measured = re.search(r"^(cpus?|memory|storage|disk)$|(Cpus?|Memory|Storage|Bytes)$", field.name)
    wants = measured and field.type in ("integer", "string") and not field.path.startswith("status.")
    return "use Quantity: 500m, 2Gi" if wants else None


def _times_are_times(field: Field) -> str | None:
    is_text = field.type == "string" and field.schema.get("format") != "date-time"
    return "use Time" if is_text and re.search(r"(Time|Timestamp|At)$", field.name) else None


def _no_claims_in_status(field: Field) -> str | None:
    claim = field.path.startswith("status.") and not field.lacks("default")
    return "a default in a status is a claim that nobody made" if claim else None


FIELD_RULES: Final[dict[str, Callable[[Field], str | None]]] = {
    "described": _described,
    "camel-case": _camel_case,
    "no-booleans": _no_booleans,
    "no-floats": _no_floats,
    "no-phase": _no_phase,
    "bounded-text": _bounded_text,
    "bounded-number": _bounded_number,
    "bounded-list": _bounded_list,
    "bounded-map": _bounded_map,
    "typed-list": _typed_list,
    "no-free-objects": _no_free_objects,
    "durations-as-strings": _strings_for_durations,
    "quantities-as-strings": _strings_for_quantities,
    "times-as-times": _times_are_times,
    "no-claims-in-status": _no_claims_in_status,
}


# Rules on the whole definition --------------------------------------------------------------------------------------

Breaches = Iterator[tuple[str, str]]


def _version(crd: Json) -> Json:
    version: Json = crd["spec"]["versions"][0]
    return version


def _status_is_a_subresource(crd: Json) -> Breaches:
    if "status" not in _version(crd).get("subresources", {}):
        yield "", "serve status as a subresource"


def _status_reports_conditions(crd: Json) -> Breaches:
    status = _version(crd)["schema"]["openAPIV3Schema"]["properties"].get("status", {})
    reported = status.get("properties", {})
    if status.get("default") != {"observedGeneration": -1}:
        yield "status", "default to {observedGeneration: -1}: otherwise kstatus takes a fresh object for finished"
    if "observedGeneration" not in reported:
        yield "status", "report observedGeneration"
    if reported.get("conditions", {}).get("x-kubernetes-list-map-keys") != ["type"]:
        yield "status.conditions", "report conditions as a map list by type"


def _names(crd: Json) -> Breaches:
    names = crd["spec"]["names"]
    if "gyre" not in names.get("categories", ()):
        yield "", "belong to the category gyre: `kubectl get gyre`"
    if len(names.get("shortNames", ())) > 2:
        yield "", "have at most two short names"


def _columns(crd: Json) -> Breaches:
    shown = _version(crd).get("additionalPrinterColumns", ())
    columns = [column["name"] for column in shown]
    if columns[:2] != ["Ready", "Reason"] or columns[-1:] != ["Age"]:
        yield "", f"columns are Ready, Reason, …, Age; not {', '.join(columns)}"
    if len([column for column in shown if not column.get("priority")]) > 8:
        yield "", "eight columns are what a terminal shows: give the others priority 1 or drop them"


def _paths_exist(crd: Json) -> Breaches:
    version = _version(crd)
    root = version["schema"]["openAPIV3Schema"]
    columns = [column["jsonPath"] for column in version.get("additionalPrinterColumns", ())]
    for path in columns + [field["jsonPath"] for field in version.get("selectableFields", ())]:
        if path.startswith(".metadata") or _exists(root, path):
            continue
        yield path.lstrip("."), "no such field: the column or selector would always be empty"
    if len(version.get("selectableFields", ())) > 8:
        yield "", "have at most eight selectable fields"


def _exists(schema: Json, path: str) -> bool:
    plain = re.sub(r"\[\?\(.*?\)\]|\[[0-9*]+\]", "[]", path)
    for step in re.findall(r"\[\]|[^.\[\]]+", plain):
        schema = schema.get("items", {}) if step == "[]" else schema.get("properties", {}).get(step, {})
        if "additionalProperties" in schema:
            return True
    return bool(schema)


def _fits_an_annotation(crd: Json) -> Breaches:
    size = len(json.dumps(crd).encode())
    if size > LARGEST_CRD:
        yield "", f"{size} bytes: client-side apply takes {LARGEST_CRD}"


CRD_RULES: Final[dict[str, Callable[[Json], Breaches]]] = {
    "status-is-a-subresource": _status_is_a_subresource,
    "status-reports-conditions": _status_reports_conditions,
    "names": _names,
    "columns": _columns,
    "paths-exist": _paths_exist,
    "fits-an-annotation": _fits_an_annotation,
}


def _rule_messages(root: Json) -> Iterator[str]:
    for field in fields(Field("", "", root)):
        for rule in field.schema.get(RULES, ()):
            if not (rule.get("message") or rule.get("messageExpression")):
                yield f"{field.path or 'root'}: {rule['rule']} has no message"
