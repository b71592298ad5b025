"""Where files lie, and how a pod reaches them."""

from __future__ import annotations

import pytest

from gyre.adapters.storage import BucketPlace, ClaimPlace, Place, from_json, from_uri, reach, to_json

PLACES = (
    ClaimPlace("runs"),
    ClaimPlace("runs", "a/b"),
    BucketPlace("b"),
    BucketPlace("b", "p/q", "http://s3:9000", "eu", "keys"),
)


@pytest.mark.parametrize("place", PLACES)
def test_a_place_survives_its_json(place: Place) -> None:
    assert from_json(to_json(place)) == place


def test_a_uri_names_the_place() -> None:
    assert from_uri("pvc://runs/a/b") == ClaimPlace("runs", "a/b")
    assert from_uri("s3://b/p") == BucketPlace("b", "p")
    assert from_uri("https://example/x") is None
    assert from_uri("pvc://") is None
    assert (ClaimPlace("runs").uri, BucketPlace("b", "p").uri) == ("pvc://runs", "s3://b/p")


def test_a_folder_to_write_to_is_no_sub_path_which_the_kubelet_would_make_as_root() -> None:
    found = reach(ClaimPlace("runs", "a"), volume="storage", mount="/gyre/storage", read_only=False)
    assert found.path == "/gyre/storage/a"
    assert found.mounts == ({"name": "storage", "mountPath": "/gyre/storage"},)


def test_data_are_mounted_read_only_and_nothing_beside_them() -> None:
    found = reach(ClaimPlace("data", "flights"), volume="d", mount="/gyre/data/train", read_only=True)
    assert found.path == "/gyre/data/train"
    assert found.mounts == ({"name": "d", "mountPath": "/gyre/data/train", "subPath": "flights", "readOnly": True},)


def test_the_keys_of_a_bucket_come_from_its_secret_and_are_never_read() -> None:
    found = reach(PLACES[3], volume="d", mount="/x", read_only=True)
    assert found.path == "s3://b/p/q"
    assert found.s3 == {"endpoint": "http://s3:9000", "region": "eu"}
    assert [entry["valueFrom"]["secretKeyRef"]["name"] for entry in found.env] == ["keys", "keys"]
    assert not found.volumes
    assert reach(BucketPlace("b"), volume="d", mount="/x", read_only=True).env == ()
