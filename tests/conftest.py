"""For every tier: a timing is never a verdict, so Hypothesis sets no deadline for a single example."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

settings.register_profile("gyre", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("gyre")
