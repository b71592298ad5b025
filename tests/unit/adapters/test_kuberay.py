"""KubeRay's objects as we read them."""

from __future__ import annotations

import pytest
from tests import make

from gyre.adapters.kuberay import RayJobView


def view(**status: object) -> RayJobView:
    meta = make.metadata("flights-a2", uid="u", labels={"gyre.dev/attempt": "2"})
    return RayJobView.of({"metadata": meta, "status": status}, attempt_label="gyre.dev/attempt")


def test_a_ray_job_without_a_status_is_not_over() -> None:
    found = view()
    assert (found.attempt, found.over, found.succeeded, found.ended) == (2, False, False, None)


@pytest.mark.parametrize(
    ("status", "over", "succeeded"),
    [
        ({"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Complete"}, True, True),
        ({"jobStatus": "SUCCEEDED", "jobDeploymentStatus": "Running"}, True, True),
        ({"jobStatus": "STOPPED", "jobDeploymentStatus": "Complete"}, True, False),
        ({"jobStatus": "FAILED", "jobDeploymentStatus": "Failed"}, True, False),
        ({"jobStatus": "RUNNING", "jobDeploymentStatus": "Failed"}, True, False),
        ({"jobDeploymentStatus": "ValidationFailed"}, True, False),
        ({"jobStatus": "RUNNING", "jobDeploymentStatus": "Running"}, False, False),
        ({"jobDeploymentStatus": "Suspended"}, False, False),
    ],
)
def test_only_succeeded_is_success_and_complete_means_nothing(status: make.Object, over: bool, succeeded: bool) -> None:
    found = view(**status)
    assert (found.over, found.succeeded) == (over, succeeded)


def test_the_end_is_the_ray_jobs_own_where_it_is_known() -> None:
    found = view(endTime=make.second(make.at(9)), rayJobInfo={"endTime": make.second(make.at(5))})
    assert found.ended == make.at(5)
    assert view(endTime=make.second(make.at(9))).ended == make.at(9)
