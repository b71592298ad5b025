"""Whose fault it is when workers fail: pure decisions on exceptions and their text.

Promises   an exception of the user's code is `User` even when its peers fail with it; a node that went away is `WorkerLost`
           even when the surviving ranks raise from inside user code, as they do when a collective loses its peer.
Never      imports Ray or torch: types are told apart by module and name, so that this can be tested without either.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal["User", "WorkerLost", "Preempted", "RestoreFailed", "Parked", "Framework"]
MESSAGE_LIMIT: Final = 1000  # characters, docs/run-contract.md


class Parked(Exception):
    """Raised on every rank once the checkpoint for `park` is safe; ends the run without a failure."""


class LeavingNode(Exception):
    """Raised on every rank when the last checkpoint before a node's deadline is safe; the run starts again elsewhere."""


class RestoreFailed(Exception):
    """A checkpoint does not hold what its manifest says, or cannot be loaded."""

    def __init__(self, name: str, error: str) -> None:
        super().__init__(name, error)
        self.name, self.error = name, error

    def __str__(self) -> str:
        return f"{self.name}: {self.error}"


class UserError(Exception):
    """The run's specification asks for something impossible; the text names the fix. Raised by gyre's own loop."""


@dataclass(frozen=True, slots=True)
class Fault:
    kind: Kind
    message: str
    rank: int | None = None


# What a surviving rank says when a peer is gone. gloo: third_party/gloo/gloo/transport/tcp/pair.cc; NCCL: nccl.h result
# names; c10d: torch/csrc/distributed/c10d/exception.h (torch 2.6).
PEER_TYPES: Final = frozenset({"DistBackendError", "DistNetworkError", "DistStoreError"})
PEER_TEXT: Final = re.compile(
    r"gloo|ncclRemoteError|ncclSystemError|NCCL error|NCCL communicator|Watchdog caught collective|"
    r"Connection (closed|reset) by peer|Connection refused|Broken pipe|Socket (closed|Timeout)|"
    r"Timed out waiting .*ms for (recv|send) operation",
    re.IGNORECASE,
)


MEMORY: Final = re.compile(r"OutOfMemoryError|low on memory")
OURS: Final = re.compile(r"/(gyre_train|site-packages/ray)/")
SIGNALS: Final[tuple[tuple[type[Exception], Kind], ...]] = (
    (Parked, "Parked"),
    (LeavingNode, "Preempted"),
    (RestoreFailed, "RestoreFailed"),
)
ORDER: Final[tuple[Kind, ...]] = ("Parked", "RestoreFailed", "Preempted", "WorkerLost", "User")


def classify(failures: Mapping[int, BaseException], text: str = "") -> Fault:
    """The one fault behind the failures of a worker group, by rank.

    `text` is the report with tracebacks that came with them; the message is its end. The order of the rules is the policy:
    our own signals first, then a lost worker (whose peers fail in user code without being at fault), then the user's error.
    """
    by_kind: dict[Kind, tuple[int, BaseException]] = {}
    # Of a lost worker Ray knows more than the peers that miss it: that its memory ran out, say.
    for rank in sorted(failures, key=lambda rank: (not is_of_ray(failures[rank]), rank)):
        by_kind.setdefault(kind_of(failures[rank]), (rank, failures[rank]))
    for kind in ORDER:
        if kind in by_kind and not (kind == "WorkerLost" and only_peers(failures) and "User" in by_kind):
            rank, error = by_kind[kind]
            return Fault(kind, message_of(error, text if kind == "User" else ""), rank)
    return Fault("Framework", shorten(text) or "no worker said why")


def kind_of(error: BaseException) -> Kind:
    for known, kind in SIGNALS:
        if isinstance(error, known):
            return kind
    return "WorkerLost" if is_of_ray(error) or is_peer(error) else "User"


def only_peers(failures: Mapping[int, BaseException]) -> bool:
    """No worker is known to be gone: those that miss a peer miss the one whose user code failed."""
    return not any(is_of_ray(error) for error in failures.values())


def is_of_ray(error: BaseException) -> bool:
    return any(base.__module__.split(".")[0] == "ray" for base in type(error).__mro__)


def is_peer(error: BaseException) -> bool:
    names = {base.__name__ for base in type(error).__mro__}
    return bool(names & PEER_TYPES) or ("RuntimeError" in names and bool(PEER_TEXT.search(str(error))))


def message_of(error: BaseException, text: str) -> str:
    head = f"{type(error).__name__}: {error}".strip()
    if is_of_ray(error):
        return f"{type(error).__name__}: {said_by_ray(head)}"[:500]
    return shorten(users_part(text)) if text and type(error).__name__ in text else shorten(head)


def said_by_ray(text: str) -> str:
    """The line that says what happened: that memory ran out, wherever it stands, else the last; others repeat ids and advice.

    `python/ray/exceptions.py` and `src/ray/raylet/worker_killing_policy.cc`, ray 2.60.0. That a worker *may* have been killed
    for its memory is said of every crash and means nothing.
    """
    lines = text.strip().splitlines()
    return next((line.strip() for line in lines if MEMORY.search(line)), lines[-1].strip() if lines else "")


def users_part(text: str) -> str:
    """The last traceback in `text` without the frames of Ray and of this package, where others are left."""
    lines = text.rpartition("Traceback (most recent call last):\n")[2].splitlines()
    starts = [number for number, line in enumerate(lines) if line.startswith('  File "')]
    if not starts:
        return text
    after = (number for number in range(starts[-1], len(lines)) if not lines[number].startswith("  "))
    end = next(after, len(lines))
    frames = [lines[first:last] for first, last in zip(starts, [*starts[1:], end], strict=True)]
    theirs = [frame for frame in frames if not OURS.search(frame[0])]
    return "\n".join([line for frame in theirs or frames for line in frame] + lines[end:])


def shorten(text: str, limit: int = MESSAGE_LIMIT) -> str:
    """The last lines of `text` that fit into `limit` characters: a traceback names file and line at its end."""
    lines = [line for line in text.strip().splitlines() if line.strip()]
    kept: list[str] = []
    for line in reversed(lines):
        if sum(len(other) + 1 for other in kept) + len(line) > limit:
            break
        kept.insert(0, line)
    return "\n".join(kept) if kept else text.strip()[-limit:]
