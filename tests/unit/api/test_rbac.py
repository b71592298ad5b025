"""The role follows from what kinds declare, and from nothing else."""

from __future__ import annotations

import pytest
from tests.unit.api.kinds import BUSY, a_kind

from gyre.api import gvks
from gyre.api.kind import Grant
from gyre.api.rbac import Excessive, binding, cluster_role, lease_role, secret_role, user_roles
from gyre.kinds import KINDS


def rule(group: str, resources: list[str], *verbs: str) -> dict[str, list[str]]:
    return {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}


def test_a_kind_without_declarations_reads_itself_and_writes_its_status():
    assert cluster_role([a_kind()])["rules"] == [
        rule("", ["events"], "create"),
        rule("gyre.dev", ["samples"], "get", "list", "watch"),
        rule("gyre.dev", ["samples/finalizers"], "update"),
        rule("gyre.dev", ["samples/status"], "patch"),
    ]


def test_children_are_written_watched_kinds_are_read_and_grants_are_taken_literally():
    assert cluster_role([BUSY])["rules"] == [
        rule("", ["configmaps"], "get", "list", "watch", "create", "patch", "delete"),
        rule("", ["events", "pods/eviction"], "create"),
        rule("", ["nodes"], "get", "list", "watch"),
        rule("", ["pods"], "get", "list", "watch", "delete"),
        rule("gyre.dev", ["samples"], "get", "list", "watch"),
        rule("gyre.dev", ["samples/finalizers"], "update"),
        rule("gyre.dev", ["samples/status"], "patch"),
        rule("ray.io", ["rayjobs"], "get", "list", "watch", "create", "patch", "delete"),
    ]


def test_the_order_of_kinds_changes_nothing():
    assert cluster_role([BUSY, a_kind()]) == cluster_role([a_kind(), BUSY])


def test_secrets_are_never_read_cluster_wide():
    assert "secrets" not in str(cluster_role([BUSY]))
    role = secret_role([BUSY])
    assert role is not None
    assert role["rules"] == [rule("", ["secrets"], "get")]
    assert secret_role([a_kind()]) is None


def test_a_secret_may_be_created_where_nothing_of_it_may_be_read():
    made = a_kind(grants=(Grant(gvks.SECRET, ("create",)),))
    assert rule("", ["events", "secrets"], "create") in cluster_role([made])["rules"]
    assert secret_role([made]) is None


@pytest.mark.parametrize("verb", ["*", "bind", "escalate", "impersonate"])
def test_what_no_operator_may_have_is_refused(verb: str):
    with pytest.raises(Excessive, match=r"Sample asks for"):
        cluster_role([a_kind(grants=(Grant(gvks.ROLE, (verb,)),))])


def test_the_lease_is_in_the_operators_own_namespace():
    role = lease_role("gyre-system")
    assert (role["kind"], role["metadata"]["namespace"]) == ("Role", "gyre-system")
    assert role["rules"] == [rule("coordination.k8s.io", ["leases"], "get", "create", "update")]


def test_whoever_may_edit_a_namespace_may_edit_our_kinds_there():
    view, edit = user_roles([BUSY])
    assert view["rules"] == [rule("gyre.dev", ["samples"], "get", "list", "watch")]
    assert edit["rules"] == [rule("gyre.dev", ["samples"], "create", "update", "patch", "delete", "deletecollection")]
    aggregate = [label for label in edit["metadata"]["labels"] if "aggregate-to" in label]
    assert aggregate == [f"rbac.authorization.k8s.io/aggregate-to-{role}" for role in ("edit", "admin")]


def test_kinds_without_a_namespace_are_for_those_who_view_or_edit_the_cluster():
    view, edit = (str(role["rules"]) for role in user_roles(KINDS))
    for kind in KINDS:
        assert f"'{kind.gvk.plural}'" in view
        assert f"'{kind.gvk.plural}'" in edit
    assert not all(kind.gvk.namespaced for kind in KINDS)


def test_a_binding_is_cluster_wide_or_within_a_namespace():
    role = cluster_role([])
    wide = binding(role, service_account="sa", namespace="home")
    narrow = binding(role, service_account="sa", namespace="home", within="there")
    assert (wide["kind"], "namespace" in wide["metadata"]) == ("ClusterRoleBinding", False)
    assert (narrow["kind"], narrow["metadata"]["namespace"]) == ("RoleBinding", "there")
    assert narrow["roleRef"] == {
        "apiGroup": "rbac.authorization.k8s.io",
        "kind": "ClusterRole",
        "name": "gyre-operator",
    }
    assert narrow["subjects"] == [{"kind": "ServiceAccount", "name": "sa", "namespace": "home"}]
