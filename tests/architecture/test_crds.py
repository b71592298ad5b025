"""The CRDs of all our kinds keep the conventions, and what is checked in is what the models say."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from gyre.api.kind import Kind
from gyre.api.lint import lint, stale
from gyre.api.rbac import cluster_role
from gyre.api.schema import crd
from gyre.kinds import KINDS

CRDS = Path(__file__).resolve().parents[2] / "crds"
by_name = pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.gvk.kind)


@by_name
def test_the_definition_keeps_the_conventions(kind: Kind[Any, Any]):
    assert [str(finding) for finding in lint(crd(kind.model))] == []


def test_every_exemption_is_still_needed():
    assert stale(crd(kind.model) for kind in KINDS) == []


@by_name
def test_a_kind_and_its_model_have_the_same_names(kind: Kind[Any, Any]):
    assert kind.gvk == kind.model.definition.gvk


def test_kinds_and_short_names_are_unique():
    names = [name for kind in KINDS for name in (kind.gvk.plural, kind.gvk.kind.lower(), *kind.model.definition.short)]
    assert len(names) == len(set(names))


def test_crds_are_checked_in_one_file_a_kind():
    assert sorted(path.name for path in CRDS.glob("*.yaml")) == sorted(
        f"{kind.gvk.plural}.{kind.gvk.group}.yaml" for kind in KINDS
    )


def test_the_operator_may_do_nothing_with_everything():
    role = cluster_role(KINDS)
    assert "*" not in str(role["rules"])
    of_secrets = {verb for rule in role["rules"] if "secrets" in rule["resources"] for verb in rule["verbs"]}
    assert of_secrets == {"create"}, "it reads none, and changes none (docs/decisions/0016)"
    narrowed = [policy["metadata"]["name"] for kind in KINDS for policy in kind.policies()]
    assert "secrets-of-the-operator.gyre.dev" in narrowed, "and a policy says which it may create"
