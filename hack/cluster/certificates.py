"""A certificate authority for one cluster's life, and a certificate for each who speaks.

Promises   keys are readable by root alone and die with the state folder; what exists is kept.
"""

import base64
import json
from dataclasses import dataclass
from typing import Any, Final

from cluster import commands, network
from cluster.layout import Layout
from cluster.steps import together

NODE: Final = "gyre-node1"
DAYS: Final = "3650"
SERVER: Final = f"https://{network.ADDRESS}:6443"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who a certificate speaks for. `groups` is what Kubernetes calls the organisation; `names` makes it a server's."""

    file: str
    user: str
    groups: tuple[str, ...] = ()
    names: tuple[str, ...] = ()


IDENTITIES: Final = (
    Identity(
        "apiserver",
        "kube-apiserver",
        names=(
            *("DNS:kubernetes", "DNS:kubernetes.default", "DNS:kubernetes.default.svc"),
            *("DNS:kubernetes.default.svc.cluster.local", "DNS:localhost"),
            *(f"IP:{address}" for address in ("127.0.0.1", network.ADDRESS, network.API_SERVICE)),
        ),
    ),
    Identity("kubelet-server", NODE, names=(f"DNS:{NODE}", f"IP:{network.ADDRESS}")),
    Identity("admin", "gyre-admin", groups=("system:masters",)),
    # The API server's own face towards the kubelet: logs, exec, port-forward.
    Identity("apiserver-kubelet", "kube-apiserver-kubelet-client", groups=("system:masters",)),
    Identity("kubelet", f"system:node:{NODE}", groups=("system:nodes",)),
    Identity("kube-controller-manager", "system:kube-controller-manager"),
    Identity("kube-scheduler", "system:kube-scheduler"),
    Identity("kube-proxy", "system:kube-proxy"),
    Identity("coredns", "system:coredns"),
)
CLIENTS: Final = ("admin", "kubelet", "kube-controller-manager", "kube-scheduler", "kube-proxy", "coredns")


_ELLIPTIC: Final = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", DAYS)


def authority(layout: Layout) -> None:
    """The one that signs all others, if it is not there yet."""
    folder = layout.certificates
    if not (folder / "ca.crt").exists():
        commands.run(
            [
                *("openssl", "req", "-x509", "-new", *_ELLIPTIC, "-subj", "/CN=gyre-cluster"),
                *("-addext", "keyUsage=critical,keyCertSign,cRLSign", "-keyout", folder / "ca.key"),
                *("-out", folder / "ca.crt"),
            ]
        )


def certify(layout: Layout, identity: Identity) -> None:
    """Key and certificate of this identity, if they are not there yet."""
    folder = layout.certificates
    if (folder / f"{identity.file}.crt").exists():
        return
    subject = "".join(f"/O={group}" for group in identity.groups) + f"/CN={identity.user}"
    extended = "serverAuth" if identity.names else "clientAuth"
    subject_names = ("-addext", f"subjectAltName={','.join(identity.names)}") if identity.names else ()
    commands.run(
        [
            *("openssl", "req", "-x509", "-new", *_ELLIPTIC, "-subj", subject),
            *("-addext", "basicConstraints=critical,CA:FALSE", "-addext", f"extendedKeyUsage={extended}"),
            *("-addext", "keyUsage=critical,digitalSignature", *subject_names),
            *("-CA", folder / "ca.crt", "-CAkey", folder / "ca.key"),
            *("-keyout", folder / f"{identity.file}.key", "-out", folder / f"{identity.file}.crt"),
        ]
    )


def issue(layout: Layout) -> str:
    """Make what is missing: authority, certificates, the key that signs tokens, a kubeconfig for each client."""
    folder = layout.certificates
    authority(layout)
    if not (folder / "tokens.key").exists():
        commands.run(["openssl", "genrsa", "-out", folder / "tokens.key", "2048"])
    absent = [identity for identity in IDENTITIES if not (folder / f"{identity.file}.crt").exists()]
    together([lambda identity=identity: certify(layout, identity) for identity in absent])  # type: ignore[misc]
    for client in CLIENTS:
        target = layout.kubeconfig if client == "admin" else folder / f"{client}.kubeconfig"
        if not target.exists():
            read = {part: (folder / file).read_bytes() for part, file in _parts(client).items()}
            target.touch(mode=0o600)
            target.write_text(json.dumps(kubeconfig(client, **read), indent=1))
    return f"issued {len(absent)}" if absent else "kept"


def _parts(client: str) -> dict[str, str]:
    return {"authority": "ca.crt", "certificate": f"{client}.crt", "key": f"{client}.key"}


def kubeconfig(user: str, *, authority: bytes, certificate: bytes, key: bytes) -> dict[str, Any]:
    """A kubeconfig with everything inside, so that it can be copied elsewhere on the machine."""

    def text(content: bytes) -> str:
        return base64.b64encode(content).decode()

    return {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "gyre", "cluster": {"server": SERVER, "certificate-authority-data": text(authority)}}],
        "users": [{"name": user, "user": {"client-certificate-data": text(certificate), "client-key-data": text(key)}}],
        "contexts": [{"name": "gyre", "context": {"cluster": "gyre", "user": user}}],
        "current-context": "gyre",
    }
