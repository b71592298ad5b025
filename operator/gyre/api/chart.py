"""The Helm chart's templates, made from the very manifests that `gyre install` prints, so that the two cannot differ.

Dashboards and rules are files of the chart that the template `monitoring.yaml` hands out as they are, so that Grafana, promtool
and the tests read the same files.

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

MONITORING: Final = """\
{{- if .Values.monitoring.rules.enabled }}
---
apiVersion: monitoring.coreos.com/v1
kind: PrometheusRule
metadata:
  name: gyre
  namespace: {{ .Release.Namespace }}
  labels:
    app.kubernetes.io/name: gyre
    {{- with .Values.monitoring.rules.labels }}
    {{- toYaml . | nindent 4 }}
    {{- end }}
spec:
{{ .Files.Get "rules/gyre.yaml" | replace "docs/runbooks/" .Values.monitoring.rules.runbooks | indent 2 }}
{{- end }}
{{- if .Values.monitoring.dashboards.enabled }}
{{- range $path, $_ := .Files.Glob "dashboards/*.json" }}
---
apiVersion: v1
kind: ConfigMap
metadata:
  name: gyre-dashboard-{{ base $path | trimSuffix ".json" }}
  namespace: {{ $.Release.Namespace }}
  labels:
    app.kubernetes.io/name: gyre
    {{- toYaml $.Values.monitoring.dashboards.labels | nindent 4 }}
data:
  {{ base $path }}: |
{{ $.Files.Get $path | indent 4 }}
{{- end }}
{{- end }}
"""


def templates(kinds: Iterable[Kind[Any, Any]]) -> Mapping[str, str]:
    """File name to text. The Namespace is the release's own and not part of it."""
    wanted = manifests(tuple(kinds), image=_IMAGE, namespace=_NAMESPACE, replicas=_REPLICAS)
    crds = [m for m in wanted if m["kind"] == "CustomResourceDefinition"]
    rest = [m for m in wanted if m["kind"] not in ("CustomResourceDefinition", "Namespace")]
    return {
        "crds.yaml": "{{- if .Values.crds.enabled }}\n" + "".join(map(_crd, crds)) + "{{- end }}\n",
        "monitoring.yaml": MONITORING,
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
