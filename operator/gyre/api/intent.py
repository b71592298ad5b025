"""What we mean of an object, compared with what is there: whether a live object already says all that an intent says. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

INTENT: Final = "gyre.dev/intent"
"""Annotation on what we apply: the digest of the intent. A field that was dropped from the intent is still in the live object,
which therefore still contains the new intent; only the digest tells that there is something to give back."""


def contains(live: Any, intent: Any) -> bool:
    """Whether a live object already says everything the intent says. Lists must agree in length and order.

    What the API server drops because it is empty counts as said: `""`, `false`, `0`, `[]` and `{}`.
    """
    if live == intent:  # of most parts, and found out in C
        return True
    if live is None:
        return not intent
    if isinstance(intent, Mapping):
        return isinstance(live, Mapping) and all(contains(live.get(key), value) for key, value in intent.items())
    if isinstance(intent, list | tuple):
        return (
            isinstance(live, list)
            and len(live) == len(intent)
            and all(contains(a, b) for a, b in zip(live, intent, strict=True))
        )
    return False
