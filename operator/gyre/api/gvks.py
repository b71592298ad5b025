"""Every kind of resource that gyre names, once."""

from __future__ import annotations

from gyre.api.effects import Gvk

GROUP = "gyre.dev"
VERSION = "v1alpha1"


def ours(kind: str, plural: str, *, namespaced: bool = True) -> Gvk:
    return Gvk(GROUP, VERSION, kind, plural, namespaced)


TRAINING_JOB = ours("TrainingJob", "trainingjobs")
DATASET = ours("Dataset", "datasets")
MODEL = ours("Model", "models")
MODEL_VERSION = ours("ModelVersion", "modelversions")
INFERENCE_SERVICE = ours("InferenceService", "inferenceservices")
SERVICE_LEVEL_OBJECTIVE = ours("ServiceLevelObjective", "servicelevelobjectives")
DRIFT_MONITOR = ours("DriftMonitor", "driftmonitors")
COST_BUDGET = ours("CostBudget", "costbudgets", namespaced=False)
PROVIDER = ours("Provider", "providers", namespaced=False)

CONFIG_MAP = Gvk("", "v1", "ConfigMap", "configmaps")
EVENT = Gvk("", "v1", "Event", "events")
NODE = Gvk("", "v1", "Node", "nodes", namespaced=False)
PERSISTENT_VOLUME_CLAIM = Gvk("", "v1", "PersistentVolumeClaim", "persistentvolumeclaims")
POD = Gvk("", "v1", "Pod", "pods")
SECRET = Gvk("", "v1", "Secret", "secrets")
SERVICE = Gvk("", "v1", "Service", "services")
SERVICE_ACCOUNT = Gvk("", "v1", "ServiceAccount", "serviceaccounts")
DEPLOYMENT = Gvk("apps", "v1", "Deployment", "deployments")
JOB = Gvk("batch", "v1", "Job", "jobs")
LEASE = Gvk("coordination.k8s.io", "v1", "Lease", "leases")
POD_METRICS = Gvk("metrics.k8s.io", "v1beta1", "PodMetrics", "pods")
"""What pods use now; served by metrics-server or another, where one is installed."""
ENDPOINT_SLICE = Gvk("discovery.k8s.io", "v1", "EndpointSlice", "endpointslices")
ROLE = Gvk("rbac.authorization.k8s.io", "v1", "Role", "roles")
ROLE_BINDING = Gvk("rbac.authorization.k8s.io", "v1", "RoleBinding", "rolebindings")
CUSTOM_RESOURCE_DEFINITION = Gvk(
    "apiextensions.k8s.io", "v1", "CustomResourceDefinition", "customresourcedefinitions", namespaced=False
)

RAY_JOB = Gvk("ray.io", "v1", "RayJob", "rayjobs")
RAY_CLUSTER = Gvk("ray.io", "v1", "RayCluster", "rayclusters")
LOCAL_QUEUE = Gvk("kueue.x-k8s.io", "v1beta2", "LocalQueue", "localqueues")

KSERVE_SERVICE = Gvk("serving.kserve.io", "v1beta1", "InferenceService", "inferenceservices")
"""KServe's own kind of that name: one predictor, of one version."""
GATEWAY = Gvk("gateway.networking.k8s.io", "v1", "Gateway", "gateways")
HTTP_ROUTE = Gvk("gateway.networking.k8s.io", "v1", "HTTPRoute", "httproutes")
SECURITY_POLICY = Gvk("gateway.envoyproxy.io", "v1alpha1", "SecurityPolicy", "securitypolicies")
BACKEND_TRAFFIC_POLICY = Gvk("gateway.envoyproxy.io", "v1alpha1", "BackendTrafficPolicy", "backendtrafficpolicies")
CLIENT_TRAFFIC_POLICY = Gvk("gateway.envoyproxy.io", "v1alpha1", "ClientTrafficPolicy", "clienttrafficpolicies")

PROMETHEUS_RULE = Gvk("monitoring.coreos.com", "v1", "PrometheusRule", "prometheusrules")
