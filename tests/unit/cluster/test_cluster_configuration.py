"""The texts that the cluster's programs are given, word for word."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cluster import configuration, kind, kuberay, manifests
from cluster.certificates import CLIENTS, IDENTITIES, kubeconfig
from cluster.components import components
from cluster.layout import Layout

Golden = Callable[[str, str], None]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("containerd.toml", configuration.containerd),
        ("cni.json", configuration.cni),
        ("kubelet.json", configuration.kubelet),
        ("Corefile", configuration.corefile),
    ],
)
def test_configuration_files_are_as_reviewed(layout: Layout, golden: Golden, file: str, text: Callable[[Layout], str]):
    golden(file, text(layout))


def test_the_configuration_of_kind_is_as_reviewed(golden: Golden):
    golden("kind.yaml", kind.configuration())


def test_the_command_lines_are_as_reviewed(layout: Layout, golden: Golden):
    lines = [f"{part.health}\n{chr(10).join(part.argv)}\n" for part in components(layout, Path("/programs"))]
    golden("components.txt", "\n".join(lines))


def test_the_kubelet_never_collects_an_image_that_no_registry_could_bring_back(layout: Layout):
    assert json.loads(configuration.kubelet(layout))["imageGCHighThresholdPercent"] == 100


def test_every_client_has_a_certificate():
    assert set(CLIENTS) <= {identity.file for identity in IDENTITIES}


def test_only_the_administrator_and_the_api_server_itself_are_masters():
    masters = {identity.file for identity in IDENTITIES if "system:masters" in identity.groups}
    assert masters == {"admin", "apiserver-kubelet"}


def test_a_kubeconfig_needs_no_other_file():
    text = json.dumps(kubeconfig("ada", authority=b"a", certificate=b"c", key=b"k"))
    assert '"certificate-authority-data": "YQ=="' in text
    assert "/" not in text.replace("https://", "").replace("v1/", "")


def test_kuberays_image_requests_probes_and_that_it_is_alone_are_ours_and_nothing_else_of_it():
    made = kuberay.addition("upstream", "localhost/kuberay-operator:v1.6.0").changes
    patched = {operation["path"]: operation["value"] for operation in json.loads(made["patches"][0]["patch"])}
    assert made["images"][0]["newName"] == "localhost/kuberay-operator"
    assert made["images"][0]["newTag"] == "v1.6.0"
    assert patched.pop("/spec/template/spec/containers/0/args/-") == "--enable-leader-election=false"
    assert {path.rsplit("/", 1)[-1] for path in patched} == {
        "initialDelaySeconds",
        "periodSeconds",
        "failureThreshold",
        "resources",
        "tolerations",
    }


def test_the_default_storage_class_binds_a_claim_without_a_pod():
    made = manifests.storage_class()
    assert made["volumeBindingMode"] == "Immediate"
    assert made["metadata"]["annotations"]["storageclass.kubernetes.io/is-default-class"] == "true"


def test_the_pool_has_a_volume_for_each_of_sixty_claims():
    assert len(manifests.VOLUMES) >= 60


def _volume(name: str, phase: str, storage_class: str = manifests.STORAGE_CLASS) -> dict[str, Any]:
    return {"metadata": {"name": name}, "spec": {"storageClassName": storage_class}, "status": {"phase": phase}}


@pytest.mark.parametrize(
    ("volume", "comes_back"),
    [
        (_volume("gyre-00", "Released"), True),
        (_volume("gyre-00", "Failed"), True),
        (_volume("gyre-00", "Bound"), False),
        (_volume("gyre-00", "Available"), False),
        (_volume("somebody-elses", "Released"), False),
        (_volume("gyre-00", "Released", storage_class="other"), False),
    ],
)
def test_only_released_volumes_of_the_pool_are_emptied(volume: dict[str, Any], comes_back: bool):
    assert manifests.released([volume]) == (["gyre-00"] if comes_back else [])
