"""What the operator may do in the cluster: exactly what its kinds declare, and what the engine itself needs.

Promises   every rule follows from a line of a `Kind` or of `ENGINE`; the same kinds give the same role, byte for byte.
Never      a wildcard, `bind`, `escalate` or `impersonate`, or more of Secrets in a cluster-wide role than to create them, which
           an admission policy narrows: they are read only in namespaces whose owner has bound `secret_role` there.

What a declaration implies (the verbs of engine/effects.py, engine/sweep.py and Kopf's watch streams):
    Kind.gvk      get list watch; patch of its status; update of its finalizers, for blockOwnerDeletion of children
    Kind.owns     get list watch create patch delete
    Kind.watches  get list watch
    Kind.grants   what they say
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final

from gyre.api.effects import Gvk
from gyre.api.gvks import EVENT, LEASE, SECRET
from gyre.api.kind import MANAGED_BY, Kind
from gyre.api.markers import Json

NAME: Final = "gyre-operator"
LABELS: Final = {"app.kubernetes.io/name": "gyre", "app.kubernetes.io/part-of": "gyre", MANAGED_BY: "gyre-install"}

READ: Final = ("get", "list", "watch")
WRITE: Final = ("create", "patch", "delete")
FORBIDDEN: Final = frozenset({"*", "bind", "escalate", "impersonate"})

Permission = tuple[str, str, str]
"""(API group, resource or resource/subresource, verb)."""

ENGINE: Final[tuple[Permission, ...]] = (("", EVENT.plural, "create"),)
"""Events are told once each, and never read."""


class Excessive(ValueError):
    """A kind asks for more than an operator may have; the message names it."""


def cluster_role(kinds: Iterable[Kind[Any, Any]]) -> Json:
    """The ClusterRole of the operator, bound cluster-wide. Raises Excessive."""
    permissions = {*ENGINE, *_needed(kinds)}
    return _role("ClusterRole", NAME, {wanted for wanted in permissions if not _secret(wanted)})


def secret_role(kinds: Iterable[Kind[Any, Any]]) -> Json | None:
    """What the kinds need of Secrets, as a ClusterRole to be bound in single namespaces; None if they need nothing."""
    permissions = {wanted for wanted in _needed(kinds) if _secret(wanted)}
    return _role("ClusterRole", f"{NAME}-secrets", permissions) if permissions else None


def lease_role(namespace: str) -> Json:
    """Leader election, in the operator's own namespace."""
    permissions = {(LEASE.group, LEASE.plural, verb) for verb in ("get", "create", "update")}
    role = _role("Role", NAME, permissions)
    return {**role, "metadata": {**role["metadata"], "namespace": namespace}}


def user_roles(kinds: Iterable[Kind[Any, Any]]) -> list[Json]:
    """Whoever may `view` or `edit` a namespace may do so with our kinds: roles that Kubernetes aggregates into its own.

    Kinds without a namespace are in them for those who view or edit the whole cluster: a RoleBinding gives nobody any of them.
    """
    ours = [kind.gvk for kind in kinds]
    view = {(gvk.group, gvk.plural, verb) for gvk in ours for verb in READ}
    edit = {(gvk.group, gvk.plural, verb) for gvk in ours for verb in (*WRITE, "update", "deletecollection")}
    return [
        _role("ClusterRole", "gyre-view", view, aggregate=("view", "edit", "admin")),
        _role("ClusterRole", "gyre-edit", edit, aggregate=("edit", "admin")),
    ]


def binding(role: Json, *, service_account: str, namespace: str, within: str = "") -> Json:
    """Binds a role to the operator's account; `within` a namespace, or cluster-wide if that is empty."""
    metadata = {"name": role["metadata"]["name"], "labels": LABELS}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding" if within else "ClusterRoleBinding",
        "metadata": {**metadata, "namespace": within} if within else metadata,
        "roleRef": {
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": role["kind"],
            "name": role["metadata"]["name"],
        },
        "subjects": [{"kind": "ServiceAccount", "name": service_account, "namespace": namespace}],
    }


def _needed(kinds: Iterable[Kind[Any, Any]]) -> Iterator[Permission]:
    for kind in kinds:
        yield from _may(kind.gvk, READ)
        yield from _may(kind.gvk, ("patch",), "status")
        yield from _may(kind.gvk, ("update",), "finalizers")
        for child in kind.owns:
            yield from _may(child, READ + WRITE)
        for watch in kind.watches:
            yield from _may(watch.gvk, READ)
        for grant in kind.grants:
            yield from _may(grant.gvk, _proper(kind, grant.verbs), grant.subresource)


def _may(gvk: Gvk, verbs: Iterable[str], subresource: str = "") -> Iterator[Permission]:
    resource = f"{gvk.plural}/{subresource}" if subresource else gvk.plural
    return ((gvk.group, resource, verb) for verb in verbs)


def _proper(kind: Kind[Any, Any], verbs: tuple[str, ...]) -> tuple[str, ...]:
    if excess := FORBIDDEN & set(verbs):
        raise Excessive(f"{kind.gvk.kind} asks for {', '.join(sorted(excess))}: name single verbs that are not these")
    return verbs


def _secret(permission: Permission) -> bool:
    """More than to create one, without seeing it or any other."""
    return permission[:2] == (SECRET.group, SECRET.plural) and permission[2] != "create"


VERBS: Final = ("get", "list", "watch", "create", "update", "patch", "delete", "deletecollection")
"""In the order in which they are written; others follow, by name."""


def _role(kind: str, name: str, permissions: Iterable[Permission], aggregate: tuple[str, ...] = ()) -> Json:
    """One rule for each set of verbs in a group, so that the role reads as a table."""
    verbs_of: dict[tuple[str, str], set[str]] = {}
    for group, resource, verb in permissions:
        verbs_of.setdefault((group, resource), set()).add(verb)
    resources_of: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for (group, resource), verbs in sorted(verbs_of.items()):
        resources_of.setdefault((group, _ordered(verbs)), []).append(resource)
    labels = {f"rbac.authorization.k8s.io/aggregate-to-{role}": "true" for role in aggregate}
    return {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": kind,
        "metadata": {"name": name, "labels": {**LABELS, **labels}},
        "rules": [
            {"apiGroups": [group], "resources": resources, "verbs": list(verbs)}
            for (group, verbs), resources in resources_of.items()
        ],
    }


def _ordered(verbs: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(verbs, key=lambda verb: (VERBS.index(verb) if verb in VERBS else len(VERBS), verb)))
