"""The children of a Dataset, as YAML."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from tests.unit.dataset.worlds import PREPARE, PVC, S3, VOLUME, a_dataset

from gyre.kinds.dataset import desired
from gyre.kinds.dataset.ledger import Ledger
from gyre.kinds.dataset.model import Dataset
from gyre.kinds.dataset.plan import step

Golden = Callable[[str, Any], None]


def job_of(source: Any, **spec: Any) -> Any:
    ds = Dataset.parse(a_dataset(source, **spec))
    return desired.job(ds, step(ds, Ledger()))


def test_a_scan_of_a_claim_mounts_it_read_only(golden: Golden):
    golden("scan_pvc.yaml", job_of(PVC))


def test_a_scan_of_a_bucket_gets_its_keys_from_the_secret(golden: Golden):
    golden("scan_s3.yaml", job_of(S3))


def test_a_prepare_job_writes_below_the_claim(golden: Golden):
    golden("prepare_volume.yaml", job_of(VOLUME, prepare=PREPARE))


def test_the_claim_of_a_volume_leaves_the_class_to_the_cluster(golden: Golden):
    golden("claim.yaml", desired.claim(Dataset.parse(a_dataset(VOLUME))))


def test_an_empty_ledger(golden: Golden):
    golden("ledger.yaml", desired.ledger(Dataset.parse(a_dataset()), Ledger()))


@pytest.mark.parametrize("args", [["flights", "--out", "/x"], ["flights", "--out=/x"]])
def test_a_given_out_is_left_alone(args: list[str]):
    container = job_of(VOLUME, prepare={"args": args})["spec"]["template"]["spec"]["containers"][0]
    assert container["args"] == args


def test_a_command_of_the_user_gets_no_out_but_the_folder_in_its_environment():
    prepare = {"command": ["/app/make-data"], "args": ["--all"], "env": [{"name": "SEED", "value": "7"}]}
    container = job_of(VOLUME, prepare=prepare)["spec"]["template"]["spec"]["containers"][0]
    assert (container["command"], container["args"]) == (["/app/make-data"], ["--all"])
    assert {"name": "GYRE_DATA_PATH", "value": "/gyre/data/data"} in container["env"]
    assert {"name": "SEED", "value": "7"} in container["env"]


def test_no_pod_of_a_dataset_has_a_token_or_may_write_its_image():
    for job in (job_of(PVC), job_of(S3), job_of(VOLUME, prepare=PREPARE)):
        pod = job["spec"]["template"]["spec"]
        assert pod["automountServiceAccountToken"] is False
        assert all(c["securityContext"]["readOnlyRootFilesystem"] for c in pod["containers"])


def test_a_scan_does_not_change_the_group_of_somebody_elses_files():
    assert "fsGroup" not in job_of(PVC)["spec"]["template"]["spec"]["securityContext"]
    assert "fsGroup" in job_of(VOLUME)["spec"]["template"]["spec"]["securityContext"]


def test_job_names_fit_a_label_for_the_longest_dataset_name():
    obj = a_dataset(VOLUME, prepare=PREPARE)
    obj["metadata"]["name"] = "d" * Dataset.definition.max_name
    ds = Dataset.parse(obj)
    assert len(step(ds, Ledger()).name) <= 63
