"""Why a window cannot be judged, in a class that the operator knows and a message that names the fix."""

from __future__ import annotations

from typing import Final

CLASSES: Final = (
    "ReferenceTooSmall",
    "ReferenceChanged",
    "UnknownFeature",
    "NoLog",
    "Masked",
    "NotFound",
    "Unreadable",
    "NotWritable",
    "Internal",
)


class DriftError(Exception):
    """`kind`: one of CLASSES."""

    def __init__(self, kind: str, message: str) -> None:
        super().__init__(kind, message)
        self.kind, self.message = kind, message
