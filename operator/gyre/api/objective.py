"""Which way a metric is better: one word for every kind that compares by one."""

from __future__ import annotations

from gyre.api.terms import Term


class Goal(Term):
    """Which way is better."""

    MAXIMIZE = "Maximize", "more is better"
    MINIMIZE = "Minimize", "less is better"
