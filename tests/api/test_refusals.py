"""What a user can get wrong in a TrainingJob, and what the API server answers: the field and what to do, before anything runs.

Defaults, Datasets and ModelVersions: `tests/architecture/test_crds_on_a_server.py`, `test_datasets_and_models.py`.
"""

from __future__ import annotations

import copy
from typing import Any

import pytest
from tests import make
from tests.api.actors import Team
from tests.api.cluster import Cluster, Refused, holds
from tests.api.running import Operator

from gyre.api.gvks import TRAINING_JOB

GOOD: dict[str, Any] = make.training_job()["spec"]
SCRIPT = {"configMap": {"name": "code", "key": "train.py"}}
LONG = "x" * 41

# what is wrong → (the changed part of a good spec; None removes), field, words of the answer
REFUSED: dict[str, tuple[dict[str, Any], str, str]] = {
    "no entry point": ({"entrypoint": {}}, "spec.entrypoint", "set exactly one of"),
    "entry point left out": ({"entrypoint": None}, "spec.entrypoint", "Required value"),
    "two entry points": (
        {"entrypoint": {"tabular": make.TABULAR, "script": SCRIPT}},
        "spec.entrypoint",
        "set exactly one of",
    ),
    "a script from nowhere": ({"entrypoint": {"script": {}}}, "spec.entrypoint.script", "set exactly one of"),
    "a path that climbs": (
        {"storage": {"pvc": {"claimName": "runs", "path": "a/../../b"}}},
        "spec.storage.pvc.path",
        "leave out `..`",
    ),
    "no workers": ({"workers": 0}, "spec.workers", "greater than or equal to 1"),
    "negative workers": ({"workers": -3}, "spec.workers", "greater than or equal to 1"),
    "absurdly many workers": ({"workers": 100_000}, "spec.workers", "less than or equal to 512"),
    "half a worker": ({"workers": 1.5}, "spec.workers", "must be of type integer"),
    "half a GPU": ({"resources": {"gpu": 0.5}}, "spec.resources.gpu", "must be of type integer"),
    "negative GPUs": ({"resources": {"gpu": -1}}, "spec.resources.gpu", "greater than or equal to 0"),
    "no CPU": ({"resources": {"cpu": "0"}}, "spec.resources.cpu", "ask for more than zero CPUs"),
    "no memory": ({"resources": {"memory": "0"}}, "spec.resources.memory", "ask for more than zero bytes"),
    "memory in a foreign unit": ({"resources": {"memory": "4GB"}}, "spec.resources.memory", "500m, 2 or 2Gi"),
    "an unknown failure class": (
        {"failurePolicy": {"rules": [{"class": "Gremlins", "retries": 1}]}},
        "spec.failurePolicy.rules[0].class",
        "Unsupported value",
    ),
    "one failure class twice": (
        {"failurePolicy": {"rules": [{"class": "NodeLost", "retries": 1}, {"class": "NodeLost", "retries": 2}]}},
        "spec.failurePolicy.rules[1]",
        "Duplicate value",
    ),
    "negative retries": (
        {"failurePolicy": {"rules": [{"class": "NodeLost", "retries": -1}]}},
        "spec.failurePolicy.rules[0].retries",
        "greater than or equal to 0",
    ),
    "a negative time limit": ({"timeLimit": "-1h"}, "spec.timeLimit", "should match"),
    "a time limit of zero": ({"timeLimit": "0s"}, "spec.timeLimit", "must be from 10s to 3650d"),
    "a time limit without a unit": ({"timeLimit": "3600"}, "spec.timeLimit", "should match"),
    "a negative wait": (
        {"failurePolicy": {"waits": {"schedule": "-5m"}}},
        "spec.failurePolicy.waits.schedule",
        "should match",
    ),
    "a negative checkpoint interval": ({"checkpoint": {"every": "-30s"}}, "spec.checkpoint.every", "should match"),
    "no checkpoint kept": ({"checkpoint": {"keep": 0}}, "spec.checkpoint.keep", "greater than or equal to 2"),
    "a date that is none": ({"finishBy": "tomorrow"}, "spec.finishBy", "date-time"),
    "no data": ({"datasets": []}, "spec.datasets", "at least 1 item"),
    "data left out": ({"datasets": None}, "spec.datasets", "Required value"),
    "a data set without a reference": ({"datasets": [{"name": "train"}]}, "spec.datasets[0].ref", "Required value"),
    "a reference that cannot be a name": (
        {"datasets": [{"name": "train", "ref": {"name": "My Data!"}}]},
        "spec.datasets[0].ref.name",
        "should match",
    ),
    "a reference into another namespace": (
        {"datasets": [{"name": "train", "ref": {"name": "flights", "namespace": "other"}}]},
        "",
        'unknown field "spec.datasets[0].ref.namespace"',
    ),
    "two data sets of one name": (
        {"datasets": [{"name": "train", "ref": {"name": "a"}}, {"name": "train", "ref": {"name": "b"}}]},
        "spec.datasets[1]",
        "Duplicate value",
    ),
    "nowhere to write": ({"storage": {}}, "spec.storage", "set exactly one of"),
    "two places to write": (
        {"storage": {"pvc": {"claimName": "a"}, "s3": {"bucket": "bucket"}}},
        "spec.storage",
        "set exactly one of",
    ),
    "a bucket that cannot be one": (
        {"storage": {"s3": {"bucket": "No_Bucket"}}},
        "spec.storage.s3.bucket",
        "should match",
    ),
    "an endpoint with a path": (
        {"storage": {"s3": {"bucket": "bucket", "endpoint": "http://store/path"}}},
        "spec.storage.s3.endpoint",
        "should match",
    ),
    "a model name too long": ({"model": {"name": LONG}}, "spec.model.name", "may not be more than 40"),
    "an operator's variable": (
        {"env": [{"name": "GYRE_ATTEMPT", "value": "7"}]},
        "spec.env[0].name",
        "belong to the operators: use another name",
    ),
    "a variable from two sources": (
        {"env": [{"name": "A", "value": "1", "secretKeyRef": {"name": "s", "key": "k"}}]},
        "spec.env[0]",
        "set at most one of",
    ),
    "a holdout of two kinds": (
        {"entrypoint": {"tabular": {**make.TABULAR, "holdout": {"partition": "Last", "newest": "0.2"}}}},
        "spec.entrypoint.tabular.holdout",
        "set exactly one of",
    ),
    "a holdout of everything": (
        {"entrypoint": {"tabular": {**make.TABULAR, "holdout": {"newest": "1"}}}},
        "spec.entrypoint.tabular.holdout.newest",
        'give a share between 0 and 1, such as "0.2"',
    ),
    "measured against nobody known": (
        {"evaluate": {"against": "Everybody"}},
        "spec.evaluate.against",
        "Unsupported value",
    ),
    "an unknown framework": ({"framework": "Abacus"}, "spec.framework", "Unsupported value"),
    "an unknown pull policy": ({"imagePullPolicy": "Sometimes"}, "spec.imagePullPolicy", "Unsupported value"),
    "a field that does not exist": ({"wokers": 3}, "", 'unknown field "spec.wokers"'),
}

