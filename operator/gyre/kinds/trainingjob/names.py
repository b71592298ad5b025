"""The names of a TrainingJob's children and labels: the one place that knows them. Pure.

A job's name has at most 40 characters, so `<job>-a<attempt>` stays below KubeRay's 47 for a RayJob up to attempt 99999.
"""

from __future__ import annotations

from typing import Final

from gyre.adapters.versions import TRAINED_FOR

JOB_LABEL: Final = TRAINED_FOR
ATTEMPT_LABEL: Final = "gyre.dev/attempt"


def run_name(job: str) -> str:
    """The run ConfigMap, and the ServiceAccount, Role and RoleBinding that let the driver write to it."""
    return f"{job}-run"


def ray_job_name(job: str, attempt: int) -> str:
    return f"{job}-a{attempt}"


def version_name(model: str, digest: str) -> str:
    """A ModelVersion is named by its content."""
    return f"{model}-{digest.removeprefix('sha256:')[:8]}"
