"""Reading what an API server returned, and writing it back."""

from __future__ import annotations

import copy
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from pydantic import ValidationError
from tests.unit.api.sample import MINIMAL, S3, SAMPLE, Claim, Sample, SampleStatus

from gyre.api.effects import Ref
from gyre.api.schema import Unreadable


def stored(**changes: Any) -> dict[str, Any]:
    obj = copy.deepcopy(MINIMAL)
    obj["metadata"] |= {"uid": "u-1", "generation": 4, "resourceVersion": "17", "managedFields": [{"manager": "x"}]}
    for path, value in changes.items():
        *parents, leaf = path.split("__")
        place = obj
        for parent in parents:
            place = place.setdefault(parent, {})
        place[leaf] = value
    return obj


def test_names_are_camel_case_outside_and_snake_case_inside():
    sample = Sample.parse(
        stored(spec__finishBy="2026-11-23T09:00:00.25+01:00", spec__maxCost={"amount": "12.50", "currency": "EUR"})
    )
    assert sample.spec.finish_by == datetime(2026, 11, 23, 8, tzinfo=UTC)
    assert sample.spec.max_cost is not None
    assert sample.spec.max_cost.amount == Decimal("12.50")
    assert sample.to_dict()["spec"]["finishBy"] == "2026-11-23T08:00:00Z"
    assert sample.to_dict()["spec"]["maxCost"] == {"amount": "12.50", "currency": "EUR"}


def test_defaults_are_those_of_the_schema():
    sample = Sample.parse(stored())
    assert sample.spec.timeout == timedelta(hours=1)
    assert sample.spec.stubborn.limit == 9
    assert sample.spec.env == ()
    assert isinstance(sample.spec.store, S3)
    assert sample.spec.store.region == "eu-1"


def test_a_union_is_read_as_the_member_that_it_names():
    sample = Sample.parse(stored(spec__store={"type": "Claim", "claim": "disk"}))
    assert isinstance(sample.spec.store, Claim)


def test_fields_of_a_newer_version_are_ignored_everywhere():
    sample = Sample.parse(stored(spec__novelty=1, status__novelty={"a": 1}, metadata__novelty=[]))
    assert sample.spec.low == 1


def test_an_object_knows_its_address_and_how_to_own():
    sample = Sample.parse(stored())
    assert sample.ref == Ref(SAMPLE, "default", "one")
    assert (sample.name, sample.namespace, sample.uid, sample.generation) == ("one", "default", "u-1", 4)
    assert not sample.deleting
    assert sample.owner_reference() == {
        "apiVersion": "gyre.dev/v1alpha1",
        "kind": "Sample",
        "name": "one",
        "uid": "u-1",
        "controller": True,
        "blockOwnerDeletion": True,
    }


def test_an_object_marked_for_deletion_says_so():
    assert Sample.parse(stored(metadata__deletionTimestamp="2026-11-23T08:00:00Z")).deleting


@pytest.mark.parametrize("status", [None, {}, {"observedGeneration": -1}])
def test_a_fresh_object_has_an_empty_status(status: Any):
    sample = Sample.parse(stored(status=status))
    assert sample.status == SampleStatus()
    assert sample.status.condition("Ready") is None


def test_what_cannot_be_read_of_a_status_is_forgotten_and_the_rest_is_kept():
    ready = {"type": "Ready", "status": "True", "reason": "Fine", "message": ""}
    sample = Sample.parse(
        stored(
            status__loss={"was": "an object"},
            status__replicas=3,
            status__conditions=[ready],
            status__observedGeneration=4,
        )
    )
    assert sample.status.loss is None
    assert sample.status.replicas == 3
    assert sample.status.observed_generation == 4
    condition = sample.status.condition("Ready")
    assert condition is not None
    assert condition.true


@pytest.mark.parametrize("status", ["text", 7, ["a"], {"conditions": "none"}, {"conditions": [{"type": 1}]}])
def test_no_status_makes_an_object_unreadable(status: Any):
    assert Sample.parse(stored(status=status)).status == SampleStatus()


def test_a_status_that_we_build_wrongly_is_an_error_at_once():
    with pytest.raises(ValidationError):
        SampleStatus(replicas="many")  # type: ignore[arg-type]


def test_a_spec_that_does_not_fit_names_the_field():
    with pytest.raises(Unreadable, match=r"^Sample spec\.low: Input should be a valid integer"):
        Sample.parse(stored(spec__low="few"))


def test_everything_is_frozen():
    sample = Sample.parse(stored())
    with pytest.raises(ValidationError):
        sample.spec.low = 2  # type: ignore[misc]


def test_a_manifest_has_only_what_is_set():
    assert Sample.parse(MINIMAL).to_dict()["metadata"] == {"name": "one", "namespace": "default"}
    assert list(Sample.parse(MINIMAL).to_dict())[:2] == ["apiVersion", "kind"]


def test_writing_and_reading_again_gives_the_same_object():
    sample = Sample.parse(stored(spec__port="http", spec__zones=["a", "b"], status__loss="2e-05", status__replicas=2))
    assert Sample.parse(sample.to_dict()) == sample


def test_a_thousand_objects_are_read_in_less_than_a_second():
    obj = stored(status__replicas=1, spec__env=[{"name": f"v{n}", "value": "x"} for n in range(16)])
    start = time.perf_counter()
    for _ in range(1000):
        Sample.parse(obj)
    assert time.perf_counter() - start < 1.0
