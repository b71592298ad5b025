"""Why a Dataset is as it is: the words of its conditions and Events."""

from __future__ import annotations

from typing import Final

from gyre.api.terms import Reason as Reasons


class Reason(Reasons):
    """Why a Dataset is as it is."""

    CURRENT = "Current", "scanned under this spec; status.current is what was found"
    STARTING = "Starting", "its ledger is being created"
    PREPARING = "Preparing", "spec.prepare runs"
    SCANNING = "Scanning", "the data are read and hashed"
    RECORDING = "Recording", "what a Job found is being written into the ledger"
    REPLACING = "Replacing", "a Job for an earlier spec is on its way out"
    NEW_VERSION = "NewVersion", "the data differ from those of the last version"
    NOT_ASKED = "NotAsked", "spec.prepare is not given"
    PREPARED = "Prepared", "spec.prepare has run to its end"
    SCANNED = "Scanned", "the last scan ended well"
    IDLE = "Idle", "no Job runs"
    CLAIM_MISSING = "ClaimMissing", "the claim of spec.source.pvc does not exist or cannot be used"
    LEDGER_UNREADABLE = "LedgerUnreadable", "somebody changed ConfigMap <name>-versions"
    NOT_FOUND = "NotFound", "there is nothing at spec.source"
    UNREADABLE = "Unreadable", "a file or folder may not or cannot be read"
    NOT_WRITABLE = "NotWritable", "prepare may not or cannot write"
    EMPTY = "Empty", "there are no data files at spec.source"
    IMAGE_PULL = "ImagePull", "a node cannot get the image"
    CANNOT_START = "CannotStart", "the container cannot be started, for example for want of a Secret"
    UNSCHEDULABLE = "Unschedulable", "no node can take the pod"
    SLOW_START = "SlowStart", "the pod is on a node and does not start"
    NO_POD = "NoPod", "the Job has no pod, for example for want of quota"
    OUT_OF_MEMORY = "OutOfMemory", "the Job needed more memory than it was given"
    TIMEOUT = "Timeout", "the Job took longer than it was given"
    INTERNAL = "Internal", "the program failed in a way it has no word for"
    PREPARE_FAILED = "PrepareFailed", "a prepare Job failed"
    SCAN_FAILED = "ScanFailed", "a scan Job failed"


TROUBLES: Final = {
    reason.value: reason
    for reason in (
        Reason.NOT_FOUND,
        Reason.UNREADABLE,
        Reason.NOT_WRITABLE,
        Reason.EMPTY,
        Reason.IMAGE_PULL,
        Reason.CANNOT_START,
        Reason.UNSCHEDULABLE,
        Reason.SLOW_START,
        Reason.NO_POD,
        Reason.OUT_OF_MEMORY,
        Reason.TIMEOUT,
        Reason.INTERNAL,
    )
}
"""Classes of trouble, as the contract and the evidence name them, by reason."""
