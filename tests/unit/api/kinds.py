"""Kinds that declare this and that, for the tests of what is derived from declarations; nobody runs them."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.unit.api.sample import SAMPLE, Sample

from gyre.api import gvks
from gyre.api.kind import Decision, Grant, Kind, Reader, Watch


async def gather(reader: Reader, resource: Sample) -> None: ...


def decide(resource: Sample, seen: None, now: datetime) -> Decision:
    return Decision.settled("Nothing", "there is nothing to do")


def summarize(resource: Sample, seen: None, decision: Decision, now: datetime) -> dict[str, Any]:
    return {}


def a_kind(**declared: Any) -> Kind[Sample, None]:
    """A kind over Sample with these declarations."""
    return Kind(Sample, SAMPLE, gather, decide, summarize, **declared)


POLICY = {
    "apiVersion": "admissionregistration.k8s.io/v1",
    "kind": "ValidatingAdmissionPolicy",
    "metadata": {"name": "sample-policy"},
}

BUSY = a_kind(
    owns=(gvks.RAY_JOB, gvks.CONFIG_MAP),
    watches=(Watch(gvks.POD), Watch(gvks.NODE, managed=False)),
    grants=(Grant(gvks.SECRET, ("get",)), Grant(gvks.POD, ("create",), "eviction"), Grant(gvks.POD, ("delete",))),
    policies=lambda: (POLICY,),
)
