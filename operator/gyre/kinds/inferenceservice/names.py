"""The names of an InferenceService's children and labels: the one place that knows them. Pure.

KServe labels what it makes `app: isvc.<name>-predictor`, and a label's value has 63 characters at the most; with nine for our
own suffix a service's name has at most 39 (kserve/kserve `pkg/constants/constants.go`, GetRawServiceLabel, v0.20.0).
"""

from __future__ import annotations

from typing import Final

from gyre.adapters.versions import SERVED_FOR

SERVICE_LABEL: Final = SERVED_FOR
RELEASE: Final = "gyre.dev/release-quarantine"
"""Annotation: a digest, the beginning of one, or `all`; each new value releases once."""
LONGEST: Final = 39


def rollout_name(service: str) -> str:
    """The ledger."""
    return f"{service}-rollout"


def log_name(service: str) -> str:
    """The collector of the prediction log: Deployment and Service."""
    return f"{service}-log"


def token_name(service: str) -> str:
    """The Secret with the token of the prediction log."""
    return f"{service}-log-token"


def predictor_name(service: str, digest: str) -> str:
    """KServe's InferenceService of one version: named by what it serves."""
    return f"{service}-{digest.removeprefix('sha256:')[:8]}"


def backend_name(predictor: str) -> str:
    """KServe's Kubernetes Service, port 80, and its Deployment."""
    return f"{predictor}-predictor"


def default_host(service: str, namespace: str) -> str:
    return f"{service}.{namespace}.gyre.local"
