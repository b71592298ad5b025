"""Whose account something is on: three labels, taken over from an object to every child that costs money.

They come from the object alone. The labels of its namespace are not asked for: the operator may not read namespaces, and a
look at one in every reconcile of every kind would be dear. A policy of the cluster can put them on objects where they lack.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

PROJECT: Final = "gyre.dev/project"
TEAM: Final = "gyre.dev/team"
COST_CENTER: Final = "gyre.dev/cost-center"
ACCOUNT_LABELS: Final = (PROJECT, TEAM, COST_CENTER)


def account(labels: Mapping[str, str]) -> dict[str, str]:
    """The labels among these that say whose account it is."""
    return {label: labels[label] for label in ACCOUNT_LABELS if labels.get(label)}
