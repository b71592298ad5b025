"""What the API server itself makes of Datasets, Models and their versions: refusals, policies, admitted pods.

No controller runs here: what the operator would write into a status, the test writes.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.api.apiserver import REPOSITORY, ApiServer, binaries, until
from tests.api.cluster import Cluster, Refused
from tests.unit.dataset.worlds import PREPARE, PVC, S3, VOLUME, a_dataset
from tests.unit.modelversion.versions import a_model, a_version

from gyre.adapters.deletion import EXEMPT
from gyre.api import gvks
from gyre.api.effects import Gvk, Ref
from gyre.api.schema import crd
from gyre.kinds.dataset import KIND as DATASET
from gyre.kinds.dataset import desired
from gyre.kinds.dataset.ledger import Ledger
from gyre.kinds.dataset.model import Dataset
from gyre.kinds.dataset.plan import step
from gyre.kinds.model import KIND as MODEL
from gyre.kinds.modelversion import KIND as MODEL_VERSION
from gyre.kinds.modelversion.desired import claim

pytestmark = [pytest.mark.api, pytest.mark.xdist_group("datasets-and-models")]

ADMISSION = "admissionregistration.k8s.io"
POLICY = Gvk(ADMISSION, "v1", "ValidatingAdmissionPolicy", "validatingadmissionpolicies", namespaced=False)
BINDING = Gvk(
    ADMISSION, "v1", "ValidatingAdmissionPolicyBinding", "validatingadmissionpolicybindings", namespaced=False
)
ADMISSIONS = {gvk.kind: gvk for gvk in (POLICY, BINDING)}
KINDS = (DATASET, MODEL, MODEL_VERSION)
THE_MODEL = Ref(gvks.MODEL, "ml", "delay")
THE_VERSION = Ref(gvks.MODEL_VERSION, "ml", "delay-1")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    server = ApiServer(tmp_path_factory.mktemp("data"), binaries())
    server.start()
    try:
        cluster = Cluster(server)
        for kind in KINDS:
            cluster.create(gvks.CUSTOM_RESOURCE_DEFINITION, crd(kind.model))
        cluster.established([f"{kind.gvk.plural}.gyre.dev" for kind in KINDS])
        cluster.namespace("ml")
        restricted = {"metadata": {"labels": {"pod-security.kubernetes.io/enforce": "restricted"}}}
        cluster.patch(Ref(Gvk("", "v1", "Namespace", "namespaces", namespaced=False), "", "ml"), restricted)
        until("namespace ml has its account", lambda: cluster.list(gvks.SERVICE_ACCOUNT, "ml") or _account(cluster))
        for manifest in (*MODEL.policies(), *MODEL_VERSION.policies()):
            cluster.create(ADMISSIONS[manifest["kind"]], dict(manifest))
        yield cluster
    finally:
        server.destroy()


def _account(cluster: Cluster) -> bool:
    """What the service account controller would do."""
    cluster.create(gvks.SERVICE_ACCOUNT, {"metadata": {"name": "default", "namespace": "ml"}})
    return True


def fresh(obj: Any) -> dict[str, Any]:
    """As a user writes it."""
    obj = copy.deepcopy(obj)
    keep = ("name", "namespace", "annotations", "labels")
    obj["metadata"] = {key: value for key, value in obj["metadata"].items() if key in keep and value}
    obj.pop("status", None)
    return dict(obj)


def clear(cluster: Cluster, *refs: Ref) -> None:
    for ref in refs:
        if cluster.get(ref) is not None:
            cluster.delete(ref)


@pytest.fixture
def used(cluster: Cluster) -> Iterator[Cluster]:
    """A Model with one version that a TrainingJob needs, as the operator would report it."""
    cluster.create(gvks.MODEL, fresh(a_model()))
    cluster.create(gvks.MODEL_VERSION, fresh(a_version()))
    needs(cluster, {"inUse": [{"version": "delay-1", "by": "TrainingJob/next"}]}, {"inUseBy": [USER]})
    yield cluster
    needs(cluster, {"inUse": []}, {"inUseBy": []})
    clear(cluster, THE_VERSION, THE_MODEL)


USER = {"kind": "TrainingJob", "name": "next"}


def needs(cluster: Cluster, of_model: Any, of_version: Any) -> None:
    for ref, status in ((THE_MODEL, of_model), (THE_VERSION, of_version)):
        if cluster.get(ref) is not None:
            cluster.patch(ref, {"status": status}, subresource="status")


def refusal(cluster: Cluster, ref: Ref) -> str:
    """The words of a refused deletion; a policy works a moment after it was written."""
    words: list[str] = []

    def ask() -> bool:
        try:
            cluster.request("DELETE", path_of(ref) + "?dryRun=All")
        except Refused as refused:
            words.append(refused.message)
        return bool(words)

    until(f"deleting {ref} is refused", ask, seconds=20)
    return words[0]


def path_of(ref: Ref) -> str:
    return f"/apis/gyre.dev/v1alpha1/namespaces/{ref.namespace}/{ref.gvk.plural}/{ref.name}"


def test_a_model_in_use_cannot_be_deleted_and_is_told_why(used: Cluster):
    expected = "Model delay: version delay-1 is in use by TrainingJob/next: delete or repoint it first"
    assert expected in refusal(used, THE_MODEL)


def test_a_version_in_use_cannot_be_deleted_and_is_told_why(used: Cluster):
    needs(used, {}, {"inUseBy": [USER, {"kind": "TrainingJob", "name": "other"}]})
    expected = "ModelVersion delay-1 is in use by TrainingJob/next and 1 more: delete or repoint them first"
    assert expected in refusal(used, THE_VERSION)


def test_all_models_at_once_are_refused_too(used: Cluster):
    refusal(used, THE_MODEL)
    with pytest.raises(Refused, match="version delay-1 is in use"):
        used.request("DELETE", "/apis/gyre.dev/v1alpha1/namespaces/ml/models")
    assert used.get(THE_MODEL) is not None


@pytest.mark.parametrize("controller", EXEMPT)
def test_namespace_deletion_and_garbage_collection_are_let_through(used: Cluster, controller: str):
    refusal(used, THE_MODEL)
    session = used._session
    session.headers.update({"Impersonate-User": controller, "Impersonate-Group": "system:masters"})
    try:
        for ref in (THE_MODEL, THE_VERSION):
            used.request("DELETE", path_of(ref) + "?dryRun=All")
    finally:
        del session.headers["Impersonate-User"], session.headers["Impersonate-Group"]


def test_what_nobody_uses_can_be_deleted(cluster: Cluster):
    cluster.create(gvks.MODEL, fresh(a_model()))
    cluster.create(gvks.MODEL_VERSION, fresh(a_version()))
    clear(cluster, THE_VERSION, THE_MODEL)
    cluster.wait_gone(THE_MODEL)


def test_a_version_is_owned_by_an_apply_on_itself_and_its_spec_stays(cluster: Cluster):
    model = cluster.create(gvks.MODEL, fresh(a_model()))
    made = cluster.create(gvks.MODEL_VERSION, fresh(a_version()))
    version = MODEL_VERSION.model.parse(made)
    claimed = cluster.apply(THE_VERSION, dict(claim(version, model["metadata"]["uid"])), manager="gyre-modelversion")
    assert claimed["metadata"]["ownerReferences"][0]["uid"] == model["metadata"]["uid"]
    assert claimed["spec"] == made["spec"]
    assert claimed["metadata"]["generation"] == 1
    clear(cluster, THE_VERSION, THE_MODEL)


def test_a_deleted_version_is_not_made_again_by_its_claim(cluster: Cluster):
    made = cluster.create(gvks.MODEL_VERSION, fresh(a_version()))
    version = MODEL_VERSION.model.parse(made)
    clear(cluster, THE_VERSION)
    cluster.wait_gone(THE_VERSION)
    with pytest.raises(Refused):
        cluster.apply(THE_VERSION, dict(claim(version, "m1")), manager="gyre-modelversion")
    assert cluster.get(THE_VERSION) is None


@pytest.mark.parametrize(
    "change",
    [{"metrics": {"auc": "0.99"}}, {"metrics": None}, {"evaluation": None}, {"lineage": {"framework": "other"}}],
)
def test_a_version_never_changes(cluster: Cluster, change: Any):
    cluster.create(gvks.MODEL_VERSION, fresh(a_version()))
    try:
        with pytest.raises(Refused, match="a version never changes: register a new ModelVersion instead"):
            cluster.patch(THE_VERSION, {"spec": change})
    finally:
        clear(cluster, THE_VERSION)


REFUSED = {
    "no source": ({"source": {}}, "set exactly one of pvc, s3 and volume"),
    "two sources": ({"source": {**PVC, **VOLUME}}, "set exactly one of pvc, s3 and volume"),
    "prepare into a bucket": ({"source": S3, "prepare": PREPARE}, "prepare writes to a mounted volume"),
    "a path that climbs": ({"source": {"pvc": {"claimName": "c", "path": "a/../../b"}}}, "leave out `..`"),
    "an empty volume": ({"source": {"volume": {"size": "0"}}}, "ask for more than zero bytes"),
    "a hot scan": ({"source": PVC, "scan": {"every": "5s"}}, "must be from 1m to 365d"),
    "our own variable": (
        {"source": VOLUME, "prepare": {"env": [{"name": "GYRE_DATA_PATH", "value": "/"}]}},
        "belongs to the operator",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_dataset_that_cannot_work_is_refused_with_the_fix(cluster: Cluster, case: str):
    spec, words = REFUSED[case]
    obj = fresh(a_dataset())
    obj["spec"] = spec
    with pytest.raises(Refused) as refused:
        cluster.create(gvks.DATASET, obj)
    assert words in refused.value.message


CHANGES = {
    "a smaller volume": ({"volume": {"size": "1Gi"}}, "a volume can only grow"),
    "another class": ({"volume": {"storageClassName": "fast"}}, "cannot be changed after creation"),
    "another mode": ({"volume": {"accessMode": "ReadWriteMany"}}, "cannot be changed after creation"),
    "another place": ({"volume": None, **PVC}, "a Dataset keeps its volume"),
}


@pytest.mark.parametrize("case", CHANGES)
def test_a_volume_keeps_what_kubernetes_cannot_change(cluster: Cluster, case: str):
    source, words = CHANGES[case]
    ref = Ref(gvks.DATASET, "ml", "flights")
    cluster.create(gvks.DATASET, fresh(a_dataset(VOLUME)))
    try:
        with pytest.raises(Refused) as refused:
            cluster.patch(ref, {"spec": {"source": source}})
        assert words in refused.value.message
        cluster.patch(ref, {"spec": {"source": {"volume": {"size": "9Gi"}}}})
    finally:
        clear(cluster, ref)


@pytest.mark.parametrize("example", sorted(path.name for path in (REPOSITORY / "examples").glob("dataset-*.yaml")))
def test_examples_of_datasets_apply_as_they_are(cluster: Cluster, example: str):
    path: Path = REPOSITORY / "examples" / example
    for obj in yaml.safe_load_all(path.read_text()):
        obj["metadata"]["namespace"] = "ml"
        created = cluster.create(gvks.DATASET, obj)
        assert created["status"] == {"observedGeneration": -1}
        clear(cluster, Ref(gvks.DATASET, "ml", obj["metadata"]["name"]))


@pytest.mark.parametrize("source", [PVC, S3, VOLUME], ids=["pvc", "s3", "volume"])
def test_every_pod_of_a_dataset_is_admitted_where_pod_security_is_restricted(cluster: Cluster, source: Any):
    spec = {"prepare": PREPARE} if source is VOLUME else {}
    made = cluster.create(gvks.DATASET, fresh(a_dataset(source, **spec)))
    ds = Dataset.parse(made)
    ledgers = (Ledger(), Ledger().with_prepared("")) if spec else (Ledger(),)
    for ledger in ledgers:
        job = dict(desired.job(ds, step(ds, ledger)))
        cluster.create(gvks.JOB, job)
        template = job["spec"]["template"]
        metadata = {**template["metadata"], "name": job["metadata"]["name"], "namespace": "ml"}
        cluster.create(gvks.POD, {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": template["spec"]})
    clear(cluster, ds.ref)


def test_the_claim_and_the_ledger_of_a_dataset_are_valid(cluster: Cluster):
    ds = Dataset.parse(cluster.create(gvks.DATASET, fresh(a_dataset(VOLUME))))
    manifest = desired.claim(ds)
    assert manifest is not None
    ref = Ref(gvks.PERSISTENT_VOLUME_CLAIM, "ml", "flights-data")
    made = cluster.apply(ref, dict(manifest), manager="gyre-dataset")
    assert made["spec"]["accessModes"] == ["ReadWriteOnce"]
    cluster.create(gvks.CONFIG_MAP, dict(desired.ledger(ds, Ledger())))
    clear(cluster, ds.ref)


def test_a_status_of_a_dataset_is_stored_whole(cluster: Cluster):
    """Nothing that `summarize` writes is pruned or refused by the CRD."""
    from tests.unit.dataset.worlds import Story

    story = Story(a_dataset(scan={"every": "1h"})).has_version("a")
    ref = Ref(gvks.DATASET, "ml", "flights")
    cluster.create(gvks.DATASET, fresh(story.cluster.objects[Ref(gvks.DATASET, "ml", "flights")]))
    stored = cluster.apply(
        ref,
        {
            "apiVersion": "gyre.dev/v1alpha1",
            "kind": "Dataset",
            "metadata": {"name": "flights", "namespace": "ml"},
            "status": story.status,
        },
        manager="gyre-dataset-status",
        subresource="status",
    )
    assert stored["status"] == story.status
    clear(cluster, ref)
