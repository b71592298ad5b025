"""The table of long-running processes of the native cluster. Pure but for `healthy`, which asks.

A component of a later day is one more row here and, if it needs programs, one more Program in `binaries`. What can
run as pods is no component but an addition.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from cluster import commands, network
from cluster.certificates import NODE, SERVER
from cluster.daemons import Daemon
from cluster.layout import Layout, Refused

ETCD: Final = "http://127.0.0.1:12379"
"""Not etcd's usual port, which tests and other programs of the machine may have."""


@dataclass(frozen=True, slots=True)
class Component:
    """One process. `health` answers 200 once it serves; a `unix:` one only has to accept a connection."""

    name: str
    argv: tuple[str, ...]
    health: str
    reads: Path | None = None
    """Its configuration file: when that changes, `up` starts the process again."""


def components(layout: Layout, programs: Path) -> tuple[Component, ...]:
    """In the order in which they are told by `status`."""
    state, certificates = layout.state, layout.certificates

    def config(client: str) -> str:
        return f"--kubeconfig={certificates / client}.kubeconfig"

    def program(name: str, *arguments: str) -> tuple[str, ...]:
        return (str(programs / name), *arguments)

    return (
        Component(
            "etcd",
            program(
                "etcd",
                f"--data-dir={state / 'etcd'}",
                f"--listen-client-urls={ETCD}",
                f"--advertise-client-urls={ETCD}",
                "--listen-peer-urls=http://127.0.0.1:12380",
                "--initial-advertise-peer-urls=http://127.0.0.1:12380",
                "--initial-cluster=default=http://127.0.0.1:12380",
                # The cluster does not outlive the machine, so a write need not outlive a power cut.
                "--unsafe-no-fsync",
                "--log-level=warn",
            ),
            f"{ETCD}/health",
        ),
        Component(
            "kube-apiserver",
            program(
                "kube-apiserver",
                f"--etcd-servers={ETCD}",
                "--secure-port=6443",
                "--bind-address=0.0.0.0",
                f"--advertise-address={network.ADDRESS}",
                f"--service-cluster-ip-range={network.SERVICES}",
                f"--tls-cert-file={certificates / 'apiserver.crt'}",
                f"--tls-private-key-file={certificates / 'apiserver.key'}",
                f"--client-ca-file={certificates / 'ca.crt'}",
                f"--service-account-key-file={certificates / 'tokens.key'}",
                f"--service-account-signing-key-file={certificates / 'tokens.key'}",
                "--service-account-issuer=https://kubernetes.default.svc.cluster.local",
                "--authorization-mode=Node,RBAC",
                "--enable-admission-plugins=NodeRestriction",
                "--allow-privileged=true",
                "--kubelet-preferred-address-types=InternalIP",
                f"--kubelet-certificate-authority={certificates / 'ca.crt'}",
                f"--kubelet-client-certificate={certificates / 'apiserver-kubelet.crt'}",
                f"--kubelet-client-key={certificates / 'apiserver-kubelet.key'}",
            ),
            f"{SERVER}/readyz",
        ),
        Component(
            "kube-controller-manager",
            program(
                "kube-controller-manager",
                config("kube-controller-manager"),
                f"--service-account-private-key-file={certificates / 'tokens.key'}",
                f"--root-ca-file={certificates / 'ca.crt'}",
                f"--cluster-signing-cert-file={certificates / 'ca.crt'}",
                f"--cluster-signing-key-file={certificates / 'ca.key'}",
                f"--flex-volume-plugin-dir={state / 'volume-plugins'}",
                "--use-service-account-credentials",
                "--leader-elect=false",
                "--bind-address=127.0.0.1",
            ),
            "https://127.0.0.1:10257/healthz",
        ),
        Component(
            "kube-scheduler",
            program("kube-scheduler", config("kube-scheduler"), "--leader-elect=false", "--bind-address=127.0.0.1"),
            "https://127.0.0.1:10259/healthz",
        ),
        Component(
            "containerd",
            ("/usr/bin/containerd", "-c", str(state / "containerd.toml"), "--log-level=warn"),
            f"unix:{layout.socket}",
            reads=state / "containerd.toml",
        ),
        Component(
            "kubelet",
            program(
                "kubelet",
                config("kubelet"),
                f"--config={state / 'kubelet.json'}",
                f"--root-dir={state / 'kubelet'}",
                f"--hostname-override={NODE}",
                f"--node-ip={network.ADDRESS}",
                # For the statistics of pods: without it cAdvisor asks the machine's usual containerd.
                f"--containerd={layout.socket}",
            ),
            "http://127.0.0.1:10248/healthz",
            reads=state / "kubelet.json",
        ),
        Component(
            "kube-proxy",
            program(
                "kube-proxy",
                config("kube-proxy"),
                "--proxy-mode=iptables",
                f"--cluster-cidr={network.PODS}",
                f"--hostname-override={NODE}",
                # 0 leaves the kernel's own limit: setting it is refused in a sandbox.
                "--conntrack-max-per-core=0",
                # Rules follow an endpoint within a fifth of a second; the default waits for a whole one.
                "--iptables-min-sync-period=200ms",
            ),
            "http://127.0.0.1:10256/livez",
        ),
        Component(
            "coredns",
            program("coredns", "-conf", str(state / "Corefile")),
            f"http://{network.ADDRESS}:8181/ready",
            reads=state / "Corefile",
        ),
    )


