"""The children as YAML to be read in review, and what must hold for all of them."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from tests import make
from tests.unit.trainingjob.bench import Bench

from gyre.api import gvks
from gyre.kinds.modelversion.model import ModelVersion
from gyre.kinds.trainingjob.names import ray_job_name, version_name

Golden = Callable[[str, Any], None]

GIT = {"script": {"git": {"url": "https://git.example/team/train.git", "revision": "v1.2", "path": "src/train.py"}}}
RICH = make.training_job(
    entrypoint=GIT,
    workers=4,
    resources={"cpu": "1500m", "memory": "16Gi", "gpu": 1},
    env=[{"name": "LOG", "value": "info"}, {"name": "TOKEN", "secretKeyRef": {"name": "hub", "key": "token"}}],
    datasets=[{"name": "train", "ref": {"name": "flights"}}, {"name": "holdout", "ref": {"name": "may"}}],
    storage={
        "s3": {"bucket": "runs", "prefix": "team", "endpoint": "http://s3:9000", "credentialsSecret": {"name": "keys"}}
    },
    checkpoint={"everySteps": 500, "keep": 5},
    parameters={"lr": "0.1"},
    objective={"metric": "auc", "goal": "Maximize"},
    warmStart={"modelVersion": {"name": "earlier"}},
    queue="gold",
    nodeSelector={"gpu": "a100"},
    tolerations=[{"key": "gpu", "operator": "Exists", "effect": "NoSchedule"}],
    priorityClassName="high",
    imagePullSecret="registry",
)


def rich() -> Bench:
    queue = {
        "apiVersion": gvks.LOCAL_QUEUE.api_version,
        "kind": "LocalQueue",
        "metadata": make.metadata("gold", uid="q"),
    }
    may = make.dataset("may", s3={"bucket": "data", "prefix": "may", "credentialsSecret": "keys"})
    bench = Bench(RICH, make.dataset(), may, make.node(), make.model_version(), queue)
    bench.settle()
    return bench


def clean(obj: make.Object | None) -> make.Object:
    assert obj is not None
    metadata = {key: value for key, value in obj["metadata"].items() if key not in ("resourceVersion", "uid")}
    return {**obj, "metadata": metadata}


def opened(obj: make.Object | None) -> make.Object:
    """A ConfigMap with its JSON read, so that a difference can be read too."""
    plain = clean(obj)
    return {**plain, "data": {key: json.loads(value) for key, value in plain["data"].items()}}


def test_the_run_of_a_table_on_a_claim(golden: Golden) -> None:
    bench = Bench()
    bench.settle()
    golden("ray_job_tabular.yaml", clean(bench.find(gvks.RAY_JOB, "flights-a1")))


def test_the_run_of_a_git_script_with_gpus_a_queue_and_a_bucket(golden: Golden) -> None:
    golden("ray_job_git.yaml", clean(rich().find(gvks.RAY_JOB, "flights-a1")))


def test_what_the_driver_is_told(golden: Golden) -> None:
    golden("run_config_map.yaml", opened(rich().find(gvks.CONFIG_MAP, "flights-run")))


def test_the_driver_may_get_and_patch_one_config_map(golden: Golden) -> None:
    bench = Bench()
    bench.settle()
    found = [bench.find(gvk, "flights-run") for gvk in (gvks.SERVICE_ACCOUNT, gvks.ROLE, gvks.ROLE_BINDING)]
    golden("credentials.yaml", [clean(obj) for obj in found])


def finished() -> Bench:
    bench = Bench().started()
    bench.says("Succeeded", step=5000, artifact=make.artifact(), evaluation=make.EVALUATION)
    bench.ray_job(jobStatus="SUCCEEDED", jobDeploymentStatus="Complete")
    bench.settle()
    return bench


def test_the_version_that_a_success_leaves(golden: Golden) -> None:
    golden("model_version.yaml", clean(finished().all(gvks.MODEL_VERSION)[0]))


def test_the_version_is_what_its_own_kind_reads() -> None:
    version = ModelVersion.parse(finished().all(gvks.MODEL_VERSION)[0])
    lineage = version.spec.lineage
    assert lineage.datasets[0].digest == make.digest("a")
    assert lineage.image is not None
    assert lineage.image.digest == make.digest("e")
    assert lineage.run is not None
    assert (lineage.run.uid, lineage.run.attempts) == ("uid-job", 1)
    assert version.spec.evaluation is not None
    assert str(version.spec.evaluation.metrics["auc"]) == "0.71"


@pytest.mark.parametrize(
    "said",
    [
        {"evaluation": {"metrics": {"auc": "high", "x": float("1e999")}, "rows": "many", "baseline": 3}},
        {"lineage": {"code": "x", "framework": 7}},
        {"lineage": {"code": {"sha256": "short", "revision": 7}}},
        {"metrics": {"latest": {"loss": None}, "best": [1]}},
    ],
)
def test_nonsense_from_the_driver_never_makes_a_version_that_is_refused(said: make.Object) -> None:
    bench = Bench().started()
    bench.says("Succeeded", step=1, artifact={**make.artifact(), "flavour": "py torch!"}, **said)
    bench.ray_job(jobStatus="SUCCEEDED", jobDeploymentStatus="Complete")
    bench.settle()
    ModelVersion.parse(bench.all(gvks.MODEL_VERSION)[0])


def templates() -> list[Any]:
    found = []
    for bench in (rich(), _started()):
        cluster = bench.all(gvks.RAY_JOB)[0]["spec"]["rayClusterSpec"]
        found += [cluster["headGroupSpec"]["template"], *(group["template"] for group in cluster["workerGroupSpecs"])]
    return found


def _started() -> Bench:
    bench = Bench()
    bench.settle()
    return bench


@pytest.mark.parametrize("template", templates())
def test_every_pod_is_restricted(template: make.Object) -> None:
    """Pod Security Standards, profile restricted (kubernetes.io/docs/concepts/security/pod-security-standards)."""
    spec = template["spec"]
    assert spec["securityContext"]["runAsNonRoot"] is True
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert not {"hostNetwork", "hostPID", "hostIPC"} & set(spec)
    assert not [volume for volume in spec["volumes"] if "hostPath" in volume]
    for container in (*spec["containers"], *spec.get("initContainers", ())):
        assert container["securityContext"]["allowPrivilegeEscalation"] is False
        assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
        assert container["securityContext"]["readOnlyRootFilesystem"] is True


def test_only_the_head_has_a_token() -> None:
    head, worker, *_ = templates()
    assert (head["spec"]["automountServiceAccountToken"], head["spec"]["serviceAccountName"]) == (True, "flights-run")
    assert worker["spec"]["automountServiceAccountToken"] is False
    assert "serviceAccountName" not in worker["spec"]


@pytest.mark.parametrize("template", templates())
def test_the_grace_period_is_longer_than_rays_own_drain(template: make.Object) -> None:
    env = {entry["name"]: entry.get("value") for entry in template["spec"]["containers"][0]["env"]}
    drain = int(env["RAY_GRACEFUL_SHUTDOWN_DRAIN_TIMEOUT_S"])
    assert template["spec"]["terminationGracePeriodSeconds"] >= drain + 15


def test_one_pod_never_holds_two_workers() -> None:
    bench = rich()
    run = json.loads(bench.run_map()["data"]["run.json"])
    group = bench.all(gvks.RAY_JOB)[0]["spec"]["rayClusterSpec"]["workerGroupSpecs"][0]
    assert run["workers"] == {"count": 4, "cpu": 2.0, "gpu": 1}
    assert group["rayStartParams"]["num-cpus"] == "2", "a worker asks for all CPUs that Ray counts in its pod"


def test_no_secret_value_is_anywhere_in_a_child() -> None:
    text = json.dumps([obj for obj in rich().objects.values() if obj["kind"] in ("RayJob", "ConfigMap")])
    assert '"keys"' in text
    assert "secretKeyRef" in text
    assert '"AWS_SECRET_ACCESS_KEY", "value"' not in text


def test_names_of_children_fit_for_the_longest_name_of_a_job() -> None:
    assert len(ray_job_name("j" * 40, 99_999)) <= 47
    assert len(version_name("m" * 40, make.digest())) <= 63
