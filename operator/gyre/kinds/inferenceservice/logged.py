"""How the prediction log is doing: asked of the collector and, for what never reached it, of the predictors.

`seen` is a part of `observe.py`; the rest is pure. Nothing here decides about traffic: a log that is down is told, no more.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, Final

from gyre.adapters.exposition import dropped_of
from gyre.adapters.ownership import controller_uid
from gyre.adapters.pods import CONFIG_FAULTS, PodView
from gyre.adapters.predictionlog import LOG_LABEL, Told
from gyre.adapters.workloads import DeploymentView
from gyre.api import gvks
from gyre.api.conditions import Verdict, no, unknown, yes
from gyre.api.effects import Apply, Delete, Effect, Ref
from gyre.api.kind import Decision, Reader
from gyre.kinds.inferenceservice import collecting, tokens
from gyre.kinds.inferenceservice.guarding import Owned
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import log_name, token_name
from gyre.kinds.inferenceservice.parts import OwnServer
from gyre.kinds.inferenceservice.predictor import PORT
from gyre.kinds.inferenceservice.reasons import Reason
from gyre.kinds.inferenceservice.report import LogReport
from gyre.kinds.inferenceservice.troubles import Backend

LOOK_AGAIN: Final = 60.0
"""Seconds between looks at a log."""
KEEP_SECONDS: Final = 30.0
BEHIND: Final = timedelta(minutes=5)
"""A request whose response never came waits for two minutes; what waits for longer cannot be stored."""
ROUGH: Final = 30
"""Lag is told in steps of so many seconds: below it all is well, and a status that changes all the time tells nobody anything."""


@dataclass(frozen=True, slots=True)
class LogSeen:
    owned: tuple[Owned, ...] = ()
    strangers: tuple[str, ...] = ()
    """Objects with the collector's name that somebody else owns."""
    deployment: DeploymentView | None = None
    guarded: bool = False
    """The Deployment wants a token, so its Secret was made before it."""
    lacking: str = ""
    """What the collector's container cannot start for want of, in the kubelet's words."""
    told: Told | None = None
    silent: str = ""
    """Why the collector has not told anything."""
    dropped: int | None = None
    """By the predictors that run now; None where one of them, or the agent of KServe, does not say."""


async def seen(reader: Reader, gis: InferenceService, backends: Iterable[Backend]) -> LogSeen:
    owned, strangers, deployment, guarded = [], [], None, False
    for gvk in (gvks.SERVICE, gvks.DEPLOYMENT):
        ref = Ref(gvk, gis.namespace, log_name(gis.name))
        obj = reader.get(ref)
        if obj is None:
            continue
        if controller_uid(obj) == gis.uid:
            owned.append(Owned(ref, obj["metadata"]["uid"]))
            deployment = DeploymentView.of(obj) if gvk == gvks.DEPLOYMENT else deployment
            guarded |= gvk == gvks.DEPLOYMENT and _wants(obj, tokens.reference(gis))
        else:
            strangers.append(str(ref))
    found = LogSeen(tuple(owned), tuple(strangers), deployment, guarded)
    if gis.spec.log is None or strangers:
        return found
    pods = reader.labelled(gvks.POD, gis.namespace, LOG_LABEL, gis.name)
    told, silent = await _collector(reader, pods)
    dropped = await _dropped(reader, gis, backends)
    return replace(found, told=told, silent=silent, lacking=_lacking(pods), dropped=dropped)


def _wants(deployment: Mapping[str, Any], secret: Mapping[str, str] | None) -> bool:
    """Whether its container gets this key of this Secret."""
    pod = ((deployment.get("spec") or {}).get("template") or {}).get("spec") or {}
    entries = (entry for container in pod.get("containers") or () for entry in container.get("env") or ())
    return secret is not None and any((e.get("valueFrom") or {}).get("secretKeyRef") == secret for e in entries)


def _lacking(pods: Iterable[Mapping[str, Any]]) -> str:
    views = (PodView.of(obj, attempt_label="", node_type_label="") for obj in pods)
    stuck = (view.waiting_on(CONFIG_FAULTS) for view in views if not view.deleting)
    return next((container.waiting_message for container in stuck if container), "")


