"""The ways to say no: not starting, not taking this, not taking anything just now."""

from __future__ import annotations

from typing import Literal


class StartError(Exception):
    """A setting is missing or wrong, or the place cannot be written; the message names the fix. Nothing listens."""


class Refused(ValueError):
    """What was sent is wrong and will be wrong again; `why` is one word for the counter, the text is for its sender."""

    def __init__(
        self, why: Literal["json", "event", "type", "id", "version", "time", "size", "label"], text: str
    ) -> None:
        super().__init__(text)
        self.why = why


class Unavailable(Exception):
    """Nothing can be made durable just now: try again later."""


class Full(Unavailable):
    """What waits for storage has reached its bound."""