def daemon(component: Component, layout: Layout) -> Daemon:
    return Daemon(
        component.name,
        component.argv,
        layout.state / f"{component.name}.pid",
        layout.logs / f"{component.name}.log",
        component.reads,
    )


def healthy(component: Component, layout: Layout, timeout: float = 2.0) -> bool:
    """Does it serve? Anything but a yes is a no."""
    try:
        return _answers(component.health, layout, timeout)
    except (OSError, http.client.HTTPException):
        return False


def _answers(health: str, layout: Layout, timeout: float) -> bool:
    url = urlsplit(health)
    if url.scheme == "unix":
        with socket.socket(socket.AF_UNIX) as probe:
            probe.settimeout(timeout)
            probe.connect(url.path)
            return True
    connection: http.client.HTTPConnection
    if url.scheme == "https":
        connection = http.client.HTTPSConnection(url.netloc, timeout=timeout, context=_tls(health, layout))
    else:
        connection = http.client.HTTPConnection(url.netloc, timeout=timeout)
    try:
        connection.request("GET", url.path)
        return connection.getresponse().status == http.client.OK
    finally:
        connection.close()


def _tls(health: str, layout: Layout) -> ssl.SSLContext:
    """The API server is checked against our authority; the two others sign their own on this machine's loopback."""
    context = ssl.create_default_context()
    if health.startswith(SERVER):
        context.load_verify_locations(layout.certificates / "ca.crt")
        context.load_cert_chain(layout.certificates / "admin.crt", layout.certificates / "admin.key")
    else:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context


def start(component: Component, layout: Layout, patience: float = 120.0) -> str:
    """Start it and wait until it serves; raises Refused with the end of its log."""
    process = daemon(component, layout)
    remark = process.start()
    deadline = time.monotonic() + patience
    while not healthy(component, layout):
        if process.running() is None:
            raise Refused(f"{component.name} ended; its log {process.log} says:\n{process.tail()}")
        if commands.cancelled():
            raise Refused(f"stopped waiting for {component.name}")
        if time.monotonic() > deadline:
            raise Refused(
                f"{component.name} does not serve after {patience:.0f} s; {process.log} says:\n{process.tail()}"
            )
        time.sleep(0.1)
    return remark


def start_all(found: Iterable[Component], layout: Layout) -> str:
    """One after the other, for those that must; returns what had to be started."""
    started = [component.name for component in found if start(component, layout) != "runs"]
    return f"started {', '.join(started)}" if started else "runs"
