"""What the ValidatingAdmissionPolicies of gyre have alike: API version, metadata, and the binding that puts it in force."""

from __future__ import annotations

from typing import Any, Final

from gyre.api.effects import Manifest
from gyre.api.kind import MANAGED_BY

ADMISSION: Final = "admissionregistration.k8s.io/v1"


def of_install(name: str) -> dict[str, Any]:
    return {"name": name, "labels": {MANAGED_BY: "gyre-install"}}


def binding(policy: str, action: str, **more: Any) -> Manifest:
    """In force everywhere, under the policy's own name. `action`: Deny or Warn; `more`: such as `paramRef`."""
    return {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicyBinding",
        "metadata": of_install(policy),
        "spec": {"policyName": policy, **more, "validationActions": [action]},
    }
