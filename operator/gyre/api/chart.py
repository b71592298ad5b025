"""The Helm chart's templates, made from the very manifests that `gyre install` prints, so that the two cannot differ.

What a user may set is put in as Helm expressions in place of the values given to `install.manifests`. CRDs are templates, not
`crds/`: Helm never upgrades what lies there. `crds.keep` leaves them, and so all resources, when the release is uninstalled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from gyre.api.install import manifests
from gyre.api.kind import Kind
from gyre.api.schema import render

_IMAGE, _NAMESPACE, _REPLICAS = "gyre-image-goes-here", "gyre-namespace-goes-here", 7_777

_EXPRESSIONS: Final = {
    _IMAGE: "{{ .Values.image }}",
    _NAMESPACE: "{{ .Release.Namespace }}",
    str(_REPLICAS): "{{ .Values.replicas }}",
}

_KEEP: Final = "    {{- if .Values.crds.keep }}\n    helm.sh/resource-policy: keep\n    {{- end }}\n"


def templates(kinds: Iterable[Kind[Any, Any]]) -> Mapping[str, str]:
    """File name to text. The Namespace is the release's own and not part of it."""
    wanted = manifests(tuple(kinds), image=_IMAGE, namespace=_NAMESPACE, replicas=_REPLICAS)
    crds = [m for m in wanted if m["kind"] == "CustomResourceDefinition"]
    rest = [m for m in wanted if m["kind"] not in ("CustomResourceDefinition", "Namespace")]
    return {
        "crds.yaml": "{{- if .Values.crds.enabled }}\n" + "".join(map(_crd, crds)) + "{{- end }}\n",
        "operator.yaml": "".join("---\n" + _expressed(render(m)) for m in rest),
    }


def _crd(manifest: Mapping[str, Any]) -> str:
    metadata = {**manifest["metadata"], "annotations": {"gyre.dev/installed-by": "helm"}}
    text = render({**manifest, "metadata": metadata})
    head, line, tail = text.partition("    gyre.dev/installed-by: helm\n")
    return "---\n" + head + line + _KEEP + tail


def _expressed(text: str) -> str:
    for value, expression in _EXPRESSIONS.items():
        text = text.replace(value, expression)
    return text
