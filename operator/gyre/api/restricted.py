"""The security context of every pod that gyre makes, its own included: Pod Security Standard *restricted*, and stricter.

Source: kubernetes/website `concepts/security/pod-security-standards.md`, v1.35. Beyond it, no file but those of the volumes is
written. Its one place, so that no pod is less than another.
"""

from __future__ import annotations

from typing import Final

NOBODY: Final = 65532
"""User and group: nobody's on any usual image."""

CONTAINER: Final = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}
POD: Final = {
    "runAsNonRoot": True,
    "runAsUser": NOBODY,
    "runAsGroup": NOBODY,
    "seccompProfile": {"type": "RuntimeDefault"},
}
OWNS_FILES: Final = {"fsGroup": NOBODY, "fsGroupChangePolicy": "OnRootMismatch"}
"""Added to POD where a volume is written: its files become the group's."""
