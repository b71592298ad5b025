"""Why a DriftMonitor is as it is: the words of its conditions and Events."""

from __future__ import annotations

from typing import Final

from gyre.api.terms import Reason as Reasons


class Reason(Reasons):
    """Why a DriftMonitor is as it is."""

    WATCHING = "Watching", "the windows that have ended were judged; the next one ends at the time in the message"
    STARTING = "Starting", "its ledger is being created"
    JUDGING = "Judging", "a Job judges a window"
    RECORDING = "Recording", "what a Job found is being written into the ledger"
    REPLACING = "Replacing", "a Job for an earlier spec is on its way out"
    NO_SERVICE = "NoService", "the InferenceService does not exist"
    NO_LOG = "NoLog", "the InferenceService keeps no prediction log, or at an address that is neither pvc:// nor s3://"
    MODEL_MISSING = "ModelMissing", "the Model does not exist"
    OTHER_MODEL = "OtherModel", "the InferenceService serves another Model"
    DATASET_MISSING = "DatasetMissing", "the Dataset of spec.reference does not exist"
    DATASET_NOT_READY = "DatasetNotReady", "the Dataset of spec.reference has not been scanned, or failed to be"
    DATASET_CHANGED = "DatasetChanged", "the Dataset is at another version than the one that spec.reference asks for"
    REFERENCE_TOO_SMALL = "ReferenceTooSmall", "the reference has too few rows for a stated rate of false alarms"
    REFERENCE_CHANGED = "ReferenceChanged", "the files of the Dataset are not those of its version"
    UNKNOWN_FEATURE = "UnknownFeature", "a feature is not in the reference, or not of the type that is stated"
    MASKED = "Masked", "masking leaves nothing of the features"
    NOT_FOUND = "NotFound", "there is nothing where the reference should be"
    UNREADABLE = "Unreadable", "a file may not or cannot be read"
    NOT_WRITABLE = "NotWritable", "evidence or report cannot be written"
    LEDGER_UNREADABLE = "LedgerUnreadable", "somebody changed ConfigMap <name>-windows"
    IMAGE_PULL = "ImagePull", "a node cannot get the image"
    CANNOT_START = "CannotStart", "the container cannot be started, for example for want of a Secret"
    UNSCHEDULABLE = "Unschedulable", "no node can take the pod"
    SLOW_START = "SlowStart", "the pod is on a node and does not start"
    NO_POD = "NoPod", "the Job has no pod, for example for want of quota"
    OUT_OF_MEMORY = "OutOfMemory", "the Job needed more memory than it was given"
    TIMEOUT = "Timeout", "the Job took longer than it was given"
    INTERNAL = "Internal", "the program failed in a way it has no word for"
    JOB_FAILED = "JobFailed", "a Job failed"
    WINDOW_SKIPPED = "WindowSkipped", "windows were not judged: too many at once, or one that failed again and again"

    NO_WINDOW_YET = "NoWindowYet", "no window has been judged"
    NO_TRAFFIC = "NoTraffic", "nobody asked in the newest window"
    TOO_FEW_ROWS = "TooFewRows", "the newest window has too few rows to be judged"
    NOTHING_COMPARABLE = "NothingComparable", "no feature of the newest window can be compared"
    DRIFT_FOUND = "DriftFound", "a feature has moved: beyond the threshold, and by more than minEffect"
    DRIFT_OVER = "DriftOver", "the newest window is like the reference again"
    AS_REFERENCE = "AsReference", "the newest window is like the reference, as far as anyone minds"
    IMMATERIAL = "Immaterial", "a feature has moved beyond the threshold, but by less than minEffect"
    DATA_BUG_FOUND = "DataBugFound", "the newest window is wrong rather than different"
    NO_DATA_BUG = "NoDataBug", "no known fault in the newest window"
    QUALITY_HELD = "QualityHeld", "labels show no more errors than usual"
    QUALITY_LOST_FOUND = "QualityLostFound", "labels show more errors than usual"
    NO_LABELS = "NoLabels", "too few labels have come"
    NO_BASELINE = "NoBaseline", "the version that serves states no such metric"
    NOT_CALIBRATED = "NotCalibrated", "labels show that the probabilities cannot be taken at their word"
    NOT_BINARY = "NotBinary", "answers and labels are no probabilities and classes"
    MEASURED = "Measured", "the impact was measured on labels"
    ESTIMATED = "Estimated", "the impact was estimated from calibrated probabilities"


TROUBLES: Final[dict[str, Reason]] = {
    reason.value: reason
    for reason in (
        Reason.REFERENCE_TOO_SMALL,
        Reason.REFERENCE_CHANGED,
        Reason.UNKNOWN_FEATURE,
        Reason.NO_LOG,
        Reason.MASKED,
        Reason.NOT_FOUND,
        Reason.UNREADABLE,
        Reason.NOT_WRITABLE,
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
"""Classes of trouble, as the Job and the evidence name them, by reason."""

WORDS: Final[dict[str, Reason]] = {reason.value: reason for reason in Reason}

PATIENT: Final = frozenset({Reason.REFERENCE_TOO_SMALL, Reason.UNKNOWN_FEATURE, Reason.MASKED})
"""What no further try mends: only somebody who changes the spec, the reference or the log."""
