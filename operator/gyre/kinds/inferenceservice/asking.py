"""Asks everybody who counts: the Envoy pods of the gateway, and our own predictors for their finer histograms.

A part of `observe.py`: it reads, and decides only whom to ask. Who does not answer makes the whole reading useless for a look,
and is named: half a reading would take the silent one's requests for none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from gyre.adapters.counters import Asked, Pod, ask_proxies, ask_servers
from gyre.api.kind import Reader
from gyre.kinds.inferenceservice import desired
from gyre.kinds.inferenceservice.counting import CANDIDATE, STABLE, Readings
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.parts import OwnServer
from gyre.kinds.inferenceservice.predictor import PORT

__all__ = ["CANDIDATE", "STABLE", "readings"]

NEVER: Final = datetime.min.replace(tzinfo=UTC)
KEEP_SECONDS: Final = 1.0
"""Looks that follow each other at once ask once."""


async def readings(
    reader: Reader, gis: InferenceService, pods: Mapping[str, Sequence[Pod]], *, fresh: bool
) -> Readings | None:
    """`pods` by role; none where the gateway alone is to tell.

    `fresh`: an answer from before now would be taken for the zero of a new weight.
    """
    age = 0.0 if fresh else KEEP_SECONDS
    namespace, name, _ = desired.through(gis)
    proxies = await ask_proxies(reader, (namespace, name), (gis.namespace, gis.name), age)
    servers = Asked()
    if isinstance(gis.spec.runtime.chosen, OwnServer):
        servers = await ask_servers(reader, pods, PORT, age)
    times, problem = (*proxies.times, *servers.times), proxies.problem or servers.problem
    if not times:
        return Readings(NEVER, problem=problem)
    return Readings(min(times), proxies.proxies, servers.servers, problem)
