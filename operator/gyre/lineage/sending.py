"""Events to a file or to an endpoint. Sent again, they are the same events: a receiver keeps each run once.

Promises   a file appears whole or not at all; an event that the endpoint did not take ends it with an error, and all may be sent
           again.
Never      waits without end: the client's time-outs and retries are those of `openlineage-python`.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path
from tempfile import NamedTemporaryFile

import requests
from openlineage.client.serde import Serde
from openlineage.client.transport.http import ApiKeyTokenProvider, HttpConfig, HttpTransport, TokenProvider

from gyre.lineage.telling import Told

API_KEY = "OPENLINEAGE_API_KEY"
"""Where the endpoint's key is looked for, as OpenLineage's own clients do."""


def lines(events: Sequence[Told]) -> str:
    """One event a line."""
    return "".join(f"{Serde.to_json(event)}\n" for event in events)


def write(events: Sequence[Told], path: Path) -> None:
    with NamedTemporaryFile("w", dir=path.resolve().parent, delete=False, encoding="utf-8") as aside:
        aside.write(lines(events))
    Path(aside.name).chmod(0o644)
    Path(aside.name).replace(path)


def send(events: Sequence[Told], url: str) -> None:
    """To `<url>/api/v1/lineage`. Raises ValueError, saying which event, when the endpoint does not take one."""
    key = os.environ.get(API_KEY)
    auth = ApiKeyTokenProvider({"apiKey": key}) if key else TokenProvider({})
    transport = HttpTransport(HttpConfig(url=url, auth=auth))
    for number, event in enumerate(events):
        try:
            transport.emit(event)
        except requests.RequestException as error:
            place = f"event {number + 1} of {len(events)} ({event.job.name}, {event.eventTime})"
            raise ValueError(
                f"{url} did not take {place}: {error}; run it again, what was taken is the same"
            ) from error
