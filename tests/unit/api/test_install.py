"""The manifests that install gyre."""

from __future__ import annotations

from typing import Any

import pytest
from tests.unit.api.kinds import BUSY, POLICY, a_kind

from gyre.api.effects import Manifest
from gyre.api.install import deployment, manifests


def of_kind(kind: str, **options: Any) -> list[Manifest]:
    made = manifests([BUSY], image="registry/gyre@sha256:1", namespace="gyre-system", **options)
    return [manifest for manifest in made if manifest["kind"] == kind]


def test_everything_is_there_in_the_order_in_which_it_is_applied():
    kinds = [m["kind"] for m in manifests([BUSY], image="i", namespace="gyre-system", secrets_in=["a", "b"])]
    assert kinds == [
        "Namespace",
        "CustomResourceDefinition",
        "ServiceAccount",
        "ClusterRole",
        "ClusterRoleBinding",
        "Role",
        "RoleBinding",
        "ClusterRole",
        "ClusterRole",
        "ClusterRole",
        "RoleBinding",
        "RoleBinding",
        "ValidatingAdmissionPolicy",
        "NetworkPolicy",
        "PodDisruptionBudget",
        "Deployment",
    ]


def test_without_a_kind_that_asks_for_secrets_there_is_no_role_for_them():
    made = manifests([a_kind()], image="i", namespace="n", secrets_in=["a"])
    assert not any("secrets" in manifest["metadata"]["name"] for manifest in made)


def test_policies_of_kinds_are_part_of_it():
    assert of_kind("ValidatingAdmissionPolicy") == [POLICY]


def test_the_pod_satisfies_the_restricted_standard():
    pod = of_kind("Deployment")[0]["spec"]["template"]["spec"]
    (container,) = pod["containers"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {next(iter(volume.keys() - {"name"})) for volume in pod["volumes"]} == {"projected", "emptyDir"}
    labels = of_kind("Namespace")[0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_the_container_has_a_memory_limit_and_no_cpu_limit():
    (container,) = deployment("i", "n")["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"] == {"memory": "512Mi"}
    assert {"cpu", "memory"} == container["resources"]["requests"].keys()


@pytest.mark.parametrize("probe", ["startupProbe", "livenessProbe", "readinessProbe"])
def test_the_container_is_probed(probe: str):
    (container,) = deployment("i", "n")["spec"]["template"]["spec"]["containers"]
    assert container[probe]["httpGet"] == {"path": "/healthz", "port": "probes"}


def test_the_token_expires_and_is_mounted_only_where_it_is_asked_for():
    (account,) = of_kind("ServiceAccount")
    pod = of_kind("Deployment")[0]["spec"]["template"]["spec"]
    assert account["automountServiceAccountToken"] is False
    assert pod["automountServiceAccountToken"] is False
    (token,) = (volume["projected"] for volume in pod["volumes"] if volume["name"] == "token")
    assert token["sources"][0]["serviceAccountToken"]["expirationSeconds"] == 3600


def test_only_metrics_are_let_in():
    (policy,) = of_kind("NetworkPolicy")
    assert policy["spec"]["ingress"] == [{"ports": [{"protocol": "TCP", "port": 9090}]}]


def test_selectors_find_the_pods():
    labels = of_kind("Deployment")[0]["spec"]["template"]["metadata"]["labels"]
    for kind in ("PodDisruptionBudget", "Deployment"):
        assert of_kind(kind)[0]["spec"]["selector"]["matchLabels"].items() <= labels.items()
    assert of_kind("NetworkPolicy")[0]["spec"]["podSelector"]["matchLabels"].items() <= labels.items()


def test_image_namespace_and_replicas_are_what_was_asked_for():
    (made,) = of_kind("Deployment", replicas=3)
    assert made["spec"]["replicas"] == 3
    assert made["metadata"]["namespace"] == "gyre-system"
    assert made["spec"]["template"]["spec"]["containers"][0]["image"] == "registry/gyre@sha256:1"
    assert "--namespace=gyre-system" in made["spec"]["template"]["spec"]["containers"][0]["args"]
