"""Live lists of what is good to know and not needed, such as what pods use now: asked seldom, and never in anybody's way.

Promises   one request for all who ask the same within `max_age` seconds, whether it was answered or not; an API that is
           not there, away, or not ours to read is an empty list.
Never      raises what the API server says: who asks here can do without.
"""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TypeAlias

from gyre.api.effects import Gvk
from gyre.api.kind import Object
from gyre.engine.clock import Monotonic
from gyre.kube import errors

log = logging.getLogger("gyre.engine")

Find: TypeAlias = Callable[[Gvk, str, Mapping[str, str]], Awaitable[Sequence[Object]]]


class Glancer:
    def __init__(self, find: Find, *, monotonic: Monotonic) -> None:
        self._find, self._monotonic = find, monotonic
        self._kept: dict[tuple[Gvk, tuple[tuple[str, str], ...]], tuple[float, Sequence[Object]]] = {}

    async def glance(self, gvk: Gvk, labels: Mapping[str, str], *, max_age: float) -> Sequence[Object]:
        question = (gvk, tuple(sorted(labels.items())))
        kept = self._kept.get(question)
        if kept is not None and self._monotonic() - kept[0] <= max_age:
            return kept[1]
        at = self._monotonic()
        try:
            found = await self._find(gvk, "", labels)
        except errors.ApiError as problem:
            log.info("could not list %s of %s: %s; doing without", gvk.plural, gvk.group, problem)
            found = ()
        self._kept[question] = (at, found)
        return found
