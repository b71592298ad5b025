"""Pods and nodes as evidence."""

from __future__ import annotations

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests import make

from gyre.adapters.pods import NOTICES, NodeView, PodView, moment, notice_on

LABELS = {"attempt_label": "gyre.dev/attempt", "node_type_label": "ray.io/node-type"}


def test_a_pod_tells_head_attempt_node_and_image() -> None:
    pod = PodView.of(make.pod("h", head=True, attempt=3), **LABELS)
    assert (pod.head, pod.attempt, pod.node, pod.ready) == (True, 3, "node-1", True)
    assert pod.main is not None
    assert pod.main.image_id == make.IMAGE_ID


def test_an_oom_kill_is_found_in_the_last_state_of_a_container_that_runs_again() -> None:
    killed = make.container(died_before=make.oom_killed(make.at(9)), restarts=1)
    pod = PodView.of(make.pod("w", containers=[killed]), **LABELS)
    assert pod.oom is not None
    assert (pod.oom.code, pod.oom.at) == (137, make.at(9))


def test_an_unschedulable_pod_says_so_in_the_schedulers_words_and_since_when() -> None:
    pod = PodView.of(make.pod("w", on="", conditions=[make.unschedulable(make.at(5), "0/3 nodes")]), **LABELS)
    assert (pod.unschedulable, pod.unschedulable_since) == ("0/3 nodes", make.at(5))


def test_a_pod_that_waits_for_another_reason_than_a_node_is_not_unschedulable() -> None:
    gated = {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
    assert PodView.of(make.pod("w", conditions=[gated]), **LABELS).unschedulable == ""


def test_a_pod_that_has_just_been_made_is_a_view_with_empty_fields() -> None:
    pod = PodView.of({"metadata": {"name": "p"}}, **LABELS)
    assert (pod.attempt, pod.node, pod.main, pod.oom, pod.created) == (0, "", None, None, None)


@pytest.mark.parametrize(
    ("taint", "seconds", "reclaim"),
    [
        ("aws-node-termination-handler/spot-itn", 120, True),
        ("aws-node-termination-handler/scheduled-maintenance", 120, False),
        ("cloud.google.com/impending-node-termination", 30, True),
        ("karpenter.sh/disrupted", 60, False),
        ("ToBeDeletedByClusterAutoscaler", 60, False),
    ],
)
def test_a_taint_that_announces_the_end_of_a_node(taint: str, seconds: int, reclaim: bool) -> None:
    notice = notice_on(NodeView.of(make.node(taints=("other", taint))))
    assert notice is not None
    assert (notice.seconds, notice.reclaim) == (seconds, reclaim)


@pytest.mark.parametrize("taint", ["node-role.kubernetes.io/control-plane", "nvidia.com/gpu", "aws-node"])
def test_other_taints_announce_nothing(taint: str) -> None:
    assert notice_on(NodeView.of(make.node(taints=(taint,)))) is None


def test_no_node_is_no_notice() -> None:
    assert notice_on(None) is None
    assert len({notice.taint for notice in NOTICES}) == len(NOTICES)


def test_a_node_fits_what_all_of_it_can_hold() -> None:
    node = NodeView.of(make.node(cpu="7910m", memory="30Gi", gpu=2))
    assert node.fits(Decimal("7.91"), Decimal(30 * 2**30), 2)
    assert not node.fits(Decimal(8), Decimal(1), 0)
    assert not node.fits(Decimal(1), Decimal(31 * 2**30), 0)
    assert not node.fits(Decimal(1), Decimal(1), 3)


@given(st.text())
def test_a_text_is_a_moment_in_utc_or_none(text: str) -> None:
    found = moment(text)
    assert found is None or found.utcoffset() is not None
