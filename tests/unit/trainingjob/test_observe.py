"""What a TrainingJob reads, and what it does not."""

from __future__ import annotations

import asyncio

import pytest
from tests import make
from tests.make import Object
from tests.unit.trainingjob.bench import Bench

from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.kinds.trainingjob import KIND
from gyre.kinds.trainingjob.model import TrainingJob
from gyre.kinds.trainingjob.observe import Observed


class Counting(Bench):
    """Counts live reads."""

    def __init__(self, *objects: Object) -> None:
        super().__init__(*objects)
        self.fetched: list[str] = []

    async def fetch(self, ref: Ref) -> Object | None:
        self.fetched.append(str(ref))
        return await super().fetch(ref)

    def gathered(self) -> Observed:
        self.fetched.clear()
        return asyncio.run(KIND.gather(self, TrainingJob.parse(self.job)))


def test_before_a_start_what_nobody_watches_is_read_live() -> None:
    code = make.config_map("code", **{"train.py": ""})
    bench = Counting(make.training_job(entrypoint=make.script(), queue="gold"), make.dataset(), make.claim(), code)
    seen = bench.gathered()
    assert bench.fetched == [
        "PersistentVolumeClaim team-a/runs",
        "ConfigMap team-a/code",
        "LocalQueue team-a/gold",
    ]
    assert seen.before.queue_missing


@pytest.mark.parametrize("change", [{}, {"suspend": True}])
def test_a_running_job_costs_the_api_server_no_reads(change: Object) -> None:
    bench = Counting()
    bench.started()
    bench.edit(**change)
    bench.gathered()
    assert bench.fetched == []


def test_only_the_nodes_of_the_pods_are_read_unless_a_pod_finds_none() -> None:
    bench = Counting()
    bench.started()
    bench.put(make.node("elsewhere"))
    assert set(bench.gathered().nodes) == {"node-1"}
    bench.put(make.pod("flights-a1-worker-0", on="", conditions=[make.unschedulable()]))
    assert set(bench.gathered().nodes) == {"node-1", "elsewhere"}


def test_what_belongs_to_another_owner_is_not_taken_for_ours() -> None:
    bench = Counting()
    bench.started()
    bench.put({**bench.job, "metadata": {**bench.job["metadata"], "uid": "uid-new"}})
    seen = bench.gathered()
    assert (seen.memory, seen.ray_jobs, seen.credentials) == (None, (), ())
    assert seen.strangers == (
        "ConfigMap flights-run",
        "RayJob flights-a1",
        "ServiceAccount flights-run",
        "Role flights-run",
        "RoleBinding flights-run",
    )
    assert len(seen.pods) == 3, "pods are ours by name: they may still write"


def test_a_change_of_a_pod_or_cluster_wakes_its_job() -> None:
    keys = next(watch.keys for watch in KIND.watches if watch.gvk is gvks.POD)
    assert keys is not None
    assert list(keys(make.pod("p"))) == [("team-a", "flights")]
    assert list(keys({"metadata": {"name": "p"}})) == []


def test_a_job_waits_for_its_datasets_and_for_the_version_it_starts_from() -> None:
    job = TrainingJob.parse(make.training_job(warmStart={"modelVersion": {"name": "earlier"}}))
    assert [str(ref) for ref in KIND.references(job)] == ["Dataset team-a/flights", "ModelVersion team-a/earlier"]
