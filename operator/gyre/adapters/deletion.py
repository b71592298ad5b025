"""Deletion refused by the API server itself while something needs the object: it works while the operator is down.

A ValidatingAdmissionPolicy reads the object's own status, which the operator keeps. Two deleters are let through, or they
would try for ever: whoever deletes the whole namespace wants everything in it gone, and the garbage collector deletes what
has lost its owner, which was refused or allowed before. So deleting a *namespace* deletes what is in use in it, unasked.

Where the operator is gone for good and its last status says "in use", delete the policy's binding.
"""

from __future__ import annotations

from gyre.adapters.admission import ADMISSION, binding, of_install
from gyre.api.effects import Gvk, Manifest

EXEMPT = (
    "system:serviceaccount:kube-system:namespace-controller",
    "system:serviceaccount:kube-system:generic-garbage-collector",
    "system:kube-controller-manager",
)
"""The two controllers, by their own accounts or, without --use-service-account-credentials, by their manager's."""


def refuse_while(gvk: Gvk, *, field: str, message: str) -> tuple[Manifest, Manifest]:
    """A policy and its binding: no DELETE while `status.<field>` has entries. `message` is CEL over `oldObject`."""
    name = f"{gvk.plural}-in-use.{gvk.group}"
    names = ", ".join(f"'{user}'" for user in EXEMPT)
    policy = {
        "apiVersion": ADMISSION,
        "kind": "ValidatingAdmissionPolicy",
        "metadata": of_install(name),
        "spec": {
            "failurePolicy": "Fail",
            "matchConstraints": {
                "resourceRules": [
                    {
                        "apiGroups": [gvk.group],
                        "apiVersions": [gvk.version],
                        "operations": ["DELETE"],
                        "resources": [gvk.plural],
                    }
                ]
            },
            "matchConditions": [
                {"name": "not-a-cleaning-controller", "expression": f"!(request.userInfo.username in [{names}])"}
            ],
            "validations": [
                {
                    "expression": (
                        f"!has(oldObject.status) || !has(oldObject.status.{field}) "
                        f"|| oldObject.status.{field}.size() == 0"
                    ),
                    "messageExpression": " ".join(message.split()),
                    "message": f"it is in use, see status.{field}: delete or repoint its users first",
                    "reason": "Forbidden",
                }
            ],
        },
    }
    return policy, binding(name, "Deny")
