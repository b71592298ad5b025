"""A ModelVersion's bill of materials is a valid CycloneDX 1.6 document that says what the object says, the same each time."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.inferenceservice.test_rulings import promoted
from tests.unit.modelversion.versions import a_version
from tests.unit.reading import Cluster
from tests.unit.why.worlds import DATA, MODEL, NS, VERSION, Answers, changed, trained

from gyre.lineage import origin
from gyre.lineage.bom import Origin, bom

VALID = JsonStrictValidator(SchemaVersion.V1_6)


def of(cluster: Cluster, name: str = VERSION.name) -> dict[str, Any]:
    return bom(asyncio.run(origin(Answers(cluster), NS, name)))


def valid(document: Any) -> None:
    error = VALID.validate_str(json.dumps(document))
    assert error is None, error


def full() -> Cluster:
    cluster = changed(trained(), DATA, spec={"description": "flights from New York, 2013"})
    about = {
        "task": "Classification",
        "risk": "Limited",
        "description": "late by 15 minutes?",
        "owner": "delays@example.org",
    }
    lineage = cluster.objects[VERSION]["spec"]["lineage"]
    cluster = changed(cluster, MODEL, spec=about)
    revised = {**lineage, "code": {"sha256": "sha256:" + "d" * 64, "revision": "abc123", "path": "train.py"}}
    return changed(cluster, VERSION, spec={"lineage": revised})


def test_it_is_valid_whatever_the_version_states():
    valid(of(full()))
    valid(of(trained()))
    valid(of(promoted().cluster, "delays-b"))
    valid(bom(Origin(a_version())))
    valid(bom(Origin({"metadata": {"name": "x", "namespace": "ml", "uid": "u"}, "spec": {}})))


def test_the_validator_would_notice():
    broken = of(full())
    broken["components"][0]["data"][0]["type"] = "spreadsheet"
    assert VALID.validate_str(json.dumps(broken)) is not None


def test_the_model_has_its_hash_its_card_and_where_it_comes_from():
    model = of(full())["metadata"]["component"]
    assert (model["type"], model["name"], model["version"]) == ("machine-learning-model", "flights", "flights-ffffffff")
    assert model["hashes"] == [{"alg": "SHA-256", "content": "f" * 64}]
    assert model["authors"] == [{"name": "delays@example.org"}]
    card = model["modelCard"]
    assert card["modelParameters"] == {"task": "classification", "datasets": [{"ref": "data-0-flights"}]}
    metrics = {(m["type"], m.get("slice", "")): m["value"] for m in card["quantitativeAnalysis"]["performanceMetrics"]}
    assert metrics["auc", "last partition 2013-05 of train, 1000 rows"] == "0.71"
    assert metrics["auc", "baseline: frequency by carrier"] == "0.6"
    assert card["considerations"] == {"useCases": ["late by 15 minutes?"]}
    assert model["pedigree"]["commits"] == [{"uid": "abc123"}]
    properties = {p["name"]: p["value"] for p in model["properties"]}
    assert properties["gyre:parameter:learningRate"] == "0.01"
    assert properties["gyre:risk"] == "Limited"


def test_the_champion_on_the_same_rows_is_among_the_metrics():
    document = of(trained(beside="0.64"))
    valid(document)
    found = document["metadata"]["component"]["modelCard"]["quantitativeAnalysis"]["performanceMetrics"]
    assert {"type": "auc", "value": "0.64", "slice": "champion: flights-cccccccc"} in found


def test_data_image_code_and_libraries_are_its_parts_with_their_digests():
    document = of(full())
    parts = {part["bom-ref"]: part for part in document["components"]}
    data = parts["data-0-flights"]
    assert data["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert data["data"] == [{"type": "dataset", "name": "flights", "contents": {"url": "pvc://ml/shared/flights"}}]
    assert parts["image"]["hashes"] == [{"alg": "SHA-256", "content": "e" * 64}]
    assert (parts["code"]["name"], parts["code"]["version"]) == ("train.py", "abc123")
    assert (parts["framework-0-torch"]["version"], parts["framework-1-ray"]["version"]) == ("2.6.0", "2.60.0")
    assert document["dependencies"][0] == {"ref": "model", "dependsOn": list(parts)}


def test_printed_again_it_is_the_same_and_another_version_has_another_serial():
    assert of(full()) == of(full())
    other = changed(full(), VERSION, metadata={"uid": "another"})
    assert of(other)["serialNumber"] != of(full())["serialNumber"]


def test_without_its_model_and_data_it_says_what_the_version_itself_says():
    cluster = full()
    del cluster.objects[MODEL], cluster.objects[DATA]
    document = of(cluster)
    valid(document)
    assert document["components"][0]["hashes"] == [{"alg": "SHA-256", "content": "a" * 64}]
    assert "authors" not in document["metadata"]["component"]


def test_a_version_that_does_not_exist_is_named():
    with pytest.raises(LookupError, match="ModelVersion ml/none does not exist"):
        of(full(), "none")


@given(
    st.text(max_size=60),
    st.dictionaries(st.text(min_size=1, max_size=20), st.text(max_size=20), max_size=4),
    st.text(max_size=80),
)
def test_no_words_of_users_make_it_invalid(framework: str, parameters: dict[str, str], description: str):
    version = a_version()
    version["spec"]["lineage"] |= {
        "framework": framework,
        "parameters": parameters,
        "image": {"name": "x", "digest": framework},
    }
    valid(
        bom(Origin(version, {"metadata": {"name": "delay"}, "spec": {"description": description, "owner": framework}}))
    )
