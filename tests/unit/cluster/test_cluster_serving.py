"""What serves models in the cluster: in which order it comes, and what is written for it."""

import itertools
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from cluster import additions, binaries, gateway, kserve, native, prometheus, store
from cluster.additions import Addition
from cluster.layout import Layout
from cluster.steps import Step, unknown_needs

Golden = Callable[[str, str], None]


def _text(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"


@pytest.fixture
def certified(tmp_path: Path) -> Layout:
    """A layout with the three files that KServe's webhooks need, whatever is in them."""
    layout = Layout(cache=Path("/cache"), state=tmp_path)
    layout.certificates.mkdir()
    for name in ("ca.crt", "kserve-webhook.crt", "kserve-webhook.key"):
        (layout.certificates / name).write_text(name)
    return layout


def test_the_settings_of_kserve_are_as_reviewed(golden: Golden):
    made = {"settings": kserve.settings("localhost/none:1"), "changes": kserve.changes("localhost/m:v1", "QQ==")}
    golden("kserve.json", _text(made))


def test_the_objects_of_the_gateway_are_as_reviewed(golden: Golden):
    golden("gateway.json", _text(gateway.addition("/crds", "localhost/gateway:v1", "localhost/envoy:v1").objects))


def test_the_settings_of_prometheus_are_as_reviewed(golden: Golden):
    golden("prometheus.json", _text(prometheus.settings()))


def test_the_objects_of_the_store_are_as_reviewed(golden: Golden):
    golden("store.json", _text(store.addition("localhost/rclone:v1", "/rclone", ("access", "secret")).objects))


def test_the_keys_of_the_store_are_chance_made_once_and_for_nobody_elses_eyes(certified: Layout):
    first = store.keys(certified)
    assert store.keys(certified) == first
    assert all(len(key) >= 20 for key in first)
    assert (certified.state / "store-keys.json").stat().st_mode & 0o077 == 0


def test_the_store_is_built_for_who_asks_for_it_and_after_all_else(layout: Layout, steps: list[Step]):
    assert not [step.name for step in steps if "store" in step.name]
    asked = native.table(layout, fresh=True, first=True, with_images=True, with_store=True)
    assert unknown_needs(asked) == set()
    assert {"gateway program", "storage"} <= _before(asked, "store serves")


def _before(steps: Sequence[Step], name: str) -> set[str]:
    """Everything that must be done before this step can begin."""
    needs = {step.name: set(step.needs) for step in steps}
    found: set[str] = set()
    queue = [name]
    while queue:
        queue += needs[queue.pop()] - found
        found |= set(queue)
    return found


@pytest.fixture
def steps(layout: Layout) -> list[Step]:
    return native.table(layout, fresh=True, first=True, with_images=True)


def test_no_step_needs_one_that_nobody_takes(steps: list[Step]):
    assert unknown_needs(steps) == set()


def test_training_waits_for_nothing_of_serving(steps: list[Step]):
    serving = {"kserve program", "gateway program", "envoy program", "kserve", "gateway", "prometheus"}
    assert _before(steps, "kuberay serves").isdisjoint(serving)


def test_only_what_a_cluster_cannot_do_without_is_built_at_full_priority() -> None:
    assert [module.urgent for module in binaries.MODULES] == [True, False, False]


def test_cluster_dns_answers_before_an_envoy_looks_for_its_controller(steps: list[Step]):
    assert {"dns", "node"} <= _before(steps, "gateway")


@pytest.mark.parametrize("add", [kserve.ours, gateway.ours], ids=["kserve", "gateway"])
def test_kinds_are_established_before_their_controller_starts(
    certified: Layout, add: Callable[[Layout], Addition], monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr("cluster.fetched.envoy", lambda layout: Path("/cache/envoy"))
    addition = add(certified)
    assert addition.crds
    assert not any("crd" in Path(file).parts[-2:][0] for file in addition.upstream)
    assert "CustomResourceDefinition" not in {made["kind"] for made in addition.objects}


def test_published_and_built_kserve_differ_in_places_and_images_only(certified: Layout):
    built, published = kserve.ours(certified), kserve.published(certified)
    base = "https://raw.githubusercontent.com/kserve/kserve/v0.20.0/config"
    here = str(binaries.config(certified, binaries.KSERVE))
    assert [file.replace(base, here) for file in (*published.crds, *published.upstream)] == [
        *built.crds,
        *built.upstream,
    ]
    assert published.changes["patches"] == built.changes["patches"]
    assert published.changes["images"][0]["newName"] == "kserve/kserve-controller"


def test_published_and_built_gateway_differ_in_places_and_images_only(layout: Layout):
    published = gateway.published(layout)
    images = {"docker.io/envoyproxy/gateway:v1.7.0": "C", "docker.io/envoyproxy/envoy:distroless-v1.37.0": "E"}
    text = json.dumps(published.objects)
    for image, letter in images.items():
        assert image in text
        text = text.replace(image, letter)
    assert json.loads(text) == list(gateway.addition("/crds", "C", "E").objects)
    assert all(
        file.startswith("https://raw.githubusercontent.com/envoyproxy/gateway/v1.7.0/") for file in published.crds
    )


def test_every_webhook_of_kserve_trusts_our_authority_and_finds_its_service():
    patches = {
        patch["target"]["kind"]: json.loads(patch["patch"])
        for patch in kserve.changes("localhost/m:v1", "QQ==")["patches"]
    }
    mutating = {operation["path"]: operation["value"] for operation in patches["MutatingWebhookConfiguration"]}
    assert mutating["/webhooks/1/clientConfig/caBundle"] == "QQ=="
    assert mutating["/webhooks/1/clientConfig/service/name"] in kserve.IDENTITY.names[0]
    assert len(patches["ValidatingWebhookConfiguration"]) == 3


def test_files_of_the_cache_are_named_relative_and_addresses_stay():
    upstream = ("/cache/bin/kserve/rbac/role.yaml", "https://example.org/role.yaml")
    addition = Addition("kserve", "manager", "kserve", upstream=upstream, changes={"images": []})
    made = additions.kustomization(addition, Path("/state/kserve"))
    assert made["resources"] == ["../../cache/bin/kserve/rbac/role.yaml", "https://example.org/role.yaml"]
    assert (made["namespace"], made["images"]) == ("kserve", [])


def test_the_gateway_takes_routes_of_every_namespace_on_an_address_that_exists_everywhere():
    listener = gateway.gateway()["spec"]["listeners"][0]
    kubernetes = gateway.proxy("localhost/envoy:v1")["spec"]["provider"]["kubernetes"]
    assert listener["allowedRoutes"] == {"namespaces": {"from": "All"}}
    assert kubernetes["envoyService"] == {"type": "ClusterIP"}


def test_a_version_slower_by_half_falls_into_another_latency_bucket():
    edges = gateway.buckets()
    assert edges[0] == 0.5
    assert edges[-1] > 10_000
    assert max(later / earlier for earlier, later in itertools.pairwise(edges)) < 1.5


def test_the_label_of_a_latency_bucket_has_few_digits():
    assert all(float(edge * 8).is_integer() for edge in gateway.buckets())


def test_prometheus_reads_an_envoy_once_whatever_its_annotations():
    pods, envoys, _ = prometheus.settings()["scrape_configs"]
    label = ["__meta_kubernetes_pod_label_gateway_envoyproxy_io_owning_gateway_name"]
    assert {"action": "drop", "source_labels": label, "regex": ".+"} in pods["relabel_configs"]
    assert {"action": "keep", "source_labels": label, "regex": ".+"} in envoys["relabel_configs"]


def test_other_settings_of_prometheus_are_another_pod(monkeypatch: pytest.MonkeyPatch):
    def annotations() -> Any:
        return prometheus.addition("localhost/prometheus:v1").objects[-1]["spec"]["template"]["metadata"]["annotations"]

    before = annotations()
    monkeypatch.setattr(prometheus, "ENVOY_KEPT", "envoy_.*")
    assert annotations() != before


def _deployment(name: str, ready: int | None) -> dict[str, Any]:
    status = {} if ready is None else {"readyReplicas": ready}
    return {"metadata": {"namespace": "kserve", "name": name}, "status": status}


def test_a_deployment_serves_when_one_of_its_pods_is_ready():
    listed = [_deployment("yes", 1), _deployment("none", 0), _deployment("new", None)]
    assert additions.serving(listed) == {"kserve/yes"}
