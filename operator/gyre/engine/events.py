"""Kubernetes Events, once each.

The name of an Event is made from the object's UID, the reason and the message: telling the same thing again, also after a
restart, finds it there and changes nothing. Losing an Event is harmless, so failures are logged and forgotten.
"""

from __future__ import annotations

import hashlib
import logging
from collections import OrderedDict
from datetime import datetime

from gyre.api.effects import Note, Ref
from gyre.api.gvks import EVENT
from gyre.engine.metrics import WRITES
from gyre.kube import errors
from gyre.kube.client import Api

log = logging.getLogger("gyre.events")

REMEMBERED = 20_000
LONGEST_MESSAGE = 1024


class Recorder:
    def __init__(self, api: Api, *, host: str) -> None:
        self._api, self._host = api, host
        self._told: OrderedDict[str, None] = OrderedDict()

    async def tell(self, ref: Ref, uid: str, note: Note, now: datetime) -> None:
        message = note.message if len(note.message) <= LONGEST_MESSAGE else note.message[: LONGEST_MESSAGE - 1] + "…"
        digest = hashlib.sha256("\0".join((uid, note.reason, message)).encode()).hexdigest()[:16]
        if digest in self._told:
            return
        self._told[digest] = None
        if len(self._told) > REMEMBERED:
            self._told.popitem(last=False)
        name, namespace = f"{ref.name[:200]}.{digest}", ref.namespace or "default"
        stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        event = {
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": namespace},
            "involvedObject": {
                "apiVersion": ref.gvk.api_version,
                "kind": ref.gvk.kind,
                "name": ref.name,
                "namespace": ref.namespace,
                "uid": uid,
            },
            "type": note.type.value,
            "reason": note.reason,
            "message": message,
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
            "source": {"component": "gyre"},
            "reportingComponent": "gyre.dev/operator",
            "reportingInstance": self._host,
        }
        try:
            await self._api.create(Ref(EVENT, namespace, name), event, manager="gyre")
            WRITES.labels("Event", "create").inc()
        except errors.AlreadyExists:
            pass
        except errors.ApiError as problem:
            self._told.pop(digest, None)
            log.warning("event %s on %s was not recorded: %s", note.reason, ref, problem)
