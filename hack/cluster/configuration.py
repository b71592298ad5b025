"""The text of every configuration file of the native cluster. Pure: a layout in, text out."""

import json
from pathlib import Path

from cluster import network
from cluster.layout import Layout

PAUSE_IMAGE = "localhost/gyre-pause:1"


def containerd(layout: Layout) -> str:
    """containerd 1.6, apart from any other containerd of the machine: own root, state and socket."""
    return f"""\
version = 2
root = "{layout.store}"
state = "{layout.run}"
# `opt` would make /opt/containerd; the snapshotters would only log that their file systems are absent.
disabled_plugins = [
  "io.containerd.internal.v1.opt", "io.containerd.snapshotter.v1.aufs", "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper", "io.containerd.snapshotter.v1.zfs", "io.containerd.tracing.processor.v1.otlp",
]
[grpc]
  address = "{layout.socket}"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{PAUSE_IMAGE}"
  # Without CAP_SYS_RESOURCE a negative oom_score_adj is refused, and runc dies of it: "can't get final child's PID".
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
    conf_dir = "{layout.state / "cni"}"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = false
      Root = "{layout.run / "runc"}"
"""


def cni(layout: Layout) -> str:
    """Each pod on a link of its own, routed: Services between pods work without the kernel's br_netfilter."""
    return json.dumps(
        {
            "cniVersion": "1.0.0",
            "name": network.POD_NETWORK,
            "plugins": [
                {
                    "type": "ptp",
                    "ipMasq": True,
                    "ipam": {
                        "type": "host-local",
                        "dataDir": str(layout.state / "cni-addresses"),
                        "ranges": [[{"subnet": network.PODS}]],
                        "routes": [{"dst": "0.0.0.0/0"}],
                    },
                },
                {"type": "portmap", "capabilities": {"portMappings": True}},
            ],
        },
        indent=1,
    )


def kubelet(layout: Layout) -> str:
    """Tried on hybrid cgroups, without systemd, without CAP_SYS_RESOURCE."""
    certificates = layout.certificates
    return json.dumps(
        {
            "apiVersion": "kubelet.config.k8s.io/v1beta1",
            "kind": "KubeletConfiguration",
            "authentication": {
                "anonymous": {"enabled": False},
                "webhook": {"enabled": True},
                "x509": {"clientCAFile": str(certificates / "ca.crt")},
            },
            "authorization": {"mode": "Webhook"},
            "tlsCertFile": str(certificates / "kubelet-server.crt"),
            "tlsPrivateKeyFile": str(certificates / "kubelet-server.key"),
            "containerRuntimeEndpoint": f"unix://{layout.socket}",
            "cgroupDriver": "cgroupfs",
            "failCgroupV1": False,
            "failSwapOn": False,
            "clusterDNS": [network.DNS_SERVICE],
            "clusterDomain": "cluster.local",
            "resolvConf": "",
            "podLogsDir": str(layout.state / "pod-logs"),
            "volumePluginDir": str(layout.state / "volume-plugins"),
            # At 85 % of the disk the kubelet would collect the pause image, and no pod could start again: there is
            # no registry to bring it back.
            "imageGCHighThresholdPercent": 100,
            "evictionHard": {
                "memory.available": "100Mi",
                "nodefs.available": "1%",
                "imagefs.available": "1%",
                "nodefs.inodesFree": "1%",
            },
            # Tests wait for pods to come and go; the defaults of 5 and 10 are for registries and large nodes.
            "serializeImagePulls": False,
            "kubeAPIQPS": 100,
            "kubeAPIBurst": 200,
        },
        indent=1,
    )


def corefile(layout: Layout, resolver: Path = Path("/etc/resolv.conf")) -> str:
    """Cluster names by CoreDNS on the node's address; all others by the machine's own resolvers."""
    return f"""\
.:53 {{
    bind {network.ADDRESS}
    errors
    ready {network.ADDRESS}:8181
    kubernetes cluster.local in-addr.arpa ip6.arpa {{
        kubeconfig {layout.certificates / "coredns.kubeconfig"} gyre
        pods insecure
        fallthrough in-addr.arpa ip6.arpa
        ttl 5
    }}
    forward . {resolver}
    cache 5
}}
"""


def write(layout: Layout) -> None:
    """Put every file in its place; unchanged ones stay untouched."""
    for path, text in {
        layout.state / "containerd.toml": containerd(layout),
        layout.state / "cni" / "10-gyre.conflist": cni(layout),
        layout.state / "kubelet.json": kubelet(layout),
        layout.state / "Corefile": corefile(layout),
    }.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
