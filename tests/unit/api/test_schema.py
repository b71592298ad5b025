"""The CustomResourceDefinition around the schema: names, subresources, columns, the fresh status, stable bytes."""

from __future__ import annotations

import yaml
from tests.unit.api.sample import Sample

from gyre.api.effects import Gvk
from gyre.api.fields import Name
from gyre.api.markers import READY, Column, Scale, condition_column
from gyre.api.schema import Resource, Schema, Status, crd, crd_yaml

CRD = crd(Sample)
VERSION = CRD["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]


class PlainSpec(Schema):
    """Little."""

    name: Name
    """A name."""


class Plain(Resource[PlainSpec, Status], gvk=Gvk("gyre.dev", "v1alpha1", "Plain", "plains", namespaced=False)):
    """A plain thing."""


def test_names_scope_and_categories_come_from_the_class_statement():
    assert CRD["metadata"] == {"name": "samples.gyre.dev"}
    assert CRD["spec"]["scope"] == "Namespaced"
    assert CRD["spec"]["names"] == {
        "kind": "Sample",
        "listKind": "SampleList",
        "plural": "samples",
        "singular": "sample",
        "shortNames": ["smp"],
        "categories": ["gyre", "ml"],
    }


def test_a_cluster_scoped_kind_without_extras_has_none():
    plain = crd(Plain)["spec"]
    assert plain["scope"] == "Cluster"
    assert "shortNames" not in plain["names"]
    assert plain["versions"][0]["subresources"] == {"status": {}}
    assert "selectableFields" not in plain["versions"][0]


def test_ready_and_reason_come_first_and_age_last():
    columns = VERSION["additionalPrinterColumns"]
    assert [column["name"] for column in columns] == ["Ready", "Reason", "Dataset", "Loss", "Age"]
    assert columns[1]["jsonPath"] == '.status.conditions[?(@.type=="Ready")].reason'
    assert columns[3]["priority"] == 1
    assert columns[4] == {"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}


def test_a_column_of_the_same_name_replaces_the_standard_one():
    done = condition_column("Reason", "Succeeded", show="reason")

    class Odd(Resource[PlainSpec, Status], gvk=Plain.definition.gvk, columns=(READY, done)):
        """Odd."""

    columns = crd(Odd)["spec"]["versions"][0]["additionalPrinterColumns"]
    assert [column["name"] for column in columns] == ["Ready", "Reason", "Age"]
    assert "Succeeded" in columns[1]["jsonPath"]


def test_scale_and_selectable_fields_are_served():
    assert VERSION["subresources"]["scale"] == {
        "specReplicasPath": ".spec.low",
        "statusReplicasPath": ".status.replicas",
    }
    assert VERSION["selectableFields"] == [{"jsonPath": ".spec.dataset.name"}]
    assert Scale(label_selector=".status.selector").as_dict()["labelSelectorPath"] == ".status.selector"


def test_a_fresh_object_is_one_that_nobody_looked_at():
    status = ROOT["properties"]["status"]
    assert status["default"] == {"observedGeneration": -1}
    assert "default" not in str(status["properties"])


def test_the_root_bounds_the_name_and_asks_its_own_rules():
    assert ROOT["x-kubernetes-validations"] == [
        {
            "rule": "self.metadata.name.size() <= 40",
            "message": "metadata.name must be at most 40 characters long, so that the names of children fit",
        },
        {"rule": "self.metadata.name != 'forbidden'", "message": "choose another name"},
    ]
    assert ROOT["required"] == ["spec"]


def test_explain_gets_the_first_paragraph_only():
    assert ROOT["description"] == "A sample of everything."


def test_conditions_are_a_map_list_by_type():
    conditions = ROOT["properties"]["status"]["properties"]["conditions"]
    assert conditions["x-kubernetes-list-map-keys"] == ["type"]
    assert conditions["items"]["properties"]["message"]["maxLength"] == 1024
    assert conditions["items"]["required"] == ["type", "status", "reason"]


def test_the_file_says_what_the_manifest_says_the_same_way_every_time():
    assert yaml.safe_load(crd_yaml(Sample)) == CRD
    assert crd_yaml(Sample) == crd_yaml(Sample)
    assert "&id" not in crd_yaml(Sample)
    assert list(yaml.safe_load(crd_yaml(Sample))) == ["apiVersion", "kind", "metadata", "spec"]


def test_a_column_says_only_what_differs_from_nothing():
    assert Column("Low", ".spec.low", type="integer", description="The lower end").as_dict() == {
        "name": "Low",
        "type": "integer",
        "jsonPath": ".spec.low",
        "description": "The lower end",
    }
