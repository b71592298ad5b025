"""An InferenceService puts one version of a Model behind an endpoint, and lets a new one take over only on evidence.

Promises   a version no worse than the stable one is rolled back with probability alpha at the most, one as bad as the margins
           promoted with probability beta at the most, however often it is looked at and whenever the operator is killed;
           weights rise step by step until a verdict and no step is left out; what failed is not tried again, whoever applies
           the manifest; a version gets traffic only once it is ready, and goes only when the gateway sends it nothing more.
Children   ConfigMap <name>-rollout (the ledger), KServe InferenceService <name>-<digest> per version, HTTPRoute <name>;
           with auth or rateLimit SecurityPolicy, BackendTrafficPolicy, ClientTrafficPolicy and (mtls) Gateway <name>;
           with shadow Service and EndpointSlice <name>-shadow; with log Deployment and Service <name>-log, and Secret
           <name>-log-token unless there is another, or none wanted
Never      trusts KServe's status; promotes without counts; reads its own status or a Secret; has two candidates at once.

    created ──▶ first version up ──▶ all traffic ──new version──▶ candidate up ──▶ 10 % ──▶ 25 % ──▶ 50 % ──▶ Promoted
                                          ▲                            │   looks every interval       │          │
                                          │ ◀── RolledBack, quarantined ◀── worse, crashing, mismatch ┘          ▼
                                          └── Switched: asked for again while it is warm ◀────────────── warm for keepWarm
    Frozen: a new version waits while a ServiceLevelObjective with onExhausted: Freeze has no budget left
    Stalled: RevisionQuarantined, VersionMissing, GatewayMissing, KServeMissing, Inconclusive (onInconclusive: Hold)

Conditions   Ready, Available, RouteProgrammed, CanaryHealthy, MetricsAvailable, WeightsHonoured, AccessVerified, LogHealthy;
             Reconciling and Stalled while true

    parts, policy, model, report   the API        decide       the policy: RULES      ledger, memory   what is remembered
    access, experiments            its extras     canary       a candidate's way      predictor        the pods
    reasons, words                 the words      looking      one look               desired          the other children
    observe, backends, asking      the reads      endings      how rollouts end       protection       who may call
    counting                       the counts     standing     all of it in order     splitting        A/B and shadow
    target, troubles               which, why not comparison   what A/B has shown     proof            that it is refused
    status                         what people read                                   warning          said at admission
    guarding                       reads of access                                    keysets          keys of tokens
    rulings                        why it ended                                      shadowing        where copies go
    logspec, logged                the prediction log                                collecting       its collector
    tokens                         who may send to it
"""

from __future__ import annotations

from collections.abc import Iterable

from gyre.adapters.objectives import ObjectiveView
from gyre.adapters.predictionlog import LOG_LABEL
from gyre.api import gvks
from gyre.api.effects import Ref
from gyre.api.kind import Grant, Kind, Object, Watch
from gyre.kinds.inferenceservice import tokens, warning
from gyre.kinds.inferenceservice.decide import decide
from gyre.kinds.inferenceservice.desired import through
from gyre.kinds.inferenceservice.model import InferenceService
from gyre.kinds.inferenceservice.names import SERVICE_LABEL
from gyre.kinds.inferenceservice.observe import gather
from gyre.kinds.inferenceservice.reasons import Reason
from gyre.kinds.inferenceservice.status import CONDITIONS, summarize


def references(gis: InferenceService) -> Iterable[Ref]:
    """What a service waits for: its Model, the versions that it names, its Gateway."""
    wanted = gis.spec.model_ref
    yield Ref(gvks.MODEL, gis.namespace, wanted.name)
    named = (wanted.version, gis.spec.ab and gis.spec.ab.version, gis.spec.shadow and gis.spec.shadow.version)
    for name in sorted({name for name in named if name}):
        yield Ref(gvks.MODEL_VERSION, gis.namespace, name)
    namespace, name, _ = through(gis)
    for where, what in {(gis.spec.gateway.namespace, gis.spec.gateway.name), (namespace, name)}:
        yield Ref(gvks.GATEWAY, where, what)


def service_of(obj: Object) -> Iterable[tuple[str, str]]:
    """The service that something of KServe's was made for, or a collector's pod, by the label that it inherits."""
    metadata = obj["metadata"]
    labels = metadata.get("labels") or {}
    name = labels.get(SERVICE_LABEL) or labels.get(LOG_LABEL)
    if name:
        yield metadata.get("namespace", ""), str(name)


def service_of_level(obj: Object) -> Iterable[tuple[str, str]]:
    """A budget that is spent, or there again."""
    level = ObjectiveView.of(obj)
    yield level.namespace, level.service


KIND = Kind(
    model=InferenceService,
    gvk=gvks.INFERENCE_SERVICE,
    gather=gather,
    decide=decide,
    summarize=summarize,
    conditions=CONDITIONS,
    reasons=Reason,
    policies=lambda: (*warning.policies(), *tokens.policies()),
    owns=(
        gvks.CONFIG_MAP,
        gvks.KSERVE_SERVICE,
        gvks.HTTP_ROUTE,
        gvks.SECURITY_POLICY,
        gvks.BACKEND_TRAFFIC_POLICY,
        gvks.CLIENT_TRAFFIC_POLICY,
        gvks.GATEWAY,
        gvks.SERVICE,
        gvks.ENDPOINT_SLICE,
        gvks.DEPLOYMENT,
    ),
    watches=(
        Watch(gvks.DEPLOYMENT, service_of),  # KServe copies our labels to all that it makes, …
        Watch(gvks.ENDPOINT_SLICE, service_of),  # … and Kubernetes those of a Service to its slices
        Watch(gvks.POD, service_of),
        Watch(gvks.GATEWAY, managed=False),
        Watch(gvks.SERVICE_LEVEL_OBJECTIVE, service_of_level, managed=False),
    ),
    references=references,
    labels=(
        *((gvk, SERVICE_LABEL) for gvk in (gvks.KSERVE_SERVICE, gvks.DEPLOYMENT, gvks.ENDPOINT_SLICE, gvks.POD)),
        (gvks.POD, LOG_LABEL),
    ),
    grants=(
        Grant(gvks.SECRET, ("create",)),  # the log's token, and `tokens.policies` allows no other
        Grant(gvks.PERSISTENT_VOLUME_CLAIM, ("get",)),
        Grant(gvks.CUSTOM_RESOURCE_DEFINITION, ("get",)),  # whether KServe is installed
        Grant(gvks.POD, ("list",)),  # the gateway's and KServe's, which are not ours to watch
    ),
)
