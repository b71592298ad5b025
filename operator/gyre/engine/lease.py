"""Who may write: a Lease (coordination.k8s.io/v1), held by one replica at a time.

The rules are client-go's (`tools/leaderelection`): the holder renews every third of the duration; another takes over when it
has watched the record stay the same for a whole duration on its own clock, so wall clocks need not agree. `held()` turns false
a good while before another replica may take over: a writer asks it before each request, which fences late writes off.
"""

from __future__ import annotations

import asyncio
import logging
from datetime import datetime
from typing import Any

from gyre.api.effects import Ref
from gyre.api.gvks import LEASE
from gyre.api.kind import Object
from gyre.engine.clock import Monotonic, Now
from gyre.engine.metrics import LEADER
from gyre.kube import errors
from gyre.kube.client import Api

log = logging.getLogger("gyre.lease")

DURATION_SECONDS = 15.0
RENEW_SECONDS = 5.0
SAFETY_SECONDS = 4.0
"""Subtracted from the duration in `held`: longer than a request is on its way as a rule. One that takes longer can do no harm
either: deletes carry a UID, ledger writes a resourceVersion, and what is created has one name."""


class Lease:
    def __init__(self, api: Api, *, namespace: str, name: str, identity: str, now: Now, monotonic: Monotonic) -> None:
        self._api, self._ref, self._identity = api, Ref(LEASE, namespace, name), identity
        self._now, self._monotonic = now, monotonic
        self._renewed: float | None = None
        self._seen: tuple[Any, float] | None = None
        self.acquired = asyncio.Event()

    def held(self) -> bool:
        return self._renewed is not None and self._monotonic() < self._renewed + DURATION_SECONDS - SAFETY_SECONDS

    async def keep(self) -> None:
        """Acquire, then renew, for ever. Raises `LeaseLost` once it was held and is not any more: crash, start afresh."""
        while True:
            asked = self._monotonic()
            try:
                mine = await self._try(asked)
            except errors.ApiError as problem:
                mine = False
                log.warning("lease: %s", problem)
            if mine:
                self._renewed = asked
                if not self.acquired.is_set():
                    log.info("lease acquired by %s", self._identity)
                    self.acquired.set()
                    LEADER.set(1)
            elif self.acquired.is_set() and not self.held():
                LEADER.set(0)
                raise LeaseLost(f"{self._identity} could not renew the lease in time")
            await asyncio.sleep(RENEW_SECONDS if mine else 1.0)

    async def release(self) -> None:
        """Give the lease up at a clean stop, so that the next replica need not wait."""
        if not self.held():
            return
        self._renewed = None
        try:
            live = await self._api.get(self._ref)
            if live["spec"].get("holderIdentity") == self._identity:
                await self._write(live, holder="")
        except errors.ApiError as problem:
            log.info("lease not released: %s", problem)

    async def _try(self, asked: float) -> bool:
        try:
            live = await self._api.get(self._ref)
        except errors.NotFound:
            manifest = self._manifest({}, holder=self._identity)
            return await _won(self._api.create(self._ref, manifest, manager="gyre"))
        spec = live.get("spec") or {}
        holder = spec.get("holderIdentity") or ""
        if holder not in ("", self._identity):
            self._renewed = None
            if self._seen is None or self._seen[0] != spec:
                self._seen = (spec, self._monotonic())
            if asked < self._seen[1] + float(spec.get("leaseDurationSeconds") or DURATION_SECONDS):
                return False
        return await _won(self._write(live, holder=self._identity))

    async def _write(self, live: Object, *, holder: str) -> Object:
        return await self._api.replace(self._ref, self._manifest(live, holder=holder), manager="gyre")

    def _manifest(self, live: Object, *, holder: str) -> Object:
        """Carries the resourceVersion that was read: of two who try at once, one is refused."""
        before = live.get("spec") or {}
        changed_hands = before.get("holderIdentity") != holder
        stamp = _micro(self._now())
        metadata: dict[str, Any] = {"name": self._ref.name, "namespace": self._ref.namespace}
        if live:
            metadata["resourceVersion"] = live["metadata"]["resourceVersion"]
        return {
            "apiVersion": LEASE.api_version,
            "kind": LEASE.kind,
            "metadata": metadata,
            "spec": {
                "holderIdentity": holder,
                "leaseDurationSeconds": int(DURATION_SECONDS),
                "acquireTime": stamp if changed_hands else before.get("acquireTime", stamp),
                "renewTime": stamp,
                "leaseTransitions": int(before.get("leaseTransitions") or 0) + (1 if changed_hands and before else 0),
            },
        }


class LeaseLost(Exception):
    """Another replica may write now."""


async def _won(write: Any) -> bool:
    try:
        await write
    except (errors.Conflict, errors.AlreadyExists):
        return False
    return True


def _micro(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
