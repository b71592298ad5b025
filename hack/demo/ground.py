"""What every story stands on: the cluster, gyre in it, and a namespace for its objects."""

from __future__ import annotations

import sys

from narrator import Narrator


def cluster(say: Narrator) -> None:
    with say.step(
        "A real Kubernetes", "kube-apiserver, kubelet, KubeRay: a named context, kind, or built and run right here."
    ):
        say.run(f"{sys.executable} hack/cluster up")
        say.environment["KUBECONFIG"] = say.ask(f"{sys.executable} hack/cluster kubeconfig").strip()


def operator(say: Narrator) -> None:
    with say.step("gyre", "Its CRDs, least-privilege RBAC and the operator itself, as a restricted pod."):
        say.run("gyre install | kubectl apply --server-side -f - | wc -l")
        say.run("kubectl -n gyre-system rollout restart deploy/gyre-operator")  # the tag may name a newer image by now
        say.run("kubectl -n gyre-system rollout status deploy/gyre-operator --timeout=180s")
        say.run(f"kubectl create namespace {say.namespace} --dry-run=client -o yaml | kubectl apply -f -")
        say.run(f"kubectl label namespace {say.namespace} pod-security.kubernetes.io/enforce=restricted --overwrite")
