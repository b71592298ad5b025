"""How much processor this container may use, so that no library starts a thread for every core of the node."""

from __future__ import annotations

import math
import os
from collections.abc import MutableMapping
from pathlib import Path
from typing import Final

CGROUPS: Final = Path("/sys/fs/cgroup")
THREADS: Final = "OMP_NUM_THREADS"


def threads(environment: MutableMapping[str, str], cgroups: Path = CGROUPS) -> int:
    """The number of threads to compute with; OMP_NUM_THREADS where it is set, and set to that where it is not."""
    given = environment.setdefault(THREADS, str(max(1, math.ceil(limit(cgroups)))))
    return max(1, int(given)) if given.isdigit() else 1


def limit(cgroups: Path) -> float:
    """In cores: the quota of the cgroup (version 2, then 1), else the cores this process may run on."""
    cores = float(len(os.sched_getaffinity(0)))
    try:
        quota, period = (cgroups / "cpu.max").read_text().split()
    except (OSError, ValueError):
        try:
            quota = (cgroups / "cpu/cpu.cfs_quota_us").read_text().strip()
            period = (cgroups / "cpu/cpu.cfs_period_us").read_text().strip()
        except OSError:
            return cores
    return min(cores, int(quota) / int(period)) if quota.isdigit() and period.isdigit() else cores
