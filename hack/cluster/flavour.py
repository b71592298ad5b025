"""Which cluster: an explicitly named context, else kind where a Docker engine answers, else native.

Promises   says which and why; `down` and `status` act on what `up` chose, whatever has changed since.
"""

import json
import os
import platform
import shutil
from dataclasses import asdict, dataclass
from typing import Literal

from cluster import commands
from cluster.layout import Layout, Refused

Name = Literal["context", "kind", "native"]


@dataclass(frozen=True, slots=True)
class Flavour:
    """What was chosen; `context` is the name of the caller's own context, if that was it."""

    name: Name
    why: str
    context: str = ""


@dataclass(frozen=True, slots=True)
class Machine:
    """What the choice depends on."""

    docker_answers: bool
    kind_installed: bool
    linux: bool
    root: bool


def look() -> Machine:
    return Machine(
        # `docker version` fails where only the client is installed.
        docker_answers=commands.tried(["docker", "version"]) is not None,
        kind_installed=shutil.which("kind") is not None,
        linux=platform.system() == "Linux",
        root=os.geteuid() == 0,
    )


def choose(machine: Machine, context: str | None = None) -> Flavour:
    """The first that fits."""
    if context:
        return Flavour("context", "it was named", context)
    if machine.docker_answers and machine.kind_installed:
        return Flavour("kind", "a Docker engine answers")
    if machine.linux and machine.root:
        why = "Docker answers but `kind` is not installed" if machine.docker_answers else "no Docker engine answers"
        return Flavour("native", f"{why}, and this is Linux as root")
    if machine.docker_answers:
        raise Refused("a Docker engine answers but `kind` is missing: `go install sigs.k8s.io/kind@v0.31.0`")
    raise Refused("start Docker and install kind, or run this as root on Linux, or name a context with --context")


def remember(layout: Layout, flavour: Flavour) -> None:
    (layout.state / "flavour.json").write_text(json.dumps(asdict(flavour)))


def remembered(layout: Layout) -> Flavour | None:
    """What `up` chose, or None if nothing is up."""
    try:
        return Flavour(**json.loads((layout.state / "flavour.json").read_text()))
    except (OSError, ValueError, TypeError):
        return None
