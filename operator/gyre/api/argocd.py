"""Argo CD's health of our kinds: it knows none by itself, and shows objects of unknown kinds as if nothing were wrong.

Promises   the same verdict as kstatus (kstatus.py), in Argo CD's words: Current is Healthy, Failed is Degraded, the rest
           Progressing; and what `spec.suspend` parks is Suspended, not Progressing for ever.
Never      calls an object healthy before gyre has looked at its newest generation.

`settings(kinds)` goes into the ConfigMap `argocd-cm`. One key a kind, because keys of a ConfigMap take no wildcard
(argoproj/argo-cd `docs/operator-manual/health.md`, v3).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from gyre.api.kind import Kind

HEALTH: Final = """\
local status = obj.status or {}
local metadata = obj.metadata or {}
if metadata.deletionTimestamp ~= nil then
  return { status = "Progressing", message = "being deleted" }
end
if status.observedGeneration ~= metadata.generation then
  return { status = "Progressing", message = "gyre has not looked at this generation yet" }
end
local ready = nil
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Stalled" and condition.status == "True" then
    return { status = "Degraded", message = condition.message }
  end
  if condition.type == "Ready" then
    ready = condition
  end
end
if obj.spec ~= nil and obj.spec.suspend == true then
  return { status = "Suspended", message = "spec.suspend is true" }
end
for _, condition in ipairs(status.conditions or {}) do
  if condition.type == "Reconciling" and condition.status == "True" then
    return { status = "Progressing", message = condition.message }
  end
end
if ready ~= nil and ready.status == "True" then
  return { status = "Healthy", message = ready.message }
end
return { status = "Progressing", message = ready and ready.message or "" }
"""
"""Lua, as Argo CD runs it: the object is `obj`, the verdict is returned."""


def settings(kinds: Iterable[Kind[Any, Any]]) -> dict[str, str]:
    """Entries for `data` of the ConfigMap `argocd-cm`."""
    return {f"resource.customizations.health.{kind.gvk.group}_{kind.gvk.kind}": HEALTH for kind in kinds}
