"""The three ways to say no: not starting, not answering this request, and failing at it."""

from __future__ import annotations

from typing import Literal

StartErrorClass = Literal["DigestMismatch", "NotFound", "UnsupportedFlavour", "Unreadable", "Internal"]


class StartError(Exception):
    """`kind`: a class of docs/serve-contract.md; `message` names the fix. Nothing is served."""

    def __init__(self, kind: StartErrorClass, message: str) -> None:
        super().__init__(kind, message)
        self.kind, self.message = kind, message


class Refused(ValueError):
    """The request is wrong (400); the text names the field, what was expected and what was given, in ASCII."""


class PredictionFailed(RuntimeError):
    """The request is right and the model could not answer it (500)."""