# what may not change once the job has started → another value than GOOD's
FIXED: dict[str, Any] = {
    "workers": 3,
    "entrypoint": {"script": SCRIPT, "tabular": None},
    "image": "localhost/other:1",
    "datasets": [{"name": "train", "ref": {"name": "other"}}],
    "storage": {"pvc": {"claimName": "elsewhere"}},
    "resources": {"gpu": 1},
    "parameters": {"lr": "0.1"},
    "env": [{"name": "A", "value": "1"}],
    "model": {"name": "other"},
    "evaluate": {"against": "Nothing"},
    "queue": "batch",
}

CHANGEABLE: dict[str, Any] = {
    "suspend": True,
    "timeLimit": "2h",
    "finishBy": "2099-01-01T00:00:00Z",
    "failurePolicy": {"rules": [{"class": "NodeLost", "retries": 9}]},
    "ttl": {"afterFinished": "1d"},
    "checkpoint": {"every": "1m"},
    "maxCost": {"amount": "900", "currency": "EUR"},
}


def job(change: dict[str, Any], name: str = "flights", namespace: str = "default") -> dict[str, Any]:
    """A good job with a part of its spec replaced."""
    spec = {**copy.deepcopy(GOOD), **change}
    return {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "TrainingJob",
        "metadata": {"name": name, "namespace": namespace},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


@pytest.mark.parametrize("wrong", REFUSED)
def test_a_training_job_is_refused_with_the_field_and_what_to_do(cluster: Cluster, wrong: str):
    change, field, words = REFUSED[wrong]
    with pytest.raises(Refused) as refused:
        cluster.create(TRAINING_JOB, job(change))
    assert refused.value.code in (400, 422)
    said = refused.value.causes or [("", refused.value.message)]
    assert any(at == field and words in message for at, message in said), said


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (LONG, "at most 40 characters"),
        ("4flights", "begin the name with a letter"),
        ("Flights", "RFC 1123"),
        ("a.b", "begin the name with a letter"),
    ],
)
def test_a_name_that_its_children_could_not_bear_is_refused(cluster: Cluster, name: str, words: str):
    with pytest.raises(Refused) as refused:
        cluster.create(TRAINING_JOB, job({}, name=name))
    assert words in refused.value.message


@pytest.fixture(scope="module")
def started(cluster: Cluster, replicas: Any) -> Team:
    """A namespace with a TrainingJob that has started."""
    replicas.one()
    team = Team(cluster, cluster.namespace("refusals"))
    team.dataset()
    team.claim("runs")
    team.training_job("flights")
    cluster.wait(team.job("flights"), "has started", lambda obj: obj["status"].get("startTime"))
    return team


@pytest.mark.parametrize("field", FIXED)
def test_what_a_run_is_cannot_change_once_it_has_started(started: Team, field: str):
    with pytest.raises(Refused) as refused:
        started.cluster.patch(started.job("flights"), {"spec": {field: FIXED[field]}})
    words = (
        f"spec.{field} cannot change once the job has started: create a new TrainingJob (delete this one to stop it)"
    )
    assert any(at == f"spec.{field}" and words in message for at, message in refused.value.causes), refused.value.causes


def test_what_steers_a_run_may_change_at_any_time(started: Team):
    for field, value in CHANGEABLE.items():
        started.cluster.patch(started.job("flights"), {"spec": {field: value}})


def test_anything_may_change_before_the_start(cluster: Cluster, team: Team, operator: Operator):
    team.training_job("early")  # its Dataset does not exist
    cluster.wait(team.job("early"), "waits", holds("Ready", "False"))
    for field, value in FIXED.items():
        cluster.patch(team.job("early"), {"spec": {field: value}})
