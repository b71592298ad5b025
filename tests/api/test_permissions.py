"""The operator's role, judged by what it did: runs last, over the audit log of everything the tier made it do."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from tests.api.apiserver import ApiServer
from tests.api.cluster import Cluster
from tests.api.install import OPERATOR
from tests.api.running import NAMESPACE, Operator

from gyre.api.gvks import DATASET, INFERENCE_SERVICE, TRAINING_JOB
from gyre.api.rbac import cluster_role
from gyre.kinds import KINDS

USER = f"system:serviceaccount:{NAMESPACE}:{OPERATOR}"

SPARE = {
    # verb, resource → why it is granted although this tier never makes the operator use it
    ("create", "persistentvolumeclaims"): "a Dataset with source.volume",
    ("patch", "persistentvolumeclaims"): "a Dataset with source.volume",
    ("delete", "persistentvolumeclaims"): "a Dataset with source.volume",
    ("create", "services"): "spec.shadow: the address that copies go to",
    ("create", "endpointslices.discovery.k8s.io"): "spec.shadow: what is behind that address",
    ("create", "gateways.gateway.networking.k8s.io"): "spec.auth.mtls, in tests/e2e/test_access.py",
    ("get", "localqueues.kueue.x-k8s.io"): "spec.queue, with Kueue",
    ("delete", "trainingjobs.gyre.dev"): "spec.ttl.afterFinished",
    ("create", "prometheusrules.monitoring.coreos.com"): "alerts of a ServiceLevelObjective, with Prometheus' operator",
    ("watch", "prometheusrules.monitoring.coreos.com"): "alerts of a ServiceLevelObjective, with Prometheus' operator",
}


def named(group: str, resource: str) -> str:
    """Of two groups that have a resource of one name (ours and KServe's `inferenceservices`) each is meant."""
    return f"{resource}.{group}" if group else resource


def asked(server: ApiServer) -> list[dict[str, Any]]:
    return [entry for entry in server.audited() if entry["user"]["username"] == USER]


def test_nothing_the_operator_asked_for_was_forbidden(server: ApiServer, operator: Operator):
    refused = [
        (entry["verb"], entry["objectRef"].get("resource"), entry["responseStatus"].get("message"))
        for entry in asked(server)
        if entry["responseStatus"]["code"] in (401, 403)
        # A CRD's rule and a policy may forbid as well; the role's refusals say which user lacks what.
        and f'User "{USER}" cannot' in (entry["responseStatus"].get("message") or "")
        # An API server that is starting again knows no role for a moment. Only what it answered before it was ready is excused.
        and not server.was_starting(datetime.fromisoformat(entry["requestReceivedTimestamp"]))
    ]
    assert refused == []


def test_of_secrets_it_only_ever_creates_tokens_of_logs(server: ApiServer, operator: Operator):
    about = [(e["verb"], e["objectRef"]) for e in asked(server) if e.get("objectRef", {}).get("resource") == "secrets"]
    assert {verb for verb, _ in about} <= {"create"}
    assert all(ref.get("name", "").endswith("-log-token") for _, ref in about), about


def test_it_never_reads_a_secret_and_never_writes_a_spec_of_ours_but_what_it_made(
    server: ApiServer, operator: Operator
):
    about = [(entry["verb"], entry["objectRef"]) for entry in asked(server) if "objectRef" in entry]
    assert not {ref["resource"] for verb, ref in about if verb != "create"} & {"secrets"}
    assert not {ref["resource"] for _, ref in about} & {"namespaces", "clusterroles"}
    specs = {
        (verb, named(ref.get("apiGroup", ""), ref["resource"])) for verb, ref in about if not ref.get("subresource")
    }
    ours = [INFERENCE_SERVICE, TRAINING_JOB, DATASET]
    changed = {resource for verb, resource in specs if verb in ("patch", "update")}
    assert not changed & {named(gvk.group, gvk.plural) for gvk in ours}
    reading = {"get", "list", "watch"}
    assert {verb for verb, resource in specs if resource == "pods"} <= reading
    # Of Deployments only those it makes itself: the collectors of prediction logs.
    written = {ref.get("name", "") for verb, ref in about if ref["resource"] == "deployments" and verb not in reading}
    assert all(name.endswith("-log") for name in written), written


def test_every_verb_that_is_granted_is_used_or_has_a_reason(server: ApiServer, cluster: Cluster, operator: Operator):
    used = set()
    for entry in asked(server):
        ref = entry.get("objectRef") or {}
        asked_of = ref.get("resource", "") + (f"/{ref['subresource']}" if ref.get("subresource") else "")
        resource = named(ref.get("apiGroup", ""), asked_of)
        used.add((entry["verb"], resource))
        if entry["verb"] == "patch" and entry["responseStatus"]["code"] == 201:  # an apply that creates needs both
            used.add(("create", resource))
    granted = {
        (verb, named(group, resource))
        for rule in cluster_role(KINDS)["rules"]
        for group in rule["apiGroups"]
        for resource in rule["resources"]
        for verb in rule["verbs"]
        if not resource.endswith("/finalizers")  # asked for by OwnerReferencesPermissionEnforcement, not by a request
    }
    idle = granted - used - set(SPARE)
    print(f"granted {len(granted)}, used {len(granted & used)}, idle: {sorted(idle)}")
    # `get` and `delete` of children depend on races and on repairs; writing and watching are not excused.
    assert {pair for pair in idle if pair[0] in ("list", "watch", "create")} == set()
