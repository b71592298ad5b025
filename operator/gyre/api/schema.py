"""CustomResourceDefinitions from models: `crd(Model)` is the manifest, `crd_yaml(kind)` the file in `crds/`.

Promises   the same model gives the same bytes; a fresh object's status is `{observedGeneration: -1}`, so kstatus takes
           it for InProgress from birth; in a status there is no other default: it would be a claim that nobody made.
Never      touches what `structural` refuses.

Authors import `Schema`, `Status` and `Resource` from here; README.md shows how a model is written.
"""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any, Final

import yaml

from gyre.api.markers import RULES, Json, Rule, first_paragraph
from gyre.api.model import Schema
from gyre.api.resource import Definition, Metadata, Resource, Status, Unreadable
from gyre.api.structural import Untranslatable, structural

__all__ = ["Metadata", "Resource", "Schema", "Status", "Unreadable", "Untranslatable", "crd", "crd_yaml", "render"]

NEVER_LOOKED_AT: Final = {"observedGeneration": -1}
"""As fluxcd/source-controller does (`api/v1/gitrepository_types.go`)."""


def crd(model: type[Resource[Any, Any]]) -> Json:
    """The CustomResourceDefinition of a kind. Raises Untranslatable, naming the field."""
    definition = model.definition
    gvk = definition.gvk
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": f"{gvk.plural}.{gvk.group}"},
        "spec": {
            "group": gvk.group,
            "names": _names(definition),
            "scope": "Namespaced" if gvk.namespaced else "Cluster",
            "versions": [_version(model, definition)],
        },
    }


def crd_yaml(kind: Any) -> str:
    """The file in `crds/` for a `Kind` or a model."""
    return render(crd(getattr(kind, "model", kind)))


def render(manifest: Mapping[str, Any]) -> str:
    """One YAML document: keys in the order of the manifest, the same bytes every time, no anchors."""
    text: str = yaml.dump(dict(manifest), Dumper=_Plain, sort_keys=False, width=110, allow_unicode=True)
    return text


class _Plain(yaml.SafeDumper):
    def ignore_aliases(self, data: Any) -> bool:
        """What occurs twice is written twice: anchors would make a CRD unreadable."""
        return True


def _names(definition: Definition) -> Json:
    kind = definition.gvk.kind
    short = {"shortNames": list(definition.short)} if definition.short else {}
    return {
        "kind": kind,
        "listKind": f"{kind}List",
        "plural": definition.gvk.plural,
        "singular": kind.lower(),
        **short,
        "categories": list(definition.categories),
    }


def _version(model: type[Resource[Any, Any]], definition: Definition) -> Json:
    version: Json = {
        "name": definition.gvk.version,
        "served": True,
        "storage": True,
        "schema": {"openAPIV3Schema": _root(model)},
        "subresources": {"status": {}},
        "additionalPrinterColumns": [column.as_dict() for column in definition.columns],
    }
    if definition.scale:
        version["subresources"]["scale"] = definition.scale.as_dict()
    if definition.selectable:
        version["selectableFields"] = [{"jsonPath": path} for path in definition.selectable]
    return version


def _root(model: type[Resource[Any, Any]]) -> Json:
    spec, status = (_schema_of(model, part) for part in ("spec", "status"))
    longest = model.definition.max_name
    name_fits = Rule(
        f"self.metadata.name.size() <= {longest}",
        f"metadata.name must be at most {longest} characters long, so that the names of children fit",
    )
    class_rules = [entry for marker in model.class_rules for entry in marker.keywords()[RULES]]
    return {
        "description": first_paragraph(inspect.getdoc(model) or ""),
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {"description": "Group and version of this representation.", "type": "string"},
            "kind": {"description": "The kind of resource that this object is.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": structural(spec),
            "status": {**_without_defaults(structural(status)), "default": NEVER_LOOKED_AT},
        },
        RULES: [name_fits.as_dict(), *class_rules],
    }


def _schema_of(model: type[Resource[Any, Any]], part: str) -> type[Schema]:
    annotation = model.model_fields[part].annotation
    if not (isinstance(annotation, type) and issubclass(annotation, Schema)):
        raise Untranslatable(f"{model.__name__}.{part} must be a Schema class, not {annotation!r}")
    return annotation


def _without_defaults(schema: Json) -> Json:
    kept = {keyword: value for keyword, value in schema.items() if keyword != "default"}
    if "properties" in kept:
        kept["properties"] = {name: _without_defaults(field) for name, field in kept["properties"].items()}
    for keyword in ("items", "additionalProperties"):
        if keyword in kept:
            kept[keyword] = _without_defaults(kept[keyword])
    return kept
