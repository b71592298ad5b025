"""The machine's network: one address that stays, and the removal of all that Kubernetes and CNI made.

Promises   `remove` deletes what bears our names and nothing else: another program's chains keep their rules.
"""

import json
import re
import subprocess
from pathlib import Path
from typing import Final

from cluster import commands
from cluster.layout import Layout, Refused

BRIDGE: Final = "gyre0"
ADDRESS: Final = "10.0.99.1"
"""The node's address. On a bridge of its own, so that it outlives any change of the machine's own network."""
NODES: Final = "10.0.99.0/24"
PODS: Final = "10.244.0.0/16"
SERVICES: Final = "10.96.0.0/16"
API_SERVICE: Final = "10.96.0.1"
DNS_SERVICE: Final = "10.96.0.10"
POD_NETWORK: Final = "gyre-pods"

SETTINGS: Final = {
    "/proc/sys/net/ipv4/ip_forward": "1",
    "/proc/sys/net/ipv4/conf/all/route_localnet": "1",
}
"""Kernel settings that pods and Services need; `remove` puts the former values back."""
CNI_RESULTS: Final = Path("/var/lib/cni/results")
_OURS = re.compile(r"(?:^:|(?:^|\s)-[Ajg] )(?:KUBE|CNI)-")


def prepare(layout: Layout) -> str:
    """The bridge with the node's address, and forwarding."""
    kept = layout.state / "kernel-settings.json"
    if not kept.exists():
        kept.write_text(json.dumps({name: Path(name).read_text().strip() for name in SETTINGS}))
    for name, value in SETTINGS.items():
        if Path(name).read_text().strip() != value:
            Path(name).write_text(value)
    if not Path(f"/sys/class/net/{BRIDGE}").exists():
        if commands.tried(["ip", "link", "add", BRIDGE, "type", "bridge"]) is None:
            raise Refused("this kernel makes no network bridge; load its `bridge` module, or use kind")
        commands.run(["ip", "address", "add", f"{ADDRESS}/24", "dev", BRIDGE])
    commands.run(["ip", "link", "set", BRIDGE, "up"])
    return f"{ADDRESS} on {BRIDGE}"


def without_ours(rules: str) -> str:
    """What `iptables-save` printed, less every chain and rule of Kubernetes and CNI.

    Rules of others that jump into such a chain go as well: the chain will not be there.
    """
    return "".join(line for line in rules.splitlines(keepends=True) if not _OURS.search(line))


def remove(layout: Layout) -> None:
    """Delete chains, pods' network namespaces, the bridge, CNI's notes; put kernel settings back."""
    for family in ("iptables", "ip6tables"):
        rules = commands.tried([f"{family}-save", "-c"])
        if rules and (rest := without_ours(rules)) != rules:
            commands.run([f"{family}-restore", "-c"], given=rest.encode())
    for note in CNI_RESULTS.glob(f"{POD_NETWORK}-*"):
        for namespace in sandboxes(note.read_text()):
            commands.tried(["ip", "netns", "delete", namespace])
        container = note.name.removeprefix(f"{POD_NETWORK}-").removesuffix("-eth0")
        (CNI_RESULTS / f"cni-loopback-{container}-lo").unlink(missing_ok=True)
        note.unlink()
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        commands.run(["ip", "link", "delete", BRIDGE])
    try:
        former = json.loads((layout.state / "kernel-settings.json").read_text())
    except (OSError, ValueError):
        return
    for name, value in former.items():
        Path(name).write_text(value)


def sandboxes(note: str) -> set[str]:
    """Names of the network namespaces in one of CNI's notes on a pod.

    The notes outlive a crash of everything else, so the namespaces of pods that nobody ended are found as well.
    """
    try:
        interfaces = json.loads(note)["result"]["interfaces"]
    except (ValueError, KeyError, TypeError):
        return set()
    return {Path(interface["sandbox"]).name for interface in interfaces if interface.get("sandbox")}


def remains() -> list[str]:
    """What of us is still in the network: empty after `remove`."""
    found = []
    for family in ("iptables", "ip6tables"):
        rules = subprocess.run([f"{family}-save"], capture_output=True, text=True, check=False).stdout
        found += [f"{family} {line}" for line in rules.splitlines() if _OURS.search(line)]
    if Path(f"/sys/class/net/{BRIDGE}").exists():
        found.append(f"bridge {BRIDGE}")
    return found
