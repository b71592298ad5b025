"""The classes of failure, and what is done about each when the user says nothing else. Pure data.

Why so: what the infrastructure took away is tried again almost for ever, because it costs only time; what the program did
is tried again seldom, because it will do it again; what nobody can repair by waiting is not tried again.

    class                retries  backoff   why
    User                       2    10s     a bug may depend on the data order; never before its first step
    OutOfMemory                1    30s     the same memory is seldom enough the second time
    NodeLost                  20     5s     another node will do
    SpotReclaim              100     5s     that is the deal
    Evicted                   20    15s     somebody needed the place; it will be free again
    Stockout                  20     5m     capacity comes back in minutes, not in seconds
    ImagePull                  0     0s     the kubelet itself tried again and again for `waits.pull`
    Hang                       3    10s     a lost packet in a collective; more often it is a bug
    Timeout                    0     0s     `timeLimit` or `finishBy` is spent
    StorageNotWritable         1    30s     a mount may come late
    DatasetChanged             0     0s     the bytes are not the pinned ones: a new TrainingJob, a new version
    RestoreFailed              4     5s     twice one checkpoint, then the one before it
    Framework                  3    15s     Ray or KubeRay gave up for reasons of its own

A retry is an attempt, or a restart of the workers inside an attempt: one budget for both. The backoff doubles with every
failure of the class, up to ten minutes.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from gyre.api.terms import Term

LONGEST_BACKOFF: Final = timedelta(minutes=10)
POISON: Final = 3
"""Crashes at the same step before the step is blamed."""
RESTORES: Final = 2
"""Failed restores from one checkpoint before it is quarantined."""


class FailureClass(Term):
    """Why an attempt ended, by who has to do something about it."""

    USER = "User", "the program raised an error"
    OUT_OF_MEMORY = "OutOfMemory", "a container or the program ran out of memory, of the node or of the GPU"
    NODE_LOST = "NodeLost", "a node went away or stopped answering, without notice"
    SPOT_RECLAIM = "SpotReclaim", "the provider took spot capacity back"
    EVICTED = "Evicted", "a pod was evicted or preempted inside the cluster"
    STOCKOUT = "Stockout", "no node had room for longer than `waits.schedule`"
    IMAGE_PULL = "ImagePull", "the image could not be pulled for longer than `waits.pull`"
    HANG = "Hang", "the run said nothing for longer than `waits.silence`"
    TIMEOUT = "Timeout", "`timeLimit` or `finishBy` passed"
    STORAGE_NOT_WRITABLE = "StorageNotWritable", "checkpoints cannot be written"
    DATASET_CHANGED = "DatasetChanged", "the data no longer have the pinned digest"
    RESTORE_FAILED = "RestoreFailed", "a checkpoint could not be loaded"
    FRAMEWORK = "Framework", "Ray, KubeRay or the driver failed, not the program"


C = FailureClass


def class_named(word: str) -> FailureClass | None:
    return next((cls for cls in FailureClass if cls.value == word), None)


PROGRAM: Final = frozenset({C.USER, C.OUT_OF_MEMORY, C.HANG, C.FRAMEWORK})
"""Classes in which the same step failing again and again blames the step: no infrastructure took the run away."""

NEVER_AGAIN: Final = frozenset({C.TIMEOUT, C.DATASET_CHANGED})
"""Classes that no `retries` can change."""


@dataclass(frozen=True, slots=True)
class Budget:
    retries: int
    backoff: timedelta

    def delay(self, failures: int) -> timedelta:
        """The wait after the n-th failure of the class, n ≥ 1."""
        factor: int = 2 ** min(max(0, failures - 1), 10)
        return min(self.backoff * factor, max(LONGEST_BACKOFF, self.backoff))


DEFAULTS: Final = {
    C.USER: Budget(2, timedelta(seconds=10)),
    C.OUT_OF_MEMORY: Budget(1, timedelta(seconds=30)),
    C.NODE_LOST: Budget(20, timedelta(seconds=5)),
    C.SPOT_RECLAIM: Budget(100, timedelta(seconds=5)),
    C.EVICTED: Budget(20, timedelta(seconds=15)),
    C.STOCKOUT: Budget(20, timedelta(minutes=5)),
    C.IMAGE_PULL: Budget(0, timedelta()),
    C.HANG: Budget(3, timedelta(seconds=10)),
    C.TIMEOUT: Budget(0, timedelta()),
    C.STORAGE_NOT_WRITABLE: Budget(1, timedelta(seconds=30)),
    C.DATASET_CHANGED: Budget(0, timedelta()),
    C.RESTORE_FAILED: Budget(4, timedelta(seconds=5)),
    C.FRAMEWORK: Budget(3, timedelta(seconds=15)),
}

FIXES: Final = {
    C.USER: "fix the program, then create a new TrainingJob",
    C.OUT_OF_MEMORY: "ask for more spec.resources.memory or use a smaller batch, in a new TrainingJob",
    C.NODE_LOST: "look at the nodes; a new TrainingJob starts over",
    C.SPOT_RECLAIM: "use nodes that are not spot, in a new TrainingJob",
    C.EVICTED: "give the job a higher spec.priorityClassName, in a new TrainingJob",
    C.STOCKOUT: "add nodes or ask for less, in a new TrainingJob",
    C.IMAGE_PULL: "check spec.image and the pull secret, then create a new TrainingJob",
    C.HANG: "look for a rank that left a collective; waits.silence is the limit",
    C.TIMEOUT: "raise spec.timeLimit or spec.finishBy in a new TrainingJob",
    C.STORAGE_NOT_WRITABLE: "let user and group 65532 write to spec.storage, then create a new TrainingJob",
    C.DATASET_CHANGED: "restore the data, or train on their new version with a new TrainingJob",
    C.RESTORE_FAILED: "no checkpoint could be loaded; create a new TrainingJob",
    C.FRAMEWORK: "see the message; a new TrainingJob starts over",
}
