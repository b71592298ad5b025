"""Where everything lives on this machine. Promises that nothing of it is inside the repository.

The cache survives `down`: binaries, image archives, containerd's store. The state folder is one cluster's life:
etcd's data, certificates, logs, volumes; `down` deletes it, and so it must be a folder that only we use.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
MARKER = ".gyre-cluster"


class Refused(Exception):
    """Something a person has to mend; the text is one clear sentence with what to do."""


@dataclass(frozen=True, slots=True)
class Layout:
    """The folders of one cluster."""

    cache: Path
    state: Path

    @property
    def modules(self) -> Path:
        """The Go module whose tools are Kubernetes' programs; those of serving are in folders below it."""
        return REPOSITORY / "hack" / "cluster" / "go"

    @property
    def store(self) -> Path:
        """containerd's images. They survive `down`, because writing them takes longer than all the rest."""
        return self.cache / "containerd"

    @property
    def run(self) -> Path:
        """containerd's sockets and mounts; short, because a socket's path has 107 bytes at most."""
        return Path("/run/gyre-containerd")

    @property
    def socket(self) -> Path:
        return self.run / "containerd.sock"

    @property
    def kubeconfig(self) -> Path:
        return self.state / "kubeconfig"

    @property
    def certificates(self) -> Path:
        return self.state / "certificates"

    @property
    def logs(self) -> Path:
        return self.state / "logs"

    @property
    def volumes(self) -> Path:
        return self.state / "volumes"

    def claim_state(self) -> None:
        """Make the state folder ours, or refuse one that holds somebody else's files."""
        if self.state.exists() and not (self.state / MARKER).exists() and any(self.state.iterdir()):
            raise Refused(
                f"{self.state} holds files that are not a cluster's; point GYRE_CLUSTER_DIR at an empty folder"
            )
        for folder in (self.state, self.logs, self.certificates, self.volumes):
            folder.mkdir(parents=True, exist_ok=True)
        # Certificates' keys are inside; pods reach their volumes by bind mounts, which do not walk this path.
        self.state.chmod(0o711)
        self.certificates.chmod(0o700)
        (self.state / MARKER).touch()


def layout_of(environment: Mapping[str, str], repository: Path = REPOSITORY) -> Layout:
    """GYRE_CACHE and GYRE_CLUSTER_DIR win; else the user's cache folder as XDG names it."""
    home = Path(environment.get("HOME", "/root"))
    user_cache = Path(environment.get("XDG_CACHE_HOME") or home / ".cache")
    cache = Path(environment.get("GYRE_CACHE") or user_cache / "gyre").absolute()
    state = Path(environment.get("GYRE_CLUSTER_DIR") or cache / "cluster").absolute()
    for name, folder in (("GYRE_CACHE", cache), ("GYRE_CLUSTER_DIR", state)):
        if folder == repository or repository in folder.parents:
            raise Refused(f"{folder} is inside the repository; set {name} to a folder outside it")
    if len(str(state)) > 70:
        raise Refused(f"{state} is too long a path for the kubelet's sockets; set GYRE_CLUSTER_DIR to a shorter one")
    return Layout(cache=cache, state=state)


def version_of(module: str, go_mod: str) -> str:
    """The version that go.mod asks for, with its `v`: the one place where a version is written."""
    found = re.search(rf"^\s*(?:require\s+)?{re.escape(module)} (v\S+)", go_mod, re.MULTILINE)
    if found is None:
        raise Refused(f"no go.mod below hack/cluster/go requires {module}")
    return found.group(1)