async def _collector(reader: Reader, pods: Iterable[Mapping[str, Any]]) -> tuple[Told | None, str]:
    for obj in pods:
        view, address = PodView.of(obj, attempt_label="", node_type_label=""), (obj.get("status") or {}).get("podIP")
        if view.deleting or not view.ready or not address:
            continue
        answer = await reader.ask(f"http://{_host(str(address))}:{collecting.PORT}/status", max_age=KEEP_SECONDS)
        told = Told.of(answer.text) if answer.ok else None
        return told, "" if told else f"pod {view.name} does not tell: {answer.error or answer.status}"
    return None, ""


async def _dropped(reader: Reader, gis: InferenceService, backends: Iterable[Backend]) -> int | None:
    """The first who does not answer ends it: nobody waits for a row of silent pods because of a number for people."""
    if not isinstance(gis.spec.runtime.chosen, OwnServer):
        return None
    total = 0
    for pod in (pod for backend in backends for pod in backend.pods if pod.answers):
        answer = await reader.ask(f"http://{_host(pod.address)}:{PORT}/metrics", max_age=KEEP_SECONDS)
        count = dropped_of(answer.text) if answer.ok else None
        if count is None:
            return None
        total += count
    return total


def _host(address: str) -> str:
    return f"[{address}]" if ":" in address else address


# ── pure ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def effects(gis: InferenceService, log: LogSeen, backends: Iterable[Backend]) -> list[Effect]:
    """Written last, so that a collector that is refused keeps nothing else from being written."""
    if gis.spec.log is not None:
        return [] if log.strangers else [*_token(gis, log), *map(Apply, collecting.collector(gis))]
    told_off = all(backend.converged for backend in backends if backend.template)
    return [Delete(owned.ref, owned.uid) for owned in log.owned] if told_off else []


def _token(gis: InferenceService, log: LogSeen) -> list[Effect]:
    """Nobody may ask whether the Secret is there, so it is seen by what hangs on it: it was made before a Deployment that wants
    it, and it is gone when the kubelet says so."""
    missing = f'"{token_name(gis.name)}" not found' in log.lacking
    return [tokens.token(gis)] if tokens.made_by_us(gis) and (missing or not log.guarded) else []


def looked_at_again(gis: InferenceService, decision: Decision) -> Decision:
    if gis.spec.log is None:
        return decision
    return replace(decision, after=LOOK_AGAIN if decision.after is None else min(decision.after, LOOK_AGAIN))


def report(gis: InferenceService, log: LogSeen) -> LogReport | None:
    if gis.spec.log is None:
        return None
    told = log.told
    return LogReport(
        uri=gis.spec.log.uri,
        logged=told.logged if told else None,
        dropped=log.dropped,
        lag=timedelta(seconds=int(told.lag) // ROUGH * ROUGH) if told else None,
    )


def healthy(gis: InferenceService, log: LogSeen) -> Verdict | None:
    """The condition LogHealthy."""
    if gis.spec.log is None:
        return None
    if log.strangers:
        held = ", ".join(log.strangers)
        return no(Reason.LOG_NAME_TAKEN, f"{held} belongs to somebody else: nothing is logged until it is gone")
    pods = f"kubectl -n {gis.namespace} get pods -l {LOG_LABEL}={gis.name}"
    told = log.told
    if told is None:
        why = log.silent or log.lacking or (log.deployment.problem if log.deployment else "") or "no pod of it is ready"
        message = f"the collector does not tell how it is: {why}; look at `{pods}`. Predictors go on, and count what they drop"
        return unknown(Reason.LOG_NOT_READABLE, message)
    if told.problem:
        message = f"nothing can be written to {gis.spec.log.uri}: {told.problem}; check that it exists, its credentials and room"
        return no(Reason.LOG_NOT_WRITTEN, message)
    if told.lag > BEHIND.total_seconds():
        message = f"what came more than {BEHIND} ago is not written yet: look at the logs of `{pods}`"
        return no(Reason.LOG_BEHIND, message)
    return yes(Reason.LOGGING, f"requests are logged to {gis.spec.log.uri}")
